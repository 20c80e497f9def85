"""What steps come to, and which hint is given."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mralab.lab.loginresult import (
    LoginResult,
    LoginStep,
    Met,
    Outcome,
    Purpose,
    Verdict,
    causes_of,
    refusals_in,
)
from mralab.truststore.verdict import Reason

UDS_URL = "https://cucm.steven.lab:8443/cucm-uds/servers"
TFTP_URL = "https://cucm.steven.lab:6972/CSFemusk.cnf.xml"
BY_ADDRESS = "https://[2001:db8::7]:8443/cucm-uds/servers"


def step(
    status: int = 200,
    phrase: str = "",
    *,
    purpose: Purpose = Purpose.LOGIN,
    url: str = UDS_URL,
    fault: str = "red",
    hint: str = "",
    lab_reason: str = "",
) -> LoginStep:
    return LoginStep(
        title="a step",
        purpose=purpose,
        segment="x",
        url=url,
        status=status,
        phrase=phrase,
        fault=fault,
        hint=hint,
        lab_reason=lab_reason,
    )


GREEN = step(fault="")
RED_PHONE = step(502, "connect failed", purpose=Purpose.PHONE, url=TFTP_URL)


@pytest.mark.parametrize(
    ("steps", "outcome"),
    [
        pytest.param((GREEN, GREEN), Outcome.FINE, id="all green"),
        pytest.param((GREEN, RED_PHONE), Outcome.NO_PHONE_SERVICE, id="TFTP is red"),
        pytest.param((step(502), RED_PHONE), Outcome.LOGIN_FAILS, id="UDS is red"),
    ],
)
def test_outcome(steps: tuple[LoginStep, ...], outcome: Outcome) -> None:
    result = LoginResult(steps)
    assert result.outcome is outcome
    assert outcome.text
    assert result.first_red is next((item for item in steps if item.fault), None)
    assert bool(result.hint) is (outcome is not Outcome.FINE)


@pytest.mark.parametrize(
    ("red", "said"),
    [
        pytest.param(step(hint="do this"), ["do this"], id="the fault itself tells"),
        pytest.param(
            step(502, lab_reason="chain-refused; cucm:6972 (10.0.0.1): self signed certificate"),
            ["cucm:6972 (10.0.0.1): self signed certificate. Append", "mralab trust append"],
            id="the proxy says: self-signed",
        ),
        pytest.param(
            step(502, lab_reason="chain-refused; x (y): certificate has expired"),
            ["Renew the certificate"],
            id="the proxy says: expired",
        ),
        pytest.param(
            step(502, url=BY_ADDRESS, lab_reason="name-refused; x: y not in certificate"),
            ["Add 2001:db8::7 to the certificate's SAN"],
            id="the proxy says: name",
        ),
        pytest.param(
            step(502, lab_reason="response-cut; x"), ["x. See Expressway-C"], id="nothing to mend"
        ),
        pytest.param(
            step(502, "connect failed", lab_reason="what?"),
            ["most likely the node's CA", "`mralab verify cucm.steven.lab:8443`"],
            id="a reason that none of ours is",
        ),
        pytest.param(
            step(502, "connect failed"),
            ["most likely the node's CA", "Append the CA chain"],
            id="UDS by name",
        ),
        pytest.param(
            RED_PHONE,
            ["most likely", "self-signed ECDSA", "verify cucm.steven.lab:6972", "trust append"],
            id="TFTP by name",
        ),
        pytest.param(
            step(502, url=BY_ADDRESS),
            ["most likely the node is addressed as 2001:db8::7", "SAN"],
            id="by address",
        ),
        pytest.param(step(500, "Cannot find server."), ["no address", "--hosts"], id="no address"),
        pytest.param(step(504), ["cucm.steven.lab took the request"], id="slow"),
        pytest.param(step(503), ["503 is an error"], id="another server error"),
        pytest.param(step(400), ["route"], id="400"),
        pytest.param(step(401), ["password"], id="401"),
        pytest.param(step(403), ["allow list"], id="403"),
        pytest.param(step(404), ["soft phone"], id="404"),
        pytest.param(step(429), ["wait"], id="429"),
        pytest.param(step(302), ["the node's own"], id="another status"),
        pytest.param(step(0), ["not HTTP"], id="no answer"),
    ],
)
def test_hint_is_about_the_first_red_step(red: LoginStep, said: list[str]) -> None:
    hint = LoginResult((GREEN, red, step(401))).hint
    for words in said:
        assert words in hint


@pytest.mark.parametrize(
    "red",
    [
        pytest.param(step(502, lab_reason="chain-refused; x: self signed certificate"), id="told"),
        pytest.param(RED_PHONE, id="guessed"),
        pytest.param(
            replace(
                RED_PHONE, met=Met(node="x", reason=Reason.CHAIN_REFUSED, code=18, certificate="y")
            ),
            id="seen",
        ),
    ],
)
def test_of_an_estate_no_command_for_a_proxy_is_advised(red: LoginStep) -> None:
    assert "mralab " in LoginResult((red,)).hint
    hint = LoginResult((replace(red, in_estate=True),)).hint
    assert "trusted_ca under [expressway_c]" in hint
    assert "mralab " not in hint


def test_a_known_cause_is_not_called_likely() -> None:
    known = step(502, lab_reason="connect-refused; x refused")
    assert "likely" not in LoginResult((known,)).hint


# Several red steps.


def purposes(*red: Purpose) -> LoginResult:
    return LoginResult(tuple(step(502, purpose=purpose) for purpose in red))


@pytest.mark.parametrize(
    ("result", "outcome", "text"),
    [
        pytest.param(purposes(Purpose.IM), Outcome.NO_IM_AND_PRESENCE, "no IM and", id="IM"),
        pytest.param(
            purposes(Purpose.VOICEMAIL), Outcome.NO_VOICEMAIL, "no voicem", id="voicemail"
        ),
        pytest.param(purposes(Purpose.PHOTO), Outcome.PHOTO_MISSING, "photo", id="photo"),
        pytest.param(
            purposes(Purpose.PHOTO, Purpose.IM),
            Outcome.NO_IM_AND_PRESENCE,
            "no IM and presence; the user's photo is missing",
            id="the worst first, whatever the order",
        ),
        pytest.param(
            purposes(Purpose.LOGIN, Purpose.PHONE),
            Outcome.LOGIN_FAILS,
            "the login fails",
            id="without a login nothing else matters",
        ),
    ],
)
def test_what_the_user_loses(result: LoginResult, outcome: Outcome, text: str) -> None:
    assert result.outcome is outcome
    assert result.text.startswith(text) or text in result.text


def test_the_login_alone_is_told_if_it_fails() -> None:
    assert purposes(Purpose.LOGIN, Purpose.PHONE).text == "the login fails"
    assert purposes(Purpose.LOGIN, Purpose.PHONE).losses == (
        Outcome.LOGIN_FAILS,
        Outcome.NO_PHONE_SERVICE,
    )


def test_a_server_that_this_client_would_not_have_gone_to() -> None:
    other = replace(step(502), other_server=True)
    assert LoginResult((GREEN, other)).text == (
        "the login fails when the client is sent to cucm.steven.lab"
    )
    both = LoginResult((other, RED_PHONE))
    assert both.text.startswith("the login fails when the client is sent to cucm.steven.lab; no ph")
    assert LoginResult((other, step(502))).text == "the login fails"


@pytest.mark.parametrize(
    ("more", "text"),
    [
        pytest.param((), "has phone service", id="nothing more"),
        pytest.param((Purpose.IM,), "has phone service and IM and presence", id="one thing"),
        pytest.param(
            (Purpose.IM, Purpose.PHOTO),
            "has phone service, IM and presence and a photo",
            id="two things",
        ),
    ],
)
def test_what_the_user_has(more: tuple[Purpose, ...], text: str) -> None:
    steps = tuple(step(purpose=purpose, fault="") for purpose in more)
    assert LoginResult((GREEN, *steps)).text.endswith(f"logged in and {text}")


# Causes.

REFUSED = Met(
    node="cucm",
    service="tftp-https",
    certificate="CallManager-ECDSA",
    reason=Reason.CHAIN_REFUSED,
    code=18,
    subject="CN=cucm-EC",
)


def test_what_was_not_asked_has_the_cause_of_the_step_it_lacked() -> None:
    lacking = LoginStep(title="x", purpose=Purpose.IM, fault="not asked", because=1)
    again = replace(lacking, because=2)
    red = replace(RED_PHONE, met=REFUSED)
    causes = causes_of((GREEN, red, lacking, again))
    assert len(causes) == 3
    assert {cause.key for cause in causes} == {causes[0].key}
    assert "CN=cucm-EC" in causes[0].text


def test_what_expressway_c_met_itself_comes_first() -> None:
    ask = replace(step(502, url=BY_ADDRESS), met=replace(REFUSED, reason=Reason.NAME_REFUSED))
    config = replace(step(502, url="https://vcse:8443/get_edge_config"), asks=(GREEN, ask))
    assert "addressed as 2001:db8::7" in LoginResult((config,)).hint
    assert list(refusals_in(config)) == [ask, config]


def test_what_the_lab_saw_counts_more_than_what_was_said() -> None:
    said = step(502, lab_reason="connect-refused; x", url=TFTP_URL)
    assert "Start the service" in LoginResult((said,)).hint
    assert "self-signed" in LoginResult((replace(said, met=REFUSED),)).hint


def test_a_node_that_answered_itself_has_no_refusal() -> None:
    red = replace(step(404), met=Met(node="cucm", certificate="tomcat", reason=Reason.OK))
    assert "does not have it" in LoginResult((red,)).hint
    assert list(refusals_in(red)) == []


def test_a_reason_without_a_fix_sends_to_the_log() -> None:
    red = replace(step(502), met=replace(REFUSED, reason=Reason.NO_RESPONSE))
    assert "See Expressway-C's event log" in LoginResult((red,)).hint


def test_discovery_that_failed_is_the_cause() -> None:
    met = replace(REFUSED, reason=Reason.NOT_ALLOWED, discovery="x: Failed", discovery_hint="mend")
    assert LoginResult((replace(step(403), met=met),)).hint == "x: Failed. Mend"


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("too-many-authorisations; the next may come in 5 s", "raise the limit"),
        ("no-session; no X-Auth cookie", "Log in anew"),
        ("next-hop; down", "its tunnel"),
    ],
)
def test_what_the_expressways_say_themselves(reason: str, said: str) -> None:
    hint = LoginResult((step(502, lab_reason=reason),)).hint
    assert hint.startswith(reason.partition("; ")[2])
    assert said in hint


def test_expressway_e_without_expressway_c_and_without_a_lab_reason() -> None:
    hint = LoginResult((step(502, "Next Hop Connection Failed"),)).hint
    assert hint.startswith("502 Next Hop Connection Failed. Check that Expressway-C runs")


@pytest.mark.parametrize(
    ("met", "verdict"),
    [
        (Met(), Verdict.NONE),
        (Met(certificate="tomcat", reason=Reason.OK), Verdict.ACCEPTED),
        (Met(certificate="tomcat", reason=Reason.OK, verified=False), Verdict.NOT_VERIFIED),
        (REFUSED, Verdict.REFUSED),
        (replace(REFUSED, reason=Reason.NAME_REFUSED), Verdict.REFUSED),
        (replace(REFUSED, reason=Reason.ORIGIN_ALERT), Verdict.REFUSED_BY_NODE),
    ],
)
def test_verdicts(met: Met, verdict: Verdict) -> None:
    assert met.verdict is verdict


def test_a_place_without_a_port_has_the_one_of_https() -> None:
    assert step(url="https://cuc/x").port == 443
    assert (GREEN.port, GREEN.host, GREEN.place) == (
        8443,
        "cucm.steven.lab",
        "cucm.steven.lab:8443",
    )
