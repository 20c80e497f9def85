from __future__ import annotations

import contextlib
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.trafficlog.pcapreader import Capture, Frame, read

import mralab.trafficlog.writer
from mralab.errors import ConfigError
from mralab.trafficlog import pcapng
from mralab.trafficlog.capture import BlockFile, CaptureWriter, KeyLogWriter, path_of_worker
from mralab.trafficlog.pcapng import Conversation, Leg, Side, Socket

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = b"CLIENT_RANDOM 00 11"


def test_the_key_log_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "keys.log"
    writer = KeyLogWriter(path)
    writer.add_secret(SECRET)
    writer.close()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_bytes() == SECRET + b"\n"


def test_a_key_log_that_cannot_be_opened_names_itself(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"{tmp_path}: Is a directory"):
        KeyLogWriter(tmp_path)


def test_lost_secrets_are_reported_as_a_comment(tmp_path: Path) -> None:
    path = tmp_path / "keys.log"
    path.symlink_to("/dev/full")
    writer = KeyLogWriter(path)
    writer.add_secret(SECRET)
    writer.sync()
    path.unlink()
    writer.reopen()
    writer.add_secret(SECRET)
    writer.close()
    reason = os.strerror(28).encode()
    assert path.read_bytes() == b"# 1 lines lost: " + reason + b"\n" + SECRET + b"\n"


# ---- the capture

HEADER = pcapng.section("mralab 0")


def frames(*sizes: int) -> list[bytes]:
    """Blocks of one frame each, with payloads of these sizes."""
    loopback = bytes([127, 0, 0, 1])
    one = Conversation(Socket(loopback, 40_000), Socket(loopback, 8443), first=(0, 0))
    one.open()
    return [
        pcapng.frame(
            one.data(Side.OPENER, bytes(size))[0].data, leg=Leg.ORIGIN, written=True, time_ns=1
        )
        for size in sizes
    ]


def sizes_in(capture: Capture) -> list[int]:
    return [len(frame.segment.payload) for frame in capture.frames]


def told(frames: list[Frame]) -> list[tuple[int | None, list[str]]]:
    return [(frame.dropped, frame.comments) for frame in frames]


