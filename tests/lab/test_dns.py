"""The DNS server: asked by dnspython, by packets made by hand, and with random bytes."""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
from contextlib import asynccontextmanager
from itertools import chain, repeat
from typing import TYPE_CHECKING

import dns.asyncquery
import dns.asyncresolver
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.resolver
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mralab.config.settings import Endpoint
from mralab.errors import LabError
from mralab.lab import dns as lab_dns
from mralab.lab.dns import DnsServer, SrvRecord, Zone, estate_zone, respond
from mralab.lab.estateplace import EstatePorts

from . import estates

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

FREE = Endpoint("127.0.0.1", 0)
REAL = {"10.48.36.215": "127.48.36.215"}
ZONE = estate_zone(estates.estate(), EstatePorts(), lambda address: REAL.get(address, address))


@asynccontextmanager
async def served(zone: Zone = ZONE) -> AsyncIterator[DnsServer]:
    server = DnsServer(zone, FREE)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


def answered(
    name: str, kind: str = "A", *, zone: Zone = ZONE, **options: object
) -> dns.message.Message:
    query = dns.message.make_query(name, kind, **options)  # type: ignore[arg-type]  # its options
    packet = respond(zone, query.to_wire())
    assert packet is not None
    reply = dns.message.from_wire(packet)
    assert query.is_response(reply)
    return reply


# Read by hand: what a client sees that shares no code with the server.


def by_hand(name: str, kind: int) -> bytes:
    labels = b"".join(bytes((len(one),)) + one.encode() for one in name.split("."))
    return struct.pack("!6H", 0x1234, 0x0100, 1, 0, 0, 0) + labels + struct.pack("!B2H", 0, kind, 1)


def read_name(packet: bytes, at: int) -> tuple[str, int]:
    labels: list[str] = []
    end = 0
    while packet[at]:
        if packet[at] >= 0xC0:
            end = end or at + 2
            at = struct.unpack_from("!H", packet, at)[0] & 0x3FFF
            continue
        labels.append(packet[at + 1 : at + 1 + packet[at]].decode())
        at += 1 + packet[at]
    return ".".join(labels), end or at + 1


def read_answers(packet: bytes) -> tuple[int, list[tuple[str, int, bytes]]]:
    """The flags, and name, type and data of each record."""
    number, flags, questions, *counts = struct.unpack_from("!6H", packet)
    assert (number, questions) == (0x1234, 1)
    _, at = read_name(packet, 12)
    at += 4
    records = []
    for _ in range(sum(counts)):
        name, at = read_name(packet, at)
        kind, klass, _ttl, size = struct.unpack_from("!2HLH", packet, at)
        assert klass == 1
        at += 10
        if kind == 33:
            target, _ = read_name(packet, at + 6)
            data = packet[at : at + 6] + target.encode()
        else:
            data = packet[at : at + size]
        records.append((name, kind, data))
        at += size
    assert at == len(packet)
    return flags, records


async def test_a_packet_made_by_hand_over_udp() -> None:
    async with served() as server:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.setblocking(False)
            client.connect((server.endpoint.host, server.endpoint.port))
            client.send(by_hand("CuCm.Steven.LAB", 1))
            packet = await asyncio.get_running_loop().sock_recv(client, 2048)
    flags, records = read_answers(packet)
    assert flags == 0x8500  # an answer, authoritative, recursion desired, no error
    assert records == [("CuCm.Steven.LAB", 1, bytes((127, 48, 36, 215)))]


async def test_packets_made_by_hand_over_tcp() -> None:
    async with served() as server:
        reader, writer = await asyncio.open_connection(server.endpoint.host, server.endpoint.port)
        for name in ("_collab-edge._tls.steven.lab", "_cisco-uds._tcp.steven.lab"):
            query = by_hand(name, 33)
            # In two pieces, as TCP may deliver it.
            writer.write(len(query).to_bytes(2, "big") + query[:5])
            await writer.drain()
            writer.write(query[5:])
            size = int.from_bytes(await reader.readexactly(2), "big")
            _, records = read_answers(await reader.readexactly(size))
            host = estates.E if "edge" in name else estates.CUCM
            target = struct.pack("!3H", 10, 10, 8443) + host.encode()
            assert records[0] == (name, 33, target)
            assert records[1][:2] == (host, 1)  # and where that is
        writer.close()
        await writer.wait_closed()


async def test_a_resolver_finds_the_edge() -> None:
    async with served() as server:
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers = [server.endpoint.host]
        resolver.port = server.endpoint.port
        found = await resolver.resolve("_collab-edge._tls.steven.lab", "SRV")
        assert [(item.target.to_text(), item.port) for item in found] == [
            ("vcse.steven.lab.", 8443)
        ]
        found = await resolver.resolve("_cisco-uds._tcp.steven.lab", "SRV", tcp=True)
        assert [item.target.to_text() for item in found] == ["cucm.steven.lab."]
        with pytest.raises(dns.resolver.NXDOMAIN):
            await resolver.resolve("nobody.steven.lab", "A")
        with pytest.raises(dns.resolver.NoAnswer):
            await resolver.resolve("cucm.steven.lab", "AAAA")


