"""A response's head as nearly every node sends it, taken apart by lines.

Rules: plain is HTTP/1.1, a final status, each line in the plain form of
:mod:`mralab.origin.fields`, at most one Content-Length in plain digits, no Transfer-Encoding, no
Connection but ``keep-alive``, and a status that says nothing about framing by itself. What is not
plain is not judged here: llhttp looks at it. What is plain means the same to llhttp
(tests/origin/test_plainhead.py). *Pure*.

llhttp calls back for each field, and a call of Python costs more than the whole line does here:
docs/adr/0007-where-the-microseconds-go.md has the figures.
"""

from __future__ import annotations

import re
from typing import Final, TypeAlias

from mralab.origin.fields import Kind, Shapes

_MAX_FIELDS: Final = 1000
_MAX_DIGITS: Final = 18
_START: Final = re.compile(rb"HTTP/1\.1 (20[0-35-9]|[345][0-9][0-9]) ([\t -~\x80-\xff]*)")
_LENGTH_VALUE: Final = len(b"Content-Length: ")
_KEPT: Final = 500
_starts: dict[bytes, tuple[int, bytes]] = {}
#: Kinds of lines that a plain head may have any number of.
_ANY_NUMBER: Final = frozenset(
    {
        Kind.PASS,
        Kind.DATE,
        Kind.AGE,
        # of requests only
        Kind.HOST,
        Kind.FORWARDED_FOR,
        Kind.VIA,
        Kind.CLIENT_IP,
        Kind.AUTHORIZATION,
        Kind.TRACKING_ID,
        Kind.MAX_FORWARDS,
        Kind.EXPECT,
    }
)
_AT_MOST_ONE: Final = frozenset({Kind.CONTENT_LENGTH, Kind.KEEP_ALIVE})


#: Status, reason, lines in order without Connection, Content-Length or -1, whether there is a Date,
#: whether there is an Age.
PlainHead: TypeAlias = tuple[int, bytes, list[bytes], int, bool, bool]


#: Where things stand in all heads of one shape: index of Content-Length, or -1; index of
#: Connection, or -1; whether there is a Date; whether there is an Age.
_Shape: TypeAlias = tuple[int, int, bool, bool]


def plain_head(head: bytes) -> PlainHead | None:
    """Take a head apart.

    Args:
        head: from the status line to before the empty line, line ends in between.

    Returns:
        What it says; None if it is not plain.
    """
    fields = head.split(b"\r\n")
    if len(fields) > _MAX_FIELDS:  # nothing is learnt from these: what is kept stays small
        return None
    line = fields.pop(0)
    start = _starts.get(line) or _look_at_start(line)
    shape = _shapes.of(fields)
    if start is None or shape is None:
        return None
    status, reason = start
    at_length, connection, has_date, has_age = shape
    length = -1
    if at_length >= 0:
        digits = fields[at_length][_LENGTH_VALUE:]
        if not digits.isdigit() or len(digits) > _MAX_DIGITS:
            return None
        length = int(digits)
    if connection >= 0:
        del fields[connection]
    return status, reason, fields, length, has_date, has_age


def _look_at_start(line: bytes) -> tuple[int, bytes] | None:
    """Return status and reason of a status line that is not remembered yet, and remember them."""
    match = _START.fullmatch(line)
    if match is None:
        return None
    if len(_starts) >= _KEPT:  # phrases come from origins: bounded
        _starts.clear()
    start = _starts[line] = int(match[1]), match[2]
    return start


def _look_at_shape(kinds: tuple[Kind, ...]) -> _Shape | None:
    """Return what is to be known of a shape; None if llhttp has to look at such heads."""
    if not all(
        kind in _ANY_NUMBER or (kind in _AT_MOST_ONE and kinds.count(kind) == 1) for kind in kinds
    ):
        return None
    return (
        kinds.index(Kind.CONTENT_LENGTH) if Kind.CONTENT_LENGTH in kinds else -1,
        kinds.index(Kind.KEEP_ALIVE) if Kind.KEEP_ALIVE in kinds else -1,
        Kind.DATE in kinds,
        Kind.AGE in kinds,
    )


_shapes: Final = Shapes(_look_at_shape)
