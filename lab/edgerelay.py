"""HTTP passed on by the two Expressways, and the answers they give themselves.

- Bodies stream both ways as they come, compressed or not; the path stays as the client wrote it,
  but for the question mark of an empty query; redirects and cookies are nobody's business here;
  hop-by-hop fields end here.
- The request line is an absolute URI, as Expressway-C gets it (Cisco 218018, seen).
- A client that goes away takes the request inside with it: the handler is cancelled, and the
  connection to the next hop reset. An answer cut short inside is cut short outside.
- Nothing limits how many requests are under way: connections to the next hop are kept and reused,
  one a request.
- Upgrades to other protocols are not relayed.

Source: RFC 9110 section 7.6 and RFC 9112; forms of the answers in Cisco 117811 and 211304 (seen).
"""

from __future__ import annotations

import socket
import struct
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from aiohttp import hdrs, web
from multidict import CIMultiDict
from yarl import URL

from mralab.config.settings import Endpoint
from mralab.errors import LabError
from mralab.origin.fields import Kind, kind_of, list_members

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from ssl import SSLContext

#: How long the next hop may take to accept, and then between two pieces of its answer, in seconds:
#: more than the traffic server itself waits for a node. Lab defaults.
CONNECT_TIMEOUT_S: Final = 5.0
ANSWER_TIMEOUT_S: Final = 90.0
#: Idle connections to the next hop are kept for less than it keeps them.
_KEPT_S: Final = 15.0
#: Bounds of a request's head: those of the traffic server behind, which is to be the one to refuse.
_MAX_LINE_BYTES: Final = 65_536
_MAX_FIELD_BYTES: Final = 65_536
_MAX_FIELDS: Final = 256
_STOP_GRACE_S: Final = 0.2
_FRAMING: Final = (hdrs.CONTENT_LENGTH, hdrs.TRANSFER_ENCODING, hdrs.CONNECTION)
_NO_AUTO_FIELDS: Final = (hdrs.ACCEPT, hdrs.ACCEPT_ENCODING, hdrs.USER_AGENT, hdrs.CONTENT_TYPE)
_NOT_PASSED: Final = frozenset(
    {
        Kind.DROP,
        Kind.TRANSFER_ENCODING,
        Kind.CONNECTION,
        Kind.HOST,
        Kind.UPGRADE,
        Kind.EXPECT,  # answered here already
    }
)

Fields = list[tuple[str, str]]


class NextHopError(LabError):
    """The next hop gave no answer; nothing has been sent to the client.

    Attributes:
        timed_out: whether it was there and silent.
    """

    def __init__(self, message: str, *, timed_out: bool) -> None:
        """Say why."""
        super().__init__(message, hint="check that the next hop runs")
        self.timed_out = timed_out


class FieldError(LabError):
    """A header field that cannot be passed on."""


class _Relayed(web.StreamResponse):
    """An answer of the next hop, with its own fields and no others."""

    def __init__(self, status: int, reason: str, fields: Fields) -> None:
        super().__init__(status=status, reason=reason)
        self.fields = fields


class Relay:
    """The way to a next hop."""

    def __init__(self, *, answer_timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        """Open nothing yet.

        Args:
            answer_timeout_s: how long to wait for the answer and for each of its pieces.
        """
        self._timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=answer_timeout_s
        )
        self._client: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Get ready."""
        self._client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0, keepalive_timeout=_KEPT_S, socket_factory=_resetting_socket
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=self._timeout,
            auto_decompress=False,
            skip_auto_headers=_NO_AUTO_FIELDS,
            max_line_size=_MAX_LINE_BYTES,
            max_field_size=_MAX_FIELD_BYTES,
        )

    async def stop(self) -> None:
        """Close all connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    @property
    def client(self) -> aiohttp.ClientSession:
        """The client that requests go out by.

        Raises:
            LabError: it has not been started.
        """
        if self._client is None:
            raise LabError("the relay is not running", hint="start it first")
        return self._client

    async def pass_on(
        self,
        request: web.BaseRequest,
        next_hop: Endpoint,
        authority: str,
        path: str,
        fields: Fields,
    ) -> web.StreamResponse:
        """Send a request to the next hop and its answer to the client.

        Args:
            request: the client's.
            next_hop: where to connect to.
            authority: host and port of the absolute URI.
            path: path and query as the client wrote them.
            fields: fields to send, framing included; see :func:`end_to_end`.

        Raises:
            NextHopError: it gave no answer.
        """
        body = request.content if request.body_exists else None
        try:
            answer = await self.client.request(
                request.method,
                URL(f"http://{authority}{path}", encoded=True),
                proxy=f"http://{next_hop}",  # makes the request line an absolute form
                headers=CIMultiDict(fields),
                data=body,
                allow_redirects=False,
            )
        except TimeoutError as exc:
            raise NextHopError(f"{next_hop} does not answer", timed_out=True) from exc
        except aiohttp.ClientError as exc:
            raise NextHopError(f"{next_hop}: {exc}", timed_out=False) from exc
        try:
            return await _stream(request, answer)
        finally:
            # What was read to its end has gone back to the pool; the rest is of no use.
            answer.close()


def _resetting_socket(address: tuple[Any, ...]) -> socket.socket:
    """Make a socket whose close is a reset.

    A traffic server takes an end in order for a client that has no more to ask and still reads; a
    request that nobody waits for any more has to end at once.
    """
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return made


