"""Header fields: which pass, which end here, and what Connection takes away."""

from __future__ import annotations

import httptools
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mralab.origin import fields
from mralab.origin.fields import (
    Kind,
    Shapes,
    drop_named,
    kind_of,
    line_of,
    list_members,
    pairs,
    passes_in_trailer,
)

_NAMES = st.binary(min_size=1, max_size=12).filter(lambda name: b":" not in name)


def flat(*named: tuple[bytes, bytes]) -> list[bytes]:
    return [line_of(name, value) for name, value in named]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (b"Connection", Kind.CONNECTION),
        (b"KEEP-ALIVE", Kind.DROP),
        (b"Proxy-Connection", Kind.DROP),
        (b"Proxy-Authenticate", Kind.DROP),
        (b"proxy-authorization", Kind.DROP),
        (b"TE", Kind.DROP),
        (b"HTTP2-Settings", Kind.DROP),
        (b"Transfer-Encoding", Kind.TRANSFER_ENCODING),
        (b"content-length", Kind.CONTENT_LENGTH),
        (b"hOsT", Kind.HOST),
        (b"X-Forwarded-For", Kind.FORWARDED_FOR),
        (b"Via", Kind.VIA),
        (b"Client-IP", Kind.CLIENT_IP),
        (b"Upgrade", Kind.UPGRADE),
        (b"Authorization", Kind.AUTHORIZATION),
        (b"TrackingID", Kind.TRACKING_ID),
        (b"Max-Forwards", Kind.MAX_FORWARDS),
        (b"Expect", Kind.EXPECT),
        (b"Date", Kind.DATE),
        (b"Age", Kind.AGE),
        (b"Accept", Kind.PASS),
        (b"Set-Cookie", Kind.PASS),
        (b"Connection ", Kind.PASS),  # another name: parsers refuse it, nothing may trim it
    ],
)
def test_kind_does_not_depend_on_case(name: bytes, kind: Kind) -> None:
    assert kind_of(name) is kind
    assert kind_of(name.upper()) is kind
    assert kind_of(name) is kind  # now learnt


def test_spellings_learnt_are_bounded() -> None:
    for number in range(5000):
        kind_of(b"X-%d" % number)
    assert len(fields._learnt) <= 2000
    assert kind_of(b"Host") is Kind.HOST


@given(_NAMES)
def test_any_name_has_a_kind(name: bytes) -> None:
    assert kind_of(name) is kind_of(name.lower())


@pytest.mark.parametrize(
    ("value", "members"),
    [
        (b"", []),
        (b"close", [b"close"]),
        (b"Keep-Alive, X-Foo", [b"keep-alive", b"x-foo"]),
        (b" ,, a\t,\t B ,", [b"a", b"b"]),
        (b"a;q=1, b c", [b"a;q=1", b"b c"]),
    ],
)
def test_list_members(value: bytes, members: list[bytes]) -> None:
    assert list_members(value) == members


def test_named_fields_go_in_any_case_and_each_time() -> None:
    message = flat((b"X-A", b"1"), (b"x-a", b"2"), (b"X-B", b"3"))
    assert drop_named(message, [b"x-a", b"close"])
    assert message == flat((b"X-B", b"3"))


@pytest.mark.parametrize("option", [b"host", b"content-length", b"close", b"keep-alive"])
def test_what_a_message_means_cannot_be_taken_away(option: bytes) -> None:
    message = flat((b"Host", b"h"), (b"Content-Length", b"3"), (b"Keep-Alive", b"x"))
    before = list(message)
    assert not drop_named(message, [option])
    assert message == before


@given(
    st.lists(st.tuples(_NAMES, st.binary(max_size=5)), max_size=6),
    st.lists(_NAMES.map(bytes.lower), max_size=3),
)
def test_dropping_keeps_the_rest_in_order(
    named: list[tuple[bytes, bytes]], options: list[bytes]
) -> None:
    message = flat(*named)
    drop_named(message, options)
    assert pairs(message) == [
        (name, value)
        for name, value in named
        if name.lower() not in set(options) - {b"host", b"content-length", b"close", b"keep-alive"}
    ]


