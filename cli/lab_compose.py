"""``mralab lab compose``: a compose file that runs each machine of an estate in a container."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from mralab.cli.output import Exit
from mralab.errors import ConfigError

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.description = (
        "Write a compose file for an estate: one container a machine, each at its real address in "
        "one network. The image is built from this project's Dockerfile."
    )
    parser.add_argument(
        "file",
        nargs="?",
        type=Path,
        metavar="FILE",
        help="the estate file (default: the sample of `mralab lab init`)",
    )
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="where to write it (default: standard output)"
    )
    parser.add_argument("--force", action="store_true", help="overwrite the file if it exists")


def run(args: argparse.Namespace) -> int:
    """Write it."""
    from mralab.cli.login_estate import read_estate  # noqa: PLC0415 - not needed for --help
    from mralab.lab.compose import compose_file  # noqa: PLC0415 - as above

    estate = read_estate(args.file)
    # An absolute path, so that the compose file may lie anywhere.
    text = compose_file(estate, file=str(args.file.resolve()) if args.file else "")
    if args.output is None:
        print(text, end="")
        return Exit.FINE
    try:
        # For its owner only: the client's password stands in it.
        mode = "w" if args.force else "x"
        with open(args.output, mode, encoding="utf-8", opener=_private) as stream:
            stream.write(text)
    except FileExistsError as exc:
        raise ConfigError(
            f"{args.output} exists", hint="name another file, or add --force"
        ) from exc
    except OSError as exc:
        raise ConfigError(
            f"{args.output} cannot be written: {exc.strerror}", hint="name another place"
        ) from exc
    print(f"wrote {args.output}; `docker-compose --file {args.output} up --build` starts it")
    return Exit.FINE


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
