"""``mralab verify``: what it prints of a live node, and its exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import LabNode, Ran

    Run = Callable[..., Ran]
    Start = Callable[..., LabNode]


def test_6972_shows_both_certificates_each_rule_and_each_release(
    run: Run, lab_node: Start, tmp_path: Path
) -> None:
    node = lab_node()
    ran = run(
        *("verify", f"{node.address}:6972", "--name", "cucm.steven.lab"),
        *("--trusted-ca", tmp_path / "lab" / "ca.pem"),
    )
    assert ran.code == 1  # X14.2 with ECDSA first refuses it
    for line in (
        f"{node.address}:6972 at {node.address}",
        "checked against cucm.steven.lab: sent as server name",
        "CN=steven-DC-CA (not sent)",
        "CN=cucm-EC.steven.lab (depth 0, self-signed)",
        "name rule strict      named by DNS:cucm.steven.lab",
        "X14.2, ECDSA first  refused                EC secp384r1  self signed certificate, depth 0",
        "X14.2, RSA first    accepted      TLSv1.2  RSA 2048",
        "X14.0.7             not verified  TLSv1.2  RSA 2048",
    ):
        assert line in ran.out, line


def test_a_node_that_every_release_accepts_is_exit_code_0(
    run: Run, lab_node: Start, tmp_path: Path
) -> None:
    node = lab_node()
    ca = tmp_path / "lab" / "ca.pem"
    ran = run("verify", node.address, "--name", "cucm.steven.lab", "--trusted-ca", ca)
    assert ran.code == 0, ran.out
    assert "ECDSA certificate: none" in ran.out


def test_an_address_that_no_rule_finds_tells_what_was_tried(
    run: Run, lab_node: Start, tmp_path: Path
) -> None:
    node = lab_node()
    ran = run("verify", node.address, "--trusted-ca", tmp_path / "lab" / "ca.pem")
    assert ran.code == 1
    assert "no server name is sent (an address)" in ran.out
    assert "not named (tried DNS:cucm.steven.lab, CN:cucm-ms.steven.lab)" in ran.out
    assert f"{node.address} not in certificate" in ran.out


def test_json_has_chains_names_and_verdicts(run: Run, lab_node: Start, tmp_path: Path) -> None:
    node = lab_node()
    ran = run(
        *("verify", f"{node.address}:6972", "--name", "cucm.steven.lab", "--format", "json"),
        *("--trusted-ca", tmp_path / "lab" / "ca.pem"),
    )
    assert ran.json["schema"] == "mralab-verify-1"
    assert [x["family"] for x in ran.json["presented"]] == ["RSA", "EC"]
    assert ran.json["presented"][1]["chain"][0]["sans"] == ["DNS:cucm.steven.lab"]
    fresh = next(x for x in ran.json["verdicts"] if x["release"] == "X14.2")
    assert (fresh["upgrade_path"], fresh["outcome"], fresh["code"], fresh["depth"]) == (
        *("fresh", "refused"),
        *(18, 0),
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a:b:c"], "a:b:c"),
        (["host:0"], "host:0"),
        (["host:99999"], "host:99999"),
        (["host", "--name", "bad name"], "bad name"),
        (["host", "--connect-timeout", "0"], "--connect-timeout 0"),
        (["host", "--trusted-ca", "/no/such.pem"], "/no/such.pem"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_arguments_are_named(run: Run, arguments: list[str], words: str) -> None:
    ran = run("verify", *arguments)
    assert ran.code == 2
    assert words in ran.err


def test_nothing_there_is_exit_code_3_with_a_hint(run: Run) -> None:
    ran = run("verify", "127.0.0.1:1")
    assert ran.code == 3
    assert "127.0.0.1:1" in ran.err
    assert "firewall" in ran.err
