from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import certifi
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from OpenSSL import crypto
from tests.truststore import certs
from tests.truststore.certs import attribute, extension, make, oid, raw_san, rsa_key, san, seq, tlv

from mralab.truststore.bundle import parse_bundle
from mralab.truststore.certificate import (
    canonical_subject,
    certificate_facts,
    common_name,
    names_of,
    signed_with_sha1,
)
from mralab.truststore.names import CertificateNames

if TYPE_CHECKING:
    from collections.abc import Callable

CN = "2.5.4.3"
UNREADABLE = datetime.min.replace(tzinfo=UTC)
PLAIN = make("cucm.steven.lab", extensions=(san("cucm.steven.lab", "10.48.36.215"),))


def test_names_in_their_order() -> None:
    made = make("cucm-ms.steven.lab", extensions=(san("b.lab", "192.0.2.7", "a.lab", "::1"),))
    assert names_of(made.der) == CertificateNames(
        dns=(b"b.lab", b"a.lab"),
        ips=(b"\xc0\x00\x02\x07", bytes(15) + b"\x01"),
        first_cn="cucm-ms.steven.lab",
        has_san=True,
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(tlv(0x0C, "cücm".encode()), "cücm", id="UTF8String"),
        pytest.param(tlv(0x13, b"cucm"), "cucm", id="PrintableString"),
        pytest.param(tlv(0x16, b"cucm"), "cucm", id="IA5String"),
        pytest.param(tlv(0x14, b"c\xfccm"), "cücm", id="TeletexString is Latin-1"),
        pytest.param(tlv(0x1A, b"cucm"), "cucm", id="VisibleString"),
        pytest.param(tlv(0x12, b"4711"), "4711", id="NumericString"),
        pytest.param(tlv(0x1E, "cücm".encode("utf-16-be")), "cücm", id="BMPString"),
        pytest.param(tlv(0x1C, "c😀m".encode("utf-32-be")), "c😀m", id="UniversalString"),
        pytest.param(tlv(0x0C, b"a\0b"), "a\0b", id="NUL is a character"),
        pytest.param(tlv(0x0C), "", id="empty"),
        pytest.param(tlv(0x03, b"\0cucm"), None, id="BIT STRING"),
        pytest.param(seq(), None, id="SEQUENCE"),
        pytest.param(tlv(0x0C, b"\xff"), None, id="UTF-8 that is none"),
        pytest.param(tlv(0x1E, b"abc"), None, id="odd BMPString"),
        pytest.param(tlv(0x1E, b"\xd8\x3d\xde\x00"), None, id="surrogates in a BMPString"),
        pytest.param(tlv(0x1C, b"\0\x11\0\0"), None, id="beyond Unicode"),
        pytest.param(tlv(0x15, b"cucm"), None, id="VideotexString"),
    ],
)
def test_the_cn_is_converted_as_openssl_does(value: bytes, text: str | None) -> None:
    names = names_of(make(seq(attribute(CN, value))).der)
    assert names.first_cn == text
    assert names.cn_unconvertible is (text is None)


def test_only_the_first_cn_counts_even_if_it_cannot_be_converted() -> None:
    bits = attribute(CN, tlv(0x03, b"\0x"))
    good = attribute(CN, certs.utf8("cucm.steven.lab"))
    organisation = attribute("2.5.4.10", certs.utf8("lab"))
    assert names_of(make(seq(bits, good)).der).cn_unconvertible
    assert names_of(make(seq(organisation, good, bits)).der).first_cn == "cucm.steven.lab"
    assert names_of(make(seq(organisation)).der) == CertificateNames()
    assert common_name(make(seq()).der) is None


@pytest.mark.parametrize(
    ("extensions", "dns", "has_san"),
    [
        pytest.param((san("a.lab"),), (b"a.lab",), True, id="one extension"),
        pytest.param((raw_san(),), (), True, id="no name in it"),
        pytest.param((san("a.lab"), san("b.lab")), (), False, id="two of them"),
        pytest.param((extension("2.5.29.17", b"\x30\x05\x82"),), (), False, id="cut off"),
        pytest.param((extension("2.5.29.17", b"\x04\x00"),), (), False, id="no sequence"),
        pytest.param((extension("2.5.29.14", b"\x04\x00"),), (), False, id="another extension"),
        pytest.param((), (), False, id="no extensions"),
        pytest.param((seq(),), (), False, id="an extension of nothing"),
        pytest.param(
            (raw_san(tlv(0x81, b"a@lab"), tlv(0x86, b"https://a.lab"), tlv(0x82, b"a\0\xff")),),
            (b"a\0\xff",),
            True,
            id="other kinds are passed over, bytes are kept",
        ),
    ],
)
def test_alternative_names_are_read_as_a_whole_or_not_at_all(
    extensions: tuple[bytes, ...], dns: tuple[bytes, ...], has_san: bool
) -> None:
    names = names_of(make("x", extensions=extensions).der)
    assert (names.dns, names.has_san) == (dns, has_san)


