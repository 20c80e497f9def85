"""Expressway-C as a whole: its traffic server, its edge service, and what discovery found.

- Its files are in one folder: trusted CA list, allow list, hosts, certificate, both logs.
- The allow list is what discovery found, so each discovery rewrites it.
- Nodes are where ``loopback`` says; without it at their own addresses, as in a network of
  containers.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mralab.config.releases import default_ciphers
from mralab.config.settings import Endpoint
from mralab.errors import LabError
from mralab.lab.allowrules import generated_rules
from mralab.lab.discovery import Discoverer, DiscoveryReport
from mralab.lab.estatefiles import changed_settings, is_address, names_of, stray_of
from mralab.lab.expressway_c import ExpresswayC
from mralab.proxy.server import ProxyServer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from mralab.config.estate import Estate
    from mralab.lab.estatefiles import EstateFiles
    from mralab.lab.estatepki import EstateCertificates
    from mralab.lab.estateplace import EstatePorts

_DRAIN_S = 0.5
_ANYWHERE = Endpoint("127.0.0.1", 0)


class ControlSide:
    """Expressway-C.

    Attributes:
        proxy: its traffic server.
        edge: its edge service.
        report: what discovery has found last.
    """

    def __init__(
        self,
        estate: Estate,
        *,
        files: EstateFiles,
        loopback: Mapping[str, str],
        ports: EstatePorts,
        clock: Callable[[], datetime],
        listen: Endpoint = _ANYWHERE,
        log_to_file: bool = True,
    ) -> None:
        """Describe it; nothing runs yet.

        Args:
            estate: a checked one.
            files: where its files are.
            loopback: where each real address runs; empty: at that address itself.
            ports: the ports of the estate's services.
            clock: aware time.
            listen: where the edge service listens.
            log_to_file: False writes the event log to standard output.
        """
        self.report = DiscoveryReport()
        self._estate = estate
        self._files = files
        self._loopback = loopback
        self._ports = ports
        self._clock = clock
        settings = files.settings(estate)
        if not log_to_file:
            settings = replace(settings, log=replace(settings.log, event_log=None, json_log=None))
        self._settings = settings
        self._listen = listen

    async def start(self, certificates: EstateCertificates) -> None:
        """Write the files and listen; nothing has been discovered yet.

        Raises:
            LabError: the folder cannot be written to, or an address cannot be had.
        """
        self._files.write(self._estate, certificates, self._loopback)
        self._write_allow_list()
        self.proxy = ProxyServer(self._settings)
        await self.proxy.start()
        try:
            self.edge = self._new_edge()
            await self.edge.start()
        except BaseException:
            await self.proxy.stop(drain_s=0)
            raise

    async def stop(self) -> None:
        """Listen no more; requests under way get a moment."""
        await self.edge.stop()
        await self.proxy.stop(drain_s=_DRAIN_S)

    async def use(self, **changes: Any) -> None:
        """Put changed settings of the traffic server in force."""
        await self.proxy.apply(replace(self.proxy.settings, **changes))

    async def change(
        self, estate: Estate, certificates: EstateCertificates, loopback: Mapping[str, str]
    ) -> None:
        """Follow a change of the estate. Discovery is the caller's to ask for.

        Args:
            estate: the new one.
            certificates: its certificates.
            loopback: where each real address runs now.
        """
        old, self._estate, self._loopback = self._estate, estate, loopback
        self._files.write(estate, certificates, loopback)
        self._write_allow_list()
        await self.proxy.apply(changed_settings(self.proxy.settings, old, estate))
        if (old.domain, old.expressway_e.name) == (estate.domain, estate.expressway_e.name):
            self.edge.use(estate.expressway_c)
        else:
            await self.edge.stop()
            self.edge = self._new_edge()
            await self.edge.start()

    async def discover(self) -> DiscoveryReport:
        """Ask every publisher typed in; rewrite the allow list and apply it."""
        settings = self.proxy.settings
        discoverer = Discoverer(
            trust=self.proxy.trust,
            profile=settings.profile,
            dial=self._dial,
            ports=self._ports,
            # The list "UC server discovery" is another one than the traffic server's, which an
            # estate can set: it stays the release's default.
            ciphers=default_ciphers(settings.release, settings.upgrade_path),
            name_rule=settings.name_rule,
        )
        self.report = await discoverer.all(self._estate.expressway_c.discoveries)
        self._write_allow_list()
        await self.proxy.apply(self.proxy.settings)
        return self.report

    def _new_edge(self) -> ExpresswayC:
        return ExpresswayC(
            self._estate.expressway_c,
            self._estate.domain,
            proxy=self.proxy.endpoint,
            discovered=lambda: self.report,
            ports=self._ports,
            edge=self._estate.expressway_e.name,
            listen=self._listen,
            clock=self._clock,
            log=self.proxy.log.add,
        )

    def _write_allow_list(self) -> None:
        allowed = self._estate.expressway_c.allow
        self._files.write_allow_list(generated_rules(self.report, self._ports, editable=allowed))

    def _dial(self, host: str, port: int) -> Endpoint:
        """Return where a host that the administrator typed in is."""
        names = names_of(self._estate)
        address = host if is_address(host) else names.get(host.lower().rstrip("."))
        if address is None:
            raise LabError(
                f"{host} does not resolve", hint="type in a name or an address that the estate has"
            )
        if self._loopback:
            address = self._loopback.get(address) or stray_of(address, self._loopback)
        return Endpoint(address, port)
