"""The certificates of an estate: authorities, nodes and both Expressways, made from their plans.

- Everything a plan says is carried out, however unsound: dates in the past, weak digests and keys,
  missing key identifiers, a chain sent too short or in a wrong order.
- A certificate that another one's plan names with ``reuse`` is that other one, not a copy.
- :func:`make_certificates` keeps what was made before, as long as the plan and what signs it are
  the same. So a change of the estate makes anew what it concerns, and nothing else.
- An authority keeps its key when its plan changes, as one that is renewed with the same key; a
  certificate with another plan gets another key, as one that is regenerated (lab default).

Source: certificate names and what signs them in Cisco 218018; ``Reuse certificate`` in Cisco's
CUCM 14 documentation.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.serialization import Encoding

from mralab.config.estate import AuthorityPlan, CertificateKind, CertificatePlan, Purpose
from mralab.config.estatedefaults import EXPRESSWAY_CERTIFICATE
from mralab.errors import LabError
from mralab.lab.pki import (
    BACKDATED,
    CA_LIFETIME,
    CLIENT_AUTH,
    LEAF_LIFETIME,
    SERVER_AUTH,
    CertificateFields,
    Credential,
    Digest,
    KeyCache,
    KeyKind,
    self_signed,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from cryptography import x509

    from mralab.config.estate import Estate, Moment, NodePlan

_PURPOSES: Final = {Purpose.SERVER: SERVER_AUTH, Purpose.CLIENT: CLIENT_AUTH}
#: Kinds of keys that take long; they are begun first.
_SLOW: Final = frozenset({KeyKind.RSA_3072, KeyKind.RSA_4096})
_KINDS: Final = {kind.value: kind for kind in CertificateKind}
#: First year of a certificate's dates. Source: RFC 5280, 4.1.2.5.
_FIRST_YEAR: Final = 1950
_CALENDAR: Final = f"write dates from {_FIRST_YEAR} on, and both if one is far away"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptCertificate:
    """A certificate made before, with all that decides whether it still fits."""

    identity: str  #: of its plan, see :func:`identity`
    signer: x509.Certificate | None  #: None: it has signed itself
    credential: Credential


@dataclass(frozen=True, slots=True, kw_only=True)
class EstateCertificates:
    """Every certificate of an estate, each with its key and with what is sent along."""

    estate: Estate  #: what they were made for
    authorities: Mapping[str, Credential]  #: by the name others call them by
    nodes: Mapping[tuple[str, CertificateKind], Credential]  #: by node and certificate
    expressway_c: Credential
    expressway_e: Credential

    def resolve(self, reference: str) -> Credential:
        """Return the certificate that a reference names.

        Args:
            reference: as in :class:`~mralab.config.estate.Estate`: ``steven-DC-CA``,
                ``cucm.steven.lab/CallManager-ECDSA``, ``vcsc.steven.lab/server``.

        Raises:
            LabError: nothing has that name.
        """
        found = self.authorities.get(reference)
        owner, slash, word = reference.rpartition("/")
        if found is None and word in _KINDS:
            found = self.nodes.get((owner, _KINDS[word]))
        if found is None and slash and word == EXPRESSWAY_CERTIFICATE:
            found = {
                self.estate.expressway_e.name: self.expressway_e,
                self.estate.expressway_c.name: self.expressway_c,
            }.get(owner)
        if found is None:
            raise unknown_reference(reference)
        return found

    def kept(self) -> dict[str, KeptCertificate]:
        """Return all of them by name, for :func:`make_certificates`."""
        return {
            name: KeptCertificate(
                identity=identity(plan),
                signer=self.authorities[plan.signed_by].certificate if plan.signed_by else None,
                credential=self.resolve(name),
            )
            for name, plan in _own_plans(self.estate).items()
        }

    def of_node(self, node: NodePlan) -> dict[str, Credential]:
        """Return a node's certificates by the names that certificate management has for them."""
        return {kind.value: self.nodes[node.name, kind] for kind in node.certificates}

    def trust_of(self, node: NodePlan) -> dict[str, tuple[x509.Certificate, ...]]:
        """Return a node's trust lists by name.

        Raises:
            LabError: a reference names nothing.
        """
        return {
            name: tuple(self.resolve(reference).certificate for reference in references)
            for name, references in node.trust.items()
        }

    def trusted_ca(self) -> tuple[x509.Certificate, ...]:
        """Return Expressway-C's trusted CA list in order.

        Raises:
            LabError: a reference names nothing.
        """
        return tuple(
            self.resolve(reference).certificate for reference in self.estate.expressway_c.trusted_ca
        )


