"""One program on one CPU: started, watched through /proc, ended with all it started."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from bench import BenchError
from bench.procfs import core_ticks, peak_kib, process_times

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from bench.procfs import ProcessTimes

#: Where the proxies run; everything else is on CPU 0.
PROXY_CORE: Final = 1
LOAD_CORE: Final = 0

_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_PROC: Final = Path("/proc")
_END_S: Final = 15.0
_RESET_PEAK: Final = "5"  # proc(5), /proc/pid/clear_refs
_TAIL: Final = 600  # characters of its output that an error shows


def find_program(name: str, package: str) -> str:
    """Return the path of a program, also where only root usually looks.

    Raises:
        BenchError: not installed.
    """
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if path is None:
        raise BenchError(
            f"{name} is missing (Debian package {package})",
            hint="make setup-optional installs it; --peers leaves peers out",
        )
    return path


def core_busy_s(core: int) -> float:
    """Return how many seconds a core was not idle since the start of the system."""
    return core_ticks((_PROC / "stat").read_text("ascii"), core) / _TICKS_PER_S


class Process:
    """A running program, its threads and its children.

    Attributes:
        name: what to call it.
    """

    def __init__(self, name: str, command: Sequence[str], *, core: int, folder: Path) -> None:
        """Start it in ``folder`` on one CPU; its output goes to ``<name>.out`` there."""
        self.name = name
        self._members: list[Path] = []
        self._output = folder / f"{name}.out"
        # PYTHONPATH is how this program is started; it is no part of what is measured.
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        with self._output.open("wb") as output:
            self._started = subprocess.Popen(
                ["taskset", "--cpu-list", str(core), *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=environment,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it."""
        self.stop()

    def check_alive(self) -> None:
        """Raise if it has ended.

        Raises:
            BenchError: it has; the message holds the end of its output.
        """
        status = self._started.poll()
        if status is not None:
            tail = self._output.read_text("utf-8", "replace")[-_TAIL:].strip()
            raise BenchError(f"{self.name} ended with status {status}: {tail}")

    def find_members(self) -> None:
        """Look for the processes it consists of, once it is ready: none starts another later."""
        self._members = []
        for folder in _PROC.iterdir():
            if not folder.name.isdigit():
                continue
            # A process may end between listing and reading.
            with contextlib.suppress(OSError):
                if self._times(folder).session == self._started.pid:
                    self._members.append(folder)

    def cpu_s(self) -> float:
        """Return the CPU time that its members used, in seconds, as exact as a clock tick."""
        return sum(self._times(folder).ticks for folder in self._members) / _TICKS_PER_S

    def reset_peak(self) -> None:
        """Let :meth:`peak_mib` begin anew."""
        for folder in self._members:
            (folder / "clear_refs").write_text(_RESET_PEAK, "ascii")

    def peak_mib(self) -> float:
        """Return the sum of its members' peak resident sizes; shared pages count for each."""
        statuses = ((folder / "status").read_text("ascii") for folder in self._members)
        return sum(map(peak_kib, statuses)) / 1024

    def stop(self) -> None:
        """End it, and whatever of its session is left after it."""
        if self._started.poll() is None:
            self._started.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._started.wait(_END_S)
        # A session of its own is a process group of its own: nothing else is in it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._started.pid, signal.SIGKILL)
        self._started.wait()

    @staticmethod
    def _times(folder: Path) -> ProcessTimes:
        return process_times((folder / "stat").read_text("utf-8", "replace"))
