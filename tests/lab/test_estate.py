"""The running estate: real nodes, the real proxy, and evidence of each request."""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from mralab.config.estate import (
    CertificateKind,
    DiscoveryKind,
    DiscoveryPlan,
    HttpsCiphers,
    ServiceState,
)
from mralab.config.releases import Release, UpgradePath, VerifyMode
from mralab.errors import LabError
from mralab.lab.estate import RunningEstate
from mralab.lab.nodes import SimulatedNode
from mralab.origin.route import encode_segment

from . import estates

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from mralab.config.estate import Estate
    from mralab.lab.pki import KeyCache

# Most of it is not about the kind of loop; logins run on the other one (test_estatelogin.py).
pytestmark = pytest.mark.asyncio(loop_factories=["asyncio"])
both_loops = pytest.mark.asyncio(loop_factories=["asyncio", "uvloop"])

SERVERS = "/cucm-uds/servers"
BY_IP = "10.48.36.215"
TFTP = "/jabber-config.xml"
TOMCAT = CertificateKind.TOMCAT
EMUSK = b64encode(b"emusk:rocket").decode()


@asynccontextmanager
async def running(estate: Estate, keys: KeyCache, **options: Any) -> AsyncIterator[RunningEstate]:
    async with RunningEstate(estate, keys=keys, **options) as lab:
        yield lab


async def ask(
    lab: RunningEstate, host: str, port: int, path: str, tracking_id: str
) -> tuple[str, bytes]:
    """Send one request straight to the traffic server; returns status line and the rest."""
    segment = encode_segment("steven.lab", "https", host, port)
    endpoint = lab.proxy.endpoint
    reader, writer = await asyncio.open_connection(endpoint.host, endpoint.port)
    writer.write(
        f"GET http://vcsc:8443/{segment}{path} HTTP/1.1\r\nHost: vcsc:8443\r\n"
        f"TrackingID: {tracking_id}\r\nConnection: close\r\n\r\n".encode()
    )
    answer = await reader.read(-1)
    writer.close()
    await writer.wait_closed()
    line, _, rest = answer.partition(b"\r\n")
    return line.decode(), rest


async def status(lab: RunningEstate, host: str, port: int, path: str = SERVERS) -> str:
    line, _ = await ask(lab, host, port, path, "t")
    return line.partition(" ")[2].strip()


async def through_the_front(
    lab: RunningEstate, path: str, *fields: str
) -> tuple[str, dict[str, str], bytes]:
    """Send one request to Expressway-E, whose certificate is verified by its name."""
    front = lab.expressway_e
    assert front is not None
    context = ssl.create_default_context(cafile=lab.files.front_ca)
    reader, writer = await asyncio.open_connection(
        front.endpoint.host, front.endpoint.port, ssl=context, server_hostname=estates.E
    )
    lines = (f"GET {path} HTTP/1.1", "Host: vcse.steven.lab:8443", *fields, "Connection: close")
    writer.write("\r\n".join((*lines, "", "")).encode())
    head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    line, *rest = head.decode().split("\r\n")
    found = dict(field.split(": ", 1) for field in rest)
    return line.partition(" ")[2], found, body


def texts(lab: RunningEstate, tracking_id: str) -> list[str]:
    """The event log's lines of one request without what stands before their contents."""
    return [line.split("]: ", 1)[1] for line in lab.evidence(tracking_id).log_lines]


@both_loops
async def test_a_request_and_its_evidence(keys: KeyCache) -> None:
    async with running(estates.estate(), keys) as lab:
        line, body = await ask(lab, estates.CUCM, 8443, SERVERS, "first")
        assert line == "HTTP/1.1 200 "
        assert b"<server>cucm.steven.lab</server>" in body
        found = lab.evidence("first")
        assert (found.node, found.service, found.certificate) == (estates.CUCM, "uds", "tomcat")
        assert [facts.subject for facts in found.presented] == ["CN=cucm.steven.lab"]
        assert (found.tls_version, found.alert) == ("TLSv1.2", None)
        assert found.reason == "ok"
        assert found.attempts == ()
        lines = texts(lab, "first")
        assert len(lines) == 5
        # The node's real address stands there, not the loopback one.
        assert 'Dst-ip="10.48.36.215" Dst-port="8443"' in lines[2]
        folder = lab.folder
        assert folder.exists()
    assert not folder.exists()


