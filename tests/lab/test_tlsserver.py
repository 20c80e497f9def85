"""The TLS server protocol over real sockets: handshakes seen from the server, data both ways."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import socket
import ssl
import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

import pytest
from OpenSSL import SSL

from mralab.config.releases import CIPHERS_ECDSA_FIRST, CIPHERS_RSA_FIRST, TlsVersion
from mralab.lab import tlsserver, tlswire
from mralab.lab.journal import Journal
from mralab.lab.pki import CertificateFields, Credential, KeyKind
from mralab.lab.tlscontext import ClientCertificate, ServerTls
from mralab.lab.tlsserver import Capture, HandshakeRecord, TlsServerProtocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from cryptography import x509

NAME = "cucm.steven.lab"
WHEN = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
UNKNOWN_CA = (2, 48)


class Inner(asyncio.Protocol):
    """A protocol above TLS that keeps what it gets, and can be told to answer."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.lost: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.ends = 0
        self.stay_open = False
        self.changed = asyncio.Event()
        self.paused = asyncio.Event()
        self.resumed = asyncio.Event()
        self.on_data: Callable[[bytes], None] = lambda _data: None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.received += data
        self.changed.set()
        self.on_data(data)

    def eof_received(self) -> bool:
        self.ends += 1
        self.ended.set_result(None)
        return self.stay_open

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set_result(exc)

    def pause_writing(self) -> None:
        self.paused.set()

    def resume_writing(self) -> None:
        self.resumed.set()

    async def has(self, size: int) -> bytes:
        while len(self.received) < size:
            self.changed.clear()
            await self.changed.wait()
        return bytes(self.received)


@dataclass
class Served:
    """A listening server, its records and its protocols above TLS in order of arrival."""

    port: int
    records: Journal[HandshakeRecord] = field(default_factory=Journal)
    inners: Journal[Inner] = field(default_factory=Journal)
    protocols: Journal[TlsServerProtocol] = field(default_factory=Journal)

    async def connect(
        self, context: ssl.SSLContext, name: str = NAME
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=context, server_hostname=name
        )

    async def shake(self, context: ssl.SSLContext, name: str = NAME) -> HandshakeRecord:
        """Connect, close again, and return what the server saw; a failed handshake is fine.

        Not by asyncio's client: on a failure that one closes without sending its alert.
        """
        number = len(self.records)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        wire = Wire(reader, writer, context, name)
        with contextlib.suppress(ssl.SSLError):
            await wire.handshake()
            await wire.say_goodbye()
        await closed(writer)
        return await self.records.entry(number)


async def closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    # Either side may be first to close, which asyncio reports to the other.
    with contextlib.suppress(ssl.SSLError, ConnectionError):
        await writer.wait_closed()


@contextlib.asynccontextmanager
async def serving(tls: ServerTls) -> AsyncIterator[Served]:
    served = Served(0)

    def make_inner() -> Inner:
        inner = Inner()
        served.inners.add(inner)
        return inner

    def accept() -> TlsServerProtocol:
        protocol = TlsServerProtocol(
            tls, make_inner, report=served.records.add, clock=lambda: WHEN, service="uds"
        )
        served.protocols.add(protocol)
        return protocol

    loop = asyncio.get_running_loop()
    server = await loop.create_server(accept, "127.0.0.1", 0)
    served.port = server.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        server.close()
        for inner in served.inners:
            inner.transport.abort()
            await inner.lost
        await server.wait_closed()


def client(
    *,
    ciphers: str = CIPHERS_ECDSA_FIRST,
    version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
    trusting: Credential | None = None,
    verify: bool = False,
    own: Credential | None = None,
    folder: Path | None = None,
) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED if verify else ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    context.set_ciphers(ciphers)
    if trusting is not None:
        context.load_verify_locations(cadata=trusting.pem.decode())
    if own is not None and folder is not None:
        files = own.write(folder, "client")
        context.load_cert_chain(files.chain, files.key)
    return context


