"""``mralab lab up`` and ``lab compose``: a whole estate in a process, and its machines alone."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
from typing import TYPE_CHECKING

import dns.message
import dns.query
import pytest

from mralab.lab import estateplace

from .conftest import MRALAB

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .conftest import Ran

CURVE = 'key = "EC secp256r1"'
ESTATE = f"""
domain = "steven.lab"

[[authority]]
name = "steven-DC-CA"
{CURVE}

[expressway_c]
name = "vcsc.steven.lab"
address = "10.48.36.191"
release = "X14.0.7"
trusted_ca = ["steven-DC-CA"]
certificate = {{ signed_by = "steven-DC-CA", {CURVE} }}
discovery = [{{ kind = "unified-cm", address = "cucm.steven.lab" }}]

[expressway_e]
name = "vcse.steven.lab"
address = "10.48.36.192"
certificate = {{ signed_by = "steven-DC-CA", {CURVE} }}

[[cluster]]
name = "steven"

[[cluster.node]]
name = "cucm.steven.lab"
role = "publisher"
address = "10.48.36.215"
certificate.tomcat = {{ signed_by = "steven-DC-CA" }}
certificate.CallManager = {{ reuse = "tomcat" }}
trust.tomcat-trust = ["steven-DC-CA"]
trust.CallManager-trust = ["steven-DC-CA"]

