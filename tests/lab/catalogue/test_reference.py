"""The page of the scenarios is current, and what it tells beforehand."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import mralab
from mralab.lab.catalogue.cases import CASES, THEMES

if TYPE_CHECKING:
    from mralab.lab.catalogue.model import Case

PAGE = (Path(mralab.__file__).parents[2] / "docs/reference/scenarios.md").read_text("utf-8")


def test_the_reference_page_is_current(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_module("mralab.lab.catalogue.reference", run_name="__main__")
    assert capsys.readouterr().out == PAGE, (
        "run: python -m mralab.lab.catalogue.reference > docs/reference/scenarios.md"
    )


def test_every_theme_has_its_heading_and_every_case_its_own() -> None:
    assert re.findall(r"(?m)^## (.+)$", PAGE) == list(THEMES)
    assert re.findall(r"(?m)^### (.+)$", PAGE) == [case.name for case in CASES]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_is_told_with_all_that_is_stated(case: Case) -> None:
    _, _, rest = PAGE.partition(f"### {case.name}\n")
    told = rest.partition("\n### ")[0]
    for text in (case.title, case.story, case.lesson, case.fix.what, case.fix.where):
        assert text in told
    assert told.count("\n- ") == len(case.moments)
    assert "{host}" not in told
    assert "(?)" not in told, "a line names a host that the estate has not"
