"""What a request says, and which requests are refused before anything is done for them."""

from __future__ import annotations

from typing import Final

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mralab.config.settings import Limits
from mralab.origin.fields import pairs
from mralab.proxy.answers import Refusal
from mralab.proxy.request import IDEMPOTENT_METHODS, SAFE_METHODS, Request, plain_request
from mralab.truststore.verdict import Reason

HOST = (b"Host", b"vcs.steven.lab:8443")


def judged(
    *fields: tuple[bytes, bytes],
    method: bytes = b"GET",
    version: str = "1.1",
    host: tuple[bytes, bytes] | None = HOST,
    url: bytes = b"/x",
    limits: Limits | None = None,
) -> tuple[Request, Refusal | None]:
    request = Request()
    request.url += url
    for name, value in (*((host,) if host else ()), *fields):
        request.add_field(name, value)
    return request, request.judge(method, version, limits or Limits())


def accepted(*fields: tuple[bytes, bytes], method: bytes = b"GET", version: str = "1.1") -> Request:
    request, refusal = judged(*fields, method=method, version=version)
    assert refusal is None
    return request


def test_end_to_end_fields_keep_order_spelling_and_value() -> None:
    request = accepted(
        (b"accept", b"*/*"),
        (b"X-A", b"1 "),
        (b"COOKIE", b"a"),
        (b"X-A", b"2"),
        (b"Date", b"d"),
        (b"Age", b"1"),
        (b"Expect", b"100-continue"),
    )
    assert pairs(request.fields) == [
        (b"accept", b"*/*"),
        (b"X-A", b"1 "),
        (b"COOKIE", b"a"),
        (b"X-A", b"2"),
        (b"Date", b"d"),
        (b"Age", b"1"),
        (b"Expect", b"100-continue"),
    ]
    assert request.head_complete
    assert request.keep_alive


@pytest.mark.parametrize(
    "name",
    [
        b"Keep-Alive",
        b"Proxy-Connection",
        b"Proxy-Authorization",
        b"Proxy-Authenticate",
        b"TE",
        b"HTTP2-Settings",
        b"Transfer-Encoding",
        b"Upgrade",
        b"Connection",
        b"Host",
    ],
)
def test_hop_by_hop_fields_end_here(name: bytes) -> None:
    request, _ = judged((name, b"chunked"), host=None)
    assert request.fields == []


def test_what_is_noted_for_the_log_passes_on() -> None:
    request = accepted((b"Authorization", b"Basic x"), (b"TrackingID", b"6af9"))
    assert request.authorization == b"Basic x"
    assert request.tracking_id == b"6af9"
    assert len(pairs(request.fields)) == 2


def test_lists_are_joined_in_order() -> None:
    request = accepted(
        (b"X-Forwarded-For", b"192.0.2.1"),
        (b"Via", b"1.1 a"),
        (b"x-forwarded-for", b"192.0.2.2"),
        (b"via", b"1.1 b"),
        (b"Client-ip", b"192.0.2.1"),
    )
    assert request.forwarded_for == b"192.0.2.1, 192.0.2.2"
    assert request.via == b"1.1 a, 1.1 b"
    assert request.client_ip
    assert pairs(request.fields) == [(b"Client-ip", b"192.0.2.1")]


def test_named_fields_go_those_kept_beside_the_list_too() -> None:
    request = accepted(
        (b"X-Secret", b"1"),
        (b"X-Forwarded-For", b"192.0.2.1"),
        (b"Via", b"1.1 a"),
        (b"Client-ip", b"192.0.2.9"),
        (b"Connection", b"x-secret, Client-IP"),
        (b"Connection", b"via, X-FORWARDED-FOR"),
    )
    assert request.fields == []
    assert request.forwarded_for == b""
    assert request.via == b""
    assert not request.client_ip


@pytest.mark.parametrize(
    ("version", "connection", "keep_alive"),
    [
        ("1.1", b"", True),
        ("1.1", b"keep-alive", True),
        ("1.1", b"close", False),
        ("1.1", b"X-A, CLOSE", False),
        ("1.1", b"keep-alive, close", False),
        ("1.0", b"", False),
        ("1.0", b"Keep-Alive", True),
        ("1.0", b"close", False),
        ("1.0", b"keep-alive, close", False),
    ],
)
def test_keep_alive(version: str, connection: bytes, keep_alive: bool) -> None:
    fields = [(b"Connection", connection)] if connection else []
    assert accepted(*fields, version=version).keep_alive is keep_alive


