r"""Header fields: which of them a proxy passes on, drops or writes itself.

Rules: fields stay bytes and keep their order and spelling. A message's fields are one flat list,
``name``, ``b": "``, ``value``, ``b"\r\n"`` and so on, ready to be joined. What to do with a
spelling is learnt once. *Pure*: no I/O here.

Source: RFC 9110 section 7.6.1 (Connection and the fields it names), RFC 9112 sections 6 and 7.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection

COLON: Final = b": "
CRLF: Final = b"\r\n"
_WIDTH = 4  # list entries per field


class Kind(IntEnum):
    """What a field means to the proxy."""

    PASS = 0  #: end to end: passed on as it is
    DROP = 1  #: hop by hop: ends here
    CONTENT_LENGTH = 2
    TRANSFER_ENCODING = 3
    CONNECTION = 4
    HOST = 5
    FORWARDED_FOR = 6
    VIA = 7
    CLIENT_IP = 8
    UPGRADE = 9
    AUTHORIZATION = 10
    TRACKING_ID = 11
    MAX_FORWARDS = 12
    EXPECT = 13
    DATE = 14
    AGE = 15


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
_learnt: dict[bytes, Kind] = {}


def kind_of(name: bytes) -> Kind:
    """Return what to do with a field of this name, whatever its case."""
    kind = _learnt.get(name)
    if kind is None:
        if len(_learnt) >= _LEARNT_MAX:  # spellings come from clients: bounded
            _learnt.clear()
        kind = _learnt[name] = _KINDS.get(name.lower(), Kind.PASS)
    return kind


_KEEP_ALIVE: Final = [b"keep-alive"]


def list_members(value: bytes) -> list[bytes]:
    """Return the members of a comma-separated field value, lower case, empty ones left out."""
    if value == b",keep-alive":  # what nearly every node says
        return _KEEP_ALIVE
    return [member for part in value.split(b",") if (member := part.strip(b" \t").lower())]


def drop(fields: list[bytes], names: Collection[bytes]) -> None:
    """Remove fields from a flat list, in place; ``names`` are lower case."""
    kept: list[bytes] = []
    for start in range(0, len(fields), _WIDTH):
        if fields[start].lower() not in names:
            kept += fields[start : start + _WIDTH]
    fields[:] = kept


def drop_named(fields: list[bytes], options: list[bytes]) -> bool:
    """Remove from ``fields`` those that a ``Connection`` field names.

    Args:
        fields: flat list of one message, changed in place.
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
    """Return a flat list as (name, value) pairs, for the debug log."""
    return list(zip(fields[0::_WIDTH], fields[2::_WIDTH], strict=True))
