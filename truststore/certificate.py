"""What a certificate says of itself: names for comparison, facts for logs and reports.

Rules: everything is read by our own bounded reader, for ``cryptography`` refuses certificates that
OpenSSL and therefore the product accept (odd serial numbers, times, name types). Reading never
raises: what cannot be read is absent or empty. Text is converted as OpenSSL's
``ASN1_STRING_to_UTF8`` does it, and subjects are compared in OpenSSL's canonical form. *Pure*.

Source: RFC 5280 sections 4.1 and 4.2.1.6; OpenSSL's ``a_mbstr.c`` and ``x_name.c`` for the two
conversions (behaviour, seen).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

from mralab.truststore import der
from mralab.truststore.names import CertificateNames, address_text, text_of
from mralab.truststore.verdict import CertificateFacts

#: A distinguished name as OpenSSL compares it: for each RDN its sorted (type, value) pairs.
CanonicalName: TypeAlias = tuple[tuple[tuple[bytes, bytes], ...], ...]

_UNREADABLE_TIME: Final = datetime.min.replace(tzinfo=UTC)

_OID_COMMON_NAME: Final = bytes.fromhex("550403")
_OID_SUBJECT_ALT_NAME: Final = bytes.fromhex("551d11")
_OID_SHA1: Final = "1.3.14.3.2.26"
_OID_PSS: Final = "1.2.840.113549.1.1.10"

_EXPLICIT_0: Final = 0xA0
_EXTENSIONS: Final = 0xA3
_GENERALIZED_TIME: Final = 0x18
_UTF8: Final = 0x0C
_BMP: Final = 0x1E
_UNIVERSAL: Final = 0x1C
#: Numeric, Printable, Teletex, IA5 string, both times, visible string: one byte is one character.
_ONE_BYTE_TEXTS: Final = frozenset((0x12, 0x13, 0x14, 0x16, 0x17, 0x18, 0x1A))
#: Types whose case and blanks OpenSSL ignores when it compares names.
_CANONICAL_TEXTS: Final = frozenset((_UTF8, _BMP, _UNIVERSAL, 0x13, 0x14, 0x16, 0x1A))
_BLANKS: Final = " \t\n\v\f\r"
_HIGH_SURROGATE, _LAST_SURROGATE = 0xD8, 0xDF

_GENERAL_NAMES: Final = {0x81: "email", 0x82: "DNS", 0x86: "URI", 0x87: "IP", 0x88: "RID"}
_DNS_NAME: Final = 0x82
_IP_ADDRESS: Final = 0x87

_ATTRIBUTES: Final = {
    "2.5.4.3": "CN",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.9": "STREET",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "0.9.2342.19200300.100.1.1": "UID",
    "0.9.2342.19200300.100.1.25": "DC",
    "1.2.840.113549.1.9.1": "emailAddress",
    "2.5.4.5": "serialNumber",
}
_SIGNATURES: Final = {
    "1.2.840.113549.1.1.2": "md2WithRSAEncryption",
    "1.2.840.113549.1.1.4": "md5WithRSAEncryption",
    "1.2.840.113549.1.1.5": "sha1WithRSAEncryption",
    "1.3.14.3.2.29": "sha1WithRSA",
    _OID_PSS: "rsassaPss",
    "1.2.840.113549.1.1.11": "sha256WithRSAEncryption",
    "1.2.840.113549.1.1.12": "sha384WithRSAEncryption",
    "1.2.840.113549.1.1.13": "sha512WithRSAEncryption",
    "1.2.840.113549.1.1.14": "sha224WithRSAEncryption",
    "1.2.840.10040.4.3": "dsaWithSHA1",
    "1.2.840.10045.4.1": "ecdsa-with-SHA1",
    "1.2.840.10045.4.3.1": "ecdsa-with-SHA224",
    "1.2.840.10045.4.3.2": "ecdsa-with-SHA256",
    "1.2.840.10045.4.3.3": "ecdsa-with-SHA384",
    "1.2.840.10045.4.3.4": "ecdsa-with-SHA512",
    "1.3.101.112": "ED25519",
    "1.3.101.113": "ED448",
}
_SHA1_SIGNATURES: Final = frozenset(
    oid for oid, name in _SIGNATURES.items() if "sha1" in name.lower()
)
_RSA_KEYS: Final = {"1.2.840.113549.1.1.1": "RSA", _OID_PSS: "RSA-PSS"}
_OID_EC_KEY: Final = "1.2.840.10045.2.1"
_OTHER_KEYS: Final = {
    "1.3.101.112": "ED25519",
    "1.3.101.113": "ED448",
    "1.2.840.10040.4.1": "DSA",
}
_CURVES: Final = {
    "1.2.840.10045.3.1.7": "secp256r1",
    "1.3.132.0.10": "secp256k1",
    "1.3.132.0.33": "secp224r1",
    "1.3.132.0.34": "secp384r1",
    "1.3.132.0.35": "secp521r1",
}

_CLOCK: Final = (
    r"(?P<month>\d\d)(?P<day>\d\d)(?P<hour>\d\d)(?P<minute>\d\d)"
    r"(?P<second>\d\d)?(?:\.\d+)?(?:Z|(?P<sign>[+-])(?P<hours>\d\d)(?P<minutes>\d\d))?"
)
_SHORT_TIME: Final = re.compile(r"(?P<year>\d\d)" + _CLOCK, re.ASCII)
_LONG_TIME: Final = re.compile(r"(?P<year>\d{4})" + _CLOCK, re.ASCII)
#: Two-digit years below this are of the 21st century (RFC 5280 section 4.1.2.5.1).
_PIVOT_YEAR: Final = 50
_RFC4514_SPECIAL: Final = re.compile(r'^[ #]|[,+"\\<>;]| $')


@dataclass(frozen=True, slots=True)
class _Fields:
    """The parts of a certificate, each as the content bytes of its element."""

    serial: bytes
    issuer: bytes
    validity: bytes
    subject: bytes
    key: bytes
    extensions: bytes | None
    signature: bytes  #: the outer AlgorithmIdentifier, which names what is verified


def names_of(certificate: bytes) -> CertificateNames:
    """Read the names that a certificate offers for comparison.

    Args:
        certificate: the certificate in DER.

    Returns:
        Its names; none at all if these bytes are no certificate. As in OpenSSL, a subjectAltName
        extension that does not decode, or a second one, makes them all as if absent.
    """
    try:
        fields = _split(certificate)
    except der.DerError:
        return CertificateNames()
    alternatives = _alternative_names(fields)
    first_cn, unconvertible = _first_common_name(fields.subject)
    return CertificateNames(
        dns=tuple(value for tag, value in alternatives or () if tag == _DNS_NAME),
        ips=tuple(value for tag, value in alternatives or () if tag == _IP_ADDRESS),
        first_cn=first_cn,
        cn_unconvertible=unconvertible,
        has_san=alternatives is not None,
    )


def certificate_facts(certificate: bytes) -> CertificateFacts:
    """Read what logs and reports tell of a certificate.

    Args:
        certificate: the certificate in DER.

    Returns:
        Its facts. A part that cannot be read is an empty text, a time that cannot be read is the
        first of January of the year 1; bytes that are no certificate give their SHA-256 only.
    """
    sha256 = hashlib.sha256(certificate).hexdigest().upper()
    fingerprint = ":".join(re.findall("..", sha256))
    try:
        fields = _split(certificate)
    except der.DerError:
        return CertificateFacts(
            subject="",
            issuer="",
            serial="",
            not_before=_UNREADABLE_TIME,
            not_after=_UNREADABLE_TIME,
            sans=(),
            key="",
            signature="",
            sha256=fingerprint,
            self_issued=False,
        )
    not_before, not_after = _validity(fields.validity)
    return CertificateFacts(
        subject=_name_text(fields.subject),
        issuer=_name_text(fields.issuer),
        serial=_serial_text(fields.serial),
        not_before=not_before,
        not_after=not_after,
        sans=tuple(_general_name_text(*name) for name in _alternative_names(fields) or ()),
        key=_key_text(fields.key),
        signature=_signature_text(fields.signature),
        sha256=fingerprint,
        self_issued=_canonical(fields.subject) == _canonical(fields.issuer),
    )


def canonical_subject(certificate: bytes) -> CanonicalName:
    """Return a certificate's subject in the form in which OpenSSL compares names.

    Two subjects are the same to OpenSSL exactly if these are equal: case, outer and repeated blanks
    and the string type do not matter. Bytes that are no certificate have the empty subject.

    Source: ``x509_name_canon`` of OpenSSL 1.1.1 to 4 (behaviour, seen).
    """
    try:
        return _canonical(_split(certificate).subject)
    except der.DerError:
        return ()


def common_name(certificate: bytes) -> str | None:
    """Return the first CN of a certificate's subject, None if there is none that is readable."""
    return names_of(certificate).first_cn


