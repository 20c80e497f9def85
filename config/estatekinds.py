"""How each value of an estate file is written and read.

Kinds as in :mod:`mralab.config.values`: each turns what TOML holds into what the estate keeps, or
raises :class:`~mralab.errors.ConfigError`; a kind knows nothing of other keys. *Pure*.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from ipaddress import IPv4Address, ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from mralab.config.estate import NodeRole, Purpose
from mralab.config.faults import shown
from mralab.config.releases import Release
from mralab.config.values import Kind, choice
from mralab.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mralab.config.estate import Moment

#: Longest CN (RFC 5280, ub-common-name).
MAX_CN: Final = 64
#: Longest name of a node: ``<host>-EC.<domain>`` has to be a CN.
MAX_NODE_NAME: Final = MAX_CN - len("-EC")
_MAX_TEXT = 128
_MAX_HOST = 253  # RFC 1035
_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_ADDRESS_LIKE = re.compile(r"[0-9.]+")
_DNS_SAN = re.compile(r"[A-Za-z0-9*_.-]{1,253}")
_USER_ID = re.compile(r"[^\s:/\x00-\x1f\x7f]{1,128}")
_VERSION = re.compile(r"[0-9]{1,3}(\.[0-9]{1,6}){0,4}(-[0-9]{1,6})?")
_DISTANCE = re.compile(r"([+-])([0-9]{1,6})(min|h|d|w|y)")
_UNITS: Final = {
    "min": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
    "y": timedelta(days=365),
}
#: The dates a certificate can hold, less a year for time zones (RFC 5280, 4.1.2.5).
_FIRST_YEAR, _LAST_YEAR = 1950, 9998
_LONGEST = timedelta(days=1000 * 365)
_MOMENT_HINT = (
    'write a date (2027-01-31), a date with a time, or a distance from now: "-1d", "+36h", "+2y"'
)
_PORTS: Final = range(1, 65536)
_RELEASE = re.compile(r"x?([0-9]{1,3})(?:\.([0-9]{1,3}))?(?:\.[0-9]{1,3})*", re.IGNORECASE)
#: The release that stands for all from a version on. In X14.3 no change of the check was found, and
#: that of X15 is the same throughout (inferred).
_STANDS_FOR: Final = (
    ((15, 0), Release.X15_5),
    ((14, 2), Release.X14_2),
    ((14, 0), Release.X14_0_7),
    ((8, 0), Release.X12_5),
)


def read_moment(value: object) -> Moment:
    """Read a date of a certificate.

    Returns:
        A date, aware and in UTC (one without a zone is meant as UTC, one without a time as
        midnight), or a distance from the moment the certificate is made.

    Raises:
        ConfigError: neither, or not a date that a certificate can hold.
    """
    match value:
        case datetime():
            found = value
        case date():
            found = datetime.combine(value, time(), UTC)
        case str():
            return _distance(value)
        case _:
            raise ConfigError(f"{shown(value)} is not a moment", hint=_MOMENT_HINT)
    if not _FIRST_YEAR <= found.year <= _LAST_YEAR:
        raise ConfigError(
            f"the year {found.year} is not from {_FIRST_YEAR} to {_LAST_YEAR}", hint=_MOMENT_HINT
        )
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _distance(text: str) -> timedelta:
    parts = _DISTANCE.fullmatch(text)
    if parts is None:
        raise ConfigError(f"{shown(text)} is not a moment", hint=_MOMENT_HINT)
    sign, number, unit = parts.groups()
    distance = int(number) * _UNITS[unit]
    if distance > _LONGEST:
        raise ConfigError(f"{shown(text)} is too far away", hint="write at most 1000y")
    return -distance if sign == "-" else distance


def read_host(value: object) -> str:
    """Read a DNS name with or without dots, or an IPv4 literal; a name becomes lower case.

    Raises:
        ConfigError: neither.
    """
    hint = "write an FQDN, a short name or an IPv4 address"
    text = _text(value, "a name or an address", hint)
    if ":" in text:
        raise ConfigError(f"{shown(text)} is no name and no IPv4 address", hint=_no_ipv6(text))
    if _ADDRESS_LIKE.fullmatch(text):
        return read_ipv4(text)
    return _host(text, hint)


def read_fqdn(value: object) -> str:
    """Read a DNS name with a domain; it becomes lower case.

    Raises:
        ConfigError: no such name, or one too long for the CN of a certificate.
    """
    hint = "write the full name with its domain, such as cucm.steven.lab"
    name = _host(_text(value, "a full name", hint), hint)
    if "." not in name or _ADDRESS_LIKE.fullmatch(name):
        raise ConfigError(f"{shown(name)} is not a full name", hint=hint)
    if len(name) > MAX_NODE_NAME:
        raise ConfigError(
            f"{shown(name)} is longer than {MAX_NODE_NAME} characters",
            hint=f"a certificate's CN holds {MAX_CN}, and host-EC.domain has to be one",
        )
    return name


def read_ipv4(value: object) -> str:
    """Read the IPv4 address of a node.

    Raises:
        ConfigError: not one, or none that a node can have.
    """
    hint = "write an IPv4 address, such as 10.48.36.215"
    text = _text(value, "an address", hint)
    try:
        address = ip_address(text)
    except ValueError as exc:
        raise ConfigError(f"{shown(text)} is not an IPv4 address", hint=hint) from exc
    if not isinstance(address, IPv4Address):
        raise ConfigError(f"{shown(text)} is not an IPv4 address", hint=_no_ipv6(text))
    # The lab runs it on 127 with the three last octets, where these two are no host's.
    nobody = address.packed[1:] in {b"\0\0\0", b"\xff\xff\xff"}
    if nobody or address.is_multicast or address.is_reserved or address.packed[0] == 0:
        raise ConfigError(f"{text} is no host's address", hint="write the address of the node")
    return text


def read_reference(value: object) -> str:
    """Read a reference to a certificate: AUTHORITY, NODE/CERTIFICATE or EXPRESSWAY/server.

    Raises:
        ConfigError: not text. Whether there is such a certificate is not known here.
    """
    text = _text(value, "a reference", "write AUTHORITY, NODE/CERTIFICATE or EXPRESSWAY/server")
    owner, slash, certificate = text.rpartition("/")
    return f"{owner.lower()}{slash}{certificate}"  # names of nodes have no case


def list_of(kind: Kind) -> Kind:
    """Return the kind of an array whose items are of ``kind``; one item may stand alone."""

    def read(value: object) -> tuple[object, ...]:
        items = value if isinstance(value, list) else [value]
        return tuple(kind.read(item) for item in items)

    return Kind(f"list of {kind.form}", read)


def _name(what: str) -> Callable[[object], str]:
    """Return the reader of what others refer to: no slash, no blanks at the ends, a CN's length."""
    hint = f"write {what} in quotes: one line, at most {MAX_CN} characters, no slash"

    def read(value: object) -> str:
        text = _text(value, what, hint)
        bad = not text.isprintable() or text != text.strip() or "/" in text
        if bad or not text or len(text) > MAX_CN:
            raise ConfigError(f"{shown(text)} is not {what}", hint=hint)
        return text

    return read


