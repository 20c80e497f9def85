"""Routes: documented samples, every refusal with its reason, and what must hold for any input."""

from __future__ import annotations

import base64
import string
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mralab.errors import RouteError
from mralab.origin.route import (
    MAX_SEGMENT_BYTES,
    OriginRoute,
    decode_segment,
    encode_segment,
    split_target,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from ipaddress import IPv6Address


def segment_of(text: str | bytes) -> bytes:
    raw = text.encode() if isinstance(text, str) else text
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


# Printed in Cisco documents 218018 and 212180, or computed from the form they show.
SAMPLES = [
    ("c3RldmVuLmxhYi9odHRwcy8xMC40OC4zNi4yMTUvODQ0Mw", "steven.lab/https/10.48.36.215/8443"),
    ("aHBjbC5jby5pbi9odHRwLzEwLjE1LjAuMzMvNjk3MA", "hpcl.co.in/http/10.15.0.33/6970"),
    ("c3RldmVuLmxhYi9odHRwcy9jdWNtLnN0ZXZlbi5sYWIvODQ0Mw", "steven.lab/https/cucm.steven.lab/8443"),
    ("c3RldmVuLmxhYi9odHRwcy9jdWNtLnN0ZXZlbi5sYWIvNjk3Mg", "steven.lab/https/cucm.steven.lab/6972"),
    (
        "dm5ndHAubGFiL2h0dHBzL2N1Y21wdWIudm5ndHAubGFiLzg0NDM",
        "vngtp.lab/https/cucmpub.vngtp.lab/8443",
    ),
    ("dm5ndHAubGFiL2h0dHAvMTAuNDguMzYuMjE1LzY5NzA", "vngtp.lab/http/10.48.36.215/6970"),
]


@pytest.mark.parametrize(("segment", "text"), SAMPLES)
def test_documented_sample(segment: str, text: str) -> None:
    route = decode_segment(segment.encode())
    assert route.text == text
    assert encode_segment(route.domain, route.scheme, route.host, route.port) == segment


@pytest.mark.parametrize(
    "segment",
    [
        pytest.param("dm5ndHAubGFi", id="vngtp.lab"),
        pytest.param("dGJ0cC5jb20", id="tbtp.com"),
        pytest.param("ZXUuY2hlZ2cuY29t", id="eu.chegg.com"),
        pytest.param("ZW50LXBhLmNvbQ", id="ent-pa.com"),
        pytest.param("c3RldmVuLmxhYg", id="steven.lab"),
    ],
)
def test_domain_only_segment_is_for_the_edge_configuration_service(segment: str) -> None:
    with pytest.raises(RouteError, match="edge configuration service"):
        decode_segment(segment.encode())


@pytest.mark.parametrize(
    ("misprint", "reason"),
    [
        pytest.param(
            "c3RldmVuLmxhYi9odHRwcy8xMC400C4zNi4yMTUvODQ0Mw", "not UTF-8", id="0 for O in 218018"
        ),
        pytest.param("ZeW50LXBhLmNvbQ", "not UTF-8", id="a letter too many in the CVD"),
    ],
)
def test_printed_misprint_does_not_decode(misprint: str, reason: str) -> None:
    with pytest.raises(RouteError, match=reason):
        decode_segment(misprint.encode())


def test_fields_of_a_name() -> None:
    route = decode_segment(segment_of("Steven.LAB/https/Cucm.steven.lab./8443"))
    assert route == OriginRoute("steven.lab", "https", "Cucm.steven.lab.", 8443)
    assert not route.is_ip
    assert route.canonical_host == "cucm.steven.lab"
    assert route.authority == b"Cucm.steven.lab.:8443"
    assert route.base_url == "https://Cucm.steven.lab.:8443"
    assert route.sni == b"Cucm.steven.lab."


def test_fields_of_an_ipv4_address() -> None:
    route = decode_segment(segment_of("steven.lab/http/10.48.36.215/6970"))
    assert route.is_ip
    assert route.sni is None
    assert route.canonical_host == "10.48.36.215"
    assert route.authority == b"10.48.36.215:6970"
    assert route.base_url == "http://10.48.36.215:6970"


@pytest.mark.parametrize("written", ["2001:DB8:0::1", "[2001:DB8:0::1]"])
def test_fields_of_an_ipv6_address(written: str) -> None:
    route = decode_segment(segment_of(f"steven.lab/https/{written}/8443"))
    assert route.host == "2001:DB8:0::1"
    assert route.is_ip
    assert route.sni is None
    assert route.canonical_host == "2001:db8::1"
    assert route.authority == b"[2001:DB8:0::1]:8443"
    assert route.base_url == "https://[2001:DB8:0::1]:8443"


TWO_PADS = b"c3RldmVuLmxhYi9odHRwcy8xMC40OC4zNi4yMTUvODQ0Mw"


@pytest.mark.parametrize("padding", [b"", b"==", b"%3D%3D", b"=%3d"])
def test_padding_is_optional_and_may_be_percent_encoded(padding: bytes) -> None:
    assert decode_segment(TWO_PADS + padding).host == "10.48.36.215"


@pytest.mark.parametrize("alphabet", [base64.standard_b64encode, base64.urlsafe_b64encode])
def test_both_alphabets_reach_the_text(alphabet: Callable[[bytes], bytes]) -> None:
    with pytest.raises(RouteError, match="5 parts"):
        decode_segment(alphabet(b"ab?/https/ab>/1/x").replace(b"/", b"%2F"))


@pytest.mark.parametrize(
    ("segment", "reason"),
    [
        pytest.param(b"", "decodes to nothing", id="empty"),
        pytest.param(b"====", "wrong base64 padding", id="padding only"),
        pytest.param(TWO_PADS + b"=", "wrong base64 padding", id="one pad for two"),
        pytest.param(TWO_PADS + b"===", "wrong base64 padding", id="three pads"),
        pytest.param(TWO_PADS[:9] + b"=" + TWO_PADS[9:], "not base64", id="padding inside"),
        pytest.param(TWO_PADS[:45], "length that no base64", id="length 1 modulo 4"),
        pytest.param(TWO_PADS[:-1] + b"x", "left-over bits", id="unused bits set"),
        pytest.param(b"c3Rl-mVu+mxh", "not base64", id="both alphabets at once"),
        pytest.param(b"c3Rl.mVu", "not base64", id="foreign character"),
        pytest.param(b"c3Rl\nmVu", "not base64", id="line break between"),
        pytest.param(b"c3Rl mVu", "not base64", id="blank between"),
        pytest.param("ü".encode(), "not base64", id="not ASCII"),
        pytest.param(b"%253D", "not base64", id="percent-encoded twice"),
        pytest.param(b"c3Rl%3", "broken percent-escape", id="half a percent-escape"),
        pytest.param(b"c3Rl%zz", "broken percent-escape", id="no hex after the percent sign"),
        pytest.param(b"A" * (MAX_SEGMENT_BYTES + 1), "longer than", id="too long"),
    ],
)
def test_segment_that_is_not_base64(segment: bytes, reason: str) -> None:
    with pytest.raises(RouteError, match=reason) as caught:
        decode_segment(segment)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param(b"lab/https/\xff/1", "not UTF-8", id="not UTF-8"),
        pytest.param("lab/https/zürich.lab/1", "not ASCII", id="not ASCII"),
        pytest.param("lab/https/a\r\nb/1", "control character", id="CR LF"),
        pytest.param("lab/https/a\x00b/1", "control character", id="NUL"),
        pytest.param("lab/https/a\x7fb/1", "control character", id="DEL"),
        pytest.param("lab/https/a b/1", "blank", id="blank"),
        pytest.param("lab/https/ab/1 ", "blank", id="blank at the end"),
        pytest.param("lab/https", "2 parts", id="two parts"),
        pytest.param("lab/https/ab", "3 parts", id="three parts"),
        pytest.param("lab/https/ab/1/x", "5 parts", id="five parts"),
        pytest.param("lab/https/ab/1/", "5 parts", id="slash at the end"),
        pytest.param("/https/ab/1", "domain is empty", id="no domain"),
        pytest.param("lab//ab/1", "protocol '' is not", id="no protocol"),
        pytest.param("lab/HTTPS/ab/1", "protocol 'HTTPS' is not", id="protocol in capitals"),
        pytest.param("lab/ftp/ab/1", "protocol 'ftp' is not", id="other protocol"),
        pytest.param("lab/https//1", "host is empty", id="no host"),
        pytest.param("lab/https/u@ab/1", "user information", id="user information"),
        pytest.param("lab/https/u:p@ab/1", "user information", id="user and password"),
        pytest.param("u@lab/https/ab/1", "domain 'u@lab' has user", id="user in the domain"),
        pytest.param("lab/https/ab:8443/1", "not a DNS name", id="port in the host"),
        pytest.param("lab/https/a..b/1", "not a DNS name", id="empty label"),
        pytest.param("lab/https/./1", "not a DNS name", id="dot only"),
        pytest.param("lab/https/.ab/1", "not a DNS name", id="leading dot"),
        pytest.param("lab/https/-ab/1", "not a DNS name", id="leading hyphen"),
        pytest.param("lab/https/ab-.c/1", "not a DNS name", id="trailing hyphen"),
        pytest.param("lab/https/*.ab/1", "not a DNS name", id="star"),
        pytest.param("lab/https/ab\\c/1", "not a DNS name", id="backslash"),
        pytest.param(f"lab/https/{'a' * 64}.b/1", "not a DNS name", id="label of 64"),
        pytest.param(f"lab/https/{'a.' * 127}b/1", "longer than 253", id="name of 255"),
        pytest.param("lab/https/127.1/1", "usual form", id="short IPv4"),
        pytest.param("lab/https/0x7f.1/1", "usual form", id="hex IPv4, short"),
        pytest.param("lab/https/0x7f000001/1", "usual form", id="hex IPv4"),
        pytest.param("lab/https/2130706433/1", "usual form", id="decimal IPv4"),
        pytest.param("lab/https/010.0.0.1/1", "usual form", id="octal IPv4"),
        pytest.param("lab/https/256.0.0.1/1", "usual form", id="octet of 256"),
        pytest.param("lab/https/10.0.0.0x1/1", "usual form", id="hex octet"),
        pytest.param("lab/https/10.0.0.1./1", "usual form", id="IPv4 with a final dot"),
        pytest.param("lab/https/fe80::1%eth0/1", "zone id", id="zone id"),
        pytest.param("lab/https/ab%2ec/1", "percent-escape", id="percent-escape in the host"),
        pytest.param("lab/https/[::1/1", "not a DNS name", id="half a bracket"),
        pytest.param("lab/https/[ab]/1", "not a DNS name", id="brackets around a name"),
        pytest.param("lab/https/[[::1]]/1", "not a DNS name", id="two brackets"),
        pytest.param("lab/https/1::2::3/1", "not a DNS name", id="wrong IPv6"),
        pytest.param("lab/https/ab/", "port '' is not", id="no port"),
        pytest.param("lab/https/ab/0", "port '0' is not", id="port 0"),
        pytest.param("lab/https/ab/08443", "port '08443' is not", id="leading zero"),
        pytest.param("lab/https/ab/+1", r"port '\+1' is not", id="signed port"),
        pytest.param("lab/https/ab/0x1", "port '0x1' is not", id="hex port"),
        pytest.param("lab/https/ab/1e3", "port '1e3' is not", id="port with an exponent"),
        pytest.param("lab/https/ab/1_0", "port '1_0' is not", id="underscore in the port"),
        pytest.param("lab/https/ab/65536", "port 65536 is not", id="port too large"),
        pytest.param("lab/https/ab/123456", "port '123456' is not", id="six digits"),
    ],
)
def test_text_that_is_not_a_route(text: str | bytes, reason: str) -> None:
    with pytest.raises(RouteError, match=reason):
        decode_segment(segment_of(text))


