"""What a client reads, and that it notices another user's answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mralab.errors import LabError
from mralab.lab import loginread, udsdata
from mralab.lab.edgeconfig import EdgeConfig, edge_config, edge_sso
from mralab.lab.loginread import CrossedError
from mralab.lab.soap import SoapFault, SoapVersion, read_call
from mralab.lab.tftpfiles import tftp_files
from mralab.lab.udsread import Place

if TYPE_CHECKING:
    from collections.abc import Callable

EMUSK = udsdata.sample_cluster().users[0]
CLUSTER = udsdata.sample_cluster("cucm.steven.lab", "10.48.36.216")
USERS = b"<Users><User><Alias>%b</Alias></User></Users>"


def test_edge_configuration() -> None:
    body = edge_config(
        EdgeConfig(uds_servers=("10.48.36.215", "b"), uds_port=9443, tftp_servers=("t1", "t2"))
    )
    servers = loginread.edge_servers(body)
    assert servers.uds == Place("https", "10.48.36.215", 9443)
    assert servers.tftp == ("t1", "t2")


def test_an_edge_configuration_without_srv_has_the_users_server() -> None:
    body = edge_config(EdgeConfig(services=("_cuplogin",), uds_servers=(), user_uds=("cucm",)))
    assert loginread.edge_servers(body).uds == Place("https", "cucm", 8443)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param(b"<a/>", "names no UDS server", id="nothing"),
        pytest.param(
            b"<a><userUdsServer><server><address/></server></userUdsServer></a>",
            "names no UDS server",
            id="an empty address",
        ),
        pytest.param(
            b"<a><userUdsServer><server><address>a b</address></server></userUdsServer></a>",
            "names 'a b' as server",
            id="no host",
        ),
        pytest.param(
            b"<a><userUdsServer><server><address>a</address><tlsPort>x</tlsPort></server>"
            b"</userUdsServer></a>",
            "names port 'x'",
            id="no port",
        ),
        pytest.param(b"<a", "no usable XML", id="not well-formed"),
    ],
)
def test_edge_configurations_that_lead_nowhere(body: bytes, said: str) -> None:
    with pytest.raises(LabError, match=said):
        loginread.edge_servers(body)


def test_sign_on_mode() -> None:
    assert loginread.single_sign_on(edge_sso()).tag == "SSOResult"


def test_a_users_own_answers() -> None:
    found = udsdata.cluster_user(CLUSTER, "username=emusk", EMUSK)
    assert loginread.own_home_cluster(found, "emusk") == "cucm.steven.lab"
    facts = loginread.own_user(udsdata.user_resource(CLUSTER, EMUSK), "EMUSK")
    assert facts.profile == Place("http", "cucm.steven.lab", 6970, "/SPDefault.cnf.xml")
    assert (facts.im_presence, facts.extension) == (True, "1001")
    assert loginread.own_soft_phone(udsdata.devices(CLUSTER, EMUSK), "emusk") == "CSFemusk"
    assert loginread.own_phone(tftp_files(CLUSTER)["CSFemusk.cnf.xml"], "1001").tag == "device"
    assert loginread.own_mailbox(USERS % b"emusk", "emusk").tag == "Users"
    assert loginread.own_photo(b"png", None) == loginread.own_photo(b"png", b"png") == b"png"


@pytest.mark.parametrize(
    ("read", "said"),
    [
        pytest.param(
            lambda: loginread.own_home_cluster(
                udsdata.cluster_user(CLUSTER, "username=emusk", EMUSK), "ghopper"
            ),
            "about 'emusk', not about 'ghopper'",
            id="home cluster",
        ),
        pytest.param(
            lambda: loginread.own_user(udsdata.user_resource(CLUSTER, EMUSK), "ghopper"),
            "about 'emusk'",
            id="user",
        ),
        pytest.param(
            lambda: loginread.own_soft_phone(udsdata.devices(CLUSTER, EMUSK), "ghopper"),
            "about 'emusk'",
            id="devices",
        ),
        pytest.param(
            lambda: loginread.own_phone(tftp_files(CLUSTER)["CSFemusk.cnf.xml"], "1002"),
            "line is '1001', the user's is '1002'",
            id="phone",
        ),
        pytest.param(
            lambda: loginread.own_mailbox(USERS % b"emusk", "ghopper"), "'emusk'", id="mailbox"
        ),
        pytest.param(lambda: loginread.own_photo(b"his", b"hers"), "not the user's", id="photo"),
    ],
)
def test_another_users_answer(read: Callable[[], Any], said: str) -> None:
    with pytest.raises(CrossedError, match=said) as caught:
        read()
    assert "crossed" in caught.value.hint


def test_a_user_id_with_escapes_is_the_same_user() -> None:
    uri = b'<c><result found="true" uri="https://a:8443/cucm-uds/user/e%20x%2F"/>'
    body = uri + b"<homeCluster>a</homeCluster></c>"
    assert loginread.own_home_cluster(body, "e x/") == "a"


@pytest.mark.parametrize(
    ("read", "said"),
    [
        pytest.param(lambda: loginread.im_session(b"<s/>"), "no session key", id="no session"),
        pytest.param(lambda: loginread.own_mailbox(b"<Users/>", "a"), "no mailbox", id="mailbox"),
        pytest.param(lambda: loginread.own_photo(b"", None), "empty", id="photo"),
    ],
)
def test_what_is_missing(read: Callable[[], Any], said: str) -> None:
    with pytest.raises(LabError, match=said) as caught:
        read()
    assert not isinstance(caught.value, CrossedError)


def test_no_im_no_profile_no_device() -> None:
    body = b'<user><homeCluster enableImAndPresence="false">true</homeCluster></user>'
    facts = loginread.own_user(body, "emusk")
    assert (facts.profile, facts.im_presence, facts.extension) == (None, False, "")
    more = b"<user><primaryExtension><directoryNumber> 1001 </directoryNumber><label>desk</label>"
    more += b"</primaryExtension></user>"
    assert loginread.own_user(more, "emusk").extension == "1001"
    assert loginread.own_soft_phone(b"<devices/>", "emusk") is None
    nameless = b"<devices><device><name>CSFx</name></device></devices>"
    assert loginread.own_soft_phone(nameless, "emusk") == "CSFx"


def test_the_soap_login_is_what_the_node_reads() -> None:
    call = read_call(loginread.im_login("e<musk", "a&b"))
    assert (call.name, call.text("username"), call.text("password")) == ("login", "e<musk", "a&b")


@pytest.mark.parametrize("version", SoapVersion)
def test_the_reason_of_a_soap_fault(version: SoapVersion) -> None:
    assert loginread.soap_fault(SoapFault("no such user", version=version).body()) == "no such user"


@pytest.mark.parametrize("body", [b"", b"<html/>", b"\xff"])
def test_what_is_no_soap_fault_has_no_reason(body: bytes) -> None:
    assert loginread.soap_fault(body) == ""
