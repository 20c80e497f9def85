"""The schema check finds what it is there to find."""

from __future__ import annotations

from typing import Any

import pytest

from .jsonshape import faults, schema

CHOICE: dict[str, Any] = {
    "cause": "",
    "what": "do this",
    "command": "",
    "restart": "",
    "mends": 1,
    "of": 2,
}
LOGIN: dict[str, Any] = {
    "schema": "mralab-login-2",
    "user": "emusk",
    "domain": "steven.lab",
    "outcome": "fine",
    "losses": [],
    "text": "",
    "hint": "",
    "fix": CHOICE,
    "steps": [],
}


def test_a_sound_value_has_no_faults() -> None:
    assert faults(LOGIN, "login.schema.json") == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param({"schema": "mralab-login-1"}, "$.schema: ", id="const"),
        pytest.param({"outcome": "broken"}, "$.outcome: 'broken' is none of", id="enum, by $ref"),
        pytest.param({"user": 1}, "$.user: 1 is no string", id="type"),
        pytest.param({"steps": [1]}, "$.steps[0]: 1 is no object", id="items"),
        pytest.param({"more": 1}, "$: more is not described", id="a key too many"),
        pytest.param({"fix": {**CHOICE, "mends": 0}}, "$.fix.mends: 0 is out of", id="minimum"),
        pytest.param({"fix": {**CHOICE, "of": True}}, "$.fix.of: True is no", id="no number"),
        pytest.param({"fix": {"cause": ""}}, "$.fix: what is missing", id="a key too few"),
    ],
)
def test_faults(change: dict[str, Any], said: str) -> None:
    found = faults({**LOGIN, **change}, "login.schema.json")
    assert found
    assert found[0].startswith(said)


def test_a_pattern() -> None:
    problem = schema("upgrade.schema.json")["properties"]["problems"]["items"]
    assert problem["properties"]["letter"]["pattern"] == "^[A-Z]+$"
