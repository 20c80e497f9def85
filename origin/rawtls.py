"""OpenSSL's read and write below pyOpenSSL's wrapping: the one place with private names.

Rules: nothing is decided here. What goes wrong is left to pyOpenSSL's own methods to say, and where
the private names are missing those methods do the whole work. The buffers are the process's: one
event loop, and between filling and copying them nothing else of it runs.

pyOpenSSL allocates and checks anew at each of the four calls that a request makes. Without that a
keep-alive request of 1 KB takes about a tenth less (docs/adr/0003-data-plane.md).
"""

from __future__ import annotations

from typing import Any, Final

from OpenSSL import SSL

from mralab.origin.wire import READ_BUFFER

_RECORD: Final = 16_384  # largest plaintext of a TLS record, and the size of one read
_OUT: Final = 65_536  # a record, and what a handshake may have left before it


def read_public(connection: SSL.Connection) -> bytes:
    """Return the plaintext of the next record.

    Raises:
        OpenSSL.SSL.Error: as ``Connection.recv`` does; WantReadError if there is none yet.
    """
    return connection.recv(_RECORD)


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


def feed_public(connection: SSL.Connection, size: int) -> None:
    """Give OpenSSL the first ``size`` bytes of the shared read buffer, which came from the peer."""
    connection.bio_write(READ_BUFFER[:size])


read, write, feed = read_public, write_public, feed_public


def _use_private_names(library: Any, ffi: Any) -> None:
    """Put faster functions in place of the public ones."""
    global read, write, feed  # chosen once, at import
    ssl_read, ssl_write = library.SSL_read, library.SSL_write
    bio_read, bio_write = library.BIO_read, library.BIO_write
    from_buffer = ffi.from_buffer
    received = from_buffer(READ_BUFFER)
    plain, out = ffi.new("char[]", _RECORD), ffi.new("char[]", _OUT)
    plain_bytes, out_bytes = ffi.buffer(plain), ffi.buffer(out)

    def read_private(connection: Any) -> bytes:
        count: int = ssl_read(connection._ssl, plain, _RECORD)
        if count > 0:
            return bytes(plain_bytes[:count])
        return read_public(connection)  # says why

    def write_private(connection: Any, data: bytes) -> bytes:
        ssl, bio = connection._ssl, connection._from_ssl
        source, size, sent = from_buffer(data), len(data), 0
        records = b""
        while sent < size:
            count = ssl_write(ssl, source + sent, size - sent)
            if count <= 0:
                count = connection.send(data[sent:])  # says why
            sent += count
            piece = out_bytes[: bio_read(bio, out, _OUT)]
            records = records + piece if records else piece
        return records

    def feed_private(connection: Any, size: int) -> None:
        if bio_write(connection._into_ssl, received, size) != size:
            feed_public(connection, size)  # says why

    read, write, feed = read_private, write_private, feed_private


_NAMES: Final = ("SSL_read", "SSL_write", "BIO_read", "BIO_write")
_library, _ffi = getattr(SSL, "_lib", None), getattr(SSL, "_ffi", None)
if _ffi and all(hasattr(_library, name) for name in _NAMES):
    _use_private_names(_library, _ffi)
