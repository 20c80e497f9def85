"""``mralab decode``: from an MRA path to the origin it names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mralab.cli.output import Exit, print_columns, print_json, report
from mralab.cli.parsing import add_format
from mralab.errors import RouteError
from mralab.origin.route import decode_segment, split_target

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument(
        "path",
        nargs="+",
        metavar="PATH",
        help="base64 segment, a path that begins with one, or a whole URL",
    )
    add_format(parser)


def run(args: argparse.Namespace) -> int:
    """Print where each path goes; 1 if one of them goes nowhere."""
    code = Exit.FINE
    results: list[dict[str, object]] = []
    for path in args.path:
        try:
            results.append(decode(path))
        except RouteError as exc:
            code = Exit.FINDINGS
            results.append({"path": path, "error": str(exc), "hint": exc.hint})
    if args.format == "json":
        print_json(results)
        return code
    for number, result in enumerate(results):
        if "error" in result:
            report("mralab decode", str(result["error"]), str(result["hint"]))
        else:
            if number:
                print()
            print_columns((name, str(value)) for name, value in result.items() if name != "path")
    return code


def decode(path: str) -> dict[str, object]:
    """Return the parts of the route that ``path`` names.

    Args:
        path: a segment, a path (its leading ``/`` may be missing) or an absolute http(s) URL.

    Raises:
        RouteError: it names none.
    """
    is_target = path.startswith("/") or path.lower().startswith(("http://", "https://"))
    target = path if is_target else f"/{path}"
    segment, rest = split_target(target.encode("utf-8", "backslashreplace"))
    route = decode_segment(segment)
    return {
        "path": path,
        "domain": route.domain,
        "protocol": route.scheme,
        "host": route.host,
        "port": route.port,
        "url": route.base_url + rest.decode("ascii", "backslashreplace"),
    }
