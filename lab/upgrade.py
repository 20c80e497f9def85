"""The upgrade: one estate and one login under each release, by each upgrade path.

- Each column is a real login through the same running estate, whose traffic server is set to that
  release; nothing is looked up and no expectation is compared with.
- Between two columns Expressway-C forgets its sessions, as an upgrade has it do, and discovers its
  servers anew, as Refresh servers does.
- What the estate sets itself (cipher list, VerifyOriginServer, name rule) an upgrade keeps; it
  stays the same in all columns.
- A step *breaks* in a column if it is red there and green in the column before the upgrade: X12.5
  for the path from below 14.0, X14.0.7 for the others. (A fresh install replaces one of them.)

Source: the three paths and their cipher lists in Cisco 218018 and the X14.2 release note (seen).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mralab.config.releases import Release, UpgradePath, VerifyMode
from mralab.errors import ConfigError
from mralab.lab.estatelogin import account_of, edge_of, log_in_to
from mralab.lab.loginresult import LoginResult, causes_of, refusals_in
from mralab.lab.remedy import choose

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mralab.config.estate import Estate, UserPlan
    from mralab.lab.estate import RunningEstate
    from mralab.lab.loginresult import LoginStep
    from mralab.lab.remedy import Cause, Choice

_FIRST_WITH_PATHS: Final = (Release.X14_2, Release.X15_5)


@dataclass(frozen=True, slots=True)
class Column:
    """A release, and how it was reached."""

    release: Release
    path: UpgradePath | None = None  #: None for those before X14.2, where it does not matter

    @property
    def title(self) -> str:
        """As it is written on the command line: ``X14.2/fresh``."""
        return (
            self.release.value if self.path is None else f"{self.release.value}/{self.path.value}"
        )

    @property
    def before(self) -> Column | None:
        """What was there before the upgrade; None for those that are before it."""
        if self.path is None:
            return None
        below = self.path is UpgradePath.BELOW_14_0
        return Column(Release.X12_5 if below else Release.X14_0_7)


#: All columns, in order.
COLUMNS: Final = (
    Column(Release.X12_5),
    Column(Release.X14_0_7),
    *(
        Column(release, path)
        for release in _FIRST_WITH_PATHS
        for path in (UpgradePath.BELOW_14_0, UpgradePath.FROM_14_0, UpgradePath.FRESH)
    ),
)


def columns_of(text: str) -> tuple[Column, ...]:
    """Return the columns that a list names, in their own order.

    Args:
        text: releases with commas between them, ``X14.0.7,X14.2/fresh``; a release alone means all
            of its paths.

    Raises:
        ConfigError: there is no such column.
    """
    wanted = [word.strip() for word in text.split(",") if word.strip()]
    known = {column.title for column in COLUMNS} | {column.release.value for column in COLUMNS}
    for word in wanted:
        if word not in known:
            titles = ", ".join(column.title for column in COLUMNS)
            raise ConfigError(f"there is no column {word!r}", hint=f"there are: {titles}")
    if not wanted:
        raise ConfigError("no column is named", hint="for example X14.0.7,X14.2/fresh")
    return tuple(column for column in COLUMNS if {column.title, column.release.value} & set(wanted))


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnResult:
    """One login under one release."""

    column: Column
    verified: bool  #: whether the traffic server verified nodes
    ciphers: str  #: the cipher list in force
    discovery: tuple[str, ...]  #: of publishers that discovery failed for: address and status
    result: LoginResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One cause, and every cell that is red because of it."""

    letter: str  #: A, B, ...: how cells refer to it
    cause: Cause
    step: LoginStep  #: the request that met it first, Expressway-C's own ones included
    cells: tuple[tuple[str, str], ...]  #: column's title and step's title

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it is in."""
        return tuple(dict.fromkeys(column for column, _ in self.cells))

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps it is in."""
        return tuple(dict.fromkeys(step for _, step in self.cells))


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeMatrix:
    """Steps by releases."""

    estate: str  #: what it is called
    user: str
    columns: tuple[ColumnResult, ...]
    #: Clusters that are not the user's home: name, and a user there, "" if it has none.
    not_tried: tuple[tuple[str, str], ...] = ()

    @property
    def rows(self) -> tuple[str, ...]:
        """Titles of all steps, in the order of the logins."""
        titles: list[str] = []
        for column in self.columns:
            position = 0
            for step in column.result.steps:
                if step.title in titles:
                    position = titles.index(step.title) + 1
                else:
                    titles.insert(position, step.title)
                    position += 1
        return tuple(titles)

    @property
    def red(self) -> bool:
        """Whether any step is red in any column."""
        return any(column.result.red for column in self.columns)

    def column(self, column: Column) -> ColumnResult | None:
        """Find the result of a column."""
        return next((item for item in self.columns if item.column == column), None)

    def breaks(self, column: ColumnResult) -> tuple[str, ...]:
        """Return the steps that are red in a column and were green before the upgrade."""
        before = None if column.column.before is None else self.column(column.column.before)
        if before is None:
            return ()
        green = {step.title for step in before.result.steps if not step.fault}
        return tuple(step.title for step in column.result.red if step.title in green)

    def problems(self) -> tuple[Problem, ...]:
        """Return all causes, in the order they are met."""
        causes: dict[tuple[str, ...], tuple[Cause, LoginStep]] = {}
        cells: dict[tuple[str, ...], list[tuple[str, str]]] = {}
        for column in self.columns:
            red = column.result.red
            for step, cause in zip(red, causes_of(column.result.steps), strict=True):
                causes.setdefault(cause.key, (cause, next(refusals_in(step), step)))
                cells.setdefault(cause.key, []).append((column.column.title, step.title))
        return tuple(
            Problem(letter=_letter(number), cause=cause, step=step, cells=tuple(cells[key]))
            for number, (key, (cause, step)) in enumerate(causes.items())
        )

    @property
    def choice(self) -> Choice | None:
        """The fix that mends most cells of all columns; None if all are green."""
        return choose(
            [cause for column in self.columns for cause in causes_of(column.result.steps)]
        )


