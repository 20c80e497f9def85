"""Simulated nodes over real sockets, asked by an independent client."""

from __future__ import annotations

import asyncio
import contextlib
import io
import ssl
from dataclasses import replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import aiohttp
import pytest
from aiohttp import web

from mralab.config.estate import HttpsCiphers
from mralab.config.releases import CIPHERS_ECDSA_FIRST, CIPHERS_RSA_FIRST, TlsVersion
from mralab.errors import LabError
from mralab.lab.listener import Sabotage
from mralab.lab.nodes import Service, SimulatedNode, cucm_services
from mralab.lab.pki import CertificateFields, Credential, KeyKind
from mralab.lab.udsdata import sample_cluster

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

CLUSTER = sample_cluster()
PKID = CLUSTER.users[0].devices[0].pkid
EMUSK = {"Authorization": aiohttp.encode_basic_auth("emusk", "rocket")}


@pytest.fixture
def node(tomcat: Credential, tomcat_ecdsa: Credential) -> SimulatedNode:
    services = cucm_services(CLUSTER, uds_port=0, tftp_https_port=0, tftp_http_port=0)
    return SimulatedNode(
        "cucm.steven.lab",
        "127.0.0.1",
        services,
        certificates={
            "tomcat": tomcat,
            "tomcat-ECDSA": tomcat_ecdsa,
            "CallManager": tomcat,
            "CallManager-ECDSA": tomcat_ecdsa,
        },
    )


def client(
    ciphers: str = CIPHERS_ECDSA_FIRST,
    *,
    own: Credential | None = None,
    folder: Path | None = None,
) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers(ciphers)
    if own is not None and folder is not None:
        files = own.write(folder, "client")
        context.load_cert_chain(files.chain, files.key)
    return context


@contextlib.asynccontextmanager
async def session(context: ssl.SSLContext | None = None) -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(ssl=context or client())
    async with aiohttp.ClientSession(connector=connector) as opened:
        yield opened


def url(node: SimulatedNode, service: str, path: str) -> str:
    scheme = "http" if service == "tftp-http" else "https"
    return f"{scheme}://{node.endpoint(service)}{path}"


@pytest.mark.parametrize(
    ("path", "root"),
    [
        ("/cucm-uds/clusterUser?username=emusk", "clusterUser"),
        ("/cucm-uds/clusterUser?email=emusk@steven.lab", "clusterUser"),
        ("/cucm-uds/servers", "servers"),
        ("/cucm-uds/version", "versionInformation"),
        ("/cucm-uds/user/emusk", "user"),
        ("/cucm-uds/user/emusk/devices?max=100", "devices"),
        (f"/cucm-uds/user/emusk/device/{PKID}", "device"),
    ],
)
async def test_uds_answers(node: SimulatedNode, path: str, root: str) -> None:
    async with node, session() as http, http.get(url(node, "uds", path), headers=EMUSK) as answer:
        assert (answer.status, answer.reason) == (200, "")
        assert answer.headers["Server"] == ""
        assert answer.content_type == "application/xml"
        assert ET.fromstring(await answer.read()).tag == root  # noqa: S314 - our own node


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        pytest.param("user/emusk", {}, 401, id="no credentials"),
        pytest.param("user/emusk", {"Authorization": "Basic !"}, 401, id="rubbish"),
        pytest.param("user/emusk", {"Authorization": "Bearer x"}, 401, id="another scheme"),
        pytest.param(
            "user/emusk/devices",
            {"Authorization": aiohttp.encode_basic_auth("emusk", "wrong")},
            401,
            id="a wrong password",
        ),
        pytest.param(
            "user/emusk",
            {"Authorization": aiohttp.encode_basic_auth("EMUSK", "rocket")},
            401,
            id="the user id in another case",
        ),
        pytest.param("user/another", EMUSK, 403, id="another user's"),
        pytest.param("user/emusk/device/none", EMUSK, 404, id="no such device"),
        pytest.param("user/emusk/devices?max=all", EMUSK, 400, id="a limit that is no number"),
        pytest.param("clusterUser", {}, 400, id="no filter"),
        pytest.param("nothing", {}, 404, id="no such resource"),
    ],
)
async def test_uds_refusals(
    node: SimulatedNode, path: str, headers: dict[str, str], status: int
) -> None:
    async with (
        node,
        session() as http,
        http.get(url(node, "uds", f"/cucm-uds/{path}"), headers=headers) as answer,
    ):
        assert answer.status == status
        assert answer.headers["Server"] == ""
        if status == 401:
            assert answer.headers["WWW-Authenticate"] == 'Basic realm="Cisco Web Services Realm"'
            assert answer.headers["Cache-Control"] == "private"
            assert answer.headers["Expires"] == "Wed, 31 Dec 1969 19:00:00 EST"
            assert answer.headers["Content-Type"] == "text/html;charset=utf-8"
            assert b"Unauthorized" in await answer.read()


