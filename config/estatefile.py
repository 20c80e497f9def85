"""An estate file becomes an :class:`~mralab.config.estate.Estate`, or every fault in it at once.

Rules: the file is TOML; its keys are in docs/reference/estate.md, made from
:mod:`mralab.config.estateschema`. Nothing but the file itself is opened.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mralab.config.estateread import read_estate
from mralab.config.faults import ConfigFaults
from mralab.config.lines import item_lines
from mralab.config.tomlfile import parse_toml, read_toml

if TYPE_CHECKING:
    from pathlib import Path

    from mralab.config.estate import Estate


def load_estate(path: Path) -> Estate:
    """Read and check an estate file.

    Args:
        path: TOML, UTF-8, at most 1 MiB.

    Raises:
        ConfigFaults: everything that is wrong, in the file's order.
    """
    text = read_toml(path, "name an estate file; `mralab lab init` writes a sample")
    return replace(parse_estate(text, str(path)), source=path)


def parse_estate(text: str, name: str) -> Estate:
    """Read and check an estate.

    Args:
        text: TOML.
        name: what faults call it, such as the file's name.

    Raises:
        ConfigFaults: everything that is wrong, in the text's order.
    """
    table = parse_toml(text, name)
    estate, faults = read_estate(table, item_lines(text), name)
    if faults:
        raise ConfigFaults(faults)
    return estate
