"""Allow list rules from what discovery found, in the product's CSV form. *Pure*.

- A rule of a node type applies to every node of that type, under the name the node is advertised
  by. Rules are made anew by each discovery.
- Types, paths and methods are those of the built-in allow list (proxy/allowlist-default.csv), with
  the node's name for ``*`` and the estate's ports for the documented ones.
- Every Unified CM node is taken for a TFTP server too (lab default).

Source: MRA deployment guide X14.0.2, "HTTP Allow List Formats" (form, node types and that discovery
makes the rules, seen). Paths and methods of the generated rules are lab defaults.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib import resources
from io import StringIO
from typing import TYPE_CHECKING, Final

from mralab.config.estate import DiscoveryKind
from mralab.lab.estateplace import EstatePorts
from mralab.lab.hosts import bracketed
from mralab.proxy.allowlist import place_of
from mralab.proxy.allowlist_csv import RULE_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mralab.lab.discovery import DiscoveryReport

_DOCUMENTED: Final = EstatePorts()
_PREFIX: Final = "Automatically generated rule for "
#: Nodes that the rules of the built-in list are about, by the end of their description.
_KINDS: Final = {
    f"{_PREFIX}CUCM server": DiscoveryKind.UNIFIED_CM,
    f"{_PREFIX}TFTP server": DiscoveryKind.UNIFIED_CM,
    f"{_PREFIX}IM and Presence Service node": DiscoveryKind.IM_PRESENCE,
    f"{_PREFIX}Unity Connection server": DiscoveryKind.UNITY,
}


def generated_rules(
    report: DiscoveryReport, ports: EstatePorts = _DOCUMENTED, *, editable: Iterable[str] = ()
) -> str:
    """Return the allow list of a discovery.

    Args:
        report: what was found.
        ports: where the nodes' services are.
        editable: URLs of editable inbound rules: prefix match, any method.

    Returns:
        CSV with its header, generated rules first; without nodes and URLs the header alone, and
        that list allows nothing.
    """
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(RULE_COLUMNS)
    nodes = tuple(dict.fromkeys((node.kind, node.name) for node in report.nodes))
    for url, methods, match, description in _templates():
        place = place_of(url)
        port = _port_of(place.port, ports)
        for kind, name in nodes:
            if kind is _KINDS[description]:
                own = f"{place.scheme}://{bracketed(name)}:{port}{place.path}"
                writer.writerow((own, "", methods, match, description))
    for url in editable:
        writer.writerow((url, "", "*", "prefix", ""))
    return text.getvalue()


@cache
def _templates() -> tuple[tuple[str, str, str, str], ...]:
    """The built-in list as rows: Url, HttpMethods, MatchType, Description."""
    text = (resources.files("mralab.proxy") / "allowlist-default.csv").read_text("utf-8")
    return tuple(
        (row["Url"], row["HttpMethods"], row["MatchType"], row["Description"])
        for row in csv.DictReader(StringIO(text))
    )


def _port_of(documented: int, ports: EstatePorts) -> int:
    """Return the estate's port for a documented one."""
    return {
        _DOCUMENTED.uds: ports.uds,
        _DOCUMENTED.tftp_https: ports.tftp_https,
        _DOCUMENTED.tftp_http: ports.tftp_http,
        _DOCUMENTED.unity: ports.unity,
    }[documented]
