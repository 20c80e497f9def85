"""What tshark and Wireshark need to read the traffic: a capture of both legs, and the TLS key log.

Rules: whoever has these files can read the traffic, credentials included, so only their owner may
open them; each is appended to, never emptied. A capture is written by one process alone and always
ends with a whole block, so that what is appended to it begins a new section. *Lab only*: the
product takes its captures with tcpdump and has no key log.

Source: the NSS key log format (public draft ``draft-ietf-tls-keylogfile``);
:mod:`mralab.trafficlog.pcapng`.
"""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING, Final

from mralab.errors import ConfigError
from mralab.trafficlog import pcapng
from mralab.trafficlog.linefile import write_all
from mralab.trafficlog.writer import BatchWriter, LineWriter

if TYPE_CHECKING:
    from pathlib import Path

_MODE: Final = 0o600
_LENGTH_BYTES: Final = 4
_SECTION_HEAD_BYTES: Final = 12


class KeyLogWriter(LineWriter):
    """Writes the key log."""

    def __init__(self, path: Path) -> None:
        """Open the file, readable for its owner only if it is new.

        Raises:
            ConfigError: the file cannot be opened.
        """
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, _MODE))
        except OSError as exc:
            raise ConfigError(f"key log {path}: {exc.strerror or exc}") from exc
        super().__init__(path)

    def add_secret(self, line: bytes) -> None:
        """Take one line without its line end."""
        self.add(line.decode("ascii") + "\n")

    def _report(self, count: int, reason: str) -> str:
        return f"# {count} lines lost: {reason.encode('ascii', 'replace').decode('ascii')}\n"


def path_of_worker(path: Path, *, worker: int, workers: int) -> Path:
    """Return the capture file of one worker process: with several, its number is in the name.

    They cannot share one: a block that one of them has written in part would take in others'.

    Args:
        path: as the settings have it.
        worker: number of the process, from 0.
        workers: how many there are.
    """
    return path if workers == 1 else path.with_name(f"{path.stem}.{worker}{path.suffix}")


class BlockFile:
    """An append-only file of pcapng blocks, written by one process; or a pipe to a reader."""

    def __init__(self, path: Path, header: bytes) -> None:
        """Open the file, making it if need be, and begin a section.

        Args:
            path: the file; its folder must exist.
            header: the blocks that a section begins with.

        Raises:
            ConfigError: the file cannot be opened, or nothing can be appended to what it holds.
        """
        self._path = path
        self._header = header
        self._is_stale = False  # was renamed, and the new one could not be opened yet
        try:
            self._fd = self._open()
        except OSError as exc:
            raise ConfigError(
                f"capture {path}: {exc.strerror or exc}",
                hint="name another file, in a folder that is writable for this user",
            ) from exc

    def write(self, blocks: bytes) -> tuple[int, OSError | None]:
        """Append whole blocks.

        Returns:
            How many bytes of ``blocks`` got into the file, whole blocks only, and the error that
            stopped the rest.
        """
        if self._is_stale:
            self.reopen()
        return self._write(self._fd, blocks)

    def reopen(self) -> None:
        """Open the file by its name, after somebody renamed it; nothing to do if nobody did.

        If that fails, frames go on into the renamed file, and the next write tries again.
        """
        with contextlib.suppress(OSError):
            if os.path.samestat(self._path.stat(), os.fstat(self._fd)):
                return
        try:
            fd = self._open()
        except (OSError, ConfigError):
            self._is_stale = True
            return
        self._is_stale = False
        os.close(self._fd)
        self._fd = fd

    def close(self) -> None:
        """Bring everything to disk and close the file."""
        with contextlib.suppress(OSError):  # pipes and devices cannot be synchronised
            os.fsync(self._fd)
        os.close(self._fd)

    def _open(self) -> int:
        # For reading, too: what is in it is looked at; and a pipe can be opened before its reader.
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        fd = os.open(self._path, flags, _MODE)
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(os.close, fd)
            self._check(fd)
            _, error = self._write(fd, self._header)
            if error is not None:
                raise error
            on_failure.pop_all()
        return fd

    def _check(self, fd: int) -> None:
        """Look whether a section can follow what the file holds.

        Raises:
            ConfigError: it holds something else, or a capture that breaks off inside a block.
        """
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or not status.st_size:
            return
        os.lseek(fd, 0, os.SEEK_SET)
        if not pcapng.begins_section(os.read(fd, _SECTION_HEAD_BYTES)):
            raise ConfigError(
                f"capture {self._path}: it holds something else than a pcapng file",
                hint="name another file, or remove this one",
            )
        os.lseek(fd, -_LENGTH_BYTES, os.SEEK_END)
        size = pcapng.last_block_size(os.read(fd, _LENGTH_BYTES))
        is_whole = 0 < size <= status.st_size
        if is_whole:
            os.lseek(fd, _LENGTH_BYTES - size, os.SEEK_END)
            is_whole = pcapng.last_block_size(os.read(fd, _LENGTH_BYTES)) == size
        if not is_whole:
            raise ConfigError(
                f"capture {self._path}: it breaks off inside a block, nothing can follow",
                hint="name another file, or move this one away",
            )

    @staticmethod
    def _write(fd: int, blocks: bytes) -> tuple[int, OSError | None]:
        done, error = write_all(fd, blocks)
        if error is None:
            return done, None
        whole = pcapng.whole_size(blocks, done)
        with contextlib.suppress(OSError):  # pipes and devices cannot be shortened
            os.ftruncate(fd, os.fstat(fd).st_size - (done - whole))
        return whole, error


class CaptureWriter(BatchWriter[bytes]):
    """Writes a capture: pieces are whole blocks of :mod:`mralab.trafficlog.pcapng`.

    Frames that could not be written are counted, and the next frame that can be tells of them in a
    comment and by its drop count.
    """

    _nothing = b""

    def __init__(self, path: Path, *, application: str) -> None:
        """Open the file, readable for its owner only if it is new.

        Args:
            path: the file, or a pipe.
            application: who writes, with version; stands in the file.

        Raises:
            ConfigError: the file cannot be opened, or nothing can be appended to what it holds.
        """
        self._file = BlockFile(path, pcapng.section(application))
        super().__init__(self._file)

    @property
    def lost_frames(self) -> int:
        """Frames that will never be in the file."""
        return self._lost

    def _count(self, pieces: list[bytes]) -> int:
        return pcapng.count_frames(b"".join(pieces))

    def _write(self, pieces: list[bytes], joined: bytes) -> None:
        del pieces  # frames are counted in what is whole
        lost = self._lost - self._reported
        told = pcapng.tell_loss(joined, lost, self._reason) if lost else joined
        done, error = self._file.write(told)
        if len(told) > len(joined) and pcapng.count_frames(told[:done]):
            self._reported += lost
        if error is not None:
            self._reason = os.strerror(error.errno or 0)
            self._failed += pcapng.count_frames(told[done:])
