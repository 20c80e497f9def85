"""The two CSV forms: the documented samples, every fault with its line, no surprise on any text."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mralab.config.faults import ConfigFaults
from mralab.origin.route import OriginRoute
from mralab.proxy.allowlist import Match
from mralab.proxy.allowlist_csv import DEFAULT_METHODS, parse_csv, run_tests

if TYPE_CHECKING:
    from mralab.origin.route import Scheme
    from mralab.proxy.allowlist import AllowList

HEADER = "Url,Deployment,HttpMethods,MatchType,Description\n"
TEST_HEADER = "Url,ExpectedResult,Deployment,Description,HttpMethod\n"

# The samples of the MRA deployment guide X14.0.2.
SAMPLE_RULES = (
    HEADER
    + """\
https://myServer1:8443/myPath1,myDomain1,GET,,"First Rule"
http://myServer2:8000/myPath2,myDomain200,"GET,PUT",exact,
https://myServer3:8080/myPath3,myDomain1,,prefix,"Third Rule"
https://myServer4/myPath4,myDomain1,,prefix,"Fourth Rule"
http://myServer5/myPath5,myDomain1,,prefix,"Fifth Rule"
"""
)
SAMPLE_TESTS = (
    TEST_HEADER
    + """\
https://myServer1:8443/myPath1,block,"my deployment","a block test",GET
http://myServer2:8000/myPath2,allow,"my deployment","an allow test",PUT
https://myServer4/myPath4,allow,,,GET
http://myServer4/myPath4,block,,,POST
"""
)


def faults(text: str) -> list[str]:
    with pytest.raises(ConfigFaults) as caught:
        parse_csv(text, "rules.csv")
    return str(caught.value).split("\n")


def test_documented_rules() -> None:
    rules = parse_csv(SAMPLE_RULES, "rules.csv").rules
    assert [(rule.methods, rule.match, rule.description) for rule in rules] == [
        ({"GET"}, Match.PREFIX, "First Rule"),
        ({"GET", "PUT"}, Match.EXACT, ""),
        (DEFAULT_METHODS, Match.PREFIX, "Third Rule"),
        (DEFAULT_METHODS, Match.PREFIX, "Fourth Rule"),
        (DEFAULT_METHODS, Match.PREFIX, "Fifth Rule"),
    ]
    assert rules[0].deployment == "myDomain1"
    assert (rules[3].scheme, rules[3].host, rules[3].port) == ("https", "myserver4", 443)


def test_documented_tests() -> None:
    results = run_tests(parse_csv(SAMPLE_RULES, "rules.csv"), SAMPLE_TESTS, "tests.csv")
    assert [(result.line, result.passed) for result in results] == [
        (2, False),
        (3, True),
        (4, True),
        (5, True),
    ]
    assert results[0].rule is not None
    assert results[0].rule.description == "First Rule"
    assert (results[3].url, results[3].method) == ("http://myServer4/myPath4", "POST")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("\ufeff" + HEADER + "https://a\n", id="byte order mark"),
        pytest.param(
            "Url, Deployment,HTTPMETHODS,MatchType,Description  \r\nhttps://a\r\n", id="CR"
        ),
        pytest.param("\n\n" + HEADER + "\n  \nhttps://a", id="empty lines, no final line end"),
        pytest.param(HEADER + 'https://a, "", "get, head ,OPTIONS", PREFIX ', id="blanks and case"),
    ],
)
def test_tolerated_form(text: str) -> None:
    (rule,) = parse_csv(text, "rules.csv").rules
    assert rule.host == "a"
    assert rule.methods == frozenset({"GET", "HEAD", "OPTIONS"})
    assert rule.match is Match.PREFIX


def test_star_is_any_method() -> None:
    (rule,) = parse_csv(HEADER + "https://a,,*,,", "rules.csv").rules
    assert rule.methods is None


def test_header_alone_is_an_empty_list() -> None:
    assert parse_csv(HEADER, "rules.csv").rules == ()


@pytest.mark.parametrize("text", ["", "\n \n"])
def test_text_without_header(text: str) -> None:
    assert faults(text) == ["rules.csv: no header line"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        pytest.param("nonsense", "not protocol://host", id="no URL"),
        pytest.param("https://a,,GET PUT", "not a list of methods", id="methods without comma"),
        pytest.param('https://a,,"GET,"', "not a list of methods", id="empty method"),
        pytest.param('https://a,,"GET,*"', "not a list of methods", id="star among methods"),
        pytest.param("https://a,,,regex", "MatchType", id="other match type"),
        pytest.param("https://a,,GET,PUT,exact,x", "6 values, not 5", id="methods not quoted"),
        pytest.param('https://a,,"GET', "not a line of CSV", id="quote not closed"),
        pytest.param('https://a,,"GET"x', "not a line of CSV", id="text after a quote"),
        pytest.param("https://a,\r,x", "not a line of CSV", id="CR inside"),
    ],
)
def test_fault_in_a_line(line: str, reason: str) -> None:
    (fault,) = faults(HEADER + line + "\n")
    assert fault.startswith("rules.csv:2: ")
    assert reason in fault


def test_all_faults_at_once_with_their_lines() -> None:
    text = "Url,Methods\nhttps://a\n\nftp://a\nhttps://a,,,suffix\nhttps://b\n"
    assert [fault.partition(": ")[0] for fault in faults(text)] == [
        "rules.csv:1",
        "rules.csv:4",
        "rules.csv:5",
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("https://a", "ExpectedResult"),
        ("https://a,maybe", "ExpectedResult"),
        ("a,allow", "not protocol://host"),
        ("https://*/x,allow", "no single host"),
        ("https://a:0/x,allow", "port 0"),
        ("https://a,allow,,,GET,x", "6 values"),
    ],
)
def test_fault_in_a_test(line: str, reason: str) -> None:
    with pytest.raises(ConfigFaults, match=f"tests.csv:2: .*{reason}"):
        run_tests(parse_csv(HEADER, "rules.csv"), TEST_HEADER + line, "tests.csv")


def test_test_ignores_the_query_and_defaults_to_get() -> None:
    rules = parse_csv(HEADER + "https://a/x,,GET,exact,", "rules.csv")
    (result,) = run_tests(rules, TEST_HEADER + "https://a/x?y=[z],ALLOW", "tests.csv")
    assert result.passed
    assert result.method == "GET"


@given(st.text(alphabet=st.sampled_from('htps:/a*.,"\r\n =GET\x00ü'), max_size=60))
def test_any_text_is_rules_or_faults(text: str) -> None:
    found: tuple[object, ...]
    try:
        found = parse_csv(HEADER + text, "rules.csv").rules
    except ConfigFaults as error:
        found = error.faults
    assert len(found) <= text.count("\n") + 1


def built_in() -> AllowList:
    text = files("mralab.proxy").joinpath("allowlist-default.csv").read_text("utf-8")
    return parse_csv(text, "allowlist-default.csv")


@pytest.mark.parametrize(
    ("scheme", "port", "method", "path", "kind"),
    [
        ("https", 8443, "GET", "/cucm-uds/user/emusk/devices?max=100", "CUCM server"),
        ("https", 8443, "PUT", "/cucm-uds/user/emusk", "CUCM server"),
        ("https", 6972, "GET", "/CSFemusk.cnf.xml", "TFTP server"),
        ("http", 6970, "GET", "/SPDefault.cnf.xml", "TFTP server"),
        ("https", 8443, "POST", "/EPASSoap/service/v105", "IM and Presence Service node"),
        ("https", 443, "GET", "/vmrest/mailbox", "Unity Connection server"),
    ],
)
def test_built_in_list_covers_each_node_type(
    scheme: Scheme, port: int, method: str, path: str, kind: str
) -> None:
    route = OriginRoute("steven.lab", scheme, "a.lab", port)
    rule = built_in().for_origin(route).allows(method, path)
    assert rule is not None
    assert rule.description == f"Automatically generated rule for {kind}"


@pytest.mark.parametrize(
    ("port", "method", "path"),
    [(8443, "GET", "/axl/"), (8443, "TRACE", "/cucm-uds/"), (6972, "PUT", "/x"), (22, "GET", "/")],
)
def test_built_in_list_denies_the_rest(port: int, method: str, path: str) -> None:
    route = OriginRoute("steven.lab", "https", "a.lab", port)
    assert built_in().for_origin(route).allows(method, path) is None