async def test_a_refusal_and_its_evidence(keys: KeyCache) -> None:
    """Case 1 of Cisco 218018: the ECDSA certificate of 6972 is self-signed."""
    async with running(estates.estate(), keys) as lab:
        assert (await ask(lab, estates.CUCM, 6972, TFTP, "x"))[0] == "HTTP/1.1 502 connect failed"
        found = lab.evidence("x")
        assert (found.node, found.service) == (estates.CUCM, "tftp-https")
        assert found.certificate == "CallManager-ECDSA"
        assert [facts.subject for facts in found.presented] == ["CN=cucm-EC.steven.lab"]
        assert found.reason == "chain-refused"
        assert found.alert == (2, 48)  # fatal, unknown CA
        assert len(found.attempts) == 2
        warnings = [line for line in found.log_lines if "WARNING" in line]
        assert len(warnings) == 2
        assert "server=cucm.steven.lab(10.48.36.215) depth=0" in warnings[0]
        assert len([line for line in found.log_lines if "ERROR:" in line]) == 2


async def test_discovery_by_name_and_login_by_address(keys: KeyCache) -> None:
    """Case 2: TLS verify mode On checks the name typed in, requests go by the advertised one."""
    node = estates.cucm(advertised=BY_IP)
    async with running(estates.estate(node), keys) as lab:
        assert [item.name for item in lab.report.nodes] == [BY_IP]
        assert lab.report.failures == ()
        assert f"https://{BY_IP}:8443/cucm-uds/" in lab.files.allow_list.read_text()
        assert await status(lab, BY_IP, 8443) == "502 connect failed"
        found = lab.evidence("t")
        assert (found.reason, found.certificate) == ("name-refused", "tomcat")
        assert "SNI (10.48.36.215) not in certificate" in " ".join(found.log_lines)
        await lab.use(release=Release.X14_0_7)
        assert await status(lab, BY_IP, 8443) == "200"
        await lab.use(release=Release.X14_2)
        tomcat = replace(node.certificates[TOMCAT], ips=(BY_IP,))
        mended = replace(node, certificates={**node.certificates, TOMCAT: tomcat})
        await lab.change(estates.estate(mended))
        assert await status(lab, BY_IP, 8443) == "200"


async def test_what_is_let_pass_is_told(keys: KeyCache) -> None:
    async with running(estates.estate(), keys) as lab:
        await lab.use(verify_origin_server=VerifyMode.PERMISSIVE)
        assert await status(lab, estates.CUCM, 6972, TFTP) == "200"
        (layer,) = [line for line in lab.evidence("t").log_lines if "[ET_NET" in line]
        assert "Action=Continue Error=self signed certificate" in layer


async def test_what_is_used_stays_until_the_plan_says_otherwise(keys: KeyCache) -> None:
    plan = estates.estate()
    async with running(plan, keys) as lab:
        await lab.use(verify_origin_server=VerifyMode.OFF)
        await lab.change(estates.with_c(plan, authorisations=3))
        assert lab.proxy.settings.verify_origin_server is VerifyMode.OFF
        await lab.change(estates.with_c(plan, upgrade_path=UpgradePath.FROM_14_0))
        assert lab.proxy.settings.upgrade_path is UpgradePath.FROM_14_0
        assert lab.proxy.settings.verify_origin_server is VerifyMode.OFF


