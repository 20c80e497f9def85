"""What is wrong between the parts of an estate that are each right.

Rules: looks at an :class:`~mralab.config.estate.Estate` however it came about, read from a file or
put together in code, and names every fault at once by its place: names of tables and keys as in
the file, places in arrays from 0. Single values are the reader's business. *Pure*.
"""

from __future__ import annotations

import difflib
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, Literal

from mralab.config.estate import (
    AuthorityPlan,
    CertificateKind,
    DigestChoice,
    DiscoveryKind,
    NodeRole,
)
from mralab.config.estatedefaults import EXPRESSWAY_CERTIFICATE
from mralab.config.faults import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from mralab.config.estate import (
        CertificatePlan,
        DiscoveryPlan,
        Estate,
        ExpresswayCPlan,
        ExpresswayEPlan,
        KeyChoice,
        Moment,
        NodePlan,
    )
    from mralab.config.lines import KeyPath

_NAMED = 8  # names that a hint lists
_NODE_OF: Final[Mapping[DiscoveryKind, tuple[NodeRole, str]]] = {
    DiscoveryKind.UNIFIED_CM: (NodeRole.PUBLISHER, "the publisher of a CUCM cluster"),
    DiscoveryKind.IM_PRESENCE: (NodeRole.IM_PRESENCE, "an IM and Presence database publisher"),
    DiscoveryKind.UNITY: (NodeRole.UNITY, "a Unity Connection node"),
}


class FaultKind(Enum):
    """What a fault is about; a reader that has found other faults can tell which ones follow."""

    VALUE = auto()  #: a value that does not fit others
    REFERENCE = auto()  #: a name that nothing has, or not what is meant
    ABSENCE = auto()  #: something that has to be there is not


@dataclass(frozen=True, slots=True)
class EstateFault:
    """One thing wrong between parts of an estate."""

    path: KeyPath  #: ``("cluster", "0", "node", "1", "advertised")``
    message: str
    hint: str
    kind: FaultKind = FaultKind.VALUE


def check_estate(estate: Estate) -> tuple[EstateFault, ...]:
    """Return everything that is wrong between the parts of an estate; empty if it is sound.

    Sound means that it can be run, not that a login works.
    """
    check = _Check(estate)
    check.structure()
    check.names()
    check.addresses()
    check.authorities()
    check.certificates()
    check.trust()
    check.discoveries()
    check.users()
    return tuple(check.faults)


def names_of(node: NodePlan) -> tuple[str, ...]:
    """Return what a node can be called by: FQDN, short name, address and what is advertised."""
    short = node.name.partition(".")[0]
    return tuple(dict.fromkeys((node.name, short, node.address, node.shown)))


