"""A small certificate tool: authorities, leaf and self-signed certificates, broken ones on purpose.

- :class:`CertificateFields` says what stands in a certificate. Its defaults make a sound one; each
  field can be given another value or left out, since a lab needs broken certificates most.
- :class:`Credential` is a certificate with its private key. Any credential can sign, a leaf too:
  that mistake has to be made somewhere.
- The clock is an argument where the first certificate is made; what that one signs follows it.
- RSA keys take long (2048 bits about 40 ms, 4096 ten times that), so a key can be passed in, and a
  :class:`KeyCache` makes each labelled key once, when first asked for. No key is ever shared unless
  asked for: two authorities of one name would otherwise have one key, and that pair is a lesson of
  its own (CSCwa12905).

Example::

    ca = root_ca("steven-DC-CA", now=datetime.now(UTC))
    tomcat = ca.issue(CertificateFields(cn="cucm-ms.steven.lab", dns=("cucm.steven.lab",)))
    tomcat.write(Path("certificates"), "tomcat")
"""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Final, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID

from mralab.errors import LabError
from mralab.lab.legacysign import sign_again

if TYPE_CHECKING:
    from pathlib import Path

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

SERVER_AUTH: Final = ExtendedKeyUsageOID.SERVER_AUTH
CLIENT_AUTH: Final = ExtendedKeyUsageOID.CLIENT_AUTH

#: Validity of what is made without dates: five years for leafs, ten for authorities. Lab defaults.
LEAF_LIFETIME: Final = timedelta(days=5 * 365)
CA_LIFETIME: Final = timedelta(days=10 * 365)
#: How far before the clock validity starts, so that a slow clock elsewhere does no harm.
BACKDATED: Final = timedelta(days=1)


class KeyKind(Enum):
    """Kinds of private keys; the value is how reports write them."""

    RSA_1024 = "RSA 1024"
    RSA_2048 = "RSA 2048"
    RSA_3072 = "RSA 3072"
    RSA_4096 = "RSA 4096"
    EC_P256 = "EC secp256r1"
    EC_P384 = "EC secp384r1"


def new_key(kind: KeyKind) -> PrivateKey:
    """Make a private key."""
    match kind:
        case KeyKind.EC_P256:
            return ec.generate_private_key(ec.SECP256R1())
        case KeyKind.EC_P384:
            return ec.generate_private_key(ec.SECP384R1())
        case _:
            bits = int(kind.value.removeprefix("RSA "))
            return rsa.generate_private_key(public_exponent=65537, key_size=bits)


class Digest(Enum):
    """Digests of a certificate's signature; the value is how OpenSSL writes them."""

    SHA256 = "sha256"
    SHA384 = "sha384"
    SHA512 = "sha512"
    SHA1 = "sha1"
    MD5 = "md5"


_MODERN: Final[dict[Digest, hashes.SHA256 | hashes.SHA384 | hashes.SHA512]] = {
    Digest.SHA256: hashes.SHA256(),
    Digest.SHA384: hashes.SHA384(),
    Digest.SHA512: hashes.SHA512(),
}
_LEGACY: Final[dict[Digest, hashes.SHA1 | hashes.MD5]] = {
    Digest.SHA1: hashes.SHA1(),  # noqa: S303 - old nodes have such certificates
    Digest.MD5: hashes.MD5(),  # noqa: S303 - the same
}


class KeyCache:
    """Private keys by label, each made when first asked for and then the same for good.

    For test sessions and demos that make the same certificates again and again. Safe to use from
    several threads.
    """

    __slots__ = ("_keys",)

    def __init__(self) -> None:
        """Start empty."""
        self._keys: dict[tuple[str, KeyKind], PrivateKey] = {}

    def get(self, label: str, kind: KeyKind = KeyKind.RSA_2048) -> PrivateKey:
        """Return the key of this label and kind."""
        key = self._keys.get((label, kind))
        if key is None:
            # Two threads may both make one; setdefault lets the first win for both.
            key = self._keys.setdefault((label, kind), new_key(kind))
        return key


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFields:
    """What stands in a certificate. ``None`` means the default for its role (leaf or authority)."""

    cn: str = ""  #: common name; "" is none
    subject: x509.Name | None = None  #: the whole subject, instead of ``cn``; may hold several CNs
    dns: tuple[str, ...] = ()  #: dNSName SANs, ASCII, wildcards allowed
    ips: tuple[str, ...] = ()  #: iPAddress SANs, IPv4 or IPv6
    raw_san: bytes | None = None  #: DER of the whole SAN value, instead of ``dns`` and ``ips``
    not_before: datetime | None = None  #: aware; default a day before the clock
    not_after: datetime | None = None  #: aware; default by role after the clock
    serial: int | None = None  #: default a random one
    ca: bool = False  #: an authority: basicConstraints CA, keyCertSign, no extended key usage
    path_length: int | None = None  #: pathLenConstraint of an authority
    basic_constraints: bool = True  #: False leaves the extension out
    key_usage: frozenset[str] | None = None  #: names as in ``x509.KeyUsage``; empty leaves it out
    extended_key_usage: tuple[x509.ObjectIdentifier, ...] | None = None  #: empty leaves it out
    subject_key_id: bytes | bool = (
        True  #: SKI: True as RFC 5280 computes it, bytes as given, False none
    )
    authority_key_id: bytes | bool = (
        True  #: AKI: True is the signer's SKI, bytes as given, False none
    )
    issuer: x509.Name | None = (
        None  #: issuer as written, if it shall differ from the signer's subject
    )
    digest: Digest = Digest.SHA256  #: of the signature; SHA-1 and MD5 can be made too

    @property
    def name(self) -> x509.Name:
        """The subject as it will stand in the certificate."""
        if self.subject is not None:
            return self.subject
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.cn)] if self.cn else [])


