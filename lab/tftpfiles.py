"""The files of a cluster's TFTP server, which clients fetch over HTTPS and HTTP.

- Names are seen; the contents are lab defaults in the manner of such files. What a client goes on
  with stands in them as advertised: IM and Presence and voicemail servers, call managers, and the
  place of photos.
- Element names that Cisco's Jabber parameter reference knows are used where one fits.

*Pure*: no I/O here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from mralab.lab.hosts import bracketed
from mralab.lab.photo import photo
from mralab.lab.udsdata import add_text, document

if TYPE_CHECKING:
    from mralab.lab.udsdata import Cluster, Device, User


def tftp_files(cluster: Cluster) -> dict[str, bytes]:
    """Return the TFTP server's files by name.

    ``jabber-config.xml``, ``global-settings.xml``, the service profiles (``SPDefault.cnf.xml``
    first) with a ``JAB_<key>.cnf.xml`` each, for each device ``<device>.cnf.xml``, and for each
    user a photo.

    Source: the file names (Cisco 225746 and public scripts, seen), but for the photos'. The
    contents are lab defaults.
    """
    files = {
        "jabber-config.xml": _jabber_config(cluster),
        "SPDefault.cnf.xml": _service_profile(cluster, None),
        "global-settings.xml": _global_settings(cluster),
    }
    for user in cluster.users:
        files[cluster.profile_file(user)] = _service_profile(cluster, user)
        files[cluster.jabber_file(user)] = _jabber_config(cluster)
        files[f"{user.user_id}.png"] = photo(user.user_id)
        for device in user.devices:
            files[f"{device.name}.cnf.xml"] = _device_file(cluster, user, device)
    return files


def photo_template(cluster: Cluster) -> str:
    """Return the address of photos, with Jabber's ``%%uid%%`` in place of the user id.

    Source: the key and its placeholder are Jabber's (seen). That photos are on the publisher, over
    HTTP, is a lab default: so they can be missing while all else works. In the field they are often
    on a web server of their own, for which the HTTP allow list needs an editable rule.
    """
    return f"http://{bracketed(cluster.publisher)}:{cluster.tftp_http_port}/%%uid%%.png"


def _jabber_config(cluster: Cluster) -> bytes:
    root = ET.Element("config", version="1.0")
    add_text(ET.SubElement(root, "Client"), "PrtLogServerUrl", "")
    directory = ET.SubElement(root, "Directory")
    add_text(directory, "DirectoryServerType", "UDS")
    add_text(directory, "UdsPhotoUriWithToken", photo_template(cluster))
    add_text(ET.SubElement(root, "Policies"), "EnableSIPURIDialling", "true")
    _add_presence(root, cluster)
    _add_voicemail(root, cluster, next((u.voicemail for u in cluster.users if u.voicemail), ""))
    return document(root)


def _service_profile(cluster: Cluster, user: User | None) -> bytes:
    root = ET.Element("config", version="1.0")
    directory = ET.SubElement(root, "Directory")
    add_text(directory, "DirectoryServerType", "UDS")
    add_text(directory, "UdsServer", cluster.publisher)
    if user is not None and user.im_presence:
        _add_presence(root, cluster)
    if user is not None:
        _add_voicemail(root, cluster, user.voicemail)
    return document(root)


def _add_presence(root: ET.Element, cluster: Cluster) -> None:
    if not cluster.im_presence:
        return
    presence = ET.SubElement(root, "Presence")
    for name in cluster.im_presence:
        add_text(presence, "PresenceServerAddress", name, port=str(cluster.soap_port))


def _add_voicemail(root: ET.Element, cluster: Cluster, server: str) -> None:
    if server:
        voicemail = ET.SubElement(root, "Voicemail")
        add_text(voicemail, "VVM_Mailstore_Server_0", server, port=str(cluster.unity_port))


def _global_settings(cluster: Cluster) -> bytes:
    root = ET.Element("globalSettings", version=cluster.version)
    add_text(root, "cluster", cluster.publisher)
    return document(root)


def _device_file(cluster: Cluster, user: User, device: Device) -> bytes:
    root = ET.Element("device")
    add_text(root, "fullConfig", "true")
    add_text(root, "deviceProtocol", device.protocol)
    pool = ET.SubElement(root, "devicePool")
    members = ET.SubElement(ET.SubElement(pool, "callManagerGroup"), "members")
    for priority, name in enumerate(cluster.servers):
        member = ET.SubElement(members, "member", priority=str(priority))
        manager = ET.SubElement(member, "callManager")
        add_text(manager, "name", name)
        add_text(manager, "processNodeName", name)
    lines = ET.SubElement(ET.SubElement(root, "sipProfile"), "sipLines")
    line = ET.SubElement(lines, "line", button="1")
    add_text(line, "name", user.extension)
    add_text(line, "displayName", f"{user.first_name} {user.last_name}".strip())
    return document(root)
