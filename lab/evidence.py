"""What a request through the lab left behind: on the node, in the JSON log, in the event log.

- One request is found by its TrackingID; several transactions may have it, since Expressway-C asks
  on its own for a client. Each transaction has a Txn-id of its own.
- Nodes tell of a handshake or request in the moment it happens, and what matters of it is kept
  here, so a port that is used again later confuses nothing.
- Both logs are read from where they ended at the start, then from where the last look ended: what
  an earlier lab has left in the same files is not this one's. Nothing is scanned, and everything
  kept is bounded: the oldest goes first.
- The lines of the TLS layer carry no Txn-id. A transaction has those that say what its JSON record
  says; where several wait for one server, such lines are the same but for their time.
- A handshake that failed carries no TrackingID either. It is found by node, service and the
  certificate that the JSON record shows; what is left open by that is the newest one.
"""

from __future__ import annotations

import json
import re
from collections import OrderedDict, deque
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from mralab.trafficlog.grammar import CONNECTION, CORE_VERIFICATION, NAME, PROCESS, unescape
from mralab.truststore.certificate import certificate_facts
from mralab.truststore.verdict import Action, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mralab.lab.listener import RequestRecord
    from mralab.lab.nodes import SimulatedNode
    from mralab.lab.tlsserver import HandshakeRecord
    from mralab.truststore.verdict import CertificateFacts

#: Transactions, requests and connections kept. Lab default: many more than 200 logins make.
KEPT: Final = 20_000
#: Failed handshakes kept of one service. Lab default.
KEPT_FAILED: Final = 64
#: Entries that a node's own journals keep once their entries are followed here. Lab default.
KEPT_BY_NODES: Final = 1_000
_MAX_LINES: Final = 200  # of one transaction
_MAX_OF_ONE: Final = 64  # transactions and requests of one TrackingID
_MAX_UNCLAIMED: Final = 4_096  # handshakes whose lines no transaction has claimed yet

#: Reasons of an attempt that the node saw as a TLS connection.
_SHOOK_HANDS: Final = frozenset(
    reason.value
    for reason in (
        Reason.CHAIN_REFUSED,
        Reason.NAME_REFUSED,
        Reason.ORIGIN_ALERT,
        Reason.TLS_ERROR,
    )
)
_TXN: Final = re.compile(r'Txn-id="(\d+)"')
_TLS_LAYER: Final = re.compile(r"\[ET_NET \d+\] (WARNING|ERROR): (.*)")
_OWN_PROCESS: Final = re.compile(rf"\S+ \S+ {PROCESS}\[")


#: What such a line is about: the server's address, depth and fault; of a line that tells of a
#: failed handshake only, the requested name.
_About = tuple[str, int | None, str]

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Met:
    """A node's service as a client met it."""

    node: str
    service: str
    certificate: str | None = None  #: name of the certificate served; None over plain HTTP
    presented: tuple[CertificateFacts, ...] = ()  #: what was sent with it, leaf first
    tls_version: str | None = None  #: ``TLSv1.2``; None if none was agreed on
    alert: tuple[int, int] | None = None  #: the client's alert: level, description


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One transaction of the proxy, and all that it left behind."""

    tracking_id: str
    node: str | None = None  #: the node that was asked; None if none was reached
    service: str | None = None
    certificate: str | None = None  #: name of the certificate met, such as ``tomcat-ECDSA``
    presented: tuple[CertificateFacts, ...] = ()  #: the chain as sent, leaf first
    tls_version: str | None = None  #: agreed on with the node
    alert: tuple[int, int] | None = None  #: the proxy's alert to the node: level, description
    verdict: dict[str, Any] | None = None  #: the proxy's JSON record; None: it was not asked
    log_lines: tuple[str, ...] = ()  #: of the event log, in order, without line ends
    attempts: tuple[dict[str, Any], ...] = ()  #: the record's failed attempts

    @property
    def reason(self) -> str | None:
        """How it ended, one of the JSON log's reasons."""
        return None if self.verdict is None else cast("str | None", self.verdict.get("reason"))


class _Bounded(OrderedDict[_Key, _Value]):
    """A mapping that forgets its oldest entries."""

    def __init__(self, keep: int) -> None:
        super().__init__()
        self._keep = keep

    def __setitem__(self, key: _Key, value: _Value) -> None:
        super().__setitem__(key, value)
        if len(self) > self._keep:
            self.popitem(last=False)


