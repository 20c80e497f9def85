"""What each release does by itself, and what overrides it."""

import pytest

from mralab.config.releases import (
    CIPHERS_ATS,
    CIPHERS_ECDSA_FIRST,
    CIPHERS_RSA_FIRST,
    PROFILES,
    NameRule,
    Release,
    UpgradePath,
    VerifyMode,
    default_ciphers,
)
from mralab.config.settings import Endpoint, Settings


@pytest.mark.parametrize(
    ("release", "path", "ciphers"),
    [
        pytest.param(Release.X12_5, UpgradePath.FRESH, CIPHERS_ECDSA_FIRST, id="X12.5"),
        pytest.param(Release.X14_0_7, UpgradePath.FRESH, CIPHERS_RSA_FIRST, id="X14.0.7"),
        pytest.param(Release.X14_2, UpgradePath.FRESH, CIPHERS_ECDSA_FIRST, id="fresh X14.2"),
        pytest.param(Release.X14_2, UpgradePath.BELOW_14_0, CIPHERS_ECDSA_FIRST, id="from below"),
        pytest.param(Release.X14_2, UpgradePath.FROM_14_0, CIPHERS_RSA_FIRST, id="from X14.0"),
        pytest.param(Release.X15_5, UpgradePath.FROM_14_0, CIPHERS_RSA_FIRST, id="X15.5"),
        pytest.param(Release.ATS, UpgradePath.FROM_14_0, CIPHERS_ATS, id="ats"),
    ],
)
def test_cipher_list_by_upgrade_path(release: Release, path: UpgradePath, ciphers: str) -> None:
    assert default_ciphers(release, path) == ciphers
    assert Settings(release=release, upgrade_path=path).effective_ciphers == ciphers


@pytest.mark.parametrize(
    ("release", "mode", "retries", "rule"),
    [
        (Release.X12_5, VerifyMode.OFF, 1, NameRule.EXPRESSWAY),
        (Release.X14_0_7, VerifyMode.OFF, 1, NameRule.EXPRESSWAY),
        (Release.X14_2, VerifyMode.ENFORCED, 1, NameRule.EXPRESSWAY),
        (Release.X15_5, VerifyMode.ENFORCED, 1, NameRule.EXPRESSWAY),
        (Release.ATS, VerifyMode.ENFORCED, 3, NameRule.ATS),
    ],
)
def test_the_release_decides(
    release: Release, mode: VerifyMode, retries: int, rule: NameRule
) -> None:
    settings = Settings(release=release)
    assert settings.effective_verify_mode is mode
    assert settings.effective_retries == retries
    assert settings.effective_name_rule is rule
    assert settings.profile.is_expressway is (release is not Release.ATS)


def test_settings_override_the_release() -> None:
    settings = Settings(
        verify_origin_server=VerifyMode.OFF, retries=0, name_rule=NameRule.STRICT, ciphers="ALL"
    )
    assert settings.effective_verify_mode is VerifyMode.OFF
    assert settings.effective_retries == 0
    assert settings.effective_name_rule is NameRule.STRICT
    assert settings.effective_ciphers == "ALL"


def test_every_release_has_a_profile() -> None:
    assert set(PROFILES) == set(Release)


def test_endpoints_are_written_with_brackets_for_ipv6() -> None:
    assert str(Endpoint("::1", 8443)) == "[::1]:8443"
    assert str(Endpoint("127.0.0.1", 0)) == "127.0.0.1:0"
