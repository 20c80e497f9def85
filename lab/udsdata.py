"""What a simulated CUCM knows, and the bodies it answers with.

- Elements and attributes of UDS answers follow the public UDS API reference (Cisco DevNet, "User
  Data Services"), in its order; of a user, those that are simulated.
- One :class:`Cluster` is the truth behind UDS, AXL and the TFTP files of all its nodes.
- Names are those of Cisco document 218018 or made up.
- Bodies are built as XML trees, so whatever a name contains is escaped.

*Pure*: no I/O here.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final
from urllib.parse import quote
from xml.etree import ElementTree as ET

from mralab.lab.hosts import bracketed

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Realm of UDS's Basic challenge. Source: Cisco 211304 (seen).
REALM: Final = "Cisco Web Services Realm"
#: Fields beside the challenge in a 401 of UDS. Source: Cisco 211304 (seen).
UNAUTHORIZED_FIELDS: Final[Mapping[str, str]] = {
    "WWW-Authenticate": f'Basic realm="{REALM}"',
    "Cache-Control": "private",
    "Expires": "Wed, 31 Dec 1969 19:00:00 EST",
    "Content-Type": "text/html;charset=utf-8",
}
#: First release whose user answers name a Jabber profile. Source: UDS reference, New and Changed.
_JABBER_PROFILE_SINCE: Final = (12, 5)
_PKID_NAMESPACE: Final = uuid.UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A phone or a soft client."""

    name: str  #: such as CSFemusk or SEP000001000003
    description: str = ""
    model: str = "Cisco Unified Client Services Framework"
    kind: str = "Phone"
    protocol: str = "SIP"
    primary: bool = True  #: holds the user's primary number

    @property
    def pkid(self) -> str:
        """The device's key in the database: always the same for one name."""
        return str(uuid.uuid5(_PKID_NAMESPACE, self.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """An end user. User ids are compared with case, as phone services do (MRA guide X12.5)."""

    user_id: str
    password: str = field(repr=False)
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    extension: str = ""
    devices: tuple[Device, ...] = ()
    im_presence: bool = True  #: enabled for IM and Presence on the user's page
    voicemail: str = ""  #: Unity Connection of the mailbox, as the UC service names it; "" is none

    @property
    def pkid(self) -> str:
        """The user's key in the database: always the same for one user id."""
        return str(uuid.uuid5(_PKID_NAMESPACE, f"user {self.user_id}"))


class NodeKind(Enum):
    """Kinds of servers of a cluster; the value is AXL's processNodeRole. Source: AXL schema."""

    VOICE_VIDEO = "CUCM Voice/Video"
    IM_PRESENCE = "CUCM IM and Presence"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessNode:
    """A server of the cluster, as its database holds it."""

    name: str  #: under System > Server
    kind: NodeKind = NodeKind.VOICE_VIDEO
    publisher: bool = False
    version: str = "14.0.1"

    @property
    def pkid(self) -> str:
        """The server's key in the database: always the same for one name."""
        return str(uuid.uuid5(_PKID_NAMESPACE, f"server {self.name}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A CUCM cluster as System > Server and its user pages show it."""

    servers: tuple[str, ...]  #: names under System > Server, publisher first: what is advertised
    version: str = "14.0.1"
    users: tuple[User, ...] = ()
    uds_port: int = 8443  #: ports as they stand in the answers' addresses
    tftp_https_port: int = 6972
    tftp_http_port: int = 6970
    soap_port: int = 8443  #: of the IM and Presence nodes
    unity_port: int = 443
    im_presence: tuple[str, ...] = ()  #: IM and Presence nodes as advertised, publisher first
    nodes: tuple[ProcessNode, ...] = ()  #: all servers, as AXL lists them
    remotes: tuple[Cluster, ...] = ()  #: clusters that are asked for users unknown here

    @property
    def publisher(self) -> str:
        """The name of the publisher."""
        return self.servers[0]

    def profile_file(self, user: User) -> str:
        """Return the name of a user's service profile on the TFTP server.

        Users with the first user's services have the default profile. Source: ``SPDefault.cnf.xml``
        is seen (Cisco 225746); that other profiles have files of their own is a lab default.
        """
        return f"{self._profile(user)}.cnf.xml"

    def jabber_file(self, user: User) -> str:
        """Return the name of a user's Jabber profile on the TFTP server.

        Source: UDS reference, New and Changed: ``JAB_`` and the service profile's key (seen).
        """
        return f"JAB_{uuid.uuid5(_PKID_NAMESPACE, self._profile(user))}.cnf.xml"

    def _profile(self, user: User) -> str:
        profiles = tuple(dict.fromkeys((item.im_presence, item.voicemail) for item in self.users))
        number = profiles.index((user.im_presence, user.voicemail))
        return f"SP{number}" if number else "SPDefault"

    def user(self, user_id: str) -> User | None:
        """Find a user by id, with case."""
        return next((user for user in self.users if user.user_id == user_id), None)

    def user_by_email(self, email: str) -> User | None:
        """Find a user by mail address, without case."""
        wanted = email.casefold()
        return next((user for user in self.users if user.email.casefold() == wanted), None)

    def home_of(self, user_id: str) -> Cluster | None:
        """Find the cluster that knows a user id, this one first.

        Source: UDS reference: the local cluster is searched first, then remote ones (seen).
        """
        return next((item for item in (self, *self.remotes) if item.user(user_id)), None)

    def home_of_email(self, email: str) -> Cluster | None:
        """Find the cluster that knows a mail address, this one first."""
        return next((item for item in (self, *self.remotes) if item.user_by_email(email)), None)

    def uds(self, path: str) -> str:
        """Return the address of a UDS resource on the publisher."""
        return f"https://{bracketed(self.publisher)}:{self.uds_port}/cucm-uds/{path}"

    def user_uds(self, user: User, path: str = "") -> str:
        """Return the address of a resource of one user."""
        return self.uds(f"user/{quote(user.user_id, safe='')}{path}")


def sample_cluster(*servers: str) -> Cluster:
    """Return the cluster of Cisco document 218018 with its user; passwords are made up."""
    emusk = User(
        user_id="emusk",
        password="rocket",  # noqa: S106 - a fictional user of the simulated node
        first_name="E",
        last_name="Musk",
        email="emusk@steven.lab",
        extension="1001",
        devices=(Device(name="CSFemusk", description="emusk's Jabber"),),
    )
    return Cluster(servers=servers or ("cucm.steven.lab",), users=(emusk,))


def cluster_user(
    cluster: Cluster, query: str, user: User | None, *, home: Cluster | None = None
) -> bytes:
    """Answer ``clusterUser``.

    Args:
        cluster: the cluster asked.
        query: the request's query as it came, such as ``username=emusk``.
        user: the user found, None if there is none.
        home: the user's home cluster, default the one asked; the answer names its publisher.

    Source: UDS reference, System Resources (seen).
    """
    address = f"https://{bracketed(cluster.publisher)}/cucm-uds/clusterUser?{query}"
    root = ET.Element("clusterUser", version=cluster.version, uri=address)
    if user is None:
        ET.SubElement(root, "result", found="false")
        return document(root)
    home = home or cluster
    ET.SubElement(root, "result", found="true", uri=home.user_uds(user), version=home.version)
    add_text(root, "homeCluster", home.publisher, serversUri=home.uds("servers"))
    details = ET.SubElement(root, "homeClusterDetails")
    add_text(details, "selfProvisioningSecureMode", "true")
    add_text(details, "adminProvisionMode", "false")
    return document(root)


def servers(cluster: Cluster) -> bytes:
    """Answer ``servers``: the names that clients then use. Source: UDS reference (seen)."""
    root = ET.Element("servers", version=cluster.version, uri=cluster.uds("servers"))
    for name in cluster.servers:
        add_text(root, "server", name)
    return document(root)


def version(cluster: Cluster) -> bytes:
    """Answer ``version``. Source: UDS reference (seen)."""
    root = ET.Element("versionInformation", uri=cluster.uds("version"), version=cluster.version)
    add_text(root, "version", cluster.version)
    return document(root)


def user_resource(cluster: Cluster, user: User) -> bytes:
    """Answer ``user/<id>``. Source: UDS reference, User Resources (seen, not every element)."""
    root = ET.Element("user", uri=cluster.user_uds(user), version=cluster.version)
    for tag, value in (
        ("id", user.pkid),
        ("userName", user.user_id),
        ("firstName", user.first_name),
        ("lastName", user.last_name),
        ("displayName", f"{user.first_name} {user.last_name}".strip()),
        ("email", user.email),
        ("directoryUri", user.email),
    ):
        add_text(root, tag, value)
    im_presence = _boolean(user.im_presence)
    add_text(
        root, "homeCluster", "true", enableImAndPresence=im_presence, enableCalendarPresence="false"
    )
    add_text(ET.SubElement(root, "primaryExtension"), "directoryNumber", user.extension)
    for tag in ("devices", "credentials", "extensions", "subscribedServices", "speedDials"):
        ET.SubElement(root, tag, uri=cluster.user_uds(user, f"/{tag}"))
    profile = ET.SubElement(root, "serviceProfile")
    add_text(profile, "uri", f"{_tftp(cluster, https=False)}/{cluster.profile_file(user)}")
    if release_of(cluster.version) >= _JABBER_PROFILE_SINCE:
        jabber = ET.SubElement(root, "jabberProfile")
        add_text(jabber, "uri", f"{_tftp(cluster, https=True)}/{cluster.jabber_file(user)}")
    return document(root)


def devices(cluster: Cluster, user: User, *, limit: int | None = None) -> bytes:
    """Answer ``user/<id>/devices``, at most ``limit`` of them.

    Source: UDS reference, User Resources (seen).
    """
    root = ET.Element("devices", uri=cluster.user_uds(user, "/devices"), version=cluster.version)
    for device in user.devices[:limit]:
        element = ET.SubElement(root, "device", uri=_device_uri(cluster, user, device))
        # Of a list the description stands behind the model, of a single device before it.
        _add_device(element, device, ("id", "name", "type", "model", "description", "protocol"))
    return document(root)


def device_resource(cluster: Cluster, user: User, device: Device) -> bytes:
    """Answer ``user/<id>/device/<pkid>``. Source: UDS reference, Device Resources (seen)."""
    root = ET.Element(
        "device",
        uri=_device_uri(cluster, user, device),
        version=cluster.version,
        hasPrimaryNumber=_boolean(device.primary),
    )
    _add_device(root, device, ("id", "name", "type", "description", "model", "protocol"))
    return document(root)


def unauthorized() -> bytes:
    """Body of a 401: a page, as the content type says. Lab default."""
    return _error_page(401, "Unauthorized", "This request requires HTTP authentication.")


def not_found(path: str) -> bytes:
    """Body of a 404. Lab default."""
    return _error_page(404, "Not Found", f"The requested resource [{path}] is not available.")


def _device_uri(cluster: Cluster, user: User, device: Device) -> str:
    return cluster.user_uds(user, f"/device/{device.pkid}")


def _add_device(element: ET.Element, device: Device, tags: tuple[str, ...]) -> None:
    values = {
        "id": device.pkid,
        "name": device.name,
        "type": device.kind,
        "description": device.description,
        "model": device.model,
        "protocol": device.protocol,
    }
    for tag in tags:
        attributes = {"editable": "true"} if tag == "description" else {}
        add_text(element, tag, values[tag], **attributes)


def _error_page(status: int, phrase: str, description: str) -> bytes:
    root = ET.Element("html", lang="en")
    title = f"HTTP Status {status} \N{EN DASH} {phrase}"
    add_text(ET.SubElement(root, "head"), "title", title)
    body = ET.SubElement(root, "body")
    add_text(body, "h1", title)
    add_text(body, "p", description)
    return b"<!doctype html>" + ET.tostring(root, encoding="unicode").encode()


def document(root: ET.Element) -> bytes:
    """Return a whole XML document in UTF-8, declaration first."""
    return (
        b'<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode").encode()
    )


def add_text(parent: ET.Element, tag: str, text: str, **attributes: str) -> None:
    """Append an element that holds text."""
    ET.SubElement(parent, tag, attributes).text = text


def _tftp(cluster: Cluster, *, https: bool) -> str:
    scheme, port = ("https", cluster.tftp_https_port) if https else ("http", cluster.tftp_http_port)
    return f"{scheme}://{bracketed(cluster.publisher)}:{port}"


def release_of(text: str) -> tuple[int, ...]:
    """Turn ``14.0.1.13900-155`` into (14, 0); a part that is no number ends it."""
    numbers: list[int] = []
    for part in text.split(".")[:2]:
        if not part.isdecimal():
            break
        numbers.append(int(part))
    return tuple(numbers)


def _boolean(value: bool) -> str:  # noqa: FBT001 - the value to render is the only argument
    return "true" if value else "false"
