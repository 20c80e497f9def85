"""How an upgrade looks: on a terminal or as text, as one HTML file, as JSON.

- Results come as values and are only shown here; each form says the same.
- Nothing is told by colour alone: cells hold words and the letter of their cause.
- The HTML file loads nothing from elsewhere. It reads on a phone, in dark mode, and on paper.

The JSON schema is docs/reference/upgrade.schema.json.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import StringIO
from typing import IO, TYPE_CHECKING, Final

from mralab.diagnostics.chain import draw_chain
from mralab.lab.loginreport import choice_json, met_text, step_json

if TYPE_CHECKING:
    from datetime import datetime

    from rich.console import Console
    from rich.table import Table

    from mralab.lab.loginresult import LoginStep
    from mralab.lab.remedy import Choice
    from mralab.lab.upgrade import ColumnResult, Problem, UpgradeMatrix

JSON_SCHEMA: Final = "mralab-upgrade-1"
_PLAIN_WIDTH: Final = 110  # columns where there is no terminal to ask
_LABEL: Final = 14
_ALERTS: Final = {48: "unknown_ca", 80: "internal_error"}
_WARNINGS: Final = ("] WARNING: ", "] ERROR: ")
_OUTCOME_WORDS: Final = {
    "fine": "fine",
    "login-fails": "login fails",
    "no-phone-service": "no phone",
    "no-im-and-presence": "no IM",
    "no-voicemail": "no voicemail",
    "photo-missing": "no photo",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """A step under a release, ready to be shown."""

    text: str  #: ``ok``, ``502 A``, ``- A``; ``""`` if there is no such step
    red: bool = False
    breaks: bool = False  #: green before the upgrade
    step: LoginStep | None = None
    letter: str = ""


def cells_of(matrix: UpgradeMatrix) -> list[tuple[str, list[Cell]]]:
    """Return each row's title and cells, in the order of the columns."""
    letters = {cell: problem.letter for problem in matrix.problems() for cell in problem.cells}
    rows = []
    for title in matrix.rows:
        cells = []
        for column in matrix.columns:
            letter = letters.get((column.column.title, title), "")
            cells.append(_cell(matrix, column, title, letter))
        rows.append((title, cells))
    return rows


def _cell(matrix: UpgradeMatrix, column: ColumnResult, title: str, letter: str) -> Cell:
    step = next((item for item in column.result.steps if item.title == title), None)
    if step is None:
        return Cell("")
    if not step.fault:
        return Cell("ok", step=step)
    status = str(step.status or "-")
    return Cell(
        f"{status} {letter}",
        red=True,
        breaks=title in matrix.breaks(column),
        step=step,
        letter=letter,
    )


def verdict_line(matrix: UpgradeMatrix) -> str:
    """Return in one sentence what the upgrade does to this user."""
    if not matrix.red:
        return "Every step is green under every release shown."
    broken = [item.column.title for item in matrix.columns if matrix.breaks(item)]
    if not broken:
        return "Red steps, but none that was green before the upgrade."
    return f"Green before, red after: {', '.join(broken)}."


def not_tried_lines(matrix: UpgradeMatrix) -> list[str]:
    """Return what this user's login does not show: a line for each other cluster."""
    return [
        f"cluster {cluster}: {f'--user {user}' if user else 'it has no user in the estate'}"
        for cluster, user in matrix.not_tried
    ]


def outcome_word(column: ColumnResult) -> str:
    """Return what the user sees, in at most two words."""
    return _OUTCOME_WORDS[column.result.outcome.value]


def fixes_of(problem: Problem) -> list[tuple[str, str]]:
    """Return each fix's text, and what the product needs afterwards.

    No fix of an estate is a command, see :mod:`mralab.lab.remedy`.
    """
    return [(remedy.fix.what, remedy.fix.restart) for remedy in problem.cause.remedies]


