"""Write the tables of ``docs/reference/verification.md`` anew from the code and the tests' cases.

Run ``PYTHONPATH=. python -P -m tests.docs.verification_page`` from the top of the repository after
a change of a release profile, an answer or a case of a broken chain.
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from tests.truststore.test_openssl import broken_chains

from mralab.config.releases import (
    PROFILES,
    RSA_FIRST_PREFIX,
    ReleaseProfile,
    TlsVersion,
    UpgradePath,
    default_ciphers,
)
from mralab.proxy.answers import refusal_for
from mralab.truststore.verdict import Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.truststore.test_openssl import Broken

PAGE: Final = Path(__file__).parents[2] / "docs" / "reference" / "verification.md"
_PROFILES: Final = tuple(PROFILES.values())


class Row(NamedTuple):
    """One line of the table of releases."""

    field: str  #: of the profile; empty: no field of it
    question: str
    answer: Callable[[ReleaseProfile], object]
    source: str


def _first_suites(path: UpgradePath) -> Callable[[ReleaseProfile], str]:
    def answer(profile: ReleaseProfile) -> str:
        rsa = default_ciphers(profile.release, path).startswith(RSA_FIRST_PREFIX)
        return "RSA" if rsa else "ECDSA"

    return answer


def _openssl_order(profile: ReleaseProfile) -> str:
    return "OpenSSL's" if profile.max_tls is TlsVersion.TLS1_3 else "-"


ROWS: Final = (
    Row(
        "verify_mode",
        "VerifyOriginServer",
        lambda one: one.verify_mode.value,
        "SEEN: 218018. Of X14.0.8 and later 14.0 releases public pages disagree (225476)",
    ),
    Row(
        "retries",
        "attempts for a request that keeps failing",
        lambda one: one.retries + 1,
        "SEEN for X14.2 in the capture of 218018, and for `ats`; other X releases INFERRED",
    ),
    Row(
        "shows_client_certificate",
        "own certificate shown to an origin that asks",
        lambda one: "yes" if one.shows_client_certificate else "no",
        "SEEN: release note X14.2 (from X14.0.2 on), 225476",
    ),
    Row(
        "max_tls",
        "highest TLS version offered",
        lambda one: one.max_tls.value.removeprefix("TLSv"),
        "SEEN for X15 (225476) and `ats`; others lab default",
    ),
    Row(
        "",
        "first suites of TLS 1.2, fresh or upgraded from below X14.0",
        _first_suites(UpgradePath.FRESH),
        "SEEN from X14.0 on: 218018, release note X14.2; X12.5 lab default",
    ),
    Row(
        "",
        "the same, upgraded from X14.0",
        _first_suites(UpgradePath.FROM_14_0),
        "SEEN: 218018, release note X14.2",
    ),
    Row(
        "tls13_suites",
        "order of TLS 1.3's suites",
        lambda one: "Traffic Server's" if one.tls13_suites else _openssl_order(one),
        "SEEN for `ats`; X15.5 lab default",
    ),
    Row(
        "security_level",
        "OpenSSL security level",
        lambda one: one.security_level,
        "INFERRED: a SHA-1 certificate passes in the capture of 218018; SEEN for `ats`",
    ),
    Row(
        "wording",
        "codes and texts of OpenSSL",
        lambda one: one.wording.value,
        "SEEN: 218018 (X14.2), 225746 (X15); older releases INFERRED",
    ),
    Row(
        "name_rule",
        "name rule",
        lambda one: f"`{one.name_rule.value}`",
        "`ats` SEEN; `expressway` lab decision, see [names](names.md)",
    ),
    Row(
        "subject_policy",
        "certificates of one subject in the trusted CA list",
        lambda one: f"`{one.subject_policy.value}`",
        "SEEN: MRA guide X15.0, CSCwa12905; `ats` SEEN",
    ),
    Row(
        "et_net_errors",
        "ERROR line for a failed handshake",
        lambda one: "always" if one.et_net_errors else "with `--debug-log`",
        "SEEN: 218018; `ats` SEEN",
    ),
    Row(
        "via_product",
        "product word in our `Via`",
        lambda one: f"`{one.via_product}`",
        "SEEN: 225746; `ats` SEEN",
    ),
)
#: Fields that are not a row: the release itself.
NO_ROWS: Final = frozenset({"release"})


def missing_rows() -> set[str]:
    """Return the profile's fields that no row tells of."""
    return {field.name for field in fields(ReleaseProfile)} - {row.field for row in ROWS} - NO_ROWS


