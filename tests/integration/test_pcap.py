"""A capture of a proxy at work, read by tshark: both legs, decrypted, nothing to complain of.

One proxy run for all, on each event loop. What stands in the capture is compared with what client
and origins saw; the sequence of a refused handshake with that of Cisco 218018's capture.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import pytest
import uvloop
from tests.integration.conftest import NOW
from tests.integration.harness import (
    DOMAIN,
    HOST,
    PATIENCE_S,
    Cut,
    Origin,
    Stream,
    TlsStream,
    ok,
    request,
    running,
    server_context,
    settings_for,
    settle,
    target,
)
from tests.trafficlog.pcapreader import FIN, RST, Follower, conversations, read

from mralab.config.releases import Release
from mralab.errors import ConfigError
from mralab.lab.pki import CertificateFields, KeyKind, self_signed
from mralab.proxy.server import ProxyServer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mralab.lab.pki import Credential, KeyCache

#: With CI set there is no skipping: the tests fail where tshark is missing.
WITH_TSHARK: Final = shutil.which("tshark") is not None or "CI" in os.environ
needs_tshark = pytest.mark.skipif(not WITH_TSHARK, reason="tshark is missing: make setup-system")
SIX: Final = f"six.{DOMAIN}"
LARGE: Final = 60_000_000  # more than the kernel's buffers hold
BODY: Final = bytes(range(256)) * 391  # 100 KB
CLIENT_HELLO, CERTIFICATE = "1", "11"
FIELDS: Final = (
    "frame.interface_name",
    "frame.packet_flags_direction",
    "tcp.stream",
    "tcp.srcport",
    "tcp.dstport",
    "tcp.len",
    "tcp.flags.reset",
    "tcp.analysis.flags",
    "tcp.checksum.status",
    "ip.checksum.status",
    "ipv6.src",
    "_ws.malformed",
    "tls.handshake.type",
    "tls.alert_message.level",
    "tls.alert_message.desc",
    "http.request.full_uri",
    "http.request.uri",
    "http.response.code",
    "http.response.phrase",
    "http.content_length",
    "x509ce.dNSName",
)
Row = dict[str, str]


def tshark(path: Path, *options: str) -> list[Row]:
    """Return the fields of each frame; those a frame has several of stand with commas between."""
    checks = ("-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE")
    shown = ("-T", "fields", "-E", "separator=/t", "-E", "occurrence=a", "-E", "aggregator=,")
    names = [word for name in FIELDS for word in ("-e", name)]
    result = subprocess.run(
        ["tshark", "-n", "-r", str(path), *checks, *options, *shown, *names],
        capture_output=True,
        text=True,
        check=True,
        timeout=15,
    )
    lines = result.stdout.splitlines()
    return [dict(zip(FIELDS, line.split("\t"), strict=True)) for line in lines]


@dataclass(slots=True)
class Seen:
    """A capture and what client and origins know of it."""

    path: Path
    keylog: Path
    ports: dict[str, int]  #: by origin; "proxy" is the proxy's own
    statuses: list[int]  #: what the client was answered, in order
    sizes: dict[str, int]  #: bytes that TLS origins received, and the client; by name
    rows: list[Row]  #: tshark's view; empty without it

    def of(self, name: str) -> list[Row]:
        """The frames of one origin, or of the client leg."""
        port = str(self.ports[name])
        return [row for row in self.rows if port in (row["tcp.srcport"], row["tcp.dstport"])]


def sent(row: Row) -> bool:
    """Whether the proxy wrote this frame."""
    return row["frame.packet_flags_direction"] in ("2", "0x00000002")


async def _answer_and_cut(stream: Stream) -> None:
    await stream.head()
    stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello")
    await settle()
    stream.reset()


def _raw_size(origin: Origin) -> int:
    """Count the bytes that a TLS origin received."""
    return sum(len(one.raw_in) for one in origin.streams if isinstance(one, TlsStream))


async def _play(folder: Path, ca: Path, credentials: dict[str, Credential]) -> Seen:
    """Run a proxy and send it one request after the other."""
    settings = settings_for(folder, ca, keylog=folder / "keys.log", pcap=folder / "lab.pcapng")
    (folder / "hosts").write_text(f"127.0.0.1 {HOST}\n::1 {SIX}\n")
    contexts = {name: server_context(one, folder=folder) for name, one in credentials.items()}
    statuses = []
    async with (
        Origin(contexts["good"]) as good,
        Origin(contexts["untrusted"]) as untrusted,
        Origin(contexts["misnamed"]) as misnamed,
        Origin(host="::1") as six,
        Origin() as cutting,
        running(settings) as proxy,
    ):
        good.answer_all(ok(BODY))
        six.answer_all(ok(b"six"))
        cutting.serve(_answer_and_cut)
        client = await proxy.connect()

        async def ask(*paths: bytes) -> None:
            client.send(b"".join(request(b"GET", path) for path in paths))
            for _ in paths:
                answer = await client.answer()
                statuses.append(answer.status)

        await ask(target(untrusted))
        await ask(target(misnamed))
        await ask(target(good, "/first"), target(good, "/second"))
        await ask(target(six, host=SIX))
        await proxy.server.apply(replace(settings, release=Release.X15_5))
        await ask(target(good, "/third"))
        received = len(client.received)
        client.half_close()
        assert await client.ending() == "eof"
        unlucky = await proxy.connect()
        unlucky.send(request(b"GET", target(cutting)))
        with pytest.raises(Cut, match="reset"):
            await unlucky.answer()
        hasty = await proxy.connect()
        hasty.send(b"GET /")
        await settle()
        hasty.reset()
        async with asyncio.timeout(PATIENCE_S):
            while proxy.server.clients:
                await settle()
        origins = {
            "good": good,
            "untrusted": untrusted,
            "misnamed": misnamed,
            "six": six,
            "cutting": cutting,
        }
        ports = {name: origin.port for name, origin in origins.items()}
        ports["proxy"] = proxy.server.endpoint.port
        await proxy.stop()
        sizes = {name: _raw_size(origins[name]) for name in credentials}
    assert settings.pcap is not None
    assert settings.keylog is not None
    return Seen(settings.pcap, settings.keylog, ports, statuses, {**sizes, "client": received}, [])


@pytest.fixture(scope="session")
def credentials(ca: Credential, leaf: Credential, keys: KeyCache) -> dict[str, Credential]:
    """A node that is trusted, one that is not, and one of another name."""
    key = keys.get("leaf", KeyKind.EC_P256)
    return {
        "good": leaf,
        "untrusted": self_signed(CertificateFields(cn=HOST, dns=(HOST,)), now=NOW, key=key),
        "misnamed": ca.issue(CertificateFields(cn="other", dns=("other.example",)), key=key),
    }


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def seen(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    ca_file: Path,
    credentials: dict[str, Credential],
) -> Seen:
    """A run in which each kind of connection occurs."""
    factory: Callable[[], asyncio.AbstractEventLoop] | None = (
        uvloop.new_event_loop if request.param == "uvloop" else None
    )
    folder = tmp_path_factory.mktemp("pcap")
    with asyncio.Runner(loop_factory=factory) as runner:
        seen = runner.run(_play(folder, ca_file, credentials))
    if WITH_TSHARK:
        seen.rows = tshark(seen.path)
    return seen


@needs_tshark
def test_tshark_has_nothing_to_complain_of(seen: Seen) -> None:
    assert seen.statuses == [502, 502, 200, 200, 200, 200]
    assert len(seen.rows) == len(read(seen.path.read_bytes()).frames) > 100
    for row in seen.rows:
        assert row["_ws.malformed"] == ""
        assert row["tcp.analysis.flags"] == ""
        assert row["tcp.checksum.status"] == "1", row
        assert row["ip.checksum.status"] == ("" if row["ipv6.src"] else "1"), row


@needs_tshark
@pytest.mark.parametrize(
    ("origin", "alert"),
    [
        pytest.param("untrusted", "48", id="an untrusted node gets unknown_ca"),
        pytest.param("misnamed", "80", id="a node of another name gets internal_error"),
    ],
)
def test_a_refused_handshake_shows_as_in_the_document(seen: Seen, origin: str, alert: str) -> None:
    """Client Hello, Certificate, fatal alert, twice: Cisco 218018's capture."""
    attempts: dict[str, list[tuple[bool, str]]] = {}
    for row in seen.of(origin):
        assert row["frame.interface_name"] == "origin leg"
        steps = attempts.setdefault(row["tcp.stream"], [])
        handshake = row["tls.handshake.type"].split(",")
        steps += [(sent(row), kind) for kind in (CLIENT_HELLO, CERTIFICATE) if kind in handshake]
        if row["tls.alert_message.level"]:
            level, description = row["tls.alert_message.level"], row["tls.alert_message.desc"]
            steps.append((sent(row), f"alert {level} {description}"))
    steps = [(True, CLIENT_HELLO), (False, CERTIFICATE), (True, f"alert 2 {alert}")]
    assert list(attempts.values()) == [steps, steps]


