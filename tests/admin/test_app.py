"""Who may ask the admin listener, and how its answers look."""

from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING

import pytest

from mralab.admin.app import MAX_BODY_BYTES

if TYPE_CHECKING:
    from .conftest import Admin


async def raw(admin: Admin, request: bytes) -> bytes:
    host, _, port = str(admin.run.admin).rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_health_needs_no_token(admin: Admin) -> None:
    async with admin.session.get(f"http://{admin.run.admin}/healthz") as response:
        assert response.status == 200
        assert await response.text() == "ok\n"


@pytest.mark.parametrize(
    "header",
    [
        pytest.param({}, id="no token"),
        pytest.param({"Authorization": "Bearer wrong"}, id="a wrong one"),
        pytest.param({"Authorization": "Bearer \u00e9"}, id="one that is not ASCII"),
        pytest.param({"Authorization": "Basic x"}, id="another scheme"),
    ],
)
@pytest.mark.parametrize("path", ["/metrics", "/api/v1/status", "/api/v1/nothing", "/"])
async def test_all_else_needs_the_token(admin: Admin, header: dict[str, str], path: str) -> None:
    url = f"http://{admin.run.admin}{path}"
    async with admin.session.get(url, headers=header) as response:
        assert response.status == 401
        assert response.headers["WWW-Authenticate"] == "Bearer"
        assert (await response.json())["error"] == "token missing or wrong"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        pytest.param("127.0.0.1:8444", b"200", id="an address"),
        pytest.param("[::1]:8444", b"200", id="an IPv6 address"),
        pytest.param("[::1]", b"200", id="an IPv6 address without port"),
        pytest.param("LOCALHOST", b"200", id="localhost"),
        pytest.param("rebound.example:8444", b"421", id="a name that points here"),
        pytest.param("localhost.example", b"421", id="a name that only begins well"),
        pytest.param("", b"421", id="no name"),
    ],
)
async def test_host_must_be_ours(admin: Admin, host: str, status: bytes) -> None:
    request = f"GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    assert (await raw(admin, request.encode())).split()[1] == status


@pytest.mark.parametrize("path", ["/healthz", "/api/v1/status", "/metrics", "/nothing"])
async def test_every_answer_is_hardened_and_for_us_alone(admin: Admin, path: str) -> None:
    url = f"http://{admin.run.admin}{path}"
    headers = {**admin.authorization, "Origin": "http://evil.example"}
    async with admin.session.get(url, headers=headers) as response:
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["X-Frame-Options"] == "DENY"
        assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert response.headers["Server"] == "mralab"
        assert not [name for name in response.headers if name.startswith("Access-Control-")]


async def test_no_preflight_is_answered(admin: Admin) -> None:
    url = f"http://{admin.run.admin}/api/v1/xconfiguration"
    headers = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    async with admin.session.options(url, headers=headers) as response:
        assert response.status == 401
        assert "Access-Control-Allow-Origin" not in response.headers


async def test_unknown_path_and_wrong_method_are_json(admin: Admin) -> None:
    assert await admin.ask("GET", "/nothing") == (404, {"error": "Not Found", "hint": ""})
    url = f"http://{admin.run.admin}/api/v1/status"
    async with admin.session.delete(url, headers=admin.authorization) as response:
        assert response.status == 405
        assert response.headers["Allow"] == "GET,HEAD"


async def test_bodies_are_bounded(admin: Admin) -> None:
    status, answer = await admin.ask("POST", "/trust", data=io.BytesIO(bytes(MAX_BODY_BYTES + 1)))
    assert status == 413
    assert "error" in answer


async def test_rubbish_is_refused_and_the_listener_lives(
    admin: Admin, capfd: pytest.CaptureFixture[str]
) -> None:
    assert (await raw(admin, b"\x16\x03\x01 rubbish\r\n\r\n")).split()[1] == b"400"
    assert (await admin.ask("GET", "/status"))[0] == 200
    assert "Traceback" not in capfd.readouterr().err
