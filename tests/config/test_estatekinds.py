"""How each value of an estate file is written, and what is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mralab.config import estatekinds as kinds
from mralab.config.estate import NodeRole, Purpose
from mralab.config.estateschema import TABLES
from mralab.errors import ConfigError

if TYPE_CHECKING:
    from mralab.config.values import Kind

CET = timezone(timedelta(hours=1))


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        pytest.param(date(2027, 1, 31), datetime(2027, 1, 31, tzinfo=UTC), id="a date"),
        pytest.param(
            datetime(2027, 1, 31, 12),  # noqa: DTZ001 - as TOML has it
            datetime(2027, 1, 31, 12, tzinfo=UTC),
            id="a time without an offset is UTC",
        ),
        pytest.param(
            datetime(2027, 1, 31, 0, tzinfo=CET),
            datetime(2027, 1, 30, 23, tzinfo=UTC),
            id="an offset counts",
        ),
        pytest.param("-1d", timedelta(days=-1), id="yesterday"),
        pytest.param("+36h", timedelta(hours=36), id="hours"),
        pytest.param("+90min", timedelta(minutes=90), id="minutes"),
        pytest.param("-2w", timedelta(weeks=-2), id="weeks"),
        pytest.param("+2y", timedelta(days=730), id="years of 365 days"),
    ],
)
def test_moments(written: object, moment: object) -> None:
    found = kinds.read_moment(written)
    assert found == moment
    assert not isinstance(found, datetime) or found.tzinfo is UTC


@pytest.mark.parametrize(
    ("kind", "written", "read"),
    [
        pytest.param(kinds.FQDN, "CUCM.Steven.LAB", "cucm.steven.lab", id="DNS names have no case"),
        pytest.param(kinds.FQDN, "vcs_c.lab", "vcs_c.lab", id="underscores stand in real names"),
        pytest.param(kinds.HOST, "CUCM", "cucm", id="a short name"),
        pytest.param(kinds.HOST, "10.48.36.215", "10.48.36.215", id="an address as a host"),
        pytest.param(kinds.IPV4, "10.48.36.215", "10.48.36.215", id="an address"),
        pytest.param(kinds.AUTHORITY, "steven-DC-CA", "steven-DC-CA", id="an authority"),
        pytest.param(kinds.TEXT, "", "", id="an empty text"),
        pytest.param(kinds.TEXT, "A/B", "A/B", id="a slash in a text"),
        pytest.param(kinds.COMMON_NAME, "", "", id="no CN"),
        pytest.param(kinds.USER_ID, "e.musk@a.lab", "e.musk@a.lab", id="a user id"),
        pytest.param(kinds.VERSION, "15", "15", id="a short version"),
        pytest.param(kinds.VERSION, "14.0.1.13900-155", "14.0.1.13900-155", id="a whole version"),
        pytest.param(kinds.REFERENCE, "A.lab/tomcat", "a.lab/tomcat", id="a node in a reference"),
        pytest.param(kinds.REFERENCE, "My-CA", "My-CA", id="an authority in a reference"),
        pytest.param(kinds.REFERENCES, "My-CA", ("My-CA",), id="one item stands alone"),
        pytest.param(kinds.DNS_SANS, [], (), id="an empty list"),
        pytest.param(kinds.DNS_SANS, ["*.a.lab", "10.1.1.1"], ("*.a.lab", "10.1.1.1"), id="SANs"),
        pytest.param(kinds.IP_SANS, ["10.1.1.1", "FE80::1"], ("10.1.1.1", "fe80::1"), id="IP SANs"),
        pytest.param(kinds.PURPOSES, ["client"], (Purpose.CLIENT,), id="usages"),
        pytest.param(kinds.ON_OFF, "off", False, id="a switch in the product's word"),
        pytest.param(kinds.ON_OFF, True, True, id="a switch"),
        pytest.param(kinds.URLS, "http://a.lab/x", ("http://a.lab/x",), id="a rule"),
        pytest.param(kinds.NODE_ROLE, "IM-Presence", NodeRole.IM_PRESENCE, id="a role"),
        pytest.param(kinds.SECRET, "rocket / 2", "rocket / 2", id="a password"),
    ],
)
def test_what_is_read(kind: Kind, written: object, read: object) -> None:
    assert kind.read(written) == read


@pytest.mark.parametrize(
    ("kind", "written", "message"),
    [
        pytest.param(kinds.MOMENT, "1d", '"1d" is not a moment', id="no sign"),
        pytest.param(kinds.MOMENT, "+1m", '"+1m" is not a moment', id="m is month or minute"),
        pytest.param(kinds.MOMENT, time(12), "is not a moment", id="a time alone"),
        pytest.param(kinds.MOMENT, 5, "5 is not a moment", id="a number"),
        pytest.param(kinds.MOMENT, "+1001y", '"+1001y" is too far away', id="a thousand years"),
        pytest.param(kinds.MOMENT, date(1949, 12, 31), "1949 is not from 1950", id="too early"),
        pytest.param(kinds.MOMENT, date(9999, 1, 1), "9999 is not from 1950 to 9998", id="late"),
        pytest.param(kinds.FQDN, "cucm", '"cucm" is not a full name', id="no domain"),
        pytest.param(kinds.FQDN, "10.48.36.215", "is not a full name", id="an address as name"),
        pytest.param(kinds.FQDN, "-a.lab", "is not a DNS name", id="a hyphen in front"),
        pytest.param(kinds.FQDN, "a..lab", "is not a DNS name", id="an empty label"),
        pytest.param(kinds.FQDN, "a.lab\n", "is not a DNS name", id="a line end"),
        pytest.param(kinds.FQDN, f"{'a' * 60}.lab", "is longer than 61", id="too long for a CN"),
        pytest.param(kinds.FQDN, 5, "5 is not a full name in quotes", id="no text"),
        pytest.param(kinds.HOST, "a." * 130 + "lab", "is not a DNS name", id="too long for DNS"),
        pytest.param(kinds.HOST, "10.48.36", "is not an IPv4 address", id="three octets"),
        pytest.param(kinds.HOST, "a.lab:8443", "is no name and no IPv4", id="a port"),
        pytest.param(kinds.HOST, "::1", "is no name and no IPv4", id="IPv6 as a host"),
        pytest.param(kinds.HOST, "", "is not a DNS name", id="nothing"),
        pytest.param(kinds.IPV4, "cucm.steven.lab", "is not an IPv4 address", id="a name"),
        pytest.param(kinds.IPV4, "2001:db8::1", "is not an IPv4 address", id="IPv6"),
        pytest.param(kinds.IPV4, "10.48.36.215/24", "is not an IPv4 address", id="a network"),
        pytest.param(kinds.IPV4, "224.0.0.5", "is no host's address", id="multicast"),
        pytest.param(kinds.IPV4, "255.255.255.255", "is no host's address", id="broadcast"),
        pytest.param(kinds.IPV4, "10.0.0.0", "is no host's address", id="a net's first address"),
        pytest.param(kinds.IPV4, "0.0.0.1", "is no host's address", id="net 0"),
        pytest.param(kinds.AUTHORITY, "a/b", "is not the name of an authority", id="a slash"),
        pytest.param(kinds.AUTHORITY, " a", "is not the name of an authority", id="a blank"),
        pytest.param(kinds.NAME, "", '"" is not a name', id="an empty name"),
        pytest.param(kinds.NAME, "a" * 65, "is not a name", id="a long name"),
        pytest.param(kinds.TEXT, "a\tb", "is not one line of text", id="a tab"),
        pytest.param(kinds.TEXT, "a" * 129, "is not one line of text", id="a long text"),
        pytest.param(kinds.COMMON_NAME, "a" * 65, "is not a CN", id="a long CN"),
        pytest.param(kinds.COMMON_NAME, "a\0", "is not a CN", id="a NUL in a CN"),
        pytest.param(kinds.USER_ID, "e/musk", "is not a user id", id="UDS knows no slash"),
        pytest.param(kinds.USER_ID, "e:musk", "is not a user id", id="Basic knows no colon"),
        pytest.param(kinds.USER_ID, "", "is not a user id", id="no user id"),
        pytest.param(kinds.SECRET, "", "not a password", id="no password"),
        pytest.param(kinds.SECRET, "a\nb", "not a password", id="a line end in a password"),
        pytest.param(kinds.SECRET, "a" * 129, "not a password", id="a long password"),
        pytest.param(kinds.VERSION, 14.0, "14.0 is not a version in quotes", id="a number"),
        pytest.param(kinds.VERSION, "14SU3", "is not a version", id="an SU"),
        pytest.param(kinds.DNS_SANS, ["a b"], "is not a dNSName", id="a blank in a SAN"),
        pytest.param(kinds.DNS_SANS, [5], "5 is not a dNSName in quotes", id="no text in a SAN"),
        pytest.param(kinds.IP_SANS, ["cucm"], "is not an IP address", id="a name as IP SAN"),
        pytest.param(kinds.IP_SANS, {}, "a table is not an address", id="a table as a list"),
        pytest.param(kinds.PURPOSES, ["email"], "is not server or client", id="a usage"),
        pytest.param(kinds.ON_OFF, "yes", "is not On or Off", id="no word of the product"),
        pytest.param(kinds.ON_OFF, 1, "1 is not On or Off", id="a number as a switch"),
        pytest.param(kinds.URLS, "ftp://a.lab/", "is not a URL of a rule", id="a scheme"),
        pytest.param(kinds.URLS, "https:///a", "is not a URL of a rule", id="no host"),
        pytest.param(kinds.URLS, "https://a.lab:0/", "is not a URL of a rule", id="port 0"),
        pytest.param(kinds.URLS, "https://a.lab:99999/", "is not a URL of a rule", id="a port"),
        pytest.param(kinds.URLS, "https://[::1/", "is not a URL of a rule", id="half a bracket"),
        pytest.param(kinds.URLS, "https://a.lab/ b", "is not a URL of a rule", id="a blank"),
        pytest.param(kinds.NODE_ROLE, "unity", "is not publisher or sub", id="Unity in a cluster"),
        pytest.param(kinds.NODE_ROLE, None, "None is not publisher or sub", id="no role"),
        pytest.param(kinds.REFERENCES, [["a"]], "an array is not a reference", id="a list in one"),
    ],
)
def test_what_is_refused(kind: Kind, written: object, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        kind.read(written)
    assert message in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        pytest.param("::1", "estates with IPv6 are not supported", id="IPv6"),
        pytest.param("[::1]", "estates with IPv6 are not supported", id="IPv6 in brackets"),
        pytest.param("10.1.1.1:8443", "without a port", id="a port"),
    ],
)
def test_a_hint_for_what_has_colons(written: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        kinds.read_host(written)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        pytest.param("X12.6.4", 'write "X12.5", which', id="older than X14"),
        pytest.param("X14.0", 'write "X14.0.7", which', id="another maintenance release"),
        pytest.param("14.0.7", 'write "X14.0.7", which', id="without its letter"),
        pytest.param("X14.3.5", 'write "X14.2", which', id="X14.3 stands under X14.2"),
        pytest.param("x15.0.2", 'write "X15.5", which', id="the first X15"),
        pytest.param("X7.2", "in quotes", id="one from before MRA"),
        pytest.param("X14.2-fresh", "in quotes", id="no number"),
        pytest.param(14.2, "in quotes", id="no text"),
    ],
)
def test_a_release_that_the_lab_has_not_is_told_what_stands_for_it(
    written: object, hint: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        kinds.RELEASE.read(written)
    assert "is not X12.5 or X14.0.7 or" in str(caught.value)
    assert hint in caught.value.hint


def test_a_password_is_never_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        kinds.SECRET.read("rocket\n")
    assert "rocket" not in str(caught.value) + caught.value.hint


VALUES = st.one_of(
    st.text(max_size=70),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.none(),
    st.dates(),
    st.datetimes(timezones=st.just(CET) | st.none()),
    st.times(),
    st.from_regex(r"[+-][0-9]{1,7}(min|h|d|w|y)"),
    st.from_regex(r"https?://[a-z:0-9\[\]]*/?"),
    st.from_regex(r"[0-9.]{1,16}"),
)
EVERY_KIND = sorted(
    {key.kind for table in TABLES for key in table.keys}, key=lambda kind: kind.form
)


@given(st.sampled_from(EVERY_KIND), VALUES | st.lists(VALUES, max_size=3))
def test_a_kind_reads_or_says_what_is_wrong(kind: Kind, value: object) -> None:
    caught = None
    try:
        kind.read(value)
    except ConfigError as exc:
        caught = exc
    assert caught is None or (str(caught) and caught.hint)
