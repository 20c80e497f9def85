"""A small estate for tests, made from keyword changes: one publisher, both Expressways."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from mralab.config.estate import (
    AuthorityPlan,
    CertificateKind,
    CertificatePlan,
    ClusterPlan,
    DigestChoice,
    DiscoveryKind,
    DiscoveryPlan,
    Estate,
    ExpresswayCPlan,
    ExpresswayEPlan,
    KeyChoice,
    NodePlan,
    NodeRole,
    UserPlan,
)

CA: Final = "steven-DC-CA"
CUCM: Final = "cucm.steven.lab"
C: Final = "vcsc.steven.lab"
E: Final = "vcse.steven.lab"


def certificate(name: str, *, cn: str = "", signed_by: str = CA, **changes: Any) -> CertificatePlan:
    plan = CertificatePlan(signed_by=signed_by, cn=cn or name, dns=(name,), key=KeyChoice.EC_P256)
    return replace(plan, **changes)


def cucm(name: str = CUCM, *, address: str = "10.48.36.215", **changes: Any) -> NodePlan:
    """A publisher with the document's three certificates; tomcat and CallManager are RSA."""
    label = name.partition(".")[0]
    ecdsa = certificate(
        name,
        cn=name.replace(label, f"{label}-EC", 1),
        signed_by="",
        key=KeyChoice.EC_P384,
        digest=DigestChoice.SHA384,
    )
    plan = NodePlan(
        name=name,
        role=NodeRole.PUBLISHER,
        address=address,
        certificates={
            CertificateKind.TOMCAT: certificate(name, key=KeyChoice.RSA_2048),
            CertificateKind.CALL_MANAGER: certificate(name, key=KeyChoice.RSA_2048),
            CertificateKind.CALL_MANAGER_ECDSA: ecdsa,
        },
        trust={"CallManager-trust": (CA,), "tomcat-trust": (CA,)},
    )
    return replace(plan, **changes)


def unity(name: str = "cuc.steven.lab", *, address: str = "10.48.36.217") -> NodePlan:
    plan = certificate(name, key=KeyChoice.RSA_2048)
    return NodePlan(
        name=name,
        role=NodeRole.UNITY,
        address=address,
        certificates={CertificateKind.TOMCAT: plan},
    )


def estate(*nodes: NodePlan, **changes: Any) -> Estate:
    """The document's lab with the nodes given, or its publisher; ``changes`` are the estate's."""
    found = Estate(
        domain="steven.lab",
        authorities=(AuthorityPlan(name=CA, key=KeyChoice.EC_P256),),
        clusters=(ClusterPlan(name="steven", nodes=nodes or (cucm(),)),),
        users=(
            UserPlan(user_id="emusk", password="rocket", cluster="steven"),  # noqa: S106
        ),
        expressway_c=ExpresswayCPlan(
            name=C,
            address="10.48.36.46",
            certificate=certificate(C),
            trusted_ca=(CA,),
            discoveries=(
                DiscoveryPlan(kind=DiscoveryKind.UNIFIED_CM, address=(nodes or (cucm(),))[0].name),
            ),
        ),
        expressway_e=ExpresswayEPlan(name=E, address="10.48.36.47", certificate=certificate(E)),
    )
    return replace(found, **changes)


def with_c(plan: Estate, **changes: Any) -> Estate:
    """The same estate with another Expressway-C."""
    return replace(plan, expressway_c=replace(plan.expressway_c, **changes))


def with_node(plan: Estate, name: str = CUCM, **changes: Any) -> Estate:
    """The same estate with one node of its clusters changed."""
    clusters = tuple(
        replace(
            cluster,
            nodes=tuple(
                replace(node, **changes) if node.name == name else node for node in cluster.nodes
            ),
        )
        for cluster in plan.clusters
    )
    return replace(plan, clusters=clusters)
