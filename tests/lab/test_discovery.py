"""Discovery from simulated nodes over real TLS, and from things that are none."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from mralab.config.estate import DiscoveryKind, DiscoveryPlan
from mralab.config.releases import PROFILES, NameRule, Release
from mralab.errors import LabError
from mralab.lab import udsdata
from mralab.lab.applications import cucm_application
from mralab.lab.discovery import Discovered, DiscoveredNode, Discoverer, DiscoveryReport, discover
from mralab.lab.imp import imp_application
from mralab.lab.listener import Sabotage
from mralab.lab.nodes import Service, SimulatedNode
from mralab.lab.pki import CertificateFields, KeyKind, root_ca
from mralab.lab.tomcat import Account
from mralab.lab.udsdata import NodeKind, ProcessNode
from mralab.lab.unityrest import UnityServer, unity_application
from mralab.truststore.store import TrustStore, load_store
from mralab.truststore.verdict import Reason

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import datetime
    from pathlib import Path

    from mralab.config.settings import Endpoint
    from mralab.lab.pki import Credential, KeyCache

CUCM = "cucm.steven.lab"
IP = "10.48.36.215"
NODES = (
    ProcessNode(name="cucm2.steven.lab"),
    ProcessNode(name="imp.steven.lab", kind=NodeKind.IM_PRESENCE, publisher=True),
    ProcessNode(name=IP, publisher=True),  # the publisher is advertised by its address
)
PLAN = DiscoveryPlan(kind=DiscoveryKind.UNIFIED_CM, address=CUCM)
IMP_PLAN = replace(PLAN, kind=DiscoveryKind.IM_PRESENCE, address="imp.steven.lab")
UNITY_PLAN = replace(PLAN, kind=DiscoveryKind.UNITY, address="cuc.steven.lab")
ACCOUNTS = (Account("axladmin", "axlpassword"),)


@dataclass
class Lab:
    """One node under whatever name is typed in."""

    node: SimulatedNode
    discoverer: Discoverer

    async def one(self, plan: DiscoveryPlan = PLAN, **changes: Any) -> Discovered:
        return await replace(self.discoverer, **changes).one(plan)


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory, ca: Credential, now: datetime) -> TrustStore:
    return store_of(tmp_path_factory.mktemp("trust"), ca, now)


def store_of(folder: Path, credential: Credential, now: datetime) -> TrustStore:
    path = folder / "ca.pem"
    path.write_bytes(credential.pem)
    policy = PROFILES[Release.X14_2].subject_policy
    return load_store((path,), policy=policy, public_roots=False, now=now)


@asynccontextmanager
async def running(
    trust: TrustStore,
    application: Callable[[], web.Application],
    certificates: dict[str, Credential],
) -> AsyncIterator[Lab]:
    service = Service(
        name="tomcat",
        port=0,
        daemon="Cisco Tomcat",
        application=application,
        certificates=tuple(certificates),
    )
    async with SimulatedNode(CUCM, "127.0.0.1", (service,), certificates=certificates) as node:

        def dial(_host: str, _port: int) -> Endpoint:
            return node.endpoint("tomcat")

        profile = PROFILES[Release.X14_2]
        yield Lab(node, Discoverer(trust=trust, profile=profile, dial=dial, timeout_s=5.0))


@pytest.fixture
async def lab(trust: TrustStore, tomcat: Credential) -> AsyncIterator[Lab]:
    cluster = replace(udsdata.sample_cluster(IP, "cucm2.steven.lab"), nodes=NODES)
    async with running(
        trust, lambda: cucm_application(cluster, ACCOUNTS), {"tomcat": tomcat}
    ) as made:
        yield made


# -- what is found


async def test_found_by_fqdn_though_advertised_by_ip(lab: Lab) -> None:
    found = await lab.one()
    assert found.status == "Active"
    assert [(node.name, node.role, node.found_by, node.version) for node in found.nodes] == [
        (IP, "Publisher", CUCM, "14.0.1"),
        ("cucm2.steven.lab", "Subscriber", CUCM, "14.0.1"),
    ]
    report = DiscoveryReport(discoveries=(found, found))
    assert [node.name for node in report.publishers(DiscoveryKind.UNIFIED_CM)] == [IP]
    assert report.publishers(DiscoveryKind.UNITY) == ()


async def test_who_asks_and_what_for(lab: Lab) -> None:
    await lab.one()
    first, second = lab.node.requests
    assert [record.target for record in (first, second)] == ["/axl/", "/axl/"]
    assert first.header("SOAPAction") == '"CUCM:DB ver=12.5 getCCMVersion"'
    assert second.header("SOAPAction") == '"CUCM:DB ver=12.5 listProcessNode"'
    assert first.header("Host") == f"{CUCM}:8443"


async def test_the_seam_with_defaults(lab: Lab, trust: TrustStore) -> None:
    found = await discover(
        PLAN, trust=trust, profile=PROFILES[Release.X15_5], dial=lab.discoverer.dial
    )
    assert found.status == "Active"


async def test_im_and_presence_nodes_by_their_form(
    trust: TrustStore, ca: Credential, keys: KeyCache
) -> None:
    certificate = ca.issue(
        CertificateFields(cn="imp", dns=("imp.steven.lab",)), key=keys.get("tomcat")
    )
    cluster = replace(udsdata.sample_cluster(IP), nodes=NODES)
    async with running(
        trust, lambda: imp_application(cluster, ACCOUNTS), {"tomcat": certificate}
    ) as lab:
        found = await lab.one(IMP_PLAN)
    assert [(node.name, node.kind, node.role) for node in found.nodes] == [
        ("imp.steven.lab", DiscoveryKind.IM_PRESENCE, "Publisher")
    ]


async def test_unity_connection(trust: TrustStore, ca: Credential, keys: KeyCache) -> None:
    certificate = ca.issue(
        CertificateFields(cn="cuc", dns=("cuc.steven.lab",)), key=keys.get("tomcat")
    )
    server = UnityServer(name="cuc.steven.lab", accounts=ACCOUNTS)
    async with running(trust, lambda: unity_application(server), {"tomcat": certificate}) as lab:
        found = await lab.one(UNITY_PLAN)
        refused = await lab.one(replace(UNITY_PLAN, password="wrong"))  # noqa: S106 - made up
    assert [(node.name, node.role, node.version) for node in found.nodes] == [
        ("cuc.steven.lab", "Publisher", "14.0.1")
    ]
    assert refused.status.startswith("Failed: Unity Connection: wrong user name")


async def test_refreshing_is_the_same_again(lab: Lab) -> None:
    before = await lab.discoverer.all([PLAN])
    cluster = replace(udsdata.sample_cluster(CUCM), nodes=(ProcessNode(name=CUCM, publisher=True),))
    service = lab.node.service("tomcat")
    lab.node.configure(replace(service, application=lambda: cucm_application(cluster, ACCOUNTS)))
    await lab.node.restart("Cisco Tomcat")
    after = await lab.discoverer.all([PLAN])
    assert [node.name for node in before.nodes] == [IP, "cucm2.steven.lab"]
    assert [node.name for node in after.nodes] == [CUCM]


async def test_one_failure_disturbs_no_other(lab: Lab) -> None:
    report = await lab.discoverer.all([replace(PLAN, address="other.lab"), PLAN])
    assert [found.plan.address for found in report.failures] == ["other.lab"]
    assert len(report.nodes) == 2


# -- TLS verify mode


@pytest.mark.parametrize(
    ("address", "status"),
    [
        (IP, f"Failed: TLS verification failed: {IP} is not in the certificate"),
        ("cucm", "Failed: TLS verification failed: cucm is not in the certificate"),
        ("CUCM.steven.lab", "Active"),
    ],
    ids=["by address", "by short name", "in other case"],
)
async def test_the_address_typed_in_is_checked(lab: Lab, address: str, status: str) -> None:
    found = await lab.one(replace(PLAN, address=address))
    assert found.status == status
    if found.failure:
        assert found.fault is not None
        assert found.fault.reason is Reason.NAME_REFUSED
        assert found.certificate is not None
        assert found.certificate.sans == (f"DNS:{CUCM}",)
        assert found.hint
        assert found.nodes == ()


async def test_nothing_is_sent_to_a_node_that_is_refused(lab: Lab) -> None:
    await lab.one(replace(PLAN, address=IP))
    assert lab.node.requests.count == 0
    record = await lab.node.handshakes.entry(0)
    assert record.alert is not None


async def test_off_checks_neither_name_nor_chain(lab: Lab, tmp_path: Path, now: datetime) -> None:
    other = store_of(tmp_path, root_ca("other", now=now, key=KeyKind.EC_P256), now)
    for plan in (PLAN, replace(PLAN, address=IP)):
        refused = await lab.one(plan, trust=other)
        assert refused.status.startswith("Failed: TLS verification failed: ")
        accepted = await lab.one(replace(plan, tls_verify_mode=False), trust=other)
        assert accepted.status == "Active"


async def test_an_unknown_authority(lab: Lab, tmp_path: Path, now: datetime) -> None:
    other = store_of(tmp_path, root_ca("other", now=now, key=KeyKind.EC_P256), now)
    found = await lab.one(trust=other)
    assert found.status == (
        "Failed: TLS verification failed: unable to get local issuer certificate, depth 0"
    )
    assert "append the CA chain of that certificate" in found.hint
    assert found.fault is not None
    assert found.fault.reason is Reason.CHAIN_REFUSED


async def test_an_expired_certificate(
    lab: Lab, ca: Credential, keys: KeyCache, now: datetime
) -> None:
    fields = CertificateFields(
        cn=CUCM,
        dns=(CUCM,),
        not_before=now - timedelta(hours=9),
        not_after=now - timedelta(hours=1),
    )
    lab.node.install("tomcat", ca.issue(fields, key=keys.get("tomcat")))
    await lab.node.restart("Cisco Tomcat")
    found = await lab.one()
    assert found.failure == "TLS verification failed: certificate has expired, depth 0"
    assert found.hint.endswith("has expired: renew the certificate on the node")
    assert (await lab.one(now=now - timedelta(hours=2))).status == "Active"


async def test_an_address_san_and_the_name_rule(lab: Lab, ca: Credential, keys: KeyCache) -> None:
    fields = CertificateFields(cn=CUCM, dns=(CUCM,), ips=(IP,))
    lab.node.install("tomcat", ca.issue(fields, key=keys.get("tomcat")))
    await lab.node.restart("Cisco Tomcat")
    plan = replace(PLAN, address=IP)
    assert (await lab.one(plan)).status == "Active"
    assert (await lab.one(plan, name_rule=NameRule.ATS)).failure.endswith(
        "is not in the certificate"
    )


async def test_the_cipher_list_decides_which_certificate_is_met(
    lab: Lab, tomcat_ecdsa: Credential
) -> None:
    service = lab.node.service("tomcat")
    lab.node.configure(replace(service, certificates=("tomcat", "tomcat-ECDSA")))
    lab.node.install("tomcat-ECDSA", tomcat_ecdsa)
    await lab.node.restart("Cisco Tomcat")
    fresh = await lab.one()
    assert fresh.failure == "TLS verification failed: self signed certificate, depth 0"
    assert (await lab.one(ciphers="ECDHE-RSA-AES256-GCM-SHA384")).status == "Active"


# -- AXL


@pytest.mark.parametrize(
    ("changes", "failure"),
    [
        ({"password": "wrong"}, "AXL: wrong user name or password, or no access (401)"),
        ({"username": "nobody"}, "AXL: wrong user name or password, or no access (401)"),
        (
            {"username": "emusk", "password": "rocket"},
            "AXL: wrong user name or password, or no access (403)",
        ),
        ({"username": "e\r\nX: y"}, "AXL: wrong user name or password, or no access (401)"),
    ],
    ids=["wrong password", "unknown user", "an end user", "line end in the user name"],
)
async def test_refused_credentials(lab: Lab, changes: dict[str, Any], failure: str) -> None:
    found = await lab.one(replace(PLAN, **changes))
    assert found.failure == failure
    assert found.fault is None


async def test_the_wrong_form(lab: Lab) -> None:
    typed_wrong = DiscoveryPlan(kind=DiscoveryKind.IM_PRESENCE, address=CUCM)
    cluster = replace(udsdata.sample_cluster(CUCM), nodes=(ProcessNode(name=CUCM),))
    service = lab.node.service("tomcat")
    lab.node.configure(replace(service, application=lambda: cucm_application(cluster, ACCOUNTS)))
    await lab.node.restart("Cisco Tomcat")
    found = await lab.one(typed_wrong)
    assert found.status == "Failed: Address is not a IM and Presence Server"


async def test_a_unified_cm_whose_cluster_has_im_and_presence_is_none_itself(
    trust: TrustStore, tomcat: Credential
) -> None:
    nodes = (ProcessNode(name=CUCM, publisher=True), NODES[1])
    cluster = replace(udsdata.sample_cluster(CUCM), nodes=nodes)
    async with running(
        trust, lambda: cucm_application(cluster, ACCOUNTS), {"tomcat": tomcat}
    ) as lab:
        found = await lab.one(replace(IMP_PLAN, address=CUCM))
    assert found.status == "Failed: Address is not a IM and Presence Server"


AXL_NODE = "<r><processNode><name>{}</name><processNodeRole>CUCM Voice/Video</processNodeRole>"
AXL_NODE += "</processNode><version>14</version></r>"


@pytest.mark.parametrize(
    ("status", "body", "failure"),
    [
        (200, "<html>login", "AXL: the answer is no usable XML: "),
        (200, "", "AXL: the answer is no usable XML: "),
        (200, "<r/>", "AXL names no version"),
        (200, "<r><version>14</version></r>", "Address is not a Unified CM server"),
        (200, AXL_NODE.format("a b"), "the server list holds 'a b': "),
        (200, AXL_NODE.format(""), "the server list holds '': "),
        (200, '<!DOCTYPE r><r v="1"/>', "AXL: the answer is no usable XML: "),
        (503, "", "AXL answered 503 Service Unavailable"),
        (302, "", "AXL answered 302 Found"),
        (200, "x" * (2**20 + 1), "the answer is longer than 1048576 bytes"),
    ],
    ids=[
        "a login page",
        "nothing",
        "another document",
        "no servers",
        "a server that is no host",
        "a server without a name",
        "a document type",
        "an error",
        "a redirect",
        "far too much",
    ],
)
async def test_answers_that_are_no_axl(lab: Lab, status: int, body: str, failure: str) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=status, text=body)

    def application() -> web.Application:
        made = web.Application()
        made.router.add_post("/axl/", answer)
        return made

    lab.node.configure(replace(lab.node.service("tomcat"), application=application))
    await lab.node.restart("Cisco Tomcat")
    found = await lab.one()
    assert found.failure.startswith(failure)
    assert found.nodes == ()


# -- no answer at all


@pytest.mark.parametrize(
    ("how", "failure"),
    [
        (Sabotage.DEAD, "no connection: Connection refused"),
        (Sabotage.PLAIN_HTTP, "TLS handshake failed: "),
        (Sabotage.GARBAGE, "TLS handshake failed: "),
        (Sabotage.CLOSE, "the connection was closed in the TLS handshake"),
        (Sabotage.RESET, "no connection: Connection reset by peer"),
    ],
    ids=lambda value: value.value if isinstance(value, Sabotage) else "",
)
async def test_a_publisher_that_is_not_well(lab: Lab, how: Sabotage, failure: str) -> None:
    await lab.node.sabotage("tomcat", how)
    found = await lab.one()
    assert found.failure.startswith(failure)
    assert found.hint


async def test_a_silent_publisher(lab: Lab) -> None:
    await lab.node.sabotage("tomcat", Sabotage.SILENT)
    assert (await lab.one(timeout_s=0.2)).status == "Failed: no answer in 0.2 s"


async def test_an_address_that_leads_nowhere(lab: Lab) -> None:
    def dial(host: str, _port: int) -> Endpoint:
        raise LabError(f"{host} does not resolve", hint="correct it")

    found = await lab.one(dial=dial)
    assert (found.status, found.hint) == (f"Failed: {CUCM} does not resolve", "correct it")


async def test_an_answer_cut_short(lab: Lab) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b"<r>")
        assert request.transport is not None
        request.transport.close()
        return response

    def application() -> web.Application:
        made = web.Application()
        made.router.add_post("/axl/", answer)
        return made

    lab.node.configure(replace(lab.node.service("tomcat"), application=application))
    await lab.node.restart("Cisco Tomcat")
    assert (await lab.one()).failure == "the answer is not HTTP, or was cut"


def test_a_publishers_list_has_each_name_once() -> None:
    node = DiscoveredNode(name="a", kind=DiscoveryKind.UNIFIED_CM, publisher=True, found_by="typed")
    found = Discovered(plan=PLAN, nodes=(node, replace(node, found_by="another")))
    report = DiscoveryReport(discoveries=(found,))
    assert len(report.publishers(DiscoveryKind.UNIFIED_CM)) == 1
