"""What a case is, what both servers are watched for, and how two observations are compared.

Rules: a case is one sentence about Traffic Server and a small world in which it shows. It is run
under each policy with both servers, against the same origin. ``expect`` is what Traffic Server
itself must do with policy ENFORCED: without it two servers could agree on a mistake in the case.
*Pure*.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from enum import Enum
from itertools import groupby
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.differential.place import Place
    from tests.differential.world import World


class Policy(Enum):
    """``proxy.config.ssl.client.verify.server.policy``."""

    ENFORCED = "ENFORCED"
    PERMISSIVE = "PERMISSIVE"
    DISABLED = "DISABLED"


ALL_POLICIES: Final = tuple(Policy)

#: ``Case.expect``: the handshake completes and the origin answers.
OK: Final = "ok"
#: ``Case.expect``: the certificate does not have the name.
NAME: Final = "name"


@dataclass(frozen=True, slots=True)
class Case:
    """One rule, and what shows it."""

    id: str  #: the sentence it proves
    section: str  #: ``1.2 names``: heading and rule
    expect: str  #: OK, NAME, ``TEXT@DEPTH`` of the first WARNING, or the status line's end
    build: Callable[[Place], World]
    policies: tuple[Policy, ...] = ALL_POLICIES


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything that a client, an origin and a log reader see of one case."""

    answer: tuple[str, ...]  #: status and reason of each answer, ``cut`` where there was none
    page: tuple[str, ...]  #: title and telling fields of each answer of the proxy's own
    body: tuple[str, ...]  #: body of each answer that is the origin's
    warnings: tuple[str, ...]  #: WARNING lines, without their prefix
    errors: tuple[str, ...]  #: ``SSL connection failed`` lines, debug text in both
    connections: int  #: how many the origin accepted
    sni: tuple[str, ...]  #: server name of each connection, ``-`` for none
    suites: tuple[str, ...]  #: offered on each connection, in order
    versions: tuple[str, ...]  #: TLS version of each connection, ``-`` for none
    alerts: tuple[str, ...]  #: alert received on each connection, ``-`` for none
    resumed: tuple[str, ...]  #: whether each connection resumed a session
    requests: tuple[str, ...]  #: request line, Host and body of what the origin was asked


#: One value per connection: compared without regard to how often neighbours repeat, since that is
#: what ``connections`` tells.
_PER_CONNECTION: Final = frozenset({"sni", "suites", "versions", "alerts", "resumed"})
OBSERVABLES: Final = tuple(field.name for field in fields(Observation))


def differences(theirs: Observation, ours: Observation) -> dict[str, tuple[str, str]]:
    """Return what differs: observable -> what Traffic Server showed and what we showed."""
    return {
        name: (shown(getattr(theirs, name)), shown(getattr(ours, name)))
        for name in OBSERVABLES
        if _compared(theirs, name) != _compared(ours, name)
    }


def _compared(observation: Observation, name: str) -> object:
    value = getattr(observation, name)
    return [item for item, _ in groupby(value)] if name in _PER_CONNECTION else value


def shown(value: tuple[str, ...] | int) -> str:
    """Render an observable as one line; equal neighbours are counted."""
    if isinstance(value, int):
        return str(value)
    counted = [(item, len(list(same))) for item, same in groupby(value)]
    texts = (f"{count} x {item}" if count > 1 else item for item, count in counted)
    return "; ".join(texts) or "nothing"


_TEMPLATES: Final = re.compile(
    r"(?P<warning>Core server certificate verification failed for \((?P<x1>.*?)\)\. Action=.*"
    r"|SNI \((?P<x2>.*?)\) not in certificate\. Action=.*)"
    r"|SSL connection failed for '(?P<x3>.*)': (?P<error>error:.*)"
)
_PEER: Final = re.compile(r"\((?P<peer>[0-9a-fA-F.:]+)\)(?: depth=\d+)?$")


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One line about an origin's TLS."""

    is_warning: bool
    text: str  #: without prefix
    name: str  #: X: server name, or the peer's address
    peer: str  #: Z: the peer's address, empty in an error line


def log_entries(lines: Iterable[str]) -> list[LogEntry]:
    """Pick out the lines about origins' TLS, in either server's form."""
    entries = []
    for line in lines:
        match = _TEMPLATES.search(line.rstrip("\n"))
        if match is None:
            continue
        if match["warning"] is not None:
            peer = _PEER.search(match["warning"])
            name = match["x1"] or match["x2"]
            entries.append(LogEntry(True, match["warning"], name, peer["peer"] if peer else ""))
        else:
            entries.append(LogEntry(False, match[0], match["x3"], ""))
    return entries


def first_finding(warnings: tuple[str, ...]) -> str:
    """Return the first WARNING in the form of ``Case.expect``."""
    if not warnings:
        return OK
    if warnings[0].startswith("SNI "):
        return NAME
    match = re.search(r" Error=(?P<text>.*) server=.* depth=(?P<depth>\d+)$", warnings[0])
    return f"{match['text']}@{match['depth']}" if match else warnings[0]


def meets(case: Case, observation: Observation) -> bool:
    """Tell whether Traffic Server, enforcing, did what the case says."""
    if not case.expect[:3].isdigit():
        refused = observation.answer[-1:] == ("502 ",)
        finding = first_finding(observation.warnings)
        return finding == case.expect and refused == (case.expect != OK)
    return observation.answer[-1:] == (case.expect,)