@dataclass(slots=True)
class _Check:
    """One look at an estate."""

    estate: Estate
    faults: list[EstateFault] = field(default_factory=list)
    authority_names: tuple[str, ...] = ()
    placed: tuple[tuple[KeyPath, NodePlan], ...] = ()  #: each node with its path
    #: Every certificate but authorities' by reference, with path and plan.
    plans: dict[str, tuple[KeyPath, CertificatePlan]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        estate = self.estate
        self.authority_names = tuple(plan.name for plan in estate.authorities)
        self.placed = (
            *(
                (("cluster", str(i), "node", str(k)), node)
                for i, cluster in enumerate(estate.clusters)
                for k, node in enumerate(cluster.nodes)
            ),
            *((("unity", str(i)), node) for i, node in enumerate(estate.unity)),
        )
        for path, node in self.placed:
            for kind, plan in node.certificates.items():
                place = (*path, "certificate", kind.value)
                self.plans.setdefault(f"{node.name}/{kind.value}", (place, plan))
        for word, expressway in (
            ("expressway_c", estate.expressway_c),
            ("expressway_e", estate.expressway_e),
        ):
            reference = f"{expressway.name}/{EXPRESSWAY_CERTIFICATE}"
            self.plans.setdefault(reference, ((word, "certificate"), expressway.certificate))

    def fault(
        self, path: KeyPath, message: str, hint: str, kind: FaultKind = FaultKind.VALUE
    ) -> None:
        self.faults.append(EstateFault(path, message, hint, kind))

    def nothing(self, path: KeyPath, message: str, hint: str) -> None:
        self.fault(path, message, hint, FaultKind.ABSENCE)

    def unknown(self, path: KeyPath, what: str, name: str, known: Iterable[str]) -> None:
        """Report a name that nothing has, with the nearest that something has."""
        self.fault(
            path, f"there is no {what} {shown(name)}", _nearest(name, known), FaultKind.REFERENCE
        )

    # What has to be there.

    def structure(self) -> None:
        estate = self.estate
        if not estate.clusters:
            self.nothing(("cluster",), "there is no cluster", "describe one under [[cluster]]")
        for i, cluster in enumerate(estate.clusters):
            path = ("cluster", str(i), "node")
            publishers = [
                k for k, node in enumerate(cluster.nodes) if node.role is NodeRole.PUBLISHER
            ]
            if not publishers:
                hint = 'give one of its nodes role = "publisher"'
                self.nothing(path, f"cluster {shown(cluster.name)} has no publisher", hint)
            for k in publishers[1:]:
                first = cluster.nodes[publishers[0]].name
                message = f"{shown(first)} is the publisher of this cluster already"
                self.fault((*path, str(k), "role"), message, 'write "subscriber"')
        if not estate.users:
            hint = "describe who logs in under [[user]]"
            self.nothing(("user",), "there is no user", hint)
        kinds = {plan.kind for plan in estate.expressway_c.discoveries}
        if DiscoveryKind.UNIFIED_CM not in kinds:
            message = "no CUCM publisher is discovered, so no login can work"
            hint = 'add [[expressway_c.discovery]] with kind = "unified-cm" and its address'
            self.nothing(("expressway_c", "discovery"), message, hint)

    # What has to be unique.

    def names(self) -> None:
        estate = self.estate
        self._unique(
            "authority",
            ((("authority", str(i), "name"), a.name) for i, a in enumerate(estate.authorities)),
        )
        self._unique(
            "cluster",
            ((("cluster", str(i), "name"), c.name) for i, c in enumerate(estate.clusters)),
        )
        self._unique(
            "user",
            ((("user", str(i), "id"), u.user_id) for i, u in enumerate(estate.users)),
        )
        self._unique("node or Expressway", self._machines("name"))
        owner: dict[str, str] = {}
        for _path, node in self.placed:
            owner.setdefault(node.name, node.name)
        for path, node in self.placed:
            self._advertised((*path, "advertised"), node, owner)

    def _advertised(self, path: KeyPath, node: NodePlan, owner: dict[str, str]) -> None:
        """Look at the name a node is advertised by, and note it in ``owner``."""
        name = node.shown
        if _is_address(name) and name != node.address:
            message = f"{name} is not the address of {node.name}, {node.address}"
            self.fault(path, message, "advertise its own address, or its name")
        elif owner.setdefault(name, node.name) != node.name:
            message = f"{shown(name)} is what {owner[name]} is called"
            self.fault(path, message, "two nodes cannot be told apart by one name")

    def addresses(self) -> None:
        owner: dict[str, str] = {}
        names = (name for _, name in self._machines("name"))
        for (path, address), name in zip(self._machines("address"), names, strict=True):
            if address in owner:
                message = f"{shown(address)} is the address of {owner[address]} too"
                self.fault(path, message, "give each its own")
            elif address:
                owner[address] = name or "another one"

    def _machines(self, key: Literal["name", "address"]) -> Iterator[tuple[KeyPath, str]]:
        """Yield one key of each node and of both Expressways."""
        e, c = self.estate.expressway_e, self.estate.expressway_c
        machines: list[tuple[KeyPath, NodePlan | ExpresswayCPlan | ExpresswayEPlan]] = [
            *self.placed,
            (("expressway_c",), c),
            (("expressway_e",), e),
        ]
        for path, machine in machines:
            yield (*path, key), machine.name if key == "name" else machine.address

    def _unique(self, what: str, items: Iterable[tuple[KeyPath, str]]) -> None:
        seen = Counter[str]()
        for path, name in items:
            seen[name.casefold()] += 1
            if name and seen[name.casefold()] > 1:
                message = f"{shown(name)} is the name of another {what} too"
                self.fault(path, message, "give each its own")

    # Certificates.

    def authorities(self) -> None:
        above = {plan.name: plan.signed_by for plan in self.estate.authorities}
        circles = _Circles(above.get)
        by_name = {plan.name: plan for plan in self.estate.authorities}
        for i, plan in enumerate(self.estate.authorities):
            path = ("authority", str(i))
            self._dates(path, plan)
            self._signed_by((*path, "signed_by"), plan.signed_by)
            signer = by_name.get(plan.signed_by)
            self._digest(path, plan, signer.key if signer else plan.key)
            circle = circles.of(plan.name)
            if circle:
                message = f"signed in a circle: {' by '.join(circle)}"
                self.fault((*path, "signed_by"), message, "leave signed_by out at the root")

    def certificates(self) -> None:
        keys = {plan.name: plan.key for plan in self.estate.authorities}
        circles = _Circles(self._next_reused)
        for reference, (path, plan) in self.plans.items():
            if plan.reuse:
                self._reuse(reference, (*path, "reuse"), plan, circles)
                continue
            self._dates(path, plan)
            self._signed_by((*path, "signed_by"), plan.signed_by)
            for name in plan.sends or ():
                if name not in self.authority_names:
                    self.unknown((*path, "sends"), "authority", name, self.authority_names)
            self._digest(path, plan, keys.get(plan.signed_by, plan.key))
            kind = _kind_of(reference)
            if kind is not None and kind.ecdsa != _is_ec(plan.key):
                hint = (
                    'write "EC secp256r1" or "EC secp384r1"' if kind.ecdsa else "write an RSA key"
                )
                message = f"{kind.value} cannot have the key {shown(plan.key.value)}"
                self.fault((*path, "key"), message, hint)

    def _signed_by(self, path: KeyPath, name: str) -> None:
        if name and name not in self.authority_names:
            self.unknown(path, "authority", name, self.authority_names)

    def _digest(
        self, path: KeyPath, plan: AuthorityPlan | CertificatePlan, signing_key: KeyChoice
    ) -> None:
        if plan.digest is DigestChoice.MD5 and _is_ec(signing_key):
            message = f"MD5 does not go with the signer's key, {signing_key.value}"
            self.fault((*path, "digest"), message, 'write "sha1", or have an RSA key sign it')

    def _dates(self, path: KeyPath, plan: AuthorityPlan | CertificatePlan) -> None:
        first, last = plan.not_before, plan.not_after
        if first is None or last is None:
            return  # the one that is not given follows the other
        if _not_later(last, first):
            hint = "write a moment after not_before"
            self.fault((*path, "not_after"), "is not after not_before", hint)

    def _reuse(
        self, reference: str, path: KeyPath, plan: CertificatePlan, circles: _Circles
    ) -> None:
        target = _absolute(reference, plan.reuse)
        if target not in self.plans:
            self.unknown(path, "certificate", target, self.plans)
            return
        circle = circles.of(reference)
        if circle:
            message = f"reused in a circle: {' is '.join(circle)}"
            self.fault(path, message, "describe one of them")
            return
        kind, other = _kind_of(reference), _kind_of(target)
        if kind is not None and other is not None and kind.ecdsa != other.ecdsa:
            message = (
                f"{kind.value} cannot be {plan.reuse}: one has an RSA key, the other an EC key"
            )
            hint = "tomcat serves for CallManager, tomcat-ECDSA for CallManager-ECDSA"
            self.fault(path, message, hint)

    def _next_reused(self, reference: str) -> str:
        _, plan = self.plans[reference]
        target = _absolute(reference, plan.reuse) if plan.reuse else ""
        return target if target in self.plans else ""

    # Trust lists.

    def trust(self) -> None:
        for path, node in self.placed:
            for name, references in node.trust.items():
                self._references((*path, "trust", name), references)
        self._references(("expressway_c", "trusted_ca"), self.estate.expressway_c.trusted_ca)

    def _references(self, path: KeyPath, references: Sequence[str]) -> None:
        known = (*self.authority_names, *self.plans)
        for reference in references:
            if reference not in known:
                self.unknown(path, "certificate", reference, known)

    # Who is discovered, and who logs in.

    def discoveries(self) -> None:
        for i, plan in enumerate(self.estate.expressway_c.discoveries):
            self._discovery(("expressway_c", "discovery", str(i), "address"), plan)

    def _discovery(self, path: KeyPath, plan: DiscoveryPlan) -> None:
        role, wanted = _NODE_OF[plan.kind]
        found = next((node for _, node in self.placed if plan.address in names_of(node)), None)
        if found is None:
            known = [name for _, node in self.placed for name in names_of(node)]
            self.unknown(path, "node", plan.address, known)
        elif found.role is not role:
            message = f"{found.name} is not {wanted} ({found.role.value})"
            self.fault(path, message, self._publisher_hint(role), FaultKind.REFERENCE)
        elif found.name not in self._publishers(role):
            message = f"{found.name} is not the first IM and Presence node of its cluster"
            self.fault(path, message, self._publisher_hint(role), FaultKind.REFERENCE)

    def _publishers(self, role: NodeRole) -> tuple[str, ...]:
        """Return the nodes of a role that can be typed in."""
        if role is NodeRole.UNITY:
            return tuple(node.name for node in self.estate.unity)
        firsts = (cluster.of_role(role)[:1] for cluster in self.estate.clusters)
        return tuple(node.name for nodes in firsts for node in nodes)

    def _publisher_hint(self, role: NodeRole) -> str:
        names = self._publishers(role)
        if not names:
            return "there is none of this kind: leave this discovery out"
        return f"write {' or '.join(names)}"

    def users(self) -> None:
        clusters = [cluster.name for cluster in self.estate.clusters]
        unity = [node.name for node in self.estate.unity]
        for i, user in enumerate(self.estate.users):
            path = ("user", str(i))
            if user.cluster not in clusters:
                self.unknown((*path, "cluster"), "cluster", user.cluster, clusters)
            if user.voicemail and user.voicemail not in unity:
                self.unknown((*path, "voicemail"), "Unity Connection node", user.voicemail, unity)


@dataclass(slots=True)
class _Circles:
    """Finds circles of names in which each leads to the next; each circle once."""

    following: Callable[[str], str | None]  #: the next name, "" or ``None`` if there is none
    told: set[str] = field(default_factory=set)

    def of(self, name: str) -> tuple[str, ...]:
        """Return the circle that a name stands in, back to itself; empty if there is none."""
        way = [name]
        while (step := self.following(way[-1])) and step not in way:
            way.append(step)
        if step != name or name in self.told:
            return ()
        self.told.update(way)
        return (*way, name)


def _absolute(reference: str, reuse: str) -> str:
    """Return what a ``reuse`` names: without a slash a certificate of the same node."""
    return reuse if "/" in reuse else f"{reference.rpartition('/')[0]}/{reuse}"


def _kind_of(reference: str) -> CertificateKind | None:
    """Return the kind of a node's certificate, ``None`` for that of an Expressway."""
    word = reference.rpartition("/")[2]
    return None if word == EXPRESSWAY_CERTIFICATE else CertificateKind(word)


def _is_ec(key: KeyChoice) -> bool:
    return key.value.startswith("EC ")


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _not_later(last: Moment, first: Moment) -> bool:
    """Tell whether ``last`` is surely not after ``first``; a date and a distance tell nothing."""
    if isinstance(last, datetime) and isinstance(first, datetime):
        return _aware(last) <= _aware(first)
    if isinstance(last, timedelta) and isinstance(first, timedelta):
        return last <= first
    return False


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _nearest(name: str, known: Iterable[str]) -> str:
    names = list(dict.fromkeys(item for item in known if item))
    near = difflib.get_close_matches(name, names, n=1)
    if near:
        return f"did you mean {near[0]}?"
    if not names:
        return "there is none: describe it, or leave this out"
    return f"there are: {', '.join(names[:_NAMED])}{', ...' if len(names) > _NAMED else ''}"
