"""A real Apache Traffic Server on loopback, in a folder of its own.

Rules: nothing outside the folder is read or written but the programs and their modules; no cache,
no cluster, one thread. Runs as whoever starts it.

Source: records.config, remap.config, runroot.yaml in the administrator's guide of Traffic Server
9.2.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.differential.model import Policy

PROGRAM: Final = "traffic_server"
PLUGINS: Final = "/usr/lib/trafficserver/modules"
CONNECT_TIMEOUT_S: Final = 2
START_S: Final = 30.0

_RECORDS: Final = """\
CONFIG proxy.config.exec_thread.autoconfig INT 0
CONFIG proxy.config.exec_thread.limit INT 1
CONFIG proxy.config.exec_thread.affinity INT 0
CONFIG proxy.config.accept_threads INT 0
CONFIG proxy.config.task_threads INT 1
CONFIG proxy.config.http.server_ports STRING {port}:ipv4:ip-in=127.0.0.1
CONFIG proxy.config.http.cache.http INT 0
CONFIG proxy.config.log.logging_enabled INT 0
CONFIG proxy.config.diags.debug.enabled INT 1
CONFIG proxy.config.diags.debug.tags STRING ssl.error
CONFIG proxy.config.diags.output.debug STRING E
CONFIG proxy.config.diags.output.warning STRING E
CONFIG proxy.config.crash_log_helper STRING NULL
CONFIG proxy.config.admin.user_id STRING #-1
CONFIG proxy.config.url_remap.remap_required INT 1
CONFIG proxy.config.url_remap.pristine_host_hdr INT 0
CONFIG proxy.config.http.connect_attempts_timeout INT {timeout}
CONFIG proxy.config.http.post_connect_attempts_timeout INT {timeout}
CONFIG proxy.config.http.down_server.cache_time INT 0
CONFIG proxy.config.http.server_session_sharing.match STRING none
CONFIG proxy.config.ssl.client.verify.server.policy STRING {policy}
CONFIG proxy.config.ssl.client.verify.server.properties STRING ALL
CONFIG proxy.config.ssl.client.CA.cert.path STRING {folder}
CONFIG proxy.config.ssl.client.CA.cert.filename STRING trusted.pem
CONFIG proxy.config.ssl.client.sni_policy STRING remap
CONFIG proxy.config.dns.resolv_conf STRING NULL
CONFIG proxy.config.dns.nameservers STRING 127.0.0.1:{name_server}
CONFIG proxy.config.dns.search_default_domains INT 0
"""

_RUNROOT: Final = """\
prefix: {folder}
exec_prefix: {folder}
bindir: /usr/bin
sbindir: /usr/sbin
sysconfdir: {folder}/etc
datadir: {folder}/share
includedir: /usr/include
libdir: /usr/lib/trafficserver
libexecdir: {plugins}
localstatedir: {folder}/run
runtimedir: {folder}/run
logdir: {folder}/log
cachedir: {folder}/cache
"""

_IP_ALLOW: Final = """\
ip_allow:
  - apply: in
    ip_addrs: 0/0
    action: allow
    methods: ALL
"""


def installed() -> str:
    """Return the path of the program, empty if it is not installed."""
    return shutil.which(PROGRAM, path=f"{os.environ.get('PATH', '')}:/usr/bin:/usr/sbin") or ""


class TrafficServer:
    """One instance with one policy."""

    def __init__(self, folder: Path, policy: Policy) -> None:
        """Write its folder; :meth:`start` runs it."""
        self._folder = folder
        self._policy = policy
        self._process: asyncio.subprocess.Process | None = None
        self._output = folder / "output"
        self.port = 0

    async def start(
        self, *, trusted: str, name_server: int, remap: Iterable[tuple[str, str, int | None]]
    ) -> None:
        """Run it until it answers.

        Args:
            trusted: the trust list in PEM.
            name_server: UDP port of the name server to ask.
            remap: first path segment, origin's URL without final slash, retries; None: the default.
        """
        folder = self._folder
        for name in ("etc", "log", "run", "cache", "share"):
            (folder / name).mkdir(parents=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        places = {"folder": folder, "plugins": PLUGINS}
        records = _RECORDS.format(
            port=self.port,
            policy=self._policy.value,
            timeout=CONNECT_TIMEOUT_S,
            name_server=name_server,
            **places,
        )
        rules = "".join(
            f"map http://127.0.0.1:{self.port}/{segment}/ {url}/{_override(retries)}\n"
            for segment, url, retries in remap
        )
        for name, text in {
            "runroot.yaml": _RUNROOT.format(**places),
            "trusted.pem": trusted,
            "etc/records.config": records,
            "etc/remap.config": rules,
            "etc/storage.config": "",
            "etc/plugin.config": "",
            "etc/ip_allow.yaml": _IP_ALLOW,
        }.items():
            (folder / name).write_text(text, "utf-8")
        with self._output.open("wb") as output:
            self._process = await asyncio.create_subprocess_exec(
                installed(), f"--run-root={folder}/runroot.yaml", stdout=output, stderr=output
            )
        async with asyncio.timeout(START_S):
            while not await self._answers():
                if self._process.returncode is not None:
                    raise RuntimeError(f"Traffic Server ended: {self.log()[-2000:]}")
                await asyncio.sleep(0.1)

    async def stop(self) -> None:
        """End it."""
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()

    @property
    def logs(self) -> tuple[Path, ...]:
        """The files that it may write its lines to."""
        folder = self._folder / "log"
        return self._output, folder / "traffic.out", folder / "diags.log"

    def log(self) -> str:
        """Return all that it has written."""
        return "".join(path.read_text("utf-8", "replace") for path in self.logs if path.exists())

    async def _answers(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        await writer.wait_closed()
        return True


def _override(retries: int | None) -> str:
    """Return the end of a remap rule with a number of retries of its own."""
    if retries is None:
        return ""
    setting = f"proxy.config.http.connect_attempts_max_retries={retries}"
    return f" @plugin=conf_remap.so @pparam={setting}"
