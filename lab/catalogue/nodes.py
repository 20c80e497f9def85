"""No certificate's fault: the same 502, or another answer, and no WARNING line.

Source: that a 502 without WARNING is a matter of the connection is inferred; 401 in Cisco 211304,
403 in the MRA guide (seen); 500 for a name without an address is Traffic Server's (observed).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from mralab.config.estate import ServiceState
from mralab.errors import OriginNameError
from mralab.lab.applications import tftp_application
from mralab.lab.catalogue.edit import (
    IMP,
    PUBLISHER,
    SOUND,
    SUBSCRIBER,
    with_expressway_c,
    with_service,
)
from mralab.lab.catalogue.expect import (
    AFTER_EDGE,
    DEVICES,
    EDGE,
    PHOTO,
    login_fails_from,
    no_connection,
    no_im,
    no_phone_service_from,
    not_allowed,
    phone_from,
    user_from,
)
from mralab.lab.catalogue.model import (
    X12_5,
    X14_2,
    Case,
    Expected,
    Fix,
    Play,
    Refused,
)
from mralab.lab.estatepart import cluster_data
from mralab.lab.loginresult import Outcome, Verdict
from mralab.lab.tftpfiles import tftp_files
from mralab.origin.resolve import Resolver, load_hosts
from mralab.truststore.verdict import Reason

if TYPE_CHECKING:
    from mralab.lab.estate import RunningEstate

_SHORT_WAIT_S: Final = 0.3
_NOT_TLS: Final = (
    "ERROR: SSL connection failed for '{host}': error:1408F10B:SSL routines:ssl3_get_record:"
    "wrong version number"
)

_DOWN: Final = Case(
    name="node-down",
    title="The node is down: 502 without a WARNING",
    story=(
        "Cisco Tomcat on the subscriber hangs in a restart. Some users report 502 outside, on the "
        "day after the upgrade; everybody looks for a certificate."
    ),
    estate=with_service(SOUND, SUBSCRIBER, "uds", ServiceState.DOWN),
    before=Play(column=X14_2, said="While it ran all was green.", estate=SOUND),
    bites=Play(
        column=X14_2,
        said="Refused at once, before any TLS: the log has the 502 and no line of the TLS layer.",
        expected=login_fails_from(SUBSCRIBER, no_connection(Reason.CONNECT_REFUSED, attempts=0)),
    ),
    lesson="A 502 without WARNING or ERROR is no certificate: look at service and firewall.",
    fix=Fix(
        what="Start the service.",
        where="CUCM: utils service start Cisco Tomcat",
        estate=SOUND,
    ),
)

_SILENT: Final = Case(
    name="node-silent",
    title="The node takes the connection and says nothing",
    story=(
        "A firewall with inspection stands before IM and Presence since the weekend. It answers "
        "the TCP handshake itself and lets nothing through. Jabber waits, then loses chat."
    ),
    estate=with_service(SOUND, IMP, "soap", ServiceState.SILENT),
    before=Play(column=X14_2, said="Before the weekend.", estate=SOUND),
    bites=Play(
        column=X14_2,
        said="Both attempts run into the connect timeout; here it is a short one.",
        expected=no_im(no_connection(Reason.CONNECT_TIMEOUT, attempts=2)),
        connect_timeout_s=_SHORT_WAIT_S,
    ),
    lesson="The time that a 502 takes tells much: at once is refused, late is filtered.",
    fix=Fix(
        what="Let Expressway-C reach port 8443 of IM and Presence without inspection.",
        where="the firewall",
        estate=SOUND,
    ),
)

_RESET: Final = Case(
    name="handshake-reset",
    title="Something between resets the TLS handshake",
    story=(
        "An intrusion prevention system has learned a new rule and resets TLS handshakes towards "
        "the subscriber's port 6972, whose certificate it takes for a stranger's."
    ),
    estate=with_service(SOUND, SUBSCRIBER, "tftp-https", ServiceState.RESET),
    before=Play(column=X14_2, said="Before the rule.", estate=SOUND),
    bites=Play(
        column=X14_2,
        said="Two attempts, two resets, and no alert: neither side has refused anything.",
        expected=no_phone_service_from(SUBSCRIBER, no_connection(Reason.ORIGIN_RESET, attempts=2)),
    ),
    lesson="A verdict ends in an alert; a reset without one comes from somebody in between.",
    fix=Fix(
        what="Take the way from Expressway-C to CUCM out of the inspection.",
        where="the intrusion prevention system; a capture on both sides shows who sent the reset",
        estate=SOUND,
    ),
)

_PLAIN: Final = Case(
    name="plain-http-on-6972",
    title="Plain HTTP answers on port 6972",
    story=(
        "A load balancer in front of the subscriber ends TLS, and its new configuration does so on "
        "6972 too: what answers Expressway-C there is HTTP in clear."
    ),
    estate=with_service(SOUND, SUBSCRIBER, "tftp-https", ServiceState.PLAIN_HTTP),
    bites=Play(
        column=X12_5,
        said="Red on every release, also on one that verifies nothing: there is no TLS at all.",
        expected=no_phone_service_from(
            SUBSCRIBER,
            no_connection(
                Reason.TLS_ERROR,
                attempts=2,
                log=(_NOT_TLS,),
            ),
        ),
    ),
    lesson="'wrong version number' is a port that does not speak TLS, not an old TLS version.",
    fix=Fix(
        what="Let port 6972 through to the node as it is.",
        where="the load balancer",
        estate=SOUND,
    ),
    source="OpenSSL",
)


class _OwnNamesOnly(Resolver):
    """Knows the hosts file and nothing else: nobody outside this machine is asked."""

    async def resolve(self, host: str, port: int) -> list[str]:
        if host == SUBSCRIBER:
            raise OriginNameError(f"origin name {host!r} does not resolve: no such name")
        return await super().resolve(host, port)


async def _forget_subscriber(lab: RunningEstate) -> None:
    """Have Expressway-C's DNS lack the subscriber, until the next change of the estate."""
    lab.proxy.snapshot.resolver = _OwnNamesOnly(load_hosts(lab.files.hosts))