async def test_an_unknown_user_is_not_found_but_answered(node: SimulatedNode) -> None:
    path = "/cucm-uds/clusterUser?username=nobody"
    async with node, session() as http, http.get(url(node, "uds", path)) as answer:
        assert b'<result found="false" />' in await answer.read()


@pytest.mark.parametrize("service", ["tftp-https", "tftp-http"])
async def test_tftp_files(node: SimulatedNode, service: str) -> None:
    async with node, session() as http:
        async with http.get(url(node, service, "/CSFemusk.cnf.xml")) as answer:
            assert answer.status == 200
            assert ET.fromstring(await answer.read()).tag == "device"  # noqa: S314 - our own node
        async with http.get(url(node, service, "/CSFnobody.cnf.xml")) as answer:
            assert answer.status == 404


async def test_8443_is_rsa_and_6972_follows_the_client(node: SimulatedNode) -> None:
    async with node:
        for ciphers in (CIPHERS_ECDSA_FIRST, CIPHERS_RSA_FIRST):
            async with session(client(ciphers)) as http:
                await http.get(url(node, "uds", "/cucm-uds/version"))
                await http.get(url(node, "tftp-https", "/global-settings.xml"))
    assert [(record.service, record.certificate) for record in node.handshakes] == [
        ("uds", "tomcat"),
        ("tftp-https", "CallManager-ECDSA"),
        ("uds", "tomcat"),
        ("tftp-https", "CallManager"),
    ]


async def test_only_6972_asks_for_a_client_certificate(
    node: SimulatedNode, ca: Credential, tmp_path: Path
) -> None:
    own = ca.issue(CertificateFields(cn="vcsc.steven.lab"), key=KeyKind.EC_P256)
    context = client(own=own, folder=tmp_path)
    assert node.install_trust("CallManager-trust", (ca.certificate,)) == ("Cisco TFTP",)
    async with node, session(context) as http:
        await http.get(url(node, "uds", "/cucm-uds/version"))
        await http.get(url(node, "tftp-https", "/global-settings.xml"))
    assert [record.client_subject for record in node.handshakes] == [None, "CN=vcsc.steven.lab"]


async def test_a_missing_ca_in_callmanager_trust_ends_in_unknown_ca(
    node: SimulatedNode, ca: Credential, tmp_path: Path
) -> None:
    own = ca.issue(CertificateFields(cn="vcsc.steven.lab"), key=KeyKind.EC_P256)
    context = client(own=own, folder=tmp_path)
    async with node:
        address = url(node, "tftp-https", "/global-settings.xml")
        async with session(context) as http:
            with pytest.raises(aiohttp.ClientConnectorSSLError, match="UNKNOWN_CA"):
                await http.get(address)
        assert (await node.handshakes.entry(0)).client_subject == "CN=vcsc.steven.lab"
        # As on the product, adding the CA helps only after the restart.
        node.install_trust("CallManager-trust", (ca.certificate,))
        assert node.trust == {"CallManager-trust": (ca.certificate,)}
        async with session(context) as http:
            with pytest.raises(aiohttp.ClientConnectorSSLError, match="UNKNOWN_CA"):
                await http.get(address)
        await node.restart("Cisco TFTP")
        async with session(context) as http, http.get(address) as answer:
            assert answer.status == 200


async def test_requests_are_recorded_as_they_came(node: SimulatedNode) -> None:
    async with node, session() as http:
        await http.get(
            url(node, "uds", "/cucm-uds/user/emusk/devices?max=100"),
            headers={**EMUSK, "X-Case": "kept", "Trackingid": "6af9"},
        )
        record = await node.requests.entry(0)
        assert (record.service, record.method) == ("uds", "GET")
        assert record.target == "/cucm-uds/user/emusk/devices?max=100"
        assert ("X-Case", "kept") in record.headers
        assert record.header("TRACKINGID") == "6af9"
        assert record.header("none") is None
        assert record.peer == (await node.handshakes.entry(0)).peer
        await http.get(url(node, "uds", "/nowhere"))
        assert (await node.requests.entry(1)).target == "/nowhere"


async def test_connections_are_kept_alive(node: SimulatedNode) -> None:
    async with node, session() as http:
        for _ in range(3):
            async with http.get(url(node, "uds", "/cucm-uds/version")) as answer:
                await answer.read()
        assert (len(node.requests), len(node.handshakes)) == (3, 1)


