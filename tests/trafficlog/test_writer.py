from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from mralab.errors import ConfigError
from mralab.trafficlog import linefile
from mralab.trafficlog.parse import parse_line
from mralab.trafficlog.records import FieldLine, TransactionLine
from mralab.trafficlog.render import dst_fields, send_response, tag_fields
from mralab.trafficlog.writer import BATCH_PIECES, PENDING_SIZE, JsonLogWriter, LogWriter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOON = 1_657_533_600.25  # 2022-07-11 10:00:00,250 UTC


def read_until_closed(fd: int) -> bytes:
    parts = []
    while part := os.read(fd, 1 << 20):
        parts.append(part)
    return b"".join(parts)


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """A named pipe that takes writes, and the descriptor to read them from."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(reader, True)
    yield path, reader
    os.close(reader)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "event.log"


# ---- batches


async def test_a_line_reaches_the_file_by_the_loop_s_timer(pipe: tuple[Path, int]) -> None:
    name, reader = pipe
    loop = asyncio.get_running_loop()
    writer = LogWriter(name, hostname="vcsc")
    writer.attach(loop)
    arrived: asyncio.Future[bytes] = loop.create_future()
    loop.add_reader(reader, lambda: arrived.set_result(os.read(reader, 100)))
    began = loop.time()
    writer.add("one\n")
    writer.add("two\n")
    writer.add("three\n")
    assert await arrived == b"one\ntwo\nthree\n"
    assert loop.time() - began >= 0.04
    loop.remove_reader(reader)
    writer.close()
    assert (writer.written_lines, writer.lost_lines) == (3, 0)


async def test_each_batch_has_its_timer(pipe: tuple[Path, int]) -> None:
    name, reader = pipe
    loop = asyncio.get_running_loop()
    arrived: asyncio.Queue[bytes] = asyncio.Queue()
    loop.add_reader(reader, lambda: arrived.put_nowait(os.read(reader, 100)))
    writer = LogWriter(name, hostname="vcsc")
    writer.attach(loop)
    for line in ("one\n", "two\n"):
        writer.add(line)
        assert await arrived.get() == line.encode()
    loop.remove_reader(reader)
    writer.close()


@pytest.fixture
def idle_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop that is never run: its timers do not fire."""
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def test_a_full_batch_goes_without_the_timer(
    pipe: tuple[Path, int], idle_loop: asyncio.AbstractEventLoop
) -> None:
    name, reader = pipe
    writer = LogWriter(name, hostname="vcsc")
    writer.attach(idle_loop)
    line = "x" * 300 + "\n"
    with ThreadPoolExecutor(1) as pool:
        received = pool.submit(read_until_closed, reader)
        for _ in range(BATCH_PIECES):
            writer.add(line)
        writer.add("left over\n")
        writer.close()
        assert received.result() == (line * BATCH_PIECES + "left over\n").encode()


def test_before_attach_each_line_is_handed_over_at_once(pipe: tuple[Path, int]) -> None:
    name, reader = pipe
    writer = LogWriter(name, hostname="vcsc")
    writer.add("one\n")
    assert os.read(reader, 100) == b"one\n"
    writer.close()


def test_flush_does_not_wait_for_the_timer(
    pipe: tuple[Path, int], idle_loop: asyncio.AbstractEventLoop
) -> None:
    name, reader = pipe
    writer = LogWriter(name, hostname="vcsc")
    writer.attach(idle_loop)
    writer.add("one\n")
    writer.flush()
    assert os.read(reader, 100) == b"one\n"
    writer.flush()
    writer.close()


async def test_no_line_is_lost_under_load(path: Path) -> None:
    writer = LogWriter(path, hostname="vcsc")
    writer.attach(asyncio.get_running_loop())
    peer = dst_fields("127.0.0.1", 30044)
    for turn in range(100):
        for number in range(turn * 300, turn * 300 + 300):
            writer.add(send_response(writer.stamp(), tag_fields(number, ""), peer, "HTTP/1.1 200 "))
        await asyncio.sleep(0)
    writer.close()
    assert (writer.written_lines, writer.lost_lines) == (30_000, 0)
    with path.open() as file:
        numbers = [line.split('Txn-id="')[1].split('"')[0] for line in file]
    assert numbers == [str(number) for number in range(30_000)]


def test_text_that_is_no_unicode_is_written_escaped(path: Path) -> None:
    writer = LogWriter(path, hostname="vcsc")
    writer.add("Zoë \ud800\n")
    writer.close()
    assert path.read_bytes() == "Zoë \\ud800\n".encode()


# ---- the end


def test_close_without_a_line_leaves_an_empty_file(path: Path) -> None:
    writer = LogWriter(path, hostname="vcsc")
    writer.close()
    writer.close()
    assert path.read_bytes() == b""


