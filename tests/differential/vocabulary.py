"""Words for the tables of cases: OpenSSL's texts, odd extensions, and builders of worlds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, TypeAlias

from tests.differential.certificates import Key, constraints
from tests.differential.model import Case
from tests.differential.place import CERT_SIGN, IS_CA, Place
from tests.differential.world import Script, World
from tests.truststore.certs import DAY, NOW, basic_constraints, extension, key_usage, tlv

#: Arguments of ``certificates.certificate`` and of the place's makers.
Fields: TypeAlias = dict[str, Any]
Build: TypeAlias = Callable[[Place], World]

LOCAL_ISSUER: Final = "unable to get local issuer certificate"
ISSUER: Final = "unable to get issuer certificate"
SELF_SIGNED: Final = "self-signed certificate"
SELF_SIGNED_IN_CHAIN: Final = "self-signed certificate in certificate chain"
EXPIRED: Final = "certificate has expired"
NOT_YET: Final = "certificate is not yet valid"
SIGNATURE: Final = "certificate signature failure"
PURPOSE: Final = "unsuitable certificate purpose"
CRITICAL: Final = "unhandled critical extension"
INVALID_CA: Final = "invalid CA certificate"
PATH_LENGTH: Final = "path length constraint exceeded"
WEAK_CA_DIGEST: Final = "CA signature digest algorithm too weak"
WEAK_CA_KEY: Final = "CA certificate key too weak"
WEAK_LEAF_KEY: Final = "EE certificate key too weak"
TOO_LONG: Final = "certificate chain too long"
PERMITTED: Final = "permitted subtree violation"
EXCLUDED: Final = "excluded subtree violation"
BAD_NOT_AFTER: Final = "format error in certificate's notAfter field"
BAD_NOT_BEFORE: Final = "format error in certificate's notBefore field"

PAST: Final[Fields] = {"not_before": NOW - 30 * DAY, "not_after": NOW - DAY}
FUTURE: Final[Fields] = {"not_before": NOW + DAY, "not_after": NOW + 30 * DAY}

UNKNOWN_OID: Final = "1.3.6.1.4.1.99999.1"
UNKNOWN: Final = extension(UNKNOWN_OID, b"\x05\x00")
UNKNOWN_CRITICAL: Final = extension(UNKNOWN_OID, b"\x05\x00", critical=True)
NOT_CA: Final = basic_constraints(ca=False)
CRL_SIGN_ONLY: Final = key_usage(0x02, 1)


def shown(
    sentence: str,
    section: str,
    expect: str,
    build: Build,
) -> Case:
    """Make a case; a shorter word for a table."""
    return Case(sentence, section, expect, build)


def under_root(*extensions: bytes, key: Key | None = None, **fields: Any) -> Build:
    """Return a leaf with ``extensions`` straight under a listed root."""

    def build(place: Place) -> World:
        root = place.root()
        leaf = place.leaf(root, extensions=extensions, key=key, **fields)
        return World(sent=(leaf,), trusted=(root,))

    return build


def under_ca(*extensions: bytes, **fields: Any) -> Build:
    """Return a sound leaf under an intermediate with exactly ``extensions``."""

    def build(place: Place) -> World:
        root = place.root()
        ca = place.ca(root, extensions=extensions, **fields)
        return World(sent=(place.leaf(ca), ca), trusted=(root,))

    return build


def under_odd_root(*extensions: bytes, **fields: Any) -> Build:
    """Return a sound leaf under a listed root with exactly ``extensions``."""

    def build(place: Place) -> World:
        root = place.root(extensions=extensions, **fields)
        return World(sent=(place.leaf(root),), trusted=(root,))

    return build


def several(
    *,
    root: Fields | None = None,
    ca: Fields | None = None,
    leaf: Fields | None = None,
    listed: bool = True,
    sent: bool = True,
) -> Build:
    """Return root, intermediate and leaf, each with its faults.

    ``listed``: the root is; ``sent``: the intermediate is.
    """

    def build(place: Place) -> World:
        top = place.root(**(root or {}))
        middle = place.ca(top, **(ca or {}))
        low = place.leaf(middle, **(leaf or {}))
        return World(sent=(low, middle) if sent else (low,), trusted=(top,) if listed else ())

    return build


def by_raw(build: Build) -> Build:
    """Show certificates that the origins' OpenSSL cannot decode."""
    return lambda place: replace(build(place), scripts=(Script(raw=True),))


def time_of(text: str, tag: int = 0x17) -> bytes:
    return tlv(tag, text.encode())


def constrained(
    value: Callable[[Place], bytes],
    *,
    on_root: bool = False,
    critical: bool = True,
    dns: Callable[[Place], tuple[str, ...]] | None = None,
    cn: Callable[[Place], str] | None = None,
) -> Build:
    def build(place: Place) -> World:
        extra = extension("2.5.29.30", value(place), critical=critical)
        parts = (IS_CA, CERT_SIGN)
        root = place.root(extensions=(*parts, extra) if on_root else parts)
        ca = place.ca(root, extensions=parts if on_root else (*parts, extra))
        leaf = place.leaf(
            ca,
            dns=None if dns is None else dns(place),
            subject=None if cn is None else cn(place),
        )
        return World(sent=(leaf, ca), trusted=(root,))

    return build


def zone_only(place: Place) -> bytes:
    return constraints(permitted=(place.zone,))


def elsewhere(_: Place) -> bytes:
    return constraints(permitted=("elsewhere.lab",))


def host_excluded(place: Place) -> bytes:
    return constraints(excluded=(place.zone,))
