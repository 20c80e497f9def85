"""Log lines, or other pieces of a file, from the event loop to a thread that owns the file.

Rules: the loop never waits for the file. :meth:`BatchWriter.add` appends to a list; 50 ms after the
first piece, or at 1,024 of them, they go to the thread joined, and it encodes and writes them.
Pieces that cannot be written (full disk, reader gone) or that pile up beyond 32 MiB (reader asleep)
are lost and counted, and the file says so when writing works again; nothing is ever raised for
them. Everything but the thread itself is called from one thread, the loop's. Made by the process
that writes: a thread does not survive a fork.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from abc import ABC, abstractmethod
from datetime import UTC, datetime
from enum import Enum
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

from mralab.trafficlog.linefile import LineFile
from mralab.trafficlog.render import Stamp, StampSecond, escape, lines_lost

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping
    from pathlib import Path

#: Longest time a piece waits for others, in seconds. Lab default.
BATCH_DELAY_S: Final = 0.05
#: Pieces after which a batch goes at once: about 300 KB of log lines. Lab default.
BATCH_PIECES: Final = 1024
#: Size after which the thread adds no further batch to one write. Lab default.
WRITE_SIZE: Final = 1_048_576
#: Size handed over and not yet written, above which batches are lost. Lab default.
PENDING_SIZE: Final = 33_554_432
#: How long :meth:`BatchWriter.close` waits for a reader that does not read. Lab default.
CLOSE_TIMEOUT_S: Final = 5.0


class _Command(Enum):
    REOPEN = "reopen"
    STOP = "stop"


_Order = _Command | threading.Event  # an event is set when its turn comes

Piece = TypeVar("Piece", str, bytes)
"""What a file is written in: text of whole lines, or bytes of whole blocks."""


class BatchFile(Protocol):
    """The file, of which the thread itself needs no more than this."""

    def reopen(self) -> None:
        """Open it by its name again."""

    def close(self) -> None:
        """Bring it to disk and close it."""


class BatchWriter(ABC, Generic[Piece]):
    """Pieces in batches to a file, without ever holding up the caller."""

    _nothing: Piece  #: what joins pieces

    def __init__(self, file: BatchFile) -> None:
        """Take an open file; the thread starts with the first batch."""
        self._batch_file = file
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._thread: threading.Thread | None = None
        self._queue: SimpleQueue[tuple[list[Piece], Piece] | _Order] = SimpleQueue()
        self._is_closed = False
        # the caller's side
        self._pieces: list[Piece] = []
        self._limit = 0  # pieces from which add() has more to do: 0 while no timer runs
        self._handed = 0  # size, ever
        self._dropped = 0  # as _count counts, ever
        # the thread's side
        self._done = 0  # size, ever
        self._written = 0  # as _count counts, ever
        self._failed = 0  # likewise
        self._reported = 0  # of what is lost
        self._reason = ""
        self._in_hand: list[Piece] = []

    @property
    def _lost(self) -> int:
        """What will never be in the file, as :meth:`_count` counts."""
        return self._dropped + self._failed

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Collect by the loop's timer from now on; until then each piece is handed over at once."""
        self._loop = loop

    def add(self, piece: Piece) -> None:
        """Take one or more whole lines, each ended by a newline; or whole blocks."""
        pieces = self._pieces
        pieces.append(piece)
        if len(pieces) >= self._limit:
            self._limit_reached()

    def flush(self) -> None:
        """Hand over what was collected, without waiting until it is written."""
        if not self._pieces:
            return
        pieces, self._pieces = self._pieces, []
        joined = self._nothing.join(pieces)
        size = len(joined)
        if self._is_closed:
            self._dropped += self._count(pieces)
        elif self._handed - self._done + size > PENDING_SIZE:
            self._dropped += self._count(pieces)
            self._reason = "the log is not written fast enough"
        else:
            self._handed += size
            self._hand_over((pieces, joined))

    def sync(self, timeout_s: float = CLOSE_TIMEOUT_S) -> None:
        """Wait until every piece so far is in the file: for those who read it next.

        This blocks, so a proxy that serves has no use for it.
        """
        self.flush()
        if self._thread is not None and not self._is_closed:
            reached = threading.Event()
            self._queue.put(reached)
            reached.wait(timeout_s)

    def reopen(self) -> None:
        """Open the file by its name again, after an outside tool renamed it.

        What was added before goes into the renamed file.
        """
        self.flush()
        if not self._is_closed:
            self._hand_over(_Command.REOPEN)

    def close(self, timeout_s: float = CLOSE_TIMEOUT_S) -> None:
        """Write what is left, bring it to disk and end the thread.

        Args:
            timeout_s: how long to wait; what is not written by then (standard output or a pipe that
                nobody reads) is lost and counted.
        """
        if self._is_closed:
            return
        self.flush()
        self._is_closed = True
        self._limit = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._thread is None:
            self._batch_file.close()
            return
        self._queue.put(_Command.STOP)
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            self._give_up()

    def _limit_reached(self) -> None:
        if self._timer is None and self._loop is not None and not self._is_closed:
            self._timer = self._loop.call_later(BATCH_DELAY_S, self._on_timer)
            self._limit = BATCH_PIECES
            if len(self._pieces) < BATCH_PIECES:
                return
        self.flush()

    def _on_timer(self) -> None:
        self._timer = None
        self._limit = 0
        self.flush()

    def _hand_over(self, item: tuple[list[Piece], Piece] | _Order) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="log writer", daemon=True)
            self._thread.start()
        self._queue.put(item)

    def _give_up(self) -> None:
        """Count what the thread, stuck in a write, will not get to."""
        self._dropped += self._count(self._in_hand)
        while True:
            try:
                item = self._queue.get_nowait()
            except Empty:
                break
            if isinstance(item, tuple):
                self._dropped += self._count(item[0])
        self._queue.put(_Command.STOP)

    # ---- in the thread

    def _run(self) -> None:
        item: tuple[list[Piece], Piece] | _Order | None = None
        while item is not _Command.STOP:
            item = self._queue.get()
            if isinstance(item, tuple):
                item = self._write_waiting(*item)
            if item is _Command.REOPEN:
                self._batch_file.reopen()
            elif isinstance(item, threading.Event):
                item.set()
        self._batch_file.close()

    def _write_waiting(self, pieces: list[Piece], joined: Piece) -> _Order | None:
        """Write a batch, and in one go those that came in behind it, up to the next order.

        A busy loop lets this thread run every 5 ms only: it must not need a turn for each batch.
        """
        order: _Order | None = None
        batches, size = [joined], len(joined)
        with contextlib.suppress(Empty):
            while size < WRITE_SIZE and order is None:
                item = self._queue.get_nowait()
                if isinstance(item, tuple):
                    pieces += item[0]
                    batches.append(item[1])
                    size += len(item[1])
                else:
                    order = item
        self._in_hand = pieces
        self._write(pieces, self._nothing.join(batches))
        self._in_hand = []
        self._done += size
        return order

    @abstractmethod
    def _count(self, pieces: list[Piece]) -> int:
        """Count what is told of when it is lost: lines, or frames."""

    @abstractmethod
    def _write(self, pieces: list[Piece], joined: Piece) -> None:
        """Write pieces, count what was written and what was not, report what was lost before.

        Args:
            pieces: what :meth:`add` took, for the count.
            joined: all of them in one, to be written.
        """


