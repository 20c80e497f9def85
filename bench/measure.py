"""Measuring: both processes of a comparison kept running, window after window in pairs."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from bench import BenchError
from bench.checks import check_work, wait_until_up
from bench.idle import IdleClients
from bench.load import Wrk
from bench.loglines import LineCounter
from bench.origin import counters, free_ports
from bench.peers import KINDS, OURS, TWO_WORKERS, YARDSTICK
from bench.process import PROXY_CORE, core_busy_s
from bench.stats import Pair, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from bench.load import Counted, Load
    from bench.origin import Counters, Site
    from bench.peers import Peer
    from bench.process import Process

#: Connections to the origin per request that a proxy which keeps them may open.
MAX_NEW: Final = 0.05

_OTHER_PEERS: Final = 4  # peers other than the yardstick get one pair for so many of its pairs
_SPARE: Final = 5  # one more pair for so many, to stand in for disturbed ones
_LEAD_OUT_S: Final = 0.2  # load after the window, while the last readings are taken


@dataclass(slots=True)
class LogCount:
    """Log lines of one proxy under one load."""

    peer: str
    load: str
    requests: int = 0  #: answers that its clients counted
    cut: int = 0  #: requests that may have been under way when their client left
    counts: dict[str, int] = field(default_factory=dict)  #: lines by kind
    total_bytes: int = 0

    @property
    def fault(self) -> str:
        """What is wrong if a kind has no line for an answer, or lines that nobody asked for."""
        most = self.requests + self.cut
        wrong = {k: n for k, n in self.counts.items() if not self.requests <= n <= most}
        asked = f"{self.peer}, {self.load}: {self.requests} to {most} requests"
        return f"{asked}, log lines {wrong}" if wrong else ""


@dataclass(frozen=True, slots=True)
class Peak:
    """Peak memory of one proxy under one load."""

    peer: str
    load: str
    mib: float


@dataclass(slots=True)
class Measurements:
    """All that was measured."""

    pairs: list[Pair] = field(default_factory=list)
    logs: list[LogCount] = field(default_factory=list)
    peaks: list[Peak] = field(default_factory=list)
    handshake: tuple[str, ...] = ()  #: as the origins saw it, from every peer
    problems: list[str] = field(default_factory=list)  #: what makes figures worthless


class _Reading(NamedTuple):
    """Counters at one end of a window."""

    origin: Counters
    cpu_s: float
    core_s: float
    time_s: float


class Running:
    """One proxy under test, kept running for all loads.

    Attributes:
        peer: what it is.
        site: origins and files that it uses.
        process: its process.
    """

    def __init__(self, peer: Peer, site: Site) -> None:
        """Start it and wait until it passes requests on."""
        self.peer = peer
        self.site = site
        self.process: Process = peer.start(site)
        try:
            wait_until_up(site, peer, self.process)
        except BenchError:
            self.process.stop()
            raise
        self.process.find_members()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the process."""
        self.process.stop()


class Series:
    """The windows of one proxy under one load."""

    def __init__(self, running: Running, load: Load) -> None:
        """Get ready: log files are emptied, the peak of memory begins anew."""
        self.peer = running.peer
        self._site = running.site
        self._process = running.process
        self._load = load
        self._wrk = Wrk(load, self._site.folder)
        kinds = self.peer.refused if load.refused else self.peer.answered
        self._lines = LineCounter(kinds, delay_s=self.peer.log_delay_s) if kinds else None
        self._log = LogCount(self.peer.name, load.name)
        self._process.reset_peak()

    def window(self, seconds: int) -> Window:
        """Measure one window inside a longer run of wrk.

        Raises:
            BenchError: the proxy did something else than its work.
        """
        load = self._load
        with ExitStack() as stack:
            idle = self._idle_clients(stack)
            before = counters(self._site)
            url = self.peer.url(self._site, load.origin, load.file)
            wrk = stack.enter_context(self._wrk.start(url, load.warm_up_s + seconds + _LEAD_OUT_S))
            time.sleep(load.warm_up_s)
            first = self._read()
            time.sleep(seconds)
            last = self._read()
            counted = self._wrk.outcome(wrk)
            after = counters(self._site)
            self._process.check_alive()
            if idle is not None and (lost := idle.lost()):
                raise BenchError(f"{self.peer.name}: {lost} idle clients were disconnected")
        if not counted.requests:
            raise BenchError(f"{self.peer.name}, {load.name}: no answer")
        fault = answer_fault(counted, _requests(before, after, load, readings=3), load)
        self._log.requests += counted.requests
        self._log.cut += load.connections
        if self._lines:
            self._lines.collect()
        wall_s, cpu_s = last.time_s - first.time_s, last.cpu_s - first.cpu_s
        return Window(
            peer=self.peer.name,
            load=load.name,
            requests=_requests(first.origin, last.origin, load, readings=1),
            wall_s=wall_s,
            cpu_s=cpu_s,
            others=max(0.0, last.core_s - first.core_s - cpu_s) / wall_s,
            p50_ms=counted.p50_us / 1000,
            p99_ms=counted.p99_us / 1000,
            origin_connections=last.origin.connections - first.origin.connections - 1,
            fault=fault and f"{self.peer.name}, {load.name}: {fault}",
        )

    def end(self) -> tuple[LogCount | None, Peak]:
        """Return log lines and peak memory of all windows; no lines for a proxy without a log."""
        peak = Peak(self.peer.name, self._load.name, self._process.peak_mib())
        if self._lines is None:
            return None, peak
        self._lines.finish(self._log.requests)
        self._log.counts = self._lines.counts
        self._log.total_bytes = self._lines.total_bytes
        return self._log, peak

    def _idle_clients(self, stack: ExitStack) -> IdleClients | None:
        load = self._load
        if not load.idle_clients:
            return None
        path = self.peer.path(self._site, load.origin, load.file)
        self._log.requests += load.idle_clients
        return stack.enter_context(IdleClients(load.idle_clients, self.peer.port, path))

    def _read(self) -> _Reading:
        # The origins' counters first: they take longest, and as long at either end.
        origin = counters(self._site)
        return _Reading(origin, self._process.cpu_s(), core_busy_s(PROXY_CORE), time.monotonic())


