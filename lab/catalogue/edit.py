"""How an estate is broken: the sound one, and small changes of it. *Pure*.

Every function returns another estate and leaves its argument as it is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from mralab.config.estate import (
    AuthorityPlan,
    CertificateKind,
    CertificatePlan,
    DiscoveryKind,
    DiscoveryPlan,
    Estate,
    ServiceState,
)
from mralab.config.estatesample import sound_estate

if TYPE_CHECKING:
    from collections.abc import Callable

    from mralab.config.estate import ClusterPlan, NodePlan, UserPlan

PUBLISHER: Final = "cucm.steven.lab"
SUBSCRIBER: Final = "cucm-sub.steven.lab"
IMP: Final = "imp.steven.lab"
UNITY: Final = "cuc.steven.lab"
ROOT: Final = "steven-DC-CA"  #: in the trusted CA list
ISSUING: Final = "steven-Issuing-CA"  #: the intermediate below it; in the list too
TOMCAT: Final = CertificateKind.TOMCAT
TOMCAT_ECDSA: Final = CertificateKind.TOMCAT_ECDSA
CALL_MANAGER: Final = CertificateKind.CALL_MANAGER
CALL_MANAGER_ECDSA: Final = CertificateKind.CALL_MANAGER_ECDSA

#: Everything green on every release; discovery verified.
SOUND: Final = sound_estate()


def _with_nodes(estate: Estate, change: Callable[[NodePlan], NodePlan]) -> Estate:
    clusters = tuple(
        replace(cluster, nodes=tuple(map(change, cluster.nodes))) for cluster in estate.clusters
    )
    return replace(estate, clusters=clusters, unity=tuple(map(change, estate.unity)))


def with_node(estate: Estate, name: str, **changes: Any) -> Estate:
    """Change fields of a node.

    Raises:
        KeyError: there is no such node.
    """
    wanted = estate.node(name)
    return _with_nodes(estate, lambda node: replace(node, **changes) if node == wanted else node)


def with_certificate(estate: Estate, node: str, kind: CertificateKind, **changes: Any) -> Estate:
    """Change fields of a node's certificate; one that was reused becomes the node's own.

    Raises:
        KeyError: there is no such node or certificate.
    """
    plan = estate.node(node).certificates[kind]
    if plan.reuse and "reuse" not in changes:
        plan = CertificatePlan(cn=node, dns=(node,), signed_by=ROOT)
    certificates = {**estate.node(node).certificates, kind: replace(plan, **changes)}
    return with_node(estate, node, certificates=certificates)


def self_signed(estate: Estate, node: str, *kinds: CertificateKind) -> Estate:
    """Make certificates of a node self-signed, as they are after an installation."""
    for kind in kinds:
        estate = with_certificate(estate, node, kind, signed_by="")
    return estate


def with_node_trust(estate: Estate, node: str, trust: str, *references: str) -> Estate:
    """Replace one trust list of a node; without references it is empty."""
    return with_node(estate, node, trust={**estate.node(node).trust, trust: references})


def with_service(estate: Estate, node: str, service: str, state: ServiceState) -> Estate:
    """Have a service of a node fail."""
    return with_node(estate, node, services={**estate.node(node).services, service: state})


def with_authority(estate: Estate, name: str, **fields: Any) -> Estate:
    """Add an authority, which nobody trusts yet; one of this name is changed instead."""
    known = {plan.name: plan for plan in estate.authorities}
    known[name] = replace(known.get(name, AuthorityPlan(name=name)), **fields)
    return replace(estate, authorities=tuple(known.values()))


def with_expressway_c(estate: Estate, **changes: Any) -> Estate:
    """Change fields of Expressway-C."""
    return replace(estate, expressway_c=replace(estate.expressway_c, **changes))


def with_trusted(estate: Estate, *references: str) -> Estate:
    """Append to Expressway-C's trusted CA list."""
    listed = estate.expressway_c.trusted_ca
    return with_expressway_c(estate, trusted_ca=(*listed, *references))


def with_discovery(estate: Estate, kind: DiscoveryKind | None = None, **changes: Any) -> Estate:
    """Change how publishers were typed in.

    Args:
        estate: whose.
        kind: the form; None is all three.
        changes: fields of the discovery.
    """
    return with_expressway_c(
        estate,
        discoveries=tuple(
            replace(plan, **changes) if kind in {None, plan.kind} else plan
            for plan in estate.expressway_c.discoveries
        ),
    )


def with_cluster(
    estate: Estate, cluster: ClusterPlan, user: UserPlan, *, discovered: bool
) -> Estate:
    """Add a second cluster with a user of its own.

    Args:
        estate: what it is added to.
        cluster: the cluster.
        user: its user.
        discovered: whether its publisher was typed in on Expressway-C.
    """
    discoveries = estate.expressway_c.discoveries
    if discovered:
        address = cluster.publisher.name
        discoveries += (DiscoveryPlan(kind=DiscoveryKind.UNIFIED_CM, address=address),)
    return replace(
        with_expressway_c(estate, discoveries=discoveries),
        clusters=(*estate.clusters, cluster),
        users=(*estate.users, user),
    )


#: TLS verify mode Off, as where the publishers' CA was never uploaded to Expressway-C.
UNVERIFIED: Final = with_discovery(SOUND, tls_verify_mode=False)
