"""The control listener's application: certificate management of a running estate, over HTTP.

- Below :data:`PREFIX`, as the proxy's admin API is, so one client speaks to both. Every request
  needs the bearer token and a Host that is an address or ``localhost``, so that no web page can
  reach it by a name of its own. Bodies are bounded JSON; errors are ``{"error", "hint"}``.
- Changes run one after another. Keys are made in a thread: connections go on meanwhile.
- It is for loopback: who runs it binds it there, and keeps the token in a file of mode 0600.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlsplit

from aiohttp import web

from mralab.errors import LabError
from mralab.lab import certmanagement

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from cryptography import x509

    from mralab.lab.certmanagement import Change
    from mralab.lab.estatepki import EstateCertificates
    from mralab.lab.nodes import SimulatedNode

    _Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

#: Where all addresses begin.
PREFIX: Final = "/api/v1"
#: Longest body taken: certificates, as text.
MAX_BODY_BYTES: Final = 2**20
_FIELDS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class ControlledEstate(Protocol):
    """As much of a running estate as control needs."""

    @property
    def nodes(self) -> Mapping[str, SimulatedNode]:
        """The running nodes by name."""

    @property
    def certificates(self) -> EstateCertificates:
        """Its certificates, authorities among them."""


def control_application(
    running: ControlledEstate,
    token: str,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> web.Application:
    """Make the application.

    Addresses, all below :data:`PREFIX`: ``GET /nodes``, ``GET /nodes/NAME/certificates``, and as
    POST of a JSON object ``/nodes/NAME/regenerate`` (``certificate``), ``sign`` (``certificate``,
    ``authority``, ``dns``, ``ips``), ``upload-trust`` (``list``, and ``pem`` or ``reference``),
    ``delete-trust`` (``list``, ``selector``), ``restart`` (``service``).

    Args:
        running: whose nodes are managed.
        token: the bearer token that every request must show.
        clock: aware time, for new certificates.
    """
    control = _Control(running, clock)
    application = web.Application(
        middlewares=[_errors, _only_for(token)], client_max_size=MAX_BODY_BYTES
    )
    router = application.router
    router.add_get(f"{PREFIX}/nodes", control.nodes)
    router.add_get(f"{PREFIX}/nodes/{{node}}/certificates", control.certificates)
    for action, change in control.changes().items():
        router.add_post(f"{PREFIX}/nodes/{{node}}/{action}", control.handler(change))
    application.on_response_prepare.append(_harden)
    return application


class _Control:
    """Handlers over one running estate."""

    def __init__(self, running: ControlledEstate, clock: Callable[[], datetime]) -> None:
        self._running = running
        self._clock = clock
        self._changing = asyncio.Lock()

    async def nodes(self, _request: web.Request) -> web.Response:
        found = [
            {
                "name": node.name,
                "address": node.host,
                "services": [
                    {
                        "name": service.name,
                        "port": node.endpoint(service.name).port,
                        "daemon": service.daemon,
                    }
                    for service in node.services
                ],
                "restart": list(certmanagement.restarts_due(node)),
            }
            for node in self._running.nodes.values()
        ]
        return web.json_response({"nodes": found})

    async def certificates(self, request: web.Request) -> web.Response:
        node = self._node(request)
        rows = certmanagement.entries(node)
        return web.json_response(
            {
                "node": node.name,
                "certificates": [row.as_json() for row in rows],
                "table": [list(cells) for cells in certmanagement.table(rows)],
                "restart": list(certmanagement.restarts_due(node)),
            }
        )

    def changes(self) -> dict[str, Callable[[SimulatedNode, _Asked], Awaitable[Change]]]:
        """Return what can be done, by the last part of its address."""
        return {
            "regenerate": self._regenerate,
            "sign": self._sign,
            "upload-trust": self._upload_trust,
            "delete-trust": self._delete_trust,
            "restart": self._restart,
        }

    def handler(self, change: Callable[[SimulatedNode, _Asked], Awaitable[Change]]) -> _Handler:
        """Make a handler out of something that can be done."""

        async def handle(request: web.Request) -> web.Response:
            node, asked = self._node(request), _Asked(await _object(request))
            async with self._changing:
                done = await change(node, asked)
            return web.json_response(done.as_json())

        return handle

    async def _regenerate(self, node: SimulatedNode, asked: _Asked) -> Change:
        name = asked.text("certificate")
        return await asyncio.to_thread(certmanagement.regenerate, node, name, now=self._clock())

    async def _sign(self, node: SimulatedNode, asked: _Asked) -> Change:
        name, authority = asked.text("certificate"), asked.text("authority")
        authorities = self._running.certificates.authorities
        if authority not in authorities:
            raise LabError(
                f"there is no authority {authority!r}",
                hint=f"the estate has: {', '.join(authorities) or 'none'}",
            )
        return await asyncio.to_thread(
            certmanagement.sign,
            node,
            name,
            authorities[authority],
            now=self._clock(),
            dns=asked.texts("dns"),
            ips=asked.texts("ips"),
        )

    async def _upload_trust(self, node: SimulatedNode, asked: _Asked) -> Change:
        trust = asked.text("list")
        if asked.has("reference"):
            reference = self._running.certificates.resolve(asked.text("reference"))
            found: tuple[x509.Certificate, ...] = (reference.certificate,)
        else:
            pem = asked.text("pem").encode("ascii", "replace")
            found = certmanagement.read_certificates(pem, "the upload")
        return certmanagement.upload_trust(node, trust, found)

    async def _delete_trust(self, node: SimulatedNode, asked: _Asked) -> Change:
        return certmanagement.delete_trust(node, asked.text("list"), asked.text("selector"))

    async def _restart(self, node: SimulatedNode, asked: _Asked) -> Change:
        return await certmanagement.restart(node, asked.text("service"))

    def _node(self, request: web.Request) -> SimulatedNode:
        """Find a node by its name, or by its first label if no other has that."""
        name = request.match_info["node"]
        nodes = self._running.nodes
        wanted = name.casefold()
        node = nodes.get(wanted)
        short = [item for item in nodes.values() if item.name.partition(".")[0] == wanted]
        if node is None and len(short) == 1:
            return short[0]
        if node is None:
            raise LabError(
                f"no node {name!r} is running", hint=f"running are: {', '.join(nodes) or 'none'}"
            )
        return node


class _Asked:
    """The JSON object of a request."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._fields = fields

    def has(self, key: str) -> bool:
        return self._fields.get(key) is not None

    def text(self, key: str) -> str:
        """Return a text.

        Raises:
            LabError: it is missing, or none.
        """
        value = self._fields.get(key)
        if not isinstance(value, str) or not value:
            raise LabError(f"{key!r} is missing", hint=f"send it as a text: {key}")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts, empty if it is missing.

        Raises:
            LabError: it is no list of texts.
        """
        value = self._fields.get(key) or []
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise LabError(f"{key!r} is no list of texts", hint='for example ["a", "b"]')
        return tuple(value)


async def _object(request: web.Request) -> dict[str, Any]:
    try:
        found = await request.json()
    except (ValueError, RecursionError) as exc:
        raise LabError(f"the body is not JSON: {exc}", hint="send a JSON object") from exc
    if not isinstance(found, dict):
        raise LabError("the body is no JSON object", hint='for example {"service": "Cisco TFTP"}')
    return found


def _only_for(token: str) -> Any:
    """Make the middleware that lets only holders of the token in."""
    wanted = f"Bearer {token}".encode()

    @web.middleware
    async def check(request: web.Request, handler: _Handler) -> web.StreamResponse:
        if not _is_own(request.host):
            return _error(HTTPStatus.MISDIRECTED_REQUEST, "Host names another server")
        given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        # In a time that does not depend on how much of it is right.
        if not hmac.compare_digest(given, wanted):
            answer = _error(
                HTTPStatus.UNAUTHORIZED,
                "token missing or wrong",
                "send Authorization: Bearer and the token of the lab's run file",
            )
            answer.headers["WWW-Authenticate"] = "Bearer"
            return answer
        return await handler(request)

    return check


@web.middleware
async def _errors(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Turn errors into JSON answers."""
    try:
        return await handler(request)
    except web.HTTPException as exc:
        answer = _error(exc.status, exc.reason)
        if "Allow" in exc.headers:
            answer.headers["Allow"] = exc.headers["Allow"]
        return answer
    except LabError as exc:
        return _error(HTTPStatus.BAD_REQUEST, str(exc), exc.hint)


async def _harden(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_FIELDS)


def _is_own(host: str) -> bool:
    """Whether a Host field is an address or ``localhost``."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        if name == "localhost":
            return True
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _error(status: int, message: str, hint: str = "") -> web.Response:
    return web.json_response({"error": message, "hint": hint}, status=status)
