"""Expressway-E under real TLS: with Expressway-C behind it, with something else, with nothing."""

from __future__ import annotations

import asyncio
import re
import ssl
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from tests.lab.edges import (
    CUCM,
    DOMAIN,
    EDGE,
    EMUSK,
    PATIENCE_S,
    TRACKING_ID,
    Clock,
    EdgeLab,
    ask,
    basic,
    cluster,
    connect,
)

from mralab.config.estate import CertificatePlan, ExpresswayEPlan
from mralab.config.settings import AllowListSource, Endpoint, Settings
from mralab.errors import LabError
from mralab.lab.edgeconfig import encode_domain
from mralab.lab.edgerelay import EdgeServer
from mralab.lab.expressway_e import ExpresswayE
from mralab.lab.nodes import SimulatedNode, cucm_services
from mralab.lab.pki import CertificateFields, Digest, KeyKind, self_signed
from mralab.proxy.server import ProxyServer
from mralab.trafficlog.parse import parse_log
from mralab.trafficlog.records import FieldLine, HttpErrorResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from datetime import datetime
    from pathlib import Path

    from tests.lab.edges import Answer

    from mralab.lab.pki import Credential, KeyCache

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

PLAN = ExpresswayEPlan(name=EDGE, address="192.0.2.1", certificate=CertificatePlan())
CONFIG = f"/{encode_domain(DOMAIN)}/get_edge_config"
ANY = Endpoint("127.0.0.1", 0)


@pytest.fixture(scope="module")
def credential(ca: Credential, keys: KeyCache) -> Credential:
    return ca.issue(CertificateFields(cn=EDGE, dns=(EDGE,)), key=keys.get("vcse", KeyKind.EC_P256))


@pytest.fixture(scope="module")
def trusting(ca: Credential) -> ssl.SSLContext:
    """A client's context: it trusts the CA and checks the name."""
    return ssl.create_default_context(cadata=ca.pem.decode())


class Front:
    """Expressway-E and what it logs."""

    def __init__(self, e: ExpresswayE, tls: ssl.SSLContext, log: list[str]) -> None:
        self.e = e
        self.tls = tls
        self.log = log

    async def ask(self, target: str, fields: dict[str, str] | None = None, **more: Any) -> Answer:
        return await ask(
            self.e.endpoint, target, fields, ssl=self.tls, server_hostname=EDGE, **more
        )


@asynccontextmanager
async def front(
    credential: Credential,
    tls: ssl.SSLContext,
    next_hop: Callable[[], Endpoint | None],
    **options: Any,
) -> AsyncIterator[Front]:
    log: list[str] = []
    e = ExpresswayE(
        PLAN, credential, next_hop=next_hop, listen=ANY, clock=Clock(), log=log.append, **options
    )
    await e.start()
    try:
        yield Front(e, tls, log)
    finally:
        await e.stop()


@asynccontextmanager
async def next_hop(handler: Handler) -> AsyncIterator[Endpoint]:
    """Something that answers in Expressway-C's place."""
    server = EdgeServer("next hop", handler)
    endpoint = await server.start(ANY)
    try:
        yield endpoint
    finally:
        await server.stop()


@pytest.fixture
async def lab(tmp_path: Path, ca: Credential, tomcat: Credential) -> AsyncIterator[EdgeLab]:
    services = cucm_services(cluster(), uds_port=0, tftp_https_port=0, tftp_http_port=0)[:1]
    node = SimulatedNode(CUCM, "127.0.0.1", services, certificates={"tomcat": tomcat})
    (tmp_path / "hosts").write_text(f"127.0.0.1 {CUCM}\n")
    (tmp_path / "ca.pem").write_bytes(ca.pem)
    settings = Settings(
        listen=ANY,
        admin=None,
        trusted_ca=(tmp_path / "ca.pem",),
        hosts=tmp_path / "hosts",
        allow_list=AllowListSource.OFF,
    )
    async with node:
        proxy = ProxyServer(replace(settings, log=replace(settings.log, event_log=tmp_path / "l")))
        await proxy.start()
        made = EdgeLab(node, proxy)
        await made.c.start()
        try:
            yield made
        finally:
            await made.c.stop()
            await proxy.stop(drain_s=0)


