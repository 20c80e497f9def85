"""The nodes of an estate over real TLS: what they answer, by a client that is not ours."""

from __future__ import annotations

import ssl
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mralab.config.estate import (
    ClusterPlan,
    DiscoveryKind,
    DiscoveryPlan,
    Estate,
    HttpsCiphers,
    NodePlan,
    NodeRole,
    ServiceState,
    TlsCiphers,
    UserPlan,
)
from mralab.config.estatedefaults import SERVICES_OF_ROLE
from mralab.config.estatesample import sample_estate
from mralab.config.releases import CIPHERS_RSA_FIRST
from mralab.lab import udsread
from mralab.lab.estatenodes import axl_accounts, cluster_of
from mralab.lab.pki import CertificateFields, Credential, KeyCache, KeyKind
from mralab.lab.tomcat import Account

from .lonenodes import DOCUMENTED, cluster_data, lone_node
from .strictclient import ask, assert_shape, unverifying

if TYPE_CHECKING:
    from pathlib import Path

CUCM = "cucm.steven.lab"
EMUSK = ("emusk", "rocket")
ESTATE = sample_estate()
OTHER = ClusterPlan(
    name="other",
    nodes=(NodePlan(name="cucm.other.lab", role=NodeRole.PUBLISHER, address="10.49.0.1"),),
)
TWO = replace(
    ESTATE,
    clusters=(*ESTATE.clusters, OTHER),
    users=(
        *ESTATE.users,
        UserPlan(user_id="lovelace", password="engine", cluster="other"),  # noqa: S106
        UserPlan(
            user_id="silent",
            password="x",  # noqa: S106
            cluster="steven",
            im_presence=False,
        ),
    ),
)


@pytest.fixture(scope="module")
def certificates(tomcat: Credential, tomcat_ecdsa: Credential) -> dict[str, Credential]:
    return {
        "tomcat": tomcat,
        "tomcat-ECDSA": tomcat_ecdsa,
        "CallManager": tomcat,
        "CallManager-ECDSA": tomcat_ecdsa,
    }


def with_node(estate: Estate, name: str, **changes: object) -> Estate:
    clusters = tuple(
        replace(
            cluster,
            nodes=tuple(
                replace(node, **changes) if node.name == name else node  # type: ignore[arg-type]  # reason: fields by name
                for node in cluster.nodes
            ),
        )
        for cluster in estate.clusters
    )
    return replace(estate, clusters=clusters)


# What they answer.


async def test_everything_uds_answers_has_the_references_structure(
    certificates: dict[str, Credential],
) -> None:
    async with lone_node(TWO, CUCM, certificates) as node:
        uds = node.endpoint("uds")
        found = await ask(uds, "/cucm-uds/clusterUser?username=emusk")
        assert assert_shape(found.body, "clusterUser").one("homeCluster") == CUCM
        by_mail = await ask(uds, "/cucm-uds/clusterUser?email=emusk@steven.lab")
        assert_shape(by_mail.body, "clusterUser")
        nobody = await ask(uds, "/cucm-uds/clusterUser?username=nobody")
        assert_shape(nobody.body, "clusterUser not found")
        servers = await ask(uds, "/cucm-uds/servers")
        names = assert_shape(servers.body, "servers").all("server")
        assert names == [CUCM, "cucm-sub.steven.lab"], "IM and Presence nodes run no UDS"
        assert_shape((await ask(uds, "/cucm-uds/version")).body, "version")
        user = await ask(uds, "/cucm-uds/user/emusk", user=EMUSK)
        assert assert_shape(user.body, "user").one("directoryNumber") == "1001"
        devices = await ask(uds, "/cucm-uds/user/emusk/devices?max=100", user=EMUSK)
        listed = assert_shape(devices.body, "devices")
        assert listed.one("name") == "CSFemusk"
        one = await ask(uds, f"/cucm-uds/user/emusk/device/{listed.one('id')}", user=EMUSK)
        assert_shape(one.body, "device")
        for answer in (found, nobody, servers, user, devices, one):
            assert (answer.status, answer.fields["server"]) == (200, "")
            assert answer.fields["content-type"] == "application/xml; charset=UTF-8"


