"""``make soak``: minutes of mixed traffic through ``mralab serve`` in front of ``mralab lab node``.

Rules: loopback only; a fixed number of clients, a fixed time. At the end every request that was
answered or given up stands in the log exactly once, nothing was written to standard error, and the
resident memory of the last third of the run is no more than a little above that of the second.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Final

from mralab.origin.route import encode_segment

_CLIENTS: Final = 16
_GROWTH_KIB: Final = 4096  # what the last third may lie above the second
_NODE: Final = "127.218.19.2"
_MRALAB: Final = (sys.executable, "-P", "-m", "mralab")
_USER: Final = "Authorization: Basic ZW11c2s6cm9ja2V0\r\n"  # emusk:rocket, a fictional user


def _requests() -> list[tuple[str, int]]:
    """Return what is asked for, and the status it must lead to."""
    uds = encode_segment("steven.lab", "https", "cucm.steven.lab", 8443)
    tftp = encode_segment("steven.lab", "https", "cucm.steven.lab", 6972)
    plain = encode_segment("steven.lab", "http", "cucm.steven.lab", 6970)
    return [
        (f"/{uds}/cucm-uds/servers", 200),
        (f"/{uds}/cucm-uds/user/emusk/devices?max=100", 200),
        (f"/{plain}/jabber-config.xml", 200),
        (f"/{tftp}/CSFemusk.cnf.xml", 502),
        (f"/{uds}/not-allowed", 403),
        ("/not-a-route/x", 400),
    ]


class _Tally:
    def __init__(self) -> None:
        self.sent = 0
        self.left = 0  # of them, given up by the client
        self.statuses: Counter[int] = Counter()
        self.wrong: list[str] = []


async def _client(port: int, until: float, tally: _Tally, seed: int) -> None:
    """Ask, one connection for a few requests; now and then leave in the middle."""
    choose = random.Random(seed)  # noqa: S311  a repeatable mixture
    while time.monotonic() < until:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            for _ in range(choose.randint(1, 20)):
                target, expected = choose.choice(_requests())
                leaves = choose.random() < 0.02
                head = f"GET {target} HTTP/1.1\r\nHost: vcs_control.steven.lab:8443\r\n{_USER}\r\n"
                writer.write(head.encode("ascii"))
                tally.sent += 1
                if leaves:
                    tally.left += 1
                    break
                status, keeps = await _answer(reader)
                tally.statuses[status] += 1
                if status != expected:
                    tally.wrong.append(f"{target}: {status}, not {expected}")
                if not keeps:
                    break
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bool]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    length = re.search(r"\ncontent-length: *(\d+)", head, re.IGNORECASE)
    if length is not None:
        await reader.readexactly(int(length[1]))
    elif "chunked" in head.lower():
        while size := int((await reader.readline()).split(b";")[0], 16):
            await reader.readexactly(size + 2)
        await reader.readline()
    return int(head[9:12]), "connection: close" not in head.lower()


def _resident_kib(pid: int) -> int:
    text = Path(f"/proc/{pid}/status").read_text("ascii")
    found = re.search(r"VmRSS:\s+(\d+)", text)
    return int(found[1]) if found else 0


async def _watch(pid: int, until: float) -> list[int]:
    samples = []
    while time.monotonic() < until:
        await asyncio.sleep(1)
        samples.append(_resident_kib(pid))
    return samples


async def _load(port: int, pid: int, seconds: float) -> tuple[_Tally, list[int]]:
    until = time.monotonic() + seconds
    tally = _Tally()
    async with asyncio.TaskGroup() as group:
        for number in range(_CLIENTS):
            group.create_task(_client(port, until, tally, number))
        watching = group.create_task(_watch(pid, until))
    return tally, watching.result()


def _start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*_MRALAB, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def _first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise SystemExit(f"soak: could not start: {process.communicate()[1].strip()}")
    return line


def _soak(folder: Path, seconds: float) -> list[str]:
    """Run it; return what was not as it must be."""
    node = _start("lab", "node", "--folder", str(folder / "node"), "--listen", _NODE)
    proxy = None
    try:
        _first_line(node)
        # The node tells of every request; nobody reads that here, so it must not fill a pipe.
        drain = subprocess.Popen(["cat"], stdin=node.stdout, stdout=subprocess.DEVNULL)
        proxy = _start(
            *("serve", "--listen", "127.0.0.1:0", "--admin", "off"),
            *("--trusted-ca", str(folder / "node" / "ca.pem")),
            *("--hosts", str(folder / "node" / "hosts")),
            *("--event-log", str(folder / "event.log"), "--json-log", str(folder / "event.json")),
        )
        port = int(_first_line(proxy).rsplit(":", 1)[1])
        tally, samples = asyncio.run(_load(port, proxy.pid, seconds))
        proxy.terminate()
        _, errors = proxy.communicate(timeout=60)
        node.terminate()
        node.wait(timeout=60)
        drain.wait(timeout=60)
    finally:
        for process in (node, proxy):
            if process is not None and process.poll() is None:
                process.kill()
    third = max(len(samples) // 3, 1)
    second, last = samples[third : 2 * third] or samples, samples[2 * third :] or samples
    growth = round(statistics.median(last) - statistics.median(second))
    received = (folder / "event.log").read_text("utf-8").count('Detail="Receive Request"')
    records = [json.loads(line) for line in (folder / "event.json").read_text("ascii").splitlines()]
    print(
        f"{tally.sent} requests in {seconds:g} s; answers {dict(sorted(tally.statuses.items()))}\n"
        f"resident memory: median of the second third {statistics.median(second):.0f} KiB, of the "
        f"last {statistics.median(last):.0f} KiB, peak {max(samples)} KiB\n"
        f"log: {received} Receive Request lines, {len(records)} JSON records, "
        f"{dict(Counter(record['reason'] for record in records))}"
    )
    faults = tally.wrong[:5]
    if growth > _GROWTH_KIB:
        faults.append(f"memory grew by {growth} KiB from the second third to the last")
    if received != len(records):
        faults.append(f"{received} Receive Request lines and {len(records)} JSON records differ")
    if not tally.sent - tally.left <= received <= tally.sent:
        faults.append(f"{tally.sent} requests were sent and {received} logged")
    if errors:
        faults.append(f"the proxy wrote to standard error: {errors[:300]}")
    if proxy.returncode:
        faults.append(f"the proxy ended with exit code {proxy.returncode}")
    return faults


def main() -> int:
    """Run the soak from the command line."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="length of the run")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mralab-soak-") as folder:
        faults = _soak(Path(folder), arguments.seconds)
    for fault in faults:
        print(f"soak: {fault}", file=sys.stderr)
    print("soak: not as it must be" if faults else "soak: everything accounted for, memory flat")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
