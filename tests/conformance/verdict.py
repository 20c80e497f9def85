"""What a judge says of one chain: ours or OpenSSL's, in one form."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Outcome(Enum):
    """How a chain came out."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    TLS_ERROR = "TLS error"  #: the handshake failed for another reason than the chain
    NOT_JUDGED = "not judged"  #: the run itself went wrong


@dataclass(frozen=True, slots=True)
class Verdict:
    """One judgement. Two agree if they are equal: code, depth and text count, not only the word."""

    outcome: Outcome
    code: int = 0  #: X509_V_ERR number of the first fault
    depth: int = 0  #: of the certificate at fault, 0 is the leaf
    text: str = ""  #: the words for ``code``; TLS's reason; what went wrong

    def __str__(self) -> str:
        """Render it for reports: ``20 at depth 1: unable to get local issuer certificate``."""
        match self.outcome:
            case Outcome.ACCEPTED:
                return "accepted"
            case Outcome.REFUSED:
                return f"{self.code} at depth {self.depth}: {self.text}"
            case Outcome.TLS_ERROR | Outcome.NOT_JUDGED:
                return f"{self.outcome.value}: {self.text}"


ACCEPTED = Verdict(Outcome.ACCEPTED)


def refused(code: int, depth: int, text: str) -> Verdict:
    """Return the verdict on a chain that is refused."""
    return Verdict(Outcome.REFUSED, code, depth, text)
