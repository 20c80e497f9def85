"""Logins through Expressway-E: the sample estate, and what the user sees if one thing is broken."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from aiohttp import web

from mralab.config.estate import ServiceState
from mralab.config.estatesample import sample_estate
from mralab.config.settings import Endpoint
from mralab.errors import LabError, RouteError
from mralab.lab.edgeconfig import EdgeConfig, edge_config, edge_sso
from mralab.lab.edgelogin import Edge, client_tls, log_in_at_edge
from mralab.lab.estate import RunningEstate
from mralab.lab.estatelogin import account_of, edge_of, log_in_to
from mralab.lab.login import NOT_NAMED, Account
from mralab.lab.loginresult import LoginResult, LoginStep, Outcome, Verdict
from mralab.lab.pki import CertificateFields

from . import samples
from .samples import BY_IP, CUC, IMP, PUB, SOUND, SUB, UNCHECKED

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from mralab.config.estate import Estate
    from mralab.lab.pki import Credential, KeyCache

pytestmark = pytest.mark.asyncio(loop_scope="module", loop_factories=["uvloop"])

EMUSK = account_of(SOUND, SOUND.users[0])
GHOPPER = account_of(SOUND, SOUND.users[1])
TITLES = [
    "the sign-on mode",
    "the edge configuration",
    "the user's home cluster",
    "the cluster's servers",
    "the user",
    "the user's devices",
    f"the user, from {SUB}",
    "the Jabber configuration",
    "the service profile",
    "the phone configuration",
    f"the phone configuration, from {SUB}",
    "the global settings",
    "the IM and Presence login",
    "the mailbox's user",
    "the inbox",
    "the user's photo",
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab(keys: KeyCache) -> AsyncIterator[RunningEstate]:
    """One running estate for all; each test says which one it is to be."""
    async with RunningEstate(SOUND, keys=keys) as running:
        yield running


async def log_in(lab: RunningEstate, estate: Estate, account: Account = EMUSK) -> LoginResult:
    await lab.change(estate, refresh=True)
    lab.expressway_c.forget()
    return await log_in_to(lab, account)


def red(result: LoginResult) -> dict[str, int]:
    return {step.title: step.status for step in result.red}


def step_of(result: LoginResult, title: str) -> LoginStep:
    return next(step for step in result.steps if step.title == title)


# -- green


async def test_all_steps_of_a_sound_estate(lab: RunningEstate) -> None:
    result = await log_in(lab, SOUND)
    assert [step.title for step in result.steps] == TITLES
    assert (result.outcome, result.hint, red(result)) == (Outcome.FINE, "", {})
    assert result.text.endswith("phone service, IM and presence, voicemail and a photo")
    met = {step.title: step.met for step in result.steps if step.met}
    assert {title: (m.node, m.certificate, m.verdict) for title, m in met.items()} == {
        **dict.fromkeys(TITLES[2:6], (PUB, "tomcat", Verdict.ACCEPTED)),
        TITLES[6]: (SUB, "tomcat", Verdict.ACCEPTED),
        **dict.fromkeys(TITLES[7:12], (PUB, "CallManager-ECDSA", Verdict.ACCEPTED)),
        TITLES[10]: (SUB, "CallManager-ECDSA", Verdict.ACCEPTED),
        TITLES[12]: (IMP, "tomcat", Verdict.ACCEPTED),
        TITLES[13]: (CUC, "tomcat", Verdict.ACCEPTED),
        TITLES[14]: (CUC, "tomcat", Verdict.ACCEPTED),
        TITLES[15]: (PUB, "", Verdict.NONE),
    }
    phone = step_of(result, "the phone configuration")
    assert phone.segment == "c3RldmVuLmxhYi9odHRwcy9jdWNtLnN0ZXZlbi5sYWIvNjk3Mg"
    assert phone.url == "https://cucm.steven.lab:6972/CSFemusk.cnf.xml"
    assert met["the phone configuration"].chain[0].subject == "CN=cucm-EC.steven.lab"
    assert [step.other_server for step in result.steps].count(True) == 2
    assert step_of(result, "the IM and Presence login").method == "POST"
    assert all(step.seconds > 0 for step in result.steps)


async def test_what_expressway_c_asks_itself(lab: RunningEstate) -> None:
    result = await log_in(lab, SOUND)
    asks = step_of(result, "the edge configuration").asks
    assert [(ask.title, ask.status, bool(ask.fault)) for ask in asks] == [
        ("the user's home cluster", 200, False),
        ("the user's devices", 200, False),
        ("the cluster's servers", 200, False),
        ("the user", 200, False),
    ]
    assert {ask.met.certificate for ask in asks if ask.met} == {"tomcat"}
    assert asks[1].url == f"https://{PUB}:8443/cucm-uds/user/emusk/devices"


async def test_what_a_user_does_not_have_is_not_asked_for(lab: RunningEstate) -> None:
    users = tuple(replace(user, im_presence=False, voicemail="") for user in SOUND.users)
    result = await log_in(lab, replace(SOUND, users=users))
    assert [step.title for step in result.steps] == [*TITLES[:12], TITLES[15]]
    assert result.text == "all fine: the user is logged in and has phone service and a photo"


async def test_two_users_each_see_their_own(lab: RunningEstate) -> None:
    result = await log_in(lab, SOUND, GHOPPER)
    assert red(result) == {}
    assert step_of(result, "the phone configuration").path == "/CSFghopper.cnf.xml"
    # Her service profile is another one, and it has no voicemail.
    assert step_of(result, "the service profile").path == "/SP1.cnf.xml"
    assert "the inbox" not in [step.title for step in result.steps]


# -- the documented case


async def test_the_documented_case_self_signed_ecdsa_on_6972(lab: RunningEstate) -> None:
    result = await log_in(lab, sample_estate())
    assert red(result) == {
        **dict.fromkeys(TITLES[7:12], 502),
        **dict.fromkeys(TITLES[12:], 0),
    }
    assert result.outcome is Outcome.NO_PHONE_SERVICE
    assert result.losses[1:] == (
        Outcome.NO_IM_AND_PRESENCE,
        Outcome.NO_VOICEMAIL,
        Outcome.PHOTO_MISSING,
    )
    met = step_of(result, "the Jabber configuration").met
    assert met is not None
    assert (met.certificate, met.verdict, met.alert) == ("CallManager-ECDSA", Verdict.REFUSED, 48)
    assert (met.code, met.depth, met.subject) == (18, 0, "CN=cucm-EC.steven.lab")
    assert met.rsa_passes
    assert sum("WARNING: Core server certificate verification failed" in e for e in met.log) == 2
    # Two nodes have such a certificate: one change of the cipher list mends both.
    assert "ECDHE-RSA-AES256-GCM-SHA384" in result.hint
    assert result.hint.endswith("(this mends all 9 red steps)")


async def test_discovery_by_name_succeeds_and_the_login_by_address_fails(
    lab: RunningEstate,
) -> None:
    result = await log_in(lab, samples.with_node(SOUND, PUB, advertised=BY_IP))
    assert [item.status for item in lab.report.discoveries] == ["Active"] * 3
    assert lab.report.discoveries[0].plan.address == PUB
    assert result.outcome is Outcome.LOGIN_FAILS
    assert result.text == "the login fails"
    config = result.steps[1]
    assert (config.status, config.phrase) == (502, "connect failed")
    assert [(ask.url, ask.status) for ask in config.asks] == [
        (f"https://{BY_IP}:8443/cucm-uds/clusterUser?username=emusk", 502)
    ]
    assert config.asks[0].met is not None
    assert config.asks[0].met.alert == 80
    assert {step.fault for step in result.steps[2:]} == {NOT_NAMED}
    assert {step.because for step in result.steps[2:]} == {1}
    assert f"addressed as {BY_IP}" in result.hint
    assert result.hint.endswith("(this mends all 13 red steps)")


# -- one thing broken

RED: dict[str, tuple[Estate, Outcome, dict[str, int], str]] = {
    "IM and Presence's certificate is self-signed": (
        samples.with_certificate(UNCHECKED, IMP, samples.TOMCAT, signed_by=""),
        Outcome.NO_IM_AND_PRESENCE,
        {TITLES[12]: 502},
        "Append that certificate",
    ),
    "and discovery looks at it": (
        samples.with_certificate(SOUND, IMP, samples.TOMCAT, signed_by=""),
        Outcome.NO_IM_AND_PRESENCE,
        {TITLES[12]: 403},
        "imp.steven.lab: Failed: TLS verification failed",
    ),
    "Unity Connection's certificate has expired": (
        samples.with_certificate(UNCHECKED, CUC, samples.TOMCAT, **samples.EXPIRED),
        Outcome.NO_VOICEMAIL,
        {TITLES[13]: 502, TITLES[14]: 502},
        "Renew the certificate on the node (this mends all 2",
    ),
    "and discovery looks at that": (
        samples.with_certificate(SOUND, CUC, samples.TOMCAT, **samples.EXPIRED),
        Outcome.NO_VOICEMAIL,
        {TITLES[13]: 403, TITLES[14]: 403},
        "has expired: renew the certificate on the node (this mends all 2",
    ),
    "the server of the photos is down": (
        samples.with_service(SOUND, PUB, "tftp-http", ServiceState.DOWN),
        Outcome.PHOTO_MISSING,
        {TITLES[15]: 502},
        "Start the service",
    ),
    "CUCM does not trust Expressway-C": (
        samples.with_node(SOUND, PUB, trust={}),
        Outcome.NO_PHONE_SERVICE,
        {
            **dict.fromkeys((*TITLES[7:10], TITLES[11]), 502),
            **dict.fromkeys(TITLES[12:], 0),
        },
        "to the node's tomcat-trust and CallManager-trust",
    ),
    "the subscriber is not in its certificate's SAN": (
        samples.with_certificate(
            SOUND, SUB, samples.TOMCAT, cn="other.steven.lab", dns=("other.steven.lab",)
        ),
        Outcome.LOGIN_FAILS,
        {TITLES[6]: 502},
        f"Add {SUB} to the certificate's SAN",
    ),
    "UDS is down": (
        samples.with_service(SOUND, PUB, "uds", ServiceState.DOWN),
        Outcome.LOGIN_FAILS,
        {TITLES[1]: 503, **dict.fromkeys((*TITLES[2:6], *TITLES[7:10], *TITLES[11:]), 0)},
        "cucm.steven.lab: Failed: no connection",
    ),
    "TFTP speaks plain HTTP": (
        samples.with_service(SOUND, PUB, "tftp-https", ServiceState.PLAIN_HTTP),
        Outcome.NO_PHONE_SERVICE,
        {
            **dict.fromkeys((*TITLES[7:10], TITLES[11]), 502),
            **dict.fromkeys(TITLES[12:], 0),
        },
        "does not speak TLS",
    ),
    "Expressway-E is called otherwise in its certificate": (
        samples.front_for(SOUND, "other.steven.lab"),
        Outcome.LOGIN_FAILS,
        dict.fromkeys((*TITLES[:6], *TITLES[7:10], *TITLES[11:]), 0),
        "Expressway-E's certificate signed again, for the name",
    ),
}


@pytest.mark.parametrize("name", RED)
async def test_what_the_user_sees(lab: RunningEstate, name: str) -> None:
    estate, outcome, steps, said = RED[name]
    result = await log_in(lab, estate)
    assert (result.outcome, red(result)) == (outcome, steps)
    assert said in result.hint
    only_there = f" when the client is sent to {SUB}"
    assert result.text.endswith(only_there) is (steps == {TITLES[6]: 502})


async def test_an_ecdsa_certificate_whose_rsa_twin_fares_no_better(lab: RunningEstate) -> None:
    sample = samples.with_certificate(sample_estate(), PUB, samples.CALL_MANAGER, signed_by="")
    result = await log_in(lab, sample)
    met = step_of(result, "the Jabber configuration").met
    assert met is not None
    assert met.rsa_passes is False
    assert result.choice is not None
    assert result.choice.remedy.fix.what.startswith("append that certificate")
    assert (result.choice.mends, result.choice.red) == (8, 9)


# -- users


@pytest.mark.parametrize(
    ("account", "said"),
    [
        pytest.param(
            replace(EMUSK, password="wrong"),  # noqa: S106 - not even right
            "check user id and password",
            id="a wrong password",
        ),
        pytest.param(replace(EMUSK, user="nobody"), "check user id", id="an unknown user"),
        pytest.param(replace(EMUSK, domain="other.lab"), "add the domain", id="another domain"),
    ],
)
async def test_users_who_are_not_let_in(lab: RunningEstate, account: Account, said: str) -> None:
    result = await log_in(lab, SOUND, account)
    assert result.outcome is Outcome.LOGIN_FAILS
    assert result.steps[1].status in {401, 403}
    assert {step.status for step in result.steps[2:]} == {0}
    assert said in result.hint.lower()


async def test_too_many_logins(lab: RunningEstate) -> None:
    plan = replace(SOUND.expressway_c, authorisations=1)
    assert (await log_in(lab, replace(SOUND, expressway_c=plan))).outcome is Outcome.FINE
    result = await log_in_to(lab, EMUSK)
    assert (result.steps[1].status, result.outcome) == (429, Outcome.LOGIN_FAILS)
    assert "raise the limit" in result.hint
    lab.expressway_c.forget()


async def test_an_answer_about_another_user_is_red(lab: RunningEstate) -> None:
    users = tuple(replace(user, voicemail=CUC) for user in SOUND.users)
    await lab.change(replace(SOUND, users=users), refresh=True)
    lab.expressway_c.forget()

    async def his(_request: web.Request) -> web.Response:
        return web.Response(text="<Users><User><Alias>emusk</Alias></User></Users>")

    def crossing() -> web.Application:
        application = web.Application()
        application.router.add_get("/vmrest/users", his)
        return application

    node = lab.nodes[CUC]
    before = node.service("rest")
    node.configure(replace(before, application=crossing))
    await node.restart(before.daemon)
    try:
        results = [await log_in_to(lab, account) for account in (EMUSK, GHOPPER)]
    finally:
        node.configure(before)
        await node.restart(before.daemon)
    own, other = (step_of(result, "the mailbox's user") for result in results)
    assert (own.fault, own.crossed) == ("", False)
    assert other.fault == "the answer is about 'emusk', not about 'ghopper'"
    assert other.crossed
    assert "crossed" in other.hint


async def test_a_photo_of_somebody_else_is_red(lab: RunningEstate) -> None:
    await lab.change(SOUND, refresh=True)
    lab.expressway_c.forget()
    result = await log_in_at_edge(EMUSK, edge_of(lab), photo=b"hers")
    assert [step.title for step in result.red] == ["the user's photo"]
    assert result.red[0].crossed


# -- Expressways that are not as they should be


@asynccontextmanager
async def edge_answering(
    ca: Credential,
    folder: Path,
    answers: dict[str, Callable[[], web.Response]],
    *,
    name: str = "vcse.steven.lab",
    not_after: datetime | None = None,
) -> AsyncIterator[Edge]:
    """An Expressway-E that gives fixed answers by the end of the path."""
    fields = CertificateFields(
        cn="vcse.steven.lab",
        dns=("vcse.steven.lab",),
        not_before=not_after and not_after - timedelta(days=9),
        not_after=not_after,
    )
    credential = ca.issue(fields)
    files = credential.write(folder, "edge")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(files.chain, files.key)

    async def answer(request: web.BaseRequest) -> web.Response:
        service = request.path.rpartition("/")[2]
        return answers.get(service, lambda: web.Response(status=404))()

    server = web.Server(answer)
    listener = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0, ssl=tls)
    try:
        port = listener.sockets[0].getsockname()[1]
        yield Edge(endpoint=Endpoint("127.0.0.1", port), name=name, tls=client_tls(ca.pem))
    finally:
        listener.close()
        await server.shutdown()


def sso() -> web.Response:
    return web.Response(body=edge_sso())


def config(cookie: str | None) -> Callable[[], web.Response]:
    def answer() -> web.Response:
        fields = {} if cookie is None else {"Set-Cookie": cookie}
        body = edge_config(EdgeConfig(uds_servers=("cucm",)))
        return web.Response(body=body, headers=fields)

    return answer


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        pytest.param(config(None), "the answer sets no X-Auth cookie", id="no cookie"),
        pytest.param(config("a b=1;;X-Auth"), "the answer sets no X-Auth cookie", id="odd cookie"),
        pytest.param(config("other=1"), "the answer sets no X-Auth cookie", id="another cookie"),
        pytest.param(
            config("X-Auth=1; Domain=.other.lab; Path=/"),
            "the X-Auth cookie is for other.lab, and a client of vcse.steven.lab drops it",
            id="a cookie of another domain",
        ),
        pytest.param(
            lambda: web.Response(text="<a/>"), "the answer names no UDS server", id="no server"
        ),
        pytest.param(lambda: web.Response(status=500), "answered 500", id="an error"),
    ],
)
async def test_edge_configurations(
    ca: Credential, tmp_path: Path, answer: Callable[[], web.Response], fault: str
) -> None:
    answers = {"get_edge_sso": sso, "get_edge_config": answer}
    async with edge_answering(ca, tmp_path, answers) as edge:
        result = await log_in_at_edge(EMUSK, edge)
    assert result.steps[0].fault == ""
    assert result.steps[1].fault.startswith(fault)
    assert {step.because for step in result.steps[2:]} == {1}


@pytest.mark.parametrize("cookie", ["X-Auth=1; Domain=.steven.lab; Path=/", "X-Auth=1"])
async def test_with_its_cookie_the_client_goes_on(
    ca: Credential, tmp_path: Path, cookie: str
) -> None:
    answers = {"get_edge_sso": sso, "get_edge_config": config(cookie)}
    async with edge_answering(ca, tmp_path, answers) as edge:
        result = await log_in_at_edge(EMUSK, edge)
    assert (result.steps[1].fault, result.steps[2].status) == ("", 404)
    assert result.steps[3].because == 2


FILES = {
    "servers": "<s><server>cucm</server></s>",
    "emusk": "<user><userName>emusk</userName></user>",
    "devices": "<devices/>",
    "clusterUser": '<c><result found="true"/><homeCluster>cucm</homeCluster></c>',
    "jabber-config.xml": "<config/>",
    "SPDefault.cnf.xml": "<config/>",
    "CSFemusk.cnf.xml": "<device/>",
    "global-settings.xml": "<g/>",
}


@pytest.mark.parametrize(
    ("file", "body", "red_steps"),
    [
        pytest.param("", "", {}, id="nothing more is named"),
        pytest.param(
            "jabber-config.xml",
            "<c><UdsPhotoUriWithToken>ftp://x</UdsPhotoUriWithToken></c>",
            {"the user's photo": "the answer names 'ftp://x' as photo, which is no address"},
            id="a photo at no address",
        ),
        pytest.param(
            "SPDefault.cnf.xml",
            '<c><PresenceServerAddress port="x">imp</PresenceServerAddress></c>',
            {"the IM and Presence login": "the answer names port 'x' for its IM and Presence"},
            id="an IM and Presence server with a port that is none",
        ),
        pytest.param(
            "SPDefault.cnf.xml",
            "<c><PresenceServerAddress>imp</PresenceServerAddress>"
            "<PresenceServerAddress>imp2</PresenceServerAddress></c>",
            {
                "the IM and Presence login": "answered 404",
                "the IM and Presence login, on imp2": "answered 404",
            },
            id="two IM and Presence servers",
        ),
        pytest.param(
            "SPDefault.cnf.xml",
            "<c",
            {
                "the service profile": "the answer is no usable XML",
                "the IM and Presence login": NOT_NAMED,
                "the mailbox's user": NOT_NAMED,
                "the inbox": NOT_NAMED,
            },
            id="a profile that says nothing",
        ),
    ],
)
async def test_what_the_files_name(
    ca: Credential, tmp_path: Path, file: str, body: str, red_steps: dict[str, str]
) -> None:
    texts = {**FILES, **({file: body} if file else {})}
    answers: dict[str, Callable[[], web.Response]] = {
        name: partial(web.Response, text=text) for name, text in texts.items()
    }
    answers |= {"get_edge_sso": sso, "get_edge_config": config("X-Auth=1")}
    async with edge_answering(ca, tmp_path, answers) as edge:
        result = await log_in_at_edge(EMUSK, edge)
    assert [step.title for step in result.red] == list(red_steps)
    for step, fault in zip(result.red, red_steps.values(), strict=True):
        assert step.fault.startswith(fault)


async def test_without_expressway_c(lab: RunningEstate) -> None:
    await lab.change(SOUND)
    await lab.expressway_c.stop()
    try:
        result = await log_in_to(lab, EMUSK)
    finally:
        await lab.expressway_c.start()
    assert (result.steps[0].status, result.steps[0].phrase) == (502, "Next Hop Connection Failed")
    assert "heck that Expressway-C runs" in result.hint


@pytest.mark.parametrize(
    ("name", "days", "hint"),
    [
        pytest.param("127.0.0.1", 9, "say that name with --edge-name", id="by address"),
        pytest.param("e.lab", 9, "say that name with --edge-name", id="by another name"),
        pytest.param("vcse.steven.lab", -1, "renew Expressway-E's", id="it has run out"),
    ],
)
async def test_an_expressway_e_that_clients_refuse(
    ca: Credential, tmp_path: Path, name: str, days: int, hint: str
) -> None:
    end = datetime.now(UTC) + timedelta(days=days)
    async with edge_answering(ca, tmp_path, {}, name=name, not_after=end) as edge:
        result = await log_in_at_edge(EMUSK, edge)
    assert result.steps[0].fault.startswith("the client refuses Expressway-E: ")
    assert hint in result.steps[0].hint


async def test_an_expressway_e_of_an_unknown_authority(ca: Credential, tmp_path: Path) -> None:
    async with edge_answering(ca, tmp_path, {}) as edge:
        result = await log_in_at_edge(EMUSK, replace(edge, tls=client_tls(None)))
    assert "trust the CA of Expressway-E (--ca)" in result.steps[0].hint


async def test_an_expressway_e_that_speaks_no_tls() -> None:
    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.0 400 Bad Request\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        edge = Edge(endpoint=Endpoint("127.0.0.1", port), name="vcse", tls=client_tls(None))
        result = await log_in_at_edge(EMUSK, edge)
    assert "look at the port" in result.steps[0].hint


async def test_without_expressway_e() -> None:
    edge = Edge(endpoint=Endpoint("127.0.0.1", 1), name="vcse", tls=client_tls(None))
    with pytest.raises(LabError, match=r"no Expressway-E at 127\.0\.0\.1:1: Connection refused"):
        await log_in_at_edge(EMUSK, edge)


async def test_a_domain_that_is_none() -> None:
    edge = Edge(endpoint=Endpoint("127.0.0.1", 1), name="vcse", tls=client_tls(None))
    with pytest.raises(RouteError, match="domain"):
        await log_in_at_edge(replace(EMUSK, domain="a b"), edge)


async def test_authorities_that_are_none() -> None:
    for text in (b"", b"no certificate", b"\xff"):
        with pytest.raises(LabError, match="no CA certificate"):
            client_tls(text)


async def test_an_estate_without_its_front() -> None:
    lab: Any = RunningEstate(SOUND)
    lab.expressway_e = None
    with pytest.raises(LabError, match="without Expressway-E"):
        edge_of(lab)
