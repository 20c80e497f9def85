"""The client's side: one HTTP/1.1 connection, its requests in order, its limits.

Rules: requests are answered in the order they came; at most a few are read ahead. A request that
breaks HTTP's rules is answered when its turn comes and ends the connection, and what followed it is
never looked at. After a refusal with input still unread the connection lingers, so that the client
sees the answer before the reset.

Source: RFC 9112 sections 9.3.2 (pipelining) and 9.6 (lingering close).
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from typing import TYPE_CHECKING, Final, cast

import httptools

from mralab.config.settings import Endpoint
from mralab.origin.wire import half_close, reset
from mralab.proxy.answers import bad_request
from mralab.proxy.relay import ForwardedFields
from mralab.proxy.request import Request, plain_request
from mralab.proxy.transaction import Transaction
from mralab.trafficlog.render import dst_fields, src_fields

if TYPE_CHECKING:
    from mralab.origin.wire import Data
    from mralab.proxy.answers import Refusal
    from mralab.proxy.server import ProxyServer
    from mralab.proxy.tunnel import Tunnel

_METHOD: Final = re.compile(rb"(?:\r\n)*[!#$%&'*+.^_`|~0-9A-Za-z-]+(?: |$)")
#: What llhttp says where another status than 400 is due.
_STATUSES: Final = {
    "Invalid HTTP version": 505,
    "Invalid `Transfer-Encoding` header value": 501,
}


class _RefusedError(Exception):
    """Leaves the parser's callbacks; the refusal stands in ``ClientConnection``."""