async def test_a_user_of_another_cluster_is_found_there(
    certificates: dict[str, Credential],
) -> None:
    async with lone_node(TWO, CUCM, certificates) as node:
        uds = node.endpoint("uds")
        for query in ("username=lovelace", "email=lovelace@steven.lab"):
            answer = await ask(uds, f"/cucm-uds/clusterUser?{query}")
            found = assert_shape(answer.body, "clusterUser")
            assert found.one("homeCluster") == "cucm.other.lab"
            (result,) = (item for item in found.children if item.tag == "result")
            assert result.attributes["uri"].startswith("https://cucm.other.lab:8443/")
        # But only there is her data.
        answer = await ask(uds, "/cucm-uds/user/lovelace", user=("lovelace", "engine"))
        assert answer.status == 401


async def test_each_user_sees_only_what_is_his(certificates: dict[str, Credential]) -> None:
    async with lone_node(TWO, CUCM, certificates) as node:
        for user, password in (EMUSK, ("ghopper", "compiler")):
            path = f"/cucm-uds/user/{user}"
            own = await ask(node.endpoint("uds"), path, user=(user, password))
            assert assert_shape(own.body, "user").one("userName") == user
        for shown, status in ((EMUSK, 403), (("ghopper", "rocket"), 401), (("x", ""), 401)):
            answer = await ask(node.endpoint("uds"), "/cucm-uds/user/ghopper", user=shown)
            assert answer.status == status
            assert b"Hopper" not in answer.body


async def test_tftp_files_over_all_three_ports(certificates: dict[str, Credential]) -> None:
    shapes = {
        "jabber-config.xml": "jabber-config",
        "SPDefault.cnf.xml": "service profile",
        "global-settings.xml": "global-settings",
    }
    async with lone_node(TWO, CUCM, certificates) as node:
        for service in ("tftp-https", "tftp-secure", "tftp-http"):
            for file, shape in shapes.items():
                answer = await ask(node.endpoint(service), f"/{file}", tls=service != "tftp-http")
                assert_shape(answer.body, shape)
            none = await ask(node.endpoint(service), "/no", tls=service != "tftp-http")
            assert none.status == 404


async def test_a_client_finds_its_way_by_the_answers_alone(
    certificates: dict[str, Credential],
) -> None:
    async with lone_node(TWO, CUCM, certificates) as node:
        user = await ask(node.endpoint("uds"), "/cucm-uds/user/emusk", user=EMUSK)
        place = udsread.profile_place(user.body)
        assert place == udsread.Place("http", CUCM, 6970, "/SPDefault.cnf.xml")
        profile = await ask(node.endpoint("tftp-http"), place.path, tls=False)
        assert udsread.im_presence_servers(profile.body) == (
            udsread.Place("https", "imp.steven.lab", 8443),
        )
        assert udsread.voicemail_servers(profile.body) == (
            udsread.Place("https", "cuc.steven.lab", 443),
        )
        config = await ask(node.endpoint("tftp-https"), "/jabber-config.xml")
        photo = udsread.photo_place(config.body, "emusk")
        assert photo == udsread.Place("http", CUCM, 6970, "/emusk.png")
        picture = await ask(node.endpoint("tftp-http"), photo.path, tls=False)
        assert picture.body.startswith(b"\x89PNG\r\n\x1a\n")
        assert udsread.im_presence_servers(config.body) == udsread.im_presence_servers(profile.body)