@pytest.mark.parametrize(
    ("name", "kind", "rcode", "answers", "authority"),
    [
        pytest.param("cucm.steven.lab", "A", "NOERROR", 1, 0, id="a node"),
        pytest.param("cucm", "A", "NOERROR", 1, 0, id="its first label alone"),
        pytest.param("cucm", "AAAA", "NOERROR", 0, 0, id="a short name without the type"),
        pytest.param("vcse.steven.lab", "AAAA", "NOERROR", 0, 1, id="no such type"),
        pytest.param("vcse.steven.lab", "ANY", "NOERROR", 1, 0, id="any type"),
        pytest.param("_tls.steven.lab", "A", "NOERROR", 0, 1, id="a name with names below it"),
        pytest.param("steven.lab", "SOA", "NOERROR", 1, 0, id="the domain's SOA"),
        pytest.param("steven.lab", "A", "NOERROR", 0, 1, id="the domain itself"),
        pytest.param("x.cucm.steven.lab", "A", "NXDOMAIN", 0, 1, id="below a node"),
        pytest.param("nobody.steven.lab", "A", "NXDOMAIN", 0, 1, id="no such name"),
        pytest.param("_sips._tcp.steven.lab", "SRV", "NXDOMAIN", 0, 1, id="no such service"),
        pytest.param("example.com", "A", "REFUSED", 0, 0, id="another domain"),
        pytest.param("lab", "A", "REFUSED", 0, 0, id="the domain above"),
        pytest.param(".", "NS", "REFUSED", 0, 0, id="the root"),
        pytest.param("notsteven.lab", "A", "REFUSED", 0, 0, id="a domain that ends like ours"),
        pytest.param("steven.lab", "AXFR", "REFUSED", 0, 0, id="a transfer"),
    ],
)
def test_answers(name: str, kind: str, rcode: str, answers: int, authority: int) -> None:
    reply = answered(name, kind)
    assert dns.rcode.to_text(reply.rcode()) == rcode
    assert (len(reply.answer), len(reply.authority)) == (answers, authority)
    assert bool(reply.flags & dns.flags.AA) == (rcode != "REFUSED")
    assert not reply.flags & dns.flags.RA


def test_a_publisher_advertised_by_its_address_is_named() -> None:
    estate = estates.estate(estates.cucm(advertised="10.48.36.215"))
    zone = estate_zone(estate, EstatePorts(uds=9443), lambda address: address)
    (record,) = answered("_cisco-uds._tcp.steven.lab", "SRV", zone=zone).answer[0]
    assert record.to_text() == "10 10 9443 cucm.steven.lab."


@pytest.mark.parametrize(
    ("edns", "payload"), [(-1, 0), (0, 512), (0, 4096), (0, 0)], ids=["none", "512", "4096", "0"]
)
def test_edns_is_tolerated_and_answered(edns: int, payload: int) -> None:
    reply = answered("cucm.steven.lab", use_edns=edns, payload=payload)
    assert reply.edns == edns
    assert len(reply.answer) == 1


def test_an_edns_version_to_come() -> None:
    reply = answered("cucm.steven.lab", use_edns=1)
    assert reply.rcode() == dns.rcode.BADVERS
    assert not reply.answer


def test_an_answer_too_long_for_udp_is_cut_and_whole_over_tcp() -> None:
    services = [
        SrvRecord(name="_cisco-uds._tcp.steven.lab", target=f"cucm{n}.steven.lab", port=8443)
        for n in range(40)
    ]
    zone = Zone({}, services, domains=("steven.lab",))
    query = dns.message.make_query("_cisco-uds._tcp.steven.lab", "SRV")
    short, whole = respond(zone, query.to_wire()), respond(zone, query.to_wire(), over_tcp=True)
    assert short is not None
    assert whole is not None
    assert len(short) <= 512
    cut = dns.message.from_wire(short)
    assert cut.flags & dns.flags.TC
    assert len(dns.message.from_wire(whole).answer[0]) == 40


def header(flags: int, *counts: int, number: int = 7) -> bytes:
    return struct.pack("!6H", number, flags, *counts)


QUESTION = b"\x04cucm\x06steven\x03lab\x00\x00\x01\x00\x01"