async def test_a_new_certificate_is_served_after_the_restart(
    node: SimulatedNode, ca: Credential
) -> None:
    renewed = ca.issue(
        CertificateFields(cn="cucm-ms.steven.lab", dns=("cucm.steven.lab", "10.48.36.215"))
    )
    async with node:
        before = node.certificates["tomcat"]
        async with session() as http:
            await http.get(url(node, "uds", "/cucm-uds/version"))
            assert node.install("tomcat", renewed) == ("Cisco Tomcat",)
            assert node.certificates["tomcat"] is renewed
        async with session() as http:
            await http.get(url(node, "uds", "/cucm-uds/version"))
            await node.restart("Cisco Tomcat")
            # The kept connection went down with the service; the client makes another.
            await http.get(url(node, "uds", "/cucm-uds/version"))
        assert [record.presented for record in node.handshakes] == [
            before.presented,
            before.presented,
            renewed.presented,
        ]


async def test_https_ciphers_and_tls_versions_can_be_configured(node: SimulatedNode) -> None:
    async with node:
        changed = replace(
            node.service("uds"),
            https_ciphers=HttpsCiphers.EC_AND_RSA,
            max_tls=TlsVersion.TLS1_3,
            port=1,
        )
        assert node.configure(changed) == ("Cisco Tomcat",)
        assert node.service("uds").port == 0, "a port stays"
        await node.restart("Cisco Tomcat")
        async with session() as http:
            await http.get(url(node, "uds", "/cucm-uds/version"))
        record = await node.handshakes.entry(0)
        assert (record.version, record.certificate) == ("TLSv1.3", "tomcat-ECDSA")


async def test_a_restart_that_cannot_load_leaves_the_service_as_it_was(
    node: SimulatedNode,
) -> None:
    async with node:
        assert node.install("tomcat", None) == ("Cisco Tomcat",)
        with pytest.raises(LabError, match="one RSA and one EC"):
            await node.restart("Cisco Tomcat")
        async with session() as http, http.get(url(node, "uds", "/cucm-uds/version")) as answer:
            assert answer.status == 200


async def test_what_does_not_exist_is_named(node: SimulatedNode) -> None:
    with pytest.raises(LabError, match="no service 'sip'") as caught:
        node.endpoint("sip")
    assert caught.value.hint == "it has: uds, tftp-https, tftp-http"
    with pytest.raises(LabError, match="no 'Cisco Kitchen'") as caught:
        await node.restart("Cisco Kitchen")
    assert caught.value.hint == "it has: Cisco Tomcat, Cisco TFTP"
    one = cucm_services(CLUSTER)[:1]
    with pytest.raises(LabError, match="two services of one name"):
        SimulatedNode("cucm", "127.0.0.1", one * 2)


async def test_a_port_in_use_is_named_and_nothing_stays_open(
    node: SimulatedNode, tomcat: Credential
) -> None:
    async with node:
        port = node.endpoint("tftp-http").port
        services = cucm_services(CLUSTER, uds_port=0, tftp_https_port=0, tftp_http_port=port)
        certificates = {"tomcat": tomcat, "CallManager": tomcat}
        second = SimulatedNode("second", "127.0.0.1", services, certificates=certificates)
        with pytest.raises(LabError, match=f"tftp-http cannot listen on 127.0.0.1:{port}"):
            await second.__aenter__()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", second.endpoint("uds").port)


async def test_a_stopped_node_refuses_and_can_start_again(node: SimulatedNode) -> None:
    for _ in range(2):
        async with node, session() as http:
            await http.get(url(node, "uds", "/cucm-uds/version"))
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", node.endpoint("uds").port)


async def first_bytes(node: SimulatedNode, sent: bytes) -> bytes:
    """Send something to the UDS port and read what comes until the end."""
    endpoint = node.endpoint("uds")
    reader, writer = await asyncio.open_connection(endpoint.host, endpoint.port)
    try:
        writer.write(sent)
        return await reader.read()
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def test_sabotage_dead_and_back(node: SimulatedNode) -> None:
    async with node, session() as http:
        await http.get(url(node, "uds", "/cucm-uds/version"))
        await node.sabotage("uds", Sabotage.DEAD)
        await node.sabotage("uds", Sabotage.DEAD)
        endpoint = node.endpoint("uds")
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(endpoint.host, endpoint.port)
        await node.sabotage("uds", Sabotage.NONE)
        assert node.endpoint("uds") == endpoint
        async with http.get(url(node, "uds", "/cucm-uds/version")) as answer:
            assert answer.status == 200


