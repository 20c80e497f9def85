"""Certificate management: what a change says, and what is served before and after the restart."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from mralab.config.estate import CertificateKind, HttpsCiphers
from mralab.config.estatesample import sample_estate
from mralab.errors import LabError
from mralab.lab import certmanagement as management
from mralab.lab.pki import CertificateFields, Credential, KeyCache, KeyKind, root_ca

from .lonenodes import lone_node
from .strictclient import ask, unverifying

if TYPE_CHECKING:
    from datetime import datetime

    from mralab.lab.nodes import SimulatedNode

CUCM = "cucm.steven.lab"
ESTATE = sample_estate()


@pytest.fixture
def node(ca: Credential, tomcat: Credential, tomcat_ecdsa: Credential) -> SimulatedNode:
    return lone_node(
        ESTATE,
        CUCM,
        {
            "tomcat": tomcat,
            "tomcat-ECDSA": tomcat_ecdsa,
            "CallManager": tomcat,
            "CallManager-ECDSA": tomcat_ecdsa,
        },
        {"tomcat-trust": (ca.certificate,), "CallManager-trust": (ca.certificate,)},
    )


@pytest.fixture(scope="module")
def second_ca(keys: KeyCache, now: datetime) -> Credential:
    return root_ca("other-CA", now=now, key=keys.get("other-CA", KeyKind.EC_P256))


async def served(node: SimulatedNode, service: str) -> bytes:
    """The leaf that a service shows now."""
    count = node.handshakes.count
    await ask(node.endpoint(service), "/")
    return (await node.handshakes.entry(count)).presented[0]


def row(node: SimulatedNode, name: str) -> management.CertificateRow:
    (found,) = (item for item in management.entries(node) if item.certificate == name)
    return found


# Looking.


async def test_the_list_is_the_documents_table(node: SimulatedNode) -> None:
    async with node:
        rows = management.entries(node)
        header, *cells = management.table(rows)
    assert header == (
        "Certificate",
        "Common Name",
        "Type",
        "Key Type",
        "Distribution",
        "Issued By",
        "Expiration",
        "Description",
    )
    assert [(line[0], line[1], line[2], line[3], line[5]) for line in cells] == [
        ("tomcat", "cucm-ms.steven.lab", "CA-signed", "RSA 2048", "steven-DC-CA"),
        (
            "tomcat-ECDSA",
            "cucm-EC.steven.lab",
            "Self-signed",
            "EC secp384r1",
            "cucm-EC.steven.lab",
        ),
        ("CallManager", "cucm-ms.steven.lab", "CA-signed", "RSA 2048", "steven-DC-CA"),
        (
            "CallManager-ECDSA",
            "cucm-EC.steven.lab",
            "Self-signed",
            "EC secp384r1",
            "cucm-EC.steven.lab",
        ),
        ("tomcat-trust", "steven-DC-CA", "Self-signed", "EC secp256r1", "steven-DC-CA"),
        ("CallManager-trust", "steven-DC-CA", "Self-signed", "EC secp256r1", "steven-DC-CA"),
    ]
    tomcat = rows[0]
    assert cells[0][6] == f"{tomcat.facts.not_after:%m/%d/%Y}"
    assert (tomcat.distribution, tomcat.description) == (
        CUCM,
        "Certificate signed by steven-DC-CA",
    )
    assert (rows[1].description, rows[4].description) == (
        "Self-signed certificate",
        "Trust certificate",
    )
    assert (rows[0].services, rows[1].services) == (("uds",), ())
    assert rows[3].services == ("tftp-https", "tftp-secure")
    assert rows[0].as_json()["served_by"] == ["uds"]
    assert management.restarts_due(node) == ()


def test_several_names_are_counted_and_none_is_the_cn(
    ca: Credential, keys: KeyCache, tomcat: Credential
) -> None:
    key = keys.get("many", KeyKind.EC_P256)
    many = ca.issue(CertificateFields(cn="a", dns=("a", "b", "c")), key=key)
    bare = ca.issue(CertificateFields(cn="a,b"), key=key)
    node = lone_node(ESTATE, "imp.steven.lab", {"tomcat": many, "cup-xmpp": bare})
    assert row(node, "tomcat").distribution == "Multi-server(SAN), 3 names"
    assert row(node, "cup-xmpp").distribution == "a,b"
    nobody = ca.issue(CertificateFields(), key=key)
    node = lone_node(ESTATE, "imp.steven.lab", {"tomcat": nobody}, {"tomcat-trust": ()})
    assert row(node, "tomcat").common_name == ""
    assert tomcat.self_issued is False


# Changing.


async def test_a_regenerated_certificate_is_served_after_the_restart(
    node: SimulatedNode, now: datetime
) -> None:
    async with node:
        before = await served(node, "tftp-https")
        change = management.regenerate(node, "CallManager-ECDSA", now=now)
        assert change.restart == ("Cisco CallManager", "Cisco CTIManager", "Cisco TFTP")
        fresh = node.certificates["CallManager-ECDSA"]
        assert await served(node, "tftp-https") == before != fresh.der
        due = row(node, "CallManager-ECDSA")
        assert (due.restart, due.services) == (("Cisco TFTP",), ())
        assert due.description == "Not in use yet: restart Cisco TFTP"
        assert row(node, "tomcat").restart == ()
        assert management.restarts_due(node) == ("Cisco TFTP",)
        done = await management.restart(node, "Cisco TFTP")
        assert done.restart == ()
        assert await served(node, "tftp-https") == fresh.der
        assert row(node, "CallManager-ECDSA").services == ("tftp-https", "tftp-secure")


async def test_what_is_not_served_is_not_due_with_its_twin(
    node: SimulatedNode, ca: Credential, now: datetime
) -> None:
    async with node:
        management.regenerate(node, "tomcat-ECDSA", now=now)
        assert management.restarts_due(node) == ()  # RSA only: nothing would load it
        management.sign(node, "tomcat", ca, now=now)
        assert row(node, "tomcat").restart == ("Cisco Tomcat",)
        assert row(node, "tomcat-ECDSA").restart == ()


async def test_names_are_taken_in_any_case(
    node: SimulatedNode, ca: Credential, now: datetime
) -> None:
    async with node:
        signed = management.sign(node, "callmanager-ecdsa", ca, now=now)
        assert signed.done == f"CallManager-ECDSA of {CUCM} is signed by steven-DC-CA"
        regenerated = management.regenerate(node, "TOMCAT", now=now)
        assert regenerated.restart == ("Cisco Tomcat", "Cisco HAProxy")
        assert set(node.certificates) <= {item.value for item in CertificateKind}
        done = await management.restart(node, "cisco tftp")
        assert done.done == f"Cisco TFTP of {CUCM} was restarted"
        assert row(node, "CallManager-ECDSA").restart == ()
    management.delete_trust(node, "Tomcat-Trust", "steven-DC-CA")
    management.upload_trust(node, "TOMCAT-TRUST", (ca.certificate,))
    assert node.trust["tomcat-trust"] == (ca.certificate,)
    assert set(node.trust) <= {"tomcat-trust", "CallManager-trust"}


def test_regenerating_is_as_after_an_installation(node: SimulatedNode, now: datetime) -> None:
    old = node.certificates["tomcat"]
    change = management.regenerate(node, "tomcat", now=now + timedelta(days=2))
    assert change.restart == ("Cisco Tomcat", "Cisco HAProxy")
    found = row(node, "tomcat").facts
    assert (found.subject, found.sans) == (f"CN={CUCM}", (f"DNS:{CUCM}",))
    assert (found.self_issued, found.key) == (True, "RSA 2048")
    assert found.not_before == now + timedelta(days=1)
    assert node.certificates["tomcat"].key is not old.key


async def test_signing_mends_the_documents_case(
    node: SimulatedNode, ca: Credential, now: datetime
) -> None:
    async with node:
        change = management.sign(node, "CallManager-ECDSA", ca, now=now)
        assert change.notes == ()
        assert change.done == f"CallManager-ECDSA of {CUCM} is signed by steven-DC-CA"
        await management.restart(node, "Cisco TFTP")
        leaf = x509.load_der_x509_certificate(await served(node, "tftp-https"))
    leaf.verify_directly_issued_by(ca.certificate)
    facts = row(node, "CallManager-ECDSA").facts
    assert (facts.subject, facts.key) == ("CN=cucm-EC.steven.lab", "EC secp384r1")


def test_signing_keeps_names_and_adds_some(
    node: SimulatedNode, second_ca: Credential, now: datetime
) -> None:
    change = management.sign(
        node,
        "tomcat",
        second_ca,
        now=now,
        dns=("cucm-sub.steven.lab", CUCM),
        ips=("10.48.36.215",),
    )
    facts = row(node, "tomcat").facts
    assert facts.subject == "CN=cucm-ms.steven.lab"
    assert facts.sans == (f"DNS:{CUCM}", "DNS:cucm-sub.steven.lab", "IP:10.48.36.215")
    assert change.notes == ("other-CA was added to tomcat-trust",)
    assert second_ca.certificate in node.trust["tomcat-trust"]
    # 6971 and 6972 look into tomcat-trust as well.
    assert change.restart == ("Cisco Tomcat", "Cisco HAProxy", "Cisco TFTP")


def test_an_intermediate_authority_comes_with_what_is_above_it(
    node: SimulatedNode, second_ca: Credential, keys: KeyCache, now: datetime
) -> None:
    def below(signer: Credential, name: str) -> Credential:
        key = keys.get(name, KeyKind.EC_P256)
        return signer.issue(CertificateFields(cn=name, ca=True), key=key, now=now)

    middle = below(second_ca, "middle")
    change = management.sign(node, "tomcat", below(middle, "low"), now=now)
    assert change.notes == (
        "low was added to tomcat-trust",
        "middle was added to tomcat-trust",
    )


async def test_a_missing_certificate_can_be_made(
    node: SimulatedNode, ca: Credential, now: datetime
) -> None:
    async with node:
        node.install("CallManager-ECDSA", None)
        management.sign(node, "CallManager-ECDSA", ca, now=now)
        facts = row(node, "CallManager-ECDSA").facts
        assert (facts.subject, facts.key) == ("CN=cucm-EC.steven.lab", "EC secp384r1")
        assert row(node, "CallManager-ECDSA").restart == ("Cisco TFTP",)


async def test_an_authority_added_to_both_lists_lets_expressway_c_in(
    node: SimulatedNode,
    second_ca: Credential,
    keys: KeyCache,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    own = second_ca.issue(CertificateFields(cn="c"), key=keys.get("c", KeyKind.EC_P256))
    files = own.write(tmp_path_factory.mktemp("c"), "c")
    context = unverifying()
    context.load_cert_chain(files.chain, files.key)

    async def gets_in() -> bool:
        try:
            answer = await ask(node.endpoint("tftp-https"), "/jabber-config.xml", context=context)
        except OSError:  # of which ssl's errors are
            return False
        return answer.status == 200

    async with node:
        for name in ("CallManager-trust", "tomcat-trust"):
            assert not await gets_in()
            change = management.upload_trust(node, name, (second_ca.certificate,))
            assert "Cisco TFTP" in change.restart
            await management.restart(node, "Cisco TFTP")
        assert await gets_in()
        assert management.upload_trust(node, name, (second_ca.certificate,)) == management.Change(
            done=f"tomcat-trust of {CUCM} holds it already", restart=()
        )
        management.delete_trust(node, "CallManager-trust", "other-CA")
        assert await gets_in(), "not before the restart"
        assert row(node, "CallManager-trust").restart == ("Cisco TFTP",)
        await management.restart(node, "Cisco TFTP")
        assert not await gets_in()


def test_certificates_in_trust_are_chosen_by_name_or_fingerprint(
    node: SimulatedNode, second_ca: Credential, ca: Credential
) -> None:
    print_of_it = row(node, "tomcat-trust").facts.sha256
    for selector in ("STEVEN-dc-ca", "CN=steven-DC-CA", print_of_it, print_of_it[:11].lower()):
        management.upload_trust(node, "tomcat-trust", (second_ca.certificate,))
        management.delete_trust(node, "tomcat-trust", selector)
        assert node.trust["tomcat-trust"] == (second_ca.certificate,)
        node.install_trust("tomcat-trust", (ca.certificate,))


# Refused.


@pytest.mark.parametrize(
    "selector", ["", "nobody", "CN=", "AA", "00:00:00:00:00:00:00:00", "steven"]
)
def test_a_selector_that_fits_none_changes_nothing(node: SimulatedNode, selector: str) -> None:
    before = node.trust
    with pytest.raises(LabError, match="none is called") as caught:
        management.delete_trust(node, "tomcat-trust", selector)
    assert "steven-DC-CA (" in caught.value.hint
    assert node.trust == before


def test_a_selector_that_fits_several_changes_nothing(
    node: SimulatedNode, now: datetime, keys: KeyCache
) -> None:
    twin = root_ca("steven-DC-CA", now=now, key=keys.get("twin", KeyKind.EC_P256))
    management.upload_trust(node, "tomcat-trust", (twin.certificate,))
    with pytest.raises(LabError, match="2 of them are called"):
        management.delete_trust(node, "tomcat-trust", "steven-DC-CA")
    node.install_trust("tomcat-trust", ())
    with pytest.raises(LabError, match="none is called") as caught:
        management.delete_trust(node, "tomcat-trust", "steven-DC-CA")
    assert caught.value.hint == "the list is empty"


@pytest.mark.parametrize("name", ["", "tomcat-EC", "cup-xmpp", "tomcat-trust"])
def test_certificates_that_the_node_has_not(
    node: SimulatedNode, ca: Credential, now: datetime, name: str
) -> None:
    hint = "it has: tomcat, tomcat-ECDSA, CallManager, CallManager-ECDSA"
    with pytest.raises(LabError, match="has no certificate") as caught:
        management.regenerate(node, name, now=now)
    assert caught.value.hint == hint
    with pytest.raises(LabError, match="has no certificate"):
        management.sign(node, name, ca, now=now)


def test_who_is_no_authority_signs_nothing(
    node: SimulatedNode, tomcat: Credential, ca: Credential, now: datetime
) -> None:
    with pytest.raises(LabError, match="no certificate authority"):
        management.sign(node, "tomcat", tomcat, now=now)
    bare = ca.issue(CertificateFields(cn="v1", basic_constraints=False), key=KeyKind.EC_P256)
    with pytest.raises(LabError, match="no certificate authority"):
        management.sign(node, "tomcat", bare, now=now)


def test_names_that_have_no_place_in_a_certificate(
    node: SimulatedNode, ca: Credential, now: datetime
) -> None:
    before = node.certificates
    for changes in ({"ips": ("cucm",)}, {"dns": ("stra\u00dfe",)}):
        with pytest.raises(LabError, match="cannot be made"):
            management.sign(node, "tomcat", ca, now=now, **changes)
    assert node.certificates == before


def test_trust_lists_that_the_node_has_not(node: SimulatedNode, ca: Credential) -> None:
    for trust in ("CAPF-trust", "tomcat", ""):
        with pytest.raises(LabError, match="has no trust list"):
            management.upload_trust(node, trust, (ca.certificate,))
        with pytest.raises(LabError, match="has no trust list") as caught:
            management.delete_trust(node, trust, "steven-DC-CA")
        assert caught.value.hint == "it has: tomcat-trust, CallManager-trust"
    with pytest.raises(LabError, match="no certificate to add"):
        management.upload_trust(node, "tomcat-trust", ())


async def test_services_are_those_of_the_product(node: SimulatedNode) -> None:
    async with node:
        change = await management.restart(node, "Cisco HAProxy")
        assert change.notes == ("the lab does not simulate Cisco HAProxy: nothing has changed",)
        with pytest.raises(LabError, match="no service 'Cisco Kitchen'") as caught:
            await management.restart(node, "Cisco Kitchen")
    assert caught.value.hint == (
        "the services are: Cisco TFTP, Cisco Tomcat, Cisco HAProxy, Cisco CallManager, "
        "Cisco CTIManager, Cisco XCP Router"
    )


async def test_a_certificate_that_is_not_served_is_not_due(
    node: SimulatedNode, now: datetime
) -> None:
    async with node:
        # RSA Ciphers Only: nobody gets to see tomcat-ECDSA.
        management.regenerate(node, "tomcat-ECDSA", now=now)
        assert management.restarts_due(node) == ()
        assert row(node, "tomcat-ECDSA").restart == ()
        uds = node.service("uds")
        node.configure(replace(uds, https_ciphers=HttpsCiphers.EC_AND_RSA))
        assert row(node, "tomcat-ECDSA").restart == ("Cisco Tomcat",)
        await management.restart(node, "Cisco Tomcat")
        assert row(node, "tomcat-ECDSA").services == ("uds",)


async def test_cup_xmpp_needs_the_xcp_router(tomcat: Credential, now: datetime) -> None:
    imp = lone_node(ESTATE, "imp.steven.lab", {"tomcat": tomcat, "cup-xmpp": tomcat})
    async with imp:
        change = management.regenerate(imp, "cup-xmpp", now=now)
        assert change.restart == ("Cisco XCP Router",)
        assert management.restarts_due(imp) == (), "the lab serves it nowhere"


# Uploads.


def test_an_upload_may_hold_several_certificates(ca: Credential, second_ca: Credential) -> None:
    pem = b"a comment\n" + ca.pem + second_ca.pem
    assert management.read_certificates(pem, "x") == (ca.certificate, second_ca.certificate)
    der = ca.certificate.public_bytes(Encoding.DER)
    assert management.read_certificates(der, "x") == (ca.certificate,)
    assert management.read_certificates(b"", "x") == ()


def test_an_upload_that_only_openssl_can_read(ca: Credential) -> None:
    strange = ca.der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x05", 1)
    with pytest.raises(LabError, match="cannot be used as an authority here"):
        management.read_certificates(strange, "the upload")


@pytest.mark.parametrize(
    "content",
    [
        b"rubbish",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        b"\x30\x82\xff\xff",
    ],
)
def test_uploads_that_hold_none(content: bytes) -> None:
    with pytest.raises(LabError, match="the upload"):
        management.read_certificates(content, "the upload")
