"""A small, strictly bounded reader of DER, for certificates that stricter libraries refuse.

Rules: definite lengths only, one-byte tags, nothing reaches outside what contains it. Whatever does
not fit is a :class:`DerError`; no other exception leaves this module. *Pure*.

Source: ITU-T X.690 (2021) sections 8.1, 8.19, 11.
"""

from __future__ import annotations

from typing import Final, NamedTuple

INTEGER: Final = 0x02
BIT_STRING: Final = 0x03
OCTET_STRING: Final = 0x04
OID: Final = 0x06
SEQUENCE: Final = 0x30
SET: Final = 0x31

_HIGH_TAG: Final = 0x1F
_LONG_FORM: Final = 0x80
_MORE: Final = 0x80
#: Length bytes accepted after the first; four reach far beyond any certificate.
_MAX_LENGTH_BYTES: Final = 4
#: Longest object identifier accepted; its numbers must stay printable.
_MAX_OID_BYTES: Final = 128
#: First arc 2 starts here in the first subidentifier; arcs 0 and 1 have 40 places each.
_ARC_2: Final = 80
_ARC_PLACES: Final = 40


class DerError(ValueError):
    """These bytes are not the DER that was asked for."""


class Element(NamedTuple):
    """One element: its tag byte, its content, and both with the length in between."""

    tag: int
    value: bytes
    raw: bytes


def elements(data: bytes) -> list[Element]:
    """Read the elements that follow each other in ``data``, which they must fill exactly.

    Raises:
        DerError: a tag, a length or the end does not fit.
    """
    found = []
    at = 0
    while at < len(data):
        start = at
        if at + 2 > len(data):
            raise DerError("cut after a tag")
        tag, length = data[at], data[at + 1]
        at += 2
        if tag & _HIGH_TAG == _HIGH_TAG:
            raise DerError("tag of several bytes")
        if length >= _LONG_FORM:
            count = length - _LONG_FORM
            if not 0 < count <= _MAX_LENGTH_BYTES:
                raise DerError("length of no definite form")
            length = int.from_bytes(data[at : at + count])
            at += count
        if at + length > len(data):
            raise DerError("element longer than what contains it")
        found.append(Element(tag, data[at : at + length], data[start : at + length]))
        at += length
    return found


def only(data: bytes, tag: int) -> bytes:
    """Return the content of the one element in ``data``, which must have this tag.

    Raises:
        DerError: there is another number of elements, or another tag.
    """
    found = elements(data)
    if len(found) != 1:
        raise DerError(f"{len(found)} elements where one is due")
    return content(found[0], tag)


def content(element: Element, tag: int) -> bytes:
    """Return an element's content, checking its tag.

    Raises:
        DerError: it has another tag.
    """
    if element.tag != tag:
        raise DerError(f"tag {element.tag:#04x} where {tag:#04x} is due")
    return element.value


def dotted(oid: bytes) -> str:
    """Return an object identifier's content as dotted decimals.

    Raises:
        DerError: it is empty, of no sensible length, or its last number does not end.
    """
    if not 0 < len(oid) <= _MAX_OID_BYTES or oid[-1] & _MORE:
        raise DerError("object identifier empty, too long or without an end")
    numbers = []
    number = 0
    for byte in oid:
        number = number << 7 | byte & ~_MORE
        if not byte & _MORE:
            numbers.append(number)
            number = 0
    arc = min(numbers[0], _ARC_2) // _ARC_PLACES
    return ".".join(str(n) for n in (arc, numbers[0] - arc * _ARC_PLACES, *numbers[1:]))


def bits(data: bytes) -> bytes:
    """Return a BIT STRING's content without its count of unused bits, which must be there.

    Raises:
        DerError: it is empty.
    """
    if not data:
        raise DerError("bit string without a count of unused bits")
    return data[1:]
