from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mralab.trafficlog import render
from mralab.trafficlog.grammar import VERB_SPELLINGS, Verb, unescape

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "log.md"
EPOCH_MS = 1_657_558_525_910  # 2022-07-11 16:55:25,910 UTC


def stamp(epoch_ms: int = EPOCH_MS, *, offset_minutes: int = 120) -> render.Stamp:
    return render.make_stamp(epoch_ms, hostname="vcsc", pid=18242, offset_minutes=offset_minutes)


def test_stamp_has_local_time_with_offset_and_utc_with_a_comma() -> None:
    result = stamp()
    assert result.host == "2022-07-11T18:55:25.910+02:00 vcsc "
    assert result.prefix == "2022-07-11T18:55:25.910+02:00 vcsc traffic_server[18242]: "
    assert result.utc == "2022-07-11 16:55:25,910"
    assert result.info == (
        f'{result.prefix}UTCTime="2022-07-11 16:55:25,910" '
        'Module="network.http.trafficserver" Level="INFO": '
    )
    assert result.debug == result.info.replace("INFO", "DEBUG")


@pytest.mark.parametrize(
    ("epoch_ms", "offset_minutes", "host", "utc"),
    [
        pytest.param(
            1_000_000_000_007,
            -210,
            "2001-09-08T22:16:40.007-03:30 vcsc ",
            "2001-09-09 01:46:40,007",
            id="west of Greenwich, by half an hour, the day before, padded milliseconds",
        ),
        pytest.param(
            951_782_399_999,
            0,
            "2000-02-28T23:59:59.999+00:00 vcsc ",
            "2000-02-28 23:59:59,999",
            id="UTC is written as +00:00",
        ),
        pytest.param(
            951_782_400_000,
            345,
            "2000-02-29T05:45:00.000+05:45 vcsc ",
            "2000-02-29 00:00:00,000",
            id="a leap day",
        ),
    ],
)
def test_stamp_in_other_zones(epoch_ms: int, offset_minutes: int, host: str, utc: str) -> None:
    result = stamp(epoch_ms, offset_minutes=offset_minutes)
    assert (result.host, result.utc) == (host, utc)


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("", ""),
        ("GET /x?a=b HTTP/1.1", "GET /x?a=b HTTP/1.1"),
        ("Zoë", "Zoë"),
        ('say "hi"', r"say \"hi\""),
        ("C:\\x41", r"C:\\x41"),
        ("a\r\nb\t\x00\x7f", r"a\x0d\x0ab\x09\x00\x7f"),
        ("\x85\xa0", r"\x85\xa0"),
        ("\u2028", r"\u2028"),
        ("\ud800", r"\ud800"),
        ("\U000e0001", r"\U000e0001"),
    ],
)
def test_escape(text: str, escaped: str) -> None:
    assert render.escape(text) == escaped
    assert unescape(escaped) == text


def test_escape_returns_plain_text_itself() -> None:
    text = "".join(["GET ", "/cucm-uds/user/emusk"])
    assert render.escape(text) is text


@pytest.mark.parametrize("text", [r"DOMAIN\user", r"\xZZ", r"\U00110000", r"\u12", "\\"])
def test_unescape_leaves_other_backslashes_alone(text: str) -> None:
    assert unescape(text) == text


@given(st.text())
@settings(deadline=None)
def test_escape_is_undone_and_prints(text: str) -> None:
    escaped = render.escape(text)
    assert unescape(escaped) == text
    assert escaped.isprintable()


def test_secrets_are_concealed_whatever_their_case_and_the_rest_is_not() -> None:
    block = render.http_message(
        b"GET / HTTP/1.1",
        [
            (b"authorization", b"Basic c2VjcmV0"),
            (b"COOKIE", b"X-Auth=secret"),
            (b"Set-Cookie", b"X-Auth=secret"),
            (b"Proxy-Authorization", b"secret"),
            (b"X-Cookie", b'"plain" \\ \xe9\x01'),
        ],
    )
    assert block == (
        "HTTPMSG:\n"
        "|GET / HTTP/1.1\n"
        " authorization:<CONCEALED>\n"
        " COOKIE:<CONCEALED>\n"
        " Set-Cookie:<CONCEALED>\n"
        " Proxy-Authorization:<CONCEALED>\n"
        ' X-Cookie: "plain" \\\\ é\\x01\n'
        " \n"
        " |\n"
    )


def test_names_in_thread_lines_cannot_break_out() -> None:
    text = render.sni_not_in_certificate(
        stamp(),
        thread=0,
        name="a). Action=Continue server=b(c)",
        action="Terminate",
        server="'\"\\",
        ip="::1",
    )
    assert text.endswith(
        r"SNI (a\x29.\x20Action\x3dContinue\x20server\x3db\x28c\x29) not in certificate. "
        r"Action=Terminate server=\x27\x22\x5c(::1)" + "\n"
    )


