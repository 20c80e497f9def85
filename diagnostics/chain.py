"""A presented chain drawn as a small tree. *Pure*: values in, lines of text out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from mralab.truststore.verdict import CertificateFacts

_ROOT_SIDE = "└─ "
_INDENT = "   "
_SECONDS_PER_DAY = 86_400


def draw_chain(certificates: Sequence[CertificateFacts], *, at: datetime) -> list[str]:
    """Draw what a node presented, the CA side on top.

    Args:
        certificates: leaf first, as sent; each is taken for the issuer of the one before.
        at: aware time that expiry is counted from.

    Returns:
        Two to three lines for each certificate, and one on top for an issuer that was not sent.
        Empty if nothing was presented.
    """
    lines: list[str] = []
    level = 0
    if certificates and not certificates[-1].self_issued:
        lines.append(f"{certificates[-1].issuer} (not sent)")
        level = 1
    for number, facts in enumerate(reversed(certificates)):
        branch = _INDENT * (level - 1) + _ROOT_SIDE if level else ""
        rest = _INDENT * level
        depth = len(certificates) - 1 - number
        own = ", self-signed" if facts.self_issued else ""
        lines.append(f"{branch}{facts.subject} (depth {depth}{own})")
        if not facts.self_issued and number and certificates[depth + 1].subject != facts.issuer:
            lines.append(f"{rest}issuer {facts.issuer}")
        if facts.sans:
            lines.append(f"{rest}SAN {', '.join(facts.sans)}")
        lines.append(f"{rest}{facts.key}, {facts.signature}, {_validity(facts, at)}")
        level += 1
    return lines


def _validity(facts: CertificateFacts, at: datetime) -> str:
    if at < facts.not_before:
        return f"not valid before {facts.not_before:%Y-%m-%d %H:%M} UTC"
    left = (facts.not_after - at).total_seconds()
    if left < 0:
        return f"EXPIRED {facts.not_after:%Y-%m-%d %H:%M} UTC"
    return f"expires {facts.not_after:%Y-%m-%d} ({int(left // _SECONDS_PER_DAY)} days)"
