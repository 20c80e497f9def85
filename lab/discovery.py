"""Discovery: what Expressway-C learns from the publishers that the administrator typed in.

- TLS verify mode On checks the certificate against the trusted CA list and the address *typed in*,
  inside the handshake; Off checks nothing. The other nodes come from the publisher's database, and
  nobody looks at their certificates here. So discovery can succeed by FQDN while every later
  request, which goes by the advertised name, is refused.
- A failure is a status text, never an exception: one publisher's does not disturb another's.
- *Refresh servers* is the same once more. There is one deployment.

Source: what TLS verify mode checks in Cisco 218018 (seen); AXL and the publisher's database in the
MRA guide (seen) and the public AXL schema (``listProcessNode``, its elements and roles, seen). The
text ``Address is not a IM and Presence Server`` and the prefix ``Failed: `` in the MRA guide X12.5
(CSCul05131; seen); all other wordings are lab defaults, and so is how Unity is asked.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from mralab.config.estate import DiscoveryKind
from mralab.config.releases import UpgradePath, VerifyMode, default_ciphers
from mralab.errors import LabError, RouteError
from mralab.lab.estateplace import EstatePorts
from mralab.lab.hosts import bracketed, is_ip
from mralab.lab.tlsclient import HttpAnswer, NotVerifiedError, exchange
from mralab.lab.udsread import read_xml
from mralab.origin.policy import action_for
from mralab.origin.route import canonical_host
from mralab.truststore.openssl import HandshakeInspection, OriginContext

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime
    from xml.etree.ElementTree import Element

    from mralab.config.estate import DiscoveryPlan
    from mralab.config.releases import NameRule, ReleaseProfile
    from mralab.config.settings import Endpoint
    from mralab.truststore.store import TrustStore
    from mralab.truststore.verdict import CertificateFacts, Fault

#: How long one publisher may take, in seconds. Lab default.
TIMEOUT_S: Final = 10.0
#: What precedes a failure in the status column. Source: MRA guide X12.5 (seen).
FAILED: Final = "Failed: "
_DOCUMENTED_PORTS: Final = EstatePorts()
_AXL_VERSION: Final = "12.5"  # schema asked for; each release answers older ones too
_DATABASE_WIDE: Final = "EnterpriseWideData"  # a row of the node list that is no node
_PUBLISHER: Final = "Publisher"
#: Nodes of a list that each form is about. Source: AXL schema, XProcessNodeRole (seen).
_ROLES: Final = {
    DiscoveryKind.UNIFIED_CM: "CUCM Voice/Video",
    DiscoveryKind.IM_PRESENCE: "CUCM IM and Presence",
}
_NOT_THIS_KIND: Final = {
    DiscoveryKind.UNIFIED_CM: "Address is not a Unified CM server",
    DiscoveryKind.IM_PRESENCE: "Address is not a IM and Presence Server",
    DiscoveryKind.UNITY: "Address is not a Unity Connection server",
}
_SHOWN: Final = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveredNode:
    """One row of the list "Discovered nodes"."""

    name: str  #: as advertised: what System > Server holds
    kind: DiscoveryKind
    publisher: bool  #: the row's role: Publisher, or Subscriber
    found_by: str  #: the address typed in
    version: str = ""  #: of the publisher that was asked

    @property
    def role(self) -> str:
        """``Publisher`` or ``Subscriber``."""
        return _PUBLISHER if self.publisher else "Subscriber"


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovered:
    """What one typed-in address came to."""

    plan: DiscoveryPlan
    nodes: tuple[DiscoveredNode, ...] = ()  #: publisher first; empty if it failed
    failure: str = ""  #: why it failed, without ``Failed: ``
    hint: str = ""  #: what to do about it
    fault: Fault | None = None  #: what TLS verify mode found
    certificate: CertificateFacts | None = None  #: the one at fault

    @property
    def status(self) -> str:
        """Text of the status column. Lab default, but for its prefix."""
        return f"{FAILED}{self.failure}" if self.failure else "Active"


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryReport:
    """What all of them came to, in the order of the plans."""

    discoveries: tuple[Discovered, ...] = ()

    @property
    def nodes(self) -> tuple[DiscoveredNode, ...]:
        """Every node found."""
        return tuple(node for item in self.discoveries for node in item.nodes)

    @property
    def failures(self) -> tuple[Discovered, ...]:
        """Those that failed."""
        return tuple(item for item in self.discoveries if item.failure)

    def publishers(self, kind: DiscoveryKind) -> tuple[DiscoveredNode, ...]:
        """Return the publishers of a kind, each name once."""
        found = {n.name: n for n in self.nodes if n.publisher and n.kind is kind}
        return tuple(found.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Discoverer:
    """How Expressway-C asks: its trusted CA list and release, and the way to the nodes."""

    trust: TrustStore
    profile: ReleaseProfile
    dial: Callable[[str, int], Endpoint]  #: typed host and port to where it is; may raise LabError
    ports: EstatePorts = _DOCUMENTED_PORTS
    ciphers: str | None = None  #: the list "UC server discovery"; None is the release's default
    name_rule: NameRule | None = None  #: None is the release's
    now: datetime | None = None  #: aware time for certificates; None is now
    timeout_s: float = TIMEOUT_S

    async def all(self, plans: Iterable[DiscoveryPlan]) -> DiscoveryReport:
        """Ask every publisher, all at once."""
        found = await asyncio.gather(*(self.one(plan) for plan in plans))
        return DiscoveryReport(discoveries=tuple(found))

    async def one(self, plan: DiscoveryPlan) -> Discovered:
        """Ask one publisher."""
        try:
            context = await asyncio.to_thread(self._context, verify=plan.tls_verify_mode)
            nodes = await self._nodes(plan, context)
        except NotVerifiedError as exc:
            return Discovered(
                plan=plan,
                failure=str(exc),
                hint=exc.hint,
                fault=exc.fault,
                certificate=exc.certificate,
            )
        except LabError as exc:
            return Discovered(plan=plan, failure=str(exc), hint=exc.hint)
        return Discovered(plan=plan, nodes=nodes)

    def _context(self, *, verify: bool) -> OriginContext:
        profile = self.profile
        return OriginContext(
            self.trust,
            ciphers=self.ciphers or default_ciphers(profile.release, UpgradePath.FRESH),
            security_level=profile.security_level,
            max_tls=profile.max_tls,
            tls13_suites=profile.tls13_suites,
            wording=profile.wording,
            verify=verify,
            name_rule=self.name_rule or profile.name_rule,
            action=action_for(VerifyMode.ENFORCED),
            at=self.now,
        )

    async def _nodes(
        self, plan: DiscoveryPlan, context: OriginContext
    ) -> tuple[DiscoveredNode, ...]:
        if plan.kind is DiscoveryKind.UNITY:
            return await self._unity_nodes(plan, context)
        role = _ROLES[plan.kind]
        version = _version_in(await self._axl(plan, context, "getCCMVersion", ""))
        listed = await self._axl(plan, context, "listProcessNode", _NODE_TAGS)
        listed_nodes = _process_nodes(listed)
        rows = [row for row in listed_nodes if row.role == role]
        # AXL lists both kinds on both; that another kind was typed in shows only by its name.
        others = {row.name.lower() for row in listed_nodes if row.role != role}
        if not rows or plan.address.lower() in others:
            raise LabError(
                _NOT_THIS_KIND[plan.kind],
                hint="enter the publisher of this kind of cluster",
            )
        rows.sort(key=lambda row: not row.publisher)
        return tuple(
            DiscoveredNode(
                name=row.name,
                kind=plan.kind,
                publisher=row.publisher,
                found_by=plan.address,
                version=version,
            )
            for row in rows
        )

    async def _axl(
        self, plan: DiscoveryPlan, context: OriginContext, operation: str, inside: str
    ) -> Element:
        body = _ENVELOPE.format(version=_AXL_VERSION, operation=operation, inside=inside).encode()
        answer = await self._ask(
            plan,
            context,
            port=self.ports.uds,
            start="POST /axl/ HTTP/1.1",
            fields=(
                "Content-Type: text/xml; charset=utf-8",
                f'SOAPAction: "CUCM:DB ver={_AXL_VERSION} {operation}"',
            ),
            body=body,
        )
        return _xml_of(answer, "AXL")

    async def _unity_nodes(
        self, plan: DiscoveryPlan, context: OriginContext
    ) -> tuple[DiscoveredNode, ...]:
        """Ask Unity Connection for its version and its servers. Lab default."""
        version = await self._rest(plan, context, "version")
        servers = await self._rest(plan, context, "vmsservers")
        names = [_host(item.text) for item in servers.iter() if _local(item) == "ServerName"]
        if not names:
            raise LabError(_NOT_THIS_KIND[plan.kind], hint="enter the Unity Connection publisher")
        return tuple(
            DiscoveredNode(
                name=name,
                kind=plan.kind,
                publisher=number == 0,
                found_by=plan.address,
                version=_text_of(version, "version"),
            )
            for number, name in enumerate(dict.fromkeys(names))
        )

    async def _rest(self, plan: DiscoveryPlan, context: OriginContext, name: str) -> Element:
        answer = await self._ask(
            plan,
            context,
            port=self.ports.unity,
            start=f"GET /vmrest/{name} HTTP/1.1",
            fields=("Accept: application/xml",),
            body=b"",
        )
        return _xml_of(answer, "Unity Connection")

    async def _ask(
        self,
        plan: DiscoveryPlan,
        context: OriginContext,
        *,
        port: int,
        start: str,
        fields: tuple[str, ...],
        body: bytes,
    ) -> HttpAnswer:
        credentials = b64encode(f"{plan.username}:{plan.password}".encode()).decode("ascii")
        lines = (
            start,
            f"Host: {bracketed(plan.address)}:{port}",
            f"Authorization: Basic {credentials}",
            *fields,
            f"Content-Length: {len(body)}",
            "Connection: close",
        )
        request = "\r\n".join((*lines, "", "")).encode("ascii", "replace") + body
        # For an address literal the peer's address is what is looked for in the certificate: the
        # one typed in, not where the lab runs the node.
        inspection = HandshakeInspection(plan.address, plan.address, is_ip=is_ip(plan.address))
        return await exchange(
            self.dial(plan.address, port),
            request,
            context=context,
            inspection=inspection,
            timeout_s=self.timeout_s,
        )


async def discover(
    plan: DiscoveryPlan,
    *,
    trust: TrustStore,
    profile: ReleaseProfile,
    dial: Callable[[str, int], Endpoint],
    now: datetime | None = None,
) -> Discovered:
    """Ask one publisher with the defaults of a release; see :class:`Discoverer`."""
    return await Discoverer(trust=trust, profile=profile, dial=dial, now=now).one(plan)


# AXL. Source: the public AXL schema (seen).

_ENVELOPE: Final = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"'
    ' xmlns:ns="http://www.cisco.com/AXL/API/{version}"><soapenv:Body>'
    "<ns:{operation}>{inside}</ns:{operation}>"
    "</soapenv:Body></soapenv:Envelope>"
)
_NODE_TAGS: Final = (
    "<searchCriteria><name>%</name></searchCriteria>"
    "<returnedTags><name/><nodeUsage/><processNodeRole/></returnedTags>"
)


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    publisher: bool
    role: str


def _process_nodes(answer: Element) -> list[_Row]:
    """Read the rows of a ``listProcessNode`` answer."""
    rows = [
        _Row(
            _text_of(item, "name"),
            _text_of(item, "nodeUsage") == _PUBLISHER,
            _text_of(item, "processNodeRole"),
        )
        for item in answer.iter()
        if _local(item) == "processNode"
    ]
    named = [row for row in rows if row.name != _DATABASE_WIDE]
    for row in named:
        _host(row.name)
    return named


def _version_in(answer: Element) -> str:
    version = _text_of(answer, "version")
    if not version:
        raise LabError("AXL names no version", hint="check that AXL Web Service runs there")
    return version


def _xml_of(answer: HttpAnswer, what: str) -> Element:
    """Return the answer's tree, or raise what stands in the status column."""
    if answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        raise LabError(
            f"{what}: wrong user name or password, or no access ({answer.status})",
            hint="check the credentials, and that the user has the role Standard AXL API Access",
        )
    if answer.status != HTTPStatus.OK:
        raise LabError(
            f"{what} answered {answer.status} {answer.phrase}".rstrip(),
            hint="check that the web service runs on the publisher",
        )
    try:
        return read_xml(answer.body)
    except LabError as exc:
        raise LabError(f"{what}: {exc}", hint="check what answers at this address") from exc


def _text_of(element: Element, name: str) -> str:
    """Return the text of the first element of this local name, "" if there is none."""
    found = (item.text for item in element.iter() if _local(item) == name)
    return (next(found, None) or "").strip()


def _local(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _host(text: str | None) -> str:
    name = (text or "").strip()
    try:
        canonical_host(name)
    except RouteError as exc:
        raise LabError(
            f"the server list holds {name[:_SHOWN]!r}: {exc}",
            hint="correct it under System > Server",
        ) from exc
    return name
