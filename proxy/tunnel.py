"""After a 101: raw bytes both ways until either side closes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from mralab.origin.connection import OriginConnection
    from mralab.origin.failure import OriginFailure
    from mralab.proxy.http1 import ClientConnection


class Tunnel:
    """Two connections, each reading what the other writes.

    A connection in a tunnel never serves anything else, and a slow side holds the other back.
    """

    __slots__ = ("_client", "_ended", "_origin", "generation")

    def __init__(
        self, origin: OriginConnection, client: ClientConnection, ended: Callable[[], None]
    ) -> None:
        """Join the two; ``ended`` is called once, when the tunnel is over."""
        self._origin: OriginConnection | None = origin
        self._client: ClientConnection | None = client
        self._ended = ended
        self.generation = origin.generation  #: number of the snapshot it was verified under

    def feed(self, data: bytes) -> None:
        """Take bytes from the origin."""
        if self._client is not None:
            self._client.write(data)

    def flush(self) -> None:
        """Nothing is gathered here."""

    def client_data(self, data: bytes) -> None:
        """Take bytes from the client."""
        if self._origin is not None:
            self._origin.write(data)

    def origin_writable(self, writable: bool) -> None:  # noqa: FBT001  a state, told by the loop
        """Pass the origin's back-pressure on to the client."""
        if self._client is not None:
            self._client.origin_writable(writable)

    def client_writable(self, writable: bool) -> None:  # noqa: FBT001  a state, told by the loop
        """Pass the client's back-pressure on to the origin."""
        if self._origin is not None:
            self._origin.hold(not writable)

    def client_eof(self) -> None:
        """The client sends no more; the origin may still answer."""
        if self._origin is not None:
            self._origin.write_eof()

    def origin_ended(self, failure: OriginFailure, *, clean: bool) -> None:
        """The origin's side is over: so is the client's."""
        del failure
        client = self._client
        if client is not None and not clean:
            client.abort()
        self._over()

    def client_gone(self) -> None:
        """The client's side is over: so is the origin's."""
        origin = self._origin
        self._over()
        if origin is not None:
            origin.close()

    def _over(self) -> None:
        if self._client is None:
            return
        self._client = self._origin = None
        self._ended()
