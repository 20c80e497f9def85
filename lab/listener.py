"""One listener of a simulated node: a port, what answers on it, and ways to make it fail.

- What it serves is loaded when it starts or restarts and stays until then.
- Each request is recorded before it is answered, whatever the answer.
- All its connections are known, so that a stop or a restart ends them and waits for that.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final, cast

from aiohttp import web

from mralab.config.settings import Endpoint
from mralab.errors import LabError
from mralab.lab.tlsserver import HandshakeRecord, TlsServerProtocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from aiohttp.typedefs import Handler

    from mralab.lab.journal import Journal
    from mralab.lab.tlscontext import ServerTls

#: How long requests in progress may go on when a listener stops or restarts. Lab default.
STOP_GRACE_S: Final = 0.2
_GARBAGE: Final = b"220 cucm.steven.lab ESMTP\r\n"


class Sabotage(Enum):
    """How a service is made to fail."""

    NONE = "none"
    DEAD = "dead"  #: nothing listens: connections are refused
    PLAIN_HTTP = "plain http"  #: HTTP without TLS on the port
    GARBAGE = "garbage"  #: neither TLS nor HTTP: another protocol's greeting
    SILENT = "silent"  #: accepts and never says a word
    CLOSE = "close"  #: closes on the client's first bytes
    RESET = "reset"  #: resets on the client's first bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRecord:
    """One HTTP request as a service got it."""

    service: str
    when: datetime
    peer: tuple[str, int]  #: the client's address and port
    method: str
    target: str  #: path and query as on the wire
    headers: tuple[tuple[str, str], ...]  #: in order, as written

    def header(self, name: str) -> str | None:
        """Return the first field of this name, whatever its case."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)


class _Connections:
    """The open TCP connections of one listener, so that it can end them and wait for that."""

    __slots__ = ("_empty", "_open")

    def __init__(self) -> None:
        self._open: set[asyncio.Transport] = set()
        self._empty = asyncio.Event()

    def opened(self, transport: asyncio.Transport) -> None:
        self._open.add(transport)
        self._empty.clear()

    def lost(self, transport: asyncio.Transport) -> None:
        self._open.discard(transport)
        if not self._open:
            self._empty.set()

    async def drop(self) -> None:
        """Abort them all and wait until they are gone."""
        for transport in tuple(self._open):
            transport.abort()
        if self._open:
            await self._empty.wait()


class _Watched(asyncio.Protocol):
    """Stands between TCP and a connection's protocol, and keeps the books of open connections."""

    __slots__ = ("_connections", "_inner", "_transport")

    def __init__(self, connections: _Connections, inner: asyncio.Protocol) -> None:
        self._connections = connections
        self._inner = inner

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._connections.opened(self._transport)
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.lost(self._transport)
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()


