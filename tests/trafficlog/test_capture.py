from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from mralab.errors import ConfigError
from mralab.trafficlog.capture import KeyLogWriter

if TYPE_CHECKING:
    from pathlib import Path

SECRET = b"CLIENT_RANDOM 00 11"


def test_the_key_log_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "keys.log"
    writer = KeyLogWriter(path)
    writer.add_secret(SECRET)
    writer.close()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_bytes() == SECRET + b"\n"


def test_a_key_log_that_cannot_be_opened_names_itself(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"{tmp_path}: Is a directory"):
        KeyLogWriter(tmp_path)


def test_lost_secrets_are_reported_as_a_comment(tmp_path: Path) -> None:
    path = tmp_path / "keys.log"
    path.symlink_to("/dev/full")
    writer = KeyLogWriter(path)
    writer.add_secret(SECRET)
    writer.sync()
    path.unlink()
    writer.reopen()
    writer.add_secret(SECRET)
    writer.close()
    reason = os.strerror(28).encode()
    assert path.read_bytes() == b"# 1 lines lost: " + reason + b"\n" + SECRET + b"\n"
