"""What each certificate of a chain must be."""

from __future__ import annotations

from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519
from tests.differential.certificates import (
    ANY_PURPOSE,
    CLIENT,
    SERVER,
    Certificate,
    Key,
    constraints,
    explicit_curve,
    new_key,
    rsa_of,
)
from tests.differential.model import OK, Case
from tests.differential.place import CERT_SIGN, IS_CA, Place
from tests.differential.vocabulary import (
    BAD_NOT_AFTER,
    BAD_NOT_BEFORE,
    CRITICAL,
    CRL_SIGN_ONLY,
    EXCLUDED,
    EXPIRED,
    FUTURE,
    INVALID_CA,
    LOCAL_ISSUER,
    NOT_CA,
    NOT_YET,
    PAST,
    PATH_LENGTH,
    PERMITTED,
    PURPOSE,
    SIGNATURE,
    UNKNOWN,
    UNKNOWN_CRITICAL,
    UNKNOWN_OID,
    WEAK_CA_DIGEST,
    WEAK_CA_KEY,
    WEAK_LEAF_KEY,
    Build,
    Fields,
    by_raw,
    constrained,
    elsewhere,
    host_excluded,
    shown,
    time_of,
    under_ca,
    under_odd_root,
    under_root,
    zone_only,
)
from tests.differential.world import World
from tests.truststore.certs import (
    DAY,
    NOW,
    basic_constraints,
    eku,
    extension,
    key_usage,
    oid,
    seq,
    tlv,
)

_P: Final = "2.8 purpose"
_PURPOSES: Final = (
    shown("an EKU with serverAuth is fine", _P, OK, under_root(eku(SERVER))),
    shown("an EKU with serverAuth and clientAuth is fine", _P, OK, under_root(eku(CLIENT, SERVER))),
    shown(
        "an EKU without serverAuth on the leaf is refused",
        _P,
        f"{PURPOSE}@0",
        under_root(eku(CLIENT)),
    ),
    shown(
        "anyExtendedKeyUsage alone is not enough", _P, f"{PURPOSE}@0", under_root(eku(ANY_PURPOSE))
    ),
    shown("an empty EKU is refused", _P, f"{PURPOSE}@0", under_root(eku())),
    shown(
        "the intermediate's EKU counts", _P, f"{PURPOSE}@1", under_ca(IS_CA, CERT_SIGN, eku(CLIENT))
    ),
    shown(
        "an intermediate's EKU with serverAuth is fine",
        _P,
        OK,
        under_ca(IS_CA, CERT_SIGN, eku(SERVER)),
    ),
    shown(
        "the root's EKU counts", _P, f"{PURPOSE}@1", under_odd_root(IS_CA, CERT_SIGN, eku(CLIENT))
    ),
    shown("a leaf's KU with digitalSignature is fine", _P, OK, under_root(key_usage(0x80, 7))),
    shown(
        "a leaf's KU with keyEncipherment is fine",
        _P,
        OK,
        under_root(key_usage(0x20, 5), key=rsa_of(2048)),
    ),
    shown(
        "a leaf's KU with keyAgreement is enough for the chain",
        _P,
        OK,
        under_root(key_usage(0x08, 3)),
    ),
    shown(
        "a leaf's KU with keyCertSign only is refused",
        _P,
        f"{PURPOSE}@0",
        under_root(key_usage(0x04, 2)),
    ),
    shown(
        "a leaf's KU with dataEncipherment only is refused",
        _P,
        f"{PURPOSE}@0",
        under_root(key_usage(0x10, 4)),
    ),
    shown(
        "nsCertType client on the leaf is refused",
        _P,
        f"{PURPOSE}@0",
        under_root(extension("2.16.840.1.113730.1.1", tlv(0x03, b"\x07\x80"))),
    ),
    shown(
        "nsCertType server on the leaf is fine",
        _P,
        OK,
        under_root(extension("2.16.840.1.113730.1.1", tlv(0x03, b"\x06\x40"))),
    ),
    shown("a leaf may have CA:TRUE", _P, OK, under_root(IS_CA)),
    shown("a leaf may have CA:FALSE", _P, OK, under_root(NOT_CA)),
)

