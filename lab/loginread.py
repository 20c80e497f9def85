"""What a client behind Expressway-E reads, and whose it is. *Pure*.

- Names of servers come from the answers, as advertised, and from nowhere else.
- An answer that tells whose it is must be about the user who asked: another one's is a
  :class:`CrossedError`. User ids are compared without case here: CUCM answers with the id as it
  is stored. Answers that do not tell (settings of a whole cluster) are not looked at.
- As strict about XML as :mod:`mralab.lab.udsread`.

Source: elements of ``get_edge_config`` in Cisco 211304, of UDS in the UDS reference, of Unity
Connection's users in the CUPI reference (all seen); the SOAP login as in :mod:`mralab.lab.imp`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree as ET

from mralab.errors import LabError
from mralab.lab.imp import NAMESPACE
from mralab.lab.soap import SoapVersion, envelope
from mralab.lab.udsread import (
    Place,
    home_cluster,
    host_in,
    port_in,
    profile_place,
    read_xml,
    soft_phone,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_UDS: Final = "_cisco-uds"
_TFTP: Final = "tftpServer"
_DEFAULT_PORT: Final = 8443
_SHOWN: Final = 80
_CROSSED_HINT: Final = "answers of two users are crossed: nothing that was read can be trusted"
#: Media type of the SOAP login.
SOAP_TYPE: Final = f"{SoapVersion.V1_2.content_type}; charset=UTF-8"


class CrossedError(LabError):
    """An answer is about another user than the one who asked."""


@dataclass(frozen=True, slots=True)
class EdgeServers:
    """Where ``get_edge_config`` sends a client."""

    uds: Place
    tftp: tuple[str, ...]  #: hosts as advertised, may be empty


@dataclass(frozen=True, slots=True)
class UserFacts:
    """What the ``user`` answer says that later steps need."""

    profile: Place | None  #: the service profile
    im_presence: bool
    extension: str


def edge_servers(body: bytes) -> EdgeServers:
    """Read ``get_edge_config``.

    Raises:
        LabError: no usable answer, or it names no UDS server: clients give up then.
    """
    root = read_xml(body)
    services = {item.findtext("name"): item for item in root.iterfind(".//service")}
    named = services.get(_UDS)
    found = [] if named is None else list(_places(named.iterfind("server"), "port"))
    found += _places(root.iterfind(".//userUdsServer/server"), "tlsPort")
    if not found:
        raise LabError(
            "the answer names no UDS server",
            hint="discover the publisher on Expressway-C, then Refresh servers",
        )
    tftp = services.get(_TFTP)
    hosts = [] if tftp is None else [item.text or "" for item in tftp.iterfind("address")]
    return EdgeServers(found[0], tuple(host_in(host, "server") for host in hosts if host.strip()))


def single_sign_on(body: bytes) -> ET.Element:
    """Read ``get_edge_sso``: whatever is well-formed, as no public source shows its body.

    Raises:
        LabError: no usable answer.
    """
    return read_xml(body)


def own_home_cluster(body: bytes, user: str) -> str:
    """Return the home cluster's server.

    Raises:
        LabError: no usable answer, or the user is not known.
        CrossedError: it is about another user.
    """
    home = home_cluster(body)
    result = read_xml(body).find(".//result")
    uri = "" if result is None else result.get("uri", "")
    if uri:
        _check(_user_in(uri), user)
    return home


def own_user(body: bytes, user: str) -> UserFacts:
    """Read the ``user`` answer.

    Raises:
        LabError: no usable answer.
        CrossedError: it is about another user.
    """
    root = read_xml(body)
    name = root.findtext(".//userName")
    if name is not None:
        _check(name.strip(), user)
    home = root.find(".//homeCluster")
    enabled = "true" if home is None else home.get("enableImAndPresence", "true")
    return UserFacts(
        profile=profile_place(body),
        im_presence=enabled != "false",
        extension=(root.findtext(".//primaryExtension/directoryNumber") or "").strip(),
    )


def own_soft_phone(body: bytes, user: str) -> str | None:
    """Return the first soft phone of a ``devices`` answer; None if it has none.

    Raises:
        LabError: no usable answer.
        CrossedError: a device is another user's.
    """
    for device in read_xml(body).iterfind(".//device"):
        uri = device.get("uri", "")
        if uri:
            _check(_user_in(uri), user)
    return soft_phone(body)


def own_phone(body: bytes, extension: str) -> ET.Element:
    """Read a phone's configuration.

    Args:
        body: the file.
        extension: the user's; "" if no answer has told it.

    Raises:
        LabError: no usable answer.
        CrossedError: none of its lines is the user's.
    """
    root = read_xml(body)
    lines = [(item.text or "").strip() for item in root.iterfind(".//sipLines/line/name")]
    if extension and lines and extension not in lines:
        raise CrossedError(
            f"the phone's line is {lines[0][:_SHOWN]!r}, the user's is {extension!r}",
            hint=_CROSSED_HINT,
        )
    return root


def im_login(user: str, password: str) -> bytes:
    """Return the body of the IM and Presence login."""
    call = ET.Element("login", xmlns=NAMESPACE)
    ET.SubElement(call, "username").text = user
    ET.SubElement(call, "password").text = password
    return envelope(SoapVersion.V1_2, call)


def im_session(body: bytes) -> str:
    """Return the session key of an IM and Presence login.

    Raises:
        LabError: no usable answer, or it has none.
    """
    found = read_xml(body).findtext(f".//{{{NAMESPACE}}}session-key")
    if not found:
        raise LabError("the answer has no session key", hint="look at the node's own log")
    return found


def soap_fault(body: bytes) -> str:
    """Return a SOAP fault's reason, "" if the body holds none."""
    try:
        root = read_xml(body)
    except LabError:
        return ""
    new = root.findtext(f".//{{{SoapVersion.V1_2.value}}}Reason/{{{SoapVersion.V1_2.value}}}Text")
    return (new or root.findtext(".//faultstring") or "").strip()


