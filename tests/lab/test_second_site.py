"""The example of two sites, docs/howto/second-site.toml, does what its comments say."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from mralab.config.estatefile import parse_estate
from mralab.lab.compose import compose_file
from mralab.lab.estate import RunningEstate
from mralab.lab.estatelogin import account_of, log_in_to, with_users
from mralab.lab.loginresult import Outcome, Verdict
from mralab.lab.upgrade import columns_of, run_upgrade
from mralab.lab.upgradereport import html_page, matrix_json, text_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mralab.lab.pki import KeyCache

pytestmark = pytest.mark.asyncio(loop_scope="module", loop_factories=["uvloop"])

TEXT = (Path(__file__).parents[2] / "docs/howto/second-site.toml").read_text("utf-8")
ESTATE = parse_estate(TEXT, "second-site.toml")
ADVERTISED = 'advertised = "10.2.1.13"\n'
HANNA, BRUNO = ESTATE.users
FILES = [
    "the Jabber configuration",
    "the service profile",
    "the phone configuration",
    "the phone configuration, from br-cucm2.example.net",
    "the global settings",
]
AFTER = ["the IM and Presence login", "the mailbox's user", "the inbox", "the user's photo"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab(keys: KeyCache) -> AsyncIterator[RunningEstate]:
    async with RunningEstate(ESTATE, keys=keys) as running:
        yield running


async def test_every_publisher_is_found(lab: RunningEstate) -> None:
    assert len(lab.report.discoveries) == 5
    assert lab.report.failures == ()


async def test_headquarters_is_green_with_the_wildcard_on_8443(lab: RunningEstate) -> None:
    result = await log_in_to(lab, account_of(ESTATE, HANNA))
    assert (result.outcome, len(result.steps)) == (Outcome.FINE, 18)
    met = [step.met for step in result.steps if step.met and step.met.certificate]
    assert {item.verdict for item in met} == {Verdict.ACCEPTED}
    wildcard = {item.node for item in met if item.chain[0].subject == "CN=*.example.net"}
    assert wildcard == {
        *("hq-cucm1.example.net", "hq-cucm2.example.net", "hq-cucm3.example.net"),
        *("hq-imp1.example.net", "cuc.example.net"),
    }


async def test_no_upgrade_does_anything_to_headquarters(lab: RunningEstate) -> None:
    ecdsa_first = columns_of("X14.2/fresh,X15.5/fresh")
    matrix = await run_upgrade(lab, user=HANNA, columns=ecdsa_first)
    assert not matrix.red
    assert matrix.not_tried == (("branch", "bruno"),)


async def test_what_the_upgrade_does_to_the_branch(lab: RunningEstate) -> None:
    columns = columns_of("X14.0.7,X14.2/from-14.0,X14.2/fresh,X15.5/from-14.0")
    matrix = await run_upgrade(lab, user=BRUNO, columns=columns, name="second-site.toml")
    red = [[step.title for step in column.result.red] for column in matrix.columns]
    everything = [*FILES, *AFTER]
    assert red == [[], ["the IM and Presence login"], everything, everything]
    assert [list(matrix.breaks(column)) for column in matrix.columns] == red
    found = {
        (problem.step.met.node, problem.step.met.certificate)
        for problem in matrix.problems()
        if problem.step.met
    }
    assert found == {
        ("br-cucm1.example.net", "CallManager-ECDSA"),
        ("br-cucm2.example.net", "CallManager-ECDSA"),
        ("br-imp1.example.net", "tomcat"),
    }
    # Its green cells say nothing of the other cluster, and each form says so.
    assert matrix.not_tried == (("hq", "hanna"),)
    now = datetime.now(UTC)
    assert "not tried  cluster hq: --user hanna\n" in text_of(matrix, at=now)
    assert "cluster hq: --user hanna</p>" in html_page(matrix, at=now, version="1")
    assert matrix_json(matrix)["not_tried"] == [{"cluster": "hq", "user": "hanna"}]


async def test_both_cures_of_the_branch(lab: RunningEstate) -> None:
    rsa = 'certificate.CallManager.signed_by = "Example Issuing CA"\n\n'
    assert (TEXT.count(rsa), TEXT.count(ADVERTISED)) == (2, 1)
    ecdsa = rsa.replace("CallManager", "CallManager-ECDSA")
    cured = TEXT.replace(rsa, f"{rsa.strip()}\n{ecdsa}").replace(ADVERTISED, "")
    await lab.change(parse_estate(cured, "cured"), refresh=True)
    try:
        matrix = await run_upgrade(lab, user=BRUNO, columns=columns_of("X15.5/from-14.0"))
    finally:
        await lab.change(ESTATE, refresh=True)
    assert not matrix.red


async def test_many_users_are_in_both_clusters() -> None:
    users = with_users(ESTATE, 6).users
    assert [user.cluster for user in users] == ["hq", "branch"] * 3


async def test_it_can_run_in_containers() -> None:
    assert 'subnet: "10.0.0.0/12"' in compose_file(ESTATE)
