"""``mralab xstatus``: a running proxy's state in the product's form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mralab.cli.output import print_json
from mralab.cli.parsing import add_format
from mralab.cli.running import add_proxy_choice, connect
from mralab.config.xstatus import render_status

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument(
        "word", nargs="*", metavar="WORD", help="only paths that begin with these words"
    )
    add_proxy_choice(parser)
    add_format(parser)


def run(args: argparse.Namespace) -> int:
    """Print the status."""
    status = connect(args).get("/status")
    if args.format == "json":
        print_json(status)
    else:
        words = [word for text in args.word for word in text.split()]
        for line in render_status({"traffic_server": status}, words):
            print(line)
    return 0
