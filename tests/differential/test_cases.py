"""The tables themselves: what can be told without a server."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from tests.differential.cases import CASES
from tests.differential.model import NAME, OK
from tests.differential.mutate import apply, cases_for, copy_tree
from tests.differential.mutations import MUTATIONS
from tests.differential.place import Place
from tests.differential.run import TREE

from mralab.origin.route import encode_segment
from mralab.truststore.wording import X509_TEXTS_3

if TYPE_CHECKING:
    import pytest


def test_every_sentence_stands_once() -> None:
    assert [text for text, count in Counter(case.id for case in CASES).items() if count > 1] == []


def test_every_heading_has_cases() -> None:
    headings = Counter(case.section.partition(" ")[0].partition(".")[0] for case in CASES)
    assert set(headings) == set("1234567")


def test_expectations_are_texts_of_openssl_or_status_lines() -> None:
    for case in CASES:
        text, at, depth = case.expect.partition("@")
        if case.expect not in (OK, NAME) and re.match(r"\d{3} ", case.expect) is None:
            assert text in X509_TEXTS_3.values(), case
            assert at, case
            assert depth.isdigit(), case


def test_every_world_can_be_built_and_routed_to() -> None:
    for number, case in enumerate(CASES):
        place = Place(number)
        world = case.build(place)
        assert world.sent or world.scheme == "http" or not world.listening, case
        assert encode_segment("lab", world.scheme, world.host or place.host, 8443)


def test_no_two_worlds_share_an_address_unawares() -> None:
    addresses = Counter(Place(number).address for number in range(len(CASES)))
    assert max(addresses.values()) == 1


def test_every_mutation_applies_to_the_tree_as_it_is() -> None:
    for mutation in MUTATIONS:
        assert (TREE / mutation.file).read_text("utf-8").count(mutation.old) == 1, mutation.name


def test_every_mutation_has_cases_to_notice_it() -> None:
    for mutation in MUTATIONS:
        assert cases_for(mutation, CASES), mutation.name


def test_mutations_are_made_in_a_copy(tmp_path_factory: pytest.TempPathFactory) -> None:
    tree = tmp_path_factory.mktemp("tree")
    copy_tree(tree)
    mutation = MUTATIONS[0]
    assert apply(mutation, tree)
    assert mutation.new in (tree / mutation.file).read_text("utf-8")
    assert not apply(mutation, tree)
    assert (tree / "src" / "mralab" / "proxy" / "server.py").exists()
