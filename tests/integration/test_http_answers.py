"""What the client gets of an origin's answer, whole, broken or missing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from tests.integration.harness import (
    Client,
    Cut,
    Origin,
    Proxy,
    Stream,
    TlsStream,
    ok,
    request,
    running,
    settings_for,
    settle,
    target,
)

from mralab.config.releases import Release

if TYPE_CHECKING:
    import ssl
    from pathlib import Path


async def asked(
    proxy: Proxy, origin: Origin, *fields: bytes, method: bytes = b"GET", **more: bytes
) -> tuple[Client, Stream]:
    """Send a request; return the client and the origin's end once the request is there."""
    client = await proxy.connect()
    client.send(request(method, target(origin), *fields, **more))
    peer = await origin.accept()
    await peer.head()
    return client, peer


# -- whole answers


async def test_status_line_and_fields(proxy: Proxy, origin: Origin) -> None:
    client, peer = await asked(proxy, origin)
    peer.send(
        b"HTTP/1.1 207 Some Words\r\nserver: x\r\nSET-Cookie: a=1\r\nset-cookie: b=2\r\n"
        b"X-Latin: \xe9\r\nContent-Length: 3\r\nDate: then\r\n\r\nabc"
    )
    answer = await client.answer()
    assert answer.start == b"HTTP/1.1 207 Some Words"
    assert answer.fields == [
        (b"server", b"x"),
        (b"SET-Cookie", b"a=1"),
        (b"set-cookie", b"b=2"),
        (b"X-Latin", b"\xe9"),
        (b"Content-Length", b"3"),
        (b"Date", b"then"),
        (b"Age", b"0"),
        (b"Connection", b"keep-alive"),
    ]
    assert answer.body == b"abc"


async def test_date_is_added_if_missing(proxy: Proxy, plain: Origin) -> None:
    client, peer = await asked(proxy, plain)
    peer.send(ok(b"", b"Age: 17"))
    answer = await client.answer()
    assert answer.get(b"Age") == b"17"
    date = answer.get(b"Date") or b""
    assert re.fullmatch(rb"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", date)


async def test_hop_by_hop_fields_end_here(proxy: Proxy, plain: Origin) -> None:
    client, peer = await asked(proxy, plain)
    peer.send(
        ok(
            b"x",
            b"Connection: X-Named",
            b"connection: keep-alive",
            b"X-Named: 1",
            b"Keep-Alive: timeout=5",
            b"Proxy-Authenticate: Basic",
            b"Upgrade: h2c",
            b"Date: then",
            b"X-Stays: 1",
        )
    )
    answer = await client.answer()
    assert [name for name, _ in answer.fields] == [
        b"Content-Length",
        b"Date",
        b"X-Stays",
        b"Age",
        b"Connection",
    ]