@needs_tshark
def test_the_refused_nodes_certificate_can_be_read(seen: Seen) -> None:
    names = {row["x509ce.dNSName"] for row in seen.of("misnamed")} - {""}
    assert names == {"other.example"}


@needs_tshark
def test_the_client_leg_shows_requests_and_answers_in_clear(seen: Seen) -> None:
    rows = [row for row in seen.of("proxy") if row["frame.interface_name"] == "client leg"]
    assert rows == seen.of("proxy")
    first, *others = dict.fromkeys(row["tcp.stream"] for row in rows)
    answers = [
        f"{row['http.response.code']} {row['http.response.phrase']}"
        for row in rows
        if row["http.response.code"] and row["tcp.stream"] == first and sent(row)
    ]
    assert answers == 2 * ["502 connect failed"] + 4 * ["200 OK"]
    assert len(others) == 2
    (pipelined,) = [row for row in rows if row["http.request.uri"].count(",") == 1]
    one, two = pipelined["http.request.uri"].split(",")
    assert one.endswith("/first")
    assert two.endswith("/second")


@needs_tshark
def test_tls_1_2_and_1_3_are_decrypted_by_the_keys_in_the_file(seen: Seen) -> None:
    streams: dict[str, list[Row]] = {}
    for row in seen.of("good"):
        streams.setdefault(row["tcp.stream"], []).append(row)
    requests = [
        [row["http.request.uri"] for row in rows if row["http.request.uri"] and sent(row)]
        for rows in streams.values()
    ]
    assert requests == [["/first", "/second"], ["/third"]]
    for rows, answers in zip(streams.values(), requests, strict=True):
        bodies = [row["http.content_length"] for row in rows if row["http.response.code"] == "200"]
        assert bodies == [str(len(BODY))] * len(answers)
    second = list(streams.values())[1]
    finished = [row for row in second if "20" in row["tls.handshake.type"].split(",")]
    assert CERTIFICATE in finished[0]["tls.handshake.type"].split(","), "1.3: certificate inside"


