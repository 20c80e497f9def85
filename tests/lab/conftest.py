"""Fixtures of the lab's tests: one clock, shared keys, both event loops."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import uvloop
from tests.keyring import few_keys

from mralab.lab.pki import CertificateFields, Credential, KeyCache, KeyKind, root_ca, self_signed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

#: TLS libraries look at the real clock, so certificates are made for it.
NOW = datetime.now(UTC).replace(microsecond=0)


#: Modules about what is answered and written, which the kind of loop has no part in.
ONE_LOOP = frozenset(
    f"test_{name}"
    for name in (
        *("axl", "certmanagement", "control", "discovery", "estatenodes", "estatepart"),
        *("imp", "nodefolder", "unityrest"),
    )
)


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run each asynchronous test on both kinds of loop, but for those to which it is all one."""
    both = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
    return {"asyncio": both["asyncio"]} if item.path.stem in ONE_LOOP else both


@pytest.fixture(scope="session", autouse=True)
def _few_keys() -> Iterator[None]:
    with few_keys():
        yield


@pytest.fixture(scope="session")
def now() -> datetime:
    return NOW


@pytest.fixture(scope="session")
def keys() -> KeyCache:
    return KeyCache()


@pytest.fixture(scope="session")
def ca(keys: KeyCache) -> Credential:
    return root_ca("steven-DC-CA", now=NOW, key=keys.get("steven-DC-CA", KeyKind.EC_P256))


@pytest.fixture(scope="session")
def tomcat(ca: Credential, keys: KeyCache) -> Credential:
    """The RSA certificate of Cisco 218018, signed by the CA."""
    fields = CertificateFields(cn="cucm-ms.steven.lab", dns=("cucm.steven.lab",))
    return ca.issue(fields, key=keys.get("tomcat"))


@pytest.fixture(scope="session")
def tomcat_ecdsa(keys: KeyCache) -> Credential:
    """The self-signed ECDSA certificate of Cisco 218018."""
    fields = CertificateFields(cn="cucm-EC.steven.lab", dns=("cucm.steven.lab",))
    return self_signed(fields, now=NOW, key=keys.get("tomcat-ECDSA", KeyKind.EC_P384))