@dataclass(frozen=True, slots=True)
class WrittenFiles:
    """Where :meth:`Credential.write` put things."""

    certificate: Path  #: the certificate alone
    chain: Path  #: the certificate and what a server sends with it
    key: Path  #: mode 0600


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A certificate, its private key, and the certificates a server sends along."""

    certificate: x509.Certificate
    key: PrivateKey = field(repr=False)
    chain: tuple[
        x509.Certificate, ...
    ]  #: sent after the certificate, leaf side first; no root by default
    now: datetime  #: the clock it was made by, and the default for what it signs

    @property
    def family(self) -> Literal["RSA", "EC"]:
        """Kind of key: decides which cipher suites can serve the certificate under TLS 1.2."""
        return "RSA" if isinstance(self.key, rsa.RSAPrivateKey) else "EC"

    @property
    def subject(self) -> str:
        """Subject as RFC 4514 text."""
        return self.certificate.subject.rfc4514_string()

    @property
    def self_issued(self) -> bool:
        """Whether subject and issuer are equal."""
        return self.certificate.subject == self.certificate.issuer

    @property
    def der(self) -> bytes:
        """The certificate in DER."""
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> bytes:
        """The certificate in PEM, ending in a line feed."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def chain_pem(self) -> bytes:
        """The certificate and its chain in PEM, leaf first: what a server sends."""
        return b"".join(
            item.public_bytes(serialization.Encoding.PEM)
            for item in (self.certificate, *self.chain)
        )

    @property
    def presented(self) -> tuple[bytes, ...]:
        """The certificate and its chain in DER, leaf first."""
        return tuple(
            item.public_bytes(serialization.Encoding.DER)
            for item in (self.certificate, *self.chain)
        )

    @property
    def key_pem(self) -> bytes:
        """The private key in PEM (PKCS#8, not encrypted)."""
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    def issue(
        self,
        fields: CertificateFields,
        *,
        key: PrivateKey | KeyKind = KeyKind.RSA_2048,
        now: datetime | None = None,
    ) -> Credential:
        """Sign a certificate.

        Args:
            fields: what shall stand in it; ``ca=True`` makes an intermediate authority.
            key: the new certificate's key, or the kind of key to make.
            now: aware clock; default the signer's.

        Returns:
            The new credential. Its chain is the signer and the signer's chain, less a self-signed
            top.

        Raises:
            LabError: a field has no place in a certificate.
        """
        moment = now or self.now
        own_key = new_key(key) if isinstance(key, KeyKind) else key
        chain = () if self.self_issued else (self.certificate, *self.chain)
        certificate = _build(fields, own_key, moment, signer=self)
        return Credential(certificate=certificate, key=own_key, chain=chain, now=moment)

    def sending(self, *chain: Credential) -> Credential:
        """Return the same credential with another chain sent along: none, too much, misordered."""
        return replace(self, chain=tuple(item.certificate for item in chain))

    def write(self, folder: Path, stem: str) -> WrittenFiles:
        """Write ``<stem>.pem``, ``<stem>-chain.pem`` and ``<stem>.key`` (0600) into a folder.

        Args:
            folder: an existing folder.
            stem: first part of the file names.

        Raises:
            LabError: the folder cannot be written to.
        """
        files = WrittenFiles(
            certificate=folder / f"{stem}.pem",
            chain=folder / f"{stem}-chain.pem",
            key=folder / f"{stem}.key",
        )
        try:
            files.certificate.write_bytes(self.pem)
            files.chain.write_bytes(self.chain_pem)
            _write_private(files.key, self.key_pem)
        except OSError as exc:
            raise LabError(
                f"cannot write {stem!r} into {folder}: {exc.strerror}",
                hint="name an existing folder that may be written to",
            ) from exc
        return files


def self_signed(
    fields: CertificateFields,
    *,
    now: datetime,
    key: PrivateKey | KeyKind = KeyKind.RSA_2048,
) -> Credential:
    """Make a certificate signed by its own key.

    Args:
        fields: what shall stand in it.
        now: aware clock.
        key: its key, or the kind of key to make.

    Raises:
        LabError: a field has no place in a certificate.
    """
    own_key = new_key(key) if isinstance(key, KeyKind) else key
    certificate = _build(fields, own_key, now, signer=None)
    return Credential(certificate=certificate, key=own_key, chain=(), now=now)


