"""Expressway-C between raw clients, a real traffic server and a real node."""

from __future__ import annotations

import asyncio
import gzip
import re
from dataclasses import replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from aiohttp import web
from tests.lab.edges import (
    CUCM,
    DOMAIN,
    EMUSK,
    JDOE,
    PATIENCE_S,
    PLAN,
    TRACKING_ID,
    EdgeLab,
    ask,
    basic,
    cluster,
    connect,
    report_of,
)

from mralab.config.estate import HttpsCiphers
from mralab.config.releases import Release, VerifyMode
from mralab.config.settings import Endpoint, LogSettings, Settings, Timeouts
from mralab.errors import LabError
from mralab.lab.allowrules import generated_rules
from mralab.lab.edgeconfig import encode_domain
from mralab.lab.estateplace import EstatePorts
from mralab.lab.listener import Sabotage
from mralab.lab.nodes import SimulatedNode, cucm_services
from mralab.lab.udsdata import cluster_user
from mralab.proxy.server import ProxyServer
from mralab.trafficlog.parse import parse_log
from mralab.trafficlog.records import FieldLine, HttpErrorResponse, TransactionLine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from mralab.lab.pki import Credential

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

OTHER = "cucm2.steven.lab"
CONFIG = f"/{encode_domain(DOMAIN)}/get_edge_config"
USER = "/cucm-uds/user/emusk"
COOKIE = re.compile(
    r"X-Auth=[0-9a-f]{64}; Expires=\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT; "
    r"Domain=\.steven\.lab; Path=/; Secure"
)


@pytest.fixture
async def lab(tmp_path: Path, ca: Credential, tomcat: Credential) -> AsyncIterator[EdgeLab]:
    services = cucm_services(cluster(), uds_port=0, tftp_https_port=0, tftp_http_port=0)[:1]
    node = SimulatedNode(CUCM, "127.0.0.1", services, certificates={"tomcat": tomcat})
    (tmp_path / "hosts").write_text(f"127.0.0.1 {CUCM} {OTHER}\n")
    (tmp_path / "ca.pem").write_bytes(ca.pem)
    async with node:
        ports = EstatePorts(uds=node.endpoint("uds").port)
        rules = generated_rules(report_of(CUCM, OTHER, "127.0.0.1"), ports)
        (tmp_path / "allow.csv").write_text(rules)
        proxy = ProxyServer(
            Settings(
                listen=Endpoint("127.0.0.1", 0),
                admin=None,
                release=Release.X14_2,
                trusted_ca=(tmp_path / "ca.pem",),
                hosts=tmp_path / "hosts",
                allow_list=tmp_path / "allow.csv",
                x_lab_reason=True,
                log=LogSettings(event_log=tmp_path / "event.log"),
                timeouts=Timeouts(linger_s=0.2),
            )
        )
        await proxy.start()
        made = EdgeLab(node, proxy)
        await made.c.start()
        try:
            yield made
        finally:
            await made.c.stop()
            await proxy.stop(drain_s=0)


async def opened(lab: EdgeLab, who: tuple[str, str] = EMUSK) -> dict[str, str]:
    """Log in; return the fields of the next requests."""
    answer = await lab.config(who)
    assert answer.status == 200, answer.raw
    return {"Cookie": answer.cookie, "Authorization": basic(*who)}


# -- get_edge_config


async def test_a_login(lab: EdgeLab) -> None:
    answer = await lab.config()
    assert answer.status == 200
    assert (answer.get("Server"), answer.get("Content-Type")) == (
        "CE_C ECS",
        "text/xml; charset=UTF-8",
    )
    root = ET.fromstring(answer.body)  # noqa: S314 - our own
    server = root.find("edgeConfig/userUdsServer/server")
    assert server is not None
    assert [item.text for item in server] == [CUCM, str(lab.uds_port)]
    assert COOKIE.fullmatch(answer.get("Set-Cookie") or "")


