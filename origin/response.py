"""One origin response, read from plain bytes and handed on in pieces.

Rules: a response has exactly one framing or it is refused; what the parser (llhttp) does not
check is checked here: the version, Transfer-Encoding other than ``chunked``, the absence of a
body after HEAD, 204 and 304, the number of interim responses and the size of a head. Bytes beyond
the end of a response make the connection unusable, never part of another response. No socket
here: bytes in, calls out.

A head as nodes send it (whole, each line in the plain form, a length) is taken apart by lines;
every other one by llhttp, with the same result (:mod:`mralab.origin.plainhead`).

Source: RFC 9112 sections 6.3, 7 and 9.2; RFC 9110 section 15.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import httptools

from mralab.origin.failure import OriginFailure
from mralab.origin.fields import (
    Kind,
    drop,
    drop_named,
    kind_of,
    line_of,
    list_members,
    passes_in_trailer,
)
from mralab.origin.plainhead import plain_head
from mralab.origin.wire import DEAR_TO_COPY
from mralab.truststore.verdict import Reason

if TYPE_CHECKING:
    from mralab.origin.wire import Data

_PASS = Kind.PASS
_DROP = Kind.DROP
_CONTENT_LENGTH = Kind.CONTENT_LENGTH
_TRANSFER_ENCODING = Kind.TRANSFER_ENCODING
_CONNECTION = Kind.CONNECTION
_UPGRADE = Kind.UPGRADE
_DATE = Kind.DATE
_AGE = Kind.AGE

_SWITCHING = 101
_BODYLESS = frozenset({204, 304})
_INFORMATIONAL = 100  # first status there is
_FINAL = 200  # first final status
_NO_CONTENT = 204
_NOT_MODIFIED = 304
_MAX_INTERIM = 32
_MAX_FIELDS = 1000
_MAX_LENGTH = 2**63 - 1  # llhttp counts to twice that, clients often do not


class ResponseSink(Protocol):
    """Who gets a response: the transaction."""

    def interim_response(self, response: ResponseReader) -> None:
        """A 1xx other than 101 arrived; ``response`` holds status, reason and fields."""

    def switching_protocols(self, response: ResponseReader, rest: bytes) -> None:
        """A 101 arrived; ``rest`` are the first bytes of the new protocol."""

    def response_head(self, response: ResponseReader) -> None:
        """The final head is complete."""

    def response_body(self, data: Data) -> None:
        """A piece of the body."""

    def response_flush(self) -> None:
        """What arrived in one go has been told: pass it on."""

    def origin_writable(self, writable: bool) -> None:  # noqa: FBT001  a state, told by the loop
        """The origin takes more of the request's body, or has enough for now."""

    def response_whole(self, response: ResponseReader, body: Data) -> None:
        """A whole response came in one piece: head, body (perhaps empty), end."""

    def response_end(self, response: ResponseReader) -> None:
        """The response is complete; ``response.trailers`` holds what may follow a chunked body."""

    def response_failed(self, response: ResponseReader, failure: OriginFailure) -> None:
        """The response cannot be completed."""


class _ResponseRefusedError(Exception):
    """Leaves the parser's callbacks; the reason stands in ``ResponseReader.refusal``."""


