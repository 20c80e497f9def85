"""How a chain is built: from the list, from what is sent, and how far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.differential.certificates import (
    CLIENT,
    Certificate,
    aki,
    aki_by_serial,
    cn_of,
    new_key,
    rdn,
    rsa_of,
)
from tests.differential.model import NAME, OK, Case
from tests.differential.place import IS_CA, Place
from tests.differential.vocabulary import (
    EXPIRED,
    FUTURE,
    ISSUER,
    LOCAL_ISSUER,
    NOT_CA,
    NOT_YET,
    PAST,
    PURPOSE,
    SELF_SIGNED,
    SELF_SIGNED_IN_CHAIN,
    SIGNATURE,
    TOO_LONG,
    WEAK_LEAF_KEY,
    Build,
    shown,
)
from tests.differential.world import World
from tests.truststore.certs import DAY, NOW, eku, key_usage, tlv

if TYPE_CHECKING:
    from collections.abc import Callable


def _order(place: Place) -> World:
    root, (low, middle, high) = place.chain(3)
    return World(sent=(place.leaf(low), high, low, middle), trusted=(root,))


def _duplicates(place: Place) -> World:
    root, (ca,) = place.chain(1)
    leaf = place.leaf(ca)
    return World(sent=(leaf, leaf, ca, ca), trusted=(root,))


def _root_sent(place: Place) -> World:
    root, (ca,) = place.chain(1)
    return World(sent=(place.leaf(ca), ca, root), trusted=(root,))


def _unrelated_sent(place: Place) -> World:
    root, (ca,) = place.chain(1)
    other = place.root("Unrelated")
    return World(sent=(place.leaf(ca), other, ca), trusted=(root,))


def _listed_ca_not_sent(place: Place) -> World:
    root, (ca,) = place.chain(1)
    return World(sent=(place.leaf(ca),), trusted=(root, ca))


def _expired_copy_sent(place: Place) -> World:
    root = place.root()
    key = new_key()
    good = place.ca(root, key=key)
    return World(sent=(place.leaf(good), place.ca(root, key=key, **PAST)), trusted=(root, good))


def _good_copy_sent(place: Place) -> World:
    root = place.root()
    key = new_key()
    expired = place.ca(root, key=key, **PAST)
    good = place.ca(root, key=key)
    return World(sent=(place.leaf(good), good), trusted=(root, expired))


def _cross_signed_sent(place: Place) -> World:
    old_root, new_root, key = place.root("Old Root"), place.root("New Root"), new_key()
    listed = place.ca(new_root, key=key)
    sent = place.ca(old_root, key=key)
    return World(sent=(place.leaf(listed), sent), trusted=(new_root, listed))


def _listed_then_sent(place: Place) -> World:
    """The listed intermediate's issuer is sent, its root listed: the sent one is not tried."""
    root = place.root()
    high = place.ca(root, "High")
    low = place.ca(high, "Low")
    return World(sent=(place.leaf(low), high), trusted=(root, low))


def _listed_then_sent_both(place: Place) -> World:
    root = place.root()
    high = place.ca(root, "High")
    low = place.ca(high, "Low")
    return World(sent=(place.leaf(low), low, high), trusted=(root, low))


def _key_id_mismatch(place: Place) -> World:
    root = place.root()
    leaf = place.leaf(root, ids=False, extensions=(aki(b"\1" * 20),))
    return World(sent=(leaf,), trusted=(root,))


def _serial_mismatch(place: Place) -> World:
    root = place.root(serial=77)
    leaf = place.leaf(root, ids=False, extensions=(aki_by_serial(root.subject, 78),))
    return World(sent=(leaf,), trusted=(root,))


def _serial_match(place: Place) -> World:
    root = place.root(serial=77)
    leaf = place.leaf(root, ids=False, extensions=(aki_by_serial(root.subject, 77),))
    return World(sent=(leaf,), trusted=(root,))


