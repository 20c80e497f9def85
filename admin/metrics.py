"""Status counters as Prometheus text. *Pure*.

Of what a proxy's ``status()`` returns, a number is a metric and a table of numbers one metric with
a label ``kind``. Those that only ever grow (:data:`COUNTERS`) are counters and get ``_total`` after
their name; all others are gauges. Text, lists and deeper tables are left out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

COUNTERS = frozenset({"transactions", "answers", "log_lines_written", "log_lines_lost"})
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_]")


def render_metrics(status: Mapping[str, object], info: Mapping[str, str]) -> str:
    """Return the text of ``/metrics``.

    Args:
        status: what the proxy tells of itself.
        info: labels of ``mralab_info``, whose value is always 1.

    Returns:
        Prometheus text format 0.0.4, a newline at the end.
    """
    labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in info.items())
    lines = ["# TYPE mralab_info gauge", f"mralab_info{{{labels}}} 1"]
    for name, value in status.items():
        metric, kind = f"mralab_{_NOT_IN_NAMES.sub('_', name)}", "gauge"
        if name in COUNTERS:
            metric, kind = f"{metric}_total", "counter"
        samples = list(_samples(metric, value))
        if samples:
            lines += [f"# TYPE {metric} {kind}", *samples]
    return "\n".join(lines) + "\n"


def _samples(metric: str, value: object) -> Iterator[str]:
    if isinstance(value, int | float):
        yield f"{metric} {_number(value)}"
    elif isinstance(value, dict):
        for kind, inner in value.items():
            if isinstance(inner, int | float):
                yield f'{metric}{{kind="{_escaped(str(kind))}"}} {_number(inner)}'


def _number(value: float) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
