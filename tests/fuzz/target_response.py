"""Responses, read by the reader alone: any bytes in any pieces end in one way, with one body.

The first byte says how the rest is cut, the second how the request was and how the connection ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import h11
from tests.fuzz.reading import pieces, read_answer

from mralab.origin.failure import OriginFailure
from mralab.origin.fields import name_of
from mralab.origin.response import ResponseReader
from mralab.truststore.verdict import Reason

if TYPE_CHECKING:
    from tests.fuzz.reading import Answer

    from mralab.origin.wire import Data

WORDS: Final = (
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 100 \r\n\r\n",
    b"HTTP/1.1 101 \r\n",
    b"HTTP/1.0 ",
    b"204 ",
    b"304 ",
    b"Content-Length: ",
    b"Transfer-Encoding: chunked\r\n",
    b"Connection: close\r\n",
    b"Connection: Upgrade\r\nUpgrade: websocket\r\n",
    b"\r\n\r\n",
    b"0\r\n\r\n",
    b"5\r\nhello\r\n",
    b"\r\n ",
    b"Date: ",
    b"Set-Cookie: ",
)
HEAD, UPGRADE, CLEAN = 1, 2, 4
_MAX_HEAD: Final = 65_536


class _Sink:
    """Keeps what the reader tells, and checks that it tells things in order."""

    def __init__(self) -> None:
        self.heads = 0
        self.interim: list[int] = []
        self.body = b""
        self.end = ""

    def interim_response(self, response: ResponseReader) -> None:
        assert not self.heads
        assert not self.end
        assert 100 <= response.status < 200
        assert response.status != 101
        self.interim.append(response.status)

    def switching_protocols(self, response: ResponseReader, rest: bytes) -> None:
        del rest
        assert not self.heads
        assert response.status == 101
        self._end("switched")

    def response_head(self, response: ResponseReader) -> None:
        assert not self.heads
        assert not self.end
        assert 200 <= response.status <= 999
        self.heads += 1

    def response_body(self, data: Data) -> None:
        assert self.heads
        assert not self.end
        self.body += data

    def response_flush(self) -> None:
        assert not self.end

    def origin_writable(self, writable: bool) -> None:
        del writable

    def response_whole(self, response: ResponseReader, body: Data) -> None:
        self.response_head(response)
        if body:
            self.response_body(body)
        self.response_end(response)

    def response_end(self, response: ResponseReader) -> None:
        assert response.complete
        assert self.heads
        self._end("complete")

    def response_failed(self, response: ResponseReader, failure: OriginFailure) -> None:
        assert not response.complete
        assert failure.detail.isprintable()
        self._end("failed")

    def _end(self, how: str) -> None:
        assert not self.end, f"{how} after {self.end}"
        self.end = how


def check(data: bytes) -> None:
    """Read bytes as an answer; compare with h11's reading."""
    if len(data) < 2:
        return
    options, rest = data[1], data[2:]
    sink = _Sink()
    reader = ResponseReader(
        sink,
        head_request=bool(options & HEAD),
        upgrade_asked=bool(options & UPGRADE),
        max_head_bytes=_MAX_HEAD,
    )
    for piece in pieces(rest, data[0]):
        reader.feed(piece)
        reader.flush()
    reader.origin_ended(OriginFailure(Reason.ORIGIN_CLOSED, "closed"), clean=bool(options & CLEAN))
    assert sink.end
    _check_body(reader, sink)
    theirs = _h11_reads(rest, options)
    if theirs is not None and sink.end == "complete" and theirs.complete:
        assert (reader.status, sink.body) == (theirs.status, theirs.body)


def _check_body(reader: ResponseReader, sink: _Sink) -> None:
    if not sink.heads:
        assert not sink.body
        return
    if reader.bodyless:
        assert not sink.body
    elif reader.length >= 0:
        assert not reader.chunked
        assert len(sink.body) <= reader.length
        assert (len(sink.body) == reader.length) == (sink.end == "complete")
    assert not (reader.until_close and reader.reusable)
    names = [name.lower() for name in map(name_of, reader.fields)]
    assert names.count(b"content-length") <= 1
    assert not {b"transfer-encoding", b"connection", b"upgrade", b"keep-alive"} & set(names)
    for line in reader.fields:
        assert not set(line) & {0, 10, 13}


def _h11_reads(data: bytes, options: int) -> Answer | None:
    method = b"HEAD" if options & HEAD else b"GET"
    try:
        return read_answer(
            data, method, upgrade=bool(options & UPGRADE), closed=bool(options & CLEAN)
        )
    except h11.RemoteProtocolError:
        return None
