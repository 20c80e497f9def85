"""Chains: what the node sends, what the trusted CA list holds, and what is missing between them.

``Error=`` tells more than ``depth=``: the same depth has several causes. A chain has to end in a
listed root; nothing that a node sends is trusted for being sent.

Source: the texts and depths are OpenSSL's (seen); that a depth above 0 means an unknown CA in Cisco
218018 (seen), which holds only if the node sends its chain.
"""

from __future__ import annotations

from typing import Final

from mralab.lab.catalogue.edit import (
    IMP,
    SUBSCRIBER,
    TOMCAT,
    UNITY,
    UNVERIFIED,
    with_authority,
    with_certificate,
    with_trusted,
)
from mralab.lab.catalogue.expect import (
    login_fails_from,
    no_im,
    no_voicemail,
    untrusted,
)
from mralab.lab.catalogue.model import (
    X14_0_7,
    X14_2,
    Case,
    Fix,
    Play,
)

_NOT_LOOKED_AT: Final = "No chain is looked at."
_TRUSTED_CA: Final = "Expressway-C: Maintenance > Security > Trusted CA certificate"
_RESTART_C: Final = "restart Expressway-C"
_UNITY_CERTIFICATES: Final = (
    "Unity Connection: OS Administration > Security > Certificate Management"
)
_RESTART_UNITY: Final = "restart Cisco Tomcat on Unity Connection"
_ISSUER_MISSING: Final = "unable to get local issuer certificate"

#: A second hierarchy, for voice only. Nothing of it is in the trusted CA list.
_VOICE: Final = with_authority(
    with_authority(UNVERIFIED, "Voice-Root-CA"), "Voice-Issuing-CA", signed_by="Voice-Root-CA"
)

_UNKNOWN_CA: Final = Case(
    name="unknown-ca",
    title="The CA is not in the trusted CA list at all",
    story=(
        "IM and Presence got its tomcat certificate from the voice team's own CA, years before "
        "anybody thought of Expressway. The node sends its certificate alone, as is usual below a "
        "root. Discovery runs with TLS verify mode Off, 'because it gave errors'."
    ),
    estate=with_certificate(_VOICE, IMP, TOMCAT, signed_by="Voice-Root-CA"),
    before=Play(column=X14_0_7, said=_NOT_LOOKED_AT),
    bites=Play(
        column=X14_2,
        said="Depth 0, and yet not self-signed: the issuer is neither sent nor listed.",
        expected=no_im(untrusted(_ISSUER_MISSING, depth=0)),
    ),
    lesson="'unable to get local issuer certificate' at depth 0 asks for the CA, not for the node.",
    fix=Fix(
        what="Append the root to the trusted CA list.",
        where=_TRUSTED_CA,
        restart=_RESTART_C,
        estate=with_trusted(
            with_certificate(_VOICE, IMP, TOMCAT, signed_by="Voice-Root-CA"), "Voice-Root-CA"
        ),
    ),
    source="Cisco 218018",
)

_BY_VOICE_ISSUING: Final = with_certificate(_VOICE, UNITY, TOMCAT, signed_by="Voice-Issuing-CA")

_NOTHING_STORED: Final = Case(
    name="intermediate-sent-nothing-stored",
    title="The node sends its intermediate, and the list has nothing of the chain",
    story=(
        "Unity Connection sends its certificate and the intermediate, as it should. Its root was "
        "never uploaded to Expressway-C."
    ),
    estate=_BY_VOICE_ISSUING,
    before=Play(column=X14_0_7, said=_NOT_LOOKED_AT),
    bites=Play(
        column=X14_2,
        said="Depth 1 is the intermediate: it is its issuer, the root, that cannot be found.",
        expected=no_voicemail(untrusted(_ISSUER_MISSING, depth=1)),
    ),
    lesson="The depth names the last certificate that was found; what is missing is the next one.",
    fix=Fix(
        what="Append the root; the intermediate may come from the node.",
        where=_TRUSTED_CA,
        restart=_RESTART_C,
        estate=with_trusted(_BY_VOICE_ISSUING, "Voice-Root-CA"),
    ),
    source="Cisco 218018",
)

_ROOT_SENT_TOO: Final = with_certificate(
    _BY_VOICE_ISSUING, UNITY, TOMCAT, sends=("Voice-Issuing-CA", "Voice-Root-CA")
)

_WHOLE_CHAIN_SENT: Final = Case(
    name="root-sent-not-stored",
    title="The node sends the whole chain, root included",
    story=(
        "To be on the safe side the administrator of Unity Connection had the server send all of "
        "its chain, the root too. 'Expressway has everything now', says the ticket."
    ),
    estate=_ROOT_SENT_TOO,
    before=Play(column=X14_0_7, said=_NOT_LOOKED_AT),
    bites=Play(
        column=X14_2,
        said="The root is there and not trusted: anybody could send one.",
        expected=no_voicemail(untrusted("self signed certificate in certificate chain", depth=2)),
    ),
    lesson=(
        "A root counts only if it is in the list; 'self signed certificate in certificate chain' "
        "is an unknown root, not a self-signed node."
    ),
    fix=Fix(
        what="Append the root that the log points at to the trusted CA list.",
        where=_TRUSTED_CA,
        restart=_RESTART_C,
        estate=with_trusted(_ROOT_SENT_TOO, "Voice-Root-CA"),
    ),
    source="Cisco 218018",
)

