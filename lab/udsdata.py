"""What a simulated CUCM knows, and the bodies it answers with.

- Elements and attributes of UDS answers follow the public UDS API reference (Cisco DevNet, "User
  Data Services"); the list around devices and the contents of the TFTP files are lab defaults, and
  say so.
- Names are those of Cisco document 218018 or made up.
- Bodies are built as XML trees, so whatever a name contains is escaped.

*Pure*: no I/O here.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import quote
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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

    @property
    def pkid(self) -> str:
        """The user's key in the database: always the same for one user id."""
        return str(uuid.uuid5(_PKID_NAMESPACE, f"user {self.user_id}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A CUCM cluster as System > Server and its user pages show it."""

    servers: tuple[str, ...]  #: names under System > Server, publisher first: what is advertised
    version: str = "14.0.1"
    users: tuple[User, ...] = ()
    uds_port: int = 8443  #: ports as they stand in the answers' addresses
    tftp_https_port: int = 6972
    tftp_http_port: int = 6970

    @property
    def publisher(self) -> str:
        """The name of the publisher."""
        return self.servers[0]

    def user(self, user_id: str) -> User | None:
        """Find a user by id, with case."""
        return next((user for user in self.users if user.user_id == user_id), None)

    def user_by_email(self, email: str) -> User | None:
        """Find a user by mail address, without case."""
        wanted = email.casefold()
        return next((user for user in self.users if user.email.casefold() == wanted), None)

    def uds(self, path: str) -> str:
        """Return the address of a UDS resource on the publisher."""
        return f"https://{_bracketed(self.publisher)}:{self.uds_port}/cucm-uds/{path}"

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


def cluster_user(cluster: Cluster, query: str, user: User | None) -> bytes:
    """Answer ``clusterUser``.

    Args:
        cluster: the home cluster.
        query: the request's query as it came, such as ``username=emusk``.
        user: the user found, None if there is none.

    Source: UDS reference, System Resources (seen).
    """
    address = f"https://{_bracketed(cluster.publisher)}/cucm-uds/clusterUser?{query}"
    root = ET.Element("clusterUser", version=cluster.version, uri=address)
    if user is None:
        ET.SubElement(root, "result", found="false")
        return _document(root)
    ET.SubElement(root, "result", found="true", uri=cluster.user_uds(user), version=cluster.version)
    _text(root, "homeCluster", cluster.publisher, serversUri=cluster.uds("servers"))
    details = ET.SubElement(root, "homeClusterDetails")
    _text(details, "selfProvisioningSecureMode", "true")
    _text(details, "adminProvisionMode", "false")
    return _document(root)


def servers(cluster: Cluster) -> bytes:
    """Answer ``servers``: the names that clients then use. Source: UDS reference (seen)."""
    root = ET.Element("servers", version=cluster.version, uri=cluster.uds("servers"))
    for name in cluster.servers:
        _text(root, "server", name)
    return _document(root)


def version(cluster: Cluster) -> bytes:
    """Answer ``version``. Source: UDS reference (seen)."""
    root = ET.Element("versionInformation", uri=cluster.uds("version"), version=cluster.version)
    _text(root, "version", cluster.version)
    return _document(root)


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
        _text(root, tag, value)
    _text(root, "homeCluster", "true", enableImAndPresence="true", enableCalendarPresence="false")
    _text(root, "primaryExtension", user.extension)
    for tag in ("devices", "credentials", "extensions", "subscribedServices", "speedDials"):
        ET.SubElement(root, tag, uri=cluster.user_uds(user, f"/{tag}"))
    profile = ET.SubElement(root, "serviceProfile")
    _text(profile, "uri", f"{_tftp(cluster, https=False)}/SPDefault.cnf.xml")
    if _release(cluster.version) >= _JABBER_PROFILE_SINCE:
        jabber = ET.SubElement(root, "jabberProfile")
        _text(jabber, "uri", f"{_tftp(cluster, https=True)}/{jabber_profile_file(user)}")
    return _document(root)


def devices(cluster: Cluster, user: User, *, limit: int | None = None) -> bytes:
    """Answer ``user/<id>/devices``, at most ``limit`` of them.

    Source: a device's elements are those of the UDS reference (seen); the list is a lab default.
    """
    listed: Sequence[Device] = user.devices[:limit]
    root = ET.Element(
        "devices",
        uri=cluster.user_uds(user, "/devices"),
        version=cluster.version,
        start="0",
        totalCount=str(len(user.devices)),
        requestedCount=str(len(listed) if limit is None else limit),
        returnedCount=str(len(listed)),
    )
    root.extend(_device(cluster, user, device) for device in listed)
    return _document(root)


def device_resource(cluster: Cluster, user: User, device: Device) -> bytes:
    """Answer ``user/<id>/device/<pkid>``. Source: UDS reference, Device Resources (seen)."""
    return _document(_device(cluster, user, device))


def unauthorized() -> bytes:
    """Body of a 401: a page, as the content type says. Lab default."""
    return _error_page(401, "Unauthorized", "This request requires HTTP authentication.")


def not_found(path: str) -> bytes:
    """Body of a 404. Lab default."""
    return _error_page(404, "Not Found", f"The requested resource [{path}] is not available.")


def tftp_files(cluster: Cluster) -> dict[str, bytes]:
    """Return the TFTP server's files by name.

    ``jabber-config.xml``, ``SPDefault.cnf.xml``, ``global-settings.xml`` and for each user a
    ``JAB_<id>.cnf.xml``, for each device ``<device>.cnf.xml``.

    Source: the file names (Cisco 225746 and public scripts, seen). The contents are lab defaults in
    the form of such files.
    """
    files = {
        "jabber-config.xml": _jabber_config(),
        "SPDefault.cnf.xml": _service_profile(cluster),
        "global-settings.xml": _global_settings(cluster),
    }
    for user in cluster.users:
        files[jabber_profile_file(user)] = _jabber_config()
        for device in user.devices:
            files[f"{device.name}.cnf.xml"] = _device_file(cluster, user, device)
    return files


def jabber_profile_file(user: User) -> str:
    """Name of a user's Jabber profile on the TFTP server. Source: UDS reference (form seen)."""
    return f"JAB_{user.user_id}.cnf.xml"


def _device(cluster: Cluster, user: User, device: Device) -> ET.Element:
    root = ET.Element(
        "device",
        uri=cluster.user_uds(user, f"/device/{device.pkid}"),
        version=cluster.version,
        hasPrimaryNumber=_boolean(device.primary),
    )
    _text(root, "id", device.pkid)
    _text(root, "name", device.name)
    _text(root, "type", device.kind)
    _text(root, "description", device.description, editable="true")
    _text(root, "model", device.model)
    _text(root, "protocol", device.protocol)
    return root


def _jabber_config() -> bytes:
    root = ET.Element("config", version="1.0")
    _text(ET.SubElement(root, "Client"), "PrtLogServerUrl", "")
    _text(ET.SubElement(root, "Directory"), "DirectoryServerType", "UDS")
    _text(ET.SubElement(root, "Policies"), "EnableSIPURIDialling", "true")
    return _document(root)


def _service_profile(cluster: Cluster) -> bytes:
    root = ET.Element("config", version="1.0")
    directory = ET.SubElement(root, "Directory")
    _text(directory, "DirectoryServerType", "UDS")
    _text(directory, "UdsServer", cluster.publisher)
    return _document(root)


def _global_settings(cluster: Cluster) -> bytes:
    root = ET.Element("globalSettings", version=cluster.version)
    _text(root, "cluster", cluster.publisher)
    return _document(root)


def _device_file(cluster: Cluster, user: User, device: Device) -> bytes:
    root = ET.Element("device")
    _text(root, "fullConfig", "true")
    _text(root, "deviceProtocol", device.protocol)
    pool = ET.SubElement(root, "devicePool")
    members = ET.SubElement(ET.SubElement(pool, "callManagerGroup"), "members")
    for priority, name in enumerate(cluster.servers):
        member = ET.SubElement(members, "member", priority=str(priority))
        manager = ET.SubElement(member, "callManager")
        _text(manager, "name", name)
        _text(manager, "processNodeName", name)
    lines = ET.SubElement(ET.SubElement(root, "sipProfile"), "sipLines")
    line = ET.SubElement(lines, "line", button="1")
    _text(line, "name", user.extension)
    _text(line, "displayName", f"{user.first_name} {user.last_name}".strip())
    return _document(root)


def _error_page(status: int, phrase: str, description: str) -> bytes:
    root = ET.Element("html", lang="en")
    title = f"HTTP Status {status} \N{EN DASH} {phrase}"
    _text(ET.SubElement(root, "head"), "title", title)
    body = ET.SubElement(root, "body")
    _text(body, "h1", title)
    _text(body, "p", description)
    return b"<!doctype html>" + ET.tostring(root, encoding="unicode").encode()


def _document(root: ET.Element) -> bytes:
    return (
        b'<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode").encode()
    )


def _text(parent: ET.Element, tag: str, text: str, **attributes: str) -> None:
    ET.SubElement(parent, tag, attributes).text = text


def _tftp(cluster: Cluster, *, https: bool) -> str:
    scheme, port = ("https", cluster.tftp_https_port) if https else ("http", cluster.tftp_http_port)
    return f"{scheme}://{_bracketed(cluster.publisher)}:{port}"


def _release(text: str) -> tuple[int, ...]:
    """Turn ``14.0.1.13900-155`` into (14, 0); a part that is no number ends it."""
    numbers: list[int] = []
    for part in text.split(".")[:2]:
        if not part.isdecimal():
            break
        numbers.append(int(part))
    return tuple(numbers)


def _boolean(value: bool) -> str:  # noqa: FBT001 - the value to render is the only argument
    return "true" if value else "false"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
