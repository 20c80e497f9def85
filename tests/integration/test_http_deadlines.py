"""Whoever is waited for has his time: stalls on every side, with short deadlines."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.integration.harness import (
    Origin,
    ok,
    request,
    running,
    segment,
    settings_for,
    target,
)

from mralab.config.releases import Release
from mralab.config.settings import Limits, Settings, Timeouts

if TYPE_CHECKING:
    from pathlib import Path

_SHORT = 0.2
_LONG = 30.0


def with_short(tmp_path: Path, ca_file: Path, *names: str, **changes: object) -> Settings:
    """Return settings whose deadlines are long but for the named ones."""
    every = dict.fromkeys(
        (
            "connect_timeout_s",
            "response_timeout_s",
            "client_idle_s",
            "client_request_s",
            "pool_idle_s",
            "linger_s",
            "drain_s",
        ),
        _LONG,
    )
    timeouts = Timeouts(**every | dict.fromkeys(names, _SHORT))
    return settings_for(tmp_path, ca_file, timeouts=timeouts, **changes)


def now() -> float:
    return asyncio.get_running_loop().time()


async def until(when: float) -> None:
    """Wait for a point in time: here the time itself is what is tested."""
    reached = asyncio.Event()
    asyncio.get_running_loop().call_at(when, reached.set)
    await reached.wait()


async def test_an_origin_that_does_not_answer(
    tmp_path: Path, ca_file: Path, origin: Origin
) -> None:
    async with running(with_short(tmp_path, ca_file, "response_timeout_s")) as proxy:
        client = await proxy.connect()
        client.send(request(b"GET", target(origin)))
        peer = await origin.accept()
        await peer.head()
        answer = await client.answer()
        assert (answer.status, answer.reason) == (504, b"Gateway Timeout")
        assert await peer.ending() in ("eof", "reset")
        assert origin.accepted == 1


async def test_an_answer_that_stops(tmp_path: Path, ca_file: Path, origin: Origin) -> None:
    async with running(with_short(tmp_path, ca_file, "response_timeout_s")) as proxy:
        client = await proxy.connect()
        client.send(request(b"GET", target(origin)))
        peer = await origin.accept()
        await peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\nhello")
        assert await client.ending() == "reset"
        assert b"hello" in client.buffer
        assert await peer.ending() in ("eof", "reset")


async def test_an_origin_that_sends_now_and_then_is_waited_for(
    tmp_path: Path, ca_file: Path, plain: Origin
) -> None:
    async with running(with_short(tmp_path, ca_file, "response_timeout_s")) as proxy:
        client = await proxy.connect()
        client.send(request(b"GET", target(plain)))
        peer = await plain.accept()
        await peer.head()
        start = now()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n")
        for piece in (b"a", b"b", b"c", b"d", b"e", b"f"):
            await until(now() + _SHORT / 4)
            peer.send(piece)
        assert (await client.answer()).body == b"abcdef"
        assert now() - start > _SHORT


async def test_a_client_that_does_not_end_its_head(tmp_path: Path, ca_file: Path) -> None:
    async with running(with_short(tmp_path, ca_file, "client_request_s")) as proxy:
        client = await proxy.connect()
        client.send(b"GET / HTTP/1.1\r\nHost:")
        answer = await client.answer()
        assert (answer.status, answer.reason) == (408, b"Request Timeout")
        assert await client.ending() == "eof"


async def test_a_client_that_drips_its_head(tmp_path: Path, ca_file: Path) -> None:
    async with running(with_short(tmp_path, ca_file, "client_request_s")) as proxy:
        client = await proxy.connect()
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\nX: ")
        start = now()
        while not proxy.server.answered[408]:
            assert now() < start + 40 * _SHORT
            client.send(b"x")
            await until(now() + _SHORT / 10)
        assert (await client.answer()).status == 408


async def test_a_client_that_was_held_has_its_time_from_then_on(
    tmp_path: Path, ca_file: Path, plain: Origin
) -> None:
    limits = Limits(max_pipelined=1)
    async with running(with_short(tmp_path, ca_file, "client_request_s", limits=limits)) as proxy:
        client = await proxy.connect()
        data = request(b"GET", target(plain))
        await client.send_split(data * 2 + data[:30])
        client.send(data[30:])
        peer = await plain.accept()
        await peer.head()
        (connection,) = proxy.server.clients
        assert connection.held
        await until(now() + 2 * _SHORT)
        for number in range(3):
            if number:
                await peer.head()
            peer.send(ok(b"%d" % number))
            assert (await client.answer()).body == b"%d" % number


async def test_a_client_that_does_not_end_its_body(
    tmp_path: Path, ca_file: Path, origin: Origin
) -> None:
    async with running(with_short(tmp_path, ca_file, "client_request_s")) as proxy:
        client = await proxy.connect()
        client.send(request(b"POST", target(origin), b"Content-Length: 10") + b"hello")
        peer = await origin.accept()
        await peer.until(b"hello")
        assert (await client.answer()).status == 408
        assert await client.ending() == "eof"
        assert await peer.ending() in ("eof", "reset")


async def test_an_origin_that_does_not_take_the_body_is_not_the_clients_fault(
    tmp_path: Path, ca_file: Path, plain: Origin
) -> None:
    async with running(with_short(tmp_path, ca_file, "client_request_s")) as proxy:
        client = await proxy.connect()
        client.send(request(b"POST", target(plain), b"Content-Length: 99000000"))
        peer = await plain.accept()
        await peer.head()
        peer.stop_reading()
        client.send(b"z" * 30_000_000)
        assert (await client.answer()).status == 504


@pytest.mark.parametrize("after_request", [False, True])
async def test_an_idle_client_is_let_go(
    tmp_path: Path, ca_file: Path, plain: Origin, after_request: bool
) -> None:
    plain.answer_all(ok())
    async with running(with_short(tmp_path, ca_file, "client_idle_s")) as proxy:
        client = await proxy.connect()
        if after_request:
            client.send(request(b"GET", target(plain)))
            assert (await client.answer()).status == 200
        assert await client.ending() == "eof"
        assert client.buffer == b""


async def test_an_idle_origin_connection_is_let_go(
    tmp_path: Path, ca_file: Path, origin: Origin
) -> None:
    async with running(with_short(tmp_path, ca_file, "pool_idle_s")) as proxy:
        client = await proxy.connect()
        client.send(request(b"GET", target(origin)))
        peer = await origin.accept()
        await peer.head()
        peer.send(ok())
        await client.answer()
        assert await peer.ending() == "eof"
        assert len(proxy.server.pool) == 0


async def test_a_client_that_does_not_take_the_end_of_its_answer(
    tmp_path: Path, ca_file: Path, plain: Origin
) -> None:
    """An answer complete for us and not taken by the client has an idle client's time."""
    plain.answer_all(ok(b"z" * 8_000_000))
    limits = Limits(high_water_bytes=20_000_000)
    async with running(with_short(tmp_path, ca_file, "client_idle_s", limits=limits)) as proxy:
        client = await proxy.connect()
        client.stop_reading()
        client.send(request(b"GET", target(plain), b"Connection: close"))
        start = now()
        while not proxy.server.answered[200] or proxy.server.clients:
            assert now() < start + 40 * _SHORT
            await until(now() + _SHORT / 10)
        client.start_reading()
        assert await client.ending() == "reset"
        assert len(client.buffer) < 8_000_000


