"""A file, or standard output, that takes whole lines.

Rules: a batch of lines is one write with ``O_APPEND``, so that several processes can share a file
and each line stays whole; what the system takes only in part is continued at once; a line that
could not be finished is ended before the next one begins. A write that fails is an answer, never
an exception. Used by one thread at a time, which may wait here for the disk or for a reader.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
from typing import TYPE_CHECKING, Final

from mralab.errors import ConfigError

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_STDOUT: Final = 1
#: Requests and user names stand in the log: not for everybody. Lab default.
_MODE: Final = 0o640


def _open(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, _MODE)


def write_all(fd: int, data: bytes) -> tuple[int, OSError | None]:
    """Write ``data``, waiting for a slow reader; return how much got there and what stopped it."""
    view = memoryview(data)
    done = 0
    while done < len(data):
        try:
            done += os.write(fd, view[done:])
        except BlockingIOError:  # standard output may be shared with a program that set O_NONBLOCK
            select.select((), (fd,), ())
        except OSError as exc:
            return done, exc
    return done, None


@contextlib.contextmanager
def _locked(fd: int) -> Iterator[None]:
    """Keep other processes from rotating the open file meanwhile."""
    if sys.platform == "win32":
        yield
        return
    fcntl.flock(fd, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(fd, fcntl.LOCK_UN)


def _leads_to(path: Path, fd: int) -> bool:
    """Whether the name ``path`` still leads to the open file; another process may have moved it."""
    try:
        return os.path.samestat(path.stat(), os.fstat(fd))
    except OSError:
        return False


def _shift(path: Path, keep: int) -> None:
    """Rename ``path`` to ``path.1``, ``path.1`` to ``path.2`` and so on up to ``path.<keep>``."""
    for number in range(keep, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        newer = path.with_name(f"{path.name}.{number - 1}") if number > 1 else path
        with contextlib.suppress(FileNotFoundError):
            newer.replace(older)


class LineFile:
    """An append-only file of lines, or standard output."""

    def __init__(self, path: Path | None, *, rotate_bytes: int = 0, rotate_keep: int = 5) -> None:
        """Open the file, making it if need be.

        Args:
            path: the file; its folder must exist. ``None`` is standard output.
            rotate_bytes: rotate when the file has grown to this size; 0: only an outside tool does.
                Standard output is never rotated.
            rotate_keep: rotated files kept, at least 1: ``name.1`` (youngest), ``name.2``, ...

        Raises:
            ConfigError: the file cannot be opened, or a number is out of bounds.
        """
        if rotate_bytes < 0 or rotate_keep < 1:
            raise ConfigError(
                f"log rotation at {rotate_bytes} bytes keeping {rotate_keep} files is not possible",
                hint="the size is 0 or more, the number of files 1 or more",
            )
        self._path = path
        self._rotate_bytes = rotate_bytes
        self._rotate_keep = rotate_keep
        self._is_torn = False  # ends in a line without its end
        self._is_stale = False  # was renamed, and the new one could not be opened yet
        try:
            self._fd = _STDOUT if path is None else _open(path)
        except OSError as exc:
            raise ConfigError(
                f"cannot open the log file {path}: {exc.strerror}",
                hint="its folder must exist and be writable for this user",
            ) from exc

    def write(self, data: bytes) -> tuple[int, OSError | None]:
        """Append whole lines.

        Args:
            data: one or more lines, the last one ended as well.

        Returns:
            How many bytes of ``data`` got into the file, and the error that stopped the rest.
        """
        if self._is_stale or self._was_rotated():
            self.reopen()
        ended = b"\n" if self._is_torn else b""
        done, error = write_all(self._fd, ended + data)
        done -= len(ended)
        if done >= 0:
            self._is_torn = done > 0 and data[done - 1 : done] != b"\n"
        if error is None:
            self._rotate_if_full()
        return max(done, 0), error

    def reopen(self) -> None:
        """Open the file by its name, after somebody renamed it.

        If that fails, lines go on into the renamed file, and the next write tries again.
        """
        if self._path is None:
            return
        try:
            fd = _open(self._path)
        except OSError:
            self._is_stale = True
            return
        self._is_torn = self._is_torn and os.path.sameopenfile(self._fd, fd)
        self._is_stale = False
        os.close(self._fd)
        self._fd = fd

    def close(self) -> None:
        """Bring everything to disk and close the file. Standard output stays open."""
        if self._path is None:
            return
        with contextlib.suppress(OSError):  # pipes and devices cannot be synchronised
            os.fsync(self._fd)
        os.close(self._fd)

    def _was_rotated(self) -> bool:
        """Whether another worker rotated it. An outside tool's rotation waits for reopen()."""
        return bool(
            self._rotate_bytes and self._path is not None and not _leads_to(self._path, self._fd)
        )

    def _rotate_if_full(self) -> None:
        """Rotate at the size limit. If that fails the file grows; the next write tries again."""
        if not self._rotate_bytes or self._path is None:
            return
        if os.fstat(self._fd).st_size < self._rotate_bytes:
            return
        with contextlib.suppress(OSError), _locked(self._fd):
            # The lock belongs to the open file, not to its name: a worker that had to wait for it
            # finds the name leading elsewhere, and nothing left to rotate.
            if _leads_to(self._path, self._fd):
                _shift(self._path, self._rotate_keep)
        self.reopen()
