"""The sample estate under every release: real logins, and the three forms of the report."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from mralab.config.estate import ServiceState
from mralab.config.estatesample import sample_estate
from mralab.config.releases import Release, UpgradePath
from mralab.errors import ConfigError
from mralab.lab.estate import RunningEstate
from mralab.lab.loginresult import Outcome
from mralab.lab.upgrade import COLUMNS, Column, UpgradeMatrix, columns_of, run_upgrade
from mralab.lab.upgradereport import html_page, matrix_json, text_of

from . import samples
from .jsonshape import faults
from .samples import PUB, SOUND, SUB

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mralab.config.estate import Estate
    from mralab.lab.pki import KeyCache

pytestmark = pytest.mark.asyncio(loop_scope="module", loop_factories=["uvloop"])

NOW = datetime.now(UTC)
BROKEN = ["X14.2/below-14.0", "X14.2/fresh", "X15.5/below-14.0", "X15.5/fresh"]
FILES = [
    "the Jabber configuration",
    "the service profile",
    "the phone configuration",
    f"the phone configuration, from {SUB}",
    "the global settings",
]
AFTER = ["the IM and Presence login", "the mailbox's user", "the inbox", "the user's photo"]
FEW = columns_of("X14.0.7,X14.2/fresh")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab(keys: KeyCache) -> AsyncIterator[RunningEstate]:
    async with RunningEstate(sample_estate(), keys=keys) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def matrix(lab: RunningEstate) -> UpgradeMatrix:
    """The documented estate, under all releases."""
    return await run_upgrade(lab, name="<the sample & more>")


async def run(lab: RunningEstate, estate: Estate) -> UpgradeMatrix:
    """Run another estate, under two releases."""
    await lab.change(estate, refresh=True)
    try:
        return await run_upgrade(lab, columns=FEW)
    finally:
        await lab.change(sample_estate(), refresh=True)


# -- columns


async def test_the_columns() -> None:
    assert [column.title for column in COLUMNS] == [
        *("X12.5", "X14.0.7"),
        *("X14.2/below-14.0", "X14.2/from-14.0", "X14.2/fresh"),
        *("X15.5/below-14.0", "X15.5/from-14.0", "X15.5/fresh"),
    ]
    before = [column.before and column.before.title for column in COLUMNS]
    assert before == [None, None, *["X12.5", "X14.0.7", "X14.0.7"] * 2]


@pytest.mark.parametrize(
    ("text", "titles"),
    [
        pytest.param("X14.2/fresh, X12.5", ["X12.5", "X14.2/fresh"], id="in their own order"),
        pytest.param("X15.5", [c.title for c in COLUMNS[5:]], id="a release alone: all paths"),
        pytest.param("X14.0.7,X14.0.7", ["X14.0.7"], id="each once"),
    ],
)
async def test_a_list_of_columns(text: str, titles: list[str]) -> None:
    assert [column.title for column in columns_of(text)] == titles


@pytest.mark.parametrize(
    ("text", "said"),
    [("X14", "no column 'X14'"), ("X12.5/fresh", "no column"), ("ats", "no column"), (",", "no c")],
)
async def test_lists_that_name_no_column(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        columns_of(text)


# -- the documented estate


async def test_what_breaks(matrix: UpgradeMatrix) -> None:
    assert [column.column.title for column in matrix.columns] == [c.title for c in COLUMNS]
    red = {
        column.column.title: [(step.title, step.status) for step in column.result.red]
        for column in matrix.columns
        if column.result.red
    }
    cells = [*((title, 502) for title in FILES), *((title, 0) for title in AFTER)]
    assert red == dict.fromkeys(BROKEN, cells)
    for column in matrix.columns:
        broken = [*FILES, *AFTER] if column.column.title in BROKEN else []
        assert list(matrix.breaks(column)) == broken
    assert [column.verified for column in matrix.columns] == [False, False, *[True] * 6]


async def test_each_cell_met_what_the_cipher_list_brings(matrix: UpgradeMatrix) -> None:
    met = {
        column.column.title: step.met.certificate
        for column in matrix.columns
        for step in column.result.steps
        if step.title == "the phone configuration" and step.met
    }
    ecdsa = {"X12.5", *BROKEN}  # X12.5 has no RSA prefix, and verifies nothing
    assert {title for title, name in met.items() if name == "CallManager-ECDSA"} == ecdsa
    assert {name for title, name in met.items() if title not in ecdsa} == {"CallManager"}


async def test_causes(matrix: UpgradeMatrix) -> None:
    first, second = matrix.problems()
    assert (first.letter, second.letter) == ("A", "B")
    assert list(first.columns) == list(second.columns) == BROKEN
    assert second.steps == (f"the phone configuration, from {SUB}",)
    assert {*first.steps, *second.steps} == {*FILES, *AFTER}
    assert [facts.subject for facts in first.cause.chain] == ["CN=cucm-EC.steven.lab"]
    assert matrix.choice is not None
    assert (matrix.choice.mends, matrix.choice.red) == (36, 36)
    assert matrix.choice.remedy.fix.what.startswith("if only the ECDSA certificate is refused")


async def test_afterwards_the_estate_is_as_it_was(
    lab: RunningEstate, matrix: UpgradeMatrix
) -> None:
    assert matrix.red
    settings = lab.proxy.settings
    assert (settings.release, settings.upgrade_path) == (Release.X14_2, UpgradePath.FRESH)


# -- other estates


async def test_a_sound_estate_is_green_everywhere(lab: RunningEstate) -> None:
    found = await run(lab, SOUND)
    assert (found.red, found.problems(), found.choice) == (False, (), None)
    assert "Every step is green under every release shown." in text_of(found, at=NOW)
    assert 'class="problem"' not in html_page(found, at=NOW, version="1")
    assert faults(matrix_json(found), "upgrade.schema.json") == []


async def test_the_login_by_address_breaks_although_discovery_succeeds(lab: RunningEstate) -> None:
    found = await run(lab, samples.with_node(SOUND, PUB, advertised=samples.BY_IP))
    before, after = found.columns
    assert (before.result.outcome, after.result.outcome) == (Outcome.FINE, Outcome.LOGIN_FAILS)
    assert before.discovery == after.discovery == ()
    (problem,) = found.problems()
    assert problem.steps[0] == "the edge configuration"
    # What is shown of it is the request that Expressway-C made itself.
    assert problem.step.url.startswith(f"https://{samples.BY_IP}:8443/cucm-uds/clusterUser")
    text = text_of(found, at=NOW)
    assert "fatal alert 80 (internal_error)" in text
    assert "SNI (10.48.36.215) not in certificate" in " ".join(text.split())


async def test_what_was_red_before_does_not_break(lab: RunningEstate) -> None:
    down = samples.with_service(SOUND, PUB, "tftp-http", ServiceState.DOWN)
    found = await run(lab, down)
    assert found.red
    assert [found.breaks(column) for column in found.columns] == [(), ()]
    assert "Red steps, but none that was green before the upgrade." in text_of(found, at=NOW)
    assert '<td class="old"' in html_page(found, at=NOW, version="1")


async def test_what_the_estate_sets_itself_stays(lab: RunningEstate) -> None:
    plan = replace(sample_estate().expressway_c, ciphers="ECDHE-RSA-AES256-GCM-SHA384")
    found = await run(lab, replace(sample_estate(), expressway_c=plan))
    assert {column.ciphers for column in found.columns} == {"ECDHE-RSA-AES256-GCM-SHA384"}
    assert not found.red


async def test_a_failed_discovery_is_told(lab: RunningEstate) -> None:
    estate = samples.with_certificate(SOUND, samples.CUC, samples.TOMCAT, **samples.EXPIRED)
    found = await run(lab, estate)
    text = text_of(found, at=NOW)
    assert "X14.2/fresh: cuc.steven.lab: Failed: TLS verification failed" in text
    assert "Discovery: cuc.steven.lab: Failed" in html_page(found, at=NOW, version="1")


async def test_another_user(lab: RunningEstate) -> None:
    await lab.change(SOUND, refresh=True)
    user = SOUND.user("ghopper")
    found = await run_upgrade(lab, user=user, columns=FEW[:1])
    await lab.change(sample_estate(), refresh=True)
    assert found.user == "ghopper"
    assert "the inbox" not in found.rows


async def test_rows_that_only_some_columns_have(matrix: UpgradeMatrix) -> None:
    first = matrix.columns[0]
    shorter = replace(first.result, steps=first.result.steps[:3])
    columns = (replace(first, result=shorter, column=Column(Release.X12_5)), matrix.columns[1])
    found = replace(matrix, columns=columns)
    assert found.rows == matrix.rows
    row = next(x for x in text_of(found, at=NOW).splitlines() if "the user's photo" in x)
    assert row.split() == ["the", "user's", "photo", "ok"]


# -- forms


async def test_plain_text(matrix: UpgradeMatrix) -> None:
    text = text_of(matrix, at=NOW)
    lines = text.splitlines()
    assert max(map(len, lines)) <= 110
    assert "\x1b" not in text
    assert lines[0] == "emusk through <the sample & more>"
    row = next(line for line in lines if line.startswith(" the Jabber configuration"))
    assert row.split()[3:] == [
        *("ok", "ok", "502", "A", "ok", "502", "A"),
        *("502", "A", "ok", "502", "A"),
    ]
    assert "Green before, red after: X14.2/below-14.0, X14.2/fresh," in text
    for words in (
        "A  X14.2/below-14.0, X14.2/fresh, X15.5/below-14.0, X15.5/fresh",
        "presented  CN=cucm-EC.steven.lab (depth 0, self-signed)",
        "fatal alert 48 (unknown_ca)",
        "in the estate file: trusted_ca",
        "VerifyOriginServer: Off; in the estate",
    ):
        assert words in text
    once = " ".join(text.split())
    assert once.count("WARNING: Core server certificate verification failed for (cucm.st") == 1


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


async def test_the_page_loads_nothing(matrix: UpgradeMatrix) -> None:
    text = html_page(matrix, at=NOW, version="1.2.3")
    page = Page(text)
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "link", "img", "iframe", "object"})
    targets = [attrs["href"] for tag, attrs in page.tags if tag == "a"]
    letters = {attrs["id"] for _, attrs in page.tags if attrs.get("class") == "problem"}
    assert {*targets} == {f"#{letter}" for letter in letters} == {"#A", "#B"}
    assert not re.search(r"url\(|@import|src=", text)


async def test_the_page_says_what_the_text_says(matrix: UpgradeMatrix) -> None:
    page = Page(html_page(matrix, at=NOW, version="1.2.3"))
    cells = [attrs.get("class") for tag, attrs in page.tags if tag == "td"]
    assert (cells.count("red"), cells.count("ok")) == (36, 16 * 8 - 36)
    said = " ".join(" ".join(page.texts).split())
    for words in (
        "What the upgrade of Expressway does to emusk",
        "<the sample & more>",  # a text, not a tag
        "✗ 502 A",
        "✗ \N{EN DASH} A",
        "CN=cucm-EC.steven.lab (depth 0, self-signed) SAN DNS:cucm.steven.lab",
        "fatal alert 48 (unknown_ca)",
        "Made by mralab 1.2.3",
        "prefers-color-scheme: dark",
        "@media print",
    ):
        assert words in said
    assert said.count("for (cucm.steven.lab). Action=Terminate Error=self signed certificate") == 1


async def test_json(matrix: UpgradeMatrix) -> None:
    told: dict[str, Any] = json.loads(json.dumps(matrix_json(matrix)))
    assert faults(told, "upgrade.schema.json") == []
    assert [column["title"] for column in told["columns"] if column["breaks"]] == BROKEN
    assert told["red"]
    assert [problem["letter"] for problem in told["problems"]] == ["A", "B"]
    assert told["problems"][0]["fixes"][-1]["workaround"]
    assert len(told["problems"][0]["cells"]) == 4 * 8
    assert told["fix"]["mends"] == 36
