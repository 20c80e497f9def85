"""A storm: clients and origins that do anything at any time, right or wrong.

Nothing is said of single answers here. What must hold: the event loop has nothing to complain of,
every request that was begun ends with its one record, no connection is left, and a quiet client is
served afterwards.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import TYPE_CHECKING, Final

import pytest
from tests.integration.harness import (
    Cut,
    Origin,
    Proxy,
    Stream,
    ok,
    request,
    running,
    settings_for,
    settle,
    target,
)

from mralab.config.releases import Release
from mralab.config.settings import Limits, Timeouts

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

_VISITS: Final = 150
_VISITORS: Final = 10
_SHORT: Final = Timeouts(
    connect_timeout_s=0.2,
    response_timeout_s=0.2,
    client_idle_s=0.3,
    client_request_s=0.2,
    pool_idle_s=0.2,
    linger_s=0.1,
)
_CHUNKED: Final = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
_ANSWERS: Final = [
    ok(b"b" * 10),
    ok(b"b" * 70_000),
    ok(b"b" * 400_000),
    ok(b"", b"Connection: close"),
    ok() + b"injected",
    _CHUNKED + b"5\r\nhello\r\n0\r\nT: 1\r\n\r\n",
    _CHUNKED + b"5\r\nhelloX",
    b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
    b"HTTP/1.1 100 Continue\r\n\r\n" + ok(),
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello",
    b"garbage\r\n\r\n",
]


class Storm:
    """Clients and origins on one sequence of dice."""

    def __init__(self, seed: int, proxy: Proxy, targets: list[bytes]) -> None:
        self._dice = random.Random(seed)  # noqa: S311  any sequence will do
        self._proxy = proxy
        self._targets = targets

    async def origin(self, stream: Stream) -> None:
        with contextlib.suppress(Cut, AssertionError, OSError, RuntimeError):
            while True:
                await self._act(stream, b"" if self._dice.random() < 0.9 else ok(b"early"))
                await stream.head()
                await self._act(stream, self._dice.choice(_ANSWERS))

    async def visit(self) -> None:
        client = await self._proxy.connect()
        # Answers are read as if none were to HEAD, and some are not read at all: what the client
        # makes of them does not matter here.
        unreadable = (AssertionError, IndexError, ValueError)
        with contextlib.suppress(Cut, OSError, RuntimeError, *unreadable):
            for _ in range(self._dice.randrange(1, 5)):
                await self._act(client, self._request())
                if self._dice.random() < 0.6:
                    async with asyncio.timeout(self._dice.choice([0.02, 0.5])):
                        await client.answer()
        await (client.gone() if self._dice.random() < 0.5 else self._leave(client))

    async def _leave(self, client: Stream) -> None:
        client.close()
        await settle()
        await client.gone()

    def _request(self) -> bytes:
        path = self._dice.choice(self._targets)
        body = b"x" * self._dice.choice([0, 5, 70_000, 300_000])
        upgrade = (b"Connection: upgrade", b"Upgrade: websocket")
        data = self._dice.choice(
            [
                request(b"GET", path),
                request(b"HEAD", path),
                request(b"GET", path, b"Connection: close"),
                request(b"GET", path, version=b"HTTP/1.0"),
                request(b"GET", path, *upgrade) + b"early",
                request(b"POST", path, body=body),
                request(b"PUT", path, b"Expect: 100-continue", body=body),
                request(b"PUT", path, b"Transfer-Encoding: chunked") + b"2\r\nhi\r\n0\r\n\r\n",
            ]
        )
        if self._dice.random() < 0.15:  # one byte of it is wrong
            at = self._dice.randrange(len(data))
            data = data[:at] + bytes([self._dice.randrange(256)]) + data[at + 1 :]
        return data

    async def _act(self, stream: Stream, data: bytes) -> None:
        """Send data in pieces, or end in the middle of it."""
        cuts = sorted(self._dice.randrange(len(data) + 1) for _ in range(self._dice.randrange(3)))
        for begin, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
            stream.send(data[begin:end])
            await settle(self._dice.randrange(4))
            match self._dice.randrange(60):
                case 0:
                    stream.reset()
                case 1:
                    stream.close()
                case 2:
                    stream.half_close()
                case 3:
                    stream.stop_reading()
                    await settle(30)
                    stream.start_reading()
                case _:
                    pass


@pytest.mark.parametrize(
    ("seed", "release", "high_water"),
    [(1, Release.X14_2, 131_072), (2, Release.X15_5, 1000), (3, Release.ATS, 131_072)],
)
async def test_storm(
    tmp_path: Path,
    ca_file: Path,
    tls12: ssl.SSLContext,
    *,
    seed: int,
    release: Release,
    high_water: int,
) -> None:
    limits = Limits(max_pipelined=3, high_water_bytes=high_water)
    settings = settings_for(tmp_path, ca_file, release=release, timeouts=_SHORT, limits=limits)
    async with (
        Origin() as plain,
        Origin(tls12) as tls,
        running(settings) as proxy,
    ):
        wrong_name = target(tls, host="other.steven.lab")
        storm = Storm(seed, proxy, [target(plain), target(tls), wrong_name, b"/nowhere/x"])
        plain.serve(storm.origin)
        tls.serve(storm.origin)
        left = iter(range(_VISITS))

        async def visitor() -> None:
            for number in left:
                await storm.visit()
                if number % 60 == 0:
                    await proxy.server.apply(proxy.server.settings)

        await asyncio.gather(*(visitor() for _ in range(_VISITORS)))
        async with Origin() as quiet:
            quiet.answer_all(ok(b"quiet"))
            client = await proxy.connect()
            client.send(request(b"GET", target(quiet), b"Connection: close"))
            assert (await client.answer()).body == b"quiet"
        async with asyncio.timeout(5):
            while proxy.server.clients:
                await settle()
        begun = next(proxy.server.txn_ids) - 1
        await proxy.stop()
        assert begun > _VISITS
        assert sorted(line["txn_id"] for line in proxy.transactions) == list(range(1, begun + 1))
