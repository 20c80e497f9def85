"""The edge configuration service's segments and bodies: ``get_edge_config`` and ``get_edge_sso``.

*Pure*: values in, values out. Rules:

* Addresses of nodes stand in the answer as CUCM advertises them: they decide which name the later
  TLS check uses.
* What has no address is ``<error>NameError</error>``.
* Bodies are built as XML trees, so whatever a name contains is escaped.

Source: structure of the configuration in Cisco 211304 (seen, one sample); what it says for several
servers is inferred. The body of ``get_edge_sso`` is a lab default: no public source shows one.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import parse_qsl, unquote_to_bytes
from xml.etree import ElementTree as ET

from mralab.errors import RouteError
from mralab.lab.hosts import bracketed
from mralab.lab.udsdata import add_text
from mralab.origin.route import MAX_SEGMENT_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Names of the edge configuration service. Source: Cisco 211304; MRA guide X14.2 (seen).
EDGE_CONFIG: Final = "get_edge_config"
EDGE_SSO: Final = "get_edge_sso"
#: SRV services that the answer tells of if the client names none. Source: Cisco 211304 (seen).
SRV_SERVICES: Final = ("_cisco-phone-tftp", "_cuplogin", "_cisco-uds")
#: Ports of Expressway-E. Source: MRA guide X15.0 (seen).
SIP_PORT: Final = 5061
XMPP_PORT: Final = 5222
_UDS_SERVICE: Final = "_cisco-uds"
_TO_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
_MAX_SERVICES: Final = 16  # names in one query that are answered; more are cut off
_SHOWN: Final = 80


class Segment(NamedTuple):
    """A decoded first path segment, as far as the edge service looks."""

    domain: str  #: lower case
    relayed: bool  #: whether it names an origin: that part is the traffic server's business


def read_segment(segment: bytes) -> Segment:
    """Tell a segment for the edge service from one for the traffic server.

    Args:
        segment: base64 of ``domain`` or of ``domain/protocol/host/port``, padding optional, either
            alphabet.

    Raises:
        RouteError: it is not base64 of printable ASCII, or has no domain.

    Source: Cisco 211304 (domain only) and 218018 (four parts), both seen.
    """
    shown = ascii(segment[:_SHOWN]).removeprefix("b")
    if len(segment) > MAX_SEGMENT_BYTES:
        raise RouteError(f"segment of {len(segment)} bytes is longer than {MAX_SEGMENT_BYTES}")
    bare = unquote_to_bytes(segment).rstrip(b"=").translate(_TO_STANDARD)
    try:
        text = b64decode(bare + b"=" * (-len(bare) % 4), validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError) as exc:
        raise RouteError(f"segment {shown} is not base64 of a domain") from exc
    domain, slash, _ = text.partition("/")
    if not domain or not text.isprintable() or " " in text:
        raise RouteError(f"segment {shown} has no domain")
    return Segment(domain.lower(), bool(slash))


def encode_domain(domain: str) -> str:
    """Encode a domain as the first path segment: URL-safe base64 without padding.

    Args:
        domain: MRA domain, ASCII.
    """
    encoded = binascii.b2a_base64(domain.encode("ascii"), newline=False)
    return encoded.decode("ascii").rstrip("=").replace("+", "-").replace("/", "_")


def services_asked(query: str) -> tuple[str, ...]:
    """Return the SRV services a client asks for, each once; all of them if it names none.

    Args:
        query: the request's query, such as ``service_name=_cisco-uds&service_name=_cuplogin``.

    Source: Cisco Preferred Architecture (query seen); that it filters the answer is inferred.
    """
    pairs = parse_qsl(query, max_num_fields=None)
    asked = dict.fromkeys(value for name, value in pairs if name == "service_name")
    return tuple(asked)[:_MAX_SERVICES] or SRV_SERVICES


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeConfig:
    """What one user's edge configuration says."""

    services: tuple[str, ...] = SRV_SERVICES  #: SRV services to tell of, in order
    uds_servers: tuple[str, ...]  #: home cluster's UDS servers as advertised
    uds_port: int = 8443
    tftp_servers: tuple[str, ...] = ()  #: as advertised
    user_uds: tuple[str, ...] = ()  #: servers for the user's own resources, as advertised
    edge: str = ""  #: name of Expressway-E; "" has no edge servers
    edge_port: int = 8443
    route_address: str = ""  #: Expressway-C's address for the SIP route; "" has no route


