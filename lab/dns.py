"""A small DNS server for the names of an estate, so that real clients can be pointed at it.

- Authoritative for its own names and the domains they stand in; everything else is REFUSED, so a
  client that has another server asks that one. It never answers SERVFAIL.
- A for every name, SRV for ``_collab-edge._tls`` and ``_cisco-uds._tcp``; a name without the type
  asked for is an empty answer, a name that is not there NXDOMAIN, both with the domain's SOA.
- Whatever arrives is answered or dropped, never raised: what is no query is dropped, a query that
  cannot be read is FORMERR. Letters keep the case they came in.
- UDP and TCP on one port. It is for loopback and lab networks: answers go to whoever asks.

Source: RFC 1035, 2308 (negative answers), 2782 (SRV), 6891 (EDNS), 7766 (TCP), 8482 (ANY);
names of the two SRV records in the MRA guide X15.0 (seen).
"""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from mralab.config.settings import Endpoint
from mralab.errors import LabError
from mralab.lab.estatefiles import is_address, names_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from dns.rdtypes.IN.SRV import SRV

    from mralab.config.estate import Estate
    from mralab.lab.estateplace import EstatePorts

#: The standard port, and the one that is taken where rights for it are missing. Lab default.
PORT: Final = 53
HIGH_PORT: Final = 10_053
#: Seconds that an answer may be kept; short, since estates change. Lab default.
TTL_S: Final = 30
#: Bytes of a UDP answer that we promise to take. Source: DNS flag day 2020.
_UDP_PAYLOAD: Final = 1232
_HEADER: Final = struct.Struct("!HHHHHH")
_TCP_IDLE_S: Final = 10.0
_TRIES: Final = 16
_MAX_TCP: Final = 64  # connections at once; more are closed
_MAX_TCP_BYTES: Final = 65_535
_UDP_BYTES: Final = 512  # of one who promises no more
_OPCODE: Final = 0x7800
_LOOPBACK: Final = "127.0.0.1"
_TRANSFERS: Final = frozenset({dns.rdatatype.AXFR, dns.rdatatype.IXFR})
_Type = dns.rdatatype.RdataType


@dataclass(frozen=True, slots=True, kw_only=True)
class SrvRecord:
    """Where a service is."""

    name: str  #: such as ``_collab-edge._tls.steven.lab``
    target: str
    port: int
    priority: int = 10
    weight: int = 10


def estate_zone(estate: Estate, ports: EstatePorts, address_of: Callable[[str], str]) -> Zone:
    """Return what the DNS of an estate says.

    A publisher that is advertised by an address has its name in the SRV record: an address is no
    target. Short names stand as they are: clients put their search domain behind them.

    Args:
        estate: whose names.
        ports: the ports of its services.
        address_of: where a real address is reached: on loopback, or at itself.

    Raises:
        LabError: a name is none that DNS could have.
    """
    names = {name: address_of(address) for name, address in names_of(estate).items()}
    publishers = [cluster.publisher for cluster in estate.clusters]
    services = [
        SrvRecord(
            name=f"_collab-edge._tls.{estate.domain}",
            target=estate.expressway_e.name,
            port=ports.front,
        )
    ]
    services += [
        SrvRecord(
            name=f"_cisco-uds._tcp.{estate.domain}",
            target=node.name if is_address(node.shown) else node.shown,
            port=ports.uds,
        )
        for node in publishers
    ]
    return Zone(names, services, domains=(estate.domain,))


