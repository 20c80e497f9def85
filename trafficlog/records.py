"""What a parsed log line says, as frozen records.

Rules: values are unescaped and otherwise as written (blanks inside quotes kept, masked addresses
kept); what a line does not say is ``""`` or ``None``; two records are equal when they say the
same, wherever they stood. *Pure*: no I/O here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC
from typing import TYPE_CHECKING

from mralab.trafficlog.grammar import HTTP_MARKER

if TYPE_CHECKING:
    from datetime import datetime

    from mralab.trafficlog.grammar import Verb


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Where and when a line was written."""

    time: datetime | None = None  #: the prefix's local time; naive if it states no offset
    host: str = ""  #: system host name, not an FQDN
    process: str = ""  #: e.g. "traffic_server"; lines of the configuration database have none
    pid: int | None = None
    utc: datetime | None = (
        None  #: ``UTCTime``, aware; may differ from the prefix by some milliseconds
    )
    line: int = field(
        default=0, compare=False
    )  #: number of the first line in its log, from 1; 0 if unknown
    text: str = field(
        default="", compare=False, repr=False
    )  #: as it stood, without the last line end

    @property
    def when(self) -> datetime | None:
        """Time in UTC: ``UTCTime``, else the prefix if it states its offset, else ``None``."""
        if self.utc is not None:
            return self.utc
        if self.time is not None and self.time.tzinfo is not None:
            return self.time.astimezone(UTC)
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A whole HTTP (or SIP) message from a DEBUG block."""

    start_line: str
    fields: tuple[tuple[str, str], ...] = ()  #: name and value, in order, spelling kept
    body: str = ""  #: lines joined by a newline, without blanks and empty lines at the end
    kind: str = HTTP_MARKER  #: the block's opening word: "HTTPMSG" or "SIPMSG"

    def get(self, name: str) -> str | None:
        """The value of the first field called ``name`` in any case, or ``None``."""
        wanted = name.lower()
        return next((value for key, value in self.fields if key.lower() == wanted), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionLine:
    """A request or answer received or sent: INFO (``msg``) or DEBUG (``message``)."""

    head: Head
    verb: Verb
    level: str = ""  #: "INFO" or "DEBUG"
    txn_id: int | None = None
    tracking_id: str = ""  #: UUID; often empty on the lines of an answer
    ip: str = ""  #: the peer: ``Src-ip`` of what was received, ``Dst-ip`` of what was sent
    port: int | None = None
    last_via_addr: str = ""
    msg: str | None = None  #: first line of the HTTP message; ``None`` on DEBUG lines
    message: Message | None = None  #: the whole message; ``None`` on INFO lines


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestAllowed:
    """The allow list has a rule for the request."""

    head: Head
    reason: str = ""
    username: str = ""
    deployment: str = ""
    method: str = ""
    request: str = ""  #: URL of the origin
    rule: str = ""
    match: str = ""  #: "exact" or "prefix"
    kind: str = ""  #: ``Type``: where the rule comes from


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestDenied:
    """The allow list has no rule for the request."""

    head: Head
    reason: str = ""
    username: str = ""
    deployment: str = ""
    method: str = ""
    request: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFailed:
    """A request that was refused before the allow list was asked."""

    head: Head
    reason: str = ""
    request: str = ""
    ip: str = ""
    port: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpErrorResponse:
    """The proxy answers with an error of its own."""

    head: Head
    status: int | None = None
    reason: str = ""
    ip: str = ""
    port: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreVerificationFailed:
    """An origin's CA chain did not verify."""

    head: Head
    thread: int
    name: str  #: SNI; the peer's address if the origin is an IP literal
    action: str  #: "Terminate" or "Continue"
    error: str  #: OpenSSL's text
    server: str  #: the origin's host as the route has it
    ip: str  #: the peer's address
    depth: int  #: 0 is the leaf


@dataclass(frozen=True, slots=True, kw_only=True)
class SniNotInCertificate:
    """The requested name is not in an origin's certificate."""

    head: Head
    thread: int
    name: str
    action: str
    server: str
    ip: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SslConnectionFailed:
    """A TLS handshake with an origin failed."""

    head: Head
    thread: int
    name: str
    error: str  #: OpenSSL's, e.g. "error:1416F086:SSL routines:...:certificate verify failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadMessage:
    """Any other line of a network thread of the traffic server."""

    head: Head
    thread: int
    level: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationChanged:
    """A setting was changed in the configuration database."""

    head: Head
    node: str = ""
    process_id: str = ""  #: Erlang process, e.g. "<0.488.0>"
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldLine:
    """Any other line of ``Key="value"`` fields, of whichever process."""

    head: Head
    fields: tuple[tuple[str, str], ...]  #: in order, the values as written
    message: Message | None = None

    def get(self, key: str) -> str:
        """The value of the first field called ``key``, without blanks at its ends, or ``""``.

        Documents show blanks just inside the quotes where the page had bold text; here they are
        dropped.
        """
        return next((value.strip() for name, value in self.fields if name == key), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownLine:
    """A line in no form of the log."""

    text: str
    line: int = field(default=0, compare=False)  #: number in its log, from 1; 0 if unknown


LogRecord = (
    TransactionLine
    | RequestAllowed
    | RequestDenied
    | RequestFailed
    | HttpErrorResponse
    | CoreVerificationFailed
    | SniNotInCertificate
    | SslConnectionFailed
    | ThreadMessage
    | ConfigurationChanged
    | FieldLine
    | UnknownLine
)