class ClientConnection(asyncio.Protocol):
    """One client connection.

    Attributes:
        address: ``address:port`` of the client.
        source: ``Src-ip`` and ``Src-port`` of the client for the log.
        destination: ``Dst-ip`` and ``Dst-port`` likewise.
        forwarded: what this connection adds to its requests.
        full: whether the client reads slowly, so that the origin is held.
        held: whether the client is not read, because what it sent is not passed on yet.
        idle_since: loop time since when no request is under way, 0 while one is.
        linger_until: loop time at which an ended connection is cut off; 0 before its end.
        origin_full: whether the origin reads slowly, so that the client is held.
        current: the transaction being worked on.
    """

    __slots__ = (
        "_closing",
        "_half_closed",
        "_head_bytes",
        "_head_since",
        "_last",
        "_parser",
        "_queue",
        "_reading",
        "_refusal",
        "_resuming",
        "_server",
        "_transport",
        "_tunnel",
        "address",
        "current",
        "destination",
        "forwarded",
        "full",
        "held",
        "idle_since",
        "linger_until",
        "origin_full",
        "source",
    )

    def __init__(self, server: ProxyServer) -> None:
        """Prepare a protocol for ``loop.create_server``."""
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpRequestParser | None = None
        self._reading: Transaction | None = None  # the request whose bytes come now
        self._queue: deque[Transaction] = deque()  # not answered yet, the first is under way
        self._refusal: Refusal | None = None
        self._resuming = False  # a head of ours tells a new parser how a body is delimited
        self._tunnel: Tunnel | None = None
        self._head_bytes = 0  # read since the last message ended or its body went on
        self._head_since = 0.0  # when a head that is not complete yet began
        self._last = False  # no request follows the one read last
        self._closing = False
        self._half_closed = False
        self.current: Transaction | None = None
        self.full = False
        self.held = False
        self.origin_full = False
        self.idle_since = 0.0
        self.linger_until = 0.0

    # -- what the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Render what is the same for all requests of this connection."""
        server = self._server
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(server.limits.high_water_bytes)
        peer = transport.get_extra_info("peername")
        if peer is None:  # the client has reset the connection already
            self.abort()
            return
        address, port = str(peer[0]), int(peer[1])
        self.address = str(Endpoint(address, port))
        self.source = src_fields(address, port)
        self.destination = dst_fields(address, port)
        self.forwarded = ForwardedFields(address, server.via)
        self.idle_since = server.now
        self._parser = httptools.HttpRequestParser(self)
        server.clients.add(self)

    def data_received(self, data: bytes) -> None:
        """Parse what arrived; start the first request or pass on more of its body."""
        if self._tunnel is not None:
            self._tunnel.client_data(data)
        elif self._closing:
            return  # read and forgotten: the client is to see the answer, not a reset
        elif self._last:
            if self._reading is not None:
                self._reading.add_early_bytes(data)
        elif self._head_bytes or not self._take_plain_request(data):
            self._parse(data)
            if self._queue:
                self._pump()

    def eof_received(self) -> bool:
        """Keep a half-closed connection open until its requests are answered."""
        self._half_closed = True
        if self._tunnel is not None:
            self._half_close(self._tunnel)
            return True
        if self._closing:
            return False
        self._last = True
        cut, queue = self._reading, self._queue
        if cut is not None and not cut.request_complete and cut.refusal is None:
            if cut.started:
                return False
            if queue and queue[-1] is cut:
                queue.pop()
        if queue:
            queue[-1].request.keep_alive = False
        return bool(queue)

    def connection_lost(self, exc: Exception | None) -> None:
        """End what is under way, then cut the links."""
        del exc
        self._server.client_gone(self)
        self._closing = True
        tunnel, self._tunnel = self._tunnel, None
        if tunnel is not None:
            tunnel.client_gone()
        waiting, self._queue = self._queue, deque()
        self._parser = None  # it holds our methods: cut, or the cycle waits for the collector
        self._reading = self.current = self._transport = None
        for transaction in waiting:
            if transaction.started:
                transaction.client_gone()

    def pause_writing(self) -> None:
        """Hold the origin while the client reads slowly."""
        self.full = True
        if self._tunnel is not None:
            self._tunnel.client_writable(False)
        elif self.current is not None:
            self.current.hold_origin(True)

    def resume_writing(self) -> None:
        """Let the origin go on."""
        self.full = False
        if self._tunnel is not None:
            self._tunnel.client_writable(True)
        elif self.current is not None:
            self.current.hold_origin(False)

    # -- parser callbacks, in the order they come

    def on_message_begin(self) -> None:
        """Start a request (llhttp callback)."""
        if self._resuming:
            return
        self._reading = Transaction(self, self._server, Request())

    def on_url(self, url: bytes) -> None:
        """Take a piece of the request target (llhttp callback)."""
        if self._resuming:
            return
        self._transaction.request.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field or a trailer field (llhttp callback)."""
        if self._resuming:
            return
        request = self._transaction.request
        request.add_field(name, value)
        if self._server.debug and not request.head_complete:
            request.received += ((name, value),)

    def on_headers_complete(self) -> None:
        """Judge the head and queue the request (llhttp callback)."""
        if self._resuming:
            self._resuming = False
            return
        transaction, parser, server = self._transaction, self._parser, self._server
        assert parser is not None  # noqa: S101  a callback of this very parser
        request = transaction.request
        limits = server.limits
        refusal = request.judge(parser.get_method(), parser.get_http_version(), limits)
        if refusal is None and len(request.fields) > limits.max_header_fields:
            refusal = bad_request(431, f"more than {limits.max_header_fields} header fields")
        if self._head_bytes > limits.max_header_bytes < request.size:
            refusal = self._too_long(request)
        if refusal is not None:
            self._refuse(refusal)
        if server.draining:
            request.keep_alive = False
        self._queue.append(transaction)

    def on_body(self, data: bytes) -> None:
        """Take a piece of the body (llhttp callback)."""
        self._head_bytes = 0
        self._transaction.add_body(data)

    def on_message_complete(self) -> None:
        """Note the end of a request (llhttp callback)."""
        transaction, parser = self._transaction, self._parser
        if transaction.request.has_body and parser is not None and parser.should_upgrade():
            return  # httptools leaves the body of such a request to us: it is not read yet
        transaction.end_body()
        self._head_bytes = 0
        if not transaction.request.keep_alive:
            self._last = True

    # -- what the transaction calls

    def write(self, data: bytes) -> None:
        """Send bytes to the client at the end of this turn."""
        if self._transport is not None:
            self._server.wire.write(self._transport, data)

    def write_all(self, pieces: list[Data]) -> None:
        """Send pieces to the client at the end of this turn."""
        if self._transport is not None:
            self._server.wire.write_all(self._transport, pieces)

    def origin_writable(self, writable: bool) -> None:  # noqa: FBT001  a state, told by the loop
        """The origin reads slowly, or reads again: so does the client's connection."""
        self.origin_full = not writable
        self.balance()

    def balance(self) -> None:
        """Hold the client while enough of what it sent waits, and let it go on afterwards."""
        queue = self._queue
        limit = self._server.limits.max_pipelined
        self._hold(
            self.origin_full or len(queue) > limit or bool(queue and queue[-1].holds_too_much)
        )

    def tunnel_opened(self, tunnel: Tunnel) -> None:
        """From now on bytes go through a tunnel."""
        self._tunnel = tunnel
        if self._half_closed:
            self._half_close(tunnel)
        if self.full:
            tunnel.client_writable(False)

    def transaction_ended(self, transaction: Transaction, *, keep: bool) -> None:
        """The first request is answered: go on with the next, or close."""
        if self._closing:
            return
        self._queue.popleft()
        self.current = None
        self.origin_full = False
        if not keep:
            self._close_after(transaction)
        elif self._queue:
            self._server.loop.call_soon(self._pump)
        else:
            self.idle_since = self._server.now
            if self.held:
                self.balance()

    def close(self) -> None:
        """End the connection in order; a client that does not take the rest has no more than time.

        The time is that of an idle connection.
        """
        self._closing = True
        if self._transport is not None:
            server = self._server
            server.wire.flush()
            self._transport.close()
            self.linger_until = server.loop.time() + server.settings.timeouts.client_idle_s

    def abort(self) -> None:
        """End the connection at once and by a reset, so that no answer looks complete."""
        self._closing = True
        if self._transport is not None:
            self._server.wire.flush()
            reset(self._transport)

    # -- what the server calls

    def sweep(self, now: float) -> None:
        """Look whether whoever is waited for has had his time."""
        timeouts = self._server.snapshot.settings.timeouts
        transaction = self.current
        if self.linger_until:
            if now >= self.linger_until:
                self.abort()
        elif self._queue:  # the next request may be about to begin: then there is no current one
            if transaction is not None and transaction.deadline and now >= transaction.deadline:
                transaction.expire()
        elif self._head_since and now >= self._head_since + timeouts.client_request_s:
            self._refuse_unread(408, "the request's head did not end")
        elif now >= self.idle_since + timeouts.client_idle_s:
            self.close()

    def drain(self) -> None:
        """Close if idle; otherwise after the requests that have come."""
        if self._closing or self._tunnel is not None:
            return
        if not self._queue:
            self.close()
            return
        self._queue[-1].request.keep_alive = False
        reading = self._reading
        if reading is None or reading.request_complete:
            self._last = True

    def has_tunnel_of_before(self, generation: int) -> bool:
        """Whether this is a tunnel verified under a snapshot before ``generation``."""
        return self._tunnel is not None and self._tunnel.generation != generation

    def shut_down(self) -> None:
        """The proxy cannot wait any longer."""
        transaction = self.current
        if transaction is not None:
            transaction.shut_down()
        self.close()

    # -- inside

    @property
    def _transaction(self) -> Transaction:
        transaction = self._reading
        assert transaction is not None  # noqa: S101  llhttp begins each message
        return transaction

    def _take_plain_request(self, data: bytes) -> bool:
        """Take data that is one whole request without a body, in the form that clients send.

        Returns:
            Whether it was one; if not, nothing has happened.
        """
        reading, server = self._reading, self._server
        if (
            (reading is not None and not reading.request_complete)
            or server.debug
            or data.find(b"\r\n\r\n") != len(data) - 4
        ):
            return False
        request = plain_request(data[:-4], server.limits)
        if request is None:
            return False
        transaction = self._reading = Transaction(self, server, request)
        transaction.request_complete = True
        if server.draining:
            request.keep_alive = False
            self._last = True
        queue = self._queue
        queue.append(transaction)
        if len(queue) == 1:
            self.current = transaction
            self.idle_since = 0.0
            transaction.begin()
        else:
            self.balance()
        return True

    def _parse(self, data: bytes) -> None:
        self._head_bytes += len(data)
        while (parser := self._parser) is not None:
            try:
                parser.feed_data(data)
            except httptools.HttpParserUpgrade as exc:
                data = data[exc.args[0] :]
                if self._goes_on_behind_upgrade(data):
                    continue
            except httptools.HttpParserError as exc:
                if not self._last:  # beyond a request with Connection: close nothing is looked at
                    self._refused(self._refusal or self._refusal_for(exc, data))
            else:
                self._check_size()
            break
        if not self._reading_head:
            self._head_since = 0.0

    def _refusal_for(self, error: httptools.HttpParserError, data: bytes) -> Refusal:
        """Return what llhttp's error deserves."""
        status = 400
        if self._reading_head:
            if isinstance(error, httptools.HttpParserInvalidMethodError) and _METHOD.match(data):
                status = 501
            elif str(error) in _STATUSES:
                status = _STATUSES[str(error)]
                assert self._parser is not None  # noqa: S101  it has just raised this
                self._transaction.request.method = self._parser.get_method()  # HEAD gets no page
        return bad_request(status, str(error))

    def _check_size(self) -> None:
        """Bound what comes without an end: of a head, of trailer fields, of a chunk's line."""
        transaction = self._reading
        if transaction is None or transaction.request_complete:
            return
        request = transaction.request
        if not request.head_complete and not self._head_since:
            self._head_since = self._server.loop.time()
        if self._head_bytes > self._server.limits.max_header_bytes:
            self._refused(self._too_long(request))

    def _too_long(self, request: Request) -> Refusal:
        limit = self._server.limits.max_header_bytes
        status = 414 if len(request.url) * 2 > limit else 431
        return bad_request(status, f"more than {limit} bytes of header fields")

    @property
    def _reading_head(self) -> bool:
        transaction = self._reading
        return transaction is not None and not transaction.request.head_complete

    def _refuse(self, refusal: Refusal) -> None:
        self._refusal = refusal
        raise _RefusedError(refusal.detail)

    def _refused(self, refusal: Refusal) -> None:
        """A request is refused: it is answered in its turn, and nothing after it is read."""
        self._last = True
        self._refusal = None
        self._parser = None
        transaction = self._reading
        if transaction is None or transaction.request_complete:
            transaction = Transaction(self, self._server, Request())
        transaction.request.keep_alive = False
        if transaction.started:
            transaction.body_broken(refusal)
            return
        transaction.refusal = refusal
        if transaction not in self._queue:
            self._queue.append(transaction)

    def _refuse_unread(self, status: int, detail: str) -> None:
        """Refuse the head that is being read, outside the parser."""
        self._refused(bad_request(status, detail))
        if self._queue:
            self._pump()

    def _goes_on_behind_upgrade(self, rest: bytes) -> bool:
        """Look at a request that llhttp takes for the last in HTTP; return whether it is not."""
        transaction = self._transaction
        if transaction.request.upgrade:
            transaction.add_early_bytes(rest)
            return False
        # The upgrade is not passed on, so what follows is HTTP: the body first, if there is one.
        parser = self._parser = httptools.HttpRequestParser(self)
        if not transaction.request_complete:
            self._resuming = True
            parser.feed_data(transaction.request.framing_head())
        return bool(rest) and not self._last

    def _pump(self) -> None:
        """Start the first request, or pass on more of its body."""
        while self._queue and not self._closing:
            transaction = self._queue[0]
            if transaction.started:
                transaction.send_body()
                break
            self.current = transaction
            self.idle_since = 0.0
            transaction.begin()
            if self._queue and self._queue[0] is transaction:
                break
        self.balance()

    def _half_close(self, tunnel: Tunnel) -> None:
        """The client sends no more; if it is gone altogether, only time will tell."""
        tunnel.client_eof()
        if self.current is not None:
            timeouts = self._server.snapshot.settings.timeouts
            self.current.deadline = self._server.loop.time() + timeouts.client_idle_s

    def _hold(self, held: bool) -> None:  # noqa: FBT001  a state, not an option
        """Stop reading from the client, or go on."""
        if held is self.held or self._transport is None or self._closing:
            return
        self.held = held
        if held:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()
            if self._head_since:  # it could not go on either
                self._head_since = self._server.loop.time()

    def _close_after(self, transaction: Transaction) -> None:
        """Close behind an answer; with input unread, let the client read the answer first."""
        transport = self._transport
        if transport is None:
            return
        if transaction.request_complete and self._last and not self._queue:
            self.close()
            return
        self._hold(False)
        self._closing = True
        self._server.wire.flush()
        half_close(transport)
        timeouts = self._server.snapshot.settings.timeouts
        self.linger_until = self._server.loop.time() + timeouts.linger_s
