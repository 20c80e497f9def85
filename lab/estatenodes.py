"""The services of an estate's nodes, and what they answer from.

- One :class:`~mralab.lab.udsdata.Cluster` a cluster holds what UDS, AXL, TFTP, SOAP and
  ``jabber-config.xml`` say, so all of them say the same. Names in it are those *advertised*.
- Services are named as in the estate file: ``uds`` (with AXL), ``tftp-https``, ``tftp-secure``,
  ``tftp-http`` on CUCM, ``soap`` on IM and Presence, ``rest`` on Unity Connection.
- Which certificate is served where: tomcat on 8443 and 443 (seen), CallManager on 6971 and 6972
  (inferred). XMPP is not simulated, so no service serves ``cup-xmpp``.

Source: ports and certificates in Cisco 218018, the X14.2 release note and the MRA guide.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from mralab.config.estate import (
    CertificateKind,
    DiscoveryKind,
    NodeRole,
    ServiceState,
    TlsCiphers,
)
from mralab.config.releases import TlsVersion
from mralab.lab.applications import cucm_application, tftp_application
from mralab.lab.imp import imp_application
from mralab.lab.listener import Sabotage
from mralab.lab.nodes import Service
from mralab.lab.tftpfiles import tftp_files
from mralab.lab.tlscontext import CipherOrder, ClientCertificate
from mralab.lab.tomcat import Account
from mralab.lab.udsdata import Cluster, Device, NodeKind, ProcessNode, User, release_of
from mralab.lab.unityrest import UnityServer, unity_application

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from aiohttp import web

    from mralab.config.estate import ClusterPlan, Estate, NodePlan, UserPlan
    from mralab.lab.estateplace import EstatePorts

#: Daemons by the names that ``utils service restart`` takes.
TOMCAT: Final = "Cisco Tomcat"
TFTP: Final = "Cisco TFTP"
#: Trust lists that a client certificate on 6971 and 6972 must lead to: both. Source: that the CA
#: of Expressway-C must be in both (X14.2 release note, seen); that TFTP asks both is inferred.
CLIENT_TRUST: Final = ("CallManager-trust", "tomcat-trust")
_TLS1_3_SINCE: Final = (15,)
_CUCM: Final = (NodeRole.PUBLISHER, NodeRole.SUBSCRIBER)
_TOMCAT_CERTIFICATES: Final = (CertificateKind.TOMCAT.value, CertificateKind.TOMCAT_ECDSA.value)
_TFTP_CERTIFICATES: Final = (
    CertificateKind.CALL_MANAGER.value,
    CertificateKind.CALL_MANAGER_ECDSA.value,
)
_SABOTAGE: Final[Mapping[ServiceState, Sabotage]] = {
    ServiceState.RUNNING: Sabotage.NONE,
    ServiceState.DOWN: Sabotage.DEAD,
    ServiceState.SILENT: Sabotage.SILENT,
    ServiceState.PLAIN_HTTP: Sabotage.PLAIN_HTTP,
    ServiceState.RESET: Sabotage.RESET,
}


def sabotage_of(node: NodePlan, service: str) -> Sabotage:
    """Return how a service of a node fails from the start on."""
    return _SABOTAGE[node.services.get(service, ServiceState.RUNNING)]


def cluster_of(estate: Estate, cluster: ClusterPlan, ports: EstatePorts) -> Cluster:
    """Return what the nodes of a cluster know and answer from.

    Users of the estate's other clusters are found by ``clusterUser`` as well: the clusters search
    each other. Source: UDS reference (seen); that the estate has set it up is a lab default.

    Args:
        estate: all of it.
        cluster: one of its clusters.
        ports: ports as they stand in the answers.
    """
    remotes = (other for other in estate.clusters if other.name != cluster.name)
    return replace(
        _cluster(estate, cluster, ports),
        remotes=tuple(_cluster(estate, other, ports) for other in remotes),
    )


def estate_services(
    estate: Estate, node: NodePlan, cluster_data: Cluster | None, ports: EstatePorts
) -> tuple[Service, ...]:
    """Return the services of a node by its role.

    Args:
        estate: all of it.
        node: one of its nodes.
        cluster_data: what :func:`cluster_of` made of its cluster; Unity nodes need none.
        ports: where the services listen, 0 for any free port.
    """
    if node.role is NodeRole.UNITY or cluster_data is None:
        return (_unity_service(estate, node, ports),)
    accounts = axl_accounts(estate, _cluster_plan(estate, node))
    if node.role is NodeRole.IM_PRESENCE:
        return (_imp_service(node, cluster_data, accounts, ports),)
    return _cucm_services(node, cluster_data, accounts, ports)


def axl_accounts(estate: Estate, cluster: ClusterPlan) -> tuple[Account, ...]:
    """Return the accounts with AXL access: those that discovery uses for nodes of the cluster."""
    return _accounts(estate, cluster.nodes, DiscoveryKind.UNIFIED_CM, DiscoveryKind.IM_PRESENCE)


# What the nodes know.


def _cluster(estate: Estate, cluster: ClusterPlan, ports: EstatePorts) -> Cluster:
    return Cluster(
        servers=tuple(node.shown for node in cluster.of_role(*_CUCM)),
        version=cluster.publisher.version,
        users=tuple(_user(estate, user) for user in estate.users if user.cluster == cluster.name),
        im_presence=tuple(node.shown for node in cluster.of_role(NodeRole.IM_PRESENCE)),
        nodes=tuple(_process_node(cluster, node) for node in cluster.nodes),
        uds_port=ports.uds,
        tftp_https_port=ports.tftp_https,
        tftp_http_port=ports.tftp_http,
        soap_port=ports.uds,
        unity_port=ports.unity,
    )


def _user(estate: Estate, user: UserPlan) -> User:
    return User(
        user_id=user.user_id,
        password=user.password,
        first_name=user.first_name,
        last_name=user.last_name,
        email=f"{user.user_id}@{estate.domain}",
        extension=user.extension,
        devices=(Device(name=f"CSF{user.user_id}", description=f"{user.user_id}'s Jabber"),),
        im_presence=user.im_presence,
        voicemail=estate.node(user.voicemail).shown if user.voicemail else "",
    )


def _process_node(cluster: ClusterPlan, node: NodePlan) -> ProcessNode:
    first = cluster.of_role(NodeRole.IM_PRESENCE)[:1]
    return ProcessNode(
        name=node.shown,
        kind=NodeKind.VOICE_VIDEO if node.role in _CUCM else NodeKind.IM_PRESENCE,
        publisher=node.role is NodeRole.PUBLISHER or node in first,
        version=node.version,
    )


def _cluster_plan(estate: Estate, node: NodePlan) -> ClusterPlan:
    return next(item for item in estate.clusters if node in item.nodes)


def _accounts(
    estate: Estate, nodes: Iterable[NodePlan], *kinds: DiscoveryKind
) -> tuple[Account, ...]:
    """Return the accounts of the discoveries that lead to one of the nodes, whatever it is called.

    A node is called by its name, address, advertised name or the first label of its name.
    """
    called = {
        text.casefold()
        for node in nodes
        for text in (node.name, node.address, node.shown, node.name.partition(".")[0])
    }
    found = (
        Account(user=plan.username, password=plan.password)
        for plan in estate.expressway_c.discoveries
        if plan.kind in kinds and plan.address.casefold() in called
    )
    return tuple(dict.fromkeys(found))


# What they serve.


def _max_tls(node: NodePlan) -> TlsVersion:
    modern = release_of(node.version) >= _TLS1_3_SINCE
    return TlsVersion.TLS1_3 if modern else TlsVersion.TLS1_2


def _tomcat_service(
    node: NodePlan, name: str, port: int, application: Callable[[], web.Application]
) -> Service:
    return Service(
        name=name,
        port=port,
        daemon=TOMCAT,
        application=application,
        certificates=_TOMCAT_CERTIFICATES,
        https_ciphers=node.https_ciphers,
        max_tls=_max_tls(node),
        sabotage=sabotage_of(node, name),
    )


def _cucm_services(
    node: NodePlan, cluster: Cluster, accounts: tuple[Account, ...], ports: EstatePorts
) -> tuple[Service, ...]:
    files = tftp_files(cluster)
    own_order = node.tls_ciphers is TlsCiphers.ECDSA_PREFERRED
    secure = Service(
        name="tftp-https",
        port=ports.tftp_https,
        daemon=TFTP,
        application=lambda: tftp_application(files),
        certificates=_TFTP_CERTIFICATES,
        client_certificate=ClientCertificate.ASKED,
        client_trust=CLIENT_TRUST,
        cipher_order=CipherOrder.ECDSA_FIRST if own_order else CipherOrder.CLIENT,
        max_tls=_max_tls(node),
        sabotage=sabotage_of(node, "tftp-https"),
    )
    return (
        _tomcat_service(node, "uds", ports.uds, lambda: cucm_application(cluster, accounts)),
        secure,
        replace(
            secure,
            name="tftp-secure",
            port=ports.tftp_secure,
            sabotage=sabotage_of(node, "tftp-secure"),
        ),
        Service(
            name="tftp-http",
            port=ports.tftp_http,
            daemon=TFTP,
            application=lambda: tftp_application(files),
            sabotage=sabotage_of(node, "tftp-http"),
        ),
    )


def _imp_service(
    node: NodePlan, cluster: Cluster, accounts: tuple[Account, ...], ports: EstatePorts
) -> Service:
    return _tomcat_service(node, "soap", ports.uds, lambda: imp_application(cluster, accounts))


def _unity_service(estate: Estate, node: NodePlan, ports: EstatePorts) -> Service:
    holders = (user for user in estate.users if user.voicemail == node.name)
    server = UnityServer(
        name=node.shown,
        version=node.version,
        address=node.address,
        users=tuple(_user(estate, user) for user in holders),
        accounts=_accounts(estate, (node,), DiscoveryKind.UNITY),
    )
    return _tomcat_service(node, "rest", ports.unity, lambda: unity_application(server))
