"""A journal: what happened, in order, for observers who wait and never poll.

Entries are numbered from 0 for the journal's whole life. An observer notes the number of entries
so far, starts what it wants to see, and awaits the entry with that number: nothing is missed in
between. The journal keeps a bounded number of the newest entries. It belongs to one event loop.

Who must see every entry in the moment it is added, before any answer goes out, follows the journal
instead: :meth:`Journal.follow`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from mralab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Entry = TypeVar("Entry")

#: Entries kept by default. Lab default.
KEPT: Final = 10_000


class Journal(Generic[Entry]):
    """An ordered record of entries that can be awaited.

    Attributes:
        count: entries ever added.
    """

    __slots__ = ("_changed", "_followers", "_kept", "count")

    def __init__(self, *, keep: int = KEPT) -> None:
        """Start empty; of more than ``keep`` entries the oldest are dropped."""
        self._kept: deque[Entry] = deque(maxlen=keep)
        self._changed = asyncio.Event()
        self._followers: list[Callable[[Entry], None]] = []
        self.count = 0

    def __len__(self) -> int:
        """Entries ever added: the number that the next one will get."""
        return self.count

    def __iter__(self) -> Iterator[Entry]:
        """Iterate over the kept entries as of now, oldest first."""
        return iter(tuple(self._kept))

    def follow(self, follower: Callable[[Entry], None], *, keep: int | None = None) -> None:
        """Have each further entry handed to ``follower`` when it is added, in order.

        Args:
            follower: quick, and never raises.
            keep: how many entries to keep from now on, for one who keeps what matters itself;
                None changes nothing.
        """
        self._followers.append(follower)
        if keep is not None:
            self._kept = deque(self._kept, maxlen=keep)

    def add(self, entry: Entry) -> None:
        """Append an entry and wake those who wait. Call it from the loop's thread."""
        self._kept.append(entry)
        self.count += 1
        for follower in self._followers:
            follower(entry)
        # Waiters hold the event they started with, so a fresh one for the next entry loses nobody.
        self._changed.set()
        self._changed = asyncio.Event()

    async def entry(self, number: int) -> Entry:
        """Return entry ``number`` (from 0), waiting until it exists.

        Raises:
            LabError: it existed, and has been dropped.
        """
        while self.count <= number:
            await self._changed.wait()
        oldest = self.count - len(self._kept)
        if number < oldest:
            raise LabError(
                f"entry {number} is no longer kept; the oldest one is {oldest}",
                hint="keep more entries or look at them earlier",
            )
        return self._kept[number - oldest]

    @property
    def last(self) -> Entry:
        """The newest entry.

        Raises:
            LabError: nothing has happened yet.
        """
        if not self._kept:
            raise LabError("the journal is empty", hint="await its first entry")
        return self._kept[-1]
