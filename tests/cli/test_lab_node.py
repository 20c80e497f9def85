"""``mralab lab node``: a process that is a CUCM, says what happens, and keeps its certificates."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import urllib.request
from typing import TYPE_CHECKING

import pytest

from mralab.cli import lab_node as lab
from mralab.lab import foreground
from mralab.origin.resolve import load_hosts

from .conftest import MRALAB

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from pathlib import Path

    from mralab.lab.nodes import SimulatedNode

    from .conftest import LabNode, Ran


def certificates(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "hosts"}


def asked(node: LabNode, folder: Path, path: str) -> bytes:
    """Ask the node's UDS by address, as a client that trusts its CA."""
    context = ssl.create_default_context(cafile=folder / "ca.pem")
    context.check_hostname = False
    url = f"https://{node.address}:8443{path}"
    with urllib.request.urlopen(url, context=context, timeout=10) as answer:
        body: bytes = answer.read()
    return body


@pytest.mark.parametrize(
    ("number", "fresh"), [(signal.SIGTERM, True), (signal.SIGINT, False)], ids=["TERM", "INT"]
)
def test_it_runs_until_a_signal(
    lab_node: Callable[..., LabNode], tmp_path: Path, number: int, fresh: bool
) -> None:
    node = lab_node(fresh=fresh)
    folder = tmp_path / "lab"
    assert node.ready == (
        f"ready: cucm.steven.lab on {node.address}, ports 8443 (UDS), 6972 (TFTP over HTTPS) and "
        f"6970 (TFTP over HTTP); certificates {'made' if fresh else 'kept'} in {folder}\n"
    )
    assert load_hosts(folder / "hosts") == {"cucm.steven.lab": (node.address,)}
    assert b"<server>cucm.steven.lab</server>" in asked(node, folder, "/cucm-uds/servers")
    lines = [node.line(), node.line()]
    assert ": no server name, tomcat served, TLSv1.2 " in lines[0]
    assert " uds: GET /cucm-uds/servers from " in lines[1]
    node.process.send_signal(number)
    rest = node.process.communicate(timeout=15)
    assert (node.process.returncode, *rest) == (0, "", "")


def test_a_second_start_breaks_no_trust(lab_node: Callable[..., LabNode], tmp_path: Path) -> None:
    first = lab_node(fresh=True)
    before = certificates(tmp_path / "lab")
    first.process.send_signal(signal.SIGTERM)
    first.process.communicate(timeout=15)
    second = lab_node()
    assert second.ready.endswith(f"certificates kept in {tmp_path / 'lab'}\n")
    assert certificates(tmp_path / "lab") == before
    assert asked(second, tmp_path / "lab", "/cucm-uds/version")


def test_a_refused_handshake_is_told_in_words(
    lab_node: Callable[..., LabNode], tmp_path: Path
) -> None:
    node = lab_node("--name", "cucm2.vngtp.lab", "--domain", "vngtp.lab", fresh=True)
    context = ssl.create_default_context(cafile=tmp_path / "lab" / "ca.pem")
    context.set_ciphers("ECDHE+ECDSA")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        socket.create_connection((node.address, 6972), timeout=10) as tcp,
        pytest.raises(ssl.SSLCertVerificationError, match=r"self.signed"),
    ):
        context.wrap_socket(tcp, server_hostname="cucm2.vngtp.lab")
    assert node.line().endswith(
        ": server name cucm2.vngtp.lab, CallManager-ECDSA served, ended by the client with "
        "fatal alert 48, unknown ca\n"
    )


def test_a_port_in_use(lab_node: Callable[..., LabNode], tmp_path: Path) -> None:
    node = lab_node()
    second = subprocess.run(
        [*MRALAB, "lab", "node", "--folder", str(tmp_path / "lab"), "--listen", node.address],
        capture_output=True,
        text=True,
        check=False,
    )
    assert second.returncode == 3
    assert "uds cannot listen on " in second.stderr
    assert second.stderr.count("\n") == 2


def test_a_folder_with_other_files(run: Callable[..., Ran], tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("mine")
    ran = run("lab", "node", "--folder", tmp_path)
    assert ran.code == 3
    assert "some of the node's files, but no " in ran.err
    assert [path.name for path in tmp_path.iterdir()] == ["ca.pem"]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        pytest.param(("--listen", "localhost"), "'localhost' is not an IP", id="a name to listen"),
        pytest.param(("--name", "a b"), "--name: host 'a b'", id="a name that is none"),
        pytest.param(("--name", "10.48.36.215"), "--name: 10.48.36.215 is an address", id="IPv4"),
        pytest.param(("--name", "::1"), "--name: ::1 is an address", id="IPv6"),
        pytest.param(("--domain", ""), "--domain: host is empty", id="no domain"),
    ],
)
def test_usage(run: Callable[..., Ran], tmp_path: Path, flags: tuple[str, ...], said: str) -> None:
    ran = run("lab", "node", "--folder", tmp_path / "new", *flags)
    assert ran.code == 2
    assert said in ran.err
    assert not (tmp_path / "new").exists()


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[SimulatedNode]:
    """Nodes that would have been run, with the signal already there."""
    nodes: list[SimulatedNode] = []

    async def run_node(
        node: SimulatedNode, *, ended: asyncio.Event, ready: str, say: Callable[[str], None]
    ) -> None:
        nodes.append(node)
        say(ready)
        os.kill(os.getpid(), signal.SIGTERM)
        await ended.wait()

    monkeypatch.setattr(foreground, "run_node", run_node)
    return nodes


def machine_named(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Have this machine's own name lead to these addresses."""

    def look_up(*_args: object) -> list[tuple[object, ...]]:
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, 1, 6, "", (address, 0)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


@pytest.mark.parametrize(
    ("listen", "own", "hosts"),
    [
        pytest.param("127.0.0.9", ["192.0.2.1"], ("127.0.0.9",), id="one address"),
        pytest.param(
            "0.0.0.0",  # noqa: S104 - what is tested
            ["192.0.2.1", "192.0.2.2", "192.0.2.1"],
            ("192.0.2.1", "192.0.2.2"),
            id="all of a machine",
        ),
        pytest.param("0.0.0.0", [], ("127.0.0.1",), id="all, and it has no name"),  # noqa: S104
        pytest.param("::", [], ("::1",), id="all, IPv6"),
    ],
)
def test_which_addresses_are_written(
    monkeypatch: pytest.MonkeyPatch, listen: str, own: list[str], hosts: tuple[str, ...]
) -> None:
    machine_named(monkeypatch, *own)
    assert lab._addresses(listen) == hosts


def test_in_one_process(
    run: Callable[..., Ran], tmp_path: Path, started: list[SimulatedNode]
) -> None:
    ran = run("lab", "node", "--folder", tmp_path, "--listen", "127.0.0.9")
    assert ran.code == 0
    assert ran.out.startswith("ready: cucm.steven.lab on 127.0.0.9, ")
    assert load_hosts(tmp_path / "hosts") == {"cucm.steven.lab": ("127.0.0.9",)}
    assert started[0].host == "127.0.0.9"


def test_the_password_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MRALAB_PASSWORD", raising=False)
    (user,) = lab._cluster("cucm.vngtp.lab", "vngtp.lab").users
    assert (user.user_id, user.password, user.email) == ("emusk", "rocket", "emusk@vngtp.lab")
    monkeypatch.setenv("MRALAB_PASSWORD", "falcon")
    (user,) = lab._cluster("cucm.vngtp.lab", "vngtp.lab").users
    assert user.password == "falcon"  # noqa: S105 - not a secret
