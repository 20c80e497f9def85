"""What steps come to, and which hint is given."""

from __future__ import annotations

import pytest

from mralab.lab.loginresult import LoginResult, LoginStep, Outcome, Purpose

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


def test_a_known_cause_is_not_called_likely() -> None:
    known = step(502, lab_reason="connect-refused; x refused")
    assert "likely" not in LoginResult((known,)).hint