@pytest.fixture
async def edge(
    lab: EdgeLab, credential: Credential, trusting: ssl.SSLContext
) -> AsyncIterator[Front]:
    async with front(credential, trusting, lambda: lab.c.endpoint) as made:
        yield made


# -- the whole way


async def test_a_login_and_a_request(edge: Front, lab: EdgeLab) -> None:
    config = await edge.ask(CONFIG, {"Authorization": basic(*EMUSK), "TrackingID": TRACKING_ID})
    assert (config.status, config.get("Server")) == (200, "CE_C ECS")
    fields = {"Cookie": config.cookie, "Authorization": basic(*EMUSK)}
    answer = await edge.ask(lab.target("/cucm-uds/user/emusk"), fields)
    assert answer.line == "HTTP/1.1 200 "
    assert b"<userName>emusk</userName>" in answer.body
    assert len(lab.c.asks(TRACKING_ID)) == 4


async def test_the_chain_of_fields_is_the_products(edge: Front, lab: EdgeLab) -> None:
    config = await edge.ask(CONFIG, {"Authorization": basic(*EMUSK)})
    await edge.ask(lab.target("/cucm-uds/servers"), {"Cookie": config.cookie, "X-Own": "1"})
    record = list(lab.node.requests)[-1]
    assert record.header("Client-ip") == "127.0.0.1"
    assert record.header("X-Forwarded-For") == "127.0.0.1, 127.0.0.1"
    hop = r"vcs\[[0-9a-f-]{36}\] \(ATS\)"
    assert re.fullmatch(rf"https/1\.1 {hop}, http/1\.1 {hop}", record.header("Via") or "")
    assert re.fullmatch(r"[0-9a-f-]{36}", record.header("TrackingID") or "")
    assert record.header("X-Own") == "1"


async def test_what_the_client_says_of_itself_stays(
    credential: Credential, trusting: ssl.SSLContext
) -> None:
    seen: dict[str, str] = {}

    async def note(request: web.Request) -> web.StreamResponse:
        seen.update(request.headers)
        seen["target"] = request.raw_path
        return web.Response()

    async with next_hop(note) as hop, front(credential, trusting, lambda: hop) as edge:
        sent = {
            "TrackingID": "abc",
            "Client-ip": "192.0.2.7",
            "X-Forwarded-For": "192.0.2.9",
            "Via": "1.1 cafe",
        }
        await edge.ask("/x/a%2Fb?q", sent)
    assert (seen["TrackingID"], seen["Client-ip"]) == ("abc", "192.0.2.7")
    assert seen["X-Forwarded-For"] == "192.0.2.9, 127.0.0.1"
    assert seen["Via"].startswith("1.1 cafe, https/1.1 vcs[")
    assert seen["target"] == f"http://{hop}/x/a%2Fb?q"
    assert seen["Host"] == str(hop)


@pytest.mark.parametrize(
    ("who", "detail", "code"),
    [
        (EMUSK, "Authenticated user successfully", ""),
        (("emusk", "wrong"), "Authenticating user failed", "401"),
    ],
    ids=["right password", "wrong password"],
)
async def test_logins_are_logged(edge: Front, who: tuple[str, str], detail: str, code: str) -> None:
    await edge.ask(CONFIG, {"Authorization": basic(*who)})
    (record,) = parse_log(edge.log)
    assert isinstance(record, FieldLine)
    assert (record.head.host, record.get("Detail")) == ("vcse", detail)
    assert (record.get("Username"), record.get("ClientId")) == ("emusk", "127.0.0.1")
    assert record.get("Code") == code


async def test_what_is_no_login_is_not_logged(edge: Front, lab: EdgeLab) -> None:
    await edge.ask(CONFIG)
    await edge.ask(f"/{encode_domain(DOMAIN)}/get_edge_sso", {"Authorization": basic(*EMUSK)})
    await lab.proxy.stop(drain_s=0)
    await edge.ask(CONFIG, {"Authorization": basic(*EMUSK)})
    assert edge.log == []


async def test_a_session_is_no_other_users(edge: Front, lab: EdgeLab) -> None:
    config = await edge.ask(CONFIG, {"Authorization": basic(*EMUSK)})
    stolen = {"Cookie": config.cookie, "Authorization": basic("jdoe", "secret")}
    assert (await edge.ask(lab.target("/cucm-uds/user/jdoe"), stolen)).status == 403
    assert (await edge.ask(lab.target("/cucm-uds/servers"))).status == 403


