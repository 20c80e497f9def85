"""ECDSA: the second certificate of every service, which an upgrade brings to light.

Which of the two a node presents is decided by the client's cipher list under TLS 1.2, by its
signature algorithms under TLS 1.3, and for 8443 by CUCM's own parameter HTTPS Ciphers.

Source: the three upgrade paths and both lists in Cisco 218018 and the X14.2 release note (seen);
HTTPS Ciphers in the Preferred Architecture and CUCM's security guide (seen); TLS 1.3 in 225476.
"""

from __future__ import annotations

from typing import Final

from mralab.config.estate import HttpsCiphers
from mralab.config.estatesample import sample_estate
from mralab.config.releases import CIPHERS_ECDSA_FIRST
from mralab.lab.catalogue.edit import (
    CALL_MANAGER,
    CALL_MANAGER_ECDSA,
    PUBLISHER,
    SOUND,
    SUBSCRIBER,
    TOMCAT_ECDSA,
    self_signed,
    with_certificate,
    with_expressway_c,
    with_node,
)
from mralab.lab.catalogue.expect import (
    HOME,
    JABBER,
    USER,
    login_fails,
    no_phone_service,
    untrusted,
)
from mralab.lab.catalogue.model import (
    X12_5,
    X14_0_7,
    X14_2,
    X14_2_BELOW_14_0,
    X14_2_FROM_14_0,
    X15_5_FROM_14_0,
    Case,
    Expected,
    Fix,
    Play,
    Presented,
)
from mralab.lab.loginresult import Verdict

_SIGN: Final = "CUCM: OS Administration > Security > Certificate Management > Generate CSR"
_RESTART_TFTP: Final = "restart Cisco CallManager and Cisco TFTP"
_CIPHERS: Final = "Expressway-C: Maintenance > Security > Ciphers"
_SELF_SIGNED: Final = "self signed certificate"
#: What 6972 comes to with an ECDSA certificate that is still self-signed.
_UNSIGNED_ECDSA: Final = untrusted(_SELF_SIGNED, depth=0, certificate="CallManager-ECDSA")

_AFTER_THE_UPGRADE: Final = Case(
    name="ecdsa-after-upgrade",
    title="After the upgrade 6972 presents the certificate that nobody has looked at",
    story=(
        "The tomcat certificate is signed and reused for CallManager; both -ECDSA certificates are "
        "as the installation left them, self-signed. From X12.5 to X14.2 in one step the cipher "
        "list prefers ECDSA. Users log in, and their phones get no configuration."
    ),
    estate=sample_estate(),
    before=Play(column=X12_5, said="Nothing is verified."),
    bites=Play(
        column=X14_2_BELOW_14_0,
        said="8443 presents RSA and passes, 6972 presents ECDSA and does not.",
        expected=no_phone_service(
            _UNSIGNED_ECDSA,
            presented=(Presented(step=HOME, certificate="tomcat", verdict=Verdict.ACCEPTED),),
            also_from=SUBSCRIBER,
        ),
    ),
    also=(
        Play(
            column=X14_2_FROM_14_0,
            said="Upgraded from 14.0 or later the old list stays, with RSA first: green.",
            expected=Expected(presented=(Presented(step=JABBER, certificate="CallManager"),)),
        ),
        Play(
            column=X14_2,
            said="A fresh installation is as one from below 14.0.",
            expected=no_phone_service(_UNSIGNED_ECDSA, also_from=SUBSCRIBER),
        ),
    ),
    lesson=(
        "Every node has two certificates for a service, and the cipher list decides which one is "
        "met: have both signed."
    ),
    fix=Fix(
        what="Have CallManager-ECDSA signed on every node.",
        where=_SIGN,
        restart=_RESTART_TFTP,
        estate=self_signed(SOUND, PUBLISHER, TOMCAT_ECDSA),
    ),
    source="Cisco 218018; X14.2 release note",
)

_BY_PARAMETER: Final = with_node(
    self_signed(SOUND, PUBLISHER, TOMCAT_ECDSA), PUBLISHER, https_ciphers=HttpsCiphers.EC_AND_RSA
)

_HTTPS_CIPHERS: Final = Case(
    name="https-ciphers-ec-and-rsa",
    title="HTTPS Ciphers now allows EC, and 8443 turns ECDSA as well",
    story=(
        "Expressway-C runs X14.2 and all is well. CUCM is updated, or somebody hardens it, and the "
        "enterprise parameter HTTPS Ciphers changes to All Supported EC and RSA Ciphers. Nobody "
        "touches Expressway. The next morning nobody can log in."
    ),
    estate=_BY_PARAMETER,
    before=Play(
        column=X14_2,
        said="RSA Ciphers Only: 8443 presents tomcat, whatever Expressway-C prefers.",
        estate=self_signed(SOUND, PUBLISHER, TOMCAT_ECDSA),
        expected=Expected(presented=(Presented(step=USER, certificate="tomcat"),)),
    ),
    bites=Play(
        column=X14_2,
        said="With EC allowed the node follows Expressway-C's list: ECDSA first.",
        expected=login_fails(untrusted(_SELF_SIGNED, depth=0, certificate="tomcat-ECDSA")),
    ),
    also=(
        Play(
            column=X14_2_FROM_14_0,
            said="Where the cipher list begins with RSA nothing would have happened.",
            expected=Expected(presented=(Presented(step=USER, certificate="tomcat"),)),
        ),
    ),
    lesson="A change on CUCM alone can bring another certificate to light: sign tomcat-ECDSA too.",
    fix=Fix(
        what="Have tomcat-ECDSA signed.",
        where=_SIGN,
        restart="restart Cisco Tomcat",
        estate=with_node(SOUND, PUBLISHER, https_ciphers=HttpsCiphers.EC_AND_RSA),
    ),
    source="Cisco Preferred Architecture; CUCM security guide, release 15 SU2",
)

