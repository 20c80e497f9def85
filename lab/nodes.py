"""A simulated node: a CUCM-like machine on one loopback address, with services and certificates.

- A node *has* certificates and trust lists by name; its services *serve* what they loaded when they
  were last started. So a new certificate shows only after :meth:`SimulatedNode.restart`, as on the
  product (Cisco 218018, certificate management).
- Everything that happens is in two journals: TLS handshakes and HTTP requests.
- A service can be sabotaged, live: no listener, no TLS, silence, a close or a reset.
- A node's ports may be 0; the real ones are known once it runs.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from mralab.config.estate import HttpsCiphers
from mralab.config.releases import TlsVersion
from mralab.config.settings import Endpoint
from mralab.errors import LabError
from mralab.lab.applications import tftp_application, uds_application
from mralab.lab.journal import Journal
from mralab.lab.listener import Listener, RequestRecord, Sabotage, Served
from mralab.lab.tftpfiles import tftp_files
from mralab.lab.tlscontext import DEFAULT_CIPHERS, CipherOrder, ClientCertificate, ServerTls

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from aiohttp import web
    from cryptography import x509

    from mralab.lab.pki import Credential
    from mralab.lab.tlsserver import HandshakeRecord
    from mralab.lab.udsdata import Cluster


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One listener of a node."""

    name: str  #: unique on its node, such as ``uds``
    port: int  #: 0 for any free one
    daemon: str  #: what is restarted to make a change count, such as ``Cisco Tomcat``
    application: Callable[[], web.Application]  #: makes what answers
    certificates: tuple[str, ...] = ()  #: names of the node's certificates; empty is plain HTTP
    client_certificate: ClientCertificate = ClientCertificate.NOT_ASKED
    client_trust: tuple[str, ...] = ()  #: trust lists; what counts must be in each of them
    https_ciphers: HttpsCiphers = HttpsCiphers.EC_AND_RSA
    ciphers: str = DEFAULT_CIPHERS  #: OpenSSL cipher string
    cipher_order: CipherOrder = CipherOrder.CLIENT
    max_tls: TlsVersion = TlsVersion.TLS1_2  #: CUCM up to 14 speaks 1.2, 15 speaks 1.3
    sabotage: Sabotage = Sabotage.NONE  #: how it fails from the start on


