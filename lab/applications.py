"""The web applications of a simulated CUCM: UDS on 8443 and TFTP on 6972 and 6970.

- Answers look as Tomcat's do where that was seen: an empty ``Server`` field, no reason phrase after
  200 (inferred from the log in Cisco 218018), a Basic challenge with the documented realm.
- An application is made anew for each service that runs it: data is shared, state there is none.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Final

from aiohttp import BasicAuth, hdrs, web

from mralab.lab import udsdata

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mralab.lab.udsdata import Cluster, User

#: Largest request body taken, for uploads such as problem reports. Lab default.
MAX_BODY_BYTES: Final = 64 * 2**20


def uds_application(cluster: Cluster) -> web.Application:
    """Make the UDS part of Tomcat.

    ``clusterUser``, ``servers`` and ``version`` need no credentials; what belongs to a user needs
    that user's (Basic). Source: UDS reference (seen); 403 for another's resources is a lab default.
    """
    uds = _Uds(cluster)
    application = _application()
    application.router.add_get("/cucm-uds/clusterUser", uds.cluster_user)
    application.router.add_get("/cucm-uds/servers", uds.servers)
    application.router.add_get("/cucm-uds/version", uds.version)
    application.router.add_get("/cucm-uds/user/{user}", uds.user)
    application.router.add_get("/cucm-uds/user/{user}/devices", uds.devices)
    application.router.add_get("/cucm-uds/user/{user}/device/{pkid}", uds.device)
    return application


def tftp_application(files: Mapping[str, bytes]) -> web.Application:
    """Make the TFTP service's HTTP side: files by name, 404 for others, no credentials.

    Args:
        files: contents by name; a change of the mapping shows at once.
    """

    async def send(request: web.Request) -> web.Response:
        body = files.get(request.match_info["name"])
        if body is None:
            return _not_found(request)
        return web.Response(body=body, reason="", content_type="application/octet-stream")

    application = _application()
    application.router.add_get("/{name}", send)
    return application


class _Uds:
    """Handlers over one cluster's data."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def cluster_user(self, request: web.Request) -> web.Response:
        query = request.query
        if "username" in query:
            user = self._cluster.user(query["username"])
        elif "email" in query:
            user = self._cluster.user_by_email(query["email"])
        else:
            return web.Response(status=400, text="a filter parameter is required\n")
        return _xml(udsdata.cluster_user(self._cluster, request.rel_url.raw_query_string, user))

    async def servers(self, _request: web.Request) -> web.Response:
        return _xml(udsdata.servers(self._cluster))

    async def version(self, _request: web.Request) -> web.Response:
        return _xml(udsdata.version(self._cluster))

    async def user(self, request: web.Request) -> web.Response:
        return self._for_owner(
            request, lambda user: _xml(udsdata.user_resource(self._cluster, user))
        )

    async def devices(self, request: web.Request) -> web.Response:
        text = request.query.get("max")
        if text is not None and not (text.isascii() and text.isdecimal()):
            return web.Response(status=400, text="max is a number\n")
        limit = None if text is None else int(text)
        return self._for_owner(
            request, lambda user: _xml(udsdata.devices(self._cluster, user, limit=limit))
        )

    async def device(self, request: web.Request) -> web.Response:
        wanted = request.match_info["pkid"]

        def answer(user: User) -> web.Response:
            for device in user.devices:
                if device.pkid == wanted:
                    return _xml(udsdata.device_resource(self._cluster, user, device))
            return _not_found(request)

        return self._for_owner(request, answer)

    def _for_owner(
        self, request: web.Request, answer: Callable[[User], web.Response]
    ) -> web.Response:
        """Answer if the request shows the credentials of the user whose resource it names."""
        user = self._authenticated(request)
        if user is None:
            return web.Response(
                status=401, headers=udsdata.UNAUTHORIZED_FIELDS, body=udsdata.unauthorized()
            )
        if user.user_id != request.match_info["user"]:
            return web.Response(status=403, text="not your resource\n")
        return answer(user)

    def _authenticated(self, request: web.Request) -> User | None:
        try:
            shown = BasicAuth.decode(request.headers.get(hdrs.AUTHORIZATION, ""), "utf-8")
        except ValueError:
            return None
        user = self._cluster.user(shown.login)
        if user is None or not hmac.compare_digest(user.password.encode(), shown.password.encode()):
            return None
        return user


def _application() -> web.Application:
    application = web.Application(client_max_size=MAX_BODY_BYTES)
    application.on_response_prepare.append(_blank_server_field)
    return application


async def _blank_server_field(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers[hdrs.SERVER] = ""


def _xml(body: bytes) -> web.Response:
    return web.Response(body=body, reason="", content_type="application/xml", charset="UTF-8")


def _not_found(request: web.Request) -> web.Response:
    return web.Response(
        status=404,
        body=udsdata.not_found(request.path),
        content_type="text/html",
        charset="utf-8",
    )