_CA: Final = "2.9 CA flag"


def _leaf_as_ca(place: Place) -> World:
    root = place.root()
    other = place.leaf(root, dns=(f"other.{place.zone}",), subject=place.name("other"))
    return World(sent=(place.leaf(other), other), trusted=(root,))


_CAS: Final = (
    shown(
        "an intermediate's CA:TRUE need not be critical",
        _CA,
        OK,
        under_ca(extension("2.5.29.19", seq(b"\x01\x01\xff")), CERT_SIGN),
    ),
    shown("an intermediate needs no KU", _CA, OK, under_ca(IS_CA)),
    shown(
        "an intermediate with CA:FALSE is refused",
        _CA,
        f"{INVALID_CA}@1",
        under_ca(NOT_CA, CERT_SIGN),
    ),
    shown(
        "an intermediate without basicConstraints is refused",
        _CA,
        f"{INVALID_CA}@1",
        under_ca(extension(UNKNOWN_OID, b"\x05\x00")),
    ),
    shown(
        "keyCertSign does not stand in for the CA flag", _CA, f"{INVALID_CA}@1", under_ca(CERT_SIGN)
    ),
    shown(
        "an intermediate without extensions is refused", _CA, f"{INVALID_CA}@1", under_ca(ids=False)
    ),
    shown(
        "an intermediate of version 1 is refused",
        _CA,
        f"{INVALID_CA}@1",
        under_ca(ids=False, version=0),
    ),
    shown(
        "an intermediate's KU without keyCertSign is refused",
        _CA,
        f"{INVALID_CA}@1",
        under_ca(IS_CA, CRL_SIGN_ONLY),
    ),
    shown("a leaf that signs is no CA", _CA, f"{INVALID_CA}@1", _leaf_as_ca),
    shown(
        "a root with CA:FALSE is refused", _CA, f"{INVALID_CA}@1", under_odd_root(NOT_CA, CERT_SIGN)
    ),
    shown(
        "a root of version 3 without basicConstraints is refused",
        _CA,
        f"{INVALID_CA}@1",
        under_odd_root(extension(UNKNOWN_OID, b"\x05\x00")),
    ),
    shown(
        "a root's KU without keyCertSign is refused",
        _CA,
        f"{INVALID_CA}@1",
        under_odd_root(IS_CA, CRL_SIGN_ONLY),
    ),
    shown("a root of version 1 is accepted", _CA, OK, under_odd_root(ids=False, version=0)),
)


def _path_length(limit: int, below: int, *, on_root: bool) -> Build:
    limited = (basic_constraints(ca=True, path_length=limit), CERT_SIGN)

    def build(place: Place) -> World:
        root = place.root(extensions=limited if on_root else (IS_CA, CERT_SIGN))
        cas: tuple[Certificate, ...] = ()
        issuer = root
        if not on_root:
            issuer = place.ca(root, "Limited", extensions=limited)
            cas = (issuer,)
        for index in range(below):
            issuer = place.ca(issuer, f"CA{index}")
            cas = (issuer, *cas)
        return World(sent=(place.leaf(issuer), *cas), trusted=(root,))

    return build


def _self_issued_below(place: Place) -> World:
    """A self-issued intermediate does not count against the path length."""
    root = place.root(extensions=(basic_constraints(ca=True, path_length=0), CERT_SIGN))
    renewed = place.ca(root, subject=root.subject)
    return World(sent=(place.leaf(renewed), renewed), trusted=(root,))


