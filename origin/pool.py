"""Idle origin connections, waiting for the next request to the same origin.

Rules: a connection is lent to one transaction at a time, the youngest first. One that was verified
under an older snapshot is closed when it comes back, and on a change of snapshot all idle ones are.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mralab.origin.connection import OriginConnection

Key = tuple[str, str, int]  # scheme, host as written, port


class OriginPool:
    """Idle connections by origin.

    Attributes:
        generation: number of the snapshot in force; connections of another one are not kept.
    """

    __slots__ = ("_idle", "_max_idle", "generation")

    def __init__(self, *, max_idle_per_origin: int) -> None:
        """Start empty; at most ``max_idle_per_origin`` connections of an origin are kept."""
        self._idle: dict[Key, deque[OriginConnection]] = {}
        self._max_idle = max_idle_per_origin
        self.generation = 0

    def take(self, key: Key) -> OriginConnection | None:
        """Return the youngest idle connection to an origin, if there is one."""
        idle = self._idle.get(key)
        return idle.pop() if idle else None

    def give(self, connection: OriginConnection, now: float) -> None:
        """Take back a connection whose response was read to its end, or close it."""
        if connection.lost or not connection.clean or connection.generation != self.generation:
            connection.close()
            return
        idle = self._idle.get(connection.key)
        if idle is None:
            idle = self._idle[connection.key] = deque()
        connection.rest(now, self._forget)
        idle.append(connection)
        if len(idle) > self._max_idle:
            idle.popleft().close()

    def sweep(self, oldest: float) -> None:
        """Close connections idle since before the loop time ``oldest``."""
        for key, idle in list(self._idle.items()):
            while idle and idle[0].idle_since < oldest:
                idle.popleft().close()
            if not idle:
                del self._idle[key]

    def change(self, generation: int) -> None:
        """Close all idle connections and accept only those of ``generation`` from now on."""
        self.generation = generation
        self.close()

    def close(self) -> None:
        """Close all idle connections."""
        idle, self._idle = self._idle, {}
        for connections in idle.values():
            for connection in connections:
                connection.close()

    def __len__(self) -> int:
        """Count the idle connections."""
        return sum(len(idle) for idle in self._idle.values())

    def _forget(self, connection: OriginConnection) -> None:
        idle = self._idle.get(connection.key)
        if idle is not None and connection in idle:
            idle.remove(connection)
