"""Generated allow list rules, read back and tried by the allow list itself."""

from __future__ import annotations

import pytest

from mralab.config.estate import DiscoveryKind, DiscoveryPlan
from mralab.lab.allowrules import generated_rules
from mralab.lab.discovery import Discovered, DiscoveredNode, DiscoveryReport
from mralab.lab.estateplace import EstatePorts
from mralab.proxy.allowlist_csv import parse_csv, run_tests

CM, IMP, UNITY = DiscoveryKind.UNIFIED_CM, DiscoveryKind.IM_PRESENCE, DiscoveryKind.UNITY
HEADER = "Url,Deployment,HttpMethods,MatchType,Description\n"


def node(name: str, kind: DiscoveryKind = CM, *, publisher: bool = False) -> DiscoveredNode:
    return DiscoveredNode(name=name, kind=kind, publisher=publisher, found_by="typed")


def report(*nodes: DiscoveredNode) -> DiscoveryReport:
    plan = DiscoveryPlan(kind=CM, address="typed")
    return DiscoveryReport(discoveries=(Discovered(plan=plan, nodes=nodes),))


ALL = report(
    node("cucm.steven.lab", publisher=True),
    node("10.48.36.216"),
    node("imp.steven.lab", IMP),
    node("cuc.steven.lab", UNITY),
)


@pytest.mark.parametrize(
    ("method", "url", "expected"),
    [
        ("GET", "https://cucm.steven.lab:8443/cucm-uds/user/emusk", "allow"),
        ("GET", "https://CUCM.steven.lab:8443/cucm-uds/servers", "allow"),
        ("GET", "https://10.48.36.216:8443/cucm-uds/servers", "allow"),
        ("GET", "https://10.48.36.216:6972/SPDefault.cnf.xml", "allow"),
        ("GET", "http://cucm.steven.lab:6970/SPDefault.cnf.xml", "allow"),
        ("POST", "https://imp.steven.lab:8443/EPASSoap/service/v80", "allow"),
        ("GET", "https://cuc.steven.lab/vmrest/users", "allow"),
        ("GET", "https://10.48.36.215:8443/cucm-uds/servers", "block"),
        ("GET", "https://cucm2.steven.lab:8443/cucm-uds/servers", "block"),
        ("GET", "http://cucm.steven.lab:8443/cucm-uds/servers", "block"),
        ("GET", "https://cucm.steven.lab:8443/axl/", "block"),
        ("GET", "https://cucm.steven.lab:8443/vmrest/users", "block"),
        ("GET", "https://imp.steven.lab:8443/cucm-uds/servers", "block"),
        ("GET", "https://cuc.steven.lab:6972/SPDefault.cnf.xml", "block"),
        ("PUT", "https://cucm.steven.lab:6972/SPDefault.cnf.xml", "block"),
    ],
)
def test_rules_of_discovered_nodes(method: str, url: str, expected: str) -> None:
    rules = parse_csv(generated_rules(ALL), "generated")
    text = f"Url,ExpectedResult,Deployment,Description,HttpMethod\n{url},{expected},,,{method}\n"
    assert all(test.passed for test in run_tests(rules, text, "test"))


def test_types_are_the_products() -> None:
    rules = parse_csv(generated_rules(ALL), "generated").rules
    assert {
        rule.description.removeprefix("Automatically generated rule for ") for rule in rules
    } == {
        "CUCM server",
        "TFTP server",
        "IM and Presence Service node",
        "Unity Connection server",
    }


def test_ports_are_the_estates() -> None:
    ports = EstatePorts(uds=18443, tftp_https=16972, tftp_http=16970, unity=10443)
    rules = parse_csv(generated_rules(ALL, ports), "generated").rules
    assert {rule.port for rule in rules} == {18443, 16972, 16970, 10443}


def test_a_node_found_twice_has_its_rules_once() -> None:
    once = generated_rules(report(node("a.lab")))
    assert generated_rules(report(node("a.lab"), node("a.lab", publisher=True))) == once


def test_nothing_discovered_allows_nothing() -> None:
    text = generated_rules(report())
    assert text == HEADER
    assert parse_csv(text, "generated").rules == ()


def test_editable_rules_stand_behind_the_generated_ones() -> None:
    urls = ("https://prt.steven.lab/upload", "http://photos.steven.lab:8080/")
    rules = parse_csv(generated_rules(report(node("a.lab")), editable=urls), "generated").rules
    assert [rule.url for rule in rules[-2:]] == list(urls)
    assert all(rule.methods is None and not rule.description for rule in rules[-2:])
    assert len(rules) > 2


def test_ipv6_nodes_are_bracketed() -> None:
    rules = parse_csv(generated_rules(report(node("2001:db8::1"))), "generated").rules
    assert {rule.host for rule in rules} == {"2001:db8::1"}