_X: Final = "2.10 path length and extensions"
_EXTENSIONS: Final = (
    shown("a path length that is kept", _X, OK, _path_length(1, 1, on_root=True)),
    shown(
        "a root's path length is enforced", _X, f"{PATH_LENGTH}@2", _path_length(0, 1, on_root=True)
    ),
    shown(
        "an intermediate's path length is enforced",
        _X,
        f"{PATH_LENGTH}@2",
        _path_length(0, 1, on_root=False),
    ),
    shown(
        "a path length of 1 is broken by two",
        _X,
        f"{PATH_LENGTH}@3",
        _path_length(1, 2, on_root=True),
    ),
    shown("a self-issued CA does not count as path length", _X, OK, _self_issued_below),
    shown(
        "an unknown critical extension on the leaf",
        _X,
        f"{CRITICAL}@0",
        under_root(UNKNOWN_CRITICAL),
    ),
    shown(
        "an unknown critical extension on an intermediate",
        _X,
        f"{CRITICAL}@1",
        under_ca(IS_CA, CERT_SIGN, UNKNOWN_CRITICAL),
    ),
    shown(
        "an unknown critical extension on the root",
        _X,
        f"{CRITICAL}@1",
        under_odd_root(IS_CA, CERT_SIGN, UNKNOWN_CRITICAL),
    ),
    shown("an unknown extension that is not critical", _X, OK, under_root(UNKNOWN)),
    shown(
        "must-staple is not looked at",
        _X,
        OK,
        under_root(extension("1.3.6.1.5.5.7.1.24", seq(b"\x02\x01\x05"))),
    ),
    shown(
        "a CRL pointer is not followed",
        _X,
        OK,
        under_root(
            extension(
                "2.5.29.31", seq(seq(tlv(0xA0, tlv(0xA0, tlv(0x86, b"http://127.0.0.1:9/crl")))))
            )
        ),
    ),
    shown(
        "a critical policies extension is fine",
        _X,
        OK,
        under_root(extension("2.5.29.32", seq(seq(b"\x06\x03\x2a\x03\x04")), critical=True)),
    ),
    shown(
        "a critical SAN is fine",
        _X,
        OK,
        lambda p: World(
            sent=(
                p.leaf(
                    dns=(),
                    extensions=(
                        extension("2.5.29.17", seq(tlv(0x82, p.host.encode())), critical=True),
                    ),
                ),
            )
        ),
    ),
    shown("serial number 0 is fine", _X, OK, under_root(serial=0)),
    shown("a negative serial number is fine", _X, OK, under_root(serial=-5)),
    shown("a serial number of 21 bytes is fine", _X, OK, under_root(serial=1 << 165)),
    shown("a leaf may outlive its CA", _X, OK, under_root(not_after=NOW + 99 * DAY)),
)


def _corrupt(where: str) -> Build:
    def build(place: Place) -> World:
        root = place.root(corrupt=where == "root")
        ca = place.ca(root, corrupt=where == "ca")
        leaf = place.leaf(ca, corrupt=where == "leaf")
        return World(sent=(leaf, ca), trusted=(root,))

    return build


_SIG: Final = "2.11 signatures"
_SIGNATURES: Final = (
    shown("a corrupt signature on the leaf", _SIG, f"{SIGNATURE}@0", _corrupt("leaf")),
    shown("a corrupt signature on an intermediate", _SIG, f"{SIGNATURE}@1", _corrupt("ca")),
    shown("a listed root's signature is not checked", _SIG, OK, _corrupt("root")),
    shown(
        "a listed root may be signed with MD5",
        _SIG,
        OK,
        under_odd_root(IS_CA, CERT_SIGN, digest="md5", key=rsa_of(2048)),
    ),
    shown(
        "a listed root may be signed with SHA-1",
        _SIG,
        OK,
        under_odd_root(IS_CA, CERT_SIGN, digest="sha1"),
    ),
)


def _dated(where: str, **times: Any) -> Build:
    def build(place: Place) -> World:
        def of(what: str) -> Fields:
            return times if what == where else {}

        root = place.root(**of("root"))
        ca = place.ca(root, **of("ca"))
        leaf = place.leaf(ca, **of("leaf"))
        return World(sent=(leaf, ca), trusted=(root,))

    return build


