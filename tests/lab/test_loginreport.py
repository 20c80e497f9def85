"""How steps and logins are shown, and that the JSON is as its schema says."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mralab.lab.estatelogin import ManyLogins, UserLogin
from mralab.lab.loginreport import (
    EDGE_TITLE_WIDTH,
    choice_json,
    login_json,
    many_lines,
    met_text,
    step_lines,
)
from mralab.lab.loginresult import LoginResult, LoginStep, Met, Purpose
from mralab.truststore.certificate import certificate_facts
from mralab.truststore.verdict import Reason

from .jsonshape import faults

if TYPE_CHECKING:
    from mralab.lab.pki import Credential

GREEN = LoginStep(
    title="the user",
    purpose=Purpose.LOGIN,
    segment="abc",
    url="https://cucm:8443/cucm-uds/user/emusk",
    path="/cucm-uds/user/emusk",
    status=200,
    seconds=0.25,
)
RED = replace(GREEN, status=502, phrase="connect failed", fault="answered 502 connect failed")
MET = Met(node="cucm", service="uds", certificate="tomcat", reason=Reason.OK)


def lines(step: LoginStep, *, width: int = EDGE_TITLE_WIDTH) -> list[str]:
    return [line.rstrip() for line in step_lines(3, step, width=width)]


def test_a_green_step() -> None:
    assert lines(replace(GREEN, met=MET)) == [
        f"3   ok  {'the user':<50}200                   0.250 s",
        "       https://cucm:8443/cucm-uds/user/emusk",
        "       /abc/cucm-uds/user/emusk",
        "       cucm, uds: tomcat, accepted",
    ]


def test_long_words_do_not_touch() -> None:
    title = f"the user, from {'n' * 60}.example.net"
    step = replace(RED, title=title, status=503, phrase="Service Unavailable, for once")
    assert f"{title}  503 Service Unavailable, for once  0.250 s" in lines(step)[0]
    assert f"{title}  not asked" in lines(replace(step, segment="", fault="not asked"))[0]
    exact = "x" * EDGE_TITLE_WIDTH
    assert f"{exact}  502 " in lines(replace(RED, title=exact))[0]


@pytest.mark.parametrize(
    ("step", "said"),
    [
        pytest.param(replace(GREEN, segment="", fault="not asked"), ["not asked"], id="not asked"),
        pytest.param(
            replace(GREEN, method="POST"), ["       POST https://cucm:8443/"], id="a method"
        ),
        pytest.param(replace(RED, lab_reason="x; y"), ["       x; y"], id="the proxy's reason"),
        pytest.param(replace(RED, status=0, fault="cut"), ["no answer", "  cut"], id="no answer"),
        pytest.param(
            replace(RED, asks=(replace(RED, title="a", met=MET), replace(GREEN, status=0))),
            [
                "       red Expressway-C asks: a, https://cucm:8443/cucm-uds/user/emusk: 502",
                "           cucm, uds: tomcat, accepted",
                ": no answer",
            ],
            id="what Expressway-C asked",
        ),
        pytest.param(replace(GREEN, met=Met()), ["/abc/cucm-uds/user/emusk"], id="no node"),
    ],
)
def test_other_steps(step: LoginStep, said: list[str]) -> None:
    shown = "\n".join(lines(step))
    for words in said:
        assert words in shown


@pytest.mark.parametrize(
    ("met", "text"),
    [
        pytest.param(replace(MET, certificate=""), "cucm, uds: no certificate", id="plain HTTP"),
        pytest.param(
            replace(MET, certificate="", detail="refused"), "cucm, uds: refused", id="no TLS"
        ),
        pytest.param(replace(MET, verified=False), "tomcat, not verified", id="not verified"),
        pytest.param(
            replace(MET, reason=Reason.CHAIN_REFUSED, detail="expired", alert=48),
            "tomcat, refused: expired; the node got alert 48",
            id="refused",
        ),
        pytest.param(
            replace(MET, reason=Reason.ORIGIN_ALERT),
            "tomcat, the node refused Expressway-C's certificate",
            id="by the node",
        ),
    ],
)
def test_what_was_met(met: Met, text: str) -> None:
    assert text in met_text(met)


def test_the_leaf_is_named(tomcat: Credential) -> None:
    met = replace(MET, chain=(certificate_facts(tomcat.der),))
    assert met_text(met) == "cucm, uds: tomcat (CN=cucm-ms.steven.lab, RSA 2048), accepted"


def test_json_is_as_the_schema_says(tomcat: Credential) -> None:
    refused = replace(
        MET,
        reason=Reason.CHAIN_REFUSED,
        chain=(certificate_facts(tomcat.der),),
        alert=48,
        log=("a line",),
    )
    steps = (
        replace(GREEN, asks=(replace(RED, met=refused),)),
        replace(RED, met=refused),
        LoginStep(title="x", purpose=Purpose.PHOTO, fault="not asked", because=1),
    )
    told = login_json(LoginResult(steps), {"user": "emusk", "domain": "steven.lab"})
    assert faults(told, "login.schema.json") == []
    assert told["outcome"] == "login-fails"
    assert told["losses"] == ["login-fails", "photo-missing"]
    steps_told = told["steps"]
    assert isinstance(steps_told, list)
    assert [step["because"] for step in steps_told] == [None, None, 2]
    assert [step["status"] for step in steps_told] == [200, 502, None]


def test_without_a_red_step_there_is_no_fix() -> None:
    assert choice_json(LoginResult((GREEN,)).choice) is None
    told = login_json(LoginResult((GREEN,)), {"user": "emusk", "domain": "steven.lab"})
    assert faults(told, "login.schema.json") == []


def test_memory_is_not_told_where_nobody_tells_it() -> None:
    login = UserLogin(user="emusk", result=LoginResult((GREEN,)), seconds=1.0)
    many = ManyLogins(
        alone=login, alone_peak_bytes=None, logins=(login,), seconds=1.0, peak_bytes=None
    )
    assert not any("memory" in line for line in many_lines(many))
    told = replace(many, alone_peak_bytes=2**20, peak_bytes=3 * 2**20)
    assert "most memory of the whole lab: 3 MiB; with one login: 1 MiB" in list(many_lines(told))
