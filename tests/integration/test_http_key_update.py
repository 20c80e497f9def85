"""Origins that update their keys in the middle of a TLS 1.3 connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.integration.harness import (
    Origin,
    ok,
    request,
    running,
    server_context,
    settings_for,
    settle,
    target,
)
from tests.integration.tls13 import (
    APPLICATION_DATA,
    HANDSHAKE,
    KEY_UPDATE,
    RecordLayer,
)

from mralab.config.releases import Release

if TYPE_CHECKING:
    from pathlib import Path

    from mralab.lab.pki import Credential


@pytest.mark.parametrize("requested", [False, True])
@pytest.mark.parametrize("when", ["before the answer", "in the body", "while idle"])
async def test_key_update(
    tmp_path: Path, ca_file: Path, leaf: Credential, when: str, requested: bool
) -> None:
    keylog = tmp_path / "keys.log"
    context = server_context(leaf, folder=tmp_path, keylog=keylog)
    settings = settings_for(tmp_path, ca_file, release=Release.X15_5)
    async with Origin(context) as origin, running(settings) as proxy:
        client = await proxy.connect()
        client.send(request(b"GET", target(origin)))
        peer = await origin.accept_tls()
        layer = RecordLayer(peer, keylog)
        content_type, data = await layer.next()
        assert content_type == APPLICATION_DATA
        assert data.startswith(b"GET ")
        if when == "before the answer":
            layer.send_key_update(requested=requested)
            layer.send(ok(b"hello"))
        elif when == "in the body":
            layer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe")
            await client.until(b"he")
            client.buffer[:0] = client.received
            layer.send_key_update(requested=requested)
            await settle()
            layer.send(b"llo")
        else:
            layer.send(ok(b"hello"))
        assert (await client.answer()).body == b"hello"
        if when == "while idle":
            layer.send_key_update(requested=requested)
            await settle()
            assert len(proxy.server.pool) == 1
        # The connection goes on, under the new keys on both sides.
        client.send(request(b"GET", target(origin, "/2")))
        content_type, data = await layer.next()
        if requested:
            assert (content_type, data) == (HANDSHAKE, KEY_UPDATE)
            content_type, data = await layer.next()
        assert content_type == APPLICATION_DATA
        assert data.startswith(b"GET /2 ")
        layer.send(ok(b"again"))
        assert (await client.answer()).body == b"again"
        assert origin.accepted == 1


async def test_tickets_do_not_spoil_an_idle_connection(
    tmp_path: Path, ca_file: Path, leaf: Credential
) -> None:
    """A TLS 1.3 server sends session tickets whenever it likes; they are no data."""
    context = server_context(leaf, folder=tmp_path)
    settings = settings_for(tmp_path, ca_file, release=Release.X15_5)
    async with Origin(context) as origin, running(settings) as proxy:
        origin.answer_all(ok())
        client = await proxy.connect()
        for _ in range(3):
            client.send(request(b"GET", target(origin)))
            assert (await client.answer()).status == 200
            await settle()
        assert origin.accepted == 1
