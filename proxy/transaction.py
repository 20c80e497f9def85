"""One request from arrival to its last log line: the only place with the whole order.

The order, each step with its log line when it happens:

1. decode the route, log *Receive Request*
2. ask the allow list: *Request Allowed*, or *Request Denied* and 403
3. take a pooled connection, or resolve and connect
4. log *Send Request* once TCP stands, before the handshake, so again for each attempt
5. the handshake with its verdict; if that says terminate: WARNING, ERROR, the next attempt,
   finally 502
6. stream the body there and the response back: *Receive Response*, *Send Response*

Source: order of lines and events in Cisco 218018 (seen); where *Send Request* stands, and that the
WARNING and ERROR pair comes once per attempt, is inferred from its capture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mralab.errors import RouteError
from mralab.origin.connect import OriginAttempts
from mralab.origin.failure import OriginFailure
from mralab.origin.fields import pairs
from mralab.origin.response import ResponseReader
from mralab.proxy import relay
from mralab.proxy.answers import (
    Refusal,
    bad_route,
    not_allowed,
    refusal_for,
    render_answer,
    start_line,
)
from mralab.proxy.eventlog import log_failed_attempt, log_let_pass
from mralab.proxy.request import IDEMPOTENT_METHODS, SAFE_METHODS, username_of
from mralab.proxy.tunnel import Tunnel
from mralab.trafficlog import render
from mralab.trafficlog.grammar import Verb
from mralab.truststore.verdict import Reason

if TYPE_CHECKING:
    from mralab.origin.connection import OriginConnection
    from mralab.origin.wire import Data
    from mralab.proxy.http1 import ClientConnection
    from mralab.proxy.request import Request
    from mralab.proxy.server import ProxyServer
    from mralab.proxy.snapshot import Destination, Snapshot
    from mralab.trafficlog.render import Stamp
    from mralab.truststore.openssl import HandshakeInspection

_ALLOW_LIST_OFF: Final = render.rule_fields("", "prefix", "Allow list off")
_FIRST_ERROR: Final = 400
_OK: Final = Reason.OK  # an enum's member is looked up through two classes
_EARLY_MAX: Final = 65_536  # bytes of another protocol kept until it is agreed on


class Transaction:
    """One request and its answer.

    Defaults stand on the class: a new transaction stores few attributes.

    Attributes:
        request: what the client asked.
        request_complete: whether its body was read to the end.
        refusal: an answer of ours already due when its turn comes.
        started: whether its turn has come.
        deadline: loop time at which whoever is waited for has had its time.
        number: Txn-id, 0 before its turn.
        tracking_id: TrackingID of the log lines.
        destination: where it goes, once decoded.
        failures: failed attempts, in order.
        let_pass: faults of a new connection that the policy let pass, if there were any.
        client_address: ``address:port`` of the client.
        status: status of the answer sent to the client; 0 before.
        reason: how it ended.
    """

    request_complete = False
    refusal: Refusal | None = None
    started = False
    ended = False
    deadline = 0.0
    number = 0
    tracking_id = ""
    tag = ""
    destination: Destination | None = None
    snapshot: Snapshot | None = None
    failures: tuple[OriginFailure, ...] = ()
    let_pass: HandshakeInspection | None = None
    client_address = ""
    status = 0
    reason: Reason | None = None
    detail = ""
    _client: ClientConnection | None = None
    _attempts: OriginAttempts | None = None
    _connection: OriginConnection | None = None
    _reader: ResponseReader | None = None
    _pooled = False
    _chunk = False
    _early = b""
    _held = 0
    _replay: list[bytes] | None = None
    _replay_bytes = 0
    _body_sent = False

    def __init__(self, client: ClientConnection, server: ProxyServer, request: Request) -> None:
        """Take a request whose head is complete, or which is refused."""
        self._client = client
        self._server = server
        self.request = request
        self._body: list[bytes] = []
        self._out: list[Data] = []

    # -- 1 to 3: what the client connection calls

    def begin(self) -> None:
        """Its turn has come."""
        self.started = True
        server, request, client = self._server, self.request, self._client
        if client is None:
            return
        self.number = next(server.txn_ids)
        self.client_address = client.address
        snapshot = self.snapshot = server.snapshot
        self.tracking_id = (
            render.escape(request.tracking_id.decode("latin-1").rstrip())
            if request.tracking_id
            else next(server.tracking_ids)
        )
        self.tag = render.tag_fields(self.number, self.tracking_id)
        if self.refusal is not None:
            self._refuse(self.refusal)
            return
        log = server.log
        stamp = log.stamp()
        self._log_received(client, stamp)
        try:
            destination, request.path = snapshot.route(request.url)
        except RouteError as exc:
            self._refuse(bad_route(str(exc)))
            return
        self.destination = destination
        path = request.path_text = request.path.decode("latin-1")
        request.path_logged = path if request.prints else render.escape(path)
        if not self._allowed(destination, stamp):
            return
        connection = server.pool.take(destination.key)
        if connection is None:
            self._connect()
        else:
            self._pooled = True
            self._log_sent(connection, stamp)
            self.origin_ready(connection)

    def add_body(self, data: bytes) -> None:
        """Take a piece of the request's body."""
        if self.request.chunked:
            data = relay.chunk_of(data)
        self._body.append(data)
        self._held += len(data)

    def end_body(self) -> None:
        """Note the end of the request."""
        if self.request.chunked:
            self._body.append(relay.last_chunk(self.request.trailers))
        self.request_complete = True

    def add_early_bytes(self, data: bytes) -> None:
        """Keep what a client sends before the other protocol is agreed on; forget it otherwise."""
        if self.request.upgrade and len(self._early) + len(data) <= _EARLY_MAX:
            self._early += data

    def send_body(self) -> None:
        """Pass on what has come of the body, if the origin can take it."""
        connection = self._connection
        if connection is not None and self._body and self._reader is not None:
            connection.write(self._take_body())
            self._touch()

    @property
    def holds_too_much(self) -> bool:
        """Whether more of the body waits here than may."""
        held = self._held
        return held > 0 and held > self._server.limits.replay_bytes

    def hold_origin(self, held: bool) -> None:  # noqa: FBT001  a state, told by the loop
        """The client reads slowly, or reads again: pass it on to the origin."""
        if self._connection is not None:
            self._connection.hold(held)

    def client_gone(self) -> None:
        """The client closed before its answer was complete."""
        self._drop_origin()
        self._finish(Reason.CLIENT_GONE, "the client closed its connection", keep=False)

    def body_broken(self, refusal: Refusal) -> None:
        """The request's body breaks HTTP's rules: the origin never gets its end."""
        self._drop_origin()
        if self.status:
            self._cut(refusal.reason, refusal.detail)
        else:
            self._refuse(refusal)

    def expire(self) -> None:
        """The deadline has passed."""
        attempts, client = self._attempts, self._client
        if attempts is not None and attempts.under_way:
            if self.deadline >= attempts.deadline:
                attempts.expire()
            if attempts.under_way:  # the next attempt, begun now or since the deadline was set
                self.deadline = attempts.deadline
            return
        waits_for_client = (
            client is not None and not client.held and not self.request_complete and not self.status
        )
        self._drop_origin()
        if self.status:
            self._cut(Reason.RESPONSE_TIMEOUT, "the response stopped")
        elif waits_for_client:
            self._refuse(
                Refusal(408, "Request Timeout", Reason.BAD_REQUEST, "the request's body stopped")
            )
        else:
            self._refuse_for(Reason.RESPONSE_TIMEOUT, "the origin did not answer in time")

    def shut_down(self) -> None:
        """The proxy ends and cannot wait any longer."""
        self._drop_origin()
        if self.status or not self.started:
            self._cut(Reason.SHUTDOWN, "the proxy was stopped")
        else:
            self._refuse_for(Reason.SHUTDOWN, "the proxy was stopped")

    # -- 4 and 5: what the attempts report (AttemptsClient)

    def origin_connected(self, connection: OriginConnection) -> None:
        """TCP stands: log *Send Request*."""
        self._log_sent(connection, self._server.log.stamp())

    def origin_ready(self, connection: OriginConnection) -> None:
        """A connection is established: send the request."""
        client = self._client
        if client is None:
            connection.close()
            return
        if connection.let_pass is not None:
            self.let_pass, connection.let_pass = connection.let_pass, None
            log_let_pass(self._server, self._destination.route, self.let_pass)
        request = self.request
        self._connection = connection
        reader = self._reader = ResponseReader(
            self,
            head_request=request.method == b"HEAD",
            upgrade_asked=bool(request.upgrade),
            max_head_bytes=self._server.limits.max_response_header_bytes,
        )
        data = relay.request_head(request, self._destination.host_lines, client.forwarded)
        if self._body:
            data += self._take_body()
        self._touch()
        client.origin_full = False
        connection.serve(reader, data)
        if client.full:
            connection.hold(True)
        if client.held:
            client.balance()

    def attempt_failed(self, failure: OriginFailure) -> None:
        """Log an attempt that failed; another one or the end follows."""
        self.failures += (failure,)
        log_failed_attempt(self._server, self._destination.route, failure)

    def origin_unavailable(self, failure: OriginFailure) -> None:
        """No attempt is left: answer."""
        self._refuse_for(failure.reason, failure.detail)

    # -- 6: what the response reader reports (ResponseSink)

    def interim_response(self, response: ResponseReader) -> None:
        """Pass a 1xx on to a client that knows them."""
        if not self.request.version_1_0:
            self._out.append(relay.interim_head(response))

    def switching_protocols(self, response: ResponseReader, rest: bytes) -> None:
        """The origin agrees to another protocol: from now on bytes pass both ways."""
        client, connection = self._client, self._connection
        if client is None or connection is None:
            return
        self.status = response.status
        self._log_response(client, connection, response)
        self._out.append(relay.switching_head(response, self.request.upgrade))
        self.response_flush()
        self.deadline = 0.0
        tunnel = Tunnel(connection, client, self._tunnel_ended)
        connection.reader = tunnel
        if rest:
            tunnel.feed(rest)
        if self._early:
            tunnel.client_data(self._early)
            self._early = b""
        client.tunnel_opened(tunnel)

    def response_head(self, response: ResponseReader) -> None:
        """Log and pass on the final head."""
        client, connection = self._client, self._connection
        if client is None or connection is None:
            return
        self._out.append(self._head_of(response, client, connection))

    def response_whole(self, response: ResponseReader, body: Data) -> None:
        """Log and pass on a whole answer, and end."""
        client, connection = self._client, self._connection
        if client is not None and connection is not None:
            client.write_all([self._head_of(response, client, connection), body])
            self._answered(response)

    def response_body(self, data: Data) -> None:
        """Pass a piece of the body on."""
        self._out.append(relay.chunk_of(data) if self._chunk else data)

    def response_flush(self) -> None:
        """Write what has gathered."""
        out, client = self._out, self._client
        if out and client is not None:
            self._out = []
            client.write_all(out)
            self._touch()

    def origin_writable(self, writable: bool) -> None:  # noqa: FBT001  a state, told by the loop
        """The origin reads the request's body slowly, or reads again: pass it on."""
        if self._client is not None:
            self._client.origin_writable(writable)

    def response_end(self, response: ResponseReader) -> None:
        """Pass on what is left of the answer, and end."""
        out, client = self._out, self._client
        if self._chunk:
            out.append(relay.last_chunk(response.trailers))
        if out and client is not None:
            self._out = []
            client.write_all(out)
        self._answered(response)

    def response_failed(self, response: ResponseReader, failure: OriginFailure) -> None:
        """The response cannot be completed: try again where that is safe, or answer."""
        del response
        self._drop_origin()
        if self.status:
            self._cut(Reason.RESPONSE_CUT, failure.detail)
            return
        if failure.reason is Reason.ORIGIN_CLOSED:
            failure = OriginFailure(Reason.NO_RESPONSE, failure.detail)
        self.attempt_failed(failure)
        pooled, self._pooled = self._pooled, False
        attempts = self._attempts
        methods = IDEMPOTENT_METHODS if pooled else SAFE_METHODS
        again = self.request.method in methods and self._rewind()
        if again and pooled:
            self._connect()
        elif again and attempts is not None and attempts.left:
            attempts.start(self)
            self.deadline = attempts.deadline
        else:
            self._refuse_for(failure.reason, failure.detail)

    # -- inside

    @property
    def _destination(self) -> Destination:
        destination = self.destination
        assert destination is not None  # noqa: S101  nothing reaches an origin without one
        return destination

    def _allowed(self, destination: Destination, stamp: Stamp) -> bool:
        """Ask the allow list and log what it says."""
        request, log = self.request, self._server.log
        route, rules = destination.route, destination.rules
        if rules is None:
            event_fields: str | None = _ALLOW_LIST_OFF
        else:
            rule = rules.allows(request.method_text, request.path_text)
            event_fields = None if rule is None else rule.event_fields
        url = route.base_url + request.path_logged
        username = username_of(request.authorization) if request.authorization else ""
        if event_fields is not None:
            log.add(
                render.request_allowed(
                    stamp,
                    reason="In allow list",
                    username=username,
                    deployment="1",
                    method=request.method_text,
                    request=url,
                    rule_fields=event_fields,
                )
            )
            return True
        log.add(
            render.request_denied(
                stamp,
                reason="Not in allow list",
                username=username,
                deployment="1",
                method=request.method_text,
                request=url,
            )
        )
        self._refuse(not_allowed(f"no allow list rule for {request.method_text} {url}"))
        return False

    def _connect(self) -> None:
        server = self._server
        snapshot = self.snapshot or server.snapshot
        attempts = self._attempts = OriginAttempts(
            self._destination.route,
            context=snapshot.context,
            generation=snapshot.generation,
            resolver=snapshot.resolver,
            wire=server.wire,
            loop=server.loop,
            retries=snapshot.settings.effective_retries,
            timeout_s=snapshot.settings.timeouts.connect_timeout_s,
            connect=server.connect,
        )
        attempts.start(self)
        self.deadline = attempts.deadline

    def _take_body(self) -> bytes:
        """Return what has gathered of the body; keep it for another attempt while it is small."""
        body, self._body = self._body, []
        self._held = 0
        data = body[0] if len(body) == 1 else b"".join(body)
        self._replay_bytes += len(data)
        if self._replay_bytes > self._server.limits.replay_bytes:
            self._replay = None
        elif self._replay is None and not self._body_sent:
            self._replay = [data]
        elif self._replay is not None:
            self._replay.append(data)
        self._body_sent = True
        return data

    def _rewind(self) -> bool:
        """Make the body ready to be sent again; return whether that can be done."""
        if not self._body_sent:
            return True
        if self._replay is None:
            return False
        self._body = self._replay + self._body
        self._replay = None
        self._body_sent = False
        self._replay_bytes = 0
        return True

    def _touch(self) -> None:
        """Somebody moved: the time to wait for the next move begins again."""
        server = self._server
        self.deadline = (
            server.response_deadline if self.request_complete else server.request_deadline
        )

    def _log_received(self, client: ClientConnection, stamp: Stamp) -> None:
        request, log = self.request, self._server.log
        url = request.url.decode("latin-1")
        if not request.prints:
            url = render.escape(url)
        line = f"{request.method_text} {url} {'HTTP/1.0' if request.version_1_0 else 'HTTP/1.1'}"
        log.add(render.receive_request(stamp, self.tag, client.source, line))
        if self._server.debug:
            version = b"HTTP/1.0" if request.version_1_0 else b"HTTP/1.1"
            start = b"%b %b %b" % (request.method, request.url, version)
            block = render.http_message(start, request.received)
            log.add(
                render.debug_message(stamp, Verb.RECEIVE_REQUEST, self.tag, client.source, block)
            )

    def _log_sent(self, connection: OriginConnection, stamp: Stamp) -> None:
        request, log = self.request, self._server.log
        line = f"{request.method_text} {request.path_logged} HTTP/1.1"
        log.add(render.send_request(stamp, self.tag, connection.destination, line))
        if self._server.debug:
            fields = [(b"Host", self._destination.route.authority), *pairs(request.fields)]
            start = b"%b %b HTTP/1.1" % (request.method, request.path)
            block = render.http_message(start, fields)
            log.add(
                render.debug_message(
                    stamp, Verb.SEND_REQUEST, self.tag, connection.destination, block
                )
            )

    def _log_response(
        self, client: ClientConnection, connection: OriginConnection, response: ResponseReader
    ) -> relay.StatusLine:
        log = self._server.log
        stamp = log.stamp()
        line = relay.status_line(response.status, response.reason)
        log.add(render.receive_response(stamp, self.tag, connection.source, line.text))
        log.add(render.send_response(stamp, self.tag, client.destination, line.text))
        if self._server.debug:
            block = render.http_message(line.line, pairs(response.fields))
            for verb, peer in (
                (Verb.RECEIVE_RESPONSE, connection.source),
                (Verb.SEND_RESPONSE, client.destination),
            ):
                log.add(render.debug_message(stamp, verb, self.tag, peer, block))
        return line

    def _head_of(
        self, response: ResponseReader, client: ClientConnection, connection: OriginConnection
    ) -> bytes:
        """Log a final head; return it as the client gets it."""
        request = self.request
        self.status = response.status
        line = self._log_response(client, connection, response).line
        delimited = response.bodyless or response.length >= 0
        self._chunk = not delimited and not request.version_1_0
        if not delimited and request.version_1_0:
            request.keep_alive = False
        if not self.request_complete:
            request.keep_alive = False  # the client is told so now, and that binds
        return relay.response_head(
            response,
            line=relay.line_1_0(line) if request.version_1_0 else line,
            chunk=self._chunk,
            keep_alive=request.keep_alive,
            date=b"" if response.has_date else self._server.date_field(),
        )

    def _answered(self, response: ResponseReader) -> None:
        """The answer is complete: give the connection back and end."""
        connection, self._connection = self._connection, None
        self._reader = None
        keep = self.request.keep_alive and self.request_complete
        if connection is not None:
            if response.reusable and self.request_complete and not self._body:
                self._server.pool.give(connection, self._server.now)
            else:
                connection.close()
        self._finish(_OK, "", keep=keep)

    def _refuse_for(self, reason: Reason, detail: str) -> None:
        snapshot = self.snapshot or self._server.snapshot
        scheme = self.destination.route.scheme if self.destination is not None else "https"
        self._refuse(
            refusal_for(
                reason,
                detail,
                profile=snapshot.profile,
                scheme=scheme,
                close=not (self.request.keep_alive and self.request_complete),
            )
        )

    def _refuse(self, refusal: Refusal) -> None:
        """Answer ourselves, log it and end."""
        client = self._client
        if client is None or self.ended:
            return
        server = self._server
        self.status = refusal.status
        keep = not refusal.close and self.request.keep_alive and self.request_complete
        log = server.log
        stamp = log.stamp()
        if refusal.reason in {Reason.ROUTE_INVALID, Reason.BAD_REQUEST}:
            url = render.escape(self.request.url.decode("latin-1"))
            log.add(
                render.request_failed(
                    stamp, reason=render.escape(refusal.detail), request=url, src=client.source
                )
            )
        line = start_line(refusal, version_1_0=self.request.version_1_0)
        log.add(render.send_response(stamp, self.tag, client.destination, line))
        if refusal.status >= _FIRST_ERROR:
            log.add(
                render.http_error_response(
                    stamp, status=refusal.status, reason=refusal.phrase, dst=client.destination
                )
            )
        client.write(
            render_answer(
                refusal,
                line=line,
                date=server.date(),
                server=server.server_name,
                keep_alive=keep,
                head_only=self.request.method == b"HEAD",
                lab_reason=server.snapshot.settings.x_lab_reason,
            )
        )
        self._finish(refusal.reason, refusal.detail, keep=keep)

    def _cut(self, reason: Reason, detail: str) -> None:
        """End in the middle of the answer: the client must not take it for complete."""
        if self._client is not None:
            self._client.abort()  # first: an end in order would come before the reset
        self._finish(reason, detail, keep=False)

    def _tunnel_ended(self) -> None:
        self._connection = None
        self._finish(Reason.OK, "", keep=False)

    def _drop_origin(self) -> None:
        attempts = self._attempts
        if attempts is not None:
            attempts.abort()
        connection, self._connection = self._connection, None
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.abandon()
        if connection is not None:
            connection.abort()

    def _finish(self, reason: Reason, detail: str, *, keep: bool) -> None:
        if self.ended:
            return
        self.ended = True
        self.reason = reason
        self.detail = detail
        self.deadline = 0.0
        client, self._client = self._client, None
        self._attempts = None
        self._server.transaction_ended(self)
        if client is not None:
            client.transaction_ended(self, keep=keep)
