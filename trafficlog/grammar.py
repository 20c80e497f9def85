"""The words and forms of the log, shared by the emitter and the parser.

Rules: a word that stands in the log stands here once; a form with free text around it (the
``[ET_NET n]`` lines) stands here twice, side by side, as the text to fill in and as the pattern
that reads it back. Patterns are linear in the length of the line: no repeated group may start
where its neighbour can end. *Pure*: no I/O here.
"""

from __future__ import annotations

import re
from enum import Enum

MODULE = "network.http.trafficserver"  #: of the transaction lines. Source: Cisco 225746 (seen)
PROCESS = "traffic_server"  #: process name in the line's prefix. Source: Cisco 218018 (seen)


class Verb(Enum):
    """What happened to an HTTP message; the value is the ``Detail`` of the INFO line.

    Source: Cisco 218018 shows the four lines of a transaction; the wording of three of them is
    inferred.
    """

    RECEIVE_REQUEST = "Receive Request"
    SEND_REQUEST = "Send Request"
    RECEIVE_RESPONSE = "Receive Response"
    SEND_RESPONSE = "Send Response"

    @property
    def is_receive(self) -> bool:
        """Whether the line has ``Src-ip`` (received) rather than ``Dst-ip`` (sent)."""
        return self in (Verb.RECEIVE_REQUEST, Verb.RECEIVE_RESPONSE)


#: ``Detail`` of the DEBUG twins. Source: Cisco 225746 and 117811 (the two "Sending" forms seen,
#: "Received" inferred).
DEBUG_SPELLING: dict[Verb, str] = {
    Verb.RECEIVE_REQUEST: "Received Request",
    Verb.SEND_REQUEST: "Sending Request",
    Verb.RECEIVE_RESPONSE: "Received Response",
    Verb.SEND_RESPONSE: "Sending Response",
}

#: Every spelling that releases from X8.1 to X15 were seen with, or may have, and what it means.
VERB_SPELLINGS: dict[str, Verb] = {
    f"{word} {noun}": Verb(f"{base} {noun}")
    for base, words in (
        ("Receive", ("Receive", "Received", "Receiving")),
        ("Send", ("Send", "Sending", "Sent")),
    )
    for word in words
    for noun in ("Request", "Response")
}

REQUEST_ALLOWED = "Request Allowed"  #: Source: Cisco 218018 (seen, the line's tail cut)
REQUEST_DENIED = "Request Denied"  #: lab form, by symmetry with the one above
REQUEST_FAILED = "Request Failed"  #: lab form
HTTP_ERROR_RESPONSE = "Sending HTTP error response"  #: Source: Cisco 117811 (seen)
CONFIGURATION_CHANGED = "System Configuration Changed"  #: Source: Cisco's CMS WebRTC guide (seen)
LINES_LOST = "Log Lines Lost"  #: lab form

#: Value of a field that must not be logged; no blank after the colon. Source: Cisco 225746 (seen
#: for Cookie).
CONCEALED = "<CONCEALED>"
#: Fields whose value is concealed, lower case. Cookie was seen; the others carry the same kind of
#: secret.
CONCEALED_FIELDS = frozenset({b"authorization", b"cookie", b"proxy-authorization", b"set-cookie"})

#: Opens a block of a whole HTTP message. Source: Cisco 225746 (seen).
HTTP_MARKER = "HTTPMSG"
#: Its twin for SIP; read, never written. Source: Cisco 212383 (seen).
SIP_MARKER = "SIPMSG"

# The three lines of the TLS layer. Source: Cisco 218018 (seen), Apache Traffic Server 9
# SSLClientUtils.cc and SSLNetVConnection.cc (the printf forms). Names and addresses have no
# blank, bracket or equals sign in them, so the error text before " server=" may have any.
CORE_VERIFICATION_FORM = (
    "Core server certificate verification failed for ({name}). "
    "Action={action} Error={error} server={server}({ip}) depth={depth}"
)
CORE_VERIFICATION = re.compile(
    r"Core server certificate verification failed for \((?P<name>[^()]*)\)\. "
    r"Action=(?P<action>\w+) Error=(?P<error>.*) server=(?P<server>[^()=\s]*)\((?P<ip>[^()=\s]*)\) "
    r"depth=(?P<depth>\d{1,9})\s*"
)
NAME_FORM = "SNI ({name}) not in certificate. Action={action} server={server}({ip})"
#: ``Origin hostname`` is what newer Apache Traffic Servers write instead of ``SNI``.
NAME = re.compile(
    r"(?:SNI|Origin hostname) \((?P<name>[^()]*)\) not in certificate\. "
    r"Action=(?P<action>\w+) server=(?P<server>[^()=\s]*)\((?P<ip>[^()=\s]*)\)\s*"
)
CONNECTION_FORM = "SSL connection failed for '{name}': {error}"
#: The blank after the colon is missing in Cisco 225746.
CONNECTION = re.compile(r"SSL connection failed for '(?P<name>[^']*)': ?(?P<error>.*)")

#: How :func:`mralab.trafficlog.render.escape` writes what cannot stand in a value. Lab form.
_ESCAPE = re.compile(
    r"\\(?:([\"\\])|x([0-9a-f]{2})|u([0-9a-f]{4})|U(00(?:0[0-9a-f]|10)[0-9a-f]{4}))"
)


def _unescaped(match: re.Match[str]) -> str:
    literal, *codes = match.groups()
    return literal or chr(int(next(code for code in codes if code), 16))


def unescape(text: str) -> str:
    r"""Undo :func:`mralab.trafficlog.render.escape`; a backslash before anything else stays."""
    return _ESCAPE.sub(_unescaped, text) if "\\" in text else text
