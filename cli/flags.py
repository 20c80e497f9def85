"""The flags that set settings, for ``serve`` and ``config``: one for each row of the schema."""

from __future__ import annotations

import argparse
from pathlib import Path

from mralab.config.schema import SETTINGS
from mralab.config.values import SWITCH


def add_setting_flags(parser: argparse.ArgumentParser) -> None:
    """Add ``--config`` and the flag of every setting that has one."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML file with settings.")
    for setting in SETTINGS:
        if not setting.flag:
            continue
        if setting.kind is SWITCH:
            parser.add_argument(
                setting.flag,
                dest=setting.key,
                action=argparse.BooleanOptionalAction,
                help=setting.about,
            )
        else:
            parser.add_argument(
                setting.flag,
                dest=setting.key,
                action="append" if setting.kind.repeated else "store",
                metavar=setting.kind.metavar or setting.kind.form,
                help=setting.about,
            )


def flags_in(args: argparse.Namespace) -> dict[str, object]:
    """Return the flags given, by schema key, ``None`` for those that were not."""
    given = vars(args)
    return {setting.key: given[setting.key] for setting in SETTINGS if setting.flag}
