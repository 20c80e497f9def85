"""From a host to its addresses: static names first, then the system's resolver.

Rules:

* An IP literal is its own address; nothing is looked up for it.
* Static names come from a file in hosts(5) form. A name is looked for as written first, so that
  ``h`` and ``h.`` may lead to two nodes; if it is not there, without regard to case and final dot.
* A line whose name is an IP literal is a redirect (lab extension): what resolves to that address,
  or is written as it, is dialled at the line's address, while the log goes on showing it. So an
  estate keeps its real addresses in a lab on loopback. Redirects are not followed twice.
* Addresses keep the order of the file or of the resolver, each once.
* Reading a file is the only I/O besides the look-up; :func:`parse_hosts` is *pure*.
"""

from __future__ import annotations

import asyncio
import socket
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from mralab.config.faults import ConfigFault, ConfigFaults, shown
from mralab.errors import ConfigError, OriginNameError, RouteError
from mralab.origin.route import canonical_host

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_SETTLED_MAX: Final = 10_000


class Resolver:
    """Looks hosts up. Holds the static names of one snapshot; keeps no answers of the system's."""

    __slots__ = ("_as_written", "_canonical", "_redirects", "_settled")

    def __init__(self, hosts: Mapping[str, tuple[str, ...]]) -> None:
        """Take static names as :func:`load_hosts` gives them."""
        self._as_written = hosts
        self._redirects: dict[str, str] = {}
        canonical: dict[str, tuple[str, ...]] = {}
        for name, addresses in hosts.items():
            key = canonical_host(name)
            if _is_address(key):
                self._redirects[key] = addresses[0]
            canonical[key] = tuple(dict.fromkeys((*canonical.get(key, ()), *addresses)))
        self._canonical = canonical
        self._settled: dict[str, list[str] | None] = {}  # what needs no look-up, by host

    def dialled(self, address: str) -> str:
        """Return where a connection to this address goes: elsewhere only if a line says so."""
        return self._redirects.get(address, address)

    async def resolve(self, host: str, port: int) -> list[str]:
        """Return the addresses of a host, at least one.

        Args:
            host: a route's host: name or IP literal, IPv6 without brackets.
            port: where the connection will go; the resolver does not depend on it.

        Returns:
            Address texts, in the order in which they are to be tried.

        Raises:
            OriginNameError: the name has no address, or the resolver cannot tell now.
            RouteError: the host is none that a route may have.
        """
        if host not in self._settled:
            found_here = self._without_looking(host)
            if len(self._settled) >= _SETTLED_MAX:  # hosts come from clients: bounded
                self._settled.clear()
            self._settled[host] = found_here
        settled = self._settled[host]
        if settled is not None:
            return list(settled)
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
            )
        except (OSError, UnicodeError) as exc:  # UnicodeError: the resolver's own view of names
            raise OriginNameError(
                f"origin name {host!r} does not resolve: {exc}",
                hint="add it to DNS or to the file given as --hosts",
            ) from exc
        return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))

    def _without_looking(self, host: str) -> list[str] | None:
        """Return the addresses of a literal or of a static name; None if the system knows them."""
        canonical = canonical_host(host)
        if _is_address(canonical):
            return [_written(canonical)]
        static = self._as_written.get(host) or self._canonical.get(canonical)
        return None if static is None else [_written(address) for address in static]


def load_hosts(path: Path) -> dict[str, tuple[str, ...]]:
    """Read static names from a file in hosts(5) form.

    Raises:
        ConfigFaults: every fault in the file, each with its line.
        ConfigError: the file cannot be read or is not UTF-8.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"hosts file {path} cannot be read: {exc}") from exc
    return parse_hosts(text, str(path))


def parse_hosts(text: str, name: str) -> dict[str, tuple[str, ...]]:
    """Read static names: an address and its names on each line, ``#`` begins a comment.

    Args:
        text: the lines.
        name: what to call the text in messages.

    Returns:
        Names as written, each with its addresses in the order of the text. A name that stands on
        several lines has all of their addresses.

    Raises:
        ConfigFaults: every fault of the text, each with its line.

    Source: hosts(5), without its IPv6 zone ids.
    """
    hosts: dict[str, dict[str, None]] = {}
    faults: list[ConfigFault] = []
    for number, line in enumerate(text.split("\n"), start=1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        address, *names = words
        wrong = _faults_in(address, names)
        faults += (ConfigFault(f"{name}:{number}", "", fault, _HINT) for fault in wrong)
        if not wrong:
            for one in names:
                hosts.setdefault(one, {})[str(ip_address(address))] = None
    if faults:
        raise ConfigFaults(faults)
    return {one: tuple(addresses) for one, addresses in hosts.items()}


_HINT = "write an address and its names: 10.48.36.215 cucm.steven.lab cucm"


def _faults_in(address: str, names: list[str]) -> list[str]:
    """Say what is wrong with one line."""
    faults = [] if _is_address(address) else [f"{shown(address)} is not an IP address"]
    if not names:
        faults.append(f"address {shown(address)} has no name")
    for name in names:
        try:
            canonical = canonical_host(name)
        except RouteError as fault:
            faults.append(str(fault))
        else:
            if _is_address(canonical) and len(names) > 1:
                faults.append(f"{shown(name)} is an address, and not alone behind its redirect")
    return faults


def _written(address: str) -> str:
    """Return an address as the system writes it: an IPv4-mapped one with its IPv4 part."""
    parsed = ip_address(address)
    return address if parsed.version == 4 else socket.inet_ntop(socket.AF_INET6, parsed.packed)  # noqa: PLR2004 - IPv4


def _is_address(text: str) -> bool:
    """Tell whether a text is an IP literal in its usual form, without a zone id."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return "%" not in text
