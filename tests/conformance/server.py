"""The first flight of a TLS 1.2 server that needs no key: ServerHello and Certificate.

A client judges the certificates before it asks for anything that a private key would prove, so
that public chains can be shown without their keys. Layouts: RFC 5246 sections 6.2.1 and 7.4, RFC
5746 section 3.4 (a client refuses servers that do not know it).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mralab.lab.tlswire import HANDSHAKE
from mralab.truststore.certificate import certificate_facts

if TYPE_CHECKING:
    from collections.abc import Iterable

_TLS_1_2: Final = b"\x03\x03"
_SERVER_HELLO, _CERTIFICATE, _SERVER_KEY_EXCHANGE = 2, 11, 12
#: Largest payload of a record; what is longer goes on in the next one.
_RECORD_PAYLOAD: Final = 1 << 14
#: Any bytes will do, but for the last eight, which must not claim a downgrade (RFC 8446, 4.1.3).
_RANDOM: Final = b"conformance run, nothing secret."
#: Empty renegotiation_info.
_EXTENSIONS: Final = b"\xff\x01\x00\x01\x00"

#: Suites of TLS 1.2 by what the server's certificate must hold, in order of preference. All have a
#: ServerKeyExchange, which is what a client asks for after Certificate.
_SUITES: Final[dict[str, tuple[int, ...]]] = {
    "RSA": (0xC02F, 0xC030, 0xCCA8, 0xC013, 0xC014),  # ECDHE-RSA
    "EC": (0xC02B, 0xC02C, 0xCCA9, 0xC009, 0xC00A),  # ECDHE-ECDSA, for Ed25519 and Ed448 too
    "DSA": (0x00A2, 0x00A3, 0x0032, 0x0038),  # DHE-DSS
}
_AUTHENTICATION: Final = {"RSA-PSS": "RSA", "ED25519": "EC", "ED448": "EC"}


class NoSuiteError(Exception):
    """The client offers no suite that can be served with this certificate."""


def choose_suite(offered: Iterable[int], leaf: bytes) -> int:
    """Return the suite to serve.

    Args:
        offered: what the client offers, by IANA number.
        leaf: the server's certificate in DER; a kind of key that no suite is made for is served as
            if it were RSA, so that refusing it is left to the client.

    Raises:
        NoSuiteError: none that is offered fits.
    """
    kind = certificate_facts(leaf).key.partition(" ")[0]
    kind = _AUTHENTICATION.get(kind, kind)
    theirs = frozenset(offered)
    for suite in _SUITES.get(kind, _SUITES["RSA"]):
        if suite in theirs:
            return suite
    raise NoSuiteError(f"no suite for a certificate with a key of kind {kind or 'unknown'}")


def first_flight(suite: int, presented: Iterable[bytes]) -> bytes:
    """Return the records of ServerHello and Certificate.

    Args:
        suite: by IANA number.
        presented: certificates in DER, the server's own first.
    """
    extensions = _vector(2, _EXTENSIONS)
    hello = _TLS_1_2 + _RANDOM + _vector(1, b"") + suite.to_bytes(2) + b"\x00" + extensions
    chain = _vector(3, b"".join(_vector(3, certificate) for certificate in presented))
    return _records(_message(_SERVER_HELLO, hello) + _message(_CERTIFICATE, chain))


def empty_key_exchange() -> bytes:
    """Return a ServerKeyExchange without content.

    Only a client that has taken the Certificate reads it, and answers decode_error; one that still
    waits for it would answer unexpected_message.
    """
    return _records(_message(_SERVER_KEY_EXCHANGE, b""))


def _vector(length_size: int, content: bytes) -> bytes:
    return len(content).to_bytes(length_size) + content


def _message(kind: int, body: bytes) -> bytes:
    return kind.to_bytes(1) + _vector(3, body)


def _records(messages: bytes) -> bytes:
    pieces = (
        messages[start : start + _RECORD_PAYLOAD]
        for start in range(0, len(messages), _RECORD_PAYLOAD)
    )
    return b"".join(HANDSHAKE.to_bytes(1) + _TLS_1_2 + _vector(2, piece) for piece in pieces)
