"""Origin responses, sans I/O: bytes in, what the sink was told."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mralab.origin.failure import OriginFailure
from mralab.origin.fields import pairs
from mralab.origin.response import ResponseReader
from mralab.truststore.verdict import Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mralab.origin.wire import Data

#: A response, and another that nobody asked for.
_TWO: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
    b"HTTP/1.1 200 Evil\r\nContent-Length: 4\r\nX: 1\r\n\r\nevil"
)
_THEN_SWITCHING: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
    b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\nxyz"
)
_CLOSED: Final = OriginFailure(Reason.ORIGIN_CLOSED, "closed")


class Sink:
    """Records what a reader tells; pieces of a body are joined, so that splits do not matter."""

    def __init__(self, *, abandon_at: str = "") -> None:
        self.told: list[tuple[object, ...]] = []
        self.body = b""
        self.flushes = 0
        self.ended: bool | None = None  #: whether the connection is reusable
        self.failure: OriginFailure | None = None
        self._abandon_at = abandon_at

    def interim_response(self, response: ResponseReader) -> None:
        self.told.append(("interim", response.status, pairs(response.fields)))
        if self._abandon_at == "interim":
            response.abandon()

    def switching_protocols(self, response: ResponseReader, rest: bytes) -> None:
        self.told.append(("switching", response.status, pairs(response.fields), rest))

    def response_head(self, response: ResponseReader) -> None:
        self.told.append(
            (
                "head",
                response.status,
                response.reason,
                pairs(response.fields),
                response.length,
                response.chunked,
                response.until_close,
                response.bodyless,
            )
        )
        if self._abandon_at == "head":
            response.abandon()

    def response_body(self, data: Data) -> None:
        self.body += data

    def response_flush(self) -> None:
        self.flushes += 1

    def origin_writable(self, writable: bool) -> None:
        self.told.append(("writable", writable))

    def response_whole(self, response: ResponseReader, body: Data) -> None:
        self.response_head(response)
        if body:
            self.response_body(body)
        self.response_end(response)

    def response_end(self, response: ResponseReader) -> None:
        assert self.ended is None
        self.ended = response.reusable
        self.told.append(("end", list(response.trailers)))

    def response_failed(self, response: ResponseReader, failure: OriginFailure) -> None:
        assert self.ended is None
        assert self.failure is None
        del response
        self.failure = failure


def read(
    *pieces: bytes,
    head: bool = False,
    upgrade: bool = False,
    limit: int = 1_048_576,
    closed: bool | None = None,
) -> Sink:
    """Feed the pieces, each as one read; ``closed``: then the origin closes (True) or resets."""
    sink = Sink()
    reader = ResponseReader(sink, head_request=head, upgrade_asked=upgrade, max_head_bytes=limit)
    for piece in pieces:
        reader.feed(piece)
        reader.flush()
    if closed is not None:
        reason = Reason.ORIGIN_CLOSED if closed else Reason.ORIGIN_RESET
        reader.origin_ended(OriginFailure(reason, "over"), clean=closed)
    return sink


def kinds(sink: Sink) -> list[object]:
    return [entry[0] for entry in sink.told]


def test_length_delimited() -> None:
    sink = read(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: 1\r\n\r\nhello")
    assert sink.told[0] == (
        "head",
        200,
        b"OK",
        [(b"Content-Length", b"5"), (b"X-A", b"1")],
        5,
        False,
        False,
        False,
    )
    assert sink.body == b"hello"
    assert sink.ended is True


@pytest.mark.parametrize(
    ("field", "date", "age"),
    [(b"Date: x", True, False), (b"AGE: 3", False, True), (b"X: 1", False, False)],
)
def test_what_the_origin_said_of_time(field: bytes, date: bool, age: bool) -> None:
    reader = ResponseReader(Sink(), head_request=False, upgrade_asked=False, max_head_bytes=1000)
    reader.feed(b"HTTP/1.1 200 OK\r\n" + field + b"\r\nContent-Length: 0\r\n\r\n")
    assert (reader.has_date, reader.has_age) == (date, age)
    assert pairs(reader.fields)[0][0] == field.partition(b":")[0]


def test_field_order_spelling_and_duplicates_stay() -> None:
    sink = read(
        b"HTTP/1.1 200 OK\r\nset-cookie: a=1\r\nVia: 1.1 x\r\nSET-COOKIE: c=3\r\n"
        b"Content-Length: 0\r\n\r\n"
    )
    assert sink.told[0][3] == [
        (b"set-cookie", b"a=1"),
        (b"Via", b"1.1 x"),
        (b"SET-COOKIE", b"c=3"),
        (b"Content-Length", b"0"),
    ]


def test_hop_by_hop_and_named_fields_end_here() -> None:
    sink = read(
        b"HTTP/1.1 200 OK\r\nConnection: X-Drop, close\r\nX-Drop: 1\r\nKeep-Alive: timeout=5\r\n"
        b"Proxy-Authenticate: Basic\r\nUpgrade: h2c\r\nTE: trailers\r\nX-Keep: 2\r\n"
        b"Content-Length: 0\r\n\r\n"
    )
    assert sink.told[0][3] == [(b"X-Keep", b"2"), (b"Content-Length", b"0")]
    assert sink.ended is False  # the origin closes


@pytest.mark.parametrize(
    ("start", "reason"),
    [
        (b"HTTP/1.1 200 OK", b"OK"),
        (b"HTTP/1.1 200 ", b""),
        (b"HTTP/1.1 200", b""),
        (b"HTTP/1.1 200 Two words", b"Two words"),
        (b"HTTP/1.1 200 \xc3\xa9", b"\xc3\xa9"),
    ],
)
def test_reason_phrases(start: bytes, reason: bytes) -> None:
    sink = read(start + b"\r\nContent-Length: 0\r\n\r\n")
    assert sink.told[0][2] == reason
    assert sink.ended is True


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"not http at all\r\n\r\n", "HTTP/"),
        (b"HTTP/1.1 20 OK\r\n\r\n", "status"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", "status"),
        (b"HTTP/1.1 000 OK\r\n\r\n", "status 000"),
        (b"HTTP/1.1 099 OK\r\n\r\n", "status 099"),
        (b"HTTP/2.0 200 OK\r\n\r\n", "version 2.0"),
        (b"HTTP/0.9 200 OK\r\n\r\n", "version 0.9"),
        (b"HTTP/1.2 200 OK\r\n\r\n", "version"),
        (b"ICY 200 OK\r\n\r\n", "HTTP/"),
        (b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n", "header"),
        (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "header"),
        (b"HTTP/1.1 200 OK\r\nA: b\x00c\r\n\r\n", "header value"),
        (b"HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n", "LF"),
        (b"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n", "whitespace"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", "Content-Length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n", "Content-Length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", "Content-Length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\n", "Content-Length"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n",
            "18446744073709551615",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "Length"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", "Length"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "gzip, chunked"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "gzip"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", "chunked, gzip"),
        (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "chunked"),
        (b"HTTP/1.1 103 E\r\nContent-Length: 5\r\n\r\n", "status 103 with a body"),
        (b"HTTP/1.1 103 E\r\nTransfer-Encoding: chunked\r\n\r\n", "status 103 with a body"),
        (b"HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "without a request"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 1001 + b"\r\n", "1000 header fields"),
    ],
    ids=repr,
)
def test_refused_heads(data: bytes, text: str) -> None:
    sink = read(data)
    assert sink.failure is not None
    assert sink.failure.reason is Reason.BAD_RESPONSE
    assert text in sink.failure.detail
    assert "head" not in kinds(sink)
    assert sink.ended is None


def test_a_refused_response_is_told_once_whatever_follows() -> None:
    sink = read(b"garbage\r\n", b"more", closed=False)
    assert sink.failure is not None
    assert sink.failure.reason is Reason.BAD_RESPONSE


@pytest.mark.parametrize(
    ("start", "connection", "reusable"),
    [
        (b"HTTP/1.1", b"", True),
        (b"HTTP/1.1", b"Connection: close\r\n", False),
        (b"HTTP/1.1", b"Connection: X, CLOSE\r\n", False),
        (b"HTTP/1.1", b"Connection: X\r\nConnection: close\r\n", False),
        (b"HTTP/1.1", b"Connection: keep-alive\r\n", True),
        (b"HTTP/1.0", b"", False),
        (b"HTTP/1.0", b"Connection: Keep-Alive\r\n", True),
        (b"HTTP/1.0", b"Connection: close\r\n", False),
    ],
)
def test_reuse(start: bytes, connection: bytes, reusable: bool) -> None:
    sink = read(start + b" 200 OK\r\n" + connection + b"Content-Length: 1\r\n\r\nx")
    assert sink.ended is reusable


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 204 No Content\r\n",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n",
        b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n",
    ],
)
def test_no_body_after_204_and_304(data: bytes) -> None:
    sink = read(data + b"\r\n")
    assert sink.ended is True
    assert sink.body == b""


def test_a_204_does_not_state_a_length() -> None:
    sink = read(b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\nX: 1\r\n\r\n")
    assert sink.told[0][3] == [(b"X", b"1")]


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b""]
)
def test_no_body_after_head(framing: bytes) -> None:
    sink = read(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n", head=True)
    assert sink.ended is True
    assert sink.body == b""


@pytest.mark.parametrize(
    ("data", "head"),
    [
        (b"HTTP/1.1 204 N\r\n\r\nx", False),
        (b"HTTP/1.1 204 N\r\nContent-Length: 5\r\n\r\nhello", False),
        (b"HTTP/1.1 304 N\r\nContent-Length: 5\r\n\r\nhello", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", True),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nT: 1\r\n\r\n",
            True,
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiX", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nX", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhiX", False),
        (_TWO, False),
        (_THEN_SWITCHING, False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\nX", False),
    ],
    ids=repr,
)
def test_bytes_beyond_the_end_spoil_the_connection(data: bytes, head: bool) -> None:
    sink = read(data, head=head)
    assert sink.ended is False
    assert sink.body in (b"", b"hi")
    assert kinds(sink) == ["head", "end"]


def test_bytes_beyond_a_body_that_passes_without_the_parser() -> None:
    sink = read(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nab", b"cd", b"efX")
    assert sink.body == b"abcdef"
    assert sink.ended is False


def test_bytes_fed_between_the_end_and_its_flush() -> None:
    sink = Sink()
    reader = ResponseReader(sink, head_request=False, upgrade_asked=False, max_head_bytes=1000)
    reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh")
    reader.feed(b"i")
    reader.feed(b"another TLS record")
    assert sink.ended is None
    reader.flush()
    assert sink.ended is False
    assert sink.body == b"hi"


def test_chunked_with_trailers() -> None:
    sink = read(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
        b"5;ext=1\r\nhello\r\n1\r\n!\r\n0\r\nChecksum: 9\r\nSet-Cookie: a\r\n\r\n"
    )
    assert sink.body == b"hello!"
    assert sink.told[-1] == ("end", [b"Checksum: 9"])
    assert sink.ended is True


@pytest.mark.parametrize(
    "broken",
    [
        b"x\r\n",
        b"2\r\nabc",
        b"-1\r\n",
        b"ffffffffffffffffff\r\n",
        b"0\r\nContent-Length: 1\r\n\r\n",
    ],
)
def test_broken_chunks(broken: bytes) -> None:
    sink = read(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n" + broken)
    assert kinds(sink) == ["head"]
    assert sink.failure is not None
    assert sink.failure.reason is Reason.BAD_RESPONSE


def test_until_close() -> None:
    sink = read(b"HTTP/1.1 200 OK\r\n\r\nsome", b"thing", closed=True)
    assert sink.told[0][6] is True
    assert sink.body == b"something"
    assert sink.ended is False


@pytest.mark.parametrize("closed", [True, False])
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HTTP/1.1 2",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
    ],
)
def test_an_early_end_is_a_failure(data: bytes, closed: bool) -> None:
    sink = read(data, closed=closed)
    assert sink.ended is None
    assert sink.failure is not None
    assert sink.failure.reason is (Reason.ORIGIN_CLOSED if closed else Reason.ORIGIN_RESET)


def test_a_reset_does_not_end_a_body_until_close() -> None:
    sink = read(b"HTTP/1.1 200 OK\r\n\r\nsome", closed=False)
    assert sink.ended is None
    assert sink.failure is not None
    assert sink.failure.reason is Reason.ORIGIN_RESET


def test_interim_responses_pass_before_the_final_one() -> None:
    sink = read(
        b"HTTP/1.1 100 Continue\r\n\r\n"
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: X\r\nX: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    )
    assert sink.told[0] == ("interim", 100, [])
    assert sink.told[1] == ("interim", 103, [(b"Link", b"</a>")])
    assert sink.told[2][:3] == ("head", 200, b"OK")
    assert sink.body == b"hi"
    assert sink.ended is True


@pytest.mark.parametrize("status", [102, 199])
def test_unknown_interim_statuses_are_not_final(status: int) -> None:
    sink = read(b"HTTP/1.1 %d X\r\n\r\n" % status)
    assert kinds(sink) == ["interim"]


def test_interim_responses_are_bounded() -> None:
    sink = read(b"HTTP/1.1 100 C\r\n\r\n" * 33)
    assert kinds(sink) == ["interim"] * 32
    assert sink.failure is not None
    assert "32 interim" in sink.failure.detail


@pytest.mark.parametrize("rest", [b"", b"\x81\x02hi"])
def test_switching_protocols(rest: bytes) -> None:
    sink = read(
        b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX: 1\r\n\r\n"
        + rest,
        upgrade=True,
    )
    assert sink.told == [("switching", 101, [(b"X", b"1")], rest)]
    assert sink.failure is None


@pytest.mark.parametrize(
    "fields", [b"", b"Upgrade: websocket\r\n", b"Connection: upgrade\r\n", b"Connection: x\r\n"]
)
def test_a_101_names_its_protocol(fields: bytes) -> None:
    sink = read(b"HTTP/1.1 101 S\r\n" + fields + b"\r\nxyz", upgrade=True)
    assert sink.failure is not None
    assert "101 that names no protocol" in sink.failure.detail


def test_a_101_after_which_llhttp_goes_on_is_refused() -> None:
    sink = read(
        b"HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: upgrade\r\nContent-Length: 2\r\n\r\nhi",
        upgrade=True,
    )
    assert sink.failure is not None
    assert "101 with a body" in sink.failure.detail


def test_an_upgrade_that_the_origin_does_not_want_is_an_ordinary_answer() -> None:
    sink = read(
        b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: h2c\r\nConnection: upgrade\r\n"
        b"Content-Length: 0\r\n\r\n",
        upgrade=True,
    )
    assert sink.told[0][3] == [(b"Content-Length", b"0")]
    assert sink.ended is True


@pytest.mark.parametrize(
    "pieces",
    [
        [b"HTTP/1.1 200 OK\r\nA: " + b"x" * 2000 + b"\r\n\r\n"],
        [b"HTTP/1.1 200 OK\r\nA: ", b"x" * 2000],
        [b"HTTP/1.1 103 E\r\nA: " + b"x" * 600 + b"\r\n\r\n"] * 3,
    ],
)
def test_heads_are_bounded(pieces: list[bytes]) -> None:
    sink = read(*pieces, limit=1000)
    assert sink.failure is not None
    assert "more than 1000 bytes" in sink.failure.detail
    assert "head" not in kinds(sink)


def test_a_large_body_behind_a_small_head_is_no_large_head() -> None:
    sink = read(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000, limit=1000)
    assert sink.ended is True
    sink = read(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        *[b"200\r\n" + b"x" * 512 + b"\r\n"] * 5,
        b"0\r\n\r\n",
        limit=1000,
    )
    assert sink.ended is True
    assert len(sink.body) == 2560


@pytest.mark.parametrize("flood", [b"0\r\nX: ", b"1;ext="])
def test_trailers_and_chunk_extensions_are_bounded(flood: bytes) -> None:
    start = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n" + flood
    sink = read(start, *[b"y" * 300] * 4, limit=1000)
    assert sink.failure is not None
    assert "more than 1000 bytes" in sink.failure.detail


def test_flush_and_back_pressure_reach_the_sink() -> None:
    sink = Sink()
    reader = ResponseReader(sink, head_request=False, upgrade_asked=False, max_head_bytes=1000)
    reader.flush()
    assert sink.flushes == 1
    reader.origin_writable(False)
    assert sink.told == [("writable", False)]


def test_an_abandoned_reader_tells_nothing() -> None:
    sink = Sink()
    reader = ResponseReader(sink, head_request=False, upgrade_asked=False, max_head_bytes=1000)
    reader.abandon()
    reader.feed(b"HTTP/1.1 200 OK\r\n\r\n")
    reader.flush()
    reader.origin_writable(True)
    reader.origin_ended(_CLOSED, clean=True)
    assert sink.told == []
    assert sink.failure is None


@pytest.mark.parametrize("at", ["head", "interim"])
def test_a_sink_may_give_up_in_the_middle(at: str) -> None:
    sink = Sink(abandon_at=at)
    reader = ResponseReader(sink, head_request=False, upgrade_asked=False, max_head_bytes=1000)
    reader.feed(b"HTTP/1.1 103 E\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello")
    reader.flush()
    assert kinds(sink) == ["interim", "head"][: 1 if at == "interim" else 2]
    assert sink.body == b""
    assert sink.ended is None


_WHOLE: Final = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\nX: 1\r\n\r\nhello world",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n2\r\nol\r\n0\r\nT: 1\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi" + b"HTTP/1.1 200 Next\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nA: b\x00\r\n\r\n",
]


def outcome(sink: Sink) -> tuple[object, ...]:
    told = [entry for entry in sink.told if entry[0] != "writable"]
    return told, sink.body, sink.ended, sink.failure and sink.failure.reason


@pytest.mark.parametrize("data", _WHOLE, ids=repr)
def test_every_split_in_two_gives_the_same(data: bytes) -> None:
    whole = outcome(read(data, closed=True))
    for at in range(len(data) + 1):
        told, body, ended, reason = outcome(read(data[:at], data[at:], closed=True))
        if data.count(b"HTTP/1.1 200") == 2 and b"hi" in data[:at]:
            ended = whole[2]  # what follows a complete response is the connection's business
        assert (told, body, ended, reason) == whole


def pieces_of(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    at = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(at)]


@given(st.sampled_from(_WHOLE[:5]), st.lists(st.integers(0, 200), max_size=8))
def test_any_split_gives_the_same(data: bytes, cuts: list[int]) -> None:
    assert outcome(read(*pieces_of(data, cuts), closed=True)) == outcome(read(data, closed=True))


@given(st.binary(max_size=60), st.integers(0, len(_WHOLE) - 1), st.integers(0, 90), st.booleans())
@example(b"\r\n\r\n", 0, 20, False)
def test_nothing_that_comes_raises(noise: bytes, which: int, at: int, upgrade: bool) -> None:
    data = _WHOLE[which]
    sink = read(data[:at] + noise, noise + data[at:], upgrade=upgrade, closed=True)
    told_end = sink.ended is not None or sink.failure is not None
    assert told_end or kinds(sink)[-1:] == ["switching"]


@given(st.binary(max_size=40_000), st.lists(st.integers(1, 20_000), max_size=5))
def test_a_body_of_known_length_is_passed_byte_for_byte(body: bytes, cuts: list[int]) -> None:
    data = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    sink = read(*pieces_of(data, cuts))
    assert sink.body == body
    assert sink.ended is True
