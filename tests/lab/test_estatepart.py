"""Machines of an estate one by one, each at its own address, finding each other."""

from __future__ import annotations

import asyncio
import os
import ssl
from base64 import b64encode
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from mralab.config.estate import ServiceState
from mralab.errors import LabError
from mralab.lab import estatepart
from mralab.lab.estatepart import EstatePart, part_names
from mralab.lab.estatepki import EstateCertificates, make_certificates

from . import estates

if TYPE_CHECKING:
    from mralab.config.estate import Estate
    from mralab.lab.pki import KeyCache

DOMAIN = b64encode(b"steven.lab").decode().rstrip("=")
EMUSK = b64encode(b"emusk:rocket").decode()
PID = os.getpid()
#: An address of loopback's that no other run has: here an estate's own addresses are local.
PREFIX = f"127.{96 + (PID >> 8) % 64}.{PID & 255}"


def local_estate() -> Estate:
    plan = estates.estate(estates.cucm(address=f"{PREFIX}.1"))
    return replace(
        plan,
        expressway_c=replace(plan.expressway_c, address=f"{PREFIX}.2"),
        expressway_e=replace(plan.expressway_e, address=f"{PREFIX}.3"),
    )


def part(
    name: str, certificates: EstateCertificates, said: list[str], *, bind: str = ""
) -> EstatePart:
    return EstatePart(
        certificates.estate,
        name,
        certificates=certificates,
        say=said.append,
        clock=lambda: datetime.now(UTC),
        bind=bind,
    )


async def edge_config(certificates: EstateCertificates) -> str:
    context = ssl.create_default_context(cadata=certificates.resolve(estates.CA).pem.decode())
    reader, writer = await asyncio.open_connection(
        f"{PREFIX}.3", 8443, ssl=context, server_hostname=estates.E
    )
    writer.write(
        f"GET /{DOMAIN}/get_edge_config HTTP/1.1\r\nHost: {estates.E}:8443\r\n"
        f"Authorization: Basic {EMUSK}\r\nConnection: close\r\n\r\n".encode()
    )
    line, _, _ = (await reader.read(-1)).partition(b"\r\n")
    writer.close()
    await writer.wait_closed()
    return line.decode().partition(" ")[2]


async def test_three_parts_make_an_estate(
    keys: KeyCache, now: datetime, capfd: pytest.CaptureFixture[str]
) -> None:
    certificates = make_certificates(local_estate(), now=now, keys=keys)
    said: list[str] = []
    async with AsyncExitStack() as stack:
        for name in part_names(certificates.estate):
            running = part(name, certificates, said)
            await stack.enter_async_context(running)
            said.append(f"{name}: {running.listens}")
        assert await edge_config(certificates) == "200 OK"
    assert said[0] == (
        f"{estates.CUCM}: {PREFIX}.1, ports 8443 (uds), 6972 (tftp-https), 6971 (tftp-secure), "
        "6970 (tftp-http)"
    )
    assert f"discovery of {estates.CUCM}: Active" in said
    assert f"{estates.C}: {PREFIX}.2:8443 (edge service)" in said
    assert f"{estates.E}: {PREFIX}.3:8443" in said
    assert any("uds: GET /cucm-uds/servers from " in line for line in said)
    assert any("tomcat served, TLSv1.2" in line for line in said)
    # The traffic server's log goes to standard output, and shows the real address.
    assert f'Dst-ip="{PREFIX}.1"' in capfd.readouterr().out


async def test_a_publisher_that_starts_later_is_found(
    keys: KeyCache, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estatepart, "RETRY_S", 0.01)
    certificates = make_certificates(local_estate(), now=now, keys=keys)
    told = asyncio.Event()
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        if line.endswith("Active"):
            told.set()

    control = EstatePart(
        certificates.estate,
        estates.C,
        certificates=certificates,
        say=say,
        clock=lambda: datetime.now(UTC),
    )
    async with control:
        assert said[0].startswith(f"discovery of {estates.CUCM}: Failed: ")
        async with part(estates.CUCM, certificates, []):
            await told.wait()


async def test_expressway_e_alone(keys: KeyCache, now: datetime) -> None:
    certificates = make_certificates(local_estate(), now=now, keys=keys)
    said: list[str] = []
    async with part(estates.E, certificates, said):
        assert await edge_config(certificates) == "502 Next Hop Connection Failed"
    assert 'Status="502"' in said[0]


async def test_bound_elsewhere(keys: KeyCache, now: datetime) -> None:
    down = estates.with_node(estates.estate(), services={"tftp-http": ServiceState.DOWN})
    certificates = make_certificates(down, now=now, keys=keys)
    async with part(estates.CUCM, certificates, [], bind=f"{PREFIX}.9") as running:
        assert running.listens.startswith(f"{PREFIX}.9, ports 8443 (uds)")
        assert list(running.nodes) == [estates.CUCM]
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(f"{PREFIX}.9", 6970)


@pytest.mark.parametrize("name", [estates.CUCM, estates.C, estates.E])
async def test_an_address_that_is_not_local(keys: KeyCache, now: datetime, name: str) -> None:
    certificates = make_certificates(estates.estate(), now=now, keys=keys)
    with pytest.raises(LabError, match=r"10\.48\.36|192\.0\.2"):
        async with part(name, certificates, [], bind="192.0.2.1"):
            pass


def test_a_name_that_nothing_has(keys: KeyCache, now: datetime) -> None:
    certificates = make_certificates(estates.estate(), now=now, keys=keys)
    with pytest.raises(LabError, match="there is no 'nobody' in the estate") as caught:
        part("nobody", certificates, [])
    assert caught.value.hint == "it has: cucm.steven.lab, vcsc.steven.lab, vcse.steven.lab"