def root_ca(cn: str, *, now: datetime, key: PrivateKey | KeyKind = KeyKind.RSA_2048) -> Credential:
    """Make a self-signed authority with sound fields; for others use :func:`self_signed`."""
    return self_signed(CertificateFields(cn=cn, ca=True), now=now, key=key)


def _build(
    fields: CertificateFields, key: PrivateKey, now: datetime, *, signer: Credential | None
) -> x509.Certificate:
    """Build and sign; without a signer the certificate signs itself."""
    signing_key = signer.key if signer else key
    issuer = fields.issuer or (signer.certificate.subject if signer else fields.name)
    lifetime = CA_LIFETIME if fields.ca else LEAF_LIFETIME
    try:
        builder = (
            x509.CertificateBuilder()
            .subject_name(fields.name)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(fields.serial or x509.random_serial_number())
            .not_valid_before(fields.not_before or now - BACKDATED)
            .not_valid_after(fields.not_after or now + lifetime)
        )
        for extension, critical in _extensions(fields, key, signing_key, signer):
            builder = builder.add_extension(extension, critical=critical)
        legacy = _LEGACY.get(fields.digest)
        modern = _MODERN.get(fields.digest, _MODERN[Digest.SHA256])
        certificate = builder.sign(signing_key, modern)
        return sign_again(certificate, signing_key, legacy) if legacy else certificate
    except (ValueError, TypeError) as exc:
        subject = fields.name.rfc4514_string() or "an empty subject"
        raise LabError(
            f"certificate for {subject!r} cannot be made: {exc}",
            hint="correct its fields; a raw SAN value may hold what the fields do not allow",
        ) from exc


def _extensions(
    fields: CertificateFields,
    key: PrivateKey,
    signing_key: PrivateKey,
    signer: Credential | None,
) -> list[tuple[x509.ExtensionType, bool]]:
    """Return the extensions with their critical flag, in the order CUCM and OpenSSL write them."""
    extensions: list[tuple[x509.ExtensionType, bool]] = []
    if fields.basic_constraints:
        constraints = x509.BasicConstraints(ca=fields.ca, path_length=fields.path_length)
        extensions.append((constraints, fields.ca))
    usage = _default_key_usage(fields, key) if fields.key_usage is None else fields.key_usage
    if usage:
        extensions.append((_key_usage(usage), True))
    purposes = fields.extended_key_usage
    if purposes is None:
        purposes = () if fields.ca else (SERVER_AUTH, CLIENT_AUTH)
    if purposes:
        extensions.append((x509.ExtendedKeyUsage(purposes), False))
    if fields.subject_key_id is not False:
        extensions.append((_subject_key_id(fields, key), False))
    if fields.authority_key_id is not False:
        extensions.append((_authority_key_id(fields, signing_key, signer), False))
    if fields.raw_san is not None:
        oid = ExtensionOID.SUBJECT_ALTERNATIVE_NAME
        extensions.append((x509.UnrecognizedExtension(oid, fields.raw_san), False))
    elif fields.dns or fields.ips:
        extensions.append((x509.SubjectAlternativeName(_general_names(fields)), False))
    return extensions


def _default_key_usage(fields: CertificateFields, key: PrivateKey) -> frozenset[str]:
    if fields.ca:
        return frozenset({"key_cert_sign", "crl_sign"})
    with_key = "key_encipherment" if isinstance(key, rsa.RSAPrivateKey) else "key_agreement"
    return frozenset({"digital_signature", with_key})


_KEY_USAGES: Final = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


def _key_usage(names: frozenset[str]) -> x509.KeyUsage:
    unknown = names.difference(_KEY_USAGES)
    if unknown:
        raise ValueError(f"unknown key usage {', '.join(sorted(unknown))}")
    return x509.KeyUsage(**{name: name in names for name in _KEY_USAGES})


def _subject_key_id(fields: CertificateFields, key: PrivateKey) -> x509.SubjectKeyIdentifier:
    if isinstance(fields.subject_key_id, bytes):
        return x509.SubjectKeyIdentifier(fields.subject_key_id)
    return x509.SubjectKeyIdentifier.from_public_key(key.public_key())


def _authority_key_id(
    fields: CertificateFields, signing_key: PrivateKey, signer: Credential | None
) -> x509.AuthorityKeyIdentifier:
    if isinstance(fields.authority_key_id, bytes):
        return x509.AuthorityKeyIdentifier(fields.authority_key_id, None, None)
    if signer is None:
        # A self-signed certificate points at itself, with whatever SKI it was given.
        own = _subject_key_id(fields, signing_key)
        return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)
    try:
        found = signer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key())
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(found.value)


def _general_names(fields: CertificateFields) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in fields.dns]
    names.extend(x509.IPAddress(ipaddress.ip_address(text)) for text in fields.ips)
    return names


def _write_private(path: Path, data: bytes) -> None:
    """Write ``data`` so that no other user can ever read it, over an older file too."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, 0o600)
        file.truncate()
        file.write(data)