def _aki_issuer_mismatch(place: Place) -> World:
    root = place.root(serial=77)
    other = rdn(cn_of("somebody else"))
    leaf = place.leaf(root, ids=False, extensions=(aki_by_serial(other, 77),))
    return World(sent=(leaf,), trusted=(root,))


def _two_roots(*, ids: bool, wrong_first: bool) -> Build:
    def build(place: Place) -> World:
        right, wrong = place.root("Twin", ids=ids), place.root("Twin", ids=ids)
        listed = (wrong, right) if wrong_first else (right, wrong)
        return World(sent=(place.leaf(right, ids=ids),), trusted=listed)

    return build


def _wrong_root_listed_right_sent(place: Place) -> World:
    right, wrong = place.root("Twin", ids=False), place.root("Twin", ids=False)
    return World(sent=(place.leaf(right, ids=False), right), trusted=(wrong,))


def _expired_root_and_valid(*, valid_first: bool) -> Build:
    def build(place: Place) -> World:
        key = new_key()
        valid, expired = place.root("Renewed", key=key), place.root("Renewed", key=key, **PAST)
        listed = (valid, expired) if valid_first else (expired, valid)
        return World(sent=(place.leaf(valid),), trusted=listed)

    return build


def _two_expired_roots(place: Place) -> World:
    key = new_key()
    older = place.root("Gone", key=key, not_before=NOW - 30 * DAY, not_after=NOW - 9 * DAY)
    newer = place.root("Gone", key=key, **PAST)
    return World(sent=(place.leaf(newer),), trusted=(older, newer))


def _expired_ca_and_valid_sent(*, valid_first: bool) -> Build:
    def build(place: Place) -> World:
        root, key = place.root(), new_key()
        valid, expired = place.ca(root, key=key), place.ca(root, key=key, **PAST)
        cas = (valid, expired) if valid_first else (expired, valid)
        return World(sent=(place.leaf(valid), *cas), trusted=(root,))

    return build


def _wrong_key_but_valid_root(place: Place) -> World:
    """The right root is expired, a wrong one of the same name is valid."""
    right = place.root("Twin", ids=False, **PAST)
    wrong = place.root("Twin", ids=False)
    return World(sent=(place.leaf(right, ids=False),), trusted=(right, wrong))


def _two_intermediates(*, unknown_first: bool) -> Build:
    def build(place: Place) -> World:
        known, unknown, key = place.root("Known"), place.root("Unknown"), new_key()
        by_known, by_unknown = place.ca(known, key=key), place.ca(unknown, key=key)
        cas = (by_unknown, by_known) if unknown_first else (by_known, by_unknown)
        return World(sent=(place.leaf(by_known), *cas), trusted=(known,))

    return build


def _only_intermediate_listed(place: Place) -> World:
    _, (ca,) = place.chain(1)
    return World(sent=(place.leaf(ca), ca), trusted=(ca,))


def _only_top_intermediate_listed(place: Place) -> World:
    _, (low, high) = place.chain(2)
    return World(sent=(place.leaf(low), low, high), trusted=(high,))


def _only_leaf_listed(place: Place) -> World:
    leaf = place.leaf(place.root())
    return World(sent=(leaf,), trusted=(leaf,))


def _leaf_and_root_listed(place: Place) -> World:
    root = place.root()
    leaf = place.leaf(root)
    return World(sent=(leaf,), trusted=(leaf, root))


def _leaf_and_root_listed_without_intermediate(place: Place) -> World:
    root, (ca,) = place.chain(1)
    leaf = place.leaf(ca)
    return World(sent=(leaf,), trusted=(leaf, root))


def _listed(leaf: Callable[[Place], Certificate]) -> Build:
    """Let a self-signed leaf be listed."""

    def build(place: Place) -> World:
        made = leaf(place)
        return World(sent=(made,), trusted=(made,))

    return build


