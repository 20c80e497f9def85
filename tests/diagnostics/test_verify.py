"""One live origin under every release."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from mralab.config.releases import NameRule, Release, SubjectPolicy, UpgradePath
from mralab.diagnostics.verify import OriginReport, Outcome, Target, Trust, examine
from mralab.errors import OriginConnectError, OriginNameError
from mralab.lab.embedded import CUCM, TFTP_PORT, UDS_PORT
from mralab.lab.listener import Sabotage
from mralab.truststore.store import load_store

if TYPE_CHECKING:
    from tests.diagnostics.conftest import BackgroundLab


@pytest.fixture
def trust(lab: BackgroundLab) -> Trust:
    now = datetime.now(UTC)
    return Trust(
        stores={
            policy: load_store([lab.trusted_ca_file], policy=policy, public_roots=False, now=now)
            for policy in SubjectPolicy
        }
    )


def _look(lab: BackgroundLab, trust: Trust, port: int, *, name: str = CUCM) -> OriginReport:
    is_ip = name == lab.address
    target = Target(host=lab.address, port=port, name=name, name_is_ip=is_ip, timeout_s=0.5)
    return examine(target, trust)


def _outcomes(report: OriginReport) -> dict[tuple[Release, UpgradePath | None], Outcome]:
    return {(verdict.release, verdict.path): verdict.outcome for verdict in report.verdicts}


def test_6972_is_refused_where_ecdsa_comes_first_and_accepted_where_rsa_does(
    lab: BackgroundLab, trust: Trust
) -> None:
    report = _look(lab, trust, TFTP_PORT)
    assert _outcomes(report) == {
        (Release.X12_5, None): Outcome.NOT_VERIFIED,
        (Release.X14_0_7, None): Outcome.NOT_VERIFIED,
        (Release.X14_2, UpgradePath.FRESH): Outcome.REFUSED,
        (Release.X14_2, UpgradePath.FROM_14_0): Outcome.ACCEPTED,
        (Release.X15_5, UpgradePath.FRESH): Outcome.REFUSED,
        (Release.X15_5, UpgradePath.FROM_14_0): Outcome.ACCEPTED,
        (Release.ATS, None): Outcome.REFUSED,
    }
    refused = next(x for x in report.verdicts if x.release is Release.X14_2)
    assert refused.detail == "self signed certificate, depth 0"
    assert refused.leaf is not None
    assert refused.leaf.subject == "CN=cucm-EC.steven.lab"
    stock = next(x for x in report.verdicts if x.release is Release.ATS)
    assert stock.detail == "self-signed certificate, depth 0"


def test_both_certificates_are_shown_with_the_name_under_each_rule(
    lab: BackgroundLab, trust: Trust
) -> None:
    rsa, ec = _look(lab, trust, TFTP_PORT).presented
    assert [facts.subject for facts in rsa.chain] == ["CN=cucm-ms.steven.lab"]
    assert [facts.subject for facts in ec.chain] == ["CN=cucm-EC.steven.lab"]
    assert all(verdict.matched for verdict in rsa.names.values())
    assert set(ec.names) == set(NameRule)


def test_a_node_without_an_ecdsa_certificate_says_so(lab: BackgroundLab, trust: Trust) -> None:
    rsa, ec = _look(lab, trust, UDS_PORT).presented
    assert rsa.chain
    assert not ec.chain
    assert "handshake failure" in ec.error


def test_an_address_is_checked_as_one_and_no_server_name_is_sent(
    lab: BackgroundLab, trust: Trust
) -> None:
    report = _look(lab, trust, UDS_PORT, name=lab.address)
    verdict = next(x for x in report.verdicts if x.release is Release.X14_2)
    assert verdict.outcome is Outcome.REFUSED
    assert verdict.detail == f"{lab.address} not in certificate"
    assert {record.sni for record in lab.node.handshakes} == {None}


@pytest.mark.parametrize(
    ("how", "words"),
    [
        (Sabotage.PLAIN_HTTP, "wrong version number"),
        (Sabotage.CLOSE, "closed the connection in the handshake"),
        (Sabotage.SILENT, "silent for 0.5 s in the handshake"),
        (Sabotage.RESET, "reset"),
    ],
    ids=str,
)
@pytest.mark.timeout(40)
def test_a_node_that_does_not_speak_tls_fails_with_the_reason(
    lab: BackgroundLab, trust: Trust, how: Sabotage, words: str
) -> None:
    lab.call(lab.node.sabotage("uds", how))
    report = _look(lab, trust, UDS_PORT)
    assert {verdict.outcome for verdict in report.verdicts} == {Outcome.FAILED}
    assert words in report.verdicts[0].detail


def test_a_refused_port_and_an_unknown_name_are_errors_with_a_hint(trust: Trust) -> None:
    with pytest.raises(OriginConnectError, match=r"127\.0\.0\.1:") as refused:
        examine(Target(host="127.0.0.1", port=_closed_port(), name=CUCM, name_is_ip=False), trust)
    assert refused.value.hint
    with pytest.raises(OriginNameError, match=r"no-such-host\.invalid"):
        examine(Target(host="no-such-host.invalid", port=8443, name=CUCM, name_is_ip=False), trust)


def _closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