[[user]]
id = "emusk"
password = "rocket"
im_presence = false
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "estate.toml"
    path.write_text(ESTATE)
    return path


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., tuple[subprocess.Popen[str], list[str]]]]:
    """Start ``lab up`` and read what it says up to its ready line."""
    started: list[subprocess.Popen[str]] = []

    def begin(*arguments: object) -> tuple[subprocess.Popen[str], list[str]]:
        command = [*MRALAB, "lab", "up", "--state-dir", str(tmp_path / "state")]
        process = subprocess.Popen(
            [*command, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        said: list[str] = []
        while not (said and said[-1].startswith("ready: ")):
            line = process.stdout.readline()
            assert line, process.communicate()
            said.append(line.rstrip("\n"))
        return process, said

    yield begin
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate()


def ended(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> tuple[int, str, str]:
    process.send_signal(number)
    out, err = process.communicate(timeout=15)
    return process.returncode, out, err


def row(said: list[str], first: str) -> list[str]:
    """The cells of the first line that begins with a word."""
    line = next(one for one in said if one.startswith(f"{first}  "))
    return re.split(r"  +", line)


@pytest.fixture
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MRALAB_PASSWORD", "rocket")


@pytest.mark.usefixtures("password")
def test_a_whole_estate_until_a_signal(
    start: Callable[..., tuple[subprocess.Popen[str], list[str]]],
    run: Callable[..., Ran],
    file: Path,
    tmp_path: Path,
) -> None:
    process, said = start(file, "--dns", "127.0.0.1:0", "--folder", tmp_path / "lab")
    assert said[-1] == "ready: steven.lab with 1 node; Ctrl-C ends it"
    name, advertised, address, host, ports = row(said, "cucm.steven.lab")
    assert (name, advertised, address) == ("cucm.steven.lab", "cucm.steven.lab", "10.48.36.215")
    assert re.fullmatch(r"127\.\d+\.36\.215", host)
    assert ports == "8443 uds, 6972 tftp-https, 6971 tftp-secure, 6970 tftp-http"
    assert row(said, "cucm.steven.lab/tomcat")[2] == "steven-DC-CA"
    assert row(said, "cucm.steven.lab/CallManager")[-1] == "is tomcat"
    assert "cucm.steven.lab  unified-cm  Active" in said
    assert row(said, "log")[1] == str(tmp_path / "lab" / "event.log")
    # A client that asks its DNS is led to Expressway-E.
    dns_host, _, dns_port = row(said, "DNS")[1].partition(":")
    query = dns.message.make_query("_collab-edge._tls.steven.lab", "SRV")
    reply = dns.query.udp(query, dns_host, port=int(dns_port), timeout=5)
    assert str(reply.answer[0][0]) == "10 10 8443 vcse.steven.lab."
    edge = row(said, "Expressway-E")[-1].removeprefix("https://")
    assert f"{reply.additional[0][0]}:8443" == edge
    # The command that it shows logs in.
    (shown,) = [line for line in said if line.startswith("log in: mralab ")]
    assert run(*shown.removeprefix("log in: mralab ").split()).code == 0
    # Its certificates can be managed.
    listed = run("lab", "cert", "list", "--state-dir", tmp_path / "state")
    assert listed.out.startswith("cucm.steven.lab\n")
    assert ended(process) == (0, "", "")
    assert run("lab", "cert", "list", "--state-dir", tmp_path / "state").code == 3


def test_the_file_is_read_again(
    start: Callable[..., tuple[subprocess.Popen[str], list[str]]], file: Path
) -> None:
    process, said = start(file, "--dns", "127.0.0.1:0")
    assert process.stdout is not None
    assert process.stderr is not None
    file.write_text(ESTATE + "\nnonsense = 1\n")
    process.send_signal(signal.SIGHUP)
    assert process.stderr.readline().startswith("mralab lab up: error: not changed: ")
    process.stderr.readline()  # its hint
    moved = ESTATE.replace("10.48.36.215", "10.48.36.220").replace("36.192", "36.193")
    file.write_text(moved.replace('address = "cucm.steven.lab"', 'address = "10.48.36.220"'))
    process.send_signal(signal.SIGHUP)
    changed = process.stdout.readline()
    machines = "cucm.steven.lab, vcsc.steven.lab, vcse.steven.lab"
    assert changed.startswith(f"changed: {machines}; discovery: 10.48.36.220 Failed: ")
    assert re.match(r"log in: .* --edge 127\.\d+\.36\.193:8443 ", process.stdout.readline())
    dns_host, _, dns_port = row(said, "DNS")[1].partition(":")
    query = dns.message.make_query("cucm.steven.lab", "A")
    reply = dns.query.udp(query, dns_host, port=int(dns_port), timeout=5)
    assert str(reply.answer[0][0]).endswith(".36.220")
    assert ended(process) == (0, "", "")


def test_a_machine_alone(
    start: Callable[..., tuple[subprocess.Popen[str], list[str]]],
    run: Callable[..., Ran],
    file: Path,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "lab"
    made = run("lab", "up", file, "--folder", folder, "--prepare")
    assert (made.code, made.out) == (0, f"certificates of steven.lab are in {folder}\n")
    host = f"127.{160 + (os.getpid() >> 8) % 32}.{os.getpid() & 255}.7"
    only = (file, "--folder", folder, "--only", "cucm.steven.lab", "--bind", host)
    process, said = start(*only, "--dns", "127.0.0.1:0")
    (ready,) = said
    assert ready == (
        f"ready: cucm.steven.lab on {host}, ports 8443 (uds), 6972 (tftp-https), "
        "6971 (tftp-secure), 6970 (tftp-http)"
    )
    state = ("--state-dir", tmp_path / "state")
    listed = run("lab", "cert", "list", "--format", "json", *state).json["nodes"][0]
    found = {item["certificate"]: item["sha256"] for item in listed["certificates"]}
    assert found["tomcat"] == found["CallManager"]
    with socket.create_connection((host, 6970), timeout=5) as client:
        client.sendall(b"GET /jabber-config.xml HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert client.recv(15).startswith(b"HTTP/1.1 200")
    assert process.stdout is not None
    assert " tftp-http: GET /jabber-config.xml from " in process.stdout.readline()
    assert ended(process, signal.SIGINT) == (0, "", "")


def test_certificates_are_kept(run: Callable[..., Ran], file: Path, tmp_path: Path) -> None:
    prepare = ("lab", "up", file, "--folder", tmp_path / "lab", "--prepare")
    kept = tmp_path / "lab" / "certificates.json"
    assert run(*prepare).code == 0
    first = json.loads(kept.read_text())
    assert run(*prepare).code == 0
    assert json.loads(kept.read_text()) == first
    assert "BEGIN CERTIFICATE" in (tmp_path / "lab" / "expressway-e-ca.pem").read_text()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        pytest.param(("--bind", "127.0.0.9"), "--bind goes with --only", id="bind alone"),
        pytest.param(("--prepare",), "--prepare goes with --folder", id="prepare what"),
        pytest.param(("--only", "x"), "--only goes with --folder", id="only without a folder"),
        pytest.param(("--dns", "53"), '--dns: "53" is not HOST:PORT', id="a DNS port alone"),
        pytest.param(
            ("--only", "cucm.steven.lab", "--folder", "DIR"),
            "holds no certificates",
            id="a part before the certificates",
        ),
    ],
)
def test_usage(
    run: Callable[..., Ran], file: Path, tmp_path: Path, flags: tuple[str, ...], said: str
) -> None:
    given = [str(tmp_path / "new") if flag == "DIR" else flag for flag in flags]
    ran = run("lab", "up", file, *given)
    assert ran.code == 2
    assert said in ran.err
    assert not (tmp_path / "new").exists()


def test_a_part_that_the_estate_has_not(
    run: Callable[..., Ran], file: Path, tmp_path: Path
) -> None:
    run("lab", "up", file, "--folder", tmp_path, "--prepare")
    ran = run("lab", "up", file, "--folder", tmp_path, "--only", "nobody")
    assert ran.code == 3
    assert "there is no 'nobody' in the estate" in ran.err
    assert "cucm.steven.lab, vcsc.steven.lab, vcse.steven.lab" in ran.err


def test_an_estate_with_faults(run: Callable[..., Ran], file: Path) -> None:
    file.write_text(ESTATE.replace('domain = "steven.lab"', "") + "\nnonsense = 1\n")
    ran = run("lab", "up", file)
    assert ran.code == 2
    assert ran.err.count("mralab lab: error: ") == 2


def test_a_dns_port_that_is_taken(
    run: Callable[..., Ran], file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        ran = run("lab", "up", file, "--dns", f"127.0.0.1:{port}")
    assert ran.code == 3
    assert f"DNS cannot listen on 127.0.0.1:{port}: " in ran.err
    assert list((tmp_path / "mralab" / "lab").iterdir()) == []  # no run file is left


def test_ports_that_are_taken_everywhere(
    run: Callable[..., Ran], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estateplace, "_try_out", lambda _host, port: 98 * (port == 6971))
    ran = run("lab", "up", file)
    assert ran.code == 3
    assert "every loopback address tried a port is taken" in ran.err
    assert ran.err.count("\n") == 2


def test_somebody_elses_folder(run: Callable[..., Ran], file: Path, tmp_path: Path) -> None:
    (tmp_path / "certificates.json").write_text("{}")
    ran = run("lab", "up", file, "--folder", tmp_path)
    assert ran.code == 3
    assert "does not hold an estate's certificates" in ran.err


def test_compose(run: Callable[..., Ran], file: Path, tmp_path: Path) -> None:
    printed = run("lab", "compose", file)
    assert printed.code == 0
    assert f'"{file}:/etc/mralab/estate.toml:ro"' in printed.out
    out = tmp_path / "compose.yml"
    assert run("lab", "compose", file, "--output", out).code == 0
    assert out.read_text() == printed.out
    assert out.stat().st_mode & 0o077 == 0  # a password stands in it
    again = run("lab", "compose", file, "--output", out)
    assert again.code == 2
    assert f"{out} exists" in again.err
    assert run("lab", "compose", "--output", out, "--force").code == 0
    assert "estate.toml" not in out.read_text()
    assert run("lab", "compose", "--output", tmp_path / "no" / "file").code == 2
