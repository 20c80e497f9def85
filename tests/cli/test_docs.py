"""The command line's reference page tells of every verb, action and flag."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import mralab
from mralab.admin.api import API
from mralab.cli.main import VERBS

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Ran

REFERENCE = Path(mralab.__file__).parents[2] / "docs/reference"
PAGE = (REFERENCE / "cli.md").read_text()
ACTIONS = {
    "config": ("check", "show", "init"),
    "lab": ("node",),
    "trust": ("list", "show", "append", "remove", "import-public"),
}
COMMANDS = [(verb, action) for verb in VERBS for action in ACTIONS.get(verb, ("",))]


def section(verb: str) -> str:
    _, _, rest = PAGE.partition(f"## `mralab {verb}`\n")
    return rest.partition("\n## ")[0]


def flags_in(text: str) -> set[str]:
    return set(re.findall(r"--[a-z][a-z-]*", text))


@pytest.mark.parametrize(("verb", "action"), COMMANDS)
def test_every_flag_is_documented(run: Callable[..., Ran], verb: str, action: str) -> None:
    helped = run(verb, *([action] if action else []), "--help").out
    flags = flags_in(helped) - {"--help"}
    known = flags_in(section(verb))
    if verb == "config":
        known |= flags_in(section("serve"))  # as the page says
    assert flags <= known
    assert not action or f"`{action}" in section(verb)


@pytest.mark.parametrize("verb", VERBS)
def test_no_flag_is_documented_that_does_not_exist(run: Callable[..., Ran], verb: str) -> None:
    helped = "".join(run(verb, action, "--help").out for action in ACTIONS.get(verb, ()))
    assert flags_in(section(verb)) <= flags_in(helped or run(verb, "--help").out)


def test_every_resource_of_the_api_is_documented() -> None:
    page = (REFERENCE / "admin-api.md").read_text()
    for route in API:
        assert f"`{route.method} {route.path.replace('{selector}', 'SELECTOR')}" in page
