"""A second, independent client of the simulated nodes: another HTTP and another XML parser.

It asks with the standard library's ``http.client`` and reads with expat: namespaces on, document
types forbidden, no text between elements. :data:`SHAPES` says what each answer consists of, with
the source of each shape; what no public reference gives is marked :attr:`Source.LAB`.
"""

from __future__ import annotations

import asyncio
import http.client
import re
import ssl
from base64 import b64encode
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final
from xml.parsers import expat

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mralab.config.settings import Endpoint

TIMEOUT_S: Final = 10.0


class Source(Enum):
    """Where the structure of an answer stands."""

    UDS = "UDS API reference, Cisco DevNet"
    AXL = "AXL schema, Cisco DevNet"
    EPAS = "Client Configuration Web Service, Jabber logs and public clients"
    CUPI = "CUPI reference, Cisco Unity Connection"
    SOAP = "W3C SOAP 1.1 and 1.2"
    LAB = "lab default"


# HTTP.


@dataclass(frozen=True)
class Answer:
    status: int
    reason: str
    fields: Mapping[str, str]  # names in lower case
    body: bytes


async def ask(
    endpoint: Endpoint,
    path: str,
    *,
    method: str = "GET",
    body: bytes | None = None,
    user: tuple[str, str] | None = None,
    fields: Mapping[str, str] | None = None,
    context: ssl.SSLContext | None = None,
    tls: bool = True,
) -> Answer:
    """Ask once over a connection of its own; ``user`` is sent as Basic credentials."""
    sent = dict(fields or {})
    if user is not None:
        sent["Authorization"] = f"Basic {b64encode(':'.join(user).encode()).decode()}"

    def blocking() -> Answer:
        host, port = endpoint.host, endpoint.port
        connection = (
            http.client.HTTPSConnection(
                host, port, timeout=TIMEOUT_S, context=context or unverifying()
            )
            if tls
            else http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
        )
        try:
            connection.request(method, path, body, sent)
            with connection.getresponse() as response:
                names = {name.lower(): value for name, value in response.getheaders()}
                return Answer(response.status, response.reason, names, response.read())
        finally:
            connection.close()

    return await asyncio.to_thread(blocking)


