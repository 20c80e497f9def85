"""The demo's scenarios on the embedded lab: all as documented, and every sabotage is noticed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mralab.config.releases import NameRule, Release, VerifyMode
from mralab.lab.acts import BY_ADDRESS_REFUSED, SCENARIOS, TFTP_REFUSED, UDS
from mralab.lab.embedded import CUCM, UDS_PORT, EmbeddedLab
from mralab.lab.listener import Sabotage
from mralab.lab.pki import CertificateFields, root_ca
from mralab.lab.scenario import Listener, Scenario, ScenarioResult, Step, StepResult, play

# Below, all scenarios are played on both.
one_loop = pytest.mark.asyncio(loop_factories=["asyncio"])


async def _play(lab: EmbeddedLab, *scenarios: Scenario) -> tuple[ScenarioResult, ...]:
    return await play(lab, scenarios, Listener())


async def _one(lab: EmbeddedLab, step: Step) -> StepResult:
    (result,) = await _play(lab, Scenario(name="one", title="", story="", steps=(step,)))
    return result.steps[0]


@pytest.mark.timeout(60)
async def test_every_scenario_goes_as_documented_and_leaves_the_lab_as_it_was() -> None:
    async with EmbeddedLab() as lab:
        for _ in range(2):
            for result in await _play(lab, *SCENARIOS):
                faults = [step.faults for step in (*result.steps, *result.after_undo)]
                assert result.as_documented, (result.scenario.name, result.fault, faults)


@one_loop
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
async def test_each_scenario_can_be_played_alone(scenario: Scenario) -> None:
    async with EmbeddedLab() as lab:
        (result,) = await _play(lab, scenario)
        assert result.as_documented


@one_loop
async def test_the_documented_texts_stand_in_the_log_file_itself() -> None:
    async with EmbeddedLab() as lab:
        (result,) = await _play(lab, next(x for x in SCENARIOS if x.name == "upgrade"))
        text = lab.event_log.read_text()
        address = lab.address
    assert result.as_documented
    chain = (
        "[ET_NET 0] WARNING: Core server certificate verification failed for (cucm.steven.lab). "
        "Action=Terminate Error=self signed certificate "
        f"server=cucm.steven.lab({address}) depth=0\n"
    )
    name = (
        f"[ET_NET 0] WARNING: SNI ({address}) not in certificate. "
        f"Action=Terminate server={address}({address})\n"
    )
    error = (
        "[ET_NET 0] ERROR: SSL connection failed for 'cucm.steven.lab': error:1416F086:"
        "SSL routines:tls_process_server_certificate:certificate verify failed\n"
    )
    for expected in (chain, name, error):
        assert text.count(expected) == 2
    assert text.count('Msg="HTTP/1.1 502 connect failed"') == 2


@pytest.mark.parametrize("how", [x for x in Sabotage if x is not Sabotage.NONE], ids=str)
async def test_a_sabotaged_node_makes_the_step_red(how: Sabotage) -> None:
    async with EmbeddedLab() as lab:
        timeouts = replace(lab.proxy.settings.timeouts, connect_timeout_s=0.2)
        await lab.use(timeouts=timeouts)
        await lab.node.sabotage("uds", how)
        result = await _one(lab, UDS)
        assert any("the client got 502 connect failed, not 200" in x for x in result.faults)
        assert result.explanation is not None
        await lab.node.sabotage("uds", Sabotage.NONE)
        assert (await _one(lab, UDS)).as_documented


@one_loop
async def test_a_node_with_a_wrong_certificate_makes_the_step_red() -> None:
    async with EmbeddedLab() as lab:
        stranger = root_ca("somebody's CA", now=lab.ca.now)
        await lab.install(
            "tomcat", stranger.issue(CertificateFields(cn="cucm-ms.steven.lab", dns=(CUCM,)))
        )
        result = await _one(lab, UDS)
        assert any("the client got 502" in fault for fault in result.faults)


@one_loop
@pytest.mark.parametrize(
    ("change", "step", "fault"),
    [
        ({"verify_origin_server": VerifyMode.OFF}, TFTP_REFUSED, "the client got 200"),
        ({"verify_origin_server": VerifyMode.PERMISSIVE}, TFTP_REFUSED, "the client got 200"),
        ({"retries": 0}, TFTP_REFUSED, "the node saw 1 TLS connections, not 2"),
        ({"retries": 2}, BY_ADDRESS_REFUSED, "the node saw 3 TLS connections, not 2"),
        ({"release": Release.ATS}, TFTP_REFUSED, "the client got the phrase ''"),
    ],
    ids=["off", "permissive", "one attempt", "three attempts", "stock server"],
)
async def test_a_proxy_that_behaves_otherwise_makes_the_step_red(
    change: dict[str, object], step: Step, fault: str
) -> None:
    async with EmbeddedLab() as lab:
        await lab.use(**change)
        result = await _one(lab, step)
        assert any(fault in found for found in result.faults), result.faults


@one_loop
async def test_the_stock_name_rule_does_not_look_at_an_address_in_the_san() -> None:
    async with EmbeddedLab() as lab:
        await lab.install("tomcat", lab.tomcat(ips=(lab.address,)))
        await lab.use(name_rule=NameRule.ATS)
        assert (await _one(lab, BY_ADDRESS_REFUSED)).as_documented


async def test_two_labs_run_beside_each_other() -> None:
    async with EmbeddedLab() as one, EmbeddedLab() as other:
        assert one.address != other.address
        assert (await one.ask(CUCM, UDS_PORT, "/cucm-uds/servers")).status == 200
        assert (await other.ask(CUCM, UDS_PORT, "/cucm-uds/servers")).status == 200


@one_loop
async def test_a_scenario_that_cannot_be_played_says_why_and_the_next_is_played() -> None:
    async def fail(lab: EmbeddedLab) -> None:
        await lab.use(ciphers="NO-SUCH-CIPHER")

    told: list[str] = []
    listener = Listener(
        scenario_failed=lambda scenario, why: told.append(f"{scenario.name}: {why}")
    )
    broken = Scenario(name="broken", title="", story="", change=fail, steps=(UDS,))
    sound = Scenario(name="sound", title="", story="", steps=(UDS,))
    async with EmbeddedLab() as lab:
        results = await play(lab, (broken, sound), listener)
    assert [result.as_documented for result in results] == [False, True]
    assert "NO-SUCH-CIPHER" in told[0]
