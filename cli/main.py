"""``mralab VERB ...``: finds the verb's module, loads that one only, and turns errors into lines.

Exit codes: 0 fine, 1 findings, 2 usage (flags, files and commands that are wrong), 3 could not run;
130 interrupted, 141 nobody reads our output. Results go to standard output, all else to standard
error. An error is what, where and what to do, never a traceback.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING, Protocol, cast

from mralab.cli.output import Exit, report, suggestion

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

#: Each verb: its module in this room, and what it does in a few words. A new verb is one line here.
VERBS = {
    "serve": "run the proxy",
    "config": "check, show or write settings",
    "decode": "say where an MRA path goes",
    "encode": "make an MRA path",
    "demo": "play the documented case and its fixes on an embedded lab",
    "lab": "describe an estate, check it and run it; or one CUCM by itself",
    "login": "walk the documented login step by step, through an estate or a running proxy",
    "scenario": "list, tell or play estates that are broken in one way, and what mends them",
    "upgrade": "run an estate's login under every release: what the upgrade breaks",
    "verify": "judge one live origin as each release would",
    "trust": "look at or change a trusted CA list",
    "xconfiguration": "the product's xConfiguration, for a running proxy",
    "xstatus": "the product's xStatus, for a running proxy",
}


class VerbModule(Protocol):
    """What the module of a verb offers."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Describe the verb's arguments."""
        ...

    def run(self, args: argparse.Namespace) -> int:
        """Do it; returns the exit code or raises an error of ours."""
        ...


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code.

    Args:
        argv: arguments without the program's name; those of the process if ``None``.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        # What we print can hold anything that a file or argument can hold.
        getattr(stream, "reconfigure", lambda **_: None)(errors="backslashreplace")
    try:
        code = _dispatch(arguments)
        if sys.stdout is not None:  # it is None if the caller closed it
            sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()
        return Exit.NO_READER
    except OSError as exc:
        _drop_output()
        report("mralab", f"{exc.filename or 'standard output'}: {exc.strerror or exc}", "")
        return Exit.COULD_NOT_RUN
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    return code


def _drop_output() -> None:
    """Give the interpreter a place for what standard output does not take, or it complains."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _dispatch(arguments: list[str]) -> int:
    verb = arguments[0] if arguments else ""
    if verb in {"-h", "--help"}:
        print(_usage())
        return Exit.FINE
    if verb == "--version":
        from mralab import __version__  # noqa: PLC0415 - quick start

        print(f"mralab {__version__}")
        return Exit.FINE
    if verb not in VERBS:
        what = f"there is no command {verb!r}" if verb else "no command given"
        report("mralab", what, suggestion(verb, VERBS) or "`mralab --help` lists them")
        return Exit.USAGE
    return _run_verb(verb, arguments[1:])


def _run_verb(verb: str, arguments: list[str]) -> int:
    from mralab.cli.parsing import parse  # noqa: PLC0415 - quick start
    from mralab.errors import ConfigError, MraLabError  # noqa: PLC0415

    program = f"mralab {verb}"
    module = cast("VerbModule", importlib.import_module(f"mralab.cli.{verb}"))
    try:
        args = parse(program, VERBS[verb], module.add_arguments, arguments)
    except SystemExit as exit_:  # argparse has printed its help or its error
        return exit_.code if isinstance(exit_.code, int) else Exit.USAGE
    try:
        return module.run(args)
    except ConfigError as exc:
        for fault in getattr(exc, "faults", (exc,)):
            report(program, str(fault), fault.hint)
        return Exit.USAGE
    except MraLabError as exc:
        report(program, str(exc), exc.hint)
        return Exit.COULD_NOT_RUN


def _usage() -> str:
    lines = [
        "usage: mralab COMMAND [ARGUMENTS]",
        "       mralab COMMAND --help",
        "       mralab --version",
        "",
    ]
    lines += ["A lab stand-in for the Expressway-C traffic server. Commands:", ""]
    width = max(map(len, VERBS))
    lines += [f"  {verb:{width}}  {about}" for verb, about in VERBS.items()]
    return "\n".join(lines)
