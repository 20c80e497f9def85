"""One connection to an origin: plain bytes in and out, over TCP or TLS over TCP.

Rules: a connection serves one response at a time (``reader``). Bytes that come while it serves
none spoil it: it is closed, they are given to nobody. Whoever opened the connection (``opener``)
hears of it until it is established; afterwards its reader, and while idle its pool, do. Links that
could keep a dead connection alive are cut in ``connection_lost``: a dead TLS state is hundreds of
kilobytes that a cycle would keep until the next full collection.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol, cast

from OpenSSL import SSL

from mralab.origin import rawtls
from mralab.origin.failure import OriginFailure
from mralab.origin.wire import READ_BUFFER, WriteQueue, half_close
from mralab.trafficlog.render import dst_fields, src_fields
from mralab.truststore.openssl import HandshakeInspection
from mralab.truststore.verdict import Reason, is_origin_alert, tls_reason

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mralab.truststore.openssl import OriginContext

_RECORD_HEADER = 5
_FLIGHT = 8_192  # handshake bytes read from OpenSSL at once


class Opener(Protocol):
    """Who opens connections: hears how far one has come."""

    def tcp_connected(self, connection: OriginConnection) -> None:
        """TCP stands; nothing was sent yet."""

    def established(self, connection: OriginConnection) -> None:
        """The connection can carry a request."""

    def not_established(self, connection: OriginConnection, failure: OriginFailure) -> None:
        """The connection ended before it could carry a request."""


class Feeder(Protocol):
    """Who gets the bytes of a connection: a response reader or a tunnel."""

    def feed(self, data: bytes) -> None:
        """Take bytes."""

    def origin_ended(self, failure: OriginFailure, *, clean: bool) -> None:
        """The connection is over."""

    def flush(self) -> None:
        """What was read in one go has been fed: pass on what it led to."""

    def origin_writable(self, writable: bool) -> None:  # noqa: FBT001  a state, told by the loop
        """The origin takes more bytes, or has enough for now."""


class OriginConnection(asyncio.BufferedProtocol):
    """A connection to an origin over plain TCP.

    Attributes:
        key: what the pool files it under.
        generation: number of the snapshot it was verified under.
        address: the origin's address as text.
        port: its port.
        source: ``Src-ip`` and ``Src-port`` of this origin for the log.
        destination: ``Dst-ip`` and ``Dst-port`` likewise.
        let_pass: faults that the policy let pass, if there were any.
        idle_since: loop time at which it went into the pool.
        lost: whether it is over.
    """

    __slots__ = (
        "_held",
        "_on_idle_end",
        "_opener",
        "_transport",
        "_wire",
        "address",
        "destination",
        "generation",
        "idle_since",
        "key",
        "let_pass",
        "lost",
        "port",
        "reader",
        "source",
    )

    def __init__(
        self,
        key: tuple[str, str, int],
        generation: int,
        wire: WriteQueue,
        opener: Opener,
        *,
        address: str,
    ) -> None:
        """Prepare a protocol for ``loop.create_connection``.

        Args:
            key: scheme, host and port, for the pool.
            generation: number of the snapshot in force.
            wire: the loop's write queue.
            opener: who hears how far the connection has come.
            address: the origin's address, for log and messages.
        """
        self.key = key
        self.generation = generation
        self._wire = wire
        self._opener: Opener | None = opener
        self._transport: asyncio.Transport | None = None
        self._on_idle_end: Callable[[OriginConnection], None] | None = None
        self.reader: Feeder | None = None
        self._held = False
        self.lost = False
        self.let_pass: HandshakeInspection | None = None
        self.address = address
        self.port = key[2]
        self.source = self.destination = ""
        self.idle_since = 0.0

    # -- what the proxy calls

    def serve(self, reader: Feeder, data: bytes) -> None:
        """Send a request's first bytes and give what comes back to ``reader``."""
        self._on_idle_end = None
        self.reader = reader
        self.write(data)

    def write(self, data: bytes) -> None:
        """Send plain bytes."""
        if self._transport is not None and not self.lost:
            self._wire.write(self._transport, data)

    def write_eof(self) -> None:
        """Send an end of stream after what was written."""
        if self._transport is not None and not self.lost:
            self._wire.flush()
            half_close(self._transport)

    def hold(self, held: bool) -> None:  # noqa: FBT001  a state, not an option
        """Stop reading, or go on: back-pressure of the client."""
        if held is self._held or self._transport is None or self.lost:
            return
        self._held = held
        if held:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def rest(self, now: float, on_idle_end: Callable[[OriginConnection], None]) -> None:
        """Become idle: from now on an end or a stray byte calls ``on_idle_end``."""
        self.reader = None
        if self._held:
            self.hold(False)
        self.idle_since = now
        self._on_idle_end = on_idle_end

    @property
    def clean(self) -> bool:
        """Whether nothing of an earlier response is left unread."""
        return True

    def close(self) -> None:
        """End the connection in order."""
        self.reader = None
        if self._transport is not None and not self.lost:
            self._wire.flush()
            self._transport.close()

    def abort(self) -> None:
        """End the connection at once; nobody is told."""
        self.reader = self._opener = self._on_idle_end = None
        if self._transport is not None and not self.lost:
            self._transport.abort()

    # -- what the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport; over plain TCP that is all."""
        opener = self._take_transport(transport)
        if opener is not None:
            opener.tcp_connected(self)
        self._establish()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Lend the shared read buffer."""
        del sizehint
        return READ_BUFFER

    def buffer_updated(self, nbytes: int) -> None:
        """Give what arrived to the reader."""
        if self.lost:
            return
        reader = self.reader
        if reader is None:
            self._spoilt()
            return
        reader.feed(bytes(READ_BUFFER[:nbytes]))
        reader.flush()

    def eof_received(self) -> bool:
        """Take the origin's end of stream as its end of connection."""
        self._ended(clean=True)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits, then cut the links."""
        self._ended(clean=exc is None)
        self._transport = None
        self._opener = self._on_idle_end = self.reader = None

    def pause_writing(self) -> None:
        """Pass the origin's back-pressure on."""
        if self.reader is not None:
            self.reader.origin_writable(False)

    def resume_writing(self) -> None:
        """Pass on that the origin reads again."""
        if self.reader is not None:
            self.reader.origin_writable(True)

    # -- inside

    def _take_transport(self, transport: asyncio.BaseTransport) -> Opener | None:
        self._transport = cast("asyncio.Transport", transport)
        self.source = src_fields(self.address, self.port)
        self.destination = dst_fields(self.address, self.port)
        opener = self._opener
        if opener is None:  # nobody waits any more
            self._transport.abort()
        return opener

    def _establish(self) -> None:
        opener, self._opener = self._opener, None
        if opener is not None:
            opener.established(self)

    def _spoilt(self) -> None:
        """Bytes came that nobody asked for."""
        self._leave_pool()
        self.close()

    def _leave_pool(self) -> None:
        on_idle_end, self._on_idle_end = self._on_idle_end, None
        if on_idle_end is not None:
            on_idle_end(self)

    def _ended(self, *, clean: bool) -> None:
        if self.lost:
            return
        self.lost = True
        self._leave_pool()
        opener, self._opener = self._opener, None
        if opener is not None:
            opener.not_established(self, self._failure(clean=clean))
        reader, self.reader = self.reader, None
        if reader is not None:
            reader.flush()
            reader.origin_ended(self._failure(clean=clean), clean=clean)

    def _failure(self, *, clean: bool) -> OriginFailure:
        where = f"{self.key[1]}:{self.key[2]} ({self.address})"
        if clean:
            return OriginFailure(Reason.ORIGIN_CLOSED, f"{where} closed the connection")
        return OriginFailure(Reason.ORIGIN_RESET, f"{where} reset the connection")


