"""Where an estate runs on this machine: its ports, and a loopback address for each real one.

- Ports are the documented ones. Where one of the low ports needs rights that are missing, a high
  one takes its place, and a note says so.
- Several labs can run side by side: :func:`find_place` shifts the second octet of all addresses
  until every address and port that is needed is free.
- Addresses and ports are tried out by binding them, one after another; nothing stays bound. Who
  takes one of them in the meantime is met when the node starts.

Source: ports in Cisco 218018 (8443, 6972), the MRA deployment guide (front 8443) and the Unity
Connection guides (443); 6971 and 6970 in Cisco's X14.2 notes (named).
"""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Final

from mralab.config.estate import NodeRole, loopback_of
from mralab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mralab.config.estate import Estate

#: What is added to a low port that may not be bound: 443 becomes 10443. Lab default.
HIGH_PORT_OFFSET: Final = 10_000
_SHIFTS: Final = 256
_CUCM: Final = frozenset({NodeRole.PUBLISHER, NodeRole.SUBSCRIBER})
#: Not an address of this machine; Windows says it with a number of its own.
_NOT_LOCAL: Final = frozenset({errno.EADDRNOTAVAIL, 10049})
_NO_RIGHTS: Final = frozenset({errno.EACCES, errno.EPERM})


@dataclass(frozen=True, slots=True, kw_only=True)
class EstatePorts:
    """The ports of an estate's services, as they are bound and as they stand in all answers."""

    uds: int = 8443  #: UDS and AXL of CUCM, SOAP of IM&P
    tftp_https: int = 6972
    tftp_secure: int = 6971
    tftp_http: int = 6970
    unity: int = 443  #: Unity Connection's REST
    front: int = 8443  #: Expressway-E's TLS front


@dataclass(frozen=True, slots=True, kw_only=True)
class EstatePlace:
    """Addresses and ports for one estate."""

    loopback: Mapping[str, str]  #: where each real address runs
    ports: EstatePorts
    shift: int = 0  #: of the loopback addresses, see :func:`mralab.config.estate.loopback_of`
    notes: tuple[str, ...] = ()  #: what differs from the documented ports


def ports_of_role(role: NodeRole, ports: EstatePorts) -> tuple[int, ...]:
    """Return the ports that a node of this role listens on."""
    if role in _CUCM:
        return (ports.uds, ports.tftp_https, ports.tftp_secure, ports.tftp_http)
    return (ports.unity if role is NodeRole.UNITY else ports.uds,)


def needed(estate: Estate, ports: EstatePorts, *, front: bool) -> Mapping[str, tuple[int, ...]]:
    """Return which ports are needed on which real address.

    Args:
        estate: whose nodes are to run.
        ports: the ports of its services.
        front: whether Expressway-E runs too.
    """
    found = {node.address: ports_of_role(node.role, ports) for node in estate.nodes()}
    if front:
        found[estate.expressway_e.address] = (ports.front,)
    return found


def find_place(estate: Estate, *, front: bool = True, first_shift: int = 0) -> EstatePlace:
    """Find loopback addresses and ports that are free.

    Args:
        estate: what is to run.
        front: whether Expressway-E runs too.
        first_shift: where to begin; see :func:`mralab.config.estate.loopback_of`.

    Raises:
        LabError: an address is not local, or a port is taken on every address tried.
    """
    taken = ""
    low_ports = None
    for shift in range(first_shift, first_shift + _SHIFTS):
        loopback = spread(estate, shift=shift)
        if low_ports is None:  # rights do not depend on the address
            low_ports = _with_rights(estate, loopback, front=front)
        ports, notes = low_ports
        place = EstatePlace(loopback=loopback, ports=ports, shift=shift, notes=notes)
        taken = first_taken(estate, place, front=front)
        if not taken:
            return place
    raise LabError(
        f"on every loopback address tried a port is taken, at last {taken}",
        hint="end other labs or the program that uses it",
    )


def spread(estate: Estate, *, shift: int) -> dict[str, str]:
    """Return a loopback address of its own for each of the estate's addresses.

    Two addresses that differ in their first octet only would meet; the later one goes on to the
    next second octet that is free.

    Raises:
        LabError: an address is not an IPv4 literal.
    """
    found: dict[str, str] = {}
    for address in addresses_of(estate):
        used = found.values()
        try:
            candidates = (loopback_of(address, shift=shift + more) for more in range(_SHIFTS))
            found[address] = next(one for one in candidates if one not in used)
        except ValueError as exc:
            raise LabError(
                f"{address!r} is not an IPv4 address", hint="estates with IPv6 are not supported"
            ) from exc
        except StopIteration as exc:
            raise LabError(
                f"more than {_SHIFTS} addresses end as {address} does", hint="use fewer"
            ) from exc
    return found


def addresses_of(estate: Estate) -> tuple[str, ...]:
    """Return every address of the estate once, nodes first."""
    nodes = (node.address for node in estate.nodes())
    return tuple(dict.fromkeys((*nodes, estate.expressway_c.address, estate.expressway_e.address)))


def first_taken(estate: Estate, place: EstatePlace, *, front: bool) -> str:
    """Return the first needed address and port that is taken, as text; "" if all are free.

    Raises:
        LabError: an address is not local.
    """
    for address, ports in needed(estate, place.ports, front=front).items():
        for port in ports:
            fault = _try_out(place.loopback[address], port)
            if fault in _NOT_LOCAL:
                raise _not_local(place.loopback[address])
            if fault:
                return f"{place.loopback[address]}:{port}"
    return ""


def _with_rights(
    estate: Estate, loopback: Mapping[str, str], *, front: bool
) -> tuple[EstatePorts, tuple[str, ...]]:
    """Return the ports that may be bound, and what to say of those that may not."""
    ports, notes = EstatePorts(), []
    wanted = needed(estate, ports, front=front)
    used = {port: address for address, numbers in wanted.items() for port in numbers}
    for item in fields(EstatePorts):
        port = getattr(ports, item.name)
        address = used.get(port)
        if address is not None and _try_out(loopback[address], port) in _NO_RIGHTS:
            high = port + HIGH_PORT_OFFSET
            ports = replace(ports, **{item.name: high})
            notes.append(f"port {port} needs rights that are missing here: {high} is used instead")
    return ports, tuple(notes)


def _try_out(host: str, port: int) -> int:
    """Bind and let go; return the system's error number, 0 if it worked."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As asyncio's servers do: connections of an earlier lab in TIME_WAIT are no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as exc:
            return exc.errno or errno.EIO
    return 0


def _not_local(host: str) -> LabError:
    return LabError(
        f"{host} is not an address of this machine",
        hint=f"make it one; on macOS: sudo ifconfig lo0 alias {host}",
    )
