"""Starts and asks the process of :mod:`ours`."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import TYPE_CHECKING, Final

from tests.differential.trafficserver import CONNECT_TIMEOUT_S

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.differential.model import Policy

_START_S: Final = 30.0
_SYNC_S: Final = 30.0
Variant = tuple["Policy", int | None]


class StandIn:
    """Our proxies, each under a policy and a number of retries."""

    def __init__(self, folder: Path, tree: Path) -> None:
        """Prepare; :meth:`start` runs them.

        Args:
            folder: for logs, trust list and static names.
            tree: the checkout whose code is run.
        """
        self._folder = folder
        self._tree = tree
        self._process: asyncio.subprocess.Process | None = None
        self._lock = asyncio.Lock()
        self.ports: dict[Variant, int] = {}

    def log(self, variant: Variant) -> Path:
        """Return where a proxy logs."""
        policy, retries = variant
        return self._folder / f"{policy.value}-{retries}.log"

    async def start(self, *, trusted: str, hosts: str, variants: Iterable[Variant]) -> None:
        """Run the proxies.

        Raises:
            RuntimeError: they do not start.
        """
        wanted = list(variants)
        self._folder.mkdir(parents=True, exist_ok=True)
        for name, text in (("trusted.pem", trusted), ("hosts", hosts)):
            (self._folder / name).write_text(text, "utf-8")
        job = {
            "trusted": str(self._folder / "trusted.pem"),
            "hosts": str(self._folder / "hosts"),
            "connect_timeout_s": CONNECT_TIMEOUT_S,
            "variants": [
                {
                    "policy": policy.value,
                    "retries": retries,
                    "log": str(self.log((policy, retries))),
                }
                for policy, retries in wanted
            ],
        }
        environment = {**os.environ, "PYTHONPATH": str(self._tree / "src")}
        with (self._folder / "output").open("wb") as output:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                str(self._tree / "tests" / "differential" / "ours.py"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=output,
                env=environment,
            )
        answer = await self._ask(json.dumps(job), _START_S)
        if not answer:
            raise RuntimeError(f"our proxies did not start: {self.output()[-2000:]}")
        self.ports = dict(zip(wanted, json.loads(answer), strict=True))

    async def sync(self) -> None:
        """Wait until every log line so far is in its file."""
        if not await self._ask("sync", _SYNC_S):
            raise RuntimeError(f"our proxies ended: {self.output()[-2000:]}")

    async def stop(self) -> None:
        """End them."""
        process = self._process
        if process is not None and process.stdin is not None:
            process.stdin.close()
            try:
                async with asyncio.timeout(_SYNC_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()

    def output(self) -> str:
        """Return what they wrote to standard error."""
        path = self._folder / "output"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    async def _ask(self, line: str, patience_s: float) -> bytes:
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            return b""
        async with self._lock, asyncio.timeout(patience_s):
            process.stdin.write(f"{line}\n".encode())
            return await process.stdout.readline()
