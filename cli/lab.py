"""``mralab lab ACTION``: the estate, and parts of the lab that run by themselves.

Rules: one module for each action, ``cli/lab_ACTION.py``, with ``add_arguments`` and ``run`` as a
verb has them. All of these modules are loaded for one action, so they import at their top only
what is quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import argparse

    from mralab.cli.main import VerbModule

#: Each action and what it does in a few words. A new action is one line here and its module.
ACTIONS = {
    "init": "write an annotated estate file to begin with",
    "check": "list the faults of an estate file, or show the estate",
    "up": "run an estate until SIGTERM or Ctrl-C",
    "compose": "write a compose file that runs each machine of an estate in a container",
    "cert": "manage the certificates of a running lab's nodes",
    "node": "run the documented CUCM until SIGTERM or Ctrl-C",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments of each action."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for action, about in ACTIONS.items():
        # An action's own parser takes its sentence from the table unless it says more.
        described = actions.add_parser(
            action, help=about, description=about[0].upper() + about[1:] + "."
        )
        _module(action).add_arguments(described)


def run(args: argparse.Namespace) -> int:
    """Do what was asked."""
    return _module(args.action).run(args)


def _module(action: str) -> VerbModule:
    return cast("VerbModule", importlib.import_module(f"mralab.cli.lab_{action}"))
