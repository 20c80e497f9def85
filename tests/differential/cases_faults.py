"""Texts and depths, and which of several faults is told first."""

from __future__ import annotations

from typing import Final

from tests.differential.certificates import CLIENT, constraints, rsa_of
from tests.differential.model import NAME, Case
from tests.differential.place import CERT_SIGN, IS_CA, Place
from tests.differential.vocabulary import (
    BAD_NOT_BEFORE,
    CRITICAL,
    EXPIRED,
    FUTURE,
    INVALID_CA,
    LOCAL_ISSUER,
    NOT_CA,
    NOT_YET,
    PAST,
    PURPOSE,
    SELF_SIGNED,
    SELF_SIGNED_IN_CHAIN,
    SIGNATURE,
    TOO_LONG,
    UNKNOWN_CRITICAL,
    WEAK_CA_DIGEST,
    WEAK_CA_KEY,
    WEAK_LEAF_KEY,
    Build,
    Fields,
    by_raw,
    constrained,
    elsewhere,
    several,
    shown,
    time_of,
)
from tests.differential.world import World
from tests.truststore.certs import eku, extension


def _missing_issuer_below(count: int) -> Build:
    def build(place: Place) -> World:
        _, cas = place.chain(count)
        return World(sent=(place.leaf(cas[0]) if cas else place.leaf(place.root()), *cas))

    return build


def _root_sent(count: int, *, leaf: Fields | None = None, namesake_listed: bool = False) -> Build:
    """Return a chain of ``count`` intermediates, its unlisted root sent along."""

    def build(place: Place) -> World:
        root, cas = place.chain(count)
        low = place.leaf(cas[0] if cas else root, **(leaf or {}))
        return World(sent=(low, *cas, root), trusted=(place.root(),) if namesake_listed else ())

    return build


def _too_long_and_expired(place: Place) -> World:
    root, cas = place.chain(8)
    return World(sent=(place.leaf(cas[0], **PAST), *cas), trusted=(root,))


_T: Final = "3 texts and depths"
_TEXTS: Final = (
    shown("nothing known of a leaf alone", _T, f"{LOCAL_ISSUER}@0", _missing_issuer_below(0)),
    shown("nothing known above an intermediate", _T, f"{LOCAL_ISSUER}@1", _missing_issuer_below(1)),
    shown(
        "nothing known above two intermediates", _T, f"{LOCAL_ISSUER}@2", _missing_issuer_below(2)
    ),
    shown(
        "an intermediate is missing though the root is listed",
        _T,
        f"{LOCAL_ISSUER}@0",
        several(sent=False),
    ),
    shown(
        "an unlisted root sent along",
        _T,
        f"{SELF_SIGNED_IN_CHAIN}@1",
        _root_sent(0),
    ),
    shown(
        "an unlisted root sent along above an intermediate",
        _T,
        f"{SELF_SIGNED_IN_CHAIN}@2",
        _root_sent(1),
    ),
    shown(
        "an unlisted root of a listed one's name",
        _T,
        f"{SELF_SIGNED_IN_CHAIN}@1",
        _root_sent(0, namesake_listed=True),
    ),
)


