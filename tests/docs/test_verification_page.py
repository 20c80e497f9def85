"""The page on verification is up to date, and the test of each statement exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from tests.docs.verification_page import PAGE, TABLES, missing_rows, with_tables

ROOT = PAGE.parents[2]
TEXT = PAGE.read_text(encoding="utf-8")
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
STATEMENT = re.compile(
    r"^\| (?!statement|---)(?P<said>.+?) \| (?P<source>.+?) \| (?P<proof>.+) \|$"
)


@cache
def functions_of(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    return frozenset(
        node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def statements() -> list[re.Match[str]]:
    """Rows of the tables whose columns are statement, source and test."""
    found = []
    for section in TEXT.split("| statement | source | test |\n")[1:]:
        for line in section.splitlines():
            if not line.startswith("|"):
                break
            row = STATEMENT.match(line)
            if row:
                found.append(row)
    return found


@pytest.mark.parametrize("named", sorted(set(NAMED.findall(TEXT))), ids="::".join)
def test_every_named_test_exists(named: tuple[str, str]) -> None:
    path, name = named
    assert name in functions_of(path)


def test_every_statement_names_its_test_and_its_source() -> None:
    rows = statements()
    assert len(rows) > 40
    for row in rows:
        assert NAMED.search(row["proof"]), f"no test: {row['said']}"
        assert re.search(r"SEEN|INFERRED|lab (default|decision|extension)|RFC", row["source"]), (
            f"no source: {row['said']}"
        )


@pytest.mark.parametrize("table", TABLES)
def test_every_table_is_followed_by_its_test(table: str) -> None:
    _, _, after = TEXT.partition(f"<!-- {table} end -->\n")
    assert NAMED.search(after.split("\n\n")[0] or after.split("\n\n")[1])


def test_the_tables_are_those_of_the_code() -> None:
    assert with_tables(TEXT) == TEXT


def test_the_table_of_releases_tells_all_that_a_profile_has() -> None:
    assert missing_rows() == set()


def test_a_test_that_is_not_there_is_found() -> None:
    assert "test_no_such" not in functions_of(str(Path(__file__).relative_to(ROOT)))
    assert "test_every_named_test_exists" in functions_of("tests/docs/test_verification_page.py")
