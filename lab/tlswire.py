"""What two peers said in clear while they set up TLS, read from the raw bytes of each direction.

- Input is whatever came over the wire, cut anywhere, or no TLS at all: nothing here raises on it,
  an answer is simply absent.
- Handshake messages can be read until encryption starts. Under TLS 1.2 that includes the
  certificates of both sides; under TLS 1.3 only the two Hello messages.
- An alert is in clear if its record holds exactly two bytes: an encrypted one is longer.

*Pure*: no I/O here. Layouts: RFC 5246, RFC 8446 and RFC 6066.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

HANDSHAKE: Final = 22
ALERT: Final = 21
CHANGE_CIPHER_SPEC: Final = 20
APPLICATION_DATA: Final = 23
_CONTENT_TYPES: Final = range(CHANGE_CIPHER_SPEC, APPLICATION_DATA + 1)

_CLIENT_HELLO, _SERVER_HELLO, _CERTIFICATE = 1, 2, 11
_EXT_SERVER_NAME, _EXT_SUPPORTED_VERSIONS = 0, 43
_HOST_NAME = 0
_RECORD_HEADER, _MESSAGE_HEADER, _ALERT_SIZE, _RANDOM_SIZE = 5, 4, 2, 32

#: Names of protocol versions as OpenSSL writes them.
VERSIONS: Final = {0x0301: "TLSv1", 0x0302: "TLSv1.1", 0x0303: "TLSv1.2", 0x0304: "TLSv1.3"}


@dataclass(frozen=True, slots=True)
class Record:
    """One complete TLS record."""

    content_type: int
    payload: bytes
    end: int  #: offset of the first byte after it


@dataclass(frozen=True, slots=True)
class ClientHello:
    """What a client offers."""

    suites: tuple[int, ...]  #: cipher suites by IANA number, in the client's order
    server_name: str | None  #: SNI as sent; None if the extension is absent


@dataclass(frozen=True, slots=True)
class ServerHello:
    """What a server chose."""

    version: str  #: ``TLSv1.2``, ``TLSv1.3``; an unknown number in hexadecimal
    suite: int  #: cipher suite by IANA number


@dataclass(frozen=True, slots=True)
class Alert:
    """The last alert in clear of one direction."""

    level: int  #: 1 warning, 2 fatal
    description: int  #: for example 48 unknown_ca, 80 internal_error
    bytes_after: int  #: what came after its record


class _TruncatedError(Exception):
    """A message ends before its fields do."""


class _Reader:
    """Reads length-prefixed fields; whatever is not there raises."""

    __slots__ = ("_data", "_position")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def __bool__(self) -> bool:
        return self._position < len(self._data)

    def take(self, size: int) -> bytes:
        end = self._position + size
        if end > len(self._data):
            raise _TruncatedError
        piece = self._data[self._position : end]
        self._position = end
        return piece

    def rest(self) -> bytes:
        return self.take(len(self._data) - self._position)

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self, length_size: int) -> _Reader:
        return _Reader(self.take(self.number(length_size)))

    def numbers(self, size: int) -> tuple[int, ...]:
        found = []
        while self:
            found.append(self.number(size))
        return tuple(found)


def records(raw: bytes) -> Iterator[Record]:
    """Yield the complete records at the start of ``raw``; stop where it is no TLS."""
    start = 0
    while start + _RECORD_HEADER <= len(raw) and raw[start] in _CONTENT_TYPES:
        body = start + _RECORD_HEADER
        end = body + int.from_bytes(raw[start + 3 : body], "big")
        if end > len(raw):
            return
        yield Record(raw[start], raw[body:end], end)
        start = end


def handshake_messages(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield type and body of each complete handshake message sent before encryption starts."""
    stream = bytearray()
    for record in records(raw):
        if record.content_type != HANDSHAKE:
            return
        stream += record.payload
        while len(stream) >= _MESSAGE_HEADER:
            end = _MESSAGE_HEADER + int.from_bytes(stream[1:_MESSAGE_HEADER], "big")
            if end > len(stream):
                break
            yield stream[0], bytes(stream[_MESSAGE_HEADER:end])
            del stream[:end]


def client_hello(raw: bytes) -> ClientHello | None:
    """Read the first ClientHello from what a client sent; None if there is no complete one."""
    body = _first(raw, _CLIENT_HELLO)
    if body is None:
        return None
    reader = _Reader(body)
    try:
        reader.take(2 + _RANDOM_SIZE)
        reader.vector(1)
        suites = reader.vector(2).numbers(2)
        reader.vector(1)
        return ClientHello(suites, _server_name(_extensions(reader)))
    except _TruncatedError:
        return None


def server_hello(raw: bytes) -> ServerHello | None:
    """Read the first ServerHello from what a server sent; None if there is no complete one."""
    body = _first(raw, _SERVER_HELLO)
    if body is None:
        return None
    reader = _Reader(body)
    try:
        version = reader.number(2)
        reader.take(_RANDOM_SIZE)
        reader.vector(1)
        suite = reader.number(2)
        reader.take(1)
        extensions = _extensions(reader)
        if _EXT_SUPPORTED_VERSIONS in extensions:
            version = extensions[_EXT_SUPPORTED_VERSIONS].number(2)
    except _TruncatedError:
        return None
    return ServerHello(VERSIONS.get(version, f"0x{version:04X}"), suite)


def certificates(raw: bytes) -> tuple[bytes, ...]:
    """Read the DER certificates that one side showed in clear (TLS 1.2), its own one first.

    Empty if it showed none, or if they were encrypted (TLS 1.3).
    """
    body = _first(raw, _CERTIFICATE)
    if body is None:
        return ()
    found = []
    try:
        entries = _Reader(body).vector(3)
        while entries:
            found.append(entries.vector(3).rest())
    except _TruncatedError:
        return ()
    return tuple(found)


def has_certificate(sent: bytes) -> bool:
    """Tell whether a server got as far as its certificate, in clear or encrypted (TLS 1.3)."""
    return bool(certificates(sent)) or any(
        record.content_type == APPLICATION_DATA for record in records(sent)
    )


def last_alert(raw: bytes) -> Alert | None:
    """Return the last alert sent in clear, or None."""
    found: Record | None = None
    for record in records(raw):
        if record.content_type == ALERT and len(record.payload) == _ALERT_SIZE:
            found = record
    if found is None:
        return None
    return Alert(found.payload[0], found.payload[1], len(raw) - found.end)


def _first(raw: bytes, message_type: int) -> bytes | None:
    return next((body for kind, body in handshake_messages(raw) if kind == message_type), None)


def _extensions(reader: _Reader) -> dict[int, _Reader]:
    """Read the extension block at the end of a Hello; it may be absent."""
    if not reader:
        return {}
    block = reader.vector(2)
    found = {}
    while block:
        kind = block.number(2)
        found[kind] = block.vector(2)
    return found


def _server_name(extensions: dict[int, _Reader]) -> str | None:
    if _EXT_SERVER_NAME not in extensions:
        return None
    names = extensions[_EXT_SERVER_NAME].vector(2)
    if names.number(1) != _HOST_NAME:
        return None
    return names.vector(2).rest().decode("ascii", "backslashreplace")
