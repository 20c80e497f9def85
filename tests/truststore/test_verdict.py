from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mralab.config.releases import ErrorWording
from mralab.truststore.verdict import is_origin_alert, tls_error_text, tls_reason, wording_of
from mralab.truststore.wording import TLS_FUNCTIONS, TLS_REASONS, X509_TEXTS_3

OLD, NEW = ErrorWording.OPENSSL_1_1_1, ErrorWording.OPENSSL_3
SSL_ROUTINES = "SSL routines"
UNKNOWN = "unknown certificate verification error"


@pytest.mark.parametrize(
    ("code", "old", "new"),
    [
        pytest.param(0, (0, "ok"), (0, "ok"), id="no error"),
        pytest.param(
            9,
            (9, "certificate is not yet valid"),
            (9, "certificate is not yet valid"),
            id="not the later text that mentions the system clock",
        ),
        pytest.param(
            18, (18, "self signed certificate"), (18, "self-signed certificate"), id="hyphen"
        ),
        pytest.param(
            19,
            (19, "self signed certificate in certificate chain"),
            (19, "self-signed certificate in certificate chain"),
            id="hyphen in the chain",
        ),
        pytest.param(
            24,
            (6, "unable to decode issuer public key"),
            (24, "issuer certificate doesn't have a public key"),
            id="24 is no CA error in version 3",
        ),
        pytest.param(
            26,
            (26, "unsupported certificate purpose"),
            (26, "unsuitable certificate purpose"),
            id="purpose",
        ),
        pytest.param(
            79, (24, "invalid CA certificate"), (79, "invalid CA certificate"), id="CA flag"
        ),
        pytest.param(
            94,
            (79, "Certificate public key has explicit ECC parameters"),
            (94, "Certificate public key has explicit ECC parameters"),
            id="explicit curve",
        ),
        pytest.param(
            62, (62, "Hostname mismatch"), (62, "hostname mismatch"), id="capital of 1.1.1"
        ),
        pytest.param(
            85,
            (85, "Missing Authority Key Identifier"),
            (85, "Missing Authority Key Identifier"),
            id="1.1.1 never had it: number and text of version 3",
        ),
        pytest.param(102, (102, UNKNOWN), (102, UNKNOWN), id="later than both"),
        pytest.param(-1, (-1, UNKNOWN), (-1, UNKNOWN), id="no number of OpenSSL"),
    ],
)
def test_each_release_has_its_own_number_and_text(
    code: int, old: tuple[int, str], new: tuple[int, str]
) -> None:
    assert wording_of(code, OLD) == old
    assert wording_of(code, NEW) == new


def test_the_table_of_version_3_has_no_hole() -> None:
    assert list(X509_TEXTS_3) == list(range(95))


@pytest.mark.parametrize(
    ("queue", "old", "new"),
    [
        pytest.param(
            [(SSL_ROUTINES, "", "certificate verify failed")],
            "error:1416F086:SSL routines:tls_process_server_certificate:certificate verify failed",
            "error:0A000086:SSL routines::certificate verify failed",
            id="the line of Cisco 218018",
        ),
        pytest.param(
            [
                ("rsa routines", "", "last octet invalid"),
                ("asn1 encoding routines", "", "EVP lib"),
                (SSL_ROUTINES, "", "certificate verify failed"),
            ],
            "error:1416F086:SSL routines:tls_process_server_certificate:certificate verify failed",
            "error:0A000086:SSL routines::certificate verify failed",
            id="what led to it in other libraries does not count",
        ),
        pytest.param(
            [(SSL_ROUTINES, "", "tlsv1 alert unknown ca")],
            "error:14094418:SSL routines:ssl3_read_bytes:tlsv1 alert unknown ca",
            "error:0A000418:SSL routines::tlsv1 alert unknown ca",
            id="the origin does not know our CA",
        ),
        pytest.param(
            [(SSL_ROUTINES, "", "tls alert handshake failure")],
            "error:14094410:SSL routines:ssl3_read_bytes:sslv3 alert handshake failure",
            "error:0A000410:SSL routines::sslv3 alert handshake failure",
            id="alert that later versions spell without sslv3",
        ),
        pytest.param(
            [(SSL_ROUTINES, "", "tlsv1 alert protocol version")],
            "error:1409442E:SSL routines:ssl3_read_bytes:tlsv1 alert protocol version",
            "error:0A00042E:SSL routines::tlsv1 alert protocol version",
            id="alert protocol version",
        ),
        pytest.param(
            [(SSL_ROUTINES, "", "tlsv1 unrecognized name")],
            "error:14094458:SSL routines:ssl3_read_bytes:tlsv1 unrecognized name",
            "error:0A000458:SSL routines::tlsv1 unrecognized name",
            id="alert unrecognized name",
        ),
        pytest.param(
            [(SSL_ROUTINES, "", "tlsv13 alert certificate required")],
            "error:1409445C:SSL routines:ssl3_read_bytes:tlsv13 alert certificate required",
            "error:0A00045C:SSL routines::tlsv13 alert certificate required",
            id="alert certificate required",
        ),
        pytest.param(
            [
                (SSL_ROUTINES, "", "wrong version number"),
                (SSL_ROUTINES, "", "record layer failure"),
            ],
            "error:1408F10B:SSL routines:ssl3_get_record:wrong version number",
            "error:0A00010B:SSL routines::wrong version number",
            id="plain HTTP instead of TLS: the record layer is not the cause",
        ),
        pytest.param(
            [(SSL_ROUTINES, "", "unsupported protocol")],
            "error:1425F102:SSL routines:ssl_choose_client_version:unsupported protocol",
            "error:0A000102:SSL routines::unsupported protocol",
            id="TLS 1.1 only",
        ),
        pytest.param(
            [(SSL_ROUTINES, "", "bad signature")],
            "error:1416D07B:SSL routines:tls_process_key_exchange:bad signature",
            "error:0A00007B:SSL routines::bad signature",
            id="key exchange signed with another key",
        ),
        pytest.param(
            [(SSL_ROUTINES, "", "dh key too small")],
            "error:141A318A:SSL routines:tls_process_ske_dhe:dh key too small",
            "error:0A00018A:SSL routines::dh key too small",
            id="short Diffie-Hellman key",
        ),
        pytest.param(
            [(SSL_ROUTINES, "", "legacy sigalg disallowed or unsupported")],
            "error:1414D172:SSL routines:tls12_check_peer_sigalg:wrong signature type",
            "error:0A000172:SSL routines::wrong signature type",
            id="reason that is newer than both",
        ),
        pytest.param(
            [("asn1 encoding routines", "", "too short"), (SSL_ROUTINES, "", "ASN1 lib")],
            "error:1416F00D:SSL routines:tls_process_server_certificate:ASN1 lib",
            "error:0A08000D:SSL routines::ASN1 lib",
            id="certificate that does not parse: common reason with a wide number in 3",
        ),
        pytest.param(
            [(SSL_ROUTINES, "", "record layer failure")],
            "error:14000000:SSL routines:func(0):record layer failure",
            "error:0A000000:SSL routines::record layer failure",
            id="unknown reason keeps its text",
        ),
        pytest.param(
            [("system library", "", "Broken pipe")],
            "error:00000000:system library::Broken pipe",
            "error:00000000:system library::Broken pipe",
            id="no reason of TLS",
        ),
        pytest.param(
            [],
            "error:00000000:lib(0):func(0):reason(0)",
            "error:00000000:lib(0)::reason(0)",
            id="closed without an error",
        ),
    ],
)
def test_an_error_queue_becomes_the_line_of_the_release(
    queue: list[tuple[str, str, str]], old: str, new: str
) -> None:
    assert tls_error_text(queue, OLD) == old
    assert tls_error_text(queue, NEW) == new


