"""What the web applications of all simulated nodes have in common: Tomcat's manner.

- An empty ``Server`` field, and no reason phrase after 200 (inferred from the log in Cisco 218018).
- Basic authentication with the documented realm and fields; secrets are compared in constant time.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from aiohttp import BasicAuth, hdrs, web

from mralab.lab import udsdata

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mralab.lab.udsdata import User

#: Largest request body taken, for uploads such as problem reports. Lab default.
MAX_BODY_BYTES: Final = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Account:
    """An application user, such as the one that discovery logs in as."""

    user: str
    password: str = field(repr=False)


def new_application() -> web.Application:
    """Make an application whose answers look like Tomcat's."""
    application = web.Application(client_max_size=MAX_BODY_BYTES)
    application.on_response_prepare.append(_blank_server_field)
    return application


def xml_answer(body: bytes) -> web.Response:
    """Answer 200 with an XML document."""
    return web.Response(body=body, reason="", content_type="application/xml", charset="UTF-8")


def not_found(request: web.Request) -> web.Response:
    """Answer 404 with Tomcat's page."""
    return web.Response(
        status=404,
        body=udsdata.not_found(request.path),
        content_type="text/html",
        charset="utf-8",
    )


def unauthorized() -> web.Response:
    """Answer 401 with the Basic challenge."""
    return web.Response(
        status=401, headers=udsdata.UNAUTHORIZED_FIELDS, body=udsdata.unauthorized()
    )


def end_user(request: web.Request, users: Iterable[User]) -> User | None:
    """Return the user whose Basic credentials a request shows; None if there is no such user."""
    shown = _basic(request)
    if shown is None:
        return None
    user = next((item for item in users if item.user_id == shown.login), None)
    if user is None or not same(user.password, shown.password):
        return None
    return user


def is_account(request: web.Request, accounts: Iterable[Account]) -> bool:
    """Whether a request shows the Basic credentials of one of the accounts."""
    shown = _basic(request)
    return shown is not None and any(
        item.user == shown.login and same(item.password, shown.password) for item in accounts
    )


def same(secret: str, shown: str) -> bool:
    """Compare a secret with what was shown, in constant time."""
    return hmac.compare_digest(secret.encode(), shown.encode())


def _basic(request: web.Request) -> BasicAuth | None:
    try:
        return BasicAuth.decode(request.headers.get(hdrs.AUTHORIZATION, ""), "utf-8")
    except ValueError:
        return None


async def _blank_server_field(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers[hdrs.SERVER] = ""