def log_of(problem: Problem) -> tuple[str, ...]:
    """Return the lines of Expressway-C's log that tell of the cause: WARNING and ERROR once each.

    The traffic server tries twice, and logs the same twice.
    """
    met = problem.step.met
    lines = [line for line in (met.log if met else ()) if any(w in line for w in _WARNINGS)]
    seen: dict[str, str] = {}
    for line in lines:
        seen.setdefault(line.partition("] ")[2], line)
    return tuple(seen.values())


def alert_of(problem: Problem) -> str:
    """Return the alert that the node got, "" without one."""
    alert = problem.step.met.alert if problem.step.met else None
    if alert is None:
        return ""
    return f"fatal alert {alert} ({_ALERTS.get(alert, 'see RFC 8446')})"


def chain_of(problem: Problem, at: datetime) -> list[str]:
    """Return the presented chain as drawn lines."""
    return draw_chain(problem.cause.chain, at=at)


# -- text


def text_of(matrix: UpgradeMatrix, *, at: datetime, like: IO[str] | None = None) -> str:
    """Return matrix, causes and fixes as text.

    Args:
        matrix: what to show.
        at: aware time that expiry is counted from.
        like: the stream it is for: coloured and as wide as that if it is a terminal. None: plain.
    """
    from rich.console import Console  # noqa: PLC0415 - the other forms do without

    real = Console(file=like)
    coloured = like is not None and real.is_terminal
    text = StringIO()
    console = Console(
        file=text,
        highlight=False,
        width=real.width if coloured else _PLAIN_WIDTH,
        force_terminal=coloured,
        no_color=None if coloured else True,
    )
    _print_all(_Printer(console), matrix, at)
    lines = text.getvalue().splitlines()
    return "".join(f"{line if coloured else line.rstrip()}\n" for line in lines)


def _print_all(show: _Printer, matrix: UpgradeMatrix, at: datetime) -> None:
    show.line(f"{matrix.user} through {matrix.estate}", "bold")
    show.print(_table(matrix))
    show.line(verdict_line(matrix), "bold red" if matrix.red else "bold green")
    for line in not_tried_lines(matrix):
        show.labelled("not tried", line, "yellow")
    if matrix.choice is not None:
        show.labelled("helps most", matrix.choice.text, "green")
    for column in matrix.columns:
        for failure in column.discovery:
            show.labelled("discovery", f"{column.column.title}: {failure}", "yellow")
    for problem in matrix.problems():
        _print_problem(show, problem, at)


class _Printer:
    """Prints lines, and lines with a label."""

    def __init__(self, console: Console) -> None:
        self.print = console.print

    def line(self, text: str, style: str = "") -> None:
        from rich.text import Text  # noqa: PLC0415 - as above

        self.print(Text(text, style))

    def labelled(self, label: str, text: str, style: str = "") -> None:
        from rich.table import Table  # noqa: PLC0415 - as above
        from rich.text import Text  # noqa: PLC0415 - as above

        row = Table.grid(padding=0)
        row.add_column(width=_LABEL, no_wrap=True)
        row.add_column(overflow="fold")
        row.add_row(Text(f"   {label}", "dim"), Text(text, style))
        self.print(row)


def _table(matrix: UpgradeMatrix) -> Table:
    from rich import box  # noqa: PLC0415 - as above
    from rich.table import Table  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_footer=True, pad_edge=False)
    table.add_column("step", footer="what the user sees", overflow="fold")
    for column in matrix.columns:
        word = outcome_word(column)
        style = "green" if word == "fine" else "bold red"
        table.add_column(_heading(column), footer=Text(word, style), justify="left", min_width=5)
    for title, cells in cells_of(matrix):
        table.add_row(title, *(Text(cell.text, _style(cell)) for cell in cells))
    return table


def _heading(column: ColumnResult) -> str:
    release, _, path = column.column.title.partition("/")
    return "\n".join((release, *path.split("-"))) if path else release


def _style(cell: Cell) -> str:
    if not cell.red:
        return "green"
    return "bold red" if cell.breaks else "red"


