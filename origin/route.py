"""Where a request goes: ``/<base64 of domain/protocol/host/port>/rest`` to :class:`OriginRoute`.

*Pure*: bytes in, values out, :class:`~mralab.errors.RouteError` for all that is not a route. Rules:

* A route that exists is valid: the checks stand in :class:`OriginRoute` and nowhere else.
* A segment has one spelling per route, up to padding and percent-encoding: the base64 text may use
  either alphabet but not both, ``=`` padding may be missing but not wrong, unused bits are zero.
  (No valid route needs ``+``, ``/``, ``-`` or ``_``: in base64 these only stand for characters
  that no domain or host may hold.)
* ``%XX`` is undone once before base64, since ``%3D`` and ``=`` mean the same in a path (RFC 3986,
  section 6.2.2). A second layer of it is foreign to base64.
* The host is kept exactly as written (case, final dot, spelling of an IPv6 address): it becomes the
  requested server name. Only brackets around an IPv6 address are dropped. The domain is folded to
  lower case.
* An address is an address literal in its one usual form or it is refused: ``127.1``, ``0x7f.1``,
  ``010.0.0.1`` and the like never reach a resolver that would understand them.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Literal, cast
from urllib.parse import unquote_to_bytes

from mralab.errors import RouteError

Scheme = Literal["http", "https"]

#: Longest segment looked at: twice what the longest valid route needs. Lab default.
MAX_SEGMENT_BYTES = 2048
_MAX_NAME = 253  # characters of a DNS name without its final dot (RFC 1035, 2.3.4)
_MAX_PORT = 65535
_PARTS = 4  # domain, protocol, host, port
_CACHED_ROUTES = 4096
_SHOWN = 80  # characters of a value in a message

_TARGET = re.compile(
    rb"(?:[Hh][Tt][Tt][Pp][Ss]?://([^/?#\x00-\x20\x7f]*))?"
    rb"/([^/?#\x00-\x20\x7f]*)([^#\x00-\x20\x7f]*)"
)
_NOT_IN_TARGET = re.compile(rb"[\x00-\x20\x7f#]")
_AUTHORITY = re.compile(rb"(?:\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{0,5})?", re.IGNORECASE)
_PERCENT = re.compile(rb"%(?![0-9a-f]{2})", re.IGNORECASE)
_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]*|[A-Za-z0-9_-]*)(?P<padding>=*)")
_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
# Underscores are not in RFC 952, but hosts with them exist and can be reached.
_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
# How browsers tell that an IPv4 address was meant (WHATWG URL, "ends in a number").
_NUMERIC_LABEL = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")
_PORT = re.compile(r"[1-9][0-9]{0,4}")


@dataclass(frozen=True, slots=True)
class OriginRoute:
    """Where one MRA request goes. Making one checks it.

    Attributes:
        domain: MRA domain, lower case, e.g. ``steven.lab``.
        scheme: ``http`` or ``https``.
        host: name or IP literal exactly as advertised by the node; IPv6 without brackets.
        port: 1 to 65535.
        is_ip: whether ``host`` is an IP literal.
        canonical_host: what ``host`` is compared as: lower case without final dot, or the short
            form of the address.
        authority: ``host:port`` as written, an IPv6 host in brackets; the origin's Host field.
        base_url: ``https://host:port``, for log lines and rules.
        sni: server name to ask for, as written; ``None`` for an IP literal (RFC 6066, 3).

    Raises:
        RouteError: a part is not acceptable; the message says which and why.

    Source: form and sample in Cisco 218018 (seen); which texts are refused is a lab default.
    """

    domain: str
    scheme: Scheme
    host: str
    port: int
    is_ip: bool = field(init=False, compare=False)
    canonical_host: str = field(init=False, compare=False)
    authority: bytes = field(init=False, compare=False)
    base_url: str = field(init=False, compare=False)
    sni: bytes | None = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Check the parts and compute what is derived from them."""
        if self.scheme not in ("http", "https"):
            raise RouteError(f"protocol {_show(self.scheme)} is not http or https")
        if not 1 <= self.port <= _MAX_PORT:
            raise RouteError(f"port {self.port} is not between 1 and {_MAX_PORT}")
        _check_name(self.domain, "domain")
        host = self.host
        if host.startswith("[") and host.endswith("]") and ":" in host:
            host = host[1:-1]
        canonical = canonical_host(host)
        address = _address(host)
        written = f"[{host}]" if isinstance(address, IPv6Address) else host
        derived = {
            "domain": self.domain.lower(),
            "host": host,
            "is_ip": address is not None,
            "canonical_host": canonical,
            "authority": f"{written}:{self.port}".encode("ascii"),
            "base_url": f"{self.scheme}://{written}:{self.port}",
            "sni": None if address else host.encode("ascii"),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    @property
    def text(self) -> str:
        """``domain/protocol/host/port``: what the segment says in clear."""
        return f"{self.domain}/{self.scheme}/{self.host}/{self.port}"


def split_target(target: bytes) -> tuple[bytes, bytes]:
    """Split a request target into the route's segment and what is left for the origin.

    Args:
        target: origin form (``/<segment>/rest?query``) or absolute form
            (``http://any-host/<segment>/rest?query``), whose host has no influence.

    Returns:
        The segment, not decoded and never empty, and the origin's target: it starts with ``/`` and
        is otherwise unchanged, byte for byte (``/`` alone if nothing follows the segment).

    Raises:
        RouteError: another form (``*``, ``host:port``), a fragment, a blank or control byte, an
            unusable authority, or no segment.

    Source: Cisco 218018 (absolute form, seen).
    """
    parts = _TARGET.fullmatch(target)
    if parts is None:
        if _NOT_IN_TARGET.search(target):
            fault = "a fragment, blank or control byte"
            raise RouteError(f"request target {_show(target)} has {fault}")
        raise RouteError(f"request target {_show(target)} is neither a path nor an http URL")
    authority, segment, rest = parts.groups()
    if authority is not None and _AUTHORITY.fullmatch(authority) is None:
        fault = "user information" if b"@" in authority else "no usable host"
        raise RouteError(f"request target {_show(target)} has {fault} in its authority")
    if not segment:
        raise RouteError(f"request target {_show(target)} has an empty first path segment")
    return segment, rest if rest.startswith(b"/") else b"/" + rest


@lru_cache(maxsize=_CACHED_ROUTES)
def decode_segment(segment: bytes) -> OriginRoute:
    """Decode the first path segment of an MRA request.

    Args:
        segment: base64 of ``domain/protocol/host/port``, within the module's rules.

    Returns:
        The route; ``encode_segment`` of its parts gives the segment back, without padding.

    Raises:
        RouteError: the segment is not a route. The message gives the reason in words and never
            more than the beginning of a long value.

    Source: Cisco 218018 and 212180 (samples, seen: unpadded, both protocols); how much is
    tolerated beyond them is a lab default.
    """
    text = _text_of(_base64_of(segment))
    parts = text.split("/")
    if len(parts) == 1:
        raise RouteError(
            f"{_show(text)} is a domain only: that form is for the edge configuration service",
            hint="the traffic server relays segments of the form domain/protocol/host/port",
        )
    if len(parts) != _PARTS:
        raise RouteError(f"{_show(text)} has {len(parts)} parts, not domain/protocol/host/port")
    domain, scheme, host, port = parts
    if _PORT.fullmatch(port) is None:
        raise RouteError(f"port {_show(port)} is not a plain number between 1 and 65535")
    return OriginRoute(domain, cast("Scheme", scheme), host, int(port))


def encode_segment(domain: str, scheme: str, host: str, port: int) -> str:
    """Encode a route as the first path segment: URL-safe base64 without padding.

    Args:
        domain: MRA domain, any case.
        scheme: ``http`` or ``https``.
        host: name or IP literal; IPv6 with or without brackets.
        port: 1 to 65535.

    Returns:
        The segment; ``decode_segment`` gives the same parts.

    Raises:
        RouteError: a part is not acceptable.

    Source: Cisco 218018 and 212180 (samples without padding, seen); the alphabet never shows.
    """
    route = OriginRoute(domain, cast("Scheme", scheme), host, port)
    encoded = binascii.b2a_base64(route.text.encode("ascii"), newline=False)
    return encoded.rstrip(b"=").decode("ascii")


def canonical_host(host: str) -> str:
    """Return what a host is compared as: two spellings of one host give one text.

    Args:
        host: name or IP literal; IPv6 without brackets.

    Returns:
        A name in lower case without its final dot, or the short form of an address.

    Raises:
        RouteError: neither a DNS name nor an IP literal in its usual form.
    """
    address = _address(host)
    if address is not None:
        return str(address)
    _check_name(host, "host")
    return host.lower().removesuffix(".")


def _base64_of(segment: bytes) -> bytes:
    """Undo percent-encoding and base64, refusing every second spelling."""
    if len(segment) > MAX_SEGMENT_BYTES:
        raise RouteError(f"segment of {len(segment)} bytes is longer than {MAX_SEGMENT_BYTES}")
    if _PERCENT.search(segment):
        raise RouteError(f"segment {_show(segment)} has a broken percent-escape")
    encoded = unquote_to_bytes(segment)
    form = _BASE64.fullmatch(encoded)
    if form is None:
        raise RouteError(f"segment {_show(segment)} is not base64 in one alphabet")
    bare = encoded[: form.start("padding")].translate(_TO_STANDARD)
    if len(bare) % 4 == 1:
        raise RouteError(f"segment {_show(segment)} has a length that no base64 text has")
    missing = -len(bare) % 4
    if form["padding"] and len(form["padding"]) != missing:
        raise RouteError(f"segment {_show(segment)} has wrong base64 padding")
    decoded = binascii.a2b_base64(bare + b"=" * missing)
    if binascii.b2a_base64(decoded, newline=False).rstrip(b"=") != bare:
        raise RouteError(f"segment {_show(segment)} ends in left-over bits: it was cut or changed")
    return decoded


def _text_of(decoded: bytes) -> str:
    """Return the decoded bytes as text, if they are printable ASCII without blanks."""
    try:
        text = decoded.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise RouteError(f"decoded segment {_show(decoded)} is not UTF-8") from exc
    if not text:
        raise RouteError("segment decodes to nothing")
    if not text.isascii():
        raise RouteError(
            f"decoded segment {_show(text)} is not ASCII",
            hint="write an internationalised name in its xn-- form",
        )
    if not text.isprintable():
        raise RouteError(f"decoded segment {_show(text)} has a control character")
    if " " in text:
        raise RouteError(f"decoded segment {_show(text)} has a blank")
    return text


def _address(host: str) -> IPv4Address | IPv6Address | None:
    """Return the address that ``host`` is a literal of, ``None`` if it must be a name."""
    if "%" in host:
        raise RouteError(f"host {_show(host)} has a zone id or a percent-escape")
    try:
        return ip_address(host)
    except ValueError:
        return None


def _check_name(name: str, what: str) -> None:
    """Refuse what is not a DNS name in letters, digits, hyphens and underscores."""
    if not name:
        raise RouteError(f"{what} is empty")
    if "@" in name:
        raise RouteError(f"{what} {_show(name)} has user information")
    labels = name.removesuffix(".").split(".")
    if len(name.removesuffix(".")) > _MAX_NAME:
        raise RouteError(f"{what} {_show(name)} is longer than {_MAX_NAME} characters")
    if any(_LABEL.fullmatch(label) is None for label in labels):
        raise RouteError(f"{what} {_show(name)} is not a DNS name or an IP address")
    if _NUMERIC_LABEL.fullmatch(labels[-1]):
        raise RouteError(f"{what} {_show(name)} is not an IP address in its usual form")


def _show(value: str | bytes) -> str:
    """Quote a value for a message: one line, its beginning if it is long."""
    cut = ascii(value[:_SHOWN]).removeprefix("b")
    return cut if len(value) <= _SHOWN else cut + "..."
