"""A proxy between a raw client and a raw origin, all in one event loop and driven by the test.

Rules: nothing here sleeps. A test sends bytes and waits for bytes, line by line on both sides:
:class:`Stream` is one end of a connection, :class:`TlsStream` one under TLS on the origin's side
with the raw bytes kept, :class:`Origin` hands accepted connections to the test, :class:`Client` is
a raw HTTP client that knows when an answer is complete and when it was cut. Whoever waits for more
than :data:`PATIENCE_S` fails.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import ssl
import struct
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Self, cast

from mralab.config.settings import AllowListSource, Endpoint, LogSettings, Settings
from mralab.lab import tlswire
from mralab.origin.route import encode_segment
from mralab.proxy.server import ProxyServer
from mralab.trafficlog.parse import parse_log

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path
    from types import TracebackType

    from mralab.lab.pki import Credential
    from mralab.trafficlog.records import LogRecord

PATIENCE_S: Final = 15.0
HOST: Final = "cucm.steven.lab"
DOMAIN: Final = "steven.lab"
NO_LINGER: Final = struct.pack("ii", 1, 0)
_READ: Final = 1 << 18


class Cut(Exception):
    """The other side ended the connection too early.

    ``how`` is ``eof`` or ``reset``, or OpenSSL's name of an alert.
    """

    def __init__(self, how: str, read: bytes) -> None:
        super().__init__(f"{how} after {read[-200:]!r}")
        self.how = how
        self.read = read


async def settle(turns: int = 12) -> None:
    """Let everybody in this loop react to what was sent, some turns of the loop long."""
    for _ in range(turns):
        await asyncio.sleep(0)


class Stream:
    """One end of a plain connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.buffer = bytearray()  #: received and not taken yet
        self.received = bytearray()  #: all that was received

    # receiving

    async def until(self, marker: bytes) -> bytes:
        """Take bytes up to and with ``marker``."""
        while (at := self.buffer.find(marker)) < 0:
            await self.fill()
        return self._take(at + len(marker))

    async def exactly(self, size: int) -> bytes:
        while len(self.buffer) < size:
            await self.fill()
        return self._take(size)

    async def head(self) -> bytes:
        """Take a head with its empty line."""
        return await self.until(b"\r\n\r\n")

    async def skip(self, size: int) -> None:
        """Take ``size`` bytes and forget them."""
        while size:
            if not self.buffer:
                await self.fill()
            taken = min(size, len(self.buffer))
            del self.buffer[:taken]
            self.received.clear()
            size -= taken

    async def ending(self) -> str:
        """Read to the end; return how it came, as :class:`Cut` says. The buffer has the rest."""
        try:
            while True:
                await self.fill()
        except Cut as cut:
            return cut.how

    async def nothing_comes(self) -> bool:
        """Whether nothing has come and the connection stands, after some turns of the loop."""
        await settle()
        at_end = self._reader.at_eof() or self._reader.exception() is not None
        pending: bytearray = self._reader._buffer  # type: ignore[attr-defined]
        return not self.buffer and not pending and not at_end

    async def fill(self) -> None:
        """Wait for more bytes."""
        data = await self._raw_read()
        self.received += data
        self.buffer += data

    async def _raw_read(self) -> bytes:
        try:
            async with asyncio.timeout(PATIENCE_S):
                data = await self._reader.read(_READ)
        except TimeoutError:
            raise AssertionError(f"nothing came after {bytes(self.received[-300:])!r}") from None
        except ConnectionError:
            raise Cut("reset", bytes(self.received)) from None
        if not data:
            raise Cut("eof", bytes(self.received))
        return data

    def _take(self, size: int) -> bytes:
        taken = bytes(self.buffer[:size])
        del self.buffer[:size]
        return taken

    # sending

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def send_split(self, *pieces: bytes) -> None:
        """Send pieces so that each is read by itself."""
        for piece in pieces:
            self.send(piece)
            await settle()

    async def sent(self) -> None:
        """Wait until the other side has taken nearly all of what was sent."""
        async with asyncio.timeout(PATIENCE_S):
            await self._writer.drain()

    def stop_reading(self) -> None:
        self._transport.pause_reading()

    def start_reading(self) -> None:
        self._transport.resume_reading()

    @property
    def port(self) -> int:
        """Our own port."""
        return int(self._writer.get_extra_info("sockname")[1])

    @property
    def waiting(self) -> int:
        """Bytes that the other side has not made room for yet."""
        return self._transport.get_write_buffer_size()

    @property
    def _transport(self) -> asyncio.Transport:
        return cast("asyncio.Transport", self._writer.transport)

    # ending

    def half_close(self) -> None:
        self._writer.write_eof()

    def close(self) -> None:
        self._writer.close()

    def reset(self) -> None:
        """Close by RST."""
        with contextlib.suppress(OSError, RuntimeError, ValueError):  # it may be closed already
            connection = self._writer.get_extra_info("socket")
            if connection is not None:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        self._writer.transport.abort()

    async def gone(self) -> None:
        """Abort and wait for the transport to let go of its socket."""
        self._writer.transport.abort()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await self._writer.wait_closed()