def unknown_reference(reference: str) -> LabError:
    """Return the error for a reference that names nothing."""
    return LabError(
        f"there is no certificate {reference!r} in the estate",
        hint="name an authority, NODE/CERTIFICATE such as cucm.steven.lab/tomcat, or "
        "EXPRESSWAY/server",
    )


def pem_of(certificates: Iterable[x509.Certificate]) -> bytes:
    """Return certificates in PEM, one after another; nothing is an empty list."""
    return b"".join(item.public_bytes(Encoding.PEM) for item in certificates)


def make_certificates(
    estate: Estate,
    *,
    now: datetime,
    keys: KeyCache | None = None,
    before: Mapping[str, KeptCertificate] | None = None,
) -> EstateCertificates:
    """Make all certificates of an estate, in memory. RSA keys take long: see :func:`make_keys`.

    Args:
        estate: whose.
        now: aware; where relative dates and default ones count from.
        keys: private keys by the label that :func:`key_labels` gives; default: new ones.
        before: what was made before, by name; what still fits is kept.

    Raises:
        LabError: a reference names nothing or leads back to itself, or a plan cannot be carried
            out (an MD5 signature by an elliptic curve key, dates in the wrong order).
    """
    return _Maker(estate, now, keys or KeyCache(), before or {}).make()


async def make_keys(
    estate: Estate, keys: KeyCache, *, kept: Mapping[str, KeptCertificate] | None = None
) -> None:
    """Make the private keys that an estate needs, in threads, on as many cores as there are.

    Args:
        estate: whose.
        keys: where they go.
        kept: certificates made before, which have theirs.
    """
    wanted = sorted(key_labels(estate, kept=kept), key=lambda item: item[1] in _SLOW, reverse=True)
    await asyncio.gather(*(asyncio.to_thread(keys.get, label, kind) for label, kind in wanted))


def key_labels(
    estate: Estate, *, kept: Mapping[str, KeptCertificate] | None = None
) -> tuple[tuple[str, KeyKind], ...]:
    """Return label and kind of each private key that an estate's certificates have.

    Args:
        estate: whose.
        kept: certificates made before, which need none if their plan is the same.
    """
    return tuple(
        _label(name, plan)
        for name, plan in _own_plans(estate).items()
        if not kept or name not in kept or kept[name].identity != identity(plan)
    )


def all_plans(estate: Estate) -> dict[str, CertificatePlan]:
    """Return every plan but those of authorities, by reference."""
    found = {
        f"{node.name}/{kind.value}": plan
        for node in estate.nodes()
        for kind, plan in node.certificates.items()
    }
    for expressway in (estate.expressway_c, estate.expressway_e):
        found[f"{expressway.name}/{EXPRESSWAY_CERTIFICATE}"] = expressway.certificate
    return found


def _label(name: str, plan: AuthorityPlan | CertificatePlan) -> tuple[str, KeyKind]:
    """Return what the key of a certificate goes by.

    That of an authority outlives a change of its plan, another one does not.
    """
    label = f"authority {name}" if isinstance(plan, AuthorityPlan) else f"{name} {identity(plan)}"
    return label, KeyKind(plan.key.value)