class TlsOriginConnection(OriginConnection):
    """A connection to an origin over TLS, by OpenSSL over memory BIOs.

    The verdict falls inside the handshake: if the policy says terminate, OpenSSL's fatal alert is
    written and nothing after it.
    """

    __slots__ = (
        "_context",
        "_handshaking",
        "_inspection",
        "_is_ip",
        "_records",
        "_tls",
    )

    def __init__(
        self,
        key: tuple[str, str, int],
        generation: int,
        wire: WriteQueue,
        opener: Opener,
        *,
        address: str,
        context: OriginContext,
        is_ip: bool,
    ) -> None:
        """Prepare a protocol for ``loop.create_connection``.

        Args:
            key: as for :class:`OriginConnection`, likewise the next four.
            generation: the same.
            wire: the same.
            opener: the same.
            address: the same.
            context: the trust snapshot's OpenSSL context.
            is_ip: whether the host is an IP literal, which is never sent as SNI.
        """
        super().__init__(key, generation, wire, opener, address=address)
        self._context: OriginContext | None = context
        self._is_ip = is_ip
        self._inspection: HandshakeInspection | None = None
        self._tls: SSL.Connection | None = None
        self._handshaking = True
        self._records = _RecordBoundary()

    @property
    def clean(self) -> bool:
        """Whether the bytes so far end with a whole TLS record."""
        return self._records.aligned

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the handshake."""
        opener, context = self._take_transport(transport), self._context
        if opener is None or context is None:
            return
        opener.tcp_connected(self)
        if self._opener is None:  # it has given up on hearing that
            return
        self._context = None
        self._inspection = HandshakeInspection(self.key[1], self.address, is_ip=self._is_ip)
        self._tls = context.new_connection(self._inspection)
        self._handshake(self._tls)

    def buffer_updated(self, nbytes: int) -> None:
        """Feed OpenSSL; read what it has for us."""
        tls = self._tls
        if self.lost or tls is None:
            return
        ends = self._records.take(READ_BUFFER, nbytes)
        if self._handshaking:
            rawtls.feed(tls, nbytes)
            self._handshake(tls)
            if self._handshaking or self.lost:
                return
            data, error = rawtls.read(tls)
        else:
            data, error = rawtls.open_records(tls, nbytes, ends)
        reader = self.reader
        if reader is None:
            self._came_idle(data, error)
            return
        if data:
            reader.feed(data)
            reader = self.reader  # another one from a 101 on
        if error is not None:
            self._broken(tls, error)
        elif reader is not None:
            reader.flush()

    def write(self, data: bytes) -> None:
        """Send plain bytes, encrypted."""
        tls, transport = self._tls, self._transport
        if tls is None or transport is None or self.lost:
            return
        try:
            records = rawtls.write(tls, data)
        except SSL.Error as exc:
            self._broken(tls, exc)
        else:
            self._wire.write(transport, records)

    def write_eof(self) -> None:
        """Send close_notify; TCP stays open for the origin's answer."""
        tls = self._tls
        if tls is not None and not self.lost:
            try:
                tls.shutdown()
            except SSL.Error:
                return
            self._pass_on(tls, _FLIGHT)

    def close(self) -> None:
        """Send close_notify and end the connection in order."""
        if not self._handshaking:
            self.write_eof()
        super().close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits, then let OpenSSL's state go."""
        super().connection_lost(exc)
        self._tls = self._context = self._inspection = None

    # -- inside

    def _handshake(self, tls: SSL.Connection) -> None:
        try:
            tls.do_handshake()
        except SSL.WantReadError:
            self._pass_on(tls, _FLIGHT)
            return
        except SSL.Error as exc:
            self._refused(tls, exc)
            return
        self._handshaking = False
        inspection, self._inspection = self._inspection, None
        if inspection is not None and inspection.faults:
            self.let_pass = inspection
        before = self._transport
        self._establish()
        if before is not None and not self.lost:
            self._pass_on(tls, _FLIGHT)  # Finished left with the request, if there was one

    def _refused(self, tls: SSL.Connection, error: SSL.Error) -> None:
        """The handshake failed: write the alert, then close."""
        self._pass_on(tls, _FLIGHT)
        self._wire.flush()
        failure = self._handshake_failure(error)
        self.lost = True
        opener, self._opener = self._opener, None
        if self._transport is not None:
            self._transport.close()
        if opener is not None:
            opener.not_established(self, failure)

    def _handshake_failure(self, error: SSL.Error) -> OriginFailure:
        queue = _error_queue(error)
        inspection = self._inspection
        where = f"{self.key[1]}:{self.key[2]} ({self.address})"
        if isinstance(error, SSL.ZeroReturnError):
            return OriginFailure(
                Reason.ORIGIN_CLOSED, f"{where} closed in the handshake", inspection
            )
        why = tls_reason(queue) or (queue[-1][2] if queue else "no reason given")
        if why == "certificate verify failed" and inspection is not None and inspection.faults:
            fault = inspection.faults[-1]
            text = fault.text or f"{inspection.checked_name} not in certificate"
            return OriginFailure(fault.reason, f"{where}: {text}", inspection, queue)
        if is_origin_alert(queue):
            return OriginFailure(
                Reason.ORIGIN_ALERT, f"{where} ended the handshake: {why}", inspection, queue
            )
        return OriginFailure(
            Reason.TLS_ERROR, f"{where}: handshake failed, {why}", inspection, queue
        )

    def _pass_on(self, tls: SSL.Connection, size: int) -> None:
        """Give what OpenSSL has written to the socket; ``size`` should be enough for all of it."""
        transport = self._transport
        if transport is None:
            return
        try:
            while True:
                data = tls.bio_read(size)
                self._wire.write(transport, data)
                if len(data) < size:
                    return
        except SSL.WantReadError:
            return

    def _came_idle(self, data: bytes, error: SSL.Error | None) -> None:
        """Something came to an idle connection: tickets are welcome, data is not."""
        if data:
            self._spoilt()
        elif error is not None:
            self._leave_pool()
            self.close()

    def _broken(self, tls: SSL.Connection, error: SSL.Error) -> None:
        """OpenSSL reports the end of the connection or an error on it."""
        self._leave_pool()  # the answer before it may have been whole
        self._pass_on(tls, _FLIGHT)
        self._wire.flush()
        clean = isinstance(error, SSL.ZeroReturnError)
        transport = self._transport
        if clean:
            self._ended(clean=True)
        else:
            self.lost = True
            reader, self.reader = self.reader, None
            queue = _error_queue(error)
            why = tls_reason(queue) or (queue[-1][2] if queue else "TLS ended")
            reason = Reason.ORIGIN_ALERT if is_origin_alert(queue) else Reason.TLS_ERROR
            if reader is not None:
                reader.flush()
                reader.origin_ended(
                    OriginFailure(reason, f"{self.key[1]}:{self.key[2]}: {why}", None, queue),
                    clean=False,
                )
        if transport is not None:
            transport.close()


