"""Dates: too late, too early, tomorrow; the node's, the CA's, and Expressway-C's own.

Source: that validity is part of the check in Cisco 218018 (seen); the texts are OpenSSL's (seen).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

from mralab.lab.catalogue.edit import (
    CALL_MANAGER_ECDSA,
    PUBLISHER,
    SOUND,
    TOMCAT,
    UNITY,
    UNVERIFIED,
    with_authority,
    with_certificate,
    with_expressway_c,
    with_trusted,
)
from mralab.lab.catalogue.expect import (
    TFTP,
    login_fails,
    no_phone_service,
    no_voicemail,
    refused_by_node,
    untrusted,
)
from mralab.lab.catalogue.model import (
    X12_5,
    X14_0_7,
    X14_2,
    Case,
    Expected,
    Fix,
    Play,
    Presented,
)
from mralab.lab.loginresult import Verdict

_DAY: Final = timedelta(days=1)
_SECOND: Final = timedelta(seconds=1)
_CUCM_CERTIFICATES: Final = "CUCM: OS Administration > Security > Certificate Management"
_TRUSTED_CA: Final = "Expressway-C: Maintenance > Security > Trusted CA certificate"

_EXPIRED: Final = Case(
    name="expired-unnoticed",
    title="The tomcat certificate ran out long ago, and nobody noticed",
    story=(
        "The multi-server certificate expired in spring. Administrators click the browser's "
        "warning away; MRA went on to work, since X14.0.7 looks at no certificate."
    ),
    estate=with_certificate(UNVERIFIED, PUBLISHER, TOMCAT, not_after=-90 * _DAY),
    before=Play(column=X14_0_7, said="Expired for three months, and all is green."),
    bites=Play(
        column=X14_2,
        said="The first request of the login ends it.",
        expected=login_fails(untrusted("certificate has expired", depth=0)),
    ),
    lesson="Before the upgrade look at every date, also of what has been expired and working.",
    fix=Fix(
        what="Renew the certificate.",
        where=_CUCM_CERTIFICATES,
        restart="restart Cisco Tomcat on every node of the certificate",
        estate=UNVERIFIED,
    ),
    source="Cisco 218018",
)

_EXPIRES_TOMORROW: Final = Case(
    name="expires-tomorrow",
    title="Green today, red tomorrow: the certificate that nobody watches",
    story=(
        "The upgrade went well. Then, on an ordinary morning, no phone outside gets its "
        "configuration: CallManager-ECDSA, which stands in no reminder, has run out in the night."
    ),
    estate=with_certificate(SOUND, PUBLISHER, CALL_MANAGER_ECDSA, not_after=-_SECOND),
    before=Play(
        column=X14_2,
        said="Today: it is valid for one more day.",
        estate=with_certificate(SOUND, PUBLISHER, CALL_MANAGER_ECDSA, not_after=_DAY),
        expected=Expected(
            presented=tuple(
                Presented(step=step, certificate="CallManager-ECDSA", verdict=Verdict.ACCEPTED)
                for step in TFTP
            )
        ),
    ),
    bites=Play(
        column=X14_2,
        said="Tomorrow: it ran out a second ago, and nothing else has changed.",
        expected=no_phone_service(
            untrusted("certificate has expired", depth=0, certificate="CallManager-ECDSA")
        ),
    ),
    lesson="From X14.2 on the earliest date of any certificate of any node is an outage.",
    fix=Fix(
        what="Renew it, and watch the dates of all kinds: tomcat, CallManager, both -ECDSA ones.",
        where=_CUCM_CERTIFICATES,
        restart="restart Cisco CallManager and Cisco TFTP",
        estate=SOUND,
    ),
    source="Cisco 218018",
)

_NOT_YET_VALID: Final = Case(
    name="not-yet-valid",
    title="The new certificate is not valid yet",
    story=(
        "The CA's clock is two hours ahead, so what it signs begins to be valid in two hours. The "
        "new certificate of Unity Connection was installed at once, in the maintenance window."
    ),
    estate=with_certificate(UNVERIFIED, UNITY, TOMCAT, not_before=timedelta(hours=2)),
    before=Play(column=X14_0_7, said="No date is looked at."),
    bites=Play(
        column=X14_2,
        said="Two hours too early.",
        expected=no_voicemail(untrusted("certificate is not yet valid", depth=0)),
    ),
    lesson="'not yet valid' is about clocks: compare those of the CA, the node and Expressway-C.",
    fix=Fix(
        what="Set the CA's clock right and have the certificate made again (or wait).",
        where="Expressway-C: System > Time, and the CA's own clock",
        restart="restart Cisco Tomcat on Unity Connection",
        estate=UNVERIFIED,
    ),
    source="Cisco 218018",
)

_OLD_CA: Final = with_authority(
    with_authority(UNVERIFIED, "Voice-CA 2014", not_after=-_DAY), "Voice-CA 2024"
)

_CA_EXPIRED: Final = Case(
    name="ca-expired-in-list",
    title="The CA in the trusted CA list has expired",
    story=(
        "Unity Connection's certificate is good for two more years. The CA that signed it has run "
        "out: it is in the list, with a red date that nobody reads."
    ),
    estate=with_trusted(
        with_certificate(_OLD_CA, UNITY, TOMCAT, signed_by="Voice-CA 2014"), "Voice-CA 2014"
    ),
    before=Play(column=X14_0_7, said="No date is looked at."),
    bites=Play(
        column=X14_2,
        said="Depth 1: it is not the node's certificate that has expired.",
        expected=no_voicemail(untrusted("certificate has expired", depth=1)),
    ),
    lesson="Being listed keeps no CA alive: read the depth before renewing the wrong certificate.",
    fix=Fix(
        what="Have the certificate signed by the CA's successor, and append that to the list.",
        where=_TRUSTED_CA,
        restart="restart Cisco Tomcat on Unity Connection, then Expressway-C",
        estate=with_trusted(
            with_certificate(_OLD_CA, UNITY, TOMCAT, signed_by="Voice-CA 2024"), "Voice-CA 2024"
        ),
    ),
    source="OpenSSL",
)

_OWN_EXPIRED: Final = Case(
    name="expressway-c-expired",
    title="Expressway-C's own certificate has expired",
    story=(
        "The certificate of Expressway-C ran out; the traversal zone was on TLS verify mode Off, "
        "so calls went on. From X14.0.2 on Expressway-C shows this certificate to the TFTP "
        "service of CUCM, which asks for one on 6971 and 6972."
    ),
    estate=with_expressway_c(
        SOUND, certificate=replace(SOUND.expressway_c.certificate, not_after=-_DAY)
    ),
    before=Play(column=X12_5, said="This release shows no certificate, and CUCM lets it pass."),
    bites=Play(
        column=X14_0_7,
        said="ERROR without WARNING: it is the node that ends the handshake.",
        expected=no_phone_service(
            refused_by_node("sslv3 alert certificate expired", 45, certificate="CallManager"),
            also_from="cucm-sub.steven.lab",
        ),
    ),
    lesson="Verification has two directions; an ERROR line with 'alert' in it is about us.",
    fix=Fix(
        what="Renew Expressway-C's server certificate.",
        where="Expressway-C: Maintenance > Security > Server certificate",
        restart="restart Expressway-C",
        estate=SOUND,
    ),
    source="X14.2 release note (that it is shown); Cisco 225746 (the form of the line)",
)

CASES: Final = (_EXPIRED, _EXPIRES_TOMORROW, _NOT_YET_VALID, _CA_EXPIRED, _OWN_EXPIRED)
