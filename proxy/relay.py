"""What the proxy changes in a message that it passes on.

Rules: the path's bytes, field order, spelling and values stay; ``Host`` is the decoded origin's
authority whatever the client sent; hop-by-hop fields end here; ``Client-ip``, ``X-Forwarded-For``
and ``Via`` are added behind the client's fields as Expressway does; nothing that changes meaning is
added. *Pure*: bytes in, bytes out.

Source: RFC 9110 section 7.6 and RFC 9112; order and form of the added fields in Cisco 225746
(seen).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mralab.origin.fields import CRLF
from mralab.trafficlog.render import escape

if TYPE_CHECKING:
    from mralab.origin.response import ResponseReader
    from mralab.origin.wire import Data
    from mralab.proxy.request import Request

_LAST_CHUNK: Final = b"0\r\n\r\n"
_CONTROLS: Final = bytes(range(32)) + b"\x7f"
_STATUS_LINES_MAX: Final = 1000
_HEAD_END: Final = b"\r\n\r\n"
_KEPT: Final = b"Connection: keep-alive\r\n\r\n"
_CLOSED: Final = b"Connection: close\r\n\r\n"
_status_lines: dict[tuple[int, bytes], StatusLine] = {}


def request_head(request: Request, host_lines: bytes, forwarded: ForwardedFields) -> bytes:
    """Render the head that goes to the origin.

    Args:
        request: the client's request; its field list holds no hop-by-hop fields.
        host_lines: rest of the request line and the Host field, rendered once per origin.
        forwarded: what this client connection adds.
    """
    parts = [request.method + b" " + request.path + host_lines, *request.fields]
    if request.chunked:
        parts.append(b"Transfer-Encoding: chunked")
    if request.upgrade:
        parts += (b"Connection: Upgrade", b"Upgrade: " + request.upgrade)
    if not request.client_ip:
        parts.append(forwarded.client_ip)
    if request.forwarded_for:
        parts.append(b"X-Forwarded-For: " + request.forwarded_for + b", " + forwarded.address)
    else:
        parts.append(forwarded.forwarded_for)
    if request.via:
        parts.append(b"Via: " + request.via + b", " + forwarded.via + _HEAD_END)
    else:
        parts.append(forwarded.via_end)
    return CRLF.join(parts)


class ForwardedFields:
    """The fields one client connection adds to its requests, rendered once."""

    __slots__ = ("address", "client_ip", "forwarded_for", "via", "via_end")

    def __init__(self, address: str, via: bytes) -> None:
        """Render for a client's address and our hop's ``Via`` member."""
        self.address = address.encode("ascii")
        self.client_ip = b"Client-ip: " + self.address
        self.forwarded_for = b"X-Forwarded-For: " + self.address
        self.via = via
        self.via_end = b"Via: " + via + _HEAD_END


class StatusLine:
    """A status line, rendered once: as it is sent, and as it stands in the log."""

    __slots__ = ("line", "text")

    def __init__(self, status: int, reason: bytes) -> None:
        """Render; control bytes in the phrase are left out."""
        self.line = b"HTTP/1.1 %d %b" % (status, reason.translate(None, _CONTROLS))
        self.text = escape(self.line.decode("latin-1"))


def status_line(status: int, reason: bytes) -> StatusLine:
    """Return a status line."""
    line = _status_lines.get((status, reason))
    if line is None:
        if len(_status_lines) >= _STATUS_LINES_MAX:  # phrases come from origins: bounded
            _status_lines.clear()
        line = _status_lines[(status, reason)] = StatusLine(status, reason)
    return line


def line_1_0(line: bytes) -> bytes:
    """Return a status line as a client of HTTP/1.0 gets it."""
    return line.replace(b"HTTP/1.1", b"HTTP/1.0", 1)


def interim_head(response: ResponseReader) -> bytes:
    """Render a 1xx for the client."""
    line = status_line(response.status, response.reason).line
    return CRLF.join([line, *response.fields, CRLF])


def switching_head(response: ResponseReader, protocol: bytes) -> bytes:
    """Render the 101 that opens a tunnel."""
    return CRLF.join(
        [
            status_line(response.status, response.reason).line,
            *response.fields,
            b"Connection: Upgrade",
            b"Upgrade: " + protocol + _HEAD_END,
        ]
    )


def response_head(
    response: ResponseReader, *, line: bytes, chunk: bool, keep_alive: bool, date: bytes
) -> bytes:
    """Render the final head for the client.

    Args:
        response: the origin's head, hop-by-hop fields left out.
        line: the status line.
        chunk: whether the body goes to the client in chunks.
        keep_alive: whether the client connection is kept.
        date: a Date field, used if the origin sent none.
    """
    parts = [line, *response.fields]
    if not response.has_date:
        parts.append(date)
    if not response.has_age:
        parts.append(b"Age: 0")
    if chunk:
        parts.append(b"Transfer-Encoding: chunked")
    parts.append(_KEPT if keep_alive else _CLOSED)
    return CRLF.join(parts)


def chunk_of(data: Data) -> bytes:
    """Return ``data`` as one chunk."""
    return b"".join((b"%x\r\n" % len(data), data, CRLF))


def last_chunk(trailers: tuple[bytes, ...]) -> bytes:
    """Return the last chunk with its trailer fields."""
    if not trailers:
        return _LAST_CHUNK
    return CRLF.join([b"0", *trailers, CRLF])
