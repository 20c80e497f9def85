"""Unity Connection's REST interface over real TLS, read by a strict client."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import pytest

from mralab.config.estate import UserPlan
from mralab.config.estatesample import sample_estate

from .lonenodes import lone_node
from .strictclient import ask, assert_shape

if TYPE_CHECKING:
    from mralab.lab.nodes import SimulatedNode
    from mralab.lab.pki import Credential

CUC = "cuc.steven.lab"
SAMPLE = sample_estate()
ESTATE = replace(
    SAMPLE,
    users=(
        *SAMPLE.users,
        UserPlan(
            user_id="emily",
            password="x",  # noqa: S106
            cluster="steven",
            extension="1009",
            voicemail=CUC,
        ),
    ),
)
EMUSK = ("emusk", "rocket")
ADMIN = ("axladmin", "axlpassword")


@pytest.fixture
def node(tomcat: Credential) -> SimulatedNode:
    return lone_node(ESTATE, CUC, {"tomcat": tomcat})


async def test_version_and_servers(node: SimulatedNode) -> None:
    async with node:
        rest = node.endpoint("rest")
        version = await ask(rest, "/vmrest/version", user=EMUSK)
        assert (version.status, version.reason, version.fields["server"]) == (200, "", "")
        assert assert_shape(version.body, "vmrest version").one("version") == "14.0.1"
        for path in ("/vmrest/cluster", "/vmrest/vmsservers"):
            answer = await ask(rest, path, user=ADMIN)
            servers = assert_shape(answer.body, "vmrest servers")
            assert (servers.one("HostName"), servers.one("IpAddress")) == (CUC, "10.48.36.218")


async def test_the_inbox_of_a_user_is_empty(node: SimulatedNode) -> None:
    path = "/vmrest/mailbox/folders/inbox/messages"
    async with node:
        assert_shape((await ask(node.endpoint("rest"), path, user=EMUSK)).body, "vmrest inbox")
        assert (await ask(node.endpoint("rest"), path, user=ADMIN)).status == 401


@pytest.mark.parametrize(
    ("user", "query", "aliases"),
    [
        (ADMIN, None, ["emusk", "emily"]),
        (ADMIN, "(alias is emusk)", ["emusk"]),
        (ADMIN, "(Alias is EMUSK)", ["emusk"]),
        (ADMIN, "(alias startswith em)", ["emusk", "emily"]),
        (ADMIN, "(alias is emus)", []),
        (ADMIN, "(dtmfaccessid is 1009)", ["emily"]),
        (ADMIN, "(emailaddress is emusk@steven.lab)", ["emusk"]),
        (ADMIN, "(alias is ghopper)", []),
        (EMUSK, None, ["emusk"]),
        (EMUSK, "(alias is emily)", []),
    ],
    ids=[
        "an administrator sees all",
        "by alias",
        "by alias, whatever the case",
        "by the beginning of the alias",
        "a part is not the whole",
        "by extension",
        "by mail address",
        "who has no mailbox here is not here",
        "a user sees himself",
        "and nobody else",
    ],
)
async def test_users(
    node: SimulatedNode, user: tuple[str, str], query: str | None, aliases: list[str]
) -> None:
    path = "/vmrest/users" + (f"?query={quote(query)}" if query else "")
    async with node:
        answer = await ask(node.endpoint("rest"), path, user=user)
        users = assert_shape(answer.body, "vmrest users")
        assert users.all("Alias") == aliases
        assert users.attributes["total"] == str(len(aliases))
        for uri in users.all("URI"):
            one = await ask(node.endpoint("rest"), uri, user=user)
            assert assert_shape(one.body, "vmrest user").one("URI") == uri


@pytest.mark.parametrize(
    "query",
    [
        "",
        "alias is emusk",
        "(alias)",
        "(password is rocket)",
        "(alias like e)",
        f"(alias is {' ' * 7000}",  # for ever, if blanks were gone through by the pattern
    ],
    ids=["empty", "no brackets", "a name alone", "no column", "no operator", "blanks"],
)
async def test_queries_that_cannot_be_answered(node: SimulatedNode, query: str) -> None:
    async with node:
        path = f"/vmrest/users?query={quote_plus(query)}"
        answer = await ask(node.endpoint("rest"), path, user=ADMIN)
    assert answer.status == 400
    assert_shape(answer.body, "vmrest error")


@pytest.mark.parametrize(
    "path",
    [
        "/vmrest/version",
        "/vmrest/cluster",
        "/vmrest/users",
        "/vmrest/users/x",
        "/vmrest/mailbox/folders/inbox/messages",
    ],
)
@pytest.mark.parametrize(
    "user",
    [
        pytest.param(None, id="nobody"),
        pytest.param(("emusk", "wrong"), id="a wrong password"),
        pytest.param(("ghopper", "compiler"), id="a user without a mailbox"),
    ],
)
async def test_everything_needs_credentials(
    node: SimulatedNode, path: str, user: tuple[str, str] | None
) -> None:
    async with node:
        answer = await ask(node.endpoint("rest"), path, user=user)
    assert answer.status == 401
    assert answer.fields["www-authenticate"].startswith("Basic realm=")


async def test_what_is_not_there(node: SimulatedNode) -> None:
    async with node:
        for path in ("/vmrest/users/none", "/vmrest/nothing"):
            assert (await ask(node.endpoint("rest"), path, user=ADMIN)).status == 404
