"""The proxy of one process: listener, snapshot, clocks, counters, reload and drain.

Rules: everything a request is judged by hangs on one snapshot, swapped as a whole; requests under
way finish with the connection they have; idle origin connections of the old snapshot are closed.
One sweep looks after every deadline: no timer per request.
"""

from __future__ import annotations

import asyncio
import random
import socket
import sys
from collections import Counter
from email.utils import formatdate
from itertools import count
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from mralab.config.settings import Endpoint
from mralab.config.xconfiguration import change_detail
from mralab.errors import ServeError
from mralab.origin.pool import OriginPool
from mralab.origin.wire import WriteQueue
from mralab.proxy.capture import Capture
from mralab.proxy.http1 import ClientConnection
from mralab.proxy.jsonlog import transaction_record
from mralab.proxy.snapshot import Snapshot
from mralab.trafficlog import render
from mralab.trafficlog.capture import CaptureWriter, KeyLogWriter
from mralab.trafficlog.writer import JsonLogWriter, LineWriter, LogWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mralab.config.settings import Settings
    from mralab.origin.connect import Connect
    from mralab.proxy.transaction import Transaction
    from mralab.truststore.store import TrustStore
    from mralab.truststore.verdict import Reason

_SWEEP_S: Final = 1.0
_BACKLOG: Final = 4096


