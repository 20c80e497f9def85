"""A Unity Connection node's REST interface: version, servers, users and the inbox.

- Everything needs Basic credentials: an application user's, who sees all users, or an end user's,
  who sees himself.
- The inbox is empty: no messages are simulated, nor is anything but XML.

Source: addresses and elements in Cisco's CUPI and CUMI references (seen); of a user only some of
the elements, in their order. Lab defaults: that an end user sees himself in ``users``, and the
form of an empty inbox.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

from mralab.lab.tomcat import (
    end_user,
    is_account,
    new_application,
    not_found,
    unauthorized,
    xml_answer,
)
from mralab.lab.udsdata import add_text, document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp import web

    from mralab.lab.tomcat import Account
    from mralab.lab.udsdata import User

_PKID_NAMESPACE: Final = uuid.UUID("5f0c41a4-2b3a-5d53-9a52-0c4f1f0a6a11")
_QUERY: Final = re.compile(r"\(\s*(?P<column>\w+)\s+(?P<how>is|startswith)\s(?P<value>.*)\)")
_COLUMNS: Final = {"alias": "Alias", "dtmfaccessid": "DtmfAccessId", "emailaddress": "EmailAddress"}
#: ServerState Pri_Single_Server and ServerDisplayState PRIMARY. Source: CUPI reference (seen).
_SINGLE_SERVER: Final = ("20", "3")


@dataclass(frozen=True, slots=True, kw_only=True)
class UnityServer:
    """What a Unity Connection node knows."""

    name: str  #: as the UC service advertises it
    version: str = "14.0.1"
    address: str = ""  #: its IP address
    users: tuple[User, ...] = ()  #: those with a mailbox here
    accounts: tuple[Account, ...] = ()  #: application users


def unity_application(server: UnityServer) -> web.Application:
    """Make the node's Tomcat."""
    rest = _Rest(server)
    application = new_application()
    application.router.add_get("/vmrest/version", rest.version)
    application.router.add_get("/vmrest/cluster", rest.servers)
    application.router.add_get("/vmrest/vmsservers", rest.servers)
    application.router.add_get("/vmrest/users", rest.users)
    application.router.add_get("/vmrest/users/{object_id}", rest.user)
    application.router.add_get("/vmrest/mailbox/folders/inbox/messages", rest.inbox)
    return application


class _Rest:
    """Handlers over one server's data."""

    def __init__(self, server: UnityServer) -> None:
        self._server = server

    async def version(self, request: web.Request) -> web.Response:
        if self._visible(request) is None:
            return unauthorized()
        root = ET.Element("VersionInformation")
        add_text(root, "name", "vmrest")
        add_text(root, "version", self._server.version)
        return xml_answer(document(root))

    async def servers(self, request: web.Request) -> web.Response:
        if self._visible(request) is None:
            return unauthorized()
        root = ET.Element("VmsServers", total="1")
        root.append(_vms_server(self._server))
        return xml_answer(document(root))

    async def users(self, request: web.Request) -> web.Response:
        visible = self._visible(request)
        if visible is None:
            return unauthorized()
        elements = [_user(user) for user in visible]
        query = request.query.get("query")
        if query is not None:
            matched = _QUERY.fullmatch(query)
            column = _COLUMNS.get(matched["column"].casefold()) if matched else None
            if matched is None or column is None:
                return _bad_query(query)
            elements = [item for item in elements if _fits(item, column, matched)]
        root = ET.Element("Users", total=str(len(elements)))
        root.extend(elements)
        return xml_answer(document(root))

    async def user(self, request: web.Request) -> web.Response:
        visible = self._visible(request)
        if visible is None:
            return unauthorized()
        wanted = request.match_info["object_id"]
        found = next((user for user in visible if object_id(user.user_id) == wanted), None)
        return not_found(request) if found is None else xml_answer(document(_user(found)))

    async def inbox(self, request: web.Request) -> web.Response:
        if end_user(request, self._server.users) is None:
            return unauthorized()
        return xml_answer(document(ET.Element("Messages", total="0")))

    def _visible(self, request: web.Request) -> Sequence[User] | None:
        """Return the users that the request may see; None if its credentials are no good."""
        if is_account(request, self._server.accounts):
            return self._server.users
        user = end_user(request, self._server.users)
        return None if user is None else (user,)


def object_id(name: str) -> str:
    """Return the key of a user or server: always the same for one name."""
    return str(uuid.uuid5(_PKID_NAMESPACE, name))


def _vms_server(server: UnityServer) -> ET.Element:
    own = object_id(server.name)
    state, shown = _SINGLE_SERVER
    element = ET.Element("VmsServer")
    for tag, text in (
        ("URI", f"/vmrest/vmsservers/{own}"),
        ("ObjectId", own),
        ("ServerName", server.name),
        ("IpAddress", server.address),
        ("VmsServerObjectId", own),
        ("ClusterMemberId", "0"),
        ("ServerState", state),
        ("HostName", server.name),
        ("ServerDisplayState", shown),
        ("IpAddressV6", ""),
        ("SubToPerformReplicationRole", "false"),
    ):
        add_text(element, tag, text)
    return element


def _user(user: User) -> ET.Element:
    own = object_id(user.user_id)
    element = ET.Element("User")
    for tag, text in (
        ("URI", f"/vmrest/users/{own}"),
        ("ObjectId", own),
        ("FirstName", user.first_name),
        ("LastName", user.last_name),
        ("Alias", user.user_id),
        ("DisplayName", f"{user.first_name} {user.last_name}".strip() or user.user_id),
        ("EmailAddress", user.email),
        ("DtmfAccessId", user.extension),
    ):
        add_text(element, tag, text)
    return element


def _fits(element: ET.Element, column: str, query: re.Match[str]) -> bool:
    value = (element.findtext(column) or "").casefold()
    wanted = query["value"].strip().casefold()
    return value == wanted if query["how"] == "is" else value.startswith(wanted)


def _bad_query(query: str) -> web.Response:
    """Answer 400 in the form of CUMI's errors. Source: CUMI reference (form seen)."""
    root = ET.Element("Error")
    add_text(root, "Code", "INVALID_PARAMETER")
    add_text(root, "Message", f"query {query!r} cannot be answered")
    answer = xml_answer(document(root))
    answer.set_status(400)
    return answer
