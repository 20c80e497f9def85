"""Does a certificate name the origin? Three rules, one function.

``ats``
    What stock Traffic Server 9.2 does. The requested text, for an IP literal the peer's address as
    text, is compared with each dNSName and then with the first CN, also when dNSNames exist. Other
    kinds of name are not looked at. ASCII case is ignored; dots are not normalised. One ``*`` may
    stand at the start or the end of the leftmost label, two dots must follow it, it never stands
    for a dot, and a host of five characters or fewer matches no wildcard. Wildcards work on
    address texts too. A first CN that cannot be converted to UTF-8 matches: a bug, kept as it is.
``expressway``
    The same without that bug, and an IP literal also matches an iPAddress. Both are lab decisions:
    the document promises "FQDN or IP".
``strict``
    RFC 9525: never the CN; a ``*`` only as the whole leftmost label; an IP literal matches an
    iPAddress and nothing else.

*Pure*, and total: any text and any bytes get a verdict, never an exception. Bytes are compared as
bytes; text is UTF-8.

Source: behaviour of Traffic Server 9.2.9, ``X509HostnameValidator.cc`` (seen); Cisco 218018;
RFC 9525 sections 6.2 to 6.5.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final

from mralab.config.releases import NameRule

_DOT: Final = ord(".")
_STAR: Final = ord("*")
#: What a wildcard of Traffic Server may stand for.
_LABEL_BYTES: Final = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
#: Shortest pattern with a wildcard that Traffic Server accepts: ``*.a.b``.
_MIN_PATTERN: Final = 5
#: Longest host that Traffic Server compares literally only.
_MAX_LITERAL_HOST: Final = 5
#: Where the last dot of a wildcard pattern may stand at the earliest: ``*.a.b``, ``a*.b.c``.
_MIN_LAST_DOT: Final = 3
_IDNA: Final = b"xn--"


@dataclass(frozen=True, slots=True)
class CertificateNames:
    """What one certificate offers for comparison, as :func:`certificate.names_of` reads it."""

    dns: tuple[bytes, ...] = ()  #: dNSName values in the certificate's order, raw
    ips: tuple[bytes, ...] = ()  #: iPAddress values, 4 or 16 bytes if well made
    first_cn: str | None = None  #: first CN of the subject; None: none, or unreadable
    cn_unconvertible: bool = False  #: there is a first CN, but OpenSSL cannot make UTF-8 of it
    has_san: bool = False  #: the certificate has a readable subjectAltName extension


@dataclass(frozen=True, slots=True)
class NameVerdict:
    """Whether the requested name is in the certificate, and what was looked at to tell."""

    matched: bool
    by: str  #: the name that matched, ``DNS:*.lab.example``, ``IP:192.0.2.7``, ``CN:...``; or ""
    tried: tuple[str, ...]  #: all names compared, in order, up to the one that matched


def match_name(requested: str, names: CertificateNames, rule: NameRule) -> NameVerdict:
    """Compare the requested name with a certificate's names.

    Args:
        requested: FQDN as written in the request, or an IP address as text (IPv6 without brackets,
            canonical for the rules that compare text).
        names: the certificate's names.
        rule: which dialect decides.

    Returns:
        The verdict. An empty ``requested`` matches nothing.

    Source: see the module's rules.
    """
    host = requested.encode("utf-8", "surrogatepass")
    tried: list[str] = []
    if rule is NameRule.STRICT:
        address = packed_address(requested)
        matched = (
            _match_dns(host, names.dns, tried, strict=True)
            if address is None
            else _match_ip(address, names.ips, tried)
        )
    else:
        matched = _match_dns(host, names.dns, tried, strict=False)
        if not matched and rule is NameRule.EXPRESSWAY and names.ips:
            address = packed_address(requested)
            matched = address is not None and _match_ip(address, names.ips, tried)
        if not matched:
            matched = _match_cn(host, names, tried, rule)
    return NameVerdict(matched, tried[-1] if matched else "", tuple(tried))


def packed_address(text: str) -> bytes | None:
    """Return the 4 or 16 bytes of an IP address written as text, None if it is not one."""
    try:
        return ipaddress.ip_address(text).packed
    except ValueError:
        return None


def text_of(name: bytes) -> str:
    r"""Return a certificate's name as text for people, other bytes than ASCII text as ``\xNN``."""
    return _visible(name.decode("ascii", "backslashreplace"))


def address_text(address: bytes) -> str:
    """Return an iPAddress value as text, in hex if it has not 4 or 16 bytes."""
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return address.hex()


def _visible(text: str) -> str:
    """Escape what a terminal would act on; names in certificates are the origin's choice."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in text
    )


def _match_dns(host: bytes, dns: tuple[bytes, ...], tried: list[str], *, strict: bool) -> bool:
    equal = _equal_rfc9525 if strict else _equal_ats
    for name in dns:
        tried.append(f"DNS:{text_of(name)}")
        if name and equal(name, host):
            return True
    return False


def _match_ip(address: bytes, ips: tuple[bytes, ...], tried: list[str]) -> bool:
    for ip in ips:
        tried.append(f"IP:{address_text(ip)}")
        if ip == address:
            return True
    return False


def _match_cn(host: bytes, names: CertificateNames, tried: list[str], rule: NameRule) -> bool:
    if names.cn_unconvertible:
        tried.append("CN:(cannot be converted)")
        # The stock server returns -1 for this CN where true or false is asked for.
        return rule is NameRule.ATS and bool(host)
    if names.first_cn is None:
        return False
    tried.append(f"CN:{_visible(names.first_cn)}")
    return _equal_ats(names.first_cn.encode("utf-8", "surrogatepass"), host)


def _equal_rfc9525(pattern: bytes, host: bytes) -> bool:
    """Compare label by label; a leftmost label ``*`` stands for exactly one label."""
    pattern, host = pattern.lower(), host.lower()
    if not pattern.startswith(b"*."):
        return pattern == host and b"*" not in pattern
    label, dot, rest = host.partition(b".")
    return bool(label and dot) and rest == pattern[2:] and b"*" not in rest


def _equal_ats(pattern: bytes, host: bytes) -> bool:
    if not host:
        return False
    pattern, host = pattern.lower(), host.lower()
    star = -1
    if len(host) > _MAX_LITERAL_HOST and host[0] != _DOT:
        star = _find_star(pattern, idna=host.startswith(_IDNA))
    if star < 0:
        return pattern == host
    before, after = pattern[:star], pattern[star + 1 :]
    if (
        len(host) < len(before) + len(after)
        or not host.startswith(before)
        or not host.endswith(after)
    ):
        return False
    covered = host[len(before) : len(host) - len(after)]
    if not covered:
        # Only a star with something else in its label may stand for nothing.
        return bool(before) or after[0] != _DOT
    return covered == b"*" or _LABEL_BYTES.issuperset(covered)


def _find_star(pattern: bytes, *, idna: bool) -> int:
    """Return where a wildcard that the stock server accepts stands, -1 if there is none.

    ``idna``: the host's first label is an A-label, which only a whole-label star may match.
    """
    if len(pattern) < _MIN_PATTERN:
        return -1
    last_dot = pattern.rfind(b".", 0, len(pattern) - 1)
    first_dot = pattern.find(b".")
    star = pattern.find(b"*")
    if last_dot < _MIN_LAST_DOT or not 0 <= star < first_dot < last_dot:
        return -1
    if pattern.find(b"*", star + 1, first_dot) >= 0:
        return -1
    whole = star == 0 and first_dot == 1
    if not whole and (idna or (star > 0 and star != first_dot - 1)):
        return -1
    return star
