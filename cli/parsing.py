"""Argument parsing: argparse with our error lines and a suggestion for a flag it does not know."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, NoReturn

from mralab.cli.output import Exit, report, suggestion

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_FLAG = re.compile(r"--[a-z][a-z-]*")


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are ours; flags may not be shortened."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        """Take what ArgumentParser takes."""
        kwargs.setdefault("allow_abbrev", False)
        # argparse makes parsers of sub-commands by this signature; ours passes it on unseen.
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # reason: as above

    def error(self, message: str) -> NoReturn:
        """Report a usage error and exit."""
        report(self.prog, message, f"`{self.prog} --help` shows how")
        self.exit(Exit.USAGE)


def parse(
    program: str,
    about: str,
    describe: Callable[[argparse.ArgumentParser], None],
    arguments: Sequence[str],
) -> argparse.Namespace:
    """Parse the arguments of one verb.

    Raises:
        SystemExit: help was asked for, or the arguments are wrong; it is printed already.
    """
    parser = Parser(prog=program, description=about[0].upper() + about[1:] + ".")
    describe(parser)
    args, rest = parser.parse_known_args(arguments)
    if rest:
        known = _FLAG.findall(parser.format_help())
        near = suggestion(rest[0].partition("=")[0], known)
        report(program, f"unknown argument {rest[0]!r}", near or f"`{program} --help` shows how")
        parser.exit(Exit.USAGE)
    return args


def add_format(parser: argparse.ArgumentParser) -> None:
    """Add ``--format text|json``."""
    parser.add_argument(
        "--format", choices=("text", "json"), default="text", help="how to print (default: text)"
    )
