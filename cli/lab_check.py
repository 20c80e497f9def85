"""``mralab lab check``: every fault of an estate file, or the estate on one screen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mralab.cli.output import Exit, print_columns, print_json, printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

    from mralab.config.faults import ConfigFault

_JSON_SCHEMA = "mralab-estate-1"
#: What the lab does without dates, as an estate file would say it.
_AUTHORITY_LIFETIME, _LEAF_LIFETIME = "+10y", "+5y"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.description = (
        "List every fault of an estate file with its line and a hint; if there is none, show the "
        "estate: nodes, certificates with their signers, trust lists, users."
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the estate file")
    parser.add_argument("--json", action="store_true", help="print the result as JSON only")


def run(args: argparse.Namespace) -> int:
    """Check it; 1 if there are faults."""
    from mralab.config.estatefile import load_estate  # noqa: PLC0415 - not needed for --help
    from mralab.config.estatesummary import describe_estate  # noqa: PLC0415 - as above
    from mralab.config.faults import ConfigFaults  # noqa: PLC0415 - as above

    faults: tuple[ConfigFault, ...] = ()
    estate = None
    try:
        estate = describe_estate(load_estate(args.file))
    except ConfigFaults as exc:
        faults = exc.faults
    if args.json:
        rows = [
            {"where": f.where, "key": f.key, "message": f.message, "hint": f.hint} for f in faults
        ]
        print_json({"schema": _JSON_SCHEMA, "ok": not faults, "faults": rows, "estate": estate})
    elif estate is None:
        _print_faults(faults)
    else:
        _print_estate(estate)
    return Exit.FINDINGS if faults else Exit.FINE


def _print_faults(faults: Sequence[ConfigFault]) -> None:
    for fault in faults:
        print(printable(str(fault)))
        print(printable(f"  {fault.hint}"))
    print(f"\n{len(faults)} fault{'s' if len(faults) > 1 else ''}")


def _print_estate(estate: dict[str, Any]) -> None:
    """Print what ``describe_estate`` returned as tables."""
    c, e = estate["expressway_c"], estate["expressway_e"]
    mode = c["verify_origin_server"] or f"{_own_mode(c['release'])}, the release's"
    print(printable(f"{estate['domain']}: no faults"))
    _print_table(
        ("Expressway",),
        [
            (c["name"], c["address"], f"C, {c['release']}, {c['upgrade_path']}"),
            ("", "", f"VerifyOriginServer: {mode}"),
            (e["name"], e["address"], "E"),
        ],
    )
    _print_table(
        ("Nodes", "address", "advertised as", "version", "role"),
        [
            (item["name"], item["address"], item["advertised"], item["version"], _role(item))
            for item in estate["nodes"]
        ],
    )
    _print_table(
        ("Certificates", "signed by", "valid until", "made for"),
        [
            *(
                (item["name"], *_signed(item, _AUTHORITY_LIFETIME))
                for item in estate["authorities"]
            ),
            *((item["certificate"], *_names(item)) for item in estate["certificates"]),
        ],
    )
    _print_table(
        ("Trust lists",),
        [
            (item["owner"], item["list"], ", ".join(item["certificates"]) or "empty")
            for item in estate["trust_lists"]
        ],
    )
    _print_table(
        ("Discovery",),
        [
            (item["address"], item["kind"], f"TLS verify mode {item['tls_verify_mode']}")
            for item in estate["discoveries"]
        ],
    )
    _print_table(
        ("Users",),
        [
            (
                item["id"],
                item["cluster"],
                "IM and Presence" if item["im_presence"] else "no IM and Presence",
                f"voicemail on {item['voicemail']}" if item["voicemail"] else "no voicemail",
            )
            for item in estate["users"]
        ],
    )


def _own_mode(release: str) -> str:
    """Return whether a release verifies nodes if nothing else is said."""
    from mralab.config.releases import PROFILES, Release  # noqa: PLC0415 - not needed for --help

    return PROFILES[Release(release)].verify_mode.value


def _print_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows, indented, under their title and its column heads."""
    table = [(f"  {first}", *rest) for first, *rest in rows]
    width = max(map(len, table))
    print()
    print_columns([(*heads, *[""] * (width - len(heads))), *table])


def _role(node: dict[str, Any]) -> str:
    """Return what a node is, and what of it does not run."""
    role = f"{node['role']} of {node['cluster']}" if node["cluster"] else node["role"]
    return "; ".join((role, *(f"{name} {state}" for name, state in node["services"].items())))


def _signed(item: dict[str, Any], lifetime: str) -> tuple[str, str, str]:
    """Return three cells: who has signed it, when it is valid, the CN."""
    until = item["not_after"] or lifetime
    when = f"{item['not_before']} to {until}" if item["not_before"] else until
    return item["signed_by"] or "itself", when, f"CN {item['cn'] or 'none'}"


def _names(item: dict[str, Any]) -> tuple[str, str, str]:
    """Return three cells: signer, when it is valid, and the names it is made for."""
    if item["reuse"]:
        return f"is {item['reuse']}", "", ""
    signer, when, common_name = _signed(item, _LEAF_LIFETIME)
    sans = ", ".join(item["sans"]) or "no SAN"
    return signer, when, sans if item["cn"] in item["sans"] else f"{sans} ({common_name})"