async def test_users_with_other_services_have_another_profile(
    certificates: dict[str, Credential],
) -> None:
    async with lone_node(TWO, CUCM, certificates) as node:
        for user, password, file, im_presence, voicemail in (
            ("ghopper", "compiler", "/SP1.cnf.xml", 1, 0),
            ("silent", "x", "/SP2.cnf.xml", 0, 0),
        ):
            path = f"/cucm-uds/user/{user}"
            answer = await ask(node.endpoint("uds"), path, user=(user, password))
            place = udsread.profile_place(answer.body)
            assert place is not None
            assert place.path == file
            profile = await ask(node.endpoint("tftp-https"), file)
            assert_shape(profile.body, "service profile")
            assert len(udsread.im_presence_servers(profile.body)) == im_presence
            assert len(udsread.voicemail_servers(profile.body)) == voicemail


def test_advertised_names_and_ports_go_into_every_answer() -> None:
    estate = with_node(ESTATE, CUCM, advertised="10.48.36.215")
    estate = with_node(estate, "imp.steven.lab", advertised="imp")
    estate = replace(estate, unity=(replace(estate.unity[0], advertised="10.48.36.218"),))
    cluster = cluster_of(estate, estate.clusters[0], replace(DOCUMENTED, unity=10_443))
    assert cluster.servers == ("10.48.36.215", "cucm-sub.steven.lab")
    assert cluster.im_presence == ("imp",)
    assert cluster.users[0].voicemail == "10.48.36.218"
    assert cluster.unity_port == 10_443
    assert [(node.name, node.publisher) for node in cluster.nodes] == [
        ("10.48.36.215", True),
        ("cucm-sub.steven.lab", False),
        ("imp", True),
    ]


def test_services_are_those_that_the_estate_file_knows(certificates: dict[str, Credential]) -> None:
    for plan in ESTATE.nodes():
        node = lone_node(ESTATE, plan.name, certificates)
        assert tuple(service.name for service in node.services) == SERVICES_OF_ROLE[plan.role]


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("cucm.steven.lab", True),
        ("CUCM.steven.lab", True),
        ("cucm", True),
        ("10.48.36.215", True),
        ("imp.steven.lab", True),
        ("cuc.steven.lab", False),
        ("cucm.other.lab", False),
    ],
)
def test_axl_accounts_are_those_of_the_clusters_discoveries(address: str, found: bool) -> None:
    plan = DiscoveryPlan(
        kind=DiscoveryKind.UNIFIED_CM,
        address=address,
        username="axl",
        password="secret",  # noqa: S106
    )
    estate = replace(TWO, expressway_c=replace(TWO.expressway_c, discoveries=(plan, plan)))
    expected = (Account("axl", "secret"),) if found else ()
    assert axl_accounts(estate, estate.clusters[0]) == expected
    assert "secret" not in repr(axl_accounts(estate, estate.clusters[0]))


# How they answer.


@pytest.mark.parametrize(
    ("changes", "service", "ciphers", "served"),
    [
        ({}, "uds", "", "tomcat"),
        ({"https_ciphers": HttpsCiphers.EC_AND_RSA}, "uds", "", "tomcat-ECDSA"),
        (
            {"https_ciphers": HttpsCiphers.EC_AND_RSA},
            "uds",
            CIPHERS_RSA_FIRST,
            "tomcat",
        ),
        ({}, "tftp-https", "", "CallManager-ECDSA"),
        ({}, "tftp-https", CIPHERS_RSA_FIRST, "CallManager"),
        ({}, "tftp-secure", CIPHERS_RSA_FIRST, "CallManager"),
        (
            {"tls_ciphers": TlsCiphers.ECDSA_PREFERRED},
            "tftp-https",
            CIPHERS_RSA_FIRST,
            "CallManager-ECDSA",
        ),
        (
            {"tls_ciphers": TlsCiphers.ECDSA_PREFERRED},
            "uds",
            CIPHERS_RSA_FIRST,
            "tomcat",
        ),
    ],
    ids=[
        "8443 is RSA by default",
        "8443 with EC and RSA follows an ECDSA-first client",
        "8443 with EC and RSA follows an RSA-first client",
        "6972 follows an ECDSA-first client",
        "6972 follows an RSA-first client",
        "6971 does as 6972",
        "6972 with ECDSA preferred has its own order",
        "TLS Ciphers says nothing about 8443",
    ],
)
async def test_which_certificate_is_served(
    certificates: dict[str, Credential],
    changes: dict[str, object],
    service: str,
    ciphers: str,
    served: str,
) -> None:
    context = unverifying()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    if ciphers:
        context.set_ciphers(ciphers)
    async with lone_node(with_node(ESTATE, CUCM, **changes), CUCM, certificates) as node:
        await ask(node.endpoint(service), "/", context=context)
        assert (await node.handshakes.entry(0)).certificate == served


