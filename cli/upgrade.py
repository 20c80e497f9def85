"""``mralab upgrade``: one estate, one login, every release: what the upgrade breaks."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mralab.cli.output import Exit, printable, suggestion
from mralab.errors import ConfigError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from mralab.config.estate import Estate, UserPlan
    from mralab.lab.upgrade import Column, UpgradeMatrix


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument(
        "estate", nargs="?", type=Path, metavar="FILE", help="the estate (default: the sample)"
    )
    parser.add_argument("--user", metavar="U", help="who logs in (default: the first user)")
    parser.add_argument(
        "--releases",
        metavar="LIST",
        help="columns with commas between them: X14.0.7,X14.2/fresh; a release alone means all "
        "its upgrade paths (default: all)",
    )
    parser.add_argument(
        "--format", choices=("text", "html", "json"), default="text", help="default: text"
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="write there instead")


def run(args: argparse.Namespace) -> int:
    """Log in under each release; 1 if a step is red in any."""
    from mralab.cli.login_estate import estate_name, read_estate  # noqa: PLC0415 - not for --help
    from mralab.lab.upgrade import COLUMNS, columns_of  # noqa: PLC0415 - as above

    columns = COLUMNS if args.releases is None else columns_of(args.releases)
    estate = read_estate(args.estate)
    user = _user(estate, args.user)
    if args.output is not None:
        _check_writable(args.output)
    matrix = asyncio.run(_run(estate, user, columns, estate_name(estate)))
    text = _render(matrix, args)
    if args.output is not None:
        _write(args.output, text)
    else:
        sys.stdout.write(text)
    return Exit.FINDINGS if matrix.red else Exit.FINE


async def _run(
    estate: Estate, user: UserPlan, columns: Sequence[Column], name: str
) -> UpgradeMatrix:
    from mralab.lab.estate import RunningEstate  # noqa: PLC0415 - slow to load
    from mralab.lab.upgrade import run_upgrade  # noqa: PLC0415 - as above

    watched = sys.stderr is not None and sys.stderr.isatty()

    def begins(column: Column) -> None:
        if watched:
            print(f"logging in under {column.title}", file=sys.stderr)

    async with RunningEstate(estate) as lab:
        for note in lab.notes:
            print(f"note: {printable(note)}", file=sys.stderr)
        return await run_upgrade(lab, user=user, columns=columns, name=name, begins=begins)


def _render(matrix: UpgradeMatrix, args: argparse.Namespace) -> str:
    """Return the report; on a terminal the text form has colours."""
    from mralab.lab import upgradereport  # noqa: PLC0415 - not needed for --help

    now = datetime.now(UTC)
    if args.format == "json":
        import json  # noqa: PLC0415 - only here

        return f"{json.dumps(upgradereport.matrix_json(matrix), indent=2)}\n"
    if args.format == "html":
        from mralab import __version__  # noqa: PLC0415 - only here

        return upgradereport.html_page(matrix, at=now, version=__version__)
    return upgradereport.text_of(matrix, at=now, like=None if args.output else sys.stdout)


def _user(estate: Estate, user_id: str | None) -> UserPlan:
    if user_id is None:
        return estate.users[0]
    user = estate.user(user_id)
    if user is None:
        known = [item.user_id for item in estate.users]
        raise ConfigError(
            f"the estate has no user {user_id!r}",
            hint=suggestion(user_id, known) or f"it has: {', '.join(known)}",
        )
    return user


def _check_writable(path: Path) -> None:
    """Tell before the run that a report cannot be written after it."""
    try:
        with path.open("ab"):
            pass
    except OSError as exc:
        raise ConfigError(f"--output {path}: {exc.strerror}", hint="name another file") from exc


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise ConfigError(f"--output {path}: {exc.strerror}", hint="name another file") from exc
