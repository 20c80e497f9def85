"""A writer killed at any of its system calls leaves the old list or the new one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.truststore import tracer
from tests.truststore.certs import NOW, authority

from mralab.config.releases import SubjectPolicy
from mralab.truststore.store import append_to_file, load_store, remove_from_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

A, B, LATER = authority("a"), authority("b"), authority("later")
#: More than one buffer full, so that it would be written in pieces were it written in place.
OLD = authority("first").pem + b"# " + b"x" * 20_000 + b"\n" + A.pem

Change = tuple["Callable[[Path], object]", bytes]
CHANGES = [
    pytest.param((lambda path: append_to_file(path, B.pem, now=NOW), OLD + B.pem), id="append"),
    pytest.param((lambda path: remove_from_file(path, "a"), OLD.removesuffix(A.pem)), id="remove"),
]


def trace(function: Callable[[], object], kill_at: int | None = None) -> tracer.Walk:
    try:
        return tracer.walk(function, kill_at)
    except tracer.NotPermittedError:
        pytest.skip("this system lets no process trace another (ptrace)")


def count(path: Path) -> int:
    policy = SubjectPolicy.FIRST_SUBJECT
    return len(load_store([path], policy=policy, public_roots=False, now=NOW).certificates)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("change", CHANGES)
def test_a_writer_killed_at_any_system_call_leaves_one_list_or_the_other(
    tmp_path: Path, change: Change
) -> None:
    operation, new = change
    path = tmp_path / "list.pem"
    path.write_bytes(OLD)
    operation(path)  # so that nothing is left to be imported
    found = set()
    kill_at = 0
    left = OLD
    killed = True
    while killed:
        kill_at += 1
        path.write_bytes(OLD)
        killed = trace(lambda: operation(path), kill_at).killed
        left = path.read_bytes()
        assert left in {OLD, new}, f"killed at stop {kill_at}"
        assert count(path) == left.count(b"BEGIN")
        found.add(left)
        # What the dead writer left beside the file is in nobody's way.
        append_to_file(path, LATER.pem, now=NOW)
        assert path.read_bytes() == left + LATER.pem
    assert left == new
    assert found == {OLD, new}
    assert kill_at > 20


@pytest.mark.parametrize("change", CHANGES)
def test_the_new_list_is_on_the_disk_before_it_takes_the_name(
    tmp_path: Path, change: Change
) -> None:
    operation, _ = change
    if not tracer.CALLS:
        pytest.skip("no system call numbers for this machine")
    path = tmp_path / "list.pem"
    path.write_bytes(OLD)
    assert trace(lambda: operation(path)).calls == ["fsync", "rename", "fsync"]