def test_every_spelling_of_the_six_words_is_known() -> None:
    assert len(VERB_SPELLINGS) == 12
    assert VERB_SPELLINGS["Receiving Response"] is Verb.RECEIVE_RESPONSE
    assert VERB_SPELLINGS["Sent Request"] is Verb.SEND_REQUEST


# ---- the reference page


def samples() -> dict[str, str]:
    """Every line that we write, by the name of its template, as the reference page shows it."""
    now = stamp()
    later = stamp(EPOCH_MS + 106)
    tag = render.tag_fields(189, "6af9a674-9ebc-41ea-868e-90e7309a758c")
    untagged = render.tag_fields(189, "")
    client_src = render.src_fields("127.0.0.1", 30044)
    client_dst = render.dst_fields("127.0.0.1", 30044)
    origin_src = render.src_fields("10.48.36.215", 8443)
    origin_dst = render.dst_fields("10.48.36.215", 8443)
    path = "/cucm-uds/user/emusk/devices"
    segment = "c3RldmVuLmxhYi9odHRwcy9jdWNtLnN0ZXZlbi5sYWIvODQ0Mw"
    base = "https://cucm.steven.lab:8443"
    chain = "certificate verify failed"
    block = render.http_message(
        f"GET {path} HTTP/1.1".encode(),
        [
            (b"Host", b"cucm.steven.lab:8443"),
            (b"Authorization", b"Basic ZW11c2s6c2VjcmV0"),
            (b"Accept", b"*/*"),
        ],
    )
    return {
        "receive_request": render.receive_request(
            now,
            tag,
            client_src,
            f"GET http://vcs_control.steven.lab:8443/{segment}{path} HTTP/1.1",
        ),
        "request_allowed": render.request_allowed(
            now,
            reason="In allow list",
            username="emusk",
            deployment="1",
            method="GET",
            request=f"{base}{path}",
            rule_fields=render.rule_fields(
                f"{base}/cucm-uds/", "prefix", "Automatically generated rule for CUCM server"
            ),
        ),
        "request_denied": render.request_denied(
            now,
            reason="Not in allow list",
            username="",
            deployment="1",
            method="GET",
            request=f"{base}/ccmadmin/",
        ),
        "request_failed": render.request_failed(
            now, reason="the first segment is not base64", request="/favicon.ico", src=client_src
        ),
        "send_request": render.send_request(now, tag, origin_dst, f"GET {path} HTTP/1.1"),
        "receive_response": render.receive_response(now, untagged, origin_src, "HTTP/1.1 200 "),
        "send_response": render.send_response(
            later, untagged, client_dst, "HTTP/1.1 502 connect failed"
        ),
        "http_error_response": render.http_error_response(
            later, status=403, reason="Forbidden", dst=client_dst
        ),
        "core_verification_failed": render.core_verification_failed(
            later,
            thread=0,
            name="cucm.steven.lab",
            action="Terminate",
            error="self signed certificate",
            server="cucm.steven.lab",
            ip="10.48.36.215",
            depth=0,
        ),
        "sni_not_in_certificate": render.sni_not_in_certificate(
            later,
            thread=2,
            name="10.48.36.215",
            action="Terminate",
            server="10.48.36.215",
            ip="10.48.36.215",
        ),
        "ssl_connection_failed": render.ssl_connection_failed(
            later,
            thread=0,
            name="cucm.steven.lab",
            error=f"error:1416F086:SSL routines:tls_process_server_certificate:{chain}",
        ),
        "debug_message": render.debug_message(now, Verb.SEND_REQUEST, tag, origin_dst, block),
        "configuration_changed": render.configuration_changed(
            now, detail="xconfiguration edgeConfigServer verifyOriginServer: Off"
        ),
        "lines_lost": render.lines_lost(now, count=12, reason="No space left on device"),
    }


def shown() -> dict[str, str]:
    """The samples of the reference page: a heading with a template's name, then its block."""
    page = REFERENCE.read_text(encoding="utf-8")
    found = re.findall(
        r"^### [^\n]*`(\w+)`\n.*?^```text\n(.*?)^```$", page, re.MULTILINE | re.DOTALL
    )
    return dict(found)


def test_reference_page_shows_every_line_as_it_is_written() -> None:
    assert shown() == samples()


def test_reference_page_covers_every_template() -> None:
    templates = {
        name
        for name, function in inspect.getmembers(render, inspect.isfunction)
        if function.__module__ == render.__name__
        and next(iter(inspect.signature(function).parameters), "") == "stamp"
    }
    assert templates == set(shown())


def test_reference_page_says_of_every_line_whether_it_was_seen() -> None:
    page = REFERENCE.read_text(encoding="utf-8")
    sections = re.split(r"^### ", page, flags=re.MULTILINE)[1:]
    assert sections
    for section in sections:
        assert re.search(r"\*\*(SEEN|INFERRED|lab form)\*\*", section), section.splitlines()[0]
