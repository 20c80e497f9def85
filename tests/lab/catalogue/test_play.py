"""Every case played for real, and that none of them would pass without its cause."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from mralab.config.releases import VerifyMode
from mralab.lab.catalogue.cases import CASES, find_case
from mralab.lab.catalogue.compare import culprit_of, differences
from mralab.lab.catalogue.edit import SOUND, UNITY, with_expressway_c, with_node
from mralab.lab.catalogue.model import GREEN, X14_2, Case, Moment, Play
from mralab.lab.catalogue.play import Stage
from mralab.lab.catalogue.told import host_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mralab.lab.catalogue.play import CaseResult
    from mralab.lab.estate import RunningEstate
    from mralab.lab.loginresult import LoginResult
    from mralab.lab.upgrade import Column

# One running estate for all: starting it takes longer than a case.
pytestmark = pytest.mark.asyncio(loop_scope="module", loop_factories=["uvloop"])
EACH = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage() -> AsyncIterator[Stage]:
    async with Stage() as stage:
        yield stage


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def on_sound_estate(stage: Stage) -> dict[Column, LoginResult]:
    """A login through the sound estate under each release that a case bites on."""
    found = {}
    for column in dict.fromkeys(case.bites.column for case in CASES):
        plain = _bare(CASES[0], estate=SOUND, bites=Play(column=column))
        (bites, _) = (await stage.play(plain)).plays
        assert bites.result is not None
        found[column] = bites.result
    return found


def _bare(case: Case, **changes: object) -> Case:
    """The case without its beginning, and with a fix that does nothing."""
    fix = replace(case.fix, estate=None, act=None, refresh=False)
    return replace(case, before=None, also=(), fix=fix, **changes)  # type: ignore[arg-type]  # any


def _faults(result: CaseResult) -> list[tuple[str, str]]:
    return [(play.moment.value, fault) for play in result.plays for fault in play.faults]


@EACH
async def test_it_goes_as_stated(stage: Stage, case: Case) -> None:
    result = await stage.play(case)
    assert _faults(result) == []
    assert [play.moment for play in result.plays] == [moment for moment, _ in case.moments]
    for play in result.plays:
        assert play.result is not None
        steps = {step.title: step for step in play.result.steps}
        for group in play.play.expected.refused:
            culprit = culprit_of(steps[group.steps[0]], group)
            assert culprit is not None
            # What is told beforehand names the host that was really asked.
            if group.log:
                assert host_of(case, play.play, group) == culprit.host


@EACH
async def test_it_fails_without_its_cause(
    on_sound_estate: dict[Column, LoginResult], case: Case
) -> None:
    login = on_sound_estate[case.bites.column]
    assert not login.red
    assert differences(case.bites.expected, login, (), SOUND)


@pytest.mark.parametrize(
    "name",
    ["ecdsa-after-upgrade", "wrong-password", "name-not-in-dns", "discovery-short-name"],
)
async def test_played_on_the_sound_estate_it_is_not_as_stated(stage: Stage, name: str) -> None:
    case = find_case(name)
    assert case is not None
    bites = replace(case.bites, estate=None, act=None, password="")
    result = await stage.play(_bare(case, estate=SOUND, bites=bites))
    assert not result.as_stated
    assert result.plays[0].faults
    assert any("green" in fault or "all fine" in fault for fault in result.plays[0].faults)


async def test_a_fix_that_mends_nothing_is_found(stage: Stage) -> None:
    case = find_case("imp-self-signed")
    assert case is not None
    result = await stage.play(replace(case, fix=replace(case.fix, estate=case.estate)))
    assert [moment for moment, _ in _faults(result)] == [Moment.MENDED.value] * 2


async def test_a_switch_left_off_is_found(stage: Stage) -> None:
    case = find_case("subscriber-unchecked")
    assert case is not None
    estate = with_expressway_c(case.estate, verify_origin_server=VerifyMode.OFF)
    result = await stage.play(replace(case, estate=estate))
    assert [moment for moment, _ in _faults(result)] == [Moment.BITES.value] * 2


async def test_a_play_that_cannot_be_played_says_why_and_the_next_case_is_played(
    stage: Stage,
) -> None:
    broken = with_expressway_c(SOUND, trusted_ca=("no such authority",))
    case = replace(CASES[0], estate=broken, before=None)
    result = await stage.play(case)
    assert "it could not be played" in result.plays[0].faults[0]
    assert "no such authority" in result.plays[0].faults[0]
    assert result.plays[0].result is None
    assert (await stage.play(find_case("node-down") or case)).as_stated


async def test_a_user_that_the_estate_has_not_is_named(stage: Stage) -> None:
    result = await stage.play(replace(CASES[0], user="nobody"))
    assert all("'nobody'" in play.faults[0] for play in result.plays)


async def test_what_an_act_has_done_is_not_there_in_the_next_case(stage: Stage) -> None:
    acted = find_case("photo-host-not-allowed")
    assert acted is not None
    assert acted.acts
    assert (await stage.play(acted)).as_stated
    plain = _bare(acted, estate=SOUND, bites=Play(column=X14_2, expected=GREEN))
    assert (await stage.play(plain)).as_stated


async def test_a_short_timeout_is_not_there_in_the_next_play(stage: Stage) -> None:
    seen: list[float] = []

    async def look(lab: RunningEstate) -> None:
        seen.append(lab.proxy.settings.timeouts.connect_timeout_s)

    bites = Play(column=X14_2, connect_timeout_s=0.25, act=look)
    case = _bare(CASES[0], estate=SOUND, bites=bites)
    assert (await stage.play(replace(case, fix=replace(case.fix, act=look)))).as_stated
    assert seen[0] == 0.25
    assert seen[1] > 1


async def test_what_was_discovered_stays_until_somebody_refreshes(stage: Stage) -> None:
    renamed = with_node(SOUND, UNITY, advertised="cuc")
    stale = Play(column=X14_2, estate=renamed)
    fresh = replace(stale, refresh=True)
    case = _bare(CASES[0], estate=SOUND, bites=Play(column=X14_2))
    result = await stage.play(replace(case, also=(stale, fresh)))
    first, second = (play.result for play in result.plays if play.moment is Moment.ALSO)
    assert first is not None
    assert second is not None
    # Without a rule for the new name: 403; with one the name is looked for in the certificate.
    assert {step.status for step in first.red} == {403}
    assert {step.status for step in second.red} == {502}


async def test_two_stages_run_beside_each_other() -> None:
    async with Stage() as one, Stage() as other:
        results = await asyncio.gather(one.play(CASES[0]), other.play(CASES[1]))
    assert all(result.as_stated for result in results)