_D: Final = "2.12 dates"
_DATES: Final = (
    shown("an expired leaf", _D, f"{EXPIRED}@0", _dated("leaf", **PAST)),
    shown("an expired intermediate", _D, f"{EXPIRED}@1", _dated("ca", **PAST)),
    shown("an expired root", _D, f"{EXPIRED}@2", _dated("root", **PAST)),
    shown("a leaf of tomorrow", _D, f"{NOT_YET}@0", _dated("leaf", **FUTURE)),
    shown("an intermediate of tomorrow", _D, f"{NOT_YET}@1", _dated("ca", **FUTURE)),
    shown("a root of tomorrow", _D, f"{NOT_YET}@2", _dated("root", **FUTURE)),
    shown(
        "a notAfter without seconds",
        _D,
        f"{BAD_NOT_AFTER}@0",
        by_raw(_dated("leaf", not_after=time_of("4901010000Z"))),
    ),
    shown(
        "a notAfter with an offset",
        _D,
        f"{BAD_NOT_AFTER}@0",
        _dated("leaf", not_after=time_of("490101000000+0100")),
    ),
    shown(
        "a notBefore without seconds",
        _D,
        f"{BAD_NOT_BEFORE}@0",
        by_raw(_dated("leaf", not_before=time_of("2401010000Z"))),
    ),
    shown(
        "a notBefore with an offset",
        _D,
        f"{BAD_NOT_BEFORE}@0",
        _dated("leaf", not_before=time_of("240101000000-0100")),
    ),
    shown(
        "a notAfter with a fraction",
        _D,
        f"{BAD_NOT_AFTER}@0",
        _dated("leaf", not_after=time_of("20490101000000.5Z", 0x18)),
    ),
    shown(
        "a malformed notAfter on the intermediate",
        _D,
        f"{BAD_NOT_AFTER}@1",
        by_raw(_dated("ca", not_after=time_of("4901010000Z"))),
    ),
    shown(
        "GeneralizedTime before 2050 is fine",
        _D,
        OK,
        _dated("leaf", not_after=time_of("20491231235959Z", 0x18)),
    ),
    shown(
        "the year 9999 is fine", _D, OK, _dated("leaf", not_after=time_of("99991231235959Z", 0x18))
    ),
    shown(
        "a UTCTime year of 50 is 1950",
        _D,
        f"{EXPIRED}@0",
        _dated("leaf", not_before=time_of("500101000000Z"), not_after=time_of("510101000000Z")),
    ),
    shown(
        "a notAfter before notBefore, both past, has expired",
        _D,
        f"{EXPIRED}@0",
        _dated("leaf", not_before=NOW - DAY, not_after=NOW - 2 * DAY),
    ),
    shown(
        "a notAfter before notBefore around now is not yet valid",
        _D,
        f"{NOT_YET}@0",
        _dated("leaf", not_before=NOW + DAY, not_after=NOW - DAY),
    ),
)


