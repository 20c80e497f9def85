"""Lets the proxy's own origin connection judge a chain, over a transport in memory.

Everything between the transport and the verdict is what the proxy runs: TlsOriginConnection, its
OriginContext and the verify callback in there. The requested name is in no certificate and its
absence is let pass: that fault shows that the verdict on the chain reached the leaf.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from tests.conformance.server import (
    NoSuiteError,
    choose_suite,
    empty_key_exchange,
    first_flight,
)
from tests.conformance.verdict import ACCEPTED, Outcome, Verdict

from mralab.lab.tlswire import client_hello, last_alert
from mralab.origin.connection import OriginConnection, TlsOriginConnection
from mralab.origin.wire import WriteQueue
from mralab.truststore.verdict import Action, Fault, Reason, tls_reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mralab.origin.failure import OriginFailure
    from mralab.truststore.openssl import OriginContext

_REQUESTED: Final = "in.no.certificate.invalid"
_ADDRESS: Final = "192.0.2.7"
_PORT: Final = 8443
_FATAL, _DECODE_ERROR = 2, 50


class BrokenRunError(Exception):
    """The handshake went a way that the run does not foresee: its verdict means nothing."""


def judge_chain_only(fault: Fault) -> Action:
    """Return what to do about a fault: end the handshake, unless it is the name's."""
    return Action.CONTINUE if fault.reason is Reason.NAME_REFUSED else Action.TERMINATE


class OriginSide(asyncio.Transport):
    """The other end of a connection: keeps what an origin would receive."""

    def __init__(self) -> None:
        """Start open, with nothing received."""
        super().__init__({"peername": (_ADDRESS, _PORT)})
        self._received = bytearray()
        self._closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Receive bytes."""
        self._received += data

    def close(self) -> None:
        """Note that the proxy has closed."""
        self._closing = True

    def abort(self) -> None:
        """Note the same of a reset."""
        self._closing = True

    def is_closing(self) -> bool:
        """Tell whether the proxy has closed."""
        return self._closing

    def take(self) -> bytes:
        """Return what came since the last time."""
        received = bytes(self._received)
        self._received.clear()
        return received


class Listener:
    """Whoever opened the connection: hears how it ended."""

    def __init__(self) -> None:
        """Start with nothing heard."""
        self.failure: OriginFailure | None = None

    def tcp_connected(self, connection: OriginConnection) -> None:
        """Hear that TCP stands, which says nothing yet."""

    def established(self, connection: OriginConnection) -> None:
        """Hear what cannot be: the server has no key."""
        raise BrokenRunError("a handshake was completed without the server's key")

    def not_established(self, connection: OriginConnection, failure: OriginFailure) -> None:
        """Keep why the connection ended."""
        self.failure = failure


class Handshake:
    """One handshake of the proxy's origin connection, driven step by step."""

    def __init__(self, context: OriginContext) -> None:
        """Connect; must be called in a running loop.

        Args:
            context: judges with :func:`judge_chain_only`.
        """
        self._wire = WriteQueue(asyncio.get_running_loop())
        self._origin = OriginSide()
        self._listener = Listener()
        self._connection = TlsOriginConnection(
            ("https", _REQUESTED, _PORT),
            0,
            self._wire,
            self._listener,
            address=_ADDRESS,
            context=context,
            is_ip=False,
        )
        self._connection.connection_made(self._origin)
        self._wire.flush()

    @property
    def failure(self) -> OriginFailure | None:
        """Why the connection ended; None while it goes on."""
        return self._listener.failure

    def received(self) -> bytes:
        """Return what the origin got since the last time."""
        return self._origin.take()

    def deliver(self, flight: bytes) -> None:
        """Hand bytes of the origin to the proxy, as many at once as it takes."""
        while flight and not self._origin.is_closing():
            buffer = self._connection.get_buffer(-1)
            size = min(len(flight), len(buffer))
            buffer[:size] = flight[:size]
            self._connection.buffer_updated(size)
            flight = flight[size:]
        self._wire.flush()

    def end(self) -> None:
        """Let go of it."""
        self._connection.connection_lost(None)


async def judge(context: OriginContext, presented: Sequence[bytes]) -> Verdict:
    """Judge one chain.

    Args:
        context: judges with :func:`judge_chain_only`.
        presented: certificates in DER as the server sends them, its own first.

    Returns:
        ACCEPTED only if the proxy has gone on to wait for the ServerKeyExchange.

    Raises:
        BrokenRunError: the handshake failed, or went on, where it could not.
    """
    handshake = Handshake(context)
    try:
        return _verdict(handshake, presented)
    finally:
        handshake.end()
        await asyncio.sleep(0)  # the wire's own flush was put off to this turn


def _verdict(handshake: Handshake, presented: Sequence[bytes]) -> Verdict:
    hello = client_hello(handshake.received())
    if hello is None:
        raise BrokenRunError("the proxy sent no ClientHello")
    try:
        suite = choose_suite(hello.suites, presented[0])
    except NoSuiteError as exc:
        return Verdict(Outcome.TLS_ERROR, text=str(exc))
    handshake.deliver(first_flight(suite, presented))
    failure = handshake.failure
    answer = handshake.received()
    if failure is None:
        if answer:
            raise BrokenRunError(f"the proxy answered a Certificate by {answer.hex()}")
        return _accepted(handshake)
    alert = last_alert(answer)
    if alert is None or alert.level != _FATAL or alert.bytes_after:
        raise BrokenRunError(f"no fatal alert ends {answer.hex()}: {failure.detail}")
    return verdict_of(failure)


def _accepted(handshake: Handshake) -> Verdict:
    """Make sure that the proxy has taken the Certificate and that its callback was asked."""
    handshake.deliver(empty_key_exchange())
    failure, alert = handshake.failure, last_alert(handshake.received())
    if failure is None or alert is None or alert.description != _DECODE_ERROR:
        raise BrokenRunError(f"not waiting for a ServerKeyExchange: {failure}")
    inspection = failure.inspection
    reasons = [fault.reason for fault in inspection.faults] if inspection else []
    if reasons != [Reason.NAME_REFUSED]:
        raise BrokenRunError(f"accepted with {reasons}, not with the name's fault alone")
    return ACCEPTED


def verdict_of(failure: OriginFailure) -> Verdict:
    """Return what a failed handshake says of the chain."""
    if failure.reason is Reason.CHAIN_REFUSED and failure.inspection is not None:
        fault = failure.inspection.faults[-1]
        return Verdict(Outcome.REFUSED, fault.code, fault.depth, fault.text)
    return Verdict(Outcome.TLS_ERROR, text=tls_reason(failure.tls_errors) or failure.detail)
