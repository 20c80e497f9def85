"""Names to addresses: the hosts file with all of its faults, and which source answers first."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mralab.config.faults import ConfigFaults
from mralab.errors import ConfigError, OriginNameError
from mralab.origin.resolve import Resolver, load_hosts, parse_hosts

if TYPE_CHECKING:
    from pathlib import Path

HOSTS = """\
# the lab
127.0.0.2   cucm.steven.lab cucm   # publisher
127.0.0.3\tCucm.Other.lab
::1\tcucm.steven.lab

127.0.0.2 cucm.steven.lab
127.0.0.4 dotted.lab
127.0.0.5 dotted.lab.
2001:DB8::0:1 six.lab
"""


def test_names_keep_their_spelling_and_all_of_their_addresses() -> None:
    assert parse_hosts(HOSTS, "hosts") == {
        "cucm.steven.lab": ("127.0.0.2", "::1"),
        "cucm": ("127.0.0.2",),
        "Cucm.Other.lab": ("127.0.0.3",),
        "dotted.lab": ("127.0.0.4",),
        "dotted.lab.": ("127.0.0.5",),
        "six.lab": ("2001:db8::1",),
    }


def test_all_faults_at_once_with_their_lines() -> None:
    text = "127.0.0.1 ok.lab\n127.1 a\n\n127.0.0.1\nx y@z -\nfe80::1%eth0 b\n127.0.0.1 10.0.0.2 b\n"
    with pytest.raises(ConfigFaults) as caught:
        parse_hosts(text, "hosts")
    assert str(caught.value).split("\n") == [
        'hosts:2: "127.1" is not an IP address',
        'hosts:4: address "127.0.0.1" has no name',
        'hosts:5: "x" is not an IP address',
        "hosts:5: host 'y@z' has user information",
        "hosts:5: host '-' is not a DNS name or an IP address",
        'hosts:6: "fe80::1%eth0" is not an IP address',
        'hosts:7: "10.0.0.2" is an address, and not alone behind its redirect',
    ]


@given(st.text(alphabet=st.sampled_from("127.0:af#x-@% \t\r\n\x00ü"), max_size=60))
def test_any_text_is_hosts_or_faults(text: str) -> None:
    try:
        hosts = parse_hosts(text, "hosts")
    except ConfigFaults:
        return
    Resolver(hosts)
    assert all(hosts.values())


def test_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    path.write_text("\ufeff127.0.0.2 a.lab\r\n", "utf-8")
    assert load_hosts(path) == {"a.lab": ("127.0.0.2",)}


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_hosts(tmp_path / "missing")
    (tmp_path / "latin").write_bytes(b"127.0.0.1 \xfc")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_hosts(tmp_path / "latin")


@pytest.mark.parametrize(
    ("host", "addresses"),
    [
        pytest.param("cucm.steven.lab", ["127.0.0.2", "::1"], id="as written"),
        pytest.param("CUCM.steven.lab", ["127.0.0.2", "::1"], id="other case"),
        pytest.param("cucm.steven.lab.", ["127.0.0.2", "::1"], id="with a final dot"),
        pytest.param("cucm.other.lab", ["127.0.0.3"], id="other case in the file"),
        pytest.param("dotted.lab", ["127.0.0.4"], id="without the dot"),
        pytest.param("dotted.lab.", ["127.0.0.5"], id="with the dot"),
        pytest.param("Dotted.lab", ["127.0.0.4", "127.0.0.5"], id="neither as written: both"),
        pytest.param("192.0.2.1", ["192.0.2.1"], id="IPv4 literal"),
        pytest.param("2001:DB8:0::1", ["2001:db8::1"], id="IPv6 literal"),
        pytest.param("::ffff:7f14:90", ["::ffff:127.20.0.144"], id="IPv4-mapped literal"),
    ],
)
async def test_answered_without_the_system(
    host: str, addresses: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(asyncio.BaseEventLoop, "getaddrinfo")
    assert await Resolver(parse_hosts(HOSTS, "hosts")).resolve(host, 8443) == addresses


async def test_redirect_says_where_an_address_is_dialled_and_not_what_it_is() -> None:
    resolver = Resolver(
        parse_hosts("127.48.36.215 10.48.36.215\n10.48.36.215 cucm.steven.lab\n", "hosts")
    )
    assert await resolver.resolve("cucm.steven.lab", 8443) == ["10.48.36.215"]
    assert await resolver.resolve("10.48.36.215", 8443) == ["10.48.36.215"]
    assert resolver.dialled("10.48.36.215") == "127.48.36.215"
    assert resolver.dialled("10.48.36.216") == "10.48.36.216"
    assert resolver.dialled("127.48.36.215") == "127.48.36.215"


async def test_the_system_answers_for_other_names() -> None:
    addresses = await Resolver({}).resolve("localhost", 8443)
    assert addresses
    assert set(addresses) <= {"127.0.0.1", "::1"}
    assert len(set(addresses)) == len(addresses)


@pytest.mark.parametrize(
    "failure",
    [
        socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
        UnicodeError("label too long"),
    ],
)
async def test_name_without_address(failure: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_answer(*_arguments: object, **_keywords: object) -> None:
        raise failure

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", no_answer)
    with pytest.raises(OriginNameError, match=r"'absent\.lab' does not resolve") as caught:
        await Resolver({"a.lab": ("127.0.0.1",)}).resolve("absent.lab", 8443)
    assert caught.value.status == 500
    assert caught.value.__cause__ is failure
