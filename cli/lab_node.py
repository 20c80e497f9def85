"""``mralab lab node``: the documented CUCM by itself, until a signal ends it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from mralab.cli.output import Exit, printable
from mralab.errors import ConfigError, RouteError

if TYPE_CHECKING:
    import argparse

    from mralab.lab.nodefolder import CertificateSet
    from mralab.lab.nodes import SimulatedNode
    from mralab.lab.udsdata import Cluster

_PASSWORD_VARIABLE = "MRALAB_PASSWORD"  # noqa: S105 - a variable's name
_LOOPBACK = "127.0.0.1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.description = (
        "Run the CUCM of Cisco 218018 with its user emusk on ports 8443, 6972 and "
        f"6970. The user's password is that in {_PASSWORD_VARIABLE}, or rocket."
    )
    parser.add_argument(
        "--folder",
        type=Path,
        required=True,
        metavar="DIR",
        help="where its certificates are kept, with ca.pem, cucm-EC.pem, hosts and a client "
        "certificate for Expressway-C",
    )
    parser.add_argument(
        "--listen", default="127.0.0.2", metavar="ADDRESS", help="IP address (default: 127.0.0.2)"
    )
    parser.add_argument(
        "--name",
        default="cucm.steven.lab",
        help="its name under System > Server and in its certificates (default: cucm.steven.lab)",
    )
    parser.add_argument("--domain", default="steven.lab", help="domain of users and Expressway-C")


def run(args: argparse.Namespace) -> int:
    """Run the node until a signal ends it."""
    from mralab.lab import nodefolder  # noqa: PLC0415 - not needed for --help

    addresses = _addresses(args.listen)
    _check_name(args.name, "--name")
    _check_name(args.domain, "--domain")
    kept = nodefolder.prepare(
        args.folder, name=args.name, domain=args.domain, now=datetime.now(UTC)
    )
    nodefolder.write_hosts(args.folder, args.name, addresses)
    node = _node(args, kept)
    made = "made" if kept.made else "kept"
    ready = (
        f"ready: {args.name} on {args.listen}, ports 8443 (UDS), 6972 (TFTP over HTTPS) and 6970 "
        f"(TFTP over HTTP); certificates {made} in {args.folder}"
    )
    asyncio.run(_serve(node, ready))
    return Exit.FINE


def _node(args: argparse.Namespace, kept: CertificateSet) -> SimulatedNode:
    from mralab.lab.nodes import SimulatedNode, cucm_services  # noqa: PLC0415 - as above

    return SimulatedNode(
        args.name,
        args.listen,
        cucm_services(_cluster(args.name, args.domain)),
        certificates=kept.for_node,
        trust={"CallManager-trust": (kept.ca,)},
    )


def _cluster(name: str, domain: str) -> Cluster:
    from mralab.lab.udsdata import sample_cluster  # noqa: PLC0415 - as above

    cluster = sample_cluster(name)
    (user,) = cluster.users
    password = os.environ.get(_PASSWORD_VARIABLE) or user.password
    user = replace(user, password=password, email=f"{user.user_id}@{domain}")
    return replace(cluster, users=(user,))


async def _serve(node: SimulatedNode, ready: str) -> None:
    from mralab.lab.foreground import run_node  # noqa: PLC0415 - as above

    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    await run_node(node, ended=ended, ready=ready, say=_say)


def _say(line: str) -> None:
    print(printable(line), flush=True)


def _addresses(listen: str) -> tuple[str, ...]:
    """Return the addresses by which others reach a node that listens there."""
    try:
        address = ip_address(listen)
    except ValueError as exc:
        raise ConfigError(
            f"--listen: {listen!r} is not an IP address", hint="for example 127.0.0.2 or 0.0.0.0"
        ) from exc
    if not address.is_unspecified:
        return (listen,)
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6  # noqa: PLR2004 - IPv4
    try:
        found = socket.getaddrinfo(socket.gethostname(), None, family, socket.SOCK_STREAM)
    except OSError:
        # A machine that does not know its own name is at least reached from itself.
        return (_LOOPBACK if family is socket.AF_INET else "::1",)
    return tuple(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


def _check_name(name: str, flag: str) -> None:
    from mralab.origin.route import canonical_host  # noqa: PLC0415 - not needed for --help

    hint = "write a DNS name, for example cucm.steven.lab"
    try:
        canonical = canonical_host(name)
    except RouteError as exc:
        raise ConfigError(f"{flag}: {exc}", hint=exc.hint or hint) from exc
    if ":" in canonical or canonical.replace(".", "").isdigit():
        raise ConfigError(f"{flag}: {name} is an address", hint=hint)