@pytest.mark.parametrize(
    "host",
    [
        pytest.param("cucm", id="single label"),
        pytest.param("cucm_pub.lab", id="underscore"),
        pytest.param("1.lab", id="numeric first label"),
        pytest.param("10.0.0.1.lab", id="address-like name"),
        pytest.param("xn--zrich-kva.lab", id="A-label"),
        pytest.param("a" * 63 + ".lab", id="label of 63"),
        pytest.param("a." * 126 + "b", id="name of 253"),
        pytest.param("a." * 126 + "b.", id="name of 253 and a final dot"),
        pytest.param("::ffff:10.0.0.1", id="IPv4-mapped"),
    ],
)
def test_host_kept_as_written(host: str) -> None:
    assert decode_segment(encode_segment("lab", "https", host, 443).encode()).host == host


def test_long_value_is_cut_in_the_message() -> None:
    with pytest.raises(RouteError) as caught:
        decode_segment(segment_of(f"lab/https/{'a.' * 200}b/1"))
    assert len(str(caught.value)) < 150


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        (("", "https", "ab", 1), "domain is empty"),
        (("lab", "https", "a/b", 1), "not a DNS name"),
        (("lab", "https", "zürich", 1), "not a DNS name"),
        (("lab", "https", "a\udcff", 1), "not a DNS name"),
        (("lab", "wss", "ab", 1), "protocol 'wss'"),
        (("lab", "https", "ab", 0), "port 0"),
        (("lab", "https", "ab", 65536), "port 65536"),
    ],
)
def test_encode_refuses_bad_parts(parts: tuple[str, str, str, int], reason: str) -> None:
    with pytest.raises(RouteError, match=reason):
        encode_segment(*parts)


