"""Bodies both ways: framing, early answers, back-pressure, and ends in the middle."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

import pytest
from tests.integration.harness import (
    Cut,
    Origin,
    Proxy,
    Stream,
    ok,
    request,
    running,
    segment,
    settings_for,
    settle,
    split_head,
    target,
)

from mralab.config.settings import Timeouts

if TYPE_CHECKING:
    from pathlib import Path

    from mralab.proxy.http1 import ClientConnection

_CHUNKED = b"Transfer-Encoding: chunked"


async def read_chunks(peer: Stream) -> tuple[bytes, bytes]:
    """Read a chunked body as the origin gets it; return body and trailer section."""
    body = b""
    while size := int((await peer.until(b"\r\n")).removesuffix(b"\r\n"), 16):
        body += await peer.exactly(size)
        assert await peer.exactly(2) == b"\r\n"
    trailers = b""
    while (line := await peer.until(b"\r\n")) != b"\r\n":
        trailers += line
    return body, trailers


async def test_a_chunked_body_streams(proxy: Proxy, origin: Origin) -> None:
    client = await proxy.connect()
    client.send(request(b"POST", target(origin), _CHUNKED, b"Trailer: T"))
    peer = await origin.accept()
    _, fields = split_head(await peer.head())  # the head goes out at once
    assert (b"Transfer-Encoding", b"chunked") in fields
    assert b"Content-Length" not in dict(fields)
    client.send(b"5;ext\r\nhello\r\n")
    assert await peer.until(b"hello\r\n") == b"5\r\nhello\r\n"
    await client.send_split(b"6\r\n wo", b"rld\r\n0\r\nT: 1\r\nContent-MD5: x\r\nCookie: a\r\n\r\n")
    body, trailers = await read_chunks(peer)
    assert body == b" world"
    assert trailers == b"T: 1\r\nContent-MD5: x\r\n"
    peer.send(ok(b"done"))
    assert (await client.answer()).body == b"done"


async def test_get_with_a_body(proxy: Proxy, origin: Origin) -> None:
    client = await proxy.connect()
    client.send(request(b"GET", target(origin), body=b"hello"))
    peer = await origin.accept()
    await peer.head()
    assert await peer.exactly(5) == b"hello"
    peer.send(ok())
    assert (await client.answer()).status == 200


@pytest.mark.parametrize("protocol", [b"h2c", b"websocket"])
@pytest.mark.parametrize("split", [False, True], ids=["at once", "in two"])
@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_the_body_of_a_request_whose_upgrade_is_not_passed_on(
    proxy: Proxy, origin: Origin, framing: str, split: bool, protocol: bytes
) -> None:
    """It is a body still, whatever it looks like, and the next request follows it."""
    body = request(b"GET", b"/in-a-body")
    fields = (b"Connection: Upgrade", b"Upgrade: " + protocol)
    if framing == "chunked":
        head = request(b"POST", target(origin), *fields, _CHUNKED)
        wire = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    else:
        length = b"Content-Length: %d" % len(body)
        head, wire = request(b"POST", target(origin), *fields, length), body
    following = request(b"GET", target(origin, "/next"))
    client = await proxy.connect()
    if split:
        await client.send_split(head, wire + following)
    else:
        client.send(head + wire + following)
    peer = await origin.accept()
    _, got = split_head(await peer.head())
    assert b"Upgrade" not in dict(got)
    if framing == "chunked":
        assert await read_chunks(peer) == (body, b"")
    else:
        assert await peer.exactly(len(body)) == body
    peer.send(ok(b"first"))
    assert (await client.answer()).body == b"first"
    assert (await peer.head()).startswith(b"GET /next HTTP/1.1")
    peer.send(ok(b"second"))
    assert (await client.answer()).body == b"second"


@pytest.mark.parametrize(
    "broken", [b"xyz\r\n", b"5\r\nhelloX", b"-1\r\n", b"0\r\nbad trailer\r\n\r\n"], ids=repr
)
async def test_a_broken_chunk_closes_both_sides(
    proxy: Proxy, origin: Origin, broken: bytes
) -> None:
    client = await proxy.connect()
    client.send(request(b"POST", target(origin), _CHUNKED) + b"5\r\nhello\r\n")
    peer = await origin.accept()
    await peer.until(b"hello\r\n")
    client.send(broken)
    assert await peer.ending() in ("eof", "reset")
    assert b"0\r\n\r\n" not in peer.received
    answer = await client.answer()
    assert answer.status == 400
    assert await client.ending() == "eof"


async def test_a_broken_chunk_cuts_an_answer_that_has_begun(proxy: Proxy, origin: Origin) -> None:
    client = await proxy.connect()
    client.send(request(b"POST", target(origin), _CHUNKED) + b"5\r\nhello\r\n")
    peer = await origin.accept()
    await peer.until(b"hello\r\n")
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nwell")
    await client.until(b"well")
    client.send(b"xyz\r\n")
    assert await client.ending() == "reset"
    assert b"HTTP/1.1 400" not in client.received
    assert await peer.ending() in ("eof", "reset")


async def test_a_broken_chunk_behind_another_request(proxy: Proxy, origin: Origin) -> None:
    client = await proxy.connect()
    client.send(request(b"GET", target(origin, "/1")))
    client.send(request(b"POST", target(origin, "/2"), _CHUNKED) + b"5\r\nhello\r\nxyz\r\n")
    peer = await origin.accept()
    await peer.head()
    await settle()
    peer.send(ok(b"one"))
    assert (await client.answer()).body == b"one"
    assert (await client.answer()).status == 400
    assert await client.ending() == "eof"
    assert await peer.nothing_comes()
    assert origin.accepted == 1


@pytest.mark.parametrize("flood", [b"0\r\nX: ", b"5;"], ids=["trailer", "extension"])
async def test_endless_trailers_and_extensions(proxy: Proxy, plain: Origin, flood: bytes) -> None:
    client = await proxy.connect()
    client.send(request(b"POST", target(plain), _CHUNKED) + b"1\r\na\r\n" + flood)
    peer = await plain.accept()
    for _ in range(12):
        await client.send_split(b"y" * 30_000)
    assert (await client.answer()).status == 431
    assert await peer.ending() in ("eof", "reset")
    assert b"0\r\n\r\n" not in peer.received


@pytest.mark.parametrize("how", ["half_close", "close", "reset"])
@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_a_body_that_stops_is_not_completed(
    proxy: Proxy, origin: Origin, how: str, framing: str
) -> None:
    client = await proxy.connect()
    if framing == "chunked":
        client.send(request(b"POST", target(origin), _CHUNKED) + b"5\r\nhello\r\n")
    else:
        client.send(request(b"POST", target(origin), b"Content-Length: 10") + b"hello")
    peer = await origin.accept()
    await peer.until(b"hello")
    getattr(client, how)()
    assert await peer.ending() in ("eof", "reset")
    assert b"0\r\n\r\n" not in peer.received
    assert len(proxy.server.pool) == 0


async def test_expect_is_passed_both_ways(proxy: Proxy, origin: Origin) -> None:
    client = await proxy.connect()
    client.send(request(b"POST", target(origin), b"Expect: 100-continue", b"Content-Length: 5"))
    peer = await origin.accept()
    _, fields = split_head(await peer.head())
    assert (b"Expect", b"100-continue") in fields
    assert await client.nothing_comes()
    peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert (await client.answer()).status == 100
    client.send(b"hello")
    assert await peer.exactly(5) == b"hello"
    peer.send(ok(b"done"))
    answer = await client.answer()
    assert answer.body == b"done"
    assert answer.get(b"Connection") == b"keep-alive"


async def test_a_body_that_does_not_wait_for_100_passes_at_once(
    proxy: Proxy, origin: Origin
) -> None:
    client = await proxy.connect()
    client.send(request(b"POST", target(origin), b"Expect: 100-continue", body=b"hello"))
    peer = await origin.accept()
    await peer.head()
    assert await peer.exactly(5) == b"hello"


async def test_an_early_final_answer_to_expect(proxy: Proxy, origin: Origin) -> None:
    client = await proxy.connect()
    client.send(request(b"POST", target(origin), b"Expect: 100-continue", b"Content-Length: 5"))
    peer = await origin.accept()
    await peer.head()
    peer.send(b"HTTP/1.1 417 No\r\nContent-Length: 2\r\n\r\nno")
    answer = await client.answer()
    assert (answer.status, answer.body) == (417, b"no")
    assert answer.get(b"Connection") == b"close"
    assert await client.ending() == "eof"
    assert await peer.ending() in ("eof", "reset")
    assert len(proxy.server.pool) == 0


async def test_an_early_answer_reaches_a_client_that_goes_on_sending(
    proxy: Proxy, origin: Origin
) -> None:
    client = await proxy.connect()
    client.send(request(b"POST", target(origin), b"Content-Length: 10000000") + b"x" * 1000)
    peer = await origin.accept()
    await peer.head()
    peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno!")
    for _ in range(10):
        await client.send_split(b"x" * 50_000)
    answer = await client.answer()
    assert (answer.status, answer.body) == (413, b"no!")
    assert answer.get(b"Connection") == b"close"


async def test_an_early_answer_of_an_origin_that_reads_no_more(
    proxy: Proxy, origin: Origin
) -> None:
    client = await proxy.connect()
    client.send(request(b"POST", target(origin), b"Content-Length: 99000000"))
    peer = await origin.accept()
    await peer.head()
    peer.stop_reading()
    await flood(client, b"z" * 500_000, 60_000_000)
    assert client.waiting
    peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno!")
    assert (await client.answer()).body == b"no!"
    await client.sent()  # what it still sends is read and forgotten


async def test_an_answer_that_begins_before_the_body_ends(proxy: Proxy, origin: Origin) -> None:
    client = await proxy.connect()
    client.send(request(b"POST", target(origin), b"Content-Length: 10") + b"01234")
    peer = await origin.accept()
    await peer.until(b"01234")
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabcde")
    assert b"Connection: close\r\n" in await client.until(b"abcde")
    client.send(b"56789")
    assert await peer.exactly(5) == b"56789"
    peer.send(b"fghij")
    assert await client.exactly(5) == b"fghij"
    assert await client.ending() == "eof"


async def test_a_large_upload_arrives_byte_for_byte(proxy: Proxy, origin: Origin) -> None:
    body = bytes(range(256)) * 12_000
    client = await proxy.connect()
    client.send(request(b"PUT", target(origin), body=body))
    peer = await origin.accept()
    await peer.head()
    got = await peer.exactly(len(body))
    assert hashlib.sha256(got).digest() == hashlib.sha256(body).digest()
    peer.send(ok())
    assert (await client.answer()).status == 200


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
async def test_a_large_download_arrives_byte_for_byte(
    proxy: Proxy, origin: Origin, framing: str
) -> None:
    body = bytes(range(256)) * 12_000
    client = await proxy.connect()
    client.send(request(b"GET", target(origin)))
    peer = await origin.accept()
    await peer.head()
    if framing == "length":
        peer.send(ok(body))
    elif framing == "chunked":
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for at in range(0, len(body), 50_000):
            piece = body[at : at + 50_000]
            peer.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        peer.send(b"0\r\n\r\n")
    else:
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n" + body)
        peer.close()
    answer = await client.answer()
    assert hashlib.sha256(answer.body).digest() == hashlib.sha256(body).digest()


async def flood(stream: Stream, piece: bytes, limit: int) -> int:
    """Send pieces until the other side takes no more; return how many bytes went."""
    sent = 0
    while sent < limit:
        stream.send(piece)
        sent += len(piece)
        waiting = -1
        while stream.waiting and stream.waiting != waiting:  # it still moves
            waiting = stream.waiting
            await settle(50)
        if stream.waiting:
            return sent
    return sent


def buffered(proxy: Proxy) -> int:
    """What the proxy holds unsent towards its clients, in bytes."""
    held = 0
    for connection in proxy.server.clients:
        transport = connection._transport
        assert transport is not None
        held += transport.get_write_buffer_size()
    return held


async def test_a_slow_client_holds_the_origin(proxy: Proxy, origin: Origin) -> None:
    size = 60_000_000
    client = await proxy.connect()
    client.stop_reading()
    client.send(request(b"GET", target(origin)))
    peer = await origin.accept()
    await peer.head()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
    piece = b"z" * 200_000
    sent = await flood(peer, piece, size)
    assert sent < size  # the kernel's buffers and ours are full
    assert buffered(proxy) < 1_000_000
    client.start_reading()
    rest = size - sent
    sender = asyncio.ensure_future(_send_all(peer, piece, rest))
    answer = await client.answer()
    await sender
    assert len(answer.body) == size


async def _send_all(stream: Stream, piece: bytes, size: int) -> None:
    while size:
        take = min(size, len(piece))
        stream.send(piece[:take])
        size -= take
        await stream.sent()


def waiting_for_origin(connection: ClientConnection) -> int:
    """What the proxy holds unsent towards the origin of a client's request, in bytes."""
    assert connection.current is not None
    origin = connection.current._connection
    assert origin is not None
    assert origin._transport is not None
    return origin._transport.get_write_buffer_size()