class Zone:
    """What a server answers from; made once."""

    def __init__(
        self, names: Mapping[str, str], services: Iterable[SrvRecord], *, domains: Iterable[str]
    ) -> None:
        """Take the records.

        Args:
            names: IPv4 addresses by name.
            services: where services are.
            domains: those that no other server is asked about, beside the names' own.

        Raises:
            LabError: a name is none that DNS could have, or an address is none.
        """
        self._records: dict[tuple[dns.name.Name, _Type], list[dns.rdata.Rdata]] = {}
        for name, address in names.items():
            self._add(name, dns.rdatatype.A, address)
        self._domains = {_name(domain) for domain in domains}
        self._domains |= {name.parent() for name, _ in self._records}
        for item in services:
            target = _name(item.target).to_text()
            text = f"{item.priority} {item.weight} {item.port} {target}"
            self._add(item.name, dns.rdatatype.SRV, text)
        self._domains.discard(dns.name.root)
        self._names = set(self._domains)
        for owner, _ in self._records:
            self._names |= self._with_those_above(owner)

    def _add(self, name: str, kind: _Type, text: str) -> None:
        try:
            data = dns.rdata.from_text(dns.rdataclass.IN, kind, text)
        except (dns.exception.DNSException, ValueError) as exc:
            raise LabError(f"{name}: {text!r} cannot stand in DNS: {exc}") from exc
        self._records.setdefault((_name(name), kind), []).append(data)

    def _with_those_above(self, name: dns.name.Name) -> set[dns.name.Name]:
        """Return a name and those up to its domain: they are there, if with nothing in them."""
        found = {name}
        while (name := name.parent()) not in self._domains and name != dns.name.root:
            found.add(name)
        return found

    def answer(self, query: dns.message.Message) -> dns.message.Message:
        """Answer a query that could be read."""
        reply = dns.message.make_response(query, our_payload=_UDP_PAYLOAD)
        if query.edns > 0:
            reply.set_rcode(dns.rcode.BADVERS)
        elif query.opcode() != dns.opcode.QUERY:
            reply.set_rcode(dns.rcode.NOTIMP)
        elif len(query.question) != 1:
            reply.set_rcode(dns.rcode.FORMERR)
        else:
            question = query.question[0]
            if question.rdclass != dns.rdataclass.IN or question.rdtype in _TRANSFERS:
                reply.set_rcode(dns.rcode.REFUSED)
            else:
                self._look_up(question.name, question.rdtype, reply)
        return reply

    def _look_up(self, name: dns.name.Name, kind: _Type, reply: dns.message.Message) -> None:
        domain = self._domain_of(name)
        if domain is None and name not in self._names:
            reply.set_rcode(dns.rcode.REFUSED)
            return
        reply.flags |= dns.flags.AA
        kinds = (dns.rdatatype.A, dns.rdatatype.SRV) if kind == dns.rdatatype.ANY else (kind,)
        found = next((one for one in kinds if (name, one) in self._records), None)
        if found is not None:
            # Under the name as it was asked for: its case stays.
            data = self._records[name, found]
            reply.answer.append(dns.rrset.from_rdata_list(name, TTL_S, data))
            self._add_targets(data, reply)
        elif domain is not None and name == domain and kind == dns.rdatatype.SOA:
            reply.answer.append(_soa(name))
        else:
            if name not in self._names:
                reply.set_rcode(dns.rcode.NXDOMAIN)
            if domain is not None:
                reply.authority.append(_soa(domain))

    def _add_targets(self, data: list[dns.rdata.Rdata], reply: dns.message.Message) -> None:
        for item in data:
            if item.rdtype != dns.rdatatype.SRV:
                continue
            target = cast("SRV", item).target
            addresses = self._records.get((target, dns.rdatatype.A))
            if addresses:
                reply.additional.append(dns.rrset.from_rdata_list(target, TTL_S, addresses))

    def _domain_of(self, name: dns.name.Name) -> dns.name.Name | None:
        """Return the nearest domain of ours that a name stands in."""
        while name != dns.name.root:
            if name in self._domains:
                return name
            name = name.parent()
        return None


def respond(zone: Zone, packet: bytes, *, over_tcp: bool = False) -> bytes | None:
    """Answer one packet.

    Args:
        zone: what to answer from.
        packet: as it arrived, without TCP's length.
        over_tcp: whether the answer may be long.

    Returns:
        The answer; None for what deserves none.
    """
    if len(packet) < _HEADER.size:
        return None
    number, flags, *_ = _HEADER.unpack_from(packet)
    if flags & dns.flags.QR:
        return None  # an answer; answering it could go on for ever
    try:
        query = dns.message.from_wire(packet)
        limit = _MAX_TCP_BYTES if over_tcp else _udp_limit(query)
        return zone.answer(query).to_wire(max_size=limit, prefer_truncation=True)
    except (dns.exception.DNSException, ValueError, NotImplementedError):
        kept = flags & (_OPCODE | dns.flags.RD)
        return _HEADER.pack(number, dns.flags.QR | kept | dns.rcode.FORMERR, 0, 0, 0, 0)