@pytest.mark.parametrize(
    ("target", "segment", "rest"),
    [
        pytest.param(b"/seg/cucm-uds/x?y=/z", b"seg", b"/cucm-uds/x?y=/z", id="origin form"),
        pytest.param(b"http://vcs_c.lab:8443/seg/x", b"seg", b"/x", id="absolute form"),
        pytest.param(b"HTTP://vcs/seg/x", b"seg", b"/x", id="scheme in capitals"),
        pytest.param(b"https://[2001:db8::1]:8443/seg/x", b"seg", b"/x", id="IPv6 authority"),
        pytest.param(b"http://vcs:/seg/x", b"seg", b"/x", id="empty port"),
        pytest.param(b"/seg", b"seg", b"/", id="nothing after the segment"),
        pytest.param(b"/seg/", b"seg", b"/", id="slash after the segment"),
        pytest.param(b"/seg?x", b"seg", b"/?x", id="query after the segment"),
        pytest.param(b"/seg//a/../b%2F%", b"seg", b"//a/../b%2F%", id="rest unchanged"),
        pytest.param(b"/seg/\xc3\xbc", b"seg", b"/\xc3\xbc", id="bytes above 127 unchanged"),
        pytest.param(b"/seg/http://x@y/", b"seg", b"/http://x@y/", id="URL in the rest"),
    ],
)
def test_split(target: bytes, segment: bytes, rest: bytes) -> None:
    assert split_target(target) == (segment, rest)


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        pytest.param(b"", "neither a path", id="empty"),
        pytest.param(b"*", "neither a path", id="asterisk form"),
        pytest.param(b"vcs:8443", "neither a path", id="authority form"),
        pytest.param(b"ftp://vcs/seg/x", "neither a path", id="other scheme"),
        pytest.param(b"http://vcs", "neither a path", id="absolute form without path"),
        pytest.param(b"http://vcs?/seg", "neither a path", id="query before the path"),
        pytest.param(b"/", "empty first path segment", id="slash only"),
        pytest.param(b"//vcs/seg", "empty first path segment", id="network-path form"),
        pytest.param(b"/?x", "empty first path segment", id="query only"),
        pytest.param(b"http:///seg", "no usable host", id="empty authority"),
        pytest.param(b"http://:8443/seg", "no usable host", id="port only"),
        pytest.param(b"http://v:84430000/seg", "no usable host", id="long port"),
        pytest.param(b"http://u@vcs/seg", "user information", id="user information"),
        pytest.param(b"/seg/x#y", "fragment", id="fragment"),
        pytest.param(b"/seg/x y", "blank", id="blank"),
        pytest.param(b"/seg/x\r\nHost: y", "control byte", id="CR LF"),
        pytest.param(b"/seg\x00/x", "control byte", id="NUL"),
    ],
)
def test_split_refuses(target: bytes, reason: str) -> None:
    with pytest.raises(RouteError, match=reason):
        split_target(target)


