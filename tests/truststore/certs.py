"""Certificates built byte by byte, for certificates that no careful tool would make.

Every field can be given as raw DER. Keys are made once per label and test session.
"""

from __future__ import annotations

import ipaddress
import itertools
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from OpenSSL import crypto

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

#: The time these certificates live around; whole seconds, the real clock.
NOW: Final = datetime.now(UTC).replace(microsecond=0)
DAY: Final = timedelta(days=1)

_serials = itertools.count(4096)

ECDSA_SHA256: Final = "1.2.840.10045.4.3.2"
RSA_SHA256: Final = "1.2.840.113549.1.1.11"
RSA_SHA1: Final = "1.2.840.113549.1.1.5"
RSA_MD5: Final = "1.2.840.113549.1.1.4"
RSA_PSS: Final = "1.2.840.113549.1.1.10"
ECDSA_SHA1: Final = "1.2.840.10045.4.1"


def tlv(tag: int, *parts: bytes) -> bytes:
    """Encode one element."""
    body = b"".join(parts)
    length = len(body)
    if length < 0x80:
        return bytes((tag, length)) + body
    size = (length.bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + length.to_bytes(size) + body


def seq(*parts: bytes) -> bytes:
    return tlv(0x30, *parts)


def integer(value: int) -> bytes:
    return tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, signed=True))


def oid(dotted: str) -> bytes:
    first, second, *rest = (int(part) for part in dotted.split("."))
    body = b""
    for number in (first * 40 + second, *rest):
        chunk = bytes((number & 0x7F,))
        while number := number >> 7:
            chunk = bytes((0x80 | number & 0x7F,)) + chunk
        body += chunk
    return tlv(0x06, body)


def attribute(kind: str, value: bytes) -> bytes:
    """Encode one RDN of one attribute; ``value`` is an element."""
    return tlv(0x31, seq(oid(kind), value))


def utf8(text: str) -> bytes:
    return tlv(0x0C, text.encode())


def cn(text: str) -> bytes:
    """Encode a subject of one CN."""
    return seq(attribute("2.5.4.3", utf8(text)))


def utc_time(moment: datetime) -> bytes:
    return tlv(0x17, f"{moment:%y%m%d%H%M%SZ}".encode())


def extension(kind: str, value: bytes, *, critical: bool = False) -> bytes:
    return seq(oid(kind), b"\x01\x01\xff" if critical else b"", tlv(0x04, value))


def san(*names: str) -> bytes:
    """Encode a subjectAltName extension: ``dns`` texts, and addresses as iPAddress."""
    parts = []
    for name in names:
        try:
            parts.append(tlv(0x87, ipaddress.ip_address(name).packed))
        except ValueError:
            parts.append(tlv(0x82, name.encode()))
    return raw_san(*parts)


def raw_san(*general_names: bytes) -> bytes:
    return extension("2.5.29.17", seq(*general_names))


def basic_constraints(*, ca: bool, path_length: int | None = None) -> bytes:
    limit = b"" if path_length is None else integer(path_length)
    return extension("2.5.29.19", seq(b"\x01\x01\xff" if ca else b"", limit), critical=True)


def eku(*purposes: str) -> bytes:
    return extension("2.5.29.37", seq(*(oid(purpose) for purpose in purposes)))


def key_usage(bits: int, unused: int) -> bytes:
    return extension("2.5.29.15", tlv(0x03, bytes((unused, bits))), critical=True)


def public_bytes(key: PrivateKey) -> bytes:
    """Encode a SubjectPublicKeyInfo."""
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def explicit_p256(key: PrivateKey) -> bytes:
    """Encode a P-256 key's SubjectPublicKeyInfo with the curve spelled out instead of named.

    The numbers are those of NIST P-256 (FIPS 186-4, D.1.2.3); the form is RFC 3279 section 2.3.5.
    """
    prime = 2**256 - 2**224 + 2**192 + 2**96 - 1
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    b = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
    generator = bytes.fromhex(
        "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
        "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
    )
    parameters = seq(
        integer(1),
        seq(oid("1.2.840.10045.1.1"), integer(prime)),
        seq(tlv(0x04, (prime - 3).to_bytes(32)), tlv(0x04, b.to_bytes(32))),
        tlv(0x04, generator),
        integer(order),
        integer(1),
    )
    point = public_bytes(key)[-65:]
    return seq(seq(oid("1.2.840.10045.2.1"), parameters), tlv(0x03, b"\0", point))


