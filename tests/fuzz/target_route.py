"""Routes: any segment or target gives a route or RouteError, and a route encodes to itself."""

from __future__ import annotations

from typing import Final

from mralab.errors import RouteError
from mralab.origin.route import OriginRoute, decode_segment, encode_segment, split_target

WORDS: Final = (b"/", b"http://", b"https://", b"%3D", b"%2F", b"=", b"==", b":8443", b"[::1]")


def check(data: bytes) -> None:
    """Read bytes as a target, as a segment and as the text in a segment."""
    try:
        segment, rest = split_target(data)
    except RouteError as error:
        _check_message(error)
    else:
        assert segment
        assert rest.startswith(b"/")
        assert data.endswith((segment + rest, segment + rest[1:]))
        _decode(segment)
    _decode(data)
    parts = data.decode("latin-1").split("/")
    if len(parts) == 4 and parts[3].isdecimal() and len(parts[3]) < 10:
        domain, scheme, host, port = parts
        try:
            encoded = encode_segment(domain, scheme, host, int(port))
        except RouteError as error:
            _check_message(error)
        else:
            route = _decode(encoded.encode("ascii"))
            assert route is not None
            assert (route.domain, route.scheme) == (domain.lower(), scheme)
            assert route.host == host.removeprefix("[").removesuffix("]")


def _decode(segment: bytes) -> OriginRoute | None:
    try:
        route = decode_segment(segment)
    except RouteError as error:
        _check_message(error)
        return None
    encoded = encode_segment(route.domain, route.scheme, route.host, route.port)
    assert decode_segment(encoded.encode("ascii")) == route
    assert route.text.isprintable()
    assert route.text.isascii()
    assert not set("@#?\\% ") & set(route.text)
    return route


def _check_message(error: RouteError) -> None:
    assert str(error).isprintable()
    assert len(str(error)) < 700