class _Tail:
    """The whole lines that a growing file has got since the last look, or since it was followed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = path.stat().st_size if path.exists() else 0

    def lines(self) -> list[str]:
        try:
            with self._path.open("rb") as file:
                file.seek(self._position)
                data = file.read()
        except FileNotFoundError:
            return []
        end = data.rfind(b"\n") + 1
        self._position += end
        return data[:end].decode("utf-8", "replace").splitlines()


class EvidenceIndex:
    """Gathers, while the lab runs, what :class:`Evidence` is made of."""

    def __init__(self, *, event_log: Path, json_log: Path, keep: int = KEPT) -> None:
        """Start with nothing seen, before the proxy does.

        Args:
            event_log: the proxy's log.
            json_log: its JSON twin.
            keep: transactions, requests and connections kept.
        """
        self._json_tail = _Tail(json_log)
        self._lines = _LogLines(event_log, keep=keep)
        self._places: dict[tuple[str, int], tuple[str, str]] = {}
        self._connections: _Bounded[tuple[str, str, tuple[str, int]], Met] = _Bounded(keep)
        self._failed: dict[tuple[str, str], deque[Met]] = {}
        self._requests: _Bounded[str, _Bounded[tuple[str, str, str], Met]] = _Bounded(keep)
        self._records: _Bounded[str, deque[dict[str, Any]]] = _Bounded(keep)

    # -- what nodes tell

    def watch(self, node: SimulatedNode) -> None:
        """Follow a node's journals, which keep less from now on. It must not run yet."""
        name = node.name
        node.handshakes.follow(lambda record: self._shook_hands(name, record), keep=KEPT_BY_NODES)
        node.requests.follow(lambda record: self._asked(name, record), keep=KEPT_BY_NODES)

    def place(self, places: Mapping[tuple[str, int], tuple[str, str]]) -> None:
        """Say which node and service stand behind each host and port that a route may name.

        Args:
            places: host in lower case and port; name of the node and of its service.
        """
        self._places = dict(places)

    def _shook_hands(self, node: str, record: HandshakeRecord) -> None:
        met = Met(
            node=node,
            service=record.service,
            certificate=record.certificate,
            presented=_facts_of(record.presented),
            tls_version=record.version,
            alert=record.alert,
        )
        self._connections[node, record.service, record.peer] = met
        if not record.completed:
            failed = self._failed.setdefault((node, record.service), deque(maxlen=KEPT_FAILED))
            failed.append(met)

    def _asked(self, node: str, record: RequestRecord) -> None:
        tracking_id = record.header("TrackingID")
        if not tracking_id:
            return
        met = self._connections.get((node, record.service, record.peer))
        if met is None:
            met = Met(node=node, service=record.service)
        requests = self._requests.get(tracking_id)
        if requests is None:
            requests = self._requests[tracking_id] = _Bounded(_MAX_OF_ONE)
        requests[node, record.service, record.target] = met

    # -- what the logs tell

    def read(self) -> None:
        """Take in what the logs have got since the last time."""
        self._lines.read()
        for line in self._json_tail.lines():
            record = json.loads(line)
            tracking_id = record.get("tracking_id")
            if tracking_id is None:
                continue  # lines lost: no transaction's record
            records = self._records.get(tracking_id)
            if records is None:
                records = self._records[tracking_id] = deque(maxlen=_MAX_OF_ONE)
            records.append(record)
            self._lines.claim(record)

    def of(self, tracking_id: str) -> tuple[Evidence, ...]:
        """Return the evidence of each transaction of a TrackingID, in the order of their ends."""
        records = self._records.get(tracking_id, ())
        return tuple(self._evidence(tracking_id, record) for record in records)

    def without_proxy(self, tracking_id: str) -> Evidence:
        """Return what the nodes alone know of a TrackingID."""
        requests = self._requests.get(tracking_id)
        met = None if requests is None else next(reversed(requests.values()))
        return _evidence(tracking_id, met)

    def _evidence(self, tracking_id: str, record: dict[str, Any]) -> Evidence:
        return replace(
            _evidence(tracking_id, self._met(tracking_id, record)),
            verdict=record,
            log_lines=self._lines.of(record["txn_id"]),
            attempts=tuple(record["attempts"]),
        )

    def _met(self, tracking_id: str, record: dict[str, Any]) -> Met | None:
        """Return which service the transaction met, as far as it can be told."""
        origin = record.get("origin")
        if origin is None:
            return None
        where = self._places.get((origin["host"].lower(), origin["port"]))
        target = _target_of(origin["url"])
        for (node, service, asked), met in self._requests.get(tracking_id, {}).items():
            if asked == target and where in {None, (node, service)}:
                return met
        if where is None:
            return None
        refused = [item for item in record["attempts"] if item["reason"] in _SHOOK_HANDS]
        found = self._refused(where, refused[-1]) if refused else None
        return found or Met(node=where[0], service=where[1])

    def _refused(self, where: tuple[str, str], attempt: dict[str, Any]) -> Met | None:
        """Return the newest handshake that fits a failed attempt."""
        leaf = {
            fault["certificate"]["sha256"]
            for fault in attempt.get("faults", ())
            if fault["depth"] == 0 and "certificate" in fault
        }
        return next(
            (
                met
                for met in reversed(self._failed.get(where, ()))
                if not leaf or (met.presented and met.presented[0].sha256 in leaf)
            ),
            None,
        )


