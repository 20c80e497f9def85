"""``mralab login``: the whole lab as processes, and what the command line refuses."""

from __future__ import annotations

import getpass
import io
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.lab.jsonshape import faults

from mralab.config.estatesample import SAMPLE
from mralab.lab import estate
from mralab.lab.pki import KeyCache

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import LabNode, Ran, Serving

KEYS = KeyCache()
NODE = ("--node", "cucm.steven.lab")
EMUSK = ("login", "emusk@steven.lab", *NODE)
STEP = re.compile(r"(\d)  (ok|red) +(.{26})(\d{3}) (.{18})(\d+\.\d{3}) s")


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MRALAB_PASSWORD", "rocket")


@pytest.fixture(autouse=True)
def shared_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make an estate's keys once: they are most of what it takes to start."""
    monkeypatch.setattr(estate, "KeyCache", lambda: KEYS)


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
    assert faults(ran.json, "login.schema.json") == []
    assert "self signed certificate" in told.pop("hint")
    assert told.pop("fix")["mends"] == 3
    assert told == {
        "schema": "mralab-login-2",
        "user": "emusk",
        "domain": "steven.lab",
        "node": "cucm.steven.lab",
        "proxy": f"http://{proxy.address}",
        "outcome": "no-phone-service",
        "losses": ["no-phone-service"],
        "text": "no phone service: the client gets no configuration",
    }
    assert steps[6].pop("seconds") > 0
    assert "127." in steps[6].pop("lab_reason")
    assert len(steps[6].pop("tracking_id")) == 36
    assert steps[6] == {
        "title": "the phone configuration",
        "purpose": "phone",
        "asked": True,
        "method": "GET",
        "segment": "c3RldmVuLmxhYi9odHRwcy9jdWNtLnN0ZXZlbi5sYWIvNjk3Mg",
        "url": "https://cucm.steven.lab:6972/CSFemusk.cnf.xml",
        "status": 502,
        "phrase": "connect failed",
        "green": False,
        "fault": "answered 502 connect failed",
        "hint": "",
        "because": None,
        "crossed": False,
        "other_server": False,
        "met": None,
        "asks": [],
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
        pytest.param(("a@b.lab", "--proxy", "http://c:1"), "--proxy without --node", id="no node"),
        pytest.param(("a@b.lab", *NODE, "--edge", "e"), "two ways to log in", id="two ways"),
        pytest.param(("a@b.lab", "--ca", "x", "--users", "2"), "--ca and --users", id="two others"),
        pytest.param(("a@b.lab", "--ca", "x"), "--ca without --edge", id="no edge"),
        pytest.param(("a@b.lab", "--edge", "e:0"), "--edge: port 0", id="edge, port 0"),
        pytest.param(("a@b.lab", "--edge", "e:x"), "--edge: ", id="edge, no port"),
        pytest.param(("a@b.lab", "--edge", "e", "--ca", "/no/such"), "No such file", id="no CAs"),
        pytest.param(
            ("a@b.lab", "--edge", "e", "--ca", "/dev/null"),
            "--ca /dev/null: no CA certificate",
            id="an empty file of CAs",
        ),
        pytest.param(("a b@", "--edge", "e"), "is not USER@DOMAIN", id="edge, no user"),
        pytest.param(("a@b.lab",), "'b.lab' is not the domain of the sample", id="other domain"),
        pytest.param(("b.lab", "--users", "0"), "--users 0", id="no users"),
        pytest.param(("b.lab", "--users", "10001"), "--users 10001", id="too many users"),
        pytest.param(("a@b.lab", "--estate", "/no/such"), "No such file", id="no estate"),
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


# Through an estate.

EDGE_STEP = re.compile(r"(\d+) +(ok|red|-) +(.*?) {2,}.*")


def test_the_sample_estate(run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MRALAB_PASSWORD")  # the estate knows its users'
    ran = run("login", "emusk@steven.lab")
    assert (ran.code, ran.err) == (1, "")
    assert ran.out.startswith(
        "emusk@steven.lab through vcse.steven.lab:8443, release X14.2, fresh\n\n1   ok  the sign-on"
    )
    words = [match[2] for match in map(EDGE_STEP.fullmatch, ran.out.splitlines()) if match]
    assert words == [*["ok"] * 7, *["red"] * 5, *["-"] * 4]
    assert (
        "       ok  Expressway-C asks: the user's devices, https://cucm.steven.lab:8443/" in ran.out
    )
    assert "CallManager-ECDSA (CN=cucm-EC.steven.lab, EC secp384r1), refused: " in ran.out
    assert "\n\nno phone service: the client gets no configuration; no IM and presence" in ran.out
    assert "(this mends all 9 red steps)\n" in ran.out


def test_another_release_is_green(run: Callable[..., Ran]) -> None:
    ran = run("login", "emusk@steven.lab", "--upgrade-path", "from-14.0", "--json")
    assert ran.code == 0
    assert faults(ran.json, "login.schema.json") == []
    told = ran.json
    assert (told["edge"], told["release"], told["upgrade_path"]) == (
        *("vcse.steven.lab:8443", "X14.2"),
        "from-14.0",
    )
    assert (told["outcome"], told["fix"], told["estate"]) == ("fine", None, "the sample estate")
    assert "rocket" not in ran.out


def test_an_estate_of_a_file(run: Callable[..., Ran], tmp_path: Path) -> None:
    file = tmp_path / "estate.toml"
    file.write_text(SAMPLE.replace("emusk", "emma"))
    password = tmp_path / "password"
    password.write_text("wrong")
    flags = ("--estate", file, "--release", "X14.0.7", "--json")
    right = run("login", "emma@STEVEN.lab", *flags)
    assert (right.code, right.json["release"], right.json["estate"]) == (0, "X14.0.7", str(file))
    stranger = run("login", "emusk@steven.lab", *flags, "--password-file", password)
    assert (stranger.code, stranger.json["steps"][1]["status"]) == (1, 401)


def test_an_estate_with_faults(run: Callable[..., Ran], tmp_path: Path) -> None:
    file = tmp_path / "estate.toml"
    file.write_text(SAMPLE.replace('role = "publisher"', 'role = "boss"'))
    ran = run("login", "emusk@steven.lab", "--estate", file)
    assert (ran.code, ran.out) == (2, "")
    assert f"{file}:" in ran.err


def test_many_users(run: Callable[..., Ran]) -> None:
    ran = run("login", "steven.lab", "--users", 3, "--release", "X14.0.7")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(
        "3 users at once through vcse.steven.lab:8443, release X14.0.7, fresh"
    )
    assert ran.out.endswith("3 of 3: all fine (emusk, ghopper, emusk-001)\n")


def test_many_users_as_json(run: Callable[..., Ran]) -> None:
    ran = run("login", "emusk@steven.lab", "--users", 2, "--json")
    assert ran.code == 1
    assert faults(ran.json, "logins.schema.json") == []
    assert (ran.json["users"], ran.json["red"], ran.json["crossed"]) == (2, 2, 0)


def test_a_progress_bar_only_on_a_terminal(
    run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stderr", terminal)
    assert run("login", "steven.lab", "--users", 1, "--release", "X14.0.7").code == 0
    assert "logins" in terminal.getvalue()


def test_no_expressway_e(run: Callable[..., Ran]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        host, port = server.getsockname()
    ran = run("login", "emusk@steven.lab", "--edge", f"{host}:{port}", "--edge-name", "vcse")
    assert (ran.code, ran.err.count("\n")) == (3, 2)
    assert f"no Expressway-E at {host}:{port}: Connection refused\n" in ran.err


def test_something_else_instead_of_expressway_e(
    run: Callable[..., Ran], lab_node: Callable[..., LabNode], tmp_path: Path
) -> None:
    node = lab_node()
    edge = f"{node.address}:8443"
    flags = ("--edge", edge, "--edge-name", "cucm.steven.lab", "--ca", tmp_path / "lab" / "ca.pem")
    ran = run("login", "emusk@steven.lab", *flags, "--json")
    assert ran.code == 1
    assert faults(ran.json, "login.schema.json") == []
    assert ran.json["edge"] == "cucm.steven.lab:8443"
    assert [step["status"] for step in ran.json["steps"][:2]] == [404, 404]
    refused = run("login", "emusk@steven.lab", "--edge", edge, "--edge-name", "cucm.steven.lab")
    assert refused.code == 1
    assert "the client refuses Expressway-E: " in refused.out


def test_the_exit_code_survives_the_end_of_the_interpreter(tmp_path: Path) -> None:
    """Buffers that OpenSSL's wrapping still holds must not bring the exit down."""
    text = Path(__file__).parents[2].joinpath("docs/howto/second-site.toml").read_text("utf-8")
    wildcard = 'dns = ["*.example.net", "example.net"]\n'
    assert wildcard in text
    estate = tmp_path / "estate.toml"
    estate.write_text(text.replace(wildcard, f'{wildcard}not_after = "-1d"\n'), "utf-8")
    ended = subprocess.run(
        [sys.executable, "-P", "-m", "mralab", "login", "bruno@example.net", "--estate", estate],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (1, "")