def signed_with_sha1(certificate: bytes) -> bool:
    """Tell whether a certificate's signature is made over a SHA-1 digest.

    OpenSSL 1.1.1 takes such a signature at security level 1; later versions do not.
    """
    try:
        oid, parameters = _algorithm(_split(certificate).signature)
        if oid != _OID_PSS:
            return oid in _SHA1_SIGNATURES
        return _pss_digest(parameters) == _OID_SHA1
    except der.DerError:
        return False


def _split(certificate: bytes) -> _Fields:
    outer = der.elements(der.only(certificate, der.SEQUENCE))
    if len(outer) != 3:  # noqa: PLR2004 - body, algorithm, signature
        raise der.DerError("a certificate has three parts")
    body = der.elements(der.content(outer[0], der.SEQUENCE))
    if body and body[0].tag == _EXPLICIT_0:
        del body[0]
    if len(body) < 6:  # noqa: PLR2004 - serial, algorithm, issuer, validity, subject, key
        raise der.DerError("a certificate's body has six parts at least")
    return _Fields(
        serial=der.content(body[0], der.INTEGER),
        issuer=der.content(body[2], der.SEQUENCE),
        validity=der.content(body[3], der.SEQUENCE),
        subject=der.content(body[4], der.SEQUENCE),
        key=der.content(body[5], der.SEQUENCE),
        extensions=next((part.value for part in body[6:] if part.tag == _EXTENSIONS), None),
        signature=der.content(outer[1], der.SEQUENCE),
    )


