"""Text to records: our own lines, and every spelling public documents show of the product's.

Rules: a record is one line, or a line with the HTTPMSG block behind it. A line inside an open
block belongs to it unless it begins, in the first column, like a log line; what we write can
therefore not be forged by a header. The time taken is linear in the length of the text, whatever
it holds. :func:`parse_log` never raises for what it reads. *Pure*: no I/O here.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from mralab.errors import LogFormatError
from mralab.trafficlog import grammar
from mralab.trafficlog.block import MARKER, Block
from mralab.trafficlog.grammar import unescape
from mralab.trafficlog.records import (
    ConfigurationChanged,
    CoreVerificationFailed,
    FieldLine,
    Head,
    HttpErrorResponse,
    RequestAllowed,
    RequestDenied,
    RequestFailed,
    SniNotInCertificate,
    SslConnectionFailed,
    ThreadMessage,
    TransactionLine,
    UnknownLine,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from mralab.trafficlog.records import LogRecord, Message

_SHOWN: Final = 120

#: What ends an open block, in the first column.
_NEW_RECORD = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"
    r"|(?:[^\s=\"\[\]:]++\s++)?+(?:traffic_server|tvcs|edgeconfigprovisioning|XCP_\w++)(?:\[\d{1,10}\])?+:"
    r"|\[ET_NET"
    r"|(?:UTCTime|Module|Event)=\"",
    re.ASCII,
)

# ---- the prefix: [time] [host] [process[pid]:]

_TIME = re.compile(
    r"\s*+(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:[.,](\d{1,6}))?+(Z|[+-]\d\d:?\d\d)?+(?:\s++|$)",
    re.ASCII,
)
_UTC_TIME = re.compile(r"\s*(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:[,.](\d{1,6}))?\s*", re.ASCII)
_HOST = re.compile(r"\s*+([^\s=\"\[\]:]++)\s++")
_PROCESS = re.compile(r"\s*+([A-Za-z_][\w.-]*+)(?:\[(\d{1,10})\]:?+|:)\s*+", re.ASCII)
#: Without number and colon, as in 2014 (Cisco 211304): a word in front of a field or a thread.
_BARE_PROCESS = re.compile(r"([A-Za-z_][\w.-]*+)\s++(?=[A-Za-z][\w-]*+= ?\"|\[ET_NET)", re.ASCII)
_BODY = re.compile(r"\s*+(?:[A-Za-z][\w-]*+= ?\"|\[ET_NET)", re.ASCII)

# ---- the body: a thread's line, or Key="value" fields with words between them

_THREAD = re.compile(r"\s*+\[ET_NET\s*+(\d{1,9})\]\s*+([A-Z]++)\s*+: ?+(.*)", re.ASCII)
#: A field with its value up to the closing quote, or a block's opening word. A bare quote inside a
#: value does not end it unless a blank, a colon, another field or the line's end follows.
_TOKEN = re.compile(
    r"(?<![\w-])(?:([A-Za-z][\w-]*+)= ?\""
    r"((?:[^\"\\]++|\\.|\\$|\"(?!\s|:|$|[A-Za-z][\w-]{0,40}= ?\"))*+)\"?+"
    rf"|({grammar.HTTP_MARKER}|{grammar.SIP_MARKER}):)",
    re.ASCII,
)


def _integer(text: str) -> int | None:
    """The number a field holds, or ``None`` if it holds none that fits 64 bits."""
    digits = text.strip()
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 20 else None  # noqa: PLR2004 - 2**63 has 19 digits


def _prefix_time(match: re.Match[str]) -> datetime:
    """Read the prefix's time; ``ValueError`` if it is none."""
    stamp, fraction, offset = match.groups()
    micro = f".{fraction:0<6}" if fraction else ""
    return datetime.fromisoformat(f"{stamp}{micro}{offset or ''}")


def _utc_time(text: str) -> datetime | None:
    """Read ``UTCTime``. Its milliseconds are not padded in 2014: ``,92`` is 0.092 s."""
    match = _UTC_TIME.fullmatch(text)
    if match is None:
        return None
    stamp, fraction = match.groups()
    try:
        moment = datetime.fromisoformat(stamp)
    except ValueError:
        return None
    digits = fraction or "0"
    micro = int(digits) * 1000 if len(digits) <= 3 else int(f"{digits:0<6}")  # noqa: PLR2004 - milliseconds
    return moment.replace(microsecond=micro, tzinfo=UTC)


