from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mralab.errors import ConfigError
from mralab.trafficlog import linefile
from mralab.trafficlog.linefile import LineFile


def write(file: LineFile, data: bytes) -> None:
    assert file.write(data) == (len(data), None)


def read_all(fd: int) -> bytes:
    parts = []
    while part := os.read(fd, 65_536):
        parts.append(part)
    os.close(fd)
    return b"".join(parts)


@pytest.fixture
def stdout_pipe(monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    """Put a pipe where standard output is; the test closes both ends."""
    reader, writer = os.pipe()
    monkeypatch.setattr(linefile, "_STDOUT", writer)
    return reader, writer


# ---- opening


def test_lines_are_appended_and_not_for_everybody(tmp_path: Path) -> None:
    path = tmp_path / "event.log"
    for line in (b"one\n", b"two\n"):
        file = LineFile(path)
        write(file, line)
        file.close()
    assert path.read_bytes() == b"one\ntwo\n"
    assert path.stat().st_mode & 0o007 == 0


def test_a_file_that_cannot_be_opened_names_itself(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "event.log"
    with pytest.raises(ConfigError, match=f"{path}: No such file") as caught:
        LineFile(path)
    assert "folder" in caught.value.hint
    assert isinstance(caught.value.__cause__, OSError)


@pytest.mark.parametrize(("size", "keep"), [(-1, 5), (100, 0)])
def test_rotation_out_of_bounds(tmp_path: Path, size: int, keep: int) -> None:
    with pytest.raises(ConfigError, match=f"{size} bytes keeping {keep} files"):
        LineFile(tmp_path / "event.log", rotate_bytes=size, rotate_keep=keep)
    assert list(tmp_path.iterdir()) == []


# ---- writes that fail


def test_a_full_disk_is_an_answer() -> None:
    file = LineFile(Path("/dev/full"))
    done, error = file.write(b"one\n")
    assert done == 0
    assert error is not None
    assert error.errno == errno.ENOSPC
    file.close()


_SHORT_WRITE = """
import json, resource, sys
from pathlib import Path
from mralab.trafficlog.linefile import LineFile

path = Path(sys.argv[1])
file = LineFile(path)
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
answers = [file.write(b"123\\n123\\n123\\n"), file.write(b"lost\\n")]
file.reopen()
answers.append(file.write(b"lost too\\n"))
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
answers += [file.write(b"after\\n"), file.write(b"last\\n")]
file.close()
print(json.dumps([[done, error and error.errno] for done, error in answers]))
"""


def test_a_line_cut_by_a_full_disk_is_ended_before_the_next(tmp_path: Path) -> None:
    path = tmp_path / "event.log"
    child = subprocess.run(
        [sys.executable, "-c", _SHORT_WRITE, path], capture_output=True, check=True, text=True
    )
    too_big = errno.EFBIG
    assert json.loads(child.stdout) == [
        [10, too_big],
        [0, too_big],
        [0, too_big],
        [6, None],
        [5, None],
    ]
    assert path.read_bytes() == b"123\n123\n12\nafter\nlast\n"


# ---- rotation by size


def test_rotation_keeps_the_youngest_files_with_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "event.log"
    file = LineFile(path, rotate_bytes=10, rotate_keep=2)
    for number in range(8):
        write(file, b"line%d\n" % number)
    file.close()
    contents = {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()}
    assert contents == {
        "event.log": b"",
        "event.log.1": b"line6\nline7\n",
        "event.log.2": b"line4\nline5\n",
    }


def test_a_rotation_by_another_worker_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "event.log"
    first, second = (LineFile(path, rotate_bytes=8) for _ in range(2))
    write(first, b"a" * 9 + b"\n")
    write(second, b"b\n")
    assert path.read_bytes() == b"b\n"
    assert path.with_name("event.log.1").read_bytes() == b"a" * 9 + b"\n"
    first.close()
    second.close()


def test_a_worker_that_waited_for_the_lock_does_not_rotate_again(tmp_path: Path) -> None:
    path = tmp_path / "event.log"
    path.write_bytes(b"x" * 8)
    holder = os.open(path, os.O_RDONLY)
    file = LineFile(path, rotate_bytes=8)
    with ThreadPoolExecutor(1) as pool:
        with linefile._locked(holder):
            waiting = pool.submit(file.write, b"y\n")
            while path.stat().st_size == 8:  # until its line is there; it then waits for the lock
                os.sched_yield()
            path.rename(tmp_path / "moved.log")
            path.write_bytes(b"new\n")
        assert waiting.result() == (2, None)
    write(file, b"z\n")
    file.close()
    os.close(holder)
    assert {entry.name for entry in tmp_path.iterdir()} == {"event.log", "moved.log"}
    assert path.read_bytes() == b"new\nz\n"


def test_a_rotation_that_fails_leaves_the_file_growing(tmp_path: Path) -> None:
    path = tmp_path / "event.log"
    (tmp_path / "event.log.1").mkdir()
    file = LineFile(path, rotate_bytes=4, rotate_keep=1)
    write(file, b"one\n")
    write(file, b"two\n")
    file.close()
    assert path.read_bytes() == b"one\ntwo\n"


def test_a_file_removed_under_rotation_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "event.log"
    file = LineFile(path, rotate_bytes=1000)
    write(file, b"one\n")
    path.unlink()
    write(file, b"two\n")
    file.close()
    assert path.read_bytes() == b"two\n"


# ---- rotation by an outside tool


def test_a_renamed_file_is_written_until_reopen(tmp_path: Path) -> None:
    path = tmp_path / "event.log"
    file = LineFile(path)
    write(file, b"one\n")
    old = path.rename(tmp_path / "old.log")
    write(file, b"two\n")
    file.reopen()
    write(file, b"three\n")
    file.close()
    assert old.read_bytes() == b"one\ntwo\n"
    assert path.read_bytes() == b"three\n"


def test_reopen_that_fails_goes_on_in_the_old_file_and_tries_again(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    path = folder / "event.log"
    file = LineFile(path)
    moved = folder.rename(tmp_path / "moved")
    file.reopen()
    write(file, b"one\n")
    folder.mkdir()
    write(file, b"two\n")
    file.close()
    assert (moved / "event.log").read_bytes() == b"one\n"
    assert path.read_bytes() == b"two\n"


# ---- standard output


def test_standard_output_is_never_closed_reopened_or_rotated(stdout_pipe: tuple[int, int]) -> None:
    reader, writer = stdout_pipe
    file = LineFile(None, rotate_bytes=1)
    write(file, b"one\n")
    file.reopen()
    write(file, b"two\n")
    file.close()
    os.write(writer, b"still open\n")
    os.close(writer)
    assert read_all(reader) == b"one\ntwo\nstill open\n"


def test_a_pipe_that_does_not_block_is_waited_for(stdout_pipe: tuple[int, int]) -> None:
    reader, writer = stdout_pipe
    os.set_blocking(writer, False)
    data = b"x" * 99 + b"\n"
    with ThreadPoolExecutor(1) as pool:
        received = pool.submit(read_all, reader)
        write(LineFile(None), data * 10_000)
        os.close(writer)
        assert received.result() == data * 10_000


def test_a_pipe_without_a_reader_is_an_answer(stdout_pipe: tuple[int, int]) -> None:
    reader, writer = stdout_pipe
    os.close(reader)
    done, error = LineFile(None).write(b"one\n")
    assert (done, error and error.errno) == (0, errno.EPIPE)
    os.close(writer)


def test_a_named_pipe_is_closed_without_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    file = LineFile(path)
    write(file, b"one\n")
    file.close()
    assert read_all(reader) == b"one\n"
