"""Discovery: what Expressway-C has been told, what it has checked, and what follows from it.

TLS verify mode looks at the one address that was typed in. Everything else comes from the
publisher's database, unchecked. And where discovery fails there is no rule in the allow list: the
client gets 403, or the login has nowhere to go.

Source: Cisco 218018 and the MRA guide (seen); the texts of failures and the 503 are lab defaults,
and what a client sees of an error at the edge configuration is inferred.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from mralab.config.estate import (
    ClusterPlan,
    DiscoveryKind,
    Estate,
    NodePlan,
    NodeRole,
    UserPlan,
)
from mralab.config.estatedefaults import installed_certificates
from mralab.lab.catalogue.edit import (
    ISSUING,
    ROOT,
    SOUND,
    SUBSCRIBER,
    TOMCAT,
    UNITY,
    self_signed,
    with_authority,
    with_cluster,
    with_discovery,
    with_trusted,
)
from mralab.lab.catalogue.expect import (
    AFTER_EDGE,
    DEVICES,
    EDGE,
    login_fails,
    login_fails_from,
    no_voicemail,
    not_allowed,
    untrusted,
)
from mralab.lab.catalogue.model import (
    X14_0_7,
    X14_2,
    Case,
    Expected,
    Fix,
    Play,
    Refused,
)
from mralab.lab.loginresult import Outcome

_SERVERS: Final = "Expressway-C: Configuration > Unified Communications"
_TRUSTED_CA: Final = "Expressway-C: Maintenance > Security > Trusted CA certificate"
_REFRESH: Final = "then Refresh servers"

_SHORT: Final = with_discovery(SOUND, DiscoveryKind.UNIFIED_CM, address="cucm")

_SHORT_NAME: Final = Case(
    name="discovery-short-name",
    title="TLS verify mode On, and the publisher typed in by its short name",
    story=(
        "Somebody hardens the Expressway and sets TLS verify mode to On for all that had been "
        "added with Off. The publisher had been typed in as `cucm`; that resolves, so nobody had "
        "ever minded. Its line turns to Failed, and within a minute nobody can log in."
    ),
    estate=_SHORT,
    before=Play(
        column=X14_0_7,
        said="Off: the short name only has to resolve.",
        estate=with_discovery(_SHORT, DiscoveryKind.UNIFIED_CM, tls_verify_mode=False),
    ),
    bites=Play(
        column=X14_0_7,
        said="On: the name as typed in has to be in the certificate. No upgrade is needed for it.",
        expected=Expected(
            outcome=Outcome.LOGIN_FAILS,
            refused=(Refused(steps=(EDGE,), status=503, phrase="Service Unavailable"),),
            not_asked=AFTER_EDGE,
            discovery=("cucm: Failed: TLS verification failed: cucm is not in the certificate",),
        ),
    ),
    lesson="Type in FQDNs, as they stand in the certificate; do it before TLS verify mode is On.",
    fix=Fix(
        what="Delete the entry and add the publisher by its FQDN.",
        where=f"{_SERVERS} > Unified CM servers",
        estate=SOUND,
    ),
    source="Cisco 225476 (the text of the failure and the 503 are lab defaults)",
)

_UNTRUSTED_UNITY: Final = self_signed(SOUND, UNITY, TOMCAT)

_UNITY_FAILED: Final = Case(
    name="discovery-failed-403",
    title="Discovery of Unity Connection fails, and voicemail is answered with 403",
    story=(
        "Unity Connection was added with TLS verify mode On and a self-signed certificate. The "
        "list shows Failed; nobody looked at the list again. Voicemail: 403 Forbidden, also on a "
        "release that verifies no request."
    ),
    estate=_UNTRUSTED_UNITY,
    before=Play(
        column=X14_0_7,
        said="With TLS verify mode Off it is added, and voicemail works.",
        estate=with_discovery(_UNTRUSTED_UNITY, DiscoveryKind.UNITY, tls_verify_mode=False),
    ),
    bites=Play(
        column=X14_0_7,
        said="What was not discovered has no rule in the allow list.",
        expected=no_voicemail(
            not_allowed(),
            discovery=(
                "cuc.steven.lab: Failed: TLS verification failed: self signed certificate, depth 0",
            ),
        ),
    ),
    lesson="403 is not 502: look at the allow list, and at the discovery that should have made it.",
    fix=Fix(
        what="Append Unity Connection's certificate to the trusted CA list.",
        where=_TRUSTED_CA,
        restart=f"restart Expressway-C, {_REFRESH}",
        estate=with_trusted(_UNTRUSTED_UNITY, f"{UNITY}/tomcat"),
        refresh=True,
    ),
    source="Mobile and Remote Access guide X12.5 (403 for voicemail)",
)

_SUBSCRIBER_UNCHECKED: Final = Case(
    name="subscriber-unchecked",
    title="Discovery checks the publisher; the login meets the subscriber",
    story=(
        "All lines under Unified CM servers are green, TLS verify mode is On everywhere. Still "
        "some users cannot log in after the upgrade. The subscriber, which nobody ever typed in, "
        "was rebuilt last year and has the self-signed tomcat certificate of that installation."
    ),
    estate=self_signed(SOUND, SUBSCRIBER, TOMCAT),
    before=Play(column=X14_0_7, said="Discovery is On and green; requests are not verified."),
    bites=Play(
        column=X14_2,
        said="Refresh servers is green again: subscribers come from the publisher's database.",
        expected=login_fails_from(SUBSCRIBER, untrusted("self signed certificate", depth=0)),
        refresh=True,
    ),
    lesson="A green discovery vouches for the publisher only: look at each subscriber yourself.",
    fix=Fix(
        what="Have the subscriber serve the multi-server certificate, or have its own one signed.",
        where="CUCM: OS Administration > Security > Certificate Management",
        restart="restart Cisco Tomcat on the subscriber",
        estate=SOUND,
    ),
    source="Cisco 218018",
)


def _with_west(*, signed_by: str = ROOT, discovered: bool = True) -> Estate:
    """Return the sound estate with a second cluster, and a user who is at home there."""
    name = "cucm.west.steven.lab"
    installed = installed_certificates(NodeRole.PUBLISHER, name)
    signed = {kind: replace(plan, signed_by=ROOT) for kind, plan in installed.items()}
    node = NodePlan(
        name=name,
        role=NodeRole.PUBLISHER,
        address="10.48.37.10",
        certificates={**signed, TOMCAT: replace(signed[TOMCAT], signed_by=signed_by)},
        trust={"tomcat-trust": (ROOT, ISSUING), "CallManager-trust": (ROOT, ISSUING)},
    )
    user = UserPlan(
        user_id="alovelace",
        password="engine",  # noqa: S106 - a made-up user of the lab
        cluster="west",
        extension="2001",
        im_presence=False,
    )
    cluster = ClusterPlan(name="west", nodes=(node,))
    return with_cluster(SOUND, cluster, user, discovered=discovered)


_NOT_DISCOVERED: Final = Case(
    name="home-cluster-not-discovered",
    title="The user's home is a cluster that Expressway-C does not know",
    story=(
        "A user has moved to the west, where there is a cluster of its own. The clusters find each "
        "other's users; Expressway-C was never told of the second one. All others log in."
    ),
    estate=_with_west(discovered=False),
    bites=Play(
        column=X14_0_7,
        said="The first cluster names the home cluster, and no rule leads there. On any release.",
        expected=login_fails(not_allowed(), asked=DEVICES),
    ),
    lesson="403 at the edge configuration of one user, not of others: look for the home cluster.",
    fix=Fix(
        what="Add the publisher of the second cluster.",
        where=f"{_SERVERS} > Unified CM servers",
        estate=_with_west(),
    ),
    user="alovelace",
    source="Mobile and Remote Access guide X14.0 (every publisher is added; the 403 is inferred)",
)

_OTHER_CA: Final = with_authority(_with_west(signed_by="West-CA"), "West-CA")

_SECOND_CLUSTER: Final = Case(
    name="second-cluster-other-ca",
    title="The second cluster has certificates of another CA",
    story=(
        "Before the upgrade somebody tested a login, with a user of the first cluster: green. The "
        "second cluster is the acquired company's and has a CA of its own, which is not in the "
        "trusted CA list; it was added with TLS verify mode Off."
    ),
    estate=with_discovery(_OTHER_CA, DiscoveryKind.UNIFIED_CM, tls_verify_mode=False),
    before=Play(column=X14_0_7, said="Nothing is verified."),
    bites=Play(
        column=X14_2,
        said="The first cluster finds the user; the home cluster is refused.",
        expected=login_fails(
            untrusted("unable to get local issuer certificate", depth=0), asked=DEVICES
        ),
    ),
    lesson="Test with a user of every cluster: a login only meets the nodes of its own.",
    fix=Fix(
        what="Append the other company's root to the trusted CA list.",
        where=_TRUSTED_CA,
        restart="restart Expressway-C",
        estate=with_trusted(_OTHER_CA, "West-CA"),
    ),
    user="alovelace",
    source="Cisco 218018",
)

CASES: Final = (
    _SHORT_NAME,
    _UNITY_FAILED,
    _SUBSCRIBER_UNCHECKED,
    _NOT_DISCOVERED,
    _SECOND_CLUSTER,
)