def edge_config(config: EdgeConfig) -> bytes:
    """Render the answer to ``get_edge_config``. Source: Cisco 211304 (structure seen)."""
    root = ET.Element("getEdgeConfigResponse", version="1.0")
    services = ET.SubElement(root, "serviceConfig")
    resolved = {_UDS_SERVICE: config.uds_servers}
    for name in config.services:
        _srv_service(services, name, resolved.get(name, ()), config.uds_port)
    tftp = ET.SubElement(services, "service")
    add_text(tftp, "name", "tftpServer")
    for address in config.tftp_servers:
        add_text(tftp, "address", address)
    edge = ET.SubElement(root, "edgeConfig")
    _edge_server(edge, "sipEdgeServer", config.edge, SIP_PORT)
    route = ET.SubElement(edge, "sipRequest")
    if config.route_address:
        add_text(route, "route", _sip_route(config.route_address))
    _edge_server(edge, "xmppEdgeServer", config.edge, XMPP_PORT)
    _edge_server(edge, "httpEdgeServer", config.edge, config.edge_port)
    ET.SubElement(edge, "turnEdgeServer")
    user = ET.SubElement(edge, "userUdsServer")
    for address in config.user_uds:
        _server(user, address, config.uds_port)
    return document(root)


def edge_sso() -> bytes:
    """Render the answer to ``get_edge_sso``: neither single sign-on nor tokens. Lab default.

    It is the same for every user: with "Check for internal authentication availability" at its
    default, No, nothing inside is asked. Source: MRA guide X14.2 (that default, seen).
    """
    root = ET.Element("SSOResult", version="1.0")
    sign_on = ET.SubElement(ET.SubElement(root, "Response"), "SingleSignOn")
    ET.SubElement(sign_on, "Status", enabled="false")
    ET.SubElement(sign_on, "Token", enabled="false")
    return document(root)


def document(root: ET.Element) -> bytes:
    """Render a tree with the declaration that the product writes. Source: Cisco 211304 (seen)."""
    text = ET.tostring(root, encoding="unicode")
    return b"<?xml version='1.0' encoding='UTF-8'?>\n" + text.encode()


def read_basic(authorization: str | None) -> tuple[str, str] | None:
    """Return user and password of a Basic ``Authorization``; None if it is none.

    Source: RFC 7617.
    """
    scheme, _, encoded = (authorization or "").strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = b64decode(encoded.strip(), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):  # UnicodeDecodeError is a ValueError
        return None
    user, colon, password = text.partition(":")
    return (user, password) if colon and user and text.isprintable() else None


def _srv_service(parent: ET.Element, name: str, servers: Sequence[str], port: int) -> None:
    service = ET.SubElement(parent, "service")
    add_text(service, "name", name)
    if not servers:
        add_text(service, "error", "NameError")
    for address in servers:
        server = ET.SubElement(service, "server")
        for tag, value in _srv(address, port).items():
            add_text(server, tag, value)


def _srv(address: str, port: int) -> Mapping[str, str]:
    return {"priority": "1", "weight": "1", "port": str(port), "address": address}


def _edge_server(parent: ET.Element, tag: str, address: str, port: int) -> None:
    element = ET.SubElement(parent, tag)
    if address:
        _server(element, address, port)


def _server(parent: ET.Element, address: str, port: int) -> None:
    server = ET.SubElement(parent, "server")
    add_text(server, "address", address)
    add_text(server, "tlsPort", str(port))


def _sip_route(address: str) -> str:
    """The route set to Expressway-C; zone number as in the sample. Source: Cisco 211304 (seen)."""
    return f"<sip:{bracketed(address)}:{SIP_PORT};transport=tls;zone-id=3;directed;lr>"