@pytest.mark.parametrize(
    ("changes", "before", "after"),
    [
        pytest.param(
            {"trusted_ca": (estates.CA, "cucm.steven.lab/CallManager-ECDSA")},
            "502 connect failed",
            "200",
            id="its certificate appended to the trusted CA list",
        ),
        pytest.param(
            {"ciphers": "ECDHE-RSA-AES256-GCM-SHA384"},
            "502 connect failed",
            "200",
            id="RSA suites only",
        ),
        pytest.param(
            {"release": Release.X12_5}, "502 connect failed", "200", id="an older release"
        ),
        pytest.param(
            {"verify_origin_server": VerifyMode.OFF},
            "502 connect failed",
            "200",
            id="the switch",
        ),
    ],
)
async def test_changes_of_expressway_c(
    keys: KeyCache, changes: dict[str, Any], before: str, after: str
) -> None:
    plan = estates.estate()
    async with running(plan, keys) as lab:
        assert await status(lab, estates.CUCM, 6972, TFTP) == before
        await lab.change(estates.with_c(plan, **changes))
        assert await status(lab, estates.CUCM, 6972, TFTP) == after


async def test_nothing_is_restarted_that_does_not_differ(keys: KeyCache) -> None:
    plan = estates.estate()
    async with running(plan, keys) as lab:
        before = {name: lab.nodes[estates.CUCM].served(name) for name in ("uds", "tftp-https")}
        endpoint = lab.nodes[estates.CUCM].endpoint("uds")
        reader, writer = await asyncio.open_connection(endpoint.host, endpoint.port)
        await lab.change(estates.with_c(plan, authorisations=3))
        assert not reader.at_eof()
        tomcat = replace(plan.node(estates.CUCM).certificates[TOMCAT], ips=(BY_IP,))
        own = {**plan.node(estates.CUCM).certificates, TOMCAT: tomcat}
        await lab.change(estates.with_node(plan, certificates=own))
        # A restart drops connections.
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        writer.close()
        after = {name: lab.nodes[estates.CUCM].served(name) for name in ("uds", "tftp-https")}
        assert after["uds"] != before["uds"]
        assert after["tftp-https"] == before["tftp-https"]


async def test_expressway_c_missing_in_the_nodes_trust_list(keys: KeyCache) -> None:
    """The node ends the handshake with alert 48, and the alert is what the proxy tells."""
    plan = estates.with_c(estates.estate(), ciphers="ECDHE-RSA-AES256-GCM-SHA384")
    async with running(plan, keys) as lab:
        assert await status(lab, estates.CUCM, 6972, TFTP) == "200"
        await lab.change(estates.with_node(plan, trust={}))
        assert await status(lab, estates.CUCM, 6972, TFTP) == "502 connect failed"
        found = lab.evidence("t")
        assert (found.reason, found.certificate) == ("origin-alert", "CallManager")
        await lab.change(plan)
        assert await status(lab, estates.CUCM, 6972, TFTP) == "200"


async def test_an_advertised_name_counts_once_servers_are_refreshed(keys: KeyCache) -> None:
    plan = estates.estate()
    async with running(plan, keys) as lab:
        renamed = estates.with_node(plan, advertised="cucm")
        await lab.change(renamed)
        _, body = await ask(lab, estates.CUCM, 8443, SERVERS, "t")
        assert b"<server>cucm</server>" in body
        assert await status(lab, "cucm", 8443) == "403 Forbidden"
        report = await lab.refresh_servers()
        assert [node.name for node in report.nodes] == ["cucm"]
        assert await status(lab, "cucm", 8443) == "502 connect failed"
        assert lab.evidence("t").reason == "name-refused"
        await lab.change(plan, refresh=True)
        assert await status(lab, estates.CUCM, 8443) == "200"


