"""What makes figures worthless."""

from __future__ import annotations

import pytest
from bench.load import LOADS, Counted
from bench.measure import LogCount, Plan, answer_fault, connection_fault
from tests.bench.samples import window


@pytest.mark.parametrize(
    ("load", "opened", "good"),
    [
        pytest.param("ka1k", 0, True, id="kept: none new"),
        pytest.param("ka1k", 1000 // 20 + 32, True, id="kept: a few new"),
        pytest.param("ka1k", 1000, False, id="kept: one for each request is none kept"),
        pytest.param("hs_rsa", 1000, True, id="new: one for each"),
        pytest.param("hs_rsa", 1032, True, id="new: and those under way at the end"),
        pytest.param("hs_rsa", 967, False, id="new: some kept"),
        pytest.param("refused", 2000, False, id="refused: tried twice"),
    ],
)
def test_connections_to_the_origin_fit_the_load(load: str, opened: int, good: bool) -> None:
    measured = window(load=load, requests=1000, origin_connections=opened)
    fault = connection_fault(measured, LOADS[load])
    assert fault == ("" if good else f"mralab, {load}: {opened} connections for 1000 requests")


@pytest.mark.parametrize(
    ("load", "status", "socket", "at_origin", "fault"),
    [
        ("ka1k", 0, 0, 1000, ""),
        ("ka1k", 0, 0, 1032, ""),
        ("ka1k", 0, 0, 1033, "1000 answers, but 1033 requests at the origin"),
        ("ka1k", 0, 0, 999, "1000 answers, but 999 requests at the origin"),
        ("ka1k", 1, 0, 1000, "1 of 1000 answers are 400 and above"),
        ("ka1k", 0, 2, 1000, "2 connections broke or timed out"),
        ("refused", 1000, 0, 1000, ""),
        ("refused", 999, 0, 1000, "999 of 1000 answers are 400 and above"),
    ],
)
def test_answers_are_of_the_expected_kind_and_asked_for_once(
    load: str, status: int, socket: int, at_origin: int, fault: str
) -> None:
    counted = Counted(
        requests=1000,
        duration_us=2_000_000,
        p50_us=1.0,
        p99_us=2.0,
        errors_of_status=status,
        errors_of_socket=socket,
    )
    assert answer_fault(counted, at_origin, LOADS[load]) == fault


@pytest.mark.parametrize(
    ("count", "good"),
    [
        pytest.param(999, False, id="one is missing"),
        pytest.param(1000, True, id="one for each"),
        pytest.param(1032, True, id="and for those that were cut"),
        pytest.param(1033, False, id="one that nobody asked for"),
    ],
)
def test_each_kind_has_a_line_for_each_request(count: int, good: bool) -> None:
    log = LogCount("mralab", "ka1k", requests=1000, cut=32, counts={"a": 1000, "b": count})
    fault = log.fault
    assert (not fault) is good
    assert good or fault == f"mralab, ka1k: 1000 to 1032 requests, log lines {{'b': {count}}}"


@pytest.mark.parametrize(("pairs", "others"), [(15, 4), (16, 4), (2, 1), (1, 1)])
def test_the_yardstick_gets_most_pairs(pairs: int, others: int) -> None:
    plan = Plan(loads=[], peers=[], pairs=pairs, seconds=2)
    assert plan.pairs_with("ats-log5") == pairs
    assert plan.pairs_with("nginx") == others
