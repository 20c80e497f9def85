"""Answers of our own: design of the 502 and its relatives, by cause and release."""

from __future__ import annotations

import pytest

from mralab.config.releases import PROFILES, Release
from mralab.proxy.answers import (
    Refusal,
    bad_request,
    bad_route,
    not_allowed,
    refusal_for,
    render_answer,
    start_line,
)
from mralab.truststore.verdict import Reason

_X = [Release.X12_5, Release.X14_0_7, Release.X14_2, Release.X15_5]


def answer(reason: Reason, release: Release, scheme: str = "https") -> tuple[int, str]:
    refusal = refusal_for(reason, "why", profile=PROFILES[release], scheme=scheme, close=False)
    assert refusal.reason is reason
    assert refusal.detail == "why"
    assert not refusal.close
    return refusal.status, refusal.phrase


@pytest.mark.parametrize("release", _X)
@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (Reason.CHAIN_REFUSED, (502, "connect failed")),
        (Reason.NAME_REFUSED, (502, "connect failed")),
        (Reason.ORIGIN_ALERT, (502, "connect failed")),
        (Reason.TLS_ERROR, (502, "connect failed")),
        (Reason.CONNECT_REFUSED, (502, "connect failed")),
        (Reason.CONNECT_FAILED, (502, "connect failed")),
        (Reason.CONNECT_TIMEOUT, (502, "connect failed")),
        (Reason.ORIGIN_RESET, (502, "connect failed")),
        (Reason.ORIGIN_CLOSED, (502, "connect failed")),
        (Reason.NO_RESPONSE, (502, "Malformed Server Response Status")),
        (Reason.BAD_RESPONSE, (502, "Invalid HTTP Response")),
        (Reason.RESPONSE_TIMEOUT, (504, "Gateway Timeout")),
        (Reason.NAME_NOT_RESOLVED, (500, "Cannot find server.")),
        (Reason.SHUTDOWN, (503, "Service Unavailable")),
    ],
)
def test_x_releases(reason: Reason, expected: tuple[int, str], release: Release) -> None:
    assert answer(reason, release) == expected
    assert answer(reason, release, "http") == expected


@pytest.mark.parametrize(
    ("reason", "https", "http"),
    [
        (Reason.CHAIN_REFUSED, (502, ""), None),
        (Reason.NAME_REFUSED, (502, ""), None),
        (Reason.ORIGIN_ALERT, (502, ""), None),
        (Reason.TLS_ERROR, (502, ""), None),
        (Reason.CONNECT_REFUSED, (502, "Broken pipe"), (502, "Connection refused")),
        (Reason.CONNECT_TIMEOUT, (502, "connect failed"), None),
        (Reason.ORIGIN_CLOSED, (502, "connect failed"), None),
        (Reason.ORIGIN_RESET, (502, "Connection reset by peer"), None),
        (Reason.NO_RESPONSE, (502, "Malformed Server Response Status"), None),
        (Reason.BAD_RESPONSE, (502, "Invalid HTTP Response"), None),
        (Reason.NAME_NOT_RESOLVED, (500, "Cannot find server."), None),
    ],
)
def test_ats(reason: Reason, https: tuple[int, str], http: tuple[int, str] | None) -> None:
    assert answer(reason, Release.ATS) == https
    assert answer(reason, Release.ATS, "http") == (http or https)


@pytest.mark.parametrize(
    ("status", "phrase"),
    [
        (400, "Invalid HTTP Request"),
        (406, "Not Acceptable"),
        (408, "Request Timeout"),
        (411, "Content Length Required"),
        (431, "Request Header Fields Too Large"),
        (501, "Not Implemented"),
        (505, "HTTP Version Not Supported"),
    ],
)
def test_bad_request(status: int, phrase: str) -> None:
    assert bad_request(status, "why") == Refusal(status, phrase, Reason.BAD_REQUEST, "why")


def test_routes_and_rules() -> None:
    assert bad_route("why") == Refusal(400, "Bad Request", Reason.ROUTE_INVALID, "why")
    assert not_allowed("why") == Refusal(403, "Forbidden", Reason.NOT_ALLOWED, "why")


def render(
    refusal: Refusal,
    *,
    keep_alive: bool = False,
    head_only: bool = False,
    lab_reason: bool = False,
    version_1_0: bool = False,
) -> bytes:
    return render_answer(
        refusal,
        line=start_line(refusal, version_1_0=version_1_0),
        date="now",
        server="CE_C",
        keep_alive=keep_alive,
        head_only=head_only,
        lab_reason=lab_reason,
    )


def test_403_is_the_documented_one() -> None:
    assert render(not_allowed("why")) == (
        b"HTTP/1.1 403 Forbidden\r\nDate: now\r\nConnection: close\r\nServer: CE_C\r\n"
        b"Content-Length: 0\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("reason", "status", "title"),
    [
        (Reason.CHAIN_REFUSED, 502, b"Could Not Connect"),
        (Reason.NO_RESPONSE, 502, b"Web Server Error"),
        (Reason.BAD_RESPONSE, 502, b"Web Server Error"),
        (Reason.NAME_NOT_RESOLVED, 500, b"Unknown Host"),
        (Reason.RESPONSE_TIMEOUT, 504, b"Gateway Timeout"),
        (Reason.SHUTDOWN, 503, b"Service Unavailable"),
    ],
)
def test_server_errors_have_a_page(reason: Reason, status: int, title: bytes) -> None:
    data = render(Refusal(status, "phrase", reason, "why"), keep_alive=True)
    head, _, body = data.partition(b"\r\n\r\n")
    assert b"\r\nConnection: keep-alive\r\n" in head
    assert b"\r\nCache-Control: no-store\r\nContent-Type: text/html\r\n" in head
    assert head.endswith(b"\r\nContent-Length: %d" % len(body))
    assert b"<title>" + title + b"</title>" in body
    assert b"%d phrase" % status in body


def test_an_empty_phrase_keeps_its_blank() -> None:
    assert render(Refusal(502, "", Reason.CHAIN_REFUSED, "")).startswith(b"HTTP/1.1 502 \r\n")


def test_a_1_0_client_gets_its_own_version() -> None:
    assert render(not_allowed("x"), version_1_0=True).startswith(b"HTTP/1.0 403 Forbidden\r\n")


def test_the_answer_to_head_states_the_length_only() -> None:
    refusal = Refusal(502, "connect failed", Reason.CHAIN_REFUSED, "why")
    whole, head = render(refusal), render(refusal, head_only=True)
    assert whole.startswith(head)
    assert head.endswith(b"\r\n\r\n")
    assert len(whole) > len(head)


def test_lab_reason_is_one_printable_line() -> None:
    refusal = Refusal(
        502, "connect failed", Reason.NAME_REFUSED, "a\r\nSet-Cookie: x\x00\xe9\u4e00"
    )
    assert b"X-Lab-Reason: name-refused; a??Set-Cookie: x???\r\n" in render(
        refusal, lab_reason=True
    )
    assert b"X-Lab-Reason" not in render(refusal)