@dataclass(slots=True)
class _Layer:
    """Lines of the TLS layer that one handshake left, one behind the other."""

    position: int  #: number of its first line in the log
    about: _About
    lines: list[str]
    terminated: bool = False  #: whether one of them says that the handshake was ended


class _LogLines:
    """The event log's lines by Txn-id.

    The TLS layer's lines carry none. A transaction whose end the JSON log tells takes those that
    say what its record says, as early as possible between its own first and last line. Since
    transactions are seen in the order of their ends, each finds as many as it wrote.
    """

    def __init__(self, path: Path, *, keep: int) -> None:
        self._tail = _Tail(path)
        self._lines: _Bounded[int, list[tuple[int, str]]] = _Bounded(keep)
        self._unclaimed: deque[_Layer] = deque(maxlen=_MAX_UNCLAIMED)
        self._position = 0
        self._newest: int | None = None  # transaction of the line before, if it had one
        self._layer: _Layer | None = None  # the TLS layer's lines just before

    def of(self, number: int) -> tuple[str, ...]:
        return tuple(line for _, line in sorted(self._lines.get(number, ())))

    def read(self) -> None:
        for line in self._tail.lines():
            self._position += 1
            layer = _TLS_LAYER.search(line)
            if layer is not None:
                self._take_layer(line, *layer.groups())
                continue
            self._layer = None
            found = _TXN.search(line)
            if found is not None:
                self._newest = int(found[1])
            elif _OWN_PROCESS.match(line) is None:
                self._newest = None  # a change of settings, or the edge service's
            if self._newest is not None:
                # Events carry no Txn-id; they stand right behind a line that does.
                self._keep(self._newest, self._position, line)

    def claim(self, record: dict[str, Any]) -> None:
        """Give a transaction that has ended its lines of the TLS layer."""
        number = record["txn_id"]
        own = self._lines.get(number)
        if not own:
            return
        first, last = own[0][0], own[-1][0]
        for about in _abouts(record):
            for layer in self._unclaimed:
                if layer.about == about and first < layer.position < last:
                    self._unclaimed.remove(layer)
                    for offset, line in enumerate(layer.lines):
                        self._keep(number, layer.position + offset, line)
                    break

    def _take_layer(self, line: str, level: str, text: str) -> None:
        layer = self._layer
        if layer is None or (level == "WARNING" and layer.terminated):
            layer = self._layer = _Layer(self._position, _about(text), [])
            self._unclaimed.append(layer)
        layer.lines.append(line)
        layer.terminated = f"Action={Action.TERMINATE.value} " in text
        if level == "ERROR":
            self._layer = None

    def _keep(self, number: int, position: int, line: str) -> None:
        lines = self._lines.get(number)
        if lines is None:
            lines = self._lines[number] = []
        if len(lines) < _MAX_LINES:
            lines.append((position, line))


def _about(text: str) -> _About:
    """Return what a line of the TLS layer is about."""
    chain = CORE_VERIFICATION.fullmatch(text)
    if chain is not None:
        return (chain["ip"], int(chain["depth"]), unescape(chain["error"]))
    name = NAME.fullmatch(text)
    if name is not None:
        return (name["ip"], 0, "")
    connection = CONNECTION.fullmatch(text)
    return (connection["name"] if connection else "", None, "")


def _abouts(record: dict[str, Any]) -> list[_About]:
    """Return what the first line of each handshake of a transaction is about, in order."""
    found: list[_About] = []
    inspected = [*record["attempts"], *([record["let_pass"]] if "let_pass" in record else [])]
    for item in inspected:
        if item.get("faults"):
            fault = item["faults"][0]
            found.append((item["address"], fault["depth"], fault["text"]))
        elif "address" in item:
            found.append((item["requested_server_name"], None, ""))
    return found


def _evidence(tracking_id: str, met: Met | None) -> Evidence:
    if met is None:
        return Evidence(tracking_id=tracking_id)
    return Evidence(
        tracking_id=tracking_id,
        node=met.node,
        service=met.service,
        certificate=met.certificate,
        presented=met.presented,
        tls_version=met.tls_version,
        alert=met.alert,
    )


def _target_of(url: str) -> str:
    """Return path and query of an absolute URL as the node got them."""
    return "/" + url.split("/", 3)[3]


@lru_cache(maxsize=256)
def _facts_of(presented: tuple[bytes, ...]) -> tuple[CertificateFacts, ...]:
    return tuple(map(certificate_facts, presented))