@pytest.fixture
def both(tomcat: Credential, tomcat_ecdsa: Credential) -> dict[str, Credential]:
    return {"tomcat": tomcat, "tomcat-ECDSA": tomcat_ecdsa}


@pytest.mark.parametrize(
    ("ciphers", "certificate", "suite"),
    [
        (CIPHERS_ECDSA_FIRST, "tomcat-ECDSA", "ECDHE-ECDSA-AES256-GCM-SHA384"),
        (CIPHERS_RSA_FIRST, "tomcat", "ECDHE-RSA-AES256-GCM-SHA384"),
    ],
)
async def test_the_clients_cipher_order_decides(
    both: dict[str, Credential], ciphers: str, certificate: str, suite: str
) -> None:
    async with serving(ServerTls(both)) as served:
        reader, writer = await served.connect(client(ciphers=ciphers))
        record = await served.records.entry(0)
        tls = cast("ssl.SSLObject", writer.get_extra_info("ssl_object"))
        assert tls.getpeercert(binary_form=True) == both[certificate].der
        assert record.certificate == certificate
        assert record.family == both[certificate].family
        assert record.presented == both[certificate].presented
        assert record.suite == suite
        assert record.version == "TLSv1.2"
        assert record.completed
        assert record.error == ""
        assert record.sni == NAME
        assert record.service == "uds"
        assert record.when == WHEN
        assert record.peer == writer.get_extra_info("sockname")
        assert record.offered[0] == (0xC030 if ciphers == CIPHERS_RSA_FIRST else 0xC02C)
        assert record.client_subject is None
        assert record.alert is None
        assert record.received[:1] == b"\x16"
        assert record.sent[:1] == b"\x16"
        assert not reader.at_eof()
        await closed(writer)


async def test_under_tls13_the_signature_schemes_decide_and_the_record_knows(
    both: dict[str, Credential],
) -> None:
    async with serving(ServerTls(both, max_tls=TlsVersion.TLS1_3)) as served:
        context = client(version=ssl.TLSVersion.TLSv1_3, ciphers=CIPHERS_RSA_FIRST)
        _, writer = await served.connect(context)
        record = await served.records.entry(0)
        tls = cast("ssl.SSLObject", writer.get_extra_info("ssl_object"))
        assert record.version == "TLSv1.3"
        assert record.certificate is not None
        assert both[record.certificate].der == tls.getpeercert(binary_form=True)
        assert record.certificate == "tomcat-ECDSA", "the cipher string does not count"
        await closed(writer)


async def test_under_tls13_an_rsa_certificate_alone_is_served(tomcat: Credential) -> None:
    async with serving(ServerTls({"tomcat": tomcat}, max_tls=TlsVersion.TLS1_3)) as served:
        record = await served.shake(client(version=ssl.TLSVersion.TLSv1_3))
        assert (record.certificate, record.family) == ("tomcat", "RSA")


async def test_no_server_name_is_sent_for_an_address(both: dict[str, Credential]) -> None:
    async with serving(ServerTls(both)) as served:
        assert (await served.shake(client(), name="127.0.0.1")).sni is None


@pytest.mark.parametrize("version", [TlsVersion.TLS1_2, TlsVersion.TLS1_3])
async def test_a_client_that_refuses_leaves_an_alert_and_nothing_after_it(
    both: dict[str, Credential], version: TlsVersion
) -> None:
    spoken = {TlsVersion.TLS1_2: ssl.TLSVersion.TLSv1_2, TlsVersion.TLS1_3: ssl.TLSVersion.TLSv1_3}
    async with serving(ServerTls(both, max_tls=version)) as served:
        record = await served.shake(client(verify=True, version=spoken[version]))
        assert not record.completed
        assert record.alert == UNKNOWN_CA
        assert record.bytes_after_alert == 0
        assert record.received[-7:] == bytes.fromhex("15 03 03 00 02 02 30")
        assert record.error == "tlsv1 alert unknown ca"
        assert record.certificate == "tomcat-ECDSA"
        assert len(served.inners) == 0


