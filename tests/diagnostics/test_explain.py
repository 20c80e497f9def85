"""Causes in words: every refusal has one, with a fix."""

from __future__ import annotations

import pytest

from mralab.diagnostics.explain import explain
from mralab.truststore.verdict import Reason

_CODES = (2, 7, 9, 10, 18, 19, 20, 21, 22, 24, 25, 26, 34, 66, 67, 68, 79, 9999)


@pytest.mark.parametrize("code", _CODES)
def test_every_chain_fault_has_a_cause_and_ends_with_the_workaround(code: int) -> None:
    told = explain(Reason.CHAIN_REFUSED, code=code, depth=1, subject="CN=x")
    assert "CN=x" in told.cause
    assert "VerifyOriginServer: Off" in told.fixes[-1].command


def test_without_a_subject_the_depth_tells_which_certificate_it_is() -> None:
    assert "depth 2" in explain(Reason.CHAIN_REFUSED, code=20, depth=2).cause


def test_a_self_signed_leaf_can_be_listed_itself_or_avoided_by_preferring_rsa() -> None:
    told = explain(Reason.CHAIN_REFUSED, code=18, subject="CN=cucm-EC.steven.lab")
    assert told.fixes[0].command.startswith("mralab trust append")
    assert any("--upgrade-path from-14.0" in fix.command for fix in told.fixes)


def test_a_missing_issuer_is_not_mended_by_listing_the_leaf() -> None:
    told = explain(Reason.CHAIN_REFUSED, code=20, subject="CN=cucm-ms.steven.lab")
    assert "root and intermediates" in told.fixes[0].what


def test_a_wrong_name_is_mended_in_the_certificate_or_under_system_server() -> None:
    told = explain(Reason.NAME_REFUSED, code=64, name="10.48.36.215")
    assert "10.48.36.215" in told.cause
    assert "SAN" in told.fixes[0].what
    assert "System > Server" in told.fixes[1].what


@pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.value)
def test_every_reason_has_words(reason: Reason) -> None:
    assert explain(reason).cause