async def test_the_documented_requests_through_its_own_traffic_server(
    lab: EdgeLab, tmp_path: Path
) -> None:
    await lab.config()
    base = f"https://{CUCM}:{lab.uds_port}"
    expected = [
        ("/cucm-uds/clusterUser?username=emusk", None),
        (f"{USER}/devices", basic(*EMUSK)),
        ("/cucm-uds/servers", None),
        (USER, basic(*EMUSK)),
    ]
    assert [(item.target, item.header("Authorization")) for item in lab.node.requests] == expected
    assert {item.header("TrackingID") for item in lab.node.requests} == {TRACKING_ID}
    asks = lab.c.asks(TRACKING_ID)
    assert [item.url for item in asks] == [base + path for path, _ in expected]
    assert all(item.good and item.seconds > 0 for item in asks)
    lab.proxy.sync_logs()
    lines = (tmp_path / "event.log").read_text().splitlines()
    received = [
        record
        for record in parse_log(lines)
        if isinstance(record, TransactionLine) and record.verb.value == "Receive Request"
    ]
    assert [record.tracking_id for record in received] == [TRACKING_ID] * 4
    assert received[0].msg == (
        f"GET http://vcsc.steven.lab:8443/{asks[0].segment}/cucm-uds/clusterUser?username=emusk"
        " HTTP/1.1"
    )


async def test_the_cookie_lasts_the_refresh_interval(lab: EdgeLab) -> None:
    cookie = (await lab.config()).get("Set-Cookie") or ""
    lab.clock.pass_by(28_800)
    assert f"Expires={lab.clock.now:%a, %d %b %Y %H:%M:%S} GMT" in cookie


async def test_each_login_has_a_cookie_of_its_own(lab: EdgeLab) -> None:
    assert (await lab.config()).cookie != (await lab.config()).cookie


async def test_only_the_services_asked_for(lab: EdgeLab) -> None:
    target = f"{CONFIG}/?service_name=_cisco-uds&service_name=_cuplogin"
    answer = await ask(lab.c.endpoint, target, {"Authorization": basic(*EMUSK)})
    root = ET.fromstring(answer.body)  # noqa: S314 - our own
    names = [item.text for item in root.iterfind("serviceConfig/service/name")]
    assert names == ["_cisco-uds", "_cuplogin", "tftpServer"]


async def test_advertised_by_address(lab: EdgeLab) -> None:
    await lab.use(verify_origin_server=VerifyMode.OFF)
    await lab.advertise("127.0.0.1", OTHER)
    answer = await lab.config()
    assert answer.body.count(b"<address>127.0.0.1</address><tlsPort>") == 1
    assert answer.body.count(b"<address>cucm2.steven.lab</address>") == 3
    assert {item.host for item in lab.c.asks(TRACKING_ID)} == {"127.0.0.1"}


async def test_the_documented_case_ends_the_login(lab: EdgeLab) -> None:
    """Advertised by address, verified since X14.2: found by FQDN, refused at every request."""
    await lab.advertise("127.0.0.1")
    answer = await lab.config()
    assert answer.line == "HTTP/1.1 502 connect failed"
    assert (answer.get("X-Lab-Reason") or "").startswith("name-refused; ")
    assert answer.get("Set-Cookie") is None
    (failed,) = lab.c.asks(TRACKING_ID)
    assert (failed.status, failed.phrase, failed.good) == (502, "connect failed", False)
    assert failed.lab_reason == answer.get("X-Lab-Reason")
    await lab.use(verify_origin_server=VerifyMode.OFF)
    assert (await lab.config()).status == 200


async def test_a_certificate_that_is_refused(lab: EdgeLab, tomcat_ecdsa: Credential) -> None:
    service = replace(lab.node.service("uds"), https_ciphers=HttpsCiphers.EC_AND_RSA)
    lab.node.configure(service)
    lab.node.install("tomcat-ECDSA", tomcat_ecdsa)
    await lab.node.restart("Cisco Tomcat")
    answer = await lab.config()
    assert answer.line == "HTTP/1.1 502 connect failed"
    assert (answer.get("X-Lab-Reason") or "").startswith("chain-refused; ")


async def test_a_node_that_is_down(lab: EdgeLab) -> None:
    await lab.node.sabotage("uds", Sabotage.DEAD)
    answer = await lab.config()
    assert answer.line == "HTTP/1.1 502 connect failed"
    assert (answer.get("X-Lab-Reason") or "").startswith("connect-refused; ")