def own_mailbox(body: bytes, user: str) -> ET.Element:
    """Read a search for the user on Unity Connection.

    Raises:
        LabError: no usable answer, or the user has no mailbox there.
        CrossedError: it is about another user.
    """
    root = read_xml(body)
    aliases = [(item.text or "").strip() for item in root.iterfind(".//User/Alias")]
    if not aliases:
        raise LabError(
            "the node has no mailbox of the user",
            hint="check the user's voicemail service and mailbox on Unity Connection",
        )
    for alias in aliases:
        _check(alias, user)
    return root


def own_photo(body: bytes, expected: bytes | None) -> bytes:
    """Take a photo.

    Args:
        body: the answer.
        expected: the user's photo; None if nobody knows it.

    Raises:
        LabError: it is empty.
        CrossedError: it is another one.
    """
    if not body:
        raise LabError("the answer is empty", hint="look at the server of the photos")
    if expected is not None and body != expected:
        raise CrossedError("the photo is not the user's", hint=_CROSSED_HINT)
    return body


def _check(found: str, user: str) -> None:
    if found.casefold() != user.casefold():
        raise CrossedError(
            f"the answer is about {found[:_SHOWN]!r}, not about {user!r}",
            hint=_CROSSED_HINT,
        )


def _user_in(uri: str) -> str:
    """Return the user that a UDS address is about: what stands behind ``/user/``."""
    _, _, rest = urlsplit(uri).path.partition("/user/")
    return unquote(rest.partition("/")[0])


def _places(servers: Iterator[ET.Element], port_tag: str) -> Iterator[Place]:
    for server in servers:
        address = server.findtext("address")
        if address and address.strip():
            port = server.findtext(port_tag) or str(_DEFAULT_PORT)
            yield Place("https", host_in(address, "server"), port_in(port, "UDS server"))
