"""The blocking main of ``mralab serve``: event loop, signals, worker processes.

Rules: with one worker there is one process. With several, the parent serves no requests: it holds
the admin listener and tells its children what to do over a socket each; every child binds the same
port (``SO_REUSEPORT``) and writes whole lines to the same log. SIGHUP reloads and reopens the logs
of all; SIGTERM and SIGINT drain all, and the exit code is 0. A child that dies takes the others
with it: a stand-in that has lost a part must not look whole.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import pickle
import signal
import socket
import struct
import sys
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from mralab.config.settings import Endpoint, Settings
from mralab.errors import ConfigError, MraLabError, ServeError
from mralab.proxy.server import ProxyServer, bind
from mralab.proxy.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable

    from mralab.truststore.store import TrustStore

_LENGTH: Final = struct.Struct("!I")
_STATUS_EVERY_S: Final = 1.0
_READY_S: Final = 30.0
_M_TRIM_THRESHOLD: Final = -1  # of <malloc.h>
_M_MMAP_THRESHOLD: Final = -3
_KEPT_BYTES: Final = 4 * 2**20


class RunningProxy(Protocol):
    """A proxy that listens, in one process or several."""

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        ...

    @property
    def endpoint(self) -> Endpoint:
        """Where it listens."""
        ...

    @property
    def trust(self) -> TrustStore:
        """The trusted CA list in force."""
        ...

    def status(self) -> dict[str, object]:
        """Return counters and what is in force."""
        ...

    async def apply(self, settings: Settings) -> None:
        """Put new settings in force."""
        ...


class CompanionPort(Protocol):
    """What runs beside a listening proxy: the admin listener."""

    async def start(self) -> None:
        """Begin, once the proxy listens."""

    async def stop(self) -> None:
        """End, before the proxy does."""


def run(
    settings: Settings,
    *,
    reload: Callable[[], Settings],
    companion: Callable[[RunningProxy], CompanionPort],
    announce: Callable[[Endpoint], None],
    complain: Callable[[MraLabError], None],
) -> int:
    """Serve until a signal ends it.

    Args:
        settings: checked settings.
        reload: reads the configuration again, on SIGHUP; may raise ConfigError.
        companion: makes what runs beside the proxy.
        announce: is told the address once the proxy listens.
        complain: is told of a reload that failed; the old settings stay in force.

    Returns:
        The exit code: 0 after a signal.

    Raises:
        ConfigError: the settings cannot be carried out.
    """
    serving: _Serving = _Single(settings) if settings.workers == 1 else _Group.fork(settings)
    return _loop_runner(settings).run(
        _serve(serving, reload=reload, companion=companion, announce=announce, complain=complain)
    )


def _loop_runner(settings: Settings) -> asyncio.Runner:
    if settings.loop == "asyncio" or sys.platform == "win32":
        return asyncio.Runner()
    import uvloop  # noqa: PLC0415  not there on Windows, and not asked for with --loop asyncio

    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


class _Serving(RunningProxy, Protocol):
    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def ended(self) -> None:
        """Return if it ends by itself, which it should not."""

    async def reopen_logs(self) -> None: ...


async def _serve(
    serving: _Serving,
    *,
    reload: Callable[[], Settings],
    companion: Callable[[RunningProxy], CompanionPort],
    announce: Callable[[Endpoint], None],
    complain: Callable[[MraLabError], None],
) -> int:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: complain(_internal_fault(context)))
    stop = asyncio.Event()
    hang_up = asyncio.Event()
    if sys.platform != "win32":
        loop.add_signal_handler(signal.SIGTERM, stop.set)
        loop.add_signal_handler(signal.SIGINT, stop.set)
        loop.add_signal_handler(signal.SIGHUP, hang_up.set)
    await serving.start()
    beside = companion(serving)
    try:
        await beside.start()
        announce(serving.endpoint)
        while not stop.is_set():
            await _first(stop.wait(), hang_up.wait(), serving.ended())
            if hang_up.is_set() and not stop.is_set():
                hang_up.clear()
                try:
                    await serving.apply(reload())
                except MraLabError as exc:
                    complain(exc)
                await serving.reopen_logs()
            elif not stop.is_set():
                raise ServeError("a worker process ended", hint="look at its last words above")
    finally:
        await beside.stop()
        await serving.stop()
    return 0


def _internal_fault(context: dict[str, Any]) -> MraLabError:
    """Say in one line what the event loop met: it has closed the connection concerned."""
    exc = context.get("exception")
    what = f"{type(exc).__name__}: {exc}" if exc is not None else str(context.get("message"))
    return MraLabError(
        f"internal fault: {what}", hint="please report it; one connection was closed"
    )


async def _first(*waiting: object) -> None:
    tasks = [asyncio.ensure_future(cast("asyncio.Future[object]", one)) for one in waiting]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


def _spare_collector() -> None:
    """Keep the cyclic collector from looking through what the start has made, again and again.

    It looks as often as ever: seldom collections let a worker under handshakes grow from 47 to
    162 MiB, because what a connection to an origin leaves behind is large (docs/adr/0007).
    """
    gc.freeze()


def _keep_memory() -> None:
    """Keep glibc from giving a large body's memory back, and faulting it in again for the next.

    It does so whenever 128 KiB lie free at the end of the heap, or a block is larger than that.
    Worth 38 % at 100 KB keep-alive. Other systems' allocators have no such call.
    """
    with suppress(OSError, AttributeError, TypeError):
        library = ctypes.CDLL(None)
        for parameter in (_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD):
            library.mallopt(parameter, _KEPT_BYTES)


class _Single:
    """One process: the proxy itself."""

    def __init__(self, settings: Settings) -> None:
        self._given = settings
        self._proxy: ProxyServer | None = None

    @property
    def _running(self) -> ProxyServer:
        if self._proxy is None:
            raise ServeError("the proxy is not running")
        return self._proxy

    @property
    def settings(self) -> Settings:
        return self._running.settings

    @property
    def endpoint(self) -> Endpoint:
        return self._running.endpoint

    @property
    def trust(self) -> TrustStore:
        return self._running.trust

    def status(self) -> dict[str, object]:
        return self._running.status()

    async def start(self) -> None:
        proxy = ProxyServer(self._given)
        await proxy.start()
        _spare_collector()
        _keep_memory()
        self._proxy = proxy

    async def stop(self) -> None:
        await self._running.stop()

    async def apply(self, settings: Settings) -> None:
        await self._running.apply(settings)

    async def reopen_logs(self) -> None:
        self._running.reopen_logs()

    async def ended(self) -> None:
        await asyncio.Event().wait()


class _Group:
    """Several worker processes, seen from their parent."""

    def __init__(
        self, settings: Settings, trust: TrustStore, holder: socket.socket, endpoint: Endpoint
    ) -> None:
        self.settings = settings
        self.trust = trust
        self.endpoint = endpoint
        self._holder = holder  # keeps the port ours; it never listens
        self._sockets: list[socket.socket] = []
        self._pids: list[int] = []
        self._workers: list[_Worker] = []

    @classmethod
    def fork(cls, settings: Settings) -> _Group:
        """Fork the workers, before any loop or thread exists.

        Raises:
            ConfigError: the settings cannot be carried out, or this system cannot fork.
        """
        if not hasattr(os, "fork"):
            raise ServeError("--workers needs a system that can fork", hint="use --workers 1")
        trust = Snapshot(
            settings, 0, keylog=None
        ).trust  # every fault shows before a process exists
        try:
            holder = bind(settings.listen, shared=True)
        except OSError as exc:
            raise ServeError(
                f"cannot listen on {settings.listen}: {exc.strerror or exc}",
                hint="choose another --listen address or end what uses this one",
            ) from exc
        name = holder.getsockname()
        group = cls(settings, trust, holder, Endpoint(str(name[0]), int(name[1])))
        for number in range(settings.workers):
            ours, theirs = socket.socketpair()
            pid = os.fork()
            if pid == 0:
                for other in [ours, *group._sockets]:
                    other.close()
                _child(settings, number, group.endpoint, theirs)
            theirs.close()
            group._sockets.append(ours)
            group._pids.append(pid)
        return group

    def status(self) -> dict[str, object]:
        statuses = [worker.status for worker in self._workers]
        merged = dict(statuses[0])
        for key, value in merged.items():
            values = [status.get(key) for status in statuses]
            if isinstance(value, dict):
                total: Counter[str] = Counter()
                for counts in values:
                    total.update(cast("dict[str, int]", counts))
                merged[key] = dict(total)
            elif key in _SUMMED:
                merged[key] = sum(cast("list[int]", values))
        merged["listen"] = str(self.endpoint)
        merged["workers"] = [
            {"pid": pid, "client_connections": status.get("client_connections")}
            for pid, status in zip(self._pids, statuses, strict=True)
        ]
        return merged

    async def start(self) -> None:
        for ours, pid in zip(self._sockets, self._pids, strict=True):
            reader, writer = await asyncio.open_unix_connection(sock=ours)
            self._workers.append(_Worker(pid, reader, writer))
        async with asyncio.timeout(_READY_S):
            for worker in self._workers:
                await worker.answer()

    async def stop(self) -> None:
        for worker in self._workers:
            worker.send(("stop", None))
        for worker in self._workers:
            await worker.gone.wait()
            worker.close()
        for pid in self._pids:
            with suppress(ChildProcessError):
                await asyncio.to_thread(os.waitpid, pid, 0)
        self._holder.close()

    async def apply(self, settings: Settings) -> None:
        trust = (await asyncio.to_thread(Snapshot, settings, 0, keylog=None)).trust
        for worker in self._workers:
            worker.send(("apply", settings))
        for worker in self._workers:
            await worker.answer()
        self.settings = settings
        self.trust = trust

    async def reopen_logs(self) -> None:
        for worker in self._workers:
            worker.send(("reopen", None))
            await worker.answer()

    async def ended(self) -> None:
        await _first(*(worker.gone.wait() for worker in self._workers))


#: Counters of a status that add up over workers; what else it holds is the same in all.
_SUMMED: Final = frozenset(
    {
        "client_connections",
        "idle_origin_connections",
        "old_tunnels",
        "log_lines_written",
        "log_lines_lost",
    }
)


class _Worker:
    """The parent's end of the socket to one worker."""

    def __init__(
        self, pid: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.pid = pid
        self.status: dict[str, object] = {}
        self.gone = asyncio.Event()
        self._writer = writer
        self._answers: asyncio.Queue[str] = asyncio.Queue()
        self._task = asyncio.get_running_loop().create_task(self._listen(reader))

    def send(self, message: tuple[str, Settings | None]) -> None:
        if not self.gone.is_set():
            self._writer.write(_framed(message))

    async def answer(self) -> None:
        """Wait until the worker has done what it was told.

        Raises:
            ConfigError: it could not, or it has ended.
        """
        fault = await self._answers.get()
        if fault:
            raise ConfigError(f"worker process {self.pid}: {fault}")

    def close(self) -> None:
        self._writer.close()

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while (message := await _read_message(reader)) is not None:
            kind, content = message
            if kind == "status":
                self.status = cast("dict[str, object]", content)
            else:
                self._answers.put_nowait(str(content or ""))
        self.gone.set()
        self._answers.put_nowait("it has ended")


def _child(settings: Settings, number: int, endpoint: Endpoint, channel: socket.socket) -> None:
    """Be a worker; never return."""
    code = 3
    try:
        signal.signal(
            signal.SIGINT, signal.SIG_IGN
        )  # the terminal sends it to all; the parent acts
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        _loop_runner(settings).run(_work(settings, number, endpoint, channel))
        code = 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


async def _work(
    settings: Settings, number: int, endpoint: Endpoint, channel: socket.socket
) -> None:
    reader, writer = await asyncio.open_unix_connection(sock=channel)
    proxy = ProxyServer(settings, worker=number, workers=settings.workers)
    try:
        await proxy.start(bind(endpoint, shared=True))
    except (MraLabError, OSError) as exc:
        writer.write(_framed(("done", str(exc))))
        await writer.drain()
        return

    _spare_collector()
    _keep_memory()
    reporting = asyncio.create_task(_report(proxy, writer))
    try:
        writer.write(_framed(("status", proxy.status())))
        writer.write(_framed(("done", "")))
        while (message := await _read_message(reader)) is not None:
            kind, content = message
            if kind == "stop":
                break
            fault = ""
            if kind == "apply":
                try:
                    await proxy.apply(cast("Settings", content))
                except ConfigError as exc:
                    fault = str(exc)
            elif kind == "reopen":
                proxy.reopen_logs()
            writer.write(_framed(("status", proxy.status())))
            writer.write(_framed(("done", fault)))
    finally:
        reporting.cancel()
        await proxy.stop()
        writer.close()


async def _report(proxy: ProxyServer, writer: asyncio.StreamWriter) -> None:
    while True:
        await asyncio.sleep(_STATUS_EVERY_S)
        writer.write(_framed(("status", proxy.status())))


def _framed(message: tuple[str, object]) -> bytes:
    data = pickle.dumps(message)
    return _LENGTH.pack(len(data)) + data


async def _read_message(reader: asyncio.StreamReader) -> tuple[str, object] | None:
    """Read one message of our own parent or child; None at the end."""
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        data = await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    return cast("tuple[str, object]", pickle.loads(data))  # noqa: S301  our own process wrote it
