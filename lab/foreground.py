"""A node that runs alone in the foreground and says what happens to it.

- One line when it is ready, one for each TLS connection (once it is set up or has failed), one for
  each HTTP request. Nothing that a client sends besides names and paths is said: no credentials.
- It ends when it is told to, or when nobody takes what it says.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from mralab.lab.journal import Journal
    from mralab.lab.listener import RequestRecord
    from mralab.lab.nodes import SimulatedNode
    from mralab.lab.tlsserver import HandshakeRecord

_Entry = TypeVar("_Entry")
_ALERT_LEVELS = {1: "warning", 2: "fatal"}


async def run_node(
    node: SimulatedNode,
    *,
    ended: asyncio.Event,
    ready: str,
    say: Callable[[str], None],
) -> None:
    """Run a node until ``ended`` is set.

    Args:
        node: the node, not running yet.
        ended: when to stop.
        ready: what to say once all its services listen.
        say: gets each line, without its end.

    Raises:
        LabError: an address is in use or not local, or certificates cannot be served.
    """
    async with node:
        say(ready)
        watchers = {
            asyncio.create_task(_follow(node.handshakes, lambda item: say(handshake_line(item)))),
            asyncio.create_task(_follow(node.requests, lambda item: say(request_line(item)))),
            asyncio.create_task(ended.wait()),
        }
        try:
            done, _ = await asyncio.wait(watchers, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # raises what ended it, such as nobody reading our lines
        finally:
            for task in watchers:
                task.cancel()
            await asyncio.gather(*watchers, return_exceptions=True)


def handshake_line(record: HandshakeRecord) -> str:
    """Say how one TLS connection was set up. Whatever the client sent is shown as it came."""
    parts = [
        f"server name {record.sni}" if record.sni else "no server name",
        f"{record.certificate} served" if record.certificate else "no certificate served",
    ]
    if record.client_subject is not None:
        parts.append(f"client certificate {record.client_subject}")
    if record.completed:
        parts.append(f"{record.version} {record.suite}")
    elif record.alert is not None:
        parts.append(f"ended by the client with {alert_text(*record.alert)}")
    else:
        parts.append(f"not set up: {record.error}")
    peer = "{}:{}".format(*record.peer)
    return f"{record.when:%H:%M:%S} {record.service}: TLS from {peer}: {', '.join(parts)}"


def request_line(record: RequestRecord) -> str:
    """Say what was asked for. The target is shown as it came."""
    peer = "{}:{}".format(*record.peer)
    return f"{record.when:%H:%M:%S} {record.service}: {record.method} {record.target} from {peer}"


def alert_text(level: int, description: int) -> str:
    """Return a TLS alert in words: ``fatal alert 48, unknown ca``. Source: RFC 5246, 7.2."""
    try:
        name = ssl.AlertDescription(description).name
    except ValueError:
        words = "not known"
    else:
        words = name.removeprefix("ALERT_DESCRIPTION_").replace("_", " ").lower()
    return f"{_ALERT_LEVELS.get(level, f'level {level}')} alert {description}, {words}"


async def _follow(journal: Journal[_Entry], show: Callable[[_Entry], None]) -> None:
    number = 0
    while True:
        show(await journal.entry(number))
        number += 1