def test_close_writes_what_is_left(path: Path, idle_loop: asyncio.AbstractEventLoop) -> None:
    writer = LogWriter(path, hostname="vcsc")
    writer.attach(idle_loop)
    writer.add("one\n")
    writer.close()
    assert path.read_bytes() == b"one\n"


def test_lines_after_close_are_lost_and_counted(
    path: Path, idle_loop: asyncio.AbstractEventLoop
) -> None:
    writer = LogWriter(path, hostname="vcsc")
    writer.attach(idle_loop)
    writer.close()
    writer.add("one\n")
    writer.add("two\n")
    writer.reopen()
    writer.sync()
    assert (writer.written_lines, writer.lost_lines) == (0, 2)
    assert path.read_bytes() == b""


def test_a_path_that_cannot_be_written_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot open the log file"):
        LogWriter(tmp_path, hostname="vcsc")


# ---- lines that cannot be written


def test_a_full_disk_costs_lines_and_one_report_when_it_works_again(tmp_path: Path) -> None:
    path = tmp_path / "event.log"
    path.symlink_to("/dev/full")
    writer = LogWriter(path, hostname="vcsc", clock=lambda: NOON)
    for _ in range(3):
        writer.add("lost\n")
        writer.sync()
    assert (writer.written_lines, writer.lost_lines) == (0, 3)
    path.unlink()
    writer.reopen()
    writer.add("one\n")
    writer.sync()
    writer.add("two\n")
    writer.close()
    report, *lines = path.read_text().splitlines()
    assert lines == ["one", "two"]
    assert (writer.written_lines, writer.lost_lines) == (2, 3)
    record = parse_line(report)
    assert isinstance(record, FieldLine)
    assert record.head.utc == datetime.fromtimestamp(NOON, UTC)
    assert record.get("Event") == "Log Lines Lost"
    assert record.get("Detail") == "3 lines not written"
    assert record.get("Reason") == "No space left on device"


def test_a_sleeping_reader_never_holds_up_the_caller(pipe: tuple[Path, int]) -> None:
    name, reader = pipe
    writer = LogWriter(name, hostname="vcsc")
    line = "x" * 1023 + "\n"
    total = 2 * PENDING_SIZE // len(line)
    for _ in range(total):
        writer.add(line)
    assert writer.lost_lines >= total // 2 - 1024
    with ThreadPoolExecutor(1) as pool:
        received = pool.submit(read_until_closed, reader)
        writer.sync()
        writer.add("awake\n")
        writer.close()
        lines = received.result().decode().splitlines(keepends=True)
    assert writer.written_lines + writer.lost_lines == total + 1
    assert lines.count(line) == writer.written_lines - 1
    assert lines[-1] == "awake\n"
    (report,) = (text for text in lines if "Log Lines Lost" in text)
    assert f'Detail="{writer.lost_lines} lines not written"' in report
    assert 'Reason="the log is not written fast enough"' in report


def test_close_does_not_wait_for_a_reader_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    writer = LogWriter(path, hostname="vcsc")
    writer.add("x" * 1_000_000 + "\n")
    fill(path)
    writer.add("two\n")
    writer.reopen()
    writer.sync(0.01)
    writer.close(0.01)
    assert writer.lost_lines == 2
    os.close(reader)  # the stuck write fails, the thread ends
    for thread in threading.enumerate():
        if thread.name == "log writer":
            thread.join()


def fill(path: Path) -> None:
    """Return when a named pipe takes nothing more."""
    writer = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    try:
        while os.write(writer, b"\n"):
            pass
    except BlockingIOError:
        return
    finally:
        os.close(writer)


_BROKEN_PIPE = """
import sys
from mralab.trafficlog.writer import LogWriter

print("listening", flush=True)
writer = LogWriter(None, hostname="vcsc")
writer.add("one\\n")
sys.stdin.readline()
writer.add("two\\n")
writer.close()
print(writer.written_lines, writer.lost_lines, file=sys.stderr)
"""


@pytest.mark.parametrize(("is_closed", "counts"), [(False, "2 0\n"), (True, "1 1\n")])
def test_standard_output(*, is_closed: bool, counts: str) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", _BROKEN_PIPE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stdin
        assert child.stdout
        assert child.stderr
        assert child.stdout.readline() == "listening\n"
        assert child.stdout.readline() == "one\n"
        if is_closed:
            child.stdout.close()
        child.stdin.write("\n")
        child.stdin.close()
        if not is_closed:
            assert child.stdout.read() == "two\n"
        assert child.stderr.read() == counts
    assert child.returncode == 0


# ---- rotation and several processes


def test_an_outside_tool_renames_the_file_and_no_line_is_lost(path: Path) -> None:
    writer = LogWriter(path, hostname="vcsc")
    for number in range(100):
        if number == 50:
            writer.sync()
            path.rename(path.with_name("old.log"))
            writer.add("between\n")
            writer.reopen()
        writer.add(f"{number}\n")
    writer.close()
    old = path.with_name("old.log").read_text().splitlines()
    assert old == [*map(str, range(50)), "between"]
    assert path.read_text().splitlines() == [str(number) for number in range(50, 100)]
    assert writer.written_lines == 101


