from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.truststore.name_cases import CASES, HOST, UNCONVERTIBLE, NameCase, cn, dns, ip
from tests.truststore.names_page import PAGE, with_table

from mralab.config.releases import NameRule
from mralab.truststore.names import (
    CertificateNames,
    NameVerdict,
    address_text,
    match_name,
    packed_address,
    text_of,
)

E, A, S = NameRule.EXPRESSWAY, NameRule.ATS, NameRule.STRICT

any_names = st.builds(
    CertificateNames,
    dns=st.lists(st.binary(max_size=20)).map(tuple),
    ips=st.lists(st.binary(max_size=20)).map(tuple),
    first_cn=st.none() | st.text(),
    cn_unconvertible=st.booleans(),
    has_san=st.booleans(),
)
labels = st.from_regex(r"[a-h][a-h0-9]{0,7}", fullmatch=True)
hosts = st.lists(labels, min_size=3, max_size=5).map(".".join)


@pytest.mark.parametrize("rule", NameRule)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.shows)
def test_the_table_of_the_reference_page(case: NameCase, rule: NameRule) -> None:
    verdict = match_name(case.requested, case.names, rule)
    assert verdict.matched is (rule in case.matched)


def test_the_reference_page_is_up_to_date() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == with_table(page), "run tests/truststore/names_page.py"


@pytest.mark.parametrize(
    ("requested", "names", "rule", "verdict"),
    [
        pytest.param(
            HOST,
            dns("a.lab", "*.steven.lab", HOST, cn=HOST),
            E,
            NameVerdict(True, "DNS:*.steven.lab", ("DNS:a.lab", "DNS:*.steven.lab")),
            id="the first match ends the search",
        ),
        pytest.param(
            HOST,
            dns("a.lab", cn="b.lab"),
            A,
            NameVerdict(False, "", ("DNS:a.lab", "CN:b.lab")),
            id="all that was tried",
        ),
        pytest.param(
            HOST,
            dns("a.lab", cn=HOST),
            S,
            NameVerdict(False, "", ("DNS:a.lab",)),
            id="strict does not try the CN",
        ),
        pytest.param(
            "192.0.2.7",
            CertificateNames((b"a.lab",), (b"\xc0\x00\x02\x08", b"\xc0\x00\x02\x07"), "b.lab"),
            E,
            NameVerdict(True, "IP:192.0.2.7", ("DNS:a.lab", "IP:192.0.2.8", "IP:192.0.2.7")),
            id="names as text come before addresses",
        ),
        pytest.param(
            "192.0.2.7",
            ip("192.0.2.8", cn="192.0.2.7"),
            E,
            NameVerdict(True, "CN:192.0.2.7", ("IP:192.0.2.8", "CN:192.0.2.7")),
            id="the CN comes last",
        ),
        pytest.param(
            "192.0.2.7",
            ip("192.0.2.7", cn="a.lab"),
            A,
            NameVerdict(False, "", ("CN:a.lab",)),
            id="ats does not try addresses",
        ),
        pytest.param(
            HOST,
            UNCONVERTIBLE,
            A,
            NameVerdict(True, "CN:(cannot be converted)", ("CN:(cannot be converted)",)),
            id="the bug of ats is said",
        ),
        pytest.param(
            "",
            CertificateNames((b"",), (), "", cn_unconvertible=True),
            A,
            NameVerdict(False, "", ("DNS:", "CN:(cannot be converted)")),
            id="an empty request matches nothing, not even by the bug",
        ),
        pytest.param(
            "", cn(""), A, NameVerdict(False, "", ("CN:",)), id="nor an empty CN an empty request"
        ),
        pytest.param(HOST, CertificateNames(), E, NameVerdict(False, "", ()), id="nothing to try"),
        pytest.param(
            HOST,
            dns(b"\xff.lab"),
            S,
            NameVerdict(False, "", ("DNS:\\xff.lab",)),
            id="bytes outside ASCII are shown as such",
        ),
        pytest.param(
            HOST,
            dns(b"a\x1b[2J\n", cn="ü\0\x9b"),
            A,
            NameVerdict(False, "", ("DNS:a\\x1b[2J\\n", "CN:ü\\x00\\x9b")),
            id="nothing a terminal would act on is shown raw",
        ),
    ],
)
def test_a_verdict_tells_what_matched_and_what_was_tried(
    requested: str, names: CertificateNames, rule: NameRule, verdict: NameVerdict
) -> None:
    assert match_name(requested, names, rule) == verdict


@pytest.mark.parametrize(
    ("pattern", "requested", "matched"),
    [
        pytest.param(b"*.b.c.d", b"*.b.c.d", True, id="a star may stand for a star"),
        pytest.param(b"*b.c.d", b"a*b.c.d", False, id="but not for one among others"),
        pytest.param(b"*.steven.lab", b".steven.lab", False, id="host that starts with a dot"),
        pytest.param(b"cu*.steven.lab", b"cu.evil.lab", False, id="what follows must agree"),
        pytest.param(b"cu*.steven.lab", b"xu.steven.lab", False, id="what precedes must agree"),
        pytest.param(b"abc*.b.c", b"ab.b.c", False, id="host shorter than the fixed parts"),
        pytest.param(b"*a.b", b"xxxa.b", False, id="pattern of four characters"),
        pytest.param(b"..*.a.b", b"..x.a.b", False, id="star after an empty label"),
    ],
)
def test_wildcards_of_ats_at_their_edges(pattern: bytes, requested: bytes, matched: bool) -> None:
    verdict = match_name(requested.decode(), CertificateNames(dns=(pattern,)), A)
    assert verdict.matched is matched


@pytest.mark.parametrize(
    ("pattern", "requested"),
    [
        pytest.param("*.a*.lab", "x.a*.lab", id="a second star"),
        pytest.param("a*.lab", "a*.lab", id="a partial star is not even equal to itself"),
        pytest.param("*.lab", "lab", id="one label less"),
    ],
)
def test_strict_takes_no_star_for_a_name(pattern: str, requested: str) -> None:
    assert not match_name(requested, dns(pattern), S).matched


@given(requested=st.text(), names=any_names, rule=st.sampled_from(NameRule))
def test_any_text_and_any_names_get_a_verdict(
    requested: str, names: CertificateNames, rule: NameRule
) -> None:
    verdict = match_name(requested, names, rule)
    assert bool(verdict.by) is verdict.matched
    assert not verdict.matched or verdict.tried[-1] == verdict.by


@given(host=hosts, rule=st.sampled_from(NameRule))
def test_a_name_matches_itself_and_its_zone_s_wildcard(host: str, rule: NameRule) -> None:
    zone = host.partition(".")[2]
    assert match_name(host.upper(), dns(host), rule).matched
    if len(host) > 5:  # below that, ats knows no wildcards
        assert match_name(host, dns(f"*.{zone}"), rule).matched
    assert not match_name(f"x.{host}", dns(f"*.{zone}"), rule).matched


@given(host=hosts, cut=st.integers(0, 8))
def test_expressway_and_ats_differ_for_addresses_only(host: str, cut: int) -> None:
    pattern = f"{host[:cut]}*.{host.partition('.')[2]}"
    assert match_name(host, dns(pattern), E) == match_name(host, dns(pattern), A)


def test_addresses_and_texts() -> None:
    assert packed_address("192.0.2.7") == b"\xc0\x00\x02\x07"
    assert packed_address("cucm.steven.lab") is None
    assert packed_address("") is None
    assert address_text(b"\xc0\x00\x02\x07") == "192.0.2.7"
    assert address_text(b"\x01\x02") == "0102"
    assert text_of(b"a\xff") == "a\\xff"
