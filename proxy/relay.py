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

if TYPE_CHECKING:
    from mralab.origin.response import ResponseReader
    from mralab.proxy.request import Request

_LAST_CHUNK: Final = b"0\r\n\r\n"
_CONTROLS: Final = bytes(range(32)) + b"\x7f"
_STATUS_LINES_MAX: Final = 1000
_status_lines: dict[tuple[int, bytes], bytes] = {}


def request_head(request: Request, host_line: bytes, forwarded: ForwardedFields) -> bytes:
    """Render the head that goes to the origin.

    Args:
        request: the client's request; its field list holds no hop-by-hop fields.
        host_line: rest of the request line and the Host field, rendered once per origin.
        forwarded: what this client connection adds.
    """
    parts = [request.method, b" ", request.path, host_line]
    parts += request.fields
    if request.chunked:
        parts.append(b"Transfer-Encoding: chunked\r\n")
    if request.upgrade:
        parts.append(b"Connection: Upgrade\r\nUpgrade: " + request.upgrade + CRLF)
    if not request.client_ip:
        parts.append(forwarded.client_ip)
    if request.forwarded_for:
        parts.append(
            b"X-Forwarded-For: " + request.forwarded_for + b", " + forwarded.address + CRLF
        )
    else:
        parts.append(forwarded.forwarded_for)
    if request.via:
        parts.append(b"Via: " + request.via + b", " + forwarded.via + b"\r\n\r\n")
    else:
        parts.append(forwarded.via_end)
    return b"".join(parts)


class ForwardedFields:
    """The fields one client connection adds to its requests, rendered once."""

    __slots__ = ("address", "client_ip", "forwarded_for", "via", "via_end")

    def __init__(self, address: str, via: bytes) -> None:
        """Render for a client's address and our hop's ``Via`` member."""
        self.address = address.encode("ascii")
        self.client_ip = b"Client-ip: " + self.address + CRLF
        self.forwarded_for = b"X-Forwarded-For: " + self.address + CRLF
        self.via = via
        self.via_end = b"Via: " + via + b"\r\n\r\n"


def status_line(status: int, reason: bytes) -> bytes:
    """Return a status line with its CRLF; control bytes in the phrase are left out."""
    line = _status_lines.get((status, reason))
    if line is None:
        if len(_status_lines) >= _STATUS_LINES_MAX:  # phrases come from origins: bounded
            _status_lines.clear()
        line = b"HTTP/1.1 %d %b\r\n" % (status, reason.translate(None, _CONTROLS))
        _status_lines[(status, reason)] = line
    return line


def line_1_0(line: bytes) -> bytes:
    """Return a status line as a client of HTTP/1.0 gets it."""
    return line.replace(b"HTTP/1.1", b"HTTP/1.0", 1)


def interim_head(response: ResponseReader) -> bytes:
    """Render a 1xx for the client."""
    return b"".join([status_line(response.status, response.reason), *response.fields, CRLF])


def switching_head(response: ResponseReader, protocol: bytes) -> bytes:
    """Render the 101 that opens a tunnel."""
    return b"".join(
        [
            status_line(response.status, response.reason),
            *response.fields,
            b"Connection: Upgrade\r\nUpgrade: ",
            protocol,
            b"\r\n\r\n",
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
    parts = [line]
    parts += response.fields
    if not response.has_date:
        parts.append(date)
    if not response.has_age:
        parts.append(b"Age: 0\r\n")
    if chunk:
        parts.append(b"Transfer-Encoding: chunked\r\n")
    parts.append(b"Connection: keep-alive\r\n\r\n" if keep_alive else b"Connection: close\r\n\r\n")
    return b"".join(parts)


def chunk_of(data: bytes) -> bytes:
    """Return ``data`` as one chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def last_chunk(trailers: list[bytes]) -> bytes:
    """Return the last chunk with its trailer fields."""
    if not trailers:
        return _LAST_CHUNK
    return b"".join([b"0\r\n", *trailers, CRLF])