async def test_a_client_that_trusts_the_ca_gets_through(
    both: dict[str, Credential], ca: Credential
) -> None:
    async with serving(ServerTls(both)) as served:
        context = client(verify=True, trusting=ca, ciphers=CIPHERS_RSA_FIRST)
        assert (await served.shake(context)).completed


@pytest.mark.parametrize("version", [TlsVersion.TLS1_2, TlsVersion.TLS1_3])
async def test_trusted_client_cas_never_complete_the_chain_sent(
    tomcat: Credential, ca: Credential, version: TlsVersion
) -> None:
    tls = ServerTls(
        {"tomcat": tomcat},
        client_certificate=ClientCertificate.ASKED,
        trusted=[ca.certificate],
        max_tls=version,
    )
    async with serving(tls) as served:
        tcp_reader, tcp_writer = await asyncio.open_connection("127.0.0.1", served.port)
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        connection = SSL.Connection(context, None)
        connection.set_connect_state()
        while True:
            try:
                connection.do_handshake()
                break
            except SSL.WantReadError:
                tcp_writer.write(connection.bio_read(65_536))
                connection.bio_write(await tcp_reader.read(65_536))
        assert connection.get_peer_cert_chain(as_cryptography=True) == [tomcat.certificate]
        await closed(tcp_writer)


@pytest.fixture
def expressway(ca: Credential) -> Credential:
    """Expressway-C's own certificate, which it shows when asked."""
    return ca.issue(CertificateFields(cn="vcsc.steven.lab"), key=KeyKind.EC_P256)


@pytest.mark.parametrize(
    ("policy", "completed"),
    [
        (ClientCertificate.NOT_ASKED, True),
        (ClientCertificate.ASKED, True),
        (ClientCertificate.REQUIRED, False),
    ],
)
async def test_a_client_without_a_certificate(
    both: dict[str, Credential], policy: ClientCertificate, completed: bool
) -> None:
    async with serving(ServerTls(both, client_certificate=policy)) as served:
        record = await served.shake(client())
        assert record.completed is completed
        assert record.client_subject is None
        asked = b"\x0d" in {bytes((kind,)) for kind in messages(record.sent)}
        assert asked is (policy is not ClientCertificate.NOT_ASKED)


def messages(raw: bytes) -> list[int]:
    return [kind for kind, _ in tlswire.handshake_messages(raw)]


@pytest.mark.parametrize("version", [TlsVersion.TLS1_2, TlsVersion.TLS1_3])
async def test_a_trusted_client_certificate_is_named(
    both: dict[str, Credential],
    ca: Credential,
    expressway: Credential,
    tmp_path: Path,
    version: TlsVersion,
) -> None:
    trusted: list[x509.Certificate] = [ca.certificate]
    spoken = {TlsVersion.TLS1_2: ssl.TLSVersion.TLSv1_2, TlsVersion.TLS1_3: ssl.TLSVersion.TLSv1_3}
    tls = ServerTls(
        both, client_certificate=ClientCertificate.REQUIRED, trusted=trusted, max_tls=version
    )
    context = client(own=expressway, folder=tmp_path, version=spoken[version])
    async with serving(tls) as served:
        record = await served.shake(context)
        assert record.completed
        assert record.client_subject == "CN=vcsc.steven.lab"


async def test_a_client_certificate_of_a_missing_ca_is_refused_with_unknown_ca(
    both: dict[str, Credential], expressway: Credential, tmp_path: Path
) -> None:
    tls = ServerTls(both, client_certificate=ClientCertificate.ASKED)
    context = client(own=expressway, folder=tmp_path)
    async with serving(tls) as served:
        with pytest.raises(ssl.SSLError, match="TLSV1_ALERT_UNKNOWN_CA"):
            await served.connect(context)
        record = await served.records.entry(0)
        assert not record.completed
        assert record.error == "certificate verify failed"
        assert record.client_subject == "CN=vcsc.steven.lab"
        assert record.alert is None
        sent = tlswire.last_alert(record.sent)
        assert sent is not None
        assert (sent.level, sent.description) == UNKNOWN_CA


