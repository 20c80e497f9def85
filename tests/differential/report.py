"""Compares what both servers did with each other and with the documented differences. *Pure*."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.differential.known import ANY
from tests.differential.model import Policy, differences, first_finding, meets, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.differential.known import KnownDifference
    from tests.differential.model import Case, Observation

Key = tuple[str, Policy]


@dataclass(frozen=True, slots=True)
class Difference:
    """One observable of one case that differs."""

    case: str
    policy: Policy
    observable: str
    theirs: str
    ours: str

    @property
    def key(self) -> tuple[str, Policy, str]:
        """What a documented difference names."""
        return self.case, self.policy, self.observable


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of a run."""

    cases: int
    undocumented: tuple[Difference, ...]
    documented: tuple[tuple[Difference, str], ...]  #: with the reason
    stale: tuple[tuple[str, Policy, str], ...]  #: documented, but not seen
    unexpected: tuple[str, ...]  #: what Traffic Server did otherwise than the case says

    @property
    def agreeing(self) -> int:
        """Return how many cases show no undocumented difference and do what they say."""
        wrong = {difference.case for difference in self.undocumented}
        wrong |= {text.partition(": ")[0] for text in self.unexpected}
        return self.cases - len(wrong)

    def good(self, *, whole: bool) -> bool:
        """Tell whether the run passes; stale rows count only if the ``whole`` table was run."""
        return not (self.undocumented or self.unexpected or (whole and self.stale))

    def lines(self, *, whole: bool) -> Iterator[str]:
        """Render the report: documented differences, then everything that is wrong."""
        cases: dict[str, dict[str, None]] = {}
        for difference, why in self.documented:
            cases.setdefault(why, {})[difference.case] = None
        for why, named in cases.items():
            yield f"documented  {why}"
            yield from (f"  {case}" for case in named)
        for text in self.unexpected:
            yield f"UNEXPECTED  {text}"
        for difference in self.undocumented:
            yield f"DIFFERENT   {difference.case} [{difference.policy.value}]"
            yield f"  {difference.observable}: Traffic Server: {difference.theirs}"
            yield f"  {' ' * len(difference.observable)}  here:           {difference.ours}"
        if whole:
            for case, policy, observable in self.stale:
                yield f"STALE       {case} [{policy.value}] {observable}: no longer differs"


def compare(
    cases: Sequence[Case],
    theirs: Mapping[Key, Observation],
    ours: Mapping[Key, Observation],
    known: Sequence[KnownDifference],
) -> Report:
    """Compare the observations of both servers."""
    reasons = {key: row.why for row in known for key in row.keys}

    def excuse(item: Difference) -> tuple[str, Policy, str] | None:
        keys = (item.key, (ANY, item.policy, item.observable))
        return next((key for key in keys if key in reasons), None)

    found = [
        Difference(case, policy, observable, *values)
        for (case, policy), observation in theirs.items()
        if (case, policy) in ours
        for observable, values in differences(observation, ours[case, policy]).items()
    ]
    found.sort(key=lambda item: (item.case, item.policy.value, item.observable))
    unexpected = [
        f"{case.id}: expected {case.expect}, Traffic Server: "
        f"{shown(observation.answer)}, {first_finding(observation.warnings)}"
        for case in cases
        if (observation := theirs.get((case.id, Policy.ENFORCED))) is not None
        and not meets(case, observation)
    ]
    excuses = {item: excuse(item) for item in found}
    return Report(
        cases=len(cases),
        undocumented=tuple(item for item, key in excuses.items() if key is None),
        documented=tuple((item, reasons[key]) for item, key in excuses.items() if key is not None),
        stale=tuple(sorted(set(reasons) - set(excuses.values()), key=str)),
        unexpected=tuple(unexpected),
    )
