"""A small proxy that holds settings and a trusted CA list, and an admin listener beside it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import aiohttp
import pytest

from mralab.admin.companion import Companion
from mralab.admin.runfile import RunFile, find_proxy
from mralab.config.load import SettingsSource
from mralab.config.settings import Endpoint, Settings
from mralab.errors import ConfigError
from mralab.lab.pki import Credential, KeyKind, root_ca
from mralab.truststore.store import TrustStore, load_store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

NOW = datetime.now(UTC)


def load(settings: Settings) -> TrustStore:
    policy = settings.profile.subject_policy
    return load_store(settings.trusted_ca, policy=policy, public_roots=False, now=NOW)


class SmallProxy:
    """What the admin listener needs of a proxy, without the proxying."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.endpoint = Endpoint("127.0.0.1", 18443)
        self.trust = load(settings)
        self.applied = 0

    def status(self) -> dict[str, object]:
        return {"release": self.settings.release.value, "answers": {"200": 3}, "clients": 1}

    async def apply(self, settings: Settings) -> None:
        if settings.ciphers == "NOSUCH":
            raise ConfigError("no cipher matches", hint="use others")
        self.trust = load(settings)
        self.settings = settings
        self.applied += 1


@pytest.fixture(scope="session")
def first_ca() -> Credential:
    return root_ca("First CA", now=NOW, key=KeyKind.EC_P256)


@pytest.fixture(scope="session")
def second_ca() -> Credential:
    return root_ca("Second CA", now=NOW, key=KeyKind.EC_P256)


@pytest.fixture
def trusted(tmp_path: Path, first_ca: Credential) -> Path:
    path = tmp_path / "trusted.pem"
    path.write_bytes(first_ca.pem)
    return path


@pytest.fixture
def source(tmp_path: Path, trusted: Path) -> SettingsSource:
    return SettingsSource(
        None,
        {
            "admin": "127.0.0.1:0",
            "state_dir": str(tmp_path / "state"),
            "trusted_ca": [str(trusted)],
        },
    )


@pytest.fixture
def proxy(source: SettingsSource) -> SmallProxy:
    return SmallProxy(source.loaded.settings)


@dataclass
class Admin:
    """A running admin listener, as a client sees it."""

    proxy: SmallProxy
    run: RunFile
    session: aiohttp.ClientSession

    @property
    def authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.run.token}"}

    async def ask(
        self, method: str, path: str, **arguments: object
    ) -> tuple[int, dict[str, object]]:
        async with self.session.request(
            method,
            f"http://{self.run.admin}/api/v1{path}",
            headers=self.authorization,
            **arguments,  # type: ignore[arg-type]  # passed on as it is
        ) as response:
            return response.status, await response.json()


@pytest.fixture
async def admin(proxy: SmallProxy, source: SettingsSource) -> AsyncIterator[Admin]:
    companion = Companion(proxy, source)
    await companion.start()
    state_dir = source.loaded.settings.state_dir
    assert state_dir is not None
    async with aiohttp.ClientSession() as session:
        yield Admin(proxy, find_proxy(state_dir), session)
    await companion.stop()


@pytest.fixture
def off(proxy: SmallProxy) -> SmallProxy:
    proxy.settings = replace(proxy.settings, admin=None)
    return proxy
