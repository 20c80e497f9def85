"""``mralab lab init``: an annotated estate file to begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mralab.config.estatesample import SAMPLE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .conftest import Ran


@pytest.mark.parametrize("arguments", [(), ("-",)], ids=["without a file", "with -"])
def test_to_standard_output(run: Callable[..., Ran], arguments: tuple[str, ...]) -> None:
    ran = run("lab", "init", *arguments)
    assert (ran.code, ran.out, ran.err) == (0, SAMPLE, "")


def test_into_a_file_that_can_be_checked(run: Callable[..., Ran], tmp_path: Path) -> None:
    file = tmp_path / "estate.toml"
    ran = run("lab", "init", file)
    assert (ran.code, ran.out) == (0, f"wrote {file}; `mralab lab check {file}` checks it\n")
    assert file.read_text("utf-8") == SAMPLE
    assert run("lab", "check", file).code == 0


def test_a_file_is_overwritten_only_by_force(run: Callable[..., Ran], tmp_path: Path) -> None:
    file = tmp_path / "estate.toml"
    file.write_text("mine")
    ran = run("lab", "init", file)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == f"mralab lab: error: {file} exists\n  name another file, or add --force\n"
    assert file.read_text() == "mine"
    assert run("lab", "init", file, "--force").code == 0
    assert file.read_text("utf-8") == SAMPLE


@pytest.mark.parametrize(
    ("name", "why"),
    [
        pytest.param("no/such/folder", "No such file or directory", id="no folder"),
        pytest.param("a\0b", "not a possible path", id="no path"),
        pytest.param("", "Is a directory", id="a folder"),
    ],
)
def test_a_place_that_cannot_be_written_to(
    run: Callable[..., Ran], tmp_path: Path, name: str, why: str
) -> None:
    ran = run("lab", "init", f"{tmp_path}/{name}", "--force")
    assert (ran.code, ran.out) == (2, "")
    assert f"cannot be written: {why}" in ran.err
