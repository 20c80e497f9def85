"""``mralab config``: check, show, init."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mralab.config.sample import render_sample
from mralab.config.schema import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mralab.lab.pki import Credential

    from .conftest import Ran


def test_init_writes_a_sample_that_is_fine(run: Callable[..., Ran], tmp_path: Path) -> None:
    file = tmp_path / "lab.toml"
    assert run("config", "init").out == render_sample()
    assert run("config", "init", file).code == 0
    ran = run("config", "check", file)
    assert ran.code == 0
    assert ran.out.splitlines() == [
        "warning: the trusted CA list is empty: no origin can be verified",
        "settings are fine",
    ]


def test_init_overwrites_only_when_told(run: Callable[..., Ran], tmp_path: Path) -> None:
    file = tmp_path / "lab.toml"
    file.write_text("mine")
    ran = run("config", "init", file)
    assert ran.code == 2
    assert "--force" in ran.err
    assert file.read_text() == "mine"
    assert run("config", "init", file, "--force").code == 0
    assert file.read_text() == render_sample()


def test_check_finds_all_faults_of_the_settings(run: Callable[..., Ran], tmp_path: Path) -> None:
    file = tmp_path / "lab.toml"
    file.write_text('lissten = "x"\nworkers = 0\n')
    ran = run("config", "check", "--config", file, "--retries", "99")
    assert ran.code == 1
    assert ran.err == ""
    assert ran.out.splitlines() == [
        "flag --retries: 99 is out of range",
        "  write a number, 0 to 10",
        f'{file}:1: no setting is called "lissten"',
        "  did you mean listen?",
        f"{file}:2: workers: 0 is out of range",
        "  write a number, 1 to 256",
    ]
    ran = run("config", "check", file, "--format", "json")
    assert ran.code == 1
    assert ran.json["ok"] is False
    assert [fault["key"] for fault in ran.json["faults"]] == ["lissten", "workers"]


@pytest.mark.parametrize(
    ("flag", "content", "error"),
    [
        pytest.param("--trusted-ca", "rubbish", "holds no certificate", id="trusted CA list"),
        pytest.param("--allow-list", "Url\nx\n", "x", id="allow list"),
        pytest.param("--hosts", "no-address\n", "no-address", id="static names"),
    ],
)
def test_check_looks_into_the_files(
    run: Callable[..., Ran], tmp_path: Path, flag: str, content: str, error: str
) -> None:
    file = tmp_path / "file"
    file.write_text(content)
    ran = run("config", "check", flag, file)
    assert ran.code == 1
    assert error in ran.out
    assert "settings are fine" not in ran.out


def test_check_asks_openssl_about_the_ciphers(run: Callable[..., Ran]) -> None:
    ran = run("config", "check", "--ciphers", "NOSUCH")
    assert ran.code == 1
    assert "NOSUCH" in ran.out


def test_check_in_json_when_all_is_fine(
    run: Callable[..., Ran], tmp_path: Path, first_ca: Credential
) -> None:
    file = tmp_path / "ca.pem"
    file.write_bytes(first_ca.pem)
    ran = run("config", "check", "--trusted-ca", file, "--format", "json")
    assert (ran.code, ran.json) == (0, {"ok": True, "faults": [], "warnings": []})


def test_show_tells_values_and_sources(run: Callable[..., Ran], tmp_path: Path) -> None:
    file = tmp_path / "lab.toml"
    file.write_text('release = "X12.5"\n')
    rows = run("config", "show", file, "--admin", "off", "--no-debug-log").out.splitlines()
    assert len(rows) == len(SETTINGS)
    table = {row.split()[0]: row.split(maxsplit=1)[1] for row in rows}
    assert " ".join(table["release"].split()) == f'"X12.5" {file}:1'
    assert " ".join(table["verify_origin_server"].split()) == '"Off" release profile X12.5'
    assert " ".join(table["admin"].split()) == '"off" flag --admin'
    assert " ".join(table["log.debug"].split()) == "false flag --debug-log"
    assert " ".join(table["hosts"].split()) == "not set lab default"


def test_show_in_json(run: Callable[..., Ran]) -> None:
    rows = run("config", "show", "--format", "json", "--workers", "2").json
    assert {"key": "workers", "value": 2, "source": "flag --workers"} in rows


def test_show_refuses_what_is_wrong(run: Callable[..., Ran]) -> None:
    ran = run("config", "show", "--listen", "x", "--workers", "0")
    assert ran.code == 2
    assert ran.err.count("mralab config: error: flag --") == 2


def test_one_file_only(run: Callable[..., Ran]) -> None:
    ran = run("config", "show", "a.toml", "--config", "b.toml")
    assert ran.code == 2
    assert "two files are named" in ran.err
