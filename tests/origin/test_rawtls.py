"""Both ways to OpenSSL's read and write do the same: private names and public ones."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
from OpenSSL import SSL
from tests.lab.conftest import NOW

from mralab.lab.pki import CertificateFields, KeyKind, self_signed
from mralab.origin import rawtls
from mralab.origin.wire import READ_BUFFER

if TYPE_CHECKING:
    from collections.abc import Callable

    Read = Callable[[SSL.Connection], bytes]
    Write = Callable[[SSL.Connection, bytes], bytes]

_WAYS = [
    pytest.param(rawtls.read, rawtls.write, id="chosen"),
    pytest.param(rawtls.read_public, rawtls.write_public, id="public"),
]
_SIZES = [1, 1024, 16_384, 16_385, 100_000, 1_000_000]


@pytest.fixture
def pair() -> tuple[SSL.Connection, SSL.Connection]:
    """A client and a server after their handshake."""
    credential = self_signed(CertificateFields(cn="x"), now=NOW, key=KeyKind.EC_P256)
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_max_proto_version(SSL.TLS1_2_VERSION)
    context.use_certificate(credential.certificate)
    context.use_privatekey(credential.key)
    server = SSL.Connection(context, None)
    client = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)
    server.set_accept_state()
    client.set_connect_state()
    for _ in range(4):
        for side, other in ((client, server), (server, client)):
            with contextlib.suppress(SSL.WantReadError):
                side.do_handshake()
            _move(side, other)
    return client, server


def _move(side: SSL.Connection, other: SSL.Connection) -> None:
    try:
        while True:
            other.bio_write(side.bio_read(65_536))
    except SSL.WantReadError:
        return


def _all(read: Read, connection: SSL.Connection) -> bytes:
    data = b""
    try:
        while True:
            data += read(connection)
    except SSL.WantReadError:
        return data


def test_the_private_names_are_used_where_they_exist() -> None:
    assert rawtls.read is not rawtls.read_public
    assert rawtls.write is not rawtls.write_public
    assert rawtls.feed is not rawtls.feed_public


@pytest.mark.parametrize("feed", [rawtls.feed, rawtls.feed_public], ids=["chosen", "public"])
def test_what_lies_in_the_shared_buffer_is_fed(
    pair: tuple[SSL.Connection, SSL.Connection], feed: Callable[[SSL.Connection, int], None]
) -> None:
    client, server = pair
    records = rawtls.write(client, b"x" * 100_000)
    READ_BUFFER[: len(records)] = records
    feed(server, len(records))
    assert _all(rawtls.read, server) == b"x" * 100_000


@pytest.mark.parametrize(("read", "write"), _WAYS)
@pytest.mark.parametrize("size", _SIZES)
def test_what_is_written_is_read(
    pair: tuple[SSL.Connection, SSL.Connection], read: Read, write: Write, size: int
) -> None:
    client, server = pair
    data = bytes(range(256)) * (size // 256 + 1)
    data = data[:size]
    server.bio_write(write(client, data))
    assert _all(read, server) == data


@pytest.mark.parametrize(("read", "write"), _WAYS)
def test_the_end_of_the_connection_and_garbage_are_told_as_pyopenssl_tells_them(
    pair: tuple[SSL.Connection, SSL.Connection], read: Read, write: Write
) -> None:
    client, server = pair
    server.bio_write(write(client, b"last"))
    client.shutdown()
    _move(client, server)
    assert read(server) == b"last"
    with pytest.raises(SSL.ZeroReturnError):
        read(server)
    client.bio_write(b"\x17\x03\x03\x00\x10" + b"garbage" * 3)
    with pytest.raises(SSL.Error):
        read(client)
    with pytest.raises(SSL.Error):
        write(client, b"more")