async def test_a_node_that_hangs(lab: EdgeLab) -> None:
    await lab.use(timeouts=Timeouts(response_timeout_s=0.2, linger_s=0.2))
    gate = asyncio.Event()

    async def hang(_request: web.Request) -> web.Response:
        await gate.wait()
        return web.Response()

    await lab.serve(_application(hang))
    assert (await lab.config()).line == "HTTP/1.1 504 Gateway Timeout"


async def test_a_user_whose_second_request_fails(lab: EdgeLab) -> None:
    async def answer(request: web.Request) -> web.Response:
        if request.path.endswith("clusterUser"):
            user = cluster().user("emusk")
            return web.Response(body=cluster_user(cluster(), "username=emusk", user))
        return web.Response(status=503, reason="Tomcat is starting")

    await lab.serve(_application(answer))
    answered = await lab.config()
    assert answered.line == "HTTP/1.1 503 Tomcat is starting"
    reason = answered.get("X-Lab-Reason") or ""
    assert reason.startswith("edge-config; the user's devices: https://cucm.steven.lab:")
    assert [item.status for item in lab.c.asks(TRACKING_ID)] == [200, 503]


@pytest.mark.parametrize("body", [b"", b"<html>", b"<clusterUser/>"])
async def test_rubbish_from_uds(lab: EdgeLab, body: bytes) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=body)

    await lab.serve(_application(answer))
    answered = await lab.config()
    assert answered.line == "HTTP/1.1 502 Bad Gateway"
    assert lab.c.asks(TRACKING_ID)[0].fault


async def test_a_node_that_no_rule_allows(lab: EdgeLab, tmp_path: Path) -> None:
    (tmp_path / "allow.csv").write_text(generated_rules(report_of()))
    await lab.use()
    answer = await lab.config()
    assert answer.line == "HTTP/1.1 403 Forbidden"
    assert (answer.get("X-Lab-Reason") or "").startswith("not-allowed; ")


async def test_a_name_that_does_not_resolve(lab: EdgeLab, tmp_path: Path) -> None:
    lab.publishers = ("nowhere.invalid",)
    ports = EstatePorts(uds=lab.uds_port)
    (tmp_path / "allow.csv").write_text(generated_rules(report_of("nowhere.invalid"), ports))
    await lab.use()
    answer = await lab.config()
    assert answer.line == "HTTP/1.1 500 Cannot find server."


async def test_a_traffic_server_that_is_gone(lab: EdgeLab) -> None:
    await lab.proxy.stop(drain_s=0)
    answer = await lab.config()
    assert answer.line == "HTTP/1.1 503 Service Unavailable"
    assert lab.c.asks(TRACKING_ID)[0].fault == "the traffic server is not there"


async def test_nothing_discovered(lab: EdgeLab) -> None:
    lab.publishers = ()
    answer = await lab.config()
    assert answer.line == "HTTP/1.1 503 Service Unavailable"
    assert lab.node.requests.count == 0


# -- credentials


async def test_the_challenge(lab: EdgeLab) -> None:
    answer = await ask(lab.c.endpoint, CONFIG)
    assert answer.line == "HTTP/1.1 401 Unauthorized"
    assert answer.get("WWW-Authenticate") == 'Basic realm="Cisco-Edge"'
    assert (answer.get("Server"), answer.get("Age")) == ("CE_C ECS", "0")
    assert answer.get("Transfer-Encoding") == "chunked"
    assert answer.get("Connection") == "keep-alive"
    assert answer.body == b""
    assert lab.node.requests.count == 0


async def test_the_connection_goes_on_after_a_challenge(lab: EdgeLab) -> None:
    client = await connect(lab.c.endpoint)
    for _ in range(2):
        client.writer.write(f"GET {CONFIG} HTTP/1.1\r\nHost: e\r\n\r\n".encode())
        assert (await client.answer()).status == 401
    await client.close()


