"""How cases look: as told, as played, and as JSON.

Results come as values and are only shown here. Log lines are shown whole.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from rich.text import Text

from mralab.diagnostics.chain import draw_chain
from mralab.lab.catalogue.compare import culprit_of, tls_lines
from mralab.lab.catalogue.model import Moment
from mralab.lab.catalogue.told import (
    answers_of,
    joined,
    lines_of,
    outcome_of,
    release_of,
    seen_of,
)
from mralab.lab.loginreport import met_text, step_json
from mralab.lab.loginresult import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mralab.lab.catalogue.model import Case, Play, Refused
    from mralab.lab.catalogue.play import CaseResult, PlayResult
    from mralab.lab.loginresult import LoginResult, Met
    from mralab.lab.page import Page

JSON_SCHEMA: Final = "mralab-scenarios-1"


# -- as told


def show_case(page: Page, case: Case, number: int = 0) -> None:
    """Print all that is stated of a case.

    Args:
        page: where.
        case: which.
        number: before its title; 0 is none.
    """
    show_story(page, case, number)
    for moment, play in case.moments:
        outcome = outcome_of(play.expected)
        _show_head(page, moment, play, Text("  "), outcome, red=bool(play.expected.refused))
        _show_stated(page, case, play)
    show_lesson(page, case)


def show_story(page: Page, case: Case, number: int = 0) -> None:
    """Print title and story."""
    page.heading(f"{number}  {case.title}" if number else case.title)
    page.line("scenario", case.name)
    page.line("story", case.story)


def show_lesson(page: Page, case: Case) -> None:
    """Print fix, lesson and source."""
    fix = case.fix
    page.print("")
    page.line("fix", fix.what, "green")
    page.line("", fix.where, "green")
    if fix.restart:
        page.line("product", f"Afterwards: {fix.restart}.", "italic")
    page.line("lesson", case.lesson, "bold")
    if case.source:
        page.line("source", case.source, "dim")


def _show_stated(page: Page, case: Case, play: Play) -> None:
    expected = play.expected
    for failure in expected.discovery:
        page.line("discovery", failure, "yellow")
    for steps, answer in answers_of(expected):
        page.line("red", f"{steps}: {answer}", "yellow")
    if expected.not_asked:
        page.line("not asked", joined(expected.not_asked), "dim")
    for item in expected.presented:
        page.line("presented", seen_of(item))
    for number, line in enumerate(lines_of(case, play)):
        page.line("" if number else "log", line, "bold yellow")


def _show_head(
    page: Page, moment: Moment, play: Play, mark: Text, outcome: str, *, red: bool
) -> None:
    page.print("")
    head = mark
    head.append(f"{moment.value}: ", "bold")
    head.append(release_of(play.column), "bold")
    page.print(head)
    if play.said and moment is not Moment.MENDED:
        page.line("", play.said)
    if outcome:
        page.line("user sees", outcome, "bold yellow" if red else "green")


# -- as played


def show_play(page: Page, result: PlayResult) -> None:
    """Print what one play came to."""
    mark = Text("  ")
    mark.append("✘ " if result.faults else "✔ ", "bold red" if result.faults else "bold green")
    play, login = result.play, result.result
    red = bool(login and login.red)
    outcome = "" if login is None else login.text if red else Outcome.FINE.text.partition(":")[0]
    _show_head(page, result.moment, play, mark, outcome, red=red)
    for failure in result.discovery:
        page.line("discovery", failure, "yellow")
    if login is not None:
        _show_red(page, play, login)
        for item in play.expected.presented:
            page.line("presented", seen_of(item))
    for fault in result.faults:
        page.line("stated", fault, "bold red")


def _show_red(page: Page, play: Play, login: LoginResult) -> None:
    groups = {title: group for group in play.expected.refused for title in group.steps}
    shown: set[int] = set()
    for step in login.red:
        group = groups.get(step.title)
        if not step.asked or id(group) in shown:
            continue
        if group is not None:
            shown.add(id(group))
        steps = joined(group.steps) if group else step.title
        answer = f"{step.status} {step.phrase}".rstrip() if step.status else step.fault
        page.line("red", f"{steps}: {answer}", "yellow")
        culprit = culprit_of(step, group) if group else step
        if culprit is not None:
            _show_culprit(page, culprit.url, culprit.met, own=culprit is not step)
    not_asked = [step.title for step in login.red if not step.asked]
    if not_asked:
        page.line("not asked", joined(not_asked), "dim")


def _show_culprit(page: Page, url: str, met: Met | None, *, own: bool) -> None:
    page.line("asked", f"{url} (by Expressway-C itself)" if own else url)
    if met is None:
        return
    if met.node:
        page.line("met", met_text(met))
    for line in draw_chain(met.chain, at=datetime.now(UTC)):
        page.line("", line, "cyan")
    for number, line in enumerate(dict.fromkeys(tls_lines(met))):
        page.line("" if number else "log", line, "bold yellow")


def show_summary(page: Page, results: Sequence[CaseResult], seconds: float) -> None:
    """Say how it went, naming everything that went otherwise."""
    plays = sum(len(result.plays) for result in results)
    green = all(result.as_stated for result in results)
    if green:
        word = "scenario" if len(results) == 1 else "scenarios"
        text = f"{len(results)} {word}, {plays} logins: each went as stated ({seconds:.1f} s)."
    else:
        text = "Not as stated:"
    page.verdict(text, green=green)
    for result in results:
        for play in result.plays:
            where = f"{result.case.name}, {play.moment.value}, {release_of(play.play.column)}"
            for fault in play.faults:
                page.line("", f"{where}: {fault}", "red")


# -- JSON


def cases_json(cases: Sequence[Case]) -> dict[str, object]:
    """Return what is stated of cases as plain values."""
    return {"schema": JSON_SCHEMA, "scenarios": [case_json(case) for case in cases]}


def results_json(results: Sequence[CaseResult], seconds: float) -> dict[str, object]:
    """Return a run as plain values."""
    return {
        "schema": JSON_SCHEMA,
        "as_stated": all(result.as_stated for result in results),
        "seconds": round(seconds, 3),
        "scenarios": [_result_json(result) for result in results],
    }


def case_json(case: Case) -> dict[str, object]:
    """Return what is stated of one case as plain values."""
    return {
        "name": case.name,
        "title": case.title,
        "story": case.story,
        "lesson": case.lesson,
        "source": case.source,
        "fix": {"what": case.fix.what, "where": case.fix.where, "restart": case.fix.restart},
        "plays": [_play_json(case, moment, play) for moment, play in case.moments],
    }


def _play_json(case: Case, moment: Moment, play: Play) -> dict[str, object]:
    path = play.column.path
    return {
        "moment": moment.value,
        "release": play.column.release.value,
        "upgrade_path": None if path is None else path.value,
        "said": play.said,
        "stated": {
            "outcome": play.expected.outcome.value,
            "discovery_failures": list(play.expected.discovery),
            "refused": [_refused_json(group) for group in play.expected.refused],
            "not_asked": list(play.expected.not_asked),
            "log": list(lines_of(case, play)),
        },
    }


def _refused_json(group: Refused) -> dict[str, object]:
    return {
        "steps": list(group.steps),
        "status": group.status,
        "phrase": group.phrase,
        "verdict": group.verdict.value,
        "reason": None if group.reason is None else group.reason.value,
        "certificate": group.certificate,
        "asked_by_expressway_c": group.asked,
        "attempts": group.attempts,
    }


def _result_json(result: CaseResult) -> dict[str, object]:
    plays = []
    for play in result.plays:
        login = play.result
        plays.append(
            {
                **_play_json(result.case, play.moment, play.play),
                "as_stated": not play.faults,
                "differences": list(play.faults),
                "outcome": None if login is None else login.outcome.value,
                "discovery_failures": list(play.discovery),
                "red": [] if login is None else [step_json(step) for step in login.red],
            }
        )
    return {**case_json(result.case), "as_stated": result.as_stated, "plays": plays}
