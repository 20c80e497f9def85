"""A reader of pcapng files and of the TCP in them, written apart from what writes them.

It takes nothing for granted: lengths at both ends of a block, padding, checksums and sequence
numbers are looked at here, and a fault is an AssertionError.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

IPV4, IPV6 = 4, 6
FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10


@dataclass(slots=True)
class Block:
    kind: int
    body: bytes


@dataclass(slots=True)
class Segment:
    """A TCP segment in its IP packet."""

    version: int
    source: tuple[bytes, int]
    destination: tuple[bytes, int]
    sequence: int
    acknowledgement: int
    flags: int
    window: int
    options: bytes
    payload: bytes


@dataclass(slots=True)
class Frame:
    interface: str
    time_ns: int
    written: bool
    segment: Segment
    comments: list[str] = field(default_factory=list)
    dropped: int | None = None


@dataclass(slots=True)
class Capture:
    """What a file holds, in order."""

    sections: list[dict[int, bytes]] = field(default_factory=list)
    interfaces: list[dict[int, bytes]] = field(default_factory=list)  #: of the last section
    frames: list[Frame] = field(default_factory=list)
    secrets: list[bytes] = field(default_factory=list)
    order: list[str] = field(default_factory=list)  #: "section", "interface", "frame", "secrets"


def blocks_of(data: bytes) -> list[Block]:
    blocks = []
    while data:
        kind, length = struct.unpack("<II", data[:8])
        assert length % 4 == 0
        assert 12 <= length <= len(data)
        assert data[length - 4 : length] == data[4:8], "the length stands at both ends"
        blocks.append(Block(kind, data[8 : length - 4]))
        data = data[length:]
    return blocks


def options_of(data: bytes) -> list[tuple[int, bytes]]:
    options: list[tuple[int, bytes]] = []
    while data:
        code, length = struct.unpack("<HH", data[:4])
        if code == 0:
            assert data == b"\0\0\0\0", "nothing follows the end of the options"
            return options
        options.append((code, data[4 : 4 + length]))
        end = 4 + (length + 3) // 4 * 4
        assert data[4 + length : end].strip(b"\0") == b""
        data = data[end:]
    assert not options, "options have an end"
    return options


def read(data: bytes) -> Capture:
    capture = Capture()
    for block in blocks_of(data):
        body = block.body
        if block.kind == 0x0A0D0D0A:
            order, major, minor, length = struct.unpack("<IHHq", body[:16])
            assert (order, major, minor, length) == (0x1A2B3C4D, 1, 0, -1)
            capture.sections.append(dict(options_of(body[16:])))
            capture.interfaces = []
            capture.order.append("section")
        elif block.kind == 1:
            link, reserved, snap = struct.unpack("<HHI", body[:8])
            assert (link, reserved, snap) == (101, 0, 0)
            capture.interfaces.append(dict(options_of(body[8:])))
            capture.order.append("interface")
        elif block.kind == 6:
            capture.frames.append(_frame(body, capture))
            capture.order.append("frame")
        elif block.kind == 0x0A:
            kind, length = struct.unpack("<II", body[:8])
            assert kind == int.from_bytes(b"TLSK", "big")
            assert len(body) == 8 + (length + 3) // 4 * 4
            capture.secrets.append(body[8 : 8 + length])
            capture.order.append("secrets")
        else:
            raise AssertionError(f"block type {block.kind}")
    return capture


def _frame(body: bytes, capture: Capture) -> Frame:
    number, high, low, captured, original = struct.unpack("<IIIII", body[:20])
    assert captured == original
    padded = (captured + 3) // 4 * 4
    interface = capture.interfaces[number]
    assert interface[9] == b"\x09", "nanoseconds"
    options = options_of(body[20 + padded :])
    ((flags,),) = [struct.unpack("<I", value) for code, value in options if code == 2]
    assert flags in (1, 2)
    frame = Frame(
        interface=interface[2].decode(),
        time_ns=(high << 32) + low,
        written=flags == 2,
        segment=segment_of(body[20 : 20 + captured]),
        comments=[value.decode() for code, value in options if code == 1],
    )
    for code, value in options:
        if code == 4:
            (frame.dropped,) = struct.unpack("<Q", value)
    return frame


def ones_complement(data: bytes) -> int:
    """The sum as RFC 1071 writes it; 0xFFFF if the checksum among ``data`` is right."""
    total = 0
    for (word,) in struct.iter_unpack("!H", data + b"\0" * (len(data) % 2)):
        total += word
        total = (total & 0xFFFF) + (total >> 16)
    return total


def segment_of(packet: bytes) -> Segment:
    version = packet[0] >> 4
    if version == IPV4:
        assert packet[0] & 15 == 5
        assert ones_complement(packet[:20]) == 0xFFFF
        length, protocol, hops = struct.unpack("!H", packet[2:4])[0] - 20, packet[9], packet[8]
        source, destination, data = packet[12:16], packet[16:20], packet[20:]
        pseudo = source + destination + struct.pack("!BBH", 0, 6, length)
    else:
        assert version == IPV6
        length, protocol, hops = struct.unpack("!HBB", packet[4:8])
        source, destination, data = packet[8:24], packet[24:40], packet[40:]
        pseudo = source + destination + struct.pack("!IHBB", length, 0, 0, 6)
    assert (length, protocol) == (len(data), 6)
    assert hops > 0
    assert ones_complement(pseudo + data) == 0xFFFF
    sport, dport, sequence, acknowledgement, offset, flags, window, _, urgent = struct.unpack(
        "!HHIIBBHHH", data[:20]
    )
    assert urgent == 0
    start = (offset >> 4) * 4
    return Segment(
        version=version,
        source=(source, sport),
        destination=(destination, dport),
        sequence=sequence,
        acknowledgement=acknowledgement,
        flags=flags,
        window=window,
        options=data[20:start],
        payload=data[start:],
    )


class Follower:
    """Follows one connection as TCP would: every number must be the one that is due."""

    def __init__(self) -> None:
        self.next: dict[tuple[bytes, int], int] = {}  # of each sender
        self.acknowledged: dict[tuple[bytes, int], int] = {}  # of each sender's bytes
        self.carried: dict[tuple[bytes, int], bytearray] = {}
        self.ended: set[tuple[bytes, int]] = set()

    def take(self, segment: Segment) -> None:
        source, peer = segment.source, segment.destination
        if segment.flags & SYN:
            assert source not in self.next
            assert not segment.payload
            self.next[source] = self.acknowledged[source] = segment.sequence
            self.carried[source] = bytearray()
        assert segment.sequence == self.next[source]
        assert source not in self.ended or not segment.payload
        if segment.flags & ACK:
            assert segment.acknowledgement == self.next[peer]
            self.acknowledged[peer] = segment.acknowledgement
        else:
            assert segment.flags == SYN
        self.carried[source] += segment.payload
        counted = len(segment.payload) + bool(segment.flags & (SYN | FIN))
        self.next[source] = (segment.sequence + counted) % 2**32
        in_flight = (self.next[source] - self.acknowledged[source]) % 2**32
        assert in_flight <= segment.window, "no more under way than the window allows"
        if segment.flags & FIN:
            assert source not in self.ended
            self.ended.add(source)


def conversations(capture: Capture) -> list[list[Frame]]:
    """Return the frames of each connection, in the order in which they began."""
    found: dict[frozenset[tuple[bytes, int]], list[Frame]] = {}
    for frame in capture.frames:
        ends = frozenset((frame.segment.source, frame.segment.destination))
        found.setdefault(ends, []).append(frame)
    return list(found.values())
