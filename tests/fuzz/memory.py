"""A real proxy whose connections are in memory: no socket, no waiting, thousands of runs a second.

Rules: the proxy is the one that runs elsewhere, and so is asyncio; only the transports end here
instead of in the kernel. Whatever happens, happens in :meth:`MemoryLoop.settle`. Every name
resolves to one address, and whoever is dialled answers.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections import deque
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from mralab.config.settings import AllowListSource, Endpoint, LogSettings, Settings
from mralab.origin.connection import OriginConnection
from mralab.proxy.http1 import ClientConnection
from mralab.proxy.server import ProxyServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    _Protocol = asyncio.Protocol | asyncio.BufferedProtocol

CLIENT: Final = ("192.0.2.9", 40_000)
ORIGIN: Final = "192.0.2.1"


class MemoryTransport(asyncio.Transport):
    """One end of a connection whose other end is the test.

    Attributes:
        protocol: the proxy's end.
        written: all that the proxy wrote.
        end_written: whether the proxy sent an end of stream, by closing or half-closing.
        aborted: whether the proxy cut the connection off.
    """

    def __init__(self, loop: MemoryLoop, protocol: _Protocol, peer: tuple[str, int]) -> None:
        super().__init__({"peername": peer})
        self._loop = loop
        self._inbox: deque[bytes] = deque()
        self._reading = True
        self._closing = False
        self.protocol = protocol
        self.written = bytearray()
        self.end_written = False
        self.aborted = False

    # -- what the test calls

    def deliver(self, data: bytes) -> None:
        """Give the proxy one piece, or its end of stream if it is empty, once it reads."""
        self._inbox.append(data)
        self._pass_on()

    def lose(self) -> None:
        """The other side is gone."""
        if not self._closing:
            self._end()

    # -- what the proxy calls

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        assert not self.end_written or self._closing, "written after the end of stream"
        if not self._closing:
            self.written += data

    def write_eof(self) -> None:
        self.end_written = True

    def close(self) -> None:
        if not self._closing:
            self.end_written = True
            self._end()

    def abort(self) -> None:
        if not self._closing:
            self.aborted = True
            self._end()

    def is_closing(self) -> bool:
        return self._closing

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        self._reading = True
        self._loop.call_soon(self._pass_on)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Nothing is ever full here."""

    # -- inside

    def _pass_on(self) -> None:
        while self._inbox and self._reading and not self._closing:
            data = self._inbox.popleft()
            protocol = self.protocol
            if data and isinstance(protocol, asyncio.Protocol):
                protocol.data_received(data)
            elif data and isinstance(protocol, asyncio.BufferedProtocol):
                buffer = cast("memoryview", protocol.get_buffer(-1))
                buffer[: len(data)] = data
                protocol.buffer_updated(len(data))
            elif not protocol.eof_received():
                self.close()

    def _end(self) -> None:
        self._closing = True
        self._loop.call_soon(self.protocol.connection_lost, None)


class MemoryLoop(asyncio.SelectorEventLoop):
    """An event loop that dials nobody.

    Attributes:
        origins: a transport for each origin connection of the proxy since it was cleared.
    """

    def __init__(self) -> None:
        super().__init__()
        self.origins: list[MemoryTransport] = []

    def settle(self) -> None:
        """Run until nobody has anything left to do."""
        ready: deque[object] = self._ready  # type: ignore[attr-defined]  # only it knows
        while ready:
            self.call_soon(self.stop)
            self.run_forever()

    async def create_connection(  # type: ignore[override]  # the proxy uses this form of many
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        host: str,
        port: int,
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        protocol = protocol_factory()
        assert isinstance(protocol, OriginConnection)
        transport = MemoryTransport(self, protocol, (host, port))
        self.origins.append(transport)
        protocol.connection_made(transport)
        return transport, protocol

    async def getaddrinfo(self, *_args: object, **_kwargs: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (ORIGIN, 0))]


class MemoryProxy:
    """A running proxy in a loop without a network."""

    def __init__(self) -> None:
        self.loop = MemoryLoop()
        self.server = ProxyServer(
            Settings(
                listen=Endpoint("127.0.0.1", 0),
                allow_list=AllowListSource.OFF,
                log=LogSettings(event_log=Path(os.devnull), debug=True),
            )
        )
        self.loop.run_until_complete(self.server.start())

    def stop(self) -> None:
        """End it and its loop."""
        self.loop.run_until_complete(self.server.stop(0))
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()

    def connect(self) -> MemoryTransport:
        """Open a client connection; of earlier ones, also failed ones, nothing is left."""
        for left in list(self.server.clients):
            left.abort()
        self.server.pool.close()
        self.loop.settle()
        self.loop.origins.clear()
        protocol = ClientConnection(self.server)
        transport = MemoryTransport(self.loop, protocol, CLIENT)
        protocol.connection_made(transport)
        return transport

    def send(self, transport: MemoryTransport, pieces: Iterable[bytes]) -> None:
        """Deliver pieces, each of them when the one before has had its effect."""
        for piece in pieces:
            transport.deliver(piece)
            self.loop.settle()

    def end(self, client: MemoryTransport) -> None:
        """The client goes; afterwards nothing of it may be left."""
        client.lose()
        self.loop.settle()
        self.server.pool.close()
        self.loop.settle()
        assert not self.server.clients
        assert all(origin.is_closing() for origin in self.loop.origins)


@cache
def memory_proxy() -> MemoryProxy:
    """Return the one proxy of this process."""
    return MemoryProxy()