_NOT_SENT: Final = with_trusted(
    with_certificate(_BY_VOICE_ISSUING, UNITY, TOMCAT, sends=()), "Voice-Root-CA"
)

_INTERMEDIATE_NOT_SENT: Final = Case(
    name="intermediate-not-sent",
    title="The root is stored, the intermediate is nowhere",
    story=(
        "The root is in the trusted CA list. The intermediate was never uploaded to Unity "
        "Connection's tomcat-trust, so the node sends its certificate alone, and in the list it is "
        "not either. Browsers find it by themselves; Expressway does not look anything up."
    ),
    estate=_NOT_SENT,
    before=Play(column=X14_0_7, said=_NOT_LOOKED_AT),
    bites=Play(
        column=X14_2,
        said="Root listed, leaf presented, and nothing that joins them.",
        expected=no_voicemail(untrusted(_ISSUER_MISSING, depth=0)),
    ),
    lesson="Every intermediate has to be sent by the node or stand in the list; best is both.",
    fix=Fix(
        what="Append the intermediate to the trusted CA list, beside its root.",
        where=_TRUSTED_CA,
        restart=_RESTART_C,
        estate=with_trusted(_NOT_SENT, "Voice-Issuing-CA"),
    ),
    source="Cisco 218018",
)

_ROOT_NOT_STORED: Final = Case(
    name="intermediate-stored-root-not",
    title="The intermediate is in the list, its root is not",
    story=(
        "'The certificate was issued by Voice-Issuing-CA', so that is what was uploaded to "
        "Expressway-C, and nothing above it."
    ),
    estate=with_trusted(_BY_VOICE_ISSUING, "Voice-Issuing-CA"),
    before=Play(column=X14_0_7, said=_NOT_LOOKED_AT),
    bites=Play(
        column=X14_2,
        said="Note the missing word: 'get issuer', not 'get local issuer'.",
        expected=no_voicemail(untrusted("unable to get issuer certificate", depth=1)),
    ),
    lesson="A chain must end in a listed root; a listed intermediate is no place to stop.",
    fix=Fix(
        what="Append the root above the intermediate.",
        where=_TRUSTED_CA,
        restart=_RESTART_C,
        estate=with_trusted(_BY_VOICE_ISSUING, "Voice-Issuing-CA", "Voice-Root-CA"),
    ),
    source="Cisco 218018",
)

_BY_VOICE_ROOT: Final = with_certificate(_VOICE, SUBSCRIBER, TOMCAT, signed_by="Voice-Root-CA")

_LEAF_STORED: Final = Case(
    name="leaf-stored-instead-of-ca",
    title="The node's own CA-signed certificate was uploaded instead of its CA",
    story=(
        "After the upgrade somebody opened the subscriber's page in a browser, saved the "
        "certificate from the padlock and appended it to the trusted CA list. With self-signed "
        "certificates that had helped."
    ),
    estate=with_trusted(_BY_VOICE_ROOT, f"{SUBSCRIBER}/tomcat"),
    before=Play(column=X14_0_7, said=_NOT_LOOKED_AT),
    bites=Play(
        column=X14_2,
        said="The certificate itself is in the list, and it is refused all the same.",
        expected=login_fails_from(SUBSCRIBER, untrusted(_ISSUER_MISSING, depth=0)),
    ),
    lesson="Only a self-signed certificate can be trusted by itself; of any other it is the CA.",
    fix=Fix(
        what="Append the CA's root certificate; the node's may go again.",
        where=_TRUSTED_CA,
        restart=_RESTART_C,
        estate=with_trusted(_BY_VOICE_ROOT, "Voice-Root-CA"),
    ),
    source="OpenSSL",
)

_NARROW_ROOT: Final = with_trusted(
    with_authority(_BY_VOICE_ISSUING, "Voice-Root-CA", path_length=0), "Voice-Root-CA"
)

_PATH_LENGTH: Final = Case(
    name="path-length-exceeded",
    title="The root allows no CA below it",
    story=(
        "The voice root was made with a path length of 0: it may sign servers, and no other CA. "
        "Years later somebody set up an issuing CA below it all the same."
    ),
    estate=_NARROW_ROOT,
    before=Play(column=X14_0_7, said=_NOT_LOOKED_AT),
    bites=Play(
        column=X14_2,
        said="All certificates are there and in date; depth 2 is the root that states the limit.",
        expected=no_voicemail(untrusted("path length constraint exceeded", depth=2)),
    ),
    lesson="A complete chain can still break a rule that one of its own CAs has written down.",
    fix=Fix(
        what="Have the node's certificate signed by the root itself.",
        where=_UNITY_CERTIFICATES,
        restart=_RESTART_UNITY,
        estate=with_certificate(_NARROW_ROOT, UNITY, TOMCAT, signed_by="Voice-Root-CA"),
    ),
    source="RFC 5280",
)

CASES: Final = (
    _UNKNOWN_CA,
    _NOTHING_STORED,
    _WHOLE_CHAIN_SENT,
    _INTERMEDIATE_NOT_SENT,
    _ROOT_NOT_STORED,
    _LEAF_STORED,
    _PATH_LENGTH,
)
