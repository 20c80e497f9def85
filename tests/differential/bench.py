"""Runs the cases: one Traffic Server and one proxy of ours per policy, the same origins for both.

Rules: cases run side by side, the two servers of one case one after the other. Cases that share a
host or an address (there is one ``::1``) take turns, so that log lines can be told apart. What
Traffic Server did is kept: a mutated copy of our code is run against it without asking again.
"""

from __future__ import annotations

import asyncio
import ipaddress
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from OpenSSL import SSL
from tests.differential.client import ask
from tests.differential.model import LogEntry, Observation, Policy, log_entries
from tests.differential.names_server import NameServer
from tests.differential.origins import Origin
from tests.differential.place import Place, common_root
from tests.differential.standin import StandIn, Variant
from tests.differential.trafficserver import TrafficServer

from mralab.origin.route import encode_segment

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from pathlib import Path

    from tests.differential.client import Answer
    from tests.differential.model import Case
    from tests.differential.origins import Seen
    from tests.differential.world import World

_AT_ONCE: Final = 12
Key = tuple[str, Policy]


@dataclass(frozen=True, slots=True)
class Stage:
    """A case, set up: its world, its origin, how it is reached."""

    case: Case
    world: World
    host: str
    address: str
    origin: Origin

    @property
    def segment(self) -> str:
        """First path segment of the request."""
        return encode_segment("lab", self.world.scheme, self.host, self.origin.port)

    @property
    def names(self) -> frozenset[str]:
        """What log lines name: the host, and the peer's address as either server writes it."""
        written = {self.host, self.address}
        return frozenset(
            written | {str(ipaddress.ip_address(text)) for text in written if _is_address(text)}
        )

    @property
    def url(self) -> str:
        """The origin's URL, for the remap rule."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.world.scheme}://{host}:{self.origin.port}"


class CaseError(Exception):
    """A case is wrong in itself."""


class LogTail:
    """Reads what is new in a log."""

    def __init__(self, paths: Sequence[Path]) -> None:
        """Follow ``paths``; they need not exist yet."""
        self._paths = list(paths)
        self._offsets = [0] * len(self._paths)
        self.entries: list[LogEntry] = []

    def read(self) -> int:
        """Take in the complete lines that are new; return how many entries there are by now."""
        for index, path in enumerate(self._paths):
            if not path.exists():
                continue
            with path.open("rb") as file:
                file.seek(self._offsets[index])
                data = file.read()
            complete = data[: data.rfind(b"\n") + 1]
            self._offsets[index] += len(complete)
            self.entries += log_entries(complete.decode("utf-8", "replace").splitlines())
        return len(self.entries)


class Bench:
    """All cases set up, with their origins listening."""

    def __init__(self, cases: Sequence[Case], folder: Path) -> None:
        """Build every world."""
        self._folder = folder
        self._stages: list[Stage] = []
        self._locks: dict[str, asyncio.Lock] = {}
        for number, case in enumerate(cases):
            place = Place(number)
            world = case.build(place)
            host, address = world.host or place.host, world.address or place.address
            self._stages.append(Stage(case, world, host, address, Origin(world, address)))

    async def start(self) -> None:
        """Let the origins listen."""
        for stage in self._stages:
            try:
                await stage.origin.start()
            except SSL.Error as exc:
                raise CaseError(f"{stage.case.id}: its origin cannot be made: {exc}") from exc

    async def stop(self) -> None:
        """End the origins."""
        for stage in self._stages:
            await stage.origin.stop()

    async def ask_traffic_server(self) -> dict[Key, Observation]:
        """Run Traffic Server under each policy through all cases."""
        servers = {
            policy: TrafficServer(self._folder / f"ats-{policy.value}", policy)
            for policy in {policy for stage in self._stages for policy in stage.case.policies}
        }
        names = NameServer(self._names)
        name_server = await names.start()
        try:
            for server in servers.values():
                await server.start(
                    trusted=self._trusted,
                    name_server=name_server,
                    remap=[
                        (stage.segment, stage.url, stage.world.retries) for stage in self._stages
                    ],
                )
            tails = {policy: LogTail(server.logs) for policy, server in servers.items()}

            async def nothing() -> None:
                """Traffic Server writes its lines before it answers."""

            return await self._run(
                lambda policy, _retries: servers[policy].port,
                lambda policy, _retries: tails[policy],
                nothing,
            )
        finally:
            for server in servers.values():
                await server.stop()
            names.stop()

    async def ask_ours(
        self, tree: Path, *, name: str = "ours", only: frozenset[str] | None = None
    ) -> dict[Key, Observation]:
        """Run our proxies through all cases, or through those in ``only``.

        Args:
            tree: the checkout whose code is run.
            name: of the folder for its files.
            only: sentences of the cases to run.
        """
        ours = StandIn(self._folder / name, tree)
        variants: list[Variant] = sorted(
            {
                (policy, stage.world.retries)
                for stage in self._stages
                for policy in stage.case.policies
            },
            key=lambda variant: (variant[0].value, str(variant[1])),
        )
        try:
            await ours.start(trusted=self._trusted, hosts=self._hosts, variants=variants)
            tails = {variant: LogTail([ours.log(variant)]) for variant in variants}
            return await self._run(
                lambda policy, retries: ours.ports[policy, retries],
                lambda policy, retries: tails[policy, retries],
                ours.sync,
                only=only,
            )
        finally:
            await ours.stop()

    # -- inside

    @property
    def _trusted(self) -> str:
        listed = [common_root(), *(item for stage in self._stages for item in stage.world.trusted)]
        return "".join(item.pem for item in listed)

    @property
    def _names(self) -> dict[str, str]:
        """Return the addresses of the names that resolve."""
        return {
            stage.host: stage.address
            for stage in self._stages
            if stage.world.resolvable and not _is_address(stage.host)
        }

    @property
    def _hosts(self) -> str:
        return "".join(f"{address} {name}\n" for name, address in self._names.items())

    async def _run(
        self,
        port: Callable[[Policy, int | None], int],
        tail: Callable[[Policy, int | None], LogTail],
        sync: Callable[[], Awaitable[None]],
        *,
        only: frozenset[str] | None = None,
    ) -> dict[Key, Observation]:
        results: dict[Key, Observation] = {}
        at_once = asyncio.Semaphore(_AT_ONCE)

        async def run(stage: Stage) -> None:
            async with self._alone(stage), at_once:
                for policy in stage.case.policies:
                    retries = stage.world.retries
                    results[stage.case.id, policy] = await observe(
                        stage, port(policy, retries), tail(policy, retries), sync
                    )

        async with asyncio.TaskGroup() as tasks:
            for stage in self._stages:
                if only is None or stage.case.id in only:
                    tasks.create_task(run(stage))
        return results

    @asynccontextmanager
    async def _alone(self, stage: Stage) -> AsyncIterator[None]:
        """Keep other cases of the same host or address away meanwhile."""
        async with AsyncExitStack() as stack:
            for name in sorted(stage.names):
                await stack.enter_async_context(self._locks.setdefault(name, asyncio.Lock()))
            yield


async def observe(
    stage: Stage, port: int, tail: LogTail, sync: Callable[[], Awaitable[None]]
) -> Observation:
    """Send a case's requests through one server and gather what shows."""
    start = tail.read()
    answers: list[Answer] = []
    seen: list[Seen] = []
    for request in stage.world.requests:
        answers.append(await ask(port, stage.segment, request))
        seen += await stage.origin.take()
    await sync()
    tail.read()
    names = stage.names
    entries = [
        entry for entry in tail.entries[start:] if entry.peer in names or entry.name in names
    ]
    return Observation(
        answer=tuple(answer.line for answer in answers),
        page=tuple(answer.page for answer in answers if answer.own),
        body=tuple(answer.body.decode("latin-1") for answer in answers if not answer.own),
        warnings=tuple(entry.text for entry in entries if entry.is_warning),
        errors=tuple(entry.text for entry in entries if not entry.is_warning),
        connections=len(seen),
        sni=tuple(item.sni for item in seen),
        suites=tuple(item.suites for item in seen),
        versions=tuple(item.version for item in seen),
        alerts=tuple(item.alert for item in seen),
        resumed=tuple(item.resumed for item in seen),
        requests=tuple(item.request for item in seen if item.request),
    )


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
