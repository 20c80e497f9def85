"""Certificates for origins, sound by default, any part replaced by raw DER where a case needs it.

The pieces of DER are those of the trust store's tests. Keys are made here, one per certificate
unless a case passes one in.
"""

from __future__ import annotations

import base64
import itertools
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Final, TypeAlias

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.truststore.certs import (
    DAY,
    NOW,
    attribute,
    extension,
    integer,
    oid,
    rsa_key,
    seq,
    tlv,
    utc_time,
    utf8,
)

Key: TypeAlias = (
    ec.EllipticCurvePrivateKey
    | rsa.RSAPrivateKey
    | ed25519.Ed25519PrivateKey
    | ed448.Ed448PrivateKey
)

SERVER: Final = "1.3.6.1.5.5.7.3.1"
CLIENT: Final = "1.3.6.1.5.5.7.3.2"
ANY_PURPOSE: Final = "2.5.29.37.0"

_serials = itertools.count(0x10_0000)
_NULL: Final = b"\x05\x00"

#: Digest -> hash, the signature algorithm's OID with RSA, with ECDSA.
_DIGESTS: Final[dict[str, tuple[hashes.HashAlgorithm, str, str]]] = {
    "md5": (hashes.MD5(), "1.2.840.113549.1.1.4", ""),  # noqa: S303 - both must refuse it
    "sha1": (hashes.SHA1(), "1.2.840.113549.1.1.5", "1.2.840.10045.4.1"),  # noqa: S303 - likewise
    "sha224": (hashes.SHA224(), "1.2.840.113549.1.1.14", "1.2.840.10045.4.3.1"),
    "sha256": (hashes.SHA256(), "1.2.840.113549.1.1.11", "1.2.840.10045.4.3.2"),
    "sha384": (hashes.SHA384(), "1.2.840.113549.1.1.12", "1.2.840.10045.4.3.3"),
    "sha512": (hashes.SHA512(), "1.2.840.113549.1.1.13", "1.2.840.10045.4.3.4"),
}
_HASH_OIDS: Final = {
    "sha1": "1.3.14.3.2.26",
    "sha256": "2.16.840.1.101.3.4.2.1",
    "sha384": "2.16.840.1.101.3.4.2.2",
    "sha512": "2.16.840.1.101.3.4.2.3",
}


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate, its key, and what names it."""

    der: bytes
    key: Key
    subject: bytes
    serial: int

    @property
    def pem(self) -> str:
        """The certificate in PEM, whatever stands in it."""
        text = base64.encodebytes(self.der).decode("ascii").replace("\n", "")
        lines = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
        return f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n"

    @property
    def key_id(self) -> bytes:
        """The subject key identifier of its key."""
        return key_id(self.key)


def new_key(curve: ec.EllipticCurve | None = None) -> ec.EllipticCurvePrivateKey:
    """Make an EC key, by default on P-256."""
    return ec.generate_private_key(curve or ec.SECP256R1())


@cache
def rsa_of(bits: int) -> rsa.RSAPrivateKey:
    """Return the one RSA key of this size: no case needs two."""
    return rsa_key(bits)


def key_id(key: Key) -> bytes:
    """Return the first 20 bytes of the key's SHA-256: any identifier will do."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    return digest.finalize()[:20]


def rdn(*attributes: bytes) -> bytes:
    """Encode a subject; each attribute is an RDN as ``tests.truststore.certs.attribute`` makes."""
    return seq(*attributes)


def cn_of(value: bytes | str) -> bytes:
    """Encode an RDN with a CN: a text as UTF8String, or a whole element."""
    return attribute("2.5.4.3", utf8(value) if isinstance(value, str) else value)


def ski(value: bytes) -> bytes:
    """Encode a subjectKeyIdentifier extension."""
    return extension("2.5.29.14", tlv(0x04, value))


def aki(value: bytes) -> bytes:
    """Encode an authorityKeyIdentifier extension with a key identifier."""
    return extension("2.5.29.35", seq(tlv(0x80, value)))


def aki_by_serial(issuer_name: bytes, serial: int) -> bytes:
    """Encode an authorityKeyIdentifier extension with the issuer's issuer and serial number."""
    names = tlv(0xA1, tlv(0xA4, issuer_name))
    return extension("2.5.29.35", seq(names, tlv(0x82, integer(serial)[2:])))


def constraints(*, permitted: tuple[str, ...] = (), excluded: tuple[str, ...] = ()) -> bytes:
    """Encode the value of nameConstraints for dNSNames."""
    parts = b""
    for tag, names in ((0xA0, permitted), (0xA1, excluded)):
        if names:
            parts += tlv(tag, *(seq(tlv(0x82, name.encode())) for name in names))
    return seq(parts)


