"""Answers: what the client gets has one meaning, and it is the origin's.

A client sends two requests through a real proxy, and each origin connection gets the same bytes, in
pieces. The first byte says how they are cut, the second which requests were sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import h11
from tests.fuzz.memory import memory_proxy
from tests.fuzz.reading import HOP_BY_HOP, Answer, framing_of, pieces, read_answer, strict_head
from tests.fuzz.target_request import SEGMENT
from tests.fuzz.target_response import WORDS as RESPONSE_WORDS

if TYPE_CHECKING:
    from collections.abc import Iterator

WORDS: Final = RESPONSE_WORDS
UPGRADE, OLD, CLOSES = 4, 8, 16
_METHODS: Final = (b"GET", b"HEAD", b"POST", b"DELETE")


def check(data: bytes) -> None:
    """Send bytes as an origin; compare what the client gets with h11's reading."""
    if len(data) < 2:
        return
    seed, options, rest = data[0], data[1], data[2:]
    method = _METHODS[options & 3]
    upgrade = bool(options & UPGRADE) and method == b"GET" and not options & OLD
    proxy = memory_proxy()
    client = proxy.connect()
    request = _request(method, upgrade=upgrade, old=bool(options & OLD))
    proxy.send(client, [request + request])
    answered = 0
    while answered < len(proxy.loop.origins):
        origin = proxy.loop.origins[answered]
        answered += 1
        for piece in pieces(rest, seed):
            origin.deliver(piece)
            proxy.loop.settle()
        if options & CLOSES:
            origin.deliver(b"")
            proxy.loop.settle()
    got = bytes(client.written)
    _check_answers(got, method, rest, upgrade=upgrade)
    proxy.end(client)


def _request(method: bytes, *, upgrade: bool, old: bool) -> bytes:
    lines = [b"%b /%b/x HTTP/1.%d" % (method, SEGMENT, 0 if old else 1), b"Host: h"]
    if method == b"POST":
        lines.append(b"Content-Length: 0")
    if upgrade:
        lines += [b"Connection: Upgrade", b"Upgrade: websocket"]
    elif old:
        lines.append(b"Connection: keep-alive")
    return b"\r\n".join([*lines, b"", b""])


def _check_answers(got: bytes, method: bytes, sent: bytes, *, upgrade: bool) -> None:
    """Read all that the client got; the first answer must be the origin's, or our own."""
    count = 0
    while got:
        _check_heads(got)
        answer = read_answer(got, method, upgrade=upgrade)
        if answer is None:
            return  # interim answers only so far
        assert count < 2, "more answers than requests"
        _check_fields(answer)
        if answer.status == 101:
            assert upgrade
            return
        _check_same(answer, method, sent, upgrade=upgrade)
        if not answer.complete:
            return
        count += 1
        got = answer.rest


def _check_heads(data: bytes) -> None:
    """Look at every head up to the final one."""
    while True:
        strict_head(data, request=False)
        if not data.startswith((b"HTTP/1.1 1", b"HTTP/1.0 1")) or data[9:12] == b"101":
            return
        data = data[data.index(b"\r\n\r\n") + 4 :]
        if not data:
            return


def _check_fields(answer: Answer) -> None:
    head = answer.head
    names = [name for name, _ in head.headers]
    lengths, encodings = framing_of(head)
    assert len(lengths) <= 1
    assert encodings in ([], [b"chunked"])
    assert not (lengths and encodings), "two lengths"
    assert not HOP_BY_HOP & set(names)
    assert names.count(b"connection") == 1


def _check_same(answer: Answer, method: bytes, sent: bytes, *, upgrade: bool) -> None:
    """The client reads what h11 reads in the origin's bytes, or an error of our own.

    A kept connection may have had the second request before its last piece came: then that piece
    is its answer.
    """
    if b"server" in dict(answer.head.headers) and answer.status == 502:
        return
    readings = list(_h11_reads(sent, method, upgrade=upgrade))
    if answer.complete and readings and all(reading.complete for reading in readings):
        assert (answer.status, answer.body) in [(one.status, one.body) for one in readings]


def _h11_reads(sent: bytes, method: bytes, *, upgrade: bool) -> Iterator[Answer]:
    """Give the answers that h11 reads, one behind the other."""
    while sent:
        try:
            answer = read_answer(sent, method, upgrade=upgrade, closed=True)
        except h11.RemoteProtocolError:
            return
        if answer is None:
            return
        yield answer
        sent = answer.rest