async def test_lingering_ends(tmp_path: Path, ca_file: Path) -> None:
    async with running(with_short(tmp_path, ca_file, "linger_s")) as proxy:
        client = await proxy.connect()
        client.send(b"nonsense\r\n\r\n")
        assert (await client.answer()).status == 400
        while proxy.server.clients:  # it keeps its side open, and is cut off
            client.send(b"more")
            await until(now() + _SHORT / 10)
        assert await client.ending() in ("eof", "reset")


@pytest.mark.parametrize(
    ("release", "attempts"), [(Release.X14_2, 2), (Release.ATS, 4)], ids=["X14.2", "ats"]
)
async def test_an_origin_silent_in_the_handshake(
    tmp_path: Path, ca_file: Path, plain: Origin, release: Release, attempts: int
) -> None:
    settings = with_short(tmp_path, ca_file, "connect_timeout_s", release=release)
    async with running(settings) as proxy:
        client = await proxy.connect()
        start = now()
        client.send(request(b"GET", f"/{segment(plain, scheme='https')}/x".encode()))
        answer = await client.answer()
        took = now() - start
        assert (answer.status, answer.reason) == (502, b"connect failed")
        assert plain.accepted == attempts
        assert took >= attempts * _SHORT


async def test_each_attempt_has_its_whole_time(
    tmp_path: Path, ca_file: Path, plain: Origin
) -> None:
    """The second attempt begins in the middle of the first one's time, and has its own."""
    settings = with_short(tmp_path, ca_file, "connect_timeout_s")
    async with running(settings) as proxy:
        client = await proxy.connect()
        start = now()
        client.send(request(b"GET", f"/{segment(plain, scheme='https')}/x".encode()))
        peer = await plain.accept()
        await until(start + _SHORT * 0.8)
        peer.close()
        second = now()
        assert (await client.answer()).status == 502
        assert now() - second >= _SHORT
        assert plain.accepted == 2


async def test_a_half_closed_tunnel_ends(tmp_path: Path, ca_file: Path, origin: Origin) -> None:
    async with running(with_short(tmp_path, ca_file, "client_idle_s")) as proxy:
        client = await proxy.connect()
        client.send(request(b"GET", target(origin), b"Connection: upgrade", b"Upgrade: websocket"))
        peer = await origin.accept()
        await peer.head()
        peer.send(b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        await client.head()
        await until(now() + 2 * _SHORT)  # a whole one may be silent
        assert await peer.nothing_comes()
        client.half_close()
        assert await peer.ending() == "eof"
        assert await client.ending() == "reset"
