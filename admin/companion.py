"""What runs beside a listening proxy: the run file, and the admin listener unless it is off.

Starting takes the admin address and writes the run file, both at once, so that the proxy may say
that it is ready. The web library is loaded only then, in a thread, because that takes longer than
all the rest of the start; who connects before waits in the socket's queue. With ``--admin off`` it
is not loaded at all.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import socket
from typing import TYPE_CHECKING

from mralab.admin.runfile import (
    RunFile,
    default_state_dir,
    new_token,
    remove_run_file,
    write_run_file,
)
from mralab.config.settings import Endpoint
from mralab.errors import AdminError

if TYPE_CHECKING:
    from pathlib import Path

    from mralab.admin.server import AdminServer
    from mralab.config.load import SettingsSource
    from mralab.proxy.workers import RunningProxy


class Companion:
    """Makes a running proxy known to commands, and answers them.

    Attributes:
        endpoint: the admin listener's bound address, ``None`` without one.
        run_file: where commands find the token, while it runs.
    """

    def __init__(self, proxy: RunningProxy, source: SettingsSource) -> None:
        """Prepare for a proxy that will listen, and the configuration it was started with."""
        self.endpoint: Endpoint | None = None
        self.run_file: Path | None = None
        self._proxy = proxy
        self._source = source
        self._run: RunFile | None = None
        self._serving: asyncio.Task[AdminServer] | None = None

    async def start(self) -> None:
        """Take the admin address and write the run file; serving begins a moment later.

        Raises:
            AdminError: the address or the state folder cannot be had.
        """
        address = self._proxy.settings.admin
        if address is None:
            self._make_known(token="")
            return
        listener = _listen(address)
        self.endpoint = Endpoint(address.host, listener.getsockname()[1])
        token = new_token()
        try:
            self._make_known(token=token)
        except AdminError:
            listener.close()
            raise
        self._serving = asyncio.create_task(self._serve(listener, token=token, host=address.host))

    async def stop(self) -> None:
        """Remove the run file and stop serving."""
        if self.run_file is not None and self._run is not None:
            remove_run_file(self.run_file, self._run)
            self.run_file = None
        if self._serving is not None:
            server = await self._serving
            await server.stop()
            self._serving = None

    async def _serve(self, listener: socket.socket, *, token: str, host: str) -> AdminServer:
        await asyncio.to_thread(importlib.import_module, "mralab.admin.server")
        from mralab.admin.server import AdminServer  # noqa: PLC0415 - see the module's rule

        server = AdminServer(self._proxy, self._source, token=token, host=host)
        await server.start(listener)
        return server

    def _make_known(self, *, token: str) -> None:
        run = RunFile(
            listen=str(self._proxy.endpoint),
            admin=str(self.endpoint) if self.endpoint else None,
            token=token,
            pid=os.getpid(),
        )
        folder = self._proxy.settings.state_dir or default_state_dir(os.environ)
        self.run_file = write_run_file(folder, run)
        self._run = run


def _listen(address: Endpoint) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        listener = socket.create_server((address.host, address.port), family=family)
    except OSError as exc:
        raise AdminError(
            f"the admin listener cannot have {address}: {exc.strerror or exc}",
            hint="name another address with --admin, or --admin off",
        ) from exc
    listener.setblocking(False)
    return listener