@needs_tshark
def test_the_key_log_opens_the_capture_too(seen: Seen, tmp_path: Path) -> None:
    bare = tmp_path / "bare.pcapng"
    subprocess.run(
        ["editcap", "--discard-all-secrets", str(seen.path), str(bare)], check=True, timeout=15
    )
    ports = ("-Y", f"tcp.port == {seen.ports['good']} && http.request")
    assert tshark(bare, *ports) == []
    opened = tshark(bare, *ports, "-o", f"tls.keylog_file:{seen.keylog}")
    assert [row["http.request.uri"] for row in opened] == ["/first", "/second", "/third"]


@needs_tshark
def test_a_leg_over_ipv6(seen: Seen) -> None:
    rows = seen.of("six")
    assert {row["ipv6.src"] for row in rows} == {"::1"}
    assert [row["http.response.code"] for row in rows if row["http.response.code"]] == ["200"]


@needs_tshark
def test_every_byte_that_an_origin_or_the_client_received_is_there(seen: Seen) -> None:
    def written(name: str) -> int:
        return sum(int(row["tcp.len"]) for row in seen.of(name) if sent(row))

    for name in ("good", "untrusted", "misnamed"):
        assert written(name) == seen.sizes[name]
    (first, *_) = dict.fromkeys(row["tcp.stream"] for row in seen.of("proxy"))
    to_client = [row for row in seen.of("proxy") if row["tcp.stream"] == first and sent(row)]
    assert sum(int(row["tcp.len"]) for row in to_client) == seen.sizes["client"]


