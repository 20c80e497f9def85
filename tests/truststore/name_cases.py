"""Names in certificates, names requested, and which rule finds a match: one table.

The tests check it; ``names_page.py`` renders it into ``docs/reference/names.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mralab.config.releases import NameRule
from mralab.truststore.names import CertificateNames, packed_address

E, A, S = NameRule.EXPRESSWAY, NameRule.ATS, NameRule.STRICT
ALL: Final = frozenset({E, A, S})
NONE: Final[frozenset[NameRule]] = frozenset()
LOOSE: Final = frozenset({E, A})


@dataclass(frozen=True)
class NameCase:
    """One row: what it shows, the certificate's names, the requested name, who accepts it."""

    shows: str
    names: CertificateNames
    requested: str
    matched: frozenset[NameRule]


def dns(*names: str | bytes, cn: str | None = None) -> CertificateNames:
    encoded = tuple(name.encode() if isinstance(name, str) else name for name in names)
    return CertificateNames(dns=encoded, first_cn=cn, has_san=bool(names))


def ip(*addresses: str, cn: str | None = None) -> CertificateNames:
    packed = tuple(packed_address(address) or b"" for address in addresses)
    return CertificateNames(ips=packed, first_cn=cn, has_san=True)


def cn(text: str) -> CertificateNames:
    return CertificateNames(first_cn=text)


HOST: Final = "cucm.steven.lab"
UNCONVERTIBLE: Final = CertificateNames(cn_unconvertible=True)