_APPEND = """
import sys
from pathlib import Path
from mralab.trafficlog.writer import LogWriter

name, worker, lines, size = sys.argv[1:]
writer = LogWriter(Path(name), hostname="vcsc", rotate_bytes=int(size), rotate_keep=1000)
sys.stdin.readline()
for number in range(int(lines)):
    writer.add(f"{worker} {number} {'x' * (number % 97)}.\\n")
    if number % 50 == 0:
        writer.sync()  # many writes, not one
writer.close()
assert writer.lost_lines == 0
"""


@pytest.mark.parametrize("rotate_bytes", [0, 20_000])
def test_several_processes_append_whole_lines(path: Path, rotate_bytes: int) -> None:
    count = 2000
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", _APPEND, path, str(worker), str(count), str(rotate_bytes)],
            stdin=subprocess.PIPE,
        )
        for worker in range(3)
    ]
    for child in workers:
        assert child.stdin
        child.stdin.write(b"\n")
        child.stdin.close()
    assert [child.wait() for child in workers] == [0, 0, 0]
    files = list(path.parent.iterdir())
    assert (len(files) > 5) == bool(rotate_bytes)
    lines = [line for file in files for line in file.read_text().splitlines()]
    expected = {
        f"{worker} {number} {'x' * (number % 97)}."
        for worker in range(3)
        for number in range(count)
    }
    assert len(lines) == 3 * count
    assert set(lines) == expected


# ---- stamps


def test_stamp_is_rendered_once_per_millisecond(path: Path) -> None:
    now = [NOON]
    writer = LogWriter(path, hostname="vcsc", clock=lambda: now[0])
    first = writer.stamp()
    assert first.utc == "2022-07-11 10:00:00,250"
    assert f"traffic_server[{os.getpid()}]: " in first.prefix
    now[0] += 0.0004
    assert writer.stamp() is first
    now[0] += 0.001
    assert writer.stamp().utc == "2022-07-11 10:00:00,251"
    now[0] += 59.75
    assert writer.stamp().utc == "2022-07-11 10:01:00,001"
    now[0] = NOON  # clocks go backwards, too
    assert writer.stamp().prefix == first.prefix
    writer.close()


@pytest.mark.parametrize(
    ("zone", "host"),
    [
        ("UTC0", "2022-07-11T10:00:00.250+00:00 vcsc "),
        ("CET-1CEST,M3.5.0,M10.5.0/3", "2022-07-11T12:00:00.250+02:00 vcsc "),
        ("NST3:30NDT,M3.2.0,M11.1.0", "2022-07-11T07:30:00.250-02:30 vcsc "),
    ],
)
def test_stamp_has_the_local_time(
    path: Path, monkeypatch: pytest.MonkeyPatch, zone: str, host: str
) -> None:
    with monkeypatch.context() as context:
        context.setenv("TZ", zone)
        time.tzset()
        writer = LogWriter(path, hostname="vcsc", clock=lambda: NOON)
        assert writer.stamp().host == host
        writer.close()
    time.tzset()


def test_stamp_by_the_system_s_clock(path: Path) -> None:
    writer = LogWriter(path, hostname="vcsc")
    before = time.time()
    line = send_response(writer.stamp(), tag_fields(1, ""), dst_fields("::1", 1), "x")
    record = parse_line(line)
    assert isinstance(record, TransactionLine)
    assert record.head.when is not None
    assert before - 0.001 <= record.head.when.timestamp() <= time.time()
    writer.close()


# ---- the JSON twin


def test_json_lines(path: Path) -> None:
    writer = JsonLogWriter(path)
    writer.add_object({"reason": "ok", "name": "Zoë\n\ud800", "attempts": [1, 2]})
    writer.close()
    assert path.read_bytes() == b'{"reason":"ok","name":"Zo\\u00eb\\n\\ud800","attempts":[1,2]}\n'


def test_json_report_of_lost_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, broken = os.pipe()
    os.close(reader)
    monkeypatch.setattr(linefile, "_STDOUT", broken)
    writer = JsonLogWriter(None, clock=lambda: NOON)
    writer.add_object({})
    writer.sync()
    assert writer.lost_lines == 1
    mended = os.open(tmp_path / "out", os.O_WRONLY | os.O_CREAT)
    os.dup2(mended, broken)
    writer.add_object({})
    writer.close()
    os.close(mended)
    os.close(broken)
    report, line = map(json.loads, (tmp_path / "out").read_text().splitlines())
    assert line == {}
    assert report == {
        "time": "2022-07-11T10:00:00.250+00:00",
        "event": "log-lines-lost",
        "lines": 1,
        "reason": "Broken pipe",
    }