def answer_fault(counted: Counted, at_origin: int, load: Load) -> str:
    """Say which answers were not of the expected kind or not asked of the origin once; *pure*.

    Args:
        counted: what wrk counted.
        at_origin: requests that reached the origin meanwhile.
        load: what was asked.
    """
    wanted = counted.requests if load.refused else 0
    if counted.errors_of_status != wanted:
        return f"{counted.errors_of_status} of {counted.requests} answers are 400 and above"
    if counted.errors_of_socket:
        return f"{counted.errors_of_socket} connections broke or timed out"
    if not 0 <= at_origin - counted.requests <= load.connections:
        return f"{counted.requests} answers, but {at_origin} requests at the origin"
    return ""


def _requests(first: Counters, last: Counters, load: Load, *, readings: int) -> int:
    """Return how many requests reached the origin between two readings.

    Args:
        first: earlier reading.
        last: later reading.
        load: what was asked; a refused origin sees connections only.
        readings: how many readings are among what was counted.
    """
    if load.refused:
        return last.connections - first.connections - readings
    return (last.requests - first.requests - readings) // load.origin_requests


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to measure."""

    loads: Sequence[Load]
    peers: Sequence[str]  #: without ours
    pairs: int  #: with the yardstick
    seconds: int  #: of each window

    def pairs_with(self, peer: str) -> int:
        """Return how many undisturbed pairs are wanted with a peer."""
        return self.pairs if peer == YARDSTICK else -(-self.pairs // _OTHER_PEERS)

    def loads_with(self, peer: str) -> list[Load]:
        """Return the loads measured with a peer: two workers are looked at under the core ones."""
        return [load for load in self.loads if load.core or peer != TWO_WORKERS]


def measure(site: Site, plan: Plan, found: Measurements, tell: Callable[[str], None]) -> None:
    """Measure all loads with one peer after the other.

    Args:
        site: origins that run.
        plan: what to measure.
        found: where everything goes as soon as it is measured.
        tell: called with a line of progress.

    Raises:
        BenchError: a proxy does not start, ends or does not do its work.
    """
    for name in plan.peers:
        our_port, their_port = free_ports(2)
        with (
            Running(KINDS[OURS].configure(site, our_port), site) as ours,
            Running(KINDS[name].configure(site, their_port), site) as theirs,
        ):
            for side in (ours, theirs):
                _note_handshake(found, side.peer.name, check_work(site, side.peer))
            for load in plan.loads_with(name):
                _measure_load(found, (ours, theirs), load, plan, tell)


def _note_handshake(found: Measurements, peer: str, handshake: tuple[str, ...]) -> None:
    found.handshake = found.handshake or handshake
    if handshake != found.handshake:
        raise BenchError(f"{peer}: handshakes are {handshake}, of the others {found.handshake}")


def _measure_load(
    found: Measurements,
    sides: tuple[Running, Running],
    load: Load,
    plan: Plan,
    tell: Callable[[str], None],
) -> None:
    """Measure pairs until enough are undisturbed or the spare ones are used up."""
    ours, theirs = series = [Series(side, load) for side in sides]
    wanted = plan.pairs_with(theirs.peer.name)
    good = faulty = 0
    for number in range(wanted + wanted // _SPARE):
        # Every second pair the other way round: what grows with time weighs on both alike.
        order = series[::-1] if number % 2 else series
        windows = {one: one.window(plan.seconds) for one in order}
        pair = Pair(windows[ours], windows[theirs])
        found.pairs.append(pair)
        tell(_progress(pair, number + 1))
        faults = (connection_fault(window, load) for window in (pair.ours, pair.theirs))
        found.problems += filter(None, (pair.ours.fault, *faults))
        if pair.theirs.fault:
            tell(pair.theirs.fault)
        good += not pair.disturbed
        faulty += bool(pair.theirs.fault)
        if good == wanted:
            break
    if faulty > wanted // _SPARE:  # more than the spare pairs are for: it does not do its work
        found.problems.append(f"{theirs.peer.name}, {load.name}: {faulty} pairs with a fault")
    for one in series:
        log, peak = one.end()
        found.peaks.append(peak)
        if log:
            found.logs.append(log)
            found.problems += filter(None, [log.fault])


def connection_fault(window: Window, load: Load) -> str:
    """Say if a proxy opened more or fewer connections than the load asks for; empty if not.

    At both ends of the window some requests are under way, one for each of the load's connections.
    """
    opened, requests, edge = window.origin_connections, window.requests, load.connections
    low, high = (requests, requests) if load.new_connections else (0, requests * MAX_NEW)
    if low - edge <= opened <= high + edge:
        return ""
    return f"{window.peer}, {window.load}: {opened} connections for {requests} requests"


def _progress(pair: Pair, number: int) -> str:
    ours, theirs = pair.ours, pair.theirs
    return (
        f"{ours.load:<9}{number:>3} {ours.per_cpu_s:8.0f} {theirs.peer:>9} "
        f"{theirs.per_cpu_s:8.0f} {pair.ratio:6.3f}  others {ours.others:4.0%} {theirs.others:4.0%}"
        f"{'  dropped' if pair.disturbed else ''}"
    )