class TlsStream(Stream):
    """The origin's end of a TLS connection; raw bytes of both directions are kept.

    Attributes:
        raw_in: all TLS bytes from the proxy.
        tls: the TLS object, for versions, suites and the client's certificate.
        error: why the handshake failed, or empty.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        context: ssl.SSLContext,
    ) -> None:
        super().__init__(reader, writer)
        self.raw_in = bytearray()
        self.error = ""
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    @property
    def alert(self) -> tuple[int, int] | None:
        """The proxy's last alert in clear."""
        alert = tlswire.last_alert(bytes(self.raw_in))
        return None if alert is None else (alert.level, alert.description)

    @property
    def bytes_after_alert(self) -> int:
        alert = tlswire.last_alert(bytes(self.raw_in))
        return 0 if alert is None else alert.bytes_after

    @property
    def hello(self) -> tlswire.ClientHello:
        hello = tlswire.client_hello(bytes(self.raw_in))
        assert hello is not None
        return hello

    async def handshake(self) -> None:
        """Shake hands; a failure is kept in ``error``, and the proxy's end is waited for."""
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                self.flush()
                try:
                    await self.read_records()
                except Cut as cut:
                    self.error = cut.how
                    return
            except ssl.SSLError as exc:
                self.error = exc.reason or str(exc)
                self.flush()
                with contextlib.suppress(Cut):
                    while True:
                        await self.read_records()
                return
            else:
                self.flush()
                return

    async def fill(self) -> None:
        while True:
            try:
                data = self.tls.read(_READ)
            except ssl.SSLWantReadError:
                await self.read_records()
            except ssl.SSLError as exc:
                raise Cut(exc.reason or str(exc), bytes(self.received)) from None
            else:
                if not data:
                    raise Cut("eof", bytes(self.received))
                self.received += data
                self.buffer += data
                return

    async def read_records(self) -> None:
        """Take raw bytes from the proxy."""
        data = await self._raw_read()
        self.raw_in += data
        self._incoming.write(data)

    def flush(self) -> None:
        data = self._outgoing.read()
        if data:
            self._writer.write(data)

    def encrypt(self, data: bytes) -> bytes:
        """Return ``data`` as records, not sent yet."""
        view = memoryview(data)
        while view:
            view = view[self.tls.write(view) :]
        return self._outgoing.read()

    def send(self, data: bytes) -> None:
        self._writer.write(self.encrypt(data))

    def send_raw(self, data: bytes) -> None:
        self._writer.write(data)

    def close_notify(self) -> None:
        with contextlib.suppress(ssl.SSLError):
            self.tls.unwrap()
        self.flush()

    def half_close(self) -> None:
        self.close_notify()
        super().half_close()

    def close(self) -> None:
        self.close_notify()
        super().close()


