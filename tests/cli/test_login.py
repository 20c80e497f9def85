"""``mralab login``: the whole lab as processes, and what the command line refuses."""

from __future__ import annotations

import getpass
import io
import re
import socket
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .conftest import LabNode, Ran, Serving

NODE = ("--node", "cucm.steven.lab")
EMUSK = ("login", "emusk@steven.lab", *NODE)
STEP = re.compile(r"(\d)  (ok|red) +(.{26})(\d{3}) (.{18})(\d+\.\d{3}) s")


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MRALAB_PASSWORD", "rocket")


@pytest.fixture
def proxy(
    lab_node: Callable[..., LabNode], serve: Callable[..., Serving], tmp_path: Path
) -> Serving:
    """Expressway-C in front of the node, as docker-compose.yml has them."""
    lab_node()
    folder, trusted = tmp_path / "lab", tmp_path / "trusted-ca.pem"
    trusted.write_bytes((folder / "ca.pem").read_bytes())
    return serve(
        *("--release", "X14.2", "--trusted-ca", trusted, "--hosts", folder / "hosts"),
        *(
            "--client-cert",
            folder / "expressway-c.pem",
            "--client-key",
            folder / "expressway-c.key",
        ),
        *("--x-lab-reason", "--event-log", tmp_path / "event.log"),
    )


def test_the_documented_case_and_its_fix(
    run: Callable[..., Ran], proxy: Serving, tmp_path: Path
) -> None:
    url = f"http://{proxy.address}"
    broken = run(*EMUSK, "--proxy", url, "--wait", 5)
    assert broken.code == 1
    assert broken.out.startswith(f"emusk@steven.lab at cucm.steven.lab, through {url}\n\n1  ok  ")
    steps = [match.groups() for match in map(STEP.fullmatch, broken.out.splitlines()) if match]
    assert [(step[0], step[1], step[3], step[4].strip()) for step in steps] == [
        *((str(number), "ok", "200", "") for number in range(1, 5)),
        *((str(number), "red", "502", "connect failed") for number in range(5, 8)),
    ]
    segment = "c3RldmVuLmxhYi9odHRwcy9jdWNtLnN0ZXZlbi5sYWIvNjk3Mg"
    assert "       https://cucm.steven.lab:6972/CSFemusk.cnf.xml\n" in broken.out
    assert f"       /{segment}/CSFemusk.cnf.xml\n       chain-refused; " in broken.out
    assert "\n\nno phone service: the client gets no configuration\nhint: " in broken.out

    fix = run("trust", "append", tmp_path / "lab/cucm-EC.pem", "--state-dir", proxy.state_dir)
    assert fix.code == 0
    mended = run(*EMUSK, "--proxy", url)
    assert mended.code == 0
    assert mended.out.endswith("\n\nall fine: the user is logged in and has phone service\n")
    assert "client certificate" not in mended.out


def test_as_json(run: Callable[..., Ran], proxy: Serving) -> None:
    ran = run(*EMUSK, "--proxy", f"http://{proxy.address}/", "--json")
    assert ran.code == 1
    assert ran.err == ""
    told = ran.json
    steps = told.pop("steps")
    assert "self signed certificate" in told.pop("hint")
    assert told == {
        "schema": "mralab-login-1",
        "user": "emusk",
        "domain": "steven.lab",
        "node": "cucm.steven.lab",
        "proxy": f"http://{proxy.address}",
        "outcome": "no-phone-service",
    }
    assert steps[6].pop("seconds") > 0
    assert "127." in steps[6].pop("lab_reason")
    assert steps[6] == {
        "title": "the phone configuration",
        "purpose": "phone",
        "asked": True,
        "segment": "c3RldmVuLmxhYi9odHRwcy9jdWNtLnN0ZXZlbi5sYWIvNjk3Mg",
        "url": "https://cucm.steven.lab:6972/CSFemusk.cnf.xml",
        "status": 502,
        "phrase": "connect failed",
        "green": False,
        "fault": "answered 502 connect failed",
    }
    assert "rocket" not in ran.out


def test_an_unknown_user(run: Callable[..., Ran], proxy: Serving) -> None:
    ran = run("login", "nobody@steven.lab", *NODE, "--proxy", f"http://{proxy.address}")
    assert ran.code == 1
    assert "       no cluster knows the user\n" in ran.out
    assert "\n2  -   the cluster's servers     not asked: " in ran.out
    assert "\n\nthe login fails\nhint: check the user id" in ran.out


