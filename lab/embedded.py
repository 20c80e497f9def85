"""The embedded lab: Expressway-C, one CUCM and one client on loopback, in this process.

Rules: everything is real (sockets, TLS, certificates, the proxy, its log file); nothing leaves
loopback; ports are the documented ones, so that the built-in allow list applies. Each request
goes over a fresh origin connection, so that each shows its handshake.

Source: names, certificates and ports as in Cisco 218018 (seen); addresses are loopback ones.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from base64 import b64encode
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http.client import HTTPException, HTTPResponse
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, cast
from xml.etree import ElementTree

from mralab.config.releases import Release, VerifyMode
from mralab.config.settings import Endpoint, Limits, LogSettings, Settings, Timeouts
from mralab.errors import LabError
from mralab.lab import documented
from mralab.lab.nodes import SimulatedNode, cucm_services
from mralab.lab.pki import Credential, KeyKind, root_ca, self_signed
from mralab.lab.udsdata import sample_cluster
from mralab.origin.route import encode_segment
from mralab.proxy.server import ProxyServer

if TYPE_CHECKING:
    import socket
    from types import TracebackType

    from mralab.lab.tlsserver import HandshakeRecord

DOMAIN: Final = "steven.lab"
CUCM: Final = "cucm.steven.lab"
EXPRESSWAY_C: Final = "vcs_control.steven.lab"  # as the document's client spells it
USER: Final = "emusk"
UDS_PORT: Final = 8443
TFTP_PORT: Final = 6972
_ADDRESSES: Final = tuple(f"127.218.18.{number}" for number in range(215, 255))
_FALLBACK_ADDRESS: Final = "127.0.0.1"  # where other loopback addresses need setting up first
_WAIT_S: Final = 10.0
_PORTS: Final = (UDS_PORT, TFTP_PORT, 6970)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request through the proxy, and all that it left behind."""

    segment: str  #: first path segment, base64
    host: str  #: the origin's host as decoded
    port: int
    path: str
    status: int
    phrase: str
    body: bytes
    log: tuple[str, ...]  #: lines of the log file, without line ends
    record: dict[str, Any]  #: the JSON log's object
    handshakes: tuple[HandshakeRecord, ...]  #: as the node saw them
    seconds: float
    verified: bool  #: whether the proxy's settings had it verify the origin

    @property
    def route(self) -> str:
        """The segment decoded."""
        return f"{DOMAIN}/https/{self.host}/{self.port}"


