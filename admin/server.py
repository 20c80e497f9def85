"""The admin listener: serves the API on a socket that is bound already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from mralab.admin.api import AdminState
from mralab.admin.app import make_app

if TYPE_CHECKING:
    import socket

    from mralab.config.load import SettingsSource
    from mralab.proxy.workers import RunningProxy

_SHUTDOWN_S = 2.0  #: requests in flight may take this long to end


class AdminServer:
    """The admin listener of one proxy."""

    def __init__(
        self, proxy: RunningProxy, source: SettingsSource, *, token: str, host: str
    ) -> None:
        """Prepare for a proxy and the configuration it was started with.

        Args:
            proxy: what is looked at and changed.
            source: where its settings came from.
            token: the bearer token to ask for.
            host: the name or address the listener was told to bind.
        """
        state = AdminState(proxy, source, token, host)
        self._runner = web.AppRunner(
            make_app(state), access_log=None, handle_signals=False, shutdown_timeout=_SHUTDOWN_S
        )

    async def start(self, listener: socket.socket) -> None:
        """Serve what arrives, and what has waited, at a listening socket."""
        await self._runner.setup()
        await web.SockSite(self._runner, listener).start()

    async def stop(self) -> None:
        """Close the socket; requests in flight get a moment to end."""
        await self._runner.cleanup()
