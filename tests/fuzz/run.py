"""Run all targets, two at a time: ``python -P -m tests.fuzz.run SECONDS [TARGET ...]``.

Each target starts from its corpus in ``tests/fuzz/corpus`` and what earlier runs found, which is
kept in ``build/fuzz/<target>/corpus``. A finding is written to ``build/fuzz/<target>``: the input,
ready to be given to the target again, and the log with the traceback. Exit code 1 on a finding,
2 on wrong arguments.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.fuzz.targets import TARGETS

CORPUS: Final = Path("tests/fuzz/corpus")
RESULTS: Final = Path("build/fuzz")
_AT_A_TIME: Final = 2
_MAX_INPUT: Final = 4096  # bytes; every bound that is longer has a test of its own
_SLOW_S: Final = 5  # one input may take no longer: what grows faster than its input is a finding
_MEMORY_MB: Final = 2048
_EXECUTIONS: Final = re.compile(r"stat::number_of_executed_units:\s*(\d+)")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one target gave."""

    target: str
    executions: int
    seconds: float
    findings: tuple[Path, ...]
    failed: bool  #: it found something, or could not run

    def __str__(self) -> str:
        """Return the line for people."""
        line = f"{self.target}: {self.executions} executions in {self.seconds:.0f} s, "
        if self.findings:
            return line + "found " + ", ".join(map(str, self.findings))
        return line + (f"failed, see {log_of(self.target)}" if self.failed else "no finding")


def log_of(target: str) -> Path:
    """Return where a target's output goes."""
    return RESULTS / target / "log"


def words_file(target: str) -> Path:
    """Write a target's words in libFuzzer's form."""
    path = RESULTS / target / "words"
    lines = ("".join(f"\\x{byte:02x}" for byte in word) for word in TARGETS[target].words)
    path.write_text("".join(f'"{line}"\n' for line in lines), encoding="ascii")
    return path


def fuzz(target: str, seconds: int) -> Outcome:
    """Run one target to its end."""
    folder = RESULTS / target
    found = folder / "corpus"
    found.mkdir(parents=True, exist_ok=True)
    before = set(folder.glob("*-*"))
    command = [
        sys.executable, "-P", "-m", "tests.fuzz.drive", target,
        f"-max_total_time={seconds}", f"-max_len={_MAX_INPUT}", f"-timeout={_SLOW_S}",
        f"-rss_limit_mb={_MEMORY_MB}", f"-artifact_prefix={folder}/", "-print_final_stats=1",
        f"-dict={words_file(target)}", str(found), str(CORPUS / target),
    ]  # fmt: skip
    start = time.monotonic()
    with log_of(target).open("w", encoding="utf-8") as log:
        code = subprocess.run(command, stdout=log, stderr=log, check=False).returncode
    stated = _EXECUTIONS.search(log_of(target).read_text("utf-8", "replace"))
    return Outcome(
        target,
        int(stated[1]) if stated else 0,
        time.monotonic() - start,
        tuple(sorted(set(folder.glob("*-*")) - before)),
        bool(code),
    )


def main(arguments: list[str]) -> int:
    """Run the targets named, or all, and report."""
    if not arguments or not arguments[0].isdecimal() or set(arguments[1:]) - set(TARGETS):
        sys.stderr.write(f"usage: SECONDS [{' | '.join(TARGETS)}] ...\n")
        return 2
    seconds, names = int(arguments[0]), arguments[1:] or list(TARGETS)
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        outcomes = list(pool.map(lambda name: _reported(name, seconds), names))
    return int(any(outcome.failed for outcome in outcomes))


def _reported(name: str, seconds: int) -> Outcome:
    outcome = fuzz(name, seconds)
    sys.stdout.write(f"{outcome}\n")
    sys.stdout.flush()
    return outcome


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