# ---- the rest needs no tshark


def test_how_connections_ended_is_how_they_end_in_the_capture(seen: Seen) -> None:
    capture = read(seen.path.read_bytes())
    endings: dict[int, list[list[str]]] = {}
    for frames in conversations(capture):
        follower = Follower()
        for frame in frames:
            follower.take(frame.segment)
        port = frames[0].segment.destination[1]
        endings.setdefault(port, []).append(
            [
                ("sent " if frame.written else "read ") + name
                for frame in frames
                for flag, name in ((FIN, "FIN"), (RST, "RST"))
                if frame.segment.flags & flag
            ]
        )
    assert endings[seen.ports["proxy"]] == [["read FIN", "sent FIN"], ["sent RST"], ["read RST"]]
    assert endings[seen.ports["cutting"]] == [["read RST"]]
    assert endings[seen.ports["untrusted"]] == [["sent FIN"]] * 2
    assert endings[seen.ports["good"]] == [["sent FIN"]] * 2


def test_time_never_runs_backwards_and_secrets_come_before_their_records(seen: Seen) -> None:
    capture = read(seen.path.read_bytes())
    times = [frame.time_ns for frame in capture.frames]
    assert times == sorted(times)
    assert capture.secrets == [
        line + b"\n" for line in seen.keylog.read_bytes().splitlines() if line
    ]
    assert seen.path.stat().st_mode & 0o777 == 0o600


async def test_without_the_flag_no_connection_is_tapped(tmp_path: Path, ca_file: Path) -> None:
    async with Origin() as origin, running(settings_for(tmp_path, ca_file)) as proxy:
        origin.answer_all(ok())
        client = await proxy.connect()
        client.send(request(b"GET", target(origin)))
        await client.answer()
        (connection,) = proxy.server.clients
        transport: Any = connection._transport
        assert transport.get_protocol() is connection
        assert proxy.server.connect is None


async def test_without_a_key_log_there_are_no_keys_in_the_capture(
    tmp_path: Path, ca_file: Path, leaf: Credential
) -> None:
    settings = settings_for(tmp_path, ca_file, pcap=tmp_path / "lab.pcapng")
    context = server_context(leaf, folder=tmp_path)
    async with Origin(context) as origin, running(settings) as proxy:
        origin.answer_all(ok())
        client = await proxy.connect()
        client.send(request(b"GET", target(origin)))
        assert (await client.answer()).status == 200
        await proxy.stop()
    capture = read((tmp_path / "lab.pcapng").read_bytes())
    assert capture.secrets == []
    assert {frame.interface for frame in capture.frames} == {"client leg", "origin leg"}


async def test_a_client_that_leaves_ends_the_origins_connection_in_the_capture(
    tmp_path: Path, ca_file: Path, plain: Origin
) -> None:
    settings = settings_for(tmp_path, ca_file, pcap=tmp_path / "lab.pcapng")
    async with running(settings) as proxy:
        client = await proxy.connect()
        client.send(request(b"GET", target(plain)))
        stream = await plain.accept()
        await stream.head()
        client.reset()
        assert await stream.ending() == "eof"
        await proxy.stop()
    capture = read((tmp_path / "lab.pcapng").read_bytes())
    (last,) = [one[-1] for one in conversations(capture) if one[0].interface == "origin leg"]
    assert (last.written, last.segment.flags & (FIN | RST)) == (True, FIN)


async def flood(stream: Stream, piece: bytes, size: int) -> None:
    """Send ``size`` bytes, or as many as the other side takes before it stops reading."""
    while size > 0:
        stream.send(piece)
        size -= len(piece)
        waiting = -1
        while stream.waiting and stream.waiting != waiting:  # it still moves
            waiting = stream.waiting
            await settle(50)
        if stream.waiting:
            return


