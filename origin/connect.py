"""From a route to an established connection: resolve, connect, handshake, try again.

Rules: an attempt follows the failed one without pause. Each takes the next address of the name.
The client of :class:`OriginAttempts` hears of each step when it happens, so that the log has the
order of events: TCP stands, then what the verification found, then the failure.

Source: retries after every failure in or below TLS are Apache Traffic Server's
(``proxy.config.http.connect_attempts_max_retries``, observed); two attempts in a capture of X14.2
(Cisco 218018, seen).
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Protocol

from mralab.errors import OriginNameError
from mralab.origin.connection import OriginConnection, TlsOriginConnection
from mralab.origin.failure import OriginFailure
from mralab.truststore.verdict import Reason

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable

    from mralab.origin.resolve import Resolver
    from mralab.origin.route import OriginRoute
    from mralab.origin.wire import WriteQueue
    from mralab.truststore.openssl import OriginContext

    #: Connects a protocol to address and port: ``loop.create_connection``, or what stands for it.
    Connect = Callable[[Callable[[], asyncio.BufferedProtocol], str, int], Awaitable[object]]


class AttemptsClient(Protocol):
    """Who wants a connection: the transaction."""

    def origin_connected(self, connection: OriginConnection) -> None:
        """TCP to the origin stands; the request or the handshake follows."""

    def origin_ready(self, connection: OriginConnection) -> None:
        """A connection is established."""

    def attempt_failed(self, failure: OriginFailure) -> None:
        """An attempt failed; the next one or ``origin_unavailable`` follows."""

    def origin_unavailable(self, failure: OriginFailure) -> None:
        """No attempt is left."""


class OriginAttempts:
    """The attempts of one transaction to reach its origin.

    Attributes:
        made: attempts begun so far.
        deadline: loop time at which the attempt under way is given up.
    """

    __slots__ = (
        "_addresses",
        "_client",
        "_connect",
        "_connection",
        "_context",
        "_generation",
        "_limit",
        "_loop",
        "_resolver",
        "_route",
        "_task",
        "_timeout_s",
        "_wire",
        "deadline",
        "made",
    )

    def __init__(
        self,
        route: OriginRoute,
        *,
        context: OriginContext,
        generation: int,
        resolver: Resolver,
        wire: WriteQueue,
        loop: asyncio.AbstractEventLoop,
        retries: int,
        timeout_s: float,
        connect: Connect | None = None,
    ) -> None:
        """Prepare the attempts; :meth:`start` makes the first."""
        self._connect: Connect = connect or loop.create_connection
        self._client: AttemptsClient | None = None
        self._route = route
        self._context = context
        self._generation = generation
        self._resolver = resolver
        self._wire = wire
        self._loop = loop
        self._limit = 1 + retries
        self._timeout_s = timeout_s
        self._addresses: list[str] = []
        self._connection: OriginConnection | None = None
        self._task: asyncio.Task[None] | None = None
        self.made = 0
        self.deadline = 0.0

    def start(self, client: AttemptsClient) -> None:
        """Make the next attempt for ``client``."""
        self._client = client
        self.made += 1
        self.deadline = self._loop.time() + self._timeout_s
        self._task = self._loop.create_task(self._dial())

    @property
    def left(self) -> bool:
        """Whether another attempt may be made."""
        return self.made < self._limit

    @property
    def under_way(self) -> bool:
        """Whether an attempt is being made."""
        return self._client is not None

    def abort(self) -> None:
        """Give up at once; the client hears nothing more."""
        self._client = None
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abort()

    def expire(self) -> None:
        """Give up the attempt under way: its time is over."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abort()
        route = self._route
        self._failed(
            OriginFailure(
                Reason.CONNECT_TIMEOUT,
                f"{route.host}:{route.port}: no connection within {self._timeout_s:g} s",
            )
        )

    # -- what a connection reports (Opener)

    def tcp_connected(self, connection: OriginConnection) -> None:
        """Pass on that TCP stands."""
        if self._client is not None:
            self._client.origin_connected(connection)

    def established(self, connection: OriginConnection) -> None:
        """Hand the connection over."""
        client, self._client = self._client, None
        self._connection = None
        if client is not None:
            client.origin_ready(connection)

    def not_established(self, connection: OriginConnection, failure: OriginFailure) -> None:
        """Count a failed attempt."""
        del connection
        self._connection = None
        self._failed(failure)

    # -- inside

    async def _dial(self) -> None:
        """Open one TCP connection; from then on the connection itself reports."""
        route = self._route
        try:
            if not self._addresses:
                self._addresses = await self._resolver.resolve(route.host, route.port)
            address = self._addresses[(self.made - 1) % len(self._addresses)]
            # Known before it stands: whoever gives up now cuts it off from us.
            connection = self._connection = self._new_connection(address)
            dialled = self._resolver.dialled(address)
            await self._connect(lambda: connection, dialled, route.port)
        except OriginNameError as exc:
            self._give_up(OriginFailure(Reason.NAME_NOT_RESOLVED, str(exc)))
        except OSError as exc:
            self._connection = None
            self._failed(self._connect_failure(exc))

    def _new_connection(self, address: str) -> OriginConnection:
        route = self._route
        key = (route.scheme, route.host, route.port)
        if route.scheme == "http":
            return OriginConnection(key, self._generation, self._wire, self, address=address)
        return TlsOriginConnection(
            key,
            self._generation,
            self._wire,
            self,
            address=address,
            context=self._context,
            is_ip=route.is_ip,
        )

    def _connect_failure(self, exc: OSError) -> OriginFailure:
        route = self._route
        # The system's words: each event loop has its own.
        detail = f"{route.host}:{route.port}: {os.strerror(exc.errno) if exc.errno else exc}"
        match exc.errno:
            case errno.ECONNREFUSED:
                return OriginFailure(Reason.CONNECT_REFUSED, detail)
            case errno.ETIMEDOUT:
                return OriginFailure(Reason.CONNECT_TIMEOUT, detail)
            case errno.ECONNRESET:
                return OriginFailure(Reason.ORIGIN_RESET, detail)
            case _:
                return OriginFailure(Reason.CONNECT_FAILED, detail)

    def _failed(self, failure: OriginFailure) -> None:
        client = self._client
        if client is None:
            return
        client.attempt_failed(failure)
        if self.left:
            self.start(client)
        else:
            self._give_up(failure)

    def _give_up(self, failure: OriginFailure) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.origin_unavailable(failure)