def identity(plan: AuthorityPlan | CertificatePlan) -> str:
    """Return a text that two plans share exactly if the same stands in their certificates.

    Where a plan is written down and what is sent along with a certificate is no part of it.
    """
    return " ".join(
        f"{item.name}={_plain(getattr(plan, item.name))}"
        for item in fields(plan)
        if item.name not in {"line", "sends"}
    )


def _plain(value: object) -> str:
    match value:
        case Enum():
            return str(value.value)
        case tuple():
            return f"[{', '.join(map(_plain, value))}]"
        case _:
            return repr(value)


@dataclass(slots=True)
class _Maker:
    """One run of :func:`make_certificates`: makes each certificate once, signers first."""

    estate: Estate
    now: datetime
    keys: KeyCache
    before: Mapping[str, KeptCertificate]
    made: dict[str, Credential] = field(default_factory=dict)
    under_way: list[str] = field(default_factory=list)

    def make(self) -> EstateCertificates:
        plans = all_plans(self.estate)
        for name in (*(plan.name for plan in self.estate.authorities), *plans):
            self._credential(name)
        c, e = (
            f"{expressway.name}/{EXPRESSWAY_CERTIFICATE}"
            for expressway in (self.estate.expressway_c, self.estate.expressway_e)
        )
        return EstateCertificates(
            estate=self.estate,
            authorities={plan.name: self.made[plan.name] for plan in self.estate.authorities},
            nodes={
                (node.name, kind): self.made[f"{node.name}/{kind.value}"]
                for node in self.estate.nodes()
                for kind in node.certificates
            },
            expressway_c=self.made[c],
            expressway_e=self.made[e],
        )

    def _credential(self, name: str) -> Credential:
        """Return the certificate of a name, making it and its signers first if need be."""
        found = self.made.get(name)
        if found is not None:
            return found
        if name in self.under_way:
            circle = " -> ".join((*self.under_way, name))
            raise LabError(
                f"certificate {name!r} leads back to itself: {circle}",
                hint="have one of them signed by a root, or made for itself",
            )
        self.under_way.append(name)
        made = self.made[name] = self._make_one(name)
        self.under_way.pop()
        return made

    def _make_one(self, name: str) -> Credential:
        plan = _plan_of(self.estate, name)
        if isinstance(plan, CertificatePlan) and plan.reuse:
            # ``tomcat`` alone is the same node's.
            node = name.rpartition("/")[0]
            return self._credential(plan.reuse if "/" in plan.reuse else f"{node}/{plan.reuse}")
        signer = self._authority(plan.signed_by) if plan.signed_by else None
        sends = plan.sends if isinstance(plan, CertificatePlan) else None
        chain = None if sends is None else tuple(map(self._credential, sends))
        kept = self._kept(name, plan, signer)
        credential = kept or self._sign(name, plan, signer)
        if chain is None:
            return credential if kept is None else _with_chain_of(credential, signer)
        return credential.sending(*chain)

    def _authority(self, name: str) -> Credential:
        if all(plan.name != name for plan in self.estate.authorities):
            raise LabError(
                f"there is no authority {name!r} in the estate",
                hint="describe it under [[authority]], or leave signed_by out: self-signed",
            )
        return self._credential(name)

    def _kept(
        self, name: str, plan: AuthorityPlan | CertificatePlan, signer: Credential | None
    ) -> Credential | None:
        """Return the certificate as it was made before, if it still fits."""
        kept = self.before.get(name)
        if kept is None:
            return None
        same = kept.identity == identity(plan) and kept.signer == _certificate(signer)
        return kept.credential if same else None

    def _sign(
        self, name: str, plan: AuthorityPlan | CertificatePlan, signer: Credential | None
    ) -> Credential:
        key = self.keys.get(*_label(name, plan))
        try:
            if isinstance(plan, AuthorityPlan):
                wanted = _authority_fields(plan, self.now)
            else:
                wanted = _leaf_fields(plan, self.now)
            if signer is None:
                return self_signed(wanted, now=self.now, key=key)
            return signer.issue(wanted, key=key, now=self.now)
        except LabError as exc:
            raise LabError(f"{name}: {exc}", hint=exc.hint) from exc


