"""Certificate files: what PEM, DER and PKCS#7 bytes hold, in their order.

Rules: a certificate is what OpenSSL accepts as one. Private keys and other PEM blocks are passed
over with a warning, never loaded. Nothing at all (blank, or comments) is an empty list; anything
else that holds no certificate is an error that names the file and says what was expected. No file
is opened here.
"""

from __future__ import annotations

import base64
import binascii
import re
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from OpenSSL import crypto

from mralab.errors import TrustStoreError
from mralab.truststore import der
from mralab.truststore.certificate import (
    CanonicalName,
    canonical_subject,
    certificate_facts,
    common_name,
)

if TYPE_CHECKING:
    from mralab.truststore.verdict import CertificateFacts

_EXPECTED: Final = (
    "expected certificates in PEM (-----BEGIN CERTIFICATE-----), DER or PKCS#7 (.p7b); "
    "convert other forms with openssl first"
)
_BEGIN: Final = b"-----BEGIN "
_BLOCK: Final = re.compile(
    rb"-----BEGIN ([A-Z0-9 #]+)-----[ \t]*\r?\n(.*?)-----END \1-----[ \t]*(?:\r?\n)?", re.DOTALL
)
_CERTIFICATES: Final = frozenset(("CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"))
_PKCS7: Final = frozenset(("PKCS7", "PKCS #7 SIGNED DATA", "CMS"))
#: signedData (RFC 2315 section 14).
_SIGNED_DATA: Final = bytes.fromhex("2a864886f70d010702")
_EXPLICIT_0: Final = 0xA0


@dataclass(frozen=True, slots=True)
class TrustedCertificate:
    """One certificate of a list, with what look-ups and reports need of it."""

    der: bytes  #: as OpenSSL holds it
    facts: CertificateFacts
    subject: CanonicalName  #: what look-ups compare
    common_name: str | None  #: first CN of the subject, if readable
    source: str  #: the file it came from, as given

    def __str__(self) -> str:
        """Name it for a message: its subject, or its serial number if that is empty."""
        return self.facts.subject or f"(empty subject, serial {self.facts.serial})"


@dataclass(frozen=True, slots=True)
class Bundle:
    """What one file holds."""

    certificates: tuple[TrustedCertificate, ...]
    #: For each certificate where its PEM block stands; empty if the file is not a list of them.
    places: tuple[slice, ...]
    warnings: tuple[str, ...]


def trusted_certificate(
    encoded: bytes, source: str, *, where: str | None = None
) -> TrustedCertificate:
    """Make a list entry of one certificate.

    Args:
        encoded: the certificate in DER; what follows it is dropped.
        source: the file it came from.
        where: its place in that file, for the message; default is the file.

    Raises:
        TrustStoreError: OpenSSL does not accept it as a certificate.
    """
    try:
        parsed = crypto.load_certificate(crypto.FILETYPE_ASN1, encoded)
        encoded = crypto.dump_certificate(crypto.FILETYPE_ASN1, parsed)
    except crypto.Error as exc:
        raise TrustStoreError(f"{where or source}: not a certificate", hint=_EXPECTED) from exc
    return TrustedCertificate(
        der=encoded,
        facts=certificate_facts(encoded),
        subject=canonical_subject(encoded),
        common_name=common_name(encoded),
        source=source,
    )


def parse_bundle(content: bytes, source: str) -> Bundle:
    """Read all certificates of a file.

    Args:
        content: the file's bytes.
        source: the file's name, for messages.

    Returns:
        Its certificates in order, duplicates included.

    Raises:
        TrustStoreError: it holds something, but no certificate; or a block of it is damaged.
    """
    if _BEGIN in content:
        return _parse_pem(content, source)
    if all(not line.strip() or line.lstrip().startswith(b"#") for line in content.splitlines()):
        return Bundle((), (), (f"{source}: holds no certificate",))
    try:
        certificate = trusted_certificate(content, source)
    except TrustStoreError:
        return Bundle(_parse_pkcs7(content, source, source), (), ())
    if certificate.der == content:
        return Bundle((certificate,), (), ())
    return Bundle((certificate,), (), (f"{source}: what follows the certificate is ignored",))


def to_pem(certificate: TrustedCertificate) -> bytes:
    """Return a certificate as one PEM block."""
    return ssl.DER_cert_to_PEM_cert(certificate.der).encode("ascii")


def _parse_pem(content: bytes, source: str) -> Bundle:
    blocks = list(_BLOCK.finditer(content))
    if len(blocks) != content.count(_BEGIN):
        raise TrustStoreError(f"{source}: a PEM block does not end as it began", hint=_EXPECTED)
    certificates: list[TrustedCertificate] = []
    places: list[slice] = []
    warnings: list[str] = []
    only_blocks = True
    for number, block in enumerate(blocks, start=1):
        label = block[1].decode("ascii")
        where = f"{source}, block {number}"
        if label in _CERTIFICATES:
            if label.startswith("TRUSTED"):
                warnings.append(f"{where}: OpenSSL's trust settings are ignored")
            encoded = _decode(block[2], where)
            certificates.append(trusted_certificate(encoded, source, where=where))
            places.append(slice(*block.span()))
        elif label in _PKCS7:
            certificates += _parse_pkcs7(_decode(block[2], where), source, where)
            only_blocks = False
        elif label.endswith("PRIVATE KEY"):
            warnings.append(
                f"{where}: a private key is ignored; it does not belong into a trusted CA file"
            )
        else:
            warnings.append(f"{where}: {label} is ignored")
    if not certificates:
        raise TrustStoreError(f"{source}: no certificate among its PEM blocks", hint=_EXPECTED)
    return Bundle(tuple(certificates), tuple(places) if only_blocks else (), tuple(warnings))


def _decode(body: bytes, where: str) -> bytes:
    try:
        return base64.b64decode(b"".join(body.split()), validate=True)
    except binascii.Error as exc:
        raise TrustStoreError(f"{where}: damaged, not base64", hint=_EXPECTED) from exc


def _parse_pkcs7(content: bytes, source: str, where: str) -> tuple[TrustedCertificate, ...]:
    """Read the certificates of a PKCS#7 SignedData message, in the order they stand in.

    Our own reader: the one at hand warns if they are not sorted, and no tool sorts them.

    Source: RFC 2315 sections 7 and 9.1.
    """
    try:
        kind, signed = der.elements(der.only(content, der.SEQUENCE))
        if kind.value != _SIGNED_DATA:
            raise der.DerError("another kind of message")
        parts = der.elements(der.only(der.content(signed, _EXPLICIT_0), der.SEQUENCE))
        found = [part for part in parts if part.tag == _EXPLICIT_0]
        certificates = [entry.raw for part in found for entry in der.elements(part.value)]
    except ValueError as exc:
        raise TrustStoreError(f"{where}: holds no certificate", hint=_EXPECTED) from exc
    return tuple(trusted_certificate(one, source, where=where) for one in certificates)
