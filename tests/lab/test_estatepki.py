"""Certificates of an estate: every plan is carried out, and nothing is made twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from mralab.config.estate import (
    AuthorityPlan,
    CertificateKind,
    CertificatePlan,
    DigestChoice,
    Estate,
    KeyChoice,
    Purpose,
)
from mralab.errors import LabError
from mralab.lab.estatepki import EstateCertificates, key_labels, make_certificates, make_keys
from mralab.lab.pki import KeyCache

from . import estates

if TYPE_CHECKING:
    from mralab.lab.pki import Credential

DAY = timedelta(days=1)
KEYS = KeyCache()  # of this module: its authorities and plans share their keys
EC = KeyChoice.EC_P256
TOMCAT = CertificateKind.TOMCAT


def made(
    estate: Estate, now: datetime, before: EstateCertificates | None = None
) -> EstateCertificates:
    kept = None if before is None else before.kept()
    return make_certificates(estate, now=now, keys=KEYS, before=kept)


def with_tomcat(plan: CertificatePlan, *authorities: AuthorityPlan) -> Estate:
    """An estate whose publisher has this tomcat certificate and no other."""
    node = estates.cucm(certificates={TOMCAT: plan})
    own = AuthorityPlan(name=estates.CA, key=EC)
    return estates.estate(node, authorities=(own, *authorities))


def tomcat(now: datetime, *authorities: AuthorityPlan, **changes: Any) -> Credential:
    plan = estates.certificate(estates.CUCM, **changes)
    return made(with_tomcat(plan, *authorities), now).nodes[estates.CUCM, TOMCAT]


def test_each_certificate_says_what_its_plan_says(now: datetime) -> None:
    own = tomcat(now, cn="cucm-ms.steven.lab", ips=("10.48.36.215",), key=KeyChoice.EC_P384)
    certificate = own.certificate
    san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert own.subject == "CN=cucm-ms.steven.lab"
    assert san.get_values_for_type(x509.DNSName) == [estates.CUCM]
    assert [str(one) for one in san.get_values_for_type(x509.IPAddress)] == ["10.48.36.215"]
    assert certificate.issuer.rfc4514_string() == "CN=steven-DC-CA"
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert key.curve.name == "secp384r1"
    assert (certificate.not_valid_before_utc, certificate.not_valid_after_utc) == (
        now - DAY,
        now + 5 * 365 * DAY,
    )


@pytest.mark.parametrize(
    ("changes", "first", "last"),
    [
        pytest.param({"not_after": timedelta(days=1)}, -DAY, DAY, id="expires tomorrow"),
        pytest.param(
            {"not_after": timedelta(days=-30)}, -1855 * DAY, -30 * DAY, id="expired a month ago"
        ),
        pytest.param(
            {"not_before": timedelta(days=30)}, 30 * DAY, 1855 * DAY, id="valid in a month"
        ),
        pytest.param(
            {"not_before": timedelta(days=-9), "not_after": timedelta(days=-8)},
            -9 * DAY,
            -8 * DAY,
            id="both given",
        ),
    ],
)
def test_relative_dates_count_from_the_moment_of_making(
    now: datetime, changes: dict[str, Any], first: timedelta, last: timedelta
) -> None:
    certificate = tomcat(now, **changes).certificate
    assert certificate.not_valid_before_utc - now == first
    assert certificate.not_valid_after_utc - now == last


def test_absolute_dates_stand_as_written(now: datetime) -> None:
    certificate = tomcat(
        now,
        not_before=datetime(2020, 1, 1),  # noqa: DTZ001 - without a zone it is UTC
        not_after=datetime(2021, 1, 1, tzinfo=UTC),
    ).certificate
    assert certificate.not_valid_before_utc == datetime(2020, 1, 1, tzinfo=UTC)
    assert certificate.not_valid_after_utc == datetime(2021, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("digest", [DigestChoice.SHA1, DigestChoice.SHA512])
def test_digests(now: datetime, digest: DigestChoice) -> None:
    certificate = tomcat(now, signed_by="", digest=digest).certificate
    assert certificate.signature_hash_algorithm is not None
    assert certificate.signature_hash_algorithm.name == digest.value


def test_a_key_of_1024_bits(now: datetime) -> None:
    key = tomcat(now, key=KeyChoice.RSA_1024).certificate.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    assert key.key_size == 1024


@pytest.mark.parametrize(
    ("purposes", "oids"),
    [
        pytest.param(
            (Purpose.SERVER, Purpose.CLIENT),
            [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH],
            id="both",
        ),
        pytest.param((Purpose.CLIENT,), [ExtendedKeyUsageOID.CLIENT_AUTH], id="no serverAuth"),
        pytest.param((), None, id="no purposes at all"),
    ],
)
def test_purposes(
    now: datetime, purposes: tuple[Purpose, ...], oids: list[x509.ObjectIdentifier] | None
) -> None:
    extensions = tomcat(now, purposes=purposes).certificate.extensions
    found = [list(e.value) for e in extensions if isinstance(e.value, x509.ExtendedKeyUsage)]
    assert found == ([] if oids is None else [oids])


@pytest.mark.parametrize("key_ids", [True, False])
def test_key_identifiers_can_be_left_out(now: datetime, key_ids: bool) -> None:
    extensions = tomcat(now, key_ids=key_ids).certificate.extensions
    kinds = {type(extension.value) for extension in extensions}
    assert (x509.SubjectKeyIdentifier in kinds, x509.AuthorityKeyIdentifier in kinds) == (
        key_ids,
        key_ids,
    )


INTERMEDIATE = AuthorityPlan(name="Issuing CA", signed_by="Policy CA", key=EC)
POLICY = AuthorityPlan(name="Policy CA", signed_by=estates.CA, key=EC, path_length=0)


@pytest.mark.parametrize(
    ("sends", "subjects"),
    [
        pytest.param(None, ["CN=Issuing CA", "CN=Policy CA"], id="every intermediate one"),
        pytest.param((), [], id="none"),
        pytest.param(("Policy CA",), ["CN=Policy CA"], id="the wrong one alone"),
        pytest.param(
            ("Policy CA", "Issuing CA", "steven-DC-CA"),
            ["CN=Policy CA", "CN=Issuing CA", "CN=steven-DC-CA"],
            id="in a wrong order and with the root",
        ),
    ],
)
def test_what_is_sent_along(
    now: datetime, sends: tuple[str, ...] | None, subjects: list[str]
) -> None:
    # The intermediate authorities stand before what signs them.
    own = tomcat(now, INTERMEDIATE, POLICY, signed_by="Issuing CA", sends=sends)
    assert [item.subject.rfc4514_string() for item in own.chain] == subjects
    assert own.certificate.issuer.rfc4514_string() == "CN=Issuing CA"


def test_two_authorities_of_one_subject_have_two_keys(now: datetime) -> None:
    second = AuthorityPlan(name="renewed", common_name=estates.CA, key=EC)
    certificates = made(
        estates.estate(authorities=(AuthorityPlan(name=estates.CA, key=EC), second)), now
    )
    first, other = certificates.resolve(estates.CA), certificates.resolve("renewed")
    assert first.subject == other.subject == "CN=steven-DC-CA"
    assert first.certificate.public_key() != other.certificate.public_key()


@pytest.mark.parametrize(
    ("reuse", "where"),
    [
        pytest.param("tomcat", estates.CUCM, id="of the same node"),
        pytest.param("cucm.steven.lab/tomcat", "cucm-sub.steven.lab", id="of another node"),
    ],
)
def test_a_certificate_used_twice_is_one(now: datetime, reuse: str, where: str) -> None:
    kinds = {CertificateKind.CALL_MANAGER: CertificatePlan(reuse=reuse)}
    own = {TOMCAT: estates.certificate(estates.CUCM)}
    publisher = estates.cucm(certificates=own | (kinds if where == estates.CUCM else {}))
    other = estates.cucm("cucm-sub.steven.lab", address="10.48.36.216", certificates=kinds)
    nodes = (publisher,) if where == estates.CUCM else (publisher, other)
    certificates = made(estates.estate(*nodes), now)
    assert certificates.nodes[where, CertificateKind.CALL_MANAGER] is certificates.resolve(
        "cucm.steven.lab/tomcat"
    )


@pytest.mark.parametrize(
    ("reference", "subject"),
    [
        ("steven-DC-CA", "CN=steven-DC-CA"),
        ("cucm.steven.lab/CallManager-ECDSA", "CN=cucm-EC.steven.lab"),
        ("vcsc.steven.lab/server", "CN=vcsc.steven.lab"),
        ("vcse.steven.lab/server", "CN=vcse.steven.lab"),
    ],
)
def test_references(now: datetime, reference: str, subject: str) -> None:
    assert made(estates.estate(), now).resolve(reference).subject == subject


@pytest.mark.parametrize(
    "reference",
    [
        "",
        "Steven-DC-CA",
        "cucm.steven.lab",
        "cucm.steven.lab/",
        "cucm.steven.lab/cup-xmpp",
        "cucm.steven.lab/server",
        "/tomcat",
        "vcsc.steven.lab/tomcat",
    ],
)
def test_a_reference_that_names_nothing(now: datetime, reference: str) -> None:
    with pytest.raises(LabError, match="there is no certificate") as caught:
        made(estates.estate(), now).resolve(reference)
    assert repr(reference) in str(caught.value)


@pytest.mark.parametrize(
    ("estate", "said"),
    [
        pytest.param(
            with_tomcat(estates.certificate(estates.CUCM, signed_by="nobody")),
            "no authority 'nobody'",
            id="an unknown authority",
        ),
        pytest.param(
            with_tomcat(estates.certificate(estates.CUCM, signed_by="cucm.steven.lab/tomcat")),
            "no authority 'cucm.steven.lab/tomcat'",
            id="signed by what is no authority",
        ),
        pytest.param(
            with_tomcat(estates.certificate(estates.CUCM, sends=("nobody",))),
            "no certificate 'nobody'",
            id="sending what is not there",
        ),
        pytest.param(
            with_tomcat(CertificatePlan(reuse="CallManager")),
            "no certificate 'cucm.steven.lab/CallManager'",
            id="reusing what is not there",
        ),
        pytest.param(
            with_tomcat(CertificatePlan(reuse="tomcat")),
            "leads back to itself: cucm.steven.lab/tomcat -> cucm.steven.lab/tomcat",
            id="reusing itself",
        ),
        pytest.param(
            with_tomcat(
                estates.certificate(estates.CUCM),
                AuthorityPlan(name="A", signed_by="B", key=EC),
                AuthorityPlan(name="B", signed_by="A", key=EC),
            ),
            "leads back to itself: A -> B -> A",
            id="authorities in a circle",
        ),
        pytest.param(
            with_tomcat(estates.certificate(estates.CUCM, signed_by="", digest=DigestChoice.MD5)),
            "cucm.steven.lab/tomcat: no certificate signature of md5",
            id="MD5 by an elliptic curve key",
        ),
        pytest.param(
            with_tomcat(
                estates.certificate(
                    estates.CUCM, not_before=timedelta(days=2), not_after=timedelta(days=1)
                )
            ),
            "cucm.steven.lab/tomcat: not_after is ",
            id="dates in the wrong order",
        ),
        pytest.param(
            with_tomcat(
                estates.certificate(
                    estates.CUCM,
                    not_before=datetime(2100, 1, 1, tzinfo=UTC),
                    not_after=timedelta(days=1),
                )
            ),
            "UTC then, and not_before 2100-01-01 00:00",
            id="a distance that ends before a date",
        ),
        pytest.param(
            with_tomcat(
                estates.certificate(estates.CUCM, not_before=datetime(9998, 1, 1, tzinfo=UTC))
            ),
            "cucm.steven.lab/tomcat: its dates leave the calendar",
            id="a lifetime beyond the last year",
        ),
        pytest.param(
            with_tomcat(estates.certificate(estates.CUCM, not_before=timedelta(days=-100 * 365))),
            "cucm.steven.lab/tomcat: it would be valid from 19",
            id="a distance to before the first year",
        ),
    ],
)
def test_plans_that_cannot_be_carried_out(now: datetime, estate: Estate, said: str) -> None:
    with pytest.raises(LabError) as caught:
        made(estate, now)
    assert said in str(caught.value)
    assert caught.value.hint


def test_only_what_differs_is_made_anew(now: datetime) -> None:
    plan = estates.estate()
    first = made(plan, now)
    publisher = plan.node(estates.CUCM)
    renewed = replace(publisher.certificates[TOMCAT], ips=("10.48.36.215",))
    changed = estates.with_node(plan, certificates={**publisher.certificates, TOMCAT: renewed})
    second = made(changed, now + DAY, first)
    differing = {
        name
        for name, credential in first.nodes.items()
        if credential.certificate != second.nodes[name].certificate
    }
    assert differing == {(estates.CUCM, TOMCAT)}
    assert second.authorities[estates.CA] is first.authorities[estates.CA]
    assert second.expressway_c is first.expressway_c
    # It was regenerated: its key is another one.
    assert (
        first.nodes[estates.CUCM, TOMCAT].certificate.public_key()
        != second.nodes[estates.CUCM, TOMCAT].certificate.public_key()
    )


def test_a_line_that_moved_in_the_file_changes_nothing(now: datetime) -> None:
    plan = with_tomcat(estates.certificate(estates.CUCM, line=7))
    first = made(plan, now)
    second = made(with_tomcat(estates.certificate(estates.CUCM, line=8)), now + DAY, first)
    assert second.nodes[estates.CUCM, TOMCAT] is first.nodes[estates.CUCM, TOMCAT]


def test_a_renewed_authority_keeps_its_key_and_signs_anew(now: datetime) -> None:
    plan = estates.estate()
    first = made(plan, now)
    longer = replace(plan.authorities[0], not_after=timedelta(days=9000))
    second = made(replace(plan, authorities=(longer,)), now, first)
    old, new = first.authorities[estates.CA], second.authorities[estates.CA]
    assert old.certificate != new.certificate
    assert old.certificate.public_key() == new.certificate.public_key()
    tomcat_key = (estates.CUCM, TOMCAT)
    assert first.nodes[tomcat_key].certificate != second.nodes[tomcat_key].certificate
    ecdsa = (estates.CUCM, CertificateKind.CALL_MANAGER_ECDSA)
    assert first.nodes[ecdsa] is second.nodes[ecdsa]


def test_what_is_sent_changes_without_another_certificate(now: datetime) -> None:
    plan = estates.certificate(estates.CUCM, signed_by="Issuing CA")
    authorities = (INTERMEDIATE, POLICY)
    key = (estates.CUCM, TOMCAT)
    whole = made(with_tomcat(plan, *authorities), now)
    bare = made(with_tomcat(replace(plan, sends=()), *authorities), now, whole)
    again = made(with_tomcat(plan, *authorities), now, bare)
    assert len(whole.nodes[key].chain) == 2
    assert bare.nodes[key].chain == ()
    assert again.nodes[key].chain == whole.nodes[key].chain
    serials = {item.nodes[key].certificate.serial_number for item in (whole, bare, again)}
    assert len(serials) == 1


async def test_keys_are_made_beforehand_and_then_only_used(now: datetime) -> None:
    plan = with_tomcat(estates.certificate(estates.CUCM))
    keys = KeyCache()
    await make_keys(plan, keys)
    ready = {label: keys.get(*label) for label in key_labels(plan)}
    certificates = make_certificates(plan, now=now, keys=keys)
    used = (
        certificates.resolve(estates.CA),
        certificates.resolve("cucm.steven.lab/tomcat"),
        certificates.expressway_c,
        certificates.expressway_e,
    )
    assert len(ready) == len(used)
    assert all(any(item.key is key for key in ready.values()) for item in used)


def test_trust_lists_keep_their_order(now: datetime) -> None:
    node = estates.cucm(trust={"tomcat-trust": ("cucm.steven.lab/CallManager-ECDSA", estates.CA)})
    plan = estates.with_c(
        estates.estate(node), trusted_ca=("cucm.steven.lab/CallManager-ECDSA", estates.CA)
    )
    certificates = made(plan, now)
    wanted = ["CN=cucm-EC.steven.lab", "CN=steven-DC-CA"]
    listed = certificates.trust_of(node)["tomcat-trust"]
    assert [item.subject.rfc4514_string() for item in listed] == wanted
    assert [item.subject.rfc4514_string() for item in certificates.trusted_ca()] == wanted
