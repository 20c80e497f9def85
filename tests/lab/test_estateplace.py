"""Where an estate runs: free addresses, missing rights, addresses that are not local."""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mralab.errors import LabError
from mralab.lab import estateplace
from mralab.lab.estateplace import EstatePorts, find_place, first_taken, spread

from . import estates

if TYPE_CHECKING:
    from collections.abc import Callable

ESTATE = replace(estates.estate(), unity=(estates.unity(),))


@pytest.fixture
def binding(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[str, int], int]], None]:
    """Have the system say what a test wants it to say of each address and port."""

    def says(answer: Callable[[str, int], int]) -> None:
        monkeypatch.setattr(estateplace, "_try_out", answer)

    return says


def test_each_address_has_its_own_loopback_address() -> None:
    assert spread(ESTATE, shift=0) == {
        "10.48.36.215": "127.48.36.215",
        "10.48.36.217": "127.48.36.217",
        "10.48.36.46": "127.48.36.46",
        "10.48.36.47": "127.48.36.47",
    }
    assert spread(ESTATE, shift=209)["10.48.36.215"] == "127.1.36.215"


def test_addresses_that_differ_in_the_first_octet_only() -> None:
    other = estates.cucm("cucm-sub.steven.lab", address="172.48.36.215")
    found = spread(estates.estate(estates.cucm(), other), shift=0)
    assert found["10.48.36.215"] == "127.48.36.215"
    assert found["172.48.36.215"] == "127.49.36.215"


def test_a_real_port_that_is_taken_leads_to_the_next_addresses() -> None:
    own = f"{os.getpid() >> 8 & 255}.{os.getpid() & 255}"  # no other run has it
    with socket.create_server((f"127.48.{own}", 6971)):
        place = find_place(estates.estate(estates.cucm(address=f"10.48.{own}")))
    assert place.shift >= 1
    assert place.loopback[f"10.48.{own}"] == f"127.{48 + place.shift}.{own}"


def test_a_port_taken_everywhere(binding: Callable[..., None]) -> None:
    binding(lambda _host, port: errno.EADDRINUSE if port == 6972 else 0)
    with pytest.raises(LabError) as caught:
        find_place(estates.estate())
    assert "every loopback address tried a port is taken, at last 127.47.36.215:6972" in str(
        caught.value
    )
    assert caught.value.hint


def test_what_is_not_needed_may_be_taken(binding: Callable[..., None]) -> None:
    binding(lambda host, _port: errno.EADDRINUSE if host.endswith(".47") else 0)
    assert find_place(estates.estate(), front=False).shift == 0
    with pytest.raises(LabError, match="a port is taken"):
        find_place(estates.estate())


def test_rights_for_a_low_port_are_missing(binding: Callable[..., None]) -> None:
    binding(lambda _host, port: errno.EACCES if port < 1024 else 0)
    place = find_place(ESTATE)
    assert place.ports == EstatePorts(unity=10_443)
    assert place.notes == ("port 443 needs rights that are missing here: 10443 is used instead",)


def test_rights_that_nobody_needs(binding: Callable[..., None]) -> None:
    binding(lambda _host, port: errno.EACCES if port < 1024 else 0)
    place = find_place(estates.estate())
    assert (place.ports, place.notes) == (EstatePorts(), ())


@pytest.mark.parametrize("number", [errno.EADDRNOTAVAIL, 10049], ids=["POSIX", "Windows"])
def test_an_address_that_is_not_local(binding: Callable[..., None], number: int) -> None:
    binding(lambda host, _port: 0 if host == "127.0.0.1" else number)
    with pytest.raises(LabError, match=r"127\.48\.36\.215 is not an address of this") as caught:
        find_place(estates.estate())
    assert "ifconfig lo0 alias 127.48.36.215" in caught.value.hint


def test_an_error_of_another_kind_counts_as_taken(binding: Callable[..., None]) -> None:
    place = find_place(estates.estate())
    binding(lambda _host, _port: errno.EMFILE)
    where = place.loopback["10.48.36.215"]  # another lab may run here
    assert first_taken(estates.estate(), place, front=True) == f"{where}:8443"


def test_ipv6_is_not_supported() -> None:
    with pytest.raises(LabError, match="'2001:db8::1' is not an IPv4 address"):
        find_place(estates.estate(estates.cucm(address="2001:db8::1")))
