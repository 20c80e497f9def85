"""The certificate tool: what is asked for stands in the certificate, and OpenSSL agrees."""

from __future__ import annotations

import ssl
import stat
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtensionOID, NameOID, SignatureAlgorithmOID
from OpenSSL import crypto

from mralab.errors import LabError
from mralab.lab.pki import (
    BACKDATED,
    CA_LIFETIME,
    LEAF_LIFETIME,
    SERVER_AUTH,
    CertificateFields,
    Credential,
    Digest,
    KeyCache,
    KeyKind,
    new_key,
    root_ca,
    self_signed,
)

if TYPE_CHECKING:
    from pathlib import Path

EC = KeyKind.EC_P256
Ext = TypeVar("Ext", bound=x509.ExtensionType)


def extension(credential: Credential, kind: type[Ext]) -> Ext:
    return credential.certificate.extensions.get_extension_for_class(kind).value


def verifies(leaf: Credential, roots: list[Credential], *untrusted: Credential) -> bool:
    """Ask OpenSSL, without its security levels, whether ``leaf`` leads to one of ``roots``."""
    store = crypto.X509Store()
    for root in roots:
        store.add_cert(crypto.X509.from_cryptography(root.certificate))
    others = [crypto.X509.from_cryptography(item.certificate) for item in untrusted]
    context = crypto.X509StoreContext(
        store, crypto.X509.from_cryptography(leaf.certificate), others
    )
    try:
        context.verify_certificate()
    except crypto.X509StoreContextError:
        return False
    return True


def test_a_leaf_verifies_under_its_root(ca: Credential, tomcat: Credential) -> None:
    assert verifies(tomcat, [ca])
    assert tomcat.chain == ()
    assert tomcat.subject == "CN=cucm-ms.steven.lab"
    assert not tomcat.self_issued
    assert ca.self_issued


def test_an_intermediate_is_sent_and_its_root_is_not(ca: Credential) -> None:
    middle = ca.issue(CertificateFields(cn="steven-sub-CA", ca=True, path_length=0), key=EC)
    leaf = middle.issue(CertificateFields(cn="cucm.steven.lab"), key=EC)
    below = leaf.issue(CertificateFields(cn="signed by a leaf"), key=EC)
    assert leaf.chain == (middle.certificate,)
    assert below.chain == (leaf.certificate, middle.certificate)
    assert leaf.presented == (leaf.der, middle.der)
    assert leaf.chain_pem == leaf.pem + middle.pem
    assert verifies(leaf, [ca], middle)
    assert not verifies(leaf, [ca])
    assert not verifies(below, [ca], leaf, middle), "a leaf is no authority"
    assert extension(middle, x509.BasicConstraints).path_length == 0


def test_the_chain_sent_can_be_chosen(ca: Credential, tomcat: Credential) -> None:
    assert tomcat.sending(ca).presented == (tomcat.der, ca.der)
    assert tomcat.sending(ca).sending().chain == ()


def test_defaults_of_a_leaf(tomcat: Credential, ca: Credential, now: datetime) -> None:
    certificate = tomcat.certificate
    assert certificate.not_valid_before_utc == now - BACKDATED
    assert certificate.not_valid_after_utc == now + LEAF_LIFETIME
    assert ca.certificate.not_valid_after_utc == now + CA_LIFETIME
    assert not extension(tomcat, x509.BasicConstraints).ca
    usage = extension(tomcat, x509.KeyUsage)
    assert usage.digital_signature
    assert usage.key_encipherment
    assert not usage.key_agreement
    assert not usage.key_cert_sign
    assert SERVER_AUTH in extension(tomcat, x509.ExtendedKeyUsage)
    authority = extension(tomcat, x509.AuthorityKeyIdentifier).key_identifier
    assert authority == extension(ca, x509.SubjectKeyIdentifier).digest
    assert tomcat.family == "RSA"
    assert isinstance(tomcat.key, rsa.RSAPrivateKey)
    assert tomcat.key.key_size == 2048


def test_defaults_of_an_authority(ca: Credential) -> None:
    assert ca.family == "EC"
    assert extension(ca, x509.KeyUsage).key_cert_sign
    with pytest.raises(x509.ExtensionNotFound):
        extension(ca, x509.ExtendedKeyUsage)


def test_an_ec_leaf_agrees_keys(tomcat_ecdsa: Credential) -> None:
    usage = extension(tomcat_ecdsa, x509.KeyUsage)
    assert usage.key_agreement
    assert not usage.key_encipherment


