"""Namesakes: two certificates with one subject in the trusted CA list.

Expressway's search stops at the first one, whatever its key; OpenSSL by itself goes by the key
identifiers, if there are any.

Source: that the search stops at the first subject in the MRA guide X15.0 (seen), that the product
will not hold two with one CN in Cisco 218018 (CSCwa12905, seen); key identifiers are OpenSSL's.
"""

from __future__ import annotations

from typing import Final

from mralab.lab.catalogue.edit import (
    CALL_MANAGER,
    PUBLISHER,
    SOUND,
    TOMCAT,
    UNITY,
    UNVERIFIED,
    with_authority,
    with_certificate,
    with_trusted,
)
from mralab.lab.catalogue.expect import (
    as_stock,
    login_fails,
    no_phone_service,
    no_voicemail,
    untrusted,
)
from mralab.lab.catalogue.model import (
    STOCK,
    X14_0_7,
    X14_2,
    X14_2_FROM_14_0,
    Case,
    Fix,
    Play,
)

_NOT_LOOKED_AT: Final = "No chain is looked at."
_TRUSTED_CA: Final = "Expressway-C: Maintenance > Security > Trusted CA certificate"
_RESTART_C: Final = "restart Expressway-C"
_CUCM_CERTIFICATES: Final = "CUCM: OS Administration > Security > Certificate Management"
_RESTART_TOMCAT: Final = "restart Cisco Tomcat on every node of the certificate"
_ISSUER_MISSING: Final = "unable to get local issuer certificate"

_REISSUED: Final = with_authority(
    with_authority(UNVERIFIED, "Voice-CA 2014", common_name="Voice-CA"),
    "Voice-CA 2024",
    common_name="Voice-CA",
)
_BY_REISSUED: Final = with_certificate(_REISSUED, PUBLISHER, TOMCAT, signed_by="Voice-CA 2024")

_REISSUED_ROOT: Final = Case(
    name="reissued-root-same-name",
    title="A re-issued root stands below the old one of the same name",
    story=(
        "The voice CA was set up anew, under its old name and with a new key. The new root was "
        "appended to the trusted CA list and CUCM got a certificate of it; the old root was left "
        "in the list, it does no harm. It does."
    ),
    estate=with_trusted(_BY_REISSUED, "Voice-CA 2014", "Voice-CA 2024"),
    before=Play(column=X14_0_7, said=_NOT_LOOKED_AT),
    bites=Play(
        column=X14_2,
        said="The search stops at the first Voice-CA, whose key is the wrong one.",
        expected=login_fails(untrusted(_ISSUER_MISSING, depth=0)),
    ),
    also=(Play(column=STOCK, said="OpenSSL by itself goes by the key identifier, and finds it."),),
    lesson="Of two CAs with one name only the upper one exists: a missing issuer may be listed.",
    fix=Fix(
        what="Remove the old root from the trusted CA list.",
        where=_TRUSTED_CA,
        restart=_RESTART_C,
        estate=with_trusted(_BY_REISSUED, "Voice-CA 2024"),
    ),
    source="Mobile and Remote Access guide X15.0; CSCwa12905",
)

_NO_KEY_IDS: Final = with_certificate(
    _REISSUED, UNITY, TOMCAT, signed_by="Voice-CA 2024", key_ids=False
)

_REISSUED_ROOT_NO_IDS: Final = Case(
    name="reissued-root-no-key-identifiers",
    title="The same, and the certificate names no key of its issuer",
    story=(
        "The same two roots, and a certificate of Unity Connection that a simple tool has made: it "
        "has no authority key identifier, so nothing but the name leads to an issuer."
    ),
    estate=with_trusted(_NO_KEY_IDS, "Voice-CA 2014", "Voice-CA 2024"),
    before=Play(column=X14_0_7, said=_NOT_LOOKED_AT),
    bites=Play(
        column=X14_2,
        said="The old root is taken for the issuer, and the signature does not fit its key.",
        expected=no_voicemail(untrusted("certificate signature failure", depth=0)),
    ),
    also=(
        Play(
            column=STOCK,
            said="Without key identifiers OpenSSL takes the first one as well.",
            expected=no_voicemail(as_stock(untrusted("certificate signature failure", depth=0))),
        ),
    ),
    lesson="'certificate signature failure' is seldom an attack: mostly it is a namesake's key.",
    fix=Fix(
        what="Remove the old root from the trusted CA list.",
        where=_TRUSTED_CA,
        restart=_RESTART_C,
        estate=with_trusted(_NO_KEY_IDS, "Voice-CA 2024"),
    ),
    source="RFC 5280; Cisco 218018 on key identifiers",
)