class SimulatedNode:
    """A node; ``async with node:`` runs it.

    Attributes:
        name: what it is called in messages.
        host: the address it listens on.
        handshakes: how each TLS connection was set up.
        requests: each HTTP request.
    """

    def __init__(
        self,
        name: str,
        host: str,
        services: tuple[Service, ...],
        *,
        certificates: Mapping[str, Credential] | None = None,
        trust: Mapping[str, tuple[x509.Certificate, ...]] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Describe the node; nothing runs yet.

        Args:
            name: for messages, such as ``cucm.steven.lab``.
            host: a local address, such as ``127.0.0.2``.
            services: its listeners.
            certificates: by name, such as ``tomcat``; a service skips names that are not installed.
            trust: trust lists by name, such as ``CallManager-trust``.
            clock: time of the journals' entries.

        Raises:
            LabError: two services have one name.
        """
        self.name = name
        self.host = host
        self.handshakes: Journal[HandshakeRecord] = Journal()
        self.requests: Journal[RequestRecord] = Journal()
        self._certificates = dict(certificates or {})
        self._trust = dict(trust or {})
        self._services = {service.name: service for service in services}
        if len(self._services) != len(services):
            raise LabError(f"node {name} has two services of one name", hint="rename one")
        self._listeners = {
            service.name: Listener(
                service.name,
                Endpoint(host, service.port),
                load=self._loader(service.name),
                handshakes=self.handshakes,
                requests=self.requests,
                clock=clock,
            )
            for service in services
        }

    # Running.

    async def __aenter__(self) -> Self:
        """Start all services.

        Raises:
            LabError: an address is in use or not local, or certificates cannot be served.
        """
        async with AsyncExitStack() as stack:
            for name, listener in self._listeners.items():
                stack.push_async_callback(listener.stop)
                await listener.start()
                await listener.sabotage(self._services[name].sabotage)
            self._running = stack.pop_all()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop all services and end their connections."""
        await self._running.aclose()

    def endpoint(self, service: str) -> Endpoint:
        """Return where a service listens, or last listened.

        Raises:
            LabError: no such service.
        """
        return self._listener(service).endpoint

    def served(self, service: str) -> Mapping[str, Credential]:
        """Return the certificates that a service has loaded, by name; none over plain HTTP.

        Raises:
            LabError: no such service.
        """
        tls = self._listener(service).tls
        return dict(tls.credentials) if tls else {}

    def to_serve(self, service: str) -> Mapping[str, Credential]:
        """Return the certificates that a service would load now, by name.

        Raises:
            LabError: no such service.
        """
        return self._selected(self.service(service))

    def is_stale(self, service: str) -> bool:
        """Whether a restart would have a service load other certificates or trust than it has.

        Raises:
            LabError: no such service.
        """
        tls = self._listener(service).tls
        if tls is None:
            return False
        described = self._services[service]
        return tls.credentials != self._selected(described) or set(tls.trusted) != set(
            self._client_authorities(described)
        )

    @property
    def services(self) -> tuple[Service, ...]:
        """The services as they are described now, in order."""
        return tuple(self._services.values())

    def service(self, name: str) -> Service:
        """Return a service's description.

        Raises:
            LabError: no such service.
        """
        self._listener(name)
        return self._services[name]

    # Changing it.

    @property
    def certificates(self) -> Mapping[str, Credential]:
        """The installed certificates by name; a service may still serve older ones."""
        return dict(self._certificates)

    @property
    def trust(self) -> Mapping[str, tuple[x509.Certificate, ...]]:
        """The trust lists by name; a service may still use older ones."""
        return dict(self._trust)

    def install(self, name: str, credential: Credential | None) -> tuple[str, ...]:
        """Install a certificate, or remove it with None.

        Returns:
            The daemons to restart before it counts.
        """
        if credential is None:
            self._certificates.pop(name, None)
        else:
            self._certificates[name] = credential
        return self._daemons(lambda service: name in service.certificates)

    def install_trust(
        self, name: str, certificates: tuple[x509.Certificate, ...]
    ) -> tuple[str, ...]:
        """Replace a trust list.

        Returns:
            The daemons to restart before it counts.
        """
        self._trust[name] = certificates
        return self._daemons(lambda service: name in service.client_trust)

    def configure(self, service: Service) -> tuple[str, ...]:
        """Replace the description of the service of this name; its port stays.

        Returns:
            The daemon to restart before it counts.

        Raises:
            LabError: no such service.
        """
        self._services[service.name] = replace(service, port=self.service(service.name).port)
        return (service.daemon,)

    async def restart(self, daemon: str) -> None:
        """Restart a daemon: its services load what is installed now, and drop their connections.

        The port stays open meanwhile, which a real restart does not do (lab default).

        Raises:
            LabError: no service belongs to it, or its certificates cannot be served.
        """
        affected = [item.name for item in self._services.values() if item.daemon == daemon]
        if not affected:
            known = ", ".join(self._daemons(lambda _service: True))
            raise LabError(f"node {self.name} has no {daemon!r}", hint=f"it has: {known}")
        for name in affected:
            await self._listeners[name].restart()

    async def sabotage(self, service: str, how: Sabotage) -> None:
        """Make a service fail from its next connection on, or heal it.

        Raises:
            LabError: no such service, or its port has been taken meanwhile.
        """
        await self._listener(service).sabotage(how)

    def _daemons(self, concerned: Callable[[Service], bool]) -> tuple[str, ...]:
        found = (item.daemon for item in self._services.values() if concerned(item))
        return tuple(dict.fromkeys(found))

    def _listener(self, name: str) -> Listener:
        listener = self._listeners.get(name)
        if listener is None:
            raise LabError(
                f"node {self.name} has no service {name!r}",
                hint=f"it has: {', '.join(self._listeners)}",
            )
        return listener

    # What the services serve.

    def _loader(self, name: str) -> Callable[[], Served]:
        def load() -> Served:
            service = self._services[name]
            tls = self._load_tls(service) if service.certificates else None
            return Served(service.application(), tls)

        return load

    def _load_tls(self, service: Service) -> ServerTls:
        """Build what a service serves from what is installed now."""
        return ServerTls(
            self._selected(service),
            client_certificate=service.client_certificate,
            trusted=self._client_authorities(service),
            ciphers=service.ciphers,
            cipher_order=service.cipher_order,
            max_tls=service.max_tls,
        )

    def _selected(self, service: Service) -> dict[str, Credential]:
        """Return the installed certificates that the service's parameters let it serve."""
        installed = (name for name in service.certificates if name in self._certificates)
        credentials = {name: self._certificates[name] for name in installed}
        if service.https_ciphers is HttpsCiphers.RSA_ONLY:
            # Under TLS 1.3 no cipher string could keep the EC certificate away.
            return {key: item for key, item in credentials.items() if item.family == "RSA"}
        return credentials

    def _client_authorities(self, service: Service) -> list[x509.Certificate]:
        """Return what stands in every trust list of the service, in the first one's order."""
        lists = [self._trust.get(name, ()) for name in service.client_trust]
        first = lists[0] if lists else ()
        return [item for item in first if all(item in other for other in lists)]


def cucm_services(
    cluster: Cluster,
    *,
    uds_port: int = 8443,
    tftp_https_port: int = 6972,
    tftp_http_port: int = 6970,
    https_ciphers: HttpsCiphers = HttpsCiphers.RSA_ONLY,
    max_tls: TlsVersion = TlsVersion.TLS1_2,
) -> tuple[Service, ...]:
    """Return the services of a CUCM: ``uds``, ``tftp-https`` and ``tftp-http``.

    Args:
        cluster: what they answer from.
        uds_port: tomcat certificates, no client certificate asked.
        tftp_https_port: CallManager certificates, a client certificate asked and checked against
            CallManager-trust.
        tftp_http_port: the same files without TLS.
        https_ciphers: the enterprise parameter; it counts on ``uds`` only (inferred).
        max_tls: highest TLS version.

    Source: Cisco 218018 and the X14.2 release note: who asks for a client certificate (seen); which
    certificates TFTP serves (inferred).
    """
    files = tftp_files(cluster)
    return (
        Service(
            name="uds",
            port=uds_port,
            daemon="Cisco Tomcat",
            application=lambda: uds_application(cluster),
            certificates=("tomcat", "tomcat-ECDSA"),
            https_ciphers=https_ciphers,
            max_tls=max_tls,
        ),
        Service(
            name="tftp-https",
            port=tftp_https_port,
            daemon="Cisco TFTP",
            application=lambda: tftp_application(files),
            certificates=("CallManager", "CallManager-ECDSA"),
            client_certificate=ClientCertificate.ASKED,
            client_trust=("CallManager-trust",),
            max_tls=max_tls,
        ),
        Service(
            name="tftp-http",
            port=tftp_http_port,
            daemon="Cisco TFTP",
            application=lambda: tftp_application(files),
        ),
    )
