"""Release profiles: how each release of the traffic server behaves towards origins.

Five names are all we use: ``X12.5``, ``X14.0.7``, ``X14.2``, ``X15.5`` and ``ats`` (stock Apache
Traffic Server 9.2 as Debian builds it). A profile is data; every field can be overridden by a
setting. Each field says whether a public source shows it (Cisco document numbers) or whether it
is a *lab default*. *Pure*: no I/O here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Release(Enum):
    """The release words of this project; the value is how the user writes it."""

    X12_5 = "X12.5"
    X14_0_7 = "X14.0.7"
    X14_2 = "X14.2"
    X15_5 = "X15.5"
    ATS = "ats"


class VerifyMode(Enum):
    """What to do with a verdict: the product's VerifyOriginServer, with one lab extension."""

    OFF = "Off"  #: verify nothing, log nothing
    PERMISSIVE = "Permissive"  #: lab extension: log each fault with Action=Continue, then relay
    ENFORCED = "On"  #: end the handshake with a fatal alert. Default since X14.2 (Cisco 218018)


class NameRule(Enum):
    """How a requested name is compared with a certificate."""

    EXPRESSWAY = (
        "expressway"  #: ATS's rule plus iPAddress SANs (Cisco 218018: "FQDN or IP"; lab decision)
    )
    ATS = "ats"  #: what stock Apache Traffic Server does
    STRICT = "strict"  #: RFC 9525


class SubjectPolicy(Enum):
    """Which of several CA certificates with one subject can be found in the trusted CA list."""

    FIRST_SUBJECT = (
        "first-subject"  #: only the first listed exists for look-ups (MRA guide X15.0; CSCwa12905)
    )
    OPENSSL = "openssl"  #: OpenSSL's own search


class ErrorWording(Enum):
    """Whose error texts and codes the log shows."""

    OPENSSL_1_1_1 = "1.1.1"
    OPENSSL_3 = "3"


class UpgradePath(Enum):
    """How X14.2 or later was reached: decides if the cipher list prefers RSA (Cisco 218018)."""

    FRESH = "fresh"
    BELOW_14_0 = "below-14.0"
    FROM_14_0 = "from-14.0"


class TlsVersion(Enum):
    """TLS versions spoken to origins."""

    TLS1_2 = "TLSv1.2"
    TLS1_3 = "TLSv1.3"


#: Default of the product for all services; puts ECDSA suites first. Source: Cisco 222186 (seen).
CIPHERS_ECDSA_FIRST = "EECDH:EDH:HIGH:-AES256+SHA:!MEDIUM:!LOW:!3DES:!MD5:!PSK:!eNULL:!aNULL:!aDH"
#: What X14.0 put in front, so that RSA suites come first. Source: Cisco 218018 (seen).
RSA_FIRST_PREFIX = "ECDHE-RSA-AES256-GCM-SHA384:"
CIPHERS_RSA_FIRST = RSA_FIRST_PREFIX + CIPHERS_ECDSA_FIRST
#: What the stock server offers below TLS 1.3: by strength, no SHA-1, RSA key exchange last. This
#: string gives the suites in the order of its built-in list (observed). At security level 2 a
#: recent OpenSSL leaves out the suites of that list with an 8-byte tag (CCM8).
CIPHERS_ATS = "AESGCM:AESCCM:CHACHA20:ARIAGCM:HIGH:!aNULL:!PSK:!SRP:!SHA1:+CAMELLIA:+kRSA:@STRENGTH"
#: Its order for TLS 1.3; OpenSSL's own has ChaCha20 in the middle. Observed.
TLS13_SUITES_ATS = "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseProfile:
    """How one release behaves on the origin leg. Every field can be overridden by a setting."""

    release: Release
    verify_mode: VerifyMode  #: per request; before X14.2 nothing is verified (Cisco 218018)
    retries: int  #: further attempts after a failed one; X14.2: two seen (Cisco 218018)
    shows_client_certificate: bool  #: from X14.0.2 on (release note X14.2)
    max_tls: TlsVersion  #: highest version offered to origins; X14.2's is a lab default
    tls13_suites: str  #: suites of TLS 1.3 in order; empty: OpenSSL's own
    security_level: int  #: OpenSSL's; 1 in the meaning of OpenSSL 1.1.1 for the X releases
    wording: ErrorWording  #: texts and codes in the log
    name_rule: NameRule
    subject_policy: SubjectPolicy
    et_net_errors: bool  #: ``[ET_NET n] ERROR`` lines without debug logging
    via_product: str  #: the word in brackets in our Via field

    @property
    def is_expressway(self) -> bool:
        """Whether this is one of the X releases."""
        return self.release is not Release.ATS


def _x_release(
    release: Release, *, mode: VerifyMode, client_certificate: bool, max_tls: TlsVersion
) -> ReleaseProfile:
    return ReleaseProfile(
        release=release,
        verify_mode=mode,
        retries=1,
        shows_client_certificate=client_certificate,
        max_tls=max_tls,
        tls13_suites="",
        security_level=1,
        wording=ErrorWording.OPENSSL_1_1_1,
        name_rule=NameRule.EXPRESSWAY,
        subject_policy=SubjectPolicy.FIRST_SUBJECT,
        et_net_errors=True,
        via_product="ATS",
    )


PROFILES: dict[Release, ReleaseProfile] = {
    profile.release: profile
    for profile in (
        _x_release(
            Release.X12_5,
            mode=VerifyMode.OFF,
            client_certificate=False,
            max_tls=TlsVersion.TLS1_2,
        ),
        _x_release(
            Release.X14_0_7,
            mode=VerifyMode.OFF,
            client_certificate=True,
            max_tls=TlsVersion.TLS1_2,
        ),
        _x_release(
            Release.X14_2,
            mode=VerifyMode.ENFORCED,
            client_certificate=True,
            max_tls=TlsVersion.TLS1_2,
        ),
        _x_release(
            Release.X15_5,
            mode=VerifyMode.ENFORCED,
            client_certificate=True,
            max_tls=TlsVersion.TLS1_3,
        ),
        ReleaseProfile(
            release=Release.ATS,
            verify_mode=VerifyMode.ENFORCED,
            retries=3,
            shows_client_certificate=True,
            max_tls=TlsVersion.TLS1_3,
            tls13_suites=TLS13_SUITES_ATS,
            security_level=2,
            wording=ErrorWording.OPENSSL_3,
            name_rule=NameRule.ATS,
            subject_policy=SubjectPolicy.OPENSSL,
            et_net_errors=False,
            via_product="ApacheTrafficServer",
        ),
    )
}


def default_ciphers(release: Release, path: UpgradePath) -> str:
    """Return the cipher list a release starts with.

    Args:
        release: the release now running.
        path: how it was reached; only X14.2 and later depend on it.

    Returns:
        An OpenSSL cipher string, without security level.

    Source: Cisco 218018 and the X14.2 release note (three upgrade rules, seen); the list of X12.5
    is a lab default.
    """
    if release is Release.ATS:
        return CIPHERS_ATS
    if release is Release.X12_5:
        return CIPHERS_ECDSA_FIRST
    if release is Release.X14_0_7 or path is UpgradePath.FROM_14_0:
        return CIPHERS_RSA_FIRST
    return CIPHERS_ECDSA_FIRST
