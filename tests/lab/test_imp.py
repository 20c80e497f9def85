"""The SOAP login of an IM and Presence node over real TLS, read by a strict client."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

import pytest

from mralab.config.estate import UserPlan
from mralab.config.estatesample import sample_estate

from .lonenodes import lone_node
from .strictclient import EPAS_NS, SOAP_1_1, SOAP_1_2, Answer, ask, assert_shape

if TYPE_CHECKING:
    from mralab.lab.nodes import SimulatedNode
    from mralab.lab.pki import Credential

SAMPLE = sample_estate()
ESTATE = replace(
    SAMPLE,
    users=(
        *SAMPLE.users,
        UserPlan(
            user_id="silent",
            password="x",  # noqa: S106
            cluster="steven",
            im_presence=False,
        ),
        UserPlan(user_id="odd", password=" <&>\u00e9 ", cluster="steven"),  # noqa: S106
    ),
)
PATH = "/EPASSoap/service/v80"


@pytest.fixture
def node(tomcat: Credential, tomcat_ecdsa: Credential) -> SimulatedNode:
    return lone_node(ESTATE, "imp.steven.lab", {"tomcat": tomcat, "tomcat-ECDSA": tomcat_ecdsa})


def login(
    user: str,
    password: str,
    *,
    soap: str = SOAP_1_2,
    namespace: str = EPAS_NS,
    method: str = "login",
) -> bytes:
    return (
        f'<s:Envelope xmlns:s="{soap}" xmlns:n="{namespace}"><s:Body>'
        f'<n:{method} client-type="CUPC" force="true"><n:username>{escape(user)}</n:username>'
        f"<n:password>{escape(password)}</n:password></n:{method}></s:Body></s:Envelope>"
    ).encode()


async def post(node: SimulatedNode, body: bytes, path: str = PATH) -> Answer:
    fields = {"Content-Type": "application/soap+xml; charset=utf-8"}
    return await ask(node.endpoint("soap"), path, method="POST", body=body, fields=fields)


@pytest.mark.parametrize(
    "path",
    [
        "/EPASSoap/service",
        "/EPASSoap/service/v80",
        "/EPASSoap/service/v105",
        "/EPASSoap/service/latest",
    ],
)
async def test_a_login_over_soap_1_2(node: SimulatedNode, path: str) -> None:
    async with node:
        answer = await post(node, login("emusk", "rocket"), path)
        assert (answer.status, answer.reason, answer.fields["server"]) == (200, "", "")
        assert answer.fields["content-type"] == "application/soap+xml; charset=UTF-8"
        key = assert_shape(answer.body, "login over SOAP 1.2").one("session-key")
        again = await post(node, login("emusk", "rocket"), path)
        assert assert_shape(again.body, "login over SOAP 1.2").one("session-key") != key


async def test_a_login_over_soap_1_1(node: SimulatedNode) -> None:
    async with node:
        answer = await post(node, login("emusk", "rocket", soap=SOAP_1_1))
    assert answer.fields["content-type"] == "text/xml; charset=UTF-8"
    assert_shape(answer.body, "login over SOAP 1.1")


async def test_a_password_is_taken_as_it_is(node: SimulatedNode) -> None:
    async with node:
        assert (await post(node, login("odd", " <&>\u00e9 "))).status == 200
        assert (await post(node, login("odd", "<&>\u00e9"))).status == 400


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(login("emusk", "wrong"), "Invalid user name or password", id="wrong password"),
        pytest.param(login("nobody", "x"), "Invalid user name or password", id="nobody"),
        pytest.param(login("EMUSK", "rocket"), "Invalid user name", id="another case"),
        pytest.param(login("emusk", ""), "Invalid user name or password", id="no password"),
        pytest.param(login("silent", "x"), "not enabled for IM and Presence", id="not enabled"),
        pytest.param(
            login("emusk", "rocket", namespace="urn:other"), "namespace", id="another namespace"
        ),
        pytest.param(login("emusk", "rocket", method="logout"), "no logout", id="another method"),
        pytest.param(
            login("emusk", "rocket").replace(b"n:password", b"password"),
            "login without password",
            id="a password in no namespace",
        ),
        pytest.param(
            login("emusk", "rocket").replace(b"n:username", b"n:user"),
            "login without username",
            id="no user name",
        ),
    ],
)
async def test_what_is_refused_is_a_fault(node: SimulatedNode, body: bytes, reason: str) -> None:
    async with node:
        answer = await post(node, body)
        older = await post(node, body.replace(SOAP_1_2.encode(), SOAP_1_1.encode()))
    assert answer.status in {400, 500}
    assert reason in assert_shape(answer.body, "SOAP 1.2 fault").one("Text")
    assert older.status == 500
    assert reason in assert_shape(older.body, "SOAP 1.1 fault").one("faultstring")


async def test_rubbish_is_a_fault_too(node: SimulatedNode) -> None:
    async with node:
        for body in (b"", b"<", b"<!DOCTYPE x [<!ENTITY y 'z'>]><x>&y;</x>"):
            answer = await post(node, body)
            assert answer.status == 500
            assert_shape(answer.body, "SOAP 1.1 fault")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/EPASSoap/service/x", 404),
        ("/EPASSoap/service/v8", 404),
        ("/EPASSoap", 404),
        ("/cucm-uds/version", 404),
    ],
)
async def test_there_is_nothing_else(node: SimulatedNode, path: str, status: int) -> None:
    async with node:
        assert (await post(node, login("emusk", "rocket"), path)).status == status
        assert (await ask(node.endpoint("soap"), PATH)).status == 405


async def test_8443_is_rsa_and_asks_for_no_certificate(node: SimulatedNode) -> None:
    async with node:
        await post(node, login("emusk", "rocket"))
        record = await node.handshakes.entry(0)
    assert (record.service, record.certificate, record.client_subject) == ("soap", "tomcat", None)