_NC: Final = "2.13 name constraints"
_CONSTRAINTS: Final = (
    shown("a permitted zone that the name is in", _NC, OK, constrained(zone_only)),
    shown(
        "a permitted zone with a leading dot",
        _NC,
        OK,
        constrained(lambda p: constraints(permitted=(f".{p.zone}",))),
    ),
    shown(
        "a permitted zone that the name is not in", _NC, f"{PERMITTED}@0", constrained(elsewhere)
    ),
    shown("an excluded zone that the name is in", _NC, f"{EXCLUDED}@0", constrained(host_excluded)),
    shown(
        "an excluded zone that the name is not in",
        _NC,
        OK,
        constrained(lambda _: constraints(excluded=("elsewhere.lab",))),
    ),
    shown(
        "a root's constraints count", _NC, f"{PERMITTED}@0", constrained(elsewhere, on_root=True)
    ),
    shown(
        "constraints that are not critical count",
        _NC,
        f"{PERMITTED}@0",
        constrained(elsewhere, critical=False),
    ),
    shown(
        "constraints bind every dNSName",
        _NC,
        f"{PERMITTED}@0",
        constrained(zone_only, dns=lambda p: (p.host, "cucm.elsewhere.lab")),
    ),
    shown(
        "constraints bind the CN without a SAN",
        _NC,
        f"{PERMITTED}@0",
        constrained(elsewhere, dns=lambda _: (), cn=lambda p: p.host),
    ),
    shown(
        "constraints do not bind the CN beside a SAN",
        _NC,
        OK,
        constrained(zone_only, cn=lambda _: "cucm.elsewhere.lab"),
    ),
    shown(
        "an exclusion inside a permission",
        _NC,
        f"{EXCLUDED}@0",
        constrained(lambda p: constraints(permitted=(p.zone,), excluded=(p.host,))),
    ),
    shown(
        "constraints of IP addresses do not bind names",
        _NC,
        OK,
        constrained(lambda _: seq(tlv(0xA0, seq(tlv(0x87, bytes(8)))))),
    ),
)


def _strength(
    where: str,
    *,
    key: Key | None = None,
    digest: str = "sha256",
    pss: bool = False,
    ca_key: Key | None = None,
) -> Build:
    def build(place: Place) -> World:
        def of(what: str) -> Fields:
            return {"digest": digest, "pss": pss} if what == where else {}

        def key_of(what: str) -> Key | None:
            return key if what == where else None

        signer = ca_key if where != "ca" else key
        root = place.root(key=(ca_key if where == "ca" else key_of("root")))
        ca = place.ca(root, key=signer, **of("ca"))
        leaf = place.leaf(ca, key=key_of("leaf"), **of("leaf"))
        return World(sent=(leaf, ca), trusted=(root,))

    return build


_S: Final = "2.14 strength"
_STRENGTH: Final = (
    shown(
        "a SHA-1 signature on the leaf", _S, f"{WEAK_CA_DIGEST}@0", _strength("leaf", digest="sha1")
    ),
    shown(
        "an MD5 signature on the leaf",
        _S,
        f"{WEAK_CA_DIGEST}@0",
        _strength("leaf", digest="md5", ca_key=rsa_of(2048)),
    ),
    shown(
        "a SHA-1 signature on an intermediate",
        _S,
        f"{WEAK_CA_DIGEST}@1",
        _strength("ca", digest="sha1"),
    ),
    shown(
        "a SHA-1 signature by an RSA key",
        _S,
        f"{WEAK_CA_DIGEST}@0",
        _strength("leaf", digest="sha1", ca_key=rsa_of(2048)),
    ),
    shown(
        "an RSA key of 1024 bits on the leaf",
        _S,
        f"{WEAK_LEAF_KEY}@0",
        _strength("leaf", key=rsa_of(1024)),
    ),
    shown(
        "an RSA key of 1536 bits on the leaf",
        _S,
        f"{WEAK_LEAF_KEY}@0",
        _strength("leaf", key=rsa_of(1536)),
    ),
    shown(
        "an RSA key of 1024 bits on an intermediate",
        _S,
        f"{WEAK_CA_KEY}@1",
        _strength("ca", key=rsa_of(1024)),
    ),
    shown(
        "an RSA key of 1024 bits on the root",
        _S,
        f"{WEAK_CA_KEY}@2",
        _strength("root", key=rsa_of(1024)),
    ),
    shown("an RSA key of 2048 bits", _S, OK, _strength("leaf", key=rsa_of(2048))),
    shown("an RSA-PSS signature", _S, OK, _strength("leaf", pss=True, ca_key=rsa_of(2048))),
    shown("a SHA-224 signature", _S, OK, _strength("leaf", digest="sha224")),
    shown("a SHA-384 signature", _S, OK, _strength("leaf", digest="sha384")),
    shown(
        "a SHA-512 signature by an RSA key",
        _S,
        OK,
        _strength("leaf", digest="sha512", ca_key=rsa_of(2048)),
    ),
    shown("a key on P-384", _S, OK, _strength("leaf", key=new_key(ec.SECP384R1()))),
    shown("a key on P-521", _S, OK, _strength("leaf", key=new_key(ec.SECP521R1()))),
    shown("an Ed25519 key", _S, OK, _strength("leaf", key=ed25519.Ed25519PrivateKey.generate())),
    shown("an Ed448 key", _S, OK, _strength("leaf", key=ed448.Ed448PrivateKey.generate())),
    shown("an Ed25519 CA", _S, OK, _strength("leaf", ca_key=ed25519.Ed25519PrivateKey.generate())),
    shown(
        "an EC key of 224 bits on an intermediate is long enough",
        _S,
        OK,
        _strength("ca", key=new_key(ec.SECP224R1())),
    ),
    shown(
        "an EC key of 192 bits on an intermediate is too short",
        _S,
        f"{WEAK_CA_KEY}@1",
        _strength("ca", key=new_key(ec.SECP192R1())),
    ),
)


