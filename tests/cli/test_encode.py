"""``mralab encode``: the other way round."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mralab.cli.decode import decode
from mralab.cli.encode import encode
from mralab.errors import RouteError

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Ran

SEGMENT = "c3RldmVuLmxhYi9odHRwcy9jdWNtLnN0ZXZlbi5sYWIvODQ0Mw"


@pytest.mark.parametrize(
    ("parts", "path"),
    [
        pytest.param(["steven.lab/https/cucm.steven.lab/8443"], SEGMENT, id="slashes"),
        pytest.param(["steven.lab", "https", "cucm.steven.lab", "8443"], SEGMENT, id="words"),
        pytest.param(["steven.lab", "https://cucm.steven.lab:8443"], SEGMENT, id="a URL"),
        pytest.param(
            ["steven.lab", "HTTPS://cucm.steven.lab:8443/cucm-uds/x?a=b"],
            f"/{SEGMENT}/cucm-uds/x?a=b",
            id="a URL with a path",
        ),
        pytest.param(
            ["steven.lab", "http://[::1]?x"],
            "/c3RldmVuLmxhYi9odHRwLzo6MS84MA?x",
            id="IPv6, the default port and a query",
        ),
    ],
)
def test_forms(run: Callable[..., Ran], parts: list[str], path: str) -> None:
    ran = run("encode", *parts)
    assert (ran.code, ran.out) == (0, f"{path}\n")
    assert run("decode", path).code == 0


def test_json(run: Callable[..., Ran]) -> None:
    ran = run("encode", "--format", "json", "steven.lab", "https://cucm.steven.lab:8443/x")
    assert ran.json == {"segment": SEGMENT, "path": f"/{SEGMENT}/x"}


@pytest.mark.parametrize(
    ("parts", "error"),
    [
        pytest.param(["steven.lab"], "is not a domain, protocol, host and port", id="too few"),
        pytest.param(["d", "https", "h", "x"], "port 'x' is not a number", id="no port"),
        pytest.param(["d", "https", "h", "0"], "port 0", id="port 0"),
        pytest.param(["d", "ftp", "h", "1"], "protocol 'ftp'", id="protocol"),
        pytest.param(["d", "https", "h h", "1"], "host 'h h'", id="host"),
        pytest.param(["d", "ftp://h"], "is not an http URL", id="URL of another kind"),
        pytest.param(["d", "https://h/#x"], "is not an http URL", id="a fragment"),
        pytest.param(["d", "https://h/a b"], "fragment, blank or control byte", id="a blank"),
    ],
)
def test_what_makes_no_route(run: Callable[..., Ran], parts: list[str], error: str) -> None:
    ran = run("encode", *parts)
    assert ran.code == 2
    assert error in ran.err
    assert ran.err.count("\n") == 2


@given(st.lists(st.text(), min_size=1, max_size=4))
def test_what_is_encoded_decodes(parts: list[str]) -> None:
    try:
        segment, rest = encode(parts)
    except RouteError:
        return
    decode(f"/{segment}{rest}")
