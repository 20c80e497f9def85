"""Write the tables of ``docs/reference/conformance.md`` anew from the documented differences.

Run ``PYTHONPATH=. python -P -m tests.conformance.page`` from the top of the repository after a
change of ``differences.py`` or ``runs.py``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.conformance.differences import AGAINST_1_1_1, AGAINST_3
from tests.conformance.level_1 import level_1_cases
from tests.conformance.runs import RUNS

from mralab.config.releases import ErrorWording

if TYPE_CHECKING:
    from tests.conformance.differences import Difference

PAGE: Final = Path(__file__).parents[2] / "docs" / "reference" / "conformance.md"
BEGIN: Final = "<!-- tables begin: written by tests/conformance/page.py -->\n"
END: Final = "<!-- tables end -->\n"

_JUDGES: Final = {
    ErrorWording.OPENSSL_1_1_1: "OpenSSL 1.1.1n, level 0",
    ErrorWording.OPENSSL_3: "`openssl verify` of 3.0.22",
}


def results() -> str:
    """Return the table of all runs, the main one first."""
    lines = [
        "### Results",
        "",
        "| here | compared with | baseline column | chains | agree |",
        "| --- | --- | --- | --- | --- |",
    ]
    for run in reversed(RUNS):
        judge = _JUDGES[run.wording]
        if run.wording is ErrorWording.OPENSSL_3:
            judge += ", same level"
        lines.append(f"| {run.title} | {judge} | `{run.column}` | {run.chains} | **{run.agree}** |")
    own = sum(1 for _ in level_1_cases())
    lines.append(
        f"| X releases, level 1 of 1.1.1 | OpenSSL 1.1.1n, level 1 | (chains of our own) | {own} | "
        f"**{own}** |"
    )
    return "\n".join(lines)


def differences(title: str, judge: str, rows: tuple[Difference, ...]) -> str:
    """Return the table of one list of differences."""
    lines = [
        f"### {title}",
        "",
        f"| chain | {judge} | here | reason |",
        "| --- | --- | --- | --- |",
        *(f"| `{row.case}` | {row.theirs} | {row.ours} | {row.reason} |" for row in rows),
    ]
    return "\n".join(lines)


def level_1() -> str:
    """Return the table of our own chains."""
    lines = [
        "### Level 1 as 1.1.1 means it",
        "",
        "| chain | OpenSSL 1.1.1n and here |",
        "| --- | --- |",
        *(f"| {case.id} | {verdict} |" for case, verdict in level_1_cases()),
    ]
    return "\n".join(lines)


def tables() -> str:
    """Return all tables."""
    return "\n\n".join(
        (
            results(),
            differences("Differences to OpenSSL 3", "OpenSSL 3.0.22", AGAINST_3),
            differences("Differences to OpenSSL 1.1.1", "OpenSSL 1.1.1n", AGAINST_1_1_1),
            level_1(),
        )
    )


def with_tables(page: str) -> str:
    """Return the page with its tables written anew."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{tables()}\n\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
