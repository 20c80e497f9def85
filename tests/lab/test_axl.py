"""AXL of the simulated nodes over real TLS, read by a strict client."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mralab.config.estatesample import sample_estate

from .lonenodes import lone_node
from .strictclient import AXL_NS, SOAP_1_1, SOAP_1_2, Answer, ask, assert_shape, parse

if TYPE_CHECKING:
    from mralab.lab.nodes import SimulatedNode
    from mralab.lab.pki import Credential

ESTATE = sample_estate()
CUCM, IMP = "cucm.steven.lab", "imp.steven.lab"
ADMIN = ("axladmin", "axlpassword")
ALL_TAGS = "<name/><description/><mac/><ipv6Name/><nodeUsage/><lbmHubGroup/><processNodeRole/>"
EVERYTHING = (
    f"<searchCriteria><name>%</name></searchCriteria><returnedTags>{ALL_TAGS}</returnedTags>"
)


@pytest.fixture
def node(tomcat: Credential) -> SimulatedNode:
    return lone_node(ESTATE, CUCM, {"tomcat": tomcat, "CallManager": tomcat})


def envelope(
    method: str, inside: str = "", *, namespace: str = AXL_NS, soap: str = SOAP_1_1
) -> bytes:
    return (
        f'<s:Envelope xmlns:s="{soap}"><s:Header/><s:Body><a:{method} xmlns:a="{namespace}">'
        f"{inside}</a:{method}></s:Body></s:Envelope>"
    ).encode()


async def post(
    node: SimulatedNode,
    body: bytes,
    *,
    user: tuple[str, str] | None = ADMIN,
    path: str = "/axl/",
) -> Answer:
    (service, *_) = node.services
    return await ask(
        node.endpoint(service.name),
        path,
        method="POST",
        body=body,
        user=user,
        fields={"Content-Type": "text/xml", "SOAPAction": '"CUCM:DB ver=12.5"'},
    )


async def test_version(node: SimulatedNode) -> None:
    async with node:
        answer = await post(node, envelope("getCCMVersion"))
        assert (answer.status, answer.fields["server"]) == (200, "")
        assert answer.fields["content-type"] == "text/xml; charset=UTF-8"
        assert assert_shape(answer.body, "AXL version").one("version") == "14.0.1"
        one = await post(
            node, envelope("getCCMVersion", f"<processNodeName>{IMP}</processNodeName>")
        )
        assert_shape(one.body, "AXL version")
        none = await post(node, envelope("getCCMVersion", "<processNodeName>x</processNodeName>"))
        assert none.status == 500
        assert_shape(none.body, "AXL fault")


async def test_all_servers_with_everything_asked_for(node: SimulatedNode) -> None:
    async with node:
        answer = await post(node, envelope("listProcessNode", EVERYTHING))
        listed = assert_shape(answer.body, "AXL nodes")
    rows = zip(
        listed.all("name"), listed.all("nodeUsage"), listed.all("processNodeRole"), strict=True
    )
    assert list(rows) == [
        ("EnterpriseWideData", "Publisher", "CUCM Voice/Video"),
        (CUCM, "Publisher", "CUCM Voice/Video"),
        ("cucm-sub.steven.lab", "Subscriber", "CUCM Voice/Video"),
        (IMP, "Publisher", "CUCM IM and Presence"),
    ]


@pytest.mark.parametrize(
    ("criteria", "names"),
    [
        ("<name>cucm%</name>", [CUCM, "cucm-sub.steven.lab"]),
        ("<name>CUCM.steven.lab</name>", [CUCM]),
        ("<name>cucm?steven*</name>", []),
        ("<name>%</name><processNodeRole>CUCM IM and Presence</processNodeRole>", [IMP]),
        ("<name>[a-z]%</name>", []),
        ("<unknown>x</unknown>", []),
    ],
)
async def test_servers_can_be_searched(
    node: SimulatedNode, criteria: str, names: list[str]
) -> None:
    inside = f"<searchCriteria>{criteria}</searchCriteria><returnedTags><name/></returnedTags>"
    async with node:
        answer = await post(node, envelope("listProcessNode", inside))
    listed = assert_shape(answer.body, "AXL nodes")
    assert listed.all("name") == names
    assert listed.all("nodeUsage") == [], "only what was asked for is returned"


async def test_names_are_those_under_system_server(tomcat: Credential) -> None:
    (cluster,) = ESTATE.clusters
    nodes = (replace(cluster.nodes[0], advertised="10.48.36.215"), *cluster.nodes[1:])
    estate = replace(ESTATE, clusters=(replace(cluster, nodes=nodes),))
    async with lone_node(estate, IMP, {"tomcat": tomcat}) as node:
        answer = await post(node, envelope("listProcessNode", EVERYTHING))
    assert assert_shape(answer.body, "AXL nodes").all("name")[1] == "10.48.36.215"


@pytest.mark.parametrize(
    ("user", "status"),
    [
        pytest.param(None, 401, id="no credentials"),
        pytest.param(("axladmin", "wrong"), 401, id="a wrong password"),
        pytest.param(("AXLADMIN", "axlpassword"), 401, id="another user"),
        pytest.param(("emusk", "wrong"), 401, id="an end user's wrong password"),
        pytest.param(("emusk", "rocket"), 403, id="an end user, who has no AXL role"),
    ],
)
async def test_who_has_no_access(
    node: SimulatedNode, user: tuple[str, str] | None, status: int
) -> None:
    async with node:
        answer = await post(node, envelope("getCCMVersion"), user=user)
        get = await ask(node.endpoint("uds"), "/axl/", user=ADMIN)
    assert answer.status == status
    assert b"14.0.1" not in answer.body
    if status == 401:
        assert answer.fields["www-authenticate"] == 'Basic realm="Cisco Web Services Realm"'
    assert get.status == 405


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(envelope("addUser"), id="another method"),
        pytest.param(envelope("getCCMVersion", namespace="urn:x"), id="another namespace"),
        pytest.param(
            envelope("getCCMVersion", namespace=AXL_NS.replace("12.5", "x")), id="no version"
        ),
        pytest.param(envelope("listProcessNode"), id="no criteria"),
        pytest.param(
            envelope("listProcessNode", "<searchCriteria/><returnedTags><name/></returnedTags>"),
            id="empty criteria",
        ),
        pytest.param(b"", id="nothing"),
        pytest.param(b"<a>", id="not well-formed"),
        pytest.param(b"<!DOCTYPE a><a/>", id="a document type"),
        pytest.param(b"<a/>", id="no envelope"),
        pytest.param(
            f'<s:Envelope xmlns:s="{SOAP_1_1}"><s:Body/></s:Envelope>'.encode(), id="no call"
        ),
        pytest.param(
            f'<s:Envelope xmlns:s="{SOAP_1_1}"><s:Body><a/><b/></s:Body></s:Envelope>'.encode(),
            id="two calls",
        ),
    ],
)
async def test_what_cannot_be_answered_is_a_fault(node: SimulatedNode, body: bytes) -> None:
    async with node:
        answer = await post(node, body)
    assert answer.status == 500
    assert_shape(answer.body, "AXL fault")


async def test_the_answer_is_in_the_soap_version_of_the_question(node: SimulatedNode) -> None:
    async with node:
        answer = await post(node, envelope("getCCMVersion", soap=SOAP_1_2))
        assert parse(answer.body).tag == f"{SOAP_1_2}|Envelope"
        assert answer.fields["content-type"] == "application/soap+xml; charset=UTF-8"
        strange = await post(node, envelope("getCCMVersion", soap="urn:soap"))
    root = assert_shape(strange.body, "SOAP 1.1 fault")
    assert root.one("faultcode") == "soapenv:VersionMismatch"


async def test_the_path_may_lack_its_last_slash(node: SimulatedNode) -> None:
    async with node:
        assert (await post(node, envelope("getCCMVersion"), path="/axl")).status == 200