class _RecordBoundary:
    """Follows TLS record headers through the byte stream, whatever pieces it comes in.

    Attributes:
        aligned: whether the bytes so far end with a whole record.
    """

    __slots__ = ("_head", "_need", "aligned")

    def __init__(self) -> None:
        self._need = 0  # bytes still to come of the record under way
        self._head = b""  # first bytes of a header that came in two pieces
        self.aligned = True

    def take(self, data: memoryview, size: int) -> Sequence[int]:
        """Follow the first ``size`` bytes; return where records end in them, and ``size``."""
        if (
            self.aligned
            and size > _RECORD_HEADER
            and size == _RECORD_HEADER + (data[3] << 8) + data[4]
        ):
            return (size,)
        end = self._need  # of the record under way, 0 if there is none
        if self._head:
            more = _RECORD_HEADER - len(self._head)
            head = self._head + bytes(data[: min(more, size)])
            if len(head) < _RECORD_HEADER:
                self._head = head
                return (size,)
            self._head = b""
            end = more + (head[3] << 8) + head[4]
        ends = [end] if 0 < end < size else []
        while end + _RECORD_HEADER <= size:
            end += _RECORD_HEADER + (data[end + 3] << 8) + data[end + 4]
            if end < size:
                ends.append(end)
        ends.append(size)
        if end <= size:
            self._head = bytes(data[end:size])
            self._need = 0
        else:
            self._need = end - size
        self.aligned = end == size
        return ends


def _error_queue(error: SSL.Error) -> tuple[tuple[str, str, str], ...]:
    """Return OpenSSL's error queue: library, function and reason of each entry."""
    if isinstance(error, SSL.ZeroReturnError):
        return (("SSL routines", "", "closed by the peer"),)
    if isinstance(error, SSL.SysCallError):
        return (("SSL routines", "", "unexpected eof while reading"),)
    queue: list[tuple[str, str, str]] = error.args[0] if error.args else []
    return tuple(queue)