def test_names_of_all_kinds(now: datetime) -> None:
    fields = CertificateFields(
        cn="cucm", dns=("cucm.steven.lab", "*.steven.lab"), ips=("10.48.36.215", "2001:db8::1")
    )
    names = extension(self_signed(fields, now=now, key=EC), x509.SubjectAlternativeName)
    assert names.get_values_for_type(x509.DNSName) == ["cucm.steven.lab", "*.steven.lab"]
    assert [str(item) for item in names.get_values_for_type(x509.IPAddress)] == [
        "10.48.36.215",
        "2001:db8::1",
    ]


def test_a_raw_san_stands_as_given(now: datetime) -> None:
    raw = bytes.fromhex("3009") + b"\x82\x07" + b"cu\0m.la"
    fields = CertificateFields(cn="x", dns=("not.used",), raw_san=raw)
    made = self_signed(fields, now=now, key=EC)
    assert raw in made.der
    assert b"not.used" not in made.der


def test_a_whole_subject(now: datetime) -> None:
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "lab"),
            x509.NameAttribute(NameOID.COMMON_NAME, "first"),
            x509.NameAttribute(NameOID.COMMON_NAME, "second"),
        ]
    )
    made = self_signed(CertificateFields(cn="not used", subject=subject), now=now, key=EC)
    assert made.subject == "CN=second,CN=first,O=lab"
    assert self_signed(CertificateFields(), now=now, key=EC).subject == ""


def test_dates_serial_and_issuer_can_be_overridden(ca: Credential, now: datetime) -> None:
    start, end = datetime(2020, 1, 1, tzinfo=UTC), datetime(2021, 6, 1, tzinfo=UTC)
    issuer = x509.Name.from_rfc4514_string("CN=somebody else")
    fields = CertificateFields(cn="x", not_before=start, not_after=end, serial=7, issuer=issuer)
    made = ca.issue(fields, key=EC).certificate
    assert (made.not_valid_before_utc, made.not_valid_after_utc) == (start, end)
    assert made.serial_number == 7
    assert made.issuer == issuer
    later = ca.issue(CertificateFields(cn="x"), key=EC, now=now + timedelta(days=30))
    assert later.certificate.not_valid_before_utc == now + timedelta(days=30) - BACKDATED


def test_every_extension_can_be_left_out(ca: Credential) -> None:
    fields = CertificateFields(
        cn="bare",
        basic_constraints=False,
        key_usage=frozenset(),
        extended_key_usage=(),
        subject_key_id=False,
        authority_key_id=False,
    )
    assert len(ca.issue(fields, key=EC).certificate.extensions) == 0


def test_key_ids_and_usages_can_be_given(ca: Credential, now: datetime) -> None:
    fields = CertificateFields(
        cn="x",
        subject_key_id=b"own",
        authority_key_id=b"other",
        key_usage=frozenset({"crl_sign"}),
        extended_key_usage=(SERVER_AUTH,),
    )
    made = ca.issue(fields, key=EC)
    assert extension(made, x509.SubjectKeyIdentifier).digest == b"own"
    assert extension(made, x509.AuthorityKeyIdentifier).key_identifier == b"other"
    assert extension(made, x509.KeyUsage).crl_sign
    assert list(extension(made, x509.ExtendedKeyUsage)) == [SERVER_AUTH]
    selfmade = self_signed(CertificateFields(cn="x", subject_key_id=b"own"), now=now, key=EC)
    assert extension(selfmade, x509.AuthorityKeyIdentifier).key_identifier == b"own"


def test_the_key_id_of_an_authority_without_one_is_computed(now: datetime) -> None:
    fields = CertificateFields(cn="CA", ca=True, subject_key_id=False, authority_key_id=False)
    authority = self_signed(fields, now=now, key=EC)
    leaf = authority.issue(CertificateFields(cn="x"), key=EC)
    expected = x509.SubjectKeyIdentifier.from_public_key(authority.key.public_key()).digest
    assert extension(leaf, x509.AuthorityKeyIdentifier).key_identifier == expected


def test_two_authorities_of_one_name_have_two_keys(now: datetime) -> None:
    first, second = root_ca("CA", now=now, key=EC), root_ca("CA", now=now, key=EC)
    leaf = first.issue(CertificateFields(cn="x"), key=EC)
    assert first.certificate.subject == second.certificate.subject
    assert verifies(leaf, [first])
    assert not verifies(leaf, [second])


