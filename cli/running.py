"""Which running proxy a command means, and a client for it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from mralab.admin.client import AdminClient
from mralab.admin.runfile import default_state_dir, find_proxy
from mralab.config.values import read_endpoint
from mralab.errors import ConfigError

if TYPE_CHECKING:
    import argparse

    from mralab.config.settings import Endpoint


def add_proxy_choice(parser: argparse.ArgumentParser) -> None:
    """Add the flags that choose among running proxies."""
    parser.add_argument("--listen", metavar="HOST:PORT", help="the proxy that listens there")
    parser.add_argument("--admin", metavar="HOST:PORT", help="the proxy whose admin listener it is")
    parser.add_argument(
        "--state-dir", type=Path, metavar="FOLDER", help="the proxy's state folder, if it was named"
    )


def connect(args: argparse.Namespace) -> AdminClient:
    """Return a client for the proxy meant.

    Raises:
        ConfigError: an address that is none.
        AdminError: no such proxy, several, or one without an admin listener.
    """
    folder = args.state_dir or default_state_dir(os.environ)
    listen, admin = _endpoint(args.listen, "--listen"), _endpoint(args.admin, "--admin")
    return AdminClient(find_proxy(folder, listen=listen, admin=admin))


def _endpoint(text: str | None, flag: str) -> Endpoint | None:
    if text is None:
        return None
    try:
        return read_endpoint(text)
    except ConfigError as exc:
        raise ConfigError(f"{flag}: {exc}", hint=exc.hint) from exc