_MODERN: Final = with_node(
    with_node(sample_estate(), PUBLISHER, version="15.0.1"), SUBSCRIBER, version="15.0.1"
)

_TLS_1_3: Final = Case(
    name="tls13-ignores-cipher-order",
    title="Under TLS 1.3 the cipher list no longer helps",
    story=(
        "With RSA in front of the cipher list X14.2 went through, the self-signed ECDSA "
        "certificates stayed as they were. Then CUCM became 15, Expressway X15.5, and phones lose "
        "their configuration although the list still begins with RSA."
    ),
    estate=_MODERN,
    before=Play(
        column=X14_2_FROM_14_0,
        said="TLS 1.2, RSA first: 6972 presents the signed certificate.",
        expected=Expected(
            presented=(Presented(step=JABBER, certificate="CallManager", tls="TLSv1.2"),)
        ),
    ),
    bites=Play(
        column=X15_5_FROM_14_0,
        said="TLS 1.3: suites say nothing of the kind of key any more.",
        expected=no_phone_service(
            _UNSIGNED_ECDSA,
            presented=(Presented(step=JABBER, certificate="CallManager-ECDSA", tls="TLSv1.3"),),
            also_from=SUBSCRIBER,
        ),
    ),
    lesson="RSA first in the cipher list is a way out under TLS 1.2 only; signing lasts.",
    fix=Fix(
        what="Have CallManager-ECDSA signed on every node.",
        where=_SIGN,
        restart=_RESTART_TFTP,
        estate=with_node(
            with_node(SOUND, PUBLISHER, version="15.0.1"), SUBSCRIBER, version="15.0.1"
        ),
        expected=Expected(
            presented=(Presented(step=JABBER, certificate="CallManager-ECDSA", tls="TLSv1.3"),)
        ),
    ),
    source="Cisco 225476; CUCM security guide, release 15",
)

_UNSIGNED_ON_PUBLISHER: Final = self_signed(SOUND, PUBLISHER, CALL_MANAGER_ECDSA)

_LIST_RESET: Final = Case(
    name="cipher-list-reset",
    title="Somebody put the cipher list back to its default",
    story=(
        "Upgraded from 14.0, so RSA stands first and all is green. A security scan complains about "
        "the list; it is reset to the default of the release, which looks the same but for its "
        "first entry."
    ),
    estate=with_expressway_c(_UNSIGNED_ON_PUBLISHER, ciphers=CIPHERS_ECDSA_FIRST),
    before=Play(
        column=X14_2_FROM_14_0,
        said="ECDHE-RSA-AES256-GCM-SHA384: stands in front.",
        estate=_UNSIGNED_ON_PUBLISHER,
        expected=Expected(presented=(Presented(step=JABBER, certificate="CallManager"),)),
    ),
    bites=Play(
        column=X14_2_FROM_14_0,
        said="Without that entry ECDSA is first.",
        expected=no_phone_service(_UNSIGNED_ECDSA),
    ),
    lesson="Look at the list itself, on every peer: the path of the upgrade only explains it.",
    fix=Fix(
        what="Put ECDHE-RSA-AES256-GCM-SHA384: in front of the list again, until all are signed.",
        where=_CIPHERS,
        restart="restart Expressway-C",
        estate=_UNSIGNED_ON_PUBLISHER,
    ),
    source="Cisco 218018; X14.2 release note",
)

_NOT_REUSED: Final = Case(
    name="callmanager-not-reused",
    title="tomcat is signed, CallManager is not, and RSA first makes it worse",
    story=(
        "Only tomcat was ever signed, for the browsers. Then somebody read that RSA first is the "
        "cure, and put it in front of the list: on 6972 that brings the RSA certificate to light, "
        "CallManager, which is self-signed."
    ),
    estate=with_certificate(SOUND, PUBLISHER, CALL_MANAGER, signed_by=""),
    before=Play(column=X14_0_7, said="RSA first as well, and nothing is verified."),
    bites=Play(
        column=X14_2_FROM_14_0,
        said="6972 is not served by tomcat.",
        expected=no_phone_service(untrusted(_SELF_SIGNED, depth=0, certificate="CallManager")),
    ),
    also=(
        Play(
            column=X14_2,
            said="With ECDSA first the signed CallManager-ECDSA would have been met: green.",
            expected=Expected(presented=(Presented(step=JABBER, certificate="CallManager-ECDSA"),)),
        ),
    ),
    lesson="A cipher order only chooses between two certificates: know both before choosing.",
    fix=Fix(
        what="Reuse the tomcat certificate for CallManager: one certificate to keep in order.",
        where=f"{_SIGN.partition(' > Generate')[0]} > Reuse Certificate (CUCM 14 and later)",
        restart=_RESTART_TFTP,
        estate=SOUND,
    ),
    source="Cisco 225476; Cisco 218018",
)

CASES: Final = (_AFTER_THE_UPGRADE, _HTTPS_CIPHERS, _TLS_1_3, _LIST_RESET, _NOT_REUSED)