@pytest.mark.parametrize(
    ("who", "asked"),
    [
        (("emusk", "wrong"), 2),
        (("emusk", ""), 2),
        (("nobody", "rocket"), 1),
        (("EMUSK", "rocket"), 1),
        (("em/../usk", "rocket"), 1),
    ],
    ids=["wrong password", "no password", "unknown user", "user in other case", "odd user"],
)
async def test_refused_users(lab: EdgeLab, who: tuple[str, str], asked: int) -> None:
    answer = await lab.config(who)
    assert answer.line == "HTTP/1.1 401 Unauthorized"
    assert answer.get("WWW-Authenticate") == 'Basic realm="Cisco-Edge"'
    assert (answer.get("X-Lab-Reason") or "").startswith("not-authenticated; ")
    assert answer.get("Set-Cookie") is None
    assert len(lab.c.sessions) == 0
    assert len(lab.c.asks(TRACKING_ID)) == asked
    failed, sent = parse_log(lab.log)
    assert isinstance(failed, FieldLine)
    assert failed.get("Detail") == "Failed to authenticate user against server"
    assert failed.get("Username") == who[0]
    assert failed.get("Server") == f"('https', '{CUCM}', {lab.uds_port})"
    assert isinstance(sent, HttpErrorResponse)
    assert sent.status == 401


@pytest.mark.parametrize("field", ["Bearer x", "Basic", "Basic !", "Basic ZW11c2s="])
async def test_what_is_no_basic_credentials(lab: EdgeLab, field: str) -> None:
    answer = await ask(lab.c.endpoint, CONFIG, {"Authorization": field})
    assert answer.status == 401
    assert lab.node.requests.count == 0


async def test_too_many_authorisations(lab: EdgeLab) -> None:
    lab.c.use(replace(PLAN, authorisations=2, authorisation_period_s=300))
    assert [(await lab.config(("emusk", "wrong"))).status for _ in range(2)] == [401, 401]
    asked = lab.node.requests.count
    answer = await lab.config()
    assert answer.line == "HTTP/1.1 429 Too Many Requests"
    assert answer.get("Connection") == "close"
    assert lab.node.requests.count == asked
    assert (await lab.config(JDOE)).status == 200
    lab.clock.pass_by(300)
    assert (await lab.config()).status == 200


async def test_a_restart_forgets(lab: EdgeLab) -> None:
    lab.c.use(replace(PLAN, authorisations=1))
    fields = await opened(lab)
    assert (await lab.config()).status == 429
    lab.c.forget()
    assert (await lab.uds(USER, fields)).status == 403
    assert lab.c.asks(TRACKING_ID) == ()
    assert (await lab.config()).status == 200


# -- several clusters


def _answering(homes: dict[str, str | None]) -> web.Application:
    """A UDS that knows the user or not, by the name it is asked under; 500 for other names."""

    async def answer(request: web.Request) -> web.Response:
        host = request.host.partition(":")[0]
        if not request.path.endswith("clusterUser"):
            return web.Response(body=f"<servers><server>{host}</server></servers>".encode())
        if host not in homes:
            return web.Response(status=500)
        home = homes[host]
        user = cluster(home).user("emusk") if home else None
        return web.Response(body=cluster_user(cluster(home or "x"), "", user))

    return _application(answer)


@pytest.mark.parametrize(
    ("homes", "status", "asked"),
    [
        ({CUCM: CUCM, OTHER: None}, 200, [CUCM, CUCM, CUCM, CUCM]),
        ({CUCM: None, OTHER: OTHER}, 200, [CUCM, OTHER, OTHER, OTHER, OTHER]),
        ({CUCM: OTHER}, 200, [CUCM, OTHER, OTHER, OTHER]),
        ({OTHER: OTHER}, 200, [CUCM, OTHER, OTHER, OTHER, OTHER]),
        ({CUCM: None, OTHER: None}, 401, [CUCM, OTHER]),
        ({OTHER: None}, 500, [CUCM, OTHER]),
    ],
    ids=[
        "the first knows",
        "the second knows",
        "the first sends to the second",
        "the first fails and the second knows",
        "none knows",
        "the first fails and the second does not know",
    ],
)
async def test_clusters(
    lab: EdgeLab, homes: dict[str, str | None], status: int, asked: list[str]
) -> None:
    await lab.use(verify_origin_server=VerifyMode.OFF)
    await lab.serve(_answering(homes))
    lab.publishers = (CUCM, OTHER)
    assert (await lab.config()).status == status
    assert [item.host for item in lab.c.asks(TRACKING_ID)] == asked


# -- other services and wrong requests


