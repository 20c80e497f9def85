"""Taps on the connections of a proxy whose traffic is captured.

Rules: a tap stands between the event loop and a connection, on both sides of it, so that neither
the connections nor the loop know of it; without ``--pcap`` there is none. What the proxy reads is
recorded before the connection hears of it, what it writes when the transport has taken it, ends
likewise: that is the order in which the proxy acted. A TLS secret goes before the frames of the
read that brought it about, because readers of captures look for it there.

A connection that never stood leaves nothing: the system does not tell what it sent.
"""

from __future__ import annotations

import asyncio
import random
import socket
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, cast

from mralab import __version__
from mralab.trafficlog import pcapng
from mralab.trafficlog.capture import CaptureWriter, path_of_worker
from mralab.trafficlog.pcapng import Conversation, Leg, Side

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_NUMBER_BITS: Final = 32
_LINGER_BYTES: Final = 8


class Capture:
    """The capture of one process: both legs of every connection, in one file."""

    def __init__(
        self,
        path: Path,
        *,
        worker: int = 0,
        workers: int = 1,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """Open the file.

        Args:
            path: the file that the settings name; with several workers each has its own.
            worker: number of this process among its workers.
            workers: how many there are.
            clock_ns: nanoseconds since 1970-01-01 UTC.

        Raises:
            ConfigError: the file cannot be opened, or nothing can be appended to what it holds.
        """
        own_path = path_of_worker(path, worker=worker, workers=workers)
        self.writer = CaptureWriter(own_path, application=f"mralab {__version__}")
        self._clock_ns = clock_ns
        self._held: list[bytes] | None = None

    def client(self, connection: asyncio.Protocol) -> asyncio.Protocol:
        """Return what to give to the loop for a client's connection."""
        return _ClientTap(self, connection)

    async def connect(
        self, factory: Callable[[], asyncio.BufferedProtocol], host: str, port: int
    ) -> object:
        """Connect to an origin: as ``loop.create_connection``, with a tap."""
        return await asyncio.get_running_loop().create_connection(
            lambda: _OriginTap(self, factory()), host, port
        )

    def add_secret(self, line: bytes) -> None:
        """Take one line of the TLS key log, without its line end."""
        self.writer.add(pcapng.secrets(line))

    def add(self, leg: Leg, packets: list[pcapng.Packet]) -> None:
        """Take the frames of one event, which happens now."""
        now = self._clock_ns()
        proxy = _PROXY_SIDE[leg]
        frames = b"".join(
            pcapng.frame(packet.data, leg=leg, written=packet.sender is proxy, time_ns=now)
            for packet in packets
        )
        if self._held is not None:
            self._held.append(frames)
        elif frames:
            self.writer.add(frames)

    def hold(self) -> None:
        """Keep frames back, so that secrets go before them."""
        self._held = []

    def release(self) -> None:
        """Let the frames go that were kept back."""
        held, self._held = self._held, None
        if held:
            self.writer.add(b"".join(held))


#: Which end of a connection the proxy is.
_PROXY_SIDE: Final = {Leg.CLIENT: Side.ANSWERER, Leg.ORIGIN: Side.OPENER}


class _Flow:
    """One connection in the capture, as the proxy sees it."""

    __slots__ = ("_capture", "_conversation", "_leg", "_ours", "_theirs")

    def __init__(self, capture: Capture, leg: Leg, ours: Any, peer: Any) -> None:
        """Record that the connection stands.

        Args:
            capture: where to.
            leg: which leg.
            ours: the system's address of the proxy's end: host, port and more.
            peer: the same of the other end.
        """
        self._capture = capture
        self._leg = leg
        self._ours = _PROXY_SIDE[leg]
        self._theirs = self._ours.other
        ends = {
            self._ours: pcapng.socket_of(ours[0], ours[1]),
            self._theirs: pcapng.socket_of(peer[0], peer[1]),
        }
        first = (random.getrandbits(_NUMBER_BITS), random.getrandbits(_NUMBER_BITS))
        self._conversation = Conversation(ends[Side.OPENER], ends[Side.ANSWERER], first=first)
        self._capture.add(leg, self._conversation.open())

    def read(self, data: bytes) -> None:
        """Record what came."""
        self._capture.add(self._leg, self._conversation.data(self._theirs, data))

    def read_end(self) -> None:
        """Record that the other end sends no more."""
        self._capture.add(self._leg, self._conversation.finish(self._theirs))

    def written(self, data: bytes) -> None:
        """Record what the transport has taken, unless it has thrown it away."""
        if not self._conversation.has_ended(self._ours):
            self._capture.add(self._leg, self._conversation.data(self._ours, data))

    def written_end(self) -> None:
        """Record that we send no more."""
        self._capture.add(self._leg, self._conversation.finish(self._ours))

    def written_reset(self) -> None:
        """Record a reset of ours."""
        self._capture.add(self._leg, self._conversation.reset(self._ours))

    def over(self, exc: Exception | None) -> None:
        """Record the end that nobody told of before."""
        if isinstance(exc, (ConnectionResetError, BrokenPipeError)):
            self._capture.add(self._leg, self._conversation.reset(self._theirs))
        else:
            self.written_end()


class _Tap(asyncio.BaseProtocol):
    """A connection's protocol as the loop sees it."""

    __slots__ = ("_capture", "_flow", "_leg", "_told")

    def __init__(
        self, capture: Capture, leg: Leg, told: asyncio.Protocol | asyncio.BufferedProtocol
    ) -> None:
        self._capture = capture
        self._leg = leg
        self._told = told
        self._flow: _Flow | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        inner = cast("asyncio.Transport", transport)
        ours, peer = inner.get_extra_info("sockname"), inner.get_extra_info("peername")
        if ours is not None and peer is not None:  # else it is reset already
            self._flow = flow = _Flow(self._capture, self._leg, ours, peer)
            inner = _TappedTransport(inner, flow)
        self._told.connection_made(inner)

    def eof_received(self) -> bool | None:
        if self._flow is not None:
            self._flow.read_end()
        return self._told.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._flow is not None:
            self._flow.over(exc)
        self._told.connection_lost(exc)

    def pause_writing(self) -> None:
        self._told.pause_writing()

    def resume_writing(self) -> None:
        self._told.resume_writing()

    @contextmanager
    def _read(self, data: bytes) -> Iterator[None]:
        """Record what came, behind the secrets that telling of it brings about."""
        self._capture.hold()
        try:
            if self._flow is not None:
                self._flow.read(data)
            yield
        finally:
            self._capture.release()


class _ClientTap(_Tap, asyncio.Protocol):
    """Of a client's connection."""

    __slots__ = ("_connection",)

    def __init__(self, capture: Capture, connection: asyncio.Protocol) -> None:
        super().__init__(capture, Leg.CLIENT, connection)
        self._connection = connection

    def data_received(self, data: bytes) -> None:
        with self._read(data):
            self._connection.data_received(data)


class _OriginTap(_Tap, asyncio.BufferedProtocol):
    """Of a connection to an origin."""

    __slots__ = ("_buffer", "_connection")

    def __init__(self, capture: Capture, connection: asyncio.BufferedProtocol) -> None:
        super().__init__(capture, Leg.ORIGIN, connection)
        self._connection = connection
        self._buffer = memoryview(b"")

    def get_buffer(self, sizehint: int) -> memoryview:
        self._buffer = memoryview(self._connection.get_buffer(sizehint))
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        with self._read(bytes(self._buffer[:nbytes])):
            self._connection.buffer_updated(nbytes)


class _TappedTransport(asyncio.Transport):
    """A connection's transport as the connection sees it.

    Only what connections use; the base class refuses the rest.
    """

    def __init__(self, inner: asyncio.Transport, flow: _Flow) -> None:
        super().__init__()
        self._inner = inner
        self._flow = flow

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._inner.get_extra_info(name, default)

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        self._inner.write(data)
        self._flow.written(bytes(data))

    def write_eof(self) -> None:
        self._inner.write_eof()
        self._flow.written_end()

    def close(self) -> None:
        self._inner.close()
        self._flow.written_end()

    def abort(self) -> None:
        resets = _resets_on_close(self._inner)
        self._inner.abort()
        if resets:
            self._flow.written_reset()
        else:
            self._flow.written_end()

    def pause_reading(self) -> None:
        self._inner.pause_reading()

    def resume_reading(self) -> None:
        self._inner.resume_reading()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._inner.set_write_buffer_limits(high, low)


def _resets_on_close(transport: asyncio.Transport) -> bool:
    """Whether the socket was told to end by a reset: then ``SO_LINGER`` is on."""
    connection = transport.get_extra_info("socket")
    with suppress(OSError, ValueError):  # it may be closed already
        if connection is not None:
            return any(connection.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_BYTES))
    return False
