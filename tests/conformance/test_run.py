"""The hold-out's files, the comparison, and the command from end to end."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.conformance.cases import Baseline, is_holdout, load_cases
from tests.conformance.differences import AGAINST_1_1_1, AGAINST_3, Difference
from tests.conformance.page import PAGE, with_tables
from tests.conformance.run import is_as_documented, lines_of, main
from tests.conformance.runs import RUNS, Pair, compare, judge_share
from tests.conformance.verdict import ACCEPTED, Outcome, Verdict, refused
from tests.truststore.certs import NOW, Made, authority, make

if TYPE_CHECKING:
    from collections.abc import Mapping

TOP = Path(__file__).parents[2]
ROOT = authority("Root")
LEAF = make("leaf", ROOT)
MISSING = refused(20, 0, "unable to get local issuer certificate")
EXPIRED = refused(10, 0, "certificate has expired")


def entry(ident: str, leaf: Made, listed: Made, kind: str = "SERVER") -> dict[str, Any]:
    return {
        "id": ident,
        "validation_kind": kind,
        "trusted_certs": [listed.pem.decode()],
        "peer_certificate": leaf.pem.decode(),
        "untrusted_intermediates": [ROOT.pem.decode().strip()],
        "validation_time": NOW.isoformat(),
    }


def row(verdict: Verdict) -> Mapping[str, object]:
    if verdict is ACCEPTED:
        return {"verdict": "SUCCESS", "code": 0, "depth": 0, "text": "ok"}
    return {
        "verdict": "FAILURE",
        "code": verdict.code,
        "depth": verdict.depth,
        "text": verdict.text,
        "later": [],
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a hold-out of three chains; on the last one OpenSSL is said to be wrong."""
    stranger = authority("Stranger")
    cases = {
        "cases-a.json.gz": [entry("a::good", LEAF, ROOT), entry("a::client", LEAF, ROOT, "CLIENT")],
        "cases-b.json.gz": [
            entry("b::missing", make("other", stranger), ROOT),
            entry("b::wrong", LEAF, ROOT),
        ],
    }
    for name, entries in cases.items():
        with gzip.open(tmp_path / name, "wt", encoding="utf-8") as file:
            json.dump({"testcases": entries}, file)
    columns = {"a::good": ACCEPTED, "b::missing": MISSING, "b::wrong": EXPIRED}
    rows = {
        ident: {"openssl_cli": row(verdict), "expected": "SUCCESS"}
        for ident, verdict in columns.items()
    }
    rows["a::good"]["openssl_cli_al1"] = {"verdict": "UNSTABLE", "text": "one or the other"}
    meta = {
        "openssl_cli": {"library": "OpenSSL 3.0.22 25 Aug 2026 (Library: ...)"},
        "pyopenssl:1.1.1": {"library": "OpenSSL 1.1.1n  15 Mar 2022"},
    }
    baseline = {"meta": meta, "cases": rows}
    (tmp_path / "baseline.json").write_text(json.dumps(baseline), encoding="utf-8")
    return tmp_path


def test_server_chains_are_read_in_order(folder: Path) -> None:
    cases = list(load_cases(folder))
    assert [case.id for case in cases] == ["a::good", "b::missing", "b::wrong"]
    assert cases[0].presented == (LEAF.der, ROOT.der)
    assert cases[0].trusted.strip() == ROOT.pem.strip()
    assert cases[0].at == NOW


def test_processes_share_the_chains(folder: Path) -> None:
    shares = [[case.id for case in load_cases(folder, start=n, step=2)] for n in range(2)]
    assert shares == [["a::good", "b::wrong"], ["b::missing"]]


def test_the_baseline_gives_verdicts_where_it_has_one(folder: Path) -> None:
    baseline = Baseline(folder)
    assert baseline.verdict("a::good", "openssl_cli") == ACCEPTED
    assert baseline.verdict("b::missing", "openssl_cli") == MISSING
    assert baseline.verdict("a::good", "openssl_cli_al1") is None
    assert baseline.verdict("a::good", "no such column") is None
    assert baseline.verdict("no such case", "openssl_cli") is None
    assert baseline.library("openssl_cli_al1") == "OpenSSL 3.0.22"
    assert baseline.library("pyopenssl:1.1.1") == "OpenSSL 1.1.1n"


