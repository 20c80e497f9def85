"""What a case puts in front of the servers: certificates, the origin's script, the requests.

*Pure*: plain values.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tests.differential.certificates import Certificate


class Act(Enum):
    """What an origin does instead of going on."""

    CLOSE = auto()  #: end the connection in order
    RESET = auto()  #: end it by RST
    SILENCE = auto()  #: say nothing, keep it open


ANSWER: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n"
    b"Connection: close\r\n\r\norigin"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """How an origin treats one connection. Bytes are sent as they are, then it closes."""

    raw: bool = False  #: send ServerHello and Certificate of TLS 1.2 only, whatever stands in them
    on_accept: Act | bytes | None = None
    on_hello: Act | bytes | None = None  #: at the first bytes of the client
    on_request: Act | bytes = ANSWER  #: when a request is complete
    on_established: Act | bytes | None = None  #: right after the handshake
    min_tls: int = 0x0303
    max_tls: int = 0x0304
    ciphers: str = "ALL"
    suites_1_3: str = ""  #: suites of TLS 1.3, default OpenSSL's
    ask_client: str = ""  #: "", ``optional`` or ``required``
    sent: tuple[Certificate, ...] = ()  #: instead of the world's certificates


@dataclass(frozen=True, slots=True)
class Request:
    """One request of the client; each on its own connection."""

    method: str = "GET"
    body: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """One origin, what is trusted, and what is asked of it."""

    sent: tuple[Certificate, ...] = ()  #: leaf first; its key is the origin's
    trusted: tuple[Certificate, ...] = ()  #: appended to the trust list of both servers, in order
    host: str = ""  #: as in the URL, IPv6 without brackets; default: the place's own name
    address: str = ""  #: where the origin listens; default: the place's own address
    scheme: str = "https"
    scripts: tuple[Script, ...] = (Script(),)  #: by connection; the last one for all further ones
    requests: tuple[Request, ...] = (Request(),)
    retries: int | None = None  #: default: each server's own
    listening: bool = True  #: False: nobody listens on the port
    resolvable: bool = True  #: False: the host has no address
