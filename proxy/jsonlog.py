"""One JSON object per transaction: what the event log says, for programs.

The keys are stable; ``reason`` is one of the closed list
:class:`~mralab.truststore.verdict.Reason`. docs/reference/json-log.md describes each key.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mralab.origin.failure import OriginFailure
    from mralab.proxy.transaction import Transaction
    from mralab.truststore.openssl import HandshakeInspection
    from mralab.truststore.verdict import Fault


def transaction_record(transaction: Transaction) -> dict[str, object]:
    """Return what the JSON log says of a transaction that has ended."""
    request, destination = transaction.request, transaction.destination
    record: dict[str, object] = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "txn_id": transaction.number,
        "tracking_id": transaction.tracking_id,
        "client": transaction.client_address,
        "method": request.method_text,
        "target": request.url.decode("latin-1"),
        "status": transaction.status or None,
        "reason": transaction.reason.value if transaction.reason is not None else None,
        "detail": transaction.detail,
    }
    if destination is not None:
        route = destination.route
        record["origin"] = {
            "domain": route.domain,
            "scheme": route.scheme,
            "host": route.host,
            "port": route.port,
            "url": route.base_url + request.path_text,
        }
    record["attempts"] = [_attempt(failure) for failure in transaction.failures]
    if transaction.let_pass is not None:
        record["let_pass"] = _inspection(transaction.let_pass)
    return record


def _attempt(failure: OriginFailure) -> dict[str, object]:
    attempt: dict[str, object] = {"reason": failure.reason.value, "detail": failure.detail}
    if failure.inspection is not None:
        attempt |= _inspection(failure.inspection)
    return attempt


def _inspection(inspection: HandshakeInspection) -> dict[str, object]:
    verdict = inspection.name_verdict
    return {
        "address": inspection.peer_ip,
        "requested_server_name": inspection.checked_name,
        "sni_sent": not inspection.is_ip,
        "names_tried": list(verdict.tried) if verdict is not None else [],
        "faults": [_fault(fault, inspection) for fault in inspection.faults],
    }


def _fault(fault: Fault, inspection: HandshakeInspection) -> dict[str, object]:
    entry: dict[str, object] = {
        "reason": fault.reason.value,
        "code": fault.code,
        "text": fault.text,
        "depth": fault.depth,
    }
    facts = inspection.facts(fault.depth)
    if facts is not None:
        entry["certificate"] = facts.as_json()
    return entry
