"""On which line of a TOML text each key stands.

``tomllib`` gives values without positions. This scanner reads a text that ``tomllib`` has already
accepted, so it need not judge: it follows strings, comments and brackets just far enough to see
where a statement begins. *Pure*.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

KeyPath = tuple[str, ...]
#: A key, a ``[table]`` header, or an ``[[item]]`` header of an array of tables.
_Statement = Literal["key", "table", "item"]

_TOKEN = re.compile(
    r"""
      (?P<comment>\#[^\n]*)
    | (?P<multiline>\"{3}(?:[^\\]|\\.)*?\"{3,5}|'{3}.*?'{3,5})
    | (?P<quoted>"(?:[^"\\\n]|\\.)*"|'[^'\n]*')
    | (?P<newline>\n)
    | (?P<open>[\[{])
    | (?P<close>[\]}])
    | (?P<equals>=)
    | (?P<bare>[A-Za-z0-9_-]+)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)


def key_lines(text: str) -> dict[KeyPath, int]:
    """Return the line of each table header and each key outside inline tables.

    Args:
        text: TOML that ``tomllib.loads`` accepts.

    Returns:
        Key path, outermost name first, to line number from 1; the first line for a path that
        stands more than once (an array of tables).
    """
    lines: dict[KeyPath, int] = {}
    table: KeyPath = ()
    for kind, path, line in _statements(text):
        if kind != "key":
            table = path
        lines.setdefault(table if kind != "key" else (*table, *path), line)
    return lines


def item_lines(text: str) -> dict[KeyPath, int]:
    """Return the lines as :func:`key_lines` does, with each table of an array told from the others.

    Args:
        text: TOML that ``tomllib.loads`` accepts.

    Returns:
        Key path to line; behind the name of an array of tables stands the place of the table in
        it, counted from 0: ``("user", "1", "password")``. The array itself, ``("user",)``, is where
        its first table is; a table without a header of its own where the first of those in it is.
    """
    lines: dict[KeyPath, int] = {}
    implied: dict[KeyPath, int] = {}
    places: dict[KeyPath, int] = {}
    table: KeyPath = ()
    for kind, path, line in _statements(text):
        if kind == "key":
            for length in range(1, len(path) + 1):  # a dotted key makes the tables on its way
                lines.setdefault((*table, *path[:length]), line)
            continue
        table = ()
        for name in path[:-1]:
            table = (*table, name)
            implied.setdefault(table, line)
            if table in places:
                table = (*table, str(places[table]))
        table = (*table, path[-1])
        if kind == "item":
            lines.setdefault(table, line)
            places[table] = places.get(table, -1) + 1
            table = (*table, str(places[table]))
        lines.setdefault(table, line)
    return {**implied, **lines}


def _statements(text: str) -> Iterator[tuple[_Statement, KeyPath, int]]:
    """Yield each header and each key outside inline tables with its own path and its line."""
    path: list[str] = []  # of the statement being read
    in_key = True
    brackets = 0  # of a header that are open
    depth = 0  # of brackets inside a value
    line = 1
    for token in _TOKEN.finditer(text):
        kind, word = token.lastgroup, token.group()
        match kind:
            case "newline" if depth == 0:
                path, in_key, brackets = [], True, 0
            case "bare" | "quoted" if in_key:
                path.append(_unquoted(word))
            case "equals" if in_key:
                in_key = False
                yield "key", tuple(path), line
            case "open" if in_key:
                brackets += 1
            case "close" if brackets and in_key:
                in_key = False
                yield "item" if brackets > 1 else "table", tuple(path), line
            case "open":
                depth += 1
            case "close":
                depth -= depth > 0  # the second bracket of an [[array of tables]] header
            case _:
                pass
        line += word.count("\n")


def line_of(lines: Mapping[KeyPath, int], path: KeyPath) -> int:
    """Return the line of ``path``, or of the nearest table around it; 1 if there is none."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def _unquoted(word: str) -> str:
    """Return a key's text; ``tomllib`` itself undoes the quoting."""
    if word[0] not in "\"'":
        return word
    return str(tomllib.loads(f"key = {word}")["key"])
