"""How a run of scenarios looks: on a terminal, as text, as JSON, as a picture.

Rules: results come as values and are only shown here. Colours on a terminal, plain text elsewhere;
``NO_COLOR`` is respected. Log lines are shown whole and as they stand in the file.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Final

from rich.text import Text

from mralab.diagnostics.chain import draw_chain
from mralab.lab import secondact
from mralab.lab.page import Page
from mralab.lab.scenario import Listener, essence
from mralab.lab.upgradereport import matrix_json, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Console

    from mralab.diagnostics.explain import Explanation
    from mralab.lab.embedded import Exchange
    from mralab.lab.scenario import Scenario, ScenarioResult, StepResult
    from mralab.lab.secondact import Releases

JSON_SCHEMA: Final = "mralab-demo-1"
#: Where the matrix ends and the first cause begins, in the text of an upgrade.
_FIRST_CAUSE: Final = "\n\nA  "
_ALERTS: Final = {48: "unknown_ca", 80: "internal_error"}


class Presenter:
    """Shows a run while it goes on."""

    def __init__(
        self,
        file: IO[str],
        *,
        pause: Callable[[], object] | None = None,
        picture: bool = False,
        brief: bool = False,
    ) -> None:
        """Show on ``file``.

        Args:
            file: a terminal or any text stream.
            pause: called before each scenario but the first.
            picture: keep what is shown, for :meth:`svg`.
            brief: of each log line show only what matters.
        """
        self._page = Page(file, picture=picture)
        self._line = self._page.line
        self._print = self._page.print
        self._brief = brief
        self._pause = pause
        self._number = 0

    @property
    def console(self) -> Console:
        """Where it is shown."""
        return self._page.console

    def listener(self) -> Listener:
        """Return what :func:`~mralab.lab.scenario.play` tells us by."""
        return Listener(
            scenario_begins=self._scenario,
            undone=self._undone,
            step_done=self._step,
            scenario_failed=self._failed,
        )

    def second_act_begins(self) -> None:
        """Say what comes, before it is played."""
        self._begin(secondact.TITLE, secondact.STORY)

    def releases(self, releases: Releases) -> None:
        """Show the matrix of the second act."""
        like = self._page.stream if self._page.console.is_terminal else None
        text = text_of(releases.matrix, at=datetime.now(UTC), like=like)
        if self._brief:
            text = text.partition(_FIRST_CAUSE)[0]
        self._print("")
        self._print(Text.from_ansi(text.rstrip("\n")))
        for fault in releases.faults:
            self._line("expected", fault, "bold red")

    def summary(
        self,
        results: Sequence[ScenarioResult],
        seconds: float,
        releases: Releases | None = None,
    ) -> None:
        """Say how it went, naming every step that went otherwise."""
        steps = [step for result in results for step in (*result.steps, *result.after_undo)]
        faults = [fault for result in results for fault in _faults(result)]
        counts = []
        if results:
            counts = [_count(len(results), "scenario"), _count(len(steps), "request")]
        if releases is not None:
            faults += [(secondact.NAME, fault) for fault in releases.faults]
            logins = _count(len(releases.matrix.columns), "login")
            counts.append(f"{logins} through the whole estate")
        text = "Not as documented:"
        if not faults:
            text = f"{', '.join(counts)}: each went as documented ({seconds:.1f} s)."
        self._page.verdict(text, green=not faults)
        for name, fault in faults:
            self._line("step", f"{name}: {fault}", "red")

    def svg(self, title: str) -> str:
        """Return what was shown as a picture that loads nothing from elsewhere."""
        return self._page.svg(title)

    # -- what happens

    def _begin(self, title: str, story: str) -> None:
        if self._number and self._pause is not None:
            self._pause()
        self._number += 1
        self._page.heading(f"{self._number}  {title}")
        self._line("story", story, "")

    def _scenario(self, scenario: Scenario) -> None:
        self._begin(scenario.title, scenario.story)
        if scenario.product:
            self._line("product", scenario.product, "italic")

    def _undone(self, scenario: Scenario) -> None:
        del scenario
        self._print("")
        self._print(Text("  undone again", "italic"))

    def _failed(self, scenario: Scenario, why: str) -> None:
        self._line("", f"{scenario.name} could not be played: {why}", "bold red")

    def _step(self, result: StepResult) -> None:
        exchange = result.exchange
        self._print("")
        head = Text("  ")
        head.append("✔ " if result.as_documented else "✘ ", _style_of(result))
        head.append(result.step.title, "bold")
        if exchange is not None:
            colour = "green" if exchange.status < 400 else "yellow"  # noqa: PLR2004  HTTP's own
            head.append(f"   {exchange.status} {exchange.phrase}", f"bold {colour}")
        self._print(head)
        if exchange is not None:
            self._exchange(result, exchange)
        for fault in result.faults:
            self._line("expected", fault, "bold red")

    def _exchange(self, result: StepResult, exchange: Exchange) -> None:
        self._line("asked", exchange.segment, "")
        self._line("", f"= {exchange.route}, GET {exchange.path}", "")
        self._presented(result, exchange)
        self._line("verdict", _verdict(exchange), _verdict_style(exchange))
        explanation = result.explanation
        if explanation is not None:
            self._line("why", explanation.cause, "")
        for number, line in enumerate(exchange.log):
            shown = essence(line) if self._brief else line
            self._line("log" if not number else "", shown, _log_style(line))
        if explanation is not None:
            for number, text in enumerate(_fixes(explanation)):
                self._line("fix" if not number else "", text, "green")

    def _presented(self, result: StepResult, exchange: Exchange) -> None:
        if not exchange.handshakes:
            self._line("presented", "nothing: no TLS handshake", "red")
            return
        handshake = exchange.handshakes[-1]
        sni = f"server name {handshake.sni}" if handshake.sni else "no server name (an address)"
        times = f", {len(exchange.handshakes)} times" if len(exchange.handshakes) > 1 else ""
        self._line(
            "presented",
            f"{handshake.certificate} by {handshake.version}, asked for {sni}{times}",
            "",
        )
        for line in draw_chain(result.presented, at=datetime.now(UTC)):
            self._line("", line, "cyan")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _faults(result: ScenarioResult) -> list[tuple[str, str]]:
    scenario = result.scenario.name
    faults = [
        (f"{scenario}, step {number} ({step.step.title})", fault)
        for number, step in enumerate((*result.steps, *result.after_undo), 1)
        for fault in step.faults
    ]
    if result.fault:
        faults.append((scenario, result.fault))
    return faults


def _style_of(result: StepResult) -> str:
    return "bold green" if result.as_documented else "bold red"


def _verdict(exchange: Exchange) -> str:
    record = exchange.record
    if record["reason"] == "ok":
        verified = exchange.verified
        return "accepted, and the request went through" if verified else "nothing was verified"
    attempts = len(record["attempts"])
    text = f"refused: {record['detail']}"
    alerts = {handshake.alert for handshake in exchange.handshakes if handshake.alert}
    for _level, number in alerts:
        text += f"; the node received fatal alert {number} ({_ALERTS.get(number, 'see RFC 8446')})"
    return f"{text}; {attempts} attempts" if attempts > 1 else text


def _verdict_style(exchange: Exchange) -> str:
    if exchange.record["reason"] != "ok":
        return "bold yellow"
    return "green" if exchange.verified else "magenta"


def _log_style(line: str) -> str:
    if "] WARNING: " in line or "] ERROR: " in line:
        return "bold yellow"
    return "dim"


def _fixes(explanation: Explanation) -> list[str]:
    lines = []
    for fix in explanation.fixes:
        after = f" ({fix.restart})" if fix.restart else ""
        lines.append(f"- {fix.what}{after}")
        if fix.command:
            lines.append(f"  $ {fix.command}")
    return lines


def as_json(
    results: Sequence[ScenarioResult], seconds: float, releases: Releases | None = None
) -> dict[str, object]:
    """Return a run as plain values for JSON; the schema stands in docs/reference/demo.md."""
    second = releases is None or not releases.faults
    return {
        "schema": JSON_SCHEMA,
        "as_documented": second and all(result.as_documented for result in results),
        "seconds": round(seconds, 3),
        "scenarios": [
            {
                "name": result.scenario.name,
                "title": result.scenario.title,
                "as_documented": result.as_documented,
                "fault": result.fault,
                "steps": [_step_json(step) for step in result.steps],
                "after_undo": [_step_json(step) for step in result.after_undo],
            }
            for result in results
        ],
        "releases": None if releases is None else _releases_json(releases),
    }


def _releases_json(releases: Releases) -> dict[str, object]:
    return {
        "as_documented": not releases.faults,
        "differences": list(releases.faults),
        "matrix": matrix_json(releases.matrix),
    }


def _step_json(result: StepResult) -> dict[str, object]:
    values: dict[str, object] = {
        "title": result.step.title,
        "as_documented": result.as_documented,
        "differences": list(result.faults),
    }
    exchange = result.exchange
    if exchange is not None:
        values |= {
            "segment": exchange.segment,
            "route": exchange.route,
            "path": exchange.path,
            "status": exchange.status,
            "phrase": exchange.phrase,
            "log": list(exchange.log),
            "transaction": exchange.record,
            "tls_connections": [
                {
                    "certificate": handshake.certificate,
                    "version": handshake.version,
                    "sni": handshake.sni,
                    "completed": handshake.completed,
                    "alert": handshake.alert,
                }
                for handshake in exchange.handshakes
            ],
        }
    if result.explanation is not None:
        values["cause"] = result.explanation.cause
        values["fixes"] = [fix.what for fix in result.explanation.fixes]
    return values