@pytest.mark.parametrize(
    ("host", "status"),
    [
        (b"vcs.steven.lab", None),
        (b"vcs_control.steven.lab:8443", None),
        (b"[2001:db8::1]:8443", None),
        (b"192.0.2.1:", None),
        (b"vcs \t", None),
        (b"vcs x", 400),
        (b"", 400),
        (b"a b", 400),
        (b"a,b", None),  # a sub-delimiter: legal in a name
        (b"user@host", 400),
        (b"host/path", 400),
        (b"host:port", 400),
        (b"[::1", 400),
        (b"h\xc3\xb6st", 400),
    ],
)
def test_host(host: bytes, status: int | None) -> None:
    _, refusal = judged(host=(b"Host", host))
    assert (refusal and refusal.status) == status


@pytest.mark.parametrize(
    ("hosts", "version", "status"),
    [(0, "1.1", 400), (0, "1.0", None), (1, "1.0", None), (2, "1.1", 400), (2, "1.0", 400)],
)
def test_number_of_hosts(hosts: int, version: str, status: int | None) -> None:
    _, refusal = judged(*[HOST] * hosts, host=None, version=version)
    assert (refusal and refusal.status) == status


def test_connect_is_refused_even_with_a_path() -> None:
    _, refusal = judged(method=b"CONNECT")
    assert refusal is not None
    assert refusal.status == 400


@pytest.mark.parametrize("version", ["0.9", "2.0", "1.2"])
def test_other_versions(version: str) -> None:
    _, refusal = judged(version=version)
    assert refusal == Refusal(
        505, "HTTP Version Not Supported", Reason.BAD_REQUEST, f"HTTP version {version}"
    )


@pytest.mark.parametrize(
    ("method", "version", "fields", "status"),
    [
        (b"POST", "1.1", [(b"Content-Length", b"5")], None),
        (b"POST", "1.1", [(b"Content-Length", b"0")], None),
        (b"POST", "1.1", [(b"Transfer-Encoding", b"chunked")], None),
        (b"POST", "1.1", [(b"Transfer-Encoding", b" Chunked ")], None),
        (b"POST", "1.1", [], 411),
        (b"PUT", "1.1", [], 411),
        (b"PATCH", "1.1", [], None),
        (b"DELETE", "1.1", [], None),
        (b"POST", "1.1", [(b"Transfer-Encoding", b"gzip, chunked")], 501),
        (
            b"POST",
            "1.1",
            [(b"Transfer-Encoding", b"gzip"), (b"Transfer-Encoding", b"chunked")],
            501,
        ),
        (b"POST", "1.1", [(b"Transfer-Encoding", b"identity")], 501),
        (b"GET", "1.1", [(b"Transfer-Encoding", b"chunked;q=1")], 501),
        (b"POST", "1.0", [(b"Transfer-Encoding", b"chunked")], 406),
        (b"POST", "1.0", [(b"Content-Length", b"5")], None),
        (b"POST", "1.1", [(b"Content-Length", b"9223372036854775807")], None),
        (b"POST", "1.1", [(b"Content-Length", b"9223372036854775808")], 400),
    ],
)
def test_framing(
    method: bytes, version: str, fields: list[tuple[bytes, bytes]], status: int | None
) -> None:
    request, refusal = judged(*fields, method=method, version=version)
    assert (refusal and refusal.status) == status
    if refusal is None:
        chunked = fields[:1] and fields[0][0] == b"Transfer-Encoding"
        assert request.chunked is bool(chunked)
        assert request.has_body is (bool(chunked) or request.length > 0)


def test_url_is_bounded() -> None:
    limits = Limits(max_url_bytes=10)
    assert judged(url=b"/" * 10, limits=limits)[1] is None
    refusal = judged(url=b"/" * 11, limits=limits)[1]
    assert refusal is not None
    assert refusal.status == 414


@pytest.mark.parametrize(
    ("method", "sent", "passed", "status"),
    [
        (b"OPTIONS", b"0", None, 200),
        (b"TRACE", b"00", None, 200),
        (b"TRACE", b"1", b"0", None),
        (b"OPTIONS", b"1000000000", b"99999999", None),  # counted down from our own bound
        (b"GET", b"0", b"0", None),
        (b"OPTIONS", b"-1", None, 400),
        (b"TRACE", b"x", None, 400),
        (b"TRACE", b"9" * 5000, b"999999998", None),
    ],
)
def test_max_forwards(method: bytes, sent: bytes, passed: bytes | None, status: int | None) -> None:
    request, refusal = judged((b"A", b"b"), (b"Max-Forwards", sent), method=method)
    assert (refusal and refusal.status) == status
    if passed is not None:
        assert pairs(request.fields) == [(b"A", b"b"), (b"Max-Forwards", passed)]