class Origin:
    """A listening origin whose connections the test drives.

    Use as an async context manager. Connections come from :meth:`accept`, under TLS once their
    handshake has ended, well or not.
    """

    def __init__(self, tls: ssl.SSLContext | None = None, *, host: str = "127.0.0.1") -> None:
        self._context = tls
        self._host = host
        self._queue: asyncio.Queue[Stream] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self.streams: list[Stream] = []
        self.failures: list[BaseException] = []
        self.port = 0

    @property
    def scheme(self) -> str:
        return "http" if self._context is None else "https"

    @property
    def accepted(self) -> int:
        """How many connections were accepted so far."""
        return len(self.streams)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, self._host, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._server.close()
        for stream in self.streams:
            await stream.gone()
        await self._server.wait_closed()
        if exc is None and self.failures:
            raise self.failures[0]

    async def accept(self) -> Stream:
        """Return the next connection."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self._queue.get()
        except TimeoutError:
            raise AssertionError("no connection came") from None

    async def accept_tls(self) -> TlsStream:
        """Return the next TLS connection, its handshake over."""
        stream = await self.accept()
        assert isinstance(stream, TlsStream)
        return stream

    async def none_waits(self) -> bool:
        """Whether no connection waits to be accepted, after some turns of the loop."""
        await settle()
        return self._queue.empty()

    def serve(self, script: Callable[[Stream], Any]) -> None:
        """Run an async ``script`` on every connection from now on, instead of ``accept``."""

        async def run() -> None:
            while True:
                stream = await self._queue.get()
                self._spawn(self._follow(script, stream))

        self._spawn(run())

    def answer_all(self, answer: bytes | Callable[[bytes], bytes]) -> None:
        """Answer each request without a body on every connection, until the proxy closes it."""

        async def script(stream: Stream) -> None:
            with contextlib.suppress(Cut):
                while True:
                    head = await stream.head()
                    stream.send(answer if isinstance(answer, bytes) else answer(head))

        self.serve(script)

    async def _follow(self, script: Callable[[Stream], Any], stream: Stream) -> None:
        try:
            await script(stream)
        except (Cut, asyncio.CancelledError):
            raise
        except BaseException as exc:
            self.failures.append(exc)
            raise

    def _spawn(self, coroutine: Any) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._context is None:
            stream = Stream(reader, writer)
            self.streams.append(stream)
        else:
            stream = TlsStream(reader, writer, self._context)
            self.streams.append(stream)
            await stream.handshake()
        self._queue.put_nowait(stream)


def server_context(
    *credentials: Credential,
    folder: Path,
    max_tls: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    ciphers: str = "DEFAULT:@SECLEVEL=0",
    client_ca: Path | None = None,
    client_required: bool = True,
    server_order: bool = False,
    keylog: Path | None = None,
) -> ssl.SSLContext:
    """Make an origin's TLS context; of several credentials the client's order decides."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = max_tls
    context.set_ciphers(ciphers)
    if not server_order:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    if keylog is not None:
        context.num_tickets = 0
        context.keylog_filename = str(keylog)
    for number, credential in enumerate(credentials):
        files = credential.write(folder, f"origin-{id(context)}-{number}")
        context.load_cert_chain(files.chain, files.key)
    if client_ca is not None:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED if client_required else ssl.CERT_OPTIONAL
    return context


