"""``mralab demo``: the documented case and its fixes, then the whole estate by releases."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from mralab.cli.output import Exit, printable, suggestion
from mralab.errors import ConfigError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from mralab.config.estate import Estate
    from mralab.lab.embedded import EmbeddedLab
    from mralab.lab.present import Presenter
    from mralab.lab.scenario import Scenario, ScenarioResult
    from mralab.lab.secondact import Releases


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("--list", action="store_true", help="list the scenarios and end")
    parser.add_argument(
        "--scenario",
        action="append",
        default=[],
        metavar="NAME",
        help="play this one only; may be given several times",
    )
    parser.add_argument(
        "--pause", action="store_true", help="wait for Enter before each scenario, for speaking"
    )
    parser.add_argument(
        "--brief", action="store_true", help="of each log line show only what matters"
    )
    parser.add_argument("--json", action="store_true", help="print the results as JSON only")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="also write a picture of it")


def run(args: argparse.Namespace) -> int:
    """Play the scenarios and the second act; 1 if a step did not go as documented."""
    from mralab.lab.acts import SCENARIOS  # noqa: PLC0415 - not needed for --help
    from mralab.lab.secondact import NAME, TITLE  # noqa: PLC0415 - as above

    if args.list:
        for name, title in (*((item.name, item.title) for item in SCENARIOS), (NAME, TITLE)):
            print(f"{name:<12} {title}")
        return Exit.FINE
    scenarios, second = _chosen(SCENARIOS, args.scenario, second=NAME)
    return asyncio.run(_play(scenarios, args, second=second))


def _chosen(
    scenarios: Sequence[Scenario], names: Sequence[str], *, second: str
) -> tuple[list[Scenario], bool]:
    """Return the scenarios of the first act that are wanted, and whether the second one is."""
    known = {scenario.name: scenario for scenario in scenarios}
    for name in names:
        if name not in {*known, second}:
            raise ConfigError(
                f"there is no scenario {name!r}",
                hint=suggestion(name, {*known, second}) or "`mralab demo --list` lists them",
            )
    if not names:
        return list(scenarios), True
    return [known[name] for name in names if name in known], second in names


async def _play(scenarios: Sequence[Scenario], args: argparse.Namespace, *, second: bool) -> int:
    from mralab.lab.embedded import EmbeddedLab  # noqa: PLC0415 - not needed for --help

    if not scenarios:
        return await play_in(None, scenarios, args, second=second)
    async with EmbeddedLab() as lab:
        return await play_in(lab, scenarios, args, second=second)


async def play_in(
    lab: EmbeddedLab | None,
    scenarios: Sequence[Scenario],
    args: argparse.Namespace,
    *,
    second: bool = False,
    estate: Estate | None = None,
) -> int:
    """Play and show; 1 if a step did not go as documented.

    Args:
        lab: where the scenarios are played; None if there are none.
        scenarios: of the first act.
        args: how to show it.
        second: whether the second act follows.
        estate: the second act's, instead of the sample.
    """
    from mralab.lab.present import Presenter, as_json  # noqa: PLC0415 - not needed for --help

    began = time.monotonic()
    presenter = None
    if not args.json:
        presenter = Presenter(
            sys.stdout,
            pause=_wait_for_enter if args.pause else None,
            picture=args.svg is not None,
            brief=args.brief,
        )
    results = () if lab is None else await _first_act(lab, scenarios, presenter)
    releases = await _second_act(estate, presenter) if second else None
    seconds = time.monotonic() - began
    if presenter is None:
        print(json.dumps(as_json(results, seconds, releases), indent=2))
    else:
        presenter.summary(results, seconds, releases)
        if args.svg is not None:
            _write_picture(args.svg, presenter)
    as_documented = _all_as_documented(results) and not (releases and releases.faults)
    return Exit.FINE if as_documented else Exit.FINDINGS


async def _first_act(
    lab: EmbeddedLab, scenarios: Sequence[Scenario], presenter: Presenter | None
) -> Sequence[ScenarioResult]:
    from mralab.lab.scenario import Listener, play  # noqa: PLC0415 - not needed for --help

    return await play(lab, scenarios, Listener() if presenter is None else presenter.listener())


async def _second_act(estate: Estate | None, presenter: Presenter | None) -> Releases:
    from mralab.lab.secondact import play_releases  # noqa: PLC0415 - not needed for --help

    if presenter is not None:
        presenter.second_act_begins()
    releases = await play_releases(estate)
    for note in releases.notes:
        print(f"note: {printable(note)}", file=sys.stderr)
    if presenter is not None:
        presenter.releases(releases)
    return releases


def _all_as_documented(results: Sequence[ScenarioResult]) -> bool:
    return all(result.as_documented for result in results)


def _wait_for_enter() -> None:
    print("\n    [Enter] goes on", end="", file=sys.stderr, flush=True)
    sys.stdin.readline()


def _write_picture(path: Path, presenter: Presenter) -> None:
    try:
        path.write_text(presenter.svg("mralab demo"), encoding="utf-8")
    except OSError as exc:
        raise ConfigError(f"picture {path}: {exc.strerror or exc}") from exc