def _read_text(value: object) -> str:
    hint = f"write text in quotes: one line, at most {_MAX_TEXT} characters"
    text = _text(value, "text", hint)
    if not text.isprintable() or len(text) > _MAX_TEXT:
        raise ConfigError(f"{shown(text)} is not one line of text", hint=hint)
    return text


def _read_common_name(value: object) -> str:
    hint = f'write at most {MAX_CN} characters on one line; "" is a subject without CN'
    text = _text(value, "a CN", hint)
    if not text.isprintable() or len(text) > MAX_CN:
        raise ConfigError(f"{shown(text)} is not a CN", hint=hint)
    return text


def _read_user_id(value: object) -> str:
    hint = "write the user id without blanks, colons and slashes (UDS does not support a slash)"
    text = _text(value, "a user id", hint)
    if not _USER_ID.fullmatch(text):
        raise ConfigError(f"{shown(text)} is not a user id", hint=hint)
    return text


def _read_secret(value: object) -> str:
    """Read a password; messages do not repeat it."""
    hint = f"write the password in quotes, on one line, at most {_MAX_TEXT} characters"
    if isinstance(value, str) and value and value.isprintable() and len(value) <= _MAX_TEXT:
        return value
    raise ConfigError("not a password", hint=hint)


def _read_version(value: object) -> str:
    hint = 'write the version in quotes, such as "14.0.1" or "15.0.1.10000-32"'
    text = _text(value, "a version", hint)
    if not _VERSION.fullmatch(text):
        raise ConfigError(f"{shown(text)} is not a version", hint=hint)
    return text


