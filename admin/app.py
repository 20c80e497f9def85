"""The web application of the admin listener: who may ask, and how every answer looks.

Rules, for every request: the Host field must be an address, ``localhost`` or the name the listener
was given, so that no web page can reach it by a name of its own (DNS rebinding); all but
``/healthz`` needs the bearer token; bodies are bounded; no answer may be cached, framed, sniffed or
shared with other sites. Errors are JSON: ``{"error": ..., "hint": ...}``.
"""

from __future__ import annotations

import hmac
import ipaddress
from typing import TYPE_CHECKING

from aiohttp import web

from mralab.admin.api import API, STATE, health
from mralab.errors import ConfigError, MraLabError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mralab.admin.api import AdminState

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

MAX_BODY_BYTES = 4 * 1_048_576
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Server": "mralab",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def make_app(state: AdminState) -> web.Application:
    """Return the application for one proxy."""
    app = web.Application(
        middlewares=[_errors, _known_host, _token], client_max_size=MAX_BODY_BYTES
    )
    app[STATE] = state
    app.add_routes([web.get("/healthz", health), *API])
    app.on_response_prepare.append(_harden)
    return app


async def _harden(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn errors into JSON answers."""
    try:
        return await handler(request)
    except web.HTTPException as exc:
        answer = _error(exc.status, exc.reason)
        if "Allow" in exc.headers:
            answer.headers["Allow"] = exc.headers["Allow"]
        return answer
    except MraLabError as exc:
        asked_wrongly = isinstance(exc, ConfigError)
        return _error(400 if asked_wrongly else exc.status, str(exc), exc.hint)


@web.middleware
async def _known_host(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse a Host that is a name we do not know ourselves by."""
    host = request.host.rpartition(":")[0] if _has_port(request.host) else request.host
    own = request.app[STATE].admin_host
    if not (_is_address(host) or host.lower() in {"localhost", own.lower()}):
        return _error(421, "Host names another server", "use the address of the admin listener")
    return await handler(request)


@web.middleware
async def _token(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Ask for the token, in a time that does not depend on how much of it is right."""
    if request.path != "/healthz":
        given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        wanted = f"Bearer {request.app[STATE].token}".encode()
        if not hmac.compare_digest(given, wanted):
            answer = _error(
                401, "token missing or wrong", "send Authorization: Bearer and the run file's token"
            )
            answer.headers["WWW-Authenticate"] = "Bearer"
            return answer
    return await handler(request)


def _has_port(host: str) -> bool:
    return host.rpartition(":")[2].isdigit() and not host.endswith("]")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def _error(status: int, message: str, hint: str = "") -> web.Response:
    return web.json_response({"error": message, "hint": hint}, status=status)
