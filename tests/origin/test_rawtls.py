"""Both ways to OpenSSL's read and write do the same: private names and public ones."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
from OpenSSL import SSL
from tests.lab.conftest import NOW

from mralab.lab.pki import CertificateFields, KeyKind, self_signed
from mralab.origin import rawtls
from mralab.origin.connection import _RecordBoundary
from mralab.origin.wire import READ_BUFFER

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Open = Callable[[SSL.Connection, int, Sequence[int]], tuple[bytes, SSL.Error | None]]
    Write = Callable[[SSL.Connection, bytes], bytes]

_WAYS = [
    pytest.param(rawtls.open_records, rawtls.write, id="chosen"),
    pytest.param(rawtls.open_public, rawtls.write_public, id="public"),
]
_SIZES = [1, 1024, 16_384, 16_385, 100_000, 1_000_000]


@pytest.fixture
def pair() -> tuple[SSL.Connection, SSL.Connection]:
    """A client and a server after their handshake."""
    client, server = _shake_hands(SSL.TLS1_2_VERSION)
    _move(server, client)
    client.do_handshake()
    return client, server


@pytest.fixture
def pair13() -> tuple[SSL.Connection, SSL.Connection]:
    """The same under TLS 1.3; the server's session tickets have not left it."""
    return _shake_hands(SSL.TLS1_3_VERSION)


def _shake_hands(version: int) -> tuple[SSL.Connection, SSL.Connection]:
    credential = self_signed(CertificateFields(cn="x"), now=NOW, key=KeyKind.EC_P256)
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_max_proto_version(version)
    context.use_certificate(credential.certificate)
    context.use_privatekey(credential.key)
    server = SSL.Connection(context, None)
    client = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)
    server.set_accept_state()
    client.set_connect_state()
    for side, other in ((client, server), (server, client), (client, server)):
        with contextlib.suppress(SSL.WantReadError):
            side.do_handshake()
        _move(side, other)
    server.do_handshake()
    return client, server


def _move(side: SSL.Connection, other: SSL.Connection) -> None:
    try:
        while True:
            other.bio_write(side.bio_read(65_536))
    except SSL.WantReadError:
        return


def _opened(
    open_records: Open, connection: SSL.Connection, records: bytes
) -> tuple[bytes, SSL.Error | None]:
    """Open records in pieces of the shared buffer's size, as they come from a socket."""
    boundary = _RecordBoundary()
    data = b""
    error = None
    for start in range(0, len(records), len(READ_BUFFER)):
        piece = records[start : start + len(READ_BUFFER)]
        READ_BUFFER[: len(piece)] = piece
        ends = boundary.take(READ_BUFFER, len(piece))
        opened, error = open_records(connection, len(piece), ends)
        data += opened
    return data, error


def test_the_private_names_are_used_where_they_exist() -> None:
    assert rawtls.open_records is not rawtls.open_public
    assert rawtls.write is not rawtls.write_public


@pytest.mark.parametrize(("open_records", "write"), _WAYS)
@pytest.mark.parametrize("size", _SIZES)
def test_what_is_written_is_read(
    pair: tuple[SSL.Connection, SSL.Connection], open_records: Open, write: Write, size: int
) -> None:
    client, server = pair
    data = (bytes(range(256)) * (size // 256 + 1))[:size]
    assert _opened(open_records, server, write(client, data)) == (data, None)
    assert rawtls.read(server) == (b"", None)


@pytest.mark.parametrize(("open_records", "write"), _WAYS)
def test_half_a_record_waits_for_the_rest(
    pair: tuple[SSL.Connection, SSL.Connection], open_records: Open, write: Write
) -> None:
    client, server = pair
    records = write(client, b"a" * 20_000)
    assert _opened(open_records, server, records[:-1]) == (b"a" * 16_384, None)
    assert _opened(open_records, server, records[-1:]) == (b"a" * 3_616, None)


@pytest.mark.parametrize(("open_records", "write"), _WAYS)
def test_the_end_of_the_connection_and_garbage_are_told_as_pyopenssl_tells_them(
    pair: tuple[SSL.Connection, SSL.Connection], open_records: Open, write: Write
) -> None:
    client, server = pair
    client.shutdown()
    data, error = _opened(open_records, server, client.bio_read(1000))
    assert data == b""
    assert isinstance(error, SSL.ZeroReturnError)
    garbage = b"\x17\x03\x03\x00\x10" + b"garbage8" * 2
    data, error = _opened(open_records, client, write(server, b"good") + garbage)
    assert data == b"good"
    assert "bad record mac" in str(error) or "decryption failed" in str(error)
    with pytest.raises(SSL.Error):
        write(client, b"more")


@pytest.mark.parametrize(("open_records", "write"), _WAYS)
def test_what_is_no_record_at_all_is_not_waited_for(
    pair: tuple[SSL.Connection, SSL.Connection], open_records: Open, write: Write
) -> None:
    """Its length, taken for one, would have to come first."""
    client, server = pair
    data, error = _opened(open_records, client, write(server, b"good") + b"HTTP/1.1 400 no TLS")
    assert data == b"good"
    assert "wrong version number" in str(error)


@pytest.mark.parametrize(("open_records", "write"), _WAYS)
def test_records_without_data_are_passed_over(
    pair13: tuple[SSL.Connection, SSL.Connection], open_records: Open, write: Write
) -> None:
    """Session tickets come before the data, in records of their own."""
    client, server = pair13
    tickets = server.bio_read(65_536)
    records = write(server, b"a" * 20_000)
    assert _opened(open_records, client, tickets + records) == (b"a" * 20_000, None)
