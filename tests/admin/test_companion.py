"""What runs beside a proxy: start, stop, and what can go wrong."""

from __future__ import annotations

import socket
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mralab.admin.companion import Companion
from mralab.admin.runfile import find_proxy
from mralab.config.settings import Endpoint
from mralab.errors import AdminError

if TYPE_CHECKING:
    from pathlib import Path

    from mralab.config.load import SettingsSource

    from .conftest import SmallProxy


async def test_known_while_it_runs(
    proxy: SmallProxy, source: SettingsSource, tmp_path: Path
) -> None:
    companion = Companion(proxy, source)
    await companion.start()
    found = find_proxy(tmp_path / "state")
    assert found.listen == "127.0.0.1:18443"
    assert found.admin == str(companion.endpoint)
    assert len(found.token) >= 43
    await companion.stop()
    with pytest.raises(AdminError):
        find_proxy(tmp_path / "state")
    with pytest.raises(ConnectionRefusedError), socket.socket() as client:
        client.connect(("127.0.0.1", companion.endpoint.port if companion.endpoint else 0))
    await companion.stop()


async def test_ipv6(proxy: SmallProxy, source: SettingsSource) -> None:
    proxy.settings = replace(proxy.settings, admin=Endpoint("::1", 0))
    companion = Companion(proxy, source)
    await companion.start()
    assert companion.endpoint is not None
    assert str(companion.endpoint).startswith("[::1]:")
    await companion.stop()


async def test_off_is_known_too(off: SmallProxy, source: SettingsSource, tmp_path: Path) -> None:
    companion = Companion(off, source)
    await companion.start()
    found = find_proxy(tmp_path / "state")
    assert (found.admin, found.token) == (None, "")
    assert companion.endpoint is None
    await companion.stop()


async def test_address_in_use(proxy: SmallProxy, source: SettingsSource) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = Endpoint("127.0.0.1", taken.getsockname()[1])
        proxy.settings = replace(proxy.settings, admin=address)
        companion = Companion(proxy, source)
        with pytest.raises(AdminError, match=f"cannot have {address}") as caught:
            await companion.start()
    assert "--admin" in caught.value.hint
    await companion.stop()


async def test_no_place_for_the_token_frees_the_address(
    proxy: SmallProxy, source: SettingsSource, tmp_path: Path
) -> None:
    (tmp_path / "state").touch()
    companion = Companion(proxy, source)
    with pytest.raises(AdminError, match="cannot write the admin token"):
        await companion.start()
    assert companion.endpoint is not None
    with socket.create_server(("127.0.0.1", companion.endpoint.port)):
        pass


def test_the_web_library_is_not_loaded_before_it_is_needed() -> None:
    code = "import sys, mralab.admin.companion; sys.exit('aiohttp' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], check=False)
    assert ran.returncode == 0
