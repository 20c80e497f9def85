"""Certificate management of a simulated node: what OS Administration > Security shows and does.

- A change counts only after a restart: until then the old certificate is served, and
  :attr:`CertificateRow.restart` says what is to be restarted.
- Each change returns the services to restart by the product's names. Those that the lab runs are
  ``Cisco Tomcat`` and ``Cisco TFTP``; restarting another one is allowed and changes nothing.
- A regenerated certificate is self-signed and as after an installation: further names are gone. A
  signed one keeps its names and gets a new key, as with a new signing request.
- Names of certificates, trust lists and services are taken in any case.
- Signing puts the authority's own certificates into the trust list of the certificate if they are
  missing; the product refuses the upload until somebody has done so (lab default).

Source: the table's columns in Cisco 218018 (seen). Which services need a restart: Cisco Tomcat,
Cisco CallManager and Cisco TFTP for Expressway-C's CA in the X14.2 release note (seen); Cisco
CTIManager, Cisco HAProxy and Cisco XCP Router, and which certificate needs which, are inferred.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from mralab.config.estate import CertificateKind
from mralab.config.estatedefaults import installed_certificate
from mralab.errors import LabError, TrustStoreError
from mralab.lab.pki import CertificateFields, Credential, Digest, KeyKind, self_signed
from mralab.truststore.bundle import parse_bundle
from mralab.truststore.certificate import certificate_facts, common_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from mralab.lab.nodes import SimulatedNode
    from mralab.truststore.verdict import CertificateFacts

_TRUST: Final = "-trust"
_ECDSA: Final = "-ECDSA"
#: Services to restart after a change of a certificate or its trust list; see the source above.
_SERVICES: Final[Mapping[str, tuple[str, ...]]] = {
    "tomcat": ("Cisco Tomcat", "Cisco HAProxy"),
    "CallManager": ("Cisco CallManager", "Cisco CTIManager", "Cisco TFTP"),
    "cup-xmpp": ("Cisco XCP Router",),
}
_KINDS: Final = {kind.value: kind for kind in CertificateKind}
_MANY: Final = 2
_SHORT: Final = 23  # a fingerprint's first eight bytes
_HEADER: Final = (
    "Certificate",
    "Common Name",
    "Type",
    "Key Type",
    "Distribution",
    "Issued By",
    "Expiration",
    "Description",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRow:
    """One line of the list."""

    certificate: str  #: ``tomcat``, or of a trust list ``tomcat-trust``
    facts: CertificateFacts
    common_name: str
    services: tuple[str, ...] = ()  #: services of the lab that serve it now
    restart: tuple[str, ...] = ()  #: what to restart before it counts

    @property
    def in_trust(self) -> bool:
        """Whether it stands in a trust list."""
        return self.certificate.endswith(_TRUST)

    @property
    def kind(self) -> str:
        """``Self-signed`` or ``CA-signed``."""
        return "Self-signed" if self.facts.self_issued else "CA-signed"

    @property
    def distribution(self) -> str:
        """The one name it is made for, or that it has several. Lab form."""
        names = [item for item in self.facts.sans if item.startswith("DNS:")]
        if len(names) >= _MANY:
            return f"Multi-server(SAN), {len(names)} names"
        return names[0].removeprefix("DNS:") if names else self.common_name

    @property
    def description(self) -> str:
        """What it is, in a few words. Lab form."""
        if self.restart:
            return f"Not in use yet: restart {', '.join(self.restart)}"
        if self.in_trust:
            return "Trust certificate"
        if self.facts.self_issued:
            return "Self-signed certificate"
        return f"Certificate signed by {_cn_of(self.facts.issuer)}"

    def as_json(self) -> dict[str, object]:
        """Return it as plain values."""
        return {
            "certificate": self.certificate,
            "common_name": self.common_name,
            "type": self.kind,
            "distribution": self.distribution,
            "description": self.description,
            "served_by": list(self.services),
            "restart": list(self.restart),
            **self.facts.as_json(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What was done, and what is to be restarted before it counts."""

    done: str  #: a sentence
    restart: tuple[str, ...]  #: services by the product's names
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """Return it as plain values."""
        return {"done": self.done, "restart": list(self.restart), "notes": list(self.notes)}