def _table(heads: list[str], rows: Iterable[Iterable[object]]) -> str:
    lines = [heads, ["---"] * len(heads), *([str(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def releases() -> str:
    """Return what each release does."""
    heads = ["", *(f"`{profile.release.value}`" for profile in _PROFILES), "source"]
    return _table(heads, [[row.question, *map(row.answer, _PROFILES), row.source] for row in ROWS])


def _fault(title: str, broken: Broken) -> list[object]:
    newer = broken.text_3 or broken.text
    return [
        title,
        broken.text,
        "the same" if newer == broken.text else newer,
        broken.code if broken.code_3 is None else f"{broken.code} ({broken.code_3})",
        broken.depth,
        broken.alert,
    ]


def chains() -> str:
    """Return what a broken chain leads to; the tests run these very cases."""
    return _table(
        ["chain", "`Error=`, X releases", "`Error=`, `ats`", "code", "`depth=`", "alert"],
        [_fault(title, broken) for title, broken in broken_chains()],
    )


def _answers(profile: ReleaseProfile, reason: Reason) -> str:
    both = []
    for scheme in ("https", "http"):
        answer = refusal_for(reason, "", profile=profile, scheme=scheme, close=False)
        both.append(f"{answer.status} `{answer.phrase}`" if answer.phrase else f"{answer.status} ")
    if both[0] == both[1]:
        return both[0].strip()
    return f"{both[0]}; over http {both[1]}"


_CAUSES: Final = {
    Reason.CHAIN_REFUSED: "the chain is refused",
    Reason.NAME_REFUSED: "the name is refused",
    Reason.ORIGIN_ALERT: "the origin ends TLS with an alert",
    Reason.TLS_ERROR: "TLS fails otherwise",
    Reason.CONNECT_REFUSED: "the port is closed",
    Reason.CONNECT_FAILED: "the address cannot be reached",
    Reason.CONNECT_TIMEOUT: "no TCP connection or handshake in time",
    Reason.ORIGIN_RESET: "the origin resets before it answers",
    Reason.ORIGIN_CLOSED: "the origin closes in the handshake",
    Reason.NO_RESPONSE: "the origin closes without an answer",
    Reason.BAD_RESPONSE: "the answer is not HTTP, or could be read in two ways",
    Reason.RESPONSE_TIMEOUT: "no answer in time",
    Reason.NAME_NOT_RESOLVED: "the name does not resolve",
    Reason.SHUTDOWN: "the proxy is stopped",
}


def answers() -> str:
    """Return what the client gets for each cause on the origin's side."""
    x_release, ats = _PROFILES[0], _PROFILES[-1]
    return _table(
        ["cause", "JSON log", "X releases", "`ats`"],
        [
            [cause, f"`{reason.value}`", _answers(x_release, reason), _answers(ats, reason)]
            for reason, cause in _CAUSES.items()
        ],
    )


TABLES: Final = {"releases": releases, "chains": chains, "answers": answers}


def with_tables(page: str) -> str:
    """Return the page with its tables written anew."""
    for name, table in TABLES.items():
        begin, end = f"<!-- {name} begin -->\n", f"<!-- {name} end -->\n"
        before, found, rest = page.partition(begin)
        _, ended, after = rest.partition(end)
        assert found
        assert ended, f"no end of table {name}"
        page = f"{before}{begin}\n{table()}\n\n{end}{after}"
    return page


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
