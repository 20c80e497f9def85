"""Many logins at once: none lost, none crossed."""

from __future__ import annotations

import resource
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from mralab.errors import LabError
from mralab.lab import estatelogin
from mralab.lab.estate import RunningEstate
from mralab.lab.estatelogin import (
    ManyLogins,
    account_of,
    allow_files,
    edge_of,
    log_in_many,
    log_in_to,
    peak_bytes,
    seen_by,
    with_users,
)
from mralab.lab.loginreport import many_json, many_lines
from mralab.lab.loginresult import Outcome

from .jsonshape import faults
from .samples import SOUND

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from mralab.lab.pki import KeyCache

pytestmark = pytest.mark.asyncio(loop_scope="module", loop_factories=["uvloop"])

USERS = 12
ESTATE = with_users(SOUND, USERS)
ABOUT = {
    "domain": "steven.lab",
    "estate": "x",
    "edge": "e:8443",
    "release": "X14.2",
    "upgrade_path": "fresh",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab(keys: KeyCache) -> AsyncIterator[RunningEstate]:
    async with RunningEstate(ESTATE, keys=keys) as running:
        yield running


async def test_made_up_users() -> None:
    assert [user.user_id for user in ESTATE.users[:4]] == [
        *("emusk", "ghopper"),
        *("emusk-001", "emusk-002"),
    ]
    made = ESTATE.users[2]
    first = SOUND.users[0]
    assert (made.cluster, made.voicemail) == (first.cluster, first.voicemail)
    for name in ("user_id", "password", "extension"):
        assert len({getattr(user, name) for user in ESTATE.users}) == USERS
    assert with_users(SOUND, 1).users == SOUND.users[:1]


async def test_made_up_users_are_in_every_cluster_that_has_a_user() -> None:
    branch = replace(SOUND.users[1], user_id="bo", cluster="branch", im_presence=False)
    users = with_users(replace(SOUND, users=(*SOUND.users, branch)), 6).users
    assert [user.user_id for user in users[3:]] == ["emusk-001", "bo-002", "emusk-003"]
    assert [(user.cluster, user.im_presence) for user in users[3:5]] == [
        (SOUND.users[0].cluster, True),
        ("branch", False),
    ]


async def test_made_up_users_do_not_replace_others() -> None:
    taken = replace(SOUND.users[1], user_id="emusk-001", extension="9000002")
    users = with_users(replace(SOUND, users=(SOUND.users[0], taken)), 3).users
    assert [user.user_id for user in users] == ["emusk", "emusk-001", "emusk-003"]


async def test_all_at_once(lab: RunningEstate) -> None:
    lab.expressway_c.forget()
    done: list[str] = []
    accounts = [account_of(ESTATE, user) for user in ESTATE.users]
    many = await log_in_many(lab, accounts, done=lambda login: done.append(login.user))
    assert [login.user for login in many.logins] == [user.user_id for user in ESTATE.users]
    assert sorted(done) == sorted(login.user for login in many.logins)
    assert many.red == ()
    steps = many.by_step()
    assert steps["the phone configuration"] == (USERS, 0)
    assert steps["the inbox"] == (USERS - 1, 0)  # ghopper has none
    assert many.slowest.seconds <= many.seconds
    assert many.alone.user == "emusk"
    assert many.peak_bytes is not None
    assert many.alone_peak_bytes is not None
    assert 10e6 < many.alone_peak_bytes <= many.peak_bytes
    lines = list(many_lines(many))
    assert f"{'the phone configuration':<51}{12:>7}{0:>7}" in lines
    assert "no answer was about another user" in lines
    assert lines[-1].startswith("12 of 12: all fine (emusk, ghopper, emusk-001, ")
    assert lines[-1].endswith(" and 7 more)")
    assert faults(many_json(many, dict(ABOUT)), "logins.schema.json") == []


async def test_the_one_alone_does_not_use_up_a_users_authorisations(lab: RunningEstate) -> None:
    lab.expressway_c.forget()
    plan = ESTATE.expressway_c
    lab.expressway_c.use(replace(plan, authorisations=1))
    try:
        many = await log_in_many(lab, [account_of(ESTATE, user) for user in ESTATE.users[:2]])
    finally:
        lab.expressway_c.use(plan)
    assert many.red == ()


async def test_red_ones_are_looked_into(lab: RunningEstate) -> None:
    lab.expressway_c.forget()
    accounts = [account_of(ESTATE, user) for user in ESTATE.users[:3]]
    accounts[2] = replace(accounts[2], password="wrong")  # noqa: S106 - not even right
    many = await log_in_many(lab, accounts)
    assert [login.user for login in many.red] == ["emusk-001"]
    config = many.red[0].result.steps[1]
    assert (config.status, [ask.status for ask in config.asks]) == (401, [200, 401])
    assert many.by_step()["the edge configuration"] == (2, 1)
    lines = list(many_lines(many))
    assert "1 of 3: the login fails (emusk-001)" in lines
    assert "password" in lines[-1]
    told = many_json(many, dict(ABOUT))
    assert faults(told, "logins.schema.json") == []
    assert (told["green"], told["red"], told["crossed"]) == (2, 1, 0)


async def test_a_step_is_shown_with_its_own_handshake(lab: RunningEstate, tmp_path: Path) -> None:
    """Looked at later, when the same service has shaken hands with the same certificate again."""
    lab.expressway_c.forget()
    account, edge = account_of(ESTATE, ESTATE.users[0]), edge_of(lab)
    nobody = tmp_path / "nobody.pem"
    nobody.write_bytes(b"")
    trusted = lab.proxy.settings.trusted_ca
    await lab.use(trusted_ca=(nobody,))
    try:
        refused = await log_in_to(lab, account, edge=edge, look=False)
    finally:
        await lab.use(trusted_ca=trusted)
    assert not (await log_in_to(lab, account, edge=edge, look=False)).red
    (ask,) = seen_by(lab, refused.steps[1]).asks
    assert ask.met is not None
    assert (ask.met.certificate, ask.met.alert) == ("tomcat", 48)


async def test_crossed_ones_are_counted(
    lab: RunningEstate, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.expressway_c.forget()
    monkeypatch.setattr(estatelogin, "photo", lambda _user: b"another one's")
    many = await log_in_many(lab, [account_of(ESTATE, ESTATE.users[0])])
    assert many.logins[0].result.outcome is Outcome.PHOTO_MISSING
    assert "CROSSED, answers about another user: emusk" in list(many_lines(many))
    assert many_json(many, dict(ABOUT))["crossed"] == 1


async def test_a_login_without_connection_is_not_lost(lab: RunningEstate) -> None:
    front = lab.expressway_e
    assert front is not None
    await front.stop()
    try:
        many: ManyLogins = await log_in_many(lab, [account_of(ESTATE, ESTATE.users[0])] * 2)
    finally:
        await front.start()
    assert len(many.red) == 2
    assert "no Expressway-E at" in many.red[0].result.steps[0].fault


async def test_the_limit_of_open_files(monkeypatch: pytest.MonkeyPatch) -> None:
    was: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (100, 1000))
    monkeypatch.setattr(resource, "setrlimit", lambda _which, limits: was.append(limits))
    allow_files(50)
    assert was == []
    allow_files(500)
    assert was == [(500, 1000)]
    with pytest.raises(LabError, match="5000 open files are needed, and 1000 are allowed"):
        allow_files(5000)

    def refuse(_which: int, _limits: tuple[int, int]) -> None:
        raise ValueError("current limit exceeds maximum limit")

    monkeypatch.setattr(resource, "setrlimit", refuse)
    with pytest.raises(LabError, match="the system allows 100: current limit"):
        allow_files(500)


async def test_memory_is_told_in_bytes() -> None:
    peak = peak_bytes()
    assert peak is not None
    assert peak > 10e6