@pytest.mark.parametrize(
    ("packet", "rcode"),
    [
        pytest.param(b"", None, id="nothing"),
        pytest.param(header(0, 1, 0, 0, 0)[:11], None, id="less than a header"),
        pytest.param(header(0x8000, 1, 0, 0, 0) + QUESTION, None, id="an answer"),
        pytest.param(header(0, 0, 0, 0, 0), "FORMERR", id="no question"),
        pytest.param(header(0, 2, 0, 0, 0) + QUESTION * 2, "FORMERR", id="two questions"),
        pytest.param(header(0, 1, 0, 0, 0), "FORMERR", id="a question that is missing"),
        pytest.param(header(0, 1, 0, 0, 0) + QUESTION[:-2], "FORMERR", id="a question cut off"),
        pytest.param(header(0, 1, 0, 0, 0) + QUESTION + b"x", "FORMERR", id="more behind it"),
        pytest.param(header(0, 1, 0, 0, 0) + b"\xc0\x0c\x00\x01\x00\x01", "FORMERR", id="a loop"),
        pytest.param(header(0, 1, 0, 0, 0) + b"\x40" * 80, "FORMERR", id="a label of no type"),
        pytest.param(header(0x2000, 1, 0, 0, 0) + QUESTION, "NOTIMP", id="a notification"),
        pytest.param(
            header(0, 1, 0, 0, 0) + QUESTION[:-2] + b"\x00\x03", "REFUSED", id="another class"
        ),
    ],
)
def test_what_is_no_good_query(packet: bytes, rcode: str | None) -> None:
    reply = respond(ZONE, packet)
    if rcode is None:
        assert reply is None
    else:
        assert reply is not None
        number, flags, *_ = struct.unpack_from("!6H", reply)
        assert number == 7
        assert flags & 0x8000
        assert dns.rcode.to_text(dns.rcode.Rcode(flags & 15)) == rcode


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.tuples(st.sampled_from([0x0000, 0x0100, 0x2800, 0x7800]), st.binary(max_size=120)).map(
            lambda drawn: header(drawn[0], 1, 0, 0, 1) + QUESTION + drawn[1]
        ),
    )
)
def test_any_bytes_are_answered_or_dropped(packet: bytes) -> None:
    reply = respond(ZONE, packet)
    if reply is not None:
        assert reply[:2] == packet[:2]
        assert reply[2] & 0x80
        dns.message.from_wire(reply)
        assert respond(ZONE, reply) is None  # two such servers do not talk for ever


async def test_rubbish_harms_nobody() -> None:
    async with served() as server:
        reader, writer = await asyncio.open_connection(server.endpoint.host, server.endpoint.port)
        writer.write(b"\x00\x05hello")
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        where, port = server.endpoint.host, server.endpoint.port
        query = dns.message.make_query("cucm.steven.lab", "A")
        assert (await dns.asyncquery.udp(query, where, port=port, timeout=5)).answer
        assert (await dns.asyncquery.tcp(query, where, port=port, timeout=5)).answer


async def test_stopping_ends_open_connections() -> None:
    async with served() as server:
        reader, writer = await asyncio.open_connection(server.endpoint.host, server.endpoint.port)
        query = by_hand("cucm", 1)
        writer.write(len(query).to_bytes(2, "big") + query)
        await reader.readexactly(2)
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await reader.readexactly(500)
    writer.close()


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM], ids=["UDP", "TCP"])
async def test_a_port_that_is_taken(kind: int) -> None:
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        server = DnsServer(ZONE, Endpoint("127.0.0.1", taken.getsockname()[1]))
        with pytest.raises(LabError, match=r"DNS cannot listen on 127\.0\.0\.1:") as caught:
            await server.start()
        assert "--dns" in caught.value.hint


async def test_any_port_is_one_that_tcp_has_too(monkeypatch: pytest.MonkeyPatch) -> None:
    real = lab_dns.bound_udp
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = chain((taken.getsockname()[1],), repeat(0))

        def unlucky_at_first(endpoint: Endpoint) -> socket.socket:
            return real(Endpoint(endpoint.host, next(ports)))

        monkeypatch.setattr(lab_dns, "bound_udp", unlucky_at_first)
        async with served() as server:
            assert server.endpoint.port != taken.getsockname()[1]


async def test_without_rights_for_port_53(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another port is taken, and the note says so."""
    real = lab_dns.bound_udp

    def guarded(endpoint: Endpoint) -> socket.socket:
        if endpoint.port in {53, 10053}:
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(endpoint)

    monkeypatch.setattr(lab_dns, "bound_udp", guarded)
    server = DnsServer(ZONE)
    await server.start()
    assert server.endpoint.port not in {0, 53, 10053}
    assert server.notes == (
        "DNS cannot listen on 127.0.0.1:53: Permission denied: another port is used instead",
    )
    await server.stop()


@pytest.mark.parametrize(
    ("names", "said"),
    [
        pytest.param({"a..b": "127.0.0.1"}, "'a..b' is no DNS name", id="an empty label"),
        pytest.param({"x" * 64 + ".lab": "127.0.0.1"}, "is no DNS name", id="a label too long"),
        pytest.param({"a.lab": "10.0.0"}, "a.lab: '10.0.0' cannot stand in DNS", id="an address"),
    ],
)
def test_records_that_cannot_be(names: dict[str, str], said: str) -> None:
    with pytest.raises(LabError) as caught:
        Zone(names, (), domains=())
    assert said in str(caught.value)