@pytest.mark.parametrize("query", ["", "?email=emusk@steven.lab", "?email=nobody@else"])
async def test_sso_answers_the_same_to_everybody(lab: EdgeLab, query: str) -> None:
    answer = await ask(lab.c.endpoint, f"/{encode_domain(DOMAIN)}/get_edge_sso{query}")
    assert answer.status == 200
    assert ET.fromstring(answer.body).tag == "SSOResult"  # noqa: S314 - our own
    assert lab.node.requests.count == 0


@pytest.mark.parametrize(
    ("target", "line"),
    [
        (f"/{encode_domain('other.lab')}/get_edge_config", "403 Forbidden"),
        (f"/{encode_domain('other.lab')}/get_edge_sso", "403 Forbidden"),
        (f"/{encode_domain(DOMAIN)}/get_edge_other", "404 Not Found"),
        (f"/{encode_domain(DOMAIN)}", "404 Not Found"),
        (f"/{encode_domain(DOMAIN)}/", "404 Not Found"),
        (f"/{encode_domain(DOMAIN)}/get_edge_config/more", "404 Not Found"),
        ("/c3RldmVuLmxhY/get_edge_config", "400 Bad Request"),
        ("/get_edge_config", "400 Bad Request"),
        ("//get_edge_config", "400 Bad Request"),
        ("/%ff/get_edge_config", "400 Bad Request"),
        ("/", "400 Bad Request"),
    ],
    ids=[
        "configuration of an unknown domain",
        "sign-on of an unknown domain",
        "unknown service",
        "no service",
        "an empty service",
        "something behind the service",
        "a segment that was cut",
        "no segment",
        "an empty segment",
        "a byte that is not ASCII",
        "no path",
    ],
)
async def test_wrong_targets(lab: EdgeLab, target: str, line: str) -> None:
    answer = await ask(lab.c.endpoint, target, {"Authorization": basic(*EMUSK)})
    assert answer.line == f"HTTP/1.1 {line}"
    assert (answer.get("Connection"), answer.get("Server")) == ("close", "CE_C ECS")
    assert answer.get("X-Lab-Reason")
    assert answer.body == b""
    assert lab.node.requests.count == 0


async def test_the_form_of_a_403(lab: EdgeLab) -> None:
    plain = lab.new_c(PLAN, lab_reasons=False)
    await plain.start()
    try:
        answer = await ask(plain.endpoint, f"/{encode_domain('other.lab')}/get_edge_config")
    finally:
        await plain.stop()
    assert re.fullmatch(
        rb"HTTP/1\.1 403 Forbidden\r\nDate: [^\r]+ GMT\r\nConnection: close\r\n"
        rb"Server: CE_C ECS\r\nContent-Length: 0\r\n\r\n",
        answer.raw,
    )
    (record,) = parse_log(lab.log)
    assert isinstance(record, HttpErrorResponse)
    assert (record.status, record.reason, record.ip) == (403, "Forbidden", "127.0.0.1")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_other_methods(lab: EdgeLab, method: str) -> None:
    answer = await ask(lab.c.endpoint, CONFIG, method=method, body=b"x")
    assert (answer.status, answer.get("Allow")) == (405, "GET, HEAD")


# -- relaying


async def test_a_request_with_its_cookie_reaches_the_node(lab: EdgeLab, tmp_path: Path) -> None:
    fields = await opened(lab)
    answer = await lab.uds(
        f"{USER}/devices?max=100", {**fields, "TrackingID": "abc", "Client-ip": "192.0.2.7"}
    )
    assert answer.line == "HTTP/1.1 200 "
    assert b"CSFemusk" in answer.body
    record = list(lab.node.requests)[-1]
    assert record.target == f"{USER}/devices?max=100"
    assert record.header("Host") == f"{CUCM}:{lab.uds_port}"
    assert record.header("TrackingID") == "abc"
    assert record.header("Client-ip") == "192.0.2.7"
    assert record.header("X-Forwarded-For") == "127.0.0.1"  # the traffic server's
    assert re.fullmatch(r"http/1\.1 vcs\[[0-9a-f-]{36}\] \(ATS\)", record.header("Via") or "")
    lab.proxy.sync_logs()
    last = (tmp_path / "event.log").read_text()
    assert f'Msg="GET http://vcsc.steven.lab:8443{lab.target(USER)}/devices?max=100 HTTP' in last


