"""What the proxy changes in a message that it passes on: bytes in, bytes out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mralab.config.settings import Limits
from mralab.origin.response import ResponseReader
from mralab.proxy import relay
from mralab.proxy.relay import ForwardedFields
from mralab.proxy.request import Request

if TYPE_CHECKING:
    from mralab.origin.wire import Data

_HOST_LINES = b" HTTP/1.1\r\nHost: cucm.steven.lab:8443"
_FORWARDED = ForwardedFields("192.0.2.7", b"http/1.1 vcs[1] (ATS)")


class _Head:
    """A sink that wants the head only."""

    def interim_response(self, response: ResponseReader) -> None:
        del response

    def switching_protocols(self, response: ResponseReader, rest: bytes) -> None:
        del response, rest

    def response_head(self, response: ResponseReader) -> None:
        del response

    def response_body(self, data: Data) -> None:
        del data

    def response_flush(self) -> None:
        pass

    def origin_writable(self, writable: bool) -> None:
        del writable

    def response_whole(self, response: ResponseReader, body: Data) -> None:
        self.response_head(response)
        if body:
            self.response_body(body)
        self.response_end(response)

    def response_end(self, response: ResponseReader) -> None:
        del response

    def response_failed(self, response: ResponseReader, failure: object) -> None:
        del response, failure


def response(head: bytes) -> ResponseReader:
    reader = ResponseReader(_Head(), head_request=False, upgrade_asked=True, max_head_bytes=10_000)
    reader.feed(head)
    return reader


def request(*fields: tuple[bytes, bytes], method: bytes = b"GET") -> Request:
    made = Request()
    made.path = b"/cucm-uds/user/emusk/devices?max=100"
    for name, value in ((b"Host", b"x"), *fields):
        made.add_field(name, value)
    assert made.judge(method, "1.1", Limits()) is None
    return made


def head_of(made: Request) -> bytes:
    return relay.request_head(made, _HOST_LINES, _FORWARDED)


def test_request_head() -> None:
    assert head_of(request((b"accept", b"*/*"), (b"Cookie", b"a=b"))) == (
        b"GET /cucm-uds/user/emusk/devices?max=100 HTTP/1.1\r\n"
        b"Host: cucm.steven.lab:8443\r\n"
        b"accept: */*\r\n"
        b"Cookie: a=b\r\n"
        b"Client-ip: 192.0.2.7\r\n"
        b"X-Forwarded-For: 192.0.2.7\r\n"
        b"Via: http/1.1 vcs[1] (ATS)\r\n"
        b"\r\n"
    )


def test_hops_before_ours_stay_in_front() -> None:
    head = head_of(
        request(
            (b"Via", b"https/1.1 vcs[0] (ATS)"),
            (b"X-Forwarded-For", b"198.51.100.1"),
            (b"Client-ip", b"198.51.100.1"),
        )
    )
    assert head.endswith(
        b"Client-ip: 198.51.100.1\r\n"
        b"X-Forwarded-For: 198.51.100.1, 192.0.2.7\r\n"
        b"Via: https/1.1 vcs[0] (ATS), http/1.1 vcs[1] (ATS)\r\n\r\n"
    )


def test_chunked_request_has_one_framing() -> None:
    head = head_of(request((b"Transfer-Encoding", b"Chunked"), method=b"POST"))
    assert head.count(b"Transfer-Encoding: chunked\r\n") == 1
    assert b"Content-Length" not in head


def test_upgrade_is_asked_for_anew() -> None:
    head = head_of(
        request((b"Connection", b"Upgrade, X"), (b"X", b"1"), (b"Upgrade", b"websocket"))
    )
    assert b"Connection: Upgrade\r\nUpgrade: websocket\r\n" in head
    assert b"X: 1" not in head


@pytest.mark.parametrize(
    ("status", "reason", "line", "text"),
    [
        (200, b"OK", b"HTTP/1.1 200 OK", "HTTP/1.1 200 OK"),
        (200, b"", b"HTTP/1.1 200 ", "HTTP/1.1 200 "),
        (502, b"a\x01b\x7f\tc", b"HTTP/1.1 502 abc", "HTTP/1.1 502 abc"),
        (299, b'\x85"', b'HTTP/1.1 299 \x85"', 'HTTP/1.1 299 \\x85\\"'),
    ],
)
def test_status_line(status: int, reason: bytes, line: bytes, text: str) -> None:
    made = relay.status_line(status, reason)
    assert (made.line, made.text) == (line, text)
    assert relay.status_line(status, reason) is relay.status_line(status, reason)


def test_status_lines_kept_are_bounded() -> None:
    for number in range(3000):
        relay.status_line(200, b"%d" % number)
    assert len(relay._status_lines) <= 1000


def test_line_1_0() -> None:
    assert relay.line_1_0(b"HTTP/1.1 200 HTTP/1.1") == b"HTTP/1.0 200 HTTP/1.1"


def test_interim_head() -> None:
    reader = response(b"HTTP/1.1 103 Early\r\nLink: </a>\r\nConnection: x\r\nX: 1\r\n\r\n")
    assert relay.interim_head(reader) == b"HTTP/1.1 103 Early\r\nLink: </a>\r\n\r\n"


def test_switching_head() -> None:
    reader = response(
        b"HTTP/1.1 101 Switching\r\nUPGRADE: websocket\r\nConnection: upgrade\r\n"
        b"Sec-WebSocket-Accept: k\r\n\r\n"
    )
    assert relay.switching_head(reader, b"websocket") == (
        b"HTTP/1.1 101 Switching\r\nSec-WebSocket-Accept: k\r\n"
        b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("fields", "chunk", "keep_alive", "expected"),
    [
        (
            b"Content-Length: 2\r\nX: 1\r\n",
            False,
            True,
            b"Content-Length: 2\r\nX: 1\r\nDate: now\r\nAge: 0\r\nConnection: keep-alive\r\n\r\n",
        ),
        (
            b"Date: then\r\nAge: 7\r\n",
            True,
            False,
            b"Date: then\r\nAge: 7\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
        ),
    ],
)
def test_response_head(fields: bytes, chunk: bool, keep_alive: bool, expected: bytes) -> None:
    reader = response(b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n")
    head = relay.response_head(
        reader,
        line=b"HTTP/1.1 200 OK",
        chunk=chunk,
        keep_alive=keep_alive,
        date=b"Date: now",
    )
    assert head == b"HTTP/1.1 200 OK\r\n" + expected


def test_ipv6_client() -> None:
    forwarded = ForwardedFields("2001:db8::7", b"v")
    assert forwarded.client_ip == b"Client-ip: 2001:db8::7"
    assert forwarded.forwarded_for == b"X-Forwarded-For: 2001:db8::7"
    assert forwarded.via_end == b"Via: v\r\n\r\n"


def test_last_chunk() -> None:
    assert relay.last_chunk(()) == b"0\r\n\r\n"
    assert relay.last_chunk((b"T: 1",)) == b"0\r\nT: 1\r\n\r\n"


@given(st.binary(min_size=1, max_size=5000))
def test_a_chunk_holds_its_data(data: bytes) -> None:
    size, _, rest = relay.chunk_of(data).partition(b"\r\n")
    assert int(size, 16) == len(data)
    assert rest == data + b"\r\n"
