from __future__ import annotations

from pathlib import Path

import pytest
from tests.differential.cases import CASES
from tests.differential.known import (
    ANY,
    DifferencesPageError,
    KnownDifference,
    parse_known,
    read_known,
)
from tests.differential.model import ALL_POLICIES, Policy

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "differences.md"
HEAD = "| Case | Policy | Observable | Traffic Server | Here | Why |\n|---|---|---|---|---|---|\n"


def test_rows_are_read() -> None:
    text = (
        "# Title\n\n| Word | What |\n|---|---|\n| a | b |\n\n"
        f"{HEAD}| a `x` \\| y | every | alerts, errors | this | that | so |\n\ntext\n"
        f"{HEAD}| b | ENFORCED, DISABLED | page | this | that | because |\n"
    )
    assert parse_known(text) == [
        KnownDifference("a `x` | y", ALL_POLICIES, ("alerts", "errors"), "so"),
        KnownDifference("b", (Policy.ENFORCED, Policy.DISABLED), ("page",), "because"),
    ]


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("| a | every | page | x | y |  |", "no reason"),
        ("| a | sometimes | page | x | y | z |", "no policy"),
        ("| a | every | weather | x | y | z |", "no observable"),
        ("| a | every | page | x | y |", "5 cells"),
        ("| a | every | page | x | y | z |\n| a | DISABLED | page | x | y | z |", "stands twice"),
    ],
)
def test_a_row_that_cannot_be_understood_is_refused(row: str, fault: str) -> None:
    with pytest.raises(DifferencesPageError, match=fault):
        parse_known(HEAD + row)


def test_the_page_names_cases_that_exist() -> None:
    known = read_known(PAGE)
    assert known
    assert {row.case for row in known} <= {case.id for case in CASES} | {ANY}
