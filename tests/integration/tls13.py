"""A TLS 1.3 record layer for an origin that does what Python's ``ssl`` cannot: update its keys.

The handshake is OpenSSL's; afterwards keys come from its key log (RFC 8446 section 7) and every
record is written and read here. No session tickets are sent, so sequence numbers begin at 0.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from mralab.lab import tlswire

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.harness import TlsStream

APPLICATION_DATA: Final = 23
HANDSHAKE: Final = 22
#: Handshake messages: asks for no update in return, or for one.
KEY_UPDATE: Final = b"\x18\x00\x00\x01\x00"
KEY_UPDATE_REQUESTED: Final = b"\x18\x00\x00\x01\x01"


class _Direction:
    """Keys and sequence number of one direction."""

    def __init__(self, secret: bytes, suite: str) -> None:
        self._secret = secret
        self._hash = hashes.SHA384() if suite.endswith("SHA384") else hashes.SHA256()
        self._size = 16 if "AES_128" in suite else 32
        self._aead = ChaCha20Poly1305 if "CHACHA" in suite else AESGCM
        self._derive()

    def update(self) -> None:
        self._secret = self._expand(b"traffic upd", self._hash.digest_size)
        self._derive()

    def seal(self, content_type: int, data: bytes) -> bytes:
        header = b"\x17\x03\x03" + struct.pack(">H", len(data) + 1 + 16)
        inner = data + bytes([content_type])
        return header + self._cipher.encrypt(self._nonce(), inner, header)

    def open(self, payload: bytes) -> tuple[int, bytes]:
        header = b"\x17\x03\x03" + struct.pack(">H", len(payload))
        inner = self._cipher.decrypt(self._nonce(), payload, header).rstrip(b"\0")
        return inner[-1], inner[:-1]

    def _derive(self) -> None:
        self._cipher = self._aead(self._expand(b"key", self._size))
        self._iv = int.from_bytes(self._expand(b"iv", 12), "big")
        self._sequence = 0

    def _nonce(self) -> bytes:
        nonce = (self._iv ^ self._sequence).to_bytes(12, "big")
        self._sequence += 1
        return nonce

    def _expand(self, label: bytes, size: int) -> bytes:
        name = b"tls13 " + label
        info = struct.pack(">HB", size, len(name)) + name + b"\0"
        return HKDFExpand(self._hash, size, info).derive(self._secret)


class RecordLayer:
    """Takes over a connection whose handshake has just ended."""

    def __init__(self, stream: TlsStream, keylog: Path) -> None:
        cipher = stream.tls.cipher()
        assert cipher is not None
        assert stream.tls.version() == "TLSv1.3"
        secrets = {
            label: bytes.fromhex(secret)
            for label, _random, secret in (
                line.split() for line in keylog.read_text().splitlines() if "TRAFFIC" in line
            )
        }
        self._stream = stream
        self.writing = _Direction(secrets["SERVER_TRAFFIC_SECRET_0"], cipher[0])
        self.reading = _Direction(secrets["CLIENT_TRAFFIC_SECRET_0"], cipher[0])
        self._records_read = 0

    def send(self, data: bytes, *, content_type: int = APPLICATION_DATA) -> None:
        self._stream.send_raw(self.writing.seal(content_type, data))

    def send_key_update(self, *, requested: bool) -> None:
        message = KEY_UPDATE_REQUESTED if requested else KEY_UPDATE
        self.send(message, content_type=HANDSHAKE)
        self.writing.update()

    async def next(self) -> tuple[int, bytes]:
        """Return the next record from the proxy: content type and plain text.

        A key update is followed.
        """
        while True:
            encrypted = [
                record
                for record in tlswire.records(bytes(self._stream.raw_in))
                if record.content_type == APPLICATION_DATA
            ][1:]  # the first is Finished
            if len(encrypted) > self._records_read:
                content_type, data = self.reading.open(encrypted[self._records_read].payload)
                self._records_read += 1
                if content_type == HANDSHAKE and data[:1] == KEY_UPDATE[:1]:
                    self.reading.update()
                return content_type, data
            await self._stream.read_records()
