"""``mralab decode``: the documented samples, every form of input, and reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mralab.cli.decode import decode
from mralab.errors import RouteError

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Ran

SEGMENT = "c3RldmVuLmxhYi9odHRwcy8xMC40OC4zNi4yMTUvODQ0Mw"


@pytest.mark.parametrize(
    ("path", "rest"),
    [
        pytest.param(SEGMENT, "/", id="a segment"),
        pytest.param(f"/{SEGMENT}/cucm-uds/x?max=100", "/cucm-uds/x?max=100", id="a path"),
        pytest.param(f"{SEGMENT}/cucm-uds", "/cucm-uds", id="a path without its first slash"),
        pytest.param(f"https://expe.steven.lab:8443/{SEGMENT}/a", "/a", id="a URL"),
        pytest.param(f"HTTP://vcs_control:8443/{SEGMENT}", "/", id="a URL in capitals"),
        pytest.param(f"/{SEGMENT}/caf\u00e9", "/caf\\xc3\\xa9", id="what is not ASCII is escaped"),
    ],
)
def test_every_form(run: Callable[..., Ran], path: str, rest: str) -> None:
    ran = run("decode", path)
    assert ran.code == 0
    assert ran.out.splitlines() == [
        "domain    steven.lab",
        "protocol  https",
        "host      10.48.36.215",
        "port      8443",
        f"url       https://10.48.36.215:8443{rest}",
    ]


@pytest.mark.parametrize(
    ("path", "error"),
    [
        pytest.param("dm5ndHAubGFi", "'vngtp.lab' is a domain only", id="domain only"),
        pytest.param("abcde", "has a length that no base64 text has", id="not base64"),
        pytest.param("/", "an empty first path segment", id="nothing"),
        pytest.param(f"ftp://x/{SEGMENT}", "is not base64", id="another scheme"),
    ],
)
def test_reasons(run: Callable[..., Ran], path: str, error: str) -> None:
    ran = run("decode", path)
    assert ran.code == 1
    assert error in ran.err
    assert ran.out == ""


def test_several_at_once(run: Callable[..., Ran]) -> None:
    ran = run("decode", SEGMENT, "x", SEGMENT)
    assert ran.code == 1
    assert ran.out.count("domain ") == 2
    assert "\n\n" in ran.out
    assert ran.err.count("error:") == 1


def test_json(run: Callable[..., Ran]) -> None:
    ran = run("decode", "--format", "json", f"/{SEGMENT}/x", "dm5ndHAubGFi")
    assert ran.code == 1
    good, bad = ran.json
    assert good == {
        "path": f"/{SEGMENT}/x",
        "domain": "steven.lab",
        "protocol": "https",
        "host": "10.48.36.215",
        "port": 8443,
        "url": "https://10.48.36.215:8443/x",
    }
    assert bad["path"] == "dm5ndHAubGFi"
    assert "domain only" in bad["error"]


@given(st.text())
def test_any_text_is_a_route_or_a_reason(text: str) -> None:
    try:
        decode(text)
    except RouteError as exc:
        assert str(exc).isprintable()  # noqa: PT017 - either outcome is right
