"""Chains as small trees."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from mralab.diagnostics.chain import draw_chain
from mralab.truststore.verdict import CertificateFacts

_AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
_LEAF = CertificateFacts(
    subject="CN=cucm-ms.steven.lab",
    issuer="CN=steven-DC-CA",
    serial="01",
    not_before=datetime(2026, 1, 1, tzinfo=UTC),
    not_after=datetime(2026, 12, 4, 12, tzinfo=UTC),
    sans=("DNS:cucm.steven.lab", "IP:10.48.36.215"),
    key="RSA 2048",
    signature="sha256WithRSAEncryption",
    sha256="00",
    self_issued=False,
)
_ROOT = replace(
    _LEAF, subject="CN=steven-DC-CA", issuer="CN=steven-DC-CA", sans=(), self_issued=True
)


def test_a_leaf_alone_hangs_on_an_issuer_that_was_not_sent() -> None:
    assert draw_chain([_LEAF], at=_AT) == [
        "CN=steven-DC-CA (not sent)",
        "└─ CN=cucm-ms.steven.lab (depth 0)",
        "   SAN DNS:cucm.steven.lab, IP:10.48.36.215",
        "   RSA 2048, sha256WithRSAEncryption, expires 2026-12-04 (10 days)",
    ]


def test_a_root_that_was_sent_stands_on_top_and_counts_as_depth_1() -> None:
    assert draw_chain([_LEAF, _ROOT], at=_AT)[:3] == [
        "CN=steven-DC-CA (depth 1, self-signed)",
        "RSA 2048, sha256WithRSAEncryption, expires 2026-12-04 (10 days)",
        "└─ CN=cucm-ms.steven.lab (depth 0)",
    ]


def test_a_self_signed_leaf_needs_no_issuer() -> None:
    leaf = replace(_LEAF, issuer=_LEAF.subject, self_issued=True)
    assert draw_chain([leaf], at=_AT)[0] == "CN=cucm-ms.steven.lab (depth 0, self-signed)"


def test_an_intermediate_stands_between_the_two() -> None:
    middle = replace(_LEAF, subject="CN=middle", issuer="CN=steven-DC-CA", sans=())
    lines = draw_chain([replace(_LEAF, issuer="CN=middle"), middle], at=_AT)
    assert [line for line in lines if "CN=" in line] == [
        "CN=steven-DC-CA (not sent)",
        "└─ CN=middle (depth 1)",
        "   └─ CN=cucm-ms.steven.lab (depth 0)",
    ]


def test_an_issuer_that_the_next_certificate_is_not_is_named() -> None:
    assert "   issuer CN=steven-DC-CA" in draw_chain(
        [_LEAF, replace(_ROOT, subject="CN=other", issuer="CN=other")], at=_AT
    )


def test_dates_are_told_from_the_given_time() -> None:
    late = draw_chain([_LEAF], at=datetime(2027, 1, 1, tzinfo=UTC))
    early = draw_chain([_LEAF], at=datetime(2025, 1, 1, tzinfo=UTC))
    assert late[-1].endswith("EXPIRED 2026-12-04 12:00 UTC")
    assert early[-1].endswith("not valid before 2026-01-01 00:00 UTC")


def test_nothing_presented_is_nothing_drawn() -> None:
    assert draw_chain([], at=_AT) == []