def _letter(number: int) -> str:
    """Return A to Z, then AA, AB and so on."""
    letters = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


async def run_upgrade(
    lab: RunningEstate,
    *,
    user: UserPlan | None = None,
    columns: Iterable[Column] = COLUMNS,
    name: str = "",
    begins: Callable[[Column], None] = lambda _column: None,
) -> UpgradeMatrix:
    """Log in under each release.

    Args:
        lab: the estate, running with its front; its release is put back at the end.
        user: who; None is the estate's first user.
        columns: under which releases, in this order.
        name: what the estate is called in the result.
        begins: told of each column before its login.

    Raises:
        LabError: Expressway-E cannot be reached.
    """
    settings = lab.proxy.settings
    who = user or lab.estate.users[0]
    results: list[ColumnResult] = []
    try:
        for column in columns:
            begins(column)
            results.append(await _one(lab, who, column))
    finally:
        await lab.use(release=settings.release, upgrade_path=settings.upgrade_path)
        lab.expressway_c.forget()
    return UpgradeMatrix(
        estate=name,
        user=who.user_id,
        columns=tuple(results),
        not_tried=_not_tried(lab.estate, who),
    )


def _not_tried(estate: Estate, user: UserPlan) -> tuple[tuple[str, str], ...]:
    first: dict[str, str] = {}
    for item in estate.users:
        first.setdefault(item.cluster, item.user_id)
    others = (cluster.name for cluster in estate.clusters if cluster.name != user.cluster)
    return tuple((name, first.get(name, "")) for name in others)


async def _one(lab: RunningEstate, user: UserPlan, column: Column) -> ColumnResult:
    await lab.use(release=column.release, upgrade_path=column.path or UpgradePath.FRESH)
    lab.expressway_c.forget()
    report = await lab.refresh_servers()
    result = await log_in_to(lab, account_of(lab.estate, user), edge=edge_of(lab))
    settings = lab.proxy.settings
    return ColumnResult(
        column=column,
        verified=settings.effective_verify_mode is not VerifyMode.OFF,
        ciphers=settings.effective_ciphers,
        discovery=tuple(f"{item.plan.address}: {item.status}" for item in report.failures),
        result=result,
    )
