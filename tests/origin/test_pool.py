"""Idle origin connections: youngest first, bounded, and none of another snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from mralab.origin.pool import OriginPool

if TYPE_CHECKING:
    from collections.abc import Callable

    from mralab.origin.connection import OriginConnection

_KEY = ("https", "cucm.steven.lab", 8443)


class Connection:
    """What a pool knows of a connection."""

    def __init__(
        self,
        key: tuple[str, str, int] = _KEY,
        *,
        generation: int = 1,
        lost: bool = False,
        clean: bool = True,
    ) -> None:
        self.key = key
        self.generation = generation
        self.lost = lost
        self.clean = clean
        self.closed = 0
        self.idle_since = 0.0
        self.end: Callable[[OriginConnection], None] | None = None

    def rest(self, now: float, on_idle_end: Callable[[OriginConnection], None]) -> None:
        self.idle_since = now
        self.end = on_idle_end

    def close(self) -> None:
        self.closed += 1

    @property
    def real(self) -> OriginConnection:
        return cast("OriginConnection", self)


@pytest.fixture
def pool() -> OriginPool:
    made = OriginPool(max_idle_per_origin=3)
    made.change(1)
    return made


def test_the_youngest_is_taken_first(pool: OriginPool) -> None:
    old, young = Connection(), Connection()
    pool.give(old.real, 1.0)
    pool.give(young.real, 2.0)
    assert len(pool) == 2
    assert pool.take(_KEY) is young.real
    assert pool.take(_KEY) is old.real
    assert pool.take(_KEY) is None
    assert len(pool) == 0


@pytest.mark.parametrize(
    "key",
    [
        ("http", "cucm.steven.lab", 8443),
        ("https", "CUCM.steven.lab", 8443),
        ("https", "cucm.steven.lab", 6972),
    ],
)
def test_origins_do_not_share(pool: OriginPool, key: tuple[str, str, int]) -> None:
    pool.give(Connection().real, 1.0)
    assert pool.take(key) is None


@pytest.mark.parametrize(
    "connection", [Connection(lost=True), Connection(clean=False), Connection(generation=2)]
)
def test_what_is_not_kept(pool: OriginPool, connection: Connection) -> None:
    pool.give(connection.real, 1.0)
    assert connection.closed == 1
    assert len(pool) == 0


def test_the_oldest_goes_when_there_are_too_many(pool: OriginPool) -> None:
    connections = [Connection() for _ in range(4)]
    for number, connection in enumerate(connections):
        pool.give(connection.real, float(number))
    assert [connection.closed for connection in connections] == [1, 0, 0, 0]
    assert len(pool) == 3


def test_sweep(pool: OriginPool) -> None:
    old, young, other = Connection(), Connection(), Connection(("http", "a", 1))
    pool.give(old.real, 1.0)
    pool.give(young.real, 5.0)
    pool.give(other.real, 1.0)
    pool.sweep(3.0)
    assert (old.closed, young.closed, other.closed) == (1, 0, 1)
    assert len(pool) == 1
    pool.sweep(5.0)  # idle for exactly so long is not too long
    assert young.closed == 0


def test_an_ended_connection_is_forgotten(pool: OriginPool) -> None:
    connection = Connection()
    pool.give(connection.real, 1.0)
    assert connection.end is not None
    connection.end(connection.real)
    assert pool.take(_KEY) is None
    connection.end(connection.real)  # again, and of an origin that nothing is kept of
    connection.key = ("http", "nowhere", 1)
    connection.end(connection.real)


def test_another_snapshot_closes_all(pool: OriginPool) -> None:
    connection = Connection()
    pool.give(connection.real, 1.0)
    pool.change(2)
    assert connection.closed == 1
    assert len(pool) == 0
    late = Connection(generation=1)
    pool.give(late.real, 2.0)
    assert late.closed == 1
    fresh = Connection(generation=2)
    pool.give(fresh.real, 2.0)
    assert pool.take(_KEY) is fresh.real
