from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.truststore.certs import oid, seq, tlv

from mralab.truststore import der


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x30", id="a tag alone"),
        pytest.param(b"\x30\x05\x02\x01", id="content cut off"),
        pytest.param(b"\x30\x82\x01", id="length cut off"),
        pytest.param(b"\x30\x80\x00\x00", id="indefinite length"),
        pytest.param(b"\x30\x85\x00\x00\x00\x00\x01\x00", id="length of five bytes"),
        pytest.param(b"\x1f\x81\x01\x00", id="tag of several bytes"),
        pytest.param(b"\x05\x00\x30", id="a second element cut off"),
    ],
)
def test_what_does_not_fit_is_refused(data: bytes) -> None:
    with pytest.raises(der.DerError):
        der.elements(data)


@pytest.mark.parametrize("size", [0, 1, 127, 128, 255, 256, 70_000])
def test_elements_of_any_length(size: int) -> None:
    first, second = tlv(0x04, b"x" * size), tlv(0x05)
    read = der.elements(first + second)
    assert read == [
        der.Element(0x04, b"x" * size, first),
        der.Element(0x05, b"", second),
    ]


def test_one_element_of_one_tag() -> None:
    assert der.only(b"\x02\x01\x07", der.INTEGER) == b"\x07"
    with pytest.raises(der.DerError, match="tag 0x04 where 0x02"):
        der.only(b"\x04\x01\x07", der.INTEGER)
    with pytest.raises(der.DerError, match="2 elements"):
        der.only(b"\x02\x01\x07\x02\x01\x07", der.INTEGER)
    with pytest.raises(der.DerError, match="0 elements"):
        der.only(b"", der.INTEGER)


@pytest.mark.parametrize("dotted", ["0.9.2342", "1.2.840.113549", "2.5.4.3", "2.999.3"])
def test_object_identifiers(dotted: str) -> None:
    first, second, *_ = map(int, dotted.split("."))
    encoded = oid(dotted) if second < 40 else b"\x06\x03\x88\x37\x03"
    assert first < 3
    assert der.dotted(der.only(encoded, der.OID)) == dotted


@pytest.mark.parametrize("body", [b"", b"\x2a\x86", b"\x2a" * 129])
def test_object_identifiers_that_are_none(body: bytes) -> None:
    with pytest.raises(der.DerError):
        der.dotted(body)


def test_bits() -> None:
    assert der.bits(b"\0ab") == b"ab"
    with pytest.raises(der.DerError):
        der.bits(b"")


@given(
    st.recursive(
        st.binary(max_size=300),
        lambda inner: st.lists(inner, max_size=4).map(lambda parts: seq(*parts)),
        max_leaves=20,
    )
)
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        found = der.elements(data)
    except der.DerError:
        return
    assert b"".join(element.raw for element in found) == data
    assert all(element.raw.endswith(element.value) for element in found)
