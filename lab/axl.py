"""AXL, as far as Expressway-C's discovery needs it: version and servers of the cluster.

- ``getCCMVersion`` and ``listProcessNode``; any other method is answered with a fault.
- Accounts are those of the estate's discoveries. No or wrong credentials are 401; an end user's
  right ones are 403, for want of the AXL role.
- Names are those under System > Server. The list begins with the database's own entry,
  ``EnterpriseWideData``, which is no server.

Source: method, element and enumeration names are those of the public AXL schema (seen), the first
entry is known from public clients of AXL (seen). Lab defaults: that IM and Presence nodes answer
the same, that the first of them is called a publisher, and the texts of faults.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

from aiohttp import web

from mralab.lab.soap import Blame, SoapFault, envelope, read_call
from mralab.lab.tomcat import end_user, is_account, unauthorized
from mralab.lab.udsdata import ProcessNode, add_text

if TYPE_CHECKING:
    from mralab.lab.soap import SoapCall
    from mralab.lab.tomcat import Account
    from mralab.lab.udsdata import Cluster

PATH: Final = "/axl/"
#: The entry of the database that is no server. Source: public clients of AXL (seen).
NO_SERVER: Final = "EnterpriseWideData"
_NAMESPACE: Final = re.compile(r"http://www\.cisco\.com/AXL/API/\d{1,2}\.\d{1,2}")
_NOT_SUPPORTED: Final = 5000  # a code of our own: the schema has no list of codes


def add_axl(application: web.Application, cluster: Cluster, accounts: tuple[Account, ...]) -> None:
    """Let an application answer AXL.

    Args:
        application: a node's Tomcat.
        cluster: what the answers are made from.
        accounts: who has access.
    """
    axl = _Axl(cluster, accounts)
    application.router.add_post(PATH, axl.answer)
    application.router.add_post(PATH.rstrip("/"), axl.answer)


class _Axl:
    """The handler over one cluster's data."""

    def __init__(self, cluster: Cluster, accounts: tuple[Account, ...]) -> None:
        self._cluster = cluster
        self._accounts = accounts

    async def answer(self, request: web.Request) -> web.Response:
        if not is_account(request, self._accounts):
            if end_user(request, self._cluster.users):
                return web.Response(status=403, text="no AXL access\n")
            return unauthorized()
        try:
            call = read_call(await request.read())
            status, body, version = 200, self._result(call), call.version
        except SoapFault as fault:
            status, body, version = fault.http_status, fault.body(), fault.version
        return web.Response(
            status=status,
            reason="" if status == 200 else None,  # noqa: PLR2004 - as Tomcat's answers
            body=body,
            content_type=version.content_type,
            charset="UTF-8",
        )

    def _result(self, call: SoapCall) -> bytes:
        if not _NAMESPACE.fullmatch(call.namespace):
            raise SoapFault(
                f"{call.namespace!r} is no AXL namespace", version=call.version, detail=_error(call)
            )
        match call.name:
            case "getCCMVersion":
                return self._version(call)
            case "listProcessNode":
                return self._nodes(call)
            case _:
                raise SoapFault(
                    f"the lab's AXL has no {call.name}",
                    blame=Blame.RECEIVER,
                    version=call.version,
                    detail=_error(call),
                )

    def _version(self, call: SoapCall) -> bytes:
        wanted = call.text("processNodeName")
        version = self._cluster.version
        if wanted:
            found = (item for item in self._cluster.nodes if item.name == wanted)
            node = next(found, None)
            if node is None:
                raise SoapFault(f"no server {wanted!r}", version=call.version, detail=_error(call))
            version = node.version
        response, result = _response(call)
        add_text(ET.SubElement(result, "componentVersion"), "version", version)
        return envelope(call.version, response)

    def _nodes(self, call: SoapCall) -> bytes:
        criteria, tags = _part(call, "searchCriteria"), _part(call, "returnedTags")
        if criteria is None or tags is None or not len(criteria):
            raise SoapFault(
                "listProcessNode needs searchCriteria and returnedTags",
                version=call.version,
                detail=_error(call),
            )
        wanted = {_local(item): (item.text or "").strip() for item in criteria}
        returned = {_local(item) for item in tags}
        response, result = _response(call)
        for node in (ProcessNode(name=NO_SERVER), *self._cluster.nodes):
            values = _values(node)
            if all(_matches(values.get(tag, ""), text) for tag, text in wanted.items()):
                element = ET.SubElement(result, "processNode", uuid=f"{{{node.pkid.upper()}}}")
                for tag, text in values.items():
                    if tag in returned:
                        add_text(element, tag, text)
        return envelope(call.version, response)


def _values(node: ProcessNode) -> dict[str, str]:
    """Return the elements of a server in the schema's order."""
    return {
        "name": node.name,
        "description": "",
        "mac": "",
        "ipv6Name": "",
        "nodeUsage": "Publisher" if node.publisher or node.name == NO_SERVER else "Subscriber",
        "lbmHubGroup": "",
        "processNodeRole": node.kind.value,
    }


def _matches(value: str, pattern: str) -> bool:
    """Compare as SQL's LIKE with ``%``, without case."""
    escaped = re.sub(r"([*?\[])", r"[\1]", pattern.casefold())
    return fnmatchcase(value.casefold(), escaped.replace("%", "*"))


def _response(call: SoapCall) -> tuple[ET.Element, ET.Element]:
    """Return the answer's element and its ``return``, which has no namespace, as in AXL."""
    response = ET.Element(f"ns:{call.name}Response", {"xmlns:ns": call.namespace})
    return response, ET.SubElement(response, "return")


def _error(call: SoapCall) -> ET.Element:
    error = ET.Element("axlError")
    add_text(error, "axlcode", str(_NOT_SUPPORTED))
    add_text(error, "axlmessage", "the request cannot be answered")
    add_text(error, "request", call.name)
    return error


def _part(call: SoapCall, name: str) -> ET.Element | None:
    return next((item for item in call.element if _local(item) == name), None)


def _local(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]