def _read_dns_san(value: object) -> str:
    hint = "write a DNS name, *.domain for a wildcard; an IPv4 address stands as text then"
    text = _text(value, "a dNSName", hint)
    if not _DNS_SAN.fullmatch(text):
        raise ConfigError(f"{shown(text)} is not a dNSName", hint=hint)
    return text


def _read_ip_san(value: object) -> str:
    hint = "write IPv4 or IPv6 addresses; names stand under dns"
    text = _text(value, "an address", hint)
    try:
        return str(ip_address(text))
    except ValueError as exc:
        raise ConfigError(f"{shown(text)} is not an IP address", hint=hint) from exc


def _read_on_off(value: object) -> bool:
    if isinstance(value, bool):
        return value
    known = {"on": True, "off": False}
    found = known.get(value.lower()) if isinstance(value, str) else None
    if found is None:
        raise ConfigError(f"{shown(value)} is not On or Off", hint='write "On" or "Off"')
    return found


def _read_url(value: object) -> str:
    hint = "write https://host:port/path or http://host:port/path, as in the product's rules"
    text = _text(value, "a URL", hint)
    try:
        parts = urlsplit(text)
        good = (
            parts.scheme in {"http", "https"}
            and bool(parts.hostname)
            and (parts.port is None or parts.port in _PORTS)
        )
    except ValueError:
        good = False
    if not good or not text.isprintable() or " " in text:
        raise ConfigError(f"{shown(text)} is not a URL of a rule", hint=hint)
    return text


def _read_node_role(value: object) -> NodeRole:
    words = {role.value: role for role in NodeRole if role is not NodeRole.UNITY}
    role = words.get(value.lower()) if isinstance(value, str) else None
    if role is None:
        raise ConfigError(
            f"{shown(value)} is not {' or '.join(words)}",
            hint="write one of these; a Unity Connection node stands under [[unity]]",
        )
    return role


def _read_release(value: object) -> object:
    try:
        return _RELEASES.read(value)
    except ConfigError as exc:
        stands = _standing_for(value)
        if stands is None:
            raise
        raise ConfigError(str(exc), hint=f'write "{stands.value}", which stands for it') from exc


def _standing_for(value: object) -> Release | None:
    """Return the release that stands for one that the lab does not have; None if it is none."""
    found = _RELEASE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    version = (int(found[1]), int(found[2] or 0))
    return next((release for first, release in _STANDS_FOR if version >= first), None)


def _text(value: object, what: str, hint: str) -> str:
    if not isinstance(value, str):
        raise ConfigError(f"{shown(value)} is not {what} in quotes", hint=hint)
    return value


def _host(text: str, hint: str) -> str:
    if len(text) > _MAX_HOST or not _HOST.fullmatch(text):
        raise ConfigError(f"{shown(text)} is not a DNS name", hint=hint)
    return text.lower()


def _no_ipv6(text: str) -> str:
    try:
        ip_address(text.strip("[]"))
    except ValueError:
        return "write an IPv4 address, such as 10.48.36.215, without a port"
    return "estates with IPv6 are not supported: write the IPv4 address"


FQDN = Kind("FQDN", read_fqdn)
HOST = Kind("FQDN, short name or IPv4 address", read_host)
IPV4 = Kind("IPv4 address", read_ipv4)
NAME = Kind("name", _name("a name"))
TEXT = Kind("text", _read_text)
AUTHORITY = Kind("name of an authority", _name("the name of an authority"))
COMMON_NAME = Kind("CN", _read_common_name)
USER_ID = Kind("user id", _read_user_id)
SECRET = Kind("text", _read_secret)
VERSION = Kind("version in quotes", _read_version)
MOMENT = Kind("moment", read_moment)
REFERENCE = Kind("reference", read_reference)
REFERENCES = list_of(REFERENCE)
AUTHORITIES = list_of(AUTHORITY)
DNS_SANS = list_of(Kind("DNS name", _read_dns_san))
IP_SANS = list_of(Kind("IP address", _read_ip_san))
PURPOSES = list_of(choice(Purpose))
URLS = list_of(Kind("URL", _read_url))
ON_OFF = Kind("On|Off", _read_on_off)
_RELEASES: Final = choice(Release)
RELEASE = Kind(_RELEASES.form, _read_release)
NODE_ROLE = Kind("publisher|subscriber|im-presence", _read_node_role)