async def test_discovery_has_the_ciphers_of_the_upgrade_path(keys: KeyCache) -> None:
    plan = estates.cucm(https_ciphers=HttpsCiphers.EC_AND_RSA)
    ecdsa = plan.certificates[CertificateKind.CALL_MANAGER_ECDSA]
    both = {**plan.certificates, CertificateKind.TOMCAT_ECDSA: ecdsa}
    async with running(estates.estate(replace(plan, certificates=both)), keys) as lab:
        met = lab.nodes[estates.CUCM].handshakes
        assert lab.report.failures[0].failure.endswith("self signed certificate, depth 0")
        assert met.last.certificate == "tomcat-ECDSA"
        # Each of the two changes is made, though they come at once.
        path = UpgradePath.FROM_14_0
        await asyncio.gather(
            lab.use(upgrade_path=path), lab.use(verify_origin_server=VerifyMode.OFF)
        )
        assert (await lab.refresh_servers()).failures == ()
        assert met.last.certificate == "tomcat"
        assert lab.proxy.settings.verify_origin_server is VerifyMode.OFF


async def test_a_change_that_failed_can_be_made_again(keys: KeyCache) -> None:
    plan = estates.estate()
    moved = replace(plan, expressway_e=replace(plan.expressway_e, address="10.48.36.99"))
    async with running(plan, keys) as lab:
        where = f"{lab.loopback['10.48.36.47'].rpartition('.')[0]}.99"
        taken = await asyncio.start_server(lambda _reader, _writer: None, where, lab.ports.front)
        with pytest.raises(LabError, match=f"cannot listen on {where}"):
            await lab.change(moved)
        assert lab.estate == plan
        taken.close()
        await taken.wait_closed()
        await lab.change(moved)
        assert lab.estate == moved
        assert (await through_the_front(lab, "/"))[0] == "400 Bad Request"


@both_loops
async def test_nodes_come_and_go(keys: KeyCache) -> None:
    plan = estates.estate()
    subscriber = estates.cucm(
        "cucm-sub.steven.lab", address="10.48.36.216", role=plan.node(estates.CUCM).role
    )
    cluster = plan.clusters[0]
    grown = replace(plan, clusters=(replace(cluster, nodes=(*cluster.nodes, subscriber)),))
    grown = replace(grown, unity=(estates.unity(),))
    async with running(plan, keys) as lab:
        await lab.change(grown, refresh=True)
        assert await status(lab, "cucm-sub.steven.lab", 8443) == "200"
        assert lab.evidence("t").node == "cucm-sub.steven.lab"
        assert len(lab.nodes) == 3
        gone = lab.loopback["10.48.36.217"]
        await lab.change(plan, refresh=True)
        assert list(lab.nodes) == [estates.CUCM]
        assert await status(lab, "cucm-sub.steven.lab", 8443) == "403 Forbidden"
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(gone, lab.ports.unity)
        moved = estates.with_node(plan, address="10.48.36.220")
        await lab.change(moved)
        assert lab.nodes[estates.CUCM].host == lab.loopback["10.48.36.220"]
        assert await status(lab, estates.CUCM, 8443) == "200"


async def test_a_service_that_is_down(keys: KeyCache) -> None:
    down = estates.estate(estates.cucm(services={"tftp-https": ServiceState.DOWN}))
    async with running(down, keys) as lab:
        assert await status(lab, estates.CUCM, 6972, TFTP) == "502 connect failed"
        found = lab.evidence("t")
        assert found.reason == "connect-refused"
        assert (found.node, found.service) == (estates.CUCM, "tftp-https")
        assert (found.certificate, found.presented) == (None, ())
        up = estates.with_c(estates.estate(), verify_origin_server=VerifyMode.OFF)
        await lab.change(up)
        assert await status(lab, estates.CUCM, 6972, TFTP) == "200"


