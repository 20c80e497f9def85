"""What the tests of origin connections share: a context, and recorders of what is told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.integration.harness import PATIENCE_S

from mralab.config.releases import (
    CIPHERS_ECDSA_FIRST,
    ErrorWording,
    NameRule,
    SubjectPolicy,
    TlsVersion,
)
from mralab.origin.connection import OriginConnection, TlsOriginConnection
from mralab.origin.wire import WriteQueue
from mralab.truststore.bundle import trusted_certificate
from mralab.truststore.openssl import OriginContext
from mralab.truststore.store import build_store
from mralab.truststore.verdict import Action

if TYPE_CHECKING:
    from tests.integration.harness import Origin

    from mralab.lab.pki import Credential
    from mralab.origin.failure import OriginFailure


def context_for(ca: Credential, *, max_tls: TlsVersion = TlsVersion.TLS1_2) -> OriginContext:
    store = build_store(
        [trusted_certificate(ca.der, "list.pem")], policy=SubjectPolicy.FIRST_SUBJECT, now=ca.now
    )
    return OriginContext(
        store,
        ciphers=CIPHERS_ECDSA_FIRST,
        security_level=1,
        max_tls=max_tls,
        wording=ErrorWording.OPENSSL_1_1_1,
        verify=True,
        name_rule=NameRule.EXPRESSWAY,
        action=lambda _fault: Action.TERMINATE,
    )


class Recorder:
    """Opener and reader of one connection: keeps what it is told."""

    def __init__(self, *, abort_at_tcp: bool = False) -> None:
        self.told: list[str] = []
        self.body = b""
        self.failure: OriginFailure | None = None
        self._changed = asyncio.Event()
        self._abort_at_tcp = abort_at_tcp

    def _tell(self, what: str) -> None:
        self.told.append(what)
        self._changed.set()

    async def hears(self, what: str) -> None:
        """Wait until this was told."""
        async with asyncio.timeout(PATIENCE_S):
            while what not in self.told:
                self._changed.clear()
                await self._changed.wait()

    async def gets(self, body: bytes) -> None:
        """Wait until so much has arrived."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.body) < len(body):
                self._changed.clear()
                await self._changed.wait()
        assert self.body == body

    # Opener

    def tcp_connected(self, connection: OriginConnection) -> None:
        self._tell("tcp")
        if self._abort_at_tcp:
            connection.abort()

    def established(self, connection: OriginConnection) -> None:
        del connection
        self._tell("established")

    def not_established(self, connection: OriginConnection, failure: OriginFailure) -> None:
        del connection
        self.failure = failure
        self._tell("not established")

    # Feeder

    def feed(self, data: bytes) -> None:
        self.body += data
        self._changed.set()

    def flush(self) -> None:
        pass

    def origin_ended(self, failure: OriginFailure, *, clean: bool) -> None:
        self.failure = failure
        self._tell("ended" if clean else "cut")

    def origin_writable(self, writable: bool) -> None:
        self._tell("writable" if writable else "full")

    # Pool

    def idle_ended(self, connection: OriginConnection) -> None:
        del connection
        self._tell("idle ended")


def prepare(
    origin: Origin,
    recorder: Recorder,
    context: OriginContext | None = None,
    *,
    host: str = "cucm.steven.lab",
) -> OriginConnection:
    """Make a connection that is not connected yet, under TLS if there is a context."""
    key = (origin.scheme, host, origin.port)
    wire = WriteQueue(asyncio.get_running_loop())
    if context is None:
        return OriginConnection(key, 1, wire, recorder, address="127.0.0.1")
    return TlsOriginConnection(
        key, 1, wire, recorder, address="127.0.0.1", context=context, is_ip=False
    )


async def connect(connection: OriginConnection) -> None:
    loop = asyncio.get_running_loop()
    await loop.create_connection(lambda: connection, "127.0.0.1", connection.key[2])


async def dial(
    origin: Origin,
    recorder: Recorder,
    context: OriginContext | None = None,
    *,
    host: str = "cucm.steven.lab",
) -> OriginConnection:
    """Connect to an origin, under TLS if there is a context."""
    connection = prepare(origin, recorder, context, host=host)
    await connect(connection)
    return connection