@pytest.mark.parametrize("status", [b"200 ", b"200", b"404 Not Found", b"503 Busy", b"299 x"])
async def test_any_status_is_an_answer(proxy: Proxy, plain: Origin, status: bytes) -> None:
    client, peer = await asked(proxy, plain)
    peer.send(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
    answer = await client.answer()
    assert answer.start == b"HTTP/1.1 " + status + (b" " if status == b"200" else b"")
    assert plain.accepted == 1


@pytest.mark.parametrize(
    ("method", "head"),
    [
        (b"HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
        (b"HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        (b"HEAD", b"HTTP/1.1 200 OK\r\n\r\n"),
        (b"GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        (b"GET", b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"),
        (b"GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"),
        (b"GET", b"HTTP/1.1 304 Not Modified\r\n\r\n"),
    ],
)
async def test_answers_without_a_body(
    proxy: Proxy, origin: Origin, method: bytes, head: bytes
) -> None:
    client, peer = await asked(proxy, origin, method=method)
    peer.send(head)
    answer = await client.answer(to_head=True)
    assert answer.get(b"Transfer-Encoding") is None
    if b"204" in head:
        assert answer.get(b"Content-Length") is None
    # Both connections go on.
    client.send(request(b"GET", target(origin)))
    await peer.head()
    peer.send(ok(b"next"))
    assert (await client.answer()).body == b"next"
    assert origin.accepted == 1


async def test_chunks_and_trailers(proxy: Proxy, origin: Origin) -> None:
    client, peer = await asked(proxy, origin)
    peer.send(b"HTTP/1.1 200 OK\r\nTrailer: Checksum\r\nTransfer-Encoding: chunked\r\n\r\n")
    await client.until(b"\r\n\r\n")
    await peer.send_split(
        b"5;ext=1\r\nhel", b"lo\r\n6\r\n", b" world\r\n0\r", b"\nChecksum: 1\r\n\r\n"
    )
    assert client.buffer == b""
    data = await client.until(b"\r\n\r\n")
    assert data.endswith(b"\r\n0\r\nChecksum: 1\r\n\r\n")
    assert b"".join(data.split(b"\r\n")[1:-4:2]) == b"hello world"


async def test_a_body_until_the_end_is_chunked_and_the_client_goes_on(
    proxy: Proxy, origin: Origin
) -> None:
    client, peer = await asked(proxy, origin)
    peer.send(b"HTTP/1.1 200 OK\r\n\r\nuntil the end")
    await settle()
    peer.close()
    answer = await client.answer()
    assert answer.body == b"until the end"
    assert answer.get(b"Connection") == b"keep-alive"
    client.send(request(b"GET", target(origin)))
    peer = await origin.accept()
    await peer.head()
    peer.send(ok(b"next"))
    assert (await client.answer()).body == b"next"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nT: 1\r\n\r\n",
    ],
)
@pytest.mark.parametrize("connection", [[], [b"Connection: keep-alive"]])
async def test_a_1_0_client_gets_an_end_it_can_see(
    proxy: Proxy, origin: Origin, answer: bytes, connection: list[bytes]
) -> None:
    client, peer = await asked(proxy, origin, *connection, version=b"HTTP/1.0")
    peer.send(answer)
    peer.close()
    got = await client.answer()
    assert got.start == b"HTTP/1.0 200 OK"
    assert got.get(b"Transfer-Encoding") is None
    assert got.get(b"Connection") == b"close"
    assert got.body == b"hello"


async def test_our_own_answer_to_a_1_0_client(proxy: Proxy) -> None:
    client = await proxy.connect()
    client.send(b"GET /nowhere/x HTTP/1.0\r\n\r\n")
    assert (await client.answer()).start == b"HTTP/1.0 400 Bad Request"
    await proxy.stop()
    assert any('Msg="HTTP/1.0 400 Bad Request"' in line for line in proxy.lines)


async def test_a_1_0_client_may_keep_its_connection(proxy: Proxy, plain: Origin) -> None:
    plain.answer_all(ok())
    client = await proxy.connect()
    for _ in range(2):
        client.send(request(b"GET", target(plain), b"Connection: Keep-Alive", version=b"HTTP/1.0"))
        answer = await client.answer()
        assert answer.start == b"HTTP/1.0 200 OK"
        assert answer.get(b"Connection") == b"keep-alive"
    assert plain.accepted == 1


async def test_an_http_1_0_origin(proxy: Proxy, plain: Origin) -> None:
    client, peer = await asked(proxy, plain)
    peer.send(b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello")
    answer = await client.answer()
    assert answer.start == b"HTTP/1.1 200 OK"
    assert await peer.ending() == "eof"


# -- interim answers


async def test_interim_answers_pass(proxy: Proxy, origin: Origin) -> None:
    client, peer = await asked(proxy, origin)
    peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: X\r\nX: 1\r\n\r\n")
    hints = await client.answer()
    assert (hints.status, hints.fields) == (103, [(b"Link", b"</a>")])
    peer.send(b"HTTP/1.1 102 Processing\r\n\r\n" + ok(b"done"))
    assert (await client.answer()).status == 102
    assert (await client.answer()).body == b"done"


async def test_interim_answers_do_not_reach_a_1_0_client(proxy: Proxy, plain: Origin) -> None:
    client, peer = await asked(proxy, plain, version=b"HTTP/1.0")
    peer.send(b"HTTP/1.1 103 Early Hints\r\n\r\n" + ok(b"done"))
    assert (await client.answer()).body == b"done"


# -- broken answers

_BROKEN_HEADS = [
    b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    b"HTTP/1.1 2x0 OK\r\n\r\n",
    b"HTTP/1.1 099 OK\r\n\r\n",
    b"HTTP/2.0 200 OK\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nA: \x00\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n",
    b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\nhello",
    b"HTTP/1.1 100 Continue\r\nContent-Length: 2\r\n\r\nhi",
]


@pytest.mark.parametrize("data", _BROKEN_HEADS, ids=repr)
async def test_not_http(proxy: Proxy, plain: Origin, data: bytes) -> None:
    """A POST, which is not sent again."""
    client, peer = await asked(proxy, plain, method=b"POST", body=b"x")
    peer.send(data)
    answer = await client.answer()
    assert (answer.status, answer.reason) == (502, b"Invalid HTTP Response")
    assert b"<title>Web Server Error</title>" in answer.body
    assert await peer.ending() == "eof"
    assert plain.accepted == 1


@pytest.mark.parametrize(
    ("release", "connections"), [(Release.X14_2, 2), (Release.ATS, 4)], ids=["X14.2", "ats"]
)
async def test_get_is_tried_as_often_as_the_release_does(
    tmp_path: Path, ca_file: Path, origin: Origin, release: Release, connections: int
) -> None:
    async with running(settings_for(tmp_path, ca_file, release=release)) as proxy:
        client = await proxy.connect()
        for broken, phrase in (
            (b"garbage\r\n\r\n", b"Invalid HTTP Response"),
            (b"", b"Malformed Server Response Status"),
        ):
            client.send(request(b"GET", target(origin)))
            for _ in range(connections):
                peer = await origin.accept()
                await peer.head()
                peer.send(broken)
                peer.close()
            answer = await client.answer()
            assert (answer.status, answer.reason) == (502, phrase)
            assert answer.get(b"Connection") == b"keep-alive"
            assert await origin.none_waits()


async def test_the_second_attempt_may_succeed(proxy: Proxy, origin: Origin) -> None:
    client, peer = await asked(proxy, origin)
    peer.close()
    peer = await origin.accept()
    await peer.head()
    peer.send(ok(b"second"))
    assert (await client.answer()).body == b"second"


@pytest.mark.parametrize("method", [b"POST", b"PATCH", b"PUT", b"DELETE"])
async def test_other_methods_are_sent_once(proxy: Proxy, origin: Origin, method: bytes) -> None:
    client, peer = await asked(proxy, origin, method=method, body=b"x")
    await peer.exactly(1)
    peer.close()
    answer = await client.answer()
    assert (answer.status, answer.reason) == (502, b"Malformed Server Response Status")
    assert origin.accepted == 1


async def test_a_reset_before_the_answer(proxy: Proxy, origin: Origin) -> None:
    client, peer = await asked(proxy, origin, method=b"POST", body=b"x")
    await peer.exactly(1)
    peer.reset()
    answer = await client.answer()
    assert (answer.status, answer.reason) == (502, b"connect failed")


async def test_an_error_answer_keeps_the_connection_in_order(proxy: Proxy, plain: Origin) -> None:
    client = await proxy.connect()
    client.send(request(b"GET", target(plain, "/1")) + request(b"GET", target(plain, "/2")))
    for _ in range(2):
        peer = await plain.accept()
        assert (await peer.head()).startswith(b"GET /1 ")
        peer.close()
    peer = await plain.accept()
    assert (await peer.head()).startswith(b"GET /2 ")
    peer.send(ok(b"two"))
    assert (await client.answer()).status == 502
    assert (await client.answer()).body == b"two"


_PARTS = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    "chunked to the last line": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n"
    ),
}


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("version", [b"HTTP/1.1", b"HTTP/1.0"])
@pytest.mark.parametrize("part", _PARTS.values(), ids=_PARTS.keys())
async def test_an_answer_that_stops_is_cut(
    proxy: Proxy, origin: Origin, part: bytes, version: bytes, how: str
) -> None:
    client, peer = await asked(proxy, origin, version=version)
    peer.send(part)
    await client.until(b"hello")
    getattr(peer, how)()
    assert await client.ending() == "reset"
    assert b"HTTP/1." not in client.buffer
    assert b"0\r\n\r\n" not in client.buffer
    assert origin.accepted == 1  # never asked again once bytes have passed


