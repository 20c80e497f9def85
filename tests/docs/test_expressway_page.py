"""The page on the Expressways names a source and an existing test for each statement."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/reference/expressway.md").read_text("utf-8")
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
SOURCE = re.compile(r"SEEN|INFERRED|lab (default|extension)|RFC")


@cache
def functions_of(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return frozenset(node.name for node in tree.body if isinstance(node, kinds))


@pytest.mark.parametrize("named", sorted(set(NAMED.findall(TEXT))), ids="::".join)
def test_every_named_test_exists(named: tuple[str, str]) -> None:
    path, name = named
    assert name in functions_of(path)


def test_every_statement_names_its_test_and_its_source() -> None:
    rows = [
        line.strip("| ").split(" | ")
        for section in TEXT.split("| statement | source | test |\n|---|---|---|\n")[1:]
        for line in section.partition("\n\n")[0].splitlines()
    ]
    assert len(rows) > 40
    for said, source, proof in rows:
        assert SOURCE.search(source), said
        assert NAMED.search(proof), said
