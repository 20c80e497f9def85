"""Texts of /proc."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from bench.procfs import core_ticks, peak_kib, process_times

from bench import BenchError

STAT = """\
cpu  999 9 999 999 9 9 9 9 0 0
cpu0 100 0 100 500 10 0 0 0 0 0
cpu1 40 1 20 800 30 2 3 4 7 0
cpu10 1 1 1 1 1 1 1 1 1 1
intr 1
"""


@pytest.mark.parametrize("name", ["nginx", "a) b (c", ") 1 2 3"])
def test_a_command_s_name_does_not_shift_the_fields(name: str) -> None:
    text = f"17 ({name}) S 1 17 16 0 -1 4194560 5 0 0 0 250 50 9 9 20 0 1 0 77 0"
    assert process_times(text) == (16, 300)


def test_this_process_is_in_its_session() -> None:
    times = process_times(Path("/proc/self/stat").read_text("utf-8"))
    assert times.session == os.getsid(0)
    assert times.ticks >= 0


def test_a_core_is_busy_but_for_idle_and_waiting() -> None:
    assert core_ticks(STAT, 1) == 40 + 1 + 20 + 2 + 3 + 4


def test_a_core_that_is_not_there_is_an_error() -> None:
    with pytest.raises(BenchError, match="CPU 7 is not in"):
        core_ticks(STAT, 7)


def test_the_peak_is_the_high_water_mark() -> None:
    assert peak_kib("VmPeak:\t  900 kB\nVmHWM:\t   712 kB\nVmRSS:\t 10 kB\n") == 712


def test_a_process_that_has_ended_has_no_peak() -> None:
    assert peak_kib("Name:\tnginx\nState:\tZ (zombie)\n") == 0
