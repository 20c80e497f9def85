"""The command line's reference page tells of every verb, action and flag."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import mralab
from mralab.admin.api import API
from mralab.cli import lab
from mralab.cli.main import VERBS

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Ran

REFERENCE = Path(mralab.__file__).parents[2] / "docs/reference"
PAGE = (REFERENCE / "cli.md").read_text()
#: Every command with a section of its own.
COMMANDS = [verb for verb in VERBS if verb != "lab"] + [f"lab {action}" for action in lab.ACTIONS]
#: Actions that share the section of their command.
ACTIONS = {
    "config": ("check", "show", "init"),
    "scenario": ("list", "show", "run"),
    "lab cert": ("list", "regenerate", "sign", "upload-trust", "delete-trust", "restart"),
    "trust": ("list", "show", "append", "remove", "import-public"),
}
LINES = [(command, action) for command in COMMANDS for action in ACTIONS.get(command, ("",))]


def section(command: str) -> str:
    _, _, rest = PAGE.partition(f"## `mralab {command}`\n")
    return rest.partition("\n## ")[0]


def flags_in(text: str) -> set[str]:
    return set(re.findall(r"--[a-z][a-z-]*", text))


@pytest.mark.parametrize(("command", "action"), LINES)
def test_every_flag_is_documented(run: Callable[..., Ran], command: str, action: str) -> None:
    helped = run(*command.split(), *action.split(), "--help").out
    flags = flags_in(helped) - {"--help"}
    known = flags_in(section(command))
    if command == "config":
        known |= flags_in(section("serve"))  # as the page says
    assert flags <= known
    assert section(command)
    assert not action or f"`{action}" in section(command)


@pytest.mark.parametrize("command", COMMANDS)
def test_no_flag_is_documented_that_does_not_exist(run: Callable[..., Ran], command: str) -> None:
    words = command.split()
    helped = [run(*words, *action.split(), "--help").out for action in ACTIONS.get(command, ("",))]
    assert flags_in(section(command)) <= flags_in("".join(helped))


def test_every_resource_of_the_api_is_documented() -> None:
    page = (REFERENCE / "admin-api.md").read_text()
    for route in API:
        assert f"`{route.method} {route.path.replace('{selector}', 'SELECTOR')}" in page
