"""How a run of scenarios looks: on a terminal, as text, as JSON, as a picture.

Rules: results come as values and are only shown here. Colours on a terminal, plain text elsewhere;
``NO_COLOR`` is respected. Log lines are shown whole and as they stand in the file.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Final

from rich.console import Console, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from mralab.diagnostics.chain import draw_chain
from mralab.lab.scenario import Listener, essence

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mralab.diagnostics.explain import Explanation
    from mralab.lab.embedded import Exchange
    from mralab.lab.scenario import Scenario, ScenarioResult, StepResult

JSON_SCHEMA: Final = "mralab-demo-1"
_PLAIN_WIDTH: Final = 110  # columns where there is no terminal to ask
_INDENT: Final = 4
_LABEL: Final = 11
_ALERTS: Final = {48: "unknown_ca", 80: "internal_error"}


class Presenter:
    """Shows a run while it goes on.

    Attributes:
        console: where it is shown.
    """

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
        self._file = file
        self._brief = brief
        self.console = Console(file=file, highlight=False, record=picture)
        if not self.console.is_terminal:
            self.console = Console(
                file=file,
                highlight=False,
                width=_PLAIN_WIDTH,
                no_color=None if picture else True,
                force_terminal=picture or None,
                record=picture,
            )
        self._pause = pause
        self._number = 0
        self._plain = self.console.no_color and not self.console.is_terminal

    def listener(self) -> Listener:
        """Return what :func:`~mralab.lab.scenario.play` tells us by."""
        return Listener(
            scenario_begins=self._scenario,
            undone=self._undone,
            step_done=self._step,
            scenario_failed=self._failed,
        )

    def summary(self, results: Sequence[ScenarioResult], seconds: float) -> None:
        """Say how it went, naming every step that went otherwise."""
        steps = [step for result in results for step in (*result.steps, *result.after_undo)]
        green = all(result.as_documented for result in results)
        self._print("")
        style = "bold green" if green else "bold red"
        self._print(Rule(style=style))
        if green:
            text = (
                f"{_count(len(results), 'scenario')}, {_count(len(steps), 'request')}: "
                f"each went as documented ({seconds:.1f} s)."
            )
        else:
            text = "Not as documented:"
        self._print(Text(text, style))
        for result in results:
            for name, fault in _faults(result):
                self._line("step", f"{name}: {fault}", "red")

    def svg(self, title: str) -> str:
        """Return what was shown as a picture that loads nothing from elsewhere."""
        picture = self.console.export_svg(title=title)
        return re.sub(r"@font-face\s*\{.*?\}", "", picture, flags=re.DOTALL)

    # -- what happens

    def _scenario(self, scenario: Scenario) -> None:
        if self._number and self._pause is not None:
            self._pause()
        self._number += 1
        self._print("")
        title = Text(f" {self._number}  {scenario.title} ", "bold")
        self._print(Rule(title, align="left", style="cyan"))
        self._line("story", scenario.story, "")
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

    def _line(self, label: str, text: str, style: str) -> None:
        """Show a label and a text beside it, which keeps its column when it is wrapped."""
        row = Table.grid(padding=0)
        row.add_column(width=_INDENT + _LABEL, no_wrap=True)
        row.add_column(overflow="fold")
        row.add_row(Text(" " * _INDENT + label, "dim"), Text(text, style))
        self._print(row)

    def _print(self, what: RenderableType) -> None:
        """Print; outside a terminal without the blanks that fill its lines up."""
        if not self._plain:
            self.console.print(what)
            return
        with self.console.capture() as captured:
            self.console.print(what)
        for line in captured.get().splitlines():
            self._file.write(f"{line.rstrip()}\n")


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


def as_json(results: Sequence[ScenarioResult], seconds: float) -> dict[str, object]:
    """Return a run as plain values for JSON; the schema stands in docs/reference/demo.md."""
    return {
        "schema": JSON_SCHEMA,
        "as_documented": all(result.as_documented for result in results),
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