def key_id(key: PrivateKey) -> bytes:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(public_bytes(key))
    return digest.finalize()[:20]


def skid(key: PrivateKey) -> bytes:
    return extension("2.5.29.14", tlv(0x04, key_id(key)))


def akid(key: PrivateKey) -> bytes:
    return extension("2.5.29.35", seq(tlv(0x80, key_id(key))))


@cache
def ec_key(label: str) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@cache
def rsa_key(bits: int) -> rsa.RSAPrivateKey:
    """Make an RSA key; OpenSSL makes those that ``cryptography`` finds too short."""
    if bits >= 1024:
        return rsa.generate_private_key(public_exponent=65537, key_size=bits)
    key = crypto.PKey()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        key.generate_key(crypto.TYPE_RSA, bits)
    made = key.to_cryptography_key()
    assert isinstance(made, rsa.RSAPrivateKey)
    return made


_SHA1: Final = hashes.SHA1()  # noqa: S303 - what X releases still accept is tested
_MD5: Final = hashes.MD5()  # noqa: S303 - and what they refuse
_SHA256: Final = hashes.SHA256()


def sign(algorithm: str, key: PrivateKey, body: bytes) -> bytes:
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(body, ec.ECDSA(_SHA1 if algorithm == ECDSA_SHA1 else _SHA256))
    if algorithm == RSA_PSS:
        return key.sign(body, padding.PSS(padding.MGF1(_SHA1), 20), _SHA1)
    legacy: dict[str, hashes.HashAlgorithm] = {RSA_SHA1: _SHA1, RSA_MD5: _MD5}
    return key.sign(body, padding.PKCS1v15(), legacy.get(algorithm, _SHA256))


@dataclass(frozen=True)
class Made:
    """A certificate and its key."""

    der: bytes
    key: PrivateKey
    subject: bytes

    @property
    def x509(self) -> crypto.X509:
        return crypto.load_certificate(crypto.FILETYPE_ASN1, self.der)

    @property
    def pem(self) -> bytes:
        return crypto.dump_certificate(crypto.FILETYPE_PEM, self.x509)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @property
    def fingerprint(self) -> str:
        return self.x509.digest("sha256").decode()


def make(
    subject: bytes | str,
    issuer: Made | None = None,
    *,
    key: PrivateKey | None = None,
    extensions: tuple[bytes, ...] = (),
    not_before: bytes | datetime = NOW - DAY,
    not_after: bytes | datetime = NOW + 30 * DAY,
    serial: int | None = None,
    version: int = 2,
    algorithm: str | None = None,
    algorithm_parameters: bytes | None = None,
    signature: bytes | None = None,
    issuer_name: bytes | None = None,
    public_key: bytes | None = None,
) -> Made:
    """Build a certificate; without an issuer it signs itself."""
    name = cn(subject) if isinstance(subject, str) else subject
    own_key = key or ec_key(subject if isinstance(subject, str) else subject.hex())
    signer = issuer.key if issuer else own_key
    is_rsa = isinstance(signer, rsa.RSAPrivateKey)
    algorithm = algorithm or (RSA_SHA256 if is_rsa else ECDSA_SHA256)
    if algorithm_parameters is None:
        algorithm_parameters = b"\x05\x00" if is_rsa else b""
    identifier = seq(oid(algorithm), algorithm_parameters)
    times = [
        utc_time(time) if isinstance(time, datetime) else time for time in (not_before, not_after)
    ]
    body = seq(
        tlv(0xA0, integer(version)) if version else b"",
        integer(next(_serials) if serial is None else serial),
        identifier,
        issuer_name or (issuer.subject if issuer else name),
        seq(*times),
        name,
        public_key or public_bytes(own_key),
        tlv(0xA3, seq(*extensions)) if extensions else b"",
    )
    if signature is None:
        signature = sign(algorithm, signer, body)
    return Made(seq(body, identifier, tlv(0x03, b"\0", signature)), own_key, name)


CA: Final = (basic_constraints(ca=True), key_usage(0x06, 1))


def authority(
    name: str | bytes,
    issuer: Made | None = None,
    *,
    extensions: tuple[bytes, ...] = CA,
    key: PrivateKey | None = None,
    not_before: bytes | datetime = NOW - DAY,
    not_after: bytes | datetime = NOW + 30 * DAY,
) -> Made:
    """Make a CA, self-signed without an issuer."""
    return make(
        name,
        issuer,
        extensions=extensions,
        key=key,
        not_before=not_before,
        not_after=not_after,
    )