def test_no_proxy(run: Callable[..., Ran]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        host, port = server.getsockname()
    ran = run(*EMUSK, "--proxy", f"http://{host}:{port}")
    assert (ran.code, ran.out) == (3, "")
    assert f"no proxy at {host}:{port}: Connection refused\n" in ran.err


def test_no_http_answer(run: Callable[..., Ran], hanging_up: str) -> None:
    ran = run(*EMUSK, "--proxy", hanging_up, "--json")
    assert ran.code == 1
    assert ran.json["steps"][0]["status"] is None
    ran = run(*EMUSK, "--proxy", hanging_up)
    assert "1  red the user's home cluster   no answer " in ran.out


@pytest.fixture
def hanging_up(lab_node: Callable[..., LabNode]) -> str:
    """A TLS port is no proxy: it ends connections that speak HTTP."""
    return f"http://{lab_node().address}:8443"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(("emusk", *NODE), "'emusk' is not USER@DOMAIN", id="no domain"),
        pytest.param(("@steven.lab", *NODE), "is not USER@DOMAIN", id="no user"),
        pytest.param(("a:b@steven.lab", *NODE), "is not USER@DOMAIN", id="a colon"),
        pytest.param(("a\udc80@steven.lab", *NODE), "is not USER@DOMAIN", id="no text"),
        pytest.param(("a@b c", *NODE), "domain 'b c'", id="a domain that is none"),
        pytest.param(("a@b.lab", "--node", "cucm:8443"), "without a port", id="node with port"),
        pytest.param(("a@b.lab", *NODE, "--wait", "-1"), "--wait -1", id="a wait below 0"),
        pytest.param(("a@b.lab", *NODE, "--wait", "nan"), "--wait nan", id="a wait of no length"),
        pytest.param(
            ("a@b.lab", *NODE, "--proxy", "https://c:8443"), "clear text", id="a TLS proxy"
        ),
        pytest.param(("a@b.lab", *NODE, "--proxy", "c:8443"), "http://HOST:PORT", id="no scheme"),
        pytest.param(
            ("a@b.lab", *NODE, "--proxy", "http://c"), '"c" is not HOST:PORT', id="no port"
        ),
        pytest.param(("a@b.lab", *NODE, "--proxy", "http://c:0"), "port 0", id="port 0"),
        pytest.param(
            ("a@b.lab", *NODE, "--password-file", "/no/such"), "No such file", id="no such file"
        ),
    ],
)
def test_usage(run: Callable[..., Ran], arguments: tuple[str, ...], said: str) -> None:
    ran = run("login", *arguments)
    assert ran.code == 2
    assert said in ran.err
    assert ran.err.count("\n") == 2


# Where the password comes from, seen by the proxy that gets it.


def sent(run: Callable[..., Ran], proxy: Serving, *flags: object) -> bool:
    """Whether the node takes the password that these flags lead to."""
    ran = run(*EMUSK, "--proxy", f"http://{proxy.address}", "--json", *flags)
    status: int = ran.json["steps"][2]["status"]
    assert status in {200, 401}
    return status == 200


def test_sources_of_the_password(
    run: Callable[..., Ran], proxy: Serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "password"
    file.write_text("rocket\nand more")
    monkeypatch.setenv("MRALAB_PASSWORD", "wrong")
    assert not sent(run, proxy)
    assert sent(run, proxy, "--password-file", file)
    monkeypatch.delenv("MRALAB_PASSWORD")
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stdin", terminal)
    monkeypatch.setattr(getpass, "getpass", lambda _prompt: "rocket")
    assert sent(run, proxy)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"", "is empty", id="nothing"),
        pytest.param(b"\nrocket", "is empty", id="an empty first line"),
        pytest.param(b"roc\x00ket\n", "cannot be typed", id="a control character"),
        pytest.param(b"\xff\xfe", "not UTF-8", id="no text"),
        pytest.param(b"x" * 1025, "longer than 1024", id="too long"),
    ],
)
def test_files_that_hold_no_password(
    run: Callable[..., Ran], tmp_path: Path, content: bytes, said: str
) -> None:
    (tmp_path / "password").write_bytes(content)
    ran = run(*EMUSK, "--password-file", tmp_path / "password")
    assert ran.code == 2
    assert said in ran.err


@pytest.mark.parametrize("stdin", [None, io.StringIO("rocket\n")], ids=["closed", "a pipe"])
def test_nobody_to_ask(
    run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch, stdin: io.StringIO | None
) -> None:
    monkeypatch.delenv("MRALAB_PASSWORD")
    monkeypatch.setattr(sys, "stdin", stdin)
    ran = run(*EMUSK)
    assert ran.code == 2
    assert "set MRALAB_PASSWORD" in ran.err


def test_an_empty_variable(run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MRALAB_PASSWORD", "")
    ran = run(*EMUSK)
    assert (ran.code, "MRALAB_PASSWORD is empty" in ran.err) == (2, True)
