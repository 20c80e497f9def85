"""The control listener over real sockets: what it does, and whom it lets in."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from mralab.admin.client import AdminClient
from mralab.admin.runfile import RunFile
from mralab.config.settings import Endpoint
from mralab.errors import AdminError, ConfigError
from mralab.lab.control import MAX_BODY_BYTES, PREFIX, control_application
from mralab.lab.estatepki import EstateCertificates

from . import estates
from .lonenodes import lone_node
from .strictclient import Answer, ask

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from datetime import datetime

    from mralab.lab.nodes import SimulatedNode
    from mralab.lab.pki import Credential

TOKEN = "secret-token"  # noqa: S105 - of this test
CUCM = estates.CUCM
ESTATE = estates.estate()
NODE = f"{PREFIX}/nodes/{CUCM}"


@dataclass
class Controlled:
    """As much of a running estate as control needs, and where it listens."""

    nodes: Mapping[str, SimulatedNode]
    certificates: EstateCertificates
    endpoint: Endpoint

    @property
    def node(self) -> SimulatedNode:
        return self.nodes[CUCM]

    async def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> Answer:
        sent = {"Authorization": f"Bearer {TOKEN}", **(fields or {})}
        return await ask(self.endpoint, path, method=method, body=body, fields=sent, tls=False)

    async def post(self, action: str, **asked: Any) -> tuple[int, dict[str, Any]]:
        answer = await self.ask("POST", f"{NODE}/{action}", json.dumps(asked).encode())
        found: dict[str, Any] = json.loads(answer.body)
        return answer.status, found


@pytest.fixture
async def lab(
    ca: Credential, tomcat: Credential, tomcat_ecdsa: Credential, now: datetime
) -> AsyncIterator[Controlled]:
    own = {"tomcat": tomcat, "CallManager": tomcat, "CallManager-ECDSA": tomcat_ecdsa}
    trust = {"CallManager-trust": (), "tomcat-trust": (ca.certificate,)}
    certificates = EstateCertificates(
        estate=ESTATE,
        authorities={estates.CA: ca},
        nodes={},
        expressway_c=tomcat,
        expressway_e=tomcat,
    )
    async with lone_node(ESTATE, CUCM, own, trust) as node:
        running = Controlled({CUCM: node}, certificates, Endpoint("127.0.0.1", 0))
        runner = web.AppRunner(control_application(running, TOKEN, clock=lambda: now))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        running.endpoint = Endpoint("127.0.0.1", runner.addresses[0][1])
        yield running
        await runner.cleanup()


@pytest.mark.parametrize("name", [CUCM.upper(), CUCM.partition(".")[0]])
async def test_a_node_is_found_in_any_case_and_by_its_first_label(
    lab: Controlled, name: str
) -> None:
    answer = await lab.ask("GET", f"{PREFIX}/nodes/{name}/certificates")
    assert json.loads(answer.body)["node"] == CUCM


async def test_of_two_nodes_with_one_first_label_neither_is_meant(lab: Controlled) -> None:
    lab.nodes = {CUCM: lab.node, "other": lab.node}
    answer = await lab.ask("GET", f"{PREFIX}/nodes/{CUCM.partition('.')[0]}/certificates")
    assert answer.status == 400
    assert "no node" in json.loads(answer.body)["error"]


async def test_nodes_and_certificates_are_listed(lab: Controlled) -> None:
    answer = await lab.ask("GET", f"{PREFIX}/nodes")
    assert answer.fields["cache-control"] == "no-store"
    (node,) = json.loads(answer.body)["nodes"]
    assert (node["name"], node["address"], node["restart"]) == (CUCM, "127.0.0.1", [])
    uds = node["services"][0]
    assert uds == {
        "name": "uds",
        "port": lab.node.endpoint("uds").port,
        "daemon": "Cisco Tomcat",
    }
    found = json.loads((await lab.ask("GET", f"{NODE}/certificates")).body)
    assert [row["certificate"] for row in found["certificates"]] == [
        "tomcat",
        "CallManager",
        "CallManager-ECDSA",
        "tomcat-trust",
    ]
    assert found["certificates"][2]["type"] == "Self-signed"
    assert found["table"][0][0] == "Certificate"
    assert len(found["table"]) == 5


async def test_sign_then_restart(lab: Controlled, ca: Credential) -> None:
    status, change = await lab.post(
        "sign",
        certificate="CallManager-ECDSA",
        authority=estates.CA,
        dns=["a.steven.lab"],
        ips=["10.48.36.215"],
    )
    assert (status, change["restart"]) == (
        200,
        ["Cisco CallManager", "Cisco CTIManager", "Cisco TFTP"],
    )
    assert change["notes"] == [f"{estates.CA} was added to CallManager-trust"]
    fresh = lab.node.certificates["CallManager-ECDSA"]
    fresh.certificate.verify_directly_issued_by(ca.certificate)
    assert lab.node.served("tftp-https")["CallManager-ECDSA"] != fresh
    assert (await lab.post("restart", service="Cisco TFTP"))[1]["restart"] == []
    assert lab.node.served("tftp-https")["CallManager-ECDSA"] == fresh


async def test_regenerate_and_both_trust_operations(lab: Controlled, ca: Credential) -> None:
    assert (await lab.post("regenerate", certificate="tomcat"))[0] == 200
    assert lab.node.certificates["tomcat"].self_issued
    status, _ = await lab.post("upload-trust", list="CallManager-trust", reference=estates.CA)
    assert (status, lab.node.trust["CallManager-trust"]) == (200, (ca.certificate,))
    await lab.post("delete-trust", list="CallManager-trust", selector=estates.CA)
    assert not lab.node.trust["CallManager-trust"]
    await lab.post("upload-trust", list="CallManager-trust", pem=ca.pem.decode())
    assert lab.node.trust["CallManager-trust"] == (ca.certificate,)


async def test_the_proxys_admin_client_speaks_it(lab: Controlled) -> None:
    run = RunFile(listen="x:1", admin=str(lab.endpoint), token=TOKEN, pid=1)
    found = await asyncio.to_thread(AdminClient(run).get, "/nodes")
    assert found["nodes"][0]["name"] == CUCM
    with pytest.raises(ConfigError, match="no certificate 'CAPF'") as caught:
        await asyncio.to_thread(
            AdminClient(run).post_json, f"/nodes/{CUCM}/regenerate", {"certificate": "CAPF"}
        )
    assert "it has: tomcat" in caught.value.hint
    stranger = RunFile(listen="x:1", admin=str(lab.endpoint), token="no", pid=1)  # noqa: S106
    with pytest.raises(AdminError, match="refused the token"):
        await asyncio.to_thread(AdminClient(stranger).get, "/nodes")


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"Authorization": ""}, id="no token"),
        pytest.param({"Authorization": f"Bearer {TOKEN}x"}, id="another token"),
        pytest.param({"Authorization": f"Basic {TOKEN}"}, id="another scheme"),
        pytest.param({"Authorization": "Bearer \xe9"}, id="bytes"),
    ],
)
async def test_who_has_no_token_gets_nothing(lab: Controlled, fields: dict[str, str]) -> None:
    for method, path in (("GET", f"{PREFIX}/nodes"), ("GET", "/"), ("POST", f"{NODE}/restart")):
        answer = await lab.ask(method, path, fields=fields)
        assert (answer.status, answer.fields["www-authenticate"]) == (401, "Bearer")
        assert CUCM.encode() not in answer.body


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("evil.example", 421),
        ("127.0.0.1.evil.example:80", 421),
        ("", 421),
        ("[::1", 421),
        ("localhost:99", 200),
        ("[::1]:99", 200),
        ("127.0.0.9", 200),
    ],
)
async def test_a_name_of_its_own_is_refused(lab: Controlled, host: str, status: int) -> None:
    assert (await lab.ask("GET", f"{PREFIX}/nodes", fields={"Host": host})).status == status


@pytest.mark.parametrize(
    ("action", "asked", "said"),
    [
        ("regenerate", {}, "'certificate' is missing"),
        ("regenerate", {"certificate": ["tomcat"]}, "'certificate' is missing"),
        ("regenerate", {"certificate": "CAPF"}, "no certificate 'CAPF'"),
        ("sign", {"certificate": "tomcat"}, "'authority' is missing"),
        ("sign", {"certificate": "tomcat", "authority": "x"}, "no authority 'x'"),
        (
            "sign",
            {"certificate": "tomcat", "authority": estates.CA, "dns": "a"},
            "'dns' is no list",
        ),
        (
            "sign",
            {"certificate": "tomcat", "authority": estates.CA, "ips": [1]},
            "'ips' is no list",
        ),
        (
            "sign",
            {"certificate": "tomcat", "authority": estates.CA, "ips": ["x"]},
            "cannot be made",
        ),
        ("upload-trust", {"list": "tomcat-trust"}, "'pem' is missing"),
        ("upload-trust", {"list": "x", "reference": estates.CA}, "no trust list 'x'"),
        (
            "upload-trust",
            {"list": "tomcat-trust", "reference": "x"},
            "no certificate 'x' in the estate",
        ),
        ("upload-trust", {"list": "tomcat-trust", "pem": "rubbish"}, "the upload"),
        ("upload-trust", {"list": "tomcat-trust", "pem": "half a pair: \ud800"}, "the upload"),
        ("delete-trust", {"list": "tomcat-trust", "selector": "x"}, "none is called 'x'"),
        ("restart", {"service": "Cisco Kitchen"}, "no service 'Cisco Kitchen'"),
    ],
)
async def test_what_cannot_be_done_is_said(
    lab: Controlled, action: str, asked: dict[str, Any], said: str
) -> None:
    before = (lab.node.certificates, lab.node.trust)
    status, answer = await lab.post(action, **asked)
    assert (status, set(answer)) == (400, {"error", "hint"})
    assert said in answer["error"]
    assert answer["hint"]
    assert (lab.node.certificates, lab.node.trust) == before


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", f"{NODE}/restart", b"", 400),
        ("POST", f"{NODE}/restart", b"[]", 400),
        ("POST", f"{NODE}/restart", b"\xff", 400),
        ("POST", f"{NODE}/restart", b"[" * 100_000, 400),
        ("POST", f"{NODE}/restart", b"1" * (MAX_BODY_BYTES + 1), 413),
        ("POST", f"{PREFIX}/nodes/nobody/restart", b"{}", 400),
        ("GET", f"{PREFIX}/nodes/nobody/certificates", None, 400),
        ("GET", f"{NODE}/restart", None, 405),
        ("GET", f"{PREFIX}/nothing", None, 404),
    ],
    ids=[
        "no body",
        "no object",
        "no text",
        "nested too deep",
        "too long",
        "an unknown node is changed",
        "an unknown node is asked for",
        "another method",
        "nothing there",
    ],
)
async def test_requests_that_are_none(
    lab: Controlled, method: str, path: str, body: bytes | None, status: int
) -> None:
    answer = await lab.ask(method, path, body)
    assert answer.status == status
    assert json.loads(answer.body)["error"]
