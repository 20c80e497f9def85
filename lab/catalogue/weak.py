"""Weak or of another purpose: what OpenSSL refuses by itself, and what it surprisingly lets pass.

Source: that SHA-1 passes on X14.2 in the capture of Cisco 218018 (seen); the security level of the
X releases is inferred from it, that of stock Traffic Server observed.
"""

from __future__ import annotations

from typing import Final

from mralab.config.estate import DigestChoice, KeyChoice, Purpose
from mralab.lab.catalogue.edit import (
    IMP,
    SOUND,
    SUBSCRIBER,
    TOMCAT,
    UNITY,
    UNVERIFIED,
    with_certificate,
)
from mralab.lab.catalogue.expect import (
    VOICEMAIL,
    as_stock,
    login_fails_from,
    no_im,
    no_voicemail,
    untrusted,
    user_from,
)
from mralab.lab.catalogue.model import (
    STOCK,
    X14_0_7,
    X14_2,
    X15_5,
    Case,
    Expected,
    Fix,
    Play,
    Presented,
)
from mralab.lab.loginresult import Verdict

_UNITY_CERTIFICATES: Final = (
    "Unity Connection: OS Administration > Security > Certificate Management"
)
_CUCM_CERTIFICATES: Final = "CUCM: OS Administration > Security > Certificate Management"
_RESTART_UNITY: Final = "restart Cisco Tomcat on Unity Connection"

_NO_SERVER_AUTH: Final = Case(
    name="no-server-auth",
    title="The certificate is not meant for servers",
    story=(
        "The CA's web page offered templates, and somebody took the one for clients: the extended "
        "key usage of IM and Presence's certificate holds clientAuth and no serverAuth."
    ),
    estate=with_certificate(UNVERIFIED, IMP, TOMCAT, purposes=(Purpose.CLIENT,)),
    before=Play(column=X14_0_7, said="No purpose is looked at."),
    bites=Play(
        column=X14_2,
        said="The chain is complete and in date; it is the purpose that is wrong.",
        expected=no_im(untrusted("unsupported certificate purpose", depth=0)),
    ),
    lesson="An extended key usage is a list of all that is allowed: without serverAuth no server.",
    fix=Fix(
        what="Order the certificate from a template that has serverAuth (and clientAuth).",
        where=_CUCM_CERTIFICATES,
        restart="restart Cisco Tomcat on IM and Presence",
        estate=UNVERIFIED,
    ),
    source="RFC 5280",
)

_SHA1: Final = Case(
    name="sha1-passes",
    title="SHA-1 passes on Expressway, to everybody's surprise",
    story=(
        "The subscriber's certificate of 2012 is signed with SHA-1. Everybody expects X14.2 to "
        "refuse it. It does not, and neither does the capture in the document; stock Traffic "
        "Server does."
    ),
    estate=with_certificate(SOUND, SUBSCRIBER, TOMCAT, digest=DigestChoice.SHA1),
    before=Play(
        column=X14_2,
        said="Green: the release's OpenSSL takes SHA-1 at its security level.",
        expected=Expected(
            presented=(
                Presented(
                    step=user_from(SUBSCRIBER),
                    signature="sha1WithRSAEncryption",
                    verdict=Verdict.ACCEPTED,
                ),
            )
        ),
    ),
    bites=Play(
        column=STOCK,
        said="At stock Traffic Server's security level it is too weak.",
        expected=login_fails_from(
            SUBSCRIBER, as_stock(untrusted("CA signature digest algorithm too weak", depth=0))
        ),
    ),
    lesson="A green login is no proof of a strong certificate; do not wait for the next OpenSSL.",
    fix=Fix(
        what="Have the certificate signed anew, with SHA-256.",
        where=_CUCM_CERTIFICATES,
        restart="restart Cisco Tomcat on the subscriber",
        estate=with_certificate(SOUND, SUBSCRIBER, TOMCAT),
        expected=Expected(
            presented=(Presented(step=user_from(SUBSCRIBER), signature="sha256WithRSAEncryption"),)
        ),
    ),
    source="Cisco 218018 (seen in its capture)",
)

_MD5: Final = Case(
    name="md5-refused",
    title="MD5 does not pass anywhere",
    story=(
        "An appliance in front of Unity Connection makes its certificates with MD5, as it did "
        "fifteen years ago. Since SHA-1 passes, nobody worries."
    ),
    estate=with_certificate(UNVERIFIED, UNITY, TOMCAT, digest=DigestChoice.MD5),
    before=Play(column=X14_0_7, said="No signature is looked at."),
    bites=Play(
        column=X14_2,
        said="Below every level: refused, though chain, name and dates are right.",
        expected=no_voicemail(untrusted("CA signature digest algorithm too weak", depth=0)),
    ),
    lesson="The limit between SHA-1 and MD5 is OpenSSL's, not a setting of Expressway.",
    fix=Fix(
        what="Have the certificate signed with SHA-256.",
        where=_UNITY_CERTIFICATES,
        restart=_RESTART_UNITY,
        estate=UNVERIFIED,
    ),
    source="OpenSSL",
)

_SHORT_KEY_SEEN: Final = Expected(
    presented=tuple(
        Presented(step=step, key="RSA 1024", verdict=Verdict.ACCEPTED) for step in VOICEMAIL
    )
)

_SHORT_KEY: Final = Case(
    name="rsa-1024-passes",
    title="A key of 1024 bits passes on Expressway",
    story=(
        "Unity Connection has had the same key since 2009: RSA with 1024 bits. Auditors forbid it, "
        "and yet X14.2 and X15.5 take it; only stock Traffic Server refuses."
    ),
    estate=with_certificate(SOUND, UNITY, TOMCAT, key=KeyChoice.RSA_1024),
    before=Play(
        column=X14_2,
        said="Green: 1024 bits are the least that this security level takes.",
        expected=_SHORT_KEY_SEEN,
    ),
    bites=Play(
        column=STOCK,
        said="One security level higher 2048 bits are the least.",
        expected=no_voicemail(as_stock(untrusted("EE certificate key too weak", depth=0))),
    ),
    also=(Play(column=X15_5, said="X15.5 is as X14.2 here.", expected=_SHORT_KEY_SEEN),),
    lesson="What Expressway lets pass today depends on a security level that nobody promises.",
    fix=Fix(
        what="Make a new key of 2048 bits or more, and a certificate for it.",
        where=_UNITY_CERTIFICATES,
        restart=_RESTART_UNITY,
        estate=SOUND,
        expected=Expected(
            presented=tuple(Presented(step=step, key="RSA 2048") for step in VOICEMAIL)
        ),
    ),
    source="lab default: the security level of the X releases is inferred",
)

CASES: Final = (_NO_SERVER_AUTH, _SHA1, _MD5, _SHORT_KEY)
