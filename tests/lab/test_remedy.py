"""Which fix mends most, and how far a fix reaches."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mralab.lab.remedy import Cause, Refusal, cause_of, choose, simple_cause
from mralab.truststore.verdict import CertificateFacts, Reason

NOW = datetime.now(UTC)


def leaf(subject: str, *, issuer: str = "", key: str = "RSA 2048") -> CertificateFacts:
    return CertificateFacts(
        subject=subject,
        issuer=issuer or subject,
        serial="01",
        not_before=NOW,
        not_after=NOW + timedelta(days=1),
        sans=(),
        key=key,
        signature="sha256WithRSAEncryption",
        sha256=subject,
        self_issued=not issuer,
    )


def refused(code: int, host: str, facts: CertificateFacts, port: int = 6972) -> Cause:
    return cause_of(
        Refusal(
            reason=Reason.CHAIN_REFUSED,
            code=code,
            host=host,
            port=port,
            subject=facts.subject,
            chain=(facts,),
        )
    )


PUB = refused(18, "cucm", leaf("CN=cucm-EC", key="EC secp384r1"))
SUB = refused(18, "sub", leaf("CN=sub-EC", key="EC secp384r1"))
RSA = refused(18, "cucm", leaf("CN=cucm-ms"))


def what(*causes: Cause) -> tuple[str, int, int]:
    choice = choose(causes)
    assert choice is not None
    return choice.remedy.fix.what, choice.mends, choice.red


def test_nothing_red_needs_no_fix() -> None:
    assert choose(()) is None


@pytest.mark.parametrize(
    ("causes", "fix", "mends"),
    [
        pytest.param((PUB, PUB), "append that certificate", 2, id="one certificate, met twice"),
        pytest.param((PUB, SUB), "if only the ECDSA", 2, id="two ECDSA ones: the cipher list"),
        pytest.param((RSA, SUB), "append that certificate", 1, id="RSA is not mended by ciphers"),
        pytest.param(
            (
                refused(20, "imp", leaf("CN=imp", issuer="CN=Old-CA"), 8443),
                refused(20, "cuc", leaf("CN=cuc", issuer="CN=Old-CA"), 443),
                refused(20, "x", leaf("CN=x", issuer="CN=Other-CA"), 443),
            ),
            "append the CA chain",
            2,
            id="two nodes below one missing authority",
        ),
        pytest.param(
            (
                refused(10, "imp", leaf("CN=imp", issuer="CN=CA")),
                refused(10, "imp", leaf("CN=imp", issuer="CN=CA"), 8443),
            ),
            "renew the certificate",
            2,
            id="one expired certificate on two ports",
        ),
        pytest.param(
            (simple_cause("", "start it", "a:1"), simple_cause("", "wait", "b:1")),
            "start it",
            1,
            id="among equals the first step's",
        ),
    ],
)
def test_the_fix_that_mends_most(causes: tuple[Cause, ...], fix: str, mends: int) -> None:
    found, count, red = what(*causes)
    assert found.startswith(fix)
    assert (count, red) == (mends, len(causes))


def test_the_workaround_mends_all_and_is_never_chosen() -> None:
    causes = (RSA, refused(10, "cuc", leaf("CN=cuc", issuer="CN=CA"), 443))
    shared = {remedy.key for remedy in causes[0].remedies} & {r.key for r in causes[1].remedies}
    assert len(shared) == 1
    assert all(remedy.workaround for remedy in causes[0].remedies if remedy.key in shared)
    assert what(*causes)[1] == 1


@pytest.mark.parametrize(
    "refusal",
    [
        pytest.param({"tls_version": "TLSv1.3"}, id="TLS 1.3 does not choose by ciphers"),
        pytest.param({"rsa_passes": False}, id="the RSA certificate would be refused too"),
        pytest.param({"chain": (leaf("CN=x"),)}, id="it is RSA"),
    ],
)
def test_another_cipher_order_is_not_advised(refusal: dict[str, object]) -> None:
    base = Refusal(
        reason=Reason.CHAIN_REFUSED,
        code=18,
        host="cucm",
        port=6972,
        chain=(leaf("CN=x", key="EC secp384r1"),),
        tls_version="TLSv1.2",
        rsa_passes=True,
    )
    changed = replace(base, **refusal)  # type: ignore[arg-type]  # any field
    commands = [[r.fix.command for r in cause_of(each).remedies] for each in (base, changed)]
    assert "mralab serve --upgrade-path from-14.0" in commands[0]
    assert "mralab serve --upgrade-path from-14.0" not in commands[1]


def test_names_and_hosts() -> None:
    by_ip = Refusal(
        reason=Reason.NAME_REFUSED, host="10.0.0.1", port=8443, chain=(leaf("CN=tomcat"),)
    )
    other_port = replace(by_ip, port=6972, chain=(leaf("CN=CallManager"),))
    found, mends, _ = what(cause_of(by_ip), cause_of(other_port))
    assert found.startswith("change CUCM's System > Server")
    assert mends == 2


def test_the_text_says_how_far_it_goes() -> None:
    one, most, all_ = choose((PUB,)), choose((PUB, PUB, RSA)), choose((PUB, PUB))
    assert one is not None
    assert most is not None
    assert all_ is not None
    assert "mends" not in one.text
    assert most.text.endswith("(this mends 2 of 3 red steps)")
    assert all_.text.endswith("(this mends all 2 red steps)")
    assert all_.text.startswith("cucm:6972: the certificate 'CN=cucm-EC' is self-signed")
    assert all_.remedy.sentence.endswith(": mralab trust append CERTIFICATE.pem")


def test_of_an_estate_the_file_is_changed() -> None:
    """The commands are for a proxy that `mralab serve` runs; keys are the same either way."""
    outside = Refusal(reason=Reason.CHAIN_REFUSED, code=18, host="a", port=1)
    remedies = cause_of(replace(outside, in_estate=True)).remedies
    assert [remedy.key for remedy in remedies] == [r.key for r in cause_of(outside).remedies]
    assert [remedy.fix.command for remedy in remedies] == ["", "", "", ""]
    trust, ciphers, _, off = (remedy.fix.what for remedy in remedies)
    assert trust.endswith("; in the estate file: trusted_ca under [expressway_c]")
    assert 'ciphers = "ECDHE-RSA-AES256-GCM-SHA384:EECDH' in ciphers
    assert "; xConfiguration EdgeConfigServer VerifyOriginServer: Off; in the estate file" in off
    assert [remedy.workaround for remedy in remedies] == [False, False, False, True]


def test_causes_with_other_fixes_are_other_causes() -> None:
    base = Refusal(reason=Reason.CHAIN_REFUSED, code=18, host="a", port=1)
    keys = {cause_of(item).key for item in (base, replace(base, tls_version="TLSv1.3"))}
    assert len(keys) == 2
    assert cause_of(base).key == cause_of(replace(base, detail="x")).key
