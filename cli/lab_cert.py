"""``mralab lab cert``: certificate management of the nodes of a running ``mralab lab up``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from mralab.cli.output import Exit, print_columns, print_json, printable
from mralab.cli.parsing import add_format
from mralab.errors import ConfigError

if TYPE_CHECKING:
    import argparse

    from mralab.admin.client import AdminClient

_MAX_FILE_BYTES = 2**19


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    actions = parser.add_subparsers(dest="operation", required=True, metavar="OPERATION")
    listing = actions.add_parser("list", help="list certificates and trust lists")
    listing.add_argument("node", nargs="?", metavar="NODE", help="default: every node")
    regenerate = actions.add_parser("regenerate", help="make a certificate anew, self-signed")
    sign = actions.add_parser("sign", help="have a certificate signed by an authority")
    upload = actions.add_parser("upload-trust", help="add certificates to a trust list")
    delete = actions.add_parser("delete-trust", help="remove a certificate from a trust list")
    restart = actions.add_parser("restart", help="restart a service: only then a change counts")
    for action in (regenerate, sign, upload, delete, restart):
        action.add_argument("node", metavar="NODE", help="its name, as list shows it")
    for action in (regenerate, sign):
        action.add_argument("certificate", metavar="CERTIFICATE", help="such as tomcat-ECDSA")
    sign.add_argument("--by", required=True, metavar="AUTHORITY", help="an authority of the estate")
    sign.add_argument("--dns", action="append", metavar="NAME", help="a name to add to the SAN")
    sign.add_argument("--ip", action="append", metavar="ADDRESS", help="an address to add to it")
    for action in (upload, delete):
        action.add_argument("trust", metavar="LIST", help="such as CallManager-trust")
    source = upload.add_mutually_exclusive_group(required=True)
    source.add_argument("--file", metavar="FILE", help="certificates in PEM; - is standard input")
    source.add_argument(
        "--reference", metavar="NAME", help="a certificate of the estate, such as steven-DC-CA"
    )
    delete.add_argument(
        "selector", metavar="WHICH", help="its CN, its subject, or how its fingerprint begins"
    )
    restart.add_argument("service", metavar="SERVICE", help="such as 'Cisco Tomcat'")
    for action in (listing, regenerate, sign, upload, delete, restart):
        action.add_argument(
            "--listen", metavar="HOST:PORT", help="the lab that listens there, if several run"
        )
        action.add_argument(
            "--state-dir", type=Path, metavar="FOLDER", help="the lab's state folder, if named"
        )
        add_format(action)


def run(args: argparse.Namespace) -> int:
    """Do what was asked."""
    client = _connect(args)
    if args.operation == "list":
        return _list(client, args)
    node = quote(args.node, safe="")
    change = client.post_json(f"/nodes/{node}/{args.operation}", _asked(args))
    if args.format == "json":
        print_json(change)
    else:
        _print_change(change, args.node)
    return Exit.FINE


def _asked(args: argparse.Namespace) -> dict[str, object]:
    """Return what an operation is asked to do, as the control listener wants it."""
    match args.operation:
        case "regenerate":
            return {"certificate": args.certificate}
        case "sign":
            return {
                "certificate": args.certificate,
                "authority": args.by,
                "dns": args.dns or [],
                "ips": args.ip or [],
            }
        case "upload-trust" if args.reference:
            return {"list": args.trust, "reference": args.reference}
        case "upload-trust":
            return {"list": args.trust, "pem": _read(args.file)}
        case "delete-trust":
            return {"list": args.trust, "selector": args.selector}
        case _:
            return {"service": args.service}


def _list(client: AdminClient, args: argparse.Namespace) -> int:
    names = [args.node] if args.node else [node["name"] for node in client.get("/nodes")["nodes"]]
    found = [client.get(f"/nodes/{quote(name, safe='')}/certificates") for name in names]
    if args.format == "json":
        print_json({"nodes": [{k: v for k, v in item.items() if k != "table"} for item in found]})
        return Exit.FINE
    for number, item in enumerate(found):
        if number:
            print()
        print(printable(item["node"]))
        print_columns(item["table"])
        if item["restart"]:
            print(printable(f"restart due: {', '.join(item['restart'])}"))
    return Exit.FINE


def _print_change(change: Any, node: str) -> None:
    print(printable(change["done"]))
    for note in change["notes"]:
        print(printable(f"  {note}"))
    if change["restart"]:
        print("It counts after a restart of these services:")
        for service in change["restart"]:
            print(printable(f"  mralab lab cert restart {node} '{service}'"))


def _connect(args: argparse.Namespace) -> AdminClient:
    """Return a client for the running lab meant.

    Raises:
        ConfigError: an address that is none.
        AdminError: no lab is running, or several.
    """
    # Loaded only now: not needed for --help.
    from mralab.admin.client import AdminClient  # noqa: PLC0415 - as above
    from mralab.admin.runfile import LAB, default_state_dir, find_proxy  # noqa: PLC0415 - as above
    from mralab.config.values import read_endpoint  # noqa: PLC0415 - as above
    from mralab.lab.runplace import RUN_FOLDER  # noqa: PLC0415 - as above

    folder = (args.state_dir or default_state_dir(os.environ)) / RUN_FOLDER
    try:
        listen = read_endpoint(args.listen) if args.listen else None
    except ConfigError as exc:
        raise ConfigError(f"--listen: {exc}", hint=exc.hint) from exc
    return AdminClient(find_proxy(folder, listen=listen, kind=LAB))


def _read(path: str) -> str:
    """Return a file's text.

    Raises:
        ConfigError: it cannot be read, or is no text of a usable length.
    """
    try:
        if path == "-":
            content = sys.stdin.buffer.read(_MAX_FILE_BYTES + 1)
        else:
            with Path(path).open("rb") as file:
                content = file.read(_MAX_FILE_BYTES + 1)
        text = content.decode("ascii")
    except OSError as exc:
        raise ConfigError(f"cannot read {path}: {exc.strerror}", hint="name a PEM file") from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(
            f"{path} is not PEM", hint="convert it: openssl x509 -inform DER -in FILE"
        ) from exc
    if len(content) > _MAX_FILE_BYTES:
        raise ConfigError(f"{path} is longer than {_MAX_FILE_BYTES} bytes", hint="split it")
    return text