def _algorithm(identifier: bytes) -> tuple[str, list[der.Element]]:
    """Split an AlgorithmIdentifier's content into dotted identifier and parameters."""
    parts = der.elements(identifier)
    if not parts:
        raise der.DerError("an algorithm without an identifier")
    return der.dotted(der.content(parts[0], der.OID)), parts[1:]


def _pss_digest(parameters: list[der.Element]) -> str:
    """Return the digest of RSASSA-PSS parameters; left out, it is SHA-1 (RFC 4055)."""
    if parameters:
        for part in der.elements(der.content(parameters[0], der.SEQUENCE)):
            if part.tag == _EXPLICIT_0:
                return _algorithm(der.only(part.value, der.SEQUENCE))[0]
    return _OID_SHA1


def _alternative_names(fields: _Fields) -> list[tuple[int, bytes]] | None:
    """Return tag and content of each general name; None if there is no readable extension."""
    if fields.extensions is None:
        return None
    try:
        values = [
            der.content(parts[-1], der.OCTET_STRING)
            for extension in der.elements(der.only(fields.extensions, der.SEQUENCE))
            if (parts := der.elements(der.content(extension, der.SEQUENCE)))
            and parts[0].value == _OID_SUBJECT_ALT_NAME
        ]
        if len(values) != 1:
            return None
        return [(name.tag, name.value) for name in der.elements(der.only(values[0], der.SEQUENCE))]
    except der.DerError:
        return None


def _attributes(name: bytes) -> list[list[tuple[bytes, der.Element]]]:
    """Split a Name's content into RDNs of (type, value element)."""
    rdns = []
    for rdn in der.elements(name):
        pairs = []
        for attribute in der.elements(der.content(rdn, der.SET)):
            parts = der.elements(der.content(attribute, der.SEQUENCE))
            if len(parts) != 2:  # noqa: PLR2004 - type and value
                raise der.DerError("an attribute is a type and a value")
            pairs.append((der.content(parts[0], der.OID), parts[1]))
        rdns.append(pairs)
    return rdns


def _text(element: der.Element) -> str | None:
    """Convert a string as OpenSSL does; None for a type or value that it refuses to convert."""
    tag, value, _ = element
    if tag in _ONE_BYTE_TEXTS:
        return value.decode("latin-1")
    try:
        if tag == _UTF8:
            return value.decode("utf-8")
        if tag == _UNIVERSAL:
            return value.decode("utf-32-be")
        if tag == _BMP and not any(
            _HIGH_SURROGATE <= byte <= _LAST_SURROGATE for byte in value[::2]
        ):
            return value.decode("utf-16-be")
    except UnicodeDecodeError:
        return None
    return None


def _first_common_name(subject: bytes) -> tuple[str | None, bool]:
    """Return the first CN and whether there is one that cannot be converted."""
    try:
        for rdn in _attributes(subject):
            for oid, value in rdn:
                if oid == _OID_COMMON_NAME:
                    text = _text(value)
                    return text, text is None
    except der.DerError:
        return None, False
    return None, False


