"""The reference page of the estate file is current and names all that the reader knows."""

from __future__ import annotations

import re
import runpy
from dataclasses import fields
from pathlib import Path

import pytest

import mralab
from mralab.config.estatefile import parse_estate
from mralab.config.estateschema import OTHER_WORDS, TABLES, Table, folded

REPOSITORY = Path(mralab.__file__).parents[2]


def test_the_reference_page_is_current(capsys: pytest.CaptureFixture[str]) -> None:
    page = (REPOSITORY / "docs/reference/estate.md").read_text()
    runpy.run_module("mralab.config.estatereference", run_name="__main__")
    assert page == capsys.readouterr().out, (
        "run: python -m mralab.config.estatereference > docs/reference/estate.md"
    )


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.header or "top")
def test_each_key_is_a_field_of_the_plan_and_each_field_a_key(table: Table) -> None:
    known = {item.name for item in fields(table.plan)} - {"line", "source"}
    keys = {key.target for key in table.keys}
    #: Fields that are tables of their own, by how the file calls them.
    tables = {
        "node": "nodes",
        "authority": "authorities",
        "cluster": "clusters",
        "user": "users",
        "discovery": "discoveries",
        "certificate": "certificate" if "certificate" in known else "certificates",
    }
    inner = {tables.get(name, name) for name in table.inner}
    missing = {"role", "tls_ciphers"} if table.header == "[[unity]]" else set()
    assert keys | inner == known - missing


def test_names_are_told_apart_without_case_and_hyphens() -> None:
    for table in TABLES:
        names = [folded(name) for name in table.names]
        assert len(set(names)) == len(names)


def test_what_other_words_stand_for_is_a_key() -> None:
    names = {name for table in TABLES for name in table.names}
    assert set(OTHER_WORDS.values()) <= names
    assert all(word == folded(word) for word in OTHER_WORDS)


def test_the_pieces_of_the_how_to_are_one_estate() -> None:
    page = (REPOSITORY / "docs/howto/describe-an-estate.md").read_text()
    estate = parse_estate("".join(re.findall(r"(?ms)^```toml\n(.*?)^```", page)), "page")
    assert [cluster.name for cluster in estate.clusters] == ["north", "south"]
    assert estate.unity
    assert {user.cluster for user in estate.users} == {"north", "south"}
