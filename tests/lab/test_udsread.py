"""What a client reads out of answers, and which answers it refuses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mralab.errors import LabError
from mralab.lab import udsdata, udsread
from mralab.lab.tftpfiles import tftp_files

CLUSTER = udsdata.sample_cluster("cucm.steven.lab", "cucm2.steven.lab")
EMUSK = CLUSTER.users[0]
FOUND = udsdata.cluster_user(CLUSTER, "username=emusk", EMUSK)


def test_what_a_node_answers_can_be_read() -> None:
    assert udsread.home_cluster(FOUND) == "cucm.steven.lab"
    assert udsread.server_hosts(udsdata.servers(CLUSTER)) == ("cucm.steven.lab", "cucm2.steven.lab")
    assert udsread.soft_phone(udsdata.devices(CLUSTER, EMUSK)) == "CSFemusk"


def test_a_desk_phone_is_no_soft_phone() -> None:
    body = b"<devices><device><name>SEP000001000003</name></device><device/></devices>"
    assert udsread.soft_phone(body) is None


def test_an_address_may_be_advertised() -> None:
    body = b"<servers><server> 10.48.36.215 </server><server>b</server><server>b</server></servers>"
    assert udsread.server_hosts(body) == ("10.48.36.215", "b")


def test_an_unknown_user_has_no_home() -> None:
    assert udsread.find_home(FOUND) == "cucm.steven.lab"
    assert udsread.find_home(udsdata.cluster_user(CLUSTER, "", None)) is None


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param(b"", "no usable XML: no element found", id="nothing"),
        pytest.param(b"<a><b></a>", "no usable XML: mismatched tag", id="not well-formed"),
        pytest.param(b"<a>&b;</a>", "undefined entity", id="an entity"),
        pytest.param(
            b'<?xml version="1.0"?><!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
            "document type, a",
            id="an outside document type",
        ),
        pytest.param(
            b'<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;">]><a>&d;</a>',
            "document type, a",
            id="entities of its own",
        ),
        pytest.param(b'<?xml version="1.0" encoding="x-no"?><a/>', "x-no", id="unknown encoding"),
        pytest.param(b'<?xml version="1.0" encoding="big5"?><a/>', "multi-byte", id="big5"),
        pytest.param(b"<a/>" + b" " * udsread.MAX_ANSWER_BYTES, "longer than", id="too long"),
    ],
)
def test_what_is_no_usable_xml(body: bytes, said: str) -> None:
    with pytest.raises(LabError, match=said):
        udsread.read_xml(body)


def test_the_longest_answer_is_taken() -> None:
    assert udsread.read_xml(b"<a/>".ljust(udsread.MAX_ANSWER_BYTES)).tag == "a"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param(udsdata.cluster_user(CLUSTER, "", None), "no cluster knows", id="not found"),
        pytest.param(b"<clusterUser/>", "has no result", id="no result"),
        pytest.param(
            b'<clusterUser><result found="true"/></clusterUser>', "no home cluster", id="none named"
        ),
        pytest.param(
            b'<c><result found="true"/><homeCluster>a b</homeCluster></c>',
            "names 'a b' as home cluster: ",
            id="no host",
        ),
    ],
)
def test_a_home_cluster_that_is_none(body: bytes, said: str) -> None:
    with pytest.raises(LabError, match=said) as caught:
        udsread.home_cluster(body)
    assert caught.value.hint or body == b"<clusterUser/>"


@pytest.mark.parametrize("body", [b"<servers/>", b"<servers><server>a</server><server/></servers>"])
def test_no_server(body: bytes) -> None:
    with pytest.raises(LabError, match="names no server") as caught:
        udsread.server_hosts(body)
    assert caught.value.hint


@given(st.binary(max_size=60) | st.text("<>/?!&;a\" ='", max_size=40).map(str.encode))
def test_no_answer_raises_anything_else(body: bytes) -> None:
    for read in (udsread.home_cluster, udsread.server_hosts, udsread.soft_phone):
        try:
            read(body)
        except LabError:
            continue


PROFILE = b"""<config><Presence>
<PresenceServerAddress port="9443">imp.steven.lab</PresenceServerAddress>
<PresenceServerAddress>10.48.36.220</PresenceServerAddress></Presence>
<Voicemail><VVM_Mailstore_Server_0>cuc.steven.lab</VVM_Mailstore_Server_0></Voicemail></config>"""


def test_servers_of_a_service_profile() -> None:
    assert udsread.im_presence_servers(PROFILE) == (
        udsread.Place("https", "imp.steven.lab", 9443),
        udsread.Place("https", "10.48.36.220", 8443),
    )
    assert udsread.voicemail_servers(PROFILE) == (udsread.Place("https", "cuc.steven.lab", 443),)
    assert udsread.im_presence_servers(b"<config/>") == ()
    assert udsread.voicemail_servers(b"<config/>") == ()


def test_where_profile_and_photo_are() -> None:
    user = udsdata.user_resource(CLUSTER, EMUSK)
    assert udsread.profile_place(user) == udsread.Place(
        "http", "cucm.steven.lab", 6970, "/SPDefault.cnf.xml"
    )
    config = tftp_files(CLUSTER)["jabber-config.xml"]
    assert udsread.photo_place(config, "e/musk") == udsread.Place(
        "http", "cucm.steven.lab", 6970, "/e%2Fmusk.png"
    )
    assert udsread.profile_place(b"<user/>") is None
    assert udsread.photo_place(b"<config/>", "emusk") is None
    query = b"<c><UdsPhotoUriWithToken>http://[::1]?u=%%uid%%</UdsPhotoUriWithToken></c>"
    assert udsread.photo_place(query, "emusk") == udsread.Place("http", "::1", 80, "/?u=emusk")


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("cucm.steven.lab/x.png", id="no scheme"),
        pytest.param("ftp://cucm.steven.lab/x.png", id="another scheme"),
        pytest.param("https://cucm.steven.lab:99999/", id="a port too high"),
        pytest.param("https://[::1/", id="a bracket left open"),
        pytest.param("https:///x.png", id="no host"),
        pytest.param("https://a%20b/", id="no host name"),
    ],
)
def test_addresses_that_are_none(address: str) -> None:
    photo = f"<c><UdsPhotoUriWithToken>{address}</UdsPhotoUriWithToken></c>".encode()
    profile = f"<user><serviceProfile><uri>{address}</uri></serviceProfile></user>".encode()
    with pytest.raises(LabError, match="photo"):
        udsread.photo_place(photo, "emusk")
    with pytest.raises(LabError, match="service profile"):
        udsread.profile_place(profile)


@pytest.mark.parametrize("port", ["", "0", "65536", "-1", "x", "\u0661"])
def test_ports_that_are_none(port: str) -> None:
    body = f'<c><PresenceServerAddress port="{port}">imp</PresenceServerAddress></c>'.encode()
    with pytest.raises(LabError, match="IM and Presence server"):
        udsread.im_presence_servers(body)