_label = st.from_regex(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,20}[A-Za-z0-9_])?", fullmatch=True)
_name = st.builds(
    lambda labels, last, dot: ".".join([*labels, last]) + dot,
    st.lists(_label, max_size=4),
    st.sampled_from(["lab", "x1", "com", "_tls"]),
    st.sampled_from(["", "."]),
)
_host = st.one_of(
    _name,
    st.ip_addresses().map(str),
    st.ip_addresses(v=6).map(lambda address: address.exploded),
    st.ip_addresses(v=6).map(lambda address: str(address).upper()),
)
_port = st.integers(1, 65535)


@given(domain=_name, scheme=st.sampled_from(["http", "https"]), host=_host, port=_port)
def test_decode_undoes_encode(domain: str, scheme: str, host: str, port: int) -> None:
    segment = encode_segment(domain, scheme, host, port)
    assert set(segment) <= set(string.ascii_letters + string.digits)
    route = decode_segment(segment.encode())
    assert (route.domain, route.scheme, route.host, route.port) == (
        domain.lower(),
        scheme,
        host,
        port,
    )
    assert encode_segment(route.domain, route.scheme, route.host, route.port).encode() == (
        segment_of(route.text)
    )


@given(st.ip_addresses(v=6))
def test_every_spelling_of_an_ipv6_address_has_one_canonical_host(address: IPv6Address) -> None:
    spellings = (str(address), address.exploded, str(address).upper(), f"[{address}]")
    hosts = {OriginRoute("lab", "https", text, 1).canonical_host for text in spellings}
    assert hosts == {str(address)}


def decoded_or_reason(segment: bytes) -> OriginRoute | str:
    try:
        return decode_segment(segment)
    except RouteError as error:
        return str(error)


@given(st.one_of(st.binary(max_size=80), st.text(max_size=80).map(segment_of)))
def test_decode_raises_nothing_but_route_error(segment: bytes) -> None:
    outcome = decoded_or_reason(segment)
    if isinstance(outcome, str):
        assert outcome.isprintable()
    else:
        assert decode_segment(segment_of(outcome.text)) == outcome


@given(
    st.lists(
        st.sampled_from(["lab", "https", "http", "/", "1", ".", ":", "[", "]", "0x7f", "%", "@"]),
        max_size=12,
    ).map("".join)
)
def test_route_like_text_raises_nothing_but_route_error(text: str) -> None:
    outcome = decoded_or_reason(segment_of(text))
    if isinstance(outcome, str):
        assert outcome.isprintable()
    else:
        assert outcome.text == text.replace("[", "").replace("]", "")


@given(st.binary(max_size=60))
def test_split_raises_nothing_but_route_error(target: bytes) -> None:
    try:
        segment, rest = split_target(target)
    except RouteError:
        return
    assert segment
    assert target.endswith((segment + rest, segment + rest[1:]))
