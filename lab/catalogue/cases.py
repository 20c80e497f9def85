"""All cases, theme by theme, and how one is found by its name. *Pure*."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mralab.lab.catalogue import (
    chains,
    dates,
    discovery,
    ecdsa,
    names,
    namesakes,
    nodes,
    trust,
    weak,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mralab.lab.catalogue.model import Case

#: Cases by theme, in the order in which they are told.
THEMES: Final[Mapping[str, tuple[Case, ...]]] = {
    "Names": names.CASES,
    "Discovery": discovery.CASES,
    "Chains": chains.CASES,
    "Namesakes in the trusted CA list": namesakes.CASES,
    "ECDSA and ciphers": ecdsa.CASES,
    "Trust in both directions": trust.CASES,
    "Dates": dates.CASES,
    "Weak, or of another purpose": weak.CASES,
    "No certificate's fault": nodes.CASES,
}
#: All of them in that order.
CASES: Final = tuple(case for cases in THEMES.values() for case in cases)


def find_case(name: str) -> Case | None:
    """Return the case of this name."""
    return next((case for case in CASES if case.name == name), None)
