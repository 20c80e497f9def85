"""The tables and keys of an estate file: one description drives the reader and its reference page.

Defaults are not repeated where the plan in :mod:`mralab.config.estate` has one. *Pure*.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from enum import Enum
from typing import TYPE_CHECKING, Final

from mralab.config import estatekinds as kinds
from mralab.config.estate import (
    AuthorityPlan,
    CertificatePlan,
    ClusterPlan,
    DigestChoice,
    DiscoveryKind,
    DiscoveryPlan,
    Estate,
    ExpresswayCPlan,
    ExpresswayEPlan,
    HttpsCiphers,
    KeyChoice,
    NodePlan,
    ServiceState,
    TlsCiphers,
    UserPlan,
)
from mralab.config.releases import NameRule, UpgradePath, VerifyMode
from mralab.config.values import CIPHERS, SWITCH, Kind, choice, number

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_PATH_LENGTH = 100
_MAX_SECONDS = 366 * 86_400
_MAX_AUTHORISATIONS = 1_000_000


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a table.

    Attributes:
        name: as the file has it.
        kind: how it is written and read.
        about: one sentence or two for the reference page.
        default: what counts without it, in words, where the plan's own default does not say it.
        required: whether the file must have it.
        field: the plan's field, where it is called otherwise.
    """

    name: str
    kind: Kind
    about: str
    default: str = ""
    required: bool = False
    field: str = ""

    @property
    def target(self) -> str:
        """The plan's field."""
        return self.field or self.name


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the file.

    Attributes:
        header: as it stands in the file, ``[[cluster.node]]``.
        plan: what it becomes.
        about: what it describes, for the reference page.
        keys: in the order of the page.
        inner: tables in it by name; not read by their keys here.
    """

    header: str
    plan: type
    about: str
    keys: tuple[Key, ...]
    inner: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All names that may stand in it."""
        return (*(key.name for key in self.keys), *self.inner)

    def default_of(self, key: Key) -> str:
        """Return a key's default in words."""
        if key.required or key.default:
            return "required" if key.required else key.default
        (default,) = (item.default for item in fields(self.plan) if item.name == key.target)
        assert default is not MISSING, key  # noqa: S101 - the table above is wrong then
        return _as_written(default)


def _as_written(value: object) -> str:
    match value:
        case Enum():
            return f'"{value.value}"'
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
        case tuple():
            return f"[{', '.join(_as_written(item) for item in value)}]"
        case _:
            return str(value)


_NOT_BEFORE = Key(
    "not_before", kinds.MOMENT, "From when it is valid.", "a day before it is made; see above"
)
_DIGEST = Key("digest", choice(DigestChoice), "Digest of its signature.")