def test_facts_of_a_plain_certificate() -> None:
    subject = seq(
        attribute("2.5.4.6", tlv(0x13, b"BE")),
        attribute("2.5.4.10", certs.utf8("Lab, Inc.")),
        attribute(CN, certs.utf8("cucm-EC.steven.lab")),
    )
    made = make(
        subject,
        serial=0xABC,
        not_before=datetime(2022, 7, 11, tzinfo=UTC),
        not_after=datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC),
        extensions=(
            raw_san(
                tlv(0x82, b"cucm.steven.lab"),
                tlv(0x87, b"\x0a\x30\x24\xd7"),
                tlv(0x87, b"\x0a"),
                tlv(0x81, b"a@b"),
                tlv(0x88, b"\x2a\x03"),
                tlv(0xA4, b""),
            ),
        ),
    )
    facts = certificate_facts(made.der)
    assert facts.subject == "CN=cucm-EC.steven.lab,O=Lab\\, Inc.,C=BE"
    assert facts.issuer == facts.subject
    assert facts.self_issued
    assert facts.serial == "0ABC"
    assert facts.not_before == datetime(2022, 7, 11, tzinfo=UTC)
    assert facts.not_after == datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert facts.sans == (
        "DNS:cucm.steven.lab",
        "IP:10.48.36.215",
        "IP:0a",
        "email:a@b",
        "RID:#2a03",
        "other:#",
    )
    assert facts.key == "EC secp256r1"
    assert facts.signature == "ecdsa-with-SHA256"
    assert facts.sha256 == made.fingerprint


def test_facts_name_issuer_and_rsa_key() -> None:
    root = certs.authority("root", key=rsa_key(2048))
    facts = certificate_facts(make("leaf", root, key=rsa_key(1024)).der)
    assert (facts.subject, facts.issuer) == ("CN=leaf", "CN=root")
    assert not facts.self_issued
    assert (facts.key, facts.signature) == ("RSA 1024", "sha256WithRSAEncryption")


@pytest.mark.parametrize(
    ("serial", "text"), [(0, "00"), (-1, "-01"), (0x1234, "1234"), (1 << 200, "01" + "00" * 25)]
)
def test_odd_serial_numbers(serial: int, text: str) -> None:
    assert certificate_facts(make("x", serial=serial).der).serial == text


@pytest.mark.parametrize(
    ("time", "read"),
    [
        pytest.param(tlv(0x17, b"491231235959Z"), datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC)),
        pytest.param(tlv(0x17, b"500101000000Z"), datetime(1950, 1, 1, tzinfo=UTC)),
        pytest.param(tlv(0x18, b"99991231235959Z"), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        pytest.param(tlv(0x18, b"20300101000000.5Z"), datetime(2030, 1, 1, tzinfo=UTC)),
        pytest.param(tlv(0x17, b"3001010203Z"), datetime(2030, 1, 1, 2, 3, tzinfo=UTC)),
        pytest.param(tlv(0x17, b"300101020000+0130"), datetime(2030, 1, 1, 0, 30, tzinfo=UTC)),
        pytest.param(tlv(0x17, b"300101020000-0130"), datetime(2030, 1, 1, 3, 30, tzinfo=UTC)),
        pytest.param(tlv(0x17, b"301301000000Z"), UNREADABLE, id="month 13"),
        pytest.param(tlv(0x18, b"00010101000000+0100"), UNREADABLE, id="before year 1"),
        pytest.param(tlv(0x17, b"soon"), UNREADABLE, id="no digits"),
        pytest.param(
            tlv(0x17, "\u0663\u06600101000000Z".encode()), UNREADABLE, id="no ASCII digits"
        ),
        pytest.param(b"", UNREADABLE, id="left out"),
        pytest.param(b"\x17\x05", UNREADABLE, id="cut off"),
    ],
)
def test_times(time: bytes, read: datetime) -> None:
    assert certificate_facts(make("x", not_before=b"", not_after=time).der).not_before == read


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param('a,b+c"d\\e<f>g;', 'a\\,b\\+c\\"d\\\\e\\<f\\>g\\;', id="special characters"),
        pytest.param("#a", "\\#a", id="leading number sign"),
        pytest.param(" a ", "\\ a\\ ", id="outer blanks"),
        pytest.param("a\nb\0", "a\\0Ab\\00", id="control characters cannot break a log line"),
        pytest.param("c\x9bü", "c\\C2\\9Bü", id="nor those of the second kind"),
    ],
)
def test_subjects_are_written_as_rfc_4514_wants(value: str, text: str) -> None:
    assert certificate_facts(make(certs.cn(value)).der).subject == f"CN={text}"


