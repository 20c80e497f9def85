"""The allow list: which rule wins, what a path may not do, and the same answers as plain code."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mralab.errors import ConfigError
from mralab.origin.route import OriginRoute
from mralab.proxy.allowlist import AllowList, AllowRule, Match, resolved_path
from mralab.proxy.allowlist_csv import parse_csv

CUCM = OriginRoute("steven.lab", "https", "cucm.steven.lab", 8443)
GET = frozenset({"GET"})


def rule(
    url: str,
    methods: frozenset[str] | None = GET,
    match: Match = Match.PREFIX,
    description: str = "",
) -> AllowRule:
    return AllowRule(url, "", methods, match, description)


def allowed(rules: list[AllowRule], path: str, method: str = "GET") -> AllowRule | None:
    return AllowList(tuple(rules)).for_origin(CUCM).allows(method, path)


UDS = rule("https://cucm.steven.lab:8443/cucm-uds/")


@pytest.mark.parametrize(
    ("url", "place"),
    [
        pytest.param("https://a.lab", ("https", "a.lab", 443, "/"), id="default port of https"),
        pytest.param("http://a.lab/x", ("http", "a.lab", 80, "/x"), id="default port of http"),
        pytest.param("HTTPS://A.Lab.:1/X", ("https", "a.lab", 1, "/X"), id="case and final dot"),
        pytest.param("https://[2001:DB8::0:1]", ("https", "2001:db8::1", 443, "/"), id="IPv6"),
        pytest.param("http://10.0.0.1:6970", ("http", "10.0.0.1", 6970, "/"), id="IPv4"),
        pytest.param("https://*:8443/a%20b", ("https", "*", 8443, "/a%20b"), id="any host"),
        pytest.param("https://a:0", ("https", "a", 0, "/"), id="port 0 is in the product's range"),
    ],
)
def test_url_is_taken_apart(url: str, place: tuple[str, str, int, str]) -> None:
    made = rule(url)
    assert (made.scheme, made.host, made.port, made.path) == place
    assert made.url == url


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        pytest.param("", "not protocol://host", id="empty"),
        pytest.param("a.lab", "not protocol://host", id="no protocol"),
        pytest.param("ftp://a.lab", "not protocol://host", id="other protocol"),
        pytest.param("https://a.lab:x", "not protocol://host", id="port in letters"),
        pytest.param("https://a.lab:", "not protocol://host", id="colon without port"),
        pytest.param("https://[a.lab]", "not protocol://host", id="brackets around a name"),
        pytest.param("https://a.lab?x", "not protocol://host", id="query after the host"),
        pytest.param("https://a.lab:65536", "port above 65535", id="port too large"),
        pytest.param("https://", "host is empty", id="no host"),
        pytest.param("https://u@a.lab", "user information", id="user information"),
        pytest.param("https://*.lab", "not a DNS name", id="star in a name"),
        pytest.param("https://127.1", "usual form", id="short IPv4"),
        pytest.param("https://[fe80::1%1]", "zone id", id="zone id"),
        pytest.param("https://a.lab/a b", "character in its path", id="blank in the path"),
        pytest.param("https://a.lab/a?b", "character in its path", id="query"),
        pytest.param("https://a.lab/a#b", "character in its path", id="fragment"),
        pytest.param("https://a.lab/a%2", "character in its path", id="broken percent-escape"),
        pytest.param("https://a.lab/ü", "character in its path", id="not ASCII"),
    ],
)
def test_url_that_no_rule_may_have(url: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        rule(url)


def test_event_fields_show_rule_match_and_type() -> None:
    shown = rule("https://a.lab/x", match=Match.EXACT, description='the "first"').event_fields
    assert shown == r'Rule="https://a.lab/x" Match="exact" Type="the \"first\""'
    assert 'Type="Editable inbound rule"' in rule("https://a.lab/x").event_fields


def test_rule_for_any_host_shows_the_host_it_allowed() -> None:
    found = allowed([rule("https://*:8443/cucm-uds/")], "/cucm-uds/servers")
    assert found is not None
    assert found.url == "https://cucm.steven.lab:8443/cucm-uds/"
    assert 'Rule="https://cucm.steven.lab:8443/cucm-uds/"' in found.event_fields


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param("/cucm-uds/servers", True, id="below the prefix"),
        pytest.param("/cucm-uds/", True, id="the prefix itself"),
        pytest.param("/cucm-uds/x?../../y", True, id="query has no say"),
        pytest.param("/cucm-uds", False, id="shorter than the prefix"),
        pytest.param("/CUCM-uds/x", False, id="path is case-sensitive"),
        pytest.param("/x/cucm-uds/", False, id="prefix elsewhere"),
        pytest.param("/cucm%2Duds/", False, id="other spelling of the prefix"),
        pytest.param("/", False, id="root"),
    ],
)
def test_prefix(path: str, expected: bool) -> None:
    assert (allowed([UDS], path) is not None) is expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/a.b", True),
        ("/a.b?x=1", True),
        ("/a.b/", False),
        ("/a.b\n", False),
        ("/aXb", False),
        ("/a.bc", False),
    ],
)
def test_exact(path: str, expected: bool) -> None:
    exact = rule("https://cucm.steven.lab:8443/a.b", match=Match.EXACT)
    assert (allowed([exact], path) is not None) is expected


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://cucm.steven.lab:8443/", id="other scheme"),
        pytest.param("https://cucm.steven.lab/", id="other port"),
        pytest.param("https://cucm2.steven.lab:8443/", id="other host"),
        pytest.param("https://10.48.36.215:8443/", id="its address"),
        pytest.param("http://*:8443/", id="any host, other scheme"),
    ],
)
def test_rule_of_another_origin_allows_nothing(url: str) -> None:
    assert allowed([rule(url)], "/") is None


def test_host_ignores_case_and_final_dot() -> None:
    route = OriginRoute("steven.lab", "https", "CUCM.steven.lab.", 8443)
    assert AllowList((UDS,)).for_origin(route).allows("GET", "/cucm-uds/x") is UDS


def test_empty_list_allows_nothing() -> None:
    assert allowed([], "/") is None


def test_first_rule_that_fits_wins() -> None:
    first = rule("https://cucm.steven.lab:8443/a", description="first")
    assert allowed([UDS, first, rule("https://cucm.steven.lab:8443/a/b")], "/a/b") is first


def test_later_rule_allows_the_method_that_the_first_does_not() -> None:
    post = rule("https://cucm.steven.lab:8443/cucm-uds/", frozenset({"POST"}))
    assert allowed([UDS, post], "/cucm-uds/x", "POST") is post
    assert allowed([UDS, post], "/cucm-uds/x", "PUT") is None


def test_any_method() -> None:
    anything = rule("https://cucm.steven.lab:8443/", None)
    assert allowed([UDS, anything], "/cucm-uds/x", "GET") is UDS
    assert allowed([UDS, anything], "/cucm-uds/x", "BREW") is anything


def test_methods_are_case_sensitive() -> None:
    assert allowed([UDS], "/cucm-uds/x", "get") is None


@pytest.mark.parametrize(
    "path",
    [
        "/cucm-uds/../axl/",
        "/cucm-uds/..",
        "/cucm-uds/x/../../axl/",
        "/cucm-uds/%2e%2e/axl/",
        "/cucm-uds/.%2E/axl/",
        "/cucm-uds/%252e%252e/axl/",
        "/cucm-uds/..%2faxl/",
        "/cucm-uds/%2e%2e%2faxl",
        "/cucm-uds/..\\axl",
        "/cucm-uds/x%5c..%5c..%5caxl",
        "/cucm-uds/..;x=y/axl/",
        "/cucm-uds/..%3bx/axl/",
        "/cucm-uds/x//../../axl",
        "/cucm-uds/;/../axl",
        "/cucm-uds/../../../axl",
        "/cucm-uds/%" + "25" * 9 + "2e./axl",
    ],
)
def test_dot_segments_do_not_escape_a_prefix(path: str) -> None:
    assert allowed([UDS], path) is None


def test_everything_below_a_root_rule_is_allowed_with_dot_segments() -> None:
    root = rule("https://cucm.steven.lab:8443/")
    assert allowed([root], "/cucm-uds/%2e%2e/axl/") is root


def test_escapes_in_too_many_layers_are_refused() -> None:
    root = rule("https://cucm.steven.lab:8443/")
    assert allowed([root], "/%" + "25" * 3 + "41") is root
    assert allowed([root], "/%" + "25" * 4 + "41") is None


@pytest.mark.parametrize(
    "path",
    [
        "/cucm-uds/./x",
        "/cucm-uds/x/../y",
        "/cucm-uds/%2e/x",
        "/cucm-uds/x/%2e%2e/y?z",
        "/cucm-uds/a%2fb",
        "/cucm-uds/.hidden/...",
        "/cucm-uds/100%",
        "/cucm-uds/a;b/c",
    ],
)
def test_path_that_stays_below_its_prefix_is_allowed(path: str) -> None:
    assert allowed([UDS], path) is UDS


def test_resolved_path_may_fall_under_another_rule() -> None:
    other = rule("https://cucm.steven.lab:8443/ssosp/")
    assert allowed([UDS, other], "/cucm-uds/../ssosp/x") is UDS


@pytest.mark.parametrize(
    ("path", "resolved"),
    [
        ("/a/b", "/a/b"),
        ("/a%2Fb;c", "/a%2Fb;c"),
        ("/a/./b", "/a/b"),
        ("/a/b/..", "/a/"),
        ("/a/b/.", "/a/b/"),
        ("/a/../b/", "/b/"),
        ("/..", "/"),
        ("/../../a", "/a"),
        ("/a//./b", "/a/b"),
        ("/%2E%2e/%61", "/a"),
        ("/a;x/.;y/b;z", "/a/b"),
    ],
)
def test_resolved_path(path: str, resolved: str) -> None:
    assert resolved_path(path) == resolved


_piece = st.sampled_from(
    ["/", "a", "b", ".", "..", "/..", "%2e", "%2f", "%25", "\\", "%5C", ";", "?", "%", "ü", "\n"]
)
_path = st.lists(_piece, max_size=10).map(lambda pieces: "/" + "".join(pieces))
_rule = st.builds(
    rule,
    st.builds(
        "{}://{}:{}{}".format,
        st.sampled_from(["https", "https", "http"]),
        st.sampled_from(["cucm.steven.lab", "CUCM.steven.lab.", "*", "other.lab"]),
        st.sampled_from([8443, 8443, 443]),
        st.sampled_from(["", "/", "/a", "/a/", "/a/b", "/.", "/%2e", "/a.", "/b+(", "/b/"]),
    ),
    st.one_of(st.none(), st.frozensets(st.sampled_from(["GET", "PUT", "POST"]), max_size=2)),
    st.sampled_from(Match),
    st.sampled_from(["", "x"]),
)


def by_plain_code(rules: list[AllowRule], method: str, path: str) -> AllowRule | None:
    for one in rules:
        if (one.scheme, one.port) != (CUCM.scheme, CUCM.port):
            continue
        if one.host not in ("*", CUCM.canonical_host):
            continue
        if one.methods is not None and method not in one.methods:
            continue
        if path == one.path or (one.match is Match.PREFIX and path.startswith(one.path)):
            url = CUCM.base_url + one.path if one.host == "*" else one.url
            return replace(one, url=url)
    return None


@given(
    rules=st.lists(_rule, max_size=8),
    method=st.sampled_from(["GET", "PUT", "DELETE"]),
    path=_path,
)
def test_same_answer_as_plain_code(rules: list[AllowRule], method: str, path: str) -> None:
    written = path.partition("?")[0]
    expected = by_plain_code(rules, method, written)
    if expected and not by_plain_code(rules, method, resolved_path(written)):
        expected = None
    assert allowed(rules, path, method) == expected


@given(_path)
def test_resolved_path_has_no_dot_segment(path: str) -> None:
    resolved = resolved_path(path)
    if resolved != path and resolved:
        assert resolved.startswith("/")
        assert not {".", ".."} & set(resolved.split("/"))
        assert resolved_path(resolved.replace("%", "%25")) == resolved.replace("%", "%25")


def test_answers_that_are_kept_stay_right_when_there_are_too_many_to_keep() -> None:
    rules = parse_csv(
        "Url,Deployment,HttpMethods,MatchType,Description\n"
        'https://cucm.steven.lab:8443/yes,,"GET",prefix,\n',
        "rules",
    ).for_origin(CUCM)
    for number in range(3000):
        for _ in range(2):
            assert rules.allows("GET", f"/yes/{number}?{number}") is not None
            assert rules.allows("GET", f"/no/{number}") is None
            assert rules.allows("POST", f"/yes/{number}") is None