def unverifying() -> ssl.SSLContext:
    """A client's TLS that takes any certificate: who it is from is not what is tested here."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


# XML.


@dataclass
class Element:
    tag: str  # ``namespace|name``, or ``name`` in none
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    text: str = ""

    def all(self, tag: str) -> list[str]:
        """Texts of every element of this local name below, in order."""
        found = [] if self.tag.rpartition("|")[2] != tag else [self.text]
        return [*found, *(text for child in self.children for text in child.all(tag))]

    def one(self, tag: str) -> str:
        """The text of the one element of this local name."""
        (text,) = self.all(tag)
        return text


def parse(body: bytes) -> Element:
    """Parse strictly.

    Raises:
        ValueError: it is not well-formed XML in namespaces, has a document type, a comment or a
            processing instruction, or text beside elements.
    """
    parser = expat.ParserCreate(namespace_separator="|")
    above: list[Element] = []
    roots: list[Element] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        element = Element(tag, attributes)
        (above[-1].children if above else roots).append(element)
        above.append(element)

    def end(_tag: str) -> None:
        element = above.pop()
        if element.children and element.text.strip():
            raise ValueError(f"text beside elements in {element.tag}: {element.text.strip()!r}")

    def text(data: str) -> None:
        above[-1].text += data

    def forbidden(*what: object) -> None:
        raise ValueError(f"forbidden in an answer: {what[0]}")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = forbidden
    parser.CommentHandler = forbidden
    parser.ProcessingInstructionHandler = forbidden
    try:
        parser.Parse(body, True)
    except expat.ExpatError as exc:
        raise ValueError(str(exc)) from exc
    return roots[0]


# Structure.

ANY: Final = ".*"
URI: Final = r"https?://[^\s/]+(?::\d+)?/\S*"
VERSION: Final = r"\d+\.\d+\.\d+"
UUID: Final = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
BOOLEAN: Final = "true|false"


@dataclass(frozen=True)
class Shape:
    """An element: its attributes, all required, and either text or children in order."""

    tag: str
    source: Source
    attributes: Mapping[str, str] = field(default_factory=dict)  # name to pattern
    text: str | None = None  # pattern; None is no text
    children: tuple[Slot, ...] = ()


@dataclass(frozen=True)
class Slot:
    """Where an element stands in its parent, and how often."""

    shape: Shape
    least: int = 1
    most: int = 1


def check(element: Element, shape: Shape, path: str = "") -> list[str]:
    """Say how an element differs from its shape; nothing if it does not."""
    here = f"{path}/{element.tag}"
    if element.tag != shape.tag:
        return [f"{here}: {shape.tag} expected"]
    faults = []
    if set(element.attributes) != set(shape.attributes):
        faults.append(f"{here}: attributes {sorted(element.attributes)}")
    for name, pattern in shape.attributes.items():
        value = element.attributes.get(name, "")
        if not re.fullmatch(pattern, value):
            faults.append(f"{here}: {name}={value!r}")
    if not element.children and not re.fullmatch(shape.text or "", element.text, re.DOTALL):
        faults.append(f"{here}: text {element.text!r}")
    rest = list(element.children)
    for slot in shape.children:
        found = 0
        while rest and found < slot.most and rest[0].tag == slot.shape.tag:
            faults += check(rest.pop(0), slot.shape, here)
            found += 1
        if found < slot.least:
            faults.append(f"{here}: {found} of {slot.shape.tag}, at least {slot.least} expected")
    faults += [f"{here}: {child.tag} is too much or misplaced" for child in rest]
    return faults


def assert_shape(body: bytes, name: str) -> Element:
    """Parse an answer, check it against :data:`SHAPES`, and return it."""
    root = parse(body)
    faults = check(root, SHAPES[name])
    assert not faults, "\n".join(faults)
    return root


def _leaf(tag: str, source: Source, text: str = ANY, **attributes: str) -> Slot:
    return Slot(Shape(tag, source, attributes, text))


def _tree(tag: str, source: Source, *children: Slot, **attributes: str) -> Shape:
    return Shape(tag, source, attributes, None, children)


def _many(slot: Slot, least: int = 0) -> Slot:
    return Slot(slot.shape, least, 1000)


def _link(tag: str) -> Slot:
    return Slot(_tree(tag, Source.UDS, uri=URI))


def _answer(version: str, *content: Slot) -> Shape:
    body = _tree(f"{version}|Body", Source.SOAP, *content)
    return _tree(f"{version}|Envelope", Source.SOAP, Slot(body))


SOAP_1_1: Final = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP_1_2: Final = "http://www.w3.org/2003/05/soap-envelope"
AXL_NS: Final = "http://www.cisco.com/AXL/API/12.5"
EPAS_NS: Final = "urn:cisco:epas:soap"
_LANG: Final = "http://www.w3.org/XML/1998/namespace|lang"

_DEVICE_LEAVES: Final = {
    "id": _leaf("id", Source.UDS, UUID),
    "name": _leaf("name", Source.UDS, ".+"),
    "type": _leaf("type", Source.UDS, "Phone"),
    "model": _leaf("model", Source.UDS, ".+"),
    "description": _leaf("description", Source.UDS, editable=BOOLEAN),
    "protocol": _leaf("protocol", Source.UDS, "SIP|SCCP"),
}
_LISTED: Final = ("id", "name", "type", "model", "description", "protocol")
_SINGLE: Final = ("id", "name", "type", "description", "model", "protocol")
_USER: Final = (
    _leaf("id", Source.UDS, UUID),
    _leaf("userName", Source.UDS, ".+"),
    _leaf("firstName", Source.UDS),
    _leaf("lastName", Source.UDS),
    _leaf("displayName", Source.UDS),
    _leaf("email", Source.UDS),
    _leaf("directoryUri", Source.UDS),
    _leaf(
        "homeCluster",
        Source.UDS,
        BOOLEAN,
        enableImAndPresence=BOOLEAN,
        enableCalendarPresence=BOOLEAN,
    ),
    Slot(_tree("primaryExtension", Source.UDS, _leaf("directoryNumber", Source.UDS, r"\d*"))),
    _link("devices"),
    _link("credentials"),
    _link("extensions"),
    _link("subscribedServices"),
    _link("speedDials"),
    Slot(
        _tree("serviceProfile", Source.UDS, _leaf("uri", Source.UDS, r"http://\S+/SP\w+\.cnf\.xml"))
    ),
    Slot(
        _tree(
            "jabberProfile",
            Source.UDS,
            _leaf("uri", Source.UDS, rf"https://\S+/JAB_{UUID}\.cnf\.xml"),
        ),
        least=0,  # from 12.5 on
    ),
)
_PRESENCE: Final = Slot(
    _tree(
        "Presence", Source.LAB, _many(_leaf("PresenceServerAddress", Source.LAB, port=r"\d+"), 1)
    ),
    least=0,
)
_VOICEMAIL: Final = Slot(
    _tree("Voicemail", Source.LAB, _leaf("VVM_Mailstore_Server_0", Source.LAB, port=r"\d+")),
    least=0,
)
_AXL_NODE: Final = _tree(
    "processNode",
    Source.AXL,
    Slot(_leaf("name", Source.AXL, ".+").shape, least=0),
    Slot(_leaf("description", Source.AXL).shape, least=0),
    Slot(_leaf("mac", Source.AXL).shape, least=0),
    Slot(_leaf("ipv6Name", Source.AXL).shape, least=0),
    Slot(_leaf("nodeUsage", Source.AXL, "Publisher|Subscriber").shape, least=0),
    Slot(_leaf("lbmHubGroup", Source.AXL).shape, least=0),
    Slot(
        _leaf("processNodeRole", Source.AXL, "CUCM Voice/Video|CUCM IM and Presence").shape,
        least=0,
    ),
    uuid=r"\{[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12}\}",
)
_VM_USER: Final = _tree(
    "User",
    Source.CUPI,
    _leaf("URI", Source.CUPI, f"/vmrest/users/{UUID}"),
    _leaf("ObjectId", Source.CUPI, UUID),
    _leaf("FirstName", Source.CUPI),
    _leaf("LastName", Source.CUPI),
    _leaf("Alias", Source.CUPI, ".+"),
    _leaf("DisplayName", Source.CUPI, ".+"),
    _leaf("EmailAddress", Source.CUPI),
    _leaf("DtmfAccessId", Source.CUPI, r"\d*"),
)
_VM_SERVER: Final = _tree(
    "VmsServer",
    Source.CUPI,
    _leaf("URI", Source.CUPI, f"/vmrest/vmsservers/{UUID}"),
    _leaf("ObjectId", Source.CUPI, UUID),
    _leaf("ServerName", Source.CUPI, ".+"),
    _leaf("IpAddress", Source.CUPI, r"[\d.]+"),
    _leaf("VmsServerObjectId", Source.CUPI, UUID),
    _leaf("ClusterMemberId", Source.CUPI, "[01]"),
    _leaf("ServerState", Source.CUPI, r"\d+"),
    _leaf("HostName", Source.CUPI, ".+"),
    _leaf("ServerDisplayState", Source.CUPI, r"\d"),
    _leaf("IpAddressV6", Source.CUPI),
    _leaf("SubToPerformReplicationRole", Source.CUPI, BOOLEAN),
)

#: What every answer consists of.
SHAPES: Final[Mapping[str, Shape]] = {
    "clusterUser": _tree(
        "clusterUser",
        Source.UDS,
        Slot(_tree("result", Source.UDS, found="true", uri=URI, version=VERSION)),
        _leaf("homeCluster", Source.UDS, r"\S+", serversUri=URI),
        Slot(
            _tree(
                "homeClusterDetails",
                Source.UDS,
                _leaf("selfProvisioningSecureMode", Source.UDS, BOOLEAN),
                _leaf("adminProvisionMode", Source.UDS, BOOLEAN),
            )
        ),
        version=VERSION,
        uri=URI,
    ),
    "clusterUser not found": _tree(
        "clusterUser",
        Source.UDS,
        Slot(_tree("result", Source.UDS, found="false")),
        version=VERSION,
        uri=URI,
    ),
    "servers": _tree(
        "servers",
        Source.UDS,
        _many(_leaf("server", Source.UDS, r"\S+"), 1),
        version=VERSION,
        uri=URI,
    ),
    "version": _tree(
        "versionInformation",
        Source.UDS,
        _leaf("version", Source.UDS, VERSION),
        uri=URI,
        version=VERSION,
    ),
    "user": _tree("user", Source.UDS, *_USER, uri=URI, version=VERSION),
    "devices": _tree(
        "devices",
        Source.UDS,
        _many(Slot(_tree("device", Source.UDS, *(_DEVICE_LEAVES[t] for t in _LISTED), uri=URI))),
        uri=URI,
        version=VERSION,
    ),
    "device": _tree(
        "device",
        Source.UDS,
        *(_DEVICE_LEAVES[tag] for tag in _SINGLE),
        uri=URI,
        version=VERSION,
        hasPrimaryNumber=BOOLEAN,
    ),
    "jabber-config": _tree(
        "config",
        Source.LAB,
        Slot(_tree("Client", Source.LAB, _leaf("PrtLogServerUrl", Source.LAB))),
        Slot(
            _tree(
                "Directory",
                Source.LAB,
                _leaf("DirectoryServerType", Source.LAB, "UDS"),
                _leaf("UdsPhotoUriWithToken", Source.LAB, URI),
            )
        ),
        Slot(_tree("Policies", Source.LAB, _leaf("EnableSIPURIDialling", Source.LAB, BOOLEAN))),
        _PRESENCE,
        _VOICEMAIL,
        version="1.0",
    ),
    "service profile": _tree(
        "config",
        Source.LAB,
        Slot(
            _tree(
                "Directory",
                Source.LAB,
                _leaf("DirectoryServerType", Source.LAB, "UDS"),
                _leaf("UdsServer", Source.LAB, r"\S+"),
            )
        ),
        _PRESENCE,
        _VOICEMAIL,
        version="1.0",
    ),
    "global-settings": _tree(
        "globalSettings", Source.LAB, _leaf("cluster", Source.LAB, r"\S+"), version=VERSION
    ),
    "AXL version": _answer(
        SOAP_1_1,
        Slot(
            _tree(
                f"{AXL_NS}|getCCMVersionResponse",
                Source.AXL,
                Slot(
                    _tree(
                        "return",
                        Source.AXL,
                        Slot(
                            _tree(
                                "componentVersion",
                                Source.AXL,
                                _leaf("version", Source.AXL, VERSION),
                            )
                        ),
                    )
                ),
            )
        ),
    ),
    "AXL nodes": _answer(
        SOAP_1_1,
        Slot(
            _tree(
                f"{AXL_NS}|listProcessNodeResponse",
                Source.AXL,
                Slot(_tree("return", Source.AXL, _many(Slot(_AXL_NODE)))),
            )
        ),
    ),
    "AXL fault": _answer(
        SOAP_1_1,
        Slot(
            _tree(
                f"{SOAP_1_1}|Fault",
                Source.SOAP,
                _leaf("faultcode", Source.SOAP, "soapenv:(Client|Server)"),
                _leaf("faultstring", Source.SOAP, ".+"),
                Slot(
                    _tree(
                        "detail",
                        Source.SOAP,
                        Slot(
                            _tree(
                                "axlError",
                                Source.AXL,
                                _leaf("axlcode", Source.AXL, r"-?\d+"),
                                _leaf("axlmessage", Source.AXL, ".+"),
                                _leaf("request", Source.AXL, r"\w+"),
                            )
                        ),
                    ),
                    least=0,
                ),
            )
        ),
    ),
    "SOAP 1.1 fault": _answer(
        SOAP_1_1,
        Slot(
            _tree(
                f"{SOAP_1_1}|Fault",
                Source.SOAP,
                _leaf("faultcode", Source.SOAP, "soapenv:(Client|Server|VersionMismatch)"),
                _leaf("faultstring", Source.SOAP, ".+"),
            )
        ),
    ),
    "SOAP 1.2 fault": _answer(
        SOAP_1_2,
        Slot(
            _tree(
                f"{SOAP_1_2}|Fault",
                Source.SOAP,
                Slot(
                    _tree(
                        f"{SOAP_1_2}|Code",
                        Source.SOAP,
                        _leaf(f"{SOAP_1_2}|Value", Source.SOAP, "soapenv:(Sender|Receiver)"),
                    )
                ),
                Slot(
                    _tree(
                        f"{SOAP_1_2}|Reason",
                        Source.SOAP,
                        Slot(Shape(f"{SOAP_1_2}|Text", Source.SOAP, {_LANG: "en"}, ".+")),
                    )
                ),
            )
        ),
    ),
    **{
        f"login over SOAP {number}": _answer(
            namespace,
            Slot(
                _tree(
                    f"{EPAS_NS}|login-resp",
                    Source.EPAS,
                    Slot(
                        _tree(
                            f"{EPAS_NS}|success",
                            Source.EPAS,
                            _leaf(f"{EPAS_NS}|session-key", Source.EPAS, "[0-9a-f]{32}"),
                        )
                    ),
                )
            ),
        )
        for number, namespace in (("1.1", SOAP_1_1), ("1.2", SOAP_1_2))
    },
    "vmrest version": _tree(
        "VersionInformation",
        Source.CUPI,
        _leaf("name", Source.CUPI, "vmrest"),
        _leaf("version", Source.CUPI, VERSION),
    ),
    "vmrest servers": _tree("VmsServers", Source.CUPI, _many(Slot(_VM_SERVER), 1), total=r"\d+"),
    "vmrest users": _tree("Users", Source.CUPI, _many(Slot(_VM_USER)), total=r"\d+"),
    "vmrest user": _VM_USER,
    "vmrest inbox": _tree("Messages", Source.LAB, total="0"),
    "vmrest error": _tree(
        "Error",
        Source.CUPI,
        _leaf("Code", Source.CUPI, r"\w+"),
        _leaf("Message", Source.CUPI, ".+"),
    ),
}
