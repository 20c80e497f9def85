"""Frames and blocks, read back by a reader of its own."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.trafficlog.pcapreader import (
    ACK,
    FIN,
    PSH,
    RST,
    SYN,
    Follower,
    Segment,
    blocks_of,
    ones_complement,
    read,
    segment_of,
)

from mralab.trafficlog import pcapng
from mralab.trafficlog.pcapng import Conversation, Leg, Packet, Side, Socket

OPENER, ANSWERER = Side.OPENER, Side.ANSWERER
V4 = (Socket(bytes([127, 0, 0, 1]), 40_000), Socket(bytes([127, 0, 0, 2]), 8443))
V6 = (Socket(bytes(15) + b"\1", 40_000), Socket(bytes(15) + b"\2", 8443))


def conversation(
    ends: tuple[Socket, Socket] = V4, first: tuple[int, int] = (1000, 2000)
) -> Conversation:
    return Conversation(*ends, first=first)


def segments(packets: list[Packet]) -> list[Segment]:
    return [segment_of(packet.data) for packet in packets]


def shape(packets: list[Packet]) -> list[tuple[Side, int, int]]:
    """Sender, flags and size of each."""
    read_back = segments(packets)
    return [
        (packet.sender, segment.flags, len(segment.payload))
        for packet, segment in zip(packets, read_back, strict=True)
    ]


@pytest.mark.parametrize("ends", [V4, V6], ids=["IPv4", "IPv6"])
def test_a_connection_opens_with_three_packets(ends: tuple[Socket, Socket]) -> None:
    packets = conversation(ends).open()
    assert shape(packets) == [(OPENER, SYN, 0), (ANSWERER, SYN | ACK, 0), (OPENER, ACK, 0)]
    first, second, third = segments(packets)
    assert (first.source, first.destination) == ends
    assert (second.source, second.destination) == ends[::-1]
    assert (first.sequence, second.sequence, third.sequence) == (1000, 2000, 1001)
    assert (second.acknowledgement, third.acknowledgement) == (1001, 2001)
    size = struct.pack("!BBH", 2, 4, pcapng.SEGMENT_BYTES)
    assert [one.options for one in (first, second, third)] == [size, size, b""]


SEGMENT = pcapng.SEGMENT_BYTES


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        pytest.param(0, [], id="nothing is no packet"),
        pytest.param(1, [(OPENER, PSH | ACK, 1)], id="one byte is one packet that pushes"),
        pytest.param(SEGMENT, [(OPENER, PSH | ACK, SEGMENT)], id="a full segment is one packet"),
        pytest.param(
            SEGMENT + 1,
            [(OPENER, ACK, SEGMENT), (OPENER, PSH | ACK, 1)],
            id="one byte more is two, and the last one pushes",
        ),
        pytest.param(
            2 * SEGMENT + 1,
            [
                (OPENER, ACK, SEGMENT),
                (OPENER, ACK, SEGMENT),
                (ANSWERER, ACK, 0),
                (OPENER, PSH | ACK, 1),
            ],
            id="two full segments are acknowledged by a packet of its own",
        ),
    ],
)
def test_data_is_cut_into_segments(size: int, expected: list[tuple[Side, int, int]]) -> None:
    one = conversation()
    one.open()
    assert shape(one.data(OPENER, bytes(size))) == expected


def test_an_answer_acknowledges_so_nothing_else_has_to() -> None:
    one = conversation()
    one.open()
    one.data(OPENER, bytes(pcapng.ACKNOWLEDGE_BYTES - 1))
    one.data(ANSWERER, b"x")
    assert shape(one.data(OPENER, b"yy")) == [(OPENER, PSH | ACK, 2)]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        pytest.param(
            [("finish", OPENER)], [(OPENER, FIN | ACK, 0)], id="one side ends, the other is silent"
        ),
        pytest.param(
            [("finish", OPENER), ("finish", ANSWERER)],
            [(OPENER, FIN | ACK, 0), (ANSWERER, FIN | ACK, 0), (OPENER, ACK, 0)],
            id="both end, and the second end is acknowledged",
        ),
        pytest.param(
            [("finish", OPENER), ("finish", OPENER)],
            [(OPENER, FIN | ACK, 0)],
            id="a side ends once",
        ),
        pytest.param([("reset", ANSWERER)], [(ANSWERER, RST | ACK, 0)], id="a reset ends both"),
        pytest.param(
            [("finish", OPENER), ("reset", ANSWERER)],
            [(OPENER, FIN | ACK, 0), (ANSWERER, RST | ACK, 0)],
            id="a reset may answer an end",
        ),
        pytest.param(
            [("finish", OPENER), ("reset", OPENER)],
            [(OPENER, FIN | ACK, 0), (OPENER, RST | ACK, 0)],
            id="and follow one",
        ),
        pytest.param(
            [("reset", OPENER), ("reset", ANSWERER), ("finish", ANSWERER)],
            [(OPENER, RST | ACK, 0)],
            id="nothing comes after a reset",
        ),
        pytest.param(
            [("finish", OPENER), ("finish", ANSWERER), ("reset", OPENER)],
            [(OPENER, FIN | ACK, 0), (ANSWERER, FIN | ACK, 0), (OPENER, ACK, 0)],
            id="nor a reset after both ends",
        ),
    ],
)
def test_how_a_connection_ends(
    steps: list[tuple[str, Side]], expected: list[tuple[Side, int, int]]
) -> None:
    one = conversation()
    follower = Follower()
    for segment in segments(one.open()):
        follower.take(segment)
    packets = [packet for step, side in steps for packet in getattr(one, step)(side)]
    assert shape(packets) == expected
    for segment in segments(packets):
        follower.take(segment)


def test_who_has_ended_is_known() -> None:
    one = conversation()
    one.open()
    assert [one.has_ended(side) for side in (OPENER, ANSWERER)] == [False, False]
    one.finish(OPENER)
    assert [one.has_ended(side) for side in (OPENER, ANSWERER)] == [True, False]
    one.reset(OPENER)
    assert [one.has_ended(side) for side in (OPENER, ANSWERER)] == [True, True]


SIDES = st.sampled_from([OPENER, ANSWERER])
NUMBERS = st.one_of(st.integers(0, 2**32 - 1), st.integers(2**32 - 100_000, 2**32 - 1))


@given(
    ends=st.sampled_from([V4, V6]),
    first=st.tuples(NUMBERS, NUMBERS),
    steps=st.lists(st.tuples(SIDES, st.integers(0, 80_000)), max_size=6),
    ends_by=SIDES,
)
def test_whatever_is_carried_arrives_and_every_number_is_the_one_due(
    ends: tuple[Socket, Socket],
    first: tuple[int, int],
    steps: list[tuple[Side, int]],
    ends_by: Side,
) -> None:
    one = Conversation(*ends, first=first)
    sockets = dict(zip((OPENER, ANSWERER), ends, strict=True))
    packets = one.open()
    sent = {OPENER: b"", ANSWERER: b""}
    for number, (side, size) in enumerate(steps):
        data = bytes([number + 1]) * size
        sent[side] += data
        packets += one.data(side, data)
    packets += one.finish(ends_by) + one.finish(ends_by.other)
    follower = Follower()
    for packet in packets:
        segment = segment_of(packet.data)
        assert segment.source == sockets[packet.sender]
        assert len(segment.payload) <= pcapng.SEGMENT_BYTES
        follower.take(segment)
    for side, end in sockets.items():
        assert bytes(follower.carried[end]) == sent[side]
    assert follower.ended == set(ends)


@given(st.binary(max_size=70))
def test_a_checksum_makes_the_sum_of_the_words_come_out_even(data: bytes) -> None:
    even = data + b"\0" * (len(data) % 2)
    check = pcapng.checksum(data)
    assert check != 0xFFFF, "0 has one form"
    assert ones_complement(even + check.to_bytes(2, "big")) in (0xFFFF, 0 if not any(even) else -1)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.2", bytes([127, 0, 0, 2])),
        ("::1", bytes(15) + b"\1"),
        ("fe80::1%eth0", b"\xfe\x80" + bytes(13) + b"\1"),
        ("::ffff:10.1.2.3", bytes([10, 1, 2, 3])),
    ],
    ids=["IPv4", "IPv6", "an IPv6 address with its zone", "IPv4 on a socket for both"],
)
def test_addresses_as_the_system_writes_them(host: str, address: bytes) -> None:
    assert pcapng.socket_of(host, 443) == Socket(address, 443)


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(ValueError, match="cucm"):
        pcapng.socket_of("cucm.steven.lab", 443)


# ---- blocks


def packet(size: int = 0) -> bytes:
    one = conversation()
    opening = one.open()
    return one.data(OPENER, bytes(size))[0].data if size else opening[0].data


def frame(size: int = 0, *, leg: Leg = Leg.ORIGIN, written: bool = True, time_ns: int = 5) -> bytes:
    return pcapng.frame(packet(size), leg=leg, written=written, time_ns=time_ns)


SECTION = pcapng.section("mralab 0")


def test_a_section_says_what_is_made_up_and_describes_both_legs() -> None:
    capture = read(SECTION)
    (options,) = capture.sections
    assert b"synthesised from what the proxy read and wrote" in options[1]
    assert options[4] == b"mralab 0"
    assert [interface[2] for interface in capture.interfaces] == [b"client leg", b"origin leg"]
    assert [interface[3] for interface in capture.interfaces] == [
        b"between the clients and the proxy",
        b"between the proxy and the origins",
    ]


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, SEGMENT])
def test_a_frame_keeps_leg_time_direction_and_packet(size: int) -> None:
    time_ns = 1_657_555_526_016_123_456
    data = SECTION + frame(size, leg=Leg.CLIENT, written=False, time_ns=time_ns)
    data += frame(size, leg=Leg.ORIGIN, written=True, time_ns=time_ns + 1)
    first, second = read(data).frames
    assert (first.interface, first.written, first.time_ns) == ("client leg", False, time_ns)
    assert (second.interface, second.written, second.time_ns) == ("origin leg", True, time_ns + 1)
    assert len(first.segment.payload) == size
    assert (first.comments, first.dropped) == ([], None)


@pytest.mark.parametrize("line", [b"", b"CLIENT_RANDOM 00 11", b"abc"])
def test_a_secret_is_a_line_of_the_key_log(line: bytes) -> None:
    assert read(SECTION + pcapng.secrets(line)).secrets == [line + b"\n"]


@given(st.lists(st.integers(0, 9), min_size=1, max_size=4), st.data())
def test_of_what_was_written_in_part_the_whole_blocks_count(
    sizes: list[int], data: st.DataObject
) -> None:
    blocks = b"".join(frame(size) for size in sizes)
    done = data.draw(st.integers(0, len(blocks)))
    whole = pcapng.whole_size(blocks, done)
    assert whole <= done
    kept, lost = blocks_of(blocks[:whole]), blocks_of(blocks[whole:])
    assert len(kept) + len(lost) == len(sizes)
    assert done == len(blocks) or done - whole < len(lost[0].body) + 12
    assert pcapng.count_frames(blocks[whole:]) == len(lost)


def test_only_frames_count_as_frames() -> None:
    assert pcapng.count_frames(b"") == 0
    assert pcapng.count_frames(SECTION + pcapng.secrets(b"x") + frame() + frame(7)) == 2


def test_the_first_frame_tells_what_was_lost() -> None:
    blocks = pcapng.secrets(b"x") + frame(5) + frame(6)
    capture = read(SECTION + pcapng.tell_loss(blocks, 3, "No space left on device"))
    assert capture.order == ["section", "interface", "interface", "secrets", "frame", "frame"]
    first, second = capture.frames
    assert first.comments == ["3 frames lost about here: No space left on device"]
    assert first.dropped == 3
    assert (second.comments, second.dropped) == ([], None)
    untold = read(SECTION + blocks).frames
    assert [one.segment for one in capture.frames] == [one.segment for one in untold]
    assert first.written is untold[0].written


def test_without_a_frame_nothing_tells_of_a_loss() -> None:
    blocks = pcapng.secrets(b"x")
    assert pcapng.tell_loss(blocks, 3, "x") == blocks


def test_a_file_is_known_by_its_first_and_last_bytes() -> None:
    assert pcapng.begins_section(SECTION)
    assert not pcapng.begins_section(b"\0" + SECTION)
    assert not pcapng.begins_section(SECTION[:4])
    assert not pcapng.begins_section(b"")
    block = frame(9)
    assert pcapng.last_block_size((SECTION + block)[-4:]) == len(block)
