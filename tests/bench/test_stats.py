"""Ratios, their interval, and which pairs count."""

from __future__ import annotations

from statistics import median

import pytest
from bench.stats import Pair, compare, median_interval
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.bench.samples import pair, window


def test_a_window_counts_per_second_of_cpu_time() -> None:
    measured = window(requests=30_000, cpu_s=1.5)
    assert measured.per_cpu_s == 20_000
    assert measured.per_s == 15_000
    assert measured.busy == 0.75


def test_the_ratio_of_a_pair_is_ours_over_theirs() -> None:
    assert pair(12_000, 10_000).ratio == pytest.approx(1.2)


@pytest.mark.parametrize(
    ("others", "disturbed"),
    [pytest.param(0.05, False, id="a twentieth counts"), pytest.param(0.051, True, id="more not")],
)
def test_a_pair_is_disturbed_by_others_in_one_window(others: float, disturbed: bool) -> None:
    assert pair(1, 1, others=others).disturbed is disturbed


def test_a_pair_is_disturbed_by_a_proxy_that_did_not_only_its_work() -> None:
    retried = window("ats-log5", fault="ats-log5, ka1k: 9 answers, but 60 requests at the origin")
    assert Pair(window(), retried).disturbed
    assert not Pair(window(), window("ats-log5")).disturbed


def test_disturbed_pairs_are_dropped_and_counted() -> None:
    found = compare([pair(110, 100), pair(500, 100, others=0.5), pair(120, 100), pair(130, 100)])
    assert found is not None
    assert (found.load, found.peer) == ("ka1k", "ats-log5")
    assert (found.pairs, found.dropped) == (3, 1)
    assert found.ratio == pytest.approx(1.2)
    assert found.interval is None
    assert found.ours.per_cpu_s == 120
    assert found.theirs.p99_ms == 2.0


def test_no_pair_that_counts_is_no_comparison() -> None:
    assert compare([pair(1, 1, others=1.0)]) is None


def test_three_values_have_no_interval() -> None:
    assert median_interval([1.0, 1.1, 1.2]) is None


def test_equal_values_have_an_interval_of_no_width() -> None:
    assert median_interval([1.1] * 15) == (1.1, 1.1)


def test_the_interval_leaves_outliers_out() -> None:
    interval = median_interval([1.0 + number / 100 for number in range(14)] + [9.0])
    assert interval is not None
    assert 1.0 < interval.low < 1.07 < interval.high < 1.13


@settings(max_examples=10, deadline=None)
@given(st.lists(st.floats(0.1, 10), min_size=4, max_size=20))
def test_the_interval_holds_the_median_and_is_the_same_each_time(values: list[float]) -> None:
    interval = median_interval(values)
    assert interval is not None
    assert min(values) <= interval.low <= median(values) <= interval.high <= max(values)
    assert median_interval(values) == interval
