"""docker-compose.yml names commands, flags and files that exist. No container is started."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import mralab
from mralab.lab import nodefolder

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Ran

TEXT = (Path(mralab.__file__).parents[2] / "docker-compose.yml").read_text()


def service(name: str) -> str:
    """The lines of one service, without comments."""
    _, _, rest = TEXT.partition(f"\n  {name}:\n")
    lines = re.split(r"\n(?:\n|  \S)", rest)[0].splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith("#"))


@pytest.mark.parametrize(
    ("name", "verbs"),
    [
        ("cucm", [("lab", "node")]),
        ("expressway-c", [("serve",), ("trust", "append")]),
        ("client", [("login",)]),
    ],
)
def test_flags_exist(run: Callable[..., Ran], name: str, verbs: list[tuple[str, ...]]) -> None:
    known = " ".join(run(*verb, "--help").out for verb in verbs)
    flags = re.findall(r"--[a-z][a-z-]+", service(name))
    assert flags
    for flag in flags:
        assert re.search(rf"{flag}\b", known), flag


def test_files_in_the_shared_volume_are_the_nodes(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    nodefolder.prepare(tmp_path, name="cucm.steven.lab", domain="steven.lab", now=now)
    nodefolder.write_hosts(tmp_path, "cucm.steven.lab", ("192.0.2.215",))
    named = set(re.findall(r"/lab/([\w.-]+)", TEXT))
    assert named
    assert named <= {path.name for path in tmp_path.iterdir()}