TOP: Final = Table(
    "",
    Estate,
    "Stands before the first table.",
    (Key("domain", kinds.FQDN, "The MRA domain: what stands behind the @.", required=True),),
    ("authority", "cluster", "unity", "user", "expressway_c", "expressway_e"),
)
AUTHORITY: Final = Table(
    "[[authority]]",
    AuthorityPlan,
    "A certificate authority, as often as there are some; none is needed if all certificates are "
    "self-signed.",
    (
        Key("name", kinds.AUTHORITY, "What others call it by, and its CN; unique.", required=True),
        Key(
            "signed_by", kinds.AUTHORITY, "The authority above it.", "a root: it has signed itself"
        ),
        Key(
            "common_name",
            kinds.COMMON_NAME,
            "Its CN, where that is not its name, as of one that was renewed with a new key.",
            "its name",
        ),
        Key("key", choice(KeyChoice), "Its private key."),
        _DIGEST,
        _NOT_BEFORE,
        Key("not_after", kinds.MOMENT, "Until when it is valid.", "ten years after it is made"),
        Key(
            "path_length",
            number(0, _MAX_PATH_LENGTH),
            "pathLenConstraint: how many authorities may follow it in a chain.",
            "none",
        ),
    ),
)
CLUSTER: Final = Table(
    "[[cluster]]",
    ClusterPlan,
    "A CUCM cluster with its IM and Presence nodes.",
    (Key("name", kinds.NAME, "What users are assigned to; unique.", required=True),),
    ("node",),
)
_NODE_KEYS: Final = (
    Key("name", kinds.FQDN, "Its FQDN; unique.", required=True),
    Key("address", kinds.IPV4, "Its address in the field; unique.", required=True),
    Key(
        "advertised",
        kinds.HOST,
        "What System > Server has for it, or the UC service: FQDN, short name or IP. The name that "
        "clients are told, so the name that is checked.",
        "its name",
    ),
    Key("version", kinds.VERSION, "Its version; 15 and later speak TLS 1.3."),
)
_CIPHER_KEYS: Final = (
    Key(
        "https_ciphers",
        choice(HttpsCiphers),
        "Enterprise parameter HTTPS Ciphers: whether 8443 has the ECDSA certificate too.",
    ),
    Key(
        "tls_ciphers",
        choice(TlsCiphers),
        "Enterprise parameter TLS Ciphers: the first leaves the choice on 6971 and 6972 to the "
        "client's order, the second prefers ECDSA (lab default).",
    ),
)
NODE: Final = Table(
    "[[cluster.node]]",
    NodePlan,
    "A CUCM or IM and Presence node of the cluster above it; exactly one is the publisher. The "
    "first IM and Presence node is the database publisher.",
    (
        *_NODE_KEYS[:1],
        Key("role", kinds.NODE_ROLE, "What it is.", required=True),
        *_NODE_KEYS[1:],
        *_CIPHER_KEYS,
    ),
    ("certificate", "trust", "services"),
)
UNITY: Final = Table(
    "[[unity]]",
    NodePlan,
    "A Unity Connection node.",
    (*_NODE_KEYS, _CIPHER_KEYS[0]),
    ("certificate", "trust", "services"),
)
CERTIFICATE: Final = Table(
    "[cluster.node.certificate.tomcat]",
    CertificatePlan,
    "One certificate of a node: `tomcat`, `tomcat-ECDSA`, `CallManager`, `CallManager-ECDSA`, "
    "`cup-xmpp`. One that is left out is what an installation leaves: self-signed. A key that is "
    "left out is as in that one.",
    (
        Key("signed_by", kinds.AUTHORITY, "The authority that has signed it.", "self-signed"),
        Key(
            "cn",
            kinds.COMMON_NAME,
            'CN of its subject; "" is none.',
            "the FQDN; `<host>-EC.<domain>` for the ECDSA ones",
        ),
        Key(
            "dns",
            kinds.DNS_SANS,
            "dNSName SANs, wildcards too; [] is none.",
            "[the FQDN]; Expressway-E: also the MRA domain",
        ),
        Key("ips", kinds.IP_SANS, "iPAddress SANs."),
        Key(
            "key",
            choice(KeyChoice),
            "Its private key: EC for the ECDSA ones, RSA for the others, either on an Expressway.",
            '"RSA 2048"; "EC secp384r1" for the ECDSA ones',
        ),
        Key(
            "digest",
            choice(DigestChoice),
            _DIGEST.about,
            '"sha256"; "sha384" for the ECDSA ones',
        ),
        _NOT_BEFORE,
        Key("not_after", kinds.MOMENT, "Until when it is valid.", "five years after it is made"),
        Key("purposes", kinds.PURPOSES, "Extended key usages; [] leaves the extension out."),
        Key("key_ids", SWITCH, "Whether it has subject and authority key identifiers."),
        Key(
            "sends",
            kinds.AUTHORITIES,
            "Authorities sent along, in order; [] is the certificate alone.",
            "every intermediate one",
        ),
        Key(
            "reuse",
            kinds.REFERENCE,
            "Another certificate that serves here too: `tomcat` of this node, or `NODE/tomcat` for "
            "a multi-server certificate or wildcard. No other key may stand beside it.",
            "none",
        ),
    ),
)
USER: Final = Table(
    "[[user]]",
    UserPlan,
    "An end user; at least one.",
    (
        Key(
            "id",
            kinds.USER_ID,
            "User id; case counts for phone services.",
            required=True,
            field="user_id",
        ),
        Key("password", kinds.SECRET, "The password, of the lab only.", required=True),
        Key("cluster", kinds.NAME, "Home cluster.", "the cluster, if there is one only"),
        Key("first_name", kinds.TEXT, "First name."),
        Key("last_name", kinds.TEXT, "Last name."),
        Key("extension", kinds.TEXT, "Directory number."),
        Key("im_presence", SWITCH, "Enabled for IM and Presence on the user's page."),
        Key("voicemail", kinds.FQDN, "Name of the Unity node with the mailbox.", "no mailbox"),
    ),
)
EXPRESSWAY_C: Final = Table(
    "[expressway_c]",
    ExpresswayCPlan,
    "Expressway-C.",
    (
        Key("name", kinds.FQDN, "Its FQDN.", required=True),
        Key("address", kinds.IPV4, "Its address.", required=True),
        Key(
            "release",
            kinds.RELEASE,
            "What it runs, or what stands for it: X14.2 for X14.3, X15.5 for all of X15 "
            "(inferred). `ats` is the stock server.",
        ),
        Key(
            "upgrade_path",
            choice(UpgradePath),
            "How X14.2 or later was reached; from-14.0 keeps the cipher list that prefers RSA.",
        ),
        Key(
            "verify_origin_server",
            choice(VerifyMode),
            "xConfiguration EdgeConfigServer VerifyOriginServer; Permissive is a lab extension.",
            "the release's",
        ),
        Key(
            "name_rule",
            choice(NameRule),
            "How the advertised name is compared with the certificate.",
            "the release's",
        ),
        Key(
            "ciphers",
            CIPHERS,
            "Cipher list towards nodes, as Maintenance > Security > Ciphers has it.",
            "the release's",
        ),
        Key(
            "trusted_ca",
            kinds.REFERENCES,
            "Trusted CA certificate list, in its order. Any certificate can stand in it, also a "
            "self-signed one of a node.",
        ),
        Key(
            "allow",
            kinds.URLS,
            "Editable inbound rules of the HTTP allow list: prefix match, all methods.",
        ),
        Key(
            "refresh_interval_s",
            number(1, _MAX_SECONDS),
            "Credentials refresh interval: how long a login lasts, in seconds.",
        ),
        Key(
            "authorisations",
            number(1, _MAX_AUTHORISATIONS),
            "Logins of one user in a period; more are answered 429.",
        ),
        Key("authorisation_period_s", number(1, _MAX_SECONDS), "That period, in seconds."),
    ),
    ("certificate", "discovery"),
)
DISCOVERY: Final = Table(
    "[[expressway_c.discovery]]",
    DiscoveryPlan,
    "A publisher as typed in under Configuration > Unified Communications; at least one of "
    "`unified-cm`.",
    (
        Key("kind", choice(DiscoveryKind), "Which of the three pages.", required=True),
        Key(
            "address",
            kinds.HOST,
            "The publisher as typed in: FQDN, short name or IP. Of IM and Presence the database "
            "publisher, of Unity any node.",
            required=True,
        ),
        Key(
            "tls_verify_mode",
            kinds.ON_OFF,
            "TLS verify mode: checks this address, once, at discovery.",
            '"On"',
        ),
        Key("username", kinds.TEXT, "Of an account with AXL access."),
        Key("password", kinds.SECRET, "Its password."),
        Key("deployment", kinds.TEXT, "Deployment."),
    ),
)
EXPRESSWAY_E: Final = Table(
    "[expressway_e]",
    ExpresswayEPlan,
    "Expressway-E.",
    (
        Key("name", kinds.FQDN, "Its FQDN: what the SRV record leads to.", required=True),
        Key("address", kinds.IPV4, "Its address.", required=True),
    ),
    ("certificate",),
)
#: In the order of the reference page.
TABLES: Final = (
    TOP,
    AUTHORITY,
    CLUSTER,
    NODE,
    UNITY,
    CERTIFICATE,
    USER,
    EXPRESSWAY_C,
    DISCOVERY,
    EXPRESSWAY_E,
)
#: Values of ``[cluster.node.services]``.
SERVICE_STATE: Final = choice(ServiceState)
#: Words that an engineer may write for another key; for hints.
OTHER_WORDS: Final[Mapping[str, str]] = {
    "fqdn": "name",
    "hostname": "name",
    "ip": "address",
    "san": "dns",
    "sans": "dns",
    "issuer": "signed_by",
    "ca": "signed_by",
    "commonname": "cn",
    "expires": "not_after",
    "verifyoriginserver": "verify_origin_server",
    "userid": "id",
    "mailbox": "voicemail",
    "subscriber": "node",
    "publisher": "node",
}


def folded(name: str) -> str:
    """Return a name as it is compared: case, hyphens and underscores do not count."""
    return name.lower().replace("-", "").replace("_", "")
