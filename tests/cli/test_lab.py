"""``mralab lab``: a table of actions, one module each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mralab.cli import lab

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Ran


def test_every_module_of_an_action_is_in_the_table() -> None:
    folder = Path(lab.__file__).parent
    modules = {
        path.stem.removeprefix("lab_")
        for path in folder.glob("lab_*.py")
        if "\ndef add_arguments(" in path.read_text("utf-8")
    }
    assert set(lab.ACTIONS) == modules


@pytest.mark.parametrize("action", lab.ACTIONS)
def test_each_action_has_help(run: Callable[..., Ran], action: str) -> None:
    ran = run("lab", action, "--help")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"usage: mralab lab {action} ")


def test_help_lists_every_action_with_its_sentence(run: Callable[..., Ran]) -> None:
    ran = run("lab", "--help")
    text = " ".join(ran.out.split())
    assert all(f"{action} {about}" in text for action, about in lab.ACTIONS.items())


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        pytest.param((), "the following arguments are required: ACTION", id="no action"),
        pytest.param(("nodes",), "invalid choice: 'nodes'", id="an action that is none"),
    ],
)
def test_usage(run: Callable[..., Ran], arguments: tuple[str, ...], what: str) -> None:
    ran = run("lab", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("mralab lab: error: ")
    assert what in ran.err
