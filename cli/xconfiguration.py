"""``mralab xconfiguration``: the product's command against a running proxy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mralab.cli.output import print_json, printable
from mralab.cli.parsing import add_format
from mralab.cli.running import add_proxy_choice, connect

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument(
        "word",
        nargs="*",
        metavar="WORD",
        help="EdgeConfigServer VerifyOriginServer: Off; without a value it reads, and without"
        " words it lists everything",
    )
    add_proxy_choice(parser)
    add_format(parser)


def run(args: argparse.Namespace) -> int:
    """Carry the command out and print the answer."""
    answer = connect(args).post_json("/xconfiguration", {"command": " ".join(args.word)})
    if args.format == "json":
        print_json(answer)
    else:
        for line in answer["lines"]:
            print(printable(line))
    return 0