@pytest.mark.parametrize("version", [b"HTTP/1.1", b"HTTP/1.0"])
async def test_a_reset_does_not_end_a_body_until_the_end(
    proxy: Proxy, origin: Origin, version: bytes
) -> None:
    client, peer = await asked(proxy, origin, version=version)
    peer.send(b"HTTP/1.1 200 OK\r\n\r\nhello")
    await client.until(b"hello")
    peer.reset()
    assert await client.ending() == "reset"
    assert b"0\r\n\r\n" not in client.buffer


async def test_an_end_without_close_notify_ends_a_body_until_the_end(
    proxy: Proxy, tls12: ssl.SSLContext
) -> None:
    async with Origin(tls12) as origin:
        client, peer = await asked(proxy, origin)
        peer.send(b"HTTP/1.1 200 OK\r\n\r\nhello")
        Stream.close(peer)
        assert (await client.answer()).body == b"hello"


async def test_broken_chunks_cut_the_answer(proxy: Proxy, origin: Origin) -> None:
    client, peer = await asked(proxy, origin)
    peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
    await client.until(b"hello\r\n")
    peer.send(b"xyz\r\n")
    with pytest.raises(Cut, match="reset"):
        await client.until(b"0\r\n\r\n")
    assert await peer.ending() in ("eof", "reset")


