"""Replace a file so that, whatever happens, its readers find the old content or the new one.

Rules: the new content is written beside the file, reaches the disk, and then takes the file's name
in one step. Writers of one file wait for each other on a lock that ends with its process, so files
left by one that was killed stand in nobody's way: the lock file is only locked, never created as a
token, and the unfinished file is overwritten by the next writer.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NEW_FILE_MODE: Final = 0o644


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file, waiting for another writer to finish.

    Args:
        path: the file to be replaced; it need not exist, its folder must.

    Raises:
        OSError: the lock file ``.NAME.lock`` beside it cannot be opened.
    """
    import fcntl  # noqa: PLC0415 - there is none on Windows, where lists are only read

    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    descriptor = os.open(path.with_name(f".{path.name}.lock"), flags, _NEW_FILE_MODE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def replace_file(path: Path, content: bytes) -> None:
    """Give a file new content in one step that survives a crash; the lock must be held.

    Mode and owner of the old file are kept; a new one is readable by all.

    Args:
        path: the file, not a symbolic link (its target would stay as it is).
        content: all it shall hold.

    Raises:
        OSError: the folder or the disk refuses; the file is then as it was.
    """
    unfinished = path.with_name(f".{path.name}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        with os.fdopen(os.open(unfinished, flags, _NEW_FILE_MODE), "wb") as file:
            if path.exists():
                _copy_owner_and_mode(path.stat(), file.fileno())
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
    # The new name is only safe once its folder is on the disk.
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _copy_owner_and_mode(old: os.stat_result, descriptor: int) -> None:
    """Keep a list readable to the proxy's user when root changes it."""
    new = os.fstat(descriptor)
    if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
        os.fchown(descriptor, old.st_uid, old.st_gid)
    os.fchmod(descriptor, old.st_mode & 0o777)