async def test_a_slow_origin_holds_the_client(proxy: Proxy, origin: Origin) -> None:
    size = 60_000_000
    client = await proxy.connect()
    client.send(request(b"POST", target(origin), b"Content-Length: %d" % size))
    peer = await origin.accept()
    await peer.head()
    peer.stop_reading()
    piece = b"z" * 200_000
    sent = await flood(client, piece, size)
    assert sent < size
    (connection,) = proxy.server.clients
    assert connection.held
    assert waiting_for_origin(connection) < 1_000_000
    peer.start_reading()
    sender = asyncio.ensure_future(_send_all(client, piece, size - sent))
    await peer.skip(size)
    await sender
    peer.send(ok(b"done"))
    assert (await client.answer()).body == b"done"


async def test_an_upload_waits_for_its_origin(tmp_path: Path, ca_file: Path) -> None:
    """While TLS is not up, no more of a body is read than may be replayed."""
    settings = settings_for(tmp_path, ca_file, timeouts=Timeouts(connect_timeout_s=30.0))
    async with Origin() as silent, running(settings) as proxy:
        client = await proxy.connect()
        path = f"/{segment(silent, scheme='https')}/x".encode()
        client.send(request(b"POST", path, b"Content-Length: 60000000"))
        await silent.accept()
        sent = await flood(client, b"z" * 200_000, 60_000_000)
        assert sent < 60_000_000
        (connection,) = proxy.server.clients
        assert connection.held
        assert connection.current is not None
        assert connection.current._held < 500_000