@pytest.mark.parametrize(
    "cookie",
    ["", "X-Auth=", "X-Auth=" + "0" * 64, "x-auth={token}", "Other={token}", "X-Auth={token}0"],
    ids=["none", "empty", "unknown", "name in other case", "another name", "one digit too many"],
)
async def test_without_a_session(lab: EdgeLab, cookie: str) -> None:
    fields = await opened(lab)
    asked = lab.node.requests.count
    token = fields["Cookie"].removeprefix("X-Auth=")
    sent = {"Authorization": basic(*EMUSK)}
    if cookie:
        sent["Cookie"] = cookie.format(token=token)
    answer = await lab.uds(USER, sent)
    assert answer.line == "HTTP/1.1 403 Forbidden"
    assert (answer.get("X-Lab-Reason") or "").startswith("no-session; ")
    assert lab.node.requests.count == asked


async def test_the_cookie_among_others(lab: EdgeLab) -> None:
    fields = await opened(lab)
    fields["Cookie"] = f"JSESSIONIDSSO=34AFA4; {fields['Cookie']}; last=1"
    assert (await lab.uds(USER, fields)).status == 200
    assert list(lab.node.requests)[-1].header("Cookie") == fields["Cookie"]


async def test_an_expired_cookie(lab: EdgeLab) -> None:
    fields = await opened(lab)
    lab.clock.pass_by(28_799)
    assert (await lab.uds(USER, fields)).status == 200
    lab.clock.pass_by(1)
    answer = await lab.uds(USER, fields)
    assert answer.status == 403
    assert (answer.get("X-Lab-Reason") or "").endswith("unknown or expired")


async def test_a_stolen_cookie_opens_nothing_for_another_user(lab: EdgeLab) -> None:
    stolen = await opened(lab)
    stolen["Authorization"] = basic(*JDOE)
    answer = await lab.uds("/cucm-uds/user/jdoe", stolen)
    assert answer.status == 403
    assert (answer.get("X-Lab-Reason") or "").endswith("another user's")
    answer = await lab.uds(USER, stolen)
    assert answer.status == 403


async def test_a_stolen_cookie_without_credentials_ends_at_the_node(lab: EdgeLab) -> None:
    fields = await opened(lab)
    answer = await lab.uds(USER, {"Cookie": fields["Cookie"]})
    assert answer.status == 401
    assert answer.get("WWW-Authenticate") == 'Basic realm="Cisco Web Services Realm"'


async def test_the_nodes_own_judgement_of_the_password(lab: EdgeLab) -> None:
    fields = await opened(lab)
    answer = await lab.uds(USER, {**fields, "Authorization": basic("emusk", "wrong")})
    assert answer.get("WWW-Authenticate") == 'Basic realm="Cisco Web Services Realm"'


async def test_a_route_of_another_domain(lab: EdgeLab) -> None:
    fields = await opened(lab)
    target = lab.target(USER, domain="other.lab")
    assert (await ask(lab.c.endpoint, target, fields)).status == 403


@pytest.mark.parametrize(
    ("target", "status", "reason"),
    [
        ("{route}/axl/", 403, "not-allowed; "),
        ("/c3RldmVuLmxhYi9mdHAvYS9iLzE/x", 400, "route-invalid; "),
        ("/c3RldmVuLmxhYi9odHRwcy9j/x", 400, "route-invalid; "),
    ],
    ids=["a path no rule allows", "a protocol that is none", "too few parts"],
)
async def test_what_the_traffic_server_refuses(
    lab: EdgeLab, target: str, status: int, reason: str
) -> None:
    fields = await opened(lab)
    answer = await ask(lab.c.endpoint, target.format(route=lab.target("")), fields)
    assert (answer.status, answer.get("Server")) == (status, "CE_C")
    assert (answer.get("X-Lab-Reason") or "").startswith(reason)


async def test_the_traffic_server_goes_while_a_session_lasts(lab: EdgeLab) -> None:
    fields = await opened(lab)
    await lab.proxy.stop(drain_s=0)
    assert (await lab.uds(USER, fields)).line == "HTTP/1.1 503 Service Unavailable"


async def test_an_absolute_target(lab: EdgeLab) -> None:
    fields = await opened(lab)
    target = f"http://vcs_control.steven.lab:8443{lab.target(USER)}"
    assert (await ask(lab.c.endpoint, target, fields)).status == 200


