"""The log lines of each kind of transaction: which, in which order, and what they say."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.harness import (
    HOST,
    Origin,
    Proxy,
    kinds,
    ok,
    request,
    running,
    segment,
    settings_for,
    settle,
    target,
)

from mralab.config.releases import Release, VerifyMode
from mralab.config.settings import LogSettings, Timeouts
from mralab.trafficlog.records import (
    HttpErrorResponse,
    RequestAllowed,
    RequestDenied,
    RequestFailed,
    TransactionLine,
)

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

_SUCCESS = [
    "Receive Request",
    "RequestAllowed",
    "Send Request",
    "Receive Response",
    "Send Response",
]
_KEYS = {
    "time",
    "txn_id",
    "tracking_id",
    "client",
    "method",
    "target",
    "status",
    "reason",
    "detail",
    "attempts",
}
_ORIGIN_KEYS = {"domain", "scheme", "host", "port", "url"}
_INSPECTION_KEYS = {"address", "requested_server_name", "sni_sent", "names_tried", "faults"}
_CERTIFICATE_KEYS = {
    "subject",
    "issuer",
    "serial",
    "not_before",
    "not_after",
    "sans",
    "key",
    "signature",
    "sha256",
}


async def test_five_lines_for_a_request(proxy: Proxy, origin: Origin) -> None:
    origin.answer_all(ok(b"hello"))
    client = await proxy.connect()
    path = target(origin, "/cucm-uds/user/emusk/devices?max=100")
    for _ in range(3):
        client.send(
            request(
                b"GET",
                b"http://vcs_control.steven.lab:8443" + path,
                b"TrackingID: 6af9a674-9ebc-41ea-868e-90e7309a758c",
                b"Authorization: Basic ZW11c2s6c2VjcmV0",
            )
        )
        await client.answer()
    port = client.port
    await proxy.stop()
    records = proxy.records
    assert kinds(records) == _SUCCESS * 3
    for number in range(3):
        received, allowed, sent, answered, returned = records[number * 5 : number * 5 + 5]
        assert isinstance(received, TransactionLine)
        assert received.txn_id == number + 1
        assert received.tracking_id == "6af9a674-9ebc-41ea-868e-90e7309a758c"
        assert (received.ip, received.port) == ("127.0.0.1", port)
        assert received.msg == f"GET http://vcs_control.steven.lab:8443{path.decode()} HTTP/1.1"
        assert isinstance(allowed, RequestAllowed)
        assert (allowed.username, allowed.method, allowed.reason) == (
            "emusk",
            "GET",
            "In allow list",
        )
        base = f"{origin.scheme}://{HOST}:{origin.port}"
        assert allowed.request == f"{base}/cucm-uds/user/emusk/devices?max=100"
        assert (allowed.rule, allowed.match, allowed.kind) == ("", "prefix", "Allow list off")
        assert isinstance(sent, TransactionLine)
        assert sent.msg == "GET /cucm-uds/user/emusk/devices?max=100 HTTP/1.1"
        assert (sent.ip, sent.port) == ("127.0.0.1", origin.port)
        assert isinstance(answered, TransactionLine)
        assert (answered.ip, answered.port) == ("127.0.0.1", origin.port)
        assert isinstance(returned, TransactionLine)
        assert (returned.ip, returned.port) == ("127.0.0.1", port)
        for line in (sent, answered, returned):
            assert line.txn_id == number + 1
            assert line.level == "INFO"
        assert answered.msg == returned.msg == "HTTP/1.1 200 OK"


async def test_an_empty_phrase_keeps_its_blank(proxy: Proxy, plain: Origin) -> None:
    plain.answer_all(b"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n")
    client = await proxy.connect()
    client.send(request(b"GET", target(plain)))
    await client.answer()
    await proxy.stop()
    assert proxy.lines[-1].endswith('Msg="HTTP/1.1 200 "\n')


async def test_a_tracking_id_is_made_if_there_is_none(proxy: Proxy, plain: Origin) -> None:
    plain.answer_all(ok())
    client = await proxy.connect()
    for _ in range(2):
        client.send(request(b"GET", target(plain)))
        await client.answer()
    await proxy.stop()
    ids = [line.tracking_id for line in proxy.records if isinstance(line, TransactionLine)]
    assert len(set(ids)) == 2
    assert all(len(one) == 36 and one[14] == "4" for one in ids)


async def refused_lines(proxy: Proxy, data: bytes) -> list[Any]:
    client = await proxy.connect()
    client.send(data)
    await client.answer()
    await proxy.stop()
    return proxy.records


async def test_http_that_is_refused(proxy: Proxy) -> None:
    records = await refused_lines(proxy, b"GET /x HTTP/1.1\r\n\r\n")
    assert kinds(records) == ["RequestFailed", "Send Response", "HttpErrorResponse"]
    failed, returned, event = records
    assert isinstance(failed, RequestFailed)
    assert (failed.reason, failed.request) == ("no Host fields", "/x")
    assert returned.msg == "HTTP/1.1 400 Invalid HTTP Request"
    assert isinstance(event, HttpErrorResponse)
    assert (event.status, event.reason) == (400, "Invalid HTTP Request")
    assert event.port == returned.port == failed.port


async def test_a_route_that_does_not_decode(proxy: Proxy) -> None:
    records = await refused_lines(proxy, request(b"GET", b'/a"b/x'))
    assert kinds(records) == [
        "Receive Request",
        "RequestFailed",
        "Send Response",
        "HttpErrorResponse",
    ]
    assert isinstance(records[1], RequestFailed)
    assert records[1].request == '/a"b/x'
    assert "base64" in records[1].reason
    assert records[2].msg == "HTTP/1.1 400 Bad Request"


async def test_a_request_that_is_not_allowed(tmp_path: Path, ca_file: Path, plain: Origin) -> None:
    rules = tmp_path / "allow.csv"
    rules.write_text(
        "Url,Deployment,HttpMethods,MatchType,Description\n"
        f"http://{HOST}:{plain.port}/cucm-uds/,1,GET,prefix,Own rule\n"
    )
    plain.answer_all(ok())
    async with running(settings_for(tmp_path, ca_file, allow_list=rules)) as proxy:
        client = await proxy.connect()
        client.send(request(b"GET", target(plain, "/cucm-uds/x?y")))
        assert (await client.answer()).status == 200
        client.send(request(b"GET", target(plain, "/admin")))
        answer = await client.answer()
        assert (answer.status, answer.reason, answer.body) == (403, b"Forbidden", b"")
        assert answer.get(b"Connection") == b"close"
        await proxy.stop()
        assert plain.accepted == 1
        assert kinds(proxy.records) == [
            *_SUCCESS,
            "Receive Request",
            "RequestDenied",
            "Send Response",
            "HttpErrorResponse",
        ]
        allowed, denied = proxy.records[1], proxy.records[6]
        assert isinstance(allowed, RequestAllowed)
        assert allowed.kind == "Own rule"
        assert isinstance(denied, RequestDenied)
        assert denied.reason == "Not in allow list"
        assert [line["reason"] for line in proxy.transactions] == ["ok", "not-allowed"]


async def test_a_refused_port_has_no_send_request(proxy: Proxy) -> None:
    async with Origin() as origin:
        path = target(origin)
    records = await refused_lines(proxy, request(b"GET", path))
    assert kinds(records) == [
        "Receive Request",
        "RequestAllowed",
        "Send Response",
        "HttpErrorResponse",
    ]
    (line,) = proxy.transactions
    assert line["reason"] == "connect-refused"
    assert [attempt["reason"] for attempt in line["attempts"]] == ["connect-refused"] * 2
    assert set(line["attempts"][0]) == {"reason", "detail"}


async def test_a_name_that_does_not_resolve(proxy: Proxy, plain: Origin) -> None:
    path = target(plain, host="nowhere.invalid")
    records = await refused_lines(proxy, request(b"GET", path))
    assert kinds(records)[-2:] == ["Send Response", "HttpErrorResponse"]
    assert records[-2].msg == "HTTP/1.1 500 Cannot find server."
    (line,) = proxy.transactions
    assert (line["status"], line["reason"]) == (500, "name-not-resolved")
    assert "nowhere.invalid" in line["detail"]


async def test_one_send_request_for_each_attempt(proxy: Proxy, plain: Origin) -> None:
    client = await proxy.connect()
    client.send(request(b"GET", target(plain)))
    for _ in range(2):
        peer = await plain.accept()
        await peer.head()
        peer.close()
    assert (await client.answer()).status == 502
    await proxy.stop()
    assert kinds(proxy.records) == [
        "Receive Request",
        "RequestAllowed",
        "Send Request",
        "Send Request",
        "Send Response",
        "HttpErrorResponse",
    ]
    (line,) = proxy.transactions
    assert [attempt["reason"] for attempt in line["attempts"]] == ["no-response"] * 2


async def test_a_client_that_leaves(proxy: Proxy, plain: Origin) -> None:
    client = await proxy.connect()
    client.send(request(b"GET", target(plain)))
    peer = await plain.accept()
    await peer.head()
    client.reset()
    await peer.ending()
    await settle()
    await proxy.stop()
    assert kinds(proxy.records) == _SUCCESS[:3]
    (line,) = proxy.transactions
    assert (line["status"], line["reason"]) == (None, "client-gone")


async def test_json_of_a_success(proxy: Proxy, origin: Origin) -> None:
    origin.answer_all(ok())
    client = await proxy.connect()
    path = target(origin, "/cucm-uds/x?y=1")
    client.send(request(b"GET", path, b"TrackingID: abc"))
    await client.answer()
    port = client.port
    await proxy.stop()
    (line,) = proxy.transactions
    assert set(line) == _KEYS | {"origin"}
    assert datetime.fromisoformat(line.pop("time")).tzinfo is not None
    assert line == {
        "txn_id": 1,
        "tracking_id": "abc",
        "client": f"127.0.0.1:{port}",
        "method": "GET",
        "target": path.decode(),
        "status": 200,
        "reason": "ok",
        "detail": "",
        "origin": {
            "domain": "steven.lab",
            "scheme": origin.scheme,
            "host": HOST,
            "port": origin.port,
            "url": f"{origin.scheme}://{HOST}:{origin.port}/cucm-uds/x?y=1",
        },
        "attempts": [],
    }


@pytest.mark.parametrize("mode", [VerifyMode.ENFORCED, VerifyMode.PERMISSIVE])
async def test_json_of_a_verdict(
    tmp_path: Path, ca_file: Path, tls12: ssl.SSLContext, mode: VerifyMode
) -> None:
    settings = settings_for(tmp_path, ca_file, verify_origin_server=mode)
    async with Origin(tls12) as origin, running(settings) as proxy:
        origin.answer_all(ok())
        client = await proxy.connect()
        for _ in range(2):
            client.send(request(b"GET", target(origin, host="other.steven.lab")))
            await client.answer()
        await proxy.stop()
        lines = proxy.transactions
    for line in lines:
        assert set(line) - {"let_pass"} == _KEYS | {"origin"}
        assert set(line["origin"]) == _ORIGIN_KEYS
    if mode is VerifyMode.ENFORCED:
        assert [line["reason"] for line in lines] == ["name-refused"] * 2
        found = [attempt for line in lines for attempt in line["attempts"]]
        assert len(found) == 4
        assert all(attempt["reason"] == "name-refused" for attempt in found)
    else:
        assert [line["reason"] for line in lines] == ["ok"] * 2
        assert "let_pass" not in lines[1]  # verified once, when the connection was made
        found = [lines[0]["let_pass"]]
    for inspection in found:
        assert set(inspection) >= _INSPECTION_KEYS
        assert inspection["requested_server_name"] == "other.steven.lab"
        assert inspection["sni_sent"] is True
        assert inspection["names_tried"]
        (fault,) = inspection["faults"]
        assert set(fault) == {"reason", "code", "text", "depth", "certificate"}
        assert set(fault["certificate"]) == _CERTIFICATE_KEYS
        assert fault["certificate"]["subject"] == "CN=cucm-ms.steven.lab"


async def test_debug_twins_conceal(tmp_path: Path, ca_file: Path, plain: Origin) -> None:
    settings = settings_for(tmp_path, ca_file)
    settings = replace(settings, log=replace(settings.log, debug=True))
    plain.answer_all(ok(b"body is never logged", b"Set-Cookie: s3cret", b"X-Seen: 1"))
    async with running(settings) as proxy:
        client = await proxy.connect()
        client.send(
            request(
                b"POST",
                target(plain),
                b"Authorization: Basic s3cret",
                b"Cookie: s3cret",
                b"Proxy-Authorization: s3cret",
                b"X-Seen: \xe9",
                body=b"",
            )
        )
        await client.answer()
        await proxy.stop()
        records = proxy.records
        text = "".join(proxy.lines)
    assert kinds(records) == [
        "Receive Request",
        "Receive Request",
        "RequestAllowed",
        "Send Request",
        "Send Request",
        "Receive Response",
        "Send Response",
        "Receive Response",
        "Send Response",
    ]
    assert "s3cret" not in text
    assert "body is never logged" not in text
    assert text.count("<CONCEALED>") == 3 + 2 + 2  # as received, as sent, twice the answer's
    twins = [one for one in records if isinstance(one, TransactionLine) and one.level == "DEBUG"]
    received, sent, answered, returned = (one.message for one in twins)
    assert received is not None
    assert sent is not None
    assert answered is not None
    assert answered == returned
    assert received.start_line.startswith("POST /")
    assert received.get("Proxy-Authorization") == "<CONCEALED>"
    assert sent.start_line == "POST /cucm-uds/version HTTP/1.1"
    assert sent.get("Host") == f"{HOST}:{plain.port}"
    assert sent.get("Proxy-Authorization") is None
    assert answered.get("X-Seen") == "1"


@pytest.mark.parametrize(("debug", "errors"), [(False, 0), (True, 1)])
async def test_et_net_errors_of_ats_need_debugging(
    tmp_path: Path, ca_file: Path, tls12: ssl.SSLContext, debug: bool, errors: int
) -> None:
    settings = settings_for(
        tmp_path,
        ca_file,
        release=Release.ATS,
        retries=0,
        log=LogSettings(event_log=tmp_path / "event.log", debug=debug),
    )
    async with Origin(tls12) as origin, running(settings) as proxy:
        client = await proxy.connect()
        client.send(request(b"GET", target(origin, host="other.steven.lab")))
        answer = await client.answer()
        assert (answer.status, answer.reason) == (502, b"")
        await proxy.stop()
        text = "".join(proxy.lines)
    assert text.count("[ET_NET 0] WARNING: SNI (other.steven.lab) not in certificate") == 1
    assert text.count("[ET_NET 0] ERROR: SSL connection failed for 'other.steven.lab'") == errors


async def test_what_comes_from_outside_stays_in_its_quotes(proxy: Proxy, plain: Origin) -> None:
    plain.answer_all(b'HTTP/1.1 200 a"b\\c\r\nContent-Length: 0\r\n\r\n')
    client = await proxy.connect()
    path = target(plain, '/"?\\') + b'" Detail="x'.replace(b" ", b"%20")
    client.send(
        request(
            b"GET",
            path,
            b'TrackingID: "1\xff',
            b"Authorization: Basic ImV2aWw6cA==",
        )
    )
    await client.answer()
    await proxy.stop()
    records = proxy.records
    assert kinds(records) == _SUCCESS
    received, allowed = records[:2]
    assert isinstance(received, TransactionLine)
    assert received.msg == f"GET {path.decode()} HTTP/1.1"
    assert received.tracking_id == '"1\xff'
    assert isinstance(allowed, RequestAllowed)
    assert allowed.username == '"evil'


@pytest.mark.parametrize(
    ("field", "username"),
    [
        (b"Basic !!!", ""),
        (b"Basic", ""),
        (b"Bearer ZW11c2s6eA==", ""),
        (b"basic ZW11c2s6eA==", "emusk"),
        (b"Basic  ZW11c2s= ", "emusk"),
        (b"Basic /w==", "\ufffd"),
    ],
)
async def test_usernames(proxy: Proxy, plain: Origin, field: bytes, username: str) -> None:
    plain.answer_all(ok())
    client = await proxy.connect()
    client.send(request(b"GET", target(plain), b"Authorization: " + field))
    await client.answer()
    await proxy.stop()
    allowed = proxy.records[1]
    assert isinstance(allowed, RequestAllowed)
    assert allowed.username == username


async def test_lab_reason(tmp_path: Path, ca_file: Path, tls12: ssl.SSLContext) -> None:
    async with (
        Origin(tls12) as origin,
        running(settings_for(tmp_path, ca_file, x_lab_reason=True)) as proxy,
    ):
        client = await proxy.connect()
        client.send(request(b"GET", target(origin, host="other.steven.lab")))
        reason = (await client.answer()).get(b"X-Lab-Reason") or b""
        assert reason.startswith(b"name-refused; ")
        assert b"other.steven.lab" in reason


async def test_lines_reach_the_file_soon(proxy: Proxy, plain: Origin) -> None:
    plain.answer_all(ok())
    client = await proxy.connect()
    client.send(request(b"GET", target(plain)))
    await client.answer()
    while proxy.server.status()["log_lines_written"] != 5:
        await settle()
    assert len(proxy.lines) == 5


async def test_logs_can_be_moved_away(proxy: Proxy, plain: Origin) -> None:
    plain.answer_all(ok())
    client = await proxy.connect()
    path = proxy.settings.log.event_log
    assert path is not None
    client.send(request(b"GET", target(plain)))
    await client.answer()
    path.rename(path.with_suffix(".1"))
    proxy.server.reopen_logs()
    client.send(request(b"GET", target(plain)))
    await client.answer()
    await proxy.stop()
    assert len(path.with_suffix(".1").read_text().splitlines()) == 5
    assert len(proxy.lines) == 5


async def test_json_is_one_object_per_line_in_order(proxy: Proxy, plain: Origin) -> None:
    plain.answer_all(ok())
    client = await proxy.connect()
    client.send(request(b"GET", target(plain)) * 20)
    for _ in range(20):
        await client.answer()
    await proxy.stop()
    path = proxy.settings.log.json_log
    assert path is not None
    lines = [json.loads(line) for line in path.read_text("ascii").splitlines()]
    assert [line["txn_id"] for line in lines] == list(range(1, 21))


async def test_silence_in_the_handshake_is_not_a_line(
    tmp_path: Path, ca_file: Path, plain: Origin
) -> None:
    timeouts = Timeouts(connect_timeout_s=0.05)
    async with running(settings_for(tmp_path, ca_file, timeouts=timeouts)) as proxy:
        client = await proxy.connect()
        client.send(request(b"GET", f"/{segment(plain, scheme='https')}/x".encode()))
        assert (await client.answer()).status == 502
        await proxy.stop()
        assert kinds(proxy.records) == [
            "Receive Request",
            "RequestAllowed",
            "Send Request",
            "Send Request",
            "Send Response",
            "HttpErrorResponse",
        ]
        (line,) = proxy.transactions
        assert line["reason"] == "connect-timeout"
