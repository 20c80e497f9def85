"""Lines of the edge configuration service, read back by the parser."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

from mralab.trafficlog.edgelines import (
    edge_stamp,
    error_response,
    login_result,
    server_refused_user,
)
from mralab.trafficlog.parse import parse_log
from mralab.trafficlog.records import FieldLine, HttpErrorResponse

if TYPE_CHECKING:
    import pytest

NOW = datetime(2014, 9, 25, 17, 46, 20, 92_000, UTC)
STAMP = edge_stamp(NOW, "vcsc.steven.lab")


def test_the_stamp_is_local_time_and_utc() -> None:
    assert re.fullmatch(
        r"2014-09-2\dT\d\d:\d\d:20\.092[+-]\d\d:\d\d vcsc edgeconfigprovisioning: ", STAMP.prefix
    )
    assert STAMP.utc == "2014-09-25 17:46:20,092"
    east = NOW.astimezone(timezone(timedelta(hours=2)))
    assert edge_stamp(east, "vcsc").utc == STAMP.utc


def test_a_refused_user_as_documented() -> None:
    line = server_refused_user(STAMP, username="pstojano", server="10.48.36.131", port=8443)
    assert line == (
        STAMP.prefix + 'Level="INFO" Detail="Failed to authenticate user against server" '
        "Username=\"pstojano\" Server=\"('https', '10.48.36.131', 8443)\" "
        "Reason=\"<twisted.python.failure.Failure <type 'exceptions.Exception'>>\" "
        'UTCTime="2014-09-25 17:46:20,092"\n'
    )


def test_results_on_the_front() -> None:
    good = login_result(STAMP, username="emusk", client="192.0.2.7")
    bad = login_result(STAMP, username="emusk", client="192.0.2.7", code=401)
    assert (
        'Detail="Authenticated user successfully" Username="emusk" ClientId="192.0.2.7" U' in good
    )
    assert 'Detail="Authenticating user failed"' in bad
    assert ' Code="401" ' in bad
    assert "Code" not in good


def test_the_parser_reads_them_back() -> None:
    name = 'em"usk\nforged'
    text = server_refused_user(STAMP, username=name, server="cucm.steven.lab", port=8443)
    text += login_result(STAMP, username=name, client="::1", code=401)
    text += error_response(STAMP, status=403, reason="Forbidden", ip="127.0.0.1", port=50314)
    refused, result, error = parse_log(text.splitlines(keepends=True))
    for record in (refused, result):
        assert isinstance(record, FieldLine)
        assert dict(record.fields)["Username"] == name
        assert record.head.process == "edgeconfigprovisioning"
    assert isinstance(error, HttpErrorResponse)
    assert (error.status, error.reason) == (403, "Forbidden")


def test_summer_and_winter_have_their_own_offset(monkeypatch: pytest.MonkeyPatch) -> None:
    import time  # noqa: PLC0415 - tzset is not on every system

    monkeypatch.setenv("TZ", "Europe/Brussels")
    time.tzset()
    try:
        assert "T19:46:20.092+02:00 " in edge_stamp(NOW, "vcsc").prefix
        winter = NOW.replace(month=1)
        assert "T18:46:20.092+01:00 " in edge_stamp(winter, "vcsc").prefix
    finally:
        monkeypatch.undo()
        time.tzset()
