"""The log: nothing that is read raises or gets lost, and nothing that is written can be forged."""

from __future__ import annotations

from typing import Final

from mralab.errors import LogFormatError
from mralab.trafficlog import render
from mralab.trafficlog.grammar import Verb, unescape
from mralab.trafficlog.parse import parse_line, parse_log
from mralab.trafficlog.records import LogRecord, TransactionLine, UnknownLine

WORDS: Final = (
    b'UTCTime="',
    b'Detail="Receive Request" Txn-id="1" ',
    b"HTTPMSG:",
    b"SIPMSG:",
    b"[ET_NET 1]",
    b" WARNING: ",
    b"traffic_server[1]: ",
    b"2022-07-11T18:55:25.910+02:00 ",
    b"\\x",
    b"\\u",
    b'\\"',
    b"|\n",
    b'Event="Request Allowed" ',
)
_LONG_LINE: Final = 16_384
_STAMP: Final = render.make_stamp(1_657_558_525_910, hostname="vcsc", pid=18242, offset_minutes=120)


def check(data: bytes) -> None:
    """Read bytes as a log; write them into lines of ours and read those."""
    text = data.decode("utf-8", "surrogateescape")
    lines = text.split("\n")
    records = list(parse_log(lines))
    assert "\n".join(map(_text_of, records)) == "\n".join(line.rstrip("\r\n") for line in lines)
    try:
        parse_line(text)
    except LogFormatError as error:
        _check_message(error)
    if text:
        one_line = text.replace("\n", " ")
        list(parse_log([one_line * (_LONG_LINE // len(text) + 1)]))  # slow is a finding: see run.py
    _check_writing(text)


def _text_of(record: LogRecord) -> str:
    return record.text if isinstance(record, UnknownLine) else record.head.text


def _check_writing(text: str) -> None:
    escaped = render.escape(text)
    assert escaped.isprintable()
    assert unescape(escaped) == text
    tag = render.tag_fields(189, escaped)
    line = render.receive_request(_STAMP, tag, render.src_fields("192.0.2.9", 1), escaped)
    (record,) = parse_log(line.splitlines())
    assert isinstance(record, TransactionLine)
    assert (record.tracking_id, record.msg, record.txn_id) == (text, text, 189)
    raw = text.encode("utf-8", "surrogateescape")
    name, _, value = raw.partition(b":")
    block = render.http_message(b"GET / HTTP/1.1", [(name, value), (b"Accept", b"*/*")])
    source = render.src_fields("192.0.2.9", 1)
    message = render.debug_message(_STAMP, Verb.RECEIVE_REQUEST, tag, source, block)
    (record,) = parse_log(message.splitlines() if raw.isascii() else message.split("\n")[:-1])
    assert isinstance(record, TransactionLine)
    assert record.message is not None
    assert [field for field, _ in record.message.fields][-1] == "Accept"


def _check_message(error: LogFormatError) -> None:
    assert str(error).isprintable()