@pytest.mark.parametrize(
    ("queue", "is_alert"),
    [
        pytest.param([(SSL_ROUTINES, "", "tlsv1 alert unknown ca")], True, id="alert"),
        pytest.param([(SSL_ROUTINES, "", "tls alert bad certificate")], True, id="respelt alert"),
        pytest.param([(SSL_ROUTINES, "", "tlsv1 unrecognized name")], True, id="not called alert"),
        pytest.param([(SSL_ROUTINES, "", "certificate verify failed")], False, id="ours"),
        pytest.param([(SSL_ROUTINES, "", "never heard of")], False, id="unknown"),
        pytest.param([("system library", "", "x")], False, id="not TLS"),
        pytest.param([], False, id="nothing"),
    ],
)
def test_an_alert_of_the_origin_is_told_from_our_own_error(
    queue: list[tuple[str, str, str]],
    is_alert: bool,
) -> None:
    assert is_origin_alert(queue) is is_alert


def test_each_reason_names_a_known_function_and_has_a_number_of_its_own() -> None:
    assert {function for _, function in TLS_REASONS.values()} <= TLS_FUNCTIONS.keys()
    numbers = [number for number, _ in TLS_REASONS.values()]
    assert len(set(numbers)) == len(numbers)
    assert len(set(TLS_FUNCTIONS.values())) == len(TLS_FUNCTIONS)


@given(
    queue=st.lists(st.tuples(st.sampled_from([SSL_ROUTINES, "x"]), st.text(), st.text())),
    wording=st.sampled_from(ErrorWording),
)
def test_any_queue_gets_a_line(queue: list[tuple[str, str, str]], wording: ErrorWording) -> None:
    assert tls_error_text(queue, wording).startswith("error:")


@pytest.mark.parametrize(
    ("queue", "reason"),
    [
        pytest.param(
            [
                ("rsa routines", "", "padding check failed"),
                ("asn1 encoding routines", "", "EVP lib"),
                ("SSL routines", "", "certificate verify failed"),
            ],
            "certificate verify failed",
            id="what the verification met on the way comes before",
        ),
        pytest.param(
            [("SSL routines", "", "tls alert unknown ca"), ("SSL routines", "", "x")],
            "x",
            id="the newest",
        ),
        pytest.param(
            [("SSL routines", "", "tls alert handshake failure")],
            "sslv3 alert handshake failure",
            id="in the spelling of the releases",
        ),
        pytest.param([("rsa routines", "", "invalid padding")], None, id="none of TLS"),
        pytest.param([], None, id="none at all"),
    ],
)
def test_the_reason_is_what_tls_said_last(
    queue: list[tuple[str, str, str]], reason: str | None
) -> None:
    assert tls_reason(queue) == reason
