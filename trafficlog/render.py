r"""Every line we write, one template each.

Rules: a function returns whole lines that end in a newline. ``tag``, ``src`` and ``dst`` come
from :func:`tag_fields`, :func:`src_fields` and :func:`dst_fields`, rendered once per transaction
or connection. Values in double quotes must be escaped by the caller with :func:`escape` (once,
where a value enters the log, not once per line); the ``[ET_NET n]`` lines and the HTTPMSG block
escape what they are given. No value can end a line or forge another one. Whether a form was seen
in a public source, inferred or made for the lab is said at each function. *Pure*: no I/O here,
the time is an argument.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from mralab.trafficlog.grammar import (
    CONCEALED,
    CONCEALED_FIELDS,
    CONFIGURATION_CHANGED,
    CONNECTION_FORM,
    CORE_VERIFICATION_FORM,
    DEBUG_SPELLING,
    HTTP_ERROR_RESPONSE,
    HTTP_MARKER,
    LINES_LOST,
    MODULE,
    NAME_FORM,
    PROCESS,
    REQUEST_ALLOWED,
    REQUEST_DENIED,
    REQUEST_FAILED,
    Verb,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_RECEIVE_REQUEST = f'Detail="{Verb.RECEIVE_REQUEST.value}"'
_SEND_REQUEST = f'Detail="{Verb.SEND_REQUEST.value}"'
_RECEIVE_RESPONSE = f'Detail="{Verb.RECEIVE_RESPONSE.value}"'
_SEND_RESPONSE = f'Detail="{Verb.SEND_RESPONSE.value}"'
_ALLOWED = f'Event="{REQUEST_ALLOWED}" Detail="Access allowed"'
_DENIED = f'Event="{REQUEST_DENIED}" Detail="Access denied"'
_FAILED = f'Event="{REQUEST_FAILED}" Detail="Bad request"'
_ERROR_RESPONSE = f'Event="{HTTP_ERROR_RESPONSE}"'
_CHANGED = f'Event="{CONFIGURATION_CHANGED}"'
_LOST = f'Event="{LINES_LOST}"'

_LATIN1_END = 0x100
_BMP_END = 0x10000
#: What must not stand bare in a name or address of an ``[ET_NET n]`` line: see the patterns in
#: ``grammar``.
_NOT_BARE = re.compile(r"[\s()='\"\\]")


def _escape_character(character: str) -> str:
    code = ord(character)
    if code < _LATIN1_END:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < _BMP_END else f"\\U{code:08x}"


def escape(text: str) -> str:
    r"""Make ``text`` fit for a value in double quotes.

    Args:
        text: any text; bytes off the wire are best decoded as Latin-1.

    Returns:
        ``text`` itself if nothing is to be done. Otherwise a quote becomes ``\"``, a backslash
        ``\\`` and what does not print ``\xNN``, ``\uNNNN`` or ``\UNNNNNNNN``.

    Source: lab form; no public log shows how the product escapes.
    """
    if text.isprintable() and '"' not in text and "\\" not in text:
        return text
    return "".join(
        f"\\{c}" if c in '"\\' else c if c.isprintable() else _escape_character(c) for c in text
    )


def _escape_bare(text: str) -> str:
    """Make a name or address fit for an ``[ET_NET n]`` line, where blanks and brackets end it."""
    if text.isprintable() and not _NOT_BARE.search(text):
        return text
    return "".join(
        _escape_character(c) if not c.isprintable() or _NOT_BARE.match(c) else c for c in text
    )


def _escape_wire(data: bytes) -> str:
    """Make bytes off the wire fit for a line of an HTTPMSG block: quotes may stand there."""
    return escape(data.decode("latin-1")).replace('\\"', '"')


class Stamp:
    """The beginnings of the lines of one millisecond.

    Attributes:
        host: time and host name, e.g. ``'2022-07-11T18:55:25.910+02:00 vcsc '``.
        prefix: the same with the process, e.g. ``'... vcsc traffic_server[18242]: '``.
        utc: the time in UTC, e.g. ``'2022-07-11 16:55:25,910'``.
        info: ``prefix`` and the head of an INFO line up to ``Detail``.
        debug: ``prefix`` and the head of a DEBUG line up to ``Detail``.

    Source: Cisco 218018 and 225746 (seen; the colon after ``Level`` is the product's).
    """

    __slots__ = ("debug", "host", "info", "prefix", "utc")

    def __init__(self, host: str, process: str, utc: str) -> None:
        """Render the beginnings.

        Args:
            host: time and host name, ending in a blank.
            process: process and number, ending in a colon and a blank.
            utc: the time in UTC with a comma before the milliseconds.
        """
        self.host = host
        self.prefix = prefix = f"{host}{process}"
        self.utc = utc
        self.info = f'{prefix}UTCTime="{utc}" Module="{MODULE}" Level="INFO": '
        self.debug = f'{prefix}UTCTime="{utc}" Module="{MODULE}" Level="DEBUG": '


class StampSecond:
    """What the stamps of one second have in common, rendered once for all its milliseconds."""

    __slots__ = ("_local", "_process", "_tail", "_utc")

    def __init__(self, epoch_s: int, *, hostname: str, pid: int, offset_minutes: int) -> None:
        """Render date, zone, host and process.

        Args:
            epoch_s: seconds since 1970-01-01 UTC.
            hostname: system host name without blanks, quotes, brackets and colons.
            pid: number of the process.
            offset_minutes: local time less UTC.
        """
        utc = datetime.fromtimestamp(epoch_s, UTC)
        local = utc + timedelta(minutes=offset_minutes)
        hours, minutes = divmod(abs(offset_minutes), 60)
        sign = "-" if offset_minutes < 0 else "+"
        self._local = f"{local:%Y-%m-%dT%H:%M:%S}"
        self._utc = f"{utc:%Y-%m-%d %H:%M:%S}"
        self._tail = f"{sign}{hours:02d}:{minutes:02d} {hostname} "
        self._process = f"{PROCESS}[{pid}]: "

    def at(self, millisecond: int) -> Stamp:
        """Return the stamp of one millisecond, 0 to 999, of this second."""
        return Stamp(
            f"{self._local}.{millisecond:03d}{self._tail}",
            self._process,
            f"{self._utc},{millisecond:03d}",
        )


def make_stamp(epoch_ms: int, *, hostname: str, pid: int, offset_minutes: int) -> Stamp:
    """Render the beginnings of the lines of one millisecond.

    Args:
        epoch_ms: milliseconds since 1970-01-01 UTC.
        hostname: system host name without blanks, quotes, brackets and colons.
        pid: number of the process.
        offset_minutes: local time less UTC.

    Source: Cisco 218018 (seen).
    """
    second, millisecond = divmod(epoch_ms, 1000)
    return StampSecond(second, hostname=hostname, pid=pid, offset_minutes=offset_minutes).at(
        millisecond
    )


# ---- fields that are rendered once and stand in several lines


def tag_fields(txn_id: int, tracking_id: str) -> str:
    """Name the transaction. ``tracking_id`` is escaped by the caller, and may be empty.

    Source: Cisco 225746 (seen).
    """
    return f'Txn-id="{txn_id}" TrackingID="{tracking_id}"'


def src_fields(ip: str, port: int) -> str:
    """Name the peer of a message received. Source: a public log parser for X12.5 (seen)."""
    return f'Src-ip="{ip}" Src-port="{port}"'


def dst_fields(ip: str, port: int) -> str:
    """Name the peer of a message sent. Source: Cisco 225746 (seen)."""
    return f'Dst-ip="{ip}" Dst-port="{port}"'


def rule_fields(rule: str, match: str, kind: str) -> str:
    """Name an allow list rule: its URL, ``exact`` or ``prefix``, its origin; escaped here.

    Source: inferred; Cisco 218018 shows the line, its tail is cut.
    """
    return f'Rule="{escape(rule)}" Match="{escape(match)}" Type="{escape(kind)}"'


# ---- one transaction, in the order of its lines


def receive_request(stamp: Stamp, tag: str, src: str, msg: str) -> str:
    """Say that a request came in; ``msg`` is its first line, escaped by the caller.

    Source: Cisco 218018 shows the line, the wording is a public X12.5 parser's (seen), the fields
    are inferred.
    """
    return f'{stamp.info}{_RECEIVE_REQUEST} {tag} {src} Last-via-addr="" Msg="{msg}"\n'


def request_allowed(
    stamp: Stamp,
    *,
    reason: str,
    username: str,
    deployment: str,
    method: str,
    request: str,
    rule_fields: str,
) -> str:
    """Say that the allow list lets the request pass; values are escaped by the caller.

    Source: Cisco 218018 (``Event`` and the start of ``Detail`` seen, the rest inferred).
    """
    return (
        f'{stamp.prefix}{_ALLOWED} Reason="{reason}" Username="{username}" '
        f'Deployment="{deployment}" Method="{method}" Request="{request}" {rule_fields} '
        f'UTCTime="{stamp.utc}"\n'
    )


def request_denied(
    stamp: Stamp, *, reason: str, username: str, deployment: str, method: str, request: str
) -> str:
    """Say that the allow list stops the request; values are escaped by the caller.

    Source: lab form, by symmetry with :func:`request_allowed`; no public log shows this line.
    """
    return (
        f'{stamp.prefix}{_DENIED} Reason="{reason}" Username="{username}" '
        f'Deployment="{deployment}" Method="{method}" Request="{request}" UTCTime="{stamp.utc}"\n'
    )


def request_failed(stamp: Stamp, *, reason: str, request: str, src: str) -> str:
    """Say that a request names no origin or is refused as HTTP; the caller escapes.

    Source: lab form; no public log shows this line.
    """
    return (
        f'{stamp.prefix}{_FAILED} Reason="{reason}" Request="{request}" {src} '
        f'UTCTime="{stamp.utc}"\n'
    )


def send_request(stamp: Stamp, tag: str, dst: str, msg: str) -> str:
    """Say that a request goes to its origin; ``msg`` is its first line, escaped by the caller.

    Source: Cisco 218018 shows the line, its wording is inferred.
    """
    return f'{stamp.info}{_SEND_REQUEST} {tag} {dst} Msg="{msg}"\n'


def receive_response(stamp: Stamp, tag: str, src: str, msg: str) -> str:
    """Say that an origin answers; ``msg`` is the status line, escaped by the caller.

    Source: Cisco 218018 shows the line, its wording is inferred.
    """
    return f'{stamp.info}{_RECEIVE_RESPONSE} {tag} {src} Msg="{msg}"\n'


def send_response(stamp: Stamp, tag: str, dst: str, msg: str) -> str:
    """Say that an answer goes to the client; ``msg`` is the status line, escaped by the caller.

    Source: Cisco 218018 shows the line (``502 connect failed`` seen), its wording is inferred.
    """
    return f'{stamp.info}{_SEND_RESPONSE} {tag} {dst} Msg="{msg}"\n'


def http_error_response(stamp: Stamp, *, status: int, reason: str, dst: str) -> str:
    """Say that the proxy answers with an error of its own; the caller escapes ``reason``.

    Source: Cisco 117811 (seen for 403 on an Expressway-E; for other codes inferred).
    """
    return f'{stamp.prefix}{_ERROR_RESPONSE} Status="{status}" Reason="{reason}" {dst}\n'


# ---- the TLS layer


def core_verification_failed(
    stamp: Stamp,
    *,
    thread: int,
    name: str,
    action: str,
    error: str,
    server: str,
    ip: str,
    depth: int,
) -> str:
    """Say that an origin's CA chain did not verify.

    Args:
        stamp: when.
        thread: number of the worker.
        name: SNI, or the peer's address if the origin is an IP literal.
        action: ``Terminate`` or ``Continue``.
        error: OpenSSL's text in the release's wording.
        server: the origin's host as the route has it, an IPv6 address in brackets.
        ip: the peer's address.
        depth: 0 is the leaf.

    Source: Cisco 218018 (seen); Apache Traffic Server 9, SSLClientUtils.cc.
    """
    text = CORE_VERIFICATION_FORM.format(
        name=_escape_bare(name),
        action=action,
        error=escape(error),
        server=_escape_bare(server),
        ip=_escape_bare(ip),
        depth=depth,
    )
    return f"{stamp.prefix}[ET_NET {thread}] WARNING: {text}\n"


def sni_not_in_certificate(
    stamp: Stamp, *, thread: int, name: str, action: str, server: str, ip: str
) -> str:
    """Say that a name is not in a certificate; see :func:`core_verification_failed`.

    Source: Cisco 218018 (seen); Apache Traffic Server 9, SSLClientUtils.cc.
    """
    text = NAME_FORM.format(
        name=_escape_bare(name), action=action, server=_escape_bare(server), ip=_escape_bare(ip)
    )
    return f"{stamp.prefix}[ET_NET {thread}] WARNING: {text}\n"


def ssl_connection_failed(stamp: Stamp, *, thread: int, name: str, error: str) -> str:
    """Say that a TLS handshake failed; ``error`` is OpenSSL's, in the release's wording.

    Source: Cisco 218018 (seen); Apache Traffic Server 9, SSLNetVConnection.cc.
    """
    text = CONNECTION_FORM.format(name=_escape_bare(name), error=escape(error))
    return f"{stamp.prefix}[ET_NET {thread}] ERROR: {text}\n"


# ---- DEBUG twins with the whole head of a message


def http_message(start_line: bytes, fields: Sequence[tuple[bytes, bytes]]) -> str:
    """Render the HTTPMSG block of a message's head. Secrets are concealed, a body is never logged.

    Args:
        start_line: request or status line without its line end, not empty.
        fields: name and value of each field, in order, spelling as on the wire.

    Returns:
        The block, from its ``HTTPMSG:`` line to the line with the closing ``|``.

    Source: Cisco 225746 (seen for a request; ``Cookie`` seen concealed, the other three fields
    inferred). The blank before each field is the page's.
    """
    lines = [f"{HTTP_MARKER}:\n|{_escape_wire(start_line)}\n"]
    for name, value in fields:
        if name.lower() in CONCEALED_FIELDS:
            lines.append(f" {_escape_wire(name)}:{CONCEALED}\n")
        else:
            lines.append(f" {_escape_wire(name)}: {_escape_wire(value)}\n")
    lines.append(" \n |\n")
    return "".join(lines)


def debug_message(stamp: Stamp, verb: Verb, tag: str, address_fields: str, block: str) -> str:
    """Show a whole message; ``block`` is :func:`http_message`'s.

    Source: Cisco 225746 (``Sending Request`` seen, with the blank at the line's end), Cisco
    117811 (``Sending Response`` seen); ``Received Request`` and ``Received Response`` are
    inferred.
    """
    return f'{stamp.debug}Detail="{DEBUG_SPELLING[verb]}" {tag} {address_fields} \n{block}'


# ---- beside the transactions


def configuration_changed(
    stamp: Stamp,
    *,
    detail: str,
    node: str = "clusterdb@127.0.0.1",
    process_id: str = "<0.488.0>",
) -> str:
    """Say that a setting was changed; ``detail`` names it as a command does, escaped.

    ``node`` and ``process_id`` (of the configuration database, an Erlang program) are the public
    sample's: the lab has neither. The line carries no process.

    Source: Cisco's guide to CMS WebRTC over Expressway (seen); the detail for VerifyOriginServer
    is inferred.
    """
    return (
        f'{stamp.host}UTCTime="{stamp.utc}" {_CHANGED} Node="{node}" PID="{process_id}" '
        f'Detail="{detail}"\n'
    )


def lines_lost(stamp: Stamp, *, count: int, reason: str) -> str:
    """Say that lines were lost and writing works again; the caller escapes ``reason``.

    Source: lab form.
    """
    return (
        f'{stamp.prefix}{_LOST} Detail="{count} lines not written" Reason="{reason}" '
        f'UTCTime="{stamp.utc}"\n'
    )