def test_what_has_no_text_is_written_in_hex() -> None:
    subject = seq(
        tlv(0x31, seq(oid(CN), tlv(0x03, b"\0x")), seq(oid("1.2.3"), tlv(0x0C, b"a"))),
    )
    assert certificate_facts(make(subject).der).subject == "CN=#03020078+1.2.3=#0c0161"


@pytest.mark.parametrize(
    "subject",
    [
        pytest.param(seq(b"\x31\x05"), id="cut off"),
        pytest.param(seq(tlv(0x31, seq(oid(CN)))), id="attribute without a value"),
        pytest.param(seq(seq()), id="no set"),
        pytest.param(
            seq(attribute(CN, certs.utf8("x")) + tlv(0x31, seq(tlv(0x06), tlv(0x0C)))),
            id="empty type",
        ),
    ],
)
def test_subjects_that_cannot_be_read_are_empty(subject: bytes) -> None:
    assert certificate_facts(make(subject).der).subject == ""


@pytest.mark.parametrize(
    ("key", "text"),
    [
        pytest.param(seq(seq(oid("1.3.101.112")), tlv(3, b"\0x")), "ED25519", id="Ed25519"),
        pytest.param(seq(seq(oid("1.2.3.4")), tlv(3, b"\0x")), "1.2.3.4", id="unknown kind"),
        pytest.param(
            seq(seq(oid("1.2.840.10045.2.1"), oid("1.2.3")), tlv(3, b"\0")),
            "EC 1.2.3",
            id="unknown curve",
        ),
        pytest.param(
            seq(seq(oid("1.2.840.10045.2.1"), seq()), tlv(3, b"\0")),
            "EC explicit curve",
            id="explicit curve",
        ),
        pytest.param(seq(seq(oid("1.2.840.10045.2.1")), tlv(3, b"\0")), "", id="no curve"),
        pytest.param(seq(seq(oid("1.2.840.113549.1.1.1")), tlv(3)), "", id="RSA without bits"),
        pytest.param(seq(), "", id="nothing"),
        pytest.param(seq(seq(), tlv(3, b"\0")), "", id="no identifier"),
    ],
)
def test_keys_that_are_odd(key: bytes, text: str) -> None:
    assert certificate_facts(replace_key(key)).key == text


def replace_key(key: bytes) -> bytes:
    body = seq(certs.integer(1), seq(), seq(), seq(), seq(), key)
    return seq(body, seq(), tlv(3, b"\0"))


def test_an_unknown_signature_is_its_number_and_an_unreadable_one_is_empty() -> None:
    assert certificate_facts(make("x", algorithm="1.2.3.4", signature=b"x").der).signature == (
        "1.2.3.4"
    )
    assert certificate_facts(replace_key(seq())).signature == ""


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"no certificate", id="text"),
        pytest.param(PLAIN.der[:-1], id="cut off"),
        pytest.param(PLAIN.der + b"\0", id="something behind it"),
        pytest.param(seq(), id="empty"),
        pytest.param(seq(seq(), seq(), tlv(3, b"\0")), id="empty body"),
        pytest.param(seq(seq(*(b"\x05\x00",) * 6), seq(), tlv(3)), id="wrong kinds"),
    ],
)
def test_what_is_no_certificate_gives_its_digest_only(data: bytes) -> None:
    facts = certificate_facts(data)
    assert facts.sha256.replace(":", "") == hashlib.sha256(data).hexdigest().upper()
    assert (facts.subject, facts.serial, facts.sans) == ("", "", ())
    assert names_of(data) == CertificateNames()
    assert canonical_subject(data) == ()
    assert not signed_with_sha1(data)


