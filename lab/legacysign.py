"""Signing with SHA-1 and MD5, for certificates as old nodes still have them.

The certificate builder in use no longer makes these signatures, yet a lab needs them: SHA-1 passes
on the X releases (it was seen on a tomcat certificate, Cisco 218018) and MD5 does not. So a
certificate that was signed with SHA-256 is opened at one place, its two AlgorithmIdentifiers
(RFC 5280, 4.1.1.2) are replaced, and it is signed again. *Pure*: no I/O here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from mralab.errors import LabError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives import hashes

_SEQUENCE, _BIT_STRING, _LONG_FORM = 0x30, 0x03, 0x80

#: AlgorithmIdentifier by key family and digest: OIDs of RFC 3279, 2.2.1 and 2.2.3.
_ALGORITHMS: dict[tuple[str, str], bytes] = {
    ("RSA", "sha1"): bytes.fromhex("300d06092a864886f70d0101050500"),
    ("RSA", "md5"): bytes.fromhex("300d06092a864886f70d0101040500"),
    ("EC", "sha1"): bytes.fromhex("300906072a8648ce3d0401"),
}


def sign_again(
    certificate: x509.Certificate,
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey,
    digest: hashes.SHA1 | hashes.MD5,
) -> x509.Certificate:
    """Return ``certificate`` with the same contents, signed by ``key`` with a legacy digest.

    Args:
        certificate: signed already, with any digest; nothing but its signature algorithm changes.
        key: the issuer's private key.
        digest: SHA-1, or MD5 with an RSA key.

    Raises:
        LabError: there is no such signature algorithm.
    """
    family = "RSA" if isinstance(key, rsa.RSAPrivateKey) else "EC"
    algorithm = _ALGORITHMS.get((family, digest.name))
    if algorithm is None:
        raise LabError(
            f"no certificate signature of {digest.name} with an {family} key",
            hint="SHA-1 goes with RSA and EC keys, MD5 with RSA keys only",
        )
    body = _with_algorithm(certificate.tbs_certificate_bytes, algorithm)
    if isinstance(key, rsa.RSAPrivateKey):
        signature = key.sign(body, padding.PKCS1v15(), digest)
    else:
        signature = key.sign(body, ec.ECDSA(digest))
    bits = _element(_BIT_STRING, b"\0" + signature)
    return x509.load_der_x509_certificate(_element(_SEQUENCE, body + algorithm + bits))


def _with_algorithm(tbs: bytes, algorithm: bytes) -> bytes:
    """Replace the third element of a v3 TBSCertificate, after [0] version and serial number."""
    position = _contents_start(tbs, 0)
    version_end = _end(tbs, position)
    serial_end = _end(tbs, version_end)
    algorithm_end = _end(tbs, serial_end)
    return _element(_SEQUENCE, tbs[position:serial_end] + algorithm + tbs[algorithm_end:])


def _contents_start(der: bytes, start: int) -> int:
    first = der[start + 1]
    return start + 2 + (first & ~_LONG_FORM if first & _LONG_FORM else 0)


def _end(der: bytes, start: int) -> int:
    contents = _contents_start(der, start)
    first = der[start + 1]
    size = int.from_bytes(der[start + 2 : contents], "big") if first & _LONG_FORM else first
    return contents + size


def _element(tag: int, contents: bytes) -> bytes:
    size = len(contents)
    if size < _LONG_FORM:
        return bytes((tag, size)) + contents
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, _LONG_FORM | len(length))) + length + contents
