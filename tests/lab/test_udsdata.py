"""Bodies of a simulated CUCM, read by a strict XML parser, against the reference's structure."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mralab.lab import udsdata
from mralab.lab.tftpfiles import tftp_files
from mralab.lab.udsdata import Cluster, Device, User, sample_cluster

CLUSTER = sample_cluster("cucm.steven.lab", "cucm-sub.steven.lab")
EMUSK = CLUSTER.users[0]
UDS = "https://cucm.steven.lab:8443/cucm-uds"


def parsed(body: bytes) -> ET.Element:
    assert body.startswith(b'<?xml version="1.0" encoding="UTF-8"?>')
    return ET.fromstring(body)  # noqa: S314 - our own bodies


def text(root: ET.Element, path: str) -> str | None:
    found = root.find(path)
    assert found is not None, path
    return found.text


def test_cluster_user_found() -> None:
    root = parsed(udsdata.cluster_user(CLUSTER, "username=emusk", EMUSK))
    assert root.tag == "clusterUser"
    assert root.get("uri") == "https://cucm.steven.lab/cucm-uds/clusterUser?username=emusk"
    result = root.find("result")
    assert result is not None
    assert result.attrib == {"found": "true", "uri": f"{UDS}/user/emusk", "version": "14.0.1"}
    home = root.find("homeCluster")
    assert home is not None
    assert (home.text, home.get("serversUri")) == ("cucm.steven.lab", f"{UDS}/servers")
    assert text(root, "homeClusterDetails/selfProvisioningSecureMode") == "true"
    assert text(root, "homeClusterDetails/adminProvisionMode") == "false"


def test_cluster_user_not_found() -> None:
    root = parsed(udsdata.cluster_user(CLUSTER, "username=nobody", None))
    assert [(child.tag, child.attrib) for child in root] == [("result", {"found": "false"})]


def test_servers_are_the_advertised_names_in_order() -> None:
    root = parsed(udsdata.servers(CLUSTER))
    assert root.get("uri") == f"{UDS}/servers"
    names = [child.text for child in root.findall("server")]
    assert names == ["cucm.steven.lab", "cucm-sub.steven.lab"]


def test_version() -> None:
    root = parsed(udsdata.version(CLUSTER))
    assert (root.tag, root.get("version"), text(root, "version")) == (
        "versionInformation",
        "14.0.1",
        "14.0.1",
    )


def test_user() -> None:
    root = parsed(udsdata.user_resource(CLUSTER, EMUSK))
    assert text(root, "userName") == "emusk"
    assert text(root, "primaryExtension/directoryNumber") == "1001"
    home = root.find("homeCluster")
    assert home is not None
    assert (home.text, home.get("enableImAndPresence")) == ("true", "true")
    devices = root.find("devices")
    assert devices is not None
    assert devices.get("uri") == f"{UDS}/user/emusk/devices"
    assert text(root, "serviceProfile/uri") == "http://cucm.steven.lab:6970/SPDefault.cnf.xml"
    jabber = f"https://cucm.steven.lab:6972/{CLUSTER.jabber_file(EMUSK)}"
    assert text(root, "jabberProfile/uri") == jabber
    assert b"rocket" not in udsdata.user_resource(CLUSTER, EMUSK)
    assert "rocket" not in repr(CLUSTER)


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("12.0.1", False),
        ("12.5.1.11900-146", True),
        ("15.0.1", True),
        ("11.5", False),
        ("x", False),
    ],
)
def test_a_jabber_profile_is_named_from_12_5_on(version: str, expected: bool) -> None:
    root = parsed(udsdata.user_resource(replace(CLUSTER, version=version), EMUSK))
    assert (root.find("jabberProfile") is not None) is expected


def test_devices_and_one_of_them() -> None:
    user = replace(
        EMUSK,
        devices=(*EMUSK.devices, Device(name="SEP000001000003", model="Cisco 7970", primary=False)),
    )
    root = parsed(udsdata.devices(CLUSTER, user))
    assert [text(item, "name") for item in root] == ["CSFemusk", "SEP000001000003"]
    limited = parsed(udsdata.devices(CLUSTER, user, limit=1))
    assert [text(item, "name") for item in limited] == ["CSFemusk"]
    one = parsed(udsdata.device_resource(CLUSTER, user, user.devices[1]))
    assert one.get("uri") == f"{UDS}/user/emusk/device/{user.devices[1].pkid}"
    assert one.get("hasPrimaryNumber") == "false"
    assert text(one, "model") == "Cisco 7970"
    assert text(one, "protocol") == "SIP"
    assert [item.tag for item in one] == ["id", "name", "type", "description", "model", "protocol"]


def test_users_are_found_by_id_with_case_and_by_mail_without() -> None:
    assert CLUSTER.user("emusk") is EMUSK
    assert CLUSTER.user("EMUSK") is None
    assert CLUSTER.user_by_email("EMusk@Steven.Lab") is EMUSK
    assert CLUSTER.user_by_email("nobody@steven.lab") is None


def test_an_ipv6_publisher_is_bracketed() -> None:
    cluster = replace(CLUSTER, servers=("2001:db8::1",))
    assert cluster.uds("version") == "https://[2001:db8::1]:8443/cucm-uds/version"


def test_tftp_files() -> None:
    files = tftp_files(CLUSTER)
    assert set(files) == {
        "jabber-config.xml",
        "SPDefault.cnf.xml",
        "global-settings.xml",
        CLUSTER.jabber_file(EMUSK),
        "CSFemusk.cnf.xml",
        "emusk.png",
    }
    for name, body in files.items():
        if not name.endswith(".png"):
            parsed(body)
    device = parsed(files["CSFemusk.cnf.xml"])
    managers = device.findall("devicePool/callManagerGroup/members/member/callManager/name")
    assert [item.text for item in managers] == ["cucm.steven.lab", "cucm-sub.steven.lab"]
    assert text(device, "sipProfile/sipLines/line/name") == "1001"


def test_error_pages_are_well_formed() -> None:
    for body in (udsdata.unauthorized(), udsdata.not_found("/<script>&")):
        assert body.startswith(b"<!doctype html><html")
        ET.fromstring(body.removeprefix(b"<!doctype html>"))  # noqa: S314 - our own bodies
    assert b"<script>" not in udsdata.not_found("/<script>&")


def test_keys_are_stable_and_differ() -> None:
    assert Device(name="a").pkid == Device(name="a", model="other").pkid != Device(name="b").pkid
    assert EMUSK.pkid != Device(name="emusk").pkid


# What XML 1.0 can hold at all: no control characters but tab and line ends, no surrogates.
xml_text = st.text(
    st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff")
)


@given(name=xml_text, query=xml_text)
def test_any_name_survives_the_way_through_xml(name: str, query: str) -> None:
    user = User(user_id=name, password="p", last_name=name, devices=(Device(name=name),))  # noqa: S106
    cluster = Cluster(servers=(name,), users=(user,))
    assert (text(parsed(udsdata.user_resource(cluster, user)), "userName") or "") == name
    assert (text(parsed(udsdata.devices(cluster, user)), "device/name") or "") == name
    root = parsed(udsdata.cluster_user(cluster, query, user))
    assert (root.get("uri") or "").endswith(query)
