"""A capture as bytes: TCP frames for what a connection carried, and the pcapng blocks around them.

Rules: the bytes of a connection, their order and their time are the caller's; all else in a frame
is made up here so that a reader of captures finds nothing to complain of. Sequence and
acknowledgement numbers follow the bytes, checksums are right, and no side has more unacknowledged
than the window allows. Nothing is guessed that the caller cannot know: no retransmissions, no
frames of a connection that was never made.

Every section of a file describes the same two interfaces, one for each leg. *Pure*.

Source: draft-ietf-opsawg-pcapng (blocks and options), RFC 9293 (TCP), RFC 791, RFC 8200.
"""

from __future__ import annotations

import struct
from enum import Enum
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_SECTION: Final = 0x0A0D0D0A
_INTERFACE: Final = 1
_FRAME: Final = 6
_SECRETS: Final = 0x0A
_BYTE_ORDER: Final = 0x1A2B3C4D
_TLS_KEY_LOG: Final = 0x544C534B
_RAW_IP: Final = 101  # LINKTYPE_RAW: the frame begins with the IP header, of either version
_WORD: Final = 4
_BLOCK_HEAD: Final = struct.Struct("<II")  # type, total length
_LENGTH: Final = struct.Struct("<I")
_OPTION: Final = struct.Struct("<HH")
_FRAME_HEAD: Final = struct.Struct("<IIIIIII")
_END: Final = b"\0\0\0\0"
_COMMENT, _APPLICATION, _NAME, _DESCRIPTION, _FLAGS, _DROPPED, _RESOLUTION = 1, 4, 2, 3, 2, 4, 9
_NANOSECONDS: Final = b"\x09"
_READ, _WRITTEN = 1, 2  # the first two bits of a frame's flags: inbound, outbound

_SYN, _ACK, _PSH, _FIN, _RST = 0x02, 0x10, 0x08, 0x01, 0x04
_TCP: Final = struct.Struct("!HHIIBBHHH")
_IPV4: Final = struct.Struct("!BBHHHBBH4s4s")
_IPV6: Final = struct.Struct("!IHBB16s16s")
_PSEUDO: Final = struct.Struct("!II")  # as of IPv6; in IPv4's the same words, so the same sum
_IPV6_BYTES: Final = 16
_TCP_PROTOCOL: Final = 6
_DONT_FRAGMENT: Final = 0x4000
_HOPS: Final = 64
_WINDOW: Final = 65_535
_NUMBERS: Final = 1 << 32
#: Payload of one frame at most; as maximum segment size it stands in both SYNs. Lab default.
SEGMENT_BYTES: Final = 16_384
#: A side acknowledges by a frame of its own when so much came without one. Lab default.
ACKNOWLEDGE_BYTES: Final = 32_768

_ABOUT: Final = (
    "TCP frames synthesised from what the proxy read and wrote, in that order and with the time of"
    " it. TCP handshakes, sequence and acknowledgement numbers, segments and windows are made up;"
    " what the network did in between is not here."
)


class Leg(Enum):
    """The two interfaces of each section, by number."""

    CLIENT = 0
    ORIGIN = 1


#: Name and description of each leg's interface.
_LEGS: Final = {
    Leg.CLIENT: ("client leg", "between the clients and the proxy"),
    Leg.ORIGIN: ("origin leg", "between the proxy and the origins"),
}


class Side(Enum):
    """The two ends of a TCP connection."""

    OPENER = "opener"
    ANSWERER = "answerer"

    @property
    def other(self) -> Side:
        """The other end."""
        return Side.ANSWERER if self is Side.OPENER else Side.OPENER


class Socket(NamedTuple):
    """Address (4 or 16 bytes) and port of one end."""

    address: bytes
    port: int


class Packet(NamedTuple):
    """An IP packet and who sends it."""

    sender: Side
    data: bytes