def _canonical(name: bytes) -> CanonicalName:
    try:
        return tuple(
            tuple(sorted((oid, _canonical_value(value)) for oid, value in rdn))
            for rdn in _attributes(name)
        )
    except der.DerError:
        return ()


def _canonical_value(value: der.Element) -> bytes:
    text = _text(value) if value.tag in _CANONICAL_TEXTS else None
    if text is None:
        return value.raw
    words = re.sub(f"[{_BLANKS}]+", " ", text.strip(_BLANKS))
    return bytes((_UTF8,)) + words.encode().lower()


def _name_text(name: bytes) -> str:
    """Render a Name's content as RFC 4514 text; empty if it cannot be read."""
    try:
        return ",".join(
            "+".join(_attribute_text(oid, value) for oid, value in rdn)
            for rdn in reversed(_attributes(name))
        )
    except der.DerError:
        return ""


def _attribute_text(oid: bytes, value: der.Element) -> str:
    kind = der.dotted(oid)
    text = _text(value)
    if text is None or kind not in _ATTRIBUTES:
        return f"{_ATTRIBUTES.get(kind, kind)}=#{value.raw.hex()}"
    text = _RFC4514_SPECIAL.sub(lambda match: f"\\{match[0]}", text)
    if not text.isprintable():
        text = "".join(char if char.isprintable() else _hex_pairs(char) for char in text)
    return f"{_ATTRIBUTES[kind]}={text}"


def _hex_pairs(char: str) -> str:
    """Escape what a terminal or a log would act on, byte by byte as RFC 4514 has it."""
    return "".join(f"\\{byte:02X}" for byte in char.encode())


def _serial_text(serial: bytes) -> str:
    number = int.from_bytes(serial, signed=True)
    digits = f"{abs(number):X}"
    return f"{'-' if number < 0 else ''}{'0' * (len(digits) % 2)}{digits}"


def _validity(validity: bytes) -> tuple[datetime, datetime]:
    try:
        times = [_time(element) for element in der.elements(validity)]
    except der.DerError:
        times = []
    times += [_UNREADABLE_TIME, _UNREADABLE_TIME]
    return times[0], times[1]


def _time(element: der.Element) -> datetime:
    """Read a time, also in forms that OpenSSL refuses: without seconds, with an offset."""
    is_long = element.tag == _GENERALIZED_TIME
    match = (_LONG_TIME if is_long else _SHORT_TIME).fullmatch(element.value.decode("latin-1"))
    if match is None:
        return _UNREADABLE_TIME
    year = int(match["year"])
    if not is_long:
        year += 2000 if year < _PIVOT_YEAR else 1900
    try:
        local = datetime(
            year,
            int(match["month"]),
            int(match["day"]),
            int(match["hour"]),
            int(match["minute"]),
            int(match["second"] or 0),
            tzinfo=UTC,
        )
        offset = timedelta(hours=int(match["hours"] or 0), minutes=int(match["minutes"] or 0))
        return local + offset if match["sign"] == "-" else local - offset
    except (ValueError, OverflowError):
        return _UNREADABLE_TIME


def _general_name_text(tag: int, value: bytes) -> str:
    if tag == _IP_ADDRESS:
        return f"IP:{address_text(value)}"
    kind = _GENERAL_NAMES.get(tag)
    if kind is None or kind == "RID":
        return f"{kind or 'other'}:#{value.hex()}"
    return f"{kind}:{text_of(value)}"


def _key_text(key: bytes) -> str:
    try:
        parts = der.elements(key)
        oid, parameters = _algorithm(der.content(parts[0], der.SEQUENCE))
        if oid in _RSA_KEYS:
            numbers = der.elements(
                der.only(der.bits(der.content(parts[1], der.BIT_STRING)), der.SEQUENCE)
            )
            modulus = int.from_bytes(der.content(numbers[0], der.INTEGER))
            return f"{_RSA_KEYS[oid]} {modulus.bit_length()}"
        if oid == _OID_EC_KEY:
            if parameters[0].tag == der.SEQUENCE:
                return "EC explicit curve"
            curve = der.dotted(der.content(parameters[0], der.OID))
            return f"EC {_CURVES.get(curve, curve)}"
        return _OTHER_KEYS.get(oid, oid)
    except (der.DerError, IndexError):
        return ""


def _signature_text(signature: bytes) -> str:
    try:
        oid, _ = _algorithm(signature)
    except der.DerError:
        return ""
    return _SIGNATURES.get(oid, oid)
