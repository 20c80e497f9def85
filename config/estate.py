"""The estate: what an engineer's MRA installation consists of, as one frozen description.

Rules: everything here is data, checked by :mod:`mralab.config.estatefile`, which reads it from a
TOML file and names every fault at once. Addresses are the real ones of the estate; the lab runs
each node on a loopback address of its own (:func:`loopback_of`), and nothing else. *Pure*.

Source: what stands in it follows Cisco 218018, the X14.2 release note and the MRA deployment
guides; each default that is ours says ``lab default``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from ipaddress import IPv4Address, ip_address
from typing import TYPE_CHECKING, Final

from mralab.config.releases import NameRule, Release, UpgradePath, VerifyMode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

#: A moment in a certificate: a date, or a distance from the moment the lab makes it.
Moment = datetime | timedelta


class NodeRole(Enum):
    """What a node is."""

    PUBLISHER = "publisher"  #: of a CUCM cluster
    SUBSCRIBER = "subscriber"
    IM_PRESENCE = "im-presence"
    UNITY = "unity"  #: Unity Connection


class CertificateKind(Enum):
    """Certificates of a node by the name that certificate management lists them under.

    Source: Cisco 218018 (seen); ``cup-xmpp`` from the MRA guide's certificate table (seen).
    """

    TOMCAT = "tomcat"
    TOMCAT_ECDSA = "tomcat-ECDSA"
    CALL_MANAGER = "CallManager"
    CALL_MANAGER_ECDSA = "CallManager-ECDSA"
    CUP_XMPP = "cup-xmpp"

    @property
    def ecdsa(self) -> bool:
        """Whether its key is an elliptic curve one."""
        return self.value.endswith("-ECDSA")


class KeyChoice(Enum):
    """Kinds of private keys."""

    RSA_1024 = "RSA 1024"
    RSA_2048 = "RSA 2048"
    RSA_3072 = "RSA 3072"
    RSA_4096 = "RSA 4096"
    EC_P256 = "EC secp256r1"
    EC_P384 = "EC secp384r1"


class DigestChoice(Enum):
    """Digests of a signature."""

    SHA256 = "sha256"
    SHA384 = "sha384"
    SHA512 = "sha512"
    SHA1 = "sha1"
    MD5 = "md5"


class Purpose(Enum):
    """Extended key usages of a leaf."""

    SERVER = "server"
    CLIENT = "client"


class HttpsCiphers(Enum):
    """CUCM's enterprise parameter HTTPS Ciphers. Source: Cisco Preferred Architecture (seen)."""

    RSA_ONLY = "RSA Ciphers Only"  #: the default of CUCM
    EC_AND_RSA = "All Supported EC and RSA Ciphers"


class TlsCiphers(Enum):
    """CUCM's enterprise parameter TLS Ciphers; here for 6971 and 6972 (inferred).

    Source: the first is the default (seen). That it leaves the client's order in force on 6972 is
    what Cisco 218018 shows; that the second puts the node's own order in force is a lab default.
    """

    RSA_PREFERRED = "All Ciphers RSA Preferred"
    ECDSA_PREFERRED = "All Ciphers ECDSA Preferred"


class ServiceState(Enum):
    """How a service of a node is when the lab starts."""

    RUNNING = "running"
    DOWN = "down"  #: nothing listens
    SILENT = "silent"  #: accepts and never answers
    PLAIN_HTTP = "plain http"  #: HTTP without TLS on the port
    RESET = "reset"  #: resets on the client's first bytes


