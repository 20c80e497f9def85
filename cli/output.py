"""How commands speak: exit codes, error lines, columns, JSON. Nothing here needs colours."""

from __future__ import annotations

import sys
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Exit(IntEnum):
    """Exit codes."""

    FINE = 0
    FINDINGS = 1  #: it ran and found something wrong
    USAGE = 2  #: flags, files or commands are wrong
    COULD_NOT_RUN = 3
    INTERRUPTED = 130  #: as a shell reports SIGINT
    NO_READER = 141  #: as a shell reports SIGPIPE


def printable(text: str) -> str:
    """Return text without anything a terminal would act on; line ends and tabs go too."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def report(program: str, what: str, hint: str) -> None:
    """Write an error to standard error: one line, and a second one that says what to do."""
    lines = [f"{program}: error: {printable(what)}"]
    if hint:
        lines.append(f"  {printable(hint)}")
    print("\n".join(lines), file=sys.stderr)


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return ``did you mean ...?`` for the nearest known word, "" if none is near."""
    import difflib  # noqa: PLC0415 - quick start: needed on errors only

    near = difflib.get_close_matches(word, list(known), n=1)
    return f"did you mean {near[0]}?" if near else ""


def print_json(value: object) -> None:
    """Print a value as JSON, indented, ASCII only."""
    import json  # noqa: PLC0415 - quick start: not every run prints JSON

    print(json.dumps(value, indent=2))


def print_columns(rows: Iterable[Sequence[str]]) -> None:
    """Print rows of text in columns two blanks apart; the last column is not padded."""
    table = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        print("  ".join(padded).rstrip())
