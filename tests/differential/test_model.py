from __future__ import annotations

from dataclasses import replace

import pytest
from tests.differential.model import (
    NAME,
    OK,
    Case,
    Observation,
    differences,
    first_finding,
    log_entries,
    meets,
    shown,
)
from tests.differential.world import World

SNI_LINE = "SNI (a.lab) not in certificate. Action=Terminate server=a.lab(127.0.0.1)"
CHAIN_LINE = (
    "Core server certificate verification failed for (::1). Action=Continue "
    "Error=certificate has expired server=[::1](::1) depth=1"
)
ERROR_LINE = "SSL connection failed for 'a.lab': error:0A000086:SSL routines::x"

FINE = Observation(
    answer=("200 OK",),
    page=(),
    body=("origin",),
    warnings=(),
    errors=(),
    connections=1,
    sni=("a.lab",),
    suites=("1302",),
    versions=("TLSv1.3",),
    alerts=("-",),
    resumed=("no",),
    requests=("GET / HTTP/1.1",),
)


def case(expect: str) -> Case:
    return Case("a sentence", "1 a section", expect, lambda _: World())


def test_equal_observations_differ_in_nothing() -> None:
    assert differences(FINE, FINE) == {}


def test_each_observable_counts() -> None:
    ours = replace(FINE, answer=("502 ",), connections=4, alerts=("80",) * 4)
    assert differences(FINE, ours) == {
        "answer": ("200 OK", "502 "),
        "connections": ("1", "4"),
        "alerts": ("-", "4 x 80"),
    }


def test_how_often_a_connection_shows_the_same_is_told_by_their_number_only() -> None:
    ours = replace(FINE, connections=2, sni=("a.lab", "a.lab"))
    assert differences(FINE, ours) == {"connections": ("1", "2")}
    assert "sni" in differences(FINE, replace(FINE, sni=("a.lab", "b.lab")))


def test_warnings_are_counted() -> None:
    once, twice = replace(FINE, warnings=(SNI_LINE,)), replace(FINE, warnings=(SNI_LINE,) * 2)
    assert differences(once, twice) == {"warnings": (SNI_LINE, f"2 x {SNI_LINE}")}


@pytest.mark.parametrize(
    ("value", "text"),
    [((), "nothing"), (("a",), "a"), (("a", "a", "b", "a"), "2 x a; b; a"), (3, "3")],
)
def test_values_are_shown_on_one_line(value: tuple[str, ...] | int, text: str) -> None:
    assert shown(value) == text


@pytest.mark.parametrize(
    "prefix",
    [
        "[Nov 24 18:00:00.000] [ET_NET 0] WARNING: ",
        "2022-07-11T18:55:26.016+02:00 vcsc traffic_server[18242]: [ET_NET 0] WARNING: ",
    ],
)
def test_both_servers_lines_are_read(prefix: str) -> None:
    sni, chain, error = log_entries(
        [f"{prefix}{SNI_LINE}\n", "else", f"{prefix}{CHAIN_LINE}", f"{prefix}{ERROR_LINE}"]
    )
    assert (sni.is_warning, sni.text, sni.name, sni.peer) == (True, SNI_LINE, "a.lab", "127.0.0.1")
    assert (chain.is_warning, chain.text, chain.name, chain.peer) == (
        True,
        CHAIN_LINE,
        "::1",
        "::1",
    )
    assert (error.is_warning, error.text, error.name, error.peer) == (
        False,
        ERROR_LINE,
        "a.lab",
        "",
    )


@pytest.mark.parametrize(
    ("warnings", "finding"),
    [
        ((), OK),
        ((SNI_LINE, CHAIN_LINE), NAME),
        ((CHAIN_LINE, SNI_LINE), "certificate has expired@1"),
        (("something else",), "something else"),
    ],
)
def test_the_first_line_is_what_a_case_expects(warnings: tuple[str, ...], finding: str) -> None:
    assert first_finding(warnings) == finding


def test_a_case_is_met_by_answer_and_line() -> None:
    refused = replace(FINE, answer=("502 ",), warnings=(SNI_LINE,))
    assert meets(case(OK), FINE)
    assert meets(case(NAME), refused)
    assert not meets(case(NAME), FINE)
    assert not meets(case(OK), refused)
    assert not meets(case(OK), replace(FINE, answer=("502 ",)))
    assert not meets(case(NAME), replace(refused, answer=("200 OK",)))


def test_a_case_may_expect_a_status() -> None:
    assert meets(case("502 connect failed"), replace(FINE, answer=("502 connect failed",)))
    assert not meets(case("502 connect failed"), replace(FINE, answer=("502 ",)))