async def test_a_small_body_is_sent_again_with_its_request(proxy: Proxy, origin: Origin) -> None:
    client = await proxy.connect()
    await client.send_split(request(b"GET", target(origin), b"Content-Length: 9") + b"one")
    peer = await origin.accept()
    await peer.until(b"one")
    await client.send_split(b"two", b"end")
    await peer.until(b"twoend")
    peer.close()
    peer = await origin.accept()
    await peer.head()
    assert await peer.exactly(9) == b"onetwoend"
    peer.send(ok(b"second"))
    assert (await client.answer()).body == b"second"


async def test_a_large_body_is_not_sent_again(proxy: Proxy, origin: Origin) -> None:
    body = b"x" * 200_000
    client = await proxy.connect()
    client.send(request(b"GET", target(origin), body=body))
    peer = await origin.accept()
    await peer.head()
    await peer.exactly(len(body))
    peer.close()
    assert (await client.answer()).status == 502
    assert origin.accepted == 1


async def test_a_client_abort_closes_the_origin_connection(proxy: Proxy, origin: Origin) -> None:
    client = await proxy.connect()
    client.send(request(b"GET", target(origin)))
    peer = await origin.accept()
    await peer.head()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nhello")
    await client.until(b"hello")
    client.reset()
    with pytest.raises(Cut):
        await peer.fill()
    assert len(proxy.server.pool) == 0
    await settle()
    assert proxy.server.clients == set()
