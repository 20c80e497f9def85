"""Every known difference between our verdict and OpenSSL's, with its reason.

The run fails if there is another one, or if one of these is gone; the tables of
``docs/reference/conformance.md`` are made of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tests.conformance.verdict import ACCEPTED, Outcome, Verdict, refused


@dataclass(frozen=True, slots=True)
class Difference:
    """One chain that we judge otherwise."""

    case: str
    theirs: Verdict
    ours: Verdict
    reason: str


_EXPIRED: Final = "certificate has expired"
_LOCAL_ISSUER: Final = "unable to get local issuer certificate"
_LAST_SECOND: Final = (
    "judged in the very second of notAfter, in which the OpenSSL that runs here, 4, still accepts"
)
_LEVEL_1: Final = "the column is of level 0; at level 1, which X releases use, 1.1.1 says the same"
_EMPTY_KEY_USAGE: Final = (
    "the root's key usage has no bit set: 1.1.1 reports that it is no CA, 3 and 4 pass over it as "
    "an invalid certificate and find no other"
)
_OTHER_ALGORITHM: Final = (
    "the issuer's RSASSA-PSS key cannot have made the leaf's PKCS #1 v1.5 signature: 1.1.1 finds "
    "that when it checks the signature, 3 and 4 pass over such an issuer and find no other"
)
_ALL_EXPIRED: Final = (
    "all issuers that come into question have expired: 1.1.1 goes on with the one sent last, 3 and "
    "4 with the one that expired last, whose own issuer is missing"
)

AGAINST_3: Final = (
    Difference(
        "rfc5280::validity::notafter-exact", refused(10, 2, _EXPIRED), ACCEPTED, _LAST_SECOND
    ),
    Difference(
        "rfc5280::validity::notafter-fractional", refused(10, 2, _EXPIRED), ACCEPTED, _LAST_SECOND
    ),
    Difference(
        "openssl::verify::ee-ed25519-accept-x25519-ee-cert-issued-by-trusted-ed25519-self-signed-"
        "ca-cert",
        ACCEPTED,
        Verdict(Outcome.TLS_ERROR, text="unknown certificate type"),
        "the chain is good, but an X25519 key cannot sign: TLS refuses such a leaf, as 1.1.1 does",
    ),
)

AGAINST_1_1_1: Final = (
    *AGAINST_3,
    Difference(
        "openssl::verify::ee-cert-ocsp-nocheck-accept-critical-ocsp-no-check",
        refused(34, 0, "unhandled critical extension"),
        ACCEPTED,
        "1.1.1 does not know OCSP no-check as a critical extension; 3 and 4 do",
    ),
    Difference(
        "openssl::verify::ee-cert-768-accept-rsa-768-leaf-at-auth-level-0",
        ACCEPTED,
        refused(66, 0, "EE certificate key too weak"),
        _LEVEL_1,
    ),
    Difference(
        "openssl::verify::ee-cert-768i-accept-rsa-768-intermediate-at-auth-level-0",
        ACCEPTED,
        refused(67, 1, "CA certificate key too weak"),
        _LEVEL_1,
    ),
    Difference(
        "openssl::verify::ee-cert-accept-rsa-768-root-at-auth-level-0",
        ACCEPTED,
        refused(67, 2, "CA certificate key too weak"),
        _LEVEL_1,
    ),
    Difference(
        "openssl::verify::ee-cert-md5-accept-md5-leaf-at-auth-level-0",
        ACCEPTED,
        refused(68, 0, "CA signature digest algorithm too weak"),
        _LEVEL_1,
    ),
    Difference(
        "openssl::verify::ee-cert-accept-md5-intermediate-at-auth-level-0",
        ACCEPTED,
        refused(68, 1, "CA signature digest algorithm too weak"),
        _LEVEL_1,
    ),
    Difference(
        "rfc5280::root-inconsistent-ca-extensions",
        refused(24, 1, "invalid CA certificate"),
        refused(20, 0, _LOCAL_ISSUER),
        _EMPTY_KEY_USAGE,
    ),
    Difference(
        "openssl::verify::ee-pss-wrong1.5-cert-ca-producing-regular-pkcs-1-v1-5-signature-with-psa-"
        "pss-key",
        refused(7, 0, "certificate signature failure"),
        refused(20, 0, _LOCAL_ISSUER),
        _OTHER_ALGORITHM,
    ),
    Difference(
        "bettertls::pathbuilding::tc42",
        refused(10, 2, _EXPIRED),
        refused(20, 1, _LOCAL_ISSUER),
        _ALL_EXPIRED,
    ),
    Difference(
        "bettertls::pathbuilding::tc69",
        refused(10, 5, _EXPIRED),
        refused(20, 6, _LOCAL_ISSUER),
        _ALL_EXPIRED,
    ),
    Difference(
        "bettertls::pathbuilding::tc75",
        refused(10, 5, _EXPIRED),
        refused(20, 6, _LOCAL_ISSUER),
        _ALL_EXPIRED,
    ),
)