class EmbeddedLab:
    """``async with EmbeddedLab() as lab`` runs it; every change of it can be undone.

    Attributes:
        node: the CUCM.
        proxy: Expressway-C's traffic server.
        ca: the enterprise CA that signed the tomcat certificate.
        address: the CUCM's address.
        folder: its files; removed at the end.
    """

    node: SimulatedNode
    proxy: ProxyServer
    ca: Credential

    def __init__(self, *, release: Release = Release.X14_2) -> None:
        """Describe the lab; nothing runs yet."""
        self._release = release
        self.address = ""
        self.folder = Path()
        self._seen_lines = 0
        self._seen_records = 0

    async def __aenter__(self) -> Self:
        """Make the certificates, start the node, then the proxy.

        Raises:
            LabError: the documented ports are taken on every loopback address tried.
        """
        self.folder = Path(tempfile.mkdtemp(prefix="mralab-"))
        try:
            await asyncio.to_thread(self._make_certificates)
            self.node = await self._start_node()
            self.address = self.node.host
            await self._start_proxy()
        except BaseException:
            self._remove_folder()
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop the proxy and the node; remove the files."""
        await self.proxy.stop(drain_s=0.5)
        await self.node.__aexit__(exc_type, exc, traceback)
        self._remove_folder()

    # -- files

    @property
    def trusted_ca_file(self) -> Path:
        """Expressway-C's trusted CA list."""
        return self.folder / "trusted-ca.pem"

    @property
    def event_log(self) -> Path:
        """Expressway-C's log."""
        return self.folder / "event.log"

    # -- what can be changed

    async def use(self, **changes: Any) -> None:
        """Put changed proxy settings in force, and read the files again."""
        await self.proxy.apply(replace(self.proxy.settings, **changes))
        self.proxy.sync_logs()  # what is logged of the change is not part of the next request
        self._seen_lines = len(self._log_lines())

    async def install(self, name: str, credential: Credential) -> None:
        """Install a certificate on the node and restart what serves it."""
        for daemon in self.node.install(name, credential):
            await self.node.restart(daemon)

    async def advertise(self, name: str) -> None:
        """Change the node's name under System > Server."""
        services = cucm_services(sample_cluster(name))
        for service in services:
            self.node.configure(service)
        for daemon in dict.fromkeys(service.daemon for service in services):
            await self.node.restart(daemon)

    def tomcat(self, *, ips: tuple[str, ...] = ()) -> Credential:
        """Return a tomcat certificate as in the document, with addresses added to its SAN."""
        return self.ca.issue(documented.tomcat(CUCM, ips=ips), now=self._now)

    def call_manager_ec(self, *, signed: bool) -> Credential:
        """Return the ECDSA certificate of 6972, self-signed as in the document or CA-signed."""
        fields = documented.call_manager_ec(CUCM)
        if signed:
            return self.ca.issue(fields, key=KeyKind.EC_P384, now=self._now)
        return self_signed(fields, key=KeyKind.EC_P384, now=self._now)

    # -- what can be asked

    async def advertised(self) -> str:
        """Ask the node, through the proxy, which server a client is to use.

        Raises:
            LabError: it does not say.
        """
        exchange = await self.ask(CUCM, UDS_PORT, "/cucm-uds/servers")
        try:
            server = ElementTree.fromstring(exchange.body).find("server")  # noqa: S314  our own node's
        except ElementTree.ParseError:
            server = None
        if server is None or not server.text:
            raise LabError(
                f"{CUCM} names no server: {exchange.status} {exchange.phrase}, "
                f"{exchange.body[:200]!r}"
            )
        return server.text

    async def ask(self, host: str, port: int, path: str) -> Exchange:
        """Send one request as a client behind Expressway-E does, and gather what it led to.

        Args:
            host: the origin's host, as advertised.
            port: its port.
            path: what is asked for there.

        Raises:
            LabError: the proxy gave no HTTP answer, or its log misses the request.
        """
        loop = asyncio.get_running_loop()
        before = loop.time()
        count = self.node.handshakes.count
        segment = encode_segment(DOMAIN, "https", host, port)
        credentials = b64encode(f"{USER}:rocket".encode()).decode()
        request = (
            f"GET http://{EXPRESSWAY_C}:8443/{segment}{path} HTTP/1.1\r\n"
            f"Host: {EXPRESSWAY_C}:8443\r\nAuthorization: Basic {credentials}\r\n"
            f"Accept: */*\r\nUser-Agent: mralab-demo\r\nConnection: close\r\n\r\n"
        )
        status, phrase, body = await self._send(request.encode("ascii"))
        seconds = loop.time() - before
        self.proxy.sync_logs()
        log, record = await asyncio.to_thread(self._read_logs)
        attempts: list[object] = record["attempts"]
        wanted = count + sum(_shook_hands(attempt) for attempt in attempts)
        wanted += status == record["status"] and record["reason"] == "ok"
        async with asyncio.timeout(_WAIT_S):
            handshakes = [await self.node.handshakes.entry(n) for n in range(count, wanted)]
        return Exchange(
            segment=segment,
            host=host,
            port=port,
            path=path,
            status=status,
            phrase=phrase,
            body=body,
            log=log,
            record=record,
            handshakes=tuple(handshakes),
            seconds=seconds,
            verified=self.proxy.settings.effective_verify_mode is not VerifyMode.OFF,
        )

    # -- inside

    def _make_certificates(self) -> None:
        self._now = datetime.now(UTC)
        self.ca = root_ca(documented.CA_NAME, now=self._now)
        self._tomcat = self.tomcat()
        self._call_manager = self.ca.issue(documented.call_manager(CUCM), now=self._now)
        self._call_manager_ec = self.call_manager_ec(signed=False)
        expressway = self.ca.issue(documented.expressway_c(DOMAIN), now=self._now)
        self._client_files = expressway.write(self.folder, "server")
        self.trusted_ca_file.write_bytes(self.ca.pem)

    @property
    def documented(self) -> dict[str, Credential]:
        """The node's certificates as the lab starts with them."""
        return {
            "tomcat": self._tomcat,
            "CallManager": self._call_manager,
            "CallManager-ECDSA": self._call_manager_ec,
        }

    async def _start_node(self) -> SimulatedNode:
        """Start the node on the first address whose documented ports are free."""
        for address in (*_ADDRESSES, _FALLBACK_ADDRESS):
            node = SimulatedNode(
                CUCM,
                address,
                cucm_services(sample_cluster(address)),
                certificates=self.documented,
                trust={"CallManager-trust": (self.ca.certificate,)},
            )
            with suppress(LabError):  # the next address is tried
                return await node.__aenter__()
        raise LabError(
            f"ports {', '.join(map(str, _PORTS))} are taken on every loopback address tried",
            hint="end another demo or the program that uses them",
        )

    async def _start_proxy(self) -> None:
        """Start the proxy in front of the node."""
        hosts = self.folder / "hosts"
        hosts.write_text(f"{self.address} {CUCM}\n", encoding="ascii")
        settings = Settings(
            listen=Endpoint("127.0.0.1", 0),
            admin=None,
            release=self._release,
            trusted_ca=(self.trusted_ca_file,),
            hosts=hosts,
            client_cert=self._client_files.chain,
            client_key=self._client_files.key,
            log=LogSettings(event_log=self.event_log, json_log=self.folder / "event.json"),
            limits=Limits(max_idle_origin_connections=0),
            timeouts=Timeouts(connect_timeout_s=2.0, linger_s=0.5),
        )
        self.proxy = ProxyServer(settings)
        try:
            await self.proxy.start()
        except BaseException:
            await self.node.__aexit__(None, None, None)
            raise

    async def _send(self, request: bytes) -> tuple[int, str, bytes]:
        endpoint = self.proxy.endpoint
        async with asyncio.timeout(_WAIT_S):
            reader, writer = await asyncio.open_connection(endpoint.host, endpoint.port)
            try:
                writer.write(request)
                data = await reader.read(-1)
            finally:
                writer.close()
                await writer.wait_closed()
        response = HTTPResponse(cast("socket.socket", _Stream(data)))
        try:
            response.begin()
            return response.status, response.reason, response.read()
        except HTTPException as exc:
            raise LabError(f"the proxy's answer is not HTTP: {data[:200]!r}") from exc

    def _read_logs(self) -> tuple[tuple[str, ...], dict[str, Any]]:
        """Return what both logs have got since the last time, once it is on disk."""
        lines = self._log_lines()
        records = (self.folder / "event.json").read_text("utf-8").splitlines()
        new_lines, self._seen_lines = lines[self._seen_lines :], len(lines)
        new_records, self._seen_records = records[self._seen_records :], len(records)
        if len(new_records) != 1:
            raise LabError(
                f"the JSON log has {len(new_records)} new records after one request",
                hint=f"look at {self.folder}",
            )
        return tuple(new_lines), cast("dict[str, Any]", json.loads(new_records[0]))

    def _log_lines(self) -> list[str]:
        return self.event_log.read_text("utf-8").splitlines()

    def _remove_folder(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


class _Stream:
    """As much of a socket as ``HTTPResponse`` asks for."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _mode: str) -> BytesIO:
        return BytesIO(self._data)


def _shook_hands(attempt: object) -> bool:
    """Whether a failed attempt of the JSON log got as far as a TLS handshake that the node saw."""
    reason = cast("dict[str, str]", attempt)["reason"]
    return reason in {"chain-refused", "name-refused"}
