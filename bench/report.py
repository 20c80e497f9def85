"""The report: Markdown tables between two markers of a page, and the chart beside it. *Pure*."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bench import BenchError
from bench.chart import Bar, Group, chart, ratio_text
from bench.load import LOADS
from bench.peers import KINDS, OURS, YARDSTICK
from bench.stats import compare, side_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bench.measure import LogCount, Measurements, Peak
    from bench.stats import Comparison, Pair, Side

BEGIN: Final = "<!-- figures begin: written by make bench -->\n"
END: Final = "<!-- figures end -->\n"
CHART: Final = "performance.svg"
TITLE: Final = "Requests per CPU-second: mralab over each peer"


@dataclass(frozen=True, slots=True)
class Results:
    """Measurements summed up, in the order of the loads and peers."""

    comparisons: Sequence[Comparison]
    loads: Sequence[str]
    peers: Sequence[str]  #: without ours

    def of(self, load: str, peer: str) -> Comparison | None:
        """Return one comparison; None if no pair of it counts."""
        for comparison in self.comparisons:
            if (comparison.load, comparison.peer) == (load, peer):
                return comparison
        return None


def sum_up(pairs: Sequence[Pair]) -> Results:
    """Compare load by load and peer by peer."""
    grouped: dict[tuple[str, str], list[Pair]] = {}
    for pair in pairs:
        grouped.setdefault((pair.ours.load, pair.theirs.peer), []).append(pair)
    found = (compare(group) for group in grouped.values())
    return Results(
        comparisons=[comparison for comparison in found if comparison],
        loads=[name for name in LOADS if any(load == name for load, _ in grouped)],
        peers=[name for name in KINDS if any(peer == name for _, peer in grouped)],
    )


def draw(results: Results, date: str) -> str:
    """Return the chart as SVG."""
    groups = []
    for load in results.loads:
        bars = [
            Bar(KINDS[peer].title, comparison.ratio, comparison.interval, strong=peer == YARDSTICK)
            for peer in results.peers
            if (comparison := results.of(load, peer))
        ]
        groups.append(Group(LOADS[load].title, bars))
    subtitle = f"Right of 1 mralab needs less CPU. Median and 95 % interval, {date}."
    return chart(TITLE, subtitle, groups)


def figures(
    found: Measurements, results: Results, *, machine: Mapping[str, str], command: str, date: str
) -> str:
    """Return the Markdown that goes between the markers."""
    about = {"Date": date, "Command": f"`{command}`", **machine}
    about["Handshakes"] = "; ".join(found.handshake)
    sections = [
        f"![{TITLE}]({CHART})",
        table(("", "measured on and with"), about.items()),
        "### Ratios",
        ratios(results),
        *(section for load in results.loads for section in load_section(results, found, load)),
        "### Peak memory",
        memory(found.peaks),
        "### Log lines",
        log_lines(found.logs),
    ]
    if found.problems:
        problems = "\n".join(f"- {problem}" for problem in found.problems)
        sections[1:1] = ["**Not to be quoted:**", problems]
    return "\n\n".join(sections) + "\n"


def ratios(results: Results) -> str:
    """Return the table of ratios, a load a row."""
    rows = []
    for load in results.loads:
        goal = LOADS[load].goal
        found = [results.of(load, peer) for peer in results.peers]
        cells = [ratio_text(one.ratio, one.interval) if one else "-" for one in found]
        rows.append((LOADS[load].title, f"{goal:g}" if goal else "", *cells))
    titles = (f"over {KINDS[peer].title}" for peer in results.peers)
    return table(("load", "goal", *titles), rows)


def load_section(results: Results, found: Measurements, load: str) -> list[str]:
    """Return heading and table of one load."""
    ours = [pair.ours for pair in found.pairs if pair.ours.load == load and not pair.disturbed]
    rows = [(KINDS[OURS].title, *_side_cells(side_of(ours)), "", "")] if ours else []
    for peer in results.peers:
        comparison = results.of(load, peer)
        if comparison:
            counts = (str(comparison.pairs), str(comparison.dropped))
            rows.append((KINDS[peer].title, *_side_cells(comparison.theirs), *counts))
    if not rows:
        return []
    columns = (
        "", "requests per CPU-second", "requests/s", "core used", "p50 ms", "p99 ms", "pairs",
        "dropped",
    )  # fmt: skip
    return [f"### {LOADS[load].title} (`{load}`)", table(columns, rows)]


def memory(peaks: Sequence[Peak]) -> str:
    """Return the table of peak memory, a peer a row."""
    highest: dict[tuple[str, str], float] = {}
    for peak in peaks:
        key = (peak.peer, peak.load)
        highest[key] = max(peak.mib, highest.get(key, 0.0))
    peers = dict.fromkeys(peer for peer, _ in highest)
    loads = dict.fromkeys(load for _, load in highest)
    rows = []
    for peer in peers:
        most = max(mib for (name, _), mib in highest.items() if name == peer)
        sizes = (highest.get((peer, load)) for load in loads)  # not each peer has each load
        cells = (f"{mib:.0f}" if mib else "-" for mib in (most, *sizes))
        rows.append((KINDS[peer].title, *cells))
    return table(("MiB", "all loads", *(f"`{load}`" for load in loads)), rows)


def log_lines(logs: Sequence[LogCount]) -> str:
    """Return the table of log lines against requests, the loads of a peer added up."""
    grouped: dict[tuple[str, str], list[LogCount]] = {}
    for log in logs:
        grouped.setdefault((log.load, log.peer), []).append(log)
    rows = []
    for (load, peer), group in grouped.items():
        requests = sum(log.requests for log in group)
        fewest = sum(min(log.counts.values()) for log in group)
        kinds = max(len(log.counts) for log in group)
        size = sum(log.total_bytes for log in group) / max(1, fewest)
        missing = max(0, requests - fewest)
        title = KINDS[peer].title
        rows.append((LOADS[load].title, title, requests, kinds, fewest, missing, f"{size:.0f}"))
    columns = (
        "load", "", "answers", "lines each", "of the rarest kind", "missing", "bytes per request",
    )  # fmt: skip
    return table(columns, rows)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def insert(page: str, text: str) -> str:
    """Put figures between a page's markers.

    Raises:
        BenchError: the page has no markers.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise BenchError(f"the page has no lines {BEGIN.strip()} and {END.strip()}")
    return f"{before}{BEGIN}\n{text}\n{END}{after}"


def _side_cells(side: Side) -> tuple[str, ...]:
    return (
        f"{side.per_cpu_s:,.0f}",
        f"{side.per_s:,.0f}",
        f"{side.busy:.0%}",
        f"{side.p50_ms:.2f}",
        f"{side.p99_ms:.2f}",
    )
