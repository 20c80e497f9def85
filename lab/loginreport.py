"""How logins look: as text, as JSON. *Pure*: values in, lines and plain values out.

The JSON schemas are docs/reference/login.schema.json and docs/reference/logins.schema.json.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mralab.lab.loginresult import LoginStep, Met, Verdict, causes_of
from mralab.lab.remedy import choose

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mralab.lab.estatelogin import ManyLogins, UserLogin
    from mralab.lab.loginresult import LoginResult
    from mralab.lab.remedy import Choice

JSON_SCHEMA: Final = "mralab-login-2"
MANY_JSON_SCHEMA: Final = "mralab-logins-1"
#: Width of a title in the list of steps through a proxy, and of those through Expressway-E. A
#: longer one, such as "the phone configuration, from <a long name>", moves the rest to the right.
TITLE_WIDTH: Final = 26
EDGE_TITLE_WIDTH: Final = 50
_ANSWER_WIDTH: Final = 22
_MIB: Final = 2**20
_NAMED: Final = 5  # red users named in a summary
_WORDS: Final = {
    Verdict.ACCEPTED: "accepted",
    Verdict.NOT_VERIFIED: "not verified",
    Verdict.REFUSED: "refused",
    Verdict.REFUSED_BY_NODE: "the node refused Expressway-C's certificate",
    Verdict.NONE: "",
}


# -- text


def step_lines(number: int, step: LoginStep, *, width: int = TITLE_WIDTH) -> Iterator[str]:
    """Yield a step's lines.

    Args:
        number: from 1.
        step: what to show.
        width: of the title's column.
    """
    mark = f"{number:<2}" if width > TITLE_WIDTH else f"{number}"
    if not step.asked:
        yield f"{mark}  -   {_cell(step.title, width)}{step.fault}"
        return
    word = "red" if step.fault else "ok"
    answer = f"{step.status} {step.phrase}" if step.status else "no answer"
    cells = f"{_cell(step.title, width)}{_cell(answer, _ANSWER_WIDTH)}"
    yield f"{mark}  {word:<4}{cells}{step.seconds:.3f} s"
    yield f"       {step.method} {step.url}" if step.method != "GET" else f"       {step.url}"
    yield f"       /{step.segment}{step.path}"
    for ask in step.asks:
        yield from (f"       {line}" for line in _ask_lines(ask))
    if step.met is not None and step.met.node:
        yield f"       {met_text(step.met)}"
    elif step.lab_reason:
        yield f"       {step.lab_reason}"
    if step.fault and not step.fault.startswith(f"answered {step.status}"):
        yield f"       {step.fault}"


def _cell(text: str, width: int) -> str:
    """Return a text of at least this width, and with two blanks at its end if it is longer."""
    return f"{text:<{width}}" if len(text) < width else f"{text}  "


def _ask_lines(ask: LoginStep) -> Iterator[str]:
    word = "red" if ask.fault else "ok"
    answer = f"{ask.status} {ask.phrase}".rstrip() if ask.status else "no answer"
    yield f"{word:<4}Expressway-C asks: {ask.title}, {ask.url}: {answer}"
    if ask.met is not None and ask.met.node:
        yield f"    {met_text(ask.met)}"


def met_text(met: Met) -> str:
    """Return in one line what a request met: node, certificate, verdict."""
    where = f"{met.node}, {met.service}"
    if not met.certificate:
        return f"{where}: {met.detail or 'no certificate: plain HTTP'}"
    leaf = f" ({met.chain[0].subject}, {met.chain[0].key})" if met.chain else ""
    said = f"{where}: {met.certificate}{leaf}, {_WORDS[met.verdict] or 'failed'}"
    if met.verdict not in {Verdict.ACCEPTED, Verdict.NOT_VERIFIED} and met.detail:
        said += f": {met.detail}"
    return f"{said}; the node got alert {met.alert}" if met.alert is not None else said


def many_lines(many: ManyLogins) -> Iterator[str]:
    """Yield the summary of many logins."""
    counts = many.by_step()
    width = max(len("step"), *map(len, counts)) + 2
    yield f"{'step':<{width}}{'green':>7}{'red':>7}"
    for title, (green, red) in counts.items():
        yield f"{title:<{width}}{green:>7}{red:>7}"
    yield ""
    slowest = many.slowest
    yield (
        f"{len(many.logins)} logins in {many.seconds:.2f} s; slowest: {slowest.user}, "
        f"{slowest.seconds:.2f} s. One alone: {many.alone.seconds:.2f} s"
    )
    if many.peak_bytes is not None and many.alone_peak_bytes is not None:
        yield (
            f"most memory of the whole lab: {many.peak_bytes / _MIB:.0f} MiB; "
            f"with one login: {many.alone_peak_bytes / _MIB:.0f} MiB"
        )
    crossed = [login.user for login in many.logins if _crossed(login)]
    if crossed:
        yield f"CROSSED, answers about another user: {_some(crossed)}"
    else:
        yield "no answer was about another user"
    yield ""
    yield from _outcomes(many)


def _outcomes(many: ManyLogins) -> Iterator[str]:
    by_text: dict[str, list[str]] = {}
    for login in many.logins:
        text = login.result.text if login.result.red else "all fine"
        by_text.setdefault(text, []).append(login.user)
    for text, users in by_text.items():
        yield f"{len(users)} of {len(many.logins)}: {text} ({_some(users)})"
    choice = best_of_many(many)
    if choice is not None:
        yield f"hint: {choice.text}"


def best_of_many(many: ManyLogins) -> Choice | None:
    """Return the fix that mends most red steps of all logins; None if nothing is red."""
    return choose([cause for login in many.logins for cause in causes_of(login.result.steps)])


def _crossed(login: UserLogin) -> bool:
    return any(step.crossed for step in login.result.steps)


def _some(users: list[str]) -> str:
    more = len(users) - _NAMED
    shown = ", ".join(users[:_NAMED])
    return f"{shown} and {more} more" if more > 0 else shown


# -- JSON


def login_json(result: LoginResult, about: dict[str, object]) -> dict[str, object]:
    """Return a login as plain values.

    Args:
        result: what it came to.
        about: who, where, under which release: stands between schema and outcome.
    """
    return {
        "schema": JSON_SCHEMA,
        **about,
        "outcome": result.outcome.value,
        "losses": [loss.value for loss in result.losses],
        "text": result.text,
        "hint": result.hint,
        "fix": choice_json(result.choice),
        "steps": [step_json(step) for step in result.steps],
    }


def many_json(many: ManyLogins, about: dict[str, object]) -> dict[str, object]:
    """Return many logins as plain values; of their steps only the red ones.

    Args:
        many: what they came to.
        about: where, and under which release.
    """
    return {
        "schema": MANY_JSON_SCHEMA,
        **about,
        "users": len(many.logins),
        "green": len(many.logins) - len(many.red),
        "red": len(many.red),
        "crossed": sum(map(_crossed, many.logins)),
        "seconds": round(many.seconds, 6),
        "peak_bytes": many.peak_bytes,
        "alone": {
            "user": many.alone.user,
            "seconds": round(many.alone.seconds, 6),
            "peak_bytes": many.alone_peak_bytes,
        },
        "slowest": {"user": many.slowest.user, "seconds": round(many.slowest.seconds, 6)},
        "steps": [
            {"title": title, "green": green, "red": red}
            for title, (green, red) in many.by_step().items()
        ],
        "fix": choice_json(best_of_many(many)),
        "logins": [
            {
                "user": login.user,
                "outcome": login.result.outcome.value,
                "seconds": round(login.seconds, 6),
                "red_steps": [step_json(step) for step in login.result.red],
            }
            for login in many.logins
        ],
    }


def choice_json(choice: Choice | None) -> dict[str, object] | None:
    """Return the fix that helps most as plain values."""
    if choice is None:
        return None
    fix = choice.remedy.fix
    return {
        "cause": choice.cause.text,
        "what": fix.what,
        "command": fix.command,
        "restart": fix.restart,
        "mends": choice.mends,
        "of": choice.red,
    }


def step_json(step: LoginStep) -> dict[str, object]:
    """Return a step as plain values."""
    return {
        "title": step.title,
        "purpose": step.purpose.value,
        "asked": step.asked,
        "method": step.method,
        "segment": step.segment,
        "url": step.url,
        "status": step.status or None,
        "phrase": step.phrase,
        "seconds": round(step.seconds, 6),
        "green": not step.fault,
        "fault": step.fault,
        "hint": step.hint,
        "lab_reason": step.lab_reason,
        "tracking_id": step.tracking_id,
        "because": None if step.because is None else step.because + 1,
        "crossed": step.crossed,
        "other_server": step.other_server,
        "met": None if step.met is None else _met_json(step.met),
        "asks": [step_json(ask) for ask in step.asks],
    }


def _met_json(met: Met) -> dict[str, object]:
    return {
        "node": met.node,
        "service": met.service,
        "certificate": met.certificate,
        "verdict": met.verdict.value,
        "tls_version": met.tls_version,
        "alert": met.alert,
        "reason": None if met.reason is None else met.reason.value,
        "detail": met.detail,
        "code": met.code,
        "depth": met.depth,
        "subject": met.subject,
        "discovery": met.discovery,
        "chain": [facts.as_json() for facts in met.chain],
        "log": list(met.log),
    }
