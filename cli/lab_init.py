"""``mralab lab init``: write an annotated estate file to begin with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mralab.cli.output import Exit
from mralab.errors import ConfigError

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.description = (
        "Write the estate of Cisco 218018 as an annotated TOML file: change it into yours."
    )
    parser.add_argument(
        "file", nargs="?", default="-", metavar="FILE", help="default, and -: standard output"
    )
    parser.add_argument("--force", action="store_true", help="overwrite the file if it exists")


def run(args: argparse.Namespace) -> int:
    """Write it."""
    from mralab.config.estatesample import SAMPLE  # noqa: PLC0415 - not needed for --help

    if args.file == "-":
        print(SAMPLE, end="")
        return Exit.FINE
    _write(Path(args.file), SAMPLE, force=args.force)
    print(f"wrote {args.file}; `mralab lab check {args.file}` checks it")
    return Exit.FINE


def _write(file: Path, text: str, *, force: bool) -> None:
    try:
        with file.open("w" if force else "x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError as exc:
        raise ConfigError(f"{file} exists", hint="name another file, or add --force") from exc
    except (OSError, ValueError) as exc:
        why = (exc.strerror or str(exc)) if isinstance(exc, OSError) else "not a possible path"
        raise ConfigError(f"{file} cannot be written: {why}", hint="name another place") from exc