# -- what relaying leaves alone


def _application(handler: Handler) -> web.Application:
    made = web.Application(client_max_size=2**26)
    made.router.add_route("*", "/{path:.*}", handler)
    return made


@pytest.mark.parametrize(
    "path",
    [
        "/cucm-uds/a%2Fb%20c",
        "/cucm-uds/x?a=%zz&b=%C3%A4",
        "/cucm-uds//double",
        "/cucm-uds/x?q=a+b&q=%2B|^`{}",
        "/cucm-uds/%7Euser;p=1",
    ],
)
async def test_paths_stay_as_written(lab: EdgeLab, path: str) -> None:
    fields = await opened(lab)
    await lab.uds(path, fields)
    assert list(lab.node.requests)[-1].target == path


async def test_fields_stay_and_hop_by_hop_ones_end(lab: EdgeLab) -> None:
    fields = await opened(lab)

    async def answer(_request: web.Request) -> web.Response:
        made = web.Response(status=207, reason="Odd, but mine", body=b"x")
        made.headers.add("Set-Cookie", "a=1; Path=/")
        made.headers.add("Set-Cookie", "b=2")
        made.headers["Server"] = "Apache"
        made.headers["X-Umlaut"] = "ü"
        return made

    await lab.serve(_application(answer))
    odd = {
        "Connection": "keep-alive, X-Hop",
        "X-Hop": "1",
        "Keep-Alive": "timeout=5",
        "TE": "trailers",
        "Proxy-Authorization": "Basic x",
        "X-Umlaut": "ü",
        "User-Agent": "Jabber",
    }
    answered = await lab.uds("/cucm-uds/x", {**fields, **odd})
    assert answered.line == "HTTP/1.1 207 Odd, but mine"
    cookies = [value for name, value in answered.fields if name == "Set-Cookie"]
    assert cookies == ["a=1; Path=/", "b=2"]
    assert (answered.get("Server"), answered.get("X-Umlaut")) == ("Apache", "ü")
    record = list(lab.node.requests)[-1]
    got = {name for name, _ in record.headers}
    assert not got & {"X-Hop", "Keep-Alive", "TE", "Proxy-Authorization", "Accept"}
    assert (record.header("X-Umlaut"), record.header("User-Agent")) == ("ü", "Jabber")


async def test_a_field_that_is_not_utf8_is_refused(lab: EdgeLab) -> None:
    fields = await opened(lab)
    client = await connect(lab.c.endpoint)
    client.writer.write(
        f"GET {lab.target(USER)} HTTP/1.1\r\nHost: e\r\nCookie: {fields['Cookie']}\r\n".encode()
        + b"X-Odd: \xff\r\n\r\n"
    )
    assert (await client.answer()).line == "HTTP/1.1 400 Bad Request"
    await client.close()


async def test_compressed_bodies_are_not_touched(lab: EdgeLab) -> None:
    fields = await opened(lab)
    packed = gzip.compress(b"hello" * 100)

    async def echo(request: web.Request) -> web.Response:
        assert await request.read() == b"hello" * 100  # the node undoes it, nobody before
        return web.Response(body=packed, headers={"Content-Encoding": "gzip"})

    await lab.serve(_application(echo))
    sent = {**fields, "Content-Encoding": "gzip"}
    answer = await lab.uds("/cucm-uds/x", sent, method="POST", body=packed)
    assert answer.body == packed
    assert answer.get("Content-Encoding") == "gzip"
    assert list(lab.node.requests)[-1].header("Content-Length") == str(len(packed))


@pytest.mark.parametrize(
    ("method", "status", "fields"),
    [
        ("HEAD", 200, {"Content-Length": "12"}),
        ("GET", 204, {}),
        ("GET", 304, {"ETag": '"1"'}),
        ("GET", 302, {"Location": "https://elsewhere.lab/"}),
    ],
)
async def test_answers_without_a_body(
    lab: EdgeLab, method: str, status: int, fields: dict[str, str]
) -> None:
    session = await opened(lab)

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=status, headers=fields)

    await lab.serve(_application(answer))
    answered = await lab.uds("/cucm-uds/x", session, method=method)
    assert answered.status == status
    assert answered.body == b""
    assert all(answered.get(name) == value for name, value in fields.items())
    if status in {204, 304}:
        assert answered.get("Content-Type") is None


