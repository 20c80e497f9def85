"""What the peers are given."""

from __future__ import annotations

from pathlib import Path

from bench.load import LOADS
from bench.origin import NAME, Origin, Site
from bench.peers import KINDS, OURS, allow_list, logging_yaml

from mralab.origin.route import OriginRoute, decode_segment
from mralab.proxy.allowlist_csv import parse_csv

SITE = Site(Path("unused"), {origin: 40_000 + number for number, origin in enumerate(Origin)}, 1)


def test_the_allow_list_has_twenty_rules_an_origin_and_lets_every_load_pass() -> None:
    rules = parse_csv(allow_list(SITE), "allow-list.csv")
    assert len(rules.rules) == 20 * len(Origin)
    for load in LOADS.values():
        route = OriginRoute("lab", "https", NAME, SITE.ports[load.origin])
        method = "POST" if load.body_bytes else "GET"
        assert rules.for_origin(route).allows(method, f"/cucm-uds/{load.file}")
        assert not rules.for_origin(route).allows(method, "/elsewhere")


def test_the_first_segment_leads_to_the_origin() -> None:
    route = decode_segment(SITE.segment(Origin.EC_CLOSE).encode())
    assert (route.host, route.port) == (NAME, SITE.ports[Origin.EC_CLOSE])


def test_traffic_server_writes_five_lines_to_five_files() -> None:
    text = logging_yaml()
    assert text.count("    format: '") == 5
    assert text.count("  - mode: ascii\n") == 5


def test_ours_is_first() -> None:
    assert next(iter(KINDS)) == OURS
