"""HTTP/1.1 read by somebody else: h11, and where h11 is tolerant, patterns of our own.

Rules: what the proxy writes must pass :func:`strict_head` and h11. What it reads may be worse than
h11 takes; where h11 does take it, both must have read the same. *Pure*.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import h11

if TYPE_CHECKING:
    from collections.abc import Iterator

Fields = list[tuple[bytes, bytes]]

_TOKEN: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_FIELD_LINES: Final = rb"(?:" + _TOKEN + rb": ?[\t\x20-\x7e\x80-\xff]*\r\n)*\r\n"
_REQUEST_HEAD: Final = re.compile(
    _TOKEN + rb" /[\x21-\x22\x24-\x7e\x80-\xff]* HTTP/1\.1\r\n" + _FIELD_LINES
)
_STATUS_HEAD: Final = re.compile(
    rb"HTTP/1\.[01] [0-9]{3} [\t\x20-\x7e\x80-\xff]*\r\n" + _FIELD_LINES
)
_LIMIT: Final = 1 << 22
_END: Final = b"\r\n\r\n"
#: Fields that end at the proxy, whatever they say.
HOP_BY_HOP: Final = frozenset(
    {
        b"keep-alive",
        b"proxy-connection",
        b"proxy-authorization",
        b"proxy-authenticate",
        b"te",
        b"http2-settings",
    }
)


def pieces(data: bytes, seed: int) -> Iterator[bytes]:
    """Cut data in one of 256 ways: 0 not at all, 1 byte by byte, else at random."""
    if seed == 0:
        if data:
            yield data
        return
    sizes = random.Random(seed)  # noqa: S311 - no secret
    longest = 1 if seed == 1 else 2 ** (1 + seed % 7)
    at = 0
    while at < len(data):
        size = sizes.randint(1, longest)
        yield data[at : at + size]
        at += size


@dataclass(slots=True)
class Message:
    """One message as h11 reads it."""

    head: h11.Request | h11.Response
    body: bytes = b""
    trailers: Fields = field(default_factory=list)
    complete: bool = False

    @property
    def request(self) -> h11.Request:
        """The head of a request."""
        assert isinstance(self.head, h11.Request)
        return self.head


def strict_head(data: bytes, *, request: bool) -> None:
    """Check that a head has one reading: line ends, blanks and characters are those of the RFC."""
    head = data[: data.index(_END) + len(_END)]
    pattern = _REQUEST_HEAD if request else _STATUS_HEAD
    assert pattern.fullmatch(head), f"loosely written: {head!r}"


def framing_of(head: h11.Request | h11.Response) -> tuple[list[bytes], list[bytes]]:
    """Return the values of Content-Length and Transfer-Encoding."""
    fields = list(head.headers)
    return (
        [value for name, value in fields if name == b"content-length"],
        [value for name, value in fields if name == b"transfer-encoding"],
    )


class ServerSide:
    """What a strict server reads on one connection, request by request."""

    def __init__(self) -> None:
        self._connection = h11.Connection(h11.SERVER, max_incomplete_event_size=_LIMIT)
        self._at_start = True
        self.messages: list[Message] = []

    def take(self, data: bytes) -> bool:
        """Read on; return whether a request is complete and wants its answer.

        Raises:
            RemoteProtocolError: no server should take this.
        """
        connection = self._connection
        if data:
            connection.receive_data(data)
        while True:
            if self._at_start and _END in connection.trailing_data[0]:
                strict_head(connection.trailing_data[0], request=True)
                self._at_start = False
            event = connection.next_event()
            if isinstance(event, h11.Request):
                self.messages.append(Message(event))
            elif isinstance(event, h11.Data):
                self.messages[-1].body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                self.messages[-1].trailers = list(event.headers)
                self.messages[-1].complete = True
                return True
            else:
                return False

    def answered(self, head: bytes) -> bytes:
        """Return an answer without a body; the next request may follow."""
        connection = self._connection
        assert connection.trailing_data[0] == b"", "the next request came before the answer"
        response = h11.Response(
            status_code=200, reason=b"OK", headers=[(b"X-Served", head), (b"Content-Length", b"0")]
        )
        data = connection.send(response) or b""
        data += connection.send(h11.EndOfMessage()) or b""
        if connection.our_state is h11.DONE:
            connection.start_next_cycle()
            self._at_start = True
        return data


def requests_in(data: bytes) -> list[Message]:
    """Return the requests that h11 reads in a client's bytes, up to the first it refuses."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=_LIMIT)
    connection.receive_data(data.lstrip(b"\r\n"))
    found: list[Message] = []
    try:
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Request):
                found.append(Message(event))
            elif isinstance(event, h11.Data):
                found[-1].body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                found[-1].trailers = list(event.headers)
                found[-1].complete = True
                connection.send(h11.Response(status_code=404, headers=[(b"Content-Length", b"0")]))
                connection.send(h11.EndOfMessage())
                if connection.our_state is not h11.DONE:
                    return found
                connection.start_next_cycle()
            else:
                return found
    except h11.RemoteProtocolError:
        return found


@dataclass(slots=True)
class Answer(Message):
    """One final answer and the interim ones before it."""

    interim: list[int] = field(default_factory=list)
    rest: bytes = b""  #: what follows it

    @property
    def status(self) -> int:
        """The status of the final head."""
        assert isinstance(self.head, h11.Response)
        return self.head.status_code


def read_answer(
    data: bytes, method: bytes, *, upgrade: bool = False, closed: bool = False
) -> Answer | None:
    """Read one answer to a request; None if not even a final head is complete.

    Args:
        data: the bytes, from the answer's first on.
        method: the request's.
        upgrade: whether the request asked for another protocol.
        closed: whether the end of ``data`` is the end of the connection.

    Raises:
        RemoteProtocolError: it is none.
    """
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LIMIT)
    fields = [(b"Host", b"h")]
    if upgrade:
        fields += [(b"Connection", b"Upgrade"), (b"Upgrade", b"websocket")]
    connection.send(h11.Request(method=method, target=b"/", headers=fields))
    connection.send(h11.EndOfMessage())
    if data:
        connection.receive_data(data)
    if closed:
        connection.receive_data(b"")
    interim: list[int] = []
    answer: Answer | None = None
    while True:
        event = connection.next_event()
        if isinstance(event, h11.InformationalResponse):
            interim.append(event.status_code)
        if isinstance(event, h11.Response):
            answer = Answer(event, interim=interim)
        elif isinstance(event, h11.Data):
            assert answer is not None
            answer.body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            assert answer is not None
            answer.trailers = list(event.headers)
            answer.complete = True
            answer.rest = bytes(connection.trailing_data[0])
            return answer
        elif not isinstance(event, h11.InformationalResponse):
            return answer
