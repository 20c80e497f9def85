"""An IM and Presence node's Tomcat: the SOAP login of Jabber, and AXL for discovery.

- ``login`` is answered with a session key, or with a fault; there are no other methods, and the key
  opens nothing: XMPP, which comes next, is not simulated.
- Strict about namespaces: the call and its children are in ``urn:cisco:epas:soap``.
- Every node of the cluster answers every user, without sending him to his own node (lab default).

Source: the addresses are those of Cisco's Client Configuration Web Service (seen); SOAP 1.2, the
namespace, and the elements of request and answer those of Jabber logs and public clients (seen).
Lab defaults: SOAP 1.1 besides, the fault's wording and its status.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

from aiohttp import web

from mralab.lab.axl import add_axl
from mralab.lab.soap import Blame, SoapFault, envelope, read_call
from mralab.lab.tomcat import new_application, same
from mralab.lab.udsdata import add_text

if TYPE_CHECKING:
    from mralab.lab.soap import SoapCall
    from mralab.lab.tomcat import Account
    from mralab.lab.udsdata import Cluster

#: Where login is always available. Source: Client Configuration Web Service (seen).
LOGIN_PATH: Final = "/EPASSoap/service"
#: Where Jabber logs in. Source: Jabber log (seen).
JABBER_LOGIN_PATH: Final = "/EPASSoap/service/v80"
#: Namespace of the calls. Source: public clients (seen).
NAMESPACE: Final = "urn:cisco:epas:soap"
_VERSIONED_PATH: Final = r"/EPASSoap/service/{version:v\d{2,3}|latest}"
_KEY_BYTES: Final = 16


def imp_application(cluster: Cluster, accounts: tuple[Account, ...]) -> web.Application:
    """Make the node's Tomcat.

    Args:
        cluster: the cluster it belongs to.
        accounts: who may use AXL.
    """
    login = _Login(cluster)
    application = new_application()
    application.router.add_post(LOGIN_PATH, login.answer)
    application.router.add_post(_VERSIONED_PATH, login.answer)
    add_axl(application, cluster, accounts)
    return application


class _Login:
    """The handler over one cluster's users."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def answer(self, request: web.Request) -> web.Response:
        try:
            call = read_call(await request.read())
            status, body, version = 200, self._log_in(call), call.version
        except SoapFault as fault:
            status, body, version = fault.http_status, fault.body(), fault.version
        return web.Response(
            status=status,
            reason="" if status == 200 else None,  # noqa: PLR2004 - as Tomcat's answers
            body=body,
            content_type=version.content_type,
            charset="UTF-8",
        )

    def _log_in(self, call: SoapCall) -> bytes:
        if call.namespace != NAMESPACE:
            raise SoapFault(
                f"{call.namespace!r} is not the namespace {NAMESPACE}", version=call.version
            )
        if call.name != "login":
            raise SoapFault(
                f"the lab has no {call.name}", blame=Blame.RECEIVER, version=call.version
            )
        name, password = _child(call, "username"), _child(call, "password")
        user = self._cluster.user(name)
        if user is None or not same(user.password, password):
            raise SoapFault("Invalid user name or password", version=call.version)
        if not user.im_presence:
            raise SoapFault("The user is not enabled for IM and Presence", version=call.version)
        answer = ET.Element("login-resp", xmlns=NAMESPACE)
        success = ET.SubElement(answer, "success")
        add_text(success, "session-key", secrets.token_hex(_KEY_BYTES))
        return envelope(call.version, answer)


def _child(call: SoapCall, name: str) -> str:
    found = call.element.find(f"{{{NAMESPACE}}}{name}")
    if found is None:
        raise SoapFault(f"login without {name}", version=call.version)
    return found.text or ""
