"""How a case is played: a running estate, changed from play to play, and a real login in each.

- One running estate serves all cases, since a change takes less than a start. A case that does what
  a change of the estate does not undo gets it last: the next one starts another.
- The first play of each case begins with Refresh servers, so no case sees what an earlier one has
  discovered. Later ones keep what was discovered unless they say otherwise, as an upgrade does.
- Before every login Expressway-C forgets its sessions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from mralab.config.estatesample import sound_estate
from mralab.errors import LabError, MraLabError
from mralab.lab.catalogue.compare import differences
from mralab.lab.estate import RunningEstate
from mralab.lab.estatelogin import account_of, edge_of, log_in_to
from mralab.lab.pki import KeyCache

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from mralab.lab.catalogue.model import Case, Moment, Play
    from mralab.lab.edgelogin import Edge
    from mralab.lab.login import Account
    from mralab.lab.loginresult import LoginResult


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayResult:
    """What one play came to."""

    moment: Moment
    play: Play
    result: LoginResult | None = None  #: None: there was no login
    discovery: tuple[str, ...] = ()  #: publishers that discovery failed for: address and status
    faults: tuple[str, ...] = ()  #: differences to what was stated


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """What one case came to."""

    case: Case
    plays: tuple[PlayResult, ...]

    @property
    def as_stated(self) -> bool:
        """Whether everything was as stated."""
        return not any(play.faults for play in self.plays)


class Stage:
    """``async with Stage() as stage`` plays cases.

    Attributes:
        notes: what is not as documented on this machine, a sentence each.
    """

    def __init__(self, *, keys: KeyCache | None = None) -> None:
        """Nothing runs yet.

        Args:
            keys: private keys to use and to add to.
        """
        self.notes: tuple[str, ...] = ()
        self._keys = keys or KeyCache()
        self._lab: RunningEstate | None = None
        self._known_edge: tuple[bytes, Edge] | None = None

    async def __aenter__(self) -> Self:
        """Start nothing: the first case does."""
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop what runs."""
        await self._leave()

    async def play(
        self,
        case: Case,
        *,
        done: Callable[[PlayResult], None] = lambda _result: None,
    ) -> CaseResult:
        """Play a case to its end; a play that went otherwise does not stop the next.

        Args:
            case: which.
            done: told of each play after it.

        Raises:
            LabError: the estate cannot be run on this machine at all.
        """
        lab = await self._running()
        results = []
        for number, (moment, play) in enumerate(case.moments):
            try:
                result = await self._play_one(lab, case, play, moment, first=not number)
            except MraLabError as exc:
                faults = (f"it could not be played: {exc}",)
                result = PlayResult(moment=moment, play=play, faults=faults)
            done(result)
            results.append(result)
        if case.acts or any(item.result is None for item in results):
            await self._leave()
        return CaseResult(case=case, plays=tuple(results))

    async def _play_one(
        self, lab: RunningEstate, case: Case, play: Play, moment: Moment, *, first: bool
    ) -> PlayResult:
        await lab.change(case.estate_of(play), refresh=first or play.refresh)
        await _set_timeout(lab, play.connect_timeout_s)
        if play.act is not None:
            await play.act(lab)
        lab.expressway_c.forget()
        result = await log_in_to(lab, _account(lab, case, play), edge=self._edge(lab))
        discovery = tuple(f"{item.plan.address}: {item.status}" for item in lab.report.failures)
        return PlayResult(
            moment=moment,
            play=play,
            result=result,
            discovery=discovery,
            faults=differences(play.expected, result, discovery, lab.estate),
        )

    def _edge(self, lab: RunningEstate) -> Edge:
        """Return how to reach Expressway-E; what a client must trust there is read once."""
        authorities = lab.files.front_ca.read_bytes()
        if self._known_edge is None or self._known_edge[0] != authorities:
            self._known_edge = (authorities, edge_of(lab))
        return self._known_edge[1]

    async def _running(self) -> RunningEstate:
        if self._lab is None:
            lab = RunningEstate(sound_estate(), keys=self._keys)
            self._lab = await lab.__aenter__()
            self.notes = lab.notes
        return self._lab

    async def _leave(self) -> None:
        lab, self._lab = self._lab, None
        self._known_edge = None
        if lab is not None:
            await lab.__aexit__(None, None, None)


async def _set_timeout(lab: RunningEstate, connect_timeout_s: float | None) -> None:
    timeouts = lab.files.settings(lab.estate).timeouts
    if connect_timeout_s is not None:
        timeouts = replace(timeouts, connect_timeout_s=connect_timeout_s)
    if lab.proxy.settings.timeouts != timeouts:
        await lab.use(timeouts=timeouts)


def _account(lab: RunningEstate, case: Case, play: Play) -> Account:
    user = lab.estate.user(case.user)
    if user is None:
        raise LabError(f"the estate has no user {case.user!r}")
    account = account_of(lab.estate, user)
    return replace(account, password=play.password) if play.password else account
