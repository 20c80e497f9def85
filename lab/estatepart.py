"""One machine of an estate by itself: a node, Expressway-C or -E, in a process of its own.

- It listens at its own real address, or where it is told to, on the documented ports, and finds the
  others at theirs: as in a network of containers, one a machine.
- Certificates are not made here: all parts take them from one folder.
- Expressway-C asks publishers that fail again and again: they may still be starting.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from mralab.config.settings import Endpoint
from mralab.errors import LabError
from mralab.lab.controlside import ControlSide
from mralab.lab.estatefiles import EstateFiles
from mralab.lab.estatenodes import cluster_of, estate_services
from mralab.lab.estateplace import EstatePorts
from mralab.lab.expressway_e import ExpresswayE
from mralab.lab.foreground import handshake_line, request_line
from mralab.lab.nodes import SimulatedNode

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from types import TracebackType

    from mralab.config.estate import Estate, NodePlan
    from mralab.lab.estatepki import EstateCertificates
    from mralab.lab.udsdata import Cluster

#: Port of Expressway-C's edge service, to which Expressway-E passes everything on. Source: the
#: port in its absolute URIs, Cisco 218018 (seen); on the product a tunnel leads there.
EDGE_PORT: Final = 8443
#: Seconds between two discoveries while a publisher fails. Lab default.
RETRY_S: Final = 5.0


def part_names(estate: Estate) -> tuple[str, ...]:
    """Return what can run by itself: every node, then Expressway-C and -E."""
    nodes = (node.name for node in estate.nodes())
    return (*nodes, estate.expressway_c.name, estate.expressway_e.name)


def cluster_data(estate: Estate, plan: NodePlan, ports: EstatePorts) -> Cluster | None:
    """Return what a node's cluster knows; None for a Unity node, which is in none."""
    for cluster in estate.clusters:
        if any(node.name == plan.name for node in cluster.nodes):
            return cluster_of(estate, cluster, ports)
    return None


def build_node(
    estate: Estate,
    plan: NodePlan,
    host: str,
    *,
    certificates: EstateCertificates,
    ports: EstatePorts,
    clock: Callable[[], datetime],
) -> SimulatedNode:
    """Make a node, not running yet.

    Args:
        estate: all of it.
        plan: one of its nodes.
        host: the local address to listen on.
        certificates: the estate's.
        ports: ports of its services.
        clock: aware time of the journals.

    Raises:
        LabError: a trust list names nothing.
    """
    return SimulatedNode(
        plan.name,
        host,
        estate_services(estate, plan, cluster_data(estate, plan, ports), ports),
        certificates=certificates.of_node(plan),
        trust=certificates.trust_of(plan),
        clock=clock,
    )


class EstatePart:
    """``async with EstatePart(...)`` runs it.

    Attributes:
        nodes: the node by its name, if it is one.
        certificates: those of the estate.
        listens: where it listens, as text.
    """

    def __init__(
        self,
        estate: Estate,
        name: str,
        *,
        certificates: EstateCertificates,
        say: Callable[[str], None],
        clock: Callable[[], datetime],
        bind: str = "",
        ports: EstatePorts | None = None,
        edge_port: int = EDGE_PORT,
    ) -> None:
        """Describe it; nothing runs yet.

        Args:
            estate: a checked one.
            name: one of :func:`part_names`.
            certificates: the estate's.
            say: gets lines about what happens, without line ends.
            clock: aware time.
            bind: local address; default: its own of the estate.
            ports: ports of the estate's services; default: the documented ones.
            edge_port: port of Expressway-C's edge service.

        Raises:
            LabError: nothing has this name.
        """
        if name not in part_names(estate):
            raise LabError(
                f"there is no {name!r} in the estate",
                hint=f"it has: {', '.join(part_names(estate))}",
            )
        self.nodes: dict[str, SimulatedNode] = {}
        self.certificates = certificates
        self.listens = ""
        self._estate = estate
        self._name = name
        self._say = say
        self._clock = clock
        self._bind = bind
        self._ports = ports or EstatePorts()
        self._edge_port = edge_port

    async def __aenter__(self) -> Self:
        """Start it.

        Raises:
            LabError: an address is in use or not local, or certificates cannot be served.
        """
        async with AsyncExitStack() as stack:
            if self._name == self._estate.expressway_c.name:
                await self._run_expressway_c(stack)
            elif self._name == self._estate.expressway_e.name:
                await self._run_expressway_e(stack)
            else:
                await self._run_node(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop it."""
        await self._stack.aclose()

    async def _run_node(self, stack: AsyncExitStack) -> None:
        plan = self._estate.node(self._name)
        host = self._bind or plan.address
        node = build_node(
            self._estate,
            plan,
            host,
            certificates=self.certificates,
            ports=self._ports,
            clock=self._clock,
        )
        node.handshakes.follow(lambda record: self._say(handshake_line(record)))
        node.requests.follow(lambda record: self._say(request_line(record)))
        self.nodes[plan.name] = await stack.enter_async_context(node)
        services = (f"{node.endpoint(item.name).port} ({item.name})" for item in node.services)
        self.listens = f"{host}, ports {', '.join(services)}"

    async def _run_expressway_c(self, stack: AsyncExitStack) -> None:
        plan = self._estate.expressway_c
        folder = Path(tempfile.mkdtemp(prefix="mralab-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        control = ControlSide(
            self._estate,
            files=EstateFiles(folder),
            loopback={},
            ports=self._ports,
            clock=self._clock,
            listen=Endpoint(self._bind or plan.address, self._edge_port),
            log_to_file=False,
        )
        await control.start(self.certificates)
        stack.push_async_callback(control.stop)
        await self._discover(control)
        asking = asyncio.create_task(self._ask_again(control))
        stack.push_async_callback(asyncio.wait, [asking])
        stack.callback(asking.cancel)
        self.listens = f"{control.edge.endpoint} (edge service)"

    async def _run_expressway_e(self, stack: AsyncExitStack) -> None:
        plan = self._estate.expressway_e
        control = Endpoint(self._estate.expressway_c.address, self._edge_port)
        front = ExpresswayE(
            plan,
            self.certificates.expressway_e,
            next_hop=lambda: control,
            listen=Endpoint(self._bind or plan.address, self._ports.front),
            clock=self._clock,
            log=lambda lines: self._say(lines.rstrip("\n")),
        )
        await front.start()
        stack.push_async_callback(front.stop)
        self.listens = str(front.endpoint)

    async def _discover(self, control: ControlSide) -> None:
        for item in (await control.discover()).discoveries:
            self._say(f"discovery of {item.plan.address}: {item.status}")

    async def _ask_again(self, control: ControlSide) -> None:
        while control.report.failures:
            await asyncio.sleep(RETRY_S)
            await self._discover(control)
