"""``mralab scenario``: the catalogue of broken estates: list it, tell a case, play it for real."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING

from mralab.cli.output import Exit, print_columns, print_json, printable, suggestion
from mralab.errors import ConfigError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from mralab.lab.catalogue.model import Case
    from mralab.lab.catalogue.play import CaseResult
    from mralab.lab.page import Page


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="name them all, with where each one bites")
    showing = actions.add_parser("show", help="tell one: story, what is to be seen, fix, lesson")
    showing.add_argument("name", metavar="NAME")
    playing = actions.add_parser(
        "run", help="play them: real logins before, where it bites, and after the fix"
    )
    playing.add_argument("names", nargs="*", metavar="NAME")
    playing.add_argument("--all", action="store_true", help="play every one")
    for action in (listing, showing, playing):
        action.add_argument("--json", action="store_true", help="print JSON only")


def run(args: argparse.Namespace) -> int:
    """Do it; 1 if a scenario did not go as it is stated."""
    from mralab.lab.catalogue.cases import CASES  # noqa: PLC0415 - not needed for --help

    if args.action == "list":
        _list(CASES, as_json=args.json)
        return Exit.FINE
    if args.action == "show":
        _show(_chosen(CASES, [args.name])[0], as_json=args.json)
        return Exit.FINE
    if args.all == bool(args.names):
        what = "names and --all exclude each other" if args.all else "no scenario is named"
        raise ConfigError(what, hint="name some (`mralab scenario list`), or give --all")
    cases = list(CASES) if args.all else _chosen(CASES, args.names)
    return asyncio.run(play_cases(cases, as_json=args.json))


def _list(cases: Sequence[Case], *, as_json: bool) -> None:
    if as_json:
        from mralab.lab.catalogue.show import cases_json  # noqa: PLC0415 - only here

        print_json(cases_json(cases))
        return
    print_columns((case.name, case.bites.column.title, case.title) for case in cases)


def _show(case: Case, *, as_json: bool) -> None:
    from mralab.lab.catalogue.show import case_json, show_case  # noqa: PLC0415 - only here

    if as_json:
        print_json(case_json(case))
        return
    show_case(_page(), case)


def _page() -> Page:
    from mralab.lab.page import Page  # noqa: PLC0415 - JSON does without

    return Page(sys.stdout)


def _chosen(cases: Sequence[Case], names: Sequence[str]) -> list[Case]:
    known = {case.name: case for case in cases}
    for name in names:
        if name not in known:
            raise ConfigError(
                f"there is no scenario {name!r}",
                hint=suggestion(name, known) or "`mralab scenario list` names them",
            )
    return [known[name] for name in dict.fromkeys(names)]


async def play_cases(cases: Sequence[Case], *, as_json: bool) -> int:
    """Play cases in order and show them; 1 if one did not go as it is stated."""
    from mralab.lab.catalogue import show  # noqa: PLC0415 - not needed for --help
    from mralab.lab.catalogue.play import Stage  # noqa: PLC0415

    began = time.monotonic()
    page = None if as_json else _page()
    results: list[CaseResult] = []
    async with Stage() as stage:
        for number, case in enumerate(cases, 1):
            if page is None:
                results.append(await stage.play(case))
            else:
                show.show_story(page, case, number)
                results.append(
                    await stage.play(case, done=lambda result: show.show_play(page, result))
                )
                show.show_lesson(page, case)
        for note in stage.notes:
            print(f"note: {printable(note)}", file=sys.stderr)
    seconds = time.monotonic() - began
    if page is None:
        print_json(show.results_json(results, seconds))
    else:
        show.show_summary(page, results, seconds)
    as_stated = all(result.as_stated for result in results)
    return Exit.FINE if as_stated else Exit.FINDINGS
