"""``make differential``: a real Traffic Server and our proxy as release ``ats``, side by side.

Exit status: 0 if every difference is documented and every documented one was seen, or if Traffic
Server is not installed; 1 otherwise.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.differential.bench import Bench
from tests.differential.cases import CASES
from tests.differential.known import read_known
from tests.differential.model import OBSERVABLES, Policy, shown
from tests.differential.report import Report, compare
from tests.differential.trafficserver import installed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.differential.model import Case

TREE = Path(__file__).parents[2]
PAGE = TREE / "docs" / "reference" / "differences.md"
SKIPPED = "differential: skipped, Apache Traffic Server is not installed (make setup-optional)"


async def run(cases: tuple[Case, ...], folder: Path, *, verbose: bool) -> Report:
    """Run both servers through ``cases`` and compare them."""
    bench = Bench(cases, folder)
    await bench.start()
    try:
        theirs = await bench.ask_traffic_server()
        ours = await bench.ask_ours(TREE)
    finally:
        await bench.stop()
    if verbose:
        for (case, policy), observation in sorted(theirs.items(), key=str):
            write(f"{case} [{policy.value}]")
            write(*(f"    {name:12} {shown(getattr(observation, name))}" for name in OBSERVABLES))
    return compare(cases, theirs, ours, read_known(PAGE))


def write(*lines: str) -> None:
    """Print lines at once, for a reader who waits."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="run the cases whose sentence contains this")
    parser.add_argument("--keep", type=Path, help="keep the servers' files in this new folder")
    parser.add_argument("--verbose", action="store_true", help="print what Traffic Server did")
    options = parser.parse_args(arguments)
    if not installed():
        write(SKIPPED)
        return 0
    cases = tuple(case for case in CASES if options.only in case.id)
    whole = len(cases) == len(CASES)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="differential-") as name:
        folder = Path(name) if options.keep is None else options.keep.resolve()
        folder.mkdir(parents=True, exist_ok=True)
        report = asyncio.run(run(cases, folder, verbose=options.verbose))
    write(*report.lines(whole=whole))
    write(
        f"{len(cases)} cases, each under up to {len(Policy)} policies, "
        f"{time.monotonic() - began:.0f} s"
    )
    write(f"{report.agreeing} of {len(cases)} agree")
    return 0 if report.good(whole=whole) else 1


if __name__ == "__main__":
    sys.exit(main())