async def test_a_client_that_goes_takes_its_request_along(edge: Front, lab: EdgeLab) -> None:
    config = await edge.ask(CONFIG, {"Authorization": basic(*EMUSK)})
    came, went = asyncio.Event(), asyncio.Event()

    async def hang(_request: web.Request) -> web.StreamResponse:
        came.set()
        try:
            await asyncio.Event().wait()
        finally:
            went.set()
        return web.Response()

    application = web.Application()
    application.router.add_get("/{path:.*}", hang)
    await lab.serve(application)
    client = await connect(edge.e.endpoint, ssl=edge.tls, server_hostname=EDGE)
    head = f"GET {lab.target('/cucm-uds/x')} HTTP/1.1\r\nHost: e\r\nCookie: {config.cookie}\r\n\r\n"
    client.writer.write(head.encode())
    async with asyncio.timeout(PATIENCE_S):
        await came.wait()
        client.writer.transport.abort()
        await went.wait()


# -- without Expressway-C


async def unused_endpoint() -> Endpoint:
    """An address where nobody listens any more."""
    server = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    server.close()
    await server.wait_closed()
    return Endpoint(host, port)


@pytest.mark.parametrize("known", [False, True], ids=["not there", "refused"])
async def test_next_hop_connection_failed(
    credential: Credential, trusting: ssl.SSLContext, *, known: bool
) -> None:
    hop = await unused_endpoint() if known else None
    async with front(credential, trusting, lambda: hop, lab_reasons=False) as edge:
        answer = await edge.ask(CONFIG, {"Authorization": basic(*EMUSK)})
    assert re.fullmatch(
        rb"HTTP/1\.1 502 Next Hop Connection Failed\r\nDate: [^\r]+ GMT\r\n"
        rb"Connection: close\r\nServer: CE_E\r\nContent-Length: 0\r\n\r\n",
        answer.raw,
    )
    (record,) = parse_log(edge.log)
    assert isinstance(record, HttpErrorResponse)
    assert (record.status, record.reason) == (502, "Next Hop Connection Failed")
    assert record.head.host == "vcse"


async def test_it_comes_back_with_expressway_c(
    credential: Credential, trusting: ssl.SSLContext
) -> None:
    async def fine(_request: web.Request) -> web.StreamResponse:
        return web.Response()

    where: list[Endpoint | None] = [None]
    async with next_hop(fine) as hop, front(credential, trusting, lambda: where[0]) as edge:
        assert (await edge.ask(CONFIG)).status == 502
        where[0] = hop
        assert (await edge.ask(CONFIG)).status == 200
    # the next hop is gone now


async def test_an_expressway_c_that_dies_between_two_requests(
    credential: Credential, trusting: ssl.SSLContext
) -> None:
    async def fine(_request: web.Request) -> web.StreamResponse:
        return web.Response()

    async with next_hop(fine) as hop:
        pass
    async with front(credential, trusting, lambda: hop) as edge:
        assert (await edge.ask(CONFIG)).line == "HTTP/1.1 502 Next Hop Connection Failed"


async def test_a_next_hop_that_hangs_up(credential: Credential, trusting: ssl.SSLContext) -> None:
    async def hang_up(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with next_hop(hang_up) as hop, front(credential, trusting, lambda: hop) as edge:
        answer = await edge.ask(CONFIG)
    assert answer.line == "HTTP/1.1 502 Next Hop Connection Failed"
    assert (answer.get("X-Lab-Reason") or "").startswith("next-hop; ")


async def test_a_silent_next_hop(credential: Credential, trusting: ssl.SSLContext) -> None:
    async def hang(_request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        return web.Response()

    async with (
        next_hop(hang) as hop,
        front(credential, trusting, lambda: hop, answer_timeout_s=0.2) as edge,
    ):
        answer = await edge.ask(CONFIG)
    assert answer.line == "HTTP/1.1 504 Gateway Timeout"


async def test_a_next_hop_that_speaks_no_http(
    credential: Credential, trusting: ssl.SSLContext
) -> None:
    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ESMTP\r\n")
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    async with server, front(credential, trusting, lambda: Endpoint(host, port)) as edge:
        answer = await edge.ask(CONFIG)
    assert answer.line == "HTTP/1.1 502 Next Hop Connection Failed"


async def test_an_answer_cut_by_expressway_c_is_cut_outside(
    credential: Credential, trusting: ssl.SSLContext
) -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b"part")
        assert request.transport is not None
        request.transport.abort()
        return response

    async with next_hop(cut) as hop, front(credential, trusting, lambda: hop) as edge:
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError, ssl.SSLError)):
            await edge.ask("/x/y")


