"""The scripted server says what a TLS 1.2 server says, and keeps to what the client offers."""

from __future__ import annotations

import pytest
from tests.conformance.server import NoSuiteError, choose_suite, empty_key_exchange, first_flight
from tests.truststore.certs import ec_key, explicit_p256, make, oid, rsa_key, seq, tlv

from mralab.lab.tlswire import (
    HANDSHAKE,
    ServerHello,
    certificates,
    handshake_messages,
    records,
    server_hello,
)

RSA_LEAF = make("rsa", key=rsa_key(2048)).der
EC_LEAF = make("ec").der
EXPLICIT_LEAF = make("explicit", public_key=explicit_p256(ec_key("explicit"))).der
ECDHE_RSA, ECDHE_RSA_256, ECDHE_ECDSA, DHE_DSS = 0xC02F, 0xC030, 0xC02B, 0x00A2


def leaf_with_key(algorithm: str) -> bytes:
    return make("odd", public_key=seq(seq(oid(algorithm)), tlv(3, b"\0" + bytes(32)))).der


@pytest.mark.parametrize(
    ("leaf", "suite"),
    [
        pytest.param(RSA_LEAF, ECDHE_RSA, id="RSA"),
        pytest.param(EC_LEAF, ECDHE_ECDSA, id="EC"),
        pytest.param(EXPLICIT_LEAF, ECDHE_ECDSA, id="EC, curve spelled out"),
        pytest.param(leaf_with_key("1.3.101.112"), ECDHE_ECDSA, id="Ed25519"),
        pytest.param(leaf_with_key("1.2.840.10040.4.1"), DHE_DSS, id="DSA"),
        pytest.param(leaf_with_key("1.3.101.110"), ECDHE_RSA, id="X25519, which no suite is for"),
    ],
)
def test_the_suite_follows_the_key_of_the_leaf(leaf: bytes, suite: int) -> None:
    assert choose_suite((DHE_DSS, ECDHE_ECDSA, ECDHE_RSA_256, ECDHE_RSA), leaf) == suite


def test_only_what_the_client_offers_is_chosen() -> None:
    assert choose_suite((ECDHE_RSA_256, ECDHE_ECDSA), RSA_LEAF) == ECDHE_RSA_256
    with pytest.raises(NoSuiteError, match="kind RSA"):
        choose_suite((ECDHE_ECDSA, DHE_DSS), RSA_LEAF)


def test_the_first_flight_is_server_hello_and_certificate() -> None:
    flight = first_flight(ECDHE_RSA, (RSA_LEAF, EC_LEAF))
    assert [kind for kind, _ in handshake_messages(flight)] == [2, 11]
    assert server_hello(flight) == ServerHello("TLSv1.2", ECDHE_RSA)
    assert certificates(flight) == (RSA_LEAF, EC_LEAF)


def test_a_long_chain_goes_on_in_the_next_record() -> None:
    chain = (RSA_LEAF,) * 100
    flight = first_flight(ECDHE_RSA, chain)
    found = list(records(flight))
    assert len(found) > 1
    assert found[-1].end == len(flight)
    assert {record.content_type for record in found} == {HANDSHAKE}
    assert max(len(record.payload) for record in found) == 1 << 14
    assert certificates(flight) == chain


def test_the_key_exchange_has_no_content() -> None:
    assert list(handshake_messages(empty_key_exchange())) == [(12, b"")]
