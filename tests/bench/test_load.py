"""Scripts for wrk and what they report."""

from __future__ import annotations

import pytest
from bench.load import JABBER_FIELDS, LOADS, Counted, counted, script_of

from bench import BenchError

REPORT = (
    'bench: {"requests": 41, "duration_us": 2000123, "p50_us": 810.000, "p99_us": 1925.500, '
    '"errors_of_status": 2, "errors_of_socket": 1}'
)


def test_the_core_set_is_the_four_loads_with_their_goals() -> None:
    core = {load.name: load.goal for load in LOADS.values() if load.core}
    assert core == {"ka1k": 1.1, "ka100k": 1.05, "hs_rsa": 1.03, "hs_ec": 1.08}


def test_a_jabber_client_sends_ten_fields_and_cookies() -> None:
    names = [name for name, _ in JABBER_FIELDS]
    assert len(set(names)) == 10
    assert "Cookie" in names
    script = script_of(LOADS["headers"])
    assert all(f'wrk.headers["{name}"] = "{value}"' in script for name, value in JABBER_FIELDS)


def test_an_upload_is_a_post_with_a_body() -> None:
    script = script_of(LOADS["upload"])
    assert 'wrk.method = "POST"' in script
    assert 'string.rep("x", 65536)' in script


@pytest.mark.parametrize("name", LOADS)
def test_no_script_runs_anything_for_each_request(name: str) -> None:
    script = script_of(LOADS[name])
    assert "function done(" in script
    assert "function request" not in script
    assert "function response" not in script


@pytest.mark.parametrize(
    ("name", "new"),
    [("ka1k", False), ("hs_rsa", True), ("hs_ec", True), ("refused", True), ("conn512", False)],
)
def test_which_loads_need_a_connection_for_each_request(name: str, new: bool) -> None:
    assert LOADS[name].new_connections is new


def test_the_report_is_found_in_wrk_s_output() -> None:
    output = f"Running 2s test\n  41 requests in 2.00s\n{REPORT}\n"
    assert counted(output) == Counted(41, 2_000_123, 810.0, 1925.5, 2, 1)


def test_no_report_is_an_error_with_wrk_s_words() -> None:
    with pytest.raises(BenchError, match="unable to connect"):
        counted("unable to connect to 127.0.0.1:1\n")
