"""The certificates of Cisco 218018, as fields: what stands in them for a node of any name. *Pure*.

Source: who signs them, their CNs, SANs and digests in Cisco 218018 (seen for tomcat and the ECDSA
one of 6972; the RSA one of 6972 and Expressway-C's own are lab defaults in their manner).
"""

from __future__ import annotations

from typing import Final

from mralab.lab.pki import CertificateFields, Digest

#: The enterprise CA of the document.
CA_NAME: Final = "steven-DC-CA"


def tomcat(name: str, *, ips: tuple[str, ...] = ()) -> CertificateFields:
    """Return the fields of the RSA certificate on 8443, signed by the CA.

    Args:
        name: the node's name, the one dNSName.
        ips: addresses to add to the SAN.
    """
    return CertificateFields(cn=_suffixed(name, "-ms"), dns=(name,), ips=ips)


def call_manager(name: str) -> CertificateFields:
    """Return the fields of the RSA certificate on 6972, signed by the CA."""
    return CertificateFields(cn=_suffixed(name, "-ms"), dns=(name,))


def call_manager_ec(name: str) -> CertificateFields:
    """Return the fields of the ECDSA certificate on 6972; for a secp384r1 key, self-signed."""
    return CertificateFields(cn=_suffixed(name, "-EC"), dns=(name,), digest=Digest.SHA384)


def expressway_c(domain: str) -> CertificateFields:
    """Return the fields of Expressway-C's own certificate, which it shows to nodes that ask."""
    name = expressway_c_name(domain)
    return CertificateFields(cn=name, dns=(name,))


def expressway_c_name(domain: str) -> str:
    """Return Expressway-C's name in a domain; its first label is that of the document's log."""
    return f"vcsc.{domain}"


def _suffixed(name: str, suffix: str) -> str:
    """Put a suffix on the first label, as CUCM does in CNs: ``cucm-ms.steven.lab``."""
    label, dot, rest = name.partition(".")
    return f"{label}{suffix}{dot}{rest}"
