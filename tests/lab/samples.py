"""The sample estate with one thing changed: what breaks a login in one way."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from mralab.config.estate import CertificateKind, ServiceState
from mralab.config.estatesample import sound_estate

if TYPE_CHECKING:
    from mralab.config.estate import Estate

PUB: Final = "cucm.steven.lab"
SUB: Final = "cucm-sub.steven.lab"
IMP: Final = "imp.steven.lab"
CUC: Final = "cuc.steven.lab"
BY_IP: Final = "10.48.36.215"
TOMCAT: Final = CertificateKind.TOMCAT
CALL_MANAGER: Final = CertificateKind.CALL_MANAGER
EXPIRED: Final = {"not_before": timedelta(days=-9), "not_after": timedelta(days=-1)}


def with_node(estate: Estate, name: str, **changes: Any) -> Estate:
    """Change one node."""

    def changed(node: Any) -> Any:
        return replace(node, **changes) if node.name == name else node

    return replace(
        estate,
        clusters=tuple(
            replace(cluster, nodes=tuple(map(changed, cluster.nodes)))
            for cluster in estate.clusters
        ),
        unity=tuple(map(changed, estate.unity)),
    )


def with_certificate(estate: Estate, name: str, kind: CertificateKind, **changes: Any) -> Estate:
    """Change one certificate of one node; one that was another's becomes its own."""
    node = estate.node(name)
    own = {"reuse": "", "cn": name, "dns": (name,), "signed_by": "steven-DC-CA"}
    plan = replace(node.certificates[kind], **{**own, **changes})
    return with_node(estate, name, certificates={**node.certificates, kind: plan})


def with_service(estate: Estate, name: str, service: str, state: ServiceState) -> Estate:
    """Have one service of one node fail."""
    return with_node(estate, name, services={service: state})


def without_verify_mode(estate: Estate) -> Estate:
    """Set TLS verify mode of every discovery to Off: nodes are found however broken."""
    plan = estate.expressway_c
    found = tuple(replace(item, tls_verify_mode=False) for item in plan.discoveries)
    return replace(estate, expressway_c=replace(plan, discoveries=found))


def front_for(estate: Estate, name: str) -> Estate:
    """Have Expressway-E's certificate name something else."""
    plan = estate.expressway_e
    certificate = replace(plan.certificate, cn=name, dns=(name,))
    return replace(estate, expressway_e=replace(plan, certificate=certificate))


SOUND: Final = sound_estate()
UNCHECKED: Final = without_verify_mode(SOUND)
