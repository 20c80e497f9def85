"""Scenarios: a story, what is changed for it, the requests, and what each must lead to.

Rules: an expectation is stated before the request and compared with what really happened: the
client's answer, the log file, the bytes at the node. Nothing that the proxy says of itself is taken
for granted. What a scenario changes it undoes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from mralab.diagnostics.explain import Explanation, explain
from mralab.errors import MraLabError
from mralab.trafficlog.parse import parse_line
from mralab.trafficlog.records import (
    CoreVerificationFailed,
    HttpErrorResponse,
    RequestAllowed,
    SniNotInCertificate,
    SslConnectionFailed,
    TransactionLine,
)
from mralab.truststore.certificate import certificate_facts
from mralab.truststore.verdict import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mralab.lab.embedded import EmbeddedLab, Exchange
    from mralab.lab.tlsserver import HandshakeRecord
    from mralab.truststore.verdict import CertificateFacts

Change = Callable[["EmbeddedLab"], Awaitable[None]]

ADVERTISED: Final = "{advertised}"
_ALERT_RECORD: Final = bytes.fromhex("1503030002")  # an alert in clear, TLS 1.2 record version
_ERROR: Final = (
    "ERROR: SSL connection failed for '{name}': error:1416F086:SSL routines:"
    "tls_process_server_certificate:certificate verify failed"
)
_REFUSED_STATUS: Final = 502
_REFUSED_PHRASE: Final = "connect failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One request and what it must lead to.

    In texts ``{address}`` stands for the node's address; the host may be ``{advertised}``: what the
    node itself names as its server at that moment.
    """

    title: str
    host: str
    port: int
    path: str
    certificate: str  #: name of the certificate that the node must present
    warning: str = ""  #: text of the WARNING line from "WARNING: " on; "" is a green step
    alert: tuple[int, int] | None = None  #: level and description at the node
    sni: str | None = None  #: requested server name that the node must see
    attempts: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A story with requests."""

    name: str
    title: str
    story: str
    product: str = ""  #: what the product would need beside what the lab did, e.g. a restart
    change: Change | None = None
    steps: tuple[Step, ...] = ()
    undo: Change | None = None
    after_undo: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """What one request led to."""

    step: Step
    exchange: Exchange | None  #: None: there was no answer at all
    presented: tuple[CertificateFacts, ...]  #: chain of the last handshake, leaf first
    explanation: Explanation | None
    faults: tuple[str, ...]  #: differences between what was expected and what happened

    @property
    def as_documented(self) -> bool:
        """Whether everything was as expected."""
        return not self.faults


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioResult:
    """What one scenario led to."""

    scenario: Scenario
    steps: tuple[StepResult, ...]
    after_undo: tuple[StepResult, ...]
    fault: str = ""  #: why it could not be played at all

    @property
    def as_documented(self) -> bool:
        """Whether everything was as expected."""
        return not self.fault and all(
            result.as_documented for result in (*self.steps, *self.after_undo)
        )


@dataclass(slots=True)
class Listener:
    """Who watches a run: each method is called when its moment comes."""

    scenario_begins: Callable[[Scenario], None] = field(default=lambda _scenario: None)
    undone: Callable[[Scenario], None] = field(default=lambda _scenario: None)
    step_done: Callable[[StepResult], None] = field(default=lambda _result: None)
    scenario_failed: Callable[[Scenario, str], None] = field(default=lambda _scenario, _why: None)


async def play(
    lab: EmbeddedLab, scenarios: Sequence[Scenario], listener: Listener
) -> tuple[ScenarioResult, ...]:
    """Play scenarios in order; a red one does not stop the next."""
    return tuple([await _play_one(lab, scenario, listener) for scenario in scenarios])


async def _play_one(lab: EmbeddedLab, scenario: Scenario, listener: Listener) -> ScenarioResult:
    listener.scenario_begins(scenario)
    steps: list[StepResult] = []
    after: list[StepResult] = []
    fault = ""
    try:
        if scenario.change is not None:
            await scenario.change(lab)
        try:
            steps.extend([await _take(lab, step, listener) for step in scenario.steps])
        finally:
            if scenario.undo is not None:
                await scenario.undo(lab)
        if scenario.after_undo:
            listener.undone(scenario)
        after.extend([await _take(lab, step, listener) for step in scenario.after_undo])
    except MraLabError as exc:
        fault = str(exc)
        listener.scenario_failed(scenario, fault)
    return ScenarioResult(
        scenario=scenario, steps=tuple(steps), after_undo=tuple(after), fault=fault
    )


async def _take(lab: EmbeddedLab, step: Step, listener: Listener) -> StepResult:
    try:
        host = await lab.advertised() if step.host == ADVERTISED else step.host
        exchange = await lab.ask(host, step.port, step.path)
    except (TimeoutError, MraLabError, OSError) as exc:
        result = StepResult(
            step=step,
            exchange=None,
            presented=(),
            explanation=None,
            faults=(f"no answer: {str(exc) or type(exc).__name__}",),
        )
    else:
        result = StepResult(
            step=step,
            exchange=exchange,
            presented=_presented(exchange),
            explanation=_explanation(exchange),
            faults=tuple(_differences(lab, step, exchange)),
        )
    listener.step_done(result)
    return result


def _presented(exchange: Exchange) -> tuple[CertificateFacts, ...]:
    if not exchange.handshakes:
        return ()
    return tuple(certificate_facts(der) for der in exchange.handshakes[-1].presented)


def _explanation(exchange: Exchange) -> Explanation | None:
    record = exchange.record
    reason = Reason(record["reason"])
    if reason is Reason.OK:
        return None
    attempts = record["attempts"]
    faults = attempts[-1].get("faults", []) if attempts else []
    if not faults:
        return explain(reason)
    fault = faults[-1]
    return explain(
        Reason(fault["reason"]),
        code=fault["code"],
        depth=fault["depth"],
        name=attempts[-1]["requested_server_name"],
        subject=fault.get("certificate", {}).get("subject", ""),
    )


# -- what was expected against what happened


def _differences(lab: EmbeddedLab, step: Step, exchange: Exchange) -> Iterator[str]:
    status = _REFUSED_STATUS if step.warning else 200
    if exchange.status != status:
        yield f"the client got {exchange.status} {exchange.phrase}, not {status}"
    elif step.warning and exchange.phrase != _REFUSED_PHRASE:
        yield f"the client got the phrase {exchange.phrase!r}, not {_REFUSED_PHRASE!r}"
    yield from _log_differences(lab, step, exchange)
    if len(exchange.handshakes) != step.attempts:
        yield f"the node saw {len(exchange.handshakes)} TLS connections, not {step.attempts}"
    for number, handshake in enumerate(exchange.handshakes, 1):
        for difference in _handshake_differences(step, handshake):
            yield f"TLS connection {number}: {difference}"


def _handshake_differences(step: Step, handshake: HandshakeRecord) -> Iterator[str]:
    if handshake.certificate != step.certificate:
        yield f"the node presented {handshake.certificate}, not {step.certificate}"
    if handshake.sni != step.sni:
        yield f"the requested server name was {handshake.sni}, not {step.sni}"
    if handshake.alert != step.alert:
        yield f"the node received alert {handshake.alert}, not {step.alert}"
    if step.alert is None:
        return
    if not handshake.received.endswith(_ALERT_RECORD + bytes(step.alert)):
        yield f"what the node received ends in {handshake.received[-7:].hex()}, not in the alert"
    if handshake.completed:
        yield "the handshake was completed"


def _log_differences(lab: EmbeddedLab, step: Step, exchange: Exchange) -> Iterator[str]:
    expected = list(_expected_log(lab, step, exchange))
    got = [essence(line) for line in exchange.log]
    if got == expected:
        return
    for position in range(max(len(got), len(expected))):
        want = expected[position] if position < len(expected) else "no line"
        have = got[position] if position < len(got) else "no line"
        if want != have:
            yield f"log line {position + 1} is {have!r}, not {want!r}"
            return


def _expected_log(lab: EmbeddedLab, step: Step, exchange: Exchange) -> Iterator[str]:
    yield "Receive Request"
    yield "Request Allowed"
    for _ in range(step.attempts):
        yield f"Send Request GET {step.path} HTTP/1.1"
        if step.warning:
            yield step.warning.format(address=lab.address)
            yield _ERROR.format(name=exchange.host)
    if step.warning:
        yield f"Send Response HTTP/1.1 {_REFUSED_STATUS} {_REFUSED_PHRASE}"
        yield f"Sending HTTP error response {_REFUSED_STATUS} {_REFUSED_PHRASE}"
    else:
        yield "Receive Response HTTP/1.1 200 "
        yield "Send Response HTTP/1.1 200 "


def essence(line: str) -> str:
    """Return what matters of a log line.

    Args:
        line: as it stands in the file.

    Returns:
        For an ``[ET_NET n]`` line its text from WARNING or ERROR on; else what happened, and the
        first line of the HTTP message.

    Raises:
        LogFormatError: it is none of the forms that the proxy writes.
    """
    record = parse_line(line)
    match record:
        case CoreVerificationFailed() | SniNotInCertificate() | SslConnectionFailed():
            return line.partition("] ")[2]
        case RequestAllowed():
            return "Request Allowed"
        case HttpErrorResponse():
            return f"Sending HTTP error response {record.status} {record.reason}"
        case TransactionLine() if record.verb.value == "Receive Request":
            return record.verb.value
        case TransactionLine():
            return f"{record.verb.value} {record.msg}"
        case _:
            return line
