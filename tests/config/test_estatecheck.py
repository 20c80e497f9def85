"""What is wrong between the parts of an estate, whether it was read or put together in code."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from mralab.config.estate import (
    AuthorityPlan,
    CertificateKind,
    CertificatePlan,
    DigestChoice,
    DiscoveryKind,
    DiscoveryPlan,
    KeyChoice,
    NodeRole,
)
from mralab.config.estatecheck import EstateFault, FaultKind, check_estate, names_of
from mralab.config.estatesample import sample_estate

if TYPE_CHECKING:
    from collections.abc import Callable

    from mralab.config.estate import Estate

PUB, SUB, IMP, CUC = "cucm.steven.lab", "cucm-sub.steven.lab", "imp.steven.lab", "cuc.steven.lab"
SAMPLE = sample_estate()
NODES = ("cluster", "0", "node")
Change = "Callable[[Estate], Estate]"


def node(name: str, **changes: Any) -> Callable[[Estate], Estate]:
    """Return the change of one node."""

    def change(estate: Estate) -> Estate:
        def of(plans: Any) -> Any:
            return tuple(replace(p, **changes) if p.name == name else p for p in plans)

        (cluster,) = estate.clusters
        return replace(
            estate, clusters=(replace(cluster, nodes=of(cluster.nodes)),), unity=of(estate.unity)
        )

    return change


def certificate(
    name: str, kind: CertificateKind = CertificateKind.TOMCAT, **changes: Any
) -> Callable[[Estate], Estate]:
    """Return the change of one certificate of a node, from what the sample has there."""
    plans = dict(SAMPLE.node(name).certificates)
    plans[kind] = replace(plans[kind], **changes)
    return node(name, certificates=plans)


def c(**changes: Any) -> Callable[[Estate], Estate]:
    """Return the change of Expressway-C."""
    return lambda estate: replace(estate, expressway_c=replace(estate.expressway_c, **changes))


def user(**changes: Any) -> Callable[[Estate], Estate]:
    """Return the change of the first user."""
    return lambda estate: replace(
        estate, users=(replace(estate.users[0], **changes), *estate.users[1:])
    )


def authorities(*plans: AuthorityPlan) -> Callable[[Estate], Estate]:
    """Return the addition of authorities."""
    return lambda estate: replace(estate, authorities=(*estate.authorities, *plans))


def discovery(kind: DiscoveryKind, address: str) -> Callable[[Estate], Estate]:
    """Return the addition of a discovery."""
    plan = DiscoveryPlan(kind=kind, address=address)
    return c(discoveries=(*SAMPLE.expressway_c.discoveries, plan))


def faults(*changes: Callable[[Estate], Estate]) -> tuple[EstateFault, ...]:
    estate = SAMPLE
    for change in changes:
        estate = change(estate)
    return check_estate(estate)


def test_the_sample_has_none() -> None:
    assert faults() == ()


def test_names_of_a_node() -> None:
    plain = SAMPLE.node(PUB)
    assert names_of(plain) == (PUB, "cucm", "10.48.36.215")
    assert names_of(replace(plain, advertised="alias.lab"))[-1] == "alias.lab"


SIGNED = CertificatePlan(signed_by="steven-DC-CA", cn="a")
ECDSA = CertificateKind.TOMCAT_ECDSA


@pytest.mark.parametrize(
    ("change", "path", "message", "hint"),
    [
        # What has to be there.
        pytest.param(
            lambda e: replace(e, users=()),
            ("user",),
            "there is no user",
            "[[user]]",
            id="nobody logs in",
        ),
        pytest.param(
            c(discoveries=SAMPLE.expressway_c.discoveries[1:]),
            ("expressway_c", "discovery"),
            "no CUCM publisher is discovered",
            "[[expressway_c.discovery]]",
            id="nothing but IM and Presence and Unity is discovered",
        ),
        # What has to be unique.
        pytest.param(
            node(SUB, role=NodeRole.PUBLISHER),
            (*NODES, "1", "role"),
            f'"{PUB}" is the publisher of this cluster already',
            "subscriber",
            id="two publishers",
        ),
        pytest.param(
            authorities(AuthorityPlan(name="Steven-DC-CA")),
            ("authority", "2", "name"),
            '"Steven-DC-CA" is the name of another authority too',
            "give each its own",
            id="two authorities of one name",
        ),
        pytest.param(
            lambda e: replace(e, clusters=(*e.clusters, replace(e.clusters[0], nodes=()))),
            ("cluster", "1", "name"),
            '"steven" is the name of another cluster too',
            "give each its own",
            id="two clusters of one name",
        ),
        pytest.param(
            user(user_id="GHopper"),
            ("user", "1", "id"),
            '"ghopper" is the name of another user too',
            "give each its own",
            id="two user ids that differ in case",
        ),
        pytest.param(
            c(name=PUB),
            ("expressway_c", "name"),
            f'"{PUB}" is the name of another node or Expressway too',
            "give each its own",
            id="an Expressway with a node's name",
        ),
        pytest.param(
            node(CUC, address="10.48.36.215"),
            ("unity", "0", "address"),
            '"10.48.36.215" is the address of cucm.steven.lab too',
            "give each its own",
            id="two nodes of one address",
        ),
        pytest.param(
            node(SUB, advertised=PUB),
            (*NODES, "1", "advertised"),
            f'"{PUB}" is what {PUB} is called',
            "cannot be told apart",
            id="a node is advertised by another one's name",
        ),
        pytest.param(
            lambda e: node(IMP, advertised="voice")(node(CUC, advertised="voice")(e)),
            ("unity", "0", "advertised"),
            f'"voice" is what {IMP} is called',
            "cannot be told apart",
            id="two nodes are advertised by one alias",
        ),
        pytest.param(
            node(SUB, advertised="10.48.36.99"),
            (*NODES, "1", "advertised"),
            f"10.48.36.99 is not the address of {SUB}, 10.48.36.216",
            "its own address",
            id="a node is advertised by an address that nobody has",
        ),
        # Certificates.
        pytest.param(
            authorities(
                AuthorityPlan(name="a", signed_by="b"), AuthorityPlan(name="b", signed_by="a")
            ),
            ("authority", "2", "signed_by"),
            "signed in a circle: a by b by a",
            "leave signed_by out at the root",
            id="two authorities have signed each other",
        ),
        pytest.param(
            authorities(AuthorityPlan(name="a", signed_by="a")),
            ("authority", "2", "signed_by"),
            "signed in a circle: a by a",
            "leave signed_by out at the root",
            id="a root that names itself",
        ),
        pytest.param(
            authorities(AuthorityPlan(name="a", signed_by="steven-DC")),
            ("authority", "2", "signed_by"),
            'there is no authority "steven-DC"',
            "did you mean steven-DC-CA?",
            id="an authority above it that is none",
        ),
        pytest.param(
            authorities(
                AuthorityPlan(name="a", key=KeyChoice.EC_P256),
                AuthorityPlan(name="b", signed_by="a", digest=DigestChoice.MD5),
            ),
            ("authority", "3", "digest"),
            "MD5 does not go with the signer's key, EC secp256r1",
            "sha1",
            id="MD5 by an authority with an EC key",
        ),
        pytest.param(
            authorities(
                AuthorityPlan(name="a", not_before=timedelta(days=2), not_after=timedelta(days=1))
            ),
            ("authority", "2", "not_after"),
            "is not after not_before",
            "after not_before",
            id="an authority that ends before it begins",
        ),
        pytest.param(
            certificate(
                PUB,
                not_before=datetime(2027, 1, 1, tzinfo=UTC),
                not_after=datetime(2027, 1, 1),  # noqa: DTZ001 - no zone is UTC
            ),
            (*NODES, "0", "certificate", "tomcat", "not_after"),
            "is not after not_before",
            "after not_before",
            id="a certificate that ends when it begins",
        ),
        pytest.param(
            certificate(PUB, signed_by="steven.lab"),
            (*NODES, "0", "certificate", "tomcat", "signed_by"),
            'there is no authority "steven.lab"',
            "there are: steven-DC-CA, steven-Issuing-CA",
            id="a signer that is none and like none",
        ),
        pytest.param(
            certificate(PUB, sends=("steven-Issuing-CA", "Root")),
            (*NODES, "0", "certificate", "tomcat", "sends"),
            'there is no authority "Root"',
            "there are",
            id="an authority sent along that is none",
        ),
        pytest.param(
            certificate(PUB, key=KeyChoice.EC_P384),
            (*NODES, "0", "certificate", "tomcat", "key"),
            'tomcat cannot have the key "EC secp384r1"',
            "write an RSA key",
            id="tomcat with an EC key",
        ),
        pytest.param(
            certificate(PUB, ECDSA, key=KeyChoice.RSA_2048),
            (*NODES, "0", "certificate", "tomcat-ECDSA", "key"),
            'tomcat-ECDSA cannot have the key "RSA 2048"',
            "EC secp384r1",
            id="tomcat-ECDSA with an RSA key",
        ),
        pytest.param(
            certificate(PUB, ECDSA, digest=DigestChoice.MD5),
            (*NODES, "0", "certificate", "tomcat-ECDSA", "digest"),
            "MD5 does not go with the signer's key, EC secp384r1",
            "have an RSA key sign it",
            id="MD5 on a self-signed ECDSA certificate",
        ),
        pytest.param(
            c(certificate=CertificatePlan(reuse="tomcat")),
            ("expressway_c", "certificate", "reuse"),
            'there is no certificate "vcsc.steven.lab/tomcat"',
            "did you mean",
            id="an Expressway has no tomcat to reuse",
        ),
        pytest.param(
            certificate(PUB, CertificateKind.CALL_MANAGER_ECDSA, reuse="tomcat"),
            (*NODES, "0", "certificate", "CallManager-ECDSA", "reuse"),
            "CallManager-ECDSA cannot be tomcat: one has an RSA key, the other an EC key",
            "tomcat-ECDSA for CallManager-ECDSA",
            id="an RSA certificate for an ECDSA one",
        ),
        pytest.param(
            certificate(PUB, reuse="CallManager"),
            (*NODES, "0", "certificate", "tomcat", "reuse"),
            f"reused in a circle: {PUB}/tomcat is {PUB}/CallManager is {PUB}/tomcat",
            "describe one of them",
            id="two certificates that are each other",
        ),
        # Trust lists.
        pytest.param(
            node(PUB, trust={"tomcat-trust": ("steven-DC-CA", "vcsc.steven.lab/tomcat")}),
            (*NODES, "0", "trust", "tomcat-trust"),
            'there is no certificate "vcsc.steven.lab/tomcat"',
            "did you mean",
            id="a trust list with what an Expressway has not",
        ),
        pytest.param(
            c(trusted_ca=("cuc.steven.lab/CallManager",)),
            ("expressway_c", "trusted_ca"),
            'there is no certificate "cuc.steven.lab/CallManager"',
            "did you mean",
            id="a trusted CA list with what Unity has not",
        ),
        # Who is discovered, and who logs in.
        pytest.param(
            discovery(DiscoveryKind.UNIFIED_CM, "cuccm.steven.lab"),
            ("expressway_c", "discovery", "3", "address"),
            'there is no node "cuccm.steven.lab"',
            f"did you mean {PUB}?",
            id="a publisher typed in wrongly",
        ),
        pytest.param(
            discovery(DiscoveryKind.UNIFIED_CM, "cucm-sub"),
            ("expressway_c", "discovery", "3", "address"),
            f"{SUB} is not the publisher of a CUCM cluster (subscriber)",
            f"write {PUB}",
            id="a subscriber typed in by its short name",
        ),
        pytest.param(
            discovery(DiscoveryKind.IM_PRESENCE, "10.48.36.218"),
            ("expressway_c", "discovery", "3", "address"),
            f"{CUC} is not an IM and Presence database publisher (unity)",
            f"write {IMP}",
            id="Unity typed in as IM and Presence, by its address",
        ),
        pytest.param(
            discovery(DiscoveryKind.UNITY, IMP),
            ("expressway_c", "discovery", "3", "address"),
            f"{IMP} is not a Unity Connection node (im-presence)",
            f"write {CUC}",
            id="IM and Presence typed in as Unity",
        ),
        pytest.param(
            lambda e: discovery(DiscoveryKind.UNITY, PUB)(
                replace(user(voicemail="")(e), unity=()),
            ),
            ("expressway_c", "discovery", "3", "address"),
            f"{PUB} is not a Unity Connection node (publisher)",
            "there is none of this kind: leave this discovery out",
            id="CUCM typed in as Unity where there is none",
        ),
        pytest.param(
            user(cluster="stevens"),
            ("user", "0", "cluster"),
            'there is no cluster "stevens"',
            "did you mean steven?",
            id="a home cluster that is none",
        ),
        pytest.param(
            user(voicemail=IMP),
            ("user", "0", "voicemail"),
            f'there is no Unity Connection node "{IMP}"',
            CUC,
            id="voicemail on a node that is not Unity",
        ),
    ],
)
def test_a_fault(
    change: Callable[[Estate], Estate], path: tuple[str, ...], message: str, hint: str
) -> None:
    found = [fault for fault in faults(change) if fault.path == path]
    assert len(found) == 1
    assert found[0].message.startswith(message)
    assert hint in found[0].hint


def test_a_second_node_of_im_and_presence_is_not_typed_in() -> None:
    second = replace(SAMPLE.node(IMP), name="imp2.steven.lab", address="10.48.36.250")

    def add(estate: Estate) -> Estate:
        (cluster,) = estate.clusters
        return replace(estate, clusters=(replace(cluster, nodes=(*cluster.nodes, second)),))

    (only,) = faults(add, discovery(DiscoveryKind.IM_PRESENCE, "imp2.steven.lab"))
    assert only.message == "imp2.steven.lab is not the first IM and Presence node of its cluster"
    assert only.hint == f"write {IMP}"


def test_an_estate_of_nothing() -> None:
    empty = replace(SAMPLE, clusters=(), unity=(), users=(), authorities=())
    bare = replace(
        SAMPLE.expressway_c, discoveries=(), trusted_ca=(), certificate=CertificatePlan()
    )
    front = replace(SAMPLE.expressway_e, certificate=CertificatePlan())
    found = check_estate(replace(empty, expressway_c=bare, expressway_e=front))
    assert [fault.path for fault in found] == [
        ("cluster",),
        ("user",),
        ("expressway_c", "discovery"),
    ]
    assert {fault.kind for fault in found} == {FaultKind.ABSENCE}


def test_a_cluster_without_a_publisher() -> None:
    found = faults(node(PUB, role=NodeRole.SUBSCRIBER))
    assert found[0].path == NODES
    assert found[0].message == 'cluster "steven" has no publisher'
    assert found[0].kind is FaultKind.ABSENCE


def test_where_nothing_is_there_is_nothing_to_suggest() -> None:
    found = faults(lambda e: replace(e, authorities=()))
    assert {fault.hint for fault in found if "no authority" in fault.message} == {
        "there is none: describe it, or leave this out"
    }


def test_a_hint_names_a_few_and_no_more() -> None:
    many = tuple(AuthorityPlan(name=f"{number} of many") for number in range(12))
    (only,) = faults(authorities(*many), certificate(PUB, signed_by="zzzzzz"))
    assert only.hint.endswith("5 of many, ...")


def test_a_circle_is_told_once_and_what_leads_into_it_is_none() -> None:
    found = faults(
        authorities(
            AuthorityPlan(name="a", signed_by="b"),
            AuthorityPlan(name="b", signed_by="c"),
            AuthorityPlan(name="c", signed_by="b"),
        )
    )
    assert [(fault.path[1], fault.message) for fault in found] == [
        ("3", "signed in a circle: b by c by b")
    ]


@pytest.mark.parametrize(
    ("first", "last"),
    [
        pytest.param(None, timedelta(days=-1), id="only an end"),
        pytest.param(timedelta(days=1), None, id="only a beginning"),
        pytest.param(datetime(2027, 1, 1, tzinfo=UTC), timedelta(days=1), id="a date and a span"),
        pytest.param(timedelta(days=-2), timedelta(days=-1), id="in order"),
    ],
)
def test_dates_that_are_or_may_be_in_order(first: object, last: object) -> None:
    assert faults(certificate(PUB, not_before=first, not_after=last)) == ()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(node(PUB, advertised="10.48.36.215"), id="its own address is advertised"),
        pytest.param(node(PUB, advertised="cucm"), id="its short name is advertised"),
        pytest.param(node(PUB, advertised="callmanager.old.lab"), id="an alias is advertised"),
        pytest.param(
            c(certificate=CertificatePlan(reuse=f"{CUC}/tomcat-ECDSA")), id="one wildcard for all"
        ),
        pytest.param(
            c(trusted_ca=(f"{SUB}/CallManager-ECDSA", "vcse.steven.lab/server")), id="leafs trusted"
        ),
        pytest.param(
            authorities(AuthorityPlan(name="new", common_name="steven-DC-CA")),
            id="two authorities of one CN",
        ),
        pytest.param(certificate(PUB, digest=DigestChoice.MD5), id="MD5 by an RSA key"),
        pytest.param(
            node(PUB, address="172.48.36.216"), id="two addresses that differ in the first octet"
        ),
    ],
)
def test_what_the_field_has_is_no_fault(change: Callable[[Estate], Estate]) -> None:
    assert faults(change) == ()
