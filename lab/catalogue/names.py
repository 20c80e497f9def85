"""Names: the host that clients are sent to does not stand in the certificate, or not as it counts.

What is compared with the certificate is what CUCM advertises (System > Server, UC services), never
what somebody typed in at discovery.

Source: Cisco 218018 (what is compared, and the case of the address, seen); how names are compared
is stock Traffic Server's (seen), that iPAddress SANs count is a lab decision.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from mralab.config.estate import CertificatePlan
from mralab.config.releases import NameRule
from mralab.lab.catalogue.edit import (
    IMP,
    PUBLISHER,
    ROOT,
    SOUND,
    SUBSCRIBER,
    TOMCAT,
    UNITY,
    UNVERIFIED,
    with_certificate,
    with_expressway_c,
    with_node,
)
from mralab.lab.catalogue.expect import (
    IM,
    VOICEMAIL,
    login_fails,
    login_fails_from,
    no_im,
    no_voicemail,
    phone_from,
    user_from,
    wrong_name,
)
from mralab.lab.catalogue.model import (
    X14_0_7,
    X14_2,
    Case,
    Expected,
    Fix,
    Play,
    Presented,
)
from mralab.lab.loginresult import Outcome, Verdict

_EVERY_NODE: Final = SOUND.node(PUBLISHER).certificates[TOMCAT].dns
_SIGN_AGAIN: Final = "CUCM: OS Administration > Security > Certificate Management > Generate CSR"
_SERVER: Final = "CUCM: Cisco Unified CM Administration > System > Server"
_RESTART_TOMCAT: Final = "restart Cisco Tomcat on every node of the certificate"
_REFRESH: Final = "Refresh servers on Expressway-C"
_NOTHING_VERIFIED: Final = "No certificate is looked at, so no name is."

_SUBSCRIBER_NOT_IN_SAN: Final = Case(
    name="subscriber-not-in-san",
    title="A subscriber is missing in the multi-server certificate",
    story=(
        "A subscriber was added to the cluster years after the multi-server tomcat certificate had "
        "been made, and nobody made a new one. Since the upgrade to X14.2 some users cannot log "
        "in, on some days: those whose client is sent to the subscriber."
    ),
    estate=with_certificate(
        SOUND, PUBLISHER, TOMCAT, dns=tuple(name for name in _EVERY_NODE if name != SUBSCRIBER)
    ),
    before=Play(column=X14_0_7, said=_NOTHING_VERIFIED),
    bites=Play(
        column=X14_2,
        said="The publisher is in the certificate, the subscriber is not.",
        expected=login_fails_from(SUBSCRIBER, wrong_name()),
    ),
    lesson=(
        "Every node that CUCM advertises must be in a SAN, not only the one that was typed in at "
        "discovery."
    ),
    fix=Fix(
        what="Make the multi-server certificate anew, with every node of the cluster in it.",
        where=_SIGN_AGAIN,
        restart=_RESTART_TOMCAT,
        estate=SOUND,
    ),
    source="Cisco 218018",
)

_ADVERTISED_BY_ADDRESS: Final = Case(
    name="advertised-by-address",
    title="Added by FQDN, advertised by address",
    story=(
        "The publisher was typed in on Expressway-C by its FQDN, with TLS verify mode On, and is "
        "shown as active. System > Server still holds the address from the installation, so that "
        "is where everybody is sent. After the upgrade nobody can log in."
    ),
    estate=with_node(SOUND, PUBLISHER, advertised="10.48.36.215"),
    before=Play(column=X14_0_7, said="Discovery compares the FQDN; the login compares nothing."),
    bites=Play(
        column=X14_2,
        said="Discovery still succeeds by FQDN. The login goes by address, and that is compared.",
        expected=login_fails(wrong_name()),
        refresh=True,
    ),
    lesson=(
        "A discovery that succeeds with TLS verify mode On says nothing about the name that "
        "logins are checked against: that is what System > Server holds."
    ),
    fix=Fix(
        what="Change the entry from the address to the FQDN, which is in the certificate.",
        where=_SERVER,
        restart=_REFRESH,
        estate=SOUND,
        refresh=True,
    ),
    source="Cisco 218018",
)

_FORGOTTEN_NODE: Final = Case(
    name="multi-server-forgotten-node",
    title="The multi-server certificate leaves out IM and Presence",
    story=(
        "The multi-server certificate was ordered for the Unified CM nodes; IM and Presence "
        "serves it too, but has no place among its names. TLS verify mode On refused it at "
        "discovery, so it was set to Off. Since the upgrade messages and presence are gone."
    ),
    estate=with_certificate(UNVERIFIED, PUBLISHER, TOMCAT, dns=(PUBLISHER, SUBSCRIBER)),
    before=Play(column=X14_0_7, said=f"{_NOTHING_VERIFIED} TLS verify mode is Off."),
    bites=Play(
        column=X14_2,
        said="Both Unified CM nodes pass with the same certificate.",
        expected=no_im(wrong_name()),
    ),
    lesson=(
        "One certificate on many nodes is as good as the list of names in it: a red step at one "
        "node and green ones at the others, with the same certificate, is a missing SAN."
    ),
    fix=Fix(
        what="Order the certificate for every node that serves it, IM and Presence included.",
        where=_SIGN_AGAIN,
        restart=_RESTART_TOMCAT,
        estate=UNVERIFIED,
    ),
    source="Cisco 218018",
)

_SHORT_NAME: Final = Case(
    name="short-host-name",
    title="A subscriber is advertised by its short name",
    story=(
        "System > Server holds `cucm-sub`, as the installation wizard had proposed. The "
        "certificate has the FQDN. It never mattered before X14.2; now clients that are sent to "
        "the subscriber get neither login nor configuration from it."
    ),
    estate=with_node(SOUND, SUBSCRIBER, advertised="cucm-sub"),
    before=Play(column=X14_0_7, said=_NOTHING_VERIFIED),
    bites=Play(
        column=X14_2,
        said="Expressway-C adds no domain: `cucm-sub` is compared as it is written.",
        expected=Expected(
            outcome=Outcome.LOGIN_FAILS,
            refused=(
                replace(wrong_name(), steps=(user_from("cucm-sub"),)),
                replace(
                    wrong_name(certificate="CallManager-ECDSA"), steps=(phone_from("cucm-sub"),)
                ),
            ),
        ),
    ),
    lesson="System > Server has to hold FQDNs: a name that only resolves is not enough.",
    fix=Fix(
        what="Change the entry from the short name to the FQDN.",
        where=_SERVER,
        restart=_REFRESH,
        estate=SOUND,
        refresh=True,
    ),
    source="Cisco 225476",
)

_UNITY_ALIAS: Final = Case(
    name="uc-service-alias",
    title="The voicemail UC service names an alias",
    story=(
        "The UC service for voicemail was given `voicemail.steven.lab`, an alias in DNS, so that "
        "the server could be moved one day. The certificate of Unity Connection has the server's "
        "own name only. Since the upgrade there is no voicemail outside the company."
    ),
    estate=with_node(SOUND, UNITY, advertised="voicemail.steven.lab"),
    before=Play(column=X14_0_7, said=_NOTHING_VERIFIED),
    bites=Play(
        column=X14_2,
        said="The name of the UC service is what is looked for in the certificate.",
        expected=no_voicemail(wrong_name()),
    ),
    lesson="Names in UC services count like those under System > Server: they must be in a SAN.",
    fix=Fix(
        what="Add the alias to the SANs of Unity Connection's tomcat certificate.",
        where="Unity Connection: OS Administration > Security > Certificate Management",
        restart="restart Cisco Tomcat on Unity Connection",
        estate=with_certificate(
            with_node(SOUND, UNITY, advertised="voicemail.steven.lab"),
            UNITY,
            TOMCAT,
            dns=(UNITY, "voicemail.steven.lab"),
        ),
    ),
    source="Mobile and Remote Access guide X15.0",
)

_WILDCARD: Final = CertificatePlan(cn="*.steven.lab", dns=("*.steven.lab",), signed_by=ROOT)

_WILDCARD_TOO_DEEP: Final = Case(
    name="wildcard-two-labels",
    title="A wildcard stands for one label only",
    story=(
        "The company bought one certificate for *.steven.lab and put it on Unity Connection. For "
        "`cuc.steven.lab` it does. Then the server moved into the voice subdomain and became "
        "`cuc.voice.steven.lab`; browsers inside were told to ignore the warning."
    ),
    estate=with_node(
        with_node(SOUND, UNITY, certificates={TOMCAT: _WILDCARD}),
        UNITY,
        advertised="cuc.voice.steven.lab",
    ),
    before=Play(
        column=X14_2,
        said="The same release and certificate while the server was one label below the domain.",
        estate=with_node(SOUND, UNITY, certificates={TOMCAT: _WILDCARD}),
    ),
    bites=Play(
        column=X14_2,
        said="Two labels below the domain: the wildcard does not reach there.",
        expected=no_voicemail(wrong_name()),
        refresh=True,
    ),
    lesson="`*.steven.lab` covers `cuc.steven.lab` and not `cuc.voice.steven.lab`.",
    fix=Fix(
        what="Have a certificate made for the name itself.",
        where="Unity Connection: OS Administration > Security > Certificate Management",
        restart="restart Cisco Tomcat on Unity Connection",
        estate=with_node(
            with_node(
                SOUND,
                UNITY,
                certificates={TOMCAT: replace(_WILDCARD, dns=("cuc.voice.steven.lab",))},
            ),
            UNITY,
            advertised="cuc.voice.steven.lab",
        ),
    ),
)

_IMP_BY_ADDRESS: Final = with_node(SOUND, IMP, advertised="10.48.36.217")

_ADDRESS_SAN: Final = Case(
    name="address-as-ip-or-dns-san",
    title="An address in the SAN: as iPAddress or as dNSName",
    story=(
        "IM and Presence is advertised by its address and that shall stay so; the address was put "
        "into the certificate as an iPAddress, as the standard has it. The document says 'FQDN or "
        "IP', so the lab lets it count; Traffic Server as published looks at dNSName entries only."
    ),
    estate=with_expressway_c(
        with_certificate(_IMP_BY_ADDRESS, IMP, TOMCAT, ips=("10.48.36.217",)),
        name_rule=NameRule.ATS,
    ),
    before=Play(
        column=X14_2,
        said="With the lab's rule for the product an iPAddress counts.",
        estate=with_certificate(_IMP_BY_ADDRESS, IMP, TOMCAT, ips=("10.48.36.217",)),
        expected=Expected(presented=(Presented(step=IM, verdict=Verdict.ACCEPTED),)),
    ),
    bites=Play(
        column=X14_2,
        said="With the name rule of stock Traffic Server (--name-rule ats) it does not.",
        expected=no_im(wrong_name()),
    ),
    lesson=(
        "An address as a dNSName passes under both rules, which is why CUCM's own requests write "
        "it so; better still is no address at all."
    ),
    fix=Fix(
        what="Put the address into the SAN as a dNSName as well.",
        where=_SIGN_AGAIN,
        restart="restart Cisco Tomcat on IM and Presence",
        estate=with_expressway_c(
            with_certificate(_IMP_BY_ADDRESS, IMP, TOMCAT, dns=(IMP, "10.48.36.217")),
            name_rule=NameRule.ATS,
        ),
    ),
    source="Cisco 218018 (the promise); Traffic Server 9.2 (the rule)",
)

_CN_ONLY: Final = Case(
    name="common-name-only",
    title="A certificate without any SAN",
    story=(
        "Unity Connection has a certificate from a home-made CA that writes no SANs: the name "
        "stands in the CN alone. Browsers have refused such certificates for years, so everybody "
        "expects the upgrade to break voicemail. It does not."
    ),
    estate=with_expressway_c(
        with_certificate(SOUND, UNITY, TOMCAT, dns=()), name_rule=NameRule.STRICT
    ),
    before=Play(
        column=X14_2,
        said="Traffic Server falls back to the CN: green, to everybody's surprise.",
        estate=with_certificate(SOUND, UNITY, TOMCAT, dns=()),
        expected=Expected(
            presented=tuple(Presented(step=step, verdict=Verdict.ACCEPTED) for step in VOICEMAIL)
        ),
    ),
    bites=Play(
        column=X14_2,
        said="By today's standard, RFC 9525 (--name-rule strict), there is no name in it.",
        expected=no_voicemail(wrong_name()),
    ),
    lesson=(
        "The traffic server still takes the CN; everything else that checks this certificate, "
        "browsers and Expressway's own SIP zones among them, wants a SAN."
    ),
    fix=Fix(
        what="Have the certificate made again with the name in its SAN.",
        where="Unity Connection: OS Administration > Security > Certificate Management",
        restart="restart Cisco Tomcat on Unity Connection",
        estate=with_expressway_c(SOUND, name_rule=NameRule.STRICT),
    ),
    source="Traffic Server 9.2; RFC 9525",
)

_CN_BESIDE_SAN: Final = Case(
    name="name-in-cn-not-in-san",
    title="The name stands in the CN and not in the SAN",
    story=(
        "The subscriber was renamed. Whoever ordered the certificate wrote the new name as CN and "
        "copied the SANs of the old one. Where SANs exist, the standard says, the CN is not "
        "looked at; yet this login works."
    ),
    estate=with_expressway_c(
        with_certificate(SOUND, SUBSCRIBER, TOMCAT, dns=("cucm-old.steven.lab",)),
        name_rule=NameRule.STRICT,
    ),
    before=Play(
        column=X14_2,
        said="Traffic Server compares the CN even beside SANs: green.",
        estate=with_certificate(SOUND, SUBSCRIBER, TOMCAT, dns=("cucm-old.steven.lab",)),
        expected=Expected(
            presented=(Presented(step=user_from(SUBSCRIBER), verdict=Verdict.ACCEPTED),)
        ),
    ),
    bites=Play(
        column=X14_2,
        said="By RFC 9525 (--name-rule strict) the CN does not count.",
        expected=login_fails_from(SUBSCRIBER, wrong_name()),
    ),
    lesson="Do not take a green login for a right certificate: the next client may go by the SAN.",
    fix=Fix(
        what="Have the certificate made again with the node's name among the SANs.",
        where=_SIGN_AGAIN,
        restart="restart Cisco Tomcat on the subscriber",
        estate=with_expressway_c(
            with_certificate(SOUND, SUBSCRIBER, TOMCAT), name_rule=NameRule.STRICT
        ),
    ),
    source="Traffic Server 9.2; RFC 9525",
)

CASES: Final = (
    _ADVERTISED_BY_ADDRESS,
    _SUBSCRIBER_NOT_IN_SAN,
    _FORGOTTEN_NODE,
    _SHORT_NAME,
    _UNITY_ALIAS,
    _WILDCARD_TOO_DEEP,
    _ADDRESS_SAN,
    _CN_ONLY,
    _CN_BESIDE_SAN,
)
