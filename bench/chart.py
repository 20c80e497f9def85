"""The chart: every ratio with its interval, as SVG. *Pure*.

A row is a peer under one load, a dot the median, the line its 95 % interval. The axis is
logarithmic: twice as fast lies as far from 1 as half as fast.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.stats import Interval

_WIDTH: Final = 780
_LEFT: Final = 260  # the axis
_RIGHT: Final = 600
_TOP: Final = 56
_ROW: Final = 20
_GROUP: Final = 30
_FONT: Final = "font-family='system-ui, sans-serif'"
_TICKS: Final = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.4, 2.0, 3.0, 5.0, 10.0)
_INK: Final = "#1f2328"
_GREY: Final = "#6e7781"
_PALE: Final = "#d0d7de"
_BLUE: Final = "#0969da"


@dataclass(frozen=True, slots=True)
class Bar:
    """One row."""

    label: str
    ratio: float
    interval: Interval | None
    strong: bool  #: the peer that does the same work

    @property
    def text(self) -> str:
        """The figures as the chart writes them."""
        return ratio_text(self.ratio, self.interval)


@dataclass(frozen=True, slots=True)
class Group:
    """The rows of one load."""

    title: str
    bars: Sequence[Bar]


def ratio_text(ratio: float, interval: Interval | None) -> str:
    """Write a ratio and its interval."""
    return f"{ratio:.2f}" + (f" ({interval.low:.2f} to {interval.high:.2f})" if interval else "")


class _Axis:
    """Where a ratio lies."""

    def __init__(self, groups: Sequence[Group]) -> None:
        values = [1.0]
        for bar in (bar for group in groups for bar in group.bars):
            values += (bar.ratio, *(bar.interval or ()))
        self._low = max((tick for tick in _TICKS if tick < min(values)), default=_TICKS[0])
        self._high = min((tick for tick in _TICKS if tick > max(values)), default=_TICKS[-1])
        self.ticks = [tick for tick in _TICKS if self._low <= tick <= self._high]

    def x(self, ratio: float) -> float:
        inside = min(max(ratio, self._low), self._high)
        share = math.log(inside / self._low) / math.log(self._high / self._low)
        return _LEFT + share * (_RIGHT - _LEFT)


def chart(title: str, subtitle: str, groups: Sequence[Group]) -> str:
    """Draw the ratios.

    Args:
        title: what the ratios are.
        subtitle: one line below it.
        groups: loads with their rows, from top to bottom.

    Returns:
        An SVG document.
    """
    axis = _Axis(groups)
    height = _TOP + sum(_GROUP + _ROW * len(group.bars) for group in groups) + 40
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{_WIDTH}' height='{height}' role='img'>",
        f"<title>{escape(title)}</title>",
        f"<rect width='{_WIDTH}' height='{height}' fill='white'/>",
        _text(16, 24, title, size=15, weight="600"),
        _text(16, 43, subtitle, colour=_GREY),
    ]
    bottom = height - 30
    for tick in axis.ticks:
        x = axis.x(tick)
        colour = _GREY if tick == 1.0 else _PALE
        parts.append(_line(x, _TOP, x, bottom, colour))
        parts.append(_text(x, bottom + 18, f"{tick:g}", colour=_GREY, anchor="middle"))
    y = _TOP
    for group in groups:
        parts.append(_text(16, y + 20, group.title, weight="600"))
        y += _GROUP
        for bar in group.bars:
            parts += _row(bar, axis, y + _ROW / 2)
            y += _ROW
    return "\n".join([*parts, "</svg>"]) + "\n"


def _row(bar: Bar, axis: _Axis, y: float) -> list[str]:
    colour = _BLUE if bar.strong else _GREY
    weight = "600" if bar.strong else "400"
    parts = [_text(28, y + 4, bar.label, weight=weight)]
    if bar.interval:
        parts.append(
            _line(axis.x(bar.interval.low), y, axis.x(bar.interval.high), y, colour, width=3)
        )
    parts.append(f"<circle cx='{axis.x(bar.ratio):.1f}' cy='{y:.1f}' r='5' fill='{colour}'/>")
    parts.append(_text(_RIGHT + 16, y + 4, bar.text, weight=weight))
    return parts


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, *, width: int = 1) -> str:
    return (
        f"<line x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}' stroke='{colour}' "
        f"stroke-width='{width}'/>"
    )


def _text(
    x: float,
    y: float,
    text: str,
    *,
    size: int = 12,
    weight: str = "400",
    colour: str = _INK,
    anchor: str = "start",
) -> str:
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' {_FONT} font-size='{size}' font-weight='{weight}' "
        f"fill='{colour}' text-anchor='{anchor}'>{escape(text)}</text>"
    )
