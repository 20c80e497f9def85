"""Writes of one turn of the loop: in order, bounded, and none costs another its own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from mralab.origin.wire import WriteQueue, half_close, reset

if TYPE_CHECKING:
    from tests.integration.harness import Origin, Stream


class Transport:
    """Records writes."""

    def __init__(self, log: list[tuple[str, bytes]], name: str, *, closed: bool = False) -> None:
        self._log = log
        self._name = name
        self._closed = closed

    def write(self, data: bytes) -> None:
        if self._closed:
            raise RuntimeError("the handler is closed")
        self._log.append((self._name, data))

    def get_extra_info(self, name: str) -> None:
        del name

    def abort(self) -> None:
        self._log.append((self._name, b"aborted"))

    @property
    def real(self) -> asyncio.Transport:
        return cast("asyncio.Transport", self)


async def test_writes_wait_for_the_end_of_the_turn() -> None:
    log: list[tuple[str, bytes]] = []
    wire = WriteQueue(asyncio.get_running_loop())
    a, b = Transport(log, "a").real, Transport(log, "b").real
    wire.write(a, b"1")
    wire.write(b, b"2")
    wire.write(a, b"3")
    assert log == []
    await asyncio.sleep(0)
    assert log == [("a", b"1"), ("b", b"2"), ("a", b"3")]
    wire.write(b, b"4")
    wire.flush()
    assert log[3:] == [("b", b"4")]
    await asyncio.sleep(0)
    assert len(log) == 4


async def test_what_waits_is_bounded() -> None:
    log: list[tuple[str, bytes]] = []
    wire = WriteQueue(asyncio.get_running_loop())
    transport = Transport(log, "a").real
    wire.write(transport, bytes(1 << 17))
    wire.write(transport, bytes(1 << 17))
    wire.write(transport, b"small pieces do not count")
    assert log == []
    wire.write(transport, bytes(1 << 13))
    assert len(log) == 4
    wire.write(transport, b"y")
    assert len(log) == 4
    await asyncio.sleep(0)
    assert len(log) == 5


async def test_a_closed_transport_does_not_cost_the_others() -> None:
    log: list[tuple[str, bytes]] = []
    wire = WriteQueue(asyncio.get_running_loop())
    wire.write(Transport(log, "closed", closed=True).real, b"1")
    wire.write(Transport(log, "open").real, b"2")
    wire.flush()
    assert log == [("open", b"2")]


async def connected(origin: Origin) -> tuple[asyncio.StreamWriter, Stream]:
    _, writer = await asyncio.open_connection("127.0.0.1", origin.port)
    return writer, await origin.accept()


async def test_reset(plain: Origin) -> None:
    writer, peer = await connected(plain)
    writer.write(b"x")
    assert await peer.exactly(1) == b"x"
    reset(cast("asyncio.Transport", writer.transport))
    assert await peer.ending() == "reset"
    log: list[tuple[str, bytes]] = []
    reset(Transport(log, "no socket").real)
    assert log == [("no socket", b"aborted")]


async def test_half_close_of_what_is_gone(plain: Origin) -> None:
    writer, peer = await connected(plain)
    transport = cast("asyncio.Transport", writer.transport)
    transport.pause_reading()
    peer.reset()
    await asyncio.sleep(0)
    half_close(transport)  # the system says: not connected
    transport.abort()
    for _ in range(3):
        await asyncio.sleep(0)
    half_close(transport)  # the loop says: closed
