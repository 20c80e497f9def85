"""The estate as data: finding things in it, and where the lab runs a node."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mralab.config.estate import (
    CertificateKind,
    DiscoveryPlan,
    NodePlan,
    NodeRole,
    UserPlan,
    loopback_of,
)
from mralab.config.estatesample import sample_estate


def test_nodes_come_cluster_by_cluster_unity_last() -> None:
    names = [node.name.partition(".")[0] for node in sample_estate().nodes()]
    assert names == ["cucm", "cucm-sub", "imp", "cuc"]


def test_what_is_there_is_found_by_name() -> None:
    estate = sample_estate()
    assert estate.node("cuc.steven.lab").role is NodeRole.UNITY
    cluster = estate.cluster("steven")
    assert cluster.publisher is estate.node("cucm.steven.lab")
    assert [node.name for node in cluster.of_role(NodeRole.IM_PRESENCE)] == ["imp.steven.lab"]
    user = estate.user("emusk")
    assert user is not None
    assert user.extension == "1001"


@pytest.mark.parametrize("method", ["node", "cluster"])
def test_what_is_not_there_is_a_key_error(method: str) -> None:
    with pytest.raises(KeyError, match="cucm"):
        getattr(sample_estate(), method)("cucm")


def test_user_ids_have_case() -> None:
    assert sample_estate().user("EMusk") is None


@pytest.mark.parametrize(
    ("advertised", "shown"),
    [
        pytest.param("", "cucm.steven.lab", id="by its name if nothing else is said"),
        pytest.param("10.48.36.215", "10.48.36.215", id="by what System > Server has"),
    ],
)
def test_a_node_is_shown(advertised: str, shown: str) -> None:
    node = NodePlan(
        name="cucm.steven.lab",
        role=NodeRole.PUBLISHER,
        address="10.48.36.215",
        advertised=advertised,
    )
    assert node.shown == shown


def test_which_certificates_have_elliptic_curve_keys() -> None:
    assert [kind.value for kind in CertificateKind if kind.ecdsa] == [
        "tomcat-ECDSA",
        "CallManager-ECDSA",
    ]


def test_passwords_are_not_shown() -> None:
    user = UserPlan(user_id="emusk", password="rocket", cluster="steven")  # noqa: S106 - not one
    kind = sample_estate().expressway_c.discoveries[0].kind
    assert "rocket" not in repr(user)
    assert "axlpassword" not in repr(DiscoveryPlan(kind=kind, address="cucm.steven.lab"))


@pytest.mark.parametrize(
    ("shift", "where"),
    [
        pytest.param(0, "127.48.36.215", id="on its own three octets"),
        pytest.param(3, "127.51.36.215", id="shifted for a second lab"),
        pytest.param(210, "127.2.36.215", id="shifted round the end"),
    ],
)
def test_the_loopback_address_of_a_node(shift: int, where: str) -> None:
    assert loopback_of("10.48.36.215", shift=shift) == where


@pytest.mark.parametrize("address", ["::1", "cucm.steven.lab", "10.48.36", "", "10.48.36.256"])
def test_only_ipv4_has_one(address: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        loopback_of(address)


@given(st.ip_addresses(v=4), st.integers(0, 255))
def test_it_is_always_on_loopback(address: object, shift: int) -> None:
    found = loopback_of(str(address), shift=shift)
    assert found.startswith("127.")
    assert found.split(".")[2:] == str(address).split(".")[2:]