def test_a_folder_is_a_hold_out_only_with_both(folder: Path) -> None:
    assert is_holdout(folder)
    (folder / "baseline.json").unlink()
    assert not is_holdout(folder)


def test_a_share_gives_both_verdicts_on_each_chain(folder: Path) -> None:
    level_0 = len(RUNS) - 1
    assert judge_share(folder, 0, 1) == [
        (level_0, Pair("a::good", ACCEPTED, ACCEPTED)),
        (level_0, Pair("b::missing", MISSING, MISSING)),
        (level_0, Pair("b::wrong", EXPIRED, ACCEPTED)),
    ]


SAME, WRONG = Pair("same", MISSING, MISSING), Pair("wrong", EXPIRED, ACCEPTED)
DOCUMENTED = Difference("wrong", EXPIRED, ACCEPTED, "for a reason")


def test_a_documented_difference_is_known() -> None:
    report = compare([SAME, WRONG], (DOCUMENTED,))
    assert (report.total, report.agree) == (2, 1)
    assert (report.known, report.unknown, report.gone) == ((DOCUMENTED,), (), ())


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(refused(10, 1, EXPIRED.text), id="depth"),
        pytest.param(refused(9, 0, EXPIRED.text), id="code"),
        pytest.param(refused(10, 0, "certificate is stale"), id="text"),
    ],
)
def test_code_depth_and_text_count(other: Verdict) -> None:
    pair = Pair("case", EXPIRED, other)
    assert compare([pair], ()).unknown == (pair,)


def test_a_documented_chain_that_differs_otherwise_is_new_and_the_old_one_gone() -> None:
    pair = Pair("wrong", EXPIRED, MISSING)
    report = compare([pair], (DOCUMENTED,))
    assert (report.known, report.unknown, report.gone) == ((), (pair,), (DOCUMENTED,))
    assert report.agree == 0


def test_a_documented_difference_must_be_met() -> None:
    assert compare([SAME], (DOCUMENTED,)).gone == (DOCUMENTED,)


def test_only_the_documented_result_is_good() -> None:
    run = RUNS[-1]
    expected = [Pair(row.case, row.theirs, row.ours) for row in run.differences]
    same = [Pair(str(number), ACCEPTED, ACCEPTED) for number in range(run.agree)]
    assert is_as_documented(run, compare(expected + same, run.differences))
    assert not is_as_documented(run, compare(expected + same[1:], run.differences))
    assert not is_as_documented(run, compare([*expected, *same[1:], WRONG], run.differences))
    assert not is_as_documented(run, compare([*expected[1:], *same, SAME], run.differences))


def test_differences_are_listed_with_both_verdicts() -> None:
    new = Pair("new", ACCEPTED, Verdict(Outcome.TLS_ERROR, text="bad signature"))
    gone = Difference("gone", MISSING, ACCEPTED, "no reason")
    report = compare([WRONG, new], (DOCUMENTED, gone))
    assert list(lines_of("all", report)) == [
        "known    wrong",
        "         OpenSSL: 10 at depth 0: certificate has expired",
        "         here:    accepted",
        "         because  for a reason",
        "NEW      new",
        "         OpenSSL: accepted",
        "         here:    TLS error: bad signature",
        "GONE     gone: is documented to differ as accepted",
        "all: 0 of 2 agree",
    ]


def test_every_difference_has_one_place_and_a_reason() -> None:
    for rows in (AGAINST_3, AGAINST_1_1_1):
        assert len({row.case for row in rows}) == len(rows)
        assert all(row.theirs != row.ours and row.reason for row in rows)


def test_the_reference_page_is_up_to_date() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == with_tables(page), "run tests/conformance/page.py"


def test_without_chains_the_run_says_so_and_ends_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith(f"conformance: skipped, {tmp_path} holds no ")


def test_the_command_judges_in_two_processes_and_fails_on_a_new_difference(folder: Path) -> None:
    command = [sys.executable, "-P", "-m", "tests.conformance.run", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(TOP)}
    done = subprocess.run(
        command, cwd=TOP, env=environment, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "own chains, level 1 of 1.1.1, against OpenSSL 1.1.1n: 17 of 17 agree"
    assert "NEW      b::wrong" in lines
    assert lines[-1] == "2 of 3 agree with OpenSSL"
    assert done.returncode == 1