class DnsServer:
    """A DNS server on one UDP and TCP port.

    Attributes:
        zone: what it answers from; may be replaced while it runs.
        endpoint: where it listens; known once it runs.
        notes: what is not as documented, a sentence each.
    """

    def __init__(self, zone: Zone, listen: Endpoint | None = None) -> None:
        """Describe it; nothing runs yet.

        Args:
            zone: what to answer from.
            listen: address and port, 0 for any free one. Default: 127.0.0.1 with port 53, or
                10053 or any free one where 53 cannot be had.
        """
        self.zone = zone
        self.endpoint = listen or Endpoint(_LOOPBACK, PORT)
        self.notes: tuple[str, ...] = ()
        self._wanted = listen
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen.

        Raises:
            LabError: the address cannot be had.
        """
        if self._wanted is not None:
            await self._listen_if_free(self._wanted)
            return
        for port in (PORT, HIGH_PORT, 0):
            try:
                await self._listen_if_free(Endpoint(_LOOPBACK, port))
            except LabError as exc:
                if not self.notes:
                    self.notes = (f"{exc}: another port is used instead",)
            else:
                return
        raise LabError("the DNS server finds no port", hint="name one with --dns, or --dns off")

    async def stop(self) -> None:
        """Listen no more and end all connections."""
        if self._udp is not None:
            self._udp.close()
        if self._tcp is not None:
            self._tcp.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        if self._tcp is not None:
            await self._tcp.wait_closed()
        self._udp = self._tcp = None

    async def _listen_if_free(self, endpoint: Endpoint) -> None:
        """Listen; a port of the system's choice is free for UDP, and TCP may have to try others."""
        for _ in range(_TRIES if endpoint.port == 0 else 0):
            with suppress(LabError):
                await self._listen(endpoint)
                return
        await self._listen(endpoint)

    async def _listen(self, endpoint: Endpoint) -> None:
        loop = asyncio.get_running_loop()
        try:
            udp, _ = await loop.create_datagram_endpoint(
                lambda: _Datagrams(self), sock=bound_udp(endpoint)
            )
        except OSError as exc:
            raise _cannot_listen(endpoint, exc) from exc
        port = udp.get_extra_info("sockname")[1]
        try:
            self._tcp = await asyncio.start_server(self._serve, endpoint.host, port)
        except OSError as exc:
            udp.close()
            raise _cannot_listen(endpoint, exc) from exc
        self._udp = udp
        self.endpoint = Endpoint(endpoint.host, port)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._connections.add(task)
        try:
            if len(self._connections) <= _MAX_TCP:
                with suppress(TimeoutError, asyncio.IncompleteReadError, ConnectionError):
                    await self._answer_all(reader, writer)
        finally:
            self._connections.discard(task)
            writer.transport.abort() if task.cancelling() else writer.close()

    async def _answer_all(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            async with asyncio.timeout(_TCP_IDLE_S):
                size = int.from_bytes(await reader.readexactly(2), "big")
                packet = await reader.readexactly(size)
                reply = respond(self.zone, packet, over_tcp=True)
                if reply is None:
                    return
                writer.write(len(reply).to_bytes(2, "big") + reply)
                await writer.drain()


class _Datagrams(asyncio.DatagramProtocol):
    """Answers each datagram on its own."""

    def __init__(self, server: DnsServer) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        reply = respond(self._server.zone, data)
        if reply is not None:
            self._transport.sendto(reply, addr)


def bound_udp(endpoint: Endpoint) -> socket.socket:
    """Return a bound UDP socket.

    Raises:
        OSError: as the system says.
    """
    family = socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_DGRAM)
    try:
        made.setblocking(False)
        made.bind((endpoint.host, endpoint.port))
    except OSError:
        made.close()
        raise
    return made


def _udp_limit(query: dns.message.Message) -> int:
    """Return how long an answer over UDP may be. Source: RFC 6891, 6.2.5."""
    if query.edns < 0:
        return _UDP_BYTES
    return max(_UDP_BYTES, min(query.payload, _UDP_PAYLOAD))


def _soa(domain: dns.name.Name) -> dns.rrset.RRset:
    text = f"ns.{domain} hostmaster.{domain} 1 3600 600 86400 {TTL_S}"
    return dns.rrset.from_text(domain, TTL_S, dns.rdataclass.IN, dns.rdatatype.SOA, text)


def _name(text: str) -> dns.name.Name:
    try:
        return dns.name.from_text(text)
    except dns.exception.DNSException as exc:
        raise LabError(f"{text!r} is no DNS name: {exc}") from exc


def _cannot_listen(endpoint: Endpoint, exc: OSError) -> LabError:
    return LabError(
        f"DNS cannot listen on {endpoint}: {exc.strerror or exc}",
        hint="name another address with --dns HOST:PORT, or --dns off",
    )