#: tomcat and CallManager, each self-signed with the CN of the node: as after an installation.
_PAIR: Final = with_certificate(
    with_certificate(UNVERIFIED, PUBLISHER, TOMCAT, signed_by="", cn=PUBLISHER),
    PUBLISHER,
    CALL_MANAGER,
    signed_by="",
)
_TOMCAT: Final = f"{PUBLISHER}/tomcat"
_CALL_MANAGER: Final = f"{PUBLISHER}/CallManager"
_SELF_SIGNED: Final = "self signed certificate"

_TOMCAT_FIRST: Final = Case(
    name="one-cn-tomcat-first",
    title="Two self-signed certificates with one CN: tomcat above CallManager",
    story=(
        "Nobody had a CA, so both certificates of the publisher were uploaded to Expressway-C: "
        "tomcat, then CallManager. Both are self-signed, both are called cucm.steven.lab."
    ),
    estate=with_trusted(_PAIR, _TOMCAT, _CALL_MANAGER),
    before=Play(column=X14_0_7, said=_NOT_LOOKED_AT),
    bites=Play(
        column=X14_2_FROM_14_0,
        said="8443 passes. On 6972 CallManager is refused as self-signed, though it is listed.",
        expected=no_phone_service(untrusted(_SELF_SIGNED, depth=0, certificate="CallManager")),
    ),
    also=(Play(column=STOCK, said="OpenSSL by itself finds both."),),
    lesson="Two self-signed certificates with one CN cannot both be trusted: sign them.",
    fix=Fix(
        what="Have both certificates signed by a CA that is in the list.",
        where=_CUCM_CERTIFICATES,
        restart="restart Cisco Tomcat, Cisco CallManager and Cisco TFTP",
        estate=SOUND,
    ),
    source="CSCwa12905 (Cisco 218018)",
)

_CALL_MANAGER_FIRST: Final = Case(
    name="one-cn-callmanager-first",
    title="The same two in the other order: CallManager above tomcat",
    story=(
        "Phone service was missing, so somebody took both certificates out and appended them the "
        "other way round. Now nobody can log in at all."
    ),
    estate=with_trusted(_PAIR, _CALL_MANAGER, _TOMCAT),
    before=Play(column=X14_0_7, said=_NOT_LOOKED_AT),
    bites=Play(
        column=X14_2_FROM_14_0,
        said="Now it is tomcat that is not found.",
        expected=login_fails(untrusted(_SELF_SIGNED, depth=0)),
    ),
    lesson="If the order of the trusted CA list changes what fails, look for two of one subject.",
    fix=Fix(
        what="Reuse the tomcat certificate for CallManager, so that there is one to trust.",
        where=f"{_CUCM_CERTIFICATES} > Reuse Certificate (CUCM 14 and later)",
        restart="restart Cisco CallManager and Cisco TFTP",
        estate=with_trusted(
            with_certificate(_PAIR, PUBLISHER, CALL_MANAGER, reuse="tomcat"), _TOMCAT
        ),
    ),
    source="CSCwa12905 (Cisco 218018)",
)

_PAIR_NO_IDS: Final = with_trusted(
    with_certificate(
        with_certificate(_PAIR, PUBLISHER, TOMCAT, key_ids=False),
        PUBLISHER,
        CALL_MANAGER,
        key_ids=False,
    ),
    _CALL_MANAGER,
    _TOMCAT,
)

_ONE_CN_NO_IDS: Final = Case(
    name="one-cn-no-key-identifiers",
    title="Without key identifiers OpenSSL cannot tell the two apart either",
    story=(
        "A stock Traffic Server in the test lab took the two certificates that Expressway-C had "
        "refused: 'it is a bug of Expressway'. With the certificates of an older node, which have "
        "no key identifiers, it refused as well."
    ),
    estate=_PAIR_NO_IDS,
    before=Play(
        column=STOCK,
        said="With key identifiers OpenSSL finds the right one of the two.",
        estate=with_trusted(_PAIR, _CALL_MANAGER, _TOMCAT),
    ),
    bites=Play(
        column=STOCK,
        said="Without them the first of the name is taken for the issuer, and it is the wrong one.",
        expected=login_fails(as_stock(untrusted("self-signed certificate", depth=0))),
    ),
    lesson=(
        "That a store can hold two certificates of one name does not mean that it finds the right "
        "one: that takes key identifiers."
    ),
    fix=Fix(
        what="Have the certificates signed by a CA.",
        where=_CUCM_CERTIFICATES,
        restart=_RESTART_TOMCAT,
        estate=SOUND,
    ),
    source="OpenSSL; Cisco 218018 on key identifiers",
)

CASES: Final = (
    _REISSUED_ROOT,
    _REISSUED_ROOT_NO_IDS,
    _TOMCAT_FIRST,
    _CALL_MANAGER_FIRST,
    _ONE_CN_NO_IDS,
)
