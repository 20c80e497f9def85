"""``mralab verify HOST[:PORT]``: one live origin, judged as each release would judge it."""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from mralab.cli.output import Exit, print_columns, print_json, printable
from mralab.cli.parsing import add_format
from mralab.config.releases import NameRule, SubjectPolicy, UpgradePath
from mralab.errors import ConfigError, RouteError
from mralab.origin.route import canonical_host

if TYPE_CHECKING:
    import argparse

    from mralab.diagnostics.verify import OriginReport, Presented, ReleaseVerdict, Target

_DEFAULT_PORT = 8443
_PORTS = range(1, 65_536)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("origin", metavar="HOST[:PORT]", help="where to look; port 8443 if none")
    parser.add_argument(
        "--name",
        help="name or address under which CUCM advertises the node, if HOST is not it",
    )
    parser.add_argument(
        "--trusted-ca",
        type=Path,
        action="append",
        default=[],
        metavar="PATH",
        help="trusted CA list to judge with: file or folder, order kept",
    )
    parser.add_argument("--public-roots", action="store_true", help="trust the public roots too")
    parser.add_argument("--client-cert", type=Path, metavar="FILE", help="shown if asked for")
    parser.add_argument("--client-key", type=Path, metavar="FILE", help="its key")
    parser.add_argument(
        "--connect-timeout", type=float, default=10.0, metavar="S", help="seconds, default 10"
    )
    add_format(parser)


def run(args: argparse.Namespace) -> int:
    """Look and print; 1 if a release that verifies would refuse the origin."""
    from mralab.diagnostics.verify import (  # noqa: PLC0415 - OpenSSL is slow to load
        Outcome,
        Trust,
        examine,
    )
    from mralab.truststore.store import load_store  # noqa: PLC0415

    if args.connect_timeout <= 0:
        raise ConfigError(
            f"--connect-timeout {args.connect_timeout:g}", hint="give seconds above 0"
        )
    target = _target(args)
    stores = {
        policy: load_store(
            args.trusted_ca, policy=policy, public_roots=args.public_roots, now=datetime.now(UTC)
        )
        for policy in SubjectPolicy
    }
    trust = Trust(stores=stores, client_cert=args.client_cert, client_key=args.client_key)
    report = examine(target, trust)
    if args.format == "json":
        print_json(_as_json(report))
    else:
        _print(report)
    bad = {Outcome.REFUSED, Outcome.FAILED}
    return (
        Exit.FINDINGS if any(verdict.outcome in bad for verdict in report.verdicts) else Exit.FINE
    )


def _target(args: argparse.Namespace) -> Target:
    from mralab.diagnostics.verify import Target  # noqa: PLC0415 - OpenSSL is slow to load

    host, port = _split(args.origin)
    name = (args.name or host).strip("[]")
    try:
        canonical_host(name)
    except RouteError as exc:
        raise ConfigError(str(exc), hint="give the name or address that CUCM advertises") from exc
    return Target(
        host=host, port=port, name=name, name_is_ip=_is_ip(name), timeout_s=args.connect_timeout
    )


def _split(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or _is_ip(text) or text.endswith("]"):
        host, port = text, str(_DEFAULT_PORT)
    host = host.strip("[]")
    if not host or not port.isascii() or not port.isdigit() or int(port) not in _PORTS:
        raise ConfigError(
            f"{text!r} is not HOST or HOST:PORT",
            hint="for example cucm.example.com:8443 or [2001:db8::1]:6972",
        )
    return host, int(port)


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _print(report: OriginReport) -> None:
    target = report.target
    sni = "no server name is sent (an address)" if target.name_is_ip else "sent as server name"
    print(f"{printable(target.host)}:{target.port} at {report.address}")
    print(f"checked against {printable(target.name)}: {sni}\n")
    for presented in report.presented:
        _print_presented(presented)
    print("Under each release (a real handshake each):")
    print_columns(
        (
            f"  {_label(verdict)}",
            verdict.outcome.value,
            verdict.version,
            verdict.leaf.key if verdict.leaf else "",
            printable(verdict.detail),
        )
        for verdict in report.verdicts
    )


def _print_presented(presented: Presented) -> None:
    from mralab.diagnostics.chain import draw_chain  # noqa: PLC0415 - only for text

    family = "RSA" if presented.family == "RSA" else "ECDSA"
    if not presented.chain:
        print(f"{family} certificate: none ({printable(presented.error)})\n")
        return
    print(f"{family} certificate:")
    for line in draw_chain(presented.chain, at=datetime.now(UTC)):
        print(f"  {printable(line)}")
    for rule in NameRule:
        verdict = presented.names[rule]
        said = f"named by {verdict.by}" if verdict.matched else "not named"
        tried = "" if verdict.matched else f" (tried {', '.join(verdict.tried) or 'nothing'})"
        print(f"  name rule {rule.value:<11} {printable(said + tried)}")
    print()


def _label(verdict: ReleaseVerdict) -> str:
    if verdict.path is None:
        return verdict.release.value
    order = "RSA first" if verdict.path is UpgradePath.FROM_14_0 else "ECDSA first"
    return f"{verdict.release.value}, {order}"


def _as_json(report: OriginReport) -> dict[str, object]:
    target = report.target
    return {
        "schema": "mralab-verify-1",
        "host": target.host,
        "port": target.port,
        "address": report.address,
        "name": target.name,
        "sni_sent": not target.name_is_ip,
        "presented": [
            {
                "family": presented.family,
                "error": presented.error,
                "chain": [facts.as_json() for facts in presented.chain],
                "names": {
                    rule.value: {
                        "matched": verdict.matched,
                        "by": verdict.by,
                        "tried": verdict.tried,
                    }
                    for rule, verdict in presented.names.items()
                },
            }
            for presented in report.presented
        ],
        "verdicts": [
            {
                "release": verdict.release.value,
                "upgrade_path": verdict.path.value if verdict.path else None,
                "outcome": verdict.outcome.value,
                "tls_version": verdict.version,
                "certificate": verdict.leaf.as_json() if verdict.leaf else None,
                "code": verdict.fault.code if verdict.fault else None,
                "depth": verdict.fault.depth if verdict.fault else None,
                "detail": verdict.detail,
            }
            for verdict in report.verdicts
        ],
    }