def test_two_max_forwards_have_no_meaning() -> None:
    field = (b"Max-Forwards", b"5")
    _, refusal = judged(field, field, method=b"TRACE")
    assert refusal is not None
    assert refusal.status == 400


@pytest.mark.parametrize(
    ("method", "version", "fields", "upgrade"),
    [
        (b"GET", "1.1", [(b"Connection", b"Upgrade"), (b"Upgrade", b"WebSocket ")], b"WebSocket"),
        (b"GET", "1.1", [(b"Connection", b"close"), (b"Upgrade", b"websocket")], b""),
        (b"GET", "1.1", [(b"Upgrade", b"websocket")], b""),
        (b"GET", "1.1", [(b"Connection", b"upgrade")], b""),
        (b"GET", "1.1", [(b"Connection", b"upgrade"), (b"Upgrade", b"h2c")], b""),
        (
            b"POST",
            "1.1",
            [(b"Connection", b"upgrade"), (b"Upgrade", b"websocket"), (b"Content-Length", b"0")],
            b"",
        ),
        (
            b"GET",
            "1.1",
            [(b"Connection", b"upgrade"), (b"Upgrade", b"websocket"), (b"Content-Length", b"2")],
            b"",
        ),
        (b"GET", "1.0", [(b"Connection", b"upgrade"), (b"Upgrade", b"websocket")], b""),
        (
            b"GET",
            "1.1",
            [(b"Connection", b"upgrade"), (b"Upgrade", b"websocket"), (b"Upgrade", b"x")],
            b"",
        ),
    ],
)
def test_upgrade(
    method: bytes, version: str, fields: list[tuple[bytes, bytes]], upgrade: bytes
) -> None:
    request, refusal = judged(*fields, method=method, version=version)
    assert refusal is None
    assert request.upgrade == upgrade
    if upgrade:
        assert not request.keep_alive


def test_expect_of_an_http_1_0_client_is_ignored() -> None:
    assert accepted((b"Expect", b"100-continue"), (b"A", b"b"), version="1.0").fields == [b"A: b"]


def test_trailers() -> None:
    request = accepted((b"Transfer-Encoding", b"chunked"), method=b"POST")
    for name in (b"Checksum", b"Content-Length", b"Host", b"Cookie"):
        request.add_field(name, b"1")
    assert request.trailers == (b"Checksum: 1",)
    assert request.fields == []


def test_size_counts_what_was_kept() -> None:
    request = accepted((b"A", b"12345"), (b"Via", b"123"), (b"Connection", b"close"))
    assert request.size == len(b"/x") + len(b"A: 12345") + len(b"123") + len(b"close")


def test_which_methods_may_be_sent_again() -> None:
    assert {b"GET", b"HEAD", b"OPTIONS"} == SAFE_METHODS
    assert {b"TRACE", b"PUT", b"DELETE"} == IDEMPOTENT_METHODS - SAFE_METHODS


_TOKENS = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=12).map(str.encode)
_VALUES = st.text(
    st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=20
).map(lambda text: text.encode("latin-1"))


@given(
    st.lists(st.tuples(_TOKENS, _VALUES), max_size=8),
    st.sampled_from([b"GET", b"POST", b"OPTIONS", b"TRACE"]),
    st.sampled_from(["1.0", "1.1"]),
)
def test_judging_never_raises_and_never_lets_two_framings_through(
    fields: list[tuple[bytes, bytes]], method: bytes, version: str
) -> None:
    fields = [field for field in fields if field[0] != b"content-length"]  # llhttp's business
    request, refusal = judged(*fields, method=method, version=version)
    if refusal is None:
        names = {name.lower() for name, _ in pairs(request.fields)}
        assert not names & {b"transfer-encoding", b"connection", b"host", b"upgrade", b"te"}


