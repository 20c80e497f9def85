"""The chart as SVG."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from bench.chart import Bar, Group, chart
from bench.stats import Interval

SVG = "{http://www.w3.org/2000/svg}"


def drawn(*bars: Bar) -> ET.Element:
    text = chart("Title & more", "subtitle", [Group("1 KB <kept>", bars)])
    return ET.fromstring(text)  # noqa: S314 - text of our own


def bar(ratio: float, low: float | None = None, high: float | None = None) -> Bar:
    interval = None if low is None or high is None else Interval(low, high)
    return Bar("peer", ratio, interval, strong=False)


def places(element: ET.Element) -> list[float]:
    return [float(dot.attrib["cx"]) for dot in element.iter(f"{SVG}circle")]


def test_texts_are_escaped_and_all_there() -> None:
    texts = [text.text for text in drawn(bar(1.1, 1.05, 1.2)).iter(f"{SVG}text")]
    assert "Title & more" in texts
    assert "1 KB <kept>" in texts
    assert "1.10 (1.05 to 1.20)" in texts


def test_a_ratio_without_interval_has_a_dot_only() -> None:
    texts = [text.text for text in drawn(bar(1.1)).iter(f"{SVG}text")]
    assert "1.10" in texts


def test_the_axis_is_logarithmic() -> None:
    half, one, two = places(drawn(bar(0.5), bar(1.0), bar(2.0)))
    assert one - half == pytest.approx(two - one, abs=0.2)


def test_what_is_off_the_axis_lies_at_its_end() -> None:
    far, further = places(drawn(bar(50.0), bar(99.0)))
    assert far == further == 600.0
