"""How commands talk to the admin API, and what they say when that goes wrong."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from mralab.admin import client as client_module
from mralab.admin.client import AdminClient
from mralab.admin.runfile import RunFile, new_token
from mralab.errors import AdminError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mralab.lab.pki import Credential

    from .conftest import Admin


async def call(run: RunFile, ask: Callable[[AdminClient], Any]) -> Any:
    return await asyncio.to_thread(lambda: ask(AdminClient(run)))


async def test_all_methods(admin: Admin, second_ca: Credential) -> None:
    assert (await call(admin.run, lambda c: c.get("/status")))["clients"] == 1
    answer = await call(
        admin.run, lambda c: c.post_json("/xconfiguration", {"command": "EdgeConfigServer"})
    )
    assert answer["changed"] is False
    answer = await call(admin.run, lambda c: c.post_bytes("/trust", second_ca.pem))
    assert answer["total"] == 2
    answer = await call(admin.run, lambda c: c.delete("/trust/2"))
    assert answer["removed"] == "CN=Second CA"


async def test_what_the_proxy_refuses_is_the_users_fault(admin: Admin) -> None:
    with pytest.raises(ConfigError, match="command not recognized") as caught:
        await call(admin.run, lambda c: c.post_json("/xconfiguration", {"command": "x"}))
    assert caught.value.hint


async def test_wrong_token(admin: Admin) -> None:
    with pytest.raises(AdminError, match="refused the token"):
        await call(replace(admin.run, token=new_token()), lambda c: c.get("/status"))


def run_at(port: int, host: str = "127.0.0.1") -> RunFile:
    return RunFile(listen="127.0.0.1:1", admin=f"{host}:{port}", token=new_token(), pid=os.getpid())


def test_off() -> None:
    with pytest.raises(AdminError, match=r"127\.0\.0\.1:1 runs with --admin off"):
        AdminClient(replace(run_at(1), admin=None))


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(AdminError, match=f"127.0.0.1:{port} cannot be reached") as caught:
        AdminClient(run_at(port)).get("/status")
    assert "still running" in caught.value.hint


@contextmanager
def answering(data: bytes | None) -> Iterator[int]:
    """A server that answers one request with these bytes, or not at all."""
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                if data is None:
                    done.wait()
                else:
                    connection.sendall(data)

        thread = threading.Thread(target=answer)
        thread.start()
        yield server.getsockname()[1]
        done.set()
        thread.join()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"SSH-2.0-x\r\n", id="another protocol"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n<html>", id="a web page"),
        pytest.param(b"HTTP/1.1 500 X\r\n\r\n[]", id="another API"),
        pytest.param(b"HTTP/1.1 500 X\r\n\r\n{}", id="an error without words"),
    ],
)
def test_something_else_listens(data: bytes) -> None:
    with answering(data) as port, pytest.raises(AdminError) as caught:
        AdminClient(run_at(port)).get("/status")
    assert f"127.0.0.1:{port}" in str(caught.value)


def test_an_error_of_the_proxy() -> None:
    data = b'HTTP/1.1 500 X\r\n\r\n{"error": "broken", "hint": "mend"}'
    with answering(data) as port, pytest.raises(AdminError, match="broken") as caught:
        AdminClient(run_at(port)).get("/status")
    assert caught.value.hint == "mend"


def test_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "_TIMEOUT_S", 0.05)
    with answering(None) as port, pytest.raises(AdminError, match="did not answer"):
        AdminClient(run_at(port)).get("/status")


def test_all_addresses_are_reached_by_loopback() -> None:
    with answering(b"HTTP/1.1 200 OK\r\n\r\n{}") as port:
        assert AdminClient(run_at(port, "0.0.0.0")).get("/x") == {}  # noqa: S104