class _ByLlhttp:
    """Reads one request by llhttp, as the client connection does."""

    def __init__(self, data: bytes) -> None:
        self.request = Request()
        self.ended = False
        self._parser = httptools.HttpRequestParser(self)
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self.request.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.request.add_field(name, value)

    def on_headers_complete(self) -> None:
        method, version = self._parser.get_method(), self._parser.get_http_version()
        assert self.request.judge(method, version, Limits()) is None

    def on_message_complete(self) -> None:
        self.ended = True


_NOTED: Final = (
    "method",
    "method_text",
    "url",
    "fields",
    "forwarded_for",
    "via",
    "client_ip",
    "authorization",
    "tracking_id",
    "keep_alive",
    "chunked",
    "length",
    "version_1_0",
    "upgrade",
    "head_complete",
)
_PLAIN_LINES = st.sampled_from(
    [
        b"Accept: */*",
        b"Cookie: X-Auth=1; a=b",
        b"Authorization: Basic eDp5",
        b"TrackingID: 6af9",
        b"X-Forwarded-For: 192.0.2.1",
        b"x-forwarded-for: 192.0.2.2",
        b"Via: 1.1 a",
        b"Client-ip: 192.0.2.1",
        b"Connection: keep-alive",
        b"Connection: Keep-Alive",
        b"Connection: close",
        b"Connection: Accept",
        b"Date: now",
        b"Age: 1",
        b"Host: b",
        b"Host: a b",
        b"Content-Length: 0",
        b"Content-Length: 1",
        b"Transfer-Encoding: chunked",
        b"TE: trailers",
        b"Upgrade: websocket",
        b"Expect: 100-continue",
        b"Max-Forwards: 0",
        b"Empty:",
        b"Bad\x00: 1",
    ]
)
_URLS = st.text(st.sampled_from("/ab%20?&=;:@!$'()*+,.~#\"<>[]\\^`{|} \x7f\x80"), max_size=8).map(
    lambda text: b"/x" + text.encode("latin-1")
)


@given(
    st.sampled_from([b"GET", b"HEAD", b"DELETE", b"POST", b"OPTIONS", b"TRACE", b"CONNECT"]),
    st.one_of(_URLS, _URLS.map(lambda path: b"http://vcs_control.steven.lab:8443" + path)),
    st.lists(_PLAIN_LINES, max_size=6),
    st.sampled_from([b"HTTP/1.1", b"HTTP/1.0", b"HTTP/1.2"]),
)
def test_a_plain_request_is_what_llhttp_reads(
    method: bytes, url: bytes, lines: list[bytes], version: bytes
) -> None:
    head = b"\r\n".join([method + b" " + url + b" " + version, b"Host: vcs:8443", *lines])
    plain = plain_request(head, Limits())
    if plain is None:
        return
    read = _ByLlhttp(head + b"\r\n\r\n")
    assert read.ended
    for name in _NOTED:
        assert getattr(plain, name) == getattr(read.request, name), name


@pytest.mark.parametrize(
    "head",
    [
        b"GET /x HTTP/1.1",
        b"GET /x HTTP/1.0\r\nHost: a",
        b"get /x HTTP/1.1\r\nHost: a",
        b"POST /x HTTP/1.1\r\nHost: a",
        b"GET  /x HTTP/1.1\r\nHost: a",
        b"GET /x#y HTTP/1.1\r\nHost: a",
        b"GET x HTTP/1.1\r\nHost: a",
        b"GET * HTTP/1.1\r\nHost: a",
        b"GET /\xe4 HTTP/1.1\r\nHost: a",
        b"GET http://u@a/x HTTP/1.1\r\nHost: a",
        b"GET /x HTTP/1.1\r\nHost: a\r\nHost: a",
        b"GET /x HTTP/1.1\r\nHost: a b",
        b"GET /x HTTP/1.1\r\nHost: a\r\nContent-Length: 0",
        b"GET /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked",
        b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close",
        b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: foo: keep-alive",
        b"GET /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue",
        b"GET /x HTTP/1.1\nHost: a",
        b"GET /x HTTP/1.1\r\nHost: a\r\n folded",
        b"GET /" + b"x" * 65_536 + b" HTTP/1.1\r\nHost: a",
        b"GET / HTTP/1.1\r\nHost: a" + b"\r\nX: 1" * 256,
        b"GET / HTTP/1.1\r\nHost: a" + (b"\r\nX: " + b"1" * 1000) * 140,
    ],
)
def test_what_is_left_to_llhttp(head: bytes) -> None:
    assert plain_request(head, Limits()) is None
