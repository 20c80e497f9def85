"""Names: what is compared with a certificate, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.differential.certificates import cn_of, rdn
from tests.differential.model import NAME, OK, Case
from tests.differential.world import Script, World
from tests.truststore.certs import attribute, extension, oid, raw_san, tlv, utf8

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.differential.place import Place

#: Stands in a template for a name type; see ``_general_name``.
_KINDS: Final = {"dns": 0x82, "email": 0x81, "uri": 0x86, "ip": 0x87}


def _filled(place: Place, text: str) -> str:
    """Fill a template: {h} host, {z} zone, {a} address, {A} the address but its first number."""
    return text.format(
        h=place.host,
        z=place.zone,
        a=place.address,
        A=place.address.partition(".")[2],
        H=place.host.upper(),
        Z=place.zone.upper(),
    )


def named(
    sentence: str,
    section: str,
    expect: str,
    *,
    dns: tuple[str | bytes, ...] = (),
    cn: str | None = None,
    cns: tuple[bytes, ...] = (),
    others: tuple[bytes, ...] = (),
    host: str = "{h}",
    address: str = "{a}",
    empty_subject: bool = False,
) -> Case:
    """Make a case of a sound chain whose leaf has these names. Texts are templates.

    Args:
        sentence: what it proves.
        section: heading and rule.
        expect: OK or NAME.
        dns: dNSNames; bytes as they are.
        cn: the CN; default: a name of no host.
        cns: whole RDNs instead.
        others: further general names, encoded.
        host: the URL's.
        address: where the origin listens.
        empty_subject: no subject at all.
    """

    def build(place: Place) -> World:
        names = [
            tlv(0x82, item if isinstance(item, bytes) else _filled(place, item).encode())
            for item in dns
        ]
        names += others
        subject = rdn(*cns) if cns else rdn(cn_of(_filled(place, "leaf" if cn is None else cn)))
        leaf = place.leaf(
            dns=(),
            subject=rdn() if empty_subject else subject,
            extensions=(raw_san(*names),) if names else (),
        )
        return World(sent=(leaf,), host=_filled(place, host), address=_filled(place, address))

    return Case(sentence, section, expect, build)


_OTHER_NAME: Final = tlv(
    0xA0, oid("1.3.6.1.5.5.7.8.7"), tlv(0xA0, tlv(0x16, b"_cucm.lab"))
)  # id-on-dnsSRV
_ORGANISATIONAL_UNIT: Final = "2.5.4.11"
_BIT_STRING: Final = 0x03


def _directory_name(text: str) -> bytes:
    return tlv(0xA4, rdn(cn_of(text)))


def _typed(tag: int, encoding: str) -> Callable[[str], bytes]:
    return lambda text: cn_of(tlv(tag, text.encode(encoding)))


def cn_typed(sentence: str, expect: str, tag: int, encoding: str, text: str = "{h}") -> Case:
    """Make a case whose only name is a CN of one string type."""

    def build(place: Place) -> World:
        value = tlv(tag, _filled(place, text).encode(encoding))
        return World(sent=(place.leaf(dns=(), subject=rdn(cn_of(value))),))

    return Case(sentence, "1.4 the CN's type", expect, build)


def undecodable(sentence: str, cn: bytes) -> Case:
    """Make a case whose leaf OpenSSL cannot decode: a failure of TLS, under any policy."""
    return Case(
        sentence,
        "1.4 the CN's type",
        "502 ",
        lambda place: World(
            sent=(place.leaf(subject=rdn(cn)),),
            scripts=(Script(raw=True),),
        ),
    )


def with_subject(
    sentence: str,
    section: str,
    expect: str,
    subject: Callable[[Place], bytes],
    dns: tuple[str, ...] = (),
) -> Case:
    """Make a case with a whole subject of its own."""
    return Case(
        sentence,
        section,
        expect,
        lambda place: World(
            sent=(
                place.leaf(dns=tuple(_filled(place, name) for name in dns), subject=subject(place)),
            )
        ),
    )


_COMPARED: Final = (
    named("a dNSName equal to the host matches", "1.2 where names are", OK, dns=("{h}",)),
    named("another dNSName does not match", "1.2 where names are", NAME, dns=("imp.{z}",)),
    named(
        "the last of 500 dNSNames matches",
        "1.2 where names are",
        OK,
        dns=(*(f"n{number}.{{z}}" for number in range(499)), "{h}"),
    ),
    named("the CN matches without a SAN", "1.2 where names are", OK, cn="{h}"),
    named(
        "the CN matches beside other dNSNames",
        "1.2 where names are",
        OK,
        dns=("imp.{z}",),
        cn="{h}",
    ),
    named(
        "the CN matches beside an iPAddress only",
        "1.2 where names are",
        OK,
        others=(tlv(0x87, bytes((192, 0, 2, 7))),),
        cn="{h}",
    ),
    named("a CUCM -ms CN is not the node's name", "1.2 where names are", NAME, cn="cucm-ms.{z}"),
    with_subject(
        "of two CNs the first one matches",
        "1.3 the first CN",
        OK,
        lambda p: rdn(cn_of(p.host), cn_of("other")),
    ),
    with_subject(
        "of two CNs the second one does not",
        "1.3 the first CN",
        NAME,
        lambda p: rdn(cn_of("other"), cn_of(p.host)),
    ),
    with_subject(
        "an empty first CN hides the second",
        "1.3 the first CN",
        NAME,
        lambda p: rdn(cn_of(""), cn_of(p.host)),
    ),
    with_subject(
        "a CN after other attributes is the first CN",
        "1.3 the first CN",
        OK,
        lambda p: rdn(attribute("2.5.4.10", utf8("Lab")), cn_of(p.host)),
    ),
    with_subject("an empty CN does not match", "1.3 the first CN", NAME, lambda _: rdn(cn_of(""))),
    with_subject(
        "a subject without a CN does not match",
        "1.3 the first CN",
        NAME,
        lambda p: rdn(attribute("2.5.4.10", utf8(p.host))),
    ),
    with_subject(
        "a subject without a CN is fine with a dNSName",
        "1.3 the first CN",
        OK,
        lambda _: rdn(attribute("2.5.4.10", utf8("Lab"))),
        ("{h}",),
    ),
    with_subject(
        "an empty subject is fine with a dNSName", "1.3 the first CN", OK, lambda _: rdn(), ("{h}",)
    ),
    with_subject("an empty subject does not match", "1.3 the first CN", NAME, lambda _: rdn()),
    with_subject(
        "an OU does not count",
        "1.5 the CN's text",
        NAME,
        lambda p: rdn(cn_of("leaf"), attribute(_ORGANISATIONAL_UNIT, utf8(p.host))),
    ),
    named("a URL as CN does not match", "1.5 the CN's text", NAME, cn="https://{h}"),
    named("host and port as CN do not match", "1.5 the CN's text", NAME, cn="{h}:8443"),
    named("the short host name as CN does not match", "1.5 the CN's text", NAME, cn="cucm"),
    named("a CN with a blank behind does not match", "1.5 the CN's text", NAME, cn="{h} "),
    cn_typed("a PrintableString CN matches", OK, 0x13, "ascii"),
    cn_typed("an IA5String CN matches", OK, 0x16, "ascii"),
    cn_typed("a UTF8String CN matches", OK, 0x0C, "utf-8"),
    cn_typed("a BMPString CN matches", OK, 0x1E, "utf-16-be"),
    cn_typed("a TeletexString CN matches", OK, 0x14, "latin-1"),
    cn_typed("a UniversalString CN matches", OK, 0x1C, "utf-32-be"),
    cn_typed("a NumericString CN is converted and does not match", NAME, 0x12, "ascii", "12345"),
    undecodable("a VisibleString CN is no certificate", cn_of(tlv(0x1A, b"cucm"))),
    undecodable("an OCTET STRING as CN is no certificate", cn_of(tlv(0x04, b"cucm"))),
    undecodable("a UTF8String CN that is no UTF-8 is no certificate", cn_of(tlv(0x0C, b"\xff"))),
    undecodable("a BMPString CN of odd length is no certificate", cn_of(tlv(0x1E, b"\0a\0"))),
    undecodable("a UniversalString CN of odd length is none", cn_of(tlv(0x1C, b"\0\0a"))),
    cn_typed("another BMPString CN does not match", NAME, 0x1E, "utf-16-be", "imp.{z}"),
    cn_typed("another TeletexString CN does not match", NAME, 0x14, "latin-1", "imp.{z}"),
    cn_typed("a Teletex CN with an umlaut does not match", NAME, 0x14, "latin-1", "cücm.{z}"),
    cn_typed("another UniversalString CN does not match", NAME, 0x1C, "utf-32-be", "imp.{z}"),
    cn_typed("a wildcard in a BMPString CN matches", OK, 0x1E, "utf-16-be", "*.{z}"),
    undecodable(
        "a BMPString CN with surrogates is no certificate",
        cn_of(tlv(0x1E, "\U0001f600".encode("utf-16-be"))),
    ),
    undecodable(
        "a UniversalString CN beyond Unicode is no certificate",
        cn_of(tlv(0x1C, b"\0\x11\0\0")),
    ),
    undecodable(
        "a UniversalString CN of a surrogate is no certificate",
        cn_of(tlv(0x1C, b"\0\0\xd8\0")),
    ),
    with_subject(
        "a BIT STRING as first CN cannot be converted and matches",
        "1.4 the CN's type",
        OK,
        lambda _: rdn(cn_of(tlv(_BIT_STRING, b"\0imp"))),
    ),
    with_subject(
        "a BIT STRING as first CN matches beside another dNSName",
        "1.4 the CN's type",
        OK,
        lambda _: rdn(cn_of(tlv(_BIT_STRING, b"\0imp"))),
        ("imp.{z}",),
    ),
    with_subject(
        "a first CN that cannot be converted is not looked at if a dNSName matches",
        "1.4 the CN's type",
        OK,
        lambda _: rdn(cn_of(tlv(_BIT_STRING, b"\0imp"))),
        ("{h}",),
    ),
    with_subject(
        "a second CN that cannot be converted does not matter",
        "1.4 the CN's type",
        NAME,
        lambda _: rdn(cn_of("imp"), cn_of(tlv(_BIT_STRING, b"\0imp"))),
    ),
)


def other(sentence: str, general_name: Callable[[Place], bytes]) -> Case:
    """Make a case whose host stands in a general name of another kind only."""
    return Case(
        sentence,
        "1.6 other kinds of name",
        NAME,
        lambda place: World(sent=(place.leaf(dns=(), extensions=(raw_san(general_name(place)),)),)),
    )


_OTHER_KINDS: Final = (
    other("a URI does not count", lambda p: tlv(0x86, f"https://{p.host}/".encode())),
    other("a URI equal to the host does not count", lambda p: tlv(0x86, p.host.encode())),
    other("an rfc822Name does not count", lambda p: tlv(0x81, f"a@{p.host}".encode())),
    other("an rfc822Name equal to the host does not", lambda p: tlv(0x81, p.host.encode())),
    other("an SRVName does not count", lambda _: _OTHER_NAME),
    other("a directoryName's CN does not count", lambda p: _directory_name(p.host)),
    other("an iPAddress does not count for a name", lambda p: tlv(0x87, _packed(p.address))),
    other("an iPAddress that spells the host in text does not", lambda p: tlv(0x87, b"cucm")),
    named(
        "the resolved address as dNSName does not count",
        "1.6 other kinds of name",
        NAME,
        dns=("{a}",),
    ),
    Case(
        "a SAN that does not decode spoils the certificate",
        "1.6 other kinds of name",
        "unable to get local issuer certificate@0",
        lambda p: World(
            sent=(
                p.leaf(
                    dns=(),
                    subject=p.host,
                    extensions=(extension("2.5.29.17", b"\x30\x05\x82\x01"),),
                ),
            )
        ),
    ),
    Case(
        "two SAN extensions spoil the certificate",
        "1.6 other kinds of name",
        "unable to get local issuer certificate@0",
        lambda p: World(
            sent=(
                p.leaf(dns=(p.host,), extensions=(raw_san(tlv(0x82, f"imp.{p.zone}".encode())),)),
            )
        ),
    ),
)


def _packed(address: str) -> bytes:
    return bytes(int(part) for part in address.split("."))


_DOTS = "1.8 dots and odd texts"
_SPELLING: Final = (
    named("case of a dNSName is ignored", "1.7 case", OK, dns=("{H}",)),
    named("case of the host is ignored", "1.7 case", OK, dns=("{h}",), host="{H}"),
    named("case of the CN is ignored", "1.7 case", OK, cn="{H}"),
    named("case of a wildcard's zone is ignored", "1.7 case", OK, dns=("*.{Z}",)),
    named("case under a wildcard is ignored", "1.7 case", OK, dns=("*.{z}",), host="CUCM.{Z}"),
    named("case beside a partial star is ignored", "1.7 case", OK, dns=("CU*.{z}",)),
    named("a final dot in the host only", _DOTS, NAME, dns=("{h}",), host="{h}."),
    named("a final dot in the dNSName only", _DOTS, NAME, dns=("{h}.",)),
    named("a final dot in both", _DOTS, OK, dns=("{h}.",), host="{h}."),
    named("a final dot in the CN only", _DOTS, NAME, cn="{h}."),
    named("a final dot in CN and host", _DOTS, OK, cn="{h}.", host="{h}."),
    named("a wildcard must agree about the final dot", _DOTS, NAME, dns=("*.{z}",), host="{h}."),
    named("a wildcard with a final dot needs one", _DOTS, NAME, dns=("*.{z}.",)),
    named("a wildcard and a host with a final dot agree", _DOTS, OK, dns=("*.{z}.",), host="{h}."),
    named("a leading dot does not stand for hosts below", _DOTS, NAME, dns=(".{z}",)),
    named("a leading dot before the host does not match", _DOTS, NAME, dns=(".{h}",)),
    named("a leading blank does not match", _DOTS, NAME, dns=(" {h}",)),
    named("a trailing blank does not match", _DOTS, NAME, dns=("{h} ",)),
    named("an empty dNSName does not match", _DOTS, NAME, dns=("",)),
    named("raw UTF-8 in a dNSName does not match", _DOTS, NAME, dns=("cücm.{z}",)),
    named("a dNSName longer than the host does not match", _DOTS, NAME, dns=("{h}x",)),
    named("a dNSName that the host starts with does not", _DOTS, NAME, dns=("cucm.c",)),
    named(
        "an underscore is an ordinary character",
        "1.9 underscores and short hosts",
        OK,
        dns=("cucm_1.{z}",),
        host="cucm_1.{z}",
    ),
    named(
        "a wildcard stands for an underscore",
        "1.9 underscores and short hosts",
        OK,
        dns=("*.{z}",),
        host="cucm_2.{z}",
    ),
    named(
        "a host of one label matches exactly",
        "1.9 underscores and short hosts",
        OK,
        dns=("cucm-alone",),
        host="cucm-alone",
    ),
    named(
        "a host of one label matches no wildcard",
        "1.9 underscores and short hosts",
        NAME,
        dns=("*", "*alone", "cucm*"),
        host="cucm-alone2",
    ),
    named("NUL does not end a dNSName", "1.10 NUL", NAME, dns=("{h}\0.evil.lab",)),
    named("NUL does not end a wildcard", "1.10 NUL", NAME, dns=("*.{z}\0.evil.lab",)),
    named("NUL does not end a CN", "1.10 NUL", NAME, cn="{h}\0.evil.lab"),
    named("a NUL behind a dNSName counts", "1.10 NUL", NAME, dns=("{h}\0",)),
    named("a NUL behind a CN counts", "1.10 NUL", NAME, cn="{h}\0"),
)

_STAR = "1.11 wildcards"
_WILDCARDS: Final = (
    named("a star for the whole first label", _STAR, OK, dns=("*.{z}",)),
    named("a star in the CN", _STAR, OK, cn="*.{z}"),
    named("a star in the CN beside dNSNames", _STAR, OK, cn="*.{z}", dns=("imp.{z}",)),
    named("a star at the label's end", _STAR, OK, dns=("cu*.{z}",)),
    named("a star at the label's start", _STAR, OK, dns=("*cm.{z}",)),
    named("a star at the end in the CN", _STAR, OK, cn="cu*.{z}"),
    named("a star inside the label does not match", _STAR, NAME, dns=("c*m.{z}",)),
    named("a star in the second label does not match", _STAR, NAME, dns=("cucm.*.lab",)),
    named("a star at the end of the second label does not", _STAR, NAME, dns=("cucm.c*.lab",)),
    named("a star in the last label does not match", _STAR, NAME, dns=("cucm.{z}*",)),
    named("stars in two labels do not match", _STAR, NAME, dns=("*.*.lab",)),
    named("two stars in one label do not match", _STAR, NAME, dns=("*uc*.{z}",)),
    named("two stars side by side do not match", _STAR, NAME, dns=("**.{z}",)),
    named("a star by itself does not match", _STAR, NAME, dns=("*",)),
    named("a star with a dot only does not match", _STAR, NAME, dns=("*.",)),
    named("a partial star at the end may stand for nothing", _STAR, OK, dns=("cucm*.{z}",)),
    named("a partial star at the start may stand for nothing", _STAR, OK, dns=("*cucm.{z}",)),
    named("a partial star must fit before it", _STAR, NAME, dns=("ab*.{z}",)),
    named("a partial star must fit behind it", _STAR, NAME, dns=("*ab.{z}",)),
    named("a partial star's text does not overlap", _STAR, NAME, dns=("cucmcucm*.{z}",)),
    named("a star spans no dot", _STAR, NAME, dns=("*.{z}",), host="a.{h}"),
    named("a partial star spans no dot", _STAR, NAME, dns=("a*.{z}",), host="a.b.{z}"),
    named("a star stands for no missing label", _STAR, NAME, dns=("*.{h}",)),
    named("two dots must follow a star", _STAR, NAME, dns=("*.lab",), host="two-dots.lab"),
    named(
        "two dots must follow a partial star", _STAR, NAME, dns=("two*.lab",), host="two-dots2.lab"
    ),
    named("a final dot is not the second one", _STAR, NAME, dns=("*.lab.",), host="two-dots3.lab."),
    named(
        "a host of five characters matches no wildcard", _STAR, NAME, dns=("*.x.y",), host="a.x.y"
    ),
    named("a host of six characters does", _STAR, OK, dns=("*.x.z",), host="ab.x.z"),
    named("a host of five characters matches exactly", _STAR, OK, dns=("b.x.y",), host="b.x.y"),
    named("a star for a digit and hyphen label", _STAR, OK, dns=("*.{z}",), host="1-2.{z}"),
    named("a star as a literal does not match a wildcard's zone", _STAR, NAME, dns=("*.lab.{z}",)),
    named("a wildcard of another zone does not match", _STAR, NAME, dns=("*.d.{z}",)),
    named("a wildcard behind another dNSName matches", _STAR, OK, dns=("imp.{z}", "*.{z}")),
    named("a star stands for an A-label", "1.12 IDNA", OK, dns=("*.{z}",), host="xn--cm-hka.{z}"),
    named(
        "a partial star does not match an A-label",
        "1.12 IDNA",
        NAME,
        dns=("x*.{z}",),
        host="xn--cm-hka2.{z}",
    ),
    named(
        "a partial star at the start does not match an A-label",
        "1.12 IDNA",
        NAME,
        dns=("*hka3.{z}",),
        host="xn--cm-hka3.{z}",
    ),
    named(
        "a partial star may not be part of an A-label",
        "1.12 IDNA",
        NAME,
        dns=("xn--cm*.{z}",),
        host="xn--cm-hka4.{z}",
    ),
    named(
        "an A-label in upper case is one too",
        "1.12 IDNA",
        NAME,
        dns=("XN--CM*.{z}",),
        host="XN--cm-hka5.{z}",
    ),
    named(
        "A-labels further on do not matter",
        "1.12 IDNA",
        OK,
        dns=("*.xn--a.{z}",),
        host="cucm.xn--a.{z}",
    ),
    named(
        "nor for a partial star",
        "1.12 IDNA",
        OK,
        dns=("cu*.xn--b.{z}",),
        host="cucm.xn--b.{z}",
    ),
)

_IP = "1.14 IP literals"
_ADDRESSES: Final = (
    named("a dNSName equal to the address text matches", _IP, OK, dns=("{a}",), host="{a}"),
    named("a CN equal to the address text matches", _IP, OK, cn="{a}", host="{a}"),
    named("another address as dNSName does not match", _IP, NAME, dns=("192.0.2.7",), host="{a}"),
    named("a host name does not match an address", _IP, NAME, dns=("{h}",), cn="{h}", host="{a}"),
    Case(
        "an iPAddress does not match an IP literal",
        _IP,
        NAME,
        lambda p: World(
            host=p.address,
            sent=(p.leaf(dns=(), extensions=(raw_san(tlv(0x87, _packed(p.address))),)),),
        ),
    ),
    Case(
        "a CN counts beside an iPAddress",
        _IP,
        OK,
        lambda p: World(
            host=p.address,
            sent=(
                p.leaf(
                    dns=(),
                    subject=p.address,
                    extensions=(raw_san(tlv(0x87, _packed("192.0.2.7"))),),
                ),
            ),
        ),
    ),
    named(
        "a star matches part of an address",
        "1.13 wildcards in addresses",
        OK,
        dns=("*.{A}",),
        host="{a}",
    ),
    named(
        "a partial star does too", "1.13 wildcards in addresses", OK, dns=("12*.{A}",), host="{a}"
    ),
    named("a star in a CN does too", "1.13 wildcards in addresses", OK, cn="*.{A}", host="{a}"),
    named(
        "a star in another number does not",
        "1.13 wildcards in addresses",
        NAME,
        dns=("127.*.0.1",),
        host="{a}",
    ),
    named("IPv6 matches in its canonical text", _IP, OK, dns=("::1",), host="::1", address="::1"),
    named("IPv6 matches a CN", _IP, OK, cn="::1", host="::1", address="::1"),
    named("IPv6 in brackets does not match", _IP, NAME, dns=("[::1]",), host="::1", address="::1"),
    named(
        "a long spelling in the URL matches the canonical text",
        _IP,
        OK,
        dns=("::1",),
        host="0:0:0:0:0:0:0:1",
        address="::1",
    ),
    named(
        "a long spelling in the certificate does not match",
        _IP,
        NAME,
        dns=("0:0:0:0:0:0:0:1",),
        host="0:0:0:0:0:0:0:1",
        address="::1",
    ),
    Case(
        "an IPv6 iPAddress does not match",
        _IP,
        NAME,
        lambda p: World(
            host="::1",
            address="::1",
            sent=(p.leaf(dns=(), extensions=(raw_san(tlv(0x87, bytes(15) + b"\1")),)),),
        ),
    ),
    named(
        "an IPv4-mapped address matches as such", _IP, OK, dns=("::ffff:{a}",), host="::ffff:{a}"
    ),
    named("an IPv4-mapped address is not the IPv4 one", _IP, NAME, dns=("{a}",), host="::ffff:{a}"),
    named("SNI keeps the host's case", "1.15 SNI and Host", OK, dns=("{h}",), host="CuCm.{z}"),
    named("SNI keeps the final dot", "1.15 SNI and Host", OK, dns=("{h}.",), host="CuCm.{z}."),
)

NAMES: Final[tuple[Case, ...]] = (
    *_COMPARED,
    *_OTHER_KINDS,
    *_SPELLING,
    *_WILDCARDS,
    *_ADDRESSES,
)
