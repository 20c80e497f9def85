"""``mralab serve`` and the commands that talk to it, as processes."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from mralab.admin.runfile import find_proxy

from .conftest import MRALAB

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .conftest import Ran, Serving


def test_says_that_it_listens_and_ends_at_sigterm(serve: Callable[..., Serving]) -> None:
    serving = serve()
    assert serving.address.startswith("127.0.0.1:")
    serving.process.send_signal(signal.SIGTERM)
    _, err = serving.process.communicate(timeout=15)
    assert (serving.process.returncode, err) == (0, "")
    assert list(serving.state_dir.iterdir()) == []


def test_xconfiguration_changes_the_running_proxy(
    run: Callable[..., Ran], serve: Callable[..., Serving]
) -> None:
    serving = serve()
    state = ("--state-dir", serving.state_dir)
    line = '*c xConfiguration EdgeConfigServer VerifyOriginServer: "On"\n'
    reading = ("xconfiguration", "EdgeConfigServer", "VerifyOriginServer", *state)
    assert run(*reading).out == line
    ran = run("xconfiguration", "xConfiguration EdgeConfigServer VerifyOriginServer: Off", *state)
    assert (ran.code, ran.out) == (0, "OK\n")
    assert run(*reading, "--listen", serving.address).out == line.replace("On", "Off")
    assert run(*reading, "--format", "json").json["changed"] is False
    ran = run("xconfiguration", "EdgeConfigServer", "VerifyOriginServer:", "Maybe", *state)
    assert ran.code == 2
    assert 'value "Maybe" is not accepted' in ran.err
    assert ran.out == ""


def test_xstatus(run: Callable[..., Ran], serve: Callable[..., Serving]) -> None:
    serving = serve("--release", "X15.5")
    state = ("--state-dir", serving.state_dir)
    lines = run("xstatus", *state).out.splitlines()
    assert '*s TrafficServer Release: "X15.5"' in lines
    assert f'*s TrafficServer Listen: "{serving.address}"' in lines
    assert lines[-1] == "** end"
    chosen = run("xstatus", "TrafficServer release", *state).out
    assert chosen == '*s TrafficServer Release: "X15.5"\n** end\n'
    assert run("xstatus", *state, "--format", "json").json["release"] == "X15.5"


@pytest.mark.parametrize("verb", ["xstatus", "xconfiguration"])
def test_without_a_proxy(run: Callable[..., Ran], tmp_path: Path, verb: str) -> None:
    ran = run(verb, "--state-dir", tmp_path)
    assert ran.code == 3
    assert f"no running proxy is known in {tmp_path}" in ran.err
    assert "`mralab serve`" in ran.err


def test_with_admin_off(run: Callable[..., Ran], serve: Callable[..., Serving]) -> None:
    serving = serve("--admin", "off")
    ran = run("xstatus", "--state-dir", serving.state_dir)
    assert ran.code == 3
    assert f"the proxy on {serving.address} runs with --admin off" in ran.err


def test_admin_address_in_use_is_told_before_it_claims_to_listen(
    serve: Callable[..., Serving], tmp_path: Path
) -> None:
    taken = find_proxy(serve().state_dir).admin
    ran = subprocess.run(
        [*MRALAB, "serve", "--listen", "127.0.0.1:0", "--admin", str(taken)],
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (3, "")
    assert f"the admin listener cannot have {taken}" in ran.stderr


def test_default_state_folder(
    run: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert str(tmp_path / "mralab") in run("xstatus").err


def test_faults_are_told_at_once_and_nothing_starts(tmp_path: Path) -> None:
    file = tmp_path / "lab.toml"
    file.write_text('trusted_ca = ["gone.pem"]\nretries = 99\n')
    ran = subprocess.run(
        [*MRALAB, "serve", "--config", str(file), "--listen", "nowhere"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.count("mralab serve: error: ") == 3
    assert f"{file}:1: trusted_ca: cannot read" in ran.stderr


def test_reload(run: Callable[..., Ran], serve: Callable[..., Serving], tmp_path: Path) -> None:
    file = tmp_path / "lab.toml"
    file.write_text('verify_origin_server = "On"\n')
    serving = serve("--config", file)
    state = ("--state-dir", serving.state_dir)
    asking = ("xconfiguration", "EdgeConfigServer VerifyOriginServer", *state)
    assert '"On"' in run(*asking).out
    file.write_text('verify_origin_server = "Permissive"\n')
    os.kill(serving.process.pid, signal.SIGHUP)
    while '"Permissive"' not in run(*asking).out:
        pass
    file.write_text("retries = 99\n")
    os.kill(serving.process.pid, signal.SIGHUP)
    assert serving.process.stderr is not None
    line = serving.process.stderr.readline()
    assert line == f"mralab serve: error: not reloaded: {file}:1: retries: 99 is out of range\n"
    assert '"Permissive"' in run(*asking).out