async def test_a_publisher_that_cannot_be_discovered(keys: KeyCache) -> None:
    """The name typed in is in no certificate, and one does not resolve at all."""
    typed = ("10.48.36.215", "nowhere.steven.lab", "10.99.99.99")
    plans = tuple(DiscoveryPlan(kind=DiscoveryKind.UNIFIED_CM, address=one) for one in typed)
    async with running(estates.with_c(estates.estate(), discoveries=plans), keys) as lab:
        assert [item.plan.address for item in lab.report.failures] == list(typed)
        assert "does not resolve" in lab.report.failures[1].failure
        assert await status(lab, estates.CUCM, 8443) == "403 Forbidden"
        await lab.change(estates.estate())  # another address is typed in: it is asked at once
        assert await status(lab, estates.CUCM, 8443) == "200"


async def test_advertised_by_an_address_that_no_node_has(keys: KeyCache) -> None:
    async with running(estates.estate(estates.cucm(advertised="192.0.2.7")), keys) as lab:
        assert await status(lab, "192.0.2.7", 8443) == "502 connect failed"
        found = lab.evidence("t")
        assert found.reason == "connect-refused"
        assert 'Dst-ip="192.0.2.7"' not in " ".join(found.log_lines)  # TCP never stood


@both_loops
async def test_200_requests_at_once_are_not_mixed_up(keys: KeyCache) -> None:
    async with running(estates.estate(), keys) as lab:
        count = 200
        answers = await asyncio.gather(
            *(
                ask(lab, estates.CUCM, 6972, TFTP, f"id-{number}")
                if number % 2
                else ask(lab, estates.CUCM, 8443, SERVERS, f"id-{number}")
                for number in range(count)
            )
        )
        for number, (line, _) in enumerate(answers):
            found = lab.evidence(f"id-{number}")
            refused = number % 2 == 1
            assert line == ("HTTP/1.1 502 connect failed" if refused else "HTTP/1.1 200 ")
            assert found.certificate == ("CallManager-ECDSA" if refused else "tomcat")
            assert found.verdict is not None
            assert found.verdict["tracking_id"] == f"id-{number}"
            own = [item for item in found.log_lines if f'TrackingID="id-{number}"' in item]
            foreign = [item for item in found.log_lines if "TrackingID=" in item]
            assert own == foreign
            layer = [item for item in found.log_lines if "[ET_NET" in item]
            assert len(layer) == (4 if refused else 0)


async def test_through_both_expressways(keys: KeyCache) -> None:
    async with running(estates.estate(), keys) as lab:
        domain = b64encode(b"steven.lab").decode().rstrip("=")
        line, _, _ = await through_the_front(lab, f"/{domain}/get_edge_sso?email=emusk@steven.lab")
        assert line == "200 OK"
        line, fields, body = await through_the_front(
            lab, f"/{domain}/get_edge_config", f"Authorization: Basic {EMUSK}", "TrackingID: conf"
        )
        assert line == "200 OK"
        assert b"<address>cucm.steven.lab</address>" in body
        cookie = fields["Set-Cookie"].partition(";")[0]
        asked = lab.expressway_c.asks("conf")
        assert asked
        for item in asked:
            own = lab.evidence(item.tracking_id, url=item.url)
            assert (own.node, own.service, own.reason) == (estates.CUCM, "uds", "ok")
        segment = encode_segment("steven.lab", "https", estates.CUCM, 8443)
        line, _, _ = await through_the_front(
            lab, f"/{segment}{SERVERS}", f"Cookie: {cookie}", "TrackingID: client"
        )
        assert line.rstrip() == "200"
        assert lab.evidence("client").certificate == "tomcat"


async def test_another_domain_and_another_front(keys: KeyCache) -> None:
    plan = estates.estate()
    async with running(plan, keys) as lab:
        front = replace(plan.expressway_e, address="10.48.36.48")
        await lab.change(replace(plan, domain="vngtp.lab", expressway_e=front))
        assert lab.expressway_e is not None
        assert lab.expressway_e.endpoint.host == lab.loopback["10.48.36.48"]
        old = b64encode(b"steven.lab").decode().rstrip("=")
        new = b64encode(b"vngtp.lab").decode().rstrip("=")
        assert (await through_the_front(lab, f"/{old}/get_edge_sso"))[0] == "403 Forbidden"
        assert (await through_the_front(lab, f"/{new}/get_edge_sso"))[0] == "200 OK"