async def _stream(request: web.BaseRequest, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    try:
        fields = end_to_end(answer.raw_headers)
    except FieldError as exc:
        raise NextHopError(f"its answer cannot be passed on: {exc}", timed_out=False) from exc
    relayed = _Relayed(answer.status, answer.reason or "", fields)
    length = answer.headers.get(hdrs.CONTENT_LENGTH)
    if length is not None:
        relayed.content_length = int(length)
    await relayed.prepare(request)
    try:
        async for piece in answer.content.iter_any():
            await relayed.write(piece)
    except (aiohttp.ClientPayloadError, aiohttp.ClientConnectionError, TimeoutError):
        # The client must not take for complete what was not.
        if request.transport is not None:
            request.transport.abort()
        return relayed
    await relayed.write_eof()
    return relayed


def end_to_end(raw: Iterable[tuple[bytes, bytes]]) -> Fields:
    """Return the fields that are passed on, in order.

    Args:
        raw: name and value of each field as on the wire.

    Raises:
        FieldError: a value is not UTF-8.
    """
    received = tuple(raw)
    named = {
        option
        for name, value in received
        if kind_of(name) is Kind.CONNECTION
        for option in list_members(value)
    } - {b"content-length"}
    kept = (
        (name, value)
        for name, value in received
        if kind_of(name) not in _NOT_PASSED and name.lower() not in named
    )
    try:
        return [(name.decode("ascii"), value.decode("utf-8")) for name, value in kept]
    except UnicodeDecodeError as exc:
        raise FieldError("a header field is not UTF-8") from exc


def appended(fields: Fields, name: str, value: str) -> Fields:
    """Return the fields with ``value`` behind what a list field holds already."""
    wanted = name.lower()
    before = [text for key, text in fields if key.lower() == wanted]
    rest = [(key, text) for key, text in fields if key.lower() != wanted]
    return [*rest, (name, ", ".join((*before, value)))]


def own_answer(
    status: int, phrase: str, server: str, *, reason: str = "", body: bytes = b""
) -> web.Response:
    """Make an answer of our own that ends the connection.

    Args:
        status: the status.
        phrase: the reason phrase.
        server: the Server field: ``CE_E`` or ``CE_C ECS``.
        reason: for ``X-Lab-Reason`` (lab extension); "" leaves the field out.
        body: the body; the documented form has none.

    Source: Cisco 117811 (403 of Expressway-E, seen); other statuses in this form are inferred.
    """
    fields = {
        "Date": formatdate(usegmt=True),
        "Connection": "close",
        "Server": server,
    }
    if reason:
        fields["X-Lab-Reason"] = "".join(c if " " <= c <= "~" else "?" for c in reason)
    fields["Content-Length"] = str(len(body))
    answer = web.Response(status=status, reason=phrase, headers=fields, body=body)
    answer.force_close()
    return answer


def peer_of(request: web.BaseRequest) -> tuple[str, int]:
    """Return the client's address and port; nothing is known of one that has gone."""
    peer = request.transport.get_extra_info("peername") if request.transport else None
    return (str(peer[0]), int(peer[1])) if peer else ("", 0)


class EdgeServer:
    """A listener with one handler for all requests."""

    def __init__(
        self, name: str, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> None:
        """Open nothing yet.

        Args:
            name: for messages.
            handler: answers every request.
        """
        self._name = name
        self._handler = handler
        self._runner: web.AppRunner | None = None

    async def start(self, listen: Endpoint, tls: SSLContext | None = None) -> Endpoint:
        """Listen.

        Args:
            listen: local address; port 0 is any free one.
            tls: None is plain HTTP.

        Returns:
            Where it listens.

        Raises:
            LabError: the address cannot be had.
        """
        application = web.Application(client_max_size=0)  # bodies are streamed, never held
        application.router.add_route("*", "/{path:.*}", self._handler)
        application.on_response_prepare.append(_own_fields_only)
        runner = self._runner = web.AppRunner(
            application,
            access_log=None,
            handler_cancellation=True,
            shutdown_timeout=_STOP_GRACE_S,
            auto_decompress=False,
            max_line_size=_MAX_LINE_BYTES,
            max_field_size=_MAX_FIELD_BYTES,
            max_headers=_MAX_FIELDS,
        )
        await runner.setup()
        site = web.TCPSite(runner, listen.host, listen.port, ssl_context=tls, backlog=4096)
        try:
            await site.start()
        except OSError as exc:
            await self.stop()
            raise LabError(
                f"{self._name} cannot listen on {listen}: {exc.strerror or exc}",
                hint="end what uses the port, or choose another port or address",
            ) from exc
        host, port = runner.addresses[0][:2]
        return Endpoint(str(host), int(port))

    async def stop(self) -> None:
        """Listen no more and end all connections."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()


async def _own_fields_only(_request: web.Request, response: web.StreamResponse) -> None:
    """Take away what the library has added to an answer that is passed on."""
    if isinstance(response, _Relayed):
        framing = {name: response.headers[name] for name in _FRAMING if name in response.headers}
        response.headers.clear()
        response.headers.extend(
            (name, value) for name, value in response.fields if name.lower() != "content-length"
        )
        response.headers.update(framing)
