"""Windows, pairs of windows, and what they say. *Pure*.

Rules: the ratio of a pair is ours over theirs, in requests per second of CPU time. Of the pairs
that count, the median is reported, with the percentile bootstrap interval of the median (Efron,
*Bootstrap Methods: Another Look at the Jackknife*, 1979). The resampling is seeded: one set of
pairs has one interval.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Others' share of the core above which a window says nothing.
MAX_OTHERS: Final = 0.05
#: Fewer values than this have no interval.
MIN_VALUES: Final = 4

_RESAMPLES: Final = 10_000
_TAIL: Final = 0.025
_SEED: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What one proxy did in one window of time."""

    peer: str
    load: str
    requests: int  #: answers that the load program counted
    wall_s: float
    cpu_s: float  #: of all the proxy's threads and processes
    others: float  #: share of the core that others used, 0 to 1
    p50_ms: float
    p99_ms: float
    origin_connections: int  #: connections that the origin accepted meanwhile
    fault: str = ""  #: what it did beside its work, such as asking the origin twice

    @property
    def per_cpu_s(self) -> float:
        """Requests per second of CPU time."""
        return self.requests / self.cpu_s

    @property
    def per_s(self) -> float:
        """Requests per second."""
        return self.requests / self.wall_s

    @property
    def busy(self) -> float:
        """Share of the core that the proxy used."""
        return self.cpu_s / self.wall_s


@dataclass(frozen=True, slots=True)
class Pair:
    """Two windows of one load, one right after the other."""

    ours: Window
    theirs: Window

    @property
    def disturbed(self) -> bool:
        """Whether others used too much of the core, or a proxy did not only its work."""
        windows = (self.ours, self.theirs)
        return any(window.others > MAX_OTHERS or window.fault for window in windows)

    @property
    def ratio(self) -> float:
        """Requests per CPU-second, ours over theirs."""
        return self.ours.per_cpu_s / self.theirs.per_cpu_s


class Interval(NamedTuple):
    """Where the median lies with 95 % confidence."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Side:
    """Medians over one proxy's windows of one load."""

    per_cpu_s: float
    per_s: float
    busy: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One load, ours against one peer."""

    load: str
    peer: str
    pairs: int  #: that count
    dropped: int
    ratio: float
    interval: Interval | None  #: None with fewer than :data:`MIN_VALUES` pairs
    ours: Side
    theirs: Side


def median_interval(values: Sequence[float]) -> Interval | None:
    """Return the 95 % bootstrap interval of the median, None for too few values."""
    if len(values) < MIN_VALUES:
        return None
    generator = random.Random(_SEED)  # noqa: S311 - resampling guards nothing
    medians = sorted(median(generator.choices(values, k=len(values))) for _ in range(_RESAMPLES))
    cut = round(_RESAMPLES * _TAIL)
    return Interval(medians[cut], medians[-1 - cut])


def side_of(windows: Sequence[Window]) -> Side:
    """Return the medians of at least one window."""
    return Side(
        per_cpu_s=median(window.per_cpu_s for window in windows),
        per_s=median(window.per_s for window in windows),
        busy=median(window.busy for window in windows),
        p50_ms=median(window.p50_ms for window in windows),
        p99_ms=median(window.p99_ms for window in windows),
    )


def compare(pairs: Sequence[Pair]) -> Comparison | None:
    """Sum up the pairs of one load and one peer; None if none of them counts."""
    good = [pair for pair in pairs if not pair.disturbed]
    if not good:
        return None
    ratios = [pair.ratio for pair in good]
    return Comparison(
        load=good[0].ours.load,
        peer=good[0].theirs.peer,
        pairs=len(good),
        dropped=len(pairs) - len(good),
        ratio=median(ratios),
        interval=median_interval(ratios),
        ours=side_of([pair.ours for pair in good]),
        theirs=side_of([pair.theirs for pair in good]),
    )
