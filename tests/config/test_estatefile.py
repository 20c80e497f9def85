"""An estate file becomes an estate, or every fault in it at once, each with its line and a hint."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mralab.config.estate import (
    AuthorityPlan,
    CertificateKind,
    CertificatePlan,
    DigestChoice,
    KeyChoice,
    NodeRole,
    Purpose,
    ServiceState,
)
from mralab.config.estatedefaults import KINDS_OF_ROLE, installed_certificates
from mralab.config.estatefile import load_estate, parse_estate
from mralab.config.estatesample import SAMPLE
from mralab.config.estateschema import TABLES
from mralab.config.faults import ConfigFaults
from mralab.config.releases import NameRule, Release, UpgradePath, VerifyMode

if TYPE_CHECKING:
    from pathlib import Path

    from mralab.config.faults import ConfigFault

#: The shortest estate; tests refer to its lines.
SMALL = """\
domain = "a.lab"
[[authority]]
name = "CA"
[[cluster]]
name = "one"
[[cluster.node]]
name = "pub.a.lab"
role = "publisher"
address = "10.1.1.1"
[[user]]
id = "u"
password = "p"
[expressway_c]
name = "c.a.lab"
address = "10.1.1.8"
[[expressway_c.discovery]]
kind = "unified-cm"
address = "pub.a.lab"
[expressway_e]
name = "e.a.lab"
address = "10.1.1.9"
"""
PUBLISHER = 'name = "pub.a.lab"\nrole = "publisher"\naddress = "10.1.1.1"\n'
NODE = 'address = "10.1.1.1"\n'  # a line of the publisher, to put more behind
C = 'address = "10.1.1.8"\n'
NEXT = '[[cluster.node]]\nname = "sub.a.lab"\nrole = "subscriber"\naddress = "10.1.1.2"\n'
IMP = '[[cluster.node]]\nname = "imp.a.lab"\nrole = "im-presence"\naddress = "10.1.1.3"\n'
SECOND = (
    '[[cluster]]\nname = "two"\n[[cluster.node]]\nname = "x.a.lab"\nrole = "publisher"\n'
    'address = "10.2.1.1"\n'
)
UNITY = '[[unity]]\nname = "cuc.a.lab"\naddress = "10.1.1.4"\n'


def found(text: str) -> tuple[ConfigFault, ...]:
    with pytest.raises(ConfigFaults) as caught:
        parse_estate(text, "f")
    assert all(fault.hint for fault in caught.value.faults)
    return caught.value.faults


def after(place: str, more: str) -> str:
    """Return the small estate with more text behind one of its lines."""
    assert place in SMALL
    return SMALL.replace(place, place + more)


def changed(old: str, new: str) -> str:
    assert old in SMALL
    return SMALL.replace(old, new)


def test_the_smallest_estate_is_as_after_an_installation() -> None:
    estate = parse_estate(SMALL, "f")
    (node,) = estate.nodes()
    assert node.shown == "pub.a.lab"
    assert node.certificates == installed_certificates(NodeRole.PUBLISHER, "pub.a.lab")
    assert node.certificates[CertificateKind.TOMCAT] == CertificatePlan(
        cn="pub.a.lab", dns=("pub.a.lab",)
    )
    assert node.certificates[CertificateKind.CALL_MANAGER_ECDSA] == CertificatePlan(
        cn="pub-EC.a.lab",
        dns=("pub.a.lab",),
        key=KeyChoice.EC_P384,
        digest=DigestChoice.SHA384,
    )
    assert (node.trust, node.services) == ({}, {})
    assert estate.users[0].cluster == "one"
    assert estate.expressway_c.certificate == CertificatePlan(cn="c.a.lab", dns=("c.a.lab",))
    assert estate.expressway_e.certificate.dns == ("e.a.lab", "a.lab")
    assert estate.authorities == (AuthorityPlan(name="CA", line=2),)
    lines = (estate.clusters[0].line, node.line, estate.users[0].line, estate.expressway_c.line)
    assert lines == (4, 6, 10, 13)
    assert (estate.expressway_c.discoveries[0].line, estate.expressway_e.line) == (16, 19)
    assert estate.source is None


@pytest.mark.parametrize("role", NodeRole)
def test_a_node_has_the_certificates_of_its_role(role: NodeRole) -> None:
    estate = parse_estate(after(NODE, NEXT + IMP) + UNITY, "f")
    node = next(node for node in estate.nodes() if node.role is role)
    assert tuple(node.certificates) == KINDS_OF_ROLE[role]


def test_everything_that_can_be_said() -> None:
    text = """\
