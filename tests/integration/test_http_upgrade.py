"""Upgrade to WebSocket: a tunnel both ways, once the origin agrees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.integration.harness import (
    Client,
    Origin,
    Proxy,
    Stream,
    TlsStream,
    ok,
    request,
    settle,
    split_head,
    target,
)

if TYPE_CHECKING:
    import ssl

_ASK = (b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Key: k")
_AGREE = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: a\r\n\r\n"
)


async def opened(
    proxy: Proxy, origin: Origin, *, early: bytes = b"", rest: bytes = b""
) -> tuple[Client, Stream]:
    """Open a tunnel; ``early`` is sent with the request, ``rest`` with the 101."""
    client = await proxy.connect()
    client.send(request(b"GET", target(origin, "/ws"), *_ASK) + early)
    peer = await origin.accept()
    start, fields = split_head(await peer.head())
    assert start == b"GET /ws HTTP/1.1"
    assert dict(fields)[b"Upgrade"] == b"websocket"
    assert dict(fields)[b"Connection"] == b"Upgrade"
    assert dict(fields)[b"Sec-WebSocket-Key"] == b"k"
    peer.send(_AGREE + rest)
    start, fields = split_head(await client.head())
    assert start == b"HTTP/1.1 101 Switching Protocols"
    assert fields == [
        (b"Sec-WebSocket-Accept", b"a"),
        (b"Connection", b"Upgrade"),
        (b"Upgrade", b"websocket"),
    ]
    return client, peer


async def test_bytes_pass_both_ways(proxy: Proxy, origin: Origin) -> None:
    client, peer = await opened(proxy, origin)
    for turn in range(5):
        data = bytes(range(256)) * (turn * 100 + 1)
        client.send(data)
        assert await peer.exactly(len(data)) == data
        peer.send(data[::-1])
        assert await client.exactly(len(data)) == data[::-1]


async def test_early_bytes_of_both_sides(proxy: Proxy, origin: Origin) -> None:
    client, peer = await opened(proxy, origin, early=b"early", rest=b"rest")
    assert await client.exactly(4) == b"rest"
    assert await peer.exactly(5) == b"early"
    client.send(b"late")
    assert await peer.exactly(4) == b"late"


async def test_bytes_sent_while_the_origin_thinks(proxy: Proxy, origin: Origin) -> None:
    client = await proxy.connect()
    client.send(request(b"GET", target(origin), *_ASK))
    peer = await origin.accept()
    await peer.head()
    await client.send_split(b"one ", b"two ", b"three")
    assert await peer.nothing_comes()  # another protocol's bytes, before it is agreed on
    peer.send(_AGREE)
    assert await peer.exactly(13) == b"one two three"
    await client.head()
    client.close()
    assert await peer.ending() == "eof"


async def test_bytes_behind_a_pipelined_upgrade(proxy: Proxy, origin: Origin) -> None:
    client = await proxy.connect()
    client.send(request(b"GET", target(origin, "/1")) + request(b"GET", target(origin), *_ASK))
    await client.send_split(b"early")
    peer = await origin.accept()
    assert (await peer.head()).startswith(b"GET /1 ")
    await client.send_split(b" more")
    peer.send(ok(b"one"))
    assert (await client.answer()).body == b"one"
    await peer.head()
    peer.send(_AGREE)
    await client.head()
    assert await peer.exactly(10) == b"early more"


async def test_bytes_in_a_record_of_their_own_behind_the_101(
    proxy: Proxy, tls12: ssl.SSLContext
) -> None:
    async with Origin(tls12) as origin:
        client = await proxy.connect()
        client.send(request(b"GET", target(origin), *_ASK))
        peer = await origin.accept()
        assert isinstance(peer, TlsStream)
        await peer.head()
        peer.send_raw(peer.encrypt(_AGREE) + peer.encrypt(b"first") + peer.encrypt(b" second"))
        await client.head()
        assert await client.exactly(12) == b"first second"


@pytest.mark.parametrize("side", ["client", "origin"])
@pytest.mark.parametrize("how", ["close", "reset"])
async def test_either_side_ends_it(proxy: Proxy, origin: Origin, side: str, how: str) -> None:
    client, peer = await opened(proxy, origin)
    ends, other = (client, peer) if side == "client" else (peer, client)
    ends.send(b"last words")
    await other.exactly(10)
    getattr(ends, how)()
    ended = await other.ending()
    if side == "origin" and how == "reset":
        assert ended == "reset"
    other.close()  # an end of stream alone may be half a close
    await settle()
    assert proxy.server.clients == set()
    assert len(proxy.server.pool) == 0


async def test_a_half_closed_client_may_still_be_answered(proxy: Proxy, origin: Origin) -> None:
    client, peer = await opened(proxy, origin)
    client.send(b"question")
    client.half_close()
    assert await peer.exactly(8) == b"question"
    assert await peer.ending() == "eof"
    peer.send(b"answer")
    assert await client.exactly(6) == b"answer"
    peer.close()
    assert await client.ending() == "eof"


async def test_a_client_half_closed_before_the_101(proxy: Proxy, origin: Origin) -> None:
    client = await proxy.connect()
    client.send(request(b"GET", target(origin), *_ASK) + b"early")
    client.half_close()
    peer = await origin.accept()
    await peer.head()
    await settle()
    peer.send(_AGREE)
    assert await peer.exactly(5) == b"early"
    assert await peer.ending() == "eof"


@pytest.mark.parametrize("early", [b"", b"early"])
async def test_an_origin_that_does_not_agree(proxy: Proxy, origin: Origin, early: bytes) -> None:
    client = await proxy.connect()
    client.send(request(b"GET", target(origin), *_ASK) + early)
    peer = await origin.accept()
    await peer.head()
    peer.send(
        b"HTTP/1.1 426 No\r\nUpgrade: x\r\nConnection: upgrade\r\nContent-Length: 2\r\n\r\nno"
    )
    answer = await client.answer()
    assert (answer.status, answer.body) == (426, b"no")
    assert answer.get(b"Upgrade") is None
    assert answer.get(b"Connection") == b"close"
    assert await client.ending() == "eof"
    assert await peer.nothing_comes() or len(proxy.server.pool) == 1


@pytest.mark.parametrize(
    "fields",
    [
        (b"Connection: Upgrade", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAAP__"),
        (b"Connection: Upgrade", b"Upgrade: TLS/1.0"),
        (b"Upgrade: websocket",),
    ],
)
async def test_other_upgrades_are_not_passed_on(
    proxy: Proxy, origin: Origin, fields: tuple[bytes, ...]
) -> None:
    client = await proxy.connect()
    client.send(request(b"GET", target(origin), *fields) + request(b"GET", target(origin, "/2")))
    peer = await origin.accept()
    _, sent = split_head(await peer.head())
    assert not {b"Upgrade", b"Connection", b"HTTP2-Settings"} & {name for name, _ in sent}
    peer.send(ok(b"one"))
    assert (await client.answer()).body == b"one"
    assert (await peer.head()).startswith(b"GET /2 ")
    peer.send(ok(b"two"))
    assert (await client.answer()).body == b"two"


async def test_a_101_nobody_asked_for(proxy: Proxy, plain: Origin) -> None:
    client = await proxy.connect()
    client.send(request(b"POST", target(plain), body=b""))
    peer = await plain.accept()
    await peer.head()
    peer.send(_AGREE)
    answer = await client.answer()
    assert (answer.status, answer.reason) == (502, b"Invalid HTTP Response")


async def test_a_slow_side_holds_the_other(proxy: Proxy, origin: Origin) -> None:
    client, peer = await opened(proxy, origin)
    for ends, other in ((client, peer), (peer, client)):
        other.stop_reading()
        size = 0
        while not ends.waiting and size < 60_000_000:
            ends.send(b"z" * 500_000)
            size += 500_000
            await settle()
        assert size < 60_000_000
        other.start_reading()
        await other.skip(size)
