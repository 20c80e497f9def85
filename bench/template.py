"""Configuration files of other servers, from ``conf/``: ``{{name}}`` stands for a value."""

from __future__ import annotations

import os
import re
from pathlib import Path

from bench import BenchError

_FOLDER = Path(__file__).parent / "conf"
_PLACE = re.compile(r"\{\{(\w+)\}\}")


def fill(text: str, values: dict[str, object]) -> str:
    """Put values in; each place needs its value and each value its place. *Pure*.

    Raises:
        BenchError: they do not fit.
    """
    places = set(_PLACE.findall(text))
    if places != values.keys():
        odd = ", ".join(sorted(places ^ values.keys()))
        raise BenchError(f"places and values differ in {odd}")
    return _PLACE.sub(lambda place: str(values[place[1]]), text)


def configuration(file: str, /, **values: object) -> str:
    """Return a file of ``conf/`` with the values put in."""
    return fill((_FOLDER / file).read_text("utf-8"), values)


def nginx_user() -> str:
    """Return nginx's user directive: its workers stay who we are, to read what we may read."""
    return "user root;" if os.geteuid() == 0 else ""