def _scan(text: str, position: int) -> tuple[list[tuple[str, str]], str, str]:
    """Collect ``Key="value"`` fields from ``position`` on.

    Returns:
        The fields in order, unescaped; the block's opening word if one stands in the line, else
        ``""``; what follows that word.
    """
    fields: list[tuple[str, str]] = []
    for token in _TOKEN.finditer(text, position):
        key, value, marker = token.groups()
        if marker:
            return fields, marker, text[token.end() :].strip()
        fields.append((key, unescape(value)))
    return fields, "", ""


# ---- records of the fields of one line


def _peer(fields: Mapping[str, str], first: str, second: str) -> tuple[str, int | None]:
    """Address and port with the prefix ``first``, else ``second`` (``Src`` or ``Dst``)."""
    side = first if f"{first}-ip" in fields else second
    return fields.get(f"{side}-ip", ""), _integer(fields.get(f"{side}-port", ""))


def _request_allowed(head: Head, fields: Mapping[str, str]) -> LogRecord:
    get = fields.get
    return RequestAllowed(
        head=head,
        reason=get("Reason", ""),
        username=get("Username", ""),
        deployment=get("Deployment", ""),
        method=get("Method", ""),
        request=get("Request", ""),
        rule=get("Rule", ""),
        match=get("Match", ""),
        kind=get("Type", ""),
    )


def _request_denied(head: Head, fields: Mapping[str, str]) -> LogRecord:
    get = fields.get
    return RequestDenied(
        head=head,
        reason=get("Reason", ""),
        username=get("Username", ""),
        deployment=get("Deployment", ""),
        method=get("Method", ""),
        request=get("Request", ""),
    )


def _request_failed(head: Head, fields: Mapping[str, str]) -> LogRecord:
    ip, port = _peer(fields, "Src", "Dst")
    return RequestFailed(
        head=head,
        reason=fields.get("Reason", ""),
        request=fields.get("Request", ""),
        ip=ip,
        port=port,
    )


def _http_error_response(head: Head, fields: Mapping[str, str]) -> LogRecord:
    ip, port = _peer(fields, "Dst", "Src")
    return HttpErrorResponse(
        head=head,
        status=_integer(fields.get("Status", "")),
        reason=fields.get("Reason", ""),
        ip=ip,
        port=port,
    )


def _configuration_changed(head: Head, fields: Mapping[str, str]) -> LogRecord:
    get = fields.get
    return ConfigurationChanged(
        head=head,
        node=get("Node", ""),
        process_id=get("PID", ""),
        detail=get("Detail", ""),
    )


_EVENTS: Final[Mapping[str, Callable[[Head, Mapping[str, str]], LogRecord]]] = {
    grammar.REQUEST_ALLOWED: _request_allowed,
    grammar.REQUEST_DENIED: _request_denied,
    grammar.REQUEST_FAILED: _request_failed,
    grammar.HTTP_ERROR_RESPONSE: _http_error_response,
    grammar.CONFIGURATION_CHANGED: _configuration_changed,
}


def _transaction_line(
    head: Head, verb: grammar.Verb, fields: Mapping[str, str], message: Message | None
) -> TransactionLine:
    sides = ("Src", "Dst") if verb.is_receive else ("Dst", "Src")
    ip, port = _peer(fields, *sides)
    return TransactionLine(
        head=head,
        verb=verb,
        level=fields.get("Level", ""),
        txn_id=_integer(fields.get("Txn-id", "")),
        tracking_id=fields.get("TrackingID", ""),
        ip=ip,
        port=port,
        last_via_addr=fields.get("Last-via-addr", ""),
        msg=fields.get("Msg"),
        message=message,
    )


def _thread_record(head: Head, thread: int, level: str, text: str) -> LogRecord:
    """Read what a network thread wrote."""
    if match := grammar.CORE_VERIFICATION.fullmatch(text):
        return CoreVerificationFailed(
            head=head,
            thread=thread,
            name=unescape(match["name"]),
            action=match["action"],
            error=unescape(match["error"]),
            server=unescape(match["server"]),
            ip=unescape(match["ip"]),
            depth=int(match["depth"]),
        )
    if match := grammar.NAME.fullmatch(text):
        return SniNotInCertificate(
            head=head,
            thread=thread,
            name=unescape(match["name"]),
            action=match["action"],
            server=unescape(match["server"]),
            ip=unescape(match["ip"]),
        )
    if match := grammar.CONNECTION.fullmatch(text):
        return SslConnectionFailed(
            head=head, thread=thread, name=unescape(match["name"]), error=unescape(match["error"])
        )
    return ThreadMessage(head=head, thread=thread, level=level, text=text)


# ---- lines to records


