"""Socket writes, put off to the end of the loop's turn and then done in a row.

Rules: whoever closes a transport flushes first, or the last answer is lost. What waits is bounded:
a loop may read one connection dozens of times in one turn, and only a write done tells that the
peer is slow.

Each write wakes the reader on another core. Done one by one between pieces of Python, every write
finds the reader asleep again and pays for the wake-up; done in a row, only the first one pays.
Worth 35 % at 1 KB keep-alive (docs/adr/0003-data-plane.md).
"""

from __future__ import annotations

import socket
import struct
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

#: What arrived: large pieces are views of what they came in.
Data: TypeAlias = bytes | memoryview

#: One read buffer for every origin connection of the process: ``get_buffer`` and ``buffer_updated``
#: follow each other without a turn of the loop between them, so its content never outlives one
#: call.
READ_BUFFER = memoryview(bytearray(1 << 17))

#: Bytes of large pieces that may wait for the end of a turn; with more all is written at once.
_WAITING_MAX: Final = 1 << 18
_LARGE: Final = 1 << 12
#: Bytes of a piece that is dearer to copy than to hand on as it is.
DEAR_TO_COPY: Final = 1 << 13
#: ``struct linger``: on, no time. Closing then resets.
_NO_LINGER: Final = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


def half_close(transport: asyncio.Transport) -> None:
    """Send an end of stream; a connection that the peer has reset already stays as it is."""
    with suppress(OSError, RuntimeError):
        transport.write_eof()


def reset(transport: asyncio.Transport) -> None:
    """End a connection at once by a reset: the peer cannot take what it has for complete."""
    with suppress(OSError, RuntimeError, ValueError):  # it may be closed already
        connection = transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()


class WriteQueue:
    """The writes of one turn of the loop, in order."""

    __slots__ = ("_loop", "_queue", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Bind the queue to the loop whose turns it follows."""
        self._loop = loop
        self._queue: list[tuple[Callable[[Any], None], object]] = []  # what sends it, and it
        self._waiting = 0  # bytes of large pieces in the queue

    def write(self, transport: asyncio.Transport, data: bytes) -> None:
        """Write ``data`` to ``transport`` at the end of this turn."""
        queue = self._queue
        if not queue:
            self._loop.call_soon(self.flush)
        queue.append((transport.write, data))
        if len(data) > _LARGE:
            self._count(len(data))

    def write_all(self, transport: asyncio.Transport, pieces: list[Data]) -> None:
        """Write pieces likewise; where one is large, by one system call instead of a copy."""
        if len(pieces[-1]) < DEAR_TO_COPY:
            self.write(transport, b"".join(pieces))
            return
        queue = self._queue
        if not queue:
            self._loop.call_soon(self.flush)
        queue.append((transport.writelines, pieces))
        self._count(sum(map(len, pieces)))

    def flush(self) -> None:
        """Do what is queued now."""
        queue, self._queue = self._queue, []
        self._waiting = 0
        for send, data in queue:
            try:
                send(data)
            except RuntimeError:  # it was closed in this turn: that must not cost the others theirs
                continue

    def _count(self, size: int) -> None:
        self._waiting += size
        if self._waiting > _WAITING_MAX:
            self.flush()