@pytest.mark.parametrize(
    ("version", "tls"),
    [("14.0.1", "TLSv1.2"), ("14.9", "TLSv1.2"), ("15.0.1", "TLSv1.3"), ("16", "TLSv1.3")],
)
async def test_tls_1_3_from_version_15_on(
    certificates: dict[str, Credential], version: str, tls: str
) -> None:
    async with lone_node(with_node(ESTATE, CUCM, version=version), CUCM, certificates) as node:
        for number, service in enumerate(("uds", "tftp-https")):
            await ask(node.endpoint(service), "/")
            assert (await node.handshakes.entry(number)).version == tls


@pytest.mark.parametrize(
    ("trust", "taken"),
    [
        pytest.param(("CallManager-trust", "tomcat-trust"), True, id="its CA is in both lists"),
        pytest.param(("CallManager-trust",), False, id="not in tomcat-trust"),
        pytest.param(("tomcat-trust",), False, id="not in CallManager-trust"),
        pytest.param((), False, id="in neither"),
    ],
)
@pytest.mark.parametrize("service", ["tftp-https", "tftp-secure"])
async def test_a_client_certificate_must_lead_to_both_trust_lists(
    *,
    certificates: dict[str, Credential],
    ca: Credential,
    keys: KeyCache,
    tmp_path: Path,
    trust: tuple[str, ...],
    taken: bool,
    service: str,
) -> None:
    own = ca.issue(CertificateFields(cn="vcsc.steven.lab"), key=keys.get("vcsc", KeyKind.EC_P256))
    files = own.write(tmp_path, "client")
    context = unverifying()
    context.load_cert_chain(files.chain, files.key)
    lists = dict.fromkeys(trust, (ca.certificate,))
    async with lone_node(ESTATE, CUCM, certificates, lists) as node:
        if taken:
            answer = await ask(node.endpoint(service), "/global-settings.xml", context=context)
            assert answer.status == 200
        else:
            with pytest.raises(ssl.SSLError, match=r"(?i)unknown.ca"):
                await ask(node.endpoint(service), "/", context=context)
        record = await node.handshakes.entry(0)
        assert (record.completed, record.client_subject) == (taken, "CN=vcsc.steven.lab")


async def test_services_start_in_the_state_of_the_plan(
    certificates: dict[str, Credential],
) -> None:
    states = {
        "uds": ServiceState.DOWN,
        "tftp-https": ServiceState.PLAIN_HTTP,
        "tftp-secure": ServiceState.RESET,
        "tftp-http": ServiceState.SILENT,
    }
    async with lone_node(with_node(ESTATE, CUCM, services=states), CUCM, certificates) as node:
        with pytest.raises(ConnectionRefusedError):
            await ask(node.endpoint("uds"), "/")
        plain = await ask(node.endpoint("tftp-https"), "/jabber-config.xml", tls=False)
        assert plain.status == 200
        with pytest.raises(ConnectionResetError):
            await ask(node.endpoint("tftp-secure"), "/")
        assert node.service("tftp-http").sabotage.value == "silent"
        assert len(node.requests) == 1


def test_a_unity_node_belongs_to_no_cluster() -> None:
    assert cluster_data(ESTATE, "cuc.steven.lab") is None
