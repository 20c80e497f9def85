"""Write the table of ``docs/reference/names.md`` anew from the code.

Run ``python -P tests/truststore/names_page.py`` from the top of the repository with the repository
on ``PYTHONPATH``, after changing a rule or a case.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.truststore.name_cases import SECTIONS, NameCase

from mralab.config.releases import NameRule
from mralab.truststore.names import CertificateNames, address_text, match_name, text_of

PAGE: Final = Path(__file__).parents[2] / "docs" / "reference" / "names.md"
BEGIN: Final = "<!-- table begin: written by tests/truststore/names_page.py -->\n"
END: Final = "<!-- table end -->\n"
RULES: Final = (NameRule.EXPRESSWAY, NameRule.ATS, NameRule.STRICT)


def code(text: str) -> str:
    """Return text as Markdown code, blanks made visible."""
    return f"`{text.replace(' ', '␠')}`" if text else "(empty)"


def holds(names: CertificateNames) -> str:
    """Return what a certificate holds, as one cell."""
    parts = [f"DNS {code(text_of(name))}" for name in names.dns]
    parts += [f"IP {code(address_text(address))}" for address in names.ips]
    if names.cn_unconvertible:
        parts.append("CN of type BIT STRING")
    elif names.first_cn is not None:
        parts.append(f"CN {code(text_of(names.first_cn.encode()))}")
    return ", ".join(parts) or "no name"


def row(case: NameCase) -> str:
    """Return one row, its verdicts computed by the code."""
    verdicts = (
        "match" if match_name(case.requested, case.names, rule).matched else "no" for rule in RULES
    )
    return (
        f"| {case.shows} | {holds(case.names)} | {code(case.requested)} | {' | '.join(verdicts)} |"
    )


def table() -> str:
    """Return all tables."""
    lines = []
    for title, cases in SECTIONS.items():
        heads = " | ".join(f"`{rule.value}`" for rule in RULES)
        lines += [
            f"### {title}",
            "",
            f"| shows | certificate holds | requested | {heads} |",
            "| --- | --- | --- | --- | --- | --- |",
            *(row(case) for case in cases),
            "",
        ]
    return "\n".join(lines)


def with_table(page: str) -> str:
    """Return the page with its table written anew."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
