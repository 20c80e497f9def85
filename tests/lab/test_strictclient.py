"""The tests' second client finds fault where there is one."""

from __future__ import annotations

import pytest

from . import strictclient
from .strictclient import SHAPES, Shape, Source, assert_shape, parse

SERVERS = (
    b'<servers version="14.0.1" uri="https://cucm:8443/cucm-uds/servers">'
    b"<server>cucm</server></servers>"
)


def test_a_right_answer_passes_and_can_be_read() -> None:
    root = assert_shape(SERVERS, "servers")
    assert root.one("server") == "cucm"
    assert root.all("nothing") == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (SERVERS.replace(b"servers", b"server"), "servers expected"),
        (SERVERS.replace(b' version="14.0.1"', b""), "attributes"),
        (SERVERS.replace(b"<server>", b"<server x='1'>"), "attributes"),
        (SERVERS.replace(b"14.0.1", b"14"), "version='14'"),
        (SERVERS.replace(b"<server>cucm</server>", b""), "0 of server"),
        (SERVERS.replace(b"cucm<", b" <"), "text ' '"),
        (SERVERS.replace(b"</servers>", b"<other/></servers>"), "other is too much"),
        (SERVERS.replace(b"<servers ", b"<servers xmlns='urn:x' "), "servers expected"),
    ],
    ids=[
        "another element",
        "an attribute missing",
        "an attribute too much",
        "an attribute of another form",
        "a child missing",
        "text of another form",
        "a child too much",
        "another namespace",
    ],
)
def test_structures_that_are_wrong(body: bytes, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        assert_shape(body, "servers")


def test_a_wrong_order_is_found() -> None:
    wrong = b"<VersionInformation><version>14.0.1</version><name>vmrest</name></VersionInformation>"
    with pytest.raises(AssertionError, match="misplaced"):
        assert_shape(wrong, "vmrest version")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<a>",
        b"<a/><b/>",
        b"<p:a/>",
        b"<!DOCTYPE a><a/>",
        b"<a><!-- x --></a>",
        b"<?x y?><a/>",
        b"<a>text<b/></a>",
        b"<a x='1' x='2'/>",
    ],
)
def test_what_is_no_strict_xml(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(body)


def test_every_shape_says_where_it_is_from() -> None:
    def lab(shape: Shape) -> bool:
        return shape.source is Source.LAB and all(lab(slot.shape) for slot in shape.children)

    own = {name for name, shape in SHAPES.items() if shape.source is Source.LAB}
    assert own == {"jabber-config", "service profile", "global-settings", "vmrest inbox"}
    assert all(lab(SHAPES[name]) for name in own), "no seen element in an answer of our own"
    assert strictclient.TIMEOUT_S < 20