@pytest.mark.parametrize(
    ("name", "passes"),
    [
        (b"Checksum", True),
        (b"X-Trace", True),
        (b"Content-Length", False),
        (b"Transfer-Encoding", False),
        (b"Host", False),
        (b"Authorization", False),
        (b"Cookie", False),
        (b"Set-Cookie", False),
        (b"Trailer", False),
        (b"Connection", False),
        (b"Date", False),
        (b"Expect", False),
        (b"WWW-Authenticate", False),
    ],
)
def test_trailer_fields(name: bytes, passes: bool) -> None:
    assert passes_in_trailer(name) is passes


def test_pairs() -> None:
    assert pairs(flat((b"A", b"1"), (b"B", b""))) == [(b"A", b"1"), (b"B", b"")]
    assert pairs([]) == []


class _Heard:
    """What llhttp reads of one head."""

    def __init__(self) -> None:
        self.fields: list[tuple[bytes, bytes]] = []
        self.complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name, value))

    def on_headers_complete(self) -> None:
        self.complete = True


def kinds_of(lines: list[bytes]) -> tuple[Kind, ...] | None:
    """The kinds of lines, as one who looks at shapes is told them."""
    return Shapes(lambda kinds: kinds).of(lines)


_NAME_BYTES = st.sampled_from(list(b"AbZz09-_~!#$%&'*+.^`|"))
_VALUE_BYTES = st.sampled_from(list(b'aZ09 \t!~:;,="\\\x7f\x80\xff\x01\r\n\x00'))


@given(
    st.lists(_NAME_BYTES, min_size=1, max_size=6).map(bytes),
    st.sampled_from([b": ", b":", b" : ", b":  "]),
    st.lists(_VALUE_BYTES, max_size=8).map(bytes),
)
@example(b"A", b": ", b"a b")
@example(b"A", b": ", b"")
def test_llhttp_reads_each_plain_line_as_it_stands(name: bytes, colon: bytes, value: bytes) -> None:
    line = name + colon + value
    if kinds_of([line]) == (Kind.ODD,):
        assert kinds_of([line]) == (Kind.ODD,)  # nothing was learnt
        return
    heard = _Heard()
    httptools.HttpResponseParser(heard).feed_data(b"HTTP/1.1 200 OK\r\n" + line + b"\r\n\r\n")
    assert heard.complete
    assert heard.fields == pairs([line]) == [(name, value)]


@pytest.mark.parametrize(
    "line",
    [
        b"Name",
        b"",
        b":",
        b": value",
        b"Name:value",
        b"Name: ",
        b"Name:  value",
        b"Name: value ",
        b"Name: value\t",
        b"Name : value",
        b" Name: value",
        b"Na me: value",
        b"Name: va\x00lue",
        b"Name: va\rlue",
        b"Name: va\nlue",
        b"Name: va\x7flue",
        b"N\xc3me: value",
    ],
)
def test_lines_that_are_left_to_llhttp(line: bytes) -> None:
    assert kinds_of([line]) == (Kind.ODD,)


def test_lines_are_learnt_and_bounded() -> None:
    assert kinds_of([b"Host: a", b"X: 1", b"te: gzip"]) == (Kind.HOST, Kind.PASS, Kind.DROP)
    assert kinds_of([b"Host: a", b"connection: Keep-Alive"]) == (Kind.HOST, Kind.KEEP_ALIVE)
    assert kinds_of([b"Connection: x"]) == (Kind.CONNECTION,)
    kinds_of([b"X: %d" % number for number in range(5000)])
    kinds_of([b"Cookie: " + b"x" * 10_000])
    assert len(fields._learnt_lines) <= 2000
    assert max(map(len, fields._learnt_lines)) <= 512


def test_an_invalid_host_is_left_to_llhttp() -> None:
    assert kinds_of([b"Host: a/b", b"host: [::1]:8443", b"HOST: a b"]) == (
        Kind.ODD,
        Kind.HOST,
        Kind.ODD,
    )


def test_a_shape_is_looked_at_once_and_shapes_are_bounded() -> None:
    asked: list[tuple[Kind, ...]] = []

    def look(kinds: tuple[Kind, ...]) -> int | None:
        asked.append(kinds)
        return None if Kind.AGE in kinds else len(kinds)

    shapes = Shapes(look)
    for number in range(3):
        assert shapes.of([b"X: %d" % number, b"Date: now"]) == 2
        assert shapes.of([b"Age: 7"]) is None
    assert asked == [(Kind.PASS, Kind.DATE), (Kind.AGE,)]
    for number in range(2000):
        shapes.of([b"Date: now", *[b"X: 1"] * number])
    assert len(shapes._known) <= 500
