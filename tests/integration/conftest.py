"""Fixtures of the integration tests: certificates, both event loops, an origin and a proxy."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import uvloop
from tests.integration.harness import HOST, Origin, running, server_context, settings_for

from mralab.lab.pki import CertificateFields, Credential, KeyCache, KeyKind, root_ca

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

    from tests.integration.harness import Proxy

#: TLS libraries look at the real clock, so certificates are made for it.
NOW = datetime.now(UTC).replace(microsecond=0)


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run the HTTP tests on both kinds of loop, all others on asyncio's."""
    loops = {"asyncio": asyncio.new_event_loop}
    if "test_http_" in item.nodeid:
        loops["uvloop"] = uvloop.new_event_loop
    return loops


@pytest.fixture(scope="session")
def keys() -> KeyCache:
    return KeyCache()


@pytest.fixture(scope="session")
def ca(keys: KeyCache) -> Credential:
    return root_ca("steven-DC-CA", now=NOW, key=keys.get("ca", KeyKind.EC_P256))


@pytest.fixture(scope="session")
def leaf(ca: Credential, keys: KeyCache) -> Credential:
    """A certificate that every release accepts for the origin's name."""
    fields = CertificateFields(cn="cucm-ms.steven.lab", dns=(HOST,))
    return ca.issue(fields, key=keys.get("leaf", KeyKind.EC_P256))


@pytest.fixture(scope="session")
def ca_file(ca: Credential, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ca.write(tmp_path_factory.mktemp("ca"), "ca").certificate


@pytest.fixture(scope="session")
def tls12(leaf: Credential, tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    return server_context(leaf, folder=tmp_path_factory.mktemp("tls"))


@pytest.fixture
async def proxy(tmp_path: Path, ca_file: Path) -> AsyncIterator[Proxy]:
    """A proxy with default settings."""
    async with running(settings_for(tmp_path, ca_file)) as proxy:
        yield proxy


@pytest.fixture(params=["http", "tls"])
async def origin(request: pytest.FixtureRequest, tls12: ssl.SSLContext) -> AsyncIterator[Origin]:
    """An origin, plain and under TLS."""
    async with Origin(tls12 if request.param == "tls" else None) as origin:
        yield origin


@pytest.fixture
async def plain() -> AsyncIterator[Origin]:
    """A plain origin, where the leg does not matter."""
    async with Origin() as origin:
        yield origin
