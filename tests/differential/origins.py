"""Origins that follow a script and remember what they saw, in the event loop of the run.

Rules: one origin per case, on its own address and port. TLS is OpenSSL's over memory BIOs, at
security level 0, so that any certificate can be shown; alerts are taken from OpenSSL, so they are
seen under TLS 1.3 too, where they are encrypted. Each connection leaves one record.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import select
import socket
import struct
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from OpenSSL import SSL
from tests.conformance.server import choose_suite, empty_key_exchange, first_flight
from tests.differential.world import Act, Script

from mralab.lab import tlswire

if TYPE_CHECKING:
    from tests.differential.certificates import Certificate
    from tests.differential.world import World

_FLIGHT: Final = 1 << 16
#: The renegotiation signal, which recent versions of OpenSSL send as an extension instead, and the
#: suites with an 8-byte tag, which they do not offer at security level 2.
_NOT_COMPARED: Final = frozenset({0x00FF, 0xC0A0, 0xC0A1, 0xC0A2, 0xC0A3, 0xC0AE, 0xC0AF})
_NO_LINGER: Final = struct.pack("ii", 1, 0)
_SHOWS_CERTIFICATE: Final = b"SSLv3/TLS write certificate"
_SETTLE_S: Final = 10.0
#: A client certificate's chain is never judged here: being shown one is what counts.
_ACCEPT_ANY: Final = lambda *_: True  # noqa: E731 - a callback of one value


@dataclass(slots=True)
class Seen:
    """One connection as the origin saw it."""

    sni: str = "-"
    suites: str = "-"
    version: str = "-"
    alert: str = "-"
    resumed: str = "-"
    request: str = ""


class Origin:
    """A listening origin of one case."""

    def __init__(self, world: World, address: str) -> None:
        """Prepare; :meth:`start` listens."""
        self.world = world
        self.address = address
        self.port = 0
        self.open: set[OriginConnection] = set()
        self._seen: list[Seen] = []
        self._contexts: dict[int, SSL.Context] = {}
        self._socket: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._moved = asyncio.Event()

    async def start(self) -> None:
        """Listen, or for a world without a listener find a port that nobody listens on."""
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.bind((self.address, 0))
        listener.setblocking(False)
        self.port = listener.getsockname()[1]
        self._socket = listener  # kept, though not listening: nobody else gets the port
        for script in self.world.scripts:  # what cannot be shown is a fault of the case
            if self.world.scheme == "https" and script.on_hello is None and not script.raw:
                self.context_for(script)
        if self.world.listening:
            self._server = await asyncio.get_running_loop().create_server(
                lambda: OriginConnection(self), sock=listener
            )

    async def stop(self) -> None:
        """Close everything."""
        if self._server is not None:
            self._server.close()
        for connection in list(self.open):
            connection.abort()
        if self._socket is not None and self._server is None:
            self._socket.close()

    async def take(self) -> tuple[Seen, ...]:
        """Wait until every connection has ended; return and forget what was seen."""
        async with asyncio.timeout(_SETTLE_S):
            while self.open or self._waiting():
                self._moved.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await self._moved.wait()
        seen, self._seen = tuple(self._seen), []
        return seen

    def cut_all(self) -> None:
        """End the connections that a script keeps open."""
        for connection in list(self.open):
            connection.abort()

    # -- for connections

    def opened(self, connection: OriginConnection) -> tuple[Script, Seen]:
        """Register a connection; return its script and its record."""
        scripts = self.world.scripts
        script = scripts[min(len(self._seen), len(scripts) - 1)]
        seen = Seen()
        self._seen.append(seen)
        self.open.add(connection)
        return script, seen

    def closed(self, connection: OriginConnection) -> None:
        """Forget a connection."""
        self.open.discard(connection)
        self._moved.set()

    def context_for(self, script: Script) -> SSL.Context:
        """Return the TLS context of a script."""
        context = self._contexts.get(id(script))
        if context is None:
            context = tls_context(script, script.sent or self.world.sent)
            self._contexts[id(script)] = context
        return context

    def _waiting(self) -> bool:
        """Whether a connection waits to be accepted."""
        if self._server is None or self._socket is None:
            return False
        ready, _, _ = select.select([self._socket], [], [], 0)
        return bool(ready)


def tls_context(script: Script, sent: tuple[Certificate, ...]) -> SSL.Context:
    """Make a server's context that shows ``sent`` and follows ``script``."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_cipher_list(f"{script.ciphers}:@SECLEVEL=0".encode())
    if script.suites_1_3:
        context.set_tls13_ciphersuites(script.suites_1_3.encode())
    context.set_min_proto_version(script.min_tls)
    context.set_max_proto_version(script.max_tls)
    context.set_options(SSL.OP_NO_RENEGOTIATION)
    context.set_session_id(b"differential")
    context.use_privatekey(sent[0].key)
    with tempfile.NamedTemporaryFile("w", encoding="ascii") as file:
        # By file: the other way asks for certificates that cryptography can read.
        file.write("".join(item.pem for item in sent))
        file.flush()
        context.use_certificate_chain_file(file.name)
    if script.ask_client:
        strict = SSL.VERIFY_FAIL_IF_NO_PEER_CERT if script.ask_client == "required" else 0
        context.set_verify(SSL.VERIFY_PEER | strict, _ACCEPT_ANY)
    context.set_info_callback(_note)
    return context


