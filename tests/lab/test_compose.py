"""The compose file of an estate: addresses that fit, flags that exist, text that stays text."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mralab.cli.main import main
from mralab.config.estatesample import sample_estate
from mralab.errors import LabError
from mralab.lab.compose import compose_file

from . import estates

if TYPE_CHECKING:
    from pathlib import Path

    from mralab.config.estate import Estate


PASSWORD = '$HOME "quoted": #\\'  # noqa: S105 - nobody's


def network_of(text: str) -> tuple[IPv4Network, IPv4Network, IPv4Address]:
    found = [re.search(rf'{key}: "([^"]+)"', text) for key in ("subnet", "ip_range", "gateway")]
    subnet, pool, gateway = (one[1] for one in found if one)
    return IPv4Network(subnet), IPv4Network(pool), IPv4Address(gateway)


def at(*addresses: str) -> Estate:
    nodes = [estates.cucm(f"cucm{n}.steven.lab", address=one) for n, one in enumerate(addresses)]
    plan = estates.estate(*nodes)
    c = replace(plan.expressway_c, address=addresses[0])
    e = replace(plan.expressway_e, address=addresses[0])
    return replace(plan, expressway_c=c, expressway_e=e)


def test_every_machine_has_a_container_at_its_address() -> None:
    text = compose_file(sample_estate(), file="/home/me/estate.toml")
    for name, address in (
        ("cucm.steven.lab", "10.48.36.215"),
        ("cucm-sub.steven.lab", "10.48.36.216"),
        ("imp.steven.lab", "10.48.36.217"),
        ("cuc.steven.lab", "10.48.36.218"),
        ("vcsc.steven.lab", "10.48.36.191"),
        ("vcse.steven.lab", "10.48.36.192"),
    ):
        _, _, rest = text.partition(f'\n  "{name}":\n')
        service = rest.partition("\n\n")[0]
        assert f'ipv4_address: "{address}"' in service
        assert f'"--only={name}"' in service
        assert '"/home/me/estate.toml:/etc/mralab/estate.toml:ro"' in service
        assert "service_completed_successfully" in service


def test_its_flags_exist(capsys: pytest.CaptureFixture[str]) -> None:
    text = compose_file(sample_estate())
    main(["lab", "up", "--help"])
    main(["login", "--help"])
    known = capsys.readouterr().out
    flags = set(re.findall(r'"(--[a-z-]+)', text))
    assert {"--only", "--folder", "--prepare", "--dns", "--edge", "--ca"} == flags
    for flag in flags:
        assert re.search(rf"{flag}\b", known), flag


@pytest.mark.parametrize(
    ("addresses", "subnet"),
    [
        pytest.param(("10.48.36.215",), "10.48.36.0/24", id="one machine"),
        pytest.param(("10.48.36.1", "10.48.36.254"), "10.48.36.0/24", id="both ends"),
        pytest.param(("10.48.36.215", "10.48.37.10"), "10.48.36.0/23", id="two networks"),
        pytest.param(("10.48.36.0",), "10.48.32.0/21", id="what is a network's own address"),
        pytest.param(("10.48.35.255",), "10.48.32.0/21", id="what is a broadcast address"),
        pytest.param(("10.1.0.1", "10.200.0.1"), "10.0.0.0/8", id="as far apart as can be"),
    ],
)
def test_the_network_holds_every_address(addresses: tuple[str, ...], subnet: str) -> None:
    network, pool, gateway = network_of(compose_file(at(*addresses)))
    assert str(network) == subnet
    assert pool.subnet_of(network)
    assert str(gateway) not in addresses
    assert gateway not in pool


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0x0A302400, 0x0A3027FF), min_size=1, max_size=40, unique=True))
def test_nothing_of_ours_meets_an_address_of_the_estate(numbers: list[int]) -> None:
    addresses = {IPv4Address(number) for number in numbers}
    network, pool, gateway = network_of(compose_file(at(*map(str, addresses))))
    ends = {network.network_address, network.broadcast_address}
    for one in (*addresses, gateway):
        assert one in network
        assert one not in ends
    assert gateway not in addresses
    assert not any(one in pool for one in addresses)


@pytest.mark.parametrize(
    ("estate", "said"),
    [
        pytest.param(
            replace(
                sample_estate(),
                expressway_e=replace(sample_estate().expressway_e, address="192.0.2.1"),
            ),
            "network: vcse.steven.lab 192.0.2.1 outside 10.0.0.0/8",
            id="an Expressway-E with a public address",
        ),
        pytest.param(at("10.0.0.0", "10.255.255.255"), "10.0.0.0/8 is full", id="both ends"),
        pytest.param(estates.estate(estates.cucm("client")), "'client'", id="our own name"),
    ],
)
def test_estates_that_cannot_be(estate: Estate, said: str) -> None:
    with pytest.raises(LabError) as caught:
        compose_file(estate)
    assert said in str(caught.value)


def test_without_a_user_there_is_no_client() -> None:
    text = compose_file(replace(estates.estate(), users=()))
    assert '"client"' not in text
    assert "run --rm client" not in text


def test_an_advertised_address_is_no_alias() -> None:
    text = compose_file(estates.estate(estates.cucm(advertised="10.48.36.215")))
    assert 'aliases: ["cucm"]' in text


@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="docker-compose is missing")
def test_docker_compose_reads_it_and_text_stays_text(tmp_path: Path) -> None:
    user = replace(estates.estate().users[0], password=PASSWORD)
    path = tmp_path / "compose.yml"
    path.write_text(compose_file(replace(estates.estate(), users=(user,)), file="/a b/$x.toml"))
    ran = subprocess.run(
        ["docker-compose", "--file", path, "--profile", "client", "config"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "/a b/$x.toml:/etc/mralab/estate.toml:ro" in ran.stdout
    assert "MRALAB_PASSWORD: '$$HOME \"quoted\": #\\'" in ran.stdout
