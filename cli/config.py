"""``mralab config``: check settings, show those in force, write a sample."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mralab.cli.flags import add_setting_flags, flags_in
from mralab.cli.output import Exit, print_columns, print_json, printable
from mralab.cli.parsing import add_format
from mralab.config.faults import ConfigFault, ConfigFaults
from mralab.config.load import load_settings
from mralab.config.sample import render_sample, toml_text
from mralab.config.schema import SETTINGS
from mralab.errors import ConfigError

if TYPE_CHECKING:
    import argparse

    from mralab.config.settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    check = actions.add_parser("check", help="look for mistakes, also in the files that are named")
    show = actions.add_parser("show", help="print the settings in force and where each comes from")
    for action in (check, show):
        action.add_argument("file", nargs="?", type=Path, metavar="FILE", help="same as --config")
        add_setting_flags(action)
        add_format(action)
    init = actions.add_parser("init", help="write a sample file in which all is as by default")
    init.add_argument("file", nargs="?", type=Path, metavar="FILE", help="default: standard output")
    init.add_argument("--force", action="store_true", help="overwrite the file if it exists")


def run(args: argparse.Namespace) -> int:
    """Do what was asked."""
    if args.action == "init":
        return _init(args.file, force=args.force)
    if args.file is not None and args.config is not None:
        raise ConfigError("two files are named", hint="name it once, with --config or without")
    file = args.config or args.file
    if args.action == "check":
        return _check(file, args)
    return _show(file, args)


def _init(file: Path | None, *, force: bool) -> int:
    if file is None:
        print(render_sample(), end="")
        return Exit.FINE
    try:
        with file.open("w" if force else "x", encoding="utf-8") as stream:
            stream.write(render_sample())
    except FileExistsError as exc:
        raise ConfigError(f"{file} exists", hint="name another file, or add --force") from exc
    return Exit.FINE


def _check(file: Path | None, args: argparse.Namespace) -> int:
    faults: tuple[ConfigFault, ...] = ()
    warnings: tuple[str, ...] = ()
    try:
        warnings = _warnings(load_settings(file, flags_in(args)).settings)
    except ConfigFaults as exc:
        faults = exc.faults
    except ConfigError as exc:
        faults = (ConfigFault("", "", str(exc), exc.hint),)
    if args.format == "json":
        rows = [
            {"where": f.where, "key": f.key, "message": f.message, "hint": f.hint} for f in faults
        ]
        print_json({"ok": not faults, "faults": rows, "warnings": list(warnings)})
        return Exit.FINDINGS if faults else Exit.FINE
    for fault in faults:
        print(printable(f"{fault.where}: {fault.message}" if fault.where else fault.message))
        print(printable(f"  {fault.hint}"))
    for warning in warnings:
        print(printable(f"warning: {warning}"))
    if faults:
        return Exit.FINDINGS
    print("settings are fine")
    return Exit.FINE


def _warnings(settings: Settings) -> tuple[str, ...]:
    """Build all that a proxy builds of its settings, and return what is odd about it.

    Raises:
        ConfigError: something cannot be built.
    """
    from mralab.proxy.snapshot import Snapshot  # noqa: PLC0415 - only a check needs it

    return Snapshot(settings, 0, keylog=None).trust.warnings


def _show(file: Path | None, args: argparse.Namespace) -> int:
    loaded = load_settings(file, flags_in(args))
    rows = [
        (setting.key, setting.plain(loaded.settings), loaded.sources[setting.key])
        for setting in SETTINGS
    ]
    if args.format == "json":
        print_json([{"key": key, "value": value, "source": source} for key, value, source in rows])
    else:
        print_columns(
            (key, "not set" if value is None else toml_text(value), source)
            for key, value, source in rows
        )
    return Exit.FINE