class LineWriter(BatchWriter[str]):
    """Whole lines in batches to a file, or to standard output."""

    _nothing = ""

    def __init__(
        self,
        path: Path | None,
        *,
        rotate_bytes: int = 0,
        rotate_keep: int = 5,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Open the file; the thread starts with the first batch.

        Args:
            path: the file; ``None`` is standard output.
            rotate_bytes: rotate when the file has grown to this size; 0: only an outside tool does.
            rotate_keep: rotated files kept, at least 1.
            clock: seconds since 1970-01-01 UTC.

        Raises:
            ConfigError: the file cannot be opened.
        """
        self._file = LineFile(path, rotate_bytes=rotate_bytes, rotate_keep=rotate_keep)
        super().__init__(self._file)
        self._clock = clock

    @property
    def written_lines(self) -> int:
        """Lines that are in the file, from the caller; reports of lost lines do not count.

        A DEBUG twin with its block counts as one.
        """
        return self._written

    @property
    def lost_lines(self) -> int:
        """Lines that will never be in the file."""
        return self._lost

    def _count(self, pieces: list[str]) -> int:
        return len(pieces)

    def _write(self, pieces: list[str], joined: str) -> None:
        data = joined.encode("utf-8", "backslashreplace")
        lost = self._lost - self._reported
        report = self._report(lost, self._reason).encode() if lost else b""
        done, error = self._file.write(report + data)
        if done >= len(report):
            self._reported += lost
        total = len(pieces)  # not a count of line ends: that goes through every byte
        written = total if error is None else _whole(pieces, done - len(report))
        if error is not None:
            self._reason = os.strerror(error.errno or 0)
            self._failed += total - written
        self._written += written

    @abstractmethod
    def _report(self, count: int, reason: str) -> str:
        """Render the line that tells of lost lines."""


def _whole(pieces: list[str], size: int) -> int:
    """Count the pieces that are whole in the first ``size`` bytes."""
    count = 0
    for text in pieces:
        size -= len(text.encode("utf-8", "backslashreplace"))
        if size < 0:
            break
        count += 1
    return count


class LogWriter(LineWriter):
    """The event log: lines of :mod:`mralab.trafficlog.render`, and the stamps they begin with."""

    def __init__(
        self,
        path: Path | None,
        *,
        hostname: str,
        rotate_bytes: int = 0,
        rotate_keep: int = 5,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Open the file as :class:`LineWriter`; ``hostname`` is the second word of each line."""
        super().__init__(path, rotate_bytes=rotate_bytes, rotate_keep=rotate_keep, clock=clock)
        self._hostname = hostname
        self._millisecond = -1
        self._second = -1
        self._stamp_second: StampSecond
        self._stamp: Stamp

    def stamp(self) -> Stamp:
        """The beginnings of a line written now: local time with its offset, this process.

        Rendered once per millisecond; date, offset and process once per second.
        """
        millisecond = int(self._clock() * 1000.0)
        if millisecond != self._millisecond:
            second = millisecond // 1000
            if second != self._second:
                self._stamp_second = self._render_second(second)
                self._second = second
            self._stamp = self._stamp_second.at(millisecond % 1000)
            self._millisecond = millisecond
        return self._stamp

    def _render_second(self, second: int) -> StampSecond:
        return StampSecond(
            second,
            hostname=self._hostname,
            pid=os.getpid(),
            offset_minutes=time.localtime(second).tm_gmtoff // 60,
        )

    def _report(self, count: int, reason: str) -> str:
        # In the thread: the cached stamp is the loop's.
        second, millisecond = divmod(int(self._clock() * 1000.0), 1000)
        stamp = self._render_second(second).at(millisecond)
        return lines_lost(stamp, count=count, reason=escape(reason))


class JsonLogWriter(LineWriter):
    """The JSON twin of the event log: one object per line, ASCII only."""

    def add_object(self, values: Mapping[str, object]) -> None:
        """Take one object of JSON values."""
        self.add(f"{json.dumps(values, separators=(',', ':'))}\n")

    def _report(self, count: int, reason: str) -> str:
        now = datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="milliseconds")
        values = {"time": now, "event": "log-lines-lost", "lines": count, "reason": reason}
        return f"{json.dumps(values, separators=(',', ':'))}\n"