domain = "A.lab"
[[authority]]
name = "Root"
common_name = "CA"
key = "RSA 4096"
digest = "sha512"
not_before = "-10y"
not_after = 2040-01-01
path_length = 1
[[authority]]
name = "Sub"
signed_by = "Root"
[[cluster]]
name = "one"
[[cluster.node]]
name = "sub.a.lab"
role = "subscriber"
address = "10.1.1.2"
[cluster.node.certificate]
tomcat.reuse = "pub.a.lab/tomcat"
[[cluster.node]]
Name = "PUB.a.lab"
role = "Publisher"
address = "10.1.1.1"
advertised = "10.1.1.1"
version = "15.0.1"
https-ciphers = "all supported ec and rsa ciphers"
TLSCiphers = "All Ciphers ECDSA Preferred"
trust = { tomcat-trust = ["Root", "c.a.lab/server"], CallManagerTrust = "pub.a.lab/tomcat" }
services.tftp-http = "down"
[cluster.node.certificate.tomcat]
signed_by = "Sub"
cn = "pub-ms.a.lab"
dns = ["*.a.lab", "10.1.1.1"]
ips = ["10.1.1.1"]
key = "RSA 1024"
digest = "sha1"
not_before = 2020-01-01T12:00:00+01:00
not_after = "-1d"
purposes = ["client"]
key_ids = false
sends = []
[cluster.node.certificate.CallManager]
reuse = "tomcat"
[[cluster]]
name = "two"
[[cluster.node]]
name = "other.a.lab"
role = "publisher"
address = "10.2.1.1"
advertised = "alias.b.lab"
[[unity]]
name = "cuc.a.lab"
address = "10.1.1.4"
services.rest = "plain http"
[[user]]
id = "u"
password = "p"
cluster = "two"
first_name = "Una"
last_name = "Ulm"
extension = "+49 1001"
im_presence = false
voicemail = "cuc.a.lab"
[expressway_c]
name = "c.a.lab"
address = "10.1.1.8"
release = "x15.5"
upgrade_path = "from-14.0"
VerifyOriginServer = "permissive"
name_rule = "strict"
ciphers = "EECDH"
trusted_ca = ["pub.a.lab/tomcat-ECDSA", "Root"]
allow = ["https://photos.a.lab:443/"]
refresh_interval_s = 60
authorisations = 3
authorisation_period_s = 5
certificate.reuse = "e.a.lab/server"
[[expressway_c.discovery]]
kind = "unified-cm"
address = "pub"
tls_verify_mode = "Off"
username = "axl"
password = "secret"
deployment = "Default deployment"
[[expressway_c.discovery]]
kind = "unity"
address = "10.1.1.4"
[expressway_e]
name = "e.a.lab"
address = "10.1.1.9"
certificate.key = "EC secp256r1"
"""
    estate = parse_estate(text, "f")
    root = estate.authorities[0]
    assert (root.common_name, root.key, root.digest) == (
        "CA",
        KeyChoice.RSA_4096,
        DigestChoice.SHA512,
    )
    assert (root.not_before, root.path_length) == (timedelta(days=-3650), 1)
    assert root.not_after == datetime(2040, 1, 1, tzinfo=UTC)
    assert estate.domain == "a.lab"
    pub, sub = estate.clusters[0].nodes
    assert (pub.role, sub.role) == (NodeRole.PUBLISHER, NodeRole.SUBSCRIBER)
    assert (pub.name, pub.shown, pub.version) == ("pub.a.lab", "10.1.1.1", "15.0.1")
    assert (pub.https_ciphers.value, pub.tls_ciphers.value) == (
        "All Supported EC and RSA Ciphers",
        "All Ciphers ECDSA Preferred",
    )
    assert pub.trust == {
        "tomcat-trust": ("Root", "c.a.lab/server"),
        "CallManager-trust": ("pub.a.lab/tomcat",),
    }
    assert pub.services == {"tftp-http": ServiceState.DOWN}
    assert pub.certificates[CertificateKind.TOMCAT] == CertificatePlan(
        signed_by="Sub",
        cn="pub-ms.a.lab",
        dns=("*.a.lab", "10.1.1.1"),
        ips=("10.1.1.1",),
        key=KeyChoice.RSA_1024,
        digest=DigestChoice.SHA1,
        not_before=datetime(2020, 1, 1, 11, tzinfo=UTC),
        not_after=timedelta(days=-1),
        purposes=(Purpose.CLIENT,),
        key_ids=False,
        sends=(),
        line=31,
    )
    assert pub.certificates[CertificateKind.CALL_MANAGER] == CertificatePlan(
        reuse="tomcat", line=43
    )
    assert sub.certificates[CertificateKind.TOMCAT] == CertificatePlan(
        reuse="pub.a.lab/tomcat", line=20
    )
    (user,) = estate.users
    assert (user.cluster, user.voicemail, user.im_presence) == ("two", "cuc.a.lab", False)
    assert (user.first_name, user.last_name, user.extension) == ("Una", "Ulm", "+49 1001")
    c = estate.expressway_c
    assert (c.release, c.upgrade_path) == (Release.X15_5, UpgradePath.FROM_14_0)
    assert (c.verify_origin_server, c.name_rule) == (VerifyMode.PERMISSIVE, NameRule.STRICT)
    assert (c.ciphers, c.trusted_ca) == ("EECDH", ("pub.a.lab/tomcat-ECDSA", "Root"))
    assert (c.refresh_interval_s, c.authorisations, c.authorisation_period_s) == (60, 3, 5)
    assert c.allow == ("https://photos.a.lab:443/",)
    assert c.certificate.reuse == "e.a.lab/server"
    first, second = c.discoveries
    assert (first.address, first.tls_verify_mode, first.username) == ("pub", False, "axl")
    assert (second.address, second.tls_verify_mode) == ("10.1.1.4", True)
    assert estate.expressway_e.certificate.key is KeyChoice.EC_P256


# Every fault of the reader.


@pytest.mark.parametrize(
    ("text", "fault", "hint"),
    [
        pytest.param(
            after(NODE, 'verison = "15"\n'),
            "f:10: cluster[one].node[pub.a.lab].verison: no key or table has this name here",
            "did you mean version?",
            id="a typing error",
        ),
        pytest.param(
            after(NODE, 'sans = ["a"]\n'),
            "f:10: cluster[one].node[pub.a.lab].sans: no key or table has this name here",
            "there are: name, role,",
            id="a key of another table",
        ),
        pytest.param(
            after(NODE, 'certificate.tomcat.san = ["a"]\n'),
            "f:10: cluster[one].node[pub.a.lab].certificate.tomcat.san: no key or table has",
            "did you mean dns?",
            id="a word for another key",
        ),
        pytest.param(
            after(C, 'VerifyOriginServr = "Off"\n'),
            "f:16: expressway_c.VerifyOriginServr: no key or table has this name here",
            "did you mean verify_origin_server?",
            id="the product's spelling with a typing error",
        ),
        pytest.param(
            after(NODE, 'Address = "10.1.1.1"\n'),
            "f:10: cluster[one].node[pub.a.lab].Address: is given twice",
            "leave one of them out",
            id="one key in two spellings",
        ),
        pytest.param(
            SMALL.replace(C, ""),
            "f:13: expressway_c.address: is missing",
            "add address: IPv4 address",
            id="a key that has to be there",
        ),
        pytest.param(
            SMALL.replace(NODE, 'address = "10.1.1"\n'),
            'f:9: cluster[one].node[pub.a.lab].address: "10.1.1" is not an IPv4 address',
            "write an IPv4 address",
            id="a wrong value",
        ),
        pytest.param(
            changed('id = "u"', 'id = "a/b"'),
            'f:11: user[a/b].id: "a/b" is not a user id',
            "slash",
            id="a wrong value by which the table is called",
        ),
        pytest.param(
            changed('id = "u"', f'id = "{"u" * 200}"'),
            f'f:11: user[1].id: "{"u" * 60}..." is not a user id',
            "write the user id",
            id="a value too long to call the table by",
        ),
        pytest.param(
            after(NODE, 'certificate.cup-xmpp.cn = "a"\n'),
            "f:10: cluster[one].node[pub.a.lab].certificate.cup-xmpp: no key or table has this",
            "there are: tomcat, tomcat-ECDSA, CallManager, CallManager-ECDSA",
            id="a certificate that a CUCM has not",
        ),
        pytest.param(
            after(NODE, IMP + 'certificate.callmanager.cn = "a"\n'),
            "f:14: cluster[one].node[imp.a.lab].certificate.callmanager: no key or table has",
            "there are: tomcat, tomcat-ECDSA, cup-xmpp",
            id="a certificate that an IM and Presence node has not",
        ),
        pytest.param(
            SMALL + UNITY + 'trust.CallManager-trust = "CA"\n',
            "f:25: unity[cuc.a.lab].trust.CallManager-trust: no key or table has this name",
            "there are: tomcat-trust",
            id="a trust list that Unity has not",
        ),
        pytest.param(
            after(NODE, 'services.tftp = "down"\n'),
            "f:10: cluster[one].node[pub.a.lab].services.tftp: no key or table has this name",
            "did you mean tftp-http?",
            id="a service by half its name",
        ),
        pytest.param(
            after(NODE, 'services.uds = "off"\n'),
            'f:10: cluster[one].node[pub.a.lab].services.uds: "off" is not running or down or',
            "write running or down",
            id="a state that is none",
        ),
        pytest.param(
            after(NODE, "trust.tomcat-trust = [5]\n"),
            "f:10: cluster[one].node[pub.a.lab].trust.tomcat-trust: 5 is not a reference",
            "write AUTHORITY",
            id="a reference that is no text",
        ),
        pytest.param(
            after(NODE, 'tls_ciphers = "RSA Preferred"\n'),
            'f:10: cluster[one].node[pub.a.lab].tls_ciphers: "RSA Preferred" is not All Ciphers',
            "All Ciphers RSA Preferred or All Ciphers ECDSA Preferred",
            id="half of the product's words",
        ),
        pytest.param(
            after(NODE, 'certificate.CallManager = { reuse = "tomcat", cn = "a" }\n'),
            "f:10: cluster[one].node[pub.a.lab].certificate.CallManager.cn: does not count beside",
            "leave out this key, or reuse",
            id="reuse and something else",
        ),
        pytest.param(
            SMALL + UNITY + 'role = "unity"\n',
            "f:25: unity[cuc.a.lab].role: no key or table has this name here",
            "there are: name, address",
            id="a role of a Unity node",
        ),
        pytest.param(
            SMALL[: SMALL.index("[expressway_e]")],
            "f:1: expressway_e: is missing",
            "describe it under [expressway_e]",
            id="no Expressway-E",
        ),
        pytest.param(
            SMALL + SECOND,
            "f:10: user[u].cluster: is missing, and there are several clusters",
            'write "one" or "two"',
            id="a user of one of two clusters",
        ),
        pytest.param(
            after(C, "authorisations = 0\n"),
            "f:16: expressway_c.authorisations: 0 is out of range",
            "write a number, 1 to",
            id="a number out of range",
        ),
    ],
)
def test_a_fault(text: str, fault: str, hint: str) -> None:
    (only,) = found(text)
    assert str(only).startswith(fault)
    assert hint in only.hint


@pytest.mark.parametrize(
    ("old", "new", "fault", "hint"),
    [
        pytest.param(
            "[[user]]", "[user]", "user: a table is not an array of", "[[user]] in d", id="one user"
        ),
        pytest.param(
            "[[cluster.node]]",
            "[cluster.node]",
            "cluster[one].node: a table is not an array of tables",
            "write [[cluster.node]] in double brackets, above what belongs to it",
            id="one node",
        ),
        pytest.param(
            "[expressway_c]",
            "[[expressway_c]]",
            "expressway_c: an array is not a table",
            "write [expressway_c]",
            id="an array of Expressways",
        ),
        pytest.param(
            NODE,
            NODE + 'certificate = "self-signed"\n',
            'cluster[one].node[pub.a.lab].certificate: "self-signed" is not a table',
            "write certificate.NAME = ..., or a table",
            id="certificates in a word",
        ),
        pytest.param(
            NODE,
            NODE + 'certificate.tomcat = "CA"\n',
            'cluster[one].node[pub.a.lab].certificate.tomcat: "CA" is not a table',
            "write [cluster.node.certificate.tomcat]",
            id="a certificate in a word",
        ),
        pytest.param(
            '[[authority]]\nname = "CA"\n',
            'authority = ["CA"]\n',
            'authority[1]: "CA" is not a table',
            "write [[authority]]",
            id="an authority in a word",
        ),
    ],
)
def test_the_wrong_kind_of_table(old: str, new: str, fault: str, hint: str) -> None:
    first = next(one for one in found(changed(old, new)) if one.key == fault.partition(": ")[0])
    assert first.message.startswith(fault)
    assert hint in first.hint


@pytest.mark.parametrize(
    ("old", "new", "fault", "hint"),
    [
        pytest.param(
            '[[cluster]]\nname = "one"\n',
            "",
            "f:4: cluster: a table is not an array of tables",
            "write [[cluster]] in double brackets, above what belongs to it",
            id="no cluster above its nodes: where the first of them is",
        ),
        pytest.param(
            "[[cluster]]",
            "[[clusters]]",
            "f:4: clusters: no key or table has this name here",
            "did you mean cluster?",
            id="a misspelt cluster above its nodes is the only fault",
        ),
        pytest.param(
            f"[[cluster.node]]\n{PUBLISHER}",
            f"[[cluster.nodes]]\n{PUBLISHER}[cluster.node.trust]\n",
            "f:6: cluster[one].nodes: no key or table has this name here",
            "did you mean node?",
            id="a misspelt node above its trust lists too",
        ),
    ],
)
def test_a_header_that_is_missing_or_misspelt(old: str, new: str, fault: str, hint: str) -> None:
    (only,) = found(changed(old, new))
    assert f"{only.where}: {only.message}".startswith(fault)
    assert hint in only.hint


def test_all_faults_come_at_once_in_the_order_of_the_file() -> None:
    text = (
        SMALL.replace('domain = "a.lab"', 'domian = "a.lab"')
        .replace(NODE, NODE.replace("10.1.1.1", "10.1.1"))
        .replace('kind = "unified-cm"', 'kind = "cucm"')
        .replace('[[authority]]\nname = "CA"', '[[authority]]\nname = "CA"\nsigned_by = "Root"')
        + "colour = 1\n"
    )
    assert [f"{fault.where} {fault.key}" for fault in found(text)] == [
        "f:1 domian",
        "f:4 authority[CA].signed_by",
        "f:10 cluster[one].node[pub.a.lab].address",
        "f:18 expressway_c.discovery[pub.a.lab].kind",
        "f:23 expressway_e.colour",
    ]


@pytest.mark.parametrize(
    ("old", "new", "keys"),
    [
        pytest.param(
            'name = "pub.a.lab"',
            'nam = "pub.a.lab"',
            ["cluster[one].node[10.1.1.1].nam"],
            id="a node without a name is no unknown node for who refers to it",
        ),
        pytest.param("[[user]]", "[[users]]", ["users"], id="users by another word are no lack"),
        pytest.param(
            "[[authority]]",
            "[[authorities]]",
            ["authorities"],
            id="authorities by another word are no unknown ones",
        ),
        pytest.param(
            "[expressway_e]", "[expresway_e]", ["expresway_e"], id="an Expressway with a typo"
        ),
        pytest.param(
            'role = "publisher"',
            'role = "primary"',
            ["cluster[one].node[pub.a.lab].role"],
            id="a role that is none is no missing publisher",
        ),
        pytest.param(
            'kind = "unified-cm"',
            'kind = "cucm"',
            ["expressway_c.discovery[pub.a.lab].kind"],
            id="a kind that is none is no missing discovery",
        ),
        pytest.param(
            'kind = "unified-cm"\naddress = "pub.a.lab"',
            'kind = "unified-cm"\naddress = "pub.a.lab"\n'
            '[[expressway_c.discovery]]\nkind = "im-p"\naddress = "sub.a.lab"',
            ["expressway_c.discovery[sub.a.lab].kind"],
            id="of a discovery of no kind the address cannot be of the wrong kind",
        ),
    ],
)
def test_what_only_follows_from_another_fault_is_not_told(
    old: str, new: str, keys: list[str]
) -> None:
    text = after(NODE, NEXT + 'certificate.tomcat.signed_by = "CA"\n')
    assert old in text
    assert [fault.key for fault in found(text.replace(old, new))] == keys


@pytest.mark.parametrize("first", ["publisher", "primary", "subscriber"])
def test_of_several_roles_that_are_none_at_most_one_was_the_publishers(first: str) -> None:
    text = after(NODE, NEXT.replace("subscriber", "primary")).replace(
        'role = "publisher"', f'role = "{first}"'
    )
    assert all(fault.key.endswith(".role") for fault in found(text))


def test_a_node_of_an_unknown_role_may_have_what_any_role_has() -> None:
    text = after(NODE, 'certificate.cup-xmpp.cn = "a"\nservices.rest = "down"\n').replace(
        'role = "publisher"', 'role = "primary"'
    )
    (only,) = found(text)
    assert only.key.endswith(".role")


# The file.


def test_a_file_is_the_estates_source(tmp_path: Path) -> None:
    file = tmp_path / "estate.toml"
    file.write_bytes(SMALL.replace("\n", "\r\n").encode())
    estate = load_estate(file)
    assert estate.source == file
    assert estate.users[0].line == 10


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(None, "estate.toml: cannot be read: No such file", id="no file"),
        pytest.param(b"", "estate.toml:1: domain: is missing", id="an empty file"),
        pytest.param(b"a = \xff", "estate.toml:1: not UTF-8 text", id="no text"),
        pytest.param(b"a = 1\nb =", "estate.toml:2: not TOML: ", id="no TOML"),
        pytest.param(
            SMALL.replace("10.1.1.9", "10.1.1.8").encode(),
            'estate.toml:21: expressway_e.address: "10.1.1.8" is the address of c.a.lab too',
            id="a fault between two tables",
        ),
    ],
)
def test_a_file_that_is_none(tmp_path: Path, content: bytes | None, message: str) -> None:
    file = tmp_path / "estate.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigFaults) as caught:
        load_estate(file)
    assert str(caught.value.faults[0]).startswith(f"{tmp_path}/{message}")


# Whatever it is.

LINES = st.sampled_from(
    [
        *(table.header for table in TABLES),
        "[cluster.node.trust]",
        "[cluster.node.services]",
        "[cluster]",
        "[user.x]",
        *SAMPLE.splitlines(),
    ]
)
ENTRIES = st.builds(
    "{} = {}".format,
    st.sampled_from([key.name for table in TABLES for key in table.keys] + ["certificate", "x"]),
    st.sampled_from(['""', '"a"', "5", "[]", "{}", "[{}]", "true", "2027-01-31", '"10.1.1.1"']),
)


@given(st.lists(LINES | ENTRIES, max_size=30).map("\n".join) | st.text(max_size=40))
def test_any_text_is_an_estate_or_has_faults(text: str) -> None:
    faults: tuple[ConfigFault, ...] = ()
    try:
        parse_estate(text, "f")
    except ConfigFaults as exc:
        faults = exc.faults
    assert all(fault.hint and fault.message for fault in faults)


@given(st.data())
def test_a_sample_with_a_line_changed_is_an_estate_or_has_faults(data: st.DataObject) -> None:
    lines = SAMPLE.splitlines()
    place = data.draw(st.integers(0, len(lines) - 1))
    lines[place] = data.draw(LINES | ENTRIES | st.just(""))
    faults: tuple[ConfigFault, ...] = ()
    try:
        parse_estate("\n".join(lines), "f")
    except ConfigFaults as exc:
        faults = exc.faults
    assert all(fault.hint and fault.message for fault in faults)