def _explicit_curve(place: Place) -> World:
    root, key = place.root(), new_key()
    ca = place.ca(root, key=key, public_key=explicit_curve(key))
    return World(sent=(place.leaf(ca), ca), trusted=(root,))


def _two_constraining_cas(place: Place) -> World:
    parts = (
        IS_CA,
        CERT_SIGN,
        extension("2.5.29.30", constraints(permitted=("elsewhere.lab",)), critical=True),
    )
    root = place.root()
    high = place.ca(root, "High", extensions=parts)
    low = place.ca(high, "Low", extensions=parts)
    return World(sent=(place.leaf(low), low, high), trusted=(root,))


_O: Final = "2.9 malformed on purpose"
_ODDITIES: Final = (
    shown(
        "an intermediate's curve in numbers is refused",
        _O,
        "Certificate public key has explicit ECC parameters@1",
        _explicit_curve,
    ),
    shown(
        "a constraint violated under two CAs",
        "2.13 name constraints",
        f"{PERMITTED}@0",
        _two_constraining_cas,
    ),
    shown(
        "a basicConstraints that does not decode spoils an intermediate",
        _O,
        f"{LOCAL_ISSUER}@0",
        under_ca(extension("2.5.29.19", b"\x30\x05\x01"), CERT_SIGN),
    ),
    shown(
        "two basicConstraints spoil an intermediate",
        _O,
        f"{LOCAL_ISSUER}@0",
        under_ca(IS_CA, IS_CA, CERT_SIGN),
    ),
    shown(
        "an EKU that does not decode spoils the leaf",
        _O,
        f"{LOCAL_ISSUER}@0",
        under_root(extension("2.5.29.37", b"\x30\x05\x01")),
    ),
    shown(
        "a KU without any bit spoils the leaf",
        _O,
        f"{LOCAL_ISSUER}@0",
        under_root(extension("2.5.29.15", tlv(0x03, b"\0"))),
    ),
    shown(
        "another algorithm outside than inside",
        _O,
        f"{SIGNATURE}@0",
        under_root(outer_identifier=seq(oid("1.2.840.10045.4.3.3"))),
    ),
    shown(
        "a proxy certificate",
        _O,
        "proxy certificates not allowed, please set the appropriate flag@0",
        under_root(
            extension("1.3.6.1.5.5.7.1.14", seq(seq(oid("1.3.6.1.5.5.7.21.1"))), critical=True),
            dns=(),
        ),
    ),
    shown("a leaf of version 4", _O, OK, under_root(version=3)),
    shown("a leaf of version 1 with extensions", _O, OK, under_root(version=0)),
)

CERTIFICATES: Final[tuple[Case, ...]] = (
    *_PURPOSES,
    *_CAS,
    *_EXTENSIONS,
    *_SIGNATURES,
    *_DATES,
    *_CONSTRAINTS,
    *_STRENGTH,
    *_ODDITIES,
)