@pytest.mark.parametrize(
    ("algorithm", "parameters", "is_sha1"),
    [
        pytest.param(certs.RSA_SHA1, b"\x05\x00", True, id="RSA"),
        pytest.param(certs.RSA_MD5, b"\x05\x00", False, id="MD5"),
        pytest.param(certs.RSA_SHA256, b"\x05\x00", False, id="SHA-256"),
        pytest.param(certs.ECDSA_SHA1, b"", True, id="ECDSA"),
        pytest.param(certs.RSA_PSS, b"", True, id="PSS without parameters"),
        pytest.param(certs.RSA_PSS, seq(), True, id="PSS with its defaults"),
        pytest.param(
            certs.RSA_PSS, seq(tlv(0xA2, certs.integer(20))), True, id="PSS with another parameter"
        ),
        pytest.param(
            certs.RSA_PSS,
            seq(tlv(0xA0, seq(oid("2.16.840.1.101.3.4.2.1")))),
            False,
            id="PSS with SHA-256",
        ),
        pytest.param(
            certs.RSA_PSS, seq(tlv(0xA0, seq(oid("1.3.14.3.2.26")))), True, id="PSS with SHA-1"
        ),
        pytest.param(certs.RSA_PSS, tlv(0x04), False, id="PSS that cannot be read"),
    ],
)
def test_sha1_signatures_are_told_by_their_algorithm(
    algorithm: str, parameters: bytes, is_sha1: bool
) -> None:
    made = make("x", algorithm=algorithm, algorithm_parameters=parameters, signature=b"x")
    assert signed_with_sha1(made.der) is is_sha1


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param(certs.cn("Lab CA"), certs.cn("lab ca"), True, id="case"),
        pytest.param(certs.cn("Lab CA"), certs.cn("  Lab \t  CA "), True, id="blanks"),
        pytest.param(
            certs.cn("Lab CA"), seq(attribute(CN, tlv(0x13, b"Lab CA"))), True, id="string type"
        ),
        pytest.param(certs.cn("ü"), seq(attribute(CN, tlv(0x1E, b"\0\xfc"))), True, id="BMPString"),
        pytest.param(certs.cn("Ü"), certs.cn("ü"), False, id="case outside ASCII"),
        pytest.param(certs.cn("a b"), certs.cn("ab"), False, id="no blank"),
        pytest.param(certs.cn("a\xa0b"), certs.cn("a b"), False, id="no-break space"),
        pytest.param(
            seq(attribute(CN, tlv(0x12, b"12"))), certs.cn("12"), False, id="NumericString"
        ),
        pytest.param(
            seq(attribute(CN, tlv(0x03, b"\0A"))),
            seq(attribute(CN, tlv(0x03, b"\0a"))),
            False,
            id="BIT STRING is compared as it is",
        ),
        pytest.param(
            certs.cn("a"), seq(attribute("2.5.4.10", certs.utf8("a"))), False, id="attribute type"
        ),
        pytest.param(
            seq(attribute(CN, certs.utf8("a")), attribute(CN, certs.utf8("b"))),
            seq(tlv(0x31, seq(oid(CN), certs.utf8("a")), seq(oid(CN), certs.utf8("b")))),
            False,
            id="two RDNs or one of two",
        ),
        pytest.param(seq(), seq(), True, id="empty"),
    ],
)
def test_subjects_are_the_same_if_they_are_to_openssl(one: bytes, other: bytes, same: bool) -> None:
    made = [make(subject, key=certs.ec_key("one")) for subject in (one, other)]
    assert (canonical_subject(made[0].der) == canonical_subject(made[1].der)) is same
    assert (made[0].x509.subject_name_hash() == made[1].x509.subject_name_hash()) is same


def test_order_within_an_rdn_does_not_matter() -> None:
    pairs = [seq(oid(CN), certs.utf8("a")), seq(oid("2.5.4.10"), certs.utf8("b"))]
    subjects = [seq(tlv(0x31, *order)) for order in (pairs, pairs[::-1])]
    one, other = (canonical_subject(make(subject).der) for subject in subjects)
    assert one == other


def test_public_roots_have_openssl_s_subjects_and_dates() -> None:
    roots = parse_bundle(Path(certifi.where()).read_bytes(), "certifi").certificates
    assert len(roots) > 100
    by_hash: dict[int, set[object]] = {}
    for root in roots:
        parsed = crypto.load_certificate(crypto.FILETYPE_ASN1, root.der)
        by_hash.setdefault(parsed.subject_name_hash(), set()).add(root.subject)
        not_after = parsed.get_notAfter()
        assert not_after is not None
        assert f"{root.facts.not_after:%Y%m%d%H%M%SZ}".encode() == not_after
        assert root.facts.subject
        assert root.facts.key
        assert int(root.facts.serial, 16) == parsed.get_serial_number()
    assert all(len(subjects) == 1 for subjects in by_hash.values())


READERS: list[Callable[[bytes], object]] = [
    names_of,
    certificate_facts,
    canonical_subject,
    common_name,
    signed_with_sha1,
]


@given(data=st.binary())
@example(seq(seq(*(seq(),) * 6), seq(), tlv(3)))
def test_any_bytes_are_read(data: bytes) -> None:
    for reader in READERS:
        reader(data)


@settings(max_examples=300)
@given(position=st.integers(0, len(PLAIN.der) - 1), byte=st.integers(0, 255))
def test_a_certificate_with_any_byte_changed_is_read(position: int, byte: int) -> None:
    damaged = bytearray(PLAIN.der)
    damaged[position] = byte
    for reader in READERS:
        reader(bytes(damaged))
