"""Verdicts: what is true of an origin's certificate, and how each release words it.

A verdict is a value, never an exception. Codes are OpenSSL's X509_V_ERR numbers as the *running*
library gives them; :func:`wording_of` turns a code into the text and code that a release's log
shows. *Pure*: no I/O here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from mralab.config.releases import ErrorWording
from mralab.truststore.wording import (
    TLS_COMMON_REASONS,
    TLS_FUNCTIONS,
    TLS_NEWER_TEXTS,
    TLS_REASONS,
    X509_CODES_1_1_1,
    X509_TEXTS_1_1_1,
    X509_TEXTS_3,
    X509_UNKNOWN,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

#: Number of OpenSSL's TLS library in error codes; version 3 moved the library's place from bit 24
#: to bit 23.
_LIB_SSL: Final = 20
_SSL_ROUTINES: Final = "SSL routines"
#: Reason numbers from here on are alerts of the other side: 1000 and the alert's number.
_ALERT_REASONS: Final = 1000


class Reason(Enum):
    """Why a transaction ended as it did: the closed list of the JSON log's ``reason``."""

    __hash__ = object.__hash__  # of members, who are single; Enum's own is Python code

    OK = "ok"
    CHAIN_REFUSED = "chain-refused"  #: the CA chain did not verify
    NAME_REFUSED = "name-refused"  #: the requested name is not in the certificate
    ORIGIN_ALERT = "origin-alert"  #: the origin ended the handshake with an alert
    TLS_ERROR = "tls-error"  #: the handshake failed otherwise
    CONNECT_REFUSED = "connect-refused"
    CONNECT_FAILED = "connect-failed"  #: unreachable and the like
    CONNECT_TIMEOUT = "connect-timeout"
    ORIGIN_RESET = "origin-reset"
    ORIGIN_CLOSED = "origin-closed"  #: closed in the handshake
    NO_RESPONSE = "no-response"  #: closed after the request without a byte
    BAD_RESPONSE = "bad-response"  #: not HTTP, or framing that has no single meaning
    RESPONSE_TIMEOUT = "response-timeout"
    RESPONSE_CUT = "response-cut"  #: the origin closed inside the body
    NAME_NOT_RESOLVED = "name-not-resolved"
    ROUTE_INVALID = "route-invalid"  #: the first path segment does not decode
    NOT_ALLOWED = "not-allowed"  #: no allow list rule
    BAD_REQUEST = "bad-request"  #: HTTP that we refuse
    CLIENT_GONE = "client-gone"  #: the client closed before its answer was complete
    SHUTDOWN = "shutdown"  #: the proxy ended before the answer was complete


class Action(Enum):
    """What is done about a fault; the value is the log's ``Action=`` word."""

    TERMINATE = "Terminate"  #: end the handshake with a fatal alert
    CONTINUE = "Continue"  #: log the fault and go on


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What the logs and reports tell of one certificate. Plain values, safe to keep."""

    subject: str  #: RFC 4514 text, e.g. ``CN=cucm-EC.steven.lab,O=lab``
    issuer: str
    serial: str  #: hex, upper case
    not_before: datetime  #: aware, UTC
    not_after: datetime  #: aware, UTC
    sans: tuple[
        str, ...
    ]  #: ``DNS:cucm.steven.lab``, ``IP:10.48.36.215``, in the certificate's order
    key: str  #: ``RSA 2048``, ``EC secp384r1``
    signature: str  #: ``sha256WithRSAEncryption``, ``ecdsa-with-SHA384``
    sha256: str  #: fingerprint, upper case hex with colons
    self_issued: bool  #: subject equals issuer

    def as_json(self) -> dict[str, object]:
        """Return the facts as plain values for JSON; keys as in the JSON log."""
        return {
            "subject": self.subject,
            "issuer": self.issuer,
            "serial": self.serial,
            "not_before": self.not_before.isoformat(),
            "not_after": self.not_after.isoformat(),
            "sans": list(self.sans),
            "key": self.key,
            "signature": self.signature,
            "sha256": self.sha256,
        }


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with the presented chain or name, as the verify callback saw it."""

    reason: Reason  #: CHAIN_REFUSED or NAME_REFUSED
    code: int  #: X509_V_ERR number in the release's own numbering; 62 or 64 for a name
    text: str  #: the release's wording, "" for a name fault
    depth: int  #: 0 is the leaf


