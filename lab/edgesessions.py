"""What the edge service remembers of users: sessions behind X-Auth cookies, and how often they ask.

- A session belongs to one user. Its token is random, unguessable and worth nothing once the
  session's time is over.
- Memory is bounded: the oldest entry goes when a table is full. Expired sessions go when a new one
  is made; the product clears them every "Credentials cleanup interval", 720 minutes by default
  (MRA guide X14.3, seen), which nobody outside can tell apart.
- The clock is an argument. *Pure* but for the tables and the random tokens.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict, deque
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

#: Sessions, and users whose authorisations are counted. Lab default.
MAX_REMEMBERED: Final = 16_384
_TOKEN_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class EdgeSession:
    """What one X-Auth cookie stands for."""

    token: str  #: 64 hexadecimal digits; releases of 2014 had a UUID (Cisco 117811, seen)
    user: str  #: as the user wrote it in its credentials
    expires: datetime  #: aware


class Sessions:
    """Sessions by their token."""

    __slots__ = ("_clock", "_limit", "_sessions")

    def __init__(self, clock: Callable[[], datetime], *, limit: int = MAX_REMEMBERED) -> None:
        """Start without any.

        Args:
            clock: aware time.
            limit: sessions kept at most.
        """
        self._clock = clock
        self._limit = limit
        self._sessions: OrderedDict[str, EdgeSession] = OrderedDict()

    def __len__(self) -> int:
        """Sessions in memory, expired ones included."""
        return len(self._sessions)

    def open(self, user: str, lifetime_s: float) -> EdgeSession:
        """Begin a session; others of the same user go on.

        Args:
            user: whom it belongs to.
            lifetime_s: "Credentials refresh interval".
        """
        now = self._clock()
        while self._sessions:
            oldest = next(iter(self._sessions.values()))
            if oldest.expires > now and len(self._sessions) < self._limit:
                break
            self._sessions.popitem(last=False)
        expires = now + timedelta(seconds=lifetime_s)
        session = EdgeSession(secrets.token_hex(_TOKEN_BYTES), user, expires)
        self._sessions[session.token] = session
        return session

    def find(self, token: str) -> EdgeSession | None:
        """Return the session of a token while it lasts."""
        session = self._sessions.get(token)
        if session is None:
            return None
        if session.expires <= self._clock():
            del self._sessions[token]
            return None
        return session

    def clear(self) -> None:
        """Forget all, as a restart does."""
        self._sessions.clear()


class AuthorisationLimit:
    """Counts authorisations of each user over a sliding period.

    Source: MRA guide X14.3 (limit in a period, 429 beyond it, seen); that the period slides is a
    lab default.
    """

    __slots__ = ("_clock", "_limit", "_recent")

    def __init__(self, clock: Callable[[], datetime], *, limit: int = MAX_REMEMBERED) -> None:
        """Start with none.

        Args:
            clock: aware time.
            limit: users counted at most; the one longest silent is forgotten first.
        """
        self._clock = clock
        self._limit = limit
        self._recent: OrderedDict[str, deque[datetime]] = OrderedDict()

    def __len__(self) -> int:
        """Users counted."""
        return len(self._recent)

    def take(self, user: str, *, count: int, period_s: float) -> float:
        """Count one authorisation, if the user may have it.

        Args:
            user: whose.
            count: how many there may be in a period; 0 is no limit.
            period_s: length of the period.

        Returns:
            0 if it was counted, otherwise the seconds until the next one may come; a refused one
            does not count.
        """
        if not count:
            return 0.0
        now = self._clock()
        recent = self._recent.get(user)
        if recent is None:
            while len(self._recent) >= self._limit:
                self._recent.popitem(last=False)
            recent = self._recent[user] = deque()
        self._recent.move_to_end(user)
        begin = now - timedelta(seconds=period_s)
        while recent and recent[0] <= begin:
            recent.popleft()
        if len(recent) >= count:
            return (recent[0] - begin).total_seconds()
        recent.append(now)
        return 0.0

    def clear(self) -> None:
        """Forget all, as a restart does."""
        self._recent.clear()
