"""The origins: one nginx on CPU 0 with all certificates, ways to close, and an upload sink."""

from __future__ import annotations

import os
import re
import socket
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Final, NamedTuple

from bench import BenchError
from bench.process import LOAD_CORE, Process, find_program
from bench.template import configuration, nginx_user
from mralab.lab.pki import CertificateFields, KeyKind, root_ca, self_signed
from mralab.origin.route import encode_segment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

#: The origin's name, as in every peer's configuration and in the certificates.
NAME: Final = "cucm.bench.lab"
#: Another address of this host, so that both legs are told apart.
HOST: Final = "127.0.0.2"
CLIENT_HOST: Final = "127.0.0.1"
FILES: Final = {"1k": 1024, "100k": 102_400}

_DOMAIN: Final = "bench.lab"
_COUNTERS: Final = re.compile(r"requests\s+(\d+) \d+ (\d+)")
_PATIENCE_S: Final = 30.0
_PAUSE_S: Final = 0.05


class Origin(Enum):
    """An origin; the value names it in files and tokens."""

    RSA = "rsa"  #: RSA-2048, connections stay open
    RSA_CLOSE = "rsa-close"  #: RSA-2048, one request a connection
    EC_CLOSE = "ec-close"  #: P-256, one request a connection
    SELF_SIGNED = "self-signed"  #: in nobody's trusted CA list
    WRONG_NAME = "wrong-name"  #: trusted, of another name

    @property
    def closes(self) -> bool:
        """Whether it ends the connection after each answer."""
        return self in (Origin.RSA_CLOSE, Origin.EC_CLOSE)


@dataclass(frozen=True, slots=True)
class Site:
    """Where everything is that the peers have in common."""

    folder: Path  #: certificates, hosts file, configurations, logs
    ports: Mapping[Origin, int]
    plain_port: int  #: of the origin's counters

    def segment(self, origin: Origin) -> str:
        """Return the first path segment of the requests to an origin, the same for all peers."""
        return encode_segment(_DOMAIN, "https", NAME, self.ports[origin])


def free_ports(count: int) -> list[int]:
    """Return ports that nothing listens on, here or at the origin's address."""
    with ExitStack() as stack:
        ports = []
        for _ in range(count):
            taken = stack.enter_context(socket.socket())
            taken.bind(("0.0.0.0", 0))  # noqa: S104 - bound to see that it is free, never listening
            ports.append(int(taken.getsockname()[1]))
    return ports


def make_site(folder: Path) -> Site:
    """Make certificates, files and names in a folder, and choose the ports."""
    for name in ("pki", "www/cucm-uds", "origin-tmp"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    plain_port, *ports = free_ports(1 + len(Origin))
    site = Site(folder, dict(zip(Origin, ports, strict=True)), plain_port)
    _write_certificates(folder / "pki")
    (folder / "hosts").write_text(f"{HOST} {NAME}\n", "ascii")
    for name, size in FILES.items():
        (folder / "www" / "cucm-uds" / name).write_bytes(os.urandom(size // 2).hex().encode())
    return site


def start_origin(site: Site) -> Process:
    """Start the origins and wait for them.

    Raises:
        BenchError: they do not start.
    """
    servers = [
        configuration(
            "origin-server.conf",
            folder=site.folder,
            host=HOST,
            port=port,
            credential=origin.value,
            keepalive_s=0 if origin.closes else 300,
        )
        for origin, port in site.ports.items()
    ]
    path = site.folder / "origin.conf"
    path.write_text(
        configuration(
            "origin.conf",
            folder=site.folder,
            host=HOST,
            plain_port=site.plain_port,
            servers="".join(servers),
            user=nginx_user(),
        ),
        "utf-8",
    )
    command = [find_program("nginx", "nginx"), "-e", "stderr", "-c", str(path)]
    process = Process("origin", command, core=LOAD_CORE, folder=site.folder)
    try:
        wait_for(lambda: answers(HOST, site.plain_port, "/status"), process)
    except BenchError:
        process.stop()
        raise
    return process


class Counters(NamedTuple):
    """What the origins have counted since they started; asking is one more of each."""

    connections: int
    requests: int


def counters(site: Site) -> Counters:
    """Ask the origins for their counters.

    Source: nginx, ngx_http_stub_status_module.
    """
    _, body = fetch(HOST, site.plain_port, "/status")
    found = _COUNTERS.search(body.decode("ascii"))
    if found is None:
        raise BenchError(f"not nginx's counters: {body[:200]!r}")
    return Counters(int(found[1]), int(found[2]))


def fetch(
    host: str, port: int, path: str, *, method: str = "GET", body: bytes | None = None
) -> tuple[int, bytes]:
    """Send one request on a connection of its own; return status and body.

    Raises:
        OSError: no connection.
        HTTPException: no whole answer.
    """
    connection = HTTPConnection(host, port, timeout=_PATIENCE_S)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def answers(host: str, port: int, path: str) -> bool:
    """Tell whether something answers there with 200."""
    try:
        return fetch(host, port, path)[0] == 200  # noqa: PLR2004 - OK
    except (OSError, HTTPException):
        return False


def wait_for(ready: Callable[[], bool], process: Process) -> None:
    """Wait until a process that was just started is ready.

    Raises:
        BenchError: it ends, or takes too long.
    """
    end = time.monotonic() + _PATIENCE_S
    while not ready():
        process.check_alive()
        if time.monotonic() > end:
            raise BenchError(f"{process.name} does not answer after {_PATIENCE_S:g} s")
        time.sleep(_PAUSE_S)


def _write_certificates(folder: Path) -> None:
    """Write the authority and a credential for each origin."""
    now = datetime.now(UTC)
    authority = root_ca("Bench CA", now=now)
    authority.write(folder, "ca")
    fields = CertificateFields(cn=NAME, dns=(NAME,))
    other = CertificateFields(cn="other.bench.lab", dns=("other.bench.lab",))
    for origin in Origin:
        if origin is Origin.SELF_SIGNED:
            credential = self_signed(fields, now=now)
        elif origin is Origin.WRONG_NAME:
            credential = authority.issue(other)
        else:
            kind = KeyKind.EC_P256 if origin is Origin.EC_CLOSE else KeyKind.RSA_2048
            credential = authority.issue(fields, key=kind)
        credential.write(folder, origin.value)
