"""Trust in both directions: what the node thinks of Expressway-C, and what is only switched off.

From X14.0.2 on Expressway-C shows its certificate where it is asked for: on 6971 and 6972. The node
checks it against tomcat-trust and CallManager-trust, both.

Source: X14.2 release note, Cisco 217743 and 225746 (seen); that TFTP looks into both lists is
inferred; the switch and its command in Cisco 218018 (seen).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from mralab.config.estate import Purpose
from mralab.config.releases import VerifyMode
from mralab.lab import certmanagement
from mralab.lab.catalogue.edit import (
    CALL_MANAGER_ECDSA,
    IMP,
    ISSUING,
    PUBLISHER,
    ROOT,
    SOUND,
    SUBSCRIBER,
    TOMCAT,
    UNVERIFIED,
    self_signed,
    with_certificate,
    with_expressway_c,
    with_node_trust,
    with_trusted,
)
from mralab.lab.catalogue.expect import (
    no_im,
    no_phone_service,
    no_phone_service_from,
    phone_from,
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

if TYPE_CHECKING:
    from mralab.lab.estate import RunningEstate

_SHOWS_NONE: Final = "This release shows no certificate, and the node lets it pass."
_UPLOAD: Final = (
    "CUCM: OS Administration > Security > Certificate Management > Upload Certificate/Chain"
)
_RESTART_ALL: Final = "restart Cisco Tomcat, Cisco CallManager and Cisco TFTP"
_SELF_SIGNED: Final = "self signed certificate"


def _unknown_ca(certificate: str = "CallManager") -> Expected:
    return no_phone_service(refused_by_node("tlsv1 alert unknown ca", 48, certificate=certificate))


_CALL_MANAGER_TRUST: Final = Case(
    name="ca-not-in-callmanager-trust",
    title="Expressway-C's CA is missing in CallManager-trust",
    story=(
        "Expressway-C's CA chain was uploaded to tomcat-trust, since the guide for MRA said so at "
        "the time. Already the upgrade to X14.0.7, which verifies nothing, takes the phones' "
        "configuration away. In Expressway's log there is no WARNING."
    ),
    estate=with_node_trust(SOUND, PUBLISHER, "CallManager-trust"),
    before=Play(column=X12_5, said=_SHOWS_NONE),
    bites=Play(
        column=X14_0_7,
        said="The node asks for a certificate and does not know who signed it.",
        expected=_unknown_ca(),
    ),
    also=(
        Play(
            column=X14_2,
            said="X14.2 likes the node's certificate; the node likes ours as little as before.",
            expected=_unknown_ca("CallManager-ECDSA"),
        ),
    ),
    lesson="'alert unknown ca' in an ERROR line is the node's verdict on Expressway-C.",
    fix=Fix(
        what="Upload Expressway-C's CA chain to CallManager-trust too, on every node.",
        where=_UPLOAD,
        restart=_RESTART_ALL,
        estate=SOUND,
    ),
    source="X14.2 release note; Cisco 225746",
)

_TOMCAT_TRUST: Final = Case(
    name="ca-not-in-tomcat-trust",
    title="Expressway-C's CA is missing in tomcat-trust, on one node",
    story=(
        "The publisher was done by the book. On the subscriber the upload went into "
        "CallManager-trust only, and that is where half of the phones get their configuration."
    ),
    estate=with_node_trust(SOUND, SUBSCRIBER, "tomcat-trust"),
    before=Play(column=X12_5, said=_SHOWS_NONE),
    bites=Play(
        column=X14_0_7,
        said="The publisher takes the same certificate.",
        expected=no_phone_service_from(
            SUBSCRIBER, refused_by_node("tlsv1 alert unknown ca", 48, certificate="CallManager")
        ),
    ),
    lesson="Both lists on every node, also where no secure mode is in use.",
    fix=Fix(
        what="Upload Expressway-C's CA chain to tomcat-trust on this node as well.",
        where=_UPLOAD,
        restart=_RESTART_ALL,
        estate=SOUND,
    ),
    source="X14.2 release note; Cisco 217743",
)

_ROOT_MISSING: Final = Case(
    name="only-intermediate-in-trust",
    title="Both trust lists have the intermediate and not the root",
    story=(
        "'Upload the CA that signed Expressway-C's certificate': that is the issuing CA, and it "
        "was uploaded to both lists. The root above it was not."
    ),
    estate=with_node_trust(
        with_node_trust(SOUND, PUBLISHER, "CallManager-trust", ISSUING),
        PUBLISHER,
        "tomcat-trust",
        ISSUING,
    ),
    before=Play(column=X12_5, said=_SHOWS_NONE),
    bites=Play(
        column=X14_0_7,
        said="A chain has to end in a root here too.",
        expected=_unknown_ca(),
    ),
    also=(
        Play(
            column=X14_0_7,
            said="The root alone would do: Expressway-C sends its intermediate.",
            estate=with_node_trust(
                with_node_trust(SOUND, PUBLISHER, "CallManager-trust", ROOT),
                PUBLISHER,
                "tomcat-trust",
                ROOT,
            ),
        ),
    ),
    lesson="CA chain means all of it: the root, and every intermediate.",
    fix=Fix(
        what="Upload the root to both lists as well.",
        where=_UPLOAD,
        restart=_RESTART_ALL,
        estate=SOUND,
    ),
    source="Cisco 217743",
)

_NO_CLIENT_AUTH: Final = Case(
    name="no-client-auth",
    title="Expressway-C's new certificate is for servers only",
    story=(
        "Expressway-C's certificate was renewed at a public CA, which no longer writes clientAuth "
        "into what it signs. Towards CUCM Expressway-C is a client."
    ),
    estate=with_expressway_c(
        SOUND,
        certificate=replace(SOUND.expressway_c.certificate, purposes=(Purpose.SERVER,)),
    ),
    before=Play(column=X12_5, said=_SHOWS_NONE),
    bites=Play(
        column=X14_0_7,
        said="The chain is known; the purpose is what the node refuses.",
        expected=no_phone_service(
            refused_by_node("sslv3 alert unsupported certificate", 43, certificate="CallManager"),
            also_from=SUBSCRIBER,
        ),
    ),
    lesson="Where mutual TLS is spoken a certificate needs clientAuth beside serverAuth.",
    fix=Fix(
        what="Have the certificate signed with both purposes, by a private CA if need be.",
        where="Expressway-C: Maintenance > Security > Server certificate",
        restart="restart Expressway-C",
        estate=SOUND,
    ),
    source="Cisco 225482",
)

_UNSIGNED: Final = self_signed(SOUND, PUBLISHER, CALL_MANAGER_ECDSA)


async def _sign(lab: RunningEstate) -> None:
    certmanagement.sign(
        lab.nodes[PUBLISHER],
        CALL_MANAGER_ECDSA.value,
        lab.certificates.authorities[ROOT],
        now=datetime.now(UTC),
    )


async def _sign_and_restart(lab: RunningEstate) -> None:
    await _sign(lab)
    await certmanagement.restart(lab.nodes[PUBLISHER], "Cisco TFTP")


_RESTART_FORGOTTEN: Final = Case(
    name="restart-forgotten",
    title="The certificate is signed, the service was not restarted",
    story=(
        "The self-signed CallManager-ECDSA was replaced by a signed one, and certificate "
        "management shows it with its issuer and its new dates. The 502 stays. 'It must be "
        "something else', says the ticket."
    ),
    estate=_UNSIGNED,
    before=Play(column=X14_0_7, said="Nothing is verified."),
    bites=Play(
        column=X14_2,
        said="What is in the list is not what is served: TFTP loads it when it starts.",
        expected=no_phone_service(
            untrusted(_SELF_SIGNED, depth=0, certificate="CallManager-ECDSA")
        ),
        act=_sign,
    ),
    lesson="After a change of a certificate look at what the port presents, not at the list.",
    fix=Fix(
        what="Restart the service that serves it.",
        where="CUCM: utils service restart Cisco TFTP (tomcat: Cisco Tomcat)",
        act=_sign_and_restart,
    ),
    source="Cisco 218018",
)

_NEVER_SIGNED: Final = self_signed(SOUND, SUBSCRIBER, CALL_MANAGER_ECDSA)

_VERIFY_OFF: Final = Case(
    name="verify-off-hides-it",
    title="VerifyOriginServer Off hides what is wrong, until it is On again",
    story=(
        "In the night after the upgrade the switch was set to Off, and all was green. It was "
        "meant for a week. A year later a new colleague sets it to On, as the document says it "
        "should be; by then nobody knows what had been wrong."
    ),
    estate=_NEVER_SIGNED,
    before=Play(
        column=X14_2,
        said="Off: the certificate is met, not looked at, and no line tells of it.",
        estate=with_expressway_c(_NEVER_SIGNED, verify_origin_server=VerifyMode.OFF),
        expected=Expected(
            presented=(
                Presented(
                    step=phone_from(SUBSCRIBER),
                    certificate="CallManager-ECDSA",
                    verdict=Verdict.NOT_VERIFIED,
                ),
            )
        ),
    ),
    bites=Play(
        column=X14_2,
        said="On: as on the day of the upgrade.",
        expected=no_phone_service_from(
            SUBSCRIBER, untrusted(_SELF_SIGNED, depth=0, certificate="CallManager-ECDSA")
        ),
    ),
    lesson="Off mends nothing and logs nothing: use it to gain time, and write down why.",
    fix=Fix(
        what="Append the self-signed certificate to the trusted CA list, and leave the switch On.",
        where="Expressway-C: Maintenance > Security > Trusted CA certificate; "
        "xConfiguration EdgeConfigServer VerifyOriginServer: On",
        restart="restart Expressway-C",
        estate=with_trusted(_NEVER_SIGNED, f"{SUBSCRIBER}/CallManager-ECDSA"),
    ),
    source="Cisco 218018",
)

_IMP_SELF_SIGNED: Final = Case(
    name="imp-self-signed",
    title="IM and Presence still has its installation certificate",
    story=(
        "All of CUCM was signed before the upgrade. IM and Presence belongs to another team, which "
        "nobody asked; its tomcat certificate is self-signed. Phones register, Jabber says that it "
        "cannot connect to chat."
    ),
    estate=with_certificate(UNVERIFIED, IMP, TOMCAT, signed_by=""),
    before=Play(column=X14_0_7, said="Nothing is verified; TLS verify mode is Off."),
    bites=Play(
        column=X14_2,
        said="Only the one step at IM and Presence is red.",
        expected=no_im(untrusted(_SELF_SIGNED, depth=0)),
    ),
    lesson="Every node of every product that MRA leads to is verified: CUCM, IM&P and Unity alike.",
    fix=Fix(
        what="Append the self-signed certificate itself to the trusted CA list.",
        where="Expressway-C: Maintenance > Security > Trusted CA certificate",
        restart="restart Expressway-C",
        estate=with_trusted(
            with_certificate(UNVERIFIED, IMP, TOMCAT, signed_by=""), f"{IMP}/tomcat"
        ),
    ),
    source="Cisco 218018",
)

CASES: Final = (
    _CALL_MANAGER_TRUST,
    _TOMCAT_TRUST,
    _ROOT_MISSING,
    _NO_CLIENT_AUTH,
    _RESTART_FORGOTTEN,
    _VERIFY_OFF,
    _IMP_SELF_SIGNED,
)
