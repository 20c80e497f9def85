"""An estate that runs: every node, Expressway-C and -E, on loopback, in this process.

- Everything is real: sockets, TLS, certificates, the proxy, its log files. Nothing leaves loopback.
- The estate keeps its real addresses in every answer, log line and message; each node runs on a
  loopback address of its own (:mod:`mralab.lab.estateplace`).
- All of it can be changed while it runs, as an administrator does: :meth:`RunningEstate.use` for
  the proxy's settings, :meth:`RunningEstate.change` for everything that the estate file says.
- :meth:`RunningEstate.evidence` tells what one request led to, however many others run beside it.

Example::

    async with RunningEstate(sample_estate()) as lab:
        await lab.use(release=Release.X14_0_7)
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from mralab.config.settings import Endpoint
from mralab.errors import LabError
from mralab.lab.controlside import ControlSide
from mralab.lab.estatefiles import EstateFiles, names_of
from mralab.lab.estatenodes import estate_services, sabotage_of
from mralab.lab.estatepart import build_node, cluster_data
from mralab.lab.estatepki import make_certificates, make_keys
from mralab.lab.estateplace import EstatePlace, EstatePorts, find_place, first_taken, spread
from mralab.lab.evidence import Evidence, EvidenceIndex
from mralab.lab.expressway_e import ExpresswayE
from mralab.lab.pki import KeyCache
from mralab.trafficlog.writer import LogWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from mralab.config.estate import Estate, NodePlan
    from mralab.lab.discovery import DiscoveryReport
    from mralab.lab.estatepki import EstateCertificates, KeptCertificate
    from mralab.lab.expressway_c import ExpresswayC
    from mralab.lab.nodes import SimulatedNode
    from mralab.lab.pki import Credential
    from mralab.proxy.server import ProxyServer


class RunningEstate:
    """``async with RunningEstate(estate) as lab`` runs it.

    Attributes:
        estate: what runs now.
        certificates: its certificates; services may still serve older ones.
        nodes: the running nodes by name.
        control: Expressway-C.
        expressway_e: the front; None without one.
        folder: its files.
        files: where each of them is.
    """

    certificates: EstateCertificates
    control: ControlSide
    expressway_e: ExpresswayE | None
    files: EstateFiles
    folder: Path

    def __init__(
        self,
        estate: Estate,
        *,
        keys: KeyCache | None = None,
        now: datetime | None = None,
        folder: Path | None = None,
        front: bool = True,
        kept: Mapping[str, KeptCertificate] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Describe it; nothing runs yet.

        Args:
            estate: a checked one.
            keys: private keys to use and to add to; default: new ones.
            now: aware; where the certificates' relative dates count from. Default: the clock.
            folder: for its files; made if it is missing, and kept. Default: a temporary one.
            front: whether Expressway-E runs.
            kept: certificates made before, by name; what still fits is used again.
            clock: aware time.
        """
        self.estate = estate
        self.nodes: dict[str, SimulatedNode] = {}
        self._keys = keys or KeyCache()
        self._now = now
        self._folder = folder
        self._front = front
        self._kept = kept
        self._clock = clock
        self._place = EstatePlace(loopback={}, ports=EstatePorts())
        self._changing = asyncio.Lock()

    async def __aenter__(self) -> Self:
        """Make the certificates, start the nodes, then both Expressways, then discover.

        Raises:
            LabError: ports are taken or addresses not local, a reference names nothing, or the
                folder cannot be written to.
        """
        async with AsyncExitStack() as stack:
            self._make_folder(stack)
            now = self._now or self._clock()
            self.certificates = await self._make_certificates(self.estate, now, self._kept)
            self._index = EvidenceIndex(
                event_log=self.files.event_log, json_log=self.files.json_log
            )
            stack.push_async_callback(self._stop_nodes)
            await self._start_nodes()
            await self._start_expressways(stack)
            await self.control.discover()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop everything; remove the files if the folder is a temporary one."""
        await self._stack.aclose()

    # -- where it is

    @property
    def proxy(self) -> ProxyServer:
        """Expressway-C's traffic server."""
        return self.control.proxy

    @property
    def expressway_c(self) -> ExpresswayC:
        """Expressway-C's edge service."""
        return self.control.edge

    @property
    def report(self) -> DiscoveryReport:
        """What discovery has found last."""
        return self.control.report

    @property
    def loopback(self) -> Mapping[str, str]:
        """Where each real address runs."""
        return self._place.loopback

    @property
    def ports(self) -> EstatePorts:
        """The ports in use."""
        return self._place.ports

    @property
    def notes(self) -> tuple[str, ...]:
        """What is not as documented, a sentence each."""
        return self._place.notes

    @property
    def trust_file(self) -> Path:
        """Expressway-C's trusted CA list."""
        return self.files.trusted_ca

    @property
    def event_log(self) -> Path:
        """Expressway-C's log."""
        return self.files.event_log

    @property
    def json_log(self) -> Path:
        """Its JSON twin."""
        return self.files.json_log

    # -- what can be changed

    async def use(self, **changes: Any) -> None:
        """Put changed settings of the proxy in force, by their names in ``Settings``."""
        async with self._changing:
            await self.control.use(**changes)

    async def change(self, estate: Estate, *, refresh: bool = False) -> None:
        """Make the running estate this one; only what differs is touched.

        Certificates are made anew where their plan or what signs them differs, installed, and the
        daemons that serve them restarted. Settings of Expressway-C that differ are applied.

        Args:
            estate: a checked one.
            refresh: whether Expressway-C discovers its servers anew, as after Refresh servers.

        Raises:
            LabError: as on entering. What was changed by then stays; once its cause is mended, the
                same change can be asked for again.
        """
        async with self._changing:
            certificates = await self._make_certificates(
                estate, self._now or self._clock(), self.certificates.kept()
            )
            old, self.estate, self.certificates = self.estate, estate, certificates
            try:
                await self._change_all(old, certificates)
            except BaseException:
                self.estate = old  # so that the next change finds what is still to be done
                raise
            if refresh or _typed_in(old) != _typed_in(estate):
                await self.control.discover()

    async def discover(self) -> DiscoveryReport:
        """Have Expressway-C ask every publisher typed in; rewrite and apply the allow list."""
        async with self._changing:
            return await self.control.discover()

    async def refresh_servers(self) -> DiscoveryReport:
        """Do what the product's button Refresh servers does: discover anew."""
        return await self.discover()

    # -- what can be asked

    def evidence(self, tracking_id: str, *, url: str = "") -> Evidence:
        """Return what the newest transaction of a TrackingID left behind; call it after the answer.

        A request that reached no proxy has only what the nodes saw of it, possibly nothing.

        Args:
            tracking_id: as the client sent it.
            url: only the transaction with this origin URL, ``https://host:port/path``.
        """
        found = [
            item
            for item in self.all_evidence(tracking_id)
            if not url or url == (item.verdict or {}).get("origin", {}).get("url")
        ]
        return found[-1] if found else self._index.without_proxy(tracking_id)

    def all_evidence(self, tracking_id: str) -> tuple[Evidence, ...]:
        """Return the same for each transaction of it: Expressway-C's own questions come first."""
        self.proxy.sync_logs()
        self._index.read()
        return self._index.of(tracking_id)

    # -- inside: the start

    def _make_folder(self, stack: AsyncExitStack) -> None:
        if self._folder is None:
            self.folder = Path(tempfile.mkdtemp(prefix="mralab-"))
            stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        else:
            self.folder = self._folder
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
            except OSError as exc:
                raise LabError(
                    f"folder {self.folder}: {exc.strerror}",
                    hint="name a folder that may be written to",
                ) from exc
        self.files = EstateFiles(self.folder)

    async def _make_certificates(
        self, estate: Estate, now: datetime, before: Mapping[str, KeptCertificate] | None
    ) -> EstateCertificates:
        await make_keys(estate, self._keys, kept=before)
        made = await asyncio.to_thread(
            make_certificates, estate, now=now, keys=self._keys, before=before
        )
        # A reference that names nothing is told before anything is touched.
        made.trusted_ca()
        for plan in estate.nodes():
            made.trust_of(plan)
        return made

    async def _start_nodes(self) -> None:
        """Start the nodes where their ports are free."""
        shift = 0
        while True:
            place = self._place = await asyncio.to_thread(
                find_place, self.estate, front=self._front, first_shift=shift
            )
            try:
                for plan in self.estate.nodes():
                    await self._start_node(plan)
            except LabError:
                await self._stop_nodes()
                if not first_taken(self.estate, place, front=self._front):
                    raise
                shift = place.shift + 1  # somebody took a port in between
            else:
                self._index.place(self._places())
                return

    async def _start_node(self, plan: NodePlan) -> None:
        node = build_node(
            self.estate,
            plan,
            self.loopback[plan.address],
            certificates=self.certificates,
            ports=self.ports,
            clock=self._clock,
        )
        self._index.watch(node)
        self.nodes[plan.name] = await node.__aenter__()

    async def _stop_node(self, name: str) -> None:
        await self.nodes.pop(name).__aexit__(None, None, None)

    async def _stop_nodes(self) -> None:
        for name in tuple(self.nodes):
            await self._stop_node(name)

    async def _start_expressways(self, stack: AsyncExitStack) -> None:
        self.control = ControlSide(
            self.estate,
            files=self.files,
            loopback=self.loopback,
            ports=self.ports,
            clock=self._clock,
        )
        await self.control.start(self.certificates)
        stack.push_async_callback(self.control.stop)
        self._edge_log = LogWriter(
            self.files.edge_log, hostname=self.estate.expressway_e.name.partition(".")[0]
        )
        self._edge_log.attach(asyncio.get_running_loop())
        stack.push_async_callback(self._stop_front)
        self.expressway_e = None
        if self._front:
            self.expressway_e = self._new_front()
            await self.expressway_e.start()

    async def _stop_front(self) -> None:
        if self.expressway_e is not None:
            await self.expressway_e.stop()
        self._edge_log.flush()
        await asyncio.to_thread(self._edge_log.close)

    def _new_front(self) -> ExpresswayE:
        plan = self.estate.expressway_e
        self._front_credential = self.certificates.expressway_e
        return ExpresswayE(
            plan,
            self._front_credential,
            next_hop=lambda: self.control.edge.endpoint,
            listen=Endpoint(self.loopback[plan.address], self.ports.front),
            clock=self._clock,
            log=self._edge_log.add,
        )

    def _places(self) -> dict[tuple[str, int], tuple[str, str]]:
        """Return the service behind each host and port that a route may name."""
        hosts = names_of(self.estate)
        hosts |= {address: address for address in self.loopback}
        for plan in self.estate.nodes():
            hosts.setdefault(plan.shown.lower(), plan.address)
        services = {
            (plan.address, service.port): (plan.name, service.name)
            for plan in self.estate.nodes()
            for service in self.nodes[plan.name].services
        }
        return {
            (host, port): service
            for host, address in hosts.items()
            for (own, port), service in services.items()
            if own == address
        }

    # -- inside: changes

    async def _change_all(self, old: Estate, certificates: EstateCertificates) -> None:
        await self._change_nodes(old)
        await self.control.change(self.estate, certificates, self.loopback)
        await self._change_front(old)

    async def _change_nodes(self, old: Estate) -> None:
        new = {plan.name: plan for plan in self.estate.nodes()}
        before = {plan.name: plan for plan in old.nodes()}
        for name in tuple(self.nodes):
            if name not in new or _moved(before[name], new[name]):
                await self._stop_node(name)
        if set(_addresses(old)) != set(_addresses(self.estate)):
            self._place = replace(
                self._place, loopback=spread(self.estate, shift=self._place.shift)
            )
        for plan in self.estate.nodes():
            if plan.name not in self.nodes:
                await self._start_node(plan)
            else:
                await self._change_node(old, before[plan.name], plan)
        self._index.place(self._places())

    async def _change_node(self, old_estate: Estate, old: NodePlan, plan: NodePlan) -> None:
        node = self.nodes[plan.name]
        daemons: list[str] = []
        certificates = self.certificates.of_node(plan)
        for name in {**node.certificates, **certificates}:
            if _differs(node.certificates.get(name), certificates.get(name)):
                daemons += node.install(name, certificates.get(name))
        trust = self.certificates.trust_of(plan)
        for name in {**node.trust, **trust}:
            if node.trust.get(name) != trust.get(name, ()):
                daemons += node.install_trust(name, trust.get(name, ()))
        if _says(old_estate, old) != _says(self.estate, plan):
            data = cluster_data(self.estate, plan, self.ports)
            for service in estate_services(self.estate, plan, data, self.ports):
                daemons += node.configure(service)
        for daemon in dict.fromkeys(daemons):
            await node.restart(daemon)
        for service in node.services:
            if sabotage_of(old, service.name) is not sabotage_of(plan, service.name):
                await node.sabotage(service.name, sabotage_of(plan, service.name))

    async def _change_front(self, old: Estate) -> None:
        front, plan = self.expressway_e, self.estate.expressway_e
        if front is None:
            return
        credential = self.certificates.expressway_e
        if old.expressway_e.address != plan.address:
            await front.stop()
            self.expressway_e = self._new_front()
            await self.expressway_e.start()
        elif old.expressway_e.name != plan.name or _differs(self._front_credential, credential):
            await front.restart(plan, credential)
        self._front_credential = credential


def _differs(old: Credential | None, new: Credential | None) -> bool:
    """Whether a service that serves one must be restarted to serve the other."""
    if old is None or new is None:
        return old is not new
    return (old.certificate, old.chain) != (new.certificate, new.chain)


def _moved(old: NodePlan, new: NodePlan) -> bool:
    """Whether it is another machine now."""
    return (old.address, old.role) != (new.address, new.role)


def _typed_in(estate: Estate) -> tuple[object, ...]:
    return tuple(replace(item, line=0) for item in estate.expressway_c.discoveries)


def _addresses(estate: Estate) -> tuple[str, ...]:
    return (*(plan.address for plan in estate.nodes()), estate.expressway_e.address)


def _says(estate: Estate, plan: NodePlan) -> tuple[object, ...]:
    """Return all that a node's services answer from, certificates and trust lists left out."""

    def bare(node: NodePlan) -> NodePlan:
        return replace(node, certificates={}, trust={}, services={}, line=0)

    return (
        bare(plan),
        tuple((cluster.name, tuple(map(bare, cluster.nodes))) for cluster in estate.clusters),
        tuple(map(bare, estate.unity)),
        tuple(replace(user, line=0) for user in estate.users),
        _typed_in(estate),
        estate.domain,
    )