async def test_the_front_gets_its_new_certificate(keys: KeyCache) -> None:
    plan = estates.estate()
    async with running(plan, keys) as lab:
        own = estates.certificate(estates.E, signed_by="")
        await lab.change(replace(plan, expressway_e=replace(plan.expressway_e, certificate=own)))
        domain = b64encode(b"steven.lab").decode().rstrip("=")
        # What vouches for it has been written anew too.
        assert (await through_the_front(lab, f"/{domain}/get_edge_sso"))[0] == "200 OK"


async def test_without_a_front(keys: KeyCache) -> None:
    async with running(estates.estate(), keys, front=False) as lab:
        assert lab.expressway_e is None
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(lab.loopback["10.48.36.47"], lab.ports.front)


async def test_two_labs_side_by_side(keys: KeyCache) -> None:
    async with running(estates.estate(), keys) as one, running(estates.estate(), keys) as other:
        assert set(one.loopback.values()).isdisjoint(other.loopback.values())
        for lab in (one, other):
            assert await status(lab, estates.CUCM, 8443) == "200"
            assert lab.evidence("t").node == estates.CUCM


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(
            estates.with_c(estates.estate(), trusted_ca=("nobody",)), id="in the trusted CA list"
        ),
        pytest.param(
            estates.with_node(estates.estate(), trust={"tomcat-trust": ("nobody",)}),
            id="in a trust list",
        ),
    ],
)
async def test_a_reference_that_names_nothing(keys: KeyCache, broken: Estate) -> None:
    with pytest.raises(LabError, match="there is no certificate 'nobody'"):
        async with running(broken, keys):
            pass
    async with running(estates.estate(), keys) as lab:
        with pytest.raises(LabError, match="there is no certificate 'nobody'"):
            await lab.change(broken)
        # Nothing was touched.
        assert lab.estate == estates.estate()
        assert await status(lab, estates.CUCM, 8443) == "200"


async def test_a_folder_of_ones_own_is_kept(keys: KeyCache, tmp_path: Path) -> None:
    async with running(estates.estate(), keys, folder=tmp_path / "lab") as lab:
        assert lab.folder == tmp_path / "lab"
    names = {path.name for path in (tmp_path / "lab").iterdir()}
    assert {"trusted-ca.pem", "hosts", "allow-list.csv", "event.log", "event.json"} <= names
    assert (tmp_path / "lab" / "expressway-c.key").stat().st_mode & 0o777 == 0o600


async def test_a_folder_that_cannot_be(keys: KeyCache, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LabError, match="file/lab: Not a directory"):
        async with running(estates.estate(), keys, folder=tmp_path / "file" / "lab"):
            pass
    async with running(estates.estate(), keys):
        pass  # the ports are free again


@both_loops
async def test_nothing_is_left_when_the_start_fails(
    keys: KeyCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last node cannot serve what it has; those before it ran already."""
    second = estates.cucm(
        "cucm-sub.steven.lab",
        address="10.48.36.216",
        certificates={
            CertificateKind.TOMCAT: estates.certificate(estates.CUCM),
            CertificateKind.TOMCAT_ECDSA: estates.certificate(estates.CUCM),
        },
    )
    started: list[SimulatedNode] = []
    start = SimulatedNode.__aenter__

    async def noted(node: SimulatedNode) -> SimulatedNode:
        started.append(await start(node))
        return node

    monkeypatch.setattr(SimulatedNode, "__aenter__", noted)
    with pytest.raises(LabError, match="one RSA and one EC"):
        async with running(estates.estate(estates.cucm(), second), keys):
            pass
    (first,) = started
    endpoint = first.endpoint("uds")
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(endpoint.host, endpoint.port)
