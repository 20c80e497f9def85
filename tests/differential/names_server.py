"""A name server for Traffic Server: it knows the cases' names and denies all others.

Traffic Server reads static names in the background and asks DNS until it has them; with a name
server of the run's own there is nothing to wait for.

Source: RFC 1035 section 4.
"""

from __future__ import annotations

import asyncio
import ipaddress
import struct
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

_HEADER: Final = struct.Struct("!6H")
_A: Final = 1
_AAAA: Final = 28
_TTL_S: Final = 3600
_ANSWER_FLAGS: Final = 0x8580  # response, authoritative, recursion as asked for
_NO_SUCH_NAME: Final = 3


def question_name(message: bytes) -> tuple[str, int, bytes]:
    """Return name without final dot, type, and the question as it stands in the message."""
    at = _HEADER.size
    labels = []
    while size := message[at]:
        labels.append(message[at + 1 : at + 1 + size].decode("ascii"))
        at += 1 + size
    kind = int.from_bytes(message[at + 1 : at + 3])
    return ".".join(labels), kind, message[_HEADER.size : at + 5]


def answer_to(message: bytes, addresses: Mapping[str, str]) -> bytes:
    """Answer a query: the address of a known name, nothing for its other types.

    Args:
        message: the query.
        addresses: names in lower case without final dot.
    """
    number = int.from_bytes(message[:2])
    name, kind, question = question_name(message)
    text = addresses.get(name.lower())
    flags = _ANSWER_FLAGS | (_NO_SUCH_NAME if text is None else 0)
    record = b""
    if text is not None:
        packed = ipaddress.ip_address(text).packed
        if kind == (_A if len(packed) == 4 else _AAAA):
            pointer = 0xC000 | _HEADER.size
            record = struct.pack("!HHHIH", pointer, kind, 1, _TTL_S, len(packed)) + packed
    return _HEADER.pack(number, flags, 1, 1 if record else 0, 0, 0) + question + record


class NameServer(asyncio.DatagramProtocol):
    """Answers over UDP on loopback."""

    def __init__(self, addresses: Mapping[str, str]) -> None:
        """Know ``addresses``: names in any case, with or without final dot."""
        self._addresses = {
            name.lower().removesuffix("."): address for name, address in addresses.items()
        }

    async def start(self) -> int:
        """Listen; return the port."""
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: self, local_addr=("127.0.0.1", 0)
        )
        self._transport = transport
        return int(transport.get_extra_info("sockname")[1])

    def stop(self) -> None:
        """End."""
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._reply = cast("asyncio.DatagramTransport", transport).sendto

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer."""
        self._reply(answer_to(data, self._addresses), addr)