_WRONG_NAME: Final[Fields] = {"dns": ("imp.lab",)}
_F: Final = "4 several faults"
_FAULTS: Final = (
    shown(
        "an unlisted self-signed leaf is that, whatever else is wrong",
        _F,
        f"{SELF_SIGNED}@0",
        lambda p: World(
            sent=(p.self_signed(**PAST, dns=(f"imp.{p.zone}",), extensions=(eku(CLIENT),)),)
        ),
    ),
    shown(
        "a missing issuer before an expired leaf",
        _F,
        f"{LOCAL_ISSUER}@0",
        several(leaf=PAST, sent=False),
    ),
    shown(
        "a missing issuer before a purpose",
        _F,
        f"{LOCAL_ISSUER}@0",
        several(leaf={"extensions": (eku(CLIENT),)}, sent=False),
    ),
    shown(
        "a missing issuer before a name",
        _F,
        f"{LOCAL_ISSUER}@0",
        several(leaf=_WRONG_NAME, sent=False),
    ),
    shown(
        "a leaf's weak key before a missing issuer",
        _F,
        f"{WEAK_LEAF_KEY}@0",
        several(leaf={"key": rsa_of(1024)}, listed=False),
    ),
    shown(
        "an unlisted root before an expired leaf",
        _F,
        f"{SELF_SIGNED_IN_CHAIN}@1",
        _root_sent(0, leaf=PAST),
    ),
    shown(
        "a chain too long before an expired leaf",
        _F,
        f"{TOO_LONG}@8",
        _too_long_and_expired,
    ),
    shown(
        "a critical extension before dates",
        _F,
        f"{CRITICAL}@0",
        several(leaf={**PAST, "extensions": (UNKNOWN_CRITICAL,)}),
    ),
    shown(
        "a purpose before dates",
        _F,
        f"{PURPOSE}@0",
        several(leaf={**PAST, "extensions": (eku(CLIENT),)}),
    ),
    shown(
        "a leaf's purpose before the root's dates",
        _F,
        f"{PURPOSE}@0",
        several(root=PAST, leaf={"extensions": (eku(CLIENT),)}),
    ),
    shown(
        "a critical extension before a purpose",
        _F,
        f"{CRITICAL}@0",
        several(leaf={"extensions": (UNKNOWN_CRITICAL, eku(CLIENT))}),
    ),
    shown(
        "the leaf's purpose before the intermediate's CA flag",
        _F,
        f"{PURPOSE}@0",
        several(ca={"extensions": (NOT_CA,)}, leaf={"extensions": (eku(CLIENT),)}),
    ),
    shown(
        "a CA flag before the same certificate's purpose",
        _F,
        f"{INVALID_CA}@1",
        several(ca={"extensions": (NOT_CA, eku(CLIENT))}),
    ),
    shown(
        "a CA flag before dates",
        _F,
        f"{INVALID_CA}@1",
        several(ca={"extensions": (NOT_CA,), **PAST}),
    ),
    shown(
        "a leaf's weak key before a CA flag",
        _F,
        f"{WEAK_LEAF_KEY}@0",
        several(ca={"extensions": (NOT_CA,)}, leaf={"key": rsa_of(1024)}),
    ),
    shown(
        "a leaf's weak key before a purpose",
        _F,
        f"{WEAK_LEAF_KEY}@0",
        several(leaf={"extensions": (eku(CLIENT),), "key": rsa_of(1024)}),
    ),
    shown(
        "a weak key before dates",
        _F,
        f"{WEAK_LEAF_KEY}@0",
        several(leaf={**PAST, "key": rsa_of(1024)}),
    ),
    shown(
        "a weak digest before dates",
        _F,
        f"{WEAK_CA_DIGEST}@0",
        several(leaf={**PAST, "digest": "sha1"}),
    ),
    shown(
        "a weak digest before a corrupt signature",
        _F,
        f"{WEAK_CA_DIGEST}@0",
        several(leaf={"digest": "sha1", "corrupt": True}),
    ),
    shown(
        "a leaf's weak key before its weak digest",
        _F,
        f"{WEAK_LEAF_KEY}@0",
        several(leaf={"digest": "sha1", "key": rsa_of(1024)}),
    ),
    shown(
        "an expired root before an expired leaf", _F, f"{EXPIRED}@2", several(root=PAST, leaf=PAST)
    ),
    shown(
        "an expired intermediate before an expired leaf",
        _F,
        f"{EXPIRED}@1",
        several(ca=PAST, leaf=PAST),
    ),
    shown(
        "an expired intermediate before a corrupt leaf",
        _F,
        f"{EXPIRED}@1",
        several(ca=PAST, leaf={"corrupt": True}),
    ),
    shown(
        "a corrupt intermediate before an expired leaf",
        _F,
        f"{SIGNATURE}@1",
        several(ca={"corrupt": True}, leaf=PAST),
    ),
    shown(
        "a signature before the same certificate's dates",
        _F,
        f"{SIGNATURE}@0",
        several(leaf={**PAST, "corrupt": True}),
    ),
    shown(
        "an expired root before a corrupt intermediate",
        _F,
        f"{EXPIRED}@2",
        several(root=PAST, ca={"corrupt": True}),
    ),
    shown("dates before a name", _F, f"{EXPIRED}@0", several(leaf={**PAST, **_WRONG_NAME})),
    shown(
        "a signature before a name",
        _F,
        f"{SIGNATURE}@0",
        several(leaf={"corrupt": True, **_WRONG_NAME}),
    ),
    shown(
        "a purpose before a name",
        _F,
        f"{PURPOSE}@0",
        several(leaf={"extensions": (eku(CLIENT),), **_WRONG_NAME}),
    ),
    shown("a root's dates before a name", _F, f"{EXPIRED}@2", several(root=PAST, leaf=_WRONG_NAME)),
    shown(
        "a name hides a violated constraint",
        _F,
        NAME,
        constrained(elsewhere, dns=lambda p: (f"imp.{p.zone}",)),
    ),
    shown(
        "dates before a violated constraint",
        _F,
        f"{EXPIRED}@0",
        several(
            ca={
                "extensions": (
                    IS_CA,
                    CERT_SIGN,
                    extension(
                        "2.5.29.30", constraints(permitted=("elsewhere.lab",)), critical=True
                    ),
                )
            },
            leaf=PAST,
        ),
    ),
    shown(
        "expired and not yet valid: the higher one",
        _F,
        f"{NOT_YET}@1",
        several(ca=FUTURE, leaf=PAST),
    ),
    shown(
        "both dates malformed: notBefore first",
        _F,
        f"{BAD_NOT_BEFORE}@0",
        by_raw(
            several(
                leaf={"not_before": time_of("2401010000Z"), "not_after": time_of("4901010000Z")}
            )
        ),
    ),
    shown(
        "many faults at once, a weak key first",
        _F,
        f"{WEAK_LEAF_KEY}@0",
        several(
            root=PAST,
            ca={**PAST, "extensions": (NOT_CA, UNKNOWN_CRITICAL, eku(CLIENT)), "digest": "sha1"},
            leaf={**PAST, **_WRONG_NAME, "key": rsa_of(1024), "corrupt": True},
        ),
    ),
    shown(
        "many faults at once, a critical extension first",
        _F,
        f"{CRITICAL}@1",
        several(
            root=PAST,
            ca={**PAST, "extensions": (NOT_CA, UNKNOWN_CRITICAL, eku(CLIENT)), "digest": "sha1"},
            leaf={**PAST, **_WRONG_NAME, "corrupt": True},
        ),
    ),
    shown(
        "an intermediate's weak key after a CA flag",
        _F,
        f"{INVALID_CA}@1",
        several(ca={"extensions": (NOT_CA,), "key": rsa_of(1024)}),
    ),
    shown(
        "an intermediate's weak key before dates",
        _F,
        f"{WEAK_CA_KEY}@1",
        several(ca={"key": rsa_of(1024)}, root=PAST),
    ),
    shown(
        "a missing issuer and a name",
        _F,
        f"{LOCAL_ISSUER}@0",
        lambda p: World(sent=(p.leaf(p.root(), dns=("imp.lab",)),)),
    ),
    shown(
        "a self-signed leaf and a name",
        _F,
        f"{SELF_SIGNED}@0",
        lambda p: World(sent=(p.self_signed(dns=("imp.lab",)),)),
    ),
)

FAULTS: Final[tuple[Case, ...]] = (*_TEXTS, *_FAULTS)