# Looking.


def entries(node: SimulatedNode) -> tuple[CertificateRow, ...]:
    """Return the list: the node's own certificates, then its trust lists."""
    own = (
        _row(
            name,
            credential.certificate,
            services=_serving(node, name),
            restart=_stale_daemons(node, certificate=name),
        )
        for name, credential in node.certificates.items()
    )
    trusted = (
        _row(name, certificate, restart=_stale_daemons(node, trust=name))
        for name, certificates in node.trust.items()
        for certificate in certificates
    )
    return (*own, *trusted)


def restarts_due(node: SimulatedNode) -> tuple[str, ...]:
    """Return what is to be restarted before everything that was changed counts."""
    return _stale_daemons(node)


def table(rows: Iterable[CertificateRow]) -> tuple[tuple[str, ...], ...]:
    """Return the list as text cells, header first. Source: columns in Cisco 218018 (seen)."""
    cells = (
        (
            row.certificate,
            row.common_name,
            row.kind,
            row.facts.key,
            row.distribution,
            _cn_of(row.facts.issuer),
            f"{row.facts.not_after:%m/%d/%Y}",
            row.description,
        )
        for row in rows
    )
    return (_HEADER, *cells)


# Changing.


def regenerate(node: SimulatedNode, name: str, *, now: datetime) -> Change:
    """Make a certificate anew, self-signed.

    Args:
        node: whose.
        name: such as ``tomcat-ECDSA``.
        now: aware; it is valid from the day before.

    Raises:
        LabError: the node has no such certificate.
    """
    kind = _kind(node, name)
    name = kind.value
    wanted = _as_installed(kind, node.name)
    credential = self_signed(wanted, now=now, key=_key_kind(node, kind))
    node.install(name, credential)
    return Change(
        done=f"{name} of {node.name} is self-signed anew", restart=_services_of(node, name)
    )


def sign(
    node: SimulatedNode,
    name: str,
    authority: Credential,
    *,
    now: datetime,
    dns: Sequence[str] = (),
    ips: Sequence[str] = (),
) -> Change:
    """Have a certificate signed: new key, the names it has, and further ones.

    Args:
        node: whose.
        name: such as ``tomcat-ECDSA``.
        authority: who signs.
        now: aware; it is valid from the day before.
        dns: dNSName SANs to add.
        ips: iPAddress SANs to add.

    Raises:
        LabError: the node has no such certificate, the signer is no authority, or a name has no
            place in a certificate.
    """
    kind = _kind(node, name)
    name = kind.value
    if not _is_authority(authority.certificate):
        raise LabError(
            f"{authority.subject} is no certificate authority", hint="name one of the estate's"
        )
    wanted = _as_installed(kind, node.name)
    present = node.certificates.get(name)
    held = certificate_facts(present.der).sans if present else ()
    fields = CertificateFields(
        cn=(common_name(present.der) if present else None) or wanted.cn,
        dns=_once(wanted.dns, _sans(held, "DNS"), dns),
        ips=_once(_sans(held, "IP"), ips),
        digest=wanted.digest,
    )
    credential = authority.issue(fields, key=_key_kind(node, kind), now=now)
    node.install(name, credential)
    trust = f"{name.removesuffix(_ECDSA)}{_TRUST}"
    notes: list[str] = []
    daemons: tuple[str, ...] = ()
    for certificate in (authority.certificate, *authority.chain):
        if certificate not in node.trust.get(trust, ()):
            daemons = node.install_trust(trust, (*node.trust.get(trust, ()), certificate))
            notes.append(f"{_title(certificate)} was added to {trust}")
    return Change(
        done=f"{name} of {node.name} is signed by {_title(authority.certificate)}",
        restart=_services_of(node, name, daemons),
        notes=tuple(notes),
    )


