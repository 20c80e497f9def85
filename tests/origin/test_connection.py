"""Connections to origins on loopback, and the follower of TLS record boundaries."""

from __future__ import annotations

import contextlib
import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from OpenSSL import SSL
from tests.integration.harness import (
    Origin,
    Stream,
    TlsStream,
    server_context,
    settle,
)
from tests.origin.legs import Recorder, connect, context_for, dial, prepare

from mralab.config.releases import TlsVersion
from mralab.origin.connection import OriginConnection, _RecordBoundary
from mralab.truststore.openssl import HandshakeInspection
from mralab.truststore.verdict import Reason

if TYPE_CHECKING:
    from pathlib import Path

    from mralab.lab.pki import Credential, WrittenFiles
    from mralab.truststore.openssl import OriginContext

# -- record boundaries


def record(size: int) -> bytes:
    return b"\x17\x03\x03" + size.to_bytes(2, "big") + b"\x17" * size


def ends_of_records(data: bytes) -> list[int]:
    """The naive reference: walk from the start of everything."""
    ends = []
    at = 0
    while at + 5 <= len(data):
        at += 5 + int.from_bytes(data[at + 3 : at + 5], "big")
        ends.append(at)
    return ends


@given(
    st.lists(st.integers(0, 40), max_size=6),
    st.lists(st.integers(0, 300), max_size=12),
    st.integers(0, 10),
)
def test_boundaries_are_followed_through_any_pieces(
    sizes: list[int], cuts: list[int], short: int
) -> None:
    data = b"".join(map(record, sizes))
    data = data[: len(data) - short] if short < len(data) else data
    at = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    boundary = _RecordBoundary()
    for begin, end in itertools.pairwise(at):
        if begin == end:
            continue
        piece = memoryview(data)[begin:end]
        wanted = {one for one in ends_of_records(data) if begin < one <= end}
        assert [begin + one for one in boundary.take(piece, len(piece))] == sorted(wanted | {end})
        assert boundary.aligned is (end in ends_of_records(data[:end]))


def test_one_whole_record_is_seen_as_such() -> None:
    boundary = _RecordBoundary()
    for size in (1, 300, 16_401):
        assert boundary.take(memoryview(record(size)), size + 5) == (size + 5,)
        assert boundary.aligned
    assert boundary.take(memoryview(record(1) + record(1)), 12) == [6, 12]
    assert boundary.aligned
    assert boundary.take(memoryview(record(9)), 4) == [4]
    assert not boundary.aligned


# -- both kinds


