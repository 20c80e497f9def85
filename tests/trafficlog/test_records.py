from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from mralab.trafficlog.records import FieldLine, Head, Message

NOON = datetime(2022, 7, 11, 12, tzinfo=timezone(timedelta(hours=2)))


def test_when_prefers_utc_time_then_a_prefix_with_offset() -> None:
    utc = datetime(2022, 7, 11, 10, 0, 1, tzinfo=UTC)
    assert Head(time=NOON, utc=utc).when == utc
    when = Head(time=NOON).when
    assert when == NOON
    assert when.tzinfo is UTC
    assert Head(time=NOON.replace(tzinfo=None)).when is None
    assert Head().when is None


def test_records_are_equal_wherever_they_stood() -> None:
    assert Head(host="vcsc", line=1, text="a") == Head(host="vcsc", line=2, text="b")


def test_message_finds_the_first_field_in_any_case() -> None:
    message = Message(start_line="x", fields=(("Host", "a"), ("HOST", "b")))
    assert message.get("hOST") == "a"
    assert message.get("Via") is None


def test_field_line_finds_the_first_value_without_blanks_at_its_ends() -> None:
    line = FieldLine(head=Head(), fields=(("Detail", " a b "), ("Detail", "c")))
    assert line.get("Detail") == "a b"
    assert line.get("Event") == ""
