"""The web applications of a simulated CUCM: UDS on 8443 and TFTP on 6972, 6971 and 6970.

- Answers look as Tomcat's do where that was seen, see :mod:`mralab.lab.tomcat`.
- An application is made anew for each service that runs it: data is shared, state there is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from mralab.lab import udsdata
from mralab.lab.axl import add_axl
from mralab.lab.tomcat import end_user, new_application, not_found, unauthorized, xml_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mralab.lab.tomcat import Account
    from mralab.lab.udsdata import Cluster, User


def cucm_application(cluster: Cluster, accounts: tuple[Account, ...]) -> web.Application:
    """Make all of a CUCM's Tomcat: UDS and AXL.

    Args:
        cluster: what it answers from.
        accounts: who may use AXL.
    """
    application = uds_application(cluster)
    add_axl(application, cluster, accounts)
    return application


def uds_application(cluster: Cluster) -> web.Application:
    """Make the UDS part of Tomcat.

    ``clusterUser``, ``servers`` and ``version`` need no credentials; what belongs to a user needs
    that user's (Basic). Source: UDS reference (seen); 403 for another's resources is a lab default.
    """
    uds = _Uds(cluster)
    application = new_application()
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
            return not_found(request)
        return web.Response(body=body, reason="", content_type="application/octet-stream")

    application = new_application()
    application.router.add_get("/{name}", send)
    return application


class _Uds:
    """Handlers over one cluster's data."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def cluster_user(self, request: web.Request) -> web.Response:
        query = request.query
        if "username" in query:
            home = self._cluster.home_of(query["username"])
            user = home.user(query["username"]) if home else None
        elif "email" in query:
            home = self._cluster.home_of_email(query["email"])
            user = home.user_by_email(query["email"]) if home else None
        else:
            return web.Response(status=400, text="a filter parameter is required\n")
        return xml_answer(
            udsdata.cluster_user(self._cluster, request.rel_url.raw_query_string, user, home=home)
        )

    async def servers(self, _request: web.Request) -> web.Response:
        return xml_answer(udsdata.servers(self._cluster))

    async def version(self, _request: web.Request) -> web.Response:
        return xml_answer(udsdata.version(self._cluster))

    async def user(self, request: web.Request) -> web.Response:
        return self._for_owner(
            request, lambda user: xml_answer(udsdata.user_resource(self._cluster, user))
        )

    async def devices(self, request: web.Request) -> web.Response:
        text = request.query.get("max")
        if text is not None and not (text.isascii() and text.isdecimal()):
            return web.Response(status=400, text="max is a number\n")
        limit = None if text is None else int(text)
        return self._for_owner(
            request, lambda user: xml_answer(udsdata.devices(self._cluster, user, limit=limit))
        )

    async def device(self, request: web.Request) -> web.Response:
        wanted = request.match_info["pkid"]

        def answer(user: User) -> web.Response:
            for device in user.devices:
                if device.pkid == wanted:
                    return xml_answer(udsdata.device_resource(self._cluster, user, device))
            return not_found(request)

        return self._for_owner(request, answer)

    def _for_owner(
        self, request: web.Request, answer: Callable[[User], web.Response]
    ) -> web.Response:
        """Answer if the request shows the credentials of the user whose resource it names."""
        user = end_user(request, self._cluster.users)
        if user is None:
            return unauthorized()
        if user.user_id != request.match_info["user"]:
            return web.Response(status=403, text="not your resource\n")
        return answer(user)
