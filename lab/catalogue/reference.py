"""Print the reference page of the scenarios: ``python -m mralab.lab.catalogue.reference``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from mralab.lab.catalogue.cases import CASES, THEMES
from mralab.lab.catalogue.model import Moment
from mralab.lab.catalogue.told import (
    answers_of,
    fix_text,
    lines_of,
    outcome_of,
    release_of,
    seen_of,
)
from mralab.lab.loginresult import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mralab.lab.catalogue.model import Case, Play

_HEAD: Final = """\
# Scenarios

<!-- Made by `python -m mralab.lab.catalogue.reference`; a test holds it against the code. -->

Estates that are broken in one way each, as the field meets them. `mralab scenario list` names them,
`show NAME` tells one, `run NAME` plays it: a real login through Expressway-E, Expressway-C and the
traffic server to simulated nodes, before, where it bites, and after the fix. `run --all` plays all.
What is stated here is compared with what happens, line by line; any difference is exit code 1.

All begin with one sound estate: that of Cisco 218018 made whole, with every certificate signed by
`steven-DC-CA` or by the intermediate `steven-Issuing-CA` below it, both in the trusted CA list.
Whatever is not said to be red is green. Each WARNING and ERROR line comes once for each of the two
attempts. *Stock Traffic Server* is the release `ats`, shown where the difference tells something.
A *source* is a public document that tells of the case; where none is named, there is none, and what
the product shows may differ.

`--json` prints schema `mralab-scenarios-1`: `scenarios`, each with `name`, `title`, `story`,
`lesson`, `source`, `fix` and `plays`. A play has `moment` (before, where it bites, also, after the
fix), `release`, `upgrade_path`, `said` and `stated`: `outcome`, `refused` (steps, status, phrase,
verdict, reason, certificate, attempts), `not_asked`, `discovery_failures`, `log`. `run` adds
`as_stated` and `seconds`, and to each play `as_stated`, `differences`, `outcome`,
`discovery_failures` and `red`: the steps as in [login.schema.json](login.schema.json).

"""


def render_reference() -> str:
    """Return the page."""
    return "".join(f"{line}\n" for line in _lines())


def _lines() -> Iterator[str]:
    yield from _HEAD.splitlines()
    yield "| scenario | bites on | what the user sees | |"
    yield "|---|---|---|---|"
    for case in CASES:
        bites = case.bites
        yield (
            f"| [{case.name}](#{case.name}) | {release_of(bites.column)} | "
            f"{outcome_of(bites.expected)} | {case.title} |"
        )
    for theme, cases in THEMES.items():
        yield ""
        yield f"## {theme}"
        for case in cases:
            yield ""
            yield from _case(case)


def _case(case: Case) -> Iterator[str]:
    yield f"### {case.name}"
    yield ""
    yield f"**{case.title}.** {case.story}"
    yield ""
    for moment, play in case.moments:
        yield from _play(case, moment, play)
    yield ""
    yield f"*Fix.* {fix_text(case.fix)}"
    yield ""
    yield f"*Lesson.* {case.lesson}"
    if case.source:
        yield ""
        yield f"*Source.* {case.source}."


def _play(case: Case, moment: Moment, play: Play) -> Iterator[str]:
    expected = play.expected
    said = f" {play.said}" if play.said and moment is not Moment.MENDED else ""
    outcome = "green" if expected.outcome is Outcome.FINE else f"**{outcome_of(expected)}**"
    yield f"- {moment.value}, {release_of(play.column)}: {outcome}.{said}"
    for failure in expected.discovery:
        yield f"  - discovery: {failure}"
    for steps, answer in answers_of(expected):
        yield f"  - {steps}: `{answer.partition(' (')[0]}`{_behind(answer)}"
    for item in expected.presented:
        yield f"  - {seen_of(item)}"
    lines = lines_of(case, play)
    if lines:
        yield ""
        yield "  ```text"
        yield from (f"  {line}" for line in lines)
        yield "  ```"
        yield ""


def _behind(answer: str) -> str:
    return f" ({answer.partition(' (')[2]}" if " (" in answer else ""


if __name__ == "__main__":
    sys.stdout.write(render_reference())