def _other_self_signed_listed(*, same_key: bool) -> Build:
    def build(place: Place) -> World:
        key = new_key()
        leaf = place.self_signed(key=key)
        other = place.self_signed(key=key if same_key else None)
        return World(sent=(leaf,), trusted=(other,))

    return build


def _two_self_signed_listed(*, ids: bool, second: bool) -> Build:
    def build(place: Place) -> World:
        first, other = place.self_signed(ids=ids), place.self_signed(ids=ids)
        return World(sent=(other if second else first,), trusted=(first, other))

    return build


def _depth(count: int) -> Build:
    def build(place: Place) -> World:
        root, cas = place.chain(count)
        return World(sent=(place.leaf(cas[0]), *cas), trusted=(root,))

    return build


def _depth_unlisted(count: int) -> Build:
    def build(place: Place) -> World:
        root, cas = place.chain(count)
        return World(sent=(place.leaf(cas[0]), *cas, root))

    return build


def _issuer_spelled(spelling: Callable[[str], bytes], subject: str = "Lab Root") -> Build:
    """Return a leaf that spells its issuer's name in another way."""

    def build(place: Place) -> World:
        root = place.root(subject)
        leaf = place.leaf(root, ids=False, issuer_name=spelling(place.name(subject)))
        return World(sent=(leaf,), trusted=(root,))

    return build


def _self_issued_leaf(*, listed: bool) -> Build:
    """Return a leaf with its issuer's name as its own."""

    def build(place: Place) -> World:
        root = place.root()
        leaf = place.leaf(root, subject=root.subject)
        return World(sent=(leaf,), trusted=(root,) if listed else ())

    return build


