"""The control listener of a running lab: found by its run file, gone with the lab."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import pytest

from mralab.admin.client import AdminClient
from mralab.admin.labcompanion import LabCompanion
from mralab.admin.runfile import find_proxy
from mralab.errors import AdminError
from mralab.lab.nodes import SimulatedNode

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mralab.lab.estatepki import EstateCertificates


class Lab:
    """A lab with one node that has no services."""

    nodes: Mapping[str, SimulatedNode]
    certificates = cast("EstateCertificates", None)  # no test here needs any

    def __init__(self) -> None:
        self.nodes = {"cucm.steven.lab": SimulatedNode("cucm.steven.lab", "127.0.0.1", ())}


async def test_it_is_found_and_answers_whoever_has_the_token(tmp_path: Path) -> None:
    companion = LabCompanion(Lab(), listen="127.48.36.192:8443", state_dir=tmp_path)
    await companion.start()
    run = find_proxy(tmp_path / "lab")
    assert (run.listen, run.admin) == ("127.48.36.192:8443", str(companion.endpoint))
    path = companion.run_file
    assert path is not None
    assert path.stat().st_mode & 0o777 == 0o600
    found = await asyncio.to_thread(AdminClient(run).get, "/nodes")
    assert [node["name"] for node in found["nodes"]] == ["cucm.steven.lab"]
    await companion.stop()
    assert not path.exists()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(companion.endpoint.host, companion.endpoint.port)
    await companion.stop()  # twice is once


async def test_a_state_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    companion = LabCompanion(Lab(), listen="x", state_dir=tmp_path / "file")
    with pytest.raises(AdminError, match="cannot write the admin token"):
        await companion.start()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(companion.endpoint.host, companion.endpoint.port)
