"""A login through a real proxy to a real node, and through things that are no proxy."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest
from aiohttp import web

from mralab.config.settings import (
    AllowListSource,
    Endpoint,
    LogSettings,
    Settings,
    Timeouts,
)
from mralab.errors import LabError, RouteError
from mralab.lab import login
from mralab.lab.listener import Sabotage
from mralab.lab.login import Account, NodePorts, log_in, wait_for_proxy
from mralab.lab.loginresult import LoginResult, LoginStep, Outcome
from mralab.lab.nodes import SimulatedNode, cucm_services
from mralab.lab.udsdata import Cluster, sample_cluster
from mralab.proxy.server import ProxyServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from pathlib import Path

    from mralab.lab.pki import Credential

CUCM: Final = "cucm.steven.lab"
SUBSCRIBER: Final = "cucm2.steven.lab"  # the same node, which its certificates do not say
EMUSK: Final = Account(user="emusk", domain="steven.lab", password="rocket")  # noqa: S106 - the node's
ALL_TRUSTED: Final = (200,) * 7


class Estate:
    """One node, one proxy in front of it, and logins through them."""

    def __init__(self, node: SimulatedNode, proxy: ProxyServer) -> None:
        self.node = node
        self.proxy = proxy

    @property
    def ports(self) -> NodePorts:
        return NodePorts(
            uds=self.node.endpoint("uds").port, tftp=self.node.endpoint("tftp-https").port
        )

    async def log_in(self, account: Account = EMUSK, node: str = CUCM) -> LoginResult:
        return await log_in(account, node, self.proxy.endpoint, ports=self.ports)

    async def use(self, **changes: object) -> None:
        await self.proxy.apply(replace(self.proxy.settings, **changes))  # type: ignore[arg-type]  # any setting

    async def answer(self, service: str, routes: Mapping[str, Answer]) -> None:
        """Have a service of the node answer what it would not."""

        def application() -> web.Application:
            made = web.Application()
            for path, handler in routes.items():
                made.router.add_get(path, handler)
            return made

        described = replace(self.node.service(service), application=application)
        for daemon in self.node.configure(described):
            await self.node.restart(daemon)

    async def advertise(self, *servers: str) -> None:
        for service in cucm_services(sample_cluster(*servers)):
            self.node.configure(service)
        await self.node.restart("Cisco Tomcat")


if TYPE_CHECKING:
    Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture
async def estate(
    tmp_path: Path, ca: Credential, tomcat: Credential, tomcat_ecdsa: Credential
) -> AsyncIterator[Estate]:
    """The documented case: the CA is trusted, the self-signed certificate is not."""
    services = cucm_services(sample_cluster(), uds_port=0, tftp_https_port=0, tftp_http_port=0)
    certificates = {"tomcat": tomcat, "CallManager": tomcat, "CallManager-ECDSA": tomcat_ecdsa}
    node = SimulatedNode(CUCM, "127.0.0.1", services, certificates=certificates)
    (tmp_path / "hosts").write_text(f"127.0.0.1 {CUCM} {SUBSCRIBER}\n")
    (tmp_path / "ca.pem").write_bytes(ca.pem)
    (tmp_path / "both.pem").write_bytes(ca.pem + tomcat_ecdsa.pem)
    settings = Settings(
        listen=Endpoint("127.0.0.1", 0),
        admin=None,
        trusted_ca=(tmp_path / "ca.pem",),
        hosts=tmp_path / "hosts",
        allow_list=AllowListSource.OFF,  # its rules are for the documented ports
        log=LogSettings(event_log=tmp_path / "event.log"),
        timeouts=Timeouts(linger_s=0.2),
    )
    async with node:
        proxy = ProxyServer(settings)
        await proxy.start()
        try:
            yield Estate(node, proxy)
        finally:
            await proxy.stop(drain_s=0)


@pytest.fixture
async def trusting(estate: Estate, tmp_path: Path) -> Estate:
    await estate.use(trusted_ca=(tmp_path / "both.pem",))
    return estate


def statuses(result: LoginResult) -> tuple[int, ...]:
    return tuple(step.status for step in result.steps)


async def test_all_fine(trusting: Estate) -> None:
    result = await trusting.log_in()
    assert statuses(result) == ALL_TRUSTED
    assert (result.outcome, result.hint) == (Outcome.FINE, "")
    ports = trusting.ports
    uds, tftp = f"https://{CUCM}:{ports.uds}", f"https://{CUCM}:{ports.tftp}"
    assert [step.url for step in result.steps] == [
        f"{uds}/cucm-uds/clusterUser?username=emusk",
        f"{uds}/cucm-uds/servers",
        f"{uds}/cucm-uds/user/emusk",
        f"{uds}/cucm-uds/user/emusk/devices?max=100",
        f"{tftp}/jabber-config.xml",
        f"{tftp}/SPDefault.cnf.xml",
        f"{tftp}/CSFemusk.cnf.xml",
    ]
    targets = [record.target for record in trusting.node.requests]
    assert targets == [step.path for step in result.steps]
    assert all(step.seconds > 0 for step in result.steps)


async def test_the_documented_case(estate: Estate) -> None:
    result = await estate.log_in()
    assert statuses(result) == (200, 200, 200, 200, 502, 502, 502)
    assert {step.phrase for step in result.steps[4:]} == {"connect failed"}
    assert result.outcome is Outcome.NO_PHONE_SERVICE
    assert "most likely" in result.hint
    assert "self-signed ECDSA" in result.hint


async def test_a_proxy_that_tells_why(estate: Estate) -> None:
    await estate.use(x_lab_reason=True)
    result = await estate.log_in()
    assert result.steps[4].lab_reason.startswith("chain-refused; ")
    assert "self signed certificate. Append that certificate" in result.hint


async def test_by_address(trusting: Estate) -> None:
    await trusting.advertise("127.0.0.1")
    result = await trusting.log_in()
    assert statuses(result) == (200, 502, 0, 0, 0, 0, 0)
    assert result.steps[1].url.startswith("https://127.0.0.1:")
    assert [step.asked for step in result.steps] == [True, True, *[False] * 5]
    assert result.outcome is Outcome.LOGIN_FAILS
    assert "addressed as 127.0.0.1" in result.hint


async def test_it_goes_on_to_the_first_server(trusting: Estate) -> None:
    answer = f"<servers><server>{SUBSCRIBER}</server><server>{CUCM}</server></servers>"
    await trusting.answer(
        "uds",
        {
            "/cucm-uds/clusterUser": texts(
                f'<c><result found="true"/><homeCluster>{CUCM}</homeCluster></c>'
            ),
            "/cucm-uds/servers": texts(answer),
        },
    )
    result = await trusting.log_in()
    assert statuses(result)[2:] == (502,) * 5
    assert result.steps[2].url.startswith(f"https://{SUBSCRIBER}:")
    assert result.steps[4].url.startswith(f"https://{SUBSCRIBER}:")


async def test_a_wrong_password(trusting: Estate) -> None:
    result = await trusting.log_in(replace(EMUSK, password="wrong"))  # noqa: S106 - not even right
    assert statuses(result) == (200, 200, 401, 401, 200, 200, 200)
    assert result.outcome is Outcome.LOGIN_FAILS
    assert "password" in result.hint


async def test_an_unknown_user(trusting: Estate) -> None:
    result = await trusting.log_in(replace(EMUSK, user="emusk2"))
    assert statuses(result) == (200, 0, 0, 0, 0, 0, 0)
    assert result.steps[0].fault == "no cluster knows the user"
    assert "Home Cluster" in result.hint


async def test_a_user_id_that_needs_escapes(trusting: Estate) -> None:
    user = replace(sample_cluster().users[0], user_id="e musk@x?é", devices=())
    cluster = Cluster(servers=(CUCM,), users=(user,))
    for service in cucm_services(cluster):
        trusting.node.configure(service)
    await trusting.node.restart("Cisco Tomcat")
    result = await trusting.log_in(replace(EMUSK, user=user.user_id))
    assert statuses(result) == (200, 200, 200, 200, 200, 200, 404)
    assert result.steps[6].path == "/CSFe%20musk%40x%3F%C3%A9.cnf.xml"
    assert "soft phone" in result.hint


async def test_a_dead_node(trusting: Estate) -> None:
    await trusting.node.sabotage("uds", Sabotage.DEAD)
    result = await trusting.log_in()
    assert statuses(result) == (502, 0, 0, 0, 0, 0, 0)
    assert "the node is down" in result.hint


async def test_a_domain_that_is_none(estate: Estate) -> None:
    with pytest.raises(RouteError, match="domain"):
        await estate.log_in(replace(EMUSK, domain="steven lab"))


# Answers of nodes that are not as they should be.


def texts(text: str) -> Answer:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text=text, content_type="application/xml")

    return answer


async def redirects(_request: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": "https://elsewhere.lab/"})


async def never_ends(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    with contextlib.suppress(ConnectionError):
        while True:
            await response.write(b" " * 65_536)
    return response


async def is_cut(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "100"})
    await response.prepare(request)
    await response.write(b"<a>")
    assert request.transport is not None
    request.transport.abort()
    return response


@pytest.mark.parametrize(
    ("answer", "status", "fault"),
    [
        pytest.param(texts("<clusterUser>"), 200, "no usable XML", id="not well-formed"),
        pytest.param(texts("<!DOCTYPE a><a/>"), 200, "document type", id="a document type"),
        pytest.param(redirects, 302, "answered 302 Found", id="a redirect is not followed"),
        pytest.param(never_ends, 200, "longer than", id="endless"),
        pytest.param(is_cut, 200, "no complete HTTP answer", id="cut"),
    ],
)
async def test_odd_answers_are_red_steps(
    trusting: Estate, answer: Answer, status: int, fault: str
) -> None:
    await trusting.answer("uds", {"/cucm-uds/clusterUser": answer})
    first, *others = (await trusting.log_in()).steps
    assert first.status == status
    assert fault in first.fault
    assert not any(step.asked for step in others)


async def test_only_the_jabber_configuration_may_be_missing(trusting: Estate) -> None:
    await trusting.answer("tftp-https", {})
    result = await trusting.log_in()
    assert statuses(result)[4:] == (404, 404, 404)
    assert [bool(step.fault) for step in result.steps[4:]] == [False, True, True]


# What is no proxy, and a proxy that is not there.


@contextlib.asynccontextmanager
async def listening(answer: bytes) -> AsyncIterator[tuple[Endpoint, list[bytes]]]:
    """Something that gives every client one answer and hangs up."""
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield Endpoint("127.0.0.1", server.sockets[0].getsockname()[1]), heads


@pytest.mark.parametrize(
    ("answer", "status", "fault"),
    [
        pytest.param(b"", 0, "no complete HTTP answer", id="hangs up"),
        pytest.param(b"SSH-2.0-x\r\n\r\n", 0, "no complete HTTP answer", id="no HTTP"),
        pytest.param(
            b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n",
            429,
            "answered 429 Too Many Requests",
            id="too many logins",
        ),
        pytest.param(
            b"HTTP/1.1 502 \r\nContent-Length: 0\r\n\r\n", 502, "answered 502", id="no phrase"
        ),
    ],
)
async def test_answers_of_something_else(answer: bytes, status: int, fault: str) -> None:
    async with listening(answer) as (proxy, _heads):
        first = (await log_in(EMUSK, CUCM, proxy)).steps[0]
    assert first.status == status
    assert first.fault.startswith(fault)


async def test_the_request_as_it_is_sent() -> None:
    shown: list[LoginStep] = []
    async with listening(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n") as (
        proxy,
        heads,
    ):
        await log_in(EMUSK, CUCM, proxy, show=shown.append)
    request, *fields = heads[0].decode().split("\r\n")
    segment = "c3RldmVuLmxhYi9odHRwcy9jdWNtLnN0ZXZlbi5sYWIvODQ0Mw"
    path = "/cucm-uds/clusterUser?username=emusk"
    assert request == f"GET http://{proxy}/{segment}{path} HTTP/1.1"
    assert "Authorization: Basic ZW11c2s6cm9ja2V0" in fields
    assert (shown[0].segment, shown[0].path) == (segment, path)
    assert len(shown) == 7


async def test_an_answer_that_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login, "ANSWER_TIMEOUT_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        proxy = Endpoint(*silent.getsockname())
        first = (await log_in(EMUSK, CUCM, proxy)).steps[0]
    assert first.fault == "no complete answer in 0 s"


@pytest.fixture
def unused() -> Endpoint:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return Endpoint(*taken.getsockname())


async def test_no_proxy(unused: Endpoint) -> None:
    for attempt in (wait_for_proxy(unused, 0), log_in(EMUSK, CUCM, unused)):
        with pytest.raises(LabError, match=f"no proxy at {unused}: Connection refused") as caught:
            await attempt
        assert "--wait" in caught.value.hint


@pytest.mark.parametrize("host", ["a..b", ".".join(["a" * 60] * 5)], ids=["odd", "too long"])
async def test_a_proxy_name_that_cannot_have_an_address(host: str) -> None:
    with pytest.raises(LabError, match=f"no proxy at {host}:1: "):
        await wait_for_proxy(Endpoint(host, 1), 0)


async def test_a_proxy_that_does_not_take_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login, "_KNOCK_TIMEOUT_S", 0.0)
    with pytest.raises(LabError, match="no answer in time"):
        await wait_for_proxy(Endpoint("127.0.0.1", 1), 0)


async def test_waiting_for_a_proxy_that_comes_up(unused: Endpoint) -> None:
    waiting = asyncio.ensure_future(wait_for_proxy(unused, 10))
    done, _ = await asyncio.wait({waiting}, timeout=0.05)
    assert not done
    async with await asyncio.start_server(lambda _r, w: w.close(), unused.host, unused.port):
        await waiting
