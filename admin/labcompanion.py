"""What runs beside ``mralab lab up``: the control listener, and the run file that leads to it.

It listens on loopback, on a port of its own; the run file, 0600, holds its address and token. It
lies apart from those of proxies, see :mod:`mralab.lab.runplace`.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Final

from aiohttp import web

from mralab.admin.runfile import (
    RunFile,
    default_state_dir,
    new_token,
    remove_run_file,
    write_run_file,
)
from mralab.config.settings import Endpoint
from mralab.lab.control import control_application
from mralab.lab.runplace import RUN_FOLDER

if TYPE_CHECKING:
    from pathlib import Path

    from mralab.lab.control import ControlledEstate

_LOOPBACK: Final = "127.0.0.1"
_SHUTDOWN_S: Final = 2.0


class LabCompanion:
    """Makes a running lab known to commands, and answers them.

    Attributes:
        endpoint: the control listener.
        run_file: where commands find it, while it runs.
    """

    endpoint: Endpoint

    def __init__(
        self, lab: ControlledEstate, *, listen: str, state_dir: Path | None = None
    ) -> None:
        """Prepare for a running lab.

        Args:
            lab: what is controlled.
            listen: ``host:port`` that it is told from other labs by.
            state_dir: the state folder; default: the user's.
        """
        self.run_file: Path | None = None
        self._lab = lab
        self._listen = listen
        self._state_dir = state_dir
        self._run: RunFile | None = None
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen and write the run file.

        Raises:
            AdminError: the state folder cannot be had.
        """
        token = new_token()
        self._runner = web.AppRunner(
            control_application(self._lab, token),
            access_log=None,
            handle_signals=False,
            shutdown_timeout=_SHUTDOWN_S,
        )
        await self._runner.setup()
        listener = socket.create_server((_LOOPBACK, 0))
        listener.setblocking(False)
        await web.SockSite(self._runner, listener).start()
        self.endpoint = Endpoint(_LOOPBACK, listener.getsockname()[1])
        self._run = RunFile(
            listen=self._listen, admin=str(self.endpoint), token=token, pid=os.getpid()
        )
        try:
            folder = self._state_dir or default_state_dir(os.environ)
            self.run_file = write_run_file(folder / RUN_FOLDER, self._run)
        except BaseException:
            await self._runner.cleanup()
            raise

    async def stop(self) -> None:
        """Remove the run file and stop listening."""
        if self.run_file is not None and self._run is not None:
            remove_run_file(self.run_file, self._run)
            self.run_file = None
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
