"""Answers of our own: which cause gives which status and phrase, and the bytes of the answer.

*Pure*: no I/O here. One table for causes on the origin's side; requests that we refuse carry their
own status (:class:`Refusal`).

Source: ``502 connect failed`` in Cisco 218018 (seen); 403 with an empty body and ``Connection:
close`` in Cisco 117811 (seen on Expressway-E); the phrases of ``ats`` are those of Apache Traffic
Server 9.2 (observed); all others are inferred from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from mralab.truststore.verdict import Reason

if TYPE_CHECKING:
    from mralab.config.releases import ReleaseProfile


@dataclass(frozen=True, slots=True)
class Refusal:
    """The answer to a request that goes no further."""

    status: int
    phrase: str  #: reason phrase; empty where Traffic Server's is
    reason: Reason
    detail: str  #: one line for the log and for X-Lab-Reason
    close: bool = True  #: whether the client connection ends with it


_BY_CAUSE: Final[dict[Reason, tuple[int, str]]] = {
    Reason.CHAIN_REFUSED: (502, "connect failed"),
    Reason.NAME_REFUSED: (502, "connect failed"),
    Reason.ORIGIN_ALERT: (502, "connect failed"),
    Reason.TLS_ERROR: (502, "connect failed"),
    Reason.CONNECT_REFUSED: (502, "connect failed"),
    Reason.CONNECT_FAILED: (502, "connect failed"),
    Reason.CONNECT_TIMEOUT: (502, "connect failed"),
    Reason.ORIGIN_RESET: (502, "connect failed"),
    Reason.ORIGIN_CLOSED: (502, "connect failed"),
    Reason.NO_RESPONSE: (502, "Malformed Server Response Status"),
    Reason.BAD_RESPONSE: (502, "Invalid HTTP Response"),
    Reason.RESPONSE_TIMEOUT: (504, "Gateway Timeout"),
    Reason.NAME_NOT_RESOLVED: (500, "Cannot find server."),
    Reason.SHUTDOWN: (503, "Service Unavailable"),
}

#: Where stock Traffic Server says something else.
_ATS: Final[dict[Reason, tuple[int, str]]] = {
    Reason.CHAIN_REFUSED: (502, ""),
    Reason.NAME_REFUSED: (502, ""),
    Reason.ORIGIN_ALERT: (502, ""),
    Reason.TLS_ERROR: (502, ""),
    Reason.CONNECT_REFUSED: (502, "Broken pipe"),
    Reason.ORIGIN_RESET: (502, "Connection reset by peer"),
}
_ATS_PLAIN: Final = {Reason.CONNECT_REFUSED: (502, "Connection refused")}


def refusal_for(
    reason: Reason, detail: str, *, profile: ReleaseProfile, scheme: str, close: bool
) -> Refusal:
    """Return the answer for a cause on the origin's side.

    Args:
        reason: the cause.
        detail: one line for people.
        profile: the release in force.
        scheme: the origin's, ``http`` or ``https``: Traffic Server has two words for a refused
            port.
        close: whether the client connection cannot be kept.
    """
    status, phrase = _BY_CAUSE[reason]
    if not profile.is_expressway:
        status, phrase = _ATS.get(reason, (status, phrase))
        if scheme == "http":
            status, phrase = _ATS_PLAIN.get(reason, (status, phrase))
    return Refusal(status, phrase, reason, detail, close)


def bad_request(status: int, detail: str) -> Refusal:
    """Return the answer to HTTP that is refused before any connection to an origin."""
    phrase = {400: "Invalid HTTP Request", 411: "Content Length Required"}.get(status)
    return Refusal(status, phrase or HTTPStatus(status).phrase, Reason.BAD_REQUEST, detail)


def bad_route(detail: str) -> Refusal:
    """Return the answer to a request whose first segment does not decode."""
    return Refusal(400, "Bad Request", Reason.ROUTE_INVALID, detail)


def not_allowed(detail: str) -> Refusal:
    """Return the answer to a request that no allow list rule covers."""
    return Refusal(403, "Forbidden", Reason.NOT_ALLOWED, detail)


#: Page titles of Traffic Server (observed); of the other statuses: the standard's phrase.
_TITLES: Final = {
    Reason.NAME_NOT_RESOLVED: "Unknown Host",
    Reason.NO_RESPONSE: "Web Server Error",
    Reason.BAD_RESPONSE: "Web Server Error",
}
_TITLE_502: Final = "Could Not Connect"
_FIRST_SERVER_ERROR: Final = 500


def _title_of(status: int) -> str:
    return _TITLE_502 if status == HTTPStatus.BAD_GATEWAY else HTTPStatus(status).phrase


def start_line(refusal: Refusal, *, version_1_0: bool) -> str:
    """Return the status line, for the log too; a client of HTTP/1.0 gets its own version."""
    return f"HTTP/1.{0 if version_1_0 else 1} {refusal.status} {refusal.phrase}"


def render_answer(
    refusal: Refusal,
    *,
    line: str,
    date: str,
    server: str,
    keep_alive: bool,
    head_only: bool,
    lab_reason: bool,
) -> bytes:
    """Render an answer of our own.

    Args:
        refusal: what to say.
        line: its :func:`start_line`.
        date: the Date field's value.
        server: the Server field's value.
        keep_alive: whether the client connection is kept.
        head_only: whether the request was HEAD.
        lab_reason: whether to add ``X-Lab-Reason`` with the detail.
    """
    body = b""
    fields = [f"Date: {date}", f"Connection: {'keep-alive' if keep_alive else 'close'}"]
    fields.append(f"Server: {server}")
    if refusal.status >= _FIRST_SERVER_ERROR:
        title = _TITLES.get(refusal.reason) or _title_of(refusal.status)
        body = (
            f"<html><head><title>{title}</title></head>\n<body><h1>{title}</h1>"
            f"<p>{refusal.status} {refusal.phrase}</p></body></html>\n"
        ).encode("ascii")
        fields += [
            "Cache-Control: no-store",
            "Content-Type: text/html",
            "Content-Language: en",
        ]
    if lab_reason:
        printable = "".join(c if " " <= c <= "~" else "?" for c in refusal.detail)
        fields.append(f"X-Lab-Reason: {refusal.reason.value}; {printable}")
    fields.append(f"Content-Length: {len(body)}")
    head = "\r\n".join([line, *fields, "", ""])
    return head.encode("latin-1") + (b"" if head_only else body)
