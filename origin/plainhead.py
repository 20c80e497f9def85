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
from typing import Final, NamedTuple

from mralab.origin.fields import Kind, line_kinds, value_of

_PASS = Kind.PASS
_DATE = Kind.DATE
_CONTENT_LENGTH = Kind.CONTENT_LENGTH
_MAX_FIELDS: Final = 1000
_START: Final = re.compile(rb"HTTP/1\.1 (20[0-35-9]|[345][0-9][0-9]) ([\t -~\x80-\xff]*)")
_LENGTH: Final = re.compile(rb"[0-9]{1,18}")
_KEPT_STARTS: Final = 500
_starts: dict[bytes, tuple[int, bytes]] = {}
#: Fields that mean something in requests only.
_OF_REQUESTS: Final = frozenset(
    {
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


class PlainHead(NamedTuple):
    """What a plain head says."""

    status: int
    reason: bytes
    fields: list[bytes]  #: lines in order, Connection left out
    length: int  #: Content-Length, or -1
    has_date: bool
    has_age: bool


def plain_head(head: bytes) -> PlainHead | None:
    """Take a head apart.

    Args:
        head: from the status line to before the empty line, line ends in between.

    Returns:
        None if it is not plain.
    """
    line, *fields = head.split(b"\r\n")
    start = _starts.get(line) or _look_at_start(line)
    if start is None or len(fields) > _MAX_FIELDS:
        return None
    length, has_date, has_age, connection = -1, False, False, -1
    for index, kind in enumerate(line_kinds(fields)):
        if kind is _PASS:
            continue
        if kind is _DATE:
            has_date = True
        elif kind is _CONTENT_LENGTH and length < 0:
            digits = value_of(fields[index])
            if not _LENGTH.fullmatch(digits):
                return None
            length = int(digits)
        elif kind is Kind.CONNECTION and connection < 0:
            if value_of(fields[index]).lower() != b"keep-alive":
                return None
            connection = index
        elif kind is Kind.AGE:
            has_age = True
        elif kind not in _OF_REQUESTS:
            return None
    if connection >= 0:
        del fields[connection]
    return PlainHead(*start, fields, length, has_date, has_age)


def _look_at_start(line: bytes) -> tuple[int, bytes] | None:
    """Return status and reason of a status line that is not remembered yet, and remember them."""
    match = _START.fullmatch(line)
    if match is None:
        return None
    if len(_starts) >= _KEPT_STARTS:  # phrases come from origins: bounded
        _starts.clear()
    start = _starts[line] = int(match[1]), match[2]
    return start
