"""How commands find a running proxy: one small file for each, readable by its owner only.

The file lies in the state folder, is named after the listening address, and tells the admin
address, the token and the process. It is written whole or not at all, and removed at the end; one
that a killed process left behind is recognised by its process being gone.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from mralab.errors import AdminError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mralab.config.settings import Endpoint

_MAX_BYTES = 4096


class Kind(NamedTuple):
    """What runs, for messages."""

    one: str
    many: str
    command: str  #: what starts one


PROXY: Final = Kind("proxy", "proxies", "mralab serve")
#: A running lab has a run file of the same form, in a folder of its own.
LAB: Final = Kind("lab", "labs", "mralab lab up")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFile:
    """A running proxy as its run file tells it."""

    listen: str  #: ``host:port`` of the proxy, the port as bound
    admin: str | None  #: ``host:port`` of its admin listener; None is ``--admin off``
    token: str  #: bearer token of the admin API; "" with ``--admin off``
    pid: int

    def is_alive(self) -> bool:
        """Whether the process that wrote it still exists; taken for granted on Windows."""
        if sys.platform == "win32":  # where os.kill with signal 0 is Ctrl-C
            return True
        try:
            os.kill(self.pid, 0)
        except (ProcessLookupError, OverflowError):
            return False
        except PermissionError:
            return True
        return True


def new_token() -> str:
    """Return a fresh bearer token of 256 random bits."""
    return secrets.token_urlsafe(32)


def default_state_dir(environ: Mapping[str, str]) -> Path:
    """Return ``mralab`` in ``$XDG_STATE_HOME`` or in ``~/.local/state``.

    Source: XDG base directory specification (relative values do not count).

    Raises:
        AdminError: neither the environment nor the user database names a home folder.
    """
    named = Path(environ.get("XDG_STATE_HOME", ""))
    if named.is_absolute():
        return named / "mralab"
    try:
        return Path.home() / ".local" / "state" / "mralab"
    except RuntimeError as exc:
        raise AdminError(
            "there is no home folder to keep the admin token in",
            hint="name a folder with --state-dir",
        ) from exc


def write_run_file(folder: Path, run: RunFile) -> Path:
    """Write the file of a proxy, mode 0600, replacing an older one of the same address.

    Args:
        folder: the state folder; made, mode 0700, if it is missing.
        run: what to write.

    Returns:
        Where it is, for :func:`remove_run_file`.

    Raises:
        AdminError: the folder or file cannot be written.
    """
    path = folder / f"proxy-{run.listen.replace(':', '_')}.json"
    fresh = path.with_suffix(f".{secrets.token_hex(4)}")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(asdict(run), stream)
        fresh.replace(path)
    except OSError as exc:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise AdminError(
            f"cannot write the admin token to {path}: {exc.strerror}",
            hint="name a folder you may write to with --state-dir",
        ) from exc
    return path


def remove_run_file(path: Path, run: RunFile) -> None:
    """Remove the file if it is still this proxy's; one that is gone already is no fault."""
    if _read(path) == run:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def find_proxy(
    folder: Path,
    *,
    listen: Endpoint | None = None,
    admin: Endpoint | None = None,
    kind: Kind = PROXY,
) -> RunFile:
    """Return the one running proxy meant, or the lab.

    Args:
        folder: the state folder.
        listen: only one that listens there.
        admin: only one whose admin listener is there.
        kind: what the folder's run files are of.

    Raises:
        AdminError: none, or more than one to choose from.
    """
    running = [run for path in sorted(folder.glob("proxy-*.json")) if (run := _read(path))]
    meant = [
        run
        for run in running
        if run.is_alive()
        and (listen is None or run.listen == str(listen))
        and (admin is None or run.admin == str(admin))
    ]
    if not meant:
        where = f" with admin listener {admin}" if admin else f" on {listen}" if listen else ""
        raise AdminError(
            f"no running {kind.one}{where} is known in {folder}",
            hint=f"start one with `{kind.command}`, or name its --state-dir",
        )
    if len(meant) > 1:
        addresses = ", ".join(run.listen for run in meant)
        raise AdminError(
            f"{len(meant)} {kind.many} are running: {addresses}", hint="choose one with --listen"
        )
    return meant[0]


def _read(path: Path) -> RunFile | None:
    """Return what a run file tells, ``None`` if it is gone or not one of ours."""
    try:
        with path.open("rb") as stream:
            fields = json.loads(stream.read(_MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    match fields:
        case {"listen": str(listen), "admin": str() | None as admin, "token": str(token), **rest}:
            pid = rest.get("pid")
            if isinstance(pid, int) and pid > 0:
                return RunFile(listen=listen, admin=admin, token=token, pid=pid)
        case _:
            pass
    return None