@pytest.mark.parametrize("chunked", [False, True], ids=["by length", "in chunks"])
async def test_bodies_stream_both_ways(lab: EdgeLab, *, chunked: bool) -> None:
    """The node answers each piece before the client sends the next one."""
    fields = await opened(lab)
    pieces = [bytes([65 + number]) * 50_000 for number in range(4)]

    async def echo(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        if not chunked:
            response.content_length = sum(map(len, pieces))
        await response.prepare(request)
        async for piece in request.content.iter_any():
            await response.write(piece)
        return response

    await lab.serve(_application(echo))
    client = await connect(lab.c.endpoint, limit=2**20)
    framing = (
        "Transfer-Encoding: chunked" if chunked else f"Content-Length: {sum(map(len, pieces))}"
    )
    client.writer.write(
        f"POST {lab.target('/cucm-uds/x')} HTTP/1.1\r\nHost: e\r\nCookie: {fields['Cookie']}\r\n"
        f"{framing}\r\n\r\n".encode()
    )
    async with asyncio.timeout(PATIENCE_S):
        for number, piece in enumerate(pieces):
            client.writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            if not number:
                head = await client.reader.readuntil(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 200")
            if chunked:
                got = b""
                while len(got) < len(piece):
                    size = int(await client.reader.readline(), 16)
                    got += await client.reader.readexactly(size)
                    await client.reader.readexactly(2)
            else:
                got = await client.reader.readexactly(len(piece))
            assert got == piece
    await client.close()


async def test_a_client_that_goes_takes_its_request_along(lab: EdgeLab) -> None:
    fields = await opened(lab)
    came, went = asyncio.Event(), asyncio.Event()

    async def hang(_request: web.Request) -> web.Response:
        came.set()
        try:
            await asyncio.Event().wait()
        finally:
            went.set()
        return web.Response()

    await lab.serve(_application(hang))
    client = await connect(lab.c.endpoint)
    client.writer.write(
        f"GET {lab.target(USER)} HTTP/1.1\r\nHost: e\r\nCookie: {fields['Cookie']}\r\n\r\n".encode()
    )
    async with asyncio.timeout(PATIENCE_S):
        await came.wait()
        client.writer.transport.abort()
        await went.wait()


async def test_an_answer_cut_inside_is_cut_outside(lab: EdgeLab) -> None:
    fields = await opened(lab)

    async def cut(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b"part")
        assert request.transport is not None
        request.transport.abort()
        return response

    await lab.serve(_application(cut))
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await lab.uds("/cucm-uds/x", fields)


# -- many at once, and the end


async def test_many_logins_at_once_are_not_mixed_up(lab: EdgeLab) -> None:
    lab.c.use(replace(PLAN, authorisations=0))

    async def log_in(number: int) -> None:
        who = (EMUSK, JDOE)[number % 2]
        answer = await lab.config(who, {"TrackingID": f"id-{number}"})
        fields = {"Cookie": answer.cookie, "Authorization": basic(*who)}
        own = await lab.uds(f"/cucm-uds/user/{who[0]}", fields)
        assert own.status == 200
        assert f"<userName>{who[0]}</userName>".encode() in own.body
        asks = lab.c.asks(f"id-{number}")
        assert len(asks) == 4
        assert asks[-1].url.endswith(who[0])

    await asyncio.gather(*map(log_in, range(50)))
    assert lab.node.requests.count == 50 * 5
    assert len(lab.c.sessions) == 50


async def test_nothing_is_left_running(lab: EdgeLab) -> None:
    assert (await lab.config()).status == 200  # the node keeps a task for each connection
    before = asyncio.all_tasks()
    other = lab.new_c(PLAN)
    await other.start()
    await asyncio.gather(*(ask(other.endpoint, CONFIG) for _ in range(5)))
    await ask(other.endpoint, CONFIG, {"Authorization": basic(*EMUSK)})
    await other.stop()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() <= before


async def test_an_address_that_is_taken(lab: EdgeLab) -> None:
    other = lab.new_c(PLAN, listen=lab.c.endpoint)
    with pytest.raises(LabError, match=r"Expressway-C vcsc\.steven\.lab cannot listen on 127"):
        await other.start()
