"""``mralab demo``: what it prints, what it exits with, and that sabotage is not covered up."""

from __future__ import annotations

import argparse
import io
import json
import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest

from mralab.cli import demo
from mralab.config.estatesample import sound_estate
from mralab.lab.acts import SCENARIOS
from mralab.lab.embedded import EmbeddedLab
from mralab.lab.listener import Sabotage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Ran

    Run = Callable[..., Ran]


def _arguments(**given: object) -> argparse.Namespace:
    values: dict[str, object] = {"json": False, "pause": False, "brief": False, "svg": None}
    return argparse.Namespace(**(values | given))


@pytest.mark.timeout(60)
def test_the_whole_demo_exits_with_0_and_prints_the_documented_texts(run: Run) -> None:
    ran = run("demo")
    assert ran.code == 0, ran.out[-2000:]
    text = re.sub(r"\s+", " ", ran.out)
    for expected in (
        "WARNING: Core server certificate verification failed for (cucm.steven.lab). Action=",
        "Action=Terminate Error=self signed certificate server=cucm.steven.lab(127.",
        "depth=0",
        "WARNING: SNI (127.",
        "not in certificate. Action=Terminate",
        "error:1416F086:SSL routines:tls_process_server_certificate:certificate verify failed",
        "502 connect failed",
        "c3RldmVuLmxhYi9odHRwcy9jdWNtLnN0ZXZlbi5sYWIvNjk3Mg",
        "steven.lab/https/cucm.steven.lab/6972",
        "fatal alert 48 (unknown_ca)",
        "fatal alert 80 (internal_error)",
        "ECDSA first",
        "The product needs a restart of Expressway-C",
        "xConfiguration EdgeConfigServer VerifyOriginServer: Off",
        "The whole estate: one login under four releases",
        "step X12.5 X14.0.7 fresh fresh",
        "the user's devices ok ok ok ok",
        "the Jabber configuration ok ok 502 A 502 A",
        "what the user sees fine fine no phone no phone",
        "Green before, red after: X14.2/fresh, X15.5/fresh.",
        "server=cucm-sub.steven.lab(10.48.36.216) depth=0",
        "8 scenarios, 25 requests, 4 logins through the whole estate: each went as documented",
    ):
        assert expected in text, expected
    assert "\x1b" not in ran.out
    assert not re.search(r" \n", ran.out)


def test_list_names_every_scenario_and_plays_none(run: Run) -> None:
    ran = run("demo", "--list")
    assert ran.code == 0
    named = [line.split()[0] for line in ran.out.splitlines()]
    assert named == [*(scenario.name for scenario in SCENARIOS), "releases"]


def test_json_is_one_object_with_each_difference_and_log_line(run: Run) -> None:
    ran = run("demo", "--json", "--scenario", "fix-trust")
    assert ran.code == 0
    assert ran.json["schema"] == "mralab-demo-1"
    assert ran.json["as_documented"] is True
    assert ran.json["releases"] is None
    (scenario,) = ran.json["scenarios"]
    green, red = scenario["steps"][0], scenario["after_undo"][0]
    assert (green["status"], red["status"], red["phrase"]) == (200, 502, "connect failed")
    assert [x["alert"] for x in red["tls_connections"]] == [[2, 48], [2, 48]]
    assert red["transaction"]["reason"] == "chain-refused"
    assert "self-signed" in red["cause"]
    assert len(red["log"]) == 10


def test_the_second_act_alone_is_a_matrix_and_no_scenario(run: Run) -> None:
    ran = run("demo", "--json", "--scenario", "releases")
    assert ran.code == 0
    assert ran.json["scenarios"] == []
    second = ran.json["releases"]
    assert second["as_documented"] is True
    assert second["differences"] == []
    columns = {item["title"]: item for item in second["matrix"]["columns"]}
    assert list(columns) == ["X12.5", "X14.0.7", "X14.2/fresh", "X15.5/fresh"]
    assert [item["outcome"] for item in columns.values()] == ["fine"] * 2 + ["no-phone-service"] * 2


def test_brief_ends_the_second_act_with_the_matrix(run: Run) -> None:
    ran = run("demo", "--brief", "--scenario", "releases")
    assert ran.code == 0
    assert "Green before, red after: X14.2/fresh, X15.5/fresh." in ran.out
    assert "WARNING" not in ran.out
    assert "4 logins through the whole estate: each went as documented" in ran.out


def test_an_unknown_scenario_is_named_with_the_nearest_one(run: Run) -> None:
    ran = run("demo", "--scenario", "fix-thrust")
    assert ran.code == 2
    assert "fix-thrust" in ran.err
    assert "fix-trust" in ran.err


def test_the_picture_is_an_svg_that_loads_nothing_from_elsewhere(run: Run, tmp_path: Path) -> None:
    picture = tmp_path / "demo.svg"
    assert run("demo", "--scenario", "upgrade", "--brief", "--svg", picture).code == 0
    text = picture.read_text()
    root = ET.fromstring(text)  # noqa: S314 - written by ourselves
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "url(http" not in text
    assert "src:" not in text


def test_a_picture_that_cannot_be_written_is_an_error_with_its_path(
    run: Run, tmp_path: Path
) -> None:
    ran = run("demo", "--scenario", "fix-ciphers", "--svg", tmp_path / "none" / "demo.svg")
    assert ran.code == 2
    assert str(tmp_path / "none" / "demo.svg") in ran.err


def test_pause_waits_for_enter_before_each_scenario_but_the_first(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered = io.StringIO("\n")
    monkeypatch.setattr("sys.stdin", entered)
    ran = run("demo", "--pause", "--scenario", "fix-trust", "--scenario", "fix-ciphers")
    assert ran.code == 0
    assert ran.err.count("[Enter]") == 1
    assert entered.read() == ""


@pytest.mark.parametrize("how", [Sabotage.DEAD, Sabotage.PLAIN_HTTP], ids=str)
async def test_a_sabotaged_node_makes_it_exit_with_1_and_name_the_step(
    how: Sabotage, capsys: pytest.CaptureFixture[str]
) -> None:
    scenarios = [x for x in SCENARIOS if x.name == "upgrade"]
    async with EmbeddedLab() as lab:
        await lab.node.sabotage("uds", how)
        assert await demo.play_in(lab, scenarios, _arguments()) == 1
    text = re.sub(r"\s+", " ", capsys.readouterr().out)
    assert "Not as documented:" in text
    assert "upgrade, step 1 (the user's devices, from the node by name): the client got 502" in text


async def test_a_sound_estate_makes_the_second_act_exit_with_1_and_name_release_and_step(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = await demo.play_in(None, (), _arguments(), second=True, estate=sound_estate())
    assert code == 1
    text = re.sub(r"\s+", " ", capsys.readouterr().out)
    assert "Not as documented:" in text
    assert "releases: X14.2/fresh: the Jabber configuration: it is green" in text
    assert "releases: X12.5" not in text


async def test_sabotage_shows_in_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    scenarios = [x for x in SCENARIOS if x.name == "fix-ciphers"]
    async with EmbeddedLab() as lab:
        await lab.node.sabotage("tftp-https", Sabotage.DEAD)
        assert await demo.play_in(lab, scenarios, _arguments(json=True)) == 1
    result = json.loads(capsys.readouterr().out)
    assert result["as_documented"] is False
    assert result["scenarios"][0]["steps"][0]["differences"]
