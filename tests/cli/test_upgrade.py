"""``mralab upgrade``: one estate under several releases, in three forms."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import pytest
from tests.lab.jsonshape import faults

from mralab.config.estatesample import SAMPLE
from mralab.lab import estate
from mralab.lab.pki import KeyCache

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .conftest import Ran

KEYS = KeyCache()
FEW = ("--releases", "X14.0.7,X14.2/fresh")


@pytest.fixture(autouse=True)
def shared_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make keys once: they are most of what an estate takes to start."""
    monkeypatch.setattr(estate, "KeyCache", lambda: KEYS)


def test_text(run: Callable[..., Ran]) -> None:
    ran = run("upgrade", *FEW)
    assert (ran.code, ran.err) == (1, "")
    assert ran.out.startswith("emusk through the sample estate\n")
    assert "\nGreen before, red after: X14.2/fresh.\n" in ran.out
    assert "\x1b" not in ran.out


def test_a_green_upgrade(run: Callable[..., Ran], tmp_path: Path) -> None:
    file = tmp_path / "estate.toml"
    file.write_text(SAMPLE)
    ran = run("upgrade", file, "--releases", "X14.2/from-14.0", "--user", "ghopper")
    assert ran.code == 0
    assert ran.out.startswith(f"ghopper through {file}\n")
    assert "Every step is green" in ran.out


def test_json(run: Callable[..., Ran]) -> None:
    ran = run("upgrade", *FEW, "--format", "json")
    assert ran.code == 1
    assert faults(ran.json, "upgrade.schema.json") == []
    assert "rocket" not in ran.out


def test_html_into_a_file(run: Callable[..., Ran], tmp_path: Path) -> None:
    file = tmp_path / "upgrade.html"
    ran = run("upgrade", *FEW, "--format", "html", "--output", file)
    assert (ran.code, ran.out) == (1, "")
    text = file.read_text("utf-8")
    assert text.startswith("<!doctype html>")
    assert text.endswith("</html>")


def test_on_a_terminal_there_are_colours_and_what_goes_on(
    run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    streams = {}
    for name in ("stdout", "stderr"):
        streams[name] = io.StringIO()
        monkeypatch.setattr(streams[name], "isatty", lambda: True, raising=False)
        monkeypatch.setattr(sys, name, streams[name])
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    assert run("upgrade", "--releases", "X14.2/fresh").code == 1
    assert "\x1b[1;31m" in streams["stdout"].getvalue()
    assert streams["stderr"].getvalue() == "logging in under X14.2/fresh\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(("--user", "emus"), "did you mean emusk?", id="a user that is near"),
        pytest.param(("--user", "zz"), "it has: emusk, ghopper", id="no such user"),
        pytest.param(("--releases", "X99"), "there is no column 'X99'", id="no such column"),
        pytest.param(("/no/such",), "No such file", id="no such file"),
        pytest.param(("--output", "/no/such/file"), "No such file", id="no such folder"),
    ],
)
def test_usage(run: Callable[..., Ran], arguments: tuple[str, ...], said: str) -> None:
    ran = run("upgrade", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
