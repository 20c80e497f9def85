"""A user's photo: a small PNG in a colour of the user's own. Lab default. *Pure*."""

from __future__ import annotations

import struct
import zlib
from hashlib import sha256
from typing import Final

_SIDE_PIXELS: Final = 16
_TRUE_COLOUR: Final = 2


def photo(user_id: str) -> bytes:
    """Return a PNG, always the same for one user id and different for others."""
    colour = sha256(user_id.encode()).digest()[:3]
    header = struct.pack(">IIBBBBB", _SIDE_PIXELS, _SIDE_PIXELS, 8, _TRUE_COLOUR, 0, 0, 0)
    row = b"\0" + colour * _SIDE_PIXELS
    pixels = zlib.compress(row * _SIDE_PIXELS)
    chunks = _chunk(b"IHDR", header) + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)
