"""One client request: what the parser found, and whether it has a single meaning.

Rules: a request is judged once, when its head is complete, before anything is done for it. What
llhttp lets pass is refused here: a wrong number of Hosts, versions other than 1.0 and 1.1,
Transfer-Encoding other than exactly ``chunked``, a POST or PUT without any length, CONNECT. *Pure*.

A head as clients send it (whole, each line in the plain form, no body) is taken apart by lines
(:func:`plain_request`); every other one by llhttp, with the same result.

Source: RFC 9112 sections 3.2, 6.1 and 6.3; the statuses are Apache Traffic Server's (observed).
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as Base64Error
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias

from mralab.origin.fields import (
    HOST_VALUE,
    Kind,
    Shapes,
    drop,
    drop_named,
    kind_of,
    line_of,
    list_members,
    name_of,
    passes_in_trailer,
)
from mralab.proxy.answers import Refusal, bad_request
from mralab.trafficlog.render import escape
from mralab.truststore.verdict import Reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from mralab.config.settings import Limits

_PASS = Kind.PASS
_NEEDS_LENGTH: Final = frozenset({b"POST", b"PUT"})
_COUNTS_HOPS: Final = frozenset({b"OPTIONS", b"TRACE"})
#: Methods that may be sent a second time: they change nothing (RFC 9110 section 9.2.1).
SAFE_METHODS: Final = frozenset({b"GET", b"HEAD", b"OPTIONS"})
#: Methods that may follow on a fresh connection when a kept one turns out to be closed: done twice
#: they do what they do once (RFC 9110 section 9.2.2).
IDEMPOTENT_METHODS: Final = SAFE_METHODS | {b"TRACE", b"PUT", b"DELETE"}
_MAX_LENGTH: Final = 2**63 - 1  # llhttp counts to twice that, origins often do not
_MAX_HOP_DIGITS: Final = 9
_UPGRADABLE: Final = b"websocket"
_USERNAMES_MAX: Final = 256


class Request:
    """What one request says. Filled by the parser's callbacks.

    Defaults stand on the class: a new request stores one attribute instead of twenty.

    Attributes:
        method: as sent; ``method_text`` the same as text.
        url: request target as sent.
        prints: whether nothing in the target needs an escape in log lines.
        path: what goes to the origin, set when the route is known; ``path_text`` the same as text,
            ``path_logged`` as it stands in log lines.
        received: every field as it came, kept for the debug log only.
        fields: lines without Host, hop-by-hop and the fields below.
        forwarded_for: X-Forwarded-For so far.
        via: Via so far.
        client_ip: whether the client sent Client-ip itself.
        authorization: Authorization as sent, for the log's Username.
        tracking_id: TrackingID as sent.
        max_forwards: Max-Forwards as sent.
        upgrade: protocol to switch to, or empty.
        chunked: whether the body comes in chunks.
        length: Content-Length, or -1.
        version_1_0: whether it is HTTP/1.0.
        keep_alive: whether the client connection may serve another request.
        head_complete: whether fields that come now are trailer fields.
        trailers: trailer fields that may be passed on.
    """

    method: bytes = b""
    method_text: str = ""
    path_text: str = ""
    path_logged: str = ""
    prints: bool = False
    received: tuple[tuple[bytes, bytes], ...] = ()
    url: bytes = b""
    path: bytes = b""
    forwarded_for: bytes = b""
    via: bytes = b""
    client_ip: bool = False
    authorization: bytes = b""
    tracking_id: bytes = b""
    max_forwards: bytes = b""
    upgrade: bytes = b""
    chunked: bool = False
    length: int = -1
    version_1_0: bool = False
    keep_alive: bool = True
    head_complete: bool = False
    trailers: tuple[bytes, ...] = ()
    _host: bytes = b""
    _hosts: int = 0
    _connection: bytes = b""
    _transfer_encoding: bytes = b""

    def __init__(self) -> None:
        """Start with an empty field list."""
        self.fields: list[bytes] = []

    def add_field(self, name: bytes, value: bytes) -> None:
        """Take one field, or a trailer field once the head is complete."""
        kind = kind_of(name)
        if self.head_complete:
            if passes_in_trailer(name):
                self.trailers = (*self.trailers, line_of(name, value))
        elif kind is _PASS or _TAKERS[kind](self, value):
            self.fields.append(line_of(name, value))

    def judge(self, method: bytes, version: str, limits: Limits) -> Refusal | None:
        """Complete the head; return why it is refused, if it is.

        Args:
            method: the parser's.
            version: the parser's, ``"1.1"``.
            limits: bounds in force.
        """
        self.method = method
        self.method_text = method.decode("ascii")
        self.head_complete = True
        self.version_1_0 = version == "1.0"
        if version not in {"1.1", "1.0"}:
            return bad_request(505, f"HTTP version {version}")
        if method == b"CONNECT":  # whoever agrees to it opens a tunnel (RFC 9110 section 9.3.6)
            return bad_request(400, "CONNECT is for forward proxies")
        if len(self.url) > limits.max_url_bytes:
            return bad_request(414, f"request target of more than {limits.max_url_bytes} bytes")
        if self._hosts != 1 and not (self.version_1_0 and not self._hosts):
            return bad_request(400, f"{self._hosts or 'no'} Host fields")
        if self._hosts and not HOST_VALUE.fullmatch(self._host):
            return bad_request(400, f"Host {self._host.decode('latin-1')!r}")
        refusal = self._judge_framing() or self._count_hop()
        if refusal is None:
            self._judge_connection()
        return refusal

    @property
    def size(self) -> int:
        """Bytes of the head that were kept: never more than it has."""
        kept = (self.url, self._connection, self.forwarded_for, self.via, self.upgrade)
        return sum(map(len, self.fields)) + sum(map(len, kept))

    def _judge_framing(self) -> Refusal | None:
        encoding = self._transfer_encoding.strip()
        if encoding:
            if self.version_1_0:
                return bad_request(406, "Transfer-Encoding in an HTTP/1.0 request")
            if encoding.lower() != b"chunked":
                return bad_request(501, f"Transfer-Encoding {encoding.decode('latin-1')!r}")
            self.chunked = True
        elif self.length > _MAX_LENGTH:
            return bad_request(400, f"Content-Length {self.length}")
        elif self.length < 0 and self.method in _NEEDS_LENGTH:
            return bad_request(411, f"{self.method_text} without a length")
        return None

    def _count_hop(self) -> Refusal | None:
        """Lower Max-Forwards where it counts (RFC 9110 section 7.6.2)."""
        if not self.max_forwards or self.method not in _COUNTS_HOPS:
            return None
        text = self.max_forwards.strip()
        if not text.isdigit():
            return bad_request(400, f"Max-Forwards {text.decode('latin-1')!r}")
        hops = int(text.lstrip(b"0")[:_MAX_HOP_DIGITS] or b"0")
        if hops == 0:
            return Refusal(200, "OK", Reason.OK, "Max-Forwards: 0 is answered by the proxy")
        names = [name_of(line) for line in self.fields]
        index = [name.lower() for name in names].index(b"max-forwards")
        self.fields[index] = line_of(names[index], b"%d" % (hops - 1))
        return None

    def _judge_connection(self) -> None:
        upgrade, self.upgrade = self.upgrade, b""
        if self.version_1_0:
            drop(self.fields, (b"expect",))  # to be ignored (RFC 9110 section 10.1.1)
        if not self._connection:
            self.keep_alive = not self.version_1_0
            return
        options = list_members(self._connection)
        self.keep_alive = b"close" not in options and (
            not self.version_1_0 or b"keep-alive" in options
        )
        if (
            b"upgrade" in options
            and upgrade.rstrip().lower() == _UPGRADABLE
            and self.method == b"GET"
            and not self.version_1_0
            and not self.has_body
        ):
            self.upgrade = upgrade.rstrip()
            self.keep_alive = False  # what follows is not HTTP, or never comes
        self._drop_named(options)

    def _drop_named(self, options: list[bytes]) -> None:
        """Remove the fields that Connection names, those kept beside the list too."""
        if not drop_named(self.fields, options):
            return
        if b"x-forwarded-for" in options:
            self.forwarded_for = b""
        if b"via" in options:
            self.via = b""
        if b"client-ip" in options:
            self.client_ip = False

    @property
    def has_body(self) -> bool:
        """Whether a body follows the head."""
        return self.chunked or self.length > 0

    def framing_head(self) -> bytes:
        """Return a head that says how this body is delimited, and nothing else."""
        framing = (
            b"Transfer-Encoding: chunked" if self.chunked else b"Content-Length: %d" % self.length
        )
        return b"POST / HTTP/1.1\r\nHost: -\r\n" + framing + b"\r\n\r\n"

    def _take_host(self, value: bytes) -> bool:
        self._host = value
        self._hosts += 1
        return False

    def _take_length(self, value: bytes) -> bool:
        self.length = int(value)
        return True

    def _take_client_ip(self, _value: bytes) -> bool:
        self.client_ip = True
        return True


_Taker: TypeAlias = "Callable[[Request, bytes], bool]"


def _gather(attribute: str, *, passes: bool = False) -> _Taker:
    """Make a taker that joins all values of a list field."""

    def take(request: Request, value: bytes) -> bool:
        before: bytes = getattr(request, attribute)
        setattr(request, attribute, before + b", " + value if before else value)
        return passes

    return take


def _note(attribute: str) -> _Taker:
    """Make a taker that remembers a value and lets the field pass."""

    def take(request: Request, value: bytes) -> bool:
        setattr(request, attribute, value)
        return True

    return take


def _pass_on(_request: Request, _value: bytes) -> bool:
    return True


def _end_here(_request: Request, _value: bytes) -> bool:
    return False


_TAKERS_BY_KIND: Final[dict[Kind, _Taker]] = {
    Kind.ODD: _end_here,  # a line's kind, never a name's
    Kind.PASS: _pass_on,
    Kind.DROP: _end_here,
    Kind.CONTENT_LENGTH: Request._take_length,
    Kind.TRANSFER_ENCODING: _gather("_transfer_encoding"),
    Kind.CONNECTION: _gather("_connection"),
    Kind.HOST: Request._take_host,
    Kind.FORWARDED_FOR: _gather("forwarded_for"),
    Kind.VIA: _gather("via"),
    Kind.CLIENT_IP: Request._take_client_ip,
    Kind.UPGRADE: _gather("upgrade"),
    Kind.AUTHORIZATION: _note("authorization"),
    Kind.TRACKING_ID: _note("tracking_id"),
    Kind.MAX_FORWARDS: _gather("max_forwards", passes=True),
    Kind.EXPECT: _pass_on,
    Kind.DATE: _pass_on,
    Kind.AGE: _pass_on,
    Kind.KEEP_ALIVE: _end_here,  # a line's kind, too
}
#: What becomes of a field of each kind, by the kind's number: whether it passes on as it is.
_TAKERS: Final = tuple(_TAKERS_BY_KIND[kind] for kind in Kind)


@lru_cache(maxsize=_USERNAMES_MAX)  # a client sends the same with each of its requests
def username_of(authorization: bytes) -> str:
    """Return the user of Basic credentials as it stands in log lines; empty if there is none."""
    scheme, _, credentials = authorization.partition(b" ")
    if scheme.lower() != b"basic":
        return ""
    try:
        name = b64decode(credentials.strip(), validate=True).partition(b":")[0]
    except (Base64Error, ValueError):
        return ""
    return escape(name.decode("utf-8", "replace"))


#: What a plain request asks for: nothing that has a body or another rule of its own, and nothing
#: that a log line would have to escape.
_PLAIN_START: Final = re.compile(
    rb"(GET|HEAD|DELETE) ((?:http://[A-Za-z0-9._-]+(?::[0-9]+)?)?/[!$-\[\]-~]*) HTTP/1\.1"
)
_METHODS: Final = {b"GET": "GET", b"HEAD": "HEAD", b"DELETE": "DELETE"}
#: Lines of a plain request whose value is noted, at most one of each: where, and behind what.
_NOTED: Final = {
    Kind.FORWARDED_FOR: ("forwarded_for", len(b"X-Forwarded-For: ")),
    Kind.VIA: ("via", len(b"Via: ")),
    Kind.AUTHORIZATION: ("authorization", len(b"Authorization: ")),
    Kind.TRACKING_ID: ("tracking_id", len(b"TrackingID: ")),
}
_ONCE: Final = (Kind.CLIENT_IP, *_NOTED)
#: Lines of a plain request that do not pass on as they are.
_ENDING: Final = frozenset({Kind.HOST, Kind.FORWARDED_FOR, Kind.VIA, Kind.KEEP_ALIVE})
#: Kinds of lines that a plain request may have beside one Host.
_PLAIN_KINDS: Final = _ENDING | {Kind.PASS, Kind.DATE, Kind.AGE, *_ONCE}


#: What to do with the lines of all requests of one shape: which are noted (index, as what, behind
#: what), whether there is a Client-ip, which end here (from the last to the first).
_Shape: TypeAlias = tuple[tuple[tuple[int, str, int], ...], bool, tuple[int, ...]]


def plain_request(head: bytes, limits: Limits) -> Request | None:
    """Read and judge a whole head in the plain form, in one go.

    Args:
        head: from the request line to before the empty line, line ends in between.
        limits: bounds in force.

    Returns:
        What :meth:`Request.judge` would have let pass with the same result; None if llhttp has to
        look at it.
    """
    lines = head.split(b"\r\n")
    start = _PLAIN_START.fullmatch(lines.pop(0))
    if (
        start is None
        or len(lines) > limits.max_header_fields
        or len(head) > limits.max_header_bytes
    ):
        return None
    method, url = start.groups()
    shape = _shapes.of(lines)
    if shape is None or len(url) > limits.max_url_bytes:
        return None
    request = Request()
    request.method, request.method_text, request.url = method, _METHODS[method], url
    request.prints = request.head_complete = True
    noted, request.client_ip, ending = shape
    for index, attribute, begin in noted:
        setattr(request, attribute, lines[index][begin:])
    for index in ending:
        del lines[index]
    request.fields = lines
    return request


def _look_at_shape(kinds: tuple[Kind, ...]) -> _Shape | None:
    """Return what is to be done with a shape; nothing if llhttp has to look at it."""
    if (
        not _PLAIN_KINDS.issuperset(kinds)
        or kinds.count(Kind.HOST) != 1
        or any(kinds.count(kind) > 1 for kind in _ONCE)
    ):
        return None
    noted = tuple((index, *_NOTED[kind]) for index, kind in enumerate(kinds) if kind in _NOTED)
    ending = tuple(index for index, kind in enumerate(kinds) if kind in _ENDING)[::-1]
    return noted, Kind.CLIENT_IP in kinds, ending


_shapes: Final = Shapes(_look_at_shape)
