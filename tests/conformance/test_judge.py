"""Chains made here, judged as the public ones are: verdicts, and what makes a run worthless."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from tests.conformance.cases import Case
from tests.conformance.judge import BrokenRunError, Handshake, judge, judge_chain_only
from tests.conformance.level_1 import level_1_cases
from tests.conformance.runs import judge_case
from tests.conformance.server import choose_suite, empty_key_exchange, first_flight
from tests.conformance.verdict import ACCEPTED, Outcome, Verdict, refused
from tests.truststore.certs import (
    CA,
    DAY,
    NOW,
    Made,
    authority,
    extension,
    make,
    oid,
    raw_san,
    rsa_key,
    san,
    seq,
    tlv,
)
from tests.truststore.handshake import context_for, store_of

from mralab.config.releases import ErrorWording
from mralab.lab.tlswire import client_hello, last_alert
from mralab.origin.failure import OriginFailure
from mralab.truststore.openssl import MAX_INTERMEDIATES
from mralab.truststore.verdict import Reason

if TYPE_CHECKING:
    from datetime import datetime

OLD, NEW = ErrorWording.OPENSSL_1_1_1, ErrorWording.OPENSSL_3
ROOT = authority("Root")
ISSUING = authority("Issuing", ROOT)
LEAF = make("leaf", ISSUING, extensions=(san("cucm.steven.lab"),))
SELF_SIGNED = make("self-signed", extensions=(san("cucm.steven.lab"),))
RSA_ROOT = authority("RSA Root", key=rsa_key(2048))
LOCAL_ISSUER = "unable to get local issuer certificate"


def case_of(*presented: Made, listed: Made = ROOT, at: datetime = NOW) -> Case:
    return Case("made here", listed.pem, tuple(made.der for made in presented), at)


async def verdict(case: Case, wording: ErrorWording = NEW) -> Verdict:
    return await judge_case(case, security_level=1, wording=wording)


def x25519_leaf() -> Made:
    key = seq(seq(oid("1.3.101.110")), tlv(3, b"\0" + bytes(range(32))))
    return make("X25519", ROOT, public_key=key)


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        pytest.param(case_of(LEAF, ISSUING), ACCEPTED, id="good"),
        pytest.param(case_of(SELF_SIGNED, listed=SELF_SIGNED), ACCEPTED, id="listed itself"),
        pytest.param(case_of(LEAF), refused(20, 0, LOCAL_ISSUER), id="issuer missing"),
        pytest.param(
            case_of(SELF_SIGNED), refused(18, 0, "self-signed certificate"), id="self-signed"
        ),
        pytest.param(
            case_of(LEAF, ISSUING, at=NOW + 365 * DAY),
            refused(10, 2, "certificate has expired"),
            id="judged a year from now",
        ),
        pytest.param(
            case_of(LEAF, ISSUING, at=NOW - timedelta(days=2)),
            refused(9, 2, "certificate is not yet valid"),
            id="judged two days ago",
        ),
        pytest.param(
            case_of(x25519_leaf()),
            Verdict(Outcome.TLS_ERROR, text="unknown certificate type"),
            id="a key that cannot sign",
        ),
    ],
)
async def test_verdicts(case: Case, expected: Verdict) -> None:
    assert await verdict(case) == expected


async def test_the_wording_is_the_release_s() -> None:
    assert await verdict(case_of(SELF_SIGNED), OLD) == refused(18, 0, "self signed certificate")


async def test_constraints_are_judged_although_the_name_does_not_match() -> None:
    constraints = extension("2.5.29.30", seq(tlv(0xA1, seq(tlv(0x82, b"steven.lab")))))
    constrained = authority("Constrained", ROOT, extensions=(*CA, constraints))
    leaf = make("leaf", constrained, extensions=(san("cucm.steven.lab"),))
    assert await verdict(case_of(leaf, constrained)) == refused(48, 0, "excluded subtree violation")


@pytest.mark.parametrize(
    ("leaf", "listed", "expected"),
    [
        pytest.param(
            make("leaf", ISSUING, extensions=(san("a.lab"), raw_san(tlv(0x82, b"b.lab")))),
            ROOT,
            refused(20, 0, LOCAL_ISSUER),
            id="a leaf with an extension twice",
        ),
        pytest.param(
            make("leaf", RSA_ROOT, signature=b"x" * 256),
            RSA_ROOT,
            refused(7, 0, "certificate signature failure"),
            id="an RSA signature that does not decode",
        ),
    ],
)
async def test_what_openssl_met_on_the_way_does_not_hide_the_verdict(
    leaf: Made, listed: Made, expected: Verdict
) -> None:
    # Each leaves an error of its own in OpenSSL's queue, before the one that ends the handshake.
    assert await verdict(case_of(leaf, listed=listed)) == expected


async def test_a_chain_longer_than_the_product_s_limit_is_judged() -> None:
    above = [ROOT]
    for level in range(MAX_INTERMEDIATES + 1):
        above.append(authority(f"level {level}", above[-1]))
    leaf = make("leaf", above[-1])
    assert await verdict(case_of(leaf, *above[1:])) == ACCEPTED


@pytest.mark.parametrize(
    ("case", "expected"),
    [pytest.param(case, expected, id=case.id) for case, expected in level_1_cases()],
)
async def test_level_1_as_openssl_1_1_1_means_it(case: Case, expected: Verdict) -> None:
    assert await verdict(case, OLD) == expected


# -------------------------------------------------------------------------- a run that is worthless


async def test_a_list_that_cannot_be_read_is_no_verdict() -> None:
    garbage = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    found = await verdict(Case("garbage", garbage, (LEAF.der,), NOW))
    assert found.outcome is Outcome.NOT_JUDGED


async def test_a_client_that_does_not_verify_is_found_out() -> None:
    context = context_for(store_of(ROOT), verify=False)
    with pytest.raises(BrokenRunError, match="accepted with"):
        await judge(context, (LEAF.der,))


async def test_a_client_without_a_fitting_suite_is_no_verdict() -> None:
    context = context_for(store_of(ROOT), action=judge_chain_only, ciphers="aRSA")
    found = await judge(context, (LEAF.der, ISSUING.der))
    assert found == Verdict(
        Outcome.TLS_ERROR, text="no suite for a certificate with a key of kind EC"
    )


async def test_only_a_client_that_took_the_certificate_reads_a_key_exchange() -> None:
    context = context_for(store_of(ROOT), action=judge_chain_only)
    alerts: list[int] = []
    for with_certificate in (True, False):
        handshake = Handshake(context)
        hello = client_hello(handshake.received())
        assert hello is not None
        flight = first_flight(choose_suite(hello.suites, LEAF.der), (LEAF.der, ISSUING.der))
        if not with_certificate:
            size = 4 + int.from_bytes(flight[6:9])
            flight = flight[:3] + size.to_bytes(2) + flight[5 : 5 + size]
        handshake.deliver(flight)
        assert handshake.failure is None
        assert handshake.received() == b""
        handshake.deliver(empty_key_exchange())
        assert isinstance(handshake.failure, OriginFailure)
        assert handshake.failure.reason is Reason.TLS_ERROR
        alert = last_alert(handshake.received())
        assert alert is not None
        alerts.append(alert.description)
        handshake.end()
    assert alerts == [50, 10]