_NO_ADDRESS: Final = Case(
    name="name-not-in-dns",
    title="The subscriber's name is not in Expressway-C's DNS",
    story=(
        "Expressway-C asks the DNS server of the DMZ. The publisher was entered there when MRA was "
        "set up; the subscriber, added later, was not. Inside everything resolves."
    ),
    estate=SOUND,
    bites=Play(
        column=X12_5,
        said="500 instead of 502, on every release.",
        expected=Expected(
            outcome=Outcome.LOGIN_FAILS,
            refused=(
                Refused(
                    steps=(user_from(SUBSCRIBER), phone_from(SUBSCRIBER)),
                    status=500,
                    phrase="Cannot find server.",
                    reason=Reason.NAME_NOT_RESOLVED,
                    verdict=Verdict.NONE,
                    attempts=0,
                ),
            ),
        ),
        act=_forget_subscriber,
    ),
    lesson="What CUCM advertises must resolve on Expressway-C, not only where you sit.",
    fix=Fix(
        what="Enter the subscriber in the DNS that Expressway-C asks.",
        where="DNS; Expressway-C: Maintenance > Tools > Network utilities > DNS lookup",
        estate=SOUND,
    ),
    source="Traffic Server 9.2",
)


async def _photos_by_short_name(lab: RunningEstate) -> None:
    """Have ``jabber-config.xml`` lead to the photos by the publisher's short name."""
    node = lab.nodes[PUBLISHER]
    cluster = cluster_data(lab.estate, lab.estate.node(PUBLISHER), lab.ports)
    if cluster is None:
        raise AssertionError(PUBLISHER)
    files = tftp_files(cluster)
    short = PUBLISHER.partition(".")[0]
    files["jabber-config.xml"] = files["jabber-config.xml"].replace(
        f"http://{PUBLISHER}:".encode(), f"http://{short}:".encode()
    )
    service = node.service("tftp-https")
    for daemon in node.configure(replace(service, application=lambda: tftp_application(files))):
        await node.restart(daemon)


_PHOTO_HOST: Final = Case(
    name="photo-host-not-allowed",
    title="The photos' address is not covered by the HTTP allow list",
    story=(
        "The address of the photos in jabber-config.xml was written by hand, with the short name "
        "of the server. Inside the photos show, outside they do not: 403."
    ),
    estate=SOUND,
    bites=Play(
        column=X14_2,
        said="Rules are made for the names that discovery found; `cucm` is none of them.",
        expected=Expected(
            outcome=Outcome.PHOTO_MISSING, refused=(replace(not_allowed(), steps=(PHOTO,)),)
        ),
        act=_photos_by_short_name,
    ),
    lesson="The allow list compares text: another name of an allowed server is not allowed.",
    fix=Fix(
        what="Add an editable inbound rule for the address of the photos.",
        where="Expressway-C: Configuration > Unified Communications > HTTP allow list > "
        "Editable inbound rules",
        estate=with_expressway_c(SOUND, allow=("http://cucm:6970/",)),
        act=_photos_by_short_name,
    ),
    source="Mobile and Remote Access guide X14.0.2 (photo hosts need a rule)",
)

_WRONG_PASSWORD: Final = Case(
    name="wrong-password",
    title="A wrong password, in the night of the upgrade",
    story=(
        "The first test login after the upgrade fails. It is the upgrade, of course. It is a "
        "mistyped password: the traffic server has let everything through."
    ),
    estate=SOUND,
    bites=Play(
        column=X14_2,
        said="401 comes from UDS; the certificate on the way there was accepted.",
        expected=Expected(
            outcome=Outcome.LOGIN_FAILS,
            refused=(
                Refused(
                    steps=(EDGE,),
                    status=401,
                    phrase="Unauthorized",
                    asked=DEVICES,
                    reason=Reason.OK,
                    verdict=Verdict.ACCEPTED,
                    certificate="tomcat",
                    attempts=1,
                ),
            ),
            not_asked=AFTER_EDGE,
        ),
        password="r0cket",  # noqa: S106 - the wrong one
    ),
    lesson="401 is an answer of CUCM: whoever gets one has passed the traffic server's checks.",
    fix=Fix(
        what="Type in the right password.",
        where="the client; CUCM: User Management > End User",
    ),
    source="Cisco 211304",
)

CASES: Final = (_DOWN, _SILENT, _RESET, _PLAIN, _NO_ADDRESS, _PHOTO_HOST, _WRONG_PASSWORD)
