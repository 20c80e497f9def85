"""What a node has by its role."""

from __future__ import annotations

import pytest

from mralab.config.estate import CertificateKind, KeyChoice, NodeRole
from mralab.config.estatedefaults import (
    SERVICES_OF_ROLE,
    TRUST_LISTS_OF_ROLE,
    expressway_certificate,
    installed_certificates,
)
from mralab.config.estatesample import sample_estate
from mralab.lab.estatenodes import cluster_of, estate_services
from mralab.lab.estateplace import EstatePorts


def test_services_are_those_that_the_lab_runs() -> None:
    estate, ports = sample_estate(), EstatePorts()
    data = cluster_of(estate, estate.clusters[0], ports)
    for node in estate.nodes():
        of_cluster = None if node.role is NodeRole.UNITY else data
        names = tuple(item.name for item in estate_services(estate, node, of_cluster, ports))
        assert names == SERVICES_OF_ROLE[node.role]


@pytest.mark.parametrize("role", NodeRole)
def test_every_certificate_after_an_installation_is_self_signed(role: NodeRole) -> None:
    plans = installed_certificates(role, "a.b.lab")
    assert CertificateKind.TOMCAT in plans
    for kind, plan in plans.items():
        assert (plan.signed_by, plan.dns) == ("", ("a.b.lab",))
        assert (plan.cn, plan.key) == (
            ("a-EC.b.lab", KeyChoice.EC_P384) if kind.ecdsa else ("a.b.lab", KeyChoice.RSA_2048)
        )
    assert "tomcat-trust" in TRUST_LISTS_OF_ROLE[role]


def test_an_expressway_is_named_first() -> None:
    assert expressway_certificate("e.lab", "b.lab").dns == ("e.lab", "b.lab")