@pytest.mark.parametrize(
    ("digest", "kind", "oid"),
    [
        (Digest.SHA256, KeyKind.RSA_2048, SignatureAlgorithmOID.RSA_WITH_SHA256),
        (Digest.SHA384, EC, SignatureAlgorithmOID.ECDSA_WITH_SHA384),
        (Digest.SHA512, EC, SignatureAlgorithmOID.ECDSA_WITH_SHA512),
        (Digest.SHA1, KeyKind.RSA_2048, SignatureAlgorithmOID.RSA_WITH_SHA1),
        (Digest.SHA1, EC, SignatureAlgorithmOID.ECDSA_WITH_SHA1),
        (Digest.MD5, KeyKind.RSA_2048, SignatureAlgorithmOID.RSA_WITH_MD5),
    ],
)
def test_signature_digests(
    digest: Digest, kind: KeyKind, oid: x509.ObjectIdentifier, now: datetime, keys: KeyCache
) -> None:
    authority = root_ca("CA", now=now, key=keys.get("digests", kind))
    names = tuple(f"cucm{number}.steven.lab" for number in range(40))
    for dns in ((), names):  # short and long lengths in DER
        made = authority.issue(CertificateFields(cn="x", dns=dns, digest=digest), key=EC)
        assert made.certificate.signature_algorithm_oid == oid
        assert verifies(made, [authority])
        check_signature(made.certificate, authority)


def check_signature(certificate: x509.Certificate, authority: Credential) -> None:
    algorithm = certificate.signature_hash_algorithm
    assert algorithm is not None
    match authority.key:
        case rsa.RSAPrivateKey() as key:
            key.public_key().verify(
                certificate.signature,
                certificate.tbs_certificate_bytes,
                padding.PKCS1v15(),
                algorithm,
            )
        case ec.EllipticCurvePrivateKey() as key:
            key.public_key().verify(
                certificate.signature, certificate.tbs_certificate_bytes, ec.ECDSA(algorithm)
            )


def test_md5_goes_with_rsa_only(now: datetime) -> None:
    with pytest.raises(LabError, match="md5 with an EC key"):
        self_signed(CertificateFields(cn="x", digest=Digest.MD5), now=now, key=EC)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (CertificateFields(cn="x", ips=("300.1.1.1",)), "300.1.1.1"),
        (CertificateFields(cn="x", dns=("bücher.lab",)), "'CN=x' cannot be made"),
        (CertificateFields(path_length=1), "an empty subject"),
        (CertificateFields(cn="x", key_usage=frozenset({"cooking"})), "unknown key usage cooking"),
    ],
)
def test_what_no_certificate_can_hold(
    fields: CertificateFields, message: str, now: datetime
) -> None:
    with pytest.raises(LabError, match=message) as caught:
        self_signed(fields, now=now, key=EC)
    assert caught.value.hint


@pytest.mark.parametrize("kind", [KeyKind.RSA_1024, KeyKind.EC_P256, KeyKind.EC_P384])
def test_key_kinds(kind: KeyKind) -> None:
    key = new_key(kind)
    if isinstance(key, rsa.RSAPrivateKey):
        assert kind.value == f"RSA {key.key_size}"
    else:
        assert kind.value == f"EC {key.curve.name}"


def test_a_cache_makes_each_key_once() -> None:
    cache = KeyCache()
    first = cache.get("a", EC)
    assert cache.get("a", EC) is first
    assert cache.get("b", EC) is not first
    assert cache.get("a", KeyKind.EC_P384) is not first


def test_written_files_load_and_keys_are_private(tomcat: Credential, tmp_path: Path) -> None:
    (tmp_path / "tomcat.key").write_bytes(b"an older and longer file that anybody may read" * 99)
    files = tomcat.write(tmp_path, "tomcat")
    assert stat.S_IMODE(files.key.stat().st_mode) == 0o600
    assert files.key.read_bytes() == tomcat.key_pem
    assert files.certificate.read_bytes() == tomcat.pem
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.chain, files.key)


def test_writing_into_nowhere_says_where(tomcat: Credential, tmp_path: Path) -> None:
    with pytest.raises(LabError, match="missing"):
        tomcat.write(tmp_path / "missing", "tomcat")


def test_a_certificate_signed_again_changes_nothing_else(ca: Credential) -> None:
    modern = CertificateFields(cn="x", dns=("x.lab",), serial=9)
    key = new_key(EC)
    old = ca.issue(modern, key=key)
    weak = ca.issue(
        CertificateFields(cn="x", dns=("x.lab",), serial=9, digest=Digest.SHA1), key=key
    )
    assert list(weak.certificate.extensions) == list(old.certificate.extensions)
    assert weak.certificate.public_key() == old.certificate.public_key()
    assert weak.certificate.subject == old.certificate.subject
    assert isinstance(weak.certificate.signature_hash_algorithm, hashes.SHA1)
    san = weak.certificate.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME)
    assert not san.critical
