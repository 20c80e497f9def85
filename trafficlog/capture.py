"""The TLS key log: what tshark and Wireshark need to read a capture of the origin leg.

Rules: whoever has the file can read the traffic, so only its owner may open it; one line per
secret, as OpenSSL hands it out. *Lab only*: the product has no such file.

Source: the NSS key log format (public draft ``draft-ietf-tls-keylogfile``).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mralab.errors import ConfigError
from mralab.trafficlog.writer import LineWriter

if TYPE_CHECKING:
    from pathlib import Path


class KeyLogWriter(LineWriter):
    """Writes the key log."""

    def __init__(self, path: Path) -> None:
        """Open the file, readable for its owner only if it is new.

        Raises:
            ConfigError: the file cannot be opened.
        """
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
        except OSError as exc:
            raise ConfigError(f"key log {path}: {exc.strerror or exc}") from exc
        super().__init__(path)

    def add_secret(self, line: bytes) -> None:
        """Take one line without its line end."""
        self.add(line.decode("ascii") + "\n")

    def _report(self, count: int, reason: str) -> str:
        return f"# {count} lines lost: {reason.encode('ascii', 'replace').decode('ascii')}\n"
