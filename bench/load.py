"""The loads, and wrk that makes them."""

from __future__ import annotations

import json
import math
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bench import BenchError
from bench.origin import Origin
from bench.process import find_program

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

#: Fields of a Jabber client's request as Expressway-E hands it on, beside Host.
#: Source: names in Cisco 218018, 225746 and the public log samples of MRA logins (seen); the
#: lengths of the values are lab choices.
JABBER_FIELDS: Final = (
    ("Accept", "*/*"),
    ("Accept-Encoding", "gzip, deflate"),
    ("Accept-Language", "en-US,en;q=0.9"),
    ("Authorization", "Basic YW5uYS5leGFtcGxlOm5vdC1hLXJlYWwtcGFzc3dvcmQ="),
    ("Client-ip", "198.51.100.23"),
    (
        "Cookie",
        "X-Auth=" + "3f1c9a7e5b2d8046" * 4 + "; JSESSIONIDSSO=34AFA4A1B6C94E0D8F27F1D5C0B3E6A2; "
        "JSESSIONID=9C02DD7E41B84FA5A6E1BB5B0C9D7F13",
    ),
    ("TrackingID", "6af9d9d3-0f4c-4c53-9c38-2d8f6e1b7a90"),
    ("User-Agent", "Jabber-Win-1401/14.1.3 (Windows NT 10.0; Win64; x64)"),
    ("Via", "https/1.1 vcs[0f3b8a52-c853-4b1e-9d55-6a1f2e7c9b04] (ATS)"),
    ("X-Forwarded-For", "198.51.100.23, 127.0.0.1"),
)

_PATIENCE_S: Final = 30
_ANSWER_TIMEOUT_S: Final = 10
_MARK: Final = "bench: "
_DONE: Final = f"""
function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{_MARK}{{"requests": %d, "duration_us": %d, "p50_us": %.3f, "p99_us": %.3f, ' ..
    '"errors_of_status": %d, "errors_of_socket": %d}}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What wrk does for one window.

    Attributes:
        name: as in ``--loads``.
        title: what it is, for the report.
        origin: where requests go.
        file: what they ask for.
        connections: of wrk, each with one request at a time.
        body_bytes: of each request; more than 0 makes it a POST.
        fields: header fields beside Host.
        origin_requests: what the origin counts for one request.
        warm_up_s: load before the window, until all connections to the origin stand.
        idle_clients: further clients that made one request and stay connected.
        refused: whether every answer is the proxy's own, because the origin is not trusted.
        core: whether ``make bench`` measures it.
        goal: ratio to reach against Traffic Server with five log lines, if one is set.
    """

    name: str
    title: str
    origin: Origin = Origin.RSA
    file: str = "1k"
    connections: int = 32
    body_bytes: int = 0
    fields: tuple[tuple[str, str], ...] = ()
    origin_requests: int = 1
    warm_up_s: float = 0.7
    idle_clients: int = 0
    refused: bool = False
    core: bool = False
    goal: float | None = None

    @property
    def new_connections(self) -> bool:
        """Whether each request needs a new connection to the origin."""
        return self.refused or self.origin.closes


LOADS: Final = {
    load.name: load
    for load in (
        Load(name="ka1k", title="1 KB, connections kept", core=True, goal=1.1),
        Load(name="ka100k", title="100 KB, connections kept", file="100k", core=True, goal=1.05),
        Load(
            name="hs_rsa",
            title="handshake per request, RSA-2048",
            origin=Origin.RSA_CLOSE,
            core=True,
            goal=1.03,
        ),
        Load(
            name="hs_ec",
            title="handshake per request, P-256",
            origin=Origin.EC_CLOSE,
            core=True,
            goal=1.08,
        ),
        Load(
            name="headers", title="1 KB, a Jabber client's fields", fields=JABBER_FIELDS, goal=1.0
        ),
        Load(
            name="upload",
            title="64 KB upload",
            file="upload",
            body_bytes=65_536,
            origin_requests=2,  # the sink's own request is one more
        ),
        Load(name="idle1000", title="1 KB beside 1,000 idle clients", idle_clients=1000),
        Load(
            name="refused",
            title="origin not trusted: 502",
            origin=Origin.SELF_SIGNED,
            refused=True,
            goal=1.0,
        ),
        Load(name="conn512", title="1 KB, 512 connections", connections=512, warm_up_s=2.7),
    )
}


@dataclass(frozen=True, slots=True)
class Counted:
    """What wrk counted in one run."""

    requests: int
    duration_us: int
    p50_us: float
    p99_us: float
    errors_of_status: int  #: answers of 400 and above
    errors_of_socket: int  #: connections refused, reset or timed out


def script_of(load: Load) -> str:
    """Return the wrk script of a load: set up once, nothing runs per request. *Pure*."""
    lines = [f'wrk.headers["{name}"] = "{value}"' for name, value in load.fields]
    if load.body_bytes:
        lines += ['wrk.method = "POST"', f'wrk.body = string.rep("x", {load.body_bytes})']
    return "\n".join(lines) + _DONE


def counted(output: str) -> Counted:
    """Read what the script wrote at the end of a run. *Pure*.

    Raises:
        BenchError: it wrote nothing.
    """
    for line in output.splitlines():
        if line.startswith(_MARK):
            return Counted(**json.loads(line.removeprefix(_MARK)))
    raise BenchError(f"wrk did not report: {output[-500:]!r}")


class Wrk:
    """wrk with the script of one load."""

    def __init__(self, load: Load, folder: Path) -> None:
        """Write the script into a folder.

        Raises:
            BenchError: wrk is not installed.
        """
        self._script = folder / f"{load.name}.lua"
        self._script.write_text(script_of(load), "ascii")
        self._program = find_program("wrk", "wrk")
        self._connections = load.connections

    def start(self, url: str, seconds: float) -> subprocess.Popen[str]:
        """Begin to load a URL, for at least so long."""
        command: Sequence[str] = (
            self._program,
            "--threads=1",
            f"--connections={self._connections}",
            f"--duration={math.ceil(seconds)}s",
            f"--timeout={_ANSWER_TIMEOUT_S}s",
            f"--script={self._script}",
            url,
        )
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8"
        )

    @staticmethod
    def outcome(process: subprocess.Popen[str]) -> Counted:
        """Wait for the end and return what was counted.

        Raises:
            BenchError: wrk does not end, or does not report.
        """
        try:
            output, _ = process.communicate(timeout=_PATIENCE_S)
        except subprocess.TimeoutExpired as exc:
            process.kill()
            raise BenchError("wrk does not end") from exc
        return counted(output)
