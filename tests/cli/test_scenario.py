"""``mralab scenario``: what it prints, and that it exits with 1 when something is not as stated."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mralab.cli import scenario
from mralab.cli.main import main
from mralab.lab.catalogue.cases import CASES, find_case
from mralab.lab.catalogue.edit import SOUND

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.cli.conftest import Ran

    from mralab.lab.catalogue.model import Case

    Run = Callable[..., Ran]

WARNING = "WARNING: SNI (10.48.36.215) not in certificate. Action=Terminate"


def _case(name: str) -> Case:
    case = find_case(name)
    assert case is not None
    return case


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def test_list_names_every_case_with_where_it_bites(run: Run) -> None:
    ran = run("scenario", "list")
    assert ran.code == 0
    rows = [line.split()[:2] for line in ran.out.splitlines()]
    assert rows == [[case.name, case.bites.column.title] for case in CASES]


def test_list_as_json_tells_all_that_is_stated(run: Run) -> None:
    ran = run("scenario", "list", "--json")
    assert ran.json["schema"] == "mralab-scenarios-1"
    assert [item["name"] for item in ran.json["scenarios"]] == [case.name for case in CASES]
    first = ran.json["scenarios"][0]
    assert [play["moment"] for play in first["plays"]] == [
        "before",
        "where it bites",
        "after the fix",
    ]
    stated = first["plays"][1]["stated"]
    assert stated["outcome"] == "login-fails"
    assert stated["refused"][0]["asked_by_expressway_c"] == "the user's home cluster"
    assert stated["log"][0].startswith(WARNING)


def test_show_tells_story_lines_fix_and_lesson_without_playing_anything(run: Run) -> None:
    case = _case("advertised-by-address")
    ran = run("scenario", "show", case.name)
    assert ran.code == 0
    text = _plain(ran.out)
    for expected in (
        case.title,
        case.story,
        case.lesson,
        case.fix.what,
        case.fix.where,
        WARNING,
        "before: X14.0.7",
        "where it bites: X14.2, fresh installation",
        "the edge configuration: 502 connect failed (Expressway-C asks for the user's home",
        "user sees the login fails",
    ):
        assert expected in text, expected
    assert "✔" not in text
    assert "\x1b" not in ran.out
    assert not re.search(r" \n", ran.out)


def test_every_case_can_be_shown(run: Run) -> None:
    for case in CASES:
        shown = _plain(run("scenario", "show", case.name).out)
        for _, play in case.moments:
            assert play.said in shown or play is case.moments[-1][1]
            for failure in play.expected.discovery:
                assert f"discovery {failure}" in shown


def test_a_play_with_failed_discovery_and_things_presented_shows_both(run: Run) -> None:
    text = _plain(run("scenario", "run", "discovery-failed-403", "sha1-passes").out)
    assert "discovery cuc.steven.lab: Failed: TLS verification failed" in text
    assert "presented the user, from cucm-sub.steven.lab: sha1WithRSAEncryption, accepted" in text
    assert "2 scenarios, 6 logins: each went as stated" in text


def test_all_plays_every_case(monkeypatch: pytest.MonkeyPatch) -> None:
    played: list[str] = []

    async def note(cases: Sequence[Case], *, as_json: bool) -> int:
        played.extend(case.name for case in cases)
        return 1 if as_json else 0

    monkeypatch.setattr(scenario, "play_cases", note)
    assert main(["scenario", "run", "--all", "--json"]) == 1
    assert played == [case.name for case in CASES]


def test_show_as_json_is_that_case(run: Run) -> None:
    assert run("scenario", "show", "node-down", "--json").json["name"] == "node-down"


def test_run_shows_what_was_asked_met_and_logged_and_exits_with_0(run: Run) -> None:
    ran = run("scenario", "run", "advertised-by-address")
    assert ran.code == 0, ran.out
    text = _plain(ran.out)
    for expected in (
        "✔ before: X14.0.7",
        "✔ where it bites: X14.2, fresh installation",
        "✔ after the fix: X14.2, fresh installation",
        "asked https://10.48.36.215:8443/cucm-uds/clusterUser?username=emusk (by Expressway-C",
        "met cucm.steven.lab, uds: tomcat (CN=cucm-ms.steven.lab, RSA 2048), refused",
        "the node got alert 80",
        "CN=steven-DC-CA (not sent)",
        WARNING,
        "not asked the user's home cluster",
        "1 scenario, 3 logins: each went as stated",
    ):
        assert expected in text, expected
    assert "✘" not in text
    assert "\x1b" not in ran.out


def test_run_as_json_has_the_red_steps_as_they_were(run: Run) -> None:
    ran = run("scenario", "run", "node-down", "wrong-password", "node-down", "--json")
    assert ran.code == 0
    assert ran.json["as_stated"] is True
    down, password = ran.json["scenarios"]  # a name given twice is played once
    assert (down["name"], password["name"]) == ("node-down", "wrong-password")
    bites = next(play for play in down["plays"] if play["moment"] == "where it bites")
    assert (bites["as_stated"], bites["differences"]) == (True, [])
    assert [step["status"] for step in bites["red"]] == [502]
    assert bites["red"][0]["met"]["reason"] == "connect-refused"
    assert [play["release"] for play in down["plays"]] == ["X14.2"] * 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run",), "no scenario is named"),
        (("run", "--all", "node-down"), "exclude each other"),
        (("run", "node-dwon"), "did you mean node-down?"),
        (("show", "xyz"), "`mralab scenario list` names them"),
        (("show",), "NAME"),
        ((), "ACTION"),
        (("play",), "play"),
    ],
    ids=["no name", "names and all", "near", "far", "show nothing", "no action", "no such action"],
)
def test_wrong_arguments_are_said_and_exit_with_2(
    run: Run, arguments: tuple[str, ...], said: str
) -> None:
    ran = run("scenario", *arguments)
    assert ran.code == 2
    assert said in ran.err
    assert ran.out == ""


async def test_a_case_without_its_cause_exits_with_1_and_names_moment_and_step(
    capsys: pytest.CaptureFixture[str],
) -> None:
    case = _case("imp-self-signed")
    case = replace(case, estate=SOUND, before=None)
    assert await scenario.play_cases([case], as_json=False) == 1
    text = _plain(capsys.readouterr().out)
    assert "✘ where it bites: X14.2, fresh installation" in text
    assert "Not as stated:" in text
    named = "imp-self-signed, where it bites, X14.2, fresh installation"
    assert f"{named}: the IM and Presence login: it is green" in text


async def test_and_in_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    case = replace(_case("imp-self-signed"), estate=SOUND, before=None)
    assert await scenario.play_cases([case], as_json=True) == 1
    result = json.loads(capsys.readouterr().out)
    assert result["as_stated"] is False
    bites, mended = result["scenarios"][0]["plays"]
    assert "the IM and Presence login: it is green" in bites["differences"]
    assert mended["as_stated"] is True


async def test_a_red_step_that_nobody_stated_is_shown_with_what_it_met(
    capsys: pytest.CaptureFixture[str],
) -> None:
    case = _case("imp-self-signed")
    mended = replace(case.fix, estate=case.estate)
    assert await scenario.play_cases([replace(case, fix=mended)], as_json=False) == 1
    text = _plain(capsys.readouterr().out)
    assert "✘ after the fix" in text
    assert text.count("asked https://imp.steven.lab:8443/") == 2


async def test_a_case_that_cannot_be_played_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    case = replace(_case("node-down"), user="nobody")
    assert await scenario.play_cases([case], as_json=False) == 1
    assert "it could not be played: the estate has no user 'nobody'" in _plain(
        capsys.readouterr().out
    )