class _Greeting(asyncio.Protocol):
    """Speaks first, and another protocol."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).write(_GARBAGE)


class _Hangup(asyncio.Protocol):
    """Ends the connection on the first bytes it gets."""

    def __init__(self, *, reset: bool) -> None:
        self._reset = reset

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, _data: bytes) -> None:
        if self._reset:
            # Closing with a linger time of zero makes the kernel send RST instead of FIN.
            linger = struct.pack("ii", 1, 0)
            tcp: socket.socket = self._transport.get_extra_info("socket")
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self._transport.abort()
        else:
            self._transport.close()


@dataclass(frozen=True, slots=True)
class Served:
    """What a listener serves between two restarts."""

    application: web.Application  #: a fresh one
    tls: ServerTls | None  #: None is plain HTTP


@dataclass(frozen=True, slots=True)
class _Running:
    """The same, started."""

    runner: web.AppRunner
    make_http: Callable[[], asyncio.Protocol]
    tls: ServerTls | None


class Listener:
    """A port and what answers on it.

    Attributes:
        name: its name in records and messages.
        endpoint: where it listens; the port is known once it has started.
    """

    def __init__(
        self,
        name: str,
        endpoint: Endpoint,
        *,
        load: Callable[[], Served],
        handshakes: Journal[HandshakeRecord],
        requests: Journal[RequestRecord],
        clock: Callable[[], datetime],
    ) -> None:
        """Describe it; nothing runs yet.

        Args:
            name: for records and messages.
            endpoint: a local address; port 0 is any free one.
            load: makes what is served, once at the start and at each restart.
            handshakes: gets how each TLS connection was set up.
            requests: gets each HTTP request.
            clock: time of the records.
        """
        self.name = name
        self.endpoint = endpoint
        self._load = load
        self._handshakes = handshakes
        self._requests = requests
        self._clock = clock
        self._connections = _Connections()
        self._sabotage = Sabotage.NONE
        self._running: _Running | None = None
        self._server: asyncio.Server | None = None

    @property
    def tls(self) -> ServerTls | None:
        """The certificates and trust it has loaded; None over plain HTTP or before the start."""
        return self._running.tls if self._running else None

    async def start(self) -> None:
        """Load and listen.

        Raises:
            LabError: the address is in use or not local, or there is nothing to serve.
        """
        self._running = await self._run()
        await self._listen()

    async def stop(self) -> None:
        """Listen no more and end all connections. May be called whatever has been started."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        await self._end()
        if server is not None:
            await server.wait_closed()

    async def restart(self) -> None:
        """Load anew and end all connections; the port stays open.

        Raises:
            LabError: there is nothing to serve; the old things go on being served.
        """
        running = await self._run()
        await self._end()
        self._running = running

    async def sabotage(self, how: Sabotage) -> None:
        """Fail from the next connection on, or work again.

        Raises:
            LabError: the port has been taken meanwhile.
        """
        self._sabotage = how
        if how is not Sabotage.DEAD:
            if self._server is None:
                await self._listen()
        elif self._server is not None:
            server, self._server = self._server, None
            server.close()
            await self._connections.drop()
            await server.wait_closed()

    async def _run(self) -> _Running:
        served = self._load()
        served.application.middlewares.insert(0, self._record)
        runner = web.AppRunner(
            served.application,
            access_log=None,
            handler_cancellation=True,
            shutdown_timeout=STOP_GRACE_S,
        )
        await runner.setup()
        return _Running(runner, cast("web.Server", runner.server), served.tls)

    async def _end(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            await running.runner.cleanup()
        await self._connections.drop()

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        host, port = self.endpoint.host, self.endpoint.port
        try:
            self._server = await loop.create_server(self._accept, host, port)
        except OSError as exc:
            raise LabError(
                f"{self.name} cannot listen on {self.endpoint}: {exc}",
                hint="stop what uses the port, or choose another port or loopback address",
            ) from exc
        self.endpoint = Endpoint(host, self._server.sockets[0].getsockname()[1])

    def _accept(self) -> asyncio.Protocol:
        """Make the protocol of one more connection."""
        return _Watched(self._connections, self._protocol())

    def _protocol(self) -> asyncio.Protocol:
        running = self._running
        if running is None:
            # Accepted in the moment of a restart.
            return _Hangup(reset=True)
        match self._sabotage:
            case Sabotage.GARBAGE:
                return _Greeting()
            case Sabotage.SILENT:
                return asyncio.Protocol()
            case Sabotage.CLOSE | Sabotage.RESET:
                return _Hangup(reset=self._sabotage is Sabotage.RESET)
            case Sabotage.PLAIN_HTTP:
                return running.make_http()
            case Sabotage.NONE | Sabotage.DEAD:
                return self._working(running)

    def _working(self, running: _Running) -> asyncio.Protocol:
        if running.tls is None:
            return running.make_http()
        return TlsServerProtocol(
            running.tls,
            running.make_http,
            report=self._handshakes.add,
            clock=self._clock,
            service=self.name,
        )

    @web.middleware
    async def _record(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        transport = request.transport
        peer = transport.get_extra_info("peername") if transport else ("", 0)
        self._requests.add(
            RequestRecord(
                service=self.name,
                when=self._clock(),
                peer=(peer[0], peer[1]),
                method=request.method,
                target=request.raw_path,
                headers=tuple((_text(name), _text(value)) for name, value in request.raw_headers),
            )
        )
        return await handler(request)


def _text(field: bytes) -> str:
    return field.decode("utf-8", "surrogateescape")
