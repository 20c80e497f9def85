"""``python -m tests.differential.mutate``: does every rule have a case that notices its absence?

Each mutation of :mod:`mutations` is applied to a copy of the tree, whose proxies then run the cases
against the same origins; what Traffic Server did is asked once. A mutation that no case notices
survives. Exit status 1 if one does, or no longer applies.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.differential.bench import Bench
from tests.differential.cases import CASES
from tests.differential.known import read_known
from tests.differential.mutations import MUTATIONS, Mutation
from tests.differential.report import compare
from tests.differential.run import PAGE, SKIPPED, TREE, write
from tests.differential.trafficserver import installed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.differential.model import Case

#: What a copy needs: the hallway with its links, the rooms behind them, and our side of the run.
_COPIED = ("src", "config", "truststore", "trafficlog", "origin", "proxy", "lab", "diagnostics",
           "admin", "cli", "tests/differential")  # fmt: skip


def copy_tree(target: Path) -> None:
    """Copy what the proxies run."""
    for name in _COPIED:
        shutil.copytree(
            TREE / name,
            target / name,
            symlinks=True,
            ignore=shutil.ignore_patterns("__pycache__"),
        )


def apply(mutation: Mutation, tree: Path) -> bool:
    """Make the mistake in a copy; return whether its place was found."""
    path = tree / mutation.file
    text = path.read_text("utf-8")
    if text.count(mutation.old) != 1:
        return False
    path.write_text(text.replace(mutation.old, mutation.new), "utf-8")
    return True


def cases_for(mutation: Mutation, cases: tuple[Case, ...]) -> tuple[Case, ...]:
    """Return the cases of the mutation's sections."""
    if not mutation.sections:
        return cases
    return tuple(
        case
        for case in cases
        if case.section.partition(" ")[0].partition(".")[0] in mutation.sections
    )


async def run(mutations: tuple[Mutation, ...], folder: Path) -> int:
    """Try every mutation; return how many survived or no longer apply."""
    bench = Bench(CASES, folder)
    known = read_known(PAGE)
    lost = 0
    await bench.start()
    try:
        theirs = await bench.ask_traffic_server()
        for number, mutation in enumerate(mutations):
            tree = folder / f"tree-{number}"
            copy_tree(tree)
            if not apply(mutation, tree):
                write(f"DOES NOT APPLY  {mutation.name}")
                lost += 1
                continue
            cases = cases_for(mutation, CASES)
            try:
                ours = await bench.ask_ours(
                    tree, name=f"ours-{number}", only=frozenset(case.id for case in cases)
                )
            except (ExceptionGroup, RuntimeError, TimeoutError) as exc:
                write(f"killed    {mutation.name}: no answer ({type(exc).__name__})")
                continue
            finally:
                shutil.rmtree(tree)
            noticed = {item.case for item in compare(cases, theirs, ours, known).undocumented}
            if noticed:
                write(f"killed    {mutation.name}: {len(noticed)}, {min(noticed)}")
            else:
                write(f"SURVIVED  {mutation.name}")
                lost += 1
    finally:
        await bench.stop()
    return lost


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, return the exit status."""
    parser = argparse.ArgumentParser(prog="tests.differential.mutate", description=__doc__)
    parser.add_argument("--only", default="", help="mutations whose name this expression finds")
    options = parser.parse_args(arguments)
    if not installed():
        write(SKIPPED)
        return 0
    mutations = tuple(item for item in MUTATIONS if re.search(options.only, item.name))
    with tempfile.TemporaryDirectory(prefix="mutate-") as name:
        lost = asyncio.run(run(mutations, Path(name)))
    write(f"{len(mutations) - lost} of {len(mutations)} killed")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
