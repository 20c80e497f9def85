"""The documented differences: read from the page that people read.

Rules: each row of the tables in ``docs/reference/differences.md`` names a case by its sentence, or
says ``any`` for a difference that belongs to no case; its policies; the observables that differ;
and why. A difference without a row fails the run, and so does a row of which any policy and
observable shows no difference. *Pure* but for reading the file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.differential.model import ALL_POLICIES, OBSERVABLES, Policy

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

HEADER: Final = ("Case", "Policy", "Observable", "Traffic Server", "Here", "Why")
_EVERY: Final = "every"
ANY: Final = "any"


@dataclass(frozen=True, slots=True)
class KnownDifference:
    """One row: one case, one set of policies and observables."""

    case: str
    policies: tuple[Policy, ...]
    observables: tuple[str, ...]
    why: str

    @property
    def keys(self) -> frozenset[tuple[str, Policy, str]]:
        """Return every (case, policy, observable) that the row excuses."""
        return frozenset(
            (self.case, policy, name) for policy in self.policies for name in self.observables
        )


class DifferencesPageError(Exception):
    """The page has a row that cannot be understood."""


def read_known(page: Path) -> list[KnownDifference]:
    """Read the rows of the page.

    Raises:
        DifferencesPageError: a row is malformed, names an unknown policy or observable, gives no
            reason, or repeats another row.
    """
    return parse_known(page.read_text("utf-8"))


def parse_known(text: str) -> list[KnownDifference]:
    """Read the rows from the page's text; see :func:`read_known`."""
    known: list[KnownDifference] = []
    seen: set[tuple[str, Policy, str]] = set()
    for cells in _rows(text.splitlines()):
        case, policy, observable, _theirs, _ours, why = cells
        row = KnownDifference(case, _policies(policy), _observables(observable), why)
        if not why:
            raise DifferencesPageError(f"{case!r}: no reason given")
        if repeated := seen & row.keys:
            raise DifferencesPageError(f"{case!r}: stands twice, {sorted(map(str, repeated))[0]}")
        seen |= row.keys
        known.append(row)
    return known


def _rows(lines: Iterable[str]) -> Iterable[tuple[str, ...]]:
    inside = False
    for line in lines:
        if not line.startswith("|"):
            inside = False
            continue
        cells = tuple(
            cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]
        )
        if cells == HEADER:
            inside = True
        elif inside and set("".join(cells)) - set("-: "):
            if len(cells) != len(HEADER):
                raise DifferencesPageError(f"{line}: {len(cells)} cells, not {len(HEADER)}")
            yield cells


def _policies(text: str) -> tuple[Policy, ...]:
    if text == _EVERY:
        return ALL_POLICIES
    try:
        return tuple(Policy(word.strip()) for word in text.split(","))
    except ValueError as exc:
        raise DifferencesPageError(f"{text!r}: no policy") from exc


def _observables(text: str) -> tuple[str, ...]:
    names = tuple(word.strip() for word in text.split(","))
    for name in names:
        if name not in OBSERVABLES:
            raise DifferencesPageError(f"{name!r}: no observable; known: {', '.join(OBSERVABLES)}")
    return names
