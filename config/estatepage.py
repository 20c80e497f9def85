"""The reference page of the estate file, from its schema. *Pure*."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mralab.config.estate import NodeRole, ServiceState
from mralab.config.estatedefaults import (
    KINDS_OF_ROLE,
    SERVICES_OF_ROLE,
    TRUST_LISTS_OF_ROLE,
)
from mralab.config.estateschema import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mralab.config.estateschema import Key, Table

_HEAD: Final = """\
# The estate file

<!-- Made by `python -m mralab.config.estatereference`; a test holds it against the code. -->

An estate is what an MRA installation consists of: Expressways, CUCM clusters, Unity Connection,
their certificates and trust lists, users. One TOML file describes it. `mralab lab init FILE` writes
an annotated sample, `mralab lab check FILE` lists every fault at once with its line and a hint, or
shows the estate on one screen. [Describe your own](../howto/describe-an-estate.md) goes through
CUCM's pages in the order in which the values are found.

Case, hyphens and underscores in names of keys do not count, nor does case in choices. Names of
nodes are DNS names: they are kept in lower case. Addresses are those of the field, IPv4 only; the
lab runs each node on a loopback address.

## What is left out

A certificate that is not described is what an installation leaves: self-signed, CN and dNSName SAN
are the node's FQDN, the ECDSA ones have the CN `<host>-EC.<domain>`, a secp384r1 key and a SHA-384
signature. Of a certificate that is described, each key left out is as in that one: so
`certificate.tomcat.signed_by = "steven-DC-CA"` alone is what comes back for a CSR with the node's
own name. Trust lists that are left out are empty; CUCM then ends TLS on 6971 and 6972 with `unknown
ca` once Expressway-C shows a certificate (X14.0.2 and later). Source: CN and key of the ECDSA
certificate are seen (Cisco 218018); sizes of RSA keys and lifetimes are lab defaults.

## How values are written
"""
_WAYS: Final = {
    "reference": (
        'a certificate by name: of an authority (`"steven-DC-CA"`), of a node '
        '(`"cucm.steven.lab/CallManager-ECDSA"`), of an Expressway (`"vcsc.steven.lab/server"`)'
    ),
    "moment": (
        "a date (`2027-01-31`), a date with a time (UTC unless it has an offset), or a distance "
        'from the moment the certificate is made: `"-1d"`, `"+36h"`, `"+2y"`; units `min`, `h`, '
        "`d`, `w`, `y` (365 days)"
    ),
    "list of ...": '`["one", "two"]`; one item may stand alone, without brackets',
    "On\\|Off": '`"On"` or `"Off"`; `true` and `false` too',
    "version in quotes": '`"14.0.1"`, `"15.0.1.10000-32"`',
}
_BAR: Final = " \\| "  # in a cell
_DATES: Final = """
If one of `not_before` and `not_after` is left out and the other is in the past or the future, it
moves along: `not_after = "-1d"` is a certificate that was valid for its usual lifetime until
yesterday.
"""


_ROLES: Final = """\
## What a node has

By its role: certificates, trust lists and services, by the names that the file has for them. A
certificate stands under `[cluster.node.certificate.NAME]` or `[unity.certificate.NAME]`, that of
an Expressway under `[expressway_c.certificate]` or `[expressway_e.certificate]`. A trust list is a
list of references in `[cluster.node.trust]` or `[unity.trust]`. Source: the certificates and CUCM's
trust lists are seen (MRA guide X15.0, X14.2 release note), the trust lists of the others inferred.
"""
_SERVICES: Final = """
Services: `uds` is UDS and AXL on 8443, `tftp-https` 6972, `tftp-secure` 6971, `tftp-http` 6970,
`soap` 8443 on IM and Presence, `rest` 443 on Unity Connection. What does not run is said in
`[cluster.node.services]` or `[unity.services]`, `tftp-http = "down"`:
"""
_STATES: Final = {
    ServiceState.RUNNING: "it runs, as without this line",
    ServiceState.DOWN: "nothing listens",
    ServiceState.SILENT: "it accepts connections and never answers",
    ServiceState.PLAIN_HTTP: "HTTP without TLS on its port",
    ServiceState.RESET: "resets a connection on its first bytes",
}
_TAIL: Final = """\
## What is checked

Every value by its kind, and that no key is unknown, missing or given twice. Names, user ids and
addresses are unique. Each reference, authority, cluster and Unity node exists; no signing chain and
no `reuse` is a circle. A cluster has exactly one publisher. An address under `advertised` is the
node's own, and no two nodes are advertised by one name; another name is taken as an alias that the
lab's DNS knows. A discovery names a publisher of its kind. The ECDSA certificates have EC keys, the
others RSA ones, and what is reused fits. An MD5 signature has an RSA signer. Dates are in order.
There is a user, and the discovery of a CUCM publisher.

What is checked is that the estate can be run, not that a login works: that is what `mralab login`
and `mralab upgrade` are for.
"""


def render_estate_reference() -> str:
    """Return the page as Markdown."""
    ways = ["| kind | how |", "|---|---|", *(f"| {kind} | {how} |" for kind, how in _WAYS.items())]
    tables = [_table(table) for table in TABLES]
    roles = (_ROLES, *_role_table(), _SERVICES, *_state_table(), "")
    return "\n".join((_HEAD, *ways, _DATES, *tables, *roles, _TAIL))


def _table(table: Table) -> str:
    """Return a section of the page."""
    lines = [
        f"## `{table.header}`" if table.header else "## At the top",
        "",
        table.about,
        "",
        "| key | write | default | meaning |",
        "|---|---|---|---|",
        *(_row(table, key) for key in table.keys),
        "",
    ]
    return "\n".join(lines)


def _row(table: Table, key: Key) -> str:
    cells = (f"`{key.name}`", key.kind.form, table.default_of(key), key.about)
    return f"| {' | '.join(cell.replace('|', _BAR) for cell in cells)} |"


def _role_table() -> list[str]:
    return [
        "| role | certificates | trust lists | services |",
        "|---|---|---|---|",
        *(
            f"| {role.value} | {_words(kind.value for kind in KINDS_OF_ROLE[role])} "
            f"| {_words(TRUST_LISTS_OF_ROLE[role])} | {_words(SERVICES_OF_ROLE[role])} |"
            for role in NodeRole
        ),
    ]


def _state_table() -> list[str]:
    rows = (f"| `{state.value}` | {_STATES[state]} |" for state in ServiceState)
    return ["| state | meaning |", "|---|---|", *rows]


def _words(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