def upload_trust(
    node: SimulatedNode, trust: str, certificates: Sequence[x509.Certificate]
) -> Change:
    """Add certificates to a trust list.

    Raises:
        LabError: the node has no such list, or there is nothing to add.
    """
    trust = _trust_list(node, trust)
    present = node.trust.get(trust, ())
    fresh = tuple(dict.fromkeys(item for item in certificates if item not in present))
    if not certificates:
        raise LabError("there is no certificate to add", hint="name a file that holds one")
    if not fresh:
        return Change(done=f"{trust} of {node.name} holds it already", restart=())
    daemons = node.install_trust(trust, (*present, *fresh))
    added = ", ".join(map(_title, fresh))
    return Change(
        done=f"{added} is in {trust} of {node.name}",
        restart=_services_of(node, trust, daemons),
    )


def delete_trust(node: SimulatedNode, trust: str, selector: str) -> Change:
    """Remove one certificate from a trust list.

    Args:
        node: whose.
        trust: such as ``CallManager-trust``.
        selector: its CN, its subject, or the beginning of its SHA-256 fingerprint.

    Raises:
        LabError: the node has no such list, or the selector fits none or several.
    """
    trust = _trust_list(node, trust)
    present = node.trust.get(trust, ())
    found = [item for item in present if _is_called(item, selector)]
    if len(found) != 1:
        held = ", ".join(f"{_title(item)} ({_fingerprint(item)[:_SHORT]})" for item in present)
        fits = f"{len(found)} of them are" if found else "none is"
        raise LabError(
            f"{trust} of {node.name}: {fits} called {selector!r}",
            hint=f"choose by fingerprint among {held}" if held else "the list is empty",
        )
    daemons = node.install_trust(trust, tuple(item for item in present if item is not found[0]))
    return Change(
        done=f"{_title(found[0])} is no longer in {trust} of {node.name}",
        restart=_services_of(node, trust, daemons),
    )


async def restart(node: SimulatedNode, service: str) -> Change:
    """Restart a service, as ``utils service restart`` does; its connections end.

    Args:
        node: whose.
        service: the product's name, such as ``Cisco Tomcat``.

    Raises:
        LabError: there is no such service, or its certificates cannot be served; then it goes on
            with the old ones.
    """
    own = {item.daemon for item in node.services}
    known = tuple(
        dict.fromkeys((*sorted(own), *(item for row in _SERVICES.values() for item in row)))
    )
    found = _among(service, known)
    if found is None:
        raise LabError(
            f"there is no service {service!r}", hint=f"the services are: {', '.join(known)}"
        )
    service = found
    if service in own:
        await node.restart(service)
        return Change(done=f"{service} of {node.name} was restarted", restart=restarts_due(node))
    return Change(
        done=f"{service} of {node.name} was restarted",
        restart=restarts_due(node),
        notes=(f"the lab does not simulate {service}: nothing has changed",),
    )


def read_certificates(content: bytes, source: str) -> tuple[x509.Certificate, ...]:
    """Read the certificates of an upload: PEM, DER or PKCS#7.

    Raises:
        LabError: it holds none, or one that cannot be used here.
    """
    try:
        found = parse_bundle(content, source).certificates
        return tuple(x509.load_der_x509_certificate(item.der) for item in found)
    except TrustStoreError as exc:
        raise LabError(str(exc), hint=exc.hint) from exc
    except (ValueError, x509.InvalidVersion) as exc:
        raise LabError(
            f"{source}: a certificate cannot be used as an authority here: {exc}",
            hint="upload another one",
        ) from exc


# Inside.


def _row(
    name: str,
    certificate: x509.Certificate,
    *,
    services: tuple[str, ...] = (),
    restart: tuple[str, ...] = (),
) -> CertificateRow:
    der = certificate.public_bytes(Encoding.DER)
    return CertificateRow(
        certificate=name,
        facts=certificate_facts(der),
        common_name=common_name(der) or "",
        services=services,
        restart=restart,
    )


def _serving(node: SimulatedNode, name: str) -> tuple[str, ...]:
    return tuple(
        service.name
        for service in node.services
        if node.served(service.name).get(name) == node.certificates[name]
    )