async def test_a_slow_reader_holds_the_other_side_of_a_captured_proxy_too(
    tmp_path: Path, ca_file: Path, plain: Origin
) -> None:
    settings = settings_for(tmp_path, ca_file, pcap=tmp_path / "lab.pcapng")
    async with running(settings) as proxy:
        client = await proxy.connect()
        client.stop_reading()
        client.send(request(b"GET", target(plain)))
        peer = await plain.accept()
        await peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LARGE)
        await flood(peer, bytes(200_000), LARGE)
        assert peer.waiting, "the proxy has stopped reading"
        client.start_reading()
        await asyncio.gather(peer.sent(), client.skip(1_000_000))

        sender = await proxy.connect()
        sender.send(request(b"POST", target(plain), b"Content-Length: %d" % LARGE))
        peer = await plain.accept()
        await peer.head()
        peer.stop_reading()
        await flood(sender, bytes(200_000), LARGE)
        assert sender.waiting, "the proxy has stopped reading"
        peer.start_reading()
        await asyncio.gather(sender.sent(), peer.skip(1_000_000))


async def test_a_tunnel_is_captured_to_the_end_of_either_side(
    tmp_path: Path, ca_file: Path, plain: Origin
) -> None:
    settings = settings_for(tmp_path, ca_file, pcap=tmp_path / "lab.pcapng")
    async with running(settings) as proxy:
        client = await proxy.connect()
        client.send(request(b"GET", target(plain), b"Connection: upgrade", b"Upgrade: websocket"))
        peer = await plain.accept()
        await peer.head()
        upgrade = b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n"
        peer.send(b"HTTP/1.1 101 Switching Protocols\r\n" + upgrade + b"from the origin")
        await client.until(b"from the origin")
        client.send(b"from the client")
        client.half_close()
        await peer.until(b"from the client")
        assert await peer.ending() == "eof"
        peer.send(b"last words")
        await client.until(b"last words")
        peer.half_close()
        assert await client.ending() == "eof"
        await proxy.stop()
    capture = read((tmp_path / "lab.pcapng").read_bytes())
    for frames in conversations(capture):
        follower = Follower()
        for frame in frames:
            follower.take(frame.segment)
        assert len(follower.ended) == 2
        from_client, from_origin = follower.carried.values()  # who opens speaks first
        assert from_client.endswith(b"from the client")
        assert from_origin.endswith(b"last words")


async def test_a_reload_that_reopens_the_logs_begins_a_new_capture(
    tmp_path: Path, ca_file: Path
) -> None:
    path, moved = tmp_path / "lab.pcapng", tmp_path / "old.pcapng"
    async with running(settings_for(tmp_path, ca_file, pcap=path)) as proxy:
        client = await proxy.connect()
        client.send(request(b"GET", b"/nowhere/x"))
        await client.answer()
        path.rename(moved)
        proxy.server.reopen_logs()
        client = await proxy.connect()
        client.send(request(b"GET", b"/nowhere/y"))
        await client.answer()
        proxy.server.sync_logs()
        old, new = read(moved.read_bytes()), read(path.read_bytes())
    carried = [b"".join(frame.segment.payload for frame in one.frames) for one in (old, new)]
    assert (b"/nowhere/x" in carried[0], b"/nowhere/y" in carried[0]) == (True, False)
    assert (b"/nowhere/x" in carried[1], b"/nowhere/y" in carried[1]) == (False, True)


def captures_in(folder: Path) -> list[str]:
    return [path.name for path in folder.glob("*.pcapng")]


async def test_a_worker_among_several_writes_a_file_of_its_own(
    tmp_path: Path, ca_file: Path
) -> None:
    settings = settings_for(tmp_path, ca_file, pcap=tmp_path / "lab.pcapng", workers=2)
    server = ProxyServer(settings, worker=1, workers=2)
    await server.start()
    await server.stop(0.0)
    assert captures_in(tmp_path) == ["lab.1.pcapng"]


async def test_a_capture_that_cannot_be_written_stops_the_start(
    tmp_path: Path, ca_file: Path
) -> None:
    path = tmp_path / "lab.pcapng"
    path.write_text("something else")
    with pytest.raises(ConfigError, match="holds something else than a pcapng file"):
        await ProxyServer(settings_for(tmp_path, ca_file, pcap=path)).start()
