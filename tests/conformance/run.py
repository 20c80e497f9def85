"""``make conformance``: public chains, judged by the proxy and by OpenSSL.

Exit status: 0 if all verdicts are as documented or if there are no chains here, 1 if not.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.conformance.cases import Baseline, is_holdout
from tests.conformance.level_1 import level_1_cases
from tests.conformance.runs import RUNS, Pair, Report, compare, judge_case, judge_share

from mralab.config.releases import ErrorWording

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.conformance.runs import Run

_PROCESSES: Final = 2


def own_pairs() -> list[Pair]:
    """Judge the chains of our own."""

    async def judge_all() -> list[Pair]:
        return [
            Pair(
                case.id,
                theirs,
                await judge_case(case, security_level=1, wording=ErrorWording.OPENSSL_1_1_1),
            )
            for case, theirs in level_1_cases()
        ]

    return asyncio.run(judge_all())


def public_pairs(folder: Path) -> list[list[Pair]]:
    """Judge the public chains; for each run its pairs."""
    found: list[list[Pair]] = [[] for _ in RUNS]
    # Not forked: each process reads what it needs, wherever it runs.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(_PROCESSES, mp_context=context) as pool:
        shares = pool.map(judge_share, repeat(folder), range(_PROCESSES), repeat(_PROCESSES))
        for share in shares:
            for index, pair in share:
                found[index].append(pair)
    return found


def lines_of(title: str, report: Report) -> Iterator[str]:
    """Yield what there is to tell of one comparison, its result last."""
    for difference in report.known:
        yield f"known    {difference.case}"
        yield f"         OpenSSL: {difference.theirs}"
        yield f"         here:    {difference.ours}"
        yield f"         because  {difference.reason}"
    for pair in report.unknown:
        yield f"NEW      {pair.case}"
        yield f"         OpenSSL: {pair.theirs}"
        yield f"         here:    {pair.ours}"
    for difference in report.gone:
        yield f"GONE     {difference.case}: is documented to differ as {difference.ours}"
    yield f"{title}: {report.agree} of {report.total} agree"


def is_as_documented(run: Run, report: Report) -> bool:
    """Tell whether a comparison gave exactly what the reference page says."""
    return report.total == run.chains and not report.unknown and not report.gone


def write(*lines: str) -> None:
    """Print lines at once, for a reader who waits."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge, compare, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="cases-*.json.gz and baseline.json")
    folder: Path = parser.parse_args(arguments).folder
    if not is_holdout(folder):
        write(
            f"conformance: skipped, {folder} holds no baseline.json with cases-*.json.gz; "
            "LIMBO=FOLDER says where they are"
        )
        return 0
    own = compare(own_pairs(), ())
    write(*lines_of("own chains, level 1 of 1.1.1, against OpenSSL 1.1.1n", own), "")
    good = not own.unknown
    baseline = Baseline(folder)
    reports = [
        compare(pairs, run.differences)
        for run, pairs in zip(RUNS, public_pairs(folder), strict=True)
    ]
    for run, report in zip(RUNS, reports, strict=True):
        title = f"{run.title}, against {baseline.library(run.column)} ({run.column})"
        write(*lines_of(title, report), "")
        if not is_as_documented(run, report):
            good = False
            write(f"{title}: documented are {run.agree} of {run.chains}", "")
    if not good:
        write("not as docs/reference/conformance.md says")
    write(f"{reports[-1].agree} of {reports[-1].total} agree with OpenSSL")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
