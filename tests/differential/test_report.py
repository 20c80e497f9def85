from __future__ import annotations

from dataclasses import replace

from tests.differential.known import ANY, KnownDifference
from tests.differential.model import NAME, OK, Case, Policy
from tests.differential.report import compare
from tests.differential.test_model import FINE, SNI_LINE
from tests.differential.world import World

GOOD = Case("a", "1 x", OK, lambda _: World())
BAD = Case("b", "1 x", NAME, lambda _: World())
REFUSED = replace(FINE, answer=("502 ",), warnings=(SNI_LINE,))
PAGE_ROW = KnownDifference("a", (Policy.ENFORCED,), ("resumed",), "a reason")


def test_agreement() -> None:
    seen = {("a", Policy.ENFORCED): FINE, ("b", Policy.ENFORCED): REFUSED}
    report = compare((GOOD, BAD), seen, seen, ())
    assert (report.agreeing, report.good(whole=True)) == (2, True)
    assert list(report.lines(whole=True)) == []


def test_an_undocumented_difference_fails() -> None:
    report = compare(
        (GOOD, BAD), {("a", Policy.ENFORCED): FINE}, {("a", Policy.ENFORCED): REFUSED}, ()
    )
    assert (report.agreeing, report.good(whole=True)) == (1, False)
    text = "\n".join(report.lines(whole=True))
    assert "DIFFERENT   a [ENFORCED]\n  answer: Traffic Server: 200 OK\n" in text


def test_a_documented_difference_passes_and_is_told() -> None:
    ours = {("a", Policy.ENFORCED): replace(FINE, resumed=("yes",))}
    for row in (PAGE_ROW, replace(PAGE_ROW, case=ANY)):
        report = compare((GOOD,), {("a", Policy.ENFORCED): FINE}, ours, (row,))
        assert (report.agreeing, report.good(whole=True)) == (1, True)
        assert list(report.lines(whole=True)) == ["documented  a reason", "  a"]


def test_a_documented_difference_that_is_gone_fails_a_whole_run() -> None:
    seen = {("a", Policy.ENFORCED): FINE}
    report = compare((GOOD,), seen, seen, (PAGE_ROW,))
    assert not report.good(whole=True)
    assert report.good(whole=False)
    assert list(report.lines(whole=True)) == ["STALE       a [ENFORCED] resumed: no longer differs"]
    assert list(report.lines(whole=False)) == []


def test_a_case_that_does_not_show_what_it_says_fails() -> None:
    seen = {("b", Policy.ENFORCED): FINE}
    report = compare((BAD,), seen, seen, ())
    assert (report.agreeing, report.good(whole=False)) == (0, False)
    assert list(report.lines(whole=False)) == [
        "UNEXPECTED  b: expected name, Traffic Server: 200 OK, ok"
    ]
