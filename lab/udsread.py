"""What a client reads out of UDS answers and TFTP files. *Pure*.

- Strict: at most :data:`MAX_ANSWER_BYTES`, well-formed, and no document type: nothing in an answer
  can name a file, another server or an entity that grows.
- Elements are looked for by their plain names, wherever they stand, as the answers of different
  releases nest them differently.

Source: elements of the UDS reference (seen); that a list of devices holds ``device`` elements, and
the elements of service profile and ``jabber-config.xml``, are lab defaults.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NoReturn
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree as ET

from mralab.errors import LabError, RouteError
from mralab.origin.route import canonical_host

#: Longest answer taken; configuration files are some ten KiB. Lab default.
MAX_ANSWER_BYTES: Final = 2**20
_SHOWN: Final = 80
_LAST_PORT: Final = 65_535
_SERVER_HINT: Final = "look at System > Server on the node"
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is, as an answer names it."""

    scheme: str  #: ``https`` or ``http``
    host: str  #: name or IP literal, IPv6 without brackets
    port: int
    path: str = "/"  #: with its query


class _NoDocumentType(ET.TreeBuilder):
    """Builds a tree, and refuses a document type before anything in it counts."""

    def doctype(self, name: str, _pubid: str | None, _system: str | None) -> NoReturn:
        raise ValueError(f"it has a document type, {name}")


def read_xml(body: bytes) -> ET.Element:
    """Parse an answer.

    Raises:
        LabError: it is too long, not well-formed, or has a document type.
    """
    if len(body) > MAX_ANSWER_BYTES:
        raise LabError(f"the answer is longer than {MAX_ANSWER_BYTES} bytes")
    parser = ET.XMLParser(target=_NoDocumentType())  # noqa: S314 - bounded, no document type
    try:
        parser.feed(body)
        root: ET.Element = parser.close()
    except (ET.ParseError, ValueError, LookupError) as exc:  # LookupError: an unknown encoding
        raise LabError(f"the answer is no usable XML: {exc}") from exc
    return root


def find_home(body: bytes) -> str | None:
    """Return the server that answers for the user's home cluster, from a ``clusterUser`` answer.

    None: no cluster that was asked knows the user.

    Raises:
        LabError: no usable answer.
    """
    root = read_xml(body)
    result = root.find(".//result")
    if result is None:
        raise LabError("the answer has no result")
    if result.get("found") != "true":
        return None
    return host_in(root.findtext(".//homeCluster"), "home cluster")


def home_cluster(body: bytes) -> str:
    """Return the same of a user who has one.

    Raises:
        LabError: no usable answer, or the user is not known.
    """
    home = find_home(body)
    if home is None:
        raise LabError(
            "no cluster knows the user",
            hint="check the user id, whose case counts, and that the user's page has Home Cluster",
        )
    return home


def server_hosts(body: bytes) -> tuple[str, ...]:
    """Return all servers of a ``servers`` answer, each once; a client goes on at the first.

    Raises:
        LabError: no usable answer, or it names none.
    """
    names = (item.text for item in read_xml(body).iterfind(".//server"))
    found = tuple(dict.fromkeys(host_in(name, "server") for name in names))
    if not found:
        raise LabError("the answer names no server", hint=_SERVER_HINT)
    return found


def soft_phone(body: bytes) -> str | None:
    """Return the first soft phone of a ``devices`` answer, such as ``CSFemusk``; None if none.

    Raises:
        LabError: no usable answer.
    """
    names = (element.text or "" for element in read_xml(body).iterfind(".//device/name"))
    return next((name for name in names if name.startswith("CSF")), None)


def profile_place(body: bytes) -> Place | None:
    """Return where a ``user`` answer says the service profile is; None if it names none.

    Raises:
        LabError: no usable answer, or an address that is none.
    """
    text = read_xml(body).findtext(".//serviceProfile/uri")
    return _place(text, "service profile") if text else None


def im_presence_servers(body: bytes) -> tuple[Place, ...]:
    """Return the IM and Presence servers of a service profile or ``jabber-config.xml``, in order.

    Raises:
        LabError: no usable answer, or a server that is no host.
    """
    return _servers(read_xml(body), "PresenceServerAddress", 8443, "IM and Presence server")


def voicemail_servers(body: bytes) -> tuple[Place, ...]:
    """Return the voicemail servers of a service profile or ``jabber-config.xml``, in order.

    Raises:
        LabError: no usable answer, or a server that is no host.
    """
    return _servers(read_xml(body), "VVM_Mailstore_Server_0", 443, "voicemail server")


def photo_place(body: bytes, user_id: str) -> Place | None:
    """Return where ``jabber-config.xml`` says a user's photo is; None if it names no place.

    Raises:
        LabError: no usable answer, or an address that is none.
    """
    template = read_xml(body).findtext(".//UdsPhotoUriWithToken")
    if not template:
        return None
    return _place(template.replace("%%uid%%", quote(user_id, safe="")), "photo")


def _servers(root: ET.Element, tag: str, default_port: int, what: str) -> tuple[Place, ...]:
    """Read elements that hold a host; the attribute ``port`` is the lab's own."""
    found = []
    for element in root.iterfind(f".//{tag}"):
        port = port_in(element.get("port", str(default_port)), what)
        found.append(Place("https", host_in(element.text, what), port))
    return tuple(found)


def port_in(text: str, what: str) -> int:
    """Take a port out of an answer.

    Args:
        text: as it stands there.
        what: whose it is.

    Raises:
        LabError: it is none.
    """
    text = text.strip()
    if not (text.isascii() and text.isdecimal() and 0 < int(text) <= _LAST_PORT):
        raise LabError(f"the answer names port {text[:_SHOWN]!r} for its {what}")
    return int(text)


def _place(text: str, what: str) -> Place:
    """Take an address apart.

    Raises:
        LabError: it is none.
    """
    try:
        parts = urlsplit(text.strip())
        port = parts.port or _DEFAULT_PORTS[parts.scheme]
    except (ValueError, KeyError) as exc:
        raise LabError(
            f"the answer names {text[:_SHOWN]!r} as {what}, which is no address",
            hint="an address begins with https:// or http:// and has a port from 1 to 65535",
        ) from exc
    path = parts.path or "/"
    return Place(
        parts.scheme,
        host_in(parts.hostname, what),
        port,
        f"{path}?{parts.query}" if parts.query else path,
    )


def host_in(text: str | None, what: str) -> str:
    """Take a host out of an answer.

    Args:
        text: as it stands there.
        what: what it is.

    Raises:
        LabError: there is none, or it can be none.
    """
    host = (text or "").strip()
    if not host:
        raise LabError(f"the answer names no {what}", hint=_SERVER_HINT)
    try:
        canonical_host(host)
    except RouteError as exc:
        raise LabError(
            f"the answer names {host[:_SHOWN]!r} as {what}: {exc}",
            hint="correct it under System > Server on the node",
        ) from exc
    return host
