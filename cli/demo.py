"""``mralab demo``: the documented case and its fixes, live on an embedded lab."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from mralab.cli.output import Exit, suggestion
from mralab.errors import ConfigError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from mralab.lab.embedded import EmbeddedLab
    from mralab.lab.present import Presenter
    from mralab.lab.scenario import Scenario, ScenarioResult


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
    """Play the scenarios; 1 if a step did not go as documented."""
    from mralab.lab.acts import SCENARIOS  # noqa: PLC0415 - not needed for --help

    if args.list:
        for scenario in SCENARIOS:
            print(f"{scenario.name:<12} {scenario.title}")
        return Exit.FINE
    return asyncio.run(_play(_chosen(SCENARIOS, args.scenario), args))


def _chosen(scenarios: Sequence[Scenario], names: Sequence[str]) -> list[Scenario]:
    known = {scenario.name: scenario for scenario in scenarios}
    for name in names:
        if name not in known:
            raise ConfigError(
                f"there is no scenario {name!r}",
                hint=suggestion(name, known) or "`mralab demo --list` lists them",
            )
    return [known[name] for name in names] or list(scenarios)


async def _play(scenarios: Sequence[Scenario], args: argparse.Namespace) -> int:
    from mralab.lab.embedded import EmbeddedLab  # noqa: PLC0415 - not needed for --help

    async with EmbeddedLab() as lab:
        return await play_in(lab, scenarios, args)


async def play_in(lab: EmbeddedLab, scenarios: Sequence[Scenario], args: argparse.Namespace) -> int:
    """Play scenarios in a running lab and show them; 1 if a step did not go as documented."""
    from mralab.lab.present import Presenter, as_json  # noqa: PLC0415 - not needed for --help
    from mralab.lab.scenario import Listener, play  # noqa: PLC0415

    began = time.monotonic()
    if args.json:
        results = await play(lab, scenarios, Listener())
        print(json.dumps(as_json(results, time.monotonic() - began), indent=2))
    else:
        presenter = Presenter(
            sys.stdout,
            pause=_wait_for_enter if args.pause else None,
            picture=args.svg is not None,
            brief=args.brief,
        )
        results = await play(lab, scenarios, presenter.listener())
        presenter.summary(results, time.monotonic() - began)
        if args.svg is not None:
            _write_picture(args.svg, presenter)
    return Exit.FINE if _all_as_documented(results) else Exit.FINDINGS


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
