r"""Header fields: which of them a proxy passes on, drops or writes itself.

Rules: fields stay bytes and keep their order and spelling. A message's fields are a list of lines,
``b"Name: value"`` each, ready to be joined by line ends. What to do with a spelling is learnt once,
and so is a whole line: most lines of a node or a client come again and again. *Pure*: no I/O here.

Source: RFC 9110 section 7.6.1 (Connection and the fields it names), RFC 9112 sections 6 and 7.
"""

from __future__ import annotations

import re
from enum import IntEnum
from typing import TYPE_CHECKING, Final, Generic, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

CRLF: Final = b"\r\n"


class Kind(IntEnum):
    """What a field means to the proxy."""

    __hash__ = int.__hash__  # Enum's own is Python code

    ODD = 0  #: of a line only: not in the plain form, so llhttp has to look at it
    PASS = 1  #: end to end: passed on as it is
    DROP = 2  #: hop by hop: ends here
    CONTENT_LENGTH = 3
    TRANSFER_ENCODING = 4
    CONNECTION = 5
    HOST = 6
    FORWARDED_FOR = 7
    VIA = 8
    CLIENT_IP = 9
    UPGRADE = 10
    AUTHORIZATION = 11
    TRACKING_ID = 12
    MAX_FORWARDS = 13
    EXPECT = 14
    DATE = 15
    AGE = 16
    KEEP_ALIVE = 17  #: of a line only: ``Connection: keep-alive``


_KINDS: Final = {
    b"connection": Kind.CONNECTION,
    b"keep-alive": Kind.DROP,
    b"proxy-connection": Kind.DROP,
    b"proxy-authenticate": Kind.DROP,
    b"proxy-authorization": Kind.DROP,
    b"te": Kind.DROP,
    b"http2-settings": Kind.DROP,
    b"transfer-encoding": Kind.TRANSFER_ENCODING,
    b"content-length": Kind.CONTENT_LENGTH,
    b"upgrade": Kind.UPGRADE,
    b"host": Kind.HOST,
    b"x-forwarded-for": Kind.FORWARDED_FOR,
    b"via": Kind.VIA,
    b"client-ip": Kind.CLIENT_IP,
    b"authorization": Kind.AUTHORIZATION,
    b"trackingid": Kind.TRACKING_ID,
    b"max-forwards": Kind.MAX_FORWARDS,
    b"expect": Kind.EXPECT,
    b"date": Kind.DATE,
    b"age": Kind.AGE,
}

#: Trailer fields never passed on, beside the kinds above: they would change framing, routing or
#: identity after the head was judged. Source: RFC 9110 section 6.5.1.
_NOT_IN_TRAILERS: Final = frozenset({b"cookie", b"set-cookie", b"trailer", b"www-authenticate"})

#: Fields that ``Connection`` cannot take away: without them the message has another meaning.
_NOT_REMOVABLE: Final = frozenset({b"close", b"keep-alive", b"host", b"content-length"})

_LEARNT_MAX: Final = 2000
_LEARNT_LINE_BYTES: Final = 512
_learnt: dict[bytes, Kind] = {}
_learnt_lines: dict[bytes, Kind] = {}
_learnt_kind: Final = _learnt_lines.get
#: The plain form of a line: one blank behind the colon, a value, none behind it. llhttp takes each
#: such line and gives back the same name and value (tests/origin/test_fields.py).
_PLAIN_LINE: Final = re.compile(
    rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+): [!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?"
)

#: reg-name, IPv4 or bracketed IPv6, and a port (RFC 9110 section 7.2, RFC 3986 section 3.2.2);
#: llhttp leaves the blanks behind a value.
HOST_VALUE: Final = re.compile(
    rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]+)(?::[0-9]*)?[ \t]*"
)


def kind_of(name: bytes) -> Kind:
    """Return what to do with a field of this name, whatever its case."""
    kind = _learnt.get(name)
    if kind is None:
        if len(_learnt) >= _LEARNT_MAX:  # spellings come from clients: bounded
            _learnt.clear()
        kind = _learnt[name] = _KINDS.get(name.lower(), Kind.PASS)
    return kind


