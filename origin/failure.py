"""Why an attempt or an exchange with an origin failed: the value that logs and answers need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mralab.truststore.openssl import HandshakeInspection
    from mralab.truststore.verdict import Reason


@dataclass(frozen=True, slots=True)
class OriginFailure:
    """What went wrong between the proxy and an origin."""

    reason: Reason
    detail: str  #: one line for people: which address, what happened
    inspection: HandshakeInspection | None = None  #: what the verification found, if it ran
    tls_errors: tuple[
        tuple[str, str, str], ...
    ] = ()  #: OpenSSL's error queue: library, function, reason