@pytest.mark.parametrize("more", [b"X", b"HTTP/1.1 200 Evil\r\nContent-Length: 4\r\n\r\nevil"])
async def test_bytes_beyond_an_answer_reach_nobody(
    proxy: Proxy, origin: Origin, more: bytes
) -> None:
    client, peer = await asked(proxy, origin)
    peer.send(ok(b"hello") + more)
    assert (await client.answer()).body == b"hello"
    client.send(request(b"GET", target(origin)))
    fresh = await origin.accept()
    await fresh.head()
    fresh.send(ok(b"fresh"))
    assert (await client.answer()).body == b"fresh"
    assert client.buffer == b""
    assert await peer.ending() in ("eof", "reset")


async def test_injected_bytes_poison_an_idle_connection(proxy: Proxy, origin: Origin) -> None:
    client, peer = await asked(proxy, origin)
    peer.send(ok())
    await client.answer()
    assert len(proxy.server.pool) == 1
    peer.send(b"HTTP/1.1 200 Evil\r\nContent-Length: 4\r\n\r\nevil")
    assert await peer.ending() == "eof"
    assert len(proxy.server.pool) == 0
    client.send(request(b"GET", target(origin)))
    fresh = await origin.accept()
    await fresh.head()
    fresh.send(ok(b"fresh"))
    assert (await client.answer()).body == b"fresh"


async def test_injected_bytes_that_come_with_the_next_request(proxy: Proxy, origin: Origin) -> None:
    """Bytes read after the next request was sent are its answer; those behind them nobody's."""
    client, peer = await asked(proxy, origin)
    peer.send(ok())
    await client.answer()
    client.send(request(b"GET", target(origin)))
    await peer.head()
    peer.send(ok(b"mine") + ok(b"evil"))
    assert (await client.answer()).body == b"mine"
    assert await client.nothing_comes()
    assert len(proxy.server.pool) == 0


# -- many records and pieces


@pytest.mark.parametrize("size", [1, 100, 4000])
async def test_answers_in_many_records(proxy: Proxy, tls12: ssl.SSLContext, size: int) -> None:
    body = bytes(range(256)) * 40
    data = ok(body)
    async with Origin(tls12) as origin:
        client, peer = await asked(proxy, origin)
        assert isinstance(peer, TlsStream)
        pieces = [data[at : at + size] for at in range(0, min(len(data), 600 * size), size)]
        pieces.append(data[len(pieces) * size :])
        peer.send_raw(b"".join(peer.encrypt(piece) for piece in pieces))
        assert (await client.answer()).body == body
        # The connection is clean: it serves again.
        client.send(request(b"GET", target(origin)))
        await peer.head()
        peer.send(ok(b"again"))
        assert (await client.answer()).body == b"again"
        assert origin.accepted == 1


@pytest.mark.parametrize("size", [1, 7, 1500])
async def test_answers_in_split_records(proxy: Proxy, tls12: ssl.SSLContext, size: int) -> None:
    body = b"b" * (20 if size < 100 else 40_000)
    async with Origin(tls12) as origin:
        client, peer = await asked(proxy, origin)
        assert isinstance(peer, TlsStream)
        raw = peer.encrypt(ok(body)[:30]) + peer.encrypt(ok(body)[30:])
        for at in range(0, len(raw), size):
            peer.send_raw(raw[at : at + size])
            await settle(3)
        assert (await client.answer()).body == body
        client.send(request(b"GET", target(origin)))
        await peer.head()
        peer.send(ok(b"again"))
        assert (await client.answer()).body == b"again"
        assert origin.accepted == 1


async def test_a_half_record_behind_an_answer_spoils_the_connection(
    proxy: Proxy, tls12: ssl.SSLContext
) -> None:
    async with Origin(tls12) as origin:
        client, peer = await asked(proxy, origin)
        assert isinstance(peer, TlsStream)
        peer.send_raw(peer.encrypt(ok()) + peer.encrypt(b"injected")[:9])
        assert (await client.answer()).status == 200
        assert await peer.ending() in ("eof", "reset")
        assert len(proxy.server.pool) == 0


async def test_a_corrupted_record_cuts_the_answer(proxy: Proxy, tls12: ssl.SSLContext) -> None:
    async with Origin(tls12) as origin:
        client, peer = await asked(proxy, origin)
        assert isinstance(peer, TlsStream)
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
        await client.until(b"hello")
        record = bytearray(peer.encrypt(b"world"))
        record[-1] ^= 1
        peer.send_raw(bytes(record))
        assert await client.ending() == "reset"