@pytest.fixture(params=["plain", "tls"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Leg:
    """One connection between a recorder and a raw origin."""

    def __init__(self, recorder: Recorder, connection: OriginConnection, peer: Stream) -> None:
        self.recorder = recorder
        self.connection = connection
        self.peer = peer


@pytest.fixture
async def leg(kind: str, plain: Origin, tls: Origin, context: OriginContext) -> Leg:
    recorder = Recorder()
    origin = plain if kind == "plain" else tls
    connection = await dial(origin, recorder, context if kind == "tls" else None)
    peer = await origin.accept()
    await recorder.hears("established")
    assert recorder.told == ["tcp", "established"]
    return Leg(recorder, connection, peer)


def serve(leg: Leg) -> None:
    leg.connection.serve(leg.recorder, b"GET / HTTP/1.1\r\n\r\n")


async def test_bytes_pass_both_ways(leg: Leg) -> None:
    serve(leg)
    assert await leg.peer.head() == b"GET / HTTP/1.1\r\n\r\n"
    leg.connection.write(b"x" * 100_000)
    assert await leg.peer.exactly(100_000) == b"x" * 100_000
    leg.peer.send(b"y" * 100_000)
    await leg.recorder.gets(b"y" * 100_000)
    assert leg.connection.clean
    leg.connection.close()
    assert await leg.peer.ending() == "eof"
    assert leg.recorder.told == ["tcp", "established"]


async def test_facts_for_the_log(leg: Leg) -> None:
    connection = leg.connection
    port = connection.key[2]
    assert (connection.address, connection.port) == ("127.0.0.1", port)
    assert connection.source == f'Src-ip="127.0.0.1" Src-port="{port}"'
    assert connection.destination == f'Dst-ip="127.0.0.1" Dst-port="{port}"'
    connection.abort()


async def test_the_origin_closes(leg: Leg) -> None:
    serve(leg)
    await leg.peer.head()
    leg.peer.close()
    await leg.recorder.hears("ended")
    assert leg.connection.lost
    assert leg.recorder.failure is not None
    assert leg.recorder.failure.reason in (Reason.ORIGIN_CLOSED, Reason.TLS_ERROR)
    leg.connection.write(b"into nothing")
    leg.connection.write_eof()
    leg.connection.hold(True)
    leg.connection.close()
    leg.connection.abort()
    await settle()
    assert leg.recorder.told == ["tcp", "established", "ended"]


async def test_the_origin_resets(leg: Leg) -> None:
    serve(leg)
    await leg.peer.head()
    leg.peer.reset()
    await leg.recorder.hears("cut")
    assert leg.recorder.failure is not None
    assert leg.recorder.failure.reason is Reason.ORIGIN_RESET


async def test_abort_tells_nobody(leg: Leg) -> None:
    serve(leg)
    await leg.peer.head()
    leg.connection.abort()
    assert await leg.peer.ending() in ("eof", "reset")
    leg.peer.send(b"late")
    await settle()
    assert leg.recorder.told == ["tcp", "established"]
    assert leg.recorder.body == b""


async def test_stray_bytes_spoil_an_idle_connection(leg: Leg) -> None:
    leg.connection.rest(1.0, leg.recorder.idle_ended)
    leg.peer.send(b"stray")
    await leg.recorder.hears("idle ended")
    assert await leg.peer.ending() == "eof"
    assert leg.recorder.body == b""
    assert leg.recorder.told.count("idle ended") == 1


@pytest.mark.parametrize("how", ["close", "reset", "half_close"])
async def test_an_idle_connection_ends(leg: Leg, how: str) -> None:
    leg.connection.rest(1.0, leg.recorder.idle_ended)
    getattr(leg.peer, how)()
    await leg.recorder.hears("idle ended")
    assert leg.recorder.told == ["tcp", "established", "idle ended"]


async def test_a_connection_serves_again(leg: Leg) -> None:
    serve(leg)
    await leg.peer.head()
    leg.connection.rest(1.0, leg.recorder.idle_ended)
    second = Recorder()
    leg.connection.serve(second, b"again\r\n\r\n")
    assert await leg.peer.head() == b"again\r\n\r\n"
    leg.peer.send(b"second")
    await second.gets(b"second")
    assert leg.recorder.body == b""
    leg.peer.close()
    await second.hears("ended")
    assert "idle ended" not in leg.recorder.told


class _Resting(Recorder):
    """A reader whose response is complete with the first bytes: the connection rests at once."""

    connection: OriginConnection

    def feed(self, data: bytes) -> None:
        super().feed(data)
        self.connection.rest(1.0, self.idle_ended)


async def test_what_breaks_right_behind_a_whole_answer_leaves_the_pool(
    tls: Origin, context: OriginContext
) -> None:
    recorder = _Resting()
    recorder.connection = connection = await dial(tls, recorder, context)
    peer = await tls.accept()
    assert isinstance(peer, TlsStream)
    await recorder.hears("established")
    connection.serve(recorder, b"GET / HTTP/1.1\r\n\r\n")
    await peer.head()
    peer.send_raw(peer.encrypt(b"answer") + b"\x17\x03\x03\x00\x10" + b"garbage8" * 2)
    await recorder.hears("idle ended")
    assert connection.lost
    assert recorder.body == b"answer"
    assert recorder.told == ["tcp", "established", "idle ended"]


async def test_hold_stops_reading(leg: Leg) -> None:
    serve(leg)
    await leg.peer.head()
    leg.connection.hold(True)
    leg.connection.hold(True)
    leg.peer.send(b"later")
    await settle()
    assert leg.recorder.body == b""
    leg.connection.hold(False)
    await leg.recorder.gets(b"later")
    leg.connection.abort()


async def test_back_pressure_is_told(leg: Leg) -> None:
    serve(leg)
    await leg.peer.head()
    leg.peer.stop_reading()
    while "full" not in leg.recorder.told:
        leg.connection.write(b"z" * 1_000_000)
        await settle()
    leg.peer.start_reading()
    leg.peer.buffer.clear()
    while "writable" not in leg.recorder.told:
        await leg.peer.fill()
    leg.connection.abort()


async def test_back_pressure_of_a_connection_nobody_reads(leg: Leg) -> None:
    serve(leg)
    await leg.peer.head()
    leg.connection.rest(1.0, leg.recorder.idle_ended)
    leg.peer.stop_reading()
    leg.connection.write(b"z" * 20_000_000)
    await settle()
    leg.peer.start_reading()
    await leg.peer.skip(20_000_000)
    assert "full" not in leg.recorder.told
    leg.connection.abort()


async def test_half_close(leg: Leg) -> None:
    serve(leg)
    await leg.peer.head()
    leg.connection.write_eof()
    assert await leg.peer.ending() == "eof"
    leg.peer.send(b"answer")
    await leg.recorder.gets(b"answer")
    leg.connection.write_eof()
    leg.connection.close()


async def test_whoever_opened_it_may_give_up_at_once(
    kind: str, plain: Origin, tls: Origin, context: OriginContext
) -> None:
    recorder = Recorder(abort_at_tcp=True)
    origin = plain if kind == "plain" else tls
    connection = await dial(origin, recorder, context if kind == "tls" else None)
    await settle()
    assert recorder.told == ["tcp"]
    assert connection.lost
    peer = await origin.accept()
    if isinstance(peer, TlsStream):
        assert peer.raw_in == b""  # not one byte of a handshake
    else:
        assert await peer.ending() in ("eof", "reset")


async def test_whoever_opened_it_may_be_gone_before_it_stands(
    kind: str, plain: Origin, tls: Origin, context: OriginContext
) -> None:
    recorder = Recorder()
    origin = plain if kind == "plain" else tls

    connection = prepare(origin, recorder, context if kind == "tls" else None)
    connection.abort()
    await connect(connection)
    await settle()
    assert recorder.told == []
    assert connection.lost


# -- TLS only


async def test_close_says_so(tls: Origin, context: OriginContext) -> None:
    connection = await dial(tls, recorder := Recorder(), context)
    peer = await tls.accept_tls()
    await recorder.hears("established")
    connection.close()
    assert await peer.ending() == "eof"
    assert peer.tls.read(1) == b""  # close_notify came, not only an end of stream


async def test_a_connection_is_not_clean_in_the_middle_of_a_record(
    tls: Origin, context: OriginContext
) -> None:
    connection = await dial(tls, recorder := Recorder(), context)
    peer = await tls.accept_tls()
    await recorder.hears("established")
    connection.serve(recorder, b"x")
    data = peer.encrypt(b"first") + peer.encrypt(b"second")
    peer.send_raw(data[:-1])
    await recorder.gets(b"first")
    assert not connection.clean
    peer.send_raw(data[-1:])
    await recorder.gets(b"firstsecond")
    assert connection.clean
    connection.abort()


async def test_a_corrupted_record(tls: Origin, context: OriginContext) -> None:
    connection = await dial(tls, recorder := Recorder(), context)
    peer = await tls.accept_tls()
    await recorder.hears("established")
    connection.serve(recorder, b"x")
    data = bytearray(peer.encrypt(b"data"))
    data[-1] ^= 1
    peer.send_raw(bytes(data))
    await recorder.hears("cut")
    assert recorder.failure is not None
    assert recorder.failure.reason is Reason.TLS_ERROR
    assert await peer.ending() == "SSLV3_ALERT_BAD_RECORD_MAC"


async def test_a_corrupted_record_on_an_idle_connection(
    tls: Origin, context: OriginContext
) -> None:
    connection = await dial(tls, recorder := Recorder(), context)
    peer = await tls.accept_tls()
    await recorder.hears("established")
    connection.rest(1.0, recorder.idle_ended)
    peer.send_raw(b"\x17\x03\x03\x00\x20" + b"x" * 32)
    await recorder.hears("idle ended")
    assert await peer.ending() in ("eof", "reset")


async def test_tickets_on_an_idle_connection(
    ca: Credential, leaf: Credential, tmp_path: Path
) -> None:
    """Records of TLS itself are welcome: OpenSSL reads them, nobody is given anything."""
    async with Origin(server_context(leaf, folder=tmp_path)) as origin:
        context = context_for(ca, max_tls=TlsVersion.TLS1_3)
        connection = await dial(origin, recorder := Recorder(), context)
        peer = await origin.accept_tls()
        assert peer.tls.version() == "TLSv1.3"
        await recorder.hears("established")
        connection.rest(1.0, recorder.idle_ended)
        await settle()
        assert connection.clean
        connection.serve(recorder, b"go\r\n\r\n")
        assert await peer.head() == b"go\r\n\r\n"
        assert "idle ended" not in recorder.told
        connection.abort()


@pytest.mark.parametrize(
    ("data", "ends", "reason"),
    [
        (b"", "close", Reason.ORIGIN_CLOSED),
        (b"", "reset", Reason.ORIGIN_RESET),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "close", Reason.TLS_ERROR),
        (b"SSH-2.0-OpenSSH\r\n", "close", Reason.TLS_ERROR),
        (b"\x15\x03\x03\x00\x02\x02\x28", "close", Reason.ORIGIN_ALERT),
        (b"\x15\x03\x03\x00\x02\x02\x46", "close", Reason.ORIGIN_ALERT),
        (b"\x15\x03\x03\x00\x02\x02\x70", "close", Reason.ORIGIN_ALERT),
        (b"\x15\x03\x03\x00\x02\x02\xff", "close", Reason.TLS_ERROR),
        (b"\x15\x03\x03\x00\x02\x01\x00", "close", Reason.ORIGIN_CLOSED),
        (b"\x16\x03\x03", "close", Reason.ORIGIN_CLOSED),
    ],
    ids=repr,
)
async def test_handshakes_that_fail(
    plain: Origin, context: OriginContext, data: bytes, ends: str, reason: Reason
) -> None:
    connection = await dial(plain, recorder := Recorder(), context)
    peer = await plain.accept()
    await peer.fill()
    if data:
        peer.send(data)
    getattr(peer, ends)()
    await recorder.hears("not established")
    assert recorder.told == ["tcp", "not established"]
    assert recorder.failure is not None
    assert recorder.failure.reason is reason
    assert connection.lost
    await settle()


async def test_a_name_that_is_not_in_the_certificate(tls: Origin, context: OriginContext) -> None:
    await dial(tls, recorder := Recorder(), context, host="other.steven.lab")
    peer = await tls.accept_tls()
    await recorder.hears("not established")
    assert recorder.failure is not None
    assert recorder.failure.reason is Reason.NAME_REFUSED
    assert "other.steven.lab not in certificate" in recorder.failure.detail
    assert recorder.failure.inspection is not None
    assert peer.alert == (2, 80)
    assert peer.bytes_after_alert == 0


def test_renegotiation_is_refused(context: OriginContext, leaf: Credential, tmp_path: Path) -> None:
    """A second handshake could show another certificate: there is none."""
    files: WrittenFiles = leaf.write(tmp_path, "leaf")
    server_side = SSL.Context(SSL.TLS_SERVER_METHOD)
    server_side.set_max_proto_version(SSL.TLS1_2_VERSION)
    server_side.use_certificate_chain_file(str(files.chain))
    server_side.use_privatekey_file(str(files.key))
    server = SSL.Connection(server_side, None)
    server.set_accept_state()
    inspection = HandshakeInspection("cucm.steven.lab", "127.0.0.1", is_ip=False)
    client = context.new_connection(inspection)

    def exchange(step: SSL.Connection, other: SSL.Connection) -> None:
        with contextlib.suppress(SSL.WantReadError):
            step.do_handshake()
        with contextlib.suppress(SSL.WantReadError):
            other.bio_write(step.bio_read(65_536))

    for _ in range(3):
        exchange(client, server)
        exchange(server, client)
    assert inspection.name_verdict is not None
    assert server.renegotiate()
    exchange(server, client)
    with pytest.raises(SSL.WantReadError):
        client.recv(1)
    server.bio_write(client.bio_read(65_536))
    with pytest.raises(SSL.Error) as refusal:
        server.recv(1)
    assert refusal.value.args[0][0][2] == "no renegotiation"