def certificate(
    subject: bytes | str,
    issuer: Certificate | None = None,
    *,
    key: Key | None = None,
    extensions: tuple[bytes, ...] = (),
    not_before: bytes | datetime = NOW - DAY,
    not_after: bytes | datetime = NOW + 30 * DAY,
    serial: int | None = None,
    version: int = 2,
    digest: str = "sha256",
    pss: bool = False,
    issuer_name: bytes | None = None,
    corrupt: bool = False,
    public_key: bytes | None = None,
    outer_identifier: bytes | None = None,
) -> Certificate:
    """Build a certificate; without an issuer it signs itself.

    Args:
        subject: CN, or a whole Name in DER.
        issuer: who signs it.
        key: its key; default: a new one.
        extensions: in order, each a whole element.
        not_before: a time, or a whole element.
        not_after: likewise.
        serial: default: the next one.
        version: as encoded: 2 is version 3, 0 is version 1.
        digest: of the signature.
        pss: sign with RSASSA-PSS.
        issuer_name: issuer as written; default: the signer's subject.
        corrupt: flip a bit of the signature.
        public_key: SubjectPublicKeyInfo as written; default: the key's.
        outer_identifier: AlgorithmIdentifier outside what is signed; default: the one inside.
    """
    name = rdn(cn_of(subject)) if isinstance(subject, str) else subject
    own_key = key or new_key()
    signer = issuer.key if issuer else own_key
    number = next(_serials) if serial is None else serial
    identifier = _identifier(signer, digest, pss=pss)
    times = [
        utc_time(time) if isinstance(time, datetime) else time for time in (not_before, not_after)
    ]
    body = seq(
        tlv(0xA0, integer(version)) if version else b"",
        integer(number),
        identifier,
        issuer_name or (issuer.subject if issuer else name),
        seq(*times),
        name,
        public_key
        or own_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        tlv(0xA3, seq(*extensions)) if extensions else b"",
    )
    signature = bytearray(_sign(signer, body, digest, pss=pss))
    if corrupt:
        signature[-1] ^= 1
    der = seq(body, outer_identifier or identifier, tlv(0x03, b"\0", bytes(signature)))
    return Certificate(der, own_key, name, number)


#: P-256 in numbers: prime, a, b, generator, order (SEC 2, 2.4.2).
_P256: Final = (
    0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF,
    0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFC,
    0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
    0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
)


def explicit_curve(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Encode a P-256 public key with its curve in numbers instead of by name."""
    prime, a, b, x, y, order = _P256
    curve = seq(
        integer(1),
        seq(oid("1.2.840.10045.1.1"), integer(prime)),
        seq(tlv(0x04, a.to_bytes(32)), tlv(0x04, b.to_bytes(32))),
        tlv(0x04, b"\4" + x.to_bytes(32) + y.to_bytes(32)),
        integer(order),
        integer(1),
    )
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return seq(seq(oid("1.2.840.10045.2.1"), curve), tlv(0x03, b"\0" + point))


def _identifier(signer: Key, digest: str, *, pss: bool) -> bytes:
    if isinstance(signer, ed25519.Ed25519PrivateKey):
        return seq(oid("1.3.101.112"))
    if isinstance(signer, ed448.Ed448PrivateKey):
        return seq(oid("1.3.101.113"))
    _, with_rsa, with_ecdsa = _DIGESTS[digest]
    if isinstance(signer, ec.EllipticCurvePrivateKey):
        return seq(oid(with_ecdsa))
    if not pss:
        return seq(oid(with_rsa), _NULL)
    hash_id = seq(oid(_HASH_OIDS[digest]), _NULL)
    mask = seq(oid("1.2.840.113549.1.1.8"), hash_id)
    size = _DIGESTS[digest][0].digest_size
    parameters = seq(tlv(0xA0, hash_id), tlv(0xA1, mask), tlv(0xA2, integer(size)))
    return seq(oid("1.2.840.113549.1.1.10"), parameters)


def _sign(signer: Key, body: bytes, digest: str, *, pss: bool) -> bytes:
    if isinstance(signer, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey):
        return signer.sign(body)
    algorithm = _DIGESTS[digest][0]
    if isinstance(signer, ec.EllipticCurvePrivateKey):
        return signer.sign(body, ec.ECDSA(algorithm))
    if pss:
        return signer.sign(
            body, padding.PSS(padding.MGF1(algorithm), algorithm.digest_size), algorithm
        )
    return signer.sign(body, padding.PKCS1v15(), algorithm)
