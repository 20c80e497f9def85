"""Fixtures of the origin room's tests: certificates, an origin, both event loops."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import uvloop
from tests.integration.harness import HOST, Origin, server_context
from tests.origin.legs import context_for

from mralab.lab.pki import CertificateFields, Credential, KeyKind, root_ca

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Mapping

    from mralab.truststore.openssl import OriginContext

NOW = datetime.now(UTC).replace(microsecond=0)


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run the tests of connections on both kinds of loop, all others on asyncio's."""
    loops = {"asyncio": asyncio.new_event_loop}
    if "test_conn" in item.nodeid or "test_wire" in item.nodeid:
        loops["uvloop"] = uvloop.new_event_loop
    return loops


@pytest.fixture(scope="session")
def ca() -> Credential:
    return root_ca("steven-DC-CA", now=NOW, key=KeyKind.EC_P256)


@pytest.fixture(scope="session")
def leaf(ca: Credential) -> Credential:
    return ca.issue(CertificateFields(cn="cucm-ms", dns=(HOST,)), key=KeyKind.EC_P256)


@pytest.fixture(scope="session")
def context(ca: Credential) -> OriginContext:
    return context_for(ca)


@pytest.fixture(scope="session")
def server_tls(leaf: Credential, tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    return server_context(leaf, folder=tmp_path_factory.mktemp("tls"))


@pytest.fixture
async def plain() -> AsyncIterator[Origin]:
    async with Origin() as origin:
        yield origin


@pytest.fixture
async def tls(server_tls: ssl.SSLContext) -> AsyncIterator[Origin]:
    async with Origin(server_tls) as origin:
        yield origin