def _look_at_line(line: bytes) -> Kind:
    """Return what to do with a line; learn it if it is short."""
    match = _PLAIN_LINE.fullmatch(line)
    if match is None:
        return Kind.ODD
    kind = kind_of(match[1])
    if kind is Kind.CONNECTION and value_of(line).lower() == b"keep-alive":
        kind = Kind.KEEP_ALIVE
    elif kind is Kind.HOST and HOST_VALUE.fullmatch(value_of(line)) is None:
        return Kind.ODD
    if len(line) <= _LEARNT_LINE_BYTES:
        if len(_learnt_lines) >= _LEARNT_MAX:
            _learnt_lines.clear()
        _learnt_lines[line] = kind
    return kind


_SHAPES_MAX: Final = 500
_UNKNOWN: Final = object()
Found = TypeVar("Found")


class Shapes(Generic[Found]):
    """What is known of heads by their shape, the kinds of their lines in order.

    Messages have few shapes, so what follows from one is found out once.
    """

    __slots__ = ("_known", "_look")

    def __init__(self, look: Callable[[tuple[Kind, ...]], Found | None]) -> None:
        """Start with no shape known; ``look`` says what follows from one that is new."""
        self._look = look
        self._known: dict[tuple[Kind | None, ...], Found | None] = {}

    def of(self, lines: list[bytes]) -> Found | None:
        """Return what is known of a head with these lines (without its start line)."""
        kinds = tuple(map(_learnt_kind, lines))
        found = self._known.get(kinds, _UNKNOWN)
        if found is _UNKNOWN:  # a new shape, or a line that is not learnt
            learnt = zip(kinds, lines, strict=True)
            return self._find(tuple([kind or _look_at_line(line) for kind, line in learnt]))
        return cast("Found | None", found)

    def _find(self, kinds: tuple[Kind, ...]) -> Found | None:
        known = self._known
        if kinds not in known:
            if len(known) >= _SHAPES_MAX:  # they come from both sides: bounded
                known.clear()
            known[kinds] = self._look(kinds)
        return known[kinds]


def line_of(name: bytes, value: bytes) -> bytes:
    """Return a field as a line, without its line end."""
    return name + b": " + value


def name_of(line: bytes) -> bytes:
    """Return the name of a line."""
    return line[: line.index(b":")]


def value_of(line: bytes) -> bytes:
    """Return the value of a line."""
    return line[line.index(b":") + 2 :]


_KEEP_ALIVE: Final = [b"keep-alive"]


def list_members(value: bytes) -> list[bytes]:
    """Return the members of a comma-separated field value, lower case, empty ones left out."""
    if value == b",keep-alive":  # what nearly every node says
        return _KEEP_ALIVE
    return [member for part in value.split(b",") if (member := part.strip(b" \t").lower())]


def drop(fields: list[bytes], names: Collection[bytes]) -> None:
    """Remove fields from a list of lines, in place; ``names`` are lower case."""
    fields[:] = [line for line in fields if name_of(line).lower() not in names]


def drop_named(fields: list[bytes], options: list[bytes]) -> bool:
    """Remove from ``fields`` those that a ``Connection`` field names.

    Args:
        fields: lines of one message, changed in place.
        options: what Connection lists, lower case.

    Returns:
        Whether any field name was among the options.
    """
    if options is _KEEP_ALIVE:
        return False
    named = set(options) - _NOT_REMOVABLE
    if named:
        drop(fields, named)
    return bool(named)


def passes_in_trailer(name: bytes) -> bool:
    """Tell whether a trailer field of this name may be passed on."""
    return kind_of(name) is Kind.PASS and name.lower() not in _NOT_IN_TRAILERS


def pairs(fields: list[bytes]) -> list[tuple[bytes, bytes]]:
    """Return lines as (name, value) pairs, for the debug log."""
    return [(name_of(line), value_of(line)) for line in fields]