def _plan_of(estate: Estate, name: str) -> AuthorityPlan | CertificatePlan:
    """Return the plan that a name stands for.

    Raises:
        LabError: there is none.
    """
    for plan in estate.authorities:
        if plan.name == name:
            return plan
    found = all_plans(estate).get(name)
    if found is None:
        raise unknown_reference(name)
    return found


def _certificate(credential: Credential | None) -> x509.Certificate | None:
    return None if credential is None else credential.certificate


def _with_chain_of(credential: Credential, signer: Credential | None) -> Credential:
    """Return a kept certificate with what is sent along today: every intermediate one."""
    chain = () if signer is None or signer.self_issued else (signer.certificate, *signer.chain)
    return credential if credential.chain == chain else replace(credential, chain=chain)


def _authority_fields(plan: AuthorityPlan, now: datetime) -> CertificateFields:
    not_before, not_after = validity(plan.not_before, plan.not_after, CA_LIFETIME, now)
    return CertificateFields(
        cn=plan.common_name or plan.name,
        ca=True,
        path_length=plan.path_length,
        not_before=not_before,
        not_after=not_after,
        digest=Digest(plan.digest.value),
    )


def _leaf_fields(plan: CertificatePlan, now: datetime) -> CertificateFields:
    not_before, not_after = validity(plan.not_before, plan.not_after, LEAF_LIFETIME, now)
    return CertificateFields(
        cn=plan.cn,
        dns=plan.dns,
        ips=plan.ips,
        not_before=not_before,
        not_after=not_after,
        extended_key_usage=tuple(_PURPOSES[purpose] for purpose in plan.purposes),
        subject_key_id=plan.key_ids,
        authority_key_id=plan.key_ids,
        digest=Digest(plan.digest.value),
    )


def validity(
    not_before: Moment | None, not_after: Moment | None, lifetime: timedelta, now: datetime
) -> tuple[datetime, datetime]:
    """Return both dates of a certificate.

    One that has run out or is not valid yet has its usual lifetime all the same: the date that is
    not given moves with the one that is.

    Args:
        not_before: as planned; a distance counts from ``now``, a date without a zone is UTC.
        not_after: likewise.
        lifetime: how long it is valid if nothing else is said.
        now: aware.

    Raises:
        LabError: a certificate cannot hold them, or the second is not after the first.
    """
    first, last = _moment(not_before, now), _moment(not_after, now)
    try:
        if first is None:
            first = now - BACKDATED
            if last is not None and last <= first:
                first = last - lifetime
        if last is None:
            last = max(now, first) + lifetime
    except OverflowError as exc:
        raise LabError("its dates leave the calendar", hint=_CALENDAR) from exc
    if first.year < _FIRST_YEAR:
        raise LabError(f"it would be valid from {first:%Y-%m-%d} on", hint=_CALENDAR)
    if last <= first:
        raise LabError(
            f"not_after is {last:%Y-%m-%d %H:%M} UTC then, and not_before {first:%Y-%m-%d %H:%M}",
            hint="a distance counts from now: write a moment after not_before, or two dates",
        )
    return first, last


def _moment(planned: Moment | None, now: datetime) -> datetime | None:
    match planned:
        case None:
            return None
        case timedelta():
            return now + planned
        case _:
            return planned if planned.tzinfo else planned.replace(tzinfo=UTC)


def relative_names(estate: Estate) -> Iterator[str]:
    """Yield the names of certificates whose dates count from the moment they are made."""
    for name, plan in _own_plans(estate).items():
        if isinstance(plan.not_before, timedelta) or isinstance(plan.not_after, timedelta):
            yield name


def _own_plans(estate: Estate) -> dict[str, AuthorityPlan | CertificatePlan]:
    """Return every plan that is no reuse of another, by name."""
    return {
        **{plan.name: plan for plan in estate.authorities},
        **{name: plan for name, plan in all_plans(estate).items() if not plan.reuse},
    }
