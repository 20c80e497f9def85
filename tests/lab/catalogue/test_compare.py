"""What counts as a difference: every single thing that is stated, and whatever is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mralab.lab.catalogue.compare import address_of, differences
from mralab.lab.catalogue.edit import SOUND, UNITY
from mralab.lab.catalogue.expect import VOICEMAIL, no_voicemail, untrusted
from mralab.lab.catalogue.model import GREEN, Expected, Presented
from mralab.lab.loginresult import LoginResult, LoginStep, Met, Outcome, Purpose, Verdict
from mralab.truststore.verdict import CertificateFacts, Reason

PREFIX = "2026-01-01T00:00:00.000+00:00 vcsc traffic_server[1]: "
STAMP = 'UTCTime="2026-01-01 00:00:00,000" Module="network.http.trafficserver" Level="INFO": '
SENT = (
    f'{PREFIX}{STAMP}Detail="Send Request" Txn-id="1" TrackingID="t" Dst-ip="10.48.36.218" '
    'Dst-port="443" Msg="GET /vmrest/users HTTP/1.1"'
)
ANSWERED = (
    f'{PREFIX}{STAMP}Detail="Send Response" Txn-id="1" TrackingID="t" Dst-ip="127.0.0.1" '
    'Dst-port="1024" Msg="HTTP/1.1 502 connect failed"'
)
WARNING = (
    f"{PREFIX}[ET_NET 0] WARNING: Core server certificate verification failed for ({UNITY}). "
    f"Action=Terminate Error=self signed certificate server={UNITY}(10.48.36.218) depth=0"
)
ERROR = (
    f"{PREFIX}[ET_NET 0] ERROR: SSL connection failed for '{UNITY}': error:1416F086:SSL routines:"
    "tls_process_server_certificate:certificate verify failed"
)
LOG = (SENT, WARNING, ERROR, SENT, WARNING, ERROR, ANSWERED)
LEAF = CertificateFacts(
    subject=f"CN={UNITY}",
    issuer=f"CN={UNITY}",
    serial="1",
    not_before=None,  # type: ignore[arg-type]  # nobody looks at it here
    not_after=None,  # type: ignore[arg-type]  # nor at this
    sans=(),
    key="RSA 2048",
    signature="sha256WithRSAEncryption",
    sha256="",
    self_issued=True,
)
MET = Met(
    node=UNITY,
    service="rest",
    certificate="tomcat",
    chain=(LEAF,),
    tls_version="TLSv1.2",
    reason=Reason.CHAIN_REFUSED,
    log=LOG,
)
RED = LoginStep(
    title=VOICEMAIL[0],
    purpose=Purpose.VOICEMAIL,
    segment="x",
    url=f"https://{UNITY}:443/vmrest/users",
    status=502,
    phrase="connect failed",
    fault="answered 502 connect failed",
    met=MET,
)
FINE = LoginStep(title="the user", purpose=Purpose.LOGIN, segment="x", status=200, met=Met())
STATED = no_voicemail(untrusted("self signed certificate", depth=0))


def compare(*steps: LoginStep, expected: Expected = STATED, discovery: Any = ()) -> list[str]:
    return list(differences(expected, LoginResult(steps), discovery, SOUND))


def both(**changes: Any) -> tuple[LoginStep, LoginStep]:
    step = replace(RED, **changes)
    return step, replace(step, title=VOICEMAIL[1])


def met(**changes: Any) -> tuple[LoginStep, LoginStep]:
    return both(met=replace(MET, **changes))


def test_what_goes_as_stated_has_no_difference() -> None:
    assert compare(FINE, *both()) == []
    assert compare(FINE, expected=GREEN) == []


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        (both(fault="", status=200, phrase=""), "it is green"),
        (both(status=503), "the client got 503 connect failed, not 502 connect failed"),
        (both(phrase="Bad Gateway"), "the client got 502 Bad Gateway"),
        (met(reason=Reason.NAME_REFUSED), "ended with name-refused, not with chain-refused"),
        (both(met=None), "ended with None, not with chain-refused"),
        (met(reason=Reason.ORIGIN_ALERT), "ended with origin-alert"),
        (met(certificate="tomcat-ECDSA"), "presented tomcat-ECDSA, not tomcat"),
        (met(certificate=""), "presented nothing, not tomcat"),
        (met(log=(SENT, SENT, ANSWERED)), "line 1 of the TLS layer is 'no line'"),
        (met(log=(SENT, WARNING, ERROR, ANSWERED)), "line 3 of the TLS layer is 'no line'"),
        (met(log=(*LOG[:-1], WARNING, ANSWERED)), "line 5 of the TLS layer is 'WARNING: Core"),
        (met(log=(WARNING.replace("depth=0", "depth=1"), *LOG[2:])), "line 1 of the TLS layer"),
        (met(log=(SENT, *LOG)), "3 attempts are in the log, not 2"),
        (met(log=LOG[:-1]), "the log says none"),
        (met(log=(*LOG, ANSWERED)), "the log says"),
        ((RED,), "the inbox: there is no such step"),
        ((*both(), replace(FINE, fault="odd")), "the user: it is red: odd"),
        ((*both(), replace(FINE, met=Met(log=(ERROR,)))), "the user: its transaction left the"),
        (
            (*both(), replace(FINE, asks=(replace(FINE, met=Met(log=(WARNING,))),))),
            "the user: its transaction left the line 'WARNING",
        ),
        ((*both(), replace(FINE, title="new", segment="", fault="not asked")), "new: it is red"),
    ],
    ids=[
        "green",
        "another status",
        "another phrase",
        "another reason",
        "nothing seen",
        "the node's alert",
        "another certificate",
        "no certificate",
        "no lines",
        "one attempt's lines",
        "a line too many",
        "another depth",
        "an attempt too many",
        "no answer in the log",
        "two answers in the log",
        "a step missing",
        "another step red",
        "a line at a green step",
        "a line at a question of Expressway-C's",
        "another step not asked",
    ],
)
def test_each_thing_that_is_otherwise_is_told(steps: tuple[LoginStep, ...], said: str) -> None:
    found = compare(*steps)
    assert any(said in fault for fault in found), found


def test_another_verdict_is_told() -> None:
    group = replace(STATED.refused[0], verdict=Verdict.ACCEPTED)
    found = compare(*both(), expected=replace(STATED, refused=(group,)))
    assert found[0] == f"{VOICEMAIL[0]}: the verdict is refused, not accepted"


def test_another_outcome_is_told() -> None:
    expected = replace(STATED, outcome=Outcome.PHOTO_MISSING)
    assert "the user sees: no voicemail, not:" in compare(*both(), expected=expected)[0]


def test_a_discovery_that_fails_is_told_and_one_that_should_and_does_not() -> None:
    failed = ("cuc.steven.lab: Failed: odd",)
    assert "discovery fails for 'cuc" in compare(*both(), discovery=failed)[0]
    expected = replace(STATED, discovery=failed)
    assert "discovery fails for none" in compare(*both(), expected=expected)[0]
    assert compare(*both(), expected=expected, discovery=failed) == []


def test_a_step_that_was_asked_though_it_should_not_is_told() -> None:
    expected = replace(STATED, not_asked=("the user",))
    assert compare(FINE, *both(), expected=expected) == ["the user: it was asked: 200"]
    left_out = replace(FINE, segment="", status=0, fault="not asked")
    expected = replace(expected, outcome=Outcome.LOGIN_FAILS)
    assert compare(left_out, *both(), expected=expected) == []


def test_a_question_of_expressway_c_that_was_not_in_vain_is_told() -> None:
    group = replace(STATED.refused[0], asked="the user's home cluster")
    expected = replace(STATED, refused=(group,))
    ask = replace(RED, title="the user's home cluster")
    assert compare(*both(asks=(ask,)), expected=expected) == []
    for asks in ((), (replace(ask, fault=""),), (replace(ask, title="another"),)):
        assert "did not ask for the user's home cluster in vain" in " ".join(
            compare(*both(asks=asks), expected=expected)
        )


def test_a_step_that_the_traffic_server_had_no_part_in_needs_no_transaction() -> None:
    group = replace(STATED.refused[0], reason=None, certificate="", log=())
    expected = replace(STATED, refused=(group,))
    assert compare(*both(met=None), expected=expected) == []
    assert "ended with chain-refused, not with None" in compare(*both(), expected=expected)[0]


def test_what_is_wrong_with_a_good_answer_is_compared_if_it_is_stated() -> None:
    expected = replace(STATED, refused=(replace(STATED.refused[0], fault="another user's"),))
    assert compare(*both(fault="another user's"), expected=expected) == []
    assert "not since" in compare(*both(), expected=expected)[0]


def test_before_a_certificate_is_met_what_was_met_earlier_does_not_count() -> None:
    group = replace(STATED.refused[0], reason=Reason.TLS_ERROR, certificate="", log=())
    expected = replace(STATED, refused=(replace(group, verdict=Verdict.NONE),))
    steps = met(reason=Reason.TLS_ERROR, log=(SENT, SENT, ANSWERED))
    assert compare(*steps, expected=expected) == []


@pytest.mark.parametrize(
    ("presented", "said"),
    [
        (Presented(step="the user", certificate="tomcat"), "certificate is nothing, not tomcat"),
        (Presented(step=VOICEMAIL[0], certificate="x"), "certificate is tomcat, not x"),
        (Presented(step=VOICEMAIL[0], key="RSA 1024"), "key is RSA 2048, not RSA 1024"),
        (Presented(step=VOICEMAIL[0], signature="md5"), "signature is sha256WithRSAEncryption"),
        (Presented(step=VOICEMAIL[0], tls="TLSv1.3"), "tls is TLSv1.2, not TLSv1.3"),
        (Presented(step=VOICEMAIL[0], verdict=Verdict.ACCEPTED), "is refused, not accepted"),
        (Presented(step="no such"), "no such: there is no such step"),
    ],
    ids=["none", "certificate", "key", "signature", "tls", "verdict", "no step"],
)
def test_what_is_presented_otherwise_is_told(presented: Presented, said: str) -> None:
    found = compare(FINE, *both(), expected=replace(STATED, presented=(presented,)))
    assert any(said in fault for fault in found), found


def test_what_nobody_has_seen_is_told() -> None:
    expected = replace(GREEN, presented=(Presented(step="the user", key="RSA 2048"),))
    found = compare(replace(FINE, met=None), expected=expected)
    assert found == ["the user: nobody has seen what was presented"]


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("cucm.steven.lab", "10.48.36.215"),
        ("CUCM", "10.48.36.215"),
        ("10.1.2.3", "10.1.2.3"),
        ("elsewhere.lab", "?"),
    ],
    ids=["name", "short name", "address", "stranger"],
)
def test_the_address_in_a_line_is_the_estates(host: str, address: str) -> None:
    assert address_of(host, SOUND) == address
