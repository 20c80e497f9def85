"""What a node has by its role, and the certificates it has if the estate file says nothing.

Rules: a certificate that is left out is what stands there after an installation, self-signed by
the node itself. So an estate says only what somebody has changed, and what nobody has looked at is
as unsound in the lab as it is in the field. *Pure*.

Source: certificates of each role in the MRA guide X15.0 (seen); that CN is the node's FQDN, and
``<host>-EC.<domain>`` with an EC key and a SHA-384 signature for the ECDSA kinds, in Cisco 218018
(seen there, on a self-signed one); lifetimes and the size of RSA keys are lab defaults.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mralab.config.estate import (
    CertificateKind,
    CertificatePlan,
    DigestChoice,
    KeyChoice,
    NodeRole,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What stands behind an Expressway's name in a reference: ``vcsc.steven.lab/server``.
EXPRESSWAY_CERTIFICATE: Final = "server"
_CUCM_KINDS: Final = (
    CertificateKind.TOMCAT,
    CertificateKind.TOMCAT_ECDSA,
    CertificateKind.CALL_MANAGER,
    CertificateKind.CALL_MANAGER_ECDSA,
)
_TOMCAT_KINDS: Final = (CertificateKind.TOMCAT, CertificateKind.TOMCAT_ECDSA)
#: Certificates that MRA meets on a node, by its role, in the order of certificate management.
KINDS_OF_ROLE: Final[Mapping[NodeRole, tuple[CertificateKind, ...]]] = {
    NodeRole.PUBLISHER: _CUCM_KINDS,
    NodeRole.SUBSCRIBER: _CUCM_KINDS,
    NodeRole.IM_PRESENCE: (*_TOMCAT_KINDS, CertificateKind.CUP_XMPP),
    NodeRole.UNITY: _TOMCAT_KINDS,
}
_CUCM_SERVICES: Final = ("uds", "tftp-https", "tftp-secure", "tftp-http")
#: What listens on a node, by its role.
SERVICES_OF_ROLE: Final[Mapping[NodeRole, tuple[str, ...]]] = {
    NodeRole.PUBLISHER: _CUCM_SERVICES,
    NodeRole.SUBSCRIBER: _CUCM_SERVICES,
    NodeRole.IM_PRESENCE: ("soap",),
    NodeRole.UNITY: ("rest",),
}
_CUCM_TRUST: Final = ("tomcat-trust", "CallManager-trust")
#: Trust lists of a node, by its role. Source: CUCM's two are seen (Cisco 218018, X14.2 release
#: note); those of IM and Presence and of Unity are inferred.
TRUST_LISTS_OF_ROLE: Final[Mapping[NodeRole, tuple[str, ...]]] = {
    NodeRole.PUBLISHER: _CUCM_TRUST,
    NodeRole.SUBSCRIBER: _CUCM_TRUST,
    NodeRole.IM_PRESENCE: ("tomcat-trust", "cup-xmpp-trust"),
    NodeRole.UNITY: ("tomcat-trust",),
}


def installed_certificate(kind: CertificateKind, node: str) -> CertificatePlan:
    """Return a node's certificate as it is after an installation.

    Args:
        kind: which one.
        node: the node's FQDN.
    """
    if not kind.ecdsa:
        return CertificatePlan(cn=node, dns=(node,))
    return CertificatePlan(
        cn=ecdsa_name(node), dns=(node,), key=KeyChoice.EC_P384, digest=DigestChoice.SHA384
    )


def installed_certificates(role: NodeRole, node: str) -> dict[CertificateKind, CertificatePlan]:
    """Return all certificates of a node as they are after an installation."""
    return {kind: installed_certificate(kind, node) for kind in KINDS_OF_ROLE[role]}


def expressway_certificate(name: str, *further: str) -> CertificatePlan:
    """Return an Expressway's server certificate, made for itself and these further names.

    Args:
        name: its FQDN.
        further: other dNSName SANs; of Expressway-E the MRA domain, which endpoints look for
            (Cisco 211304, seen).
    """
    return CertificatePlan(cn=name, dns=(name, *further))


def ecdsa_name(node: str) -> str:
    """Return the CN of a node's ECDSA certificates: ``cucm-EC.steven.lab``."""
    host, dot, domain = node.partition(".")
    return f"{host}-EC{dot}{domain}"
