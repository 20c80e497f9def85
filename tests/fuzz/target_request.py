"""Requests: what goes to an origin has one meaning, and it is the client's.

A client sends any bytes in any pieces through a real proxy; origins read what comes with h11 and
answer each request. The first byte says how the rest is cut.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.fuzz.memory import CLIENT, memory_proxy
from tests.fuzz.reading import (
    HOP_BY_HOP,
    Answer,
    Message,
    ServerSide,
    framing_of,
    pieces,
    read_answer,
    requests_in,
    strict_head,
)

from mralab.errors import RouteError
from mralab.origin.connection import TlsOriginConnection
from mralab.origin.route import decode_segment, encode_segment, split_target

if TYPE_CHECKING:
    from tests.fuzz.memory import MemoryTransport

#: A route that all examples share.
SEGMENT: Final = encode_segment("lab", "http", "a.lab", 80).encode("ascii")
WORDS: Final = (
    SEGMENT,
    b" HTTP/1.1\r\n",
    b" HTTP/1.0\r\n",
    b"Host: h\r\n",
    b"\r\n\r\n",
    b"Content-Length: ",
    b"Transfer-Encoding: chunked\r\n",
    b"Connection: ",
    b"close",
    b"keep-alive",
    b"Upgrade: websocket\r\n",
    b"Expect: 100-continue\r\n",
    b"Max-Forwards: 0\r\n",
    b"0\r\n\r\n",
    b";x=y",
    b"\r\n ",
    b"Trailer: ",
    b"X-Forwarded-For: ",
    b"Via: ",
    b"HEAD ",
    b"POST ",
    b"OPTIONS ",
    b"CONNECT ",
)


class _Origins:
    """All origins of one client: they read with h11 and answer with a number."""

    def __init__(self, transports: list[MemoryTransport]) -> None:
        self._transports = transports
        self._sides: dict[int, tuple[ServerSide, int]] = {}
        self.served: list[Message] = []

    def answer(self) -> bool:
        """Answer the requests that are complete now; return whether there was one."""
        answered = False
        for index, transport in enumerate(self._transports):
            if isinstance(transport.protocol, TlsOriginConnection):
                continue  # waits for a ServerHello
            side, read = self._sides.get(index, (ServerSide(), 0))
            new = bytes(transport.written[read:])
            self._sides[index] = side, len(transport.written)
            if side.take(new):
                message = side.messages[-1]
                self.served.append(message)
                answered = True
                transport.deliver(side.answered(b"%d" % (len(self.served) - 1)))
        return answered

    @property
    def unfinished(self) -> list[Message]:
        """Requests whose body never ended."""
        messages = [message for side, _ in self._sides.values() for message in side.messages]
        return [message for message in messages if not message.complete]


def check(data: bytes) -> None:
    """Send bytes as a client; compare what origins get and the client gets with h11's reading."""
    if not data:
        return
    proxy = memory_proxy()
    client = proxy.connect()
    origins = _Origins(proxy.loop.origins)
    for piece in pieces(data[1:], data[0]):
        client.deliver(piece)
        proxy.loop.settle()
        while origins.answer():
            proxy.loop.settle()
    proxy.send(client, [b""])
    while origins.answer():
        proxy.loop.settle()
    complete_before = len(origins.served)
    reference = requests_in(data[1:])
    answers = _answers(bytes(client.written), reference)
    proxy.end(client)
    assert not origins.answer(), "a request was completed after its client had gone"
    assert len(origins.served) == complete_before
    served = [_served(answer) for answer in answers]
    assert [number for number in served if number is not None] == list(range(complete_before)), (
        "each request that an origin served is answered once, in order"
    )
    assert len(origins.unfinished) <= 1
    for message in origins.served + origins.unfinished:
        _check_forwarded(message)
    for answer, asked in zip(answers, reference, strict=False):
        number = _served(answer)
        if number is not None and asked.complete:
            _check_same(origins.served[number], asked)


def _answers(data: bytes, reference: list[Message]) -> list[Answer]:
    """Read all that the client got."""
    answers: list[Answer] = []
    while data:
        strict_head(data, request=False)
        index = len(answers)
        method = reference[index].request.method if index < len(reference) else b"GET"
        answer = read_answer(data, b"GET" if method == b"CONNECT" else method)
        assert answer is not None
        answers.append(answer)
        if not answer.complete:  # a page for HEAD that h11 has not understood as HEAD
            assert index >= len(reference)
            assert answer.status >= 500
            break
        data = answer.rest
    return answers


def _served(answer: Answer) -> int | None:
    """Return the number of the request that an origin answered so; None: the proxy itself did."""
    number = dict(answer.head.headers).get(b"x-served")
    return None if number is None else int(number)


def _check_forwarded(message: Message) -> None:
    """What every request to an origin must be."""
    head = message.request
    names = [name for name, _ in head.headers]
    lengths, encodings = framing_of(head)
    assert head.http_version == b"1.1"
    assert head.method != b"CONNECT"
    assert names.count(b"host") == 1
    assert len(lengths) <= 1
    assert encodings in ([], [b"chunked"])
    assert not (lengths and encodings), "two lengths"
    assert not HOP_BY_HOP & set(names)
    assert names.count(b"via") == names.count(b"x-forwarded-for") == 1
    assert dict(head.headers)[b"x-forwarded-for"].endswith(CLIENT[0].encode())
    if b"connection" in names or b"upgrade" in names:
        connection = [value for name, value in head.headers if name == b"connection"]
        assert connection == [b"Upgrade"]
        assert names.count(b"upgrade") == 1
    hidden = {b"host", b"content-length", b"transfer-encoding", b"connection", b"te", b"via"}
    assert not hidden & {name for name, _ in message.trailers}


def _check_same(got: Message, asked: Message) -> None:
    """An origin got what h11 read in the client's bytes."""
    head, wanted = got.request, asked.request
    assert head.method == wanted.method
    try:
        segment, path = split_target(wanted.target)
        authority = decode_segment(segment).authority
    except RouteError as error:
        raise AssertionError("a request without a route was passed on") from error
    assert head.target == path
    assert dict(head.headers)[b"host"] == authority
    assert got.body == asked.body
