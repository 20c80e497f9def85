"""On which line of a TOML text each key stands.

``tomllib`` gives values without positions. This scanner reads a text that ``tomllib`` has already
accepted, so it need not judge: it follows strings, comments and brackets just far enough to see
where a statement begins. *Pure*.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

KeyPath = tuple[str, ...]

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
    path: list[str] = []  # of the statement being read
    in_key = True
    in_header = False
    depth = 0  # of brackets inside a value
    line = 1
    for token in _TOKEN.finditer(text):
        kind, word = token.lastgroup, token.group()
        match kind:
            case "newline" if depth == 0:
                path, in_key, in_header = [], True, False
            case "bare" | "quoted" if in_key:
                path.append(_unquoted(word))
            case "equals" if in_key:
                in_key = False
                lines.setdefault((*table, *path), line)
            case "open" if in_key:
                in_header = True
            case "close" if in_header:
                in_key = False
                in_header = False
                table = tuple(path)
                lines.setdefault(table, line)
            case "open":
                depth += 1
            case "close":
                depth -= depth > 0  # the second bracket of an [[array of tables]] header
            case _:
                pass
        line += word.count("\n")
    return lines


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