class ResponseReader:
    """Reads one response from one origin connection.

    Defaults stand on the class: a new reader stores few attributes.

    Attributes:
        status: status code of the latest head.
        reason: reason phrase as sent.
        fields: lines of the latest head, hop-by-hop fields left out.
        length: Content-Length, or -1.
        chunked: whether the body comes in chunks.
        until_close: whether the origin's end of connection ends the body.
        bodyless: whether no body follows whatever the head says.
        reusable: whether the connection may serve another request afterwards.
        has_date: whether the origin sent Date.
        has_age: whether the origin sent Age.
        head_seen: whether the final head is complete.
        complete: whether the response is complete.
    """

    status = 0
    reason = b""
    length = -1
    chunked = False
    until_close = False
    bodyless = False
    reusable = False
    has_date = False
    has_age = False
    head_seen = False
    complete = False
    trailers: tuple[bytes, ...] = ()
    version_1_0 = False
    refusal = ""
    _head_bytes = 0
    _interim = 0
    _left = -1
    _connection = b""
    _transfer_encoding = b""
    _upgrade = b""
    _parser: httptools.HttpResponseParser | None = None  # until a head needs one

    def __init__(
        self, sink: ResponseSink, *, head_request: bool, upgrade_asked: bool, max_head_bytes: int
    ) -> None:
        """Prepare for one response.

        Args:
            sink: who gets it.
            head_request: the request was HEAD, so no body follows.
            upgrade_asked: the request asked for an upgrade, so a 101 is welcome.
            max_head_bytes: bound of all heads of this response together, and of what may come
                between two pieces of its body.
        """
        self._sink: ResponseSink | None = sink
        self._no_body_expected = head_request
        self._upgrade_asked = upgrade_asked
        self._max_head_bytes = max_head_bytes

    # parser callbacks, in the order they come

    def on_message_begin(self) -> None:
        """Start a head (llhttp callback)."""
        if self.complete:  # a second response that nobody asked for
            self.reusable = False
            return
        self.fields: list[bytes] = []
        self.reason = self._connection = self._transfer_encoding = self._upgrade = b""
        self.length = -1
        self.has_date = self.has_age = False

    def on_status(self, reason: bytes) -> None:
        """Take a piece of the reason phrase (llhttp callback)."""
        if not self.complete:
            self.reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field, or a trailer field after the head (llhttp callback)."""
        kind = kind_of(name)
        if self.head_seen:
            if not self.complete and passes_in_trailer(name):
                self.trailers = (*self.trailers, line_of(name, value))
            return
        if kind is _PASS:
            pass
        elif kind is _DROP:
            return
        elif kind is _CONTENT_LENGTH:
            self.length = int(value)
        elif kind is _TRANSFER_ENCODING:
            self._transfer_encoding += b"," + value
            return
        elif kind is _CONNECTION:
            self._connection += b"," + value
            return
        elif kind is _DATE:
            self.has_date = True
        elif kind is _AGE:
            self.has_age = True
        elif kind is _UPGRADE:
            self._upgrade = value
            return
        self.fields.append(line_of(name, value))

    def on_headers_complete(self) -> None:
        """Judge the head and hand it on (llhttp callback)."""
        if self.complete:
            return
        parser = self._parser
        sink = self._sink
        assert parser is not None  # noqa: S101  a callback of this very parser
        assert sink is not None  # noqa: S101  cut only together with the parser
        status = self.status = parser.get_status_code()
        version = parser.get_http_version()
        self.version_1_0 = version == "1.0"
        if version not in {"1.1", "1.0"}:
            self._refuse(f"HTTP version {version}")
        if len(self.fields) > _MAX_FIELDS:
            self._refuse(f"more than {_MAX_FIELDS} header fields")
        if self._head_bytes > self._max_head_bytes < sum(map(len, self.fields)):
            self._refuse(f"more than {self._max_head_bytes} bytes of header fields")
        options: list[bytes] = []
        if self._connection:
            options = list_members(self._connection)
            drop_named(self.fields, options)
        if status < _FINAL:
            self._interim_head(status, options)
            return
        encoding = self._transfer_encoding
        if encoding and (encoding[1:].strip().lower() != b"chunked" or self.version_1_0):
            self._refuse(f"Transfer-Encoding {encoding[1:].decode('latin-1')!r}")
        if self.length > _MAX_LENGTH:
            self._refuse(f"Content-Length {self.length}")
        self.chunked = bool(encoding)
        self.bodyless = self._no_body_expected or status in _BODYLESS
        if status == _NO_CONTENT and self.length >= 0:
            drop(self.fields, (b"content-length",))  # it must not have one (RFC 9110 section 8.6)
        self.until_close = self.length < 0 and not encoding and not self.bodyless
        keeps_alive = b"keep-alive" in options if self.version_1_0 else b"close" not in options
        self.reusable = keeps_alive and not self.until_close
        self.head_seen = True
        self._head_bytes = 0
        sink.response_head(self)
        if self.bodyless or self.length == 0:
            self.complete = True
        elif self.length > 0:
            self._left = self.length

    def on_body(self, data: bytes) -> None:
        """Hand a piece of the body on (llhttp callback)."""
        if self.complete:  # after HEAD, 204, 304: bytes that nobody asked for
            self.reusable = False
            return
        if self._left > 0:
            self._left -= len(data)
        self._head_bytes = 0
        sink = self._sink
        if sink is not None:
            sink.response_body(data)

    def on_message_complete(self) -> None:
        """Note the end of the message (llhttp callback)."""
        if self.head_seen:
            self.complete = True

    # bytes in

    def feed(self, data: bytes) -> None:
        """Take plain bytes; those beyond the response's end spoil the connection."""
        sink = self._sink
        if sink is None:
            return
        if self.complete:
            self.reusable = False
        elif self._left > 0:
            # A body of known length passes without the parser.
            if len(data) > self._left:
                data = data[: self._left]
                self.reusable = False
            self._left -= len(data)
            self.complete = self._left == 0
            sink.response_body(data)
        elif self._parser is not None or not self._take_plain_head(data, sink):
            self._parse(data, sink)

    def flush(self) -> None:
        """Tell the sink that what arrived in one go has been fed, and the end if that was it."""
        sink = self._sink
        if sink is None:
            return
        if self.complete:
            self._end(sink)
        else:
            sink.response_flush()

    def origin_writable(self, writable: bool) -> None:  # noqa: FBT001  a state, told by the loop
        """Pass on whether the origin takes more bytes."""
        if self._sink is not None:
            self._sink.origin_writable(writable)

    def origin_ended(self, failure: OriginFailure, *, clean: bool) -> None:
        """Tell that the origin's side is over before the response was.

        Args:
            failure: what to report unless the end of the connection ends the body.
            clean: the origin closed; it did not reset.
        """
        sink = self._sink
        if sink is None:
            return
        if self.head_seen and self.until_close and clean:
            self.complete = True
            self._end(sink)
        else:
            self.abandon()
            sink.response_failed(self, failure)

    def abandon(self) -> None:
        """Forget the sink and the parser: they hold us, and nothing more will be told."""
        self._sink = None
        self._parser = None

    def _take_plain_head(self, data: bytes, sink: ResponseSink) -> bool:
        """Take a final head that is whole and in the plain form, and what follows it.

        Returns:
            Whether it was one; if not, nothing has happened.
        """
        end = data.find(b"\r\n\r\n")
        head = plain_head(data[:end]) if 0 < end < self._max_head_bytes else None
        if head is None:
            return False
        status, reason, fields, length, has_date, has_age = head
        bodyless = self._no_body_expected or status == _NOT_MODIFIED
        if length < 0 and not bodyless:
            return False
        self.status, self.reason, self.fields, self.length = status, reason, fields, length
        if has_date:
            self.has_date = True
        if has_age:
            self.has_age = True
        if bodyless:
            self.bodyless = True
        self.reusable = self.head_seen = True
        left = 0 if bodyless else length
        body: Data = data[end + 4 :] if len(data) < DEAR_TO_COPY else memoryview(data)[end + 4 :]
        if len(body) == left:
            self.complete = True
            self._sink = None
            sink.response_whole(self, body)
            return True
        sink.response_head(self)
        self._left = left
        self.complete = left == 0
        if body:
            self.feed(bytes(body))
        return True

    def _parse(self, data: bytes, sink: ResponseSink) -> None:
        parser = self._parser
        if parser is None:
            parser = self._parser = httptools.HttpResponseParser(self)
        self._head_bytes += len(data)
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade as exc:
            if not self.complete:  # else it is one behind the response: nobody's
                self.abandon()
                sink.switching_protocols(self, data[exc.args[0] :])
                return
        except httptools.HttpParserError as exc:
            self.refusal = self.refusal or str(exc)
        if self.complete:  # it ended before what the parser disliked: that spoils the connection
            self.reusable = self.reusable and not self.refusal
            return
        if not self.refusal and self._head_bytes > self._max_head_bytes:
            self.refusal = f"more than {self._max_head_bytes} bytes of header fields"
        if self.refusal:
            self.abandon()
            sink.response_failed(self, OriginFailure(Reason.BAD_RESPONSE, self.refusal))

    def _interim_head(self, status: int, options: list[bytes]) -> None:
        sink = self._sink
        assert sink is not None  # noqa: S101  asked by the only caller
        if status < _INFORMATIONAL:
            self._refuse(f"status {status:03}")
        if self.length >= 0 or self._transfer_encoding:
            self._refuse(f"status {status} with a body")
        if status == _SWITCHING:
            if not self._upgrade_asked:
                self._refuse("status 101 without a request for it")
            if b"upgrade" not in options or not self._upgrade:
                self._refuse("status 101 that names no protocol")
            return
        self._interim += 1
        if self._interim > _MAX_INTERIM:
            self._refuse(f"more than {_MAX_INTERIM} interim responses")
        sink.interim_response(self)

    def _refuse(self, why: str) -> None:
        self.refusal = why
        raise _ResponseRefusedError(why)

    def _end(self, sink: ResponseSink) -> None:
        self.abandon()
        sink.response_end(self)