class _Draft:
    """A record while its lines come in: the log line at once, then the lines of its block."""

    __slots__ = (
        "_block",
        "_fields",
        "_host",
        "_lines",
        "_number",
        "_pid",
        "_process",
        "_thread",
        "_time",
    )

    def __init__(self, line: str, number: int) -> None:
        """Read the log line.

        Raises:
            LogFormatError: it has neither fields nor a thread's text, or its time is none.
        """
        self._lines = [line]
        self._number = number
        self._block: Block | None = None
        self._fields: list[tuple[str, str]] = []
        position = self._read_prefix(line)
        self._thread = _THREAD.match(line, position)
        if self._thread is None:
            self._fields, kind, rest = _scan(line, position)
            if not self._fields:
                raise LogFormatError(f"not a log line: {line[:_SHOWN]!r}")
            if kind:
                self._block = Block(kind, rest)

    def _read_prefix(self, line: str) -> int:
        """Read time, host and process, each of them optional; return where the body begins."""
        self._time: datetime | None = None
        self._host = self._process = ""
        self._pid: int | None = None
        position = 0
        if time := _TIME.match(line):
            try:
                self._time = _prefix_time(time)
            except ValueError as exc:
                raise LogFormatError(
                    f"not a log line, the time is none: {line[:_SHOWN]!r}"
                ) from exc
            position = time.end()
        process = _PROCESS.match(line, position)
        if process is None:
            host = _HOST.match(line, position)
            if host is None:
                return position
            after = host.end()
            process = _PROCESS.match(line, after) or _BARE_PROCESS.match(line, after)
            if process is None and self._time is None and not _BODY.match(line, after):
                return position  # plain words
            self._host = host[1]
            position = after
        if process is not None:
            self._process = process[1]
            if process.re is _PROCESS and process[2]:
                self._pid = int(process[2])
            position = process.end()
        return position

    def takes(self, line: str) -> bool:
        """Whether ``line`` belongs to this record; if so it is taken."""
        if self._block is None:
            marker = MARKER.match(line)
            if marker is None:
                return False
            self._block = Block(marker[1], marker[2].strip())
        elif self._block.is_open and not _NEW_RECORD.match(line):
            self._block.add(line)
        else:
            return False
        self._lines.append(line)
        return True

    def record(self) -> LogRecord:
        """The record as far as its lines came in."""
        fields = dict(reversed(self._fields))  # of two fields with one key the first counts
        head = Head(
            time=self._time,
            host=self._host,
            process=self._process,
            pid=self._pid,
            utc=_utc_time(fields.get("UTCTime", "")),
            line=self._number,
            text="\n".join(self._lines),
        )
        if self._thread is not None:
            thread, level, text = self._thread.groups()
            return _thread_record(head, int(thread), level, text)
        message = self._block.message() if self._block is not None else None
        event = _EVENTS.get(fields.get("Event", "").strip())
        if event is not None:
            return event(head, fields)
        verb = grammar.VERB_SPELLINGS.get(fields.get("Detail", "").strip())
        if verb is not None and ("Txn-id" in fields or fields.get("Module") == grammar.MODULE):
            return _transaction_line(head, verb, fields, message)
        return FieldLine(head=head, fields=tuple(self._fields), message=message)


def parse_line(text: str) -> LogRecord:
    """Read one record: a log line, alone or with the lines of its HTTPMSG block.

    Args:
        text: the line or lines, with or without the last line end.

    Returns:
        The record; never an :class:`~mralab.trafficlog.records.UnknownLine`.

    Raises:
        LogFormatError: not in any form of the log, or more than one record.

    Source: Cisco 218018, 225746, 117811, 211304 and others; ``tests/golden`` holds the lines.
    """
    first, *others = text.removesuffix("\n").split("\n")
    draft = _Draft(first.removesuffix("\r"), 0)
    for line in others:
        if not draft.takes(line.removesuffix("\r")):
            raise LogFormatError(
                f"more than one record: {line[:_SHOWN]!r} follows {first[:_SHOWN]!r}"
            )
    return draft.record()


def parse_log(lines: Iterable[str]) -> Iterator[LogRecord]:
    """Read a whole log.

    Args:
        lines: its lines, with or without line ends, e.g. an open text file.

    Yields:
        One record per log line with its block, in order; each other line as an
        :class:`~mralab.trafficlog.records.UnknownLine`. A record is given out when the line
        behind it has been read.
    """
    draft: _Draft | None = None
    for number, raw in enumerate(lines, 1):
        line = raw.rstrip("\r\n")
        if draft is not None:
            if draft.takes(line):
                continue
            yield draft.record()
            draft = None
        try:
            draft = _Draft(line, number)
        except LogFormatError:
            yield UnknownLine(text=line, line=number)
    if draft is not None:
        yield draft.record()