@contextlib.contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let no file grow beyond ``size``: a write is done in part, the next one fails."""
    import resource  # noqa: PLC0415  not there on Windows

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


_BATCH_BYTES = 65_536
needs_limit = pytest.mark.skipif(sys.platform == "win32", reason="no limit on a file's size")


def test_the_capture_is_for_its_owner_only_and_can_be_read_before_any_traffic(
    tmp_path: Path,
) -> None:
    path = tmp_path / "lab.pcapng"
    writer = CaptureWriter(path, application="mralab 0")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_bytes() == HEADER
    writer.close()
    assert read(path.read_bytes()).order == ["section", "interface", "interface"]


def test_frames_and_secrets_are_in_the_file_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "lab.pcapng"
    writer = CaptureWriter(path, application="mralab 0")
    first, second = frames(1, 2)
    writer.add(first)
    writer.add(pcapng.secrets(SECRET))
    writer.add(second)
    writer.sync()
    capture = read(path.read_bytes())
    assert capture.order[3:] == ["frame", "secrets", "frame"]
    assert sizes_in(capture) == [1, 2]
    assert writer.lost_frames == 0
    writer.close()


def test_a_capture_goes_on_with_a_new_section(tmp_path: Path) -> None:
    path = tmp_path / "lab.pcapng"
    for size in (1, 2):
        writer = CaptureWriter(path, application="mralab 0")
        writer.add(frames(size)[0])
        writer.close()
    capture = read(path.read_bytes())
    assert capture.order == 2 * ["section", "interface", "interface", "frame"]
    assert sizes_in(capture) == [1, 2]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"x", "it holds something else", id="one byte"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", "it holds something else", id="another file"),
        pytest.param(HEADER[:40], "it breaks off inside a block", id="half a block"),
        pytest.param(HEADER + frames(9)[0][:-4], "it breaks off", id="a block without its end"),
        pytest.param(HEADER + b"\0\0\0\0", "it breaks off", id="a last block of no size"),
        pytest.param(HEADER + b"\xff\xff\xff\x7f", "it breaks off", id="one larger than the file"),
    ],
)
def test_what_cannot_be_continued_is_left_alone(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "lab.pcapng"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=f"capture {path}: {message}") as caught:
        CaptureWriter(path, application="mralab 0")
    assert "name another file" in caught.value.hint
    assert path.read_bytes() == content


def test_a_capture_that_cannot_be_opened_names_itself(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"capture {tmp_path}: Is a directory"):
        CaptureWriter(tmp_path, application="mralab 0")


def test_a_full_disk_is_told_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "lab.pcapng"
    path.symlink_to("/dev/full")
    with pytest.raises(ConfigError, match=f"capture {path}: {os.strerror(28)}"):
        CaptureWriter(path, application="mralab 0")


@needs_limit
def test_a_block_that_was_written_in_part_is_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "lab.pcapng"
    file = BlockFile(path, HEADER)
    first, second, third = frames(10, 20, 30)
    for rest in range(0, len(second), 7):
        with largest_file(path.stat().st_size + len(first) + rest):
            done, error = file.write(first + second + third)
        assert done == len(first)
        assert error is not None
    file.write(third)
    file.close()
    capture = read(path.read_bytes())
    assert sizes_in(capture) == [10] * (1 + (len(second) - 1) // 7) + [30]


@needs_limit
def test_the_first_frame_after_a_full_disk_tells_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "lab.pcapng"
    writer = CaptureWriter(path, application="mralab 0")
    with largest_file(len(HEADER) + len(frames(1)[0]) + 5):
        writer.add(b"".join(frames(1, 2, 3)))  # the first fits, of the second a part
        writer.add(frames(4)[0])
        writer.sync()
    assert writer.lost_frames == 3
    writer.add(pcapng.secrets(SECRET))
    writer.sync()
    writer.add(b"".join(frames(5, 6)))
    writer.sync()
    writer.add(frames(7)[0])
    writer.close()
    capture = read(path.read_bytes())
    assert sizes_in(capture) == [1, 5, 6, 7]
    why = f"3 frames lost about here: {os.strerror(27)}"
    assert told(capture.frames) == [(None, []), (3, [why]), (None, []), (None, [])]


@needs_limit
def test_a_report_that_is_lost_itself_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "lab.pcapng"
    writer = CaptureWriter(path, application="mralab 0")
    with largest_file(len(HEADER)):
        for size in (1, 2):
            writer.add(frames(size)[0])
            writer.sync()
    writer.add(frames(3)[0])
    writer.close()
    (frame,) = read(path.read_bytes()).frames
    assert frame.dropped == 2


@pytest.mark.skipif(sys.platform == "win32", reason="no named pipes")
def test_what_a_sleeping_reader_leaves_no_room_for_is_lost_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mralab.trafficlog.writer, "PENDING_SIZE", 4 * _BATCH_BYTES)
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = CaptureWriter(path, application="mralab 0")
    (block,) = frames(16_000)
    each = _BATCH_BYTES // len(block) + 1
    for _ in range(6):
        writer.add(block * each)  # nobody reads: this waits for nothing
    lost = writer.lost_frames
    assert lost == 3 * each
    taken: list[bytes] = []

    def take() -> None:
        with path.open("rb") as pipe:
            while data := pipe.read1():
                taken.append(data)

    reader = threading.Thread(target=take)
    reader.start()
    writer.sync()
    writer.add(frames(3)[0])
    writer.close()
    reader.join()
    found = read(b"".join(taken)).frames
    assert len(found) == 3 * each + 1
    why = f"{lost} frames lost about here: the log is not written fast enough"
    assert [one for one in told(found) if one != (None, [])] == [(lost, [why])]


def test_reopening_begins_the_next_file_once_the_old_one_was_moved(tmp_path: Path) -> None:
    path, moved = tmp_path / "lab.pcapng", tmp_path / "lab.1.pcapng"
    writer = CaptureWriter(path, application="mralab 0")
    writer.add(frames(1)[0])
    writer.reopen()  # nobody moved it: the section goes on
    writer.add(frames(2)[0])
    writer.sync()
    path.rename(moved)
    writer.add(frames(3)[0])
    writer.reopen()
    writer.add(frames(4)[0])
    writer.close()
    old, new = read(moved.read_bytes()), read(path.read_bytes())
    assert (len(old.sections), sizes_in(old)) == (1, [1, 2, 3])
    assert (len(new.sections), sizes_in(new)) == (1, [4])
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_cannot_be_reopened_goes_on_in_the_old_file_until_it_can(tmp_path: Path) -> None:
    path, moved = tmp_path / "lab.pcapng", tmp_path / "lab.1.pcapng"
    file = BlockFile(path, HEADER)
    path.rename(moved)
    path.write_bytes(b"something else")
    file.reopen()
    file.write(frames(1)[0])
    path.unlink()
    file.write(frames(2)[0])
    file.close()
    assert sizes_in(read(moved.read_bytes())) == [1]
    assert sizes_in(read(path.read_bytes())) == [2]


@pytest.mark.parametrize(
    ("name", "workers", "expected"),
    [
        pytest.param("lab.pcapng", 1, ["lab.pcapng"], id="a single worker writes the file named"),
        pytest.param("lab.pcapng", 2, ["lab.0.pcapng", "lab.1.pcapng"], id="two have their own"),
        pytest.param("lab", 2, ["lab.0", "lab.1"], id="also without a suffix"),
    ],
)
def test_each_worker_has_its_own_file(name: str, workers: int, expected: list[str]) -> None:
    path = Path("folder") / name
    assert [path_of_worker(path, worker=worker, workers=workers) for worker in range(workers)] == [
        Path("folder") / one for one in expected
    ]