async def test_sabotage_plain_http(node: SimulatedNode) -> None:
    async with node:
        await node.sabotage("uds", Sabotage.PLAIN_HTTP)
        assert (await first_bytes(node, b"\x16\x03\x01\x00\x05hello\r\n\r\n")).startswith(
            b"HTTP/1."
        )
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"http://{node.endpoint('uds')}/cucm-uds/version") as answer,
        ):
            assert answer.status == 200


async def test_sabotage_garbage_close_and_reset(node: SimulatedNode) -> None:
    async with node:
        await node.sabotage("uds", Sabotage.CLOSE)
        assert await first_bytes(node, b"\x16") == b""
        await node.sabotage("uds", Sabotage.RESET)
        with pytest.raises(ConnectionResetError):
            await first_bytes(node, b"\x16")
        await node.sabotage("uds", Sabotage.GARBAGE)
        endpoint = node.endpoint("uds")
        with pytest.raises(ssl.SSLError, match="WRONG_VERSION_NUMBER"):
            await asyncio.open_connection(endpoint.host, endpoint.port, ssl=client())
        assert len(node.handshakes) == 0


async def test_sabotage_silent_says_nothing_until_the_node_stops(node: SimulatedNode) -> None:
    async with node:
        await node.sabotage("uds", Sabotage.SILENT)
        endpoint = node.endpoint("uds")
        reader, writer = await asyncio.open_connection(endpoint.host, endpoint.port)
        writer.write(b"\x16")
        await writer.drain()
    with contextlib.suppress(ConnectionError):
        assert await reader.read() == b""
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


def custom(application: web.Application) -> tuple[Service, ...]:
    return (
        Service(
            name="uds",
            port=0,
            daemon="Cisco Tomcat",
            application=lambda: application,
            certificates=("tomcat",),
        ),
    )


async def test_large_bodies_both_ways_through_a_slow_handler(tomcat: Credential) -> None:
    body = bytes(range(256)) * 32_768
    read_on = asyncio.Event()

    async def echo(request: web.Request) -> web.StreamResponse:
        await read_on.wait()
        answer = web.StreamResponse()
        await answer.prepare(request)
        async for piece in request.content.iter_any():
            await answer.write(piece)
        return answer

    application = web.Application()
    application.router.add_post("/echo", echo)
    node = SimulatedNode("n", "127.0.0.1", custom(application), certificates={"tomcat": tomcat})

    async def post() -> bytes:
        async with http.post(url(node, "uds", "/echo"), data=io.BytesIO(body)) as answer:
            return await answer.read()

    async with node, session() as http, asyncio.TaskGroup() as group:
        posting = group.create_task(post())
        await node.requests.entry(0)
        read_on.set()
        assert await posting == body


async def test_a_slow_client_holds_the_handler_back(tomcat: Credential) -> None:
    stuck = asyncio.Event()
    block = bytes(65_536)

    async def flood(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        for _ in range(512):
            writing = asyncio.ensure_future(answer.write(block))
            await asyncio.sleep(0)
            if not writing.done():
                assert request.transport is not None
                assert request.transport.get_write_buffer_size() > len(block)
                stuck.set()
            await writing
        return answer

    application = web.Application()
    application.router.add_get("/", flood)
    node = SimulatedNode("n", "127.0.0.1", custom(application), certificates={"tomcat": tomcat})
    async with node, session() as http, http.get(url(node, "uds", "/")) as answer:
        await stuck.wait()
        assert len(await answer.read()) == 512 * len(block)


async def test_who_comes_in_the_moment_of_a_restart_is_reset(tomcat: Credential) -> None:
    stopping, go_on = asyncio.Event(), asyncio.Event()

    async def stop_slowly(_application: web.Application) -> None:
        stopping.set()
        await go_on.wait()

    def application() -> web.Application:
        made = web.Application()
        made.on_shutdown.append(stop_slowly)
        return made

    service = replace(custom(web.Application())[0], application=application)
    node = SimulatedNode("n", "127.0.0.1", (service,), certificates={"tomcat": tomcat})
    async with node, asyncio.TaskGroup() as group:
        group.create_task(node.restart("Cisco Tomcat"))
        await stopping.wait()
        with pytest.raises(ConnectionResetError):
            await first_bytes(node, b"\x16")
        go_on.set()


async def test_a_request_in_progress_does_not_hold_up_the_end(tomcat: Credential) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def endless(_request: web.Request) -> web.Response:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return web.Response()

    application = web.Application()
    application.router.add_get("/", endless)
    node = SimulatedNode("n", "127.0.0.1", custom(application), certificates={"tomcat": tomcat})
    async with session() as http:
        async with node:
            asking = asyncio.ensure_future(http.get(url(node, "uds", "/")))
            await begun.wait()
        await ended.wait()
        with pytest.raises(aiohttp.ClientError):
            await asking
