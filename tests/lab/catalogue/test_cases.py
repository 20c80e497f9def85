"""The catalogue as a whole: its form, and that no case could be left out unnoticed."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.lab.catalogue.signature import changed_fields, signature_of

from mralab.config.estatecheck import check_estate
from mralab.lab import catalogue
from mralab.lab.catalogue.cases import CASES, THEMES, find_case
from mralab.lab.catalogue.edit import SOUND, UNITY, with_node
from mralab.lab.catalogue.model import Moment
from mralab.lab.loginresult import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mralab.lab.catalogue.model import Case

FOLDER = Path(catalogue.__file__).parent
EACH = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def doubles(cases: Iterable[Case], of: Callable[[Case], object]) -> list[str]:
    """Names of the cases that have something in common with another one."""
    cases = tuple(cases)
    counted = Counter(map(of, cases))
    return [case.name for case in cases if counted[of(case)] > 1]


@pytest.mark.parametrize(
    "of",
    [
        signature_of,
        lambda case: case.name,
        lambda case: case.title,
        lambda case: case.story,
        lambda case: case.lesson,
    ],
    ids=["signature", "name", "title", "story", "lesson"],
)
def test_no_two_cases_have_one(of: Callable[[Case], object]) -> None:
    assert doubles(CASES, of) == []


def test_the_same_case_in_other_words_would_be_found() -> None:
    case = CASES[0]
    again = replace(case, name="again", title="Again", story="Again.", lesson="Again.")
    assert doubles([*CASES, again], signature_of) == [case.name, "again"]


def test_a_wrong_name_in_the_same_place_is_the_same_case() -> None:
    one = with_node(SOUND, UNITY, advertised="voicemail.steven.lab")
    other = with_node(SOUND, UNITY, advertised="mail.steven.lab")
    assert set(changed_fields(one)) == {".unity[cuc.steven.lab].advertised"}
    assert set(changed_fields(other)) == set(changed_fields(one))
    assert set(changed_fields(SOUND)) == set()


def test_every_theme_stands_in_a_file_of_its_own_and_every_file_is_told() -> None:
    told = {id(cases) for cases in THEMES.values()}
    files = [path.stem for path in FOLDER.glob("*.py") if "CASES: Final = (" in path.read_text()]
    modules = [getattr(catalogue, name).CASES for name in files if name != "cases"]
    assert {id(cases) for cases in modules} == told
    assert len(CASES) == sum(map(len, THEMES.values()))


def test_a_case_is_found_by_its_name_and_no_other_is() -> None:
    assert find_case(CASES[-1].name) is CASES[-1]
    assert find_case("no-such-case") is None


@EACH
def test_it_says_all_that_a_trainer_needs(case: Case) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", case.name)
    assert not case.title.endswith(".")
    for text in (case.story, case.lesson, case.fix.what, case.bites.said):
        assert text.rstrip(")").endswith("."), text
    assert ". " not in case.lesson, "a lesson is one sentence"
    assert case.fix.where
    assert not case.fix.where.endswith(".")


@EACH
def test_it_is_red_in_the_middle_and_green_at_both_ends(case: Case) -> None:
    moments = dict(case.moments)
    assert case.bites.expected.refused
    assert case.bites.expected.outcome is not Outcome.FINE
    for moment in {Moment.BEFORE, Moment.MENDED} & set(moments):
        assert moments[moment].expected.outcome is Outcome.FINE
        assert not moments[moment].expected.refused
    assert [moment for moment, _ in case.moments if moment is Moment.MENDED] == [Moment.MENDED]


@EACH
def test_its_estates_could_stand_in_a_file(case: Case) -> None:
    for _, play in case.moments:
        assert check_estate(case.estate_of(play)) == ()
