from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.truststore.certs import Made, authority, integer, make, oid, seq, tlv, utf8

from mralab.errors import TrustStoreError
from mralab.truststore.bundle import parse_bundle, to_pem, trusted_certificate

ONE, TWO = authority("one"), authority("two")
#: By hand, for a well-behaved writer sorts them.
PKCS7 = seq(
    oid("1.2.840.113549.1.7.2"),
    tlv(
        0xA0,
        seq(
            integer(1),
            tlv(0x31),
            seq(oid("1.2.840.113549.1.7.1")),
            tlv(0xA0, TWO.der, ONE.der),
            tlv(0x31),
        ),
    ),
)


def block(label: str, content: bytes) -> bytes:
    body = base64.encodebytes(content)
    return f"-----BEGIN {label}-----\n".encode() + body + f"-----END {label}-----\n".encode()


def ders(content: bytes) -> list[bytes]:
    return [certificate.der for certificate in parse_bundle(content, "f").certificates]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(ONE.pem + TWO.pem, [ONE, TWO], id="PEM"),
        pytest.param(TWO.pem + ONE.pem + TWO.pem, [TWO, ONE, TWO], id="order and duplicates stay"),
        pytest.param(
            b"subject=CN = one\n" + ONE.pem + b"\n\xff\xfe text \n" + TWO.pem + b"end",
            [ONE, TWO],
            id="text between blocks",
        ),
        pytest.param((ONE.pem + TWO.pem).replace(b"\n", b"\r\n"), [ONE, TWO], id="CRLF"),
        pytest.param(b"\xef\xbb\xbf" + ONE.pem, [ONE], id="byte order mark"),
        pytest.param(ONE.pem[:-1], [ONE], id="no line end at the end"),
        pytest.param(block("X509 CERTIFICATE", ONE.der), [ONE], id="old label"),
        pytest.param(ONE.der, [ONE], id="DER"),
        pytest.param(PKCS7, [TWO, ONE], id="PKCS#7 in DER"),
        pytest.param(block("PKCS7", PKCS7), [TWO, ONE], id="PKCS#7 in PEM"),
        pytest.param(ONE.pem + block("PKCS7", PKCS7), [ONE, TWO, ONE], id="both"),
    ],
)
def test_every_form_gives_its_certificates_in_order(content: bytes, expected: list[Made]) -> None:
    assert ders(content) == [made.der for made in expected]
    assert parse_bundle(content, "f").warnings == ()


def test_places_are_those_of_the_blocks() -> None:
    content = b"# one\n" + ONE.pem + b"# two\n" + TWO.pem
    bundle = parse_bundle(content, "f")
    assert [content[place] for place in bundle.places] == [ONE.pem, TWO.pem]
    assert parse_bundle(block("PKCS7", PKCS7), "f").places == ()
    assert parse_bundle(ONE.der, "f").places == ()


@pytest.mark.parametrize(
    ("content", "warning"),
    [
        pytest.param(
            ONE.pem + ONE.key_pem,
            "f, block 2: a private key is ignored; it does not belong into a trusted CA file",
            id="private key",
        ),
        pytest.param(
            block("EC PARAMETERS", b"x") + ONE.pem,
            "f, block 1: EC PARAMETERS is ignored",
            id="another block",
        ),
        pytest.param(
            block("TRUSTED CERTIFICATE", ONE.der + seq(utf8("alias"))),
            "f, block 1: OpenSSL's trust settings are ignored",
            id="trust settings",
        ),
        pytest.param(
            ONE.der + b"\n", "f: what follows the certificate is ignored", id="more than one DER"
        ),
    ],
)
def test_what_is_passed_over_is_said(content: bytes, warning: str) -> None:
    bundle = parse_bundle(content, "f")
    assert [certificate.der for certificate in bundle.certificates] == [ONE.der]
    assert bundle.warnings == (warning,)


@pytest.mark.parametrize(
    "content", [b"", b"\n \r\n", b"# nothing yet\n", b"  # nothing\n\n# here\n"]
)
def test_a_file_of_nothing_or_comments_is_an_empty_list(content: bytes) -> None:
    bundle = parse_bundle(content, "f")
    assert bundle.certificates == ()
    assert bundle.warnings == ("f: holds no certificate",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"garbage", "f: holds no certificate", id="garbage"),
        pytest.param(b"\x30\x03\x02\x01\x05", "f: holds no certificate", id="DER of another kind"),
        pytest.param(
            seq(oid("1.2.840.113549.1.7.2")),
            "f: holds no certificate",
            id="PKCS#7 without content",
        ),
        pytest.param(
            seq(oid("1.2.840.113549.1.7.1"), tlv(0xA0, tlv(0x04))),
            "f: holds no certificate",
            id="PKCS#7 data",
        ),
        pytest.param(seq(b"\x05\x00"), "f: holds no certificate", id="DER of one element"),
        pytest.param(ONE.pem[:-30], "f: a PEM block does not end as it began", id="PEM cut off"),
        pytest.param(
            ONE.pem.replace(b"END CERTIFICATE", b"END CERTIFICAT"),
            "f: a PEM block does not end as it began",
            id="another end",
        ),
        pytest.param(
            ONE.pem + block("CERTIFICATE", b"x").replace(b"eA==", b"e*=="),
            "f, block 2: damaged, not base64",
            id="not base64",
        ),
        pytest.param(
            ONE.pem + block("CERTIFICATE", b"x"), "f, block 2: not a certificate", id="not DER"
        ),
        pytest.param(block("PKCS7", b"x"), "f, block 1: holds no certificate", id="bad PKCS#7"),
        pytest.param(
            ONE.key_pem, "f: no certificate among its PEM blocks", id="a private key alone"
        ),
    ],
)
def test_what_holds_no_certificate_is_refused_by_name(content: bytes, message: str) -> None:
    with pytest.raises(TrustStoreError) as caught:
        parse_bundle(content, "f")
    assert str(caught.value) == message
    assert "expected certificates in PEM" in caught.value.hint


def test_certificates_that_only_openssl_reads_are_taken() -> None:
    odd = make("odd", serial=-5)
    assert ders(odd.pem) == [odd.der]


def test_a_certificate_is_called_by_its_subject() -> None:
    assert str(trusted_certificate(ONE.der, "f")) == "CN=one"
    assert str(trusted_certificate(make(seq(), serial=0x12).der, "f")) == (
        "(empty subject, serial 12)"
    )


def test_pem_and_back() -> None:
    assert to_pem(trusted_certificate(ONE.der, "f")) == ONE.pem


@given(st.binary() | st.binary().map(lambda data: block("CERTIFICATE", data)))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    try:
        bundle = parse_bundle(content, "f")
    except TrustStoreError:
        return
    assert bundle.certificates == ()