def _print_problem(show: _Printer, problem: Problem, at: datetime) -> None:
    show.line("")
    show.line(f"{problem.letter}  {', '.join(problem.columns)}", "bold red")
    show.labelled("steps", ", ".join(problem.steps))
    show.labelled("cause", problem.cause.text or problem.step.fault)
    for number, line in enumerate(chain_of(problem, at)):
        show.labelled("presented" if not number else "", line, "cyan")
    alert = alert_of(problem)
    if alert:
        show.labelled("node got", alert)
    for number, line in enumerate(log_of(problem)):
        show.labelled("log" if not number else "", line, "yellow")
    for number, (what, restart) in enumerate(fixes_of(problem)):
        after = f" ({restart})" if restart else ""
        show.labelled("fix" if not number else "", f"- {what}{after}", "green")


# -- HTML


def html_page(matrix: UpgradeMatrix, *, at: datetime, version: str) -> str:
    """Return the report as one HTML file.

    Args:
        matrix: what to show.
        at: aware time it was made, and that expiry is counted from.
        version: of this program.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - only here

    environment = Environment(
        loader=PackageLoader("mralab.lab"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("upgrade.html.j2").render(
        matrix=matrix,
        rows=cells_of(matrix),
        problems=[_problem_values(problem, at) for problem in matrix.problems()],
        verdict=verdict_line(matrix),
        not_tried=not_tried_lines(matrix),
        choice=matrix.choice,
        outcome_word=outcome_word,
        met_text=met_text,
        made=f"{at:%Y-%m-%d %H:%M} UTC",
        version=version,
    )


def _problem_values(problem: Problem, at: datetime) -> dict[str, object]:
    return {
        "letter": problem.letter,
        "columns": problem.columns,
        "steps": problem.steps,
        "cause": problem.cause.text or problem.step.fault,
        "chain": chain_of(problem, at),
        "met": problem.step.met,
        "url": problem.step.url,
        "segment": problem.step.segment,
        "path": problem.step.path,
        "alert": alert_of(problem),
        "log": log_of(problem),
        "fixes": fixes_of(problem),
    }


# -- JSON


def matrix_json(matrix: UpgradeMatrix) -> dict[str, object]:
    """Return the matrix as plain values for JSON."""
    return {
        "schema": JSON_SCHEMA,
        "estate": matrix.estate,
        "user": matrix.user,
        "red": matrix.red,
        "not_tried": [
            {"cluster": cluster, "user": user or None} for cluster, user in matrix.not_tried
        ],
        "fix": choice_json(matrix.choice),
        "columns": [_column_json(matrix, column) for column in matrix.columns],
        "problems": [_problem_json(problem) for problem in matrix.problems()],
    }


def _column_json(matrix: UpgradeMatrix, column: ColumnResult) -> dict[str, object]:
    path = column.column.path
    before = column.column.before
    choice: Choice | None = column.result.choice
    return {
        "title": column.column.title,
        "release": column.column.release.value,
        "upgrade_path": None if path is None else path.value,
        "before": None if before is None else before.title,
        "verified": column.verified,
        "ciphers": column.ciphers,
        "discovery_failures": list(column.discovery),
        "outcome": column.result.outcome.value,
        "losses": [loss.value for loss in column.result.losses],
        "text": column.result.text,
        "fix": choice_json(choice),
        "breaks": list(matrix.breaks(column)),
        "steps": [step_json(step) for step in column.result.steps],
    }


def _problem_json(problem: Problem) -> dict[str, object]:
    return {
        "letter": problem.letter,
        "cause": problem.cause.text,
        "chain": [facts.as_json() for facts in problem.cause.chain],
        "cells": [{"column": column, "step": step} for column, step in problem.cells],
        "fixes": [
            {
                "what": remedy.fix.what,
                "command": remedy.fix.command,
                "restart": remedy.fix.restart,
                "workaround": remedy.workaround,
            }
            for remedy in problem.cause.remedies
        ],
    }
