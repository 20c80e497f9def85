"""Connections: reuse, pipelining, half-close, stale ones, aborts, and no cross-talk."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
import socket
from typing import TYPE_CHECKING

import pytest
from OpenSSL import SSL
from tests.integration.harness import (
    DOMAIN,
    HOST,
    NO_LINGER,
    Client,
    Cut,
    Origin,
    Proxy,
    Stream,
    ok,
    request,
    running,
    settings_for,
    settle,
    split_head,
    target,
)

from mralab.config.settings import Limits
from mralab.origin.connection import TlsOriginConnection
from mralab.origin.response import ResponseReader
from mralab.origin.route import encode_segment
from mralab.proxy.http1 import ClientConnection
from mralab.proxy.transaction import Transaction

if TYPE_CHECKING:
    import ssl
    from pathlib import Path


def echo(head: bytes) -> bytes:
    """Answer with the path that was asked for."""
    return ok(head.split(b" ")[1])


async def test_connections_are_reused(proxy: Proxy, origin: Origin) -> None:
    origin.answer_all(echo)
    for number in range(3):
        client = await proxy.connect()
        for turn in range(3):
            path = b"/%d/%d" % (number, turn)
            client.send(request(b"GET", target(origin, path.decode())))
            answer = await client.answer()
            assert answer.body == path
            assert answer.get(b"Connection") == b"keep-alive"
    assert origin.accepted == 1


async def test_spellings_of_a_host_do_not_share_connections(proxy: Proxy, plain: Origin) -> None:
    """The requested server name belongs to a connection, so its spelling does."""
    plain.answer_all(echo)
    client = await proxy.connect()
    for host in ("cucm.steven.lab", "CUCM.steven.lab", "cucm.steven.lab.", "cucm.steven.lab"):
        client.send(request(b"GET", target(plain, host=host)))
        assert (await client.answer()).status == 200
    assert plain.accepted == 3


async def test_connection_close_of_the_client(proxy: Proxy, origin: Origin) -> None:
    origin.answer_all(echo)
    client = await proxy.connect()
    client.send(request(b"GET", target(origin, "/1"), b"Connection: close") + b"GET /never")
    answer = await client.answer()
    assert answer.get(b"Connection") == b"close"
    assert await client.ending() == "eof"
    assert client.buffer == b""
    assert len(proxy.server.pool) == 1  # the origin's connection is not the client's


async def test_connection_close_of_the_origin(proxy: Proxy, origin: Origin) -> None:
    client = await proxy.connect()
    for number in range(2):
        client.send(request(b"GET", target(origin)))
        peer = await origin.accept()
        await peer.head()
        peer.send(ok(b"%d" % number, b"Connection: close"))
        answer = await client.answer()
        assert answer.body == b"%d" % number
        assert answer.get(b"Connection") == b"keep-alive"
        assert await peer.ending() == "eof"


async def test_what_llhttp_takes_for_the_last_request(proxy: Proxy, plain: Origin) -> None:
    """It obeys Proxy-Connection; what it gets to see behind is refused, never misread."""
    plain.answer_all(echo)
    client = await proxy.connect()
    client.send(request(b"GET", target(plain, "/1"), b"Proxy-Connection: close"))
    assert (await client.answer()).body == b"/1"
    client.send(request(b"GET", target(plain, "/2")))  # plain: llhttp does not see it
    assert (await client.answer()).body == b"/2"
    client.send(request(b"POST", target(plain, "/3"), body=b"x"))
    assert (await client.answer()).status == 400
    assert await client.ending() == "eof"


async def test_a_slow_reader_of_pipelined_answers(proxy: Proxy, origin: Origin) -> None:
    """The next request begins while the client has not taken the answer before."""
    client = await proxy.connect()
    client.stop_reading()
    client.send(request(b"GET", target(origin, "/1")) + request(b"GET", target(origin, "/2")))
    peer = await origin.accept()
    await peer.head()
    body = b"z" * 20_000_000
    peer.send(ok(body))
    await settle(60)
    client.start_reading()
    assert (await client.answer()).body == body
    await peer.head()
    peer.send(ok(b"two"))
    assert (await client.answer()).body == b"two"


async def test_pipelined_requests_are_answered_in_order(proxy: Proxy, origin: Origin) -> None:
    origin.answer_all(echo)
    client = await proxy.connect()
    client.send(b"".join(request(b"GET", target(origin, f"/{n}")) for n in range(50)))
    for number in range(50):
        assert (await client.answer()).body == b"/%d" % number


async def test_deadlines_may_be_looked_at_in_any_turn(proxy: Proxy, plain: Origin) -> None:
    """Between two requests of a pipeline there is none under way: that is not idleness."""
    plain.answer_all(echo)

    async def sweep_always() -> None:
        while True:
            for connection in list(proxy.server.clients):
                connection.sweep(proxy.server.loop.time())
            await asyncio.sleep(0)

    sweeper = asyncio.ensure_future(sweep_always())
    client = await proxy.connect()
    client.send(b"".join(request(b"GET", target(plain, f"/{n}")) for n in range(50)))
    for number in range(50):
        assert (await client.answer()).body == b"/%d" % number
    sweeper.cancel()


async def test_pipelined_bodies(proxy: Proxy, origin: Origin) -> None:
    async def script(stream: Stream) -> None:
        while True:
            _, fields = split_head(await stream.head())
            stream.send(ok(await stream.exactly(int(dict(fields)[b"Content-Length"]))))

    origin.serve(script)
    client = await proxy.connect()
    bodies = [b"%d" % number * 3000 for number in range(12)]
    client.send(b"".join(request(b"PUT", target(origin), body=body) for body in bodies))
    for body in bodies:
        assert (await client.answer()).body == body


async def test_reading_ahead_is_bounded(tmp_path: Path, ca_file: Path, plain: Origin) -> None:
    settings = settings_for(tmp_path, ca_file, limits=Limits(max_pipelined=3))
    async with running(settings) as proxy:
        client = await proxy.connect()
        await client.send_split(*[request(b"GET", target(plain))] * 10)
        peer = await plain.accept()
        await peer.head()
        (connection,) = proxy.server.clients
        assert connection.held
        assert len(connection._queue) == 4
        for number in range(10):
            if number:
                await peer.head()
            peer.send(ok(b"%d" % number))
            assert (await client.answer()).body == b"%d" % number
        assert not connection.held


async def test_a_half_closed_client_is_answered(proxy: Proxy, origin: Origin) -> None:
    client = await proxy.connect()
    client.send(request(b"GET", target(origin)))
    client.half_close()
    peer = await origin.accept()
    await peer.head()
    await settle()
    peer.send(ok(b"still here"))
    answer = await client.answer()
    assert answer.body == b"still here"
    assert answer.get(b"Connection") == b"close"
    assert await client.ending() == "eof"


@pytest.mark.parametrize("cut", [b"", b"GET /half HTT", b"POST / HTTP/1.1\r\nHost: x\r\n"])
async def test_pipelined_requests_of_a_half_closed_client_are_answered(
    proxy: Proxy, origin: Origin, cut: bytes
) -> None:
    client = await proxy.connect()
    client.send(b"".join(request(b"GET", target(origin, f"/{n}")) for n in range(3)) + cut)
    client.half_close()
    peer = await origin.accept()
    for number in range(3):
        await peer.head()
        await settle()
        peer.send(ok(b"%d" % number))
        answer = await client.answer()
        assert answer.body == b"%d" % number
        assert answer.get(b"Connection") == (b"close" if number == 2 else b"keep-alive")
    assert await client.ending() == "eof"
    assert client.buffer == b""


async def test_a_body_cut_behind_others_is_dropped(proxy: Proxy, plain: Origin) -> None:
    client = await proxy.connect()
    client.send(
        request(b"GET", target(plain, "/1"))
        + request(b"POST", target(plain, "/2"), b"Content-Length: 5")
        + b"he"
    )
    client.half_close()
    peer = await plain.accept()
    assert (await peer.head()).startswith(b"GET /1 ")
    peer.send(ok(b"one"))
    assert (await client.answer()).body == b"one"
    assert await client.ending() == "eof"
    assert await peer.nothing_comes()


@pytest.mark.parametrize("data", [b"", b"GET / HT", b"\r\n"])
async def test_a_client_that_leaves_without_a_request(proxy: Proxy, data: bytes) -> None:
    client = await proxy.connect()
    if data:
        client.send(data)
    client.half_close()
    assert await client.ending() == "eof"
    assert client.buffer == b""


async def test_a_client_that_resets_before_it_is_accepted(proxy: Proxy) -> None:
    endpoint = proxy.server.endpoint
    for _ in range(5):
        with socket.create_connection((endpoint.host, endpoint.port)) as early:
            early.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    await settle()
    assert proxy.server.clients == set()


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_an_origin_that_resets_as_soon_as_tcp_stands(proxy: Proxy, scheme: str) -> None:
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            accepted, _ = listener.accept()
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
            accepted.close()

        loop.add_reader(listener, refuse)
        try:
            first = encode_segment(DOMAIN, scheme, HOST, listener.getsockname()[1])
            client = await proxy.connect()
            client.send(request(b"GET", f"/{first}/x".encode()))
            answer = await client.answer()
        finally:
            loop.remove_reader(listener)
    assert (answer.status, answer.reason) == (502, b"connect failed")
    await proxy.stop()
    (line,) = proxy.transactions
    assert [attempt["reason"] for attempt in line["attempts"]] == ["origin-reset"] * 2


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"PUT", b"DELETE"])
async def test_a_stale_connection_is_replaced(proxy: Proxy, origin: Origin, method: bytes) -> None:
    """Idempotent requests follow on a fresh connection when the kept one turns out closed."""
    client = await proxy.connect()
    client.send(request(b"GET", target(origin)))
    peer = await origin.accept()
    await peer.head()
    peer.send(ok())
    await client.answer()
    body = b"x" if method == b"PUT" else None
    client.send(request(method, target(origin), body=body))
    await peer.head()
    peer.close()
    fresh = await origin.accept()
    assert (await fresh.head()).startswith(method)
    fresh.send(ok(b"", b"X-Fresh: 1"))
    assert (await client.answer()).get(b"X-Fresh") == b"1"


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("method", [b"POST", b"PATCH"])
async def test_others_are_never_sent_twice(
    proxy: Proxy, origin: Origin, method: bytes, how: str
) -> None:
    client = await proxy.connect()
    client.send(request(b"GET", target(origin)))
    peer = await origin.accept()
    await peer.head()
    peer.send(ok())
    await client.answer()
    client.send(request(method, target(origin), body=b"x"))
    await peer.head()
    getattr(peer, how)()
    assert (await client.answer()).status == 502
    assert origin.accepted == 1


@pytest.mark.parametrize("how", ["close", "reset", "half_close"])
async def test_a_connection_that_ends_while_idle_is_forgotten(
    proxy: Proxy, origin: Origin, how: str
) -> None:
    client = await proxy.connect()
    client.send(request(b"GET", target(origin)))
    peer = await origin.accept()
    await peer.head()
    peer.send(ok())
    await client.answer()
    getattr(peer, how)()
    await settle()
    assert len(proxy.server.pool) == 0
    client.send(request(b"POST", target(origin), body=b""))
    fresh = await origin.accept()
    await fresh.head()
    fresh.send(ok(b"fresh"))
    assert (await client.answer()).body == b"fresh"


async def up_to(point: str, proxy: Proxy, origin: Origin) -> tuple[Client, Stream | None]:
    """Send a request and let the exchange come to a point."""
    client = await proxy.connect()
    client.send(request(b"GET", target(origin)))
    if point == "connecting":
        return client, None
    peer = await origin.accept()
    await peer.head()
    if point == "answer begun":
        await peer.send_split(b"HTTP/1.1 200 O")
    if point == "body begun":
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhello")
        await client.until(b"hello")
    return client, peer


_POINTS = ["connecting", "request sent", "answer begun", "body begun"]


@pytest.mark.parametrize("point", _POINTS)
async def test_a_client_that_resets_at_any_point(proxy: Proxy, origin: Origin, point: str) -> None:
    client, peer = await up_to(point, proxy, origin)
    client.reset()
    if peer is not None:
        assert await peer.ending() in ("eof", "reset")
    await settle()
    assert proxy.server.clients == set()
    assert len(proxy.server.pool) == 0
    origin.answer_all(echo)  # another client is not disturbed
    other = await proxy.connect()
    other.send(request(b"GET", target(origin, "/other")))
    assert (await other.answer()).body == b"/other"


@pytest.mark.parametrize("point", _POINTS[1:])
async def test_a_client_that_closes_at_any_point(proxy: Proxy, origin: Origin, point: str) -> None:
    """An end of stream may be half a close: it is seen as a whole one when the answer comes."""
    client, peer = await up_to(point, proxy, origin)
    assert peer is not None
    client.close()
    await settle()
    rest = {"request sent": ok(b"x" * 900_000), "answer begun": b"K\r\n\r\n" + b"x" * 900_000}
    peer.send(rest.get(point, b"x" * 995))
    peer.half_close()
    assert await peer.ending() in ("eof", "reset")
    await settle()
    assert proxy.server.clients == set()


async def test_no_cross_talk(proxy: Proxy, origin: Origin) -> None:
    """200 clients with tagged requests and bodies, some of which leave at a random point."""
    dice = random.Random(11)  # noqa: S311  any sequence will do

    async def script(stream: Stream) -> None:
        with contextlib.suppress(Cut):
            while True:
                start, fields = split_head(await stream.head())
                body = await stream.exactly(int(dict(fields).get(b"Content-Length", b"0")))
                data = start.split(b" ")[1] + b"|" + body
                if dice.random() < 0.05:
                    stream.send(ok(data)[:-5])
                    stream.reset()
                    return
                if dice.random() < 0.3:
                    stream.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                    stream.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data))
                else:
                    stream.send(ok(data))

    origin.serve(script)
    good = cut = 0

    async def visit(number: int) -> None:
        nonlocal good, cut
        client = await proxy.connect()
        for turn in range(5):
            tag = b"/%d/%d" % (number, turn)
            body = tag * dice.randrange(1, 400)
            client.send(request(b"PUT", target(origin, tag.decode()), body=body))
            if dice.random() < 0.05:
                client.reset()
                return
            try:
                answer = await client.answer()
            except Cut:
                cut += 1
                return
            assert answer.status in (200, 502)
            if answer.status == 200:
                assert answer.body == tag + b"|" + body
                good += 1
            if answer.get(b"Connection") == b"close":
                return

    await asyncio.gather(*(visit(number) for number in range(200)))
    assert good > 500
    assert cut > 5
    await settle()
    assert all(client.current is None for client in proxy.server.clients)


_KINDS = (TlsOriginConnection, SSL.Connection, ClientConnection, Transaction, ResponseReader)


async def test_nothing_keeps_an_ended_connection_alive(
    tmp_path: Path, ca_file: Path, tls12: ssl.SSLContext
) -> None:
    """A dead TLS state is large: it goes with its connection, without the cycle collector."""
    async with Origin(tls12) as origin, running(settings_for(tmp_path, ca_file)) as proxy:
        origin.answer_all(lambda _head: ok(b"x", b"Connection: close"))
        gc.collect()
        gc.disable()
        try:
            before = [one for one in gc.get_objects() if isinstance(one, _KINDS)]
            for host in ("cucm.steven.lab", "other.steven.lab"):  # the second is not in the leaf
                client = await proxy.connect()
                client.send(request(b"GET", target(origin, host=host)))
                await client.answer()
                if host != "cucm.steven.lab":
                    client.send(b"nonsense\r\n\r\n")
                    assert (await client.answer()).status == 400
                client.close()
                await settle()
            assert proxy.server.clients == set()
            after = [type(one) for one in gc.get_objects() if isinstance(one, _KINDS)]
            assert after == [type(one) for one in before]
        finally:
            gc.enable()


async def test_many_requests_refused_upgrades_at_once(proxy: Proxy, plain: Origin) -> None:
    """Requests whose upgrade is not passed on end the parser's message: never its stack."""
    plain.answer_all(echo)
    client = await proxy.connect()
    one = request(b"GET", target(plain, "/u"), b"Connection: upgrade", b"Upgrade: h2c")
    client.send(one * 600)
    for _ in range(600):
        assert (await client.answer()).body == b"/u"


async def test_ended_clients_are_forgotten(proxy: Proxy, origin: Origin) -> None:
    origin.answer_all(echo)
    clients: list[Client] = []
    for _ in range(20):
        client = await proxy.connect()
        client.send(request(b"GET", target(origin)))
        await client.answer()
        clients.append(client)
    assert len(proxy.server.clients) == 20
    for client in clients:
        client.close()
    await settle()
    assert proxy.server.clients == set()
