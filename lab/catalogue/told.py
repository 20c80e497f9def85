"""A case in words: what is stated of it, before anything has been played. *Pure*.

The host that a stated line is about follows from the step: each kind of step asks one node.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mralab.config.estate import NodeRole
from mralab.config.releases import UpgradePath
from mralab.lab.catalogue.compare import stated_lines
from mralab.lab.catalogue.expect import HOME, IM, PHOTO, VOICEMAIL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mralab.config.estate import Estate
    from mralab.lab.catalogue.model import Case, Expected, Fix, Play, Presented, Refused
    from mralab.lab.upgrade import Column

_FROM: Final = ", from "
_MANY: Final = 2
_PATHS: Final = {
    UpgradePath.FRESH: "fresh installation",
    UpgradePath.BELOW_14_0: "upgraded from below 14.0",
    UpgradePath.FROM_14_0: "upgraded from 14.0 or later",
}


def release_of(column: Column) -> str:
    """Return a release, and how it was reached, in words."""
    release = column.release.value
    if not column.release.value.startswith("X"):
        return "stock Traffic Server (ats)"
    return release if column.path is None else f"{release}, {_PATHS[column.path]}"


def host_of(case: Case, play: Play, group: Refused) -> str:
    """Return the host that the first of some red steps asks, as it is advertised."""
    estate = case.estate_of(play)
    title = group.asked or group.steps[0]
    if _FROM in title:
        return title.partition(_FROM)[2]
    if title == IM:
        return _shown(estate, NodeRole.IM_PRESENCE)
    if title in VOICEMAIL:
        return _shown(estate, NodeRole.UNITY)
    user = estate.user(case.user)
    at_home = user is not None and title not in {HOME, PHOTO}
    cluster = estate.cluster(user.cluster) if at_home and user is not None else estate.clusters[0]
    return cluster.publisher.shown


def lines_of(case: Case, play: Play) -> tuple[str, ...]:
    """Return the WARNING and ERROR lines that are stated of a play, each once."""
    estate = case.estate_of(play)
    lines = (
        line
        for group in play.expected.refused
        for line in stated_lines(group, host_of(case, play, group), estate)
    )
    return tuple(dict.fromkeys(lines))


def outcome_of(expected: Expected) -> str:
    """Return in a few words what the user sees, and where if that is so on some days only."""
    text = expected.outcome.text.partition(":")[0]
    hosts = dict.fromkeys(
        step.partition(_FROM)[2] for group in expected.refused for step in group.steps
    )
    if not hosts or "" in hosts:
        return text
    return f"{text} when the client is sent to {joined(tuple(hosts))}"


def answers_of(expected: Expected) -> tuple[tuple[str, str], ...]:
    """Return what is stated of the red steps: their titles, and what the client gets."""
    found: list[tuple[str, str]] = []
    for group in expected.refused:
        answer = f"{group.status} {group.phrase}".rstrip()
        asked = f" (Expressway-C asks for {group.asked})" if group.asked else ""
        found.append((joined(group.steps), f"{answer}{asked}"))
    return tuple(found)


def seen_of(item: Presented) -> str:
    """Return what is to be seen at a step."""
    parts = [item.certificate, item.key, item.signature, item.tls]
    if item.verdict is not None:
        parts.append(item.verdict.value.replace("-", " "))
    return f"{item.step}: {', '.join(filter(None, parts))}"


def fix_text(fix: Fix) -> str:
    """Return a fix as a paragraph: what, where, and what the product needs afterwards."""
    after = f" Afterwards: {fix.restart}." if fix.restart else ""
    return f"{fix.what} {fix.where}.{after}"


def joined(titles: Sequence[str]) -> str:
    """Return titles in one line, the last one behind "and"."""
    if len(titles) < _MANY:
        return "".join(titles)
    return f"{', '.join(titles[:-1])} and {titles[-1]}"


def _shown(estate: Estate, role: NodeRole) -> str:
    return next(node.shown for node in estate.nodes() if node.role is role)
