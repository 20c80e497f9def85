"""Counting of log lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from bench.loglines import LineCounter, tally
from bench.peers import Lines

from bench import loglines

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def test_a_missing_file_has_no_lines(tmp_path: Path) -> None:
    assert tally(tmp_path / "none.log", [b"\n"]) == {b"\n": 0}


@pytest.mark.parametrize("part", [1, 7, 64, 1 << 20])
def test_parts_cut_no_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: int) -> None:
    monkeypatch.setattr(loglines, "_READ", part)
    log = tmp_path / "event.log"
    log.write_bytes(b'Detail="Send Request" 1\nDetail="Send Response" 1\n' * 50 + b'Detail="Send')
    found = tally(log, [b'Detail="Send Request"', b'Detail="Send Response"', b"\n"])
    assert list(found.values()) == [50, 50, 100]


def test_lines_are_counted_and_the_file_emptied(tmp_path: Path) -> None:
    log = tmp_path / "event.log"
    log.write_bytes(b"a of what was before\n")
    counter = LineCounter((Lines("a", log, b"a "), Lines("b", log, b"b ")), delay_s=0)
    assert log.stat().st_size == 0
    log.write_bytes(b"a 1\nb 1\na 2\n")
    counter.collect()
    assert log.stat().st_size == 0
    assert counter.counts == {"a": 2, "b": 1}
    log.write_bytes(b"b 2\n")
    counter.finish(2)
    assert counter.counts == {"a": 2, "b": 2}
    assert counter.total_bytes == 16


def test_a_line_that_comes_while_counting_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "event.log"
    late = iter([b"2\n", b""])

    def tally_while_writing(file: Path, texts: Iterable[bytes]) -> dict[bytes, int]:
        found = tally(file, texts)
        with file.open("ab") as opened:
            opened.write(next(late))
        return found

    counter = LineCounter((Lines("a", log, b"\n"),), delay_s=0)
    log.write_bytes(b"1\n")
    monkeypatch.setattr(loglines, "tally", tally_while_writing)
    counter.collect()
    assert counter.counts == {"a": 2}


def test_missing_lines_are_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loglines, "_PATIENCE_S", 0.0)
    log = tmp_path / "event.log"
    counter = LineCounter((Lines("a", log, b"\n"),), delay_s=0)
    log.write_bytes(b"1\n")
    counter.finish(2)
    assert counter.counts == {"a": 1}
