"""TLS for simulated nodes: a server protocol on a plain TCP transport, by memory BIO.

- Raw bytes of both directions pass through here, so each connection yields a
  :class:`HandshakeRecord`: what the client offered, which certificate it got, how it ended, and
  the client's own bytes with its alert.
- A record is handed out once: when the handshake is complete, or when a connection whose handshake
  failed has ended, so that it shows whether anything came after an alert.
- On top sits any ``asyncio.Protocol``, such as aiohttp's request handler, behind
  :class:`TlsTransport`. Works on asyncio's loops and on uvloop.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Final, cast

from cryptography import x509
from OpenSSL import SSL

from mralab.lab import tlswire
from mralab.lab.tlscontext import suite_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from mralab.lab.tlscontext import KeyFamily, ServerTls

#: Raw bytes kept of each direction: so much from the start, and as much from the end.
CAPTURE_BYTES: Final = 65_536
#: How long a failed connection is read on: the client gets our alert, and we see its last bytes.
LINGER_S: Final = 2.0
_READ_BYTES: Final = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class HandshakeRecord:
    """How one TLS connection was set up, as the server saw it."""

    service: str  #: which service of the node
    when: datetime  #: when the connection was accepted
    peer: tuple[str, int]  #: the client's address and port; empty if it was gone at once
    completed: bool
    error: str  #: why not, "" if completed
    sni: str | None  #: requested server name; None if the client sent none
    offered: tuple[int, ...]  #: cipher suites by IANA number, in the client's order
    version: str | None  #: ``TLSv1.2``, ``TLSv1.3``; None before the server has chosen
    suite: str | None  #: chosen cipher suite, OpenSSL's name
    certificate: str | None  #: name of the credential served, such as ``tomcat-ECDSA``
    family: KeyFamily | None  #: its kind of key
    presented: tuple[bytes, ...]  #: what was sent with it, DER, leaf first
    client_subject: str | None  #: subject of the certificate the client showed, RFC 4514
    received: bytes  #: raw bytes from the client: the first and the last 64 KiB
    sent: bytes  #: raw bytes to the client, likewise
    alert: tuple[int, int] | None  #: last alert from the client in clear: level, description
    bytes_after_alert: int  #: what the client sent after it


class Capture:
    """Keeps the first and the last bytes of a stream."""

    __slots__ = ("_bytes",)

    def __init__(self) -> None:
        """Start empty."""
        self._bytes = bytearray()

    def add(self, data: bytes) -> None:
        """Append; what is neither at the start nor at the end is dropped."""
        self._bytes += data
        if len(self._bytes) > 2 * CAPTURE_BYTES:
            del self._bytes[CAPTURE_BYTES:-CAPTURE_BYTES]

    def __bytes__(self) -> bytes:
        """Return what is kept."""
        return bytes(self._bytes)


class _State(Enum):
    HANDSHAKE = auto()
    OPEN = auto()
    FAILED = auto()  #: our alert is out, or the client's has come; reading on until the end
    CLOSED = auto()


class TlsTransport(asyncio.Transport):
    """What the protocol above TLS writes to. Follows asyncio's rules for transports."""

    __slots__ = ("_owner",)

    def __init__(self, owner: TlsServerProtocol) -> None:
        """Belong to one connection."""
        super().__init__()
        self._owner = owner

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return TLS facts here and everything else from the TCP transport."""
        return self._owner.extra_info(name, default)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand what comes from now on to another protocol."""
        self._owner.inner = cast("asyncio.Protocol", protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return the protocol above TLS."""
        return self._owner.inner

    def is_closing(self) -> bool:
        """Whether closing has begun."""
        return self._owner.is_closing()

    def is_reading(self) -> bool:
        """Whether received data is handed on."""
        return self._owner.reading

    def pause_reading(self) -> None:
        """Hand on nothing more, and stop reading from TCP."""
        self._owner.pause_reading()

    def resume_reading(self) -> None:
        """Go on with what was held back, then with TCP."""
        self._owner.resume_reading()

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Encrypt and send. What is written after closing is dropped, as asyncio does."""
        self._owner.write(data)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set when the protocol above is told to pause, in bytes not yet taken by TCP."""
        self._owner.tcp.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        """Return the encrypted bytes that TCP has not taken yet."""
        return self._owner.tcp.get_write_buffer_size()

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Return the low and the high limit in bytes."""
        return self._owner.tcp.get_write_buffer_limits()

    def can_write_eof(self) -> bool:
        """Half closing works: close_notify, then the end of the TCP stream."""
        return True

    def write_eof(self) -> None:
        """End our direction; the client may go on sending."""
        self._owner.write_eof()

    def close(self) -> None:
        """Send what is left and close_notify, then close."""
        self._owner.close()

    def abort(self) -> None:
        """Close at once; what is left is lost."""
        self._owner.tcp.abort()


class TlsServerProtocol(asyncio.Protocol):
    """One accepted connection.

    Attributes:
        inner: the protocol above TLS.
        tcp: the transport below it.
        reading: whether received data is handed on.
    """

    __slots__ = (
        "_clock",
        "_error",
        "_half_closed",
        "_linger",
        "_make_inner",
        "_peer",
        "_received",
        "_report",
        "_sent",
        "_server",
        "_service",
        "_state",
        "_stay_open",
        "_tls",
        "_when",
        "inner",
        "reading",
        "tcp",
    )

    def __init__(
        self,
        server: ServerTls,
        make_inner: Callable[[], asyncio.Protocol],
        *,
        report: Callable[[HandshakeRecord], None],
        clock: Callable[[], datetime],
        service: str = "",
    ) -> None:
        """Wait for a connection.

        Args:
            server: certificates and parameters.
            make_inner: makes the protocol above TLS, once the handshake is complete.
            report: gets the one record of this connection.
            clock: the time to write into it.
            service: the name to write into it.
        """
        self._server = server
        self._make_inner = make_inner
        self._report = report
        self._clock = clock
        self._service = service
        self._state = _State.HANDSHAKE
        self._error = ""
        self._half_closed = False
        self._stay_open: bool | None = None
        self._received = Capture()
        self._sent = Capture()
        self._tls = server.new_connection()
        self._linger: asyncio.TimerHandle | None = None
        self.reading = True

    # Called by the TCP transport.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the handshake: the client speaks first."""
        self.tcp = cast("asyncio.Transport", transport)
        self._when = self._clock()
        # A connection that was reset meanwhile has no peer any more, and later on none has.
        peer = transport.get_extra_info("peername") or ("", 0)
        self._peer = (peer[0], peer[1])

    def data_received(self, data: bytes) -> None:
        """Take raw bytes from TCP."""
        match self._state:
            case _State.OPEN:
                self._tls.bio_write(data)
                self._deliver()
            case _State.HANDSHAKE:
                self._received.add(data)
                self._tls.bio_write(data)
                self._handshake()
            case _State.FAILED | _State.CLOSED:
                self._received.add(data)

    def eof_received(self) -> bool:
        """Take the end of the TCP stream; true keeps our direction open."""
        match self._state:
            case _State.OPEN:
                return self._client_ended()
            case _State.HANDSHAKE:
                self._error = "closed by the client in the handshake"
                return False
            case _State.FAILED | _State.CLOSED:
                return False

    def connection_lost(self, exc: Exception | None) -> None:
        """End: tell the protocol above, or report a handshake that failed."""
        if self._linger is not None:
            self._linger.cancel()
        state, self._state = self._state, _State.CLOSED
        if state is _State.OPEN:
            self.inner.connection_lost(exc)
        else:
            self._error = self._error or (str(exc) if exc else "connection closed")
            self._report(self._record(completed=False))

    def pause_writing(self) -> None:
        """Pass on that TCP is behind."""
        if self._state is _State.OPEN:
            self.inner.pause_writing()

    def resume_writing(self) -> None:
        """Pass on that TCP has caught up."""
        if self._state is _State.OPEN:
            self.inner.resume_writing()

    # Called by the protocol above, through its transport.

    def extra_info(self, name: str, default: Any) -> Any:
        """Answer ``get_extra_info``."""
        match name:
            case "ssl_object":
                return self._tls
            case "sslcontext":
                return self._server.context
            case _:
                return self.tcp.get_extra_info(name, default)

    def is_closing(self) -> bool:
        """Whether closing has begun."""
        return self._state is not _State.OPEN or self.tcp.is_closing()

    def pause_reading(self) -> None:
        """Hand on nothing more, and stop reading from TCP."""
        if self.reading and not self.is_closing():
            self.reading = False
            self.tcp.pause_reading()

    def resume_reading(self) -> None:
        """Go on with what was held back, then with TCP."""
        if self.reading or self.is_closing():
            return
        self.reading = True
        self.tcp.resume_reading()
        # Not from here: the caller may be in the middle of taking the last piece.
        asyncio.get_running_loop().call_soon(self._deliver)

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Encrypt and send."""
        if self.is_closing() or self._half_closed:
            return
        view = memoryview(data).cast("B")
        while view:
            # At most one record is taken at a time.
            view = view[self._tls.send(view) :]
        self._flush()

    def write_eof(self) -> None:
        """Send close_notify and end our direction of the TCP stream."""
        if self.is_closing() or self._half_closed:
            return
        self._say_goodbye()
        self.tcp.write_eof()

    def close(self) -> None:
        """Send close_notify and close."""
        if self.is_closing():
            return
        if not self._half_closed:
            self._say_goodbye()
        self.tcp.close()

    # Between the two.

    def _handshake(self) -> None:
        try:
            self._tls.do_handshake()
        except SSL.WantReadError:
            self._flush()
            return
        except SSL.Error as exc:
            self._fail(_reason(exc))
            return
        self._flush()
        self._state = _State.OPEN
        self._report(self._record(completed=True))
        self.inner = self._make_inner()
        self.inner.connection_made(TlsTransport(self))
        self._deliver()

    def _fail(self, error: str) -> None:
        """Send our alert if there is one, end our direction, and read on for a moment."""
        self._error = error
        self._state = _State.FAILED
        self._flush()
        # Closing with unread input would reset the connection and may destroy the alert on its way.
        self.tcp.write_eof()
        self._linger = asyncio.get_running_loop().call_later(LINGER_S, self.tcp.abort)

    def _deliver(self) -> None:
        """Hand decrypted data to the protocol above while it wants any."""
        while self.reading and not self.is_closing():
            try:
                data = self._tls.recv(_READ_BYTES)
            except SSL.WantReadError:
                break
            except SSL.ZeroReturnError:
                if not self._client_ended():
                    self.close()
                break
            except SSL.Error:
                self.tcp.abort()
                return
            self.inner.data_received(data)
        # Reading can make answers, such as that to a key update.
        if not self.is_closing():
            self._flush()

    def _client_ended(self) -> bool:
        """Tell the protocol above, once, by whichever end comes first; true if it stays open."""
        if self._stay_open is None:
            self._stay_open = bool(self.inner.eof_received())
        return self._stay_open

    def _say_goodbye(self) -> None:
        self._half_closed = True
        self._tls.shutdown()
        self._flush()

    def _flush(self) -> None:
        while True:
            try:
                data = self._tls.bio_read(_READ_BYTES)
            except SSL.WantReadError:
                return
            if self._state is not _State.OPEN:
                self._sent.add(data)
            self.tcp.write(data)

    def _record(self, *, completed: bool) -> HandshakeRecord:
        received, sent = bytes(self._received), bytes(self._sent)
        hello = tlswire.client_hello(received)
        chosen = tlswire.server_hello(sent)
        name = self._server.served(self._tls) if tlswire.has_certificate(sent) else None
        credential = self._server.credentials[name] if name else None
        alert = tlswire.last_alert(received)
        return HandshakeRecord(
            service=self._service,
            when=self._when,
            peer=self._peer,
            completed=completed,
            error=self._error,
            sni=hello.server_name if hello else None,
            offered=hello.suites if hello else (),
            version=chosen.version if chosen else None,
            suite=suite_name(chosen.suite) if chosen else None,
            certificate=name,
            family=credential.family if credential else None,
            presented=credential.presented if credential else (),
            client_subject=self._client_subject(received, completed=completed),
            received=received,
            sent=sent,
            alert=(alert.level, alert.description) if alert else None,
            bytes_after_alert=alert.bytes_after if alert else 0,
        )

    def _client_subject(self, received: bytes, *, completed: bool) -> str | None:
        """Subject of the client's certificate; a refused one is read off the wire (TLS 1.2)."""
        if completed:
            certificate = self._tls.get_peer_certificate(as_cryptography=True)
            return certificate.subject.rfc4514_string() if certificate else None
        shown = tlswire.certificates(received)
        if not shown:
            return None
        try:
            return x509.load_der_x509_certificate(shown[0]).subject.rfc4514_string()
        except ValueError:
            return "(not a certificate)"


def _reason(error: SSL.Error) -> str:
    """OpenSSL's words for a failed handshake, such as ``tlsv1 alert unknown ca``."""
    (first, *_) = error.args[0]
    return str(first[2])
