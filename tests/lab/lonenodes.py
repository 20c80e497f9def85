"""One node of an estate by itself, on free ports, with whatever certificates a test has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mralab.lab.estatenodes import cluster_of, estate_services
from mralab.lab.estateplace import EstatePorts
from mralab.lab.nodes import SimulatedNode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography import x509

    from mralab.config.estate import Estate
    from mralab.lab.pki import Credential
    from mralab.lab.udsdata import Cluster

FREE: Final = EstatePorts(uds=0, tftp_https=0, tftp_secure=0, tftp_http=0, unity=0)
DOCUMENTED: Final = EstatePorts()


def cluster_data(estate: Estate, name: str) -> Cluster | None:
    """What the cluster of a node knows; addresses in it have the documented ports."""
    for cluster in estate.clusters:
        if any(node.name == name for node in cluster.nodes):
            return cluster_of(estate, cluster, DOCUMENTED)
    return None


def lone_node(
    estate: Estate,
    name: str,
    certificates: Mapping[str, Credential],
    trust: Mapping[str, tuple[x509.Certificate, ...]] | None = None,
) -> SimulatedNode:
    """The node of this name on 127.0.0.1."""
    services = estate_services(estate, estate.node(name), cluster_data(estate, name), FREE)
    return SimulatedNode(name, "127.0.0.1", services, certificates=certificates, trust=trust)
