"""What a case is: an estate broken in one way, and what must be seen of it. *Pure*.

- A case is a few *plays*: one login each, under one release. Most cases have three: before, where
  all is green; where it bites; after the fix.
- Everything is stated: which step is red, what the client gets, the verdict, each WARNING and ERROR
  line. Whatever is not stated as red must be green, without such a line. Nothing is looked up.
- A case that still passes on the sound estate would show nothing; a test plays each one there, and
  it has to fail. Another test sees to it that no two cases show the same.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Final

from mralab.config.releases import Release, UpgradePath
from mralab.lab.loginresult import Outcome, Verdict
from mralab.lab.upgrade import Column

if TYPE_CHECKING:
    from mralab.config.estate import Estate
    from mralab.lab.estate import RunningEstate
    from mralab.truststore.verdict import Reason

#: What is done to a running estate that no estate file can say.
Act = Callable[["RunningEstate"], Awaitable[None]]

X12_5: Final = Column(Release.X12_5)
X14_0_7: Final = Column(Release.X14_0_7)
X14_2: Final = Column(Release.X14_2, UpgradePath.FRESH)
X14_2_BELOW_14_0: Final = Column(Release.X14_2, UpgradePath.BELOW_14_0)
X14_2_FROM_14_0: Final = Column(Release.X14_2, UpgradePath.FROM_14_0)
X15_5: Final = Column(Release.X15_5, UpgradePath.FRESH)
X15_5_FROM_14_0: Final = Column(Release.X15_5, UpgradePath.FROM_14_0)
#: Stock Apache Traffic Server, where comparing tells what is the product's own.
STOCK: Final = Column(Release.ATS)

CONNECT_FAILED: Final = "connect failed"
_BAD_GATEWAY: Final = 502


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Red steps with one and the same cause.

    In texts ``{host}`` stands for the host asked and ``{address}`` for its address.
    """

    steps: tuple[str, ...]  #: titles
    status: int = _BAD_GATEWAY  #: what the client gets
    phrase: str = CONNECT_FAILED
    verdict: Verdict = Verdict.REFUSED
    reason: Reason | None = None  #: how the transaction ended; None: the traffic server had no part
    certificate: str = ""  #: that the node presented, by its name in certificate management
    log: tuple[str, ...] = ()  #: WARNING and ERROR lines of one attempt, from that word on
    attempts: int = 2
    asked: str = ""  #: title of the request of Expressway-C's own that it was; "": the client's
    fault: str = ""  #: what is wrong if the answer is a good one


@dataclass(frozen=True, slots=True, kw_only=True)
class Presented:
    """What the node presents at one step; what is empty is not compared."""

    step: str
    certificate: str = ""  #: by its name in certificate management
    key: str = ""  #: of the leaf, ``RSA 1024``
    signature: str = ""  #: on the leaf, ``sha256WithRSAEncryption``
    tls: str = ""  #: ``TLSv1.3``
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What one login must come to."""

    outcome: Outcome = Outcome.FINE
    refused: tuple[Refused, ...] = ()
    not_asked: tuple[str, ...] = ()  #: steps that could not be taken since another one is red
    presented: tuple[Presented, ...] = ()
    discovery: tuple[str, ...] = ()  #: publishers that discovery fails for: address and status


GREEN: Final = Expected()


class Moment(Enum):
    """When a play takes place; the value is the word in reports."""

    BEFORE = "before"
    BITES = "where it bites"
    ALSO = "also"
    MENDED = "after the fix"


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """One login under one release."""

    column: Column  #: release, and how it was reached
    said: str = ""  #: what is so at this moment, in a sentence
    expected: Expected = GREEN
    estate: Estate | None = None  #: None: the case's
    refresh: bool = False  #: whether somebody presses Refresh servers before
    password: str = ""  #: as typed in; "": the right one
    act: Act | None = None  #: done before the login
    connect_timeout_s: float | None = None  #: None: the lab's


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """What mends it, in words and for real."""

    what: str  #: a sentence
    where: str  #: page or command of the product
    restart: str = ""  #: what the product needs afterwards
    column: Column | None = None  #: None: where it bites
    expected: Expected = GREEN
    estate: Estate | None = None  #: as mended; None: the case's, mended by the rest
    refresh: bool = False  #: whether Refresh servers belongs to it
    password: str = ""
    act: Act | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An estate broken in one way."""

    name: str  #: of small letters and hyphens
    title: str
    story: str  #: what somebody did, and what users say
    estate: Estate  #: broken
    bites: Play
    lesson: str  #: one sentence
    fix: Fix
    before: Play | None = None  #: where it is still green; None: it never was
    also: tuple[Play, ...] = ()  #: what else there is to see before it is mended
    user: str = "emusk"
    source: str = ""  #: public document that tells of it; "": none does

    @property
    def moments(self) -> tuple[tuple[Moment, Play], ...]:
        """All of it in order: before, where it bites, what else there is, after the fix."""
        before = () if self.before is None else ((Moment.BEFORE, self.before),)
        also = ((Moment.ALSO, play) for play in self.also)
        return (*before, (Moment.BITES, self.bites), *also, (Moment.MENDED, self.mended))

    @property
    def mended(self) -> Play:
        """The login after the fix."""
        fix = self.fix
        return Play(
            column=fix.column or self.bites.column,
            said=fix.what,
            expected=fix.expected,
            estate=fix.estate,
            refresh=fix.refresh,
            password=fix.password,
            act=fix.act,
        )

    def estate_of(self, play: Play) -> Estate:
        """Return the estate that a play is about, under its release."""
        estate = play.estate or self.estate
        column = play.column
        control = replace(
            estate.expressway_c,
            release=column.release,
            upgrade_path=column.path or UpgradePath.FRESH,
        )
        return replace(estate, expressway_c=control)

    @property
    def acts(self) -> bool:
        """Whether something is done that a change of the estate does not undo."""
        return any(play.act is not None for _, play in self.moments)