def socket_of(host: str, port: int) -> Socket:
    """Return an end of a connection.

    Args:
        host: IP address as text, as the system gives it; an IPv4 address that a socket for both
            versions wrote as IPv6 is an IPv4 address.
        port: 0 to 65535.

    Raises:
        ValueError: ``host`` is not an IP address.
    """
    address = ip_address(host.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return Socket(address.packed, port)


# ---- frames


class _End:
    """What one end has sent and acknowledged."""

    __slots__ = ("acknowledged", "ended", "sequence", "socket")

    def __init__(self, socket: Socket, first: int) -> None:
        self.socket = socket
        self.sequence = first % _NUMBERS  # of the next byte it sends
        self.acknowledged = 0  # number up to which it has acknowledged the other end's bytes
        self.ended = False


class Conversation:
    """One TCP connection, told as packets: open it, pass data, end it."""

    __slots__ = ("_ends",)

    def __init__(self, opener: Socket, answerer: Socket, *, first: tuple[int, int]) -> None:
        """Prepare a connection.

        Args:
            opener: the end that connects.
            answerer: the end that listens, of the same IP version.
            first: initial sequence numbers of the two, in this order; another connection between
                the same ends must have others.
        """
        self._ends = {
            Side.OPENER: _End(opener, first[0]),
            Side.ANSWERER: _End(answerer, first[1]),
        }

    def open(self) -> list[Packet]:
        """Return the three packets that establish the connection."""
        size = struct.pack("!BBH", 2, 4, SEGMENT_BYTES)
        return [
            self._packet(Side.OPENER, _SYN, options=size),
            self._packet(Side.ANSWERER, _SYN | _ACK, options=size),
            self._packet(Side.OPENER, _ACK),
        ]

    def data(self, sender: Side, data: bytes) -> list[Packet]:
        """Return the packets that carry ``data``, and the acknowledgements due meanwhile."""
        packets = []
        for start in range(0, len(data), SEGMENT_BYTES):
            payload = data[start : start + SEGMENT_BYTES]
            is_last = start + SEGMENT_BYTES >= len(data)
            packets.append(self._packet(sender, _ACK | _PSH if is_last else _ACK, payload=payload))
            if self._unacknowledged(sender) >= ACKNOWLEDGE_BYTES:
                packets.append(self._packet(sender.other, _ACK))
        return packets

    def finish(self, sender: Side) -> list[Packet]:
        """Return the end of the stream from one side; nothing if it has ended before.

        Once both sides have ended the last end is acknowledged, too.
        """
        end, other = self._ends[sender], self._ends[sender.other]
        if end.ended:
            return []
        end.ended = True
        packets = [self._packet(sender, _FIN | _ACK)]
        if other.ended:
            packets.append(self._packet(sender.other, _ACK))
        return packets

    def reset(self, sender: Side) -> list[Packet]:
        """Return the reset by one side; nothing if the connection is over."""
        ends = self._ends.values()
        if all(end.ended for end in ends):
            return []
        for end in ends:
            end.ended = True
        return [self._packet(sender, _RST | _ACK)]

    def has_ended(self, side: Side) -> bool:
        """Whether one side sends no more."""
        return self._ends[side].ended

    def _unacknowledged(self, sender: Side) -> int:
        end, other = self._ends[sender], self._ends[sender.other]
        return (end.sequence - other.acknowledged) % _NUMBERS

    def _packet(
        self, sender: Side, flags: int, *, options: bytes = b"", payload: bytes = b""
    ) -> Packet:
        end, other = self._ends[sender], self._ends[sender.other]
        if flags & _ACK:
            end.acknowledged = other.sequence
        segment = _TCP.pack(
            end.socket.port,
            other.socket.port,
            end.sequence,
            end.acknowledged,
            (_TCP.size + len(options)) // _WORD << 4,
            flags,
            _WINDOW,
            0,
            0,
        )
        counted = len(payload) + bool(flags & (_SYN | _FIN))
        end.sequence = (end.sequence + counted) % _NUMBERS
        addresses = end.socket.address, other.socket.address
        return Packet(sender, _ip(*addresses, segment + options, payload))


def _ip(source: bytes, destination: bytes, head: bytes, payload: bytes) -> bytes:
    """Return an IP packet with a TCP segment, whose checksum is filled in."""
    length = len(head) + len(payload)
    pseudo = source + destination + _PSEUDO.pack(length, _TCP_PROTOCOL)
    check = checksum(pseudo + head + payload)
    segment = head[:16] + check.to_bytes(2, "big") + head[18:] + payload
    if len(source) == _IPV6_BYTES:
        return _IPV6.pack(6 << 28, length, _TCP_PROTOCOL, _HOPS, source, destination) + segment
    fields = (0x45, 0, _IPV4.size + length, 0, _DONT_FRAGMENT, _HOPS, _TCP_PROTOCOL)
    check = checksum(_IPV4.pack(*fields, 0, source, destination))
    return _IPV4.pack(*fields, check, source, destination) + segment


def checksum(data: bytes) -> int:
    """Return the Internet checksum of ``data``: the complement of its one's complement sum.

    Source: RFC 1071. That sum is the remainder by 65535, because 65536 leaves 1.
    """
    return -int.from_bytes(data + b"\0" * (len(data) % 2), "big") % 0xFFFF


# ---- blocks


def section(application: str) -> bytes:
    """Return what a file, and whatever is appended to one, begins with.

    Args:
        application: who writes, with version.
    """
    head = struct.pack("<IHHq", _BYTE_ORDER, 1, 0, -1)  # version 1.0, section of unknown length
    options = _option(_COMMENT, _ABOUT.encode()) + _option(_APPLICATION, application.encode())
    blocks = [_block(_SECTION, head, options)]
    for name, description in _LEGS.values():
        options = (
            _option(_NAME, name.encode())
            + _option(_DESCRIPTION, description.encode())
            + _option(_RESOLUTION, _NANOSECONDS)
        )
        blocks.append(_block(_INTERFACE, struct.pack("<HHI", _RAW_IP, 0, 0), options))
    return b"".join(blocks)


def frame(packet: bytes, *, leg: Leg, written: bool, time_ns: int) -> bytes:
    """Return the block of one frame.

    Args:
        packet: an IP packet.
        leg: the interface it belongs to.
        written: whether the proxy wrote it; else it was read.
        time_ns: when, in nanoseconds since 1970-01-01 UTC.
    """
    size = len(packet)
    head = struct.pack("<IIIII", leg.value, time_ns >> 32, time_ns & 0xFFFFFFFF, size, size)
    flags = _option(_FLAGS, struct.pack("<I", _WRITTEN if written else _READ))
    return _block(_FRAME, head + _padded(packet), flags)


def secrets(line: bytes) -> bytes:
    """Return the block that opens TLS records which come after it.

    Args:
        line: one line of the NSS key log, without its line end.
    """
    text = line + b"\n"
    head = struct.pack("<II", _TLS_KEY_LOG, len(text))
    return _block(_SECRETS, head + _padded(text), b"")


def whole_size(blocks: bytes, size: int) -> int:
    """Return how many of the first ``size`` bytes are whole blocks."""
    whole = 0
    for _, start, length in _walk(blocks):
        if start + length > size:
            break
        whole = start + length
    return whole


def count_frames(blocks: bytes) -> int:
    """Count the frames among whole blocks."""
    return sum(kind == _FRAME for kind, _, _ in _walk(blocks))


def tell_loss(blocks: bytes, count: int, why: str) -> bytes:
    """Return the same blocks, the first frame of which tells of lost ones.

    Args:
        blocks: whole blocks; without a frame among them nothing is told.
        count: frames lost; the gaps in the sequence numbers say where exactly.
        why: the reason in a few words.
    """
    for kind, start, length in _walk(blocks):
        if kind == _FRAME:
            size = _FRAME_HEAD.unpack_from(blocks, start)[5]
            begin, end = start + _BLOCK_HEAD.size, start + length - _LENGTH.size
            content = begin + 20 + size + -size % _WORD
            options = (
                _option(_COMMENT, f"{count} frames lost about here: {why}".encode())
                + _option(_DROPPED, struct.pack("<Q", count))
                + blocks[content:end].removesuffix(_END)
            )
            told = _block(_FRAME, blocks[begin:content], options)
            return blocks[:start] + told + blocks[start + length :]
    return blocks


def last_block_size(tail: bytes) -> int:
    """Return the size of a file's last block as its last four bytes give it."""
    return int(_LENGTH.unpack(tail)[0])


def begins_section(data: bytes) -> bool:
    """Whether ``data`` begins as a capture file of ours does."""
    return data.startswith(struct.pack("<I", _SECTION)) and data[8:12] == struct.pack(
        "<I", _BYTE_ORDER
    )


def _walk(blocks: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield type, start and total length of each block."""
    start = 0
    while start < len(blocks):
        kind, length = _BLOCK_HEAD.unpack_from(blocks, start)
        yield kind, start, length
        start += length


def _block(kind: int, content: bytes, options: bytes) -> bytes:
    if options:
        options += _END
    length = _BLOCK_HEAD.size + len(content) + len(options) + _LENGTH.size
    return _BLOCK_HEAD.pack(kind, length) + content + options + _LENGTH.pack(length)


def _option(code: int, value: bytes) -> bytes:
    return _OPTION.pack(code, len(value)) + _padded(value)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % _WORD)
