"""What is compared with what: each run judges the chains of one column of the baseline."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.conformance.cases import Baseline, Case, load_cases
from tests.conformance.differences import AGAINST_1_1_1, AGAINST_3, Difference
from tests.conformance.judge import BrokenRunError, judge, judge_chain_only
from tests.conformance.verdict import Outcome, Verdict

from mralab.config.releases import (
    PROFILES,
    ErrorWording,
    NameRule,
    Release,
    SubjectPolicy,
    TlsVersion,
)
from mralab.errors import TrustStoreError
from mralab.truststore.bundle import parse_bundle
from mralab.truststore.openssl import OriginContext
from mralab.truststore.store import build_store

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

#: OpenSSL's own limit, which the baseline was made with. The product's, 7, would answer three
#: chains by ``certificate chain too long``.
OPENSSL_MAX_INTERMEDIATES: Final = 100
#: All suites: they are no part of the verdict, and a DSA leaf is to be shown too.
_CIPHERS: Final = "ALL"
_X_RELEASE: Final = PROFILES[Release.X14_2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One comparison."""

    title: str
    column: str  #: of the baseline
    chains: int  #: how many the column has
    security_level: int
    wording: ErrorWording
    differences: tuple[Difference, ...]  #: all there may be

    @property
    def agree(self) -> int:
        """How many chains are documented to be judged alike."""
        return self.chains - len(self.differences)


#: The last one is the run that the result is named after.
RUNS: Final = (
    Run(
        title="X releases, level 1 of 1.1.1",
        column="pyopenssl:1.1.1",
        chains=9851,
        security_level=_X_RELEASE.security_level,
        wording=_X_RELEASE.wording,
        differences=AGAINST_1_1_1,
    ),
    *(
        Run(
            title=f"level {level}",
            column=f"openssl_cli_al{level}",
            chains=360,
            security_level=level,
            wording=ErrorWording.OPENSSL_3,
            differences=AGAINST_3,
        )
        for level in (3, 2, 1)
    ),
    Run(
        title="level 0",
        column="openssl_cli",
        chains=9851,
        security_level=0,
        wording=ErrorWording.OPENSSL_3,
        differences=AGAINST_3,
    ),
)


@dataclass(frozen=True, slots=True)
class Pair:
    """What OpenSSL and we say of one chain."""

    case: str
    theirs: Verdict
    ours: Verdict


@dataclass(frozen=True, slots=True)
class Report:
    """What a comparison gave."""

    total: int
    known: tuple[Difference, ...]  #: as documented
    unknown: tuple[Pair, ...]
    gone: tuple[Difference, ...]  #: documented, but not met

    @property
    def agree(self) -> int:
        """How many chains were judged alike."""
        return self.total - len(self.known) - len(self.unknown)


async def judge_case(case: Case, *, security_level: int, wording: ErrorWording) -> Verdict:
    """Judge one chain as the proxy does, with OpenSSL's depth limit and look-up of issuers."""
    try:
        store = build_store(
            parse_bundle(case.trusted, case.id).certificates,
            policy=SubjectPolicy.OPENSSL,
            now=case.at,
        )
        context = OriginContext(
            store,
            ciphers=_CIPHERS,
            security_level=security_level,
            max_tls=TlsVersion.TLS1_2,
            wording=wording,
            verify=True,
            name_rule=NameRule.EXPRESSWAY,
            action=judge_chain_only,
            at=case.at,
            max_intermediates=OPENSSL_MAX_INTERMEDIATES,
        )
        return await judge(context, case.presented)
    except (BrokenRunError, TrustStoreError) as exc:
        return Verdict(Outcome.NOT_JUDGED, text=str(exc))


def judge_share(folder: Path, start: int, step: int) -> list[tuple[int, Pair]]:
    """Judge every ``step``-th chain in all runs; made for a process of its own.

    Args:
        folder: the hold-out.
        start: first chain to take.
        step: how many processes share the work.

    Returns:
        Index of the run and both verdicts, equal or not, for each chain that its column has.
    """
    baseline = Baseline(folder)

    async def judge_all() -> list[tuple[int, Pair]]:
        found = []
        for case in load_cases(folder, start=start, step=step):
            for index, run in enumerate(RUNS):
                theirs = baseline.verdict(case.id, run.column)
                if theirs is None:
                    continue
                ours = await judge_case(
                    case, security_level=run.security_level, wording=run.wording
                )
                found.append((index, Pair(case.id, theirs, ours)))
        return found

    return asyncio.run(judge_all())


def compare(pairs: Iterable[Pair], documented: tuple[Difference, ...]) -> Report:
    """Sort what two judges say of the same chains.

    Args:
        pairs: both verdicts on each chain, equal or not.
        documented: the differences there may be.
    """
    pairs = tuple(pairs)
    differing = {pair.case: pair for pair in pairs if pair.ours != pair.theirs}
    known, gone = [], []
    for difference in documented:
        pair = Pair(difference.case, difference.theirs, difference.ours)
        if differing.get(difference.case) == pair:
            del differing[difference.case]
            known.append(difference)
        else:
            gone.append(difference)
    return Report(len(pairs), tuple(known), tuple(differing.values()), tuple(gone))