_B1, _B2, _B3, _B4 = "2.1 order", "2.2 sent and listed", "2.3 candidates", "2.4 no going back"
_B5, _B6, _B7 = "2.5 partial chains", "2.6 self-signed leafs", "2.7 depth"
_BUILDING: Final = (
    shown("the sent certificates' order is irrelevant", _B1, OK, _order),
    shown("sent duplicates do no harm", _B1, OK, _duplicates),
    shown("a sent root does no harm", _B1, OK, _root_sent),
    shown("a sent unrelated root does no harm", _B1, OK, _unrelated_sent),
    shown("an intermediate is found in the list", _B2, OK, _listed_ca_not_sent),
    shown("a listed copy is preferred to a sent expired one", _B2, OK, _expired_copy_sent),
    shown("a listed expired copy is preferred to a sent one", _B2, f"{EXPIRED}@1", _good_copy_sent),
    shown("a listed copy is preferred to a cross-signed one", _B2, OK, _cross_signed_sent),
    shown(
        "a listed certificate's issuer is not taken from the sent",
        _B2,
        f"{ISSUER}@1",
        _listed_then_sent,
    ),
    shown("nor if the listed one is sent as well", _B2, f"{ISSUER}@1", _listed_then_sent_both),
    shown(
        "an issuer's name in another case is the same name",
        _B3,
        OK,
        _issuer_spelled(lambda name: rdn(cn_of(name.upper()))),
    ),
    shown(
        "an issuer's name with more blanks is the same name",
        _B3,
        OK,
        _issuer_spelled(lambda name: rdn(cn_of(f" {name.replace(' ', '   ')} "))),
    ),
    shown(
        "an issuer's name in another string type is the same name",
        _B3,
        OK,
        _issuer_spelled(lambda name: rdn(cn_of(tlv(0x13, name.encode())))),
    ),
    shown(
        "an issuer's name with another attribute is another name",
        _B3,
        f"{LOCAL_ISSUER}@0",
        _issuer_spelled(lambda name: rdn(cn_of(name), cn_of("x"))),
    ),
    shown(
        "an issuer's name without blanks is another name",
        _B3,
        f"{LOCAL_ISSUER}@0",
        _issuer_spelled(lambda name: rdn(cn_of(name.replace(" ", "")))),
    ),
    shown("a leaf with its issuer's name", _B3, OK, _self_issued_leaf(listed=True)),
    shown(
        "a leaf with its issuer's name, not listed",
        _B3,
        f"{LOCAL_ISSUER}@0",
        _self_issued_leaf(listed=False),
    ),
    shown("a key identifier must fit", _B3, f"{LOCAL_ISSUER}@0", _key_id_mismatch),
    shown("a serial number must fit", _B3, f"{LOCAL_ISSUER}@0", _serial_mismatch),
    shown("a serial number that fits is fine", _B3, OK, _serial_match),
    shown(
        "an issuer in the key identifier must fit", _B3, f"{LOCAL_ISSUER}@0", _aki_issuer_mismatch
    ),
    shown(
        "a valid root is preferred, standing first",
        _B3,
        OK,
        _expired_root_and_valid(valid_first=True),
    ),
    shown(
        "a valid root is preferred, standing second",
        _B3,
        OK,
        _expired_root_and_valid(valid_first=False),
    ),
    shown(
        "of two expired roots the one that lasted longer is taken",
        _B3,
        f"{EXPIRED}@1",
        _two_expired_roots,
    ),
    shown(
        "a valid sent intermediate is preferred, standing first",
        _B3,
        OK,
        _expired_ca_and_valid_sent(valid_first=True),
    ),
    shown(
        "a valid sent intermediate is preferred, standing second",
        _B3,
        OK,
        _expired_ca_and_valid_sent(valid_first=False),
    ),
    shown(
        "of twin roots without identifiers the first is taken, wrong",
        _B4,
        f"{SIGNATURE}@0",
        _two_roots(ids=False, wrong_first=True),
    ),
    shown(
        "of twin roots without identifiers the first is taken, right",
        _B4,
        OK,
        _two_roots(ids=False, wrong_first=False),
    ),
    shown(
        "with identifiers the wrong twin may stand first",
        _B4,
        OK,
        _two_roots(ids=True, wrong_first=True),
    ),
    shown(
        "with identifiers the wrong twin may stand last",
        _B4,
        OK,
        _two_roots(ids=True, wrong_first=False),
    ),
    shown(
        "a wrong listed root hides the right sent one",
        _B4,
        f"{SIGNATURE}@0",
        _wrong_root_listed_right_sent,
    ),
    shown(
        "a wrong valid twin hides the right expired root",
        _B4,
        f"{SIGNATURE}@0",
        _wrong_key_but_valid_root,
    ),
    shown(
        "the intermediate of an unknown root is taken if sent first",
        _B4,
        f"{LOCAL_ISSUER}@1",
        _two_intermediates(unknown_first=True),
    ),
    shown(
        "the intermediate of a known root is taken if sent first",
        _B4,
        OK,
        _two_intermediates(unknown_first=False),
    ),
    shown(
        "only the intermediate listed is too little", _B5, f"{ISSUER}@1", _only_intermediate_listed
    ),
    shown(
        "only the upper of two intermediates listed is too little",
        _B5,
        f"{ISSUER}@2",
        _only_top_intermediate_listed,
    ),
    shown(
        "only the CA-issued leaf listed is too little", _B5, f"{LOCAL_ISSUER}@0", _only_leaf_listed
    ),
    shown("leaf and root listed are enough", _B5, OK, _leaf_and_root_listed),
    shown(
        "leaf and root listed need the intermediate",
        _B5,
        f"{LOCAL_ISSUER}@0",
        _leaf_and_root_listed_without_intermediate,
    ),
    shown("a listed self-signed leaf is accepted", _B6, OK, _listed(lambda p: p.self_signed())),
    shown(
        "a listed self-signed leaf without identifiers too",
        _B6,
        OK,
        _listed(lambda p: p.self_signed(ids=False)),
    ),
    shown(
        "an unlisted self-signed leaf is refused",
        _B6,
        f"{SELF_SIGNED}@0",
        lambda p: World(sent=(p.self_signed(),)),
    ),
    shown(
        "another one of its subject listed does not help",
        _B6,
        f"{SELF_SIGNED}@0",
        _other_self_signed_listed(same_key=False),
    ),
    shown(
        "nor one of its subject and key",
        _B6,
        f"{SELF_SIGNED}@0",
        _other_self_signed_listed(same_key=True),
    ),
    shown(
        "of two listed without identifiers the first is accepted",
        _B6,
        OK,
        _two_self_signed_listed(ids=False, second=False),
    ),
    shown(
        "of two listed without identifiers the second is refused",
        _B6,
        f"{SELF_SIGNED}@0",
        _two_self_signed_listed(ids=False, second=True),
    ),
    shown(
        "of two listed with identifiers the second is accepted",
        _B6,
        OK,
        _two_self_signed_listed(ids=True, second=True),
    ),
    shown(
        "a listed self-signed leaf may be a CA",
        _B6,
        OK,
        _listed(lambda p: p.self_signed(extensions=(IS_CA,))),
    ),
    shown(
        "a listed self-signed leaf may say it is no CA",
        _B6,
        OK,
        _listed(lambda p: p.self_signed(extensions=(NOT_CA,))),
    ),
    shown(
        "a listed self-signed leaf may sign nothing",
        _B6,
        OK,
        _listed(lambda p: p.self_signed(extensions=(key_usage(0x80, 7),))),
    ),
    shown(
        "a listed self-signed leaf of version 1 is accepted by its CN",
        _B6,
        OK,
        _listed(
            lambda p: p.ca(None, extensions=(), ids=False, version=0, subject=rdn(cn_of(p.host)))
        ),
    ),
    shown(
        "a listed self-signed leaf's signature is not checked",
        _B6,
        OK,
        _listed(lambda p: p.self_signed(corrupt=True)),
    ),
    shown(
        "a listed self-signed leaf may be signed with SHA-1",
        _B6,
        OK,
        _listed(lambda p: p.self_signed(digest="sha1")),
    ),
    shown(
        "a listed self-signed leaf may be signed with MD5",
        _B6,
        OK,
        _listed(lambda p: p.self_signed(digest="md5", key=rsa_of(2048))),
    ),
    shown(
        "a listed self-signed leaf must not be expired",
        _B6,
        f"{EXPIRED}@0",
        _listed(lambda p: p.self_signed(**PAST)),
    ),
    shown(
        "a listed self-signed leaf must be valid already",
        _B6,
        f"{NOT_YET}@0",
        _listed(lambda p: p.self_signed(**FUTURE)),
    ),
    shown(
        "a listed self-signed leaf must serve servers",
        _B6,
        f"{PURPOSE}@0",
        _listed(lambda p: p.self_signed(extensions=(eku(CLIENT),))),
    ),
    shown(
        "a listed self-signed leaf must have a long key",
        _B6,
        f"{WEAK_LEAF_KEY}@0",
        _listed(lambda p: p.self_signed(key=rsa_of(1024))),
    ),
    shown(
        "a listed self-signed leaf must have the name",
        _B6,
        NAME,
        _listed(lambda p: p.self_signed(dns=(f"imp.{p.zone}",))),
    ),
    shown("7 intermediates are not too many", _B7, OK, _depth(7)),
    shown("8 intermediates are", _B7, f"{TOO_LONG}@8", _depth(8)),
    shown("9 intermediates are too many at depth 8 too", _B7, f"{TOO_LONG}@8", _depth(9)),
    shown(
        "an unlisted root under 8 intermediates is too long first",
        _B7,
        f"{TOO_LONG}@8",
        _depth_unlisted(8),
    ),
    shown(
        "an unlisted root under 7 intermediates is too long too",
        _B7,
        f"{TOO_LONG}@8",
        _depth_unlisted(7),
    ),
    shown(
        "an unlisted root under 6 intermediates is self-signed",
        _B7,
        f"{SELF_SIGNED_IN_CHAIN}@7",
        _depth_unlisted(6),
    ),
)

BUILDING: Final[tuple[Case, ...]] = _BUILDING