class DiscoveryKind(Enum):
    """The three forms under Configuration > Unified Communications. Source: MRA guide (seen)."""

    UNIFIED_CM = "unified-cm"
    IM_PRESENCE = "im-presence"
    UNITY = "unity"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorityPlan:
    """A certificate authority of the estate."""

    name: str  #: its common name, and what others call it by; unique
    signed_by: str = ""  #: name of the authority above it; "" is a root
    key: KeyChoice = KeyChoice.RSA_2048
    digest: DigestChoice = DigestChoice.SHA256
    not_before: Moment | None = None  #: None is a day before it is made
    not_after: Moment | None = None  #: None is ten years after
    path_length: int | None = None  #: pathLenConstraint
    common_name: str = ""  #: "" is ``name``; for a second authority of the same subject
    line: int = 0  #: where the file describes it, 0 if it does not


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificatePlan:
    """One certificate of a node or an Expressway.

    ``reuse`` names another certificate that serves here too, and then nothing else counts:
    ``tomcat`` of the same node (CUCM 14's Reuse certificate) or ``NODE/tomcat`` (a multi-server
    certificate made elsewhere in the cluster).
    """

    signed_by: str = ""  #: name of an authority, "" is self-signed
    cn: str = ""
    dns: tuple[str, ...] = ()  #: dNSName SANs
    ips: tuple[str, ...] = ()  #: iPAddress SANs
    key: KeyChoice = KeyChoice.RSA_2048
    digest: DigestChoice = DigestChoice.SHA256
    not_before: Moment | None = None  #: None is a day before it is made
    not_after: Moment | None = None  #: None is five years after
    purposes: tuple[Purpose, ...] = (Purpose.SERVER, Purpose.CLIENT)
    key_ids: bool = True  #: whether subject and authority key identifiers stand in it
    sends: tuple[str, ...] | None = None  #: authorities sent along; None: every intermediate one
    reuse: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePlan:
    """A CUCM, IM&P or Unity node."""

    name: str  #: its FQDN; unique in the estate
    role: NodeRole
    address: str  #: IPv4 literal
    advertised: str = ""  #: under System > Server or as UC service: FQDN, short name or IP
    version: str = "14.0.1"  #: 15 and later speak TLS 1.3
    certificates: Mapping[CertificateKind, CertificatePlan] = field(default_factory=dict)
    trust: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict
    )  #: trust lists by name (``tomcat-trust``): references, see :class:`Estate`
    https_ciphers: HttpsCiphers = HttpsCiphers.RSA_ONLY
    tls_ciphers: TlsCiphers = TlsCiphers.RSA_PREFERRED
    services: Mapping[str, ServiceState] = field(default_factory=dict)  #: those not running
    line: int = 0

    @property
    def shown(self) -> str:
        """The name it is advertised by."""
        return self.advertised or self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterPlan:
    """A CUCM cluster with its IM&P nodes; users' voicemail may be on the estate's Unity nodes."""

    name: str
    nodes: tuple[NodePlan, ...]  #: CUCM and IM&P; exactly one publisher, first
    line: int = 0

    @property
    def publisher(self) -> NodePlan:
        """The node whose database holds the others."""
        return next(node for node in self.nodes if node.role is NodeRole.PUBLISHER)

    def of_role(self, *roles: NodeRole) -> tuple[NodePlan, ...]:
        """Return the nodes of these roles in order."""
        return tuple(node for node in self.nodes if node.role in roles)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserPlan:
    """An end user."""

    user_id: str
    password: str = field(repr=False)
    cluster: str  #: name of the home cluster
    first_name: str = ""
    last_name: str = ""
    extension: str = ""
    im_presence: bool = True
    voicemail: str = ""  #: name of the Unity node that holds the mailbox, "" is none
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryPlan:
    """A publisher as the admin typed it into Expressway-C."""

    kind: DiscoveryKind
    address: str  #: as typed: FQDN, short name or IP
    tls_verify_mode: bool = True  #: On or Off; checks this address only
    username: str = "axladmin"
    password: str = field(default="axlpassword", repr=False)
    deployment: str = "Default deployment"
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpresswayCPlan:
    """Expressway-C."""

    name: str
    address: str
    certificate: CertificatePlan  #: shown to nodes that ask for one
    release: Release = Release.X14_2
    upgrade_path: UpgradePath = UpgradePath.FRESH
    verify_origin_server: VerifyMode | None = None  #: None follows the release
    name_rule: NameRule | None = None
    ciphers: str | None = None
    trusted_ca: tuple[str, ...] = ()  #: references, in order
    discoveries: tuple[DiscoveryPlan, ...] = ()
    allow: tuple[str, ...] = ()  #: URLs of editable inbound rules, prefix match, all methods
    refresh_interval_s: int = 28_800  #: Credentials refresh interval. Source: MRA guide (seen)
    authorisations: int = 10  #: of one user per period; more is 429. Lab default
    authorisation_period_s: int = 60  #: lab default
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpresswayEPlan:
    """Expressway-E: the TLS front on 8443."""

    name: str
    address: str
    certificate: CertificatePlan
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Estate:
    """All of it.

    A *reference* names a certificate: that of an authority (``steven-DC-CA``), of a node
    (``cucm.steven.lab/CallManager-ECDSA``) or of an Expressway (``vcsc.steven.lab/server``).
    """

    domain: str  #: the MRA domain, such as ``steven.lab``
    authorities: tuple[AuthorityPlan, ...]
    clusters: tuple[ClusterPlan, ...]
    unity: tuple[NodePlan, ...] = ()
    users: tuple[UserPlan, ...]
    expressway_c: ExpresswayCPlan
    expressway_e: ExpresswayEPlan
    source: Path | None = None  #: the file it was read from

    def nodes(self) -> Iterator[NodePlan]:
        """Yield each node, cluster by cluster, Unity last."""
        for cluster in self.clusters:
            yield from cluster.nodes
        yield from self.unity

    def node(self, name: str) -> NodePlan:
        """Return the node of this name.

        Raises:
            KeyError: there is none.
        """
        for node in self.nodes():
            if node.name == name:
                return node
        raise KeyError(name)

    def cluster(self, name: str) -> ClusterPlan:
        """Return the cluster of this name.

        Raises:
            KeyError: there is none.
        """
        for cluster in self.clusters:
            if cluster.name == name:
                return cluster
        raise KeyError(name)

    def user(self, user_id: str) -> UserPlan | None:
        """Find a user by id, with case."""
        return next((user for user in self.users if user.user_id == user_id), None)


_LOOPBACK_NET: Final = 127


def loopback_of(address: str, *, shift: int = 0) -> str:
    """Return where the lab runs the node of an address: 10.48.36.215 on 127.48.36.215.

    Args:
        address: IPv4 literal.
        shift: added to the second octet, modulo 256, so that two labs can run side by side.

    Raises:
        ValueError: not an IPv4 literal.
    """
    parsed = ip_address(address)
    if not isinstance(parsed, IPv4Address):
        raise ValueError(address)  # noqa: TRY004 - one kind of error for all that is no IPv4
    _, second, third, fourth = parsed.packed
    return f"{_LOOPBACK_NET}.{(second + shift) % 256}.{third}.{fourth}"
