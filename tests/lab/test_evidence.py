"""Evidence: what is kept is bounded, and what stands in the logs goes to whom it belongs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from mralab.lab.evidence import EvidenceIndex
from mralab.trafficlog import render

if TYPE_CHECKING:
    from pathlib import Path

STAMP = render.make_stamp(1_700_000_000_000, hostname="vcsc", pid=1, offset_minutes=0)
DST = render.dst_fields("10.48.36.215", 6972)


class Logs:
    """Both logs of a proxy, written by hand."""

    def __init__(self, folder: Path) -> None:
        self.event, self.json = folder / "event.log", folder / "event.json"

    def index(self, keep: int = 100) -> EvidenceIndex:
        return EvidenceIndex(event_log=self.event, json_log=self.json, keep=keep)

    def line(self, text: str) -> None:
        with self.event.open("a") as file:
            file.write(text)

    def sent(self, number: int) -> None:
        tag = render.tag_fields(number, f"id-{number}")
        self.line(render.send_request(STAMP, tag, DST, "GET / HTTP/1.1"))

    def answered(self, number: int) -> None:
        tag = render.tag_fields(number, f"id-{number}")
        self.line(render.send_response(STAMP, tag, DST, "HTTP/1.1 502 connect failed"))

    def refused(self, *, depth: int = 0, error: str = "self signed certificate") -> None:
        self.line(
            render.core_verification_failed(
                STAMP,
                thread=0,
                name="cucm",
                action="Terminate",
                error=error,
                server="cucm",
                ip="10.48.36.215",
                depth=depth,
            )
        )
        self.line(render.ssl_connection_failed(STAMP, thread=0, name="cucm", error="failed"))

    def ended(self, number: int, *attempts: dict[str, Any]) -> None:
        record = {
            "txn_id": number,
            "tracking_id": f"id-{number}",
            "attempts": list(attempts),
            "reason": "chain-refused" if attempts else "ok",
        }
        with self.json.open("a") as file:
            file.write(json.dumps(record) + "\n")


def attempt(*, depth: int = 0, text: str = "self signed certificate") -> dict[str, Any]:
    fault = {"reason": "chain-refused", "depth": depth, "text": text}
    return {
        "reason": "chain-refused",
        "address": "10.48.36.215",
        "requested_server_name": "cucm",
        "faults": [fault],
    }


@pytest.fixture
def logs(tmp_path: Path) -> Logs:
    return Logs(tmp_path)


def layers(index: EvidenceIndex, number: int) -> list[str]:
    (found,) = index.of(f"id-{number}")
    return [line for line in found.log_lines if "[ET_NET" in line]


def test_refusals_side_by_side_are_shared_out(logs: Logs) -> None:
    """The second one fails first, and again, before the first one has failed at all."""
    index = logs.index()
    logs.sent(1)
    logs.sent(2)
    logs.refused()
    logs.sent(2)
    logs.refused()
    logs.answered(2)
    logs.ended(2, attempt(), attempt())
    logs.refused()
    logs.sent(1)
    logs.refused()
    logs.answered(1)
    logs.ended(1, attempt(), attempt())
    index.read()
    assert len(layers(index, 1)) == 4
    assert len(layers(index, 2)) == 4
    for number in (1, 2):
        (found,) = index.of(f"id-{number}")
        assert "Send Response" in found.log_lines[-1]


def test_lines_go_to_whom_they_are_about(logs: Logs) -> None:
    index = logs.index()
    logs.sent(1)
    logs.sent(2)
    logs.refused(depth=1, error="certificate has expired")
    logs.answered(2)
    logs.ended(2, attempt(depth=1, text="certificate has expired"))
    logs.refused()
    logs.answered(1)
    logs.ended(1, attempt())
    index.read()
    assert "certificate has expired" in layers(index, 2)[0]
    assert "self signed certificate" in layers(index, 1)[0]


def test_lines_of_others_are_nobodys(logs: Logs) -> None:
    index = logs.index()
    logs.sent(1)
    logs.line(render.configuration_changed(STAMP, detail="xConfiguration"))
    user = "Username= traffic_server[1]: "  # whatever a client calls itself
    logs.line(f"2023-11-14T22:13:20.000+00:00 vcsc edgeconfigprovisioning: {user}\n")
    logs.refused()  # of a transaction whose end is never told
    logs.answered(1)
    logs.ended(1)
    index.read()
    (found,) = index.of("id-1")
    assert len(found.log_lines) == 2


def test_what_an_earlier_lab_has_left_is_not_ours(logs: Logs) -> None:
    """Each lab numbers its transactions from 1, into the same files if it gets the same folder."""
    logs.sent(1)
    logs.answered(1)
    logs.ended(1, attempt())
    index = logs.index()
    index.read()
    assert index.of("id-1") == ()
    logs.sent(1)
    logs.answered(1)
    logs.ended(1)
    index.read()
    (found,) = index.of("id-1")
    assert (found.reason, len(found.log_lines)) == ("ok", 2)


def test_a_record_of_lost_lines_is_no_transaction(logs: Logs) -> None:
    index = logs.index()
    logs.sent(1)
    with logs.json.open("a") as file:
        file.write('{"time":"x","event":"log-lines-lost","lines":3,"reason":"full"}\n')
    logs.ended(1)
    index.read()
    assert len(index.of("id-1")) == 1


def test_half_a_line_is_read_when_it_is_whole(logs: Logs) -> None:
    index = logs.index()
    index.read()
    assert index.of("id-1") == ()
    logs.sent(1)
    logs.line("2023-11-14T22:13:20.000+00:00 vcsc traffic_server[1]: Txn-id=")
    logs.ended(1)
    index.read()
    assert len(index.of("id-1")[0].log_lines) == 1
    logs.line('"1" the rest\n')
    index.read()
    assert len(index.of("id-1")[0].log_lines) == 2


def test_the_oldest_is_forgotten(logs: Logs) -> None:
    index = logs.index(keep=10)
    for number in range(30):
        logs.sent(number)
        logs.answered(number)
        logs.ended(number)
    index.read()
    assert [number for number in range(30) if index.of(f"id-{number}")] == list(range(20, 30))
    assert len(index.of("id-29")[0].log_lines) == 2
    assert index.of("id-3") == ()


def test_one_tracking_id_for_everything_is_bounded(logs: Logs) -> None:
    index = logs.index(keep=1000)
    for number in range(200):
        logs.sent(number)
        with logs.json.open("a") as file:
            record = {"txn_id": number, "tracking_id": "same", "attempts": []}
            file.write(json.dumps(record) + "\n")
    index.read()
    found = index.of("same")
    assert len(found) == 64
    assert found[-1].verdict is not None
    assert found[-1].verdict["txn_id"] == 199


def test_an_unknown_tracking_id(logs: Logs) -> None:
    found = logs.index().without_proxy("nobody's")
    assert (found.node, found.verdict, found.reason, found.log_lines) == (None, None, None, ())
