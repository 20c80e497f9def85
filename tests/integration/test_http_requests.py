"""What of a client's request reaches the origin, and which requests never reach one."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING

import pytest
from tests.integration.harness import (
    HOST,
    Origin,
    Proxy,
    ok,
    request,
    running,
    segment,
    settings_for,
    split_head,
    target,
)

from mralab.config.settings import Limits
from mralab.origin.route import encode_segment

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.harness import Answer, Stream


async def relayed(
    proxy: Proxy, origin: Origin, data: bytes
) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """Send a request without a body; return the head that the origin gets."""
    client = await proxy.connect()
    client.send(data)
    peer = await origin.accept()
    head = await peer.head()
    peer.send(ok())
    assert (await client.answer(to_head=data.startswith(b"HEAD"))).status == 200
    return split_head(head)


async def refused(proxy: Proxy, data: bytes, *more: bytes) -> Answer:
    """Send what is refused; the connection must end with the answer."""
    client = await proxy.connect()
    await client.send_split(data, *more)
    answer = await client.answer()
    assert answer.get(b"Connection") == b"close"
    assert await client.ending() == "eof"
    assert client.buffer == b""
    return answer


@pytest.mark.parametrize(
    "rest",
    [
        "/",
        "/cucm-uds/user/emusk/devices?max=100",
        "/a/../b/./c",
        "/a//b///",
        "/%2F%2f%41%C3%A9?q=%20+&&=;",
        "/?",
        "/a?",
        "/a?b?c",
        "/a:b@c;d=1!$&'()*+,~",
        '/"<>\\^`{|}',
    ],
)
async def test_path_bytes_are_unchanged(proxy: Proxy, origin: Origin, rest: str) -> None:
    start, _ = await relayed(proxy, origin, request(b"GET", target(origin, rest)))
    assert start == b"GET " + rest.encode() + b" HTTP/1.1"


@pytest.mark.parametrize(("rest", "sent"), [("", b"/"), ("?x=1", b"/?x=1")])
async def test_nothing_behind_the_segment_is_the_root(
    proxy: Proxy, origin: Origin, rest: str, sent: bytes
) -> None:
    start, _ = await relayed(proxy, origin, request(b"GET", target(origin, rest)))
    assert start == b"GET " + sent + b" HTTP/1.1"


async def test_absolute_form_becomes_origin_form(proxy: Proxy, origin: Origin) -> None:
    url = b"http://vcs_control.steven.lab:8443" + target(origin, "/cucm-uds/x?y=1")
    start, fields = await relayed(proxy, origin, request(b"GET", url))
    assert start == b"GET /cucm-uds/x?y=1 HTTP/1.1"
    assert fields[0] == (b"Host", f"{HOST}:{origin.port}".encode())


async def test_fields_and_their_order(proxy: Proxy, origin: Origin) -> None:
    _, fields = await relayed(
        proxy,
        origin,
        request(
            b"GET",
            target(origin),
            b"accept: */*",
            b"X-Odd_Name!:  value with  blanks",
            b"Cookie: a=1",
            b"cookie: b=2",
            b"TrackingID: 6af9a674-9ebc",
            b"Authorization: Basic ZW11c2s6eA==",
            b"X-Latin: \xe9",
            b"X-Empty:",
        ),
    )
    assert fields == [
        (b"Host", f"{HOST}:{origin.port}".encode()),
        (b"accept", b"*/*"),
        (b"X-Odd_Name!", b"value with  blanks"),
        (b"Cookie", b"a=1"),
        (b"cookie", b"b=2"),
        (b"TrackingID", b"6af9a674-9ebc"),
        (b"Authorization", b"Basic ZW11c2s6eA=="),
        (b"X-Latin", b"\xe9"),
        (b"X-Empty", b""),
        (b"Client-ip", b"127.0.0.1"),
        (b"X-Forwarded-For", b"127.0.0.1"),
        (b"Via", proxy.server.via),
    ]


async def test_hops_before_ours(proxy: Proxy, origin: Origin) -> None:
    _, fields = await relayed(
        proxy,
        origin,
        request(
            b"GET",
            target(origin),
            b"Via: https/1.1 vcs[0f] (ATS)",
            b"Client-ip: 198.51.100.7",
            b"X-Forwarded-For: 198.51.100.7, 127.0.0.1",
        ),
    )
    assert fields[1:] == [
        (b"Client-ip", b"198.51.100.7"),
        (b"X-Forwarded-For", b"198.51.100.7, 127.0.0.1, 127.0.0.1"),
        (b"Via", b"https/1.1 vcs[0f] (ATS), " + proxy.server.via),
    ]


async def test_hop_by_hop_fields_end_here(proxy: Proxy, origin: Origin) -> None:
    _, fields = await relayed(
        proxy,
        origin,
        request(
            b"GET",
            target(origin),
            b"Connection: keep-alive, X-Named",
            b"connection: Via, x-forwarded-for",
            b"X-Named: 1",
            b"Via: 1.1 named",
            b"X-Forwarded-For: 192.0.2.1",
            b"Keep-Alive: timeout=5",
            b"Proxy-Connection: keep-alive",
            b"Proxy-Authorization: Basic x",
            b"TE: trailers",
            b"Upgrade: h2c",
            b"X-Stays: 1",
        ),
    )
    assert [name for name, _ in fields] == [
        b"Host",
        b"X-Stays",
        b"Client-ip",
        b"X-Forwarded-For",
        b"Via",
    ]
    assert fields[3:] == [(b"X-Forwarded-For", b"127.0.0.1"), (b"Via", proxy.server.via)]


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"OPTIONS", b"DELETE", b"PATCH", b"TRACE"])
async def test_methods_without_a_body(proxy: Proxy, origin: Origin, method: bytes) -> None:
    start, fields = await relayed(proxy, origin, request(method, target(origin)))
    assert start.startswith(method + b" ")
    assert not {b"Content-Length", b"Transfer-Encoding"} & {name for name, _ in fields}


@pytest.mark.parametrize(
    "data",
    [
        b"\r\nGET %b HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET  %b  HTTP/1.1\r\nHost:x\r\n\r\n",
        b"GET %b HTTP/1.0\r\n\r\n",
        b"GET %b HTTP/1.1\r\nHost: \t x \t\r\n\r\n",
    ],
    ids=["leading line end", "blanks", "1.0 without Host", "blanks around a value"],
)
async def test_tolerated_forms_are_sent_on_clean(proxy: Proxy, origin: Origin, data: bytes) -> None:
    start, fields = await relayed(proxy, origin, data % target(origin, "/x"))
    assert start == b"GET /x HTTP/1.1"
    assert fields[0] == (b"Host", f"{HOST}:{origin.port}".encode())


async def test_a_request_in_many_pieces(proxy: Proxy, origin: Origin) -> None:
    data = request(b"POST", target(origin, "/x"), b"A: b", body=b"hello")
    client = await proxy.connect()
    await client.send_split(*[data[at : at + 7] for at in range(0, len(data), 7)])
    peer = await origin.accept()
    start, fields = split_head(await peer.head())
    assert start == b"POST /x HTTP/1.1"
    assert (b"A", b"b") in fields
    assert await peer.exactly(5) == b"hello"
    peer.send(ok())
    assert (await client.answer()).status == 200


_BAD_HEADS = {
    "control byte in the target": (b"GET /\x01 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "NUL in the target": (b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "CR in the target": (b"GET /a\rb HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "raw UTF-8 in the target": (b"GET /\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "blank in the target": (b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "tab behind the method": (b"GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "LF line ends": (b"GET / HTTP/1.1\nHost: x\n\n", 400),
    "folded field": (b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", 400),
    "blank before the colon": (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
    "no colon": (b"GET / HTTP/1.1\r\nHost: x\r\nnothing\r\n\r\n", 400),
    "no name": (b"GET / HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n", 400),
    "NUL in a value": (b"GET / HTTP/1.1\r\nHost: x\r\nA: b\x00\r\n\r\n", 400),
    "CR in a value": (b"GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n", 400),
    "no Host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "two Hosts": (b"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", 400),
    "empty Host": (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400),
    "Host with a path": (b"GET / HTTP/1.1\r\nHost: x/y\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    "unknown method": (b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n", 501),
    "method in small letters": (b"get / HTTP/1.1\r\nHost: x\r\n\r\n", 501),
    "HTTP/2.0": (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505),
    "HTTP/1.2": (b"GET / HTTP/1.2\r\nHost: x\r\n\r\n", 505),
    "HTTP/3.0": (b"GET / HTTP/3.0\r\nHost: x\r\n\r\n", 505),
    "HTTP/0.9": (b"GET /\r\n\r\n", 505),
    "lengths that differ": (
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        400,
    ),
    "two equal lengths": (
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        400,
    ),
    "list of lengths": (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5, 5\r\n\r\nhello", 400),
    "negative length": (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\nhello", 400),
    "signed length": (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nhello", 400),
    "hex length": (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0x5\r\n\r\nhello", 400),
    "empty length": (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\n", 400),
    "huge length": (
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551615\r\n\r\n",
        400,
    ),
    "endless length": (
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"9" * 400 + b"\r\n\r\n",
        400,
    ),
    "length, then encoding": (
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0",
        400,
    ),
    "encoding, then length": (
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0",
        400,
    ),
    "gzip, chunked": (
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        501,
    ),
    "chunked, gzip": (
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
        501,
    ),
    "chunked twice": (
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        501,
    ),
    "identity": (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\n\r\n", 501),
    "nearly chunked": (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n", 501),
    "empty encoding": (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\r\n\r\n", 400),
    "chunked in 1.0": (
        b"POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        406,
    ),
    "POST without a length": (b"POST / HTTP/1.1\r\nHost: x\r\n\r\n", 411),
    "PUT without a length": (b"PUT / HTTP/1.1\r\nHost: x\r\n\r\n", 411),
    "Max-Forwards of no number": (b"TRACE / HTTP/1.1\r\nHost: x\r\nMax-Forwards: x\r\n\r\n", 400),
}


@pytest.mark.parametrize(("data", "status"), _BAD_HEADS.values(), ids=_BAD_HEADS.keys())
async def test_refused_before_any_connection(
    proxy: Proxy, plain: Origin, data: bytes, status: int
) -> None:
    start, _, rest = data.partition(b"/")
    answer = await refused(proxy, start + target(plain, "/") + rest)
    assert answer.status == status
    if status == 400:
        assert answer.reason == b"Invalid HTTP Request"
    if status == 411:
        assert answer.reason == b"Content Length Required"
    assert plain.accepted == 0


async def test_a_refused_head_gets_no_page(proxy: Proxy) -> None:
    """Also where the parser gives up before it tells the method."""
    client = await proxy.connect()
    client.send(b"HEAD / HTTP/2.0\r\nHost: x\r\n\r\n")
    answer = await client.answer(to_head=True)
    assert answer.status == 505
    assert await client.ending() == "eof"
    assert not client.buffer


@pytest.mark.parametrize(
    "decoded",
    [
        b"steven.lab",
        b"steven.lab/ftp/127.0.0.1/%d",
        b"steven.lab/HTTP/127.0.0.1/%d",
        b"steven.lab/http/127.0.0.1/0",
        b"steven.lab/http/127.0.0.1/65536",
        b"steven.lab/http/127.0.0.1/+%d",
        b"steven.lab/http/user@127.0.0.1/%d",
        b"steven.lab/http/127.1/%d",
        b"steven.lab/http/0x7f.0.0.1/%d",
        b"steven.lab/http/0177.0.0.1/%d",
        b"steven.lab/http/2130706433/%d",
        b"steven.lab/http/127.0.0.1\r\nX: 1/%d",
        b"steven.lab/http/127.0.0.1\x00/%d",
        b"steven.lab/http/127.0.0.1/%d/more",
    ],
)
async def test_a_segment_that_leads_nowhere_opens_no_connection(
    proxy: Proxy, plain: Origin, decoded: bytes
) -> None:
    text = decoded % plain.port if b"%d" in decoded else decoded
    first = urlsafe_b64encode(text).rstrip(b"=")
    answer = await refused(proxy, request(b"GET", b"/" + first + b"/x"))
    assert (answer.status, answer.reason) == (400, b"Bad Request")
    assert plain.accepted == 0


@pytest.mark.parametrize("url", [b"*", b"vcs:8443", b"/", b"//x/y", b"http://a@b/x/y", b"/%b/x#y"])
async def test_other_targets(proxy: Proxy, plain: Origin, url: bytes) -> None:
    if b"%b" in url:
        url %= segment(plain).encode()
    method = b"CONNECT" if url == b"vcs:8443" else b"OPTIONS"
    assert (await refused(proxy, request(method, url))).status == 400
    assert plain.accepted == 0


async def test_connect_opens_no_tunnel_whatever_it_names(proxy: Proxy, plain: Origin) -> None:
    answer = await refused(proxy, request(b"CONNECT", target(plain, "/x")))
    assert (answer.status, answer.reason) == (400, b"Invalid HTTP Request")
    assert plain.accepted == 0


@pytest.mark.parametrize(
    ("limits", "data", "status"),
    [
        (Limits(max_url_bytes=100), b"GET %b" + b"x" * 60 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (
            Limits(max_header_bytes=2000),
            b"GET %b HTTP/1.1\r\nHost: x\r\nA: " + b"x" * 2000 + b"\r\n\r\n",
            431,
        ),
        (Limits(max_header_bytes=2000), b"GET %b HTTP/1.1\r\nHost: x\r\nA: " + b"x" * 2000, 431),
        (Limits(max_header_bytes=2000), b"GET %b" + b"x" * 3000, 414),
        (
            Limits(max_header_fields=20),
            b"GET %b HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 21 + b"\r\n",
            431,
        ),
    ],
    ids=["target", "head in one piece", "head without an end", "endless target", "fields"],
)
async def test_limits(
    tmp_path: Path, ca_file: Path, limits: Limits, data: bytes, status: int
) -> None:
    async with Origin() as origin, running(settings_for(tmp_path, ca_file, limits=limits)) as proxy:
        answer = await refused(proxy, data.replace(b"%b", target(origin, "/")))
        assert answer.status == status
        assert origin.accepted == 0


async def test_default_limits_let_large_heads_pass(proxy: Proxy) -> None:
    async with Origin() as origin:
        fields = [b"X-%d: %b" % (number, b"y" * 500) for number in range(200)]
        start, sent = await relayed(proxy, origin, request(b"GET", target(origin), *fields))
        assert start.startswith(b"GET /cucm-uds/version ")
        assert len(sent) == 204


@pytest.mark.parametrize("pieces", [1, 7])
async def test_default_limits_refuse_larger_heads(proxy: Proxy, pieces: int) -> None:
    async with Origin() as origin:
        data = request(b"GET", target(origin), *[b"X: " + b"y" * 1000] * 140)
        size = len(data) // pieces + 1
        cut = [data[at : at + size] for at in range(0, len(data), size)]
        answer = await refused(proxy, *cut)
        assert answer.status == 431
        assert origin.accepted == 0


async def test_large_bodies_do_not_count_as_heads(proxy: Proxy, origin: Origin) -> None:
    """A head right behind a large body, cut in three, is no head of that size."""
    body = b"b" * 140_000
    origin.serve(_swallow_and_answer)
    client = await proxy.connect()
    client.send(request(b"POST", target(origin), body=body))
    head = request(b"GET", target(origin))
    await client.send_split(head[:10], head[10:20], head[20:])
    assert (await client.answer()).body == b"140000"
    assert (await client.answer()).body == b"0"


async def _swallow_and_answer(stream: Stream) -> None:
    while True:
        _, fields = split_head(await stream.head())
        size = int(dict(fields).get(b"Content-Length", b"0"))
        await stream.exactly(size)
        stream.send(ok(b"%d" % size))


async def test_a_refused_request_is_answered_in_its_turn(proxy: Proxy, origin: Origin) -> None:
    client = await proxy.connect()
    client.send(request(b"GET", target(origin, "/first")) + b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1")
    peer = await origin.accept()
    assert await client.nothing_comes()
    peer.send(ok(b"first"))
    assert (await client.answer()).body == b"first"
    assert (await client.answer()).status == 400
    assert await client.ending() == "eof"


async def test_the_client_sees_a_refusal_though_it_goes_on_sending(proxy: Proxy) -> None:
    client = await proxy.connect()
    client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: nonsense\r\n\r\n")
    for _ in range(30):
        await client.send_split(b"z" * 20_000)
    answer = await client.answer()
    assert answer.status == 400
    assert await client.ending() == "eof"


async def test_max_forwards_0_is_answered_here(proxy: Proxy, plain: Origin) -> None:
    client = await proxy.connect()
    client.send(request(b"OPTIONS", target(plain), b"Max-Forwards: 0"))
    assert (await client.answer()).status == 200
    assert plain.accepted == 0


async def test_max_forwards_counts_down(proxy: Proxy, origin: Origin) -> None:
    _, fields = await relayed(
        proxy, origin, request(b"TRACE", target(origin), b"A: b", b"Max-Forwards: 3")
    )
    assert fields[1:3] == [(b"A", b"b"), (b"Max-Forwards", b"2")]


async def test_an_ipv6_literal(proxy: Proxy) -> None:
    async with Origin(host="::1") as origin:
        first = encode_segment("steven.lab", "http", "::1", origin.port)
        _, fields = await relayed(proxy, origin, request(b"GET", f"/{first}/x".encode()))
        assert fields[0] == (b"Host", f"[::1]:{origin.port}".encode())


async def test_host_keeps_its_spelling(proxy: Proxy, origin: Origin) -> None:
    path = target(origin, "/x", host="Cucm.STEVEN.lab")
    client = await proxy.connect()
    client.send(request(b"GET", path))
    peer = await origin.accept()
    _, fields = split_head(await peer.head())
    assert fields[0] == (b"Host", f"Cucm.STEVEN.lab:{origin.port}".encode())
