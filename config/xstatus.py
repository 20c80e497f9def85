"""The product's ``xStatus`` output: ``*s <path>: <value>`` lines and a last line ``** end``.

The form is that of Cisco's command line family (seen on a TC endpoint, Cisco 211304); the paths are
lab forms. *Pure*.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

END = "** end"
_COMMAND = "xstatus"


def render_status(tree: Mapping[str, object], words: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the lines of a status tree.

    Args:
        tree: names to values or to further trees, lists numbered from 1; ``snake_case`` names
            become ``SnakeCase``.
        words: only paths that begin with these, without case; a leading ``xStatus`` is skipped.

    Returns:
        One line for each value, then ``** end``; only that if nothing matches.
    """
    wanted = [word.lower() for word in words]
    if wanted and wanted[0] == _COMMAND:
        del wanted[0]
    lines = [
        f"*s {' '.join(path)}: {_shown(value)}"
        for path, value in _leaves((), tree)
        if [word.lower() for word in path[: len(wanted)]] == wanted
    ]
    return (*lines, END)


def _leaves(path: tuple[str, ...], node: object) -> Iterator[tuple[tuple[str, ...], object]]:
    match node:
        case Mapping():
            for name, inner in node.items():
                yield from _leaves((*path, _word(str(name))), inner)
        case list() | tuple():
            for number, inner in enumerate(node, start=1):
                yield from _leaves((*path, str(number)), inner)
        case _:
            yield path, node


def _word(name: str) -> str:
    """``requests_total`` becomes ``RequestsTotal``; blanks go, for they divide a path's words."""
    parts = name.replace("_", " ").split()
    return _on_one_line("".join(part[:1].upper() + part[1:] for part in parts))


def _shown(value: object) -> str:
    """Return numbers bare, all else in quotes, on one line."""
    if isinstance(value, bool):
        return '"True"' if value else '"False"'
    if isinstance(value, int | float):
        return str(value)
    text = "" if value is None else str(value)
    return '"' + _on_one_line(text).replace('"', "?") + '"'


def _on_one_line(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)