SECTIONS: Final[dict[str, tuple[NameCase, ...]]] = {
    "dNSName and CN": (
        NameCase("a dNSName matches", dns(HOST), HOST, ALL),
        NameCase("any dNSName may match", dns("a.lab", HOST), HOST, ALL),
        NameCase("another name does not", dns("imp.steven.lab"), HOST, NONE),
        NameCase("the CN counts without a SAN", cn(HOST), HOST, LOOSE),
        NameCase("and beside one", dns("imp.steven.lab", cn=HOST), HOST, LOOSE),
        NameCase("a CUCM -ms name is not the node's", cn("cucm-ms.steven.lab"), HOST, NONE),
        NameCase("no name at all", CertificateNames(), HOST, NONE),
        NameCase("an empty dNSName", dns(""), HOST, NONE),
        NameCase("an empty CN", cn(""), HOST, NONE),
        NameCase("a first CN of a type that is no text", UNCONVERTIBLE, HOST, frozenset({A})),
        NameCase("a URL as CN", cn(f"https://{HOST}"), HOST, NONE),
        NameCase("host and port as CN", cn(f"{HOST}:8443"), HOST, NONE),
        NameCase("the short host name", cn("cucm"), HOST, NONE),
        NameCase("case is ignored", dns("CUCM.Steven.LAB"), "cucm.STEVEN.lab", ALL),
        NameCase("in the CN too", cn("CUCM.Steven.LAB"), "cucm.STEVEN.lab", LOOSE),
        NameCase(
            "an underscore is a character", dns("cucm_1.steven.lab"), "cucm_1.steven.lab", ALL
        ),
        NameCase("a host of one label", dns("cucm"), "cucm", ALL),
        NameCase("raw UTF-8 is bytes", dns("cücm.lab"), "xn--ccm-hoa.lab", NONE),
        NameCase("NUL does not end a name", dns(f"{HOST}\0.evil.lab"), HOST, NONE),
        NameCase("nor a CN", cn(f"{HOST}\0.evil.lab"), HOST, NONE),
    ),
    "Dots": (
        NameCase("a final dot in the request only", dns(HOST), f"{HOST}.", NONE),
        NameCase("in the certificate only", dns(f"{HOST}."), HOST, NONE),
        NameCase("in both", dns(f"{HOST}."), f"{HOST}.", ALL),
        NameCase("a wildcard must agree", dns("*.steven.lab"), f"{HOST}.", NONE),
        NameCase("and does", dns("*.steven.lab."), f"{HOST}.", ALL),
        NameCase("a leading dot is no parent zone", dns(".steven.lab"), HOST, NONE),
        NameCase("a leading blank", dns(f" {HOST}"), HOST, NONE),
    ),
    "Wildcards": (
        NameCase("a whole label", dns("*.steven.lab"), HOST, ALL),
        NameCase("in the CN", cn("*.steven.lab"), HOST, LOOSE),
        NameCase("case is ignored", dns("*.STEVEN.lab"), "CUCM.steven.LAB", ALL),
        NameCase("not two labels", dns("*.steven.lab"), "a.cucm.steven.lab", NONE),
        NameCase("not the zone itself", dns("*.steven.lab"), "steven.lab", NONE),
        NameCase("nor an empty label", dns("*.steven.lab"), ".steven.lab", NONE),
        NameCase("at the start of a label", dns("*cm.steven.lab"), HOST, LOOSE),
        NameCase("at its end", dns("cu*.steven.lab"), HOST, LOOSE),
        NameCase("for nothing", dns("cucm*.steven.lab"), HOST, LOOSE),
        NameCase("for nothing at the start", dns("*cucm.steven.lab"), HOST, LOOSE),
        NameCase("not inside", dns("c*m.steven.lab"), HOST, NONE),
        NameCase("not in a later label", dns("cucm.*.lab"), HOST, NONE),
        NameCase("not twice", dns("*.*.lab"), HOST, NONE),
        NameCase("not twice in one label", dns("*c*.steven.lab"), HOST, NONE),
        NameCase("not alone", dns("*"), HOST, NONE),
        NameCase("two dots must follow", dns("*.lab"), "cucm.lab", frozenset({S})),
        NameCase("after a partial one too", dns("cu*.lab"), "cucm.lab", NONE),
        NameCase("final dots do not count", dns("*.lab."), "cucm.lab.", frozenset({S})),
        NameCase("five characters are too few", dns("*.a.b"), "x.a.b", frozenset({S})),
        NameCase("six are enough", dns("*.a.b"), "xx.a.b", ALL),
        NameCase("A-label for a whole label", dns("*.steven.lab"), "xn--cm-hka.steven.lab", ALL),
        NameCase("not for a part", dns("x*.steven.lab"), "xn--cm-hka.steven.lab", NONE),
        NameCase("later A-labels are free", dns("cu*.xn--a.lab"), "cucm.xn--a.lab", LOOSE),
        NameCase(
            "only letters, digits, - and _", dns("*.steven.lab"), "a!b.steven.lab", frozenset({S})
        ),
    ),
    "IP literals": (
        NameCase("an iPAddress", ip("192.0.2.7"), "192.0.2.7", frozenset({E, S})),
        NameCase("another one", ip("192.0.2.8"), "192.0.2.7", NONE),
        NameCase("not for a name", ip("192.0.2.7"), HOST, NONE),
        NameCase("an address as dNSName", dns("192.0.2.7"), "192.0.2.7", LOOSE),
        NameCase("an address as CN", cn("192.0.2.7"), "192.0.2.7", LOOSE),
        NameCase("beside another iPAddress", ip("192.0.2.8", cn="192.0.2.7"), "192.0.2.7", LOOSE),
        NameCase("a wildcard in an address", dns("*.0.2.7"), "192.0.2.7", LOOSE),
        NameCase("a partial one", cn("19*.0.2.7"), "192.0.2.7", LOOSE),
        NameCase("IPv6", ip("2001:db8::7"), "2001:db8::7", frozenset({E, S})),
        NameCase("IPv6 text is the peer's, canonical", dns("2001:db8::7"), "2001:db8::7", LOOSE),
        NameCase("not the long form", dns("2001:db8:0:0:0:0:0:7"), "2001:db8::7", NONE),
        NameCase("IPv4 is not its mapped form", ip("192.0.2.7"), "::ffff:192.0.2.7", NONE),
    ),
}
CASES: Final = tuple(case for section in SECTIONS.values() for case in section)
