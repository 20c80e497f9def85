"""``mralab encode``: from an origin to the MRA path that names it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mralab.cli.output import print_json
from mralab.cli.parsing import add_format
from mralab.errors import ConfigError, RouteError
from mralab.origin.route import encode_segment, split_target

if TYPE_CHECKING:
    import argparse

_URL = re.compile(r"(https?)://(\[[^\]/]*\]|[^:/?#]+)(?::([0-9]{1,5}))?([/?][^#]*)?", re.IGNORECASE)
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_HINT = "write DOMAIN URL, or DOMAIN/PROTOCOL/HOST/PORT, or the four parts as words"
_PORT = re.compile(r"[0-9]{1,5}")
_PARTS = 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument(
        "part",
        nargs="+",
        metavar="PART",
        help="DOMAIN URL (the URL's path is kept), or DOMAIN/PROTOCOL/HOST/PORT, or these as words",
    )
    add_format(parser)


def run(args: argparse.Namespace) -> int:
    """Print the path."""
    try:
        segment, rest = encode(args.part)
    except RouteError as exc:
        raise ConfigError(str(exc), hint=exc.hint or _HINT) from exc
    if args.format == "json":
        print_json({"segment": segment, "path": f"/{segment}{rest}"})
    else:
        print(f"/{segment}{rest}" if rest else segment)
    return 0


def encode(parts: list[str]) -> tuple[str, str]:
    """Return the segment for an origin, and the path of its URL, "" if none was given.

    Args:
        parts: ``DOMAIN URL``, or ``DOMAIN PROTOCOL HOST PORT`` with blanks or slashes between.

    Raises:
        RouteError: the parts do not make a route, or the URL's path cannot be requested.
    """
    match parts:
        case [domain, url] if "://" in url:
            found = _URL.fullmatch(url)
            if found is None:
                raise RouteError(f"{url!r} is not an http URL")
            scheme, host, port, rest = found.groups()
            scheme = scheme.lower()
            port = port or _DEFAULT_PORTS[scheme]
        case _:
            words = "/".join(parts).split("/")
            if len(words) != _PARTS:
                raise RouteError(f"{' '.join(parts)!r} is not a domain, protocol, host and port")
            (domain, scheme, host, port), rest = words, ""
    if not _PORT.fullmatch(port):
        raise RouteError(f"port {port!r} is not a number")
    segment = encode_segment(domain, scheme, host, int(port))
    if rest:
        split_target(f"/{segment}{rest}".encode("utf-8", "backslashreplace"))
    return segment, rest or ""