def _stale_daemons(
    node: SimulatedNode, *, certificate: str | None = None, trust: str | None = None
) -> tuple[str, ...]:
    """Return the daemons that must be restarted, for one certificate or trust list or for all."""
    found = []
    for service in node.services:
        if not node.is_stale(service.name):
            continue
        concerned = certificate is None and trust is None
        if certificate in service.certificates:
            wanted = node.to_serve(service.name).get(certificate)
            concerned = wanted not in {None, node.served(service.name).get(certificate)}
        if concerned or trust in service.client_trust:
            found.append(service.daemon)
    return tuple(dict.fromkeys(found))


def _services_of(node: SimulatedNode, name: str, daemons: Iterable[str] = ()) -> tuple[str, ...]:
    """Return what to restart after a change: the product's services, then the lab's own."""
    base = name.removesuffix(_TRUST).removesuffix(_ECDSA)
    concerned = (item.daemon for item in node.services if name in item.certificates)
    return tuple(dict.fromkeys((*_SERVICES.get(base, ()), *concerned, *daemons)))


def _kind(node: SimulatedNode, name: str) -> CertificateKind:
    known = {*node.certificates, *(one for item in node.services for one in item.certificates)}
    own = [item for item in _KINDS if item in known]
    found = _among(name, own)
    if found is None:
        raise LabError(f"{node.name} has no certificate {name!r}", hint=f"it has: {', '.join(own)}")
    return _KINDS[found]


def _among(word: str, known: Iterable[str]) -> str | None:
    """Return the known name that a word is, in any case."""
    return next((name for name in known if name.casefold() == word.casefold()), None)


def _trust_list(node: SimulatedNode, trust: str) -> str:
    """Return a trust list's name as the node has it."""
    own = (f"{name.removesuffix(_ECDSA)}{_TRUST}" for name in node.certificates)
    asked = (name for item in node.services for name in item.client_trust)
    known = tuple(dict.fromkeys((*node.trust, *own, *asked)))
    found = _among(trust, known)
    if found is None:
        raise LabError(
            f"{node.name} has no trust list {trust!r}", hint=f"it has: {', '.join(known)}"
        )
    return found


def _as_installed(kind: CertificateKind, node: str) -> CertificateFields:
    plan = installed_certificate(kind, node)
    return CertificateFields(cn=plan.cn, dns=plan.dns, digest=Digest(plan.digest.value))


def _key_kind(node: SimulatedNode, kind: CertificateKind) -> KeyKind:
    """Return the kind of key that the certificate has, or has after an installation."""
    present = node.certificates.get(kind.value)
    if present is not None:
        found = certificate_facts(present.der).key
        if found in {item.value for item in KeyKind}:
            return KeyKind(found)
    return KeyKind(installed_certificate(kind, node.name).key.value)


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        found = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    except (x509.ExtensionNotFound, ValueError):
        return False
    return found.value.ca


def _sans(held: Iterable[str], kind: str) -> tuple[str, ...]:
    """Return the SANs of a kind out of ``DNS:name`` and ``IP:address``."""
    prefix = f"{kind}:"
    return tuple(item.removeprefix(prefix) for item in held if item.startswith(prefix))


def _once(*groups: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(item for group in groups for item in group))


def _title(certificate: x509.Certificate) -> str:
    der = certificate.public_bytes(Encoding.DER)
    return common_name(der) or certificate_facts(der).subject or "(empty subject)"


def _fingerprint(certificate: x509.Certificate) -> str:
    return certificate_facts(certificate.public_bytes(Encoding.DER)).sha256


def _is_called(certificate: x509.Certificate, selector: str) -> bool:
    wanted = selector.strip()
    facts = certificate_facts(certificate.public_bytes(Encoding.DER))
    if wanted.casefold() in {_title(certificate).casefold(), facts.subject.casefold()}:
        return True
    digits = re.sub(r"[:\s]", "", wanted).upper()
    is_hex = re.fullmatch(r"[0-9A-F]{8,64}", digits) is not None
    return is_hex and facts.sha256.replace(":", "").startswith(digits)


def _cn_of(name: str) -> str:
    """Return the CN out of RFC 4514 text, or all of it."""
    found = re.search(r"(?:^|[,+])CN=((?:\\.|[^,+\\])*)", name)
    return found[1] if found else name
