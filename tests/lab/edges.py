"""Expressway-C with a real proxy and a real node behind it, and raw clients in front."""

from __future__ import annotations

import asyncio
import re
from base64 import b64encode
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from mralab.config.estate import (
    CertificatePlan,
    DiscoveryKind,
    DiscoveryPlan,
    ExpresswayCPlan,
)
from mralab.lab.applications import uds_application
from mralab.lab.discovery import Discovered, DiscoveredNode, DiscoveryReport
from mralab.lab.edgeconfig import encode_domain
from mralab.lab.estateplace import EstatePorts
from mralab.lab.expressway_c import ExpresswayC
from mralab.lab.udsdata import Cluster, Device, User
from mralab.origin.route import encode_segment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

    from mralab.config.settings import Endpoint
    from mralab.lab.nodes import SimulatedNode
    from mralab.proxy.server import ProxyServer

DOMAIN: Final = "steven.lab"
CUCM: Final = "cucm.steven.lab"
EDGE: Final = "vcse.steven.lab"
EMUSK: Final = ("emusk", "rocket")
JDOE: Final = ("jdoe", "secret")
TRACKING_ID: Final = "6af9a674-9ebc-41ea-868e-90e7309a758c"
PATIENCE_S: Final = 15.0
PLAN: Final = ExpresswayCPlan(
    name="vcsc.steven.lab", address="10.48.36.46", certificate=CertificatePlan()
)


def cluster(*servers: str) -> Cluster:
    """Two users, so that they can be mixed up."""
    users = tuple(
        User(user_id=name, password=password, devices=(Device(name=f"CSF{name}"),))
        for name, password in (EMUSK, JDOE)
    )
    return Cluster(servers=servers or (CUCM,), users=users)


def basic(user: str, password: str) -> str:
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


class Clock:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC).replace(microsecond=0)

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass(frozen=True)
class Answer:
    """An answer as it came: nothing is decoded but chunks."""

    line: str
    fields: tuple[tuple[str, str], ...]
    body: bytes
    raw: bytes

    @property
    def status(self) -> int:
        return int(self.line.split(" ")[1])

    def get(self, name: str) -> str | None:
        return next((value for key, value in self.fields if key.lower() == name.lower()), None)

    @property
    def cookie(self) -> str:
        """The X-Auth cookie as the next request sends it."""
        found = re.match(r"X-Auth=[^;]+", self.get("Set-Cookie") or "")
        assert found is not None
        return found[0]


class Client:
    """One raw connection: a request is sent as written, its answer read to its end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def answer(self, *, bodyless: bool = False) -> Answer:
        async with asyncio.timeout(PATIENCE_S):
            head = await self.reader.readuntil(b"\r\n\r\n")
            line, *rest = head.decode("utf-8").removesuffix("\r\n\r\n").split("\r\n")
            pairs = [item.partition(":") for item in rest]
            fields = tuple((name, value.strip()) for name, _, value in pairs)
            lower = {name.lower(): value for name, value in fields}
            if bodyless or line.split(" ")[1] in {"204", "304"}:
                body = b""
            elif lower.get("transfer-encoding") == "chunked":
                body = await self._chunks()
            elif "content-length" in lower:
                body = await self.reader.readexactly(int(lower["content-length"]))
            else:
                body = await self.reader.read(-1)
        return Answer(line, fields, body, head)

    async def _chunks(self) -> bytes:
        body = b""
        while True:
            size = int((await self.reader.readline()).strip(), 16)
            body += await self.reader.readexactly(size)
            assert await self.reader.readexactly(2) == b"\r\n"
            if not size:
                return body

    async def close(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()


async def connect(endpoint: Endpoint, **options: Any) -> Client:
    return Client(*await asyncio.open_connection(endpoint.host, endpoint.port, **options))


async def ask(
    endpoint: Endpoint,
    target: str,
    fields: Mapping[str, str] | None = None,
    *,
    method: str = "GET",
    body: bytes = b"",
    **options: Any,
) -> Answer:
    """One request on a connection of its own."""
    client = await connect(endpoint, **options)
    try:
        sent = {"Host": f"{EDGE}:8443", **(fields or {})}
        if body:
            sent["Content-Length"] = str(len(body))
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {sent[name]}" for name in sent)]
        client.writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        return await client.answer(bodyless=method == "HEAD")
    finally:
        await client.close()


def report_of(*names: str) -> DiscoveryReport:
    plan = DiscoveryPlan(kind=DiscoveryKind.UNIFIED_CM, address=CUCM)
    nodes = tuple(
        DiscoveredNode(name=name, kind=DiscoveryKind.UNIFIED_CM, publisher=True, found_by=CUCM)
        for name in names
    )
    return DiscoveryReport(discoveries=(Discovered(plan=plan, nodes=nodes),))


class EdgeLab:
    """One node, one proxy, Expressway-C in front."""

    def __init__(self, node: SimulatedNode, proxy: ProxyServer) -> None:
        self.node = node
        self.proxy = proxy
        self.clock = Clock()
        self.log: list[str] = []
        self.publishers: tuple[str, ...] = (CUCM,)
        self.c = self.new_c(PLAN)

    def new_c(self, plan: ExpresswayCPlan, **options: Any) -> ExpresswayC:
        settings: dict[str, Any] = {
            "proxy": self.proxy.endpoint,
            "discovered": lambda: report_of(*self.publishers),
            "ports": EstatePorts(uds=self.uds_port),
            "edge": EDGE,
            "clock": self.clock,
            "log": self.log.append,
        }
        return ExpresswayC(plan, DOMAIN, **{**settings, **options})

    @property
    def uds_port(self) -> int:
        return self.node.endpoint("uds").port

    async def config(
        self, who: tuple[str, str] = EMUSK, fields: Mapping[str, str] | None = None
    ) -> Answer:
        sent = {"Authorization": basic(*who), "TrackingID": TRACKING_ID, **(fields or {})}
        return await ask(self.c.endpoint, f"/{encode_domain(DOMAIN)}/get_edge_config", sent)

    def target(self, path: str, host: str = CUCM, domain: str = DOMAIN) -> str:
        return f"/{encode_segment(domain, 'https', host, self.uds_port)}{path}"

    async def uds(self, path: str, fields: Mapping[str, str], **options: Any) -> Answer:
        return await ask(self.c.endpoint, self.target(path), fields, **options)

    async def use(self, **changes: Any) -> None:
        await self.proxy.apply(replace(self.proxy.settings, **changes))

    async def serve(self, application: web.Application) -> None:
        """Have the node's Tomcat answer what it would not."""
        service = replace(self.node.service("uds"), application=lambda: application)
        for daemon in self.node.configure(service):
            await self.node.restart(daemon)

    async def advertise(self, *servers: str) -> None:
        self.publishers = servers[:1]
        await self.serve(uds_application(cluster(*servers)))