def _note(connection: SSL.Connection, where: int, value: int) -> None:
    """Note alerts received, and that our certificate is shown: a resumed session does without."""
    seen = connection.get_app_data()
    if not isinstance(seen, Seen):
        return
    if where & SSL.SSL_CB_READ_ALERT == SSL.SSL_CB_READ_ALERT:
        if value & 0xFF:
            seen.alert = str(value & 0xFF)
    elif where & SSL.SSL_CB_LOOP and connection.get_state_string() == _SHOWS_CERTIFICATE:
        seen.resumed = "no"


class OriginConnection(asyncio.Protocol):
    """One accepted connection."""

    def __init__(self, origin: Origin) -> None:
        """Wait for the transport."""
        self._origin = origin
        self._raw = bytearray()
        self._plain = bytearray()
        self._tls: SSL.Connection | None = None
        self._established = False
        self._over = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the script."""
        self._transport = cast("asyncio.Transport", transport)
        self._script, self._seen = self._origin.opened(self)
        script = self._script
        if self._act(script.on_accept):
            return
        if self._origin.world.scheme == "https" and script.on_hello is None and not script.raw:
            self._tls = SSL.Connection(self._origin.context_for(self._script), None)
            self._tls.set_app_data(self._seen)
            self._tls.set_accept_state()

    def data_received(self, data: bytes) -> None:
        """Follow the script."""
        if self._over:
            return
        self._raw += data
        if self._seen.suites == "-":
            self._read_hello()
        if self._script.raw:
            self._show_raw()
            return
        if self._script.on_hello is not None:
            self._act(self._script.on_hello)
            return
        if self._tls is None:
            self._plain += data
            self._request()
            return
        self._tls.bio_write(data)
        self._step(self._tls)

    def eof_received(self) -> bool:
        """Close with the proxy."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Report."""
        del exc
        self._origin.closed(self)

    def abort(self) -> None:
        """End at once."""
        self._transport.abort()

    # -- inside

    def _read_hello(self) -> None:
        hello = tlswire.client_hello(bytes(self._raw))
        if hello is not None:
            self._seen.sni = "-" if hello.server_name is None else hello.server_name
            self._seen.suites = " ".join(
                f"{suite:04x}" for suite in hello.suites if suite not in _NOT_COMPARED
            )

    def _show_raw(self) -> None:
        """Send hello and certificates once; then take what the client says to them."""
        hello = tlswire.client_hello(bytes(self._raw))
        if hello is None:
            return
        if self._seen.version == "-":
            sent = [item.der for item in self._script.sent or self._origin.world.sent]
            suite = choose_suite(hello.suites, sent[0])
            self._transport.write(first_flight(suite, sent) + empty_key_exchange())
            self._seen.version = "TLSv1.2"
        alert = tlswire.last_alert(bytes(self._raw))
        if alert is not None:
            self._seen.alert = str(alert.description)

    def _step(self, tls: SSL.Connection) -> None:
        try:
            if not self._established:
                tls.do_handshake()
                self._established = True
                self._flush(tls)
                self._note(tls)
                if self._act(self._script.on_established):
                    return
            while True:
                self._plain += tls.recv(_FLIGHT)
        except SSL.WantReadError:
            self._flush(tls)
        except SSL.Error:
            self._note(tls)
            self._flush(tls)
            self._over = True
            self._transport.close()
            return
        self._request()

    def _note(self, tls: SSL.Connection) -> None:
        if tlswire.client_hello(bytes(self._raw)) is not None:
            self._seen.version = tls.get_protocol_version_name()
        if self._established and self._seen.resumed == "-":
            self._seen.resumed = "yes"

    def _request(self) -> None:
        head, end, body = bytes(self._plain).partition(b"\r\n\r\n")
        if not end or self._over:
            return
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        if length is not None and len(body) < int(length[1]):
            return
        host = re.search(rb"(?i)\r\nhost: *([^\r]*)", head)
        line = head.partition(b"\r\n")[0]
        port = str(self._origin.port).encode()
        parts = (line, (host[1] if host else b"-").replace(port, b"PORT"), body)
        self._seen.request = " ".join(part.decode("latin-1") for part in parts if part)
        self._act(self._script.on_request)

    def _act(self, act: Act | bytes | None) -> bool:
        """Do what the script says; return whether that was the end."""
        if act is None:
            return False
        self._over = True
        if isinstance(act, bytes):
            if self._tls is not None and self._established:
                self._tls.send(act)
                with contextlib.suppress(SSL.Error):
                    self._tls.shutdown()
                self._flush(self._tls)
            else:
                self._transport.write(act)
            self._transport.close()
        elif act is Act.CLOSE:
            # Half first: closing with something unread would be a reset.
            self._transport.write_eof()
        elif act is Act.RESET:
            connection = self._transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            self._transport.abort()
        return True

    def _flush(self, tls: SSL.Connection) -> None:
        with contextlib.suppress(SSL.WantReadError):
            while True:
                self._transport.write(tls.bio_read(_FLIGHT))
