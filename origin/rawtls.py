"""OpenSSL's read and write below pyOpenSSL's wrapping: the one place with private names.

Rules: nothing is decided here. What goes wrong is left to pyOpenSSL's own methods to say, and where
the private names are missing those methods do the whole work. The buffers are the process's: one
event loop, and between filling and copying them nothing else of it runs.

pyOpenSSL allocates and checks anew at each of the four calls that a request makes. Without that a
keep-alive request of 1 KB takes about a tenth less (docs/adr/0003-data-plane.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from OpenSSL import SSL

from mralab.origin.wire import READ_BUFFER

if TYPE_CHECKING:
    from collections.abc import Sequence

_RECORD: Final = 16_384  # largest plaintext of a TLS record, and the size of one read
_PLAIN: Final = len(READ_BUFFER) + 2 * _RECORD  # of what was read at once, and a record before it
_OUT: Final = 65_536  # a record, and what a handshake may have left before it


def feed_public(connection: SSL.Connection, size: int) -> None:
    """Give OpenSSL the first ``size`` bytes of the shared read buffer, which came from the peer."""
    connection.bio_write(READ_BUFFER[:size])


def read_public(connection: SSL.Connection) -> tuple[bytes, SSL.Error | None]:
    """Return the plaintext of all records that OpenSSL has, and what ended them.

    Returns:
        Plaintext, perhaps none, and None if more may come; else OpenSSL's reason why not.
    """
    pieces = []
    try:
        while True:
            pieces.append(connection.recv(_RECORD))
    except SSL.WantReadError:
        pass
    except SSL.Error as exc:
        return b"".join(pieces), exc
    return b"".join(pieces), None


def open_public(
    connection: SSL.Connection, size: int, ends: Sequence[int]
) -> tuple[bytes, SSL.Error | None]:
    """Feed, and read; :func:`read_public` says what is returned.

    Args:
        connection: its handshake is complete.
        size: bytes in the shared read buffer.
        ends: where records end in them, and ``size``: so nobody asks for one that is not complete.
    """
    del ends
    feed_public(connection, size)
    return read_public(connection)


def write_public(connection: SSL.Connection, data: bytes) -> bytes:
    """Return ``data`` as TLS records, behind whatever else OpenSSL has to send.

    Raises:
        OpenSSL.SSL.Error: as ``Connection.send`` does.
    """
    view = memoryview(data)
    records = []
    sent = 0
    while sent < len(data):
        sent += connection.send(view[sent:])  # one record at a time
        records.append(connection.bio_read(_OUT))
    return b"".join(records)


feed, read = feed_public, read_public
open_records, write = open_public, write_public


def _use_private_names(library: Any, ffi: Any) -> None:
    """Put faster functions in place of the public ones."""
    global open_records, write  # chosen once, at import
    ssl_read, ssl_write = library.SSL_read, library.SSL_write
    bio_read, bio_write = library.BIO_read, library.BIO_write
    from_buffer = ffi.from_buffer
    received = from_buffer(READ_BUFFER.obj)  # of the view itself the exit would make a crash
    get_error, want_read = library.SSL_get_error, library.SSL_ERROR_WANT_READ
    plain, out = ffi.new("char[]", _PLAIN), ffi.new("char[]", _OUT)
    plain_bytes, out_bytes = ffi.buffer(plain), ffi.buffer(out)

    def open_private(
        connection: Any, size: int, ends: Sequence[int]
    ) -> tuple[bytes, SSL.Error | None]:
        del size
        ssl, bio = connection._ssl, connection._into_ssl
        start = total = 0
        for end in ends:  # one by one: OpenSSL's buffer stays small, and what is in it near
            if bio_write(bio, received + start, end - start) != end - start:
                connection.bio_write(READ_BUFFER[start:end])  # says why
            start = end
            count = ssl_read(ssl, plain + total, _RECORD)
            if count > 0:
                total += count
            elif get_error(ssl, count) != want_read:  # else it was not data
                data = plain_bytes[:total]
                rest, error = read_public(connection)  # says why
                return data + rest, error
        return plain_bytes[:total], None

    def write_private(connection: Any, data: bytes) -> bytes:
        ssl, bio = connection._ssl, connection._from_ssl
        size = len(data)
        if size <= _RECORD and ssl_write(ssl, data, size) == size:
            record: bytes = out_bytes[: bio_read(bio, out, _OUT)]
            return record
        source, sent, records = from_buffer(data), 0, b""
        while sent < size:
            count = ssl_write(ssl, source + sent, size - sent)
            if count <= 0:
                count = connection.send(data[sent:])  # says why
            sent += count
            piece = out_bytes[: bio_read(bio, out, _OUT)]
            records = records + piece if records else piece
        return records

    open_records, write = open_private, write_private


_NAMES: Final = (
    "SSL_read",
    "SSL_write",
    "SSL_get_error",
    "SSL_ERROR_WANT_READ",
    "BIO_read",
    "BIO_write",
)
_library, _ffi = getattr(SSL, "_lib", None), getattr(SSL, "_ffi", None)
if _ffi and all(hasattr(_library, name) for name in _NAMES):
    _use_private_names(_library, _ffi)
