"""Attempts to reach an origin: how many, where to, and silence after giving up."""

from __future__ import annotations

import asyncio
import errno
from typing import TYPE_CHECKING

import pytest
from tests.integration.harness import PATIENCE_S, Origin, settle

from mralab.origin.connect import OriginAttempts
from mralab.origin.resolve import Resolver
from mralab.origin.route import OriginRoute
from mralab.origin.wire import WriteQueue
from mralab.truststore.verdict import Reason

if TYPE_CHECKING:
    from mralab.origin.connection import OriginConnection
    from mralab.origin.failure import OriginFailure
    from mralab.truststore.openssl import OriginContext


class Client:
    """Keeps what the attempts tell."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.failures: list[OriginFailure] = []
        self.addresses: list[str] = []
        self.connection: OriginConnection | None = None
        self._over = asyncio.Event()

    def origin_connected(self, connection: OriginConnection) -> None:
        self.addresses.append(connection.address)
        self.told.append("connected")

    def origin_ready(self, connection: OriginConnection) -> None:
        self.connection = connection
        self.told.append("ready")
        self._over.set()

    def attempt_failed(self, failure: OriginFailure) -> None:
        self.failures.append(failure)
        self.told.append("failed")

    def origin_unavailable(self, failure: OriginFailure) -> None:
        assert not self.failures or failure is self.failures[-1]
        if not self.failures:
            self.failures.append(failure)
        self.told.append("unavailable")
        self._over.set()

    async def over(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            await self._over.wait()


def attempts_for(
    context: OriginContext,
    port: int,
    *,
    host: str = "cucm.steven.lab",
    scheme: str = "http",
    addresses: tuple[str, ...] = ("127.0.0.1",),
    retries: int = 1,
) -> OriginAttempts:
    loop = asyncio.get_running_loop()
    return OriginAttempts(
        OriginRoute("steven.lab", "https" if scheme == "https" else "http", host, port),
        context=context,
        generation=7,
        resolver=Resolver({"cucm.steven.lab": addresses}),
        wire=WriteQueue(loop),
        loop=loop,
        retries=retries,
        timeout_s=3.0,
    )


async def refused_port() -> int:
    async with Origin() as origin:
        return origin.port


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_success(plain: Origin, tls: Origin, context: OriginContext, scheme: str) -> None:
    origin = tls if scheme == "https" else plain
    attempts = attempts_for(context, origin.port, scheme=scheme)
    assert not attempts.under_way
    attempts.start(client := Client())
    assert attempts.under_way
    await client.over()
    assert client.told == ["connected", "ready"]
    assert not attempts.under_way
    assert attempts.made == 1
    assert attempts.left
    assert client.connection is not None
    assert client.connection.generation == 7
    assert client.connection.key == (scheme, "cucm.steven.lab", origin.port)
    client.connection.close()
    await settle()


@pytest.mark.parametrize("retries", [0, 1, 3])
async def test_a_refused_port(context: OriginContext, retries: int) -> None:
    attempts = attempts_for(context, await refused_port(), retries=retries)
    attempts.start(client := Client())
    await client.over()
    assert client.told == ["failed"] * (retries + 1) + ["unavailable"]
    assert {failure.reason for failure in client.failures} == {Reason.CONNECT_REFUSED}
    assert client.failures[0].detail.endswith(": Connection refused")
    assert not attempts.left
    assert not attempts.under_way


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_the_name_that_does_not_resolve_is_asked_for_once(
    context: OriginContext, scheme: str
) -> None:
    attempts = attempts_for(context, 1, host="nowhere.invalid", scheme=scheme, retries=3)
    attempts.start(client := Client())
    await client.over()
    assert client.told == ["unavailable"]
    assert client.failures[0].reason is Reason.NAME_NOT_RESOLVED
    assert "nowhere.invalid" in client.failures[0].detail


async def test_each_attempt_takes_the_next_address(plain: Origin, context: OriginContext) -> None:
    addresses = ("127.0.0.9", "127.0.0.8", "127.0.0.1")  # only the last one listens
    attempts = attempts_for(context, plain.port, addresses=addresses, retries=3)
    attempts.start(client := Client())
    await client.over()
    assert client.told == ["failed", "failed", "connected", "ready"]
    assert client.addresses == ["127.0.0.1"]
    assert client.connection is not None
    client.connection.close()
    await settle()


@pytest.mark.parametrize(
    ("error", "reason", "words"),
    [
        (OSError(errno.ECONNREFUSED, "x"), Reason.CONNECT_REFUSED, "Connection refused"),
        (OSError(errno.ETIMEDOUT, "x"), Reason.CONNECT_TIMEOUT, "Connection timed out"),
        (OSError(errno.ECONNRESET, "x"), Reason.ORIGIN_RESET, "Connection reset by peer"),
        (OSError(errno.EHOSTUNREACH, "x"), Reason.CONNECT_FAILED, "No route to host"),
        (OSError("no number"), Reason.CONNECT_FAILED, "no number"),
    ],
)
async def test_what_the_system_says(
    context: OriginContext, error: OSError, reason: Reason, words: str
) -> None:
    failure = attempts_for(context, 8443)._connect_failure(error)
    assert failure.reason is reason
    assert failure.detail == f"cucm.steven.lab:8443: {words}"


async def test_unreachable(context: OriginContext) -> None:
    attempts = attempts_for(context, 9, host="255.255.255.255", retries=0)
    attempts.start(client := Client())
    await client.over()
    assert client.failures[0].reason is Reason.CONNECT_FAILED


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("turns", range(8))
async def test_giving_up_at_any_turn_is_silent(
    plain: Origin, tls: Origin, context: OriginContext, scheme: str, turns: int
) -> None:
    """Whatever turn of the loop the connection has come to, nobody hears of it afterwards."""
    origin = tls if scheme == "https" else plain
    attempts = attempts_for(context, origin.port, scheme=scheme)
    attempts.start(client := Client())
    await settle(turns)
    before = list(client.told)
    attempts.abort()
    assert not attempts.under_way or "ready" in before
    await settle()
    assert client.told == before
    if client.connection is not None:
        client.connection.abort()
    await settle()


@pytest.mark.parametrize("turns", range(8))
async def test_a_late_connection_is_not_taken_for_the_next_attempts(
    plain: Origin, context: OriginContext, turns: int
) -> None:
    attempts = attempts_for(context, plain.port, scheme="https")
    attempts.start(client := Client())
    await settle(turns)
    attempts.expire()
    assert client.told[-1] == "failed"
    assert client.failures[0].reason is Reason.CONNECT_TIMEOUT
    assert "3 s" in client.failures[0].detail
    assert attempts.under_way
    first = client.told.count("connected")
    await settle(30)
    assert client.told.count("connected") == first + 1  # the second attempt's, once
    attempts.expire()
    await client.over()
    assert client.told[-2:] == ["failed", "unavailable"]


async def test_a_handshake_that_fails_is_tried_again(plain: Origin, context: OriginContext) -> None:
    attempts = attempts_for(context, plain.port, scheme="https")
    attempts.start(client := Client())
    for _ in range(2):
        peer = await plain.accept()
        await peer.fill()
        peer.close()
    await client.over()
    assert client.told == ["connected", "failed", "connected", "failed", "unavailable"]
    assert {failure.reason for failure in client.failures} == {Reason.ORIGIN_CLOSED}
