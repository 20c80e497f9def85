"""A node that runs alone says what happens to it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import aiohttp
import pytest

from mralab.lab.foreground import alert_text, handshake_line, request_line, run_node
from mralab.lab.listener import RequestRecord
from mralab.lab.nodes import SimulatedNode, cucm_services
from mralab.lab.tlsserver import HandshakeRecord
from mralab.lab.udsdata import sample_cluster

if TYPE_CHECKING:
    from mralab.lab.pki import Credential

WHEN = datetime(2022, 7, 11, 18, 55, 25, tzinfo=UTC)
COMPLETE = HandshakeRecord(
    service="tftp-https",
    when=WHEN,
    peer=("10.48.36.1", 30044),
    completed=True,
    error="",
    sni="cucm.steven.lab",
    offered=(),
    version="TLSv1.2",
    suite="ECDHE-ECDSA-AES256-GCM-SHA384",
    certificate="CallManager-ECDSA",
    family="EC",
    presented=(),
    client_subject="CN=vcsc.steven.lab",
    received=b"",
    sent=b"",
    alert=None,
    bytes_after_alert=0,
)
FAILED = replace(COMPLETE, completed=False, client_subject=None)
START = "18:55:25 tftp-https: TLS from 10.48.36.1:30044: "


@pytest.mark.parametrize(
    ("record", "line"),
    [
        pytest.param(
            COMPLETE,
            "server name cucm.steven.lab, CallManager-ECDSA served, client certificate "
            "CN=vcsc.steven.lab, TLSv1.2 ECDHE-ECDSA-AES256-GCM-SHA384",
            id="complete",
        ),
        pytest.param(
            replace(FAILED, alert=(2, 48)),
            "server name cucm.steven.lab, CallManager-ECDSA served, ended by the client with "
            "fatal alert 48, unknown ca",
            id="refused",
        ),
        pytest.param(
            replace(FAILED, sni=None, certificate=None, error="closed"),
            "no server name, no certificate served, not set up: closed",
            id="no handshake",
        ),
    ],
)
def test_a_connection_in_one_line(record: HandshakeRecord, line: str) -> None:
    assert handshake_line(record) == START + line


def test_a_request_in_one_line_without_its_fields() -> None:
    record = RequestRecord(
        service="uds",
        when=WHEN,
        peer=("10.48.36.1", 30044),
        method="GET",
        target="/cucm-uds/servers",
        headers=(("Authorization", "Basic eDp5"),),
    )
    assert request_line(record) == "18:55:25 uds: GET /cucm-uds/servers from 10.48.36.1:30044"


@pytest.mark.parametrize(
    ("alert", "text"),
    [
        ((2, 80), "fatal alert 80, internal error"),
        ((1, 0), "warning alert 0, close notify"),
        ((7, 255), "level 7 alert 255, not known"),
    ],
)
def test_alerts_in_words(alert: tuple[int, int], text: str) -> None:
    assert alert_text(*alert) == text


@pytest.fixture
def node(tomcat: Credential, tomcat_ecdsa: Credential) -> SimulatedNode:
    services = cucm_services(sample_cluster(), uds_port=0, tftp_https_port=0, tftp_http_port=0)
    certificates = {"tomcat": tomcat, "CallManager": tomcat, "CallManager-ECDSA": tomcat_ecdsa}
    return SimulatedNode("cucm.steven.lab", "127.0.0.1", services, certificates=certificates)


async def test_it_says_what_happens_until_it_is_told_to_end(node: SimulatedNode) -> None:
    ended = asyncio.Event()
    said: asyncio.Queue[str] = asyncio.Queue()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(run_node(node, ended=ended, ready="ready", say=said.put_nowait))
        assert await said.get() == "ready"
        url = f"https://{node.endpoint('uds')}/cucm-uds/servers"
        async with aiohttp.ClientSession() as client:
            async with client.get(url, ssl=False) as response:
                assert response.status == 200
            lines = sorted([await said.get(), await said.get()], key=len)
        assert ": GET /cucm-uds/servers from 127.0.0.1:" in lines[0]
        assert "no server name, tomcat served, TLSv1.2 " in lines[1]
        ended.set()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", node.endpoint("uds").port)


async def test_it_ends_when_nobody_listens(node: SimulatedNode) -> None:
    def say(line: str) -> None:
        if line == "ready":
            loop.call_soon(lambda: tasks.append(asyncio.ensure_future(ask())))
        else:
            raise BrokenPipeError

    async def ask() -> None:
        url = f"http://{node.endpoint('tftp-http')}/jabber-config.xml"
        async with aiohttp.ClientSession() as client, client.get(url) as response:
            assert response.status == 200

    tasks: list[asyncio.Future[None]] = []
    loop = asyncio.get_running_loop()
    with pytest.raises(BrokenPipeError):
        await run_node(node, ended=asyncio.Event(), ready="ready", say=say)
    await asyncio.gather(*tasks, return_exceptions=True)