class ProxyServer:
    """The stand-in for the traffic server, in one event loop.

    Attributes:
        snapshot: what requests are judged by now.
        loop: the running event loop, from :meth:`start` on.
        wire: the loop's write queue.
        connect: how to connect to an origin if not by the loop itself.
        pool: idle origin connections.
        txn_ids: numbers of transactions; workers share none.
        tracking_ids: for requests that bring none; no other transaction has it, in no worker.
        clients: open client connections.
        log: the event log.
        debug: whether DEBUG twins are written.
        thread: n of ``[ET_NET n]``.
        draining: whether the proxy is ending.
        ended: transactions by how they ended.
        limits: the bounds in force.
        now: loop time of the latest sweep; near enough where seconds are counted.
        response_deadline: loop time at which an origin that moves now has had its time.
        request_deadline: likewise a client in its request.
    """

    loop: asyncio.AbstractEventLoop
    wire: WriteQueue
    snapshot: Snapshot

    def __init__(
        self,
        settings: Settings,
        *,
        worker: int = 0,
        workers: int = 1,
        log: LogWriter | None = None,
    ) -> None:
        """Take checked settings; nothing is opened before :meth:`start`.

        Args:
            settings: the settings.
            worker: number of this process among its workers.
            workers: how many there are: Txn-ids take strides of it.
            log: an event log to use instead of the one that the settings name.
        """
        self._settings = settings
        self.thread = worker
        self._stride = workers
        self.txn_ids = count(worker + workers, workers)
        self.tracking_ids = _tracking_ids()
        self._own_log = log is None
        self.log = log or LogWriter(
            settings.log.event_log,
            hostname=settings.log.hostname,
            rotate_bytes=settings.log.rotate_bytes,
            rotate_keep=settings.log.rotate_keep,
        )
        self._json: JsonLogWriter | None = None
        self._keylog: KeyLogWriter | None = None
        self._capture: Capture | None = None
        self.connect: Connect | None = None
        self.pool = OriginPool(max_idle_per_origin=settings.limits.max_idle_origin_connections)
        self.clients: set[ClientConnection] = set()
        self.ended: Counter[Reason] = Counter()
        self.answered: Counter[int] = Counter()
        self.draining = False
        self._listener: asyncio.Server | None = None
        self._sweeper: asyncio.TimerHandle | None = None
        self._empty = asyncio.Event()
        self._applying = asyncio.Lock()
        self._date_second = -1
        self._date = ""
        self._date_field = b""

    # -- life

    async def start(self, listener: socket.socket | None = None) -> None:
        """Build the snapshot and listen.

        Args:
            listener: a bound socket to use instead of the settings' address.

        Raises:
            ConfigError: the settings cannot be carried out.
            ServeError: the address cannot be had.
        """
        self.loop = asyncio.get_running_loop()
        self.wire = WriteQueue(self.loop)
        settings = self._settings
        if settings.keylog is not None:
            self._keylog = KeyLogWriter(settings.keylog)
            self._keylog.attach(self.loop)
        if settings.pcap is not None:
            capture = Capture(settings.pcap, worker=self.thread, workers=self._stride)
            capture.writer.attach(self.loop)
            self._capture, self.connect = capture, capture.connect
        if settings.log.json_log is not None:
            self._json = JsonLogWriter(settings.log.json_log)
            self._json.attach(self.loop)
        self._take(await asyncio.to_thread(self._build, settings, 1))
        self.log.attach(self.loop)
        endpoint = settings.listen
        try:
            if listener is None:
                listener = bind(endpoint, shared=self._stride > 1)
            self._listener = await self.loop.create_server(
                self._client_factory(), sock=listener, backlog=_BACKLOG
            )
        except OSError as exc:
            raise ServeError(
                f"cannot listen on {endpoint}: {exc.strerror or exc}",
                hint="choose another --listen address or end what uses this one",
            ) from exc
        self._sweeper = self.loop.call_later(self._sweep_every, self._sweep)

    async def stop(self, drain_s: float | None = None) -> None:
        """Stop listening, let requests under way end, write the log to its last line.

        Args:
            drain_s: how long requests may take; default: the settings' ``drain_s``.
        """
        self.draining = True
        if self._listener is not None:
            self._listener.close()
        for client in list(self.clients):
            client.drain()
        timeouts = self._settings.timeouts
        if not await self._emptied(timeouts.drain_s if drain_s is None else drain_s):
            for client in list(self.clients):
                client.shut_down()
            if not await self._emptied(timeouts.linger_s):
                for client in list(self.clients):
                    client.abort()
                await self._emptied(timeouts.linger_s)
        self.pool.close()
        if self._sweeper is not None:
            self._sweeper.cancel()
        if self._listener is not None:
            await self._listener.wait_closed()
        for writer in self._writers():
            if writer is not self.log or self._own_log:
                writer.flush()  # so that the loop has nothing left to write meanwhile
                await asyncio.to_thread(writer.close)

    async def apply(self, settings: Settings) -> None:
        """Put new settings in force without a restart.

        Requests under way finish; the listening address stays what it was.

        Raises:
            ConfigError: the settings cannot be carried out; the old ones stay in force.
        """
        async with self._applying:
            before = self.snapshot
            self._take(await asyncio.to_thread(self._build, settings, before.generation + 1))
        if self.thread == 0:  # one worker tells for all
            for detail in change_detail(before.settings, settings):
                self.log.add(
                    render.configuration_changed(self.log.stamp(), detail=render.escape(detail))
                )

    def reopen_logs(self) -> None:
        """Open the log files anew, after an outside tool has moved them away."""
        for writer in self._writers():
            writer.reopen()

    def sync_logs(self) -> None:
        """Wait until every line so far is in its file: for a lab that reads it next."""
        for writer in self._writers():
            writer.sync()

    # -- what is in force

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self.snapshot.settings

    @property
    def trust(self) -> TrustStore:
        """The trusted CA list in force."""
        return self.snapshot.trust

    @property
    def endpoint(self) -> Endpoint:
        """Where the proxy listens."""
        if self._listener is None or not self._listener.sockets:
            return self._settings.listen
        name = self._listener.sockets[0].getsockname()
        return Endpoint(str(name[0]), int(name[1]))

    def status(self) -> dict[str, object]:
        """Return counters and what is in force, as plain values for JSON."""
        snapshot = self.snapshot
        settings = snapshot.settings
        return {
            "release": settings.release.value,
            "verify_origin_server": settings.effective_verify_mode.value,
            "name_rule": settings.effective_name_rule.value,
            "ciphers": settings.effective_ciphers,
            "listen": str(self.endpoint),
            "generation": snapshot.generation,
            "trusted_ca_certificates": len(snapshot.trust.certificates),
            "trusted_ca_fingerprint": snapshot.trust.fingerprint,
            "allow_list_rules": None
            if snapshot.allow_list is None
            else len(snapshot.allow_list.rules),
            "client_connections": len(self.clients),
            "idle_origin_connections": len(self.pool),
            "old_tunnels": sum(
                client.has_tunnel_of_before(snapshot.generation) for client in self.clients
            ),
            "transactions": dict(sorted((reason.value, n) for reason, n in self.ended.items())),
            "answers": {str(status): n for status, n in sorted(self.answered.items())},
            "log_lines_written": self.log.written_lines,
            "log_lines_lost": self.log.lost_lines,
        }

    # -- what transactions and client connections use

    def date(self) -> str:
        """Return the Date field's value, rendered once per second."""
        second = int(self.loop.time())
        if second != self._date_second:
            self._date_second = second
            self._date = formatdate(usegmt=True)
            self._date_field = f"Date: {self._date}".encode("ascii")
        return self._date

    def date_field(self) -> bytes:
        """Return a Date field as a line."""
        self.date()
        return self._date_field

    def transaction_ended(self, transaction: Transaction) -> None:
        """Count a transaction and write its JSON record."""
        reason = transaction.reason
        if reason is not None:
            self.ended[reason] += 1
        if transaction.status:
            self.answered[transaction.status] += 1
        if self._json is not None:
            self._json.add_object(transaction_record(transaction))

    def client_gone(self, client: ClientConnection) -> None:
        """A client connection is over."""
        self.clients.discard(client)
        if not self.clients:
            self._empty.set()

    # -- inside

    async def _emptied(self, limit_s: float) -> bool:
        """Wait until no client is connected; return whether that came in time."""
        if not self.clients:
            return True
        self._empty.clear()
        try:
            async with asyncio.timeout(limit_s):
                await self._empty.wait()
        except TimeoutError:
            return False
        return True

    def _writers(self) -> list[LineWriter | CaptureWriter]:
        """Return the writers of all files, the event log's last."""
        capture = None if self._capture is None else self._capture.writer
        writers = (self._json, self._keylog, capture, self.log)
        return [writer for writer in writers if writer is not None]

    def _client_factory(self) -> Callable[[], asyncio.Protocol]:
        """Return what the loop makes of each client that connects."""
        capture = self._capture
        if capture is None:
            return lambda: ClientConnection(self)
        return lambda: capture.client(ClientConnection(self))

    def _build(self, settings: Settings, generation: int) -> Snapshot:
        return Snapshot(settings, generation, keylog=self._secret_taker())

    def _secret_taker(self) -> Callable[[bytes], None] | None:
        """Return what takes each line of the TLS key log; a capture keeps them, too."""
        keylog, capture = self._keylog, self._capture
        if keylog is None or capture is None:
            return None if keylog is None else keylog.add_secret

        def take(line: bytes) -> None:
            keylog.add_secret(line)
            capture.add_secret(line)

        return take

    def _take(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        settings = self._settings = snapshot.settings
        self.limits = settings.limits
        profile = snapshot.profile
        self.debug = settings.log.debug
        self._sweep_every = min(_SWEEP_S, _shortest(settings) / 4)
        self._tick()
        self.server_name = "CE_C" if profile.is_expressway else "ATS/9.2"
        self.via = f"http/1.1 vcs[{_HOP_ID}] ({profile.via_product})".encode("ascii")
        self.pool.change(snapshot.generation)

    def _tick(self) -> float:
        """Render the deadlines of all that moves until the next sweep: none comes too early."""
        now = self.now = self.loop.time()
        timeouts = self.snapshot.settings.timeouts
        self.response_deadline = now + self._sweep_every + timeouts.response_timeout_s
        self.request_deadline = now + self._sweep_every + timeouts.client_request_s
        return now

    def _sweep(self) -> None:
        now = self._tick()
        for client in list(self.clients):
            client.sweep(now)
        self.pool.sweep(now - self.snapshot.settings.timeouts.pool_idle_s)
        self._sweeper = self.loop.call_later(self._sweep_every, self._sweep)


_HOP_ID: Final = str(uuid4())
_LAST_DIGITS: Final = tuple(f"{number:03x}" for number in range(0x1000))


def _tracking_ids() -> Iterator[str]:
    """Make texts in the form of a UUID, each once: they name log lines, and guard nothing."""
    prefix = str(uuid4())[:24]
    for high in count(random.getrandbits(28)):
        yield from map(f"{prefix}{high & 0xFFFFFFFFF:09x}".__add__, _LAST_DIGITS)


def bind(endpoint: Endpoint, *, shared: bool) -> socket.socket:
    """Return a socket bound to ``endpoint``, not yet listening.

    Args:
        endpoint: address and port.
        shared: whether several workers bind the same port.

    Raises:
        OSError: as the system says.
    """
    family = socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((endpoint.host, endpoint.port))
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def _shortest(settings: Settings) -> float:
    timeouts = settings.timeouts
    return min(
        timeouts.connect_timeout_s,
        timeouts.response_timeout_s,
        timeouts.client_idle_s,
        timeouts.client_request_s,
        timeouts.pool_idle_s,
        timeouts.linger_s,
    )