@dataclass(slots=True)
class Answer:
    """A complete answer as the client read it."""

    start: bytes
    fields: list[tuple[bytes, bytes]]
    body: bytes = b""
    chunks: list[bytes] = field(default_factory=list)
    trailers: list[tuple[bytes, bytes]] = field(default_factory=list)

    @property
    def status(self) -> int:
        return int(self.start.split(b" ")[1])

    @property
    def reason(self) -> bytes:
        return self.start.split(b" ", 2)[2]

    def all(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def get(self, name: bytes) -> bytes | None:
        values = self.all(name)
        assert len(values) < 2, values
        return values[0] if values else None


def split_head(head: bytes) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """Return start line and fields of a head that must be clean: CRLF, ``name: value``."""
    start, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    fields = []
    for line in lines:
        match = re.fullmatch(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ([^\r\n\0]*)", line)
        assert match is not None, line
        fields.append((match[1], match[2]))
    return start, fields


class Client(Stream):
    """A raw HTTP client."""

    async def answer(self, *, to_head: bool = False) -> Answer:
        """Read one answer to its end.

        Raises:
            Cut: the connection ended before the answer did.
        """
        answer = Answer(*split_head(await self.head()))
        status = answer.status
        if to_head or status < 200 or status in (204, 304):
            return answer
        if answer.get(b"Transfer-Encoding") is not None:
            assert answer.get(b"Transfer-Encoding") == b"chunked"
            assert answer.get(b"Content-Length") is None
            await self._chunked(answer)
        elif (length := answer.get(b"Content-Length")) is not None:
            answer.body = await self.exactly(int(length))
        else:
            how = await self.ending()
            answer.body = self._take(len(self.buffer))
            if how != "eof":
                raise Cut(how, bytes(self.received))
        return answer

    async def _chunked(self, answer: Answer) -> None:
        while True:
            size = int((await self.until(b"\r\n")).removesuffix(b"\r\n"), 16)
            if size == 0:
                break
            answer.chunks.append(await self.exactly(size))
            assert await self.exactly(2) == b"\r\n"
        while (line := await self.until(b"\r\n")) != b"\r\n":
            name, _, value = line.removesuffix(b"\r\n").partition(b": ")
            answer.trailers.append((name, value))
        answer.body = b"".join(answer.chunks)


class Proxy:
    """A running proxy under test.

    Attributes:
        server: the proxy.
        settings: what it was started with.
        troubles: what the event loop complained of; must stay empty.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.server = ProxyServer(settings)
        self.clients: list[Client] = []
        self.troubles: list[dict[str, Any]] = []
        self.stopped = False

    async def start(self) -> Self:
        asyncio.get_running_loop().set_exception_handler(
            lambda _loop, context: self.troubles.append(context)
        )
        await self.server.start()
        return self

    async def connect(self) -> Client:
        endpoint = self.server.endpoint
        client = Client(*await asyncio.open_connection(endpoint.host, endpoint.port))
        self.clients.append(client)
        return client

    async def stop(self, drain_s: float = 0.0) -> None:
        """Close the test's clients, stop the proxy; its logs are complete afterwards."""
        if self.stopped:
            return
        self.stopped = True
        for client in self.clients:
            await client.gone()
        await self.server.stop(drain_s)
        assert self.server.clients == set()
        assert len(self.server.pool) == 0

    @property
    def lines(self) -> list[str]:
        """Lines of the event log; complete once the proxy has stopped."""
        path = self.settings.log.event_log
        assert path is not None
        return path.read_text("utf-8").splitlines(keepends=True)

    @property
    def records(self) -> list[LogRecord]:
        """The event log, parsed."""
        return list(parse_log(self.lines))

    @property
    def transactions(self) -> list[dict[str, Any]]:
        """The JSON log; complete once the proxy has stopped."""
        path = self.settings.log.json_log
        assert path is not None
        return [json.loads(line) for line in path.read_text("ascii").splitlines()]


def settings_for(folder: Path, *trusted: Path, **changes: Any) -> Settings:
    """Return settings for tests: port 0, no allow list, one static name, logs in ``folder``."""
    hosts = folder / "hosts"
    hosts.write_text(f"127.0.0.1 {HOST} other.{DOMAIN}\n")
    settings = Settings(
        listen=Endpoint("127.0.0.1", 0),
        trusted_ca=trusted,
        hosts=hosts,
        allow_list=AllowListSource.OFF,
        log=LogSettings(event_log=folder / "event.log", json_log=folder / "json.log"),
    )
    return replace(settings, **changes)


@contextlib.asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Proxy]:
    """Run a proxy; fail if the event loop had anything to complain of."""
    proxy = await Proxy(settings).start()
    try:
        yield proxy
    finally:
        await proxy.stop()
    assert proxy.troubles == []


def segment(origin: Origin, *, host: str = HOST, scheme: str = "") -> str:
    return encode_segment(DOMAIN, scheme or origin.scheme, host, origin.port)


def target(origin: Origin, rest: str = "/cucm-uds/version", *, host: str = HOST) -> bytes:
    """Return a request target that leads to ``origin``."""
    return f"/{segment(origin, host=host)}{rest}".encode()


def request(
    method: bytes,
    path: bytes,
    *fields: bytes,
    body: bytes | None = None,
    version: bytes = b"HTTP/1.1",
) -> bytes:
    """Render a request; ``fields`` are whole lines without line ends."""
    lines = [method + b" " + path + b" " + version, b"Host: vcs.steven.lab:8443", *fields]
    if body is not None:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join([*lines, b"", body or b""])


def ok(body: bytes = b"hello", *fields: bytes) -> bytes:
    """Render a response of known length."""
    lines = [b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *fields]
    return b"\r\n".join([*lines, b"", body])


def kinds(records: Sequence[LogRecord]) -> list[str]:
    """Name each record: a verb for transaction lines, else the record's type."""
    return [
        f"{record.verb.value}" if hasattr(record, "verb") else type(record).__name__
        for record in records
    ]
