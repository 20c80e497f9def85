from __future__ import annotations

import ipaddress

import pytest
from tests.differential.names_server import answer_to, question_name

QUERY = bytes.fromhex("1234 0100 0001 0000 0000 0000")
NAMES = {"cucm.lab": "127.20.0.1", "six.lab": "::1"}


def query(name: str, kind: int = 1) -> bytes:
    labels = b"".join(bytes((len(label),)) + label.encode() for label in name.split("."))
    return QUERY + labels + b"\0" + kind.to_bytes(2) + b"\0\1"


def test_a_question_is_read() -> None:
    assert question_name(query("CUCM.lab", 28))[:2] == ("CUCM.lab", 28)


@pytest.mark.parametrize(("name", "kind"), [("cucm.lab", 1), ("CuCm.LAB", 1), ("six.lab", 28)])
def test_a_known_name_has_its_address(name: str, kind: int) -> None:
    answer = answer_to(query(name, kind), NAMES)
    assert answer[:8] == bytes.fromhex("1234 8580 0001 0001")
    assert answer.endswith(ipaddress.ip_address(NAMES[name.lower()]).packed)


def test_a_known_name_has_nothing_else() -> None:
    assert answer_to(query("cucm.lab", 28), NAMES)[:8] == bytes.fromhex("1234 8580 0001 0000")


def test_another_name_does_not_exist() -> None:
    assert answer_to(query("imp.lab"), NAMES)[:8] == bytes.fromhex("1234 8583 0001 0000")
