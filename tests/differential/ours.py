"""Our proxies, in a process of their own: one per policy and number of retries.

Rules: run as a script, with ``src`` of the tree to be tested on ``PYTHONPATH``: a mutated copy is
run by the same words as the tree itself. Reads one JSON object with the settings from standard
input and writes one with the ports; then each line ``sync`` is answered by ``ok`` when every log
line so far is in its file. Ends with its input.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from mralab.config.releases import Release, VerifyMode
from mralab.config.settings import (
    AllowListSource,
    Endpoint,
    LogSettings,
    Settings,
    Timeouts,
)
from mralab.proxy.server import ProxyServer

_MODES = {
    "ENFORCED": VerifyMode.ENFORCED,
    "PERMISSIVE": VerifyMode.PERMISSIVE,
    "DISABLED": VerifyMode.OFF,
}


def settings_of(job: dict[str, Any], variant: dict[str, Any]) -> Settings:
    """Return the settings of one proxy: release ``ats``, debug text on."""
    return Settings(
        listen=Endpoint("127.0.0.1", 0),
        admin=None,
        release=Release.ATS,
        trusted_ca=(Path(job["trusted"]),),
        hosts=Path(job["hosts"]),
        allow_list=AllowListSource.OFF,
        verify_origin_server=_MODES[variant["policy"]],
        retries=variant["retries"],
        log=LogSettings(event_log=Path(variant["log"]), debug=True),
        timeouts=Timeouts(connect_timeout_s=job["connect_timeout_s"]),
    )


async def main() -> None:
    """Serve until standard input ends."""
    loop = asyncio.get_running_loop()
    job = json.loads(await asyncio.to_thread(sys.stdin.readline))
    servers = [ProxyServer(settings_of(job, variant)) for variant in job["variants"]]
    for server in servers:
        await server.start()
    print(json.dumps([server.endpoint.port for server in servers]), flush=True)  # noqa: T201 - the protocol
    while await loop.run_in_executor(None, sys.stdin.readline):
        for server in servers:
            server.sync_logs()
        print("ok", flush=True)  # noqa: T201 - the protocol
    for server in servers:
        await server.stop(0)


if __name__ == "__main__":
    asyncio.run(main())
