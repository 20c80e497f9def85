"""Tables, and where they go."""

from __future__ import annotations

import pytest
from bench.measure import LogCount, Measurements, Peak
from bench.report import BEGIN, END, draw, figures, insert, log_lines, memory, ratios, sum_up
from tests.bench.samples import pair

from bench import BenchError

PAIRS = [
    *(pair(22_000, 20_000) for _ in range(4)),
    pair(22_000, 2_000, others=0.3),
    pair(20_000, 40_000, peer="nginx"),
    pair(2_100, 2_000, load="hs_rsa"),
]


def test_results_are_in_the_order_of_loads_and_peers() -> None:
    results = sum_up(PAIRS[::-1])
    assert results.loads == ["ka1k", "hs_rsa"]
    assert results.peers == ["ats-log5", "nginx"]


def test_ratios_have_interval_and_goal() -> None:
    assert ratios(sum_up(PAIRS)).splitlines() == [
        "| load | goal | over Traffic Server, five log lines | over nginx, no log |",
        "| --- | --- | --- | --- |",
        "| 1 KB, connections kept | 1.1 | 1.10 (1.10 to 1.10) | 0.50 |",
        "| handshake per request, RSA-2048 | 1.03 | 1.05 | - |",
    ]


def test_memory_is_the_highest_of_all_runs_of_a_peer() -> None:
    peaks = [
        Peak("mralab", "ka1k", 40.2),
        Peak("mralab", "hs_ec", 48.0),
        Peak("mralab", "ka1k", 45),
    ]
    assert memory(peaks).splitlines()[2] == "| mralab | 48 | 45 | 48 |"


def test_a_peer_may_have_been_measured_under_some_loads_only() -> None:
    peaks = [Peak("mralab", "ka1k", 40), Peak("mralab", "headers", 41), Peak("nginx", "ka1k", 9)]
    assert memory(peaks).splitlines()[3] == "| nginx, no log | 9 | 9 | - |"


def test_missing_log_lines_are_told() -> None:
    logs = [
        LogCount("mralab", "ka1k", 100, 32, {"a": 100, "b": 110}, 50_000),
        LogCount("mralab", "ka1k", 100, 32, {"a": 110, "b": 97}, 50_000),
    ]
    assert log_lines(logs).splitlines()[2] == (
        "| 1 KB, connections kept | mralab | 200 | 2 | 197 | 3 | 508 |"
    )


def test_the_figures_say_how_they_were_made() -> None:
    found = Measurements(pairs=PAIRS, handshake=("TLSv1.2 a", "TLSv1.2 b"))
    text = figures(
        found, sum_up(PAIRS), machine={"CPU": "a fast one"}, command="make bench", date="2026-11-24"
    )
    assert "| Command | `make bench` |" in text
    assert "| CPU | a fast one |" in text
    assert "| Handshakes | TLSv1.2 a; TLSv1.2 b |" in text
    assert (
        "| Traffic Server, five log lines | 20,000 | 10,000 | 50% | 1.00 | 2.00 | 4 | 1 |" in text
    )
    assert "Not to be quoted" not in text


def test_problems_come_first() -> None:
    found = Measurements(pairs=PAIRS, problems=["lines were lost"])
    text = figures(found, sum_up(PAIRS), machine={}, command="", date="")
    assert text.index("- lines were lost") < text.index("| Date")


def test_a_load_without_a_pair_that_counts_has_no_table() -> None:
    pairs = [pair(1, 1, others=1.0)]
    found = Measurements(pairs=pairs)
    assert "(`ka1k`)" not in figures(found, sum_up(pairs), machine={}, command="", date="")


def test_the_chart_has_a_row_for_each_comparison() -> None:
    assert draw(sum_up(PAIRS), "2026-11-24").count("<circle") == 3


def test_figures_replace_what_stands_between_the_markers() -> None:
    page = f"before\n{BEGIN}old\n{END}after\n"
    once = insert(page, "new")
    assert once == f"before\n{BEGIN}\nnew\n{END}after\n"
    assert insert(once, "new") == once


@pytest.mark.parametrize("page", ["", BEGIN, END, f"{END}{BEGIN}"])
def test_a_page_without_its_markers_is_refused(page: str) -> None:
    with pytest.raises(BenchError, match="has no lines"):
        insert(page, "new")