def wording_of(code: int, wording: ErrorWording) -> tuple[int, str]:
    """Return a release's number and text for an X509_V_ERR number of the running OpenSSL.

    Args:
        code: the number the verify callback got.
        wording: whose numbers and texts are wanted.

    Returns:
        Number and text. A fault that 1.1.1 cannot report keeps number and text of version 3; a
        number no version has gets OpenSSL's text for unknown ones.

    Source: the texts of both libraries (seen); see :mod:`mralab.truststore.wording`.
    """
    if wording is ErrorWording.OPENSSL_1_1_1:
        code = X509_CODES_1_1_1.get(code, code)
        text = X509_TEXTS_1_1_1.get(code)
        if text is not None:
            return code, text
    return code, X509_TEXTS_3.get(code, X509_UNKNOWN)


def tls_error_text(errors: Sequence[tuple[str, str, str]], wording: ErrorWording) -> str:
    """Render an OpenSSL error queue as the one line that follows ``SSL connection failed for``.

    Args:
        errors: ``(library, function, reason)`` per entry, oldest first: ``args[0]`` of pyOpenSSL's
            ``SSL.Error``. Empty when the connection ended without an error of TLS itself.
        wording: whose form is wanted.

    Returns:
        ``error:1416F086:SSL routines:tls_process_server_certificate:certificate verify failed`` or
        version 3's ``error:0A000086:SSL routines::certificate verify failed``. An unknown reason
        keeps its text and gets number 0; an empty queue gives OpenSSL's line for error 0.

    Source: Cisco 218018 (the line above, seen); ``ERR_error_string`` of OpenSSL 1.1.1 and 3 (form,
    seen).
    """
    old = wording is ErrorWording.OPENSSL_1_1_1
    if not errors:
        return f"error:00000000:lib(0):{'func(0)' if old else ''}:reason(0)"
    reason = tls_reason(errors)
    if reason is None:
        library, function, text = errors[-1]
        return f"error:00000000:{library}:{function}:{text}"
    common = TLS_COMMON_REASONS.get(reason)
    if common is not None:
        number, number_3, function = common
    else:
        number, function = TLS_REASONS.get(reason, (0, ""))
        number_3 = number
    if old:
        code = _LIB_SSL << 24 | TLS_FUNCTIONS.get(function, 0) << 12 | number
        return f"error:{code:08X}:{_SSL_ROUTINES}:{function or 'func(0)'}:{reason}"
    return f"error:{_LIB_SSL << 23 | number_3:08X}:{_SSL_ROUTINES}::{reason}"


def is_origin_alert(errors: Sequence[tuple[str, str, str]]) -> bool:
    """Tell whether an OpenSSL error queue says that the origin ended the handshake with an alert.

    Args:
        errors: as for :func:`tls_error_text`.
    """
    number, _ = TLS_REASONS.get(tls_reason(errors) or "", (0, ""))
    return number >= _ALERT_REASONS


def tls_reason(errors: Sequence[tuple[str, str, str]]) -> str | None:
    """Return what ended a handshake or connection, in the spelling of 1.1.1 and 3.

    The newest entry says it, but for one: later versions add that the record layer failed,
    whatever the cause. Older ones may tell of anything that went before: a certificate that does
    not decode leaves its own, and then the chain is refused.

    Args:
        errors: as for :func:`tls_error_text`.

    Returns:
        The reason; None if TLS gave none.
    """
    reasons = [text for library, _, text in errors if library == _SSL_ROUTINES]
    causes = [text for text in reasons if text != "record layer failure"] or reasons
    if not causes:
        return None
    reason = causes[-1]
    if reason.startswith("tls alert "):
        reason = reason.replace("tls alert ", "sslv3 alert ", 1)
    return TLS_NEWER_TEXTS.get(reason, reason)
