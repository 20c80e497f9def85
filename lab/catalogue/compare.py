"""What was stated against what happened. *Pure*: values in, differences out.

Rules: every step is looked at. One that is not stated as red must be green, and no WARNING or ERROR
line may stand in its transaction; of one that is stated everything stated must be so, and the lines
must be these and no others. The first difference of a step is told, for the rest follows from it.
"""

from __future__ import annotations

from ipaddress import ip_address
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from mralab.lab.estatefiles import names_of
from mralab.lab.scenario import essence
from mralab.truststore.verdict import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mralab.config.estate import Estate
    from mralab.lab.catalogue.model import Expected, Presented, Refused
    from mralab.lab.loginresult import LoginResult, LoginStep, Met

_ET_NET: Final = "]: [ET_NET "
_TLS_LAYER: Final = ("WARNING: ", "ERROR: ")
_SENT: Final = "Send Request "
_ANSWERED: Final = "Send Response "


def differences(
    expected: Expected, result: LoginResult, discovery: Sequence[str], estate: Estate
) -> tuple[str, ...]:
    """Return in what a login differs from what was stated.

    Args:
        expected: what was stated.
        result: the login.
        discovery: publishers that discovery failed for: address and status.
        estate: whose names and addresses.
    """
    return tuple(_differences(expected, result, discovery, estate))


def _differences(
    expected: Expected, result: LoginResult, discovery: Sequence[str], estate: Estate
) -> Iterator[str]:
    if tuple(discovery) != expected.discovery:
        yield f"discovery fails for {_listed(discovery)}, not for {_listed(expected.discovery)}"
    if result.outcome is not expected.outcome:
        yield f"the user sees: {result.outcome.text}, not: {expected.outcome.text}"
    stated = {title: group for group in expected.refused for title in group.steps}
    steps = {step.title: step for step in result.steps}
    for title in (*stated, *expected.not_asked, *(item.step for item in expected.presented)):
        if title not in steps:
            yield f"{title}: there is no such step"
    for title, step in steps.items():
        not_asked = title in expected.not_asked
        fault = next(_of_step(step, stated.get(title), estate, not_asked=not_asked), None)
        if fault is not None:
            yield f"{title}: {fault}"
    for item in expected.presented:
        if item.step in steps:
            met = steps[item.step].met
            yield from (f"{item.step}: {fault}" for fault in _of_presented(item, met))


def _of_step(
    step: LoginStep, group: Refused | None, estate: Estate, *, not_asked: bool
) -> Iterator[str]:
    if group is not None:
        yield from _of_red(step, group, estate)
    elif not_asked:
        if step.asked or not step.fault:
            yield f"it was asked: {_answer(step)}"
    elif step.fault:
        yield f"it is red: {step.fault}"
    else:
        for item in (step, *step.asks):
            for line in tls_lines(item.met):
                yield f"its transaction left the line {line!r}"


def _of_red(step: LoginStep, group: Refused, estate: Estate) -> Iterator[str]:
    if not step.fault:
        yield "it is green"
    if (step.status, step.phrase) != (group.status, group.phrase):
        yield f"the client got {_answer(step)}, not {group.status} {group.phrase}".rstrip()
    if group.fault and step.fault != group.fault:
        yield f"it is red since {step.fault!r}, not since {group.fault!r}"
    culprit = culprit_of(step, group)
    if culprit is None:
        yield f"Expressway-C did not ask for {group.asked} in vain"
    else:
        yield from _of_culprit(culprit, group, estate)


def _of_culprit(culprit: LoginStep, group: Refused, estate: Estate) -> Iterator[str]:
    met = culprit.met
    reason = met.reason if met else None
    if reason is not group.reason:
        yield f"the transaction ended with {_word(reason)}, not with {_word(group.reason)}"
    if group.reason is not None and met is not None:
        if reason is not Reason.TLS_ERROR:  # then no certificate was met, whatever was before
            if met.verdict is not group.verdict:
                yield f"the verdict is {met.verdict.value}, not {group.verdict.value}"
            if met.certificate != group.certificate:
                yield f"the node presented {met.certificate or 'nothing'}, not {group.certificate}"
        yield from _of_log(culprit, met, group, estate)


def culprit_of(step: LoginStep, group: Refused) -> LoginStep | None:
    """Return the request that failed: the step's own, or one that Expressway-C made for it."""
    if not group.asked:
        return step
    return next((ask for ask in step.asks if ask.title == group.asked and ask.fault), None)


def _of_log(culprit: LoginStep, met: Met, group: Refused, estate: Estate) -> Iterator[str]:
    stated = stated_lines(group, culprit.host, estate) * max(group.attempts, 1)
    got = tls_lines(met)
    pairs = zip_longest(got, stated, fillvalue="no line")
    for number, (have, want) in enumerate(pairs, 1):
        if want != have:
            yield f"line {number} of the TLS layer is {have!r}, not {want!r}"
    lines = [essence(line) for line in met.log]
    sent = sum(line.startswith(_SENT) for line in lines)
    if sent != group.attempts:
        yield f"{sent} attempts are in the log, not {group.attempts}"
    answers = [line for line in lines if line.startswith(_ANSWERED)]
    want = f"{_ANSWERED}HTTP/1.1 {culprit.status} {culprit.phrase}"
    if answers != [want]:
        yield f"the log says {_listed(answers)}, not {want!r}"


def stated_lines(group: Refused, host: str, estate: Estate) -> tuple[str, ...]:
    """Return the lines of one attempt with host and address filled in."""
    address = address_of(host, estate)
    return tuple(line.format(host=host, address=address) for line in group.log)


def address_of(host: str, estate: Estate) -> str:
    """Return the real address of a host of the estate; "?" if nothing has that name."""
    try:
        return str(ip_address(host))
    except ValueError:
        return names_of(estate).get(host.lower(), "?")


def tls_lines(met: Met | None) -> tuple[str, ...]:
    """Return the WARNING and ERROR lines of a transaction, from that word on."""
    found = (line.partition("] ")[2] for line in (met.log if met else ()) if _ET_NET in line)
    return tuple(line for line in found if line.startswith(_TLS_LAYER))


def _of_presented(item: Presented, met: Met | None) -> Iterator[str]:
    if met is None:
        yield "nobody has seen what was presented"
        return
    leaf = met.chain[0] if met.chain else None
    found = {
        "certificate": met.certificate,
        "key": leaf.key if leaf else "",
        "signature": leaf.signature if leaf else "",
        "tls": met.tls_version,
        "verdict": met.verdict,
    }
    for name, have in found.items():
        want = getattr(item, name)
        if want and want != have:
            yield f"{name} is {_word(have)}, not {_word(want)}"


def _answer(step: LoginStep) -> str:
    return f"{step.status} {step.phrase}".rstrip() if step.status else step.fault


def _word(value: object) -> str:
    return str(getattr(value, "value", value)) or "nothing"


def _listed(items: Sequence[str]) -> str:
    return ", ".join(map(repr, items)) or "none"
