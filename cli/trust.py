"""``mralab trust``: look at or change a trusted CA list, in files or in a running proxy."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from mralab.cli.output import Exit, print_columns, print_json, printable
from mralab.cli.parsing import add_format
from mralab.cli.running import add_proxy_choice, connect
from mralab.errors import ConfigError, TrustStoreError

if TYPE_CHECKING:
    import argparse

    from mralab.truststore.store import TrustStore

_PLACE = re.compile(r"#?([0-9]{1,5})")
_SHORT_FINGERPRINT = 23  #: the first 8 bytes, enough to select by


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="list the certificates in order")
    show = actions.add_parser("show", help="print certificates as PEM with their facts")
    show.add_argument(
        "selector",
        nargs="?",
        metavar="CERTIFICATE",
        help="place, fingerprint (or its beginning) or part of the subject; default: all",
    )
    append = actions.add_parser("append", help="append certificates at the end")
    append.add_argument(
        "file", nargs="+", metavar="FILE", help="PEM, DER or PKCS#7; - is standard input"
    )
    append.add_argument(
        "--keep-same-cn",
        action="store_true",
        help="append also what shares its CN with a listed one (CSCwa12905)",
    )
    remove = actions.add_parser("remove", help="remove one certificate")
    remove.add_argument(
        "selector", metavar="CERTIFICATE", help="place, fingerprint, CN or subject, as list shows"
    )
    public = actions.add_parser("import-public", help="append the public roots of certifi")
    for action in (listing, show, append, remove, public):
        _add_list_choice(action)
        add_format(action)


def run(args: argparse.Namespace) -> int:
    """Do what was asked."""
    if args.action in {"list", "show"}:
        store = _described(args)
        return _print_list(store, args) if args.action == "list" else _print_shown(store, args)
    if args.action == "remove":
        return _remove(args)
    return _append(args)


def _add_list_choice(parser: argparse.ArgumentParser) -> None:
    choice = parser.add_argument_group(
        "which list", "without --trusted-ca and --config: that of the running proxy"
    )
    choice.add_argument(
        "--trusted-ca", action="append", metavar="PATH", help="files or folders, in order"
    )
    choice.add_argument(
        "--config", type=Path, metavar="FILE", help="the list a settings file names"
    )
    choice.add_argument(
        "--release", metavar="RELEASE", help="release whose search rule counts (default: X14.2)"
    )
    add_proxy_choice(parser)


def _is_local(args: argparse.Namespace) -> bool:
    if args.trusted_ca or args.config:
        return True
    if args.release:
        raise ConfigError(
            "--release needs a list in files", hint="add --trusted-ca PATH or --config FILE"
        )
    return False


def _paths_and_store(args: argparse.Namespace) -> tuple[tuple[Path, ...], TrustStore]:
    from mralab.config.load import load_settings  # noqa: PLC0415 - a running proxy needs neither
    from mralab.truststore.store import load_store  # noqa: PLC0415

    flags = {"trusted_ca": args.trusted_ca, "release": args.release}
    settings = load_settings(args.config, flags).settings
    store = load_store(
        settings.trusted_ca,
        policy=settings.profile.subject_policy,
        public_roots=settings.public_roots,
        now=datetime.now(UTC),
    )
    return settings.trusted_ca, store


def _described(args: argparse.Namespace) -> Any:
    if not _is_local(args):
        return connect(args).get("/trust")
    from mralab.admin.trust import describe_store  # noqa: PLC0415

    return describe_store(_paths_and_store(args)[1])


def _print_list(store: Any, args: argparse.Namespace) -> int:
    if args.format == "json":
        print_json(store)
        return Exit.FINE
    rows = [
        (
            f"#{entry['place']}",
            entry["subject"] or "(empty subject)",
            entry["not_after"][:10],
            entry["sha256"][:_SHORT_FINGERPRINT],
            "" if entry["found"] else "never found: an earlier one has this subject",
        )
        for entry in store["certificates"]
    ]
    if rows:
        print_columns([("", "subject", "not after", "SHA-256", ""), *rows])
    for warning in store["warnings"]:
        print(printable(f"warning: {warning}"), file=sys.stderr)
    return Exit.FINE


def _print_shown(store: Any, args: argparse.Namespace) -> int:
    wanted = (args.selector or "").casefold()
    shown = [entry for entry in store["certificates"] if _is_meant(entry, wanted)]
    if not shown:
        raise TrustStoreError(
            f"no certificate {args.selector!r} is listed" if wanted else "the list is empty",
            hint="`mralab trust list` shows places, subjects and fingerprints",
        )
    if args.format == "json":
        print_json(shown)
        return Exit.FINE
    for entry in shown:
        for name in ("subject", "issuer", "serial", "not_before", "not_after", "key", "signature"):
            print(printable(f"# {name}: {entry[name]}"))
        print(printable(f"# names: {', '.join(entry['sans']) or 'none'}"))
        print(f"# SHA-256: {entry['sha256']}")
        print(entry["pem"], end="")
    return Exit.FINE


def _is_meant(entry: Any, wanted: str) -> bool:
    if place := _PLACE.fullmatch(wanted):
        return bool(entry["place"] == int(place[1]))
    fingerprint = entry["sha256"].replace(":", "").casefold()
    return wanted in entry["subject"].casefold() or fingerprint.startswith(wanted.replace(":", ""))


def _append(args: argparse.Namespace) -> int:
    if args.action == "import-public":
        import certifi  # noqa: PLC0415

        # Some public roots share a CN; the product's rule is about certificates of one's own.
        sources, keep_same_cn = [Path(certifi.where())], True
    else:
        sources, keep_same_cn = [Path(file) for file in args.file], args.keep_same_cn
    contents = [_content(source) for source in sources]
    if _is_local(args):
        from mralab.admin.trust import append_target, describe_append  # noqa: PLC0415
        from mralab.truststore.store import append_to_file  # noqa: PLC0415

        target = append_target(_append_paths(args))
        reports: list[Any] = [
            describe_append(
                append_to_file(target, data, keep_same_cn=keep_same_cn, now=datetime.now(UTC))
            )
            for data in contents
        ]
    else:
        client = connect(args)
        query = "?keep_same_cn=1" if keep_same_cn else ""
        reports = [client.post_bytes(f"/trust{query}", data) for data in contents]
    if args.format == "json":
        print_json(reports)
        return Exit.FINE
    for report in reports:
        for subject in report["added"]:
            print(printable(f"appended to {report['file']}: {subject}"))
        for subject in report["already_listed"]:
            print(printable(f"already in {report['file']}: {subject}"))
        for warning in report["warnings"]:
            print(printable(f"warning: {warning}"), file=sys.stderr)
    return Exit.FINE


def _append_paths(args: argparse.Namespace) -> tuple[Path, ...]:
    """Return the list's paths; a file that is not there yet is made by the append."""
    if args.trusted_ca:
        return tuple(Path(path) for path in args.trusted_ca)
    return _paths_and_store(args)[0]


def _content(source: Path) -> bytes:
    if str(source) == "-":
        return sys.stdin.buffer.read()
    try:
        return source.read_bytes()
    except (OSError, ValueError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else "not a possible path"
        raise TrustStoreError(f"{source} cannot be read: {why}", hint="check its name") from exc


def _remove(args: argparse.Namespace) -> int:
    if _is_local(args):
        from mralab.admin.trust import describe_remove, remove_from_list  # noqa: PLC0415

        report: Any = describe_remove(remove_from_list(_paths_and_store(args)[1], args.selector))
    else:
        report = connect(args).delete(f"/trust/{quote(args.selector, safe='')}")
    if args.format == "json":
        print_json(report)
    else:
        print(printable(f"removed from {report['file']}: {report['removed']}"))
    return Exit.FINE
