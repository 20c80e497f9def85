"""Starting, stopping and new settings while requests are under way."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.integration.harness import (
    Client,
    Origin,
    Proxy,
    Stream,
    ok,
    request,
    running,
    settings_for,
    settle,
    target,
)

from mralab.config.releases import VerifyMode
from mralab.config.settings import AllowListSource, Endpoint, Limits, Timeouts
from mralab.errors import ConfigError, ServeError
from mralab.lab.pki import KeyCache, KeyKind, root_ca
from mralab.proxy.server import ProxyServer, bind

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

    from mralab.lab.pki import Credential

_AGREE = b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"


async def under_way(proxy: Proxy, origin: Origin) -> tuple[Client, Stream]:
    client = await proxy.connect()
    client.send(request(b"GET", target(origin)))
    peer = await origin.accept()
    await peer.head()
    return client, peer


async def tunnel(proxy: Proxy, origin: Origin) -> tuple[Client, Stream]:
    client = await proxy.connect()
    client.send(request(b"GET", target(origin), b"Connection: upgrade", b"Upgrade: websocket"))
    peer = await origin.accept()
    await peer.head()
    peer.send(_AGREE)
    await client.head()
    return client, peer


async def stopping(proxy: Proxy, drain_s: float) -> asyncio.Task[None]:
    task = asyncio.ensure_future(proxy.server.stop(drain_s))
    await settle()
    return task


# -- stop


async def test_stop_lets_requests_end(proxy: Proxy, origin: Origin) -> None:
    client, peer = await under_way(proxy, origin)
    idle = await proxy.connect()
    client.send(request(b"GET", target(origin, "/pipelined")))
    await settle()
    stop = await stopping(proxy, 5.0)
    assert await idle.ending() == "eof"
    with pytest.raises(ConnectionRefusedError):
        await proxy.connect()
    peer.send(ok(b"one"))
    assert (await client.answer()).body == b"one"
    await peer.head()
    peer.send(ok(b"two"))
    answer = await client.answer()
    assert answer.body == b"two"
    assert answer.get(b"Connection") == b"close"
    assert await client.ending() == "eof"
    await stop


async def test_stop_lets_an_upload_end(proxy: Proxy, origin: Origin) -> None:
    client = await proxy.connect()
    client.send(request(b"POST", target(origin), b"Content-Length: 10") + b"hello")
    peer = await origin.accept()
    await peer.until(b"hello")
    stop = await stopping(proxy, 5.0)
    client.send(b"world" + request(b"GET", target(origin)))
    assert await peer.exactly(5) == b"world"
    peer.send(ok(b"done"))
    answer = await client.answer()
    assert answer.body == b"done"
    assert answer.get(b"Connection") == b"close"
    assert await client.ending() == "eof"
    client.close()
    await stop


async def test_stop_lets_a_head_under_way_be_completed_behind_another(
    proxy: Proxy, plain: Origin
) -> None:
    client, peer = await under_way(proxy, plain)
    data = request(b"GET", target(plain, "/2"))
    await client.send_split(data[:20])
    stop = await stopping(proxy, 5.0)
    await client.send_split(data[20:])
    peer.send(ok(b"one"))
    assert (await client.answer()).body == b"one"
    assert await client.ending() == "eof"
    client.close()
    await stop


async def test_stop_answers_503_when_time_is_up(proxy: Proxy, origin: Origin) -> None:
    client, peer = await under_way(proxy, origin)
    await proxy.server.stop(0.0)
    answer = await client.answer()
    assert (answer.status, answer.reason) == (503, b"Service Unavailable")
    assert await client.ending() == "eof"
    assert await peer.ending() in ("eof", "reset")


async def test_stop_cuts_an_answer_when_time_is_up(proxy: Proxy, origin: Origin) -> None:
    client, peer = await under_way(proxy, origin)
    peer.send(b"HTTP/1.1 200 OK\r\n\r\nhello")
    await client.until(b"hello")
    await proxy.server.stop(0.0)
    assert await client.ending() == "reset"


async def test_stop_ends_tunnels_when_time_is_up(proxy: Proxy, origin: Origin) -> None:
    client, peer = await tunnel(proxy, origin)
    stop = await stopping(proxy, 0.05)
    client.send(b"still open")
    assert await peer.exactly(10) == b"still open"
    await stop
    assert await client.ending() == "reset"
    assert await peer.ending() in ("eof", "reset")


@pytest.mark.parametrize("high_water", [131_072, 100_000_000], ids=["held", "complete"])
async def test_stop_does_not_wait_for_a_client_that_takes_nothing(
    tmp_path: Path, ca_file: Path, plain: Origin, high_water: int
) -> None:
    settings = settings_for(
        tmp_path,
        ca_file,
        timeouts=Timeouts(linger_s=0.05),
        limits=Limits(high_water_bytes=high_water),
    )
    async with running(settings) as proxy:
        client, peer = await under_way(proxy, plain)
        client.stop_reading()
        peer.send(ok(b"z" * 30_000_000))
        (connection,) = proxy.server.clients
        while connection.current is not None and not connection.full:
            await settle()
        await proxy.server.stop(0.0)
        assert proxy.server.clients == set()
        client.start_reading()
        assert await client.ending() == "reset"


async def test_stop_without_start(tmp_path: Path, ca_file: Path) -> None:
    await ProxyServer(settings_for(tmp_path, ca_file)).stop()


async def test_an_address_in_use(tmp_path: Path, ca_file: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        endpoint = Endpoint("127.0.0.1", taken.getsockname()[1])
        server = ProxyServer(settings_for(tmp_path, ca_file, listen=endpoint))
        with pytest.raises(ServeError, match=rf"cannot listen on {endpoint}.*in use"):
            await server.start()
        assert server.endpoint == endpoint
        await server.stop()


async def test_a_listener_of_somebody_else(tmp_path: Path, ca_file: Path) -> None:
    listener = bind(Endpoint("::1", 0), shared=True)
    server = ProxyServer(settings_for(tmp_path, ca_file), worker=1, workers=2)
    await server.start(listener)
    assert server.endpoint.host == "::1"
    assert [next(server.txn_ids) for _ in range(3)] == [3, 5, 7]
    await server.stop()


# -- new settings


async def test_apply_changes_what_new_requests_are_judged_by(
    proxy: Proxy, tls12: ssl.SSLContext
) -> None:
    async with Origin(tls12) as origin:
        origin.answer_all(ok())
        client = await proxy.connect()
        path = target(origin, host="other.steven.lab")  # not in the certificate
        for mode, status in (
            (VerifyMode.ENFORCED, 502),
            (VerifyMode.OFF, 200),
            (VerifyMode.ENFORCED, 502),
            (VerifyMode.PERMISSIVE, 200),
        ):
            settings = replace(proxy.server.settings, verify_origin_server=mode)
            await proxy.server.apply(settings)
            assert proxy.server.settings is settings
            client.send(request(b"GET", path))
            assert (await client.answer()).status == status


async def test_apply_swaps_the_trusted_ca_list(
    tmp_path: Path, ca_file: Path, tls12: ssl.SSLContext, keys: KeyCache, ca: Credential
) -> None:
    key = keys.get("another", KeyKind.EC_P256)
    another = root_ca("another CA", now=ca.now, key=key).write(tmp_path, "another").certificate
    async with Origin(tls12) as origin, running(settings_for(tmp_path, another)) as proxy:
        origin.answer_all(ok())
        client = await proxy.connect()
        client.send(request(b"GET", target(origin)))
        assert (await client.answer()).status == 502
        before = proxy.server.trust.fingerprint
        await proxy.server.apply(replace(proxy.server.settings, trusted_ca=(ca_file,)))
        assert proxy.server.trust.fingerprint != before
        client.send(request(b"GET", target(origin)))
        assert (await client.answer()).status == 200


async def test_requests_under_way_finish_and_idle_connections_are_closed(
    proxy: Proxy, origin: Origin
) -> None:
    client, peer = await under_way(proxy, origin)
    other, idle = await under_way(proxy, origin)
    idle.send(ok())
    await other.answer()
    await proxy.server.apply(proxy.server.settings)
    assert await idle.ending() == "eof"
    peer.send(ok(b"finished"))
    assert (await client.answer()).body == b"finished"
    assert await peer.ending() == "eof"  # verified under the old snapshot: not kept
    assert len(proxy.server.pool) == 0
    client.send(request(b"GET", target(origin)))
    fresh = await origin.accept()
    await fresh.head()
    fresh.send(ok(b"fresh"))
    assert (await client.answer()).body == b"fresh"
    assert proxy.server.status()["generation"] == 2


async def test_a_request_keeps_the_settings_it_began_with(proxy: Proxy, origin: Origin) -> None:
    """Also when it has to go on by another connection."""
    client, peer = await under_way(proxy, origin)
    await proxy.server.apply(proxy.server.settings)
    peer.close()
    second = await origin.accept()
    await second.head()
    second.send(ok())
    assert (await client.answer()).status == 200
    assert await second.ending() == "eof"  # verified by what was in force before
    client.send(request(b"GET", target(origin)))
    third = await origin.accept()
    await third.head()
    third.send(ok())
    await client.answer()
    client.send(request(b"GET", target(origin)))
    await third.head()
    await proxy.server.apply(proxy.server.settings)
    third.close()  # a kept connection this time
    fourth = await origin.accept()
    await fourth.head()
    fourth.send(ok())
    assert (await client.answer()).status == 200
    assert await fourth.ending() == "eof"


async def test_old_tunnels_stay_and_are_listed(proxy: Proxy, origin: Origin) -> None:
    client, peer = await tunnel(proxy, origin)
    assert proxy.server.status()["old_tunnels"] == 0
    await proxy.server.apply(proxy.server.settings)
    assert proxy.server.status()["old_tunnels"] == 1
    client.send(b"still")
    assert await peer.exactly(5) == b"still"
    peer.close()
    assert await client.ending() == "eof"
    await settle()
    assert proxy.server.status()["old_tunnels"] == 0


async def test_settings_that_cannot_be_carried_out_change_nothing(
    proxy: Proxy, plain: Origin, tmp_path: Path
) -> None:
    plain.answer_all(ok())
    before = proxy.server.snapshot
    for change in (
        {"ciphers": "NONSENSE"},
        {"hosts": tmp_path / "missing"},
        {"allow_list": tmp_path / "missing"},
        {"trusted_ca": (tmp_path / "missing",)},
    ):
        with pytest.raises(ConfigError):
            await proxy.server.apply(replace(proxy.server.settings, **change))
        assert proxy.server.snapshot is before
    client = await proxy.connect()
    client.send(request(b"GET", target(plain)))
    assert (await client.answer()).status == 200


async def test_reloads_do_not_overtake_each_other(proxy: Proxy) -> None:
    settings = [replace(proxy.server.settings, retries=number) for number in range(5)]
    await asyncio.gather(*(proxy.server.apply(one) for one in settings))
    assert proxy.server.settings.retries == 4
    assert proxy.server.status()["generation"] == 6


async def test_status(proxy: Proxy, plain: Origin) -> None:
    plain.answer_all(ok())
    client = await proxy.connect()
    client.send(request(b"GET", target(plain)))
    await client.answer()
    client.send(request(b"GET", b"/nowhere/x"))
    await client.answer()
    status = proxy.server.status()
    assert status["release"] == "X14.2"
    assert status["verify_origin_server"] == "On"
    assert status["trusted_ca_certificates"] == 1
    assert status["allow_list_rules"] is None
    assert status["idle_origin_connections"] == 1
    assert status["transactions"] == {"ok": 1, "route-invalid": 1}
    assert status["answers"] == {"200": 1, "400": 1}
    assert status["log_lines_lost"] == 0


async def test_the_built_in_allow_list(tmp_path: Path, ca_file: Path, plain: Origin) -> None:
    settings = settings_for(tmp_path, ca_file, allow_list=AllowListSource.BUILT_IN)
    async with running(settings) as proxy:
        rules = proxy.server.status()["allow_list_rules"]
        assert isinstance(rules, int)
        assert rules > 0
        client = await proxy.connect()
        client.send(request(b"GET", target(plain)))  # no node has this port
        assert (await client.answer()).status == 403
        assert plain.accepted == 0


async def test_keylog(tmp_path: Path, ca_file: Path, tls12: ssl.SSLContext) -> None:
    keylog = tmp_path / "keys.log"
    settings = settings_for(tmp_path, ca_file, keylog=keylog)
    async with Origin(tls12) as origin, running(settings) as proxy:
        origin.answer_all(ok())
        client = await proxy.connect()
        client.send(request(b"GET", target(origin)))
        assert (await client.answer()).status == 200
        await proxy.stop()
    assert keylog.read_text().startswith("CLIENT_RANDOM ")
    assert keylog.stat().st_mode & 0o777 == 0o600