@pytest.mark.parametrize("target", ["/", "//x", "/%ff\N{LATIN SMALL LETTER U WITH DIAERESIS}/x"])
async def test_targets_without_a_segment(
    credential: Credential, trusting: ssl.SSLContext, target: str
) -> None:
    async with front(credential, trusting, lambda: None) as edge:
        answer = await edge.ask(target)
    assert answer.status == 400


# -- TLS


async def test_the_certificate_and_its_chain(
    ca: Credential, keys: KeyCache, trusting: ssl.SSLContext
) -> None:
    middle = ca.issue(
        CertificateFields(cn="middle", ca=True), key=keys.get("middle", KeyKind.EC_P256)
    )
    leaf = middle.issue(
        CertificateFields(cn=EDGE, dns=(EDGE,)), key=keys.get("vcse", KeyKind.EC_P256)
    )
    async with front(leaf, trusting, lambda: None) as edge:
        assert (await edge.ask(CONFIG)).status == 502
    async with front(leaf.sending(), trusting, lambda: None) as edge:
        with pytest.raises(ssl.SSLCertVerificationError, match="local issuer"):
            await edge.ask(CONFIG)


async def test_a_bad_certificate_is_served_all_the_same(
    keys: KeyCache, now: datetime, trusting: ssl.SSLContext
) -> None:
    bad = self_signed(
        CertificateFields(cn="short", digest=Digest.SHA1),
        now=now,
        key=keys.get("weak", KeyKind.RSA_1024),
    )
    careless = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    careless.check_hostname = False
    careless.verify_mode = ssl.CERT_NONE
    careless.set_ciphers("DEFAULT:@SECLEVEL=0")
    async with front(bad, careless, lambda: None) as edge:
        assert (await edge.ask(CONFIG)).status == 502
        edge.tls = trusting
        with pytest.raises(ssl.SSLCertVerificationError):
            await edge.ask(CONFIG)


async def test_a_restart_with_another_certificate(
    credential: Credential, trusting: ssl.SSLContext, keys: KeyCache, now: datetime
) -> None:
    other = self_signed(
        CertificateFields(cn=EDGE, dns=(EDGE,)), now=now, key=keys.get("vcse", KeyKind.EC_P256)
    )
    async with front(credential, trusting, lambda: None) as edge:
        assert (await edge.ask(CONFIG)).status == 502
        endpoint = edge.e.endpoint
        await edge.e.restart(PLAN, other)
        assert edge.e.endpoint == endpoint
        with pytest.raises(ssl.SSLCertVerificationError):
            await edge.ask(CONFIG)
        await edge.e.restart(PLAN, credential)
        assert (await edge.ask(CONFIG)).status == 502


async def test_plain_http_on_the_front_gets_no_answer(
    credential: Credential, trusting: ssl.SSLContext
) -> None:
    async with front(credential, trusting, lambda: None) as edge:
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await ask(edge.e.endpoint, CONFIG)
        assert (await edge.ask(CONFIG)).status == 502


async def test_a_key_that_does_not_fit(
    credential: Credential, keys: KeyCache, trusting: ssl.SSLContext
) -> None:
    wrong = replace(credential, key=keys.get("another", KeyKind.EC_P256))
    with pytest.raises(LabError, match="cannot be served"):
        async with front(wrong, trusting, lambda: None):
            pass


async def test_a_port_that_is_taken(credential: Credential, trusting: ssl.SSLContext) -> None:
    async with front(credential, trusting, lambda: None) as edge:
        other = ExpresswayE(PLAN, credential, next_hop=lambda: None, listen=edge.e.endpoint)
        with pytest.raises(LabError, match=r"Expressway-E vcse\.steven\.lab cannot listen on"):
            await other.start()
