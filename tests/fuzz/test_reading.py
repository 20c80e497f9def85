"""What the fuzz targets compare with: strict where h11 is not, and able to find a fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz.reading import ServerSide, pieces, read_answer, requests_in, strict_head
from tests.fuzz.run import Outcome, main
from tests.fuzz.targets import TARGETS

from mralab.proxy import relay

if TYPE_CHECKING:
    from mralab.proxy.relay import ForwardedFields
    from mralab.proxy.request import Request

GET = b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n"


@given(st.binary(max_size=300), st.integers(0, 255))
def test_pieces_are_the_whole(data: bytes, seed: int) -> None:
    cut = list(pieces(data, seed))
    assert b"".join(cut) == data
    assert all(cut)


@pytest.mark.parametrize(
    "head",
    [
        b"GET /x HTTP/1.1\nHost: h\r\n\r\n",
        b"GET /x HTTP/1.1\r\nHost : h\r\n\r\n",
        b"GET /x HTTP/1.1\r\nA: b\rc\r\n\r\n",
        b"GET /x HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
        b"GET  /x HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET x HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /x#y HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /x HTTP/1.0\r\nHost: h\r\n\r\n",
        b"GET /x HTTP/1.1\r\nA: \x00\r\n\r\n",
    ],
)
def test_loosely_written_heads_are_found(head: bytes) -> None:
    with pytest.raises(AssertionError, match="loosely written"):
        strict_head(head, request=True)


def test_a_server_reads_one_request_after_the_other() -> None:
    side = ServerSide()
    assert not side.take(GET[:10])
    assert side.take(GET[10:])
    assert side.answered(b"7").startswith(b"HTTP/1.1 200 OK\r\nX-Served: 7\r\n")
    assert side.take(b"POST /y HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi")
    assert [message.body for message in side.messages] == [b"", b"hi"]
    assert side.messages[1].request.target == b"/y"


def test_a_server_finds_a_request_that_does_not_wait() -> None:
    side = ServerSide()
    assert side.take(GET + GET)
    with pytest.raises(AssertionError, match="before the answer"):
        side.answered(b"0")


def test_reading_stops_at_the_first_request_that_is_none() -> None:
    data = b"\r\n" + GET + GET + b"GET /y HTTP/1.1\r\n\r\n" + GET
    assert [message.request.target for message in requests_in(data)] == [b"/x", b"/x"]
    assert requests_in(b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\nraw")[0].complete


def test_an_answer_with_what_follows_it() -> None:
    data = b"HTTP/1.1 103 E\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhirest"
    answer = read_answer(data, b"GET")
    assert answer is not None
    assert (answer.status, answer.interim, answer.body, answer.rest) == (200, [103], b"hi", b"rest")
    assert read_answer(data[:20], b"GET") is None
    until_end = read_answer(b"HTTP/1.1 200 OK\r\n\r\nhi", b"GET", closed=True)
    assert until_end is not None
    assert until_end.complete
    with pytest.raises(h11.RemoteProtocolError):
        read_answer(b"SSH-2.0\r\n\r\n", b"GET")


def test_a_proxy_that_sends_two_lengths_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    head_of = relay.request_head

    def smuggle(request: Request, host_lines: bytes, forwarded: ForwardedFields) -> bytes:
        lines = host_lines + b"\r\nContent-Length: 3\r\nTransfer-Encoding: chunked"
        return head_of(request, lines, forwarded) + b"0\r\n\r\n"

    sample = b"\x00" + GET.replace(b"/x", b"/bGFiL2h0dHAvYS5sYWIvODA/x")
    check = TARGETS["request"].check
    check(sample)
    with monkeypatch.context() as patched:
        patched.setattr(relay, "request_head", smuggle)
        with pytest.raises(AssertionError, match="two lengths"):
            check(sample)


def test_a_proxy_that_alters_an_answer_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = b"\x00\x10HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
    check = TARGETS["answer"].check
    check(sample)
    with monkeypatch.context() as patched:
        patched.setattr(relay, "chunk_of", lambda data: b"%x\r\n%b\r\n" % (len(data), data[::-1]))
        with pytest.raises(AssertionError):
            check(sample)


def test_the_command_names_what_it_takes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == main(["ten"]) == main(["10", "nothing"]) == 2
    assert "route" in capsys.readouterr().err


def test_an_outcome_says_what_was_found() -> None:
    assert str(Outcome("log", 5, 1.4, (), failed=False)) == "log: 5 executions in 1 s, no finding"
    assert "failed, see build/fuzz/log/log" in str(Outcome("log", 0, 1, (), failed=True))
