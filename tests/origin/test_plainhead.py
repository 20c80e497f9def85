"""Plain heads: what is taken, what is left to llhttp, and that both read the same."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.origin.test_response import Sink, kinds

from mralab.origin import fields, plainhead
from mralab.origin.plainhead import plain_head
from mralab.origin.response import ResponseReader


def test_what_a_node_sends() -> None:
    head = plain_head(
        b"HTTP/1.1 200 OK\r\nServer: x\r\ndate: now\r\nContent-Length: 12\r\n"
        b"Connection: Keep-Alive\r\nAge: 1\r\nVia: 1.1 a"
    )
    assert head == (
        200,
        b"OK",
        [b"Server: x", b"date: now", b"Content-Length: 12", b"Age: 1", b"Via: 1.1 a"],
        12,
        True,
        True,
    )


def test_a_status_line_alone_and_without_a_phrase() -> None:
    assert plain_head(b"HTTP/1.1 404 ") == (404, b"", [], -1, False, False)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.0 200 OK",
        b"http/1.1 200 OK",
        b"HTTP/1.1 200",
        b"HTTP/1.1 100 Continue",
        b"HTTP/1.1 101 Switching",
        b"HTTP/1.1 204 No Content",
        b"HTTP/1.1 099 Low",
        b"HTTP/1.1 600 High",
        b"HTTP/1.1 2000 OK",
        b"HTTP/1.1  200 OK",
        b"HTTP/1.1 200 O\x00K",
        b"HTTP/1.1 200 O\nK",
        b"HTTP/1.1 200 OK\nX: 1",
        b"HTTP/1.1 200 OK\r\n X: 1",
        b"HTTP/1.1 200 OK\r\nX:1",
        b"HTTP/1.1 200 OK\r\nX: 1\r\n folded",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked",
        b"HTTP/1.1 200 OK\r\nUpgrade: h2c",
        b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5",
        b"HTTP/1.1 200 OK\r\nConnection: close",
        b"HTTP/1.1 200 OK\r\nConnection: keep-alive, X",
        b"HTTP/1.1 200 OK\r\nConnection: X: keep-alive",
        b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nConnection: keep-alive",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1",
        b"HTTP/1.1 200 OK\r\nContent-Length: +1",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0x1",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1, 1",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1234567890123456789",
        b"HTTP/1.1 200 OK" + b"\r\nX: 1" * 1001,
    ],
)
def test_what_is_left_to_llhttp(head: bytes) -> None:
    assert plain_head(head) is None


def test_of_a_head_with_too_many_fields_nothing_is_kept() -> None:
    """Five hundred shapes of a megabyte each would be half a gigabyte."""
    known = dict(plainhead._shapes._known)
    assert plain_head(b"HTTP/1.1 200 OK" + b"\r\nNever-Seen: 1" * 1001) is None
    assert plainhead._shapes._known == known
    assert b"Never-Seen: 1" not in fields._learnt_lines


def test_status_lines_kept_are_bounded() -> None:
    for number in range(2000):
        plain_head(b"HTTP/1.1 200 %d" % number)
    assert len(plainhead._starts) <= 500


_LINES = st.sampled_from(
    [
        b"Content-Length: 3",
        b"content-length: 0",
        b"Connection: keep-alive",
        b"Connection: close",
        b"Transfer-Encoding: chunked",
        b"Date: now",
        b"Age: 3",
        b"X: 1",
        b"X:1",
        b"Via: a",
        b"Expect: 100-continue",
        b"Upgrade: h2c",
        b"Trailer: X",
        b"Max-Forwards: 1",
    ]
)


@given(
    st.sampled_from([b"HTTP/1.1", b"HTTP/1.0"]),
    st.sampled_from([200, 201, 204, 205, 206, 299, 301, 304, 400, 407, 426, 502, 599, 100, 103]),
    st.lists(_LINES, max_size=5),
    st.sampled_from([b"", b"ab", b"abc", b"abcdef", b"3\r\nabc\r\n0\r\n\r\n"]),
    st.booleans(),
)
@example(b"HTTP/1.1", 304, [b"Content-Length: 3"], b"", False)
@example(b"HTTP/1.1", 205, [b"Content-Length: 3"], b"abc", False)
def test_both_ways_read_the_same(
    version: bytes, status: int, lines: list[bytes], body: bytes, head_request: bool
) -> None:
    data = b"%b %d Phrase\r\n" % (version, status) + b"".join(line + b"\r\n" for line in lines)
    sinks = []
    for pieces in ([data + b"\r\n" + body], [data[:5], data[5:] + b"\r\n" + body]):
        sink = Sink()
        reader = ResponseReader(
            sink, head_request=head_request, upgrade_asked=False, max_head_bytes=1000
        )
        for piece in pieces:
            reader.feed(piece)
            reader.flush()
        sinks.append((kinds(sink), sink.told, sink.body, sink.ended, sink.failure))
    assert sinks[0] == sinks[1]
