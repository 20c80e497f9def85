"""What /proc says of processes and cores. *Pure*: the text of a file in, numbers out.

Source: proc(5), ``/proc/pid/stat``, ``/proc/pid/status`` and ``/proc/stat``.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from bench import BenchError

_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)
# Fields after the command's name, from 0.
_SESSION, _USER, _SYSTEM = 3, 11, 12
# Fields of a cpu line; guest time is part of user time.
_IDLE, _IOWAIT, _FIELDS = 3, 4, 8


class ProcessTimes(NamedTuple):
    """One process."""

    session: int  #: number of its session
    ticks: int  #: user and system time of all its threads, ended ones included


def process_times(stat: str) -> ProcessTimes:
    """Read ``/proc/pid/stat``; the command's name may hold blanks and brackets."""
    fields = stat.rpartition(")")[2].split()
    return ProcessTimes(int(fields[_SESSION]), int(fields[_USER]) + int(fields[_SYSTEM]))


def core_ticks(stat: str, core: int) -> int:
    """Return from ``/proc/stat`` how long a core was not idle, stolen time included.

    Raises:
        BenchError: no such core.
    """
    head = f"cpu{core} "
    for line in stat.splitlines():
        if line.startswith(head):
            ticks = [int(field) for field in line.split()[1 : 1 + _FIELDS]]
            return sum(ticks) - ticks[_IDLE] - ticks[_IOWAIT]
    raise BenchError(f"CPU {core} is not in /proc/stat", hint="two CPUs are needed")


def peak_kib(status: str) -> int:
    """Return the peak resident size from ``/proc/pid/status``; 0 for one that has ended."""
    found = _PEAK.search(status)
    return int(found[1]) if found else 0