async def test_a_client_certificate_that_is_none(both: dict[str, Credential]) -> None:
    tls = ServerTls(both, client_certificate=ClientCertificate.ASKED)
    async with serving(tls) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        wire = Wire(reader, writer, client())
        wire.say_hello()
        # Handshake record: Certificate message: a list of one entry.
        entry = b"\0\0\7rubbish"
        body = len(entry).to_bytes(3, "big") + entry
        message = b"\x0b" + len(body).to_bytes(3, "big") + body
        writer.write(b"\x16\3\3" + len(message).to_bytes(2, "big") + message)
        await reader.read()  # to the end
        await closed(writer)
        record = await served.records.entry(0)
        assert not record.completed
        assert record.client_subject == "(not a certificate)"


@pytest.mark.parametrize(
    ("first", "error"),
    [
        pytest.param(b"", "closed by the client in the handshake", id="nothing at all"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", "http request", id="HTTP"),
        pytest.param(
            b"\x16\x03\x01\x00\x05", "closed by the client in the handshake", id="a piece"
        ),
        pytest.param(b"\x15\x03\x01\x00\x02\x02\x28", "unexpected message", id="alert"),
    ],
)
async def test_what_is_no_handshake(both: dict[str, Credential], first: bytes, error: str) -> None:
    async with serving(ServerTls(both)) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(first)
        writer.write_eof()
        await reader.read()
        record = await served.records.entry(0)
        assert (record.completed, record.error) == (False, error)
        assert record.received == first
        assert (record.sni, record.offered, record.version, record.certificate) == (
            None,
            (),
            None,
            None,
        )
        await closed(writer)


async def test_bytes_after_an_alert_are_counted(both: dict[str, Credential]) -> None:
    async with serving(ServerTls(both)) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(b"\x15\x03\x01\x00\x02\x02\x30")
        await reader.read()  # to the end: the server ends its direction at once
        writer.write(b"and more")
        await closed(writer)
        record = await served.records.entry(0)
        assert (record.alert, record.bytes_after_alert) == (UNKNOWN_CA, 8)


async def test_a_client_that_resets_in_the_handshake(both: dict[str, Credential]) -> None:
    async with serving(ServerTls(both)) as served:
        with socket.create_connection(("127.0.0.1", served.port)) as tcp:
            await served.protocols.entry(0)
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        record = await served.records.entry(0)
        assert not record.completed
        assert record.error


async def test_a_failed_connection_is_not_read_for_ever(
    both: dict[str, Credential], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tlsserver, "LINGER_S", 0.0)
    async with serving(ServerTls(both)) as served:
        _, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        record = await served.records.entry(0)
        assert record.error == "http request", "the client never closed"
        await closed(writer)


async def test_large_data_both_ways_is_whole(both: dict[str, Credential]) -> None:
    block = bytes(range(256)) * 4096
    size = 16 * len(block)
    async with serving(ServerTls(both, max_tls=TlsVersion.TLS1_3)) as served:
        reader, writer = await served.connect(client(version=ssl.TLSVersion.TLSv1_3))
        inner = await served.inners.entry(0)
        for _ in range(16):
            writer.write(block)
        await writer.drain()
        received = await inner.has(size)
        inner.transport.write(received)
        assert await reader.readexactly(size) == block * 16
        await closed(writer)


async def test_a_slow_client_pauses_the_protocol_above(both: dict[str, Credential]) -> None:
    async with serving(ServerTls(both)) as served:
        reader, writer = await served.connect(client())
        inner = await served.inners.entry(0)
        inner.transport.set_write_buffer_limits(high=65_536)
        assert inner.transport.get_write_buffer_limits()[1] == 65_536
        sent = hashlib.sha256()
        size = 0
        block = bytes(65_536)
        while not inner.paused.is_set():
            inner.transport.write(block)
            sent.update(block)
            size += len(block)
            # Let TCP take what it will: the client reads nothing beyond its own limits.
            await asyncio.sleep(0)
        assert inner.transport.get_write_buffer_size() > 65_536
        received = hashlib.sha256(await reader.readexactly(size))
        await inner.resumed.wait()
        assert received.digest() == sent.digest()
        await closed(writer)


async def test_a_protocol_that_does_not_read_stops_the_client(both: dict[str, Credential]) -> None:
    async with serving(ServerTls(both)) as served:
        _, writer = await served.connect(client())
        inner = await served.inners.entry(0)
        inner.on_data = lambda _data: inner.transport.pause_reading()
        writer.write(b"first")
        assert await inner.has(5) == b"first"
        assert not inner.transport.is_reading()
        assert not (await served.protocols.entry(0)).tcp.is_reading()
        inner.transport.pause_reading()
        size = 32 * 2**20
        writer.write(bytes(size))
        await asyncio.sleep(0)
        assert inner.received == b"first"
        inner.on_data = lambda _data: None
        inner.transport.resume_reading()
        inner.transport.resume_reading()
        assert inner.transport.is_reading()
        await writer.drain()
        assert (await inner.has(5 + size))[5:] == bytes(size)
        await closed(writer)


async def test_pausing_holds_back_what_is_already_decrypted(both: dict[str, Credential]) -> None:
    async with serving(ServerTls(both)) as served:
        _, writer = await served.connect(client())
        inner = await served.inners.entry(0)

        def pause_for_a_turn(_data: bytes) -> None:
            # Several records come in one piece of TCP: after each one a pause.
            inner.transport.pause_reading()
            asyncio.get_running_loop().call_soon(inner.transport.resume_reading)

        inner.on_data = pause_for_a_turn
        writer.write(bytes(100_000))
        await inner.has(100_000)
        await closed(writer)


async def test_closing_sends_what_is_left_and_a_clean_end(both: dict[str, Credential]) -> None:
    async with serving(ServerTls(both)) as served:
        reader, writer = await served.connect(client())
        inner = await served.inners.entry(0)
        inner.transport.write(b"last words")
        inner.transport.close()
        assert inner.transport.is_closing()
        inner.transport.close()
        inner.transport.write(b"too late")
        inner.transport.write_eof()
        assert await reader.read() == b"last words"
        assert await inner.lost is None
        await closed(writer)


async def test_a_half_closed_connection_still_hears_the_client(
    both: dict[str, Credential],
) -> None:
    async with serving(ServerTls(both)) as served:
        tcp_reader, tcp_writer = await asyncio.open_connection("127.0.0.1", served.port)
        wire = Wire(tcp_reader, tcp_writer, client())
        await wire.handshake()
        inner = await served.inners.entry(0)
        assert inner.transport.can_write_eof()
        inner.transport.write(b"answer")
        inner.transport.write_eof()
        inner.transport.write_eof()
        inner.transport.write(b"not sent any more")
        assert await wire.read_to_end() == b"answer"
        await wire.write(b"still talking")
        assert await inner.has(13) == b"still talking"
        inner.transport.close()
        await inner.lost
        await closed(tcp_writer)


@pytest.mark.parametrize("stay_open", [True, False])
@pytest.mark.parametrize("ending", ["close_notify", "FIN", "both"])
async def test_the_clients_end_is_told_once(
    both: dict[str, Credential], stay_open: bool, ending: str
) -> None:
    async with serving(ServerTls(both)) as served:
        tcp_reader, tcp_writer = await asyncio.open_connection("127.0.0.1", served.port)
        wire = Wire(tcp_reader, tcp_writer, client())
        await wire.handshake()
        inner = await served.inners.entry(0)
        inner.stay_open = stay_open
        await wire.write(b"question")
        await inner.has(8)
        if ending != "FIN":
            await wire.say_goodbye()
        if ending != "close_notify":
            tcp_writer.write_eof()
        await inner.ended
        if stay_open:
            inner.transport.write(b"answer")
            inner.transport.close()
            assert await wire.read_to_end() == b"answer"
        assert await inner.lost is None
        assert inner.ends == 1
        await closed(tcp_writer)


async def test_rubbish_after_the_handshake_ends_the_connection(
    both: dict[str, Credential],
) -> None:
    async with serving(ServerTls(both)) as served:
        tcp_reader, tcp_writer = await asyncio.open_connection("127.0.0.1", served.port)
        wire = Wire(tcp_reader, tcp_writer, client())
        await wire.handshake()
        tcp_writer.write(b"\x17\x03\x03\x00\x20" + bytes(32))
        inner = await served.inners.entry(0)
        await inner.lost
        await closed(tcp_writer)


async def test_the_transport_answers_for_both_layers(both: dict[str, Credential]) -> None:
    tls = ServerTls(both)
    async with serving(tls) as served:
        _, writer = await served.connect(client())
        inner = await served.inners.entry(0)
        transport = inner.transport
        assert transport.get_extra_info("peername") == writer.get_extra_info("sockname")
        assert transport.get_extra_info("sockname") == ("127.0.0.1", served.port)
        assert transport.get_extra_info("sslcontext") is tls.context
        tls_side = transport.get_extra_info("ssl_object")
        assert tls_side.get_protocol_version_name() == "TLSv1.2"
        assert transport.get_extra_info("nothing", "default") == "default"
        assert transport.get_protocol() is inner
        other = Inner()
        other.connection_made(transport)
        transport.set_protocol(other)
        writer.write(b"for another")
        assert await other.has(11) == b"for another"
        transport.abort()
        await other.lost
        inner.lost.set_result(None)
        await closed(writer)


def test_a_capture_keeps_both_ends() -> None:
    capture = Capture()
    head, middle, tail = b"h" * tlsserver.CAPTURE_BYTES, b"m" * 999, b"t" * tlsserver.CAPTURE_BYTES
    capture.add(head)
    capture.add(middle)
    capture.add(tail)
    assert bytes(capture) == head + tail


class Wire:
    """A client of which each step is under control, over memory BIOs."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        context: ssl.SSLContext,
        name: str = NAME,
    ) -> None:
        self._reader, self._writer = reader, writer
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)

    def say_hello(self) -> None:
        with contextlib.suppress(ssl.SSLWantReadError):
            self._tls.do_handshake()
        self._flush()

    async def handshake(self) -> None:
        """Shake hands; on a failure the alert is sent before the error is raised."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                data = await self._reader.read(65_536)
                if data:
                    self._incoming.write(data)
                else:
                    self._incoming.write_eof()
            except ssl.SSLError:
                self._flush()
                raise
            else:
                self._flush()
                return

    async def write(self, data: bytes) -> None:
        self._tls.write(data)
        self._flush()
        await self._writer.drain()

    async def say_goodbye(self) -> None:
        with contextlib.suppress(ssl.SSLWantReadError):
            self._tls.unwrap()
        self._flush()

    async def read_to_end(self) -> bytes:
        """Read until the server's close_notify."""
        found = b""
        while True:
            try:
                piece = self._tls.read(65_536)
            except ssl.SSLWantReadError:
                data = await self._reader.read(65_536)
                assert data, "the end of TCP came before the end of TLS"
                self._incoming.write(data)
            except ssl.SSLZeroReturnError:
                return found
            else:
                if not piece:
                    return found
                found += piece

    def _flush(self) -> None:
        self._writer.write(self._outgoing.read())
