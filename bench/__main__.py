"""``python -P -m bench``: measure, report, write.

Exit status: 0 measured, 1 measured but not to be quoted, 2 usage, 3 could not run.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench import BenchError, report
from bench.idle import allow_many_files
from bench.load import LOADS
from bench.machine import describe
from bench.measure import Measurements, Plan, measure
from bench.origin import make_site, start_origin
from bench.peers import KINDS, OURS, TWO_WORKERS, YARDSTICK
from bench.process import LOAD_CORE, PROXY_CORE, find_program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_TOP: Final = Path(__file__).parents[1]
_OUTPUT: Final = _TOP / "build" / "bench"
_PAGE: Final = _TOP / "docs" / "reference" / "performance.md"
#: What ``make bench-full`` passes.
FULL: Final = ["--loads", "all", "--peers", "all"]

_PAIRS: Final = 15
_SECONDS: Final = 2


def parser() -> argparse.ArgumentParser:
    """Return what the command line takes."""
    core = [load.name for load in LOADS.values() if load.core]
    peers = [name for name in KINDS if name != OURS]
    made = argparse.ArgumentParser(
        prog="bench", description="Compare the proxy with C and C++ proxies on one core."
    )
    made.add_argument(
        "--loads",
        type=_names(LOADS),
        default=core,
        metavar="NAME,...",
        help=f"all, or some of {', '.join(LOADS)} (default {','.join(core)})",
    )
    made.add_argument(
        "--peers",
        type=_names(peers),
        default=[name for name in peers if name != TWO_WORKERS],
        metavar="NAME,...",
        help=f"all, or some of {', '.join(peers)} (default all but {TWO_WORKERS})",
    )
    made.add_argument(
        "--pairs",
        type=_count,
        default=_PAIRS,
        help=f"pairs with {YARDSTICK}, a quarter of it with the others (default %(default)s)",
    )
    made.add_argument(
        "--seconds",
        type=_count,
        default=_SECONDS,
        help="length of a window (default %(default)s)",
    )
    made.add_argument(
        "--no-write",
        action="store_true",
        help="print the report instead of writing it into docs/reference/performance.md",
    )
    return made


def _names(known: Iterable[str]) -> Callable[[str], list[str]]:
    """Return a reader of names with commas, or ``all``."""
    names = list(known)

    def read(text: str) -> list[str]:
        asked = names if text == "all" else text.split(",")
        if unknown := [name for name in asked if name not in names]:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: not one of {', '.join(names)}")
        return [name for name in names if name in asked]

    return read


def _count(text: str) -> int:
    """Read a whole number from 1."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text}: not a whole number from 1")
    return int(text)


def command_of(arguments: Sequence[str]) -> str:
    """Return the make command that has these arguments. *Pure*."""
    if arguments == FULL:
        return "make bench-full"
    return f'make bench OPTIONS="{" ".join(arguments)}"' if arguments else "make bench"


def check_programs(peers: Sequence[str]) -> None:
    """Look for every program that will be needed.

    Raises:
        BenchError: one is missing.
    """
    for program in ("wrk", "nginx", "taskset"):
        find_program(program, "util-linux" if program == "taskset" else program)
    for kind in (KINDS[name] for name in peers):
        if kind.program:
            find_program(kind.program, kind.package)


def run(options: argparse.Namespace) -> int:
    """Measure and report.

    Raises:
        BenchError: it cannot be done.
    """
    check_programs(options.peers)
    if not options.no_write:
        # Looked at first: a page without markers shall not cost a quarter of an hour.
        report.insert(_PAGE.read_text("utf-8"), "")
    allow_many_files()
    if not {LOAD_CORE, PROXY_CORE} <= os.sched_getaffinity(0):
        raise BenchError(f"CPUs {LOAD_CORE} and {PROXY_CORE} are needed")
    os.sched_setaffinity(0, {LOAD_CORE})
    plan = Plan(
        loads=[LOADS[name] for name in options.loads],
        peers=options.peers,
        pairs=options.pairs,
        seconds=options.seconds,
    )
    work = _OUTPUT / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    site = make_site(work)
    start = time.monotonic()
    found = Measurements()
    command = command_of(sys.argv[1:])
    try:
        with start_origin(site):
            measure(site, plan, found, tell)
        tell(f"measured in {(time.monotonic() - start) / 60:.1f} minutes")
    finally:  # what was measured until then is worth a look
        write_raw(found, command, datetime.now(UTC), describe())
    # What is not to be quoted is for the eyes of whoever started it.
    write(found, command=command, to_page=not options.no_write and not found.problems)
    for problem in found.problems:
        tell(problem)
    return 1 if found.problems else 0


def write(found: Measurements, *, command: str, to_page: bool) -> None:
    """Write page and chart or, for a look only, the tables to standard output."""
    date = f"{datetime.now(UTC):%Y-%m-%d}"
    machine = describe()
    results = report.sum_up(found.pairs)
    text = report.figures(found, results, machine=machine, command=command, date=date)
    if not to_page:
        print(text)
        return
    _PAGE.write_text(report.insert(_PAGE.read_text("utf-8"), text), "utf-8")
    _PAGE.with_name(report.CHART).write_text(report.draw(results, date), "utf-8")
    tell(f"written: {_PAGE.relative_to(_TOP)} and {report.CHART}")


def write_raw(found: Measurements, command: str, now: datetime, machine: Mapping[str, str]) -> None:
    """Write every value that was measured."""
    raw = {
        "time": now.isoformat(timespec="seconds"),
        "command": command,
        "machine": machine,
        **asdict(found),
    }
    raw_file = _OUTPUT / f"{now:%Y%m%dT%H%M%SZ}.json"
    raw_file.write_text(json.dumps(raw, indent=1), "utf-8")
    tell(f"raw values: {raw_file.relative_to(_TOP)}")


def tell(line: str) -> None:
    """Write a line of progress."""
    print(line, file=sys.stderr, flush=True)


def main() -> int:
    """Read the command line and run."""
    options = parser().parse_args()
    try:
        return run(options)
    except KeyboardInterrupt:
        tell("bench: stopped")
        return 3
    except (BenchError, OSError) as fault:
        tell(f"bench: {fault}")
        if isinstance(fault, BenchError) and fault.hint:
            tell(f"hint: {fault.hint}")
        return 3


if __name__ == "__main__":
    sys.exit(main())
