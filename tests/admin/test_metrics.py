"""Counters as Prometheus text."""

from hypothesis import given
from hypothesis import strategies as st

from mralab.admin.metrics import render_metrics


def test_numbers_and_tables_of_numbers_are_metrics() -> None:
    status: dict[str, object] = {
        "answers": {"200": 5, "502": 1},
        "log_lines_written": 7,
        "client_connections": 2,
        "draining": False,
        "load-1": 0.5,
        "release": "X14.2",
        "rules": None,
        "workers": [{"pid": 1}],
        "mixed": {"a": 1, "b": "text"},
        "words": {"a": "b"},
    }
    assert render_metrics(status, {"version": "1"}).splitlines() == [
        "# TYPE mralab_info gauge",
        'mralab_info{version="1"} 1',
        "# TYPE mralab_answers_total counter",
        'mralab_answers_total{kind="200"} 5',
        'mralab_answers_total{kind="502"} 1',
        "# TYPE mralab_log_lines_written_total counter",
        "mralab_log_lines_written_total 7",
        "# TYPE mralab_client_connections gauge",
        "mralab_client_connections 2",
        "# TYPE mralab_draining gauge",
        "mralab_draining 0",
        "# TYPE mralab_load_1 gauge",
        "mralab_load_1 0.5",
        "# TYPE mralab_mixed gauge",
        'mralab_mixed{kind="a"} 1',
    ]


@given(st.dictionaries(st.text(max_size=9), st.dictionaries(st.text(max_size=9), st.integers())))
def test_one_sample_for_each_number(status: dict[str, object]) -> None:
    lines = render_metrics(status, {}).removesuffix("\n").split("\n")
    expected = sum(len(table) for table in status.values() if isinstance(table, dict))
    assert len([line for line in lines if not line.startswith("#")]) == expected + 1
