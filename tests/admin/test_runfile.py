"""How commands find a running proxy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mralab.admin.runfile import (
    LAB,
    RunFile,
    default_state_dir,
    find_proxy,
    new_token,
    remove_run_file,
    write_run_file,
)
from mralab.config.settings import Endpoint
from mralab.errors import AdminError

if TYPE_CHECKING:
    from pathlib import Path


def run(listen: str = "127.0.0.1:8443", admin: str | None = None, pid: int = 0) -> RunFile:
    return RunFile(listen=listen, admin=admin, token=new_token(), pid=pid or os.getpid())


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    path = write_run_file(tmp_path / "a" / "b", run())
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert [entry.name for entry in path.parent.iterdir()] == ["proxy-127.0.0.1_8443.json"]


def test_written_and_found(tmp_path: Path) -> None:
    one = run("127.0.0.1:8443", "127.0.0.1:8444")
    two = run("[::1]:8443")
    write_run_file(tmp_path, one)
    assert find_proxy(tmp_path) == one
    write_run_file(tmp_path, two)
    assert find_proxy(tmp_path, listen=Endpoint("::1", 8443)) == two
    assert find_proxy(tmp_path, admin=Endpoint("127.0.0.1", 8444)) == one
    with pytest.raises(AdminError, match="2 proxies are running") as caught:
        find_proxy(tmp_path)
    assert "--listen" in caught.value.hint


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        pytest.param({}, "no running proxy is known in", id="none at all"),
        pytest.param({"kind": LAB}, "no running lab is known in", id="no lab at all"),
        pytest.param({"listen": Endpoint("h", 1)}, "no running proxy on h:1 is", id="by listen"),
        pytest.param(
            {"admin": Endpoint("h", 2)}, "no running proxy with admin listener h:2", id="by admin"
        ),
    ],
)
def test_nothing_found(tmp_path: Path, choice: dict[str, Any], message: str) -> None:
    with pytest.raises(AdminError, match=message):
        find_proxy(tmp_path / "missing", **choice)


def test_one_whose_process_is_gone_does_not_count(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    write_run_file(tmp_path, run(pid=ended.pid))
    write_run_file(tmp_path, run("127.0.0.1:1", pid=2**70))
    with pytest.raises(AdminError, match="no running proxy"):
        find_proxy(tmp_path)


def test_a_process_of_another_user_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(pid: int, signal: int) -> None:
        raise PermissionError(pid, signal)

    monkeypatch.setattr(os, "kill", refuse)
    assert run().is_alive()


def test_removed_only_if_it_is_still_ours(tmp_path: Path) -> None:
    ours = run()
    path = write_run_file(tmp_path, ours)
    theirs = run()
    write_run_file(tmp_path, theirs)
    remove_run_file(path, ours)
    assert find_proxy(tmp_path) == theirs
    remove_run_file(path, theirs)
    assert not path.exists()
    remove_run_file(path, theirs)


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(AdminError, match="cannot write the admin token") as caught:
        write_run_file(tmp_path / "file", run())
    assert "--state-dir" in caught.value.hint


def test_file_that_cannot_be_replaced_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "proxy-127.0.0.1_8443.json").mkdir()
    with pytest.raises(AdminError):
        write_run_file(tmp_path, run())
    assert [entry.name for entry in tmp_path.iterdir()] == ["proxy-127.0.0.1_8443.json"]


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        pytest.param({"XDG_STATE_HOME": "/x"}, "/x/mralab", id="as the environment says"),
        pytest.param({"XDG_STATE_HOME": "x"}, "/home/u/.local/state/mralab", id="not if relative"),
        pytest.param({}, "/home/u/.local/state/mralab", id="else below the home folder"),
    ],
)
def test_default_folder(
    environ: dict[str, str], folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/u")
    assert str(default_state_dir(environ)) == folder


def test_no_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 5)
    with pytest.raises(AdminError, match="no home folder"):
        default_state_dir({})


contents = st.one_of(
    st.binary(max_size=60),
    st.dictionaries(
        st.sampled_from(["listen", "admin", "token", "pid", "x"]),
        st.one_of(st.none(), st.integers(-3, 3), st.text(max_size=5)),
    ).map(lambda fields: json.dumps(fields).encode()),
    st.just(b"[" * 4096),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(contents)
def test_foreign_files_are_passed_over(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "proxy-x.json").write_bytes(content)
    try:
        found = find_proxy(tmp_path)
    except AdminError:
        return
    assert isinstance(found.listen, str)
    assert found.pid > 0
