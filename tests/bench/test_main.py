"""The command line."""

from __future__ import annotations

import pytest
from bench.__main__ import check_programs, command_of, parser
from bench.machine import build_flags

from bench import BenchError


def test_the_core_loads_and_all_peers_are_the_default() -> None:
    options = parser().parse_args([])
    assert options.loads == ["ka1k", "ka100k", "hs_rsa", "hs_ec"]
    assert options.peers == ["ats-log5", "ats", "nginx", "haproxy"]
    assert (options.pairs, options.seconds, options.no_write) == (15, 2, False)


def test_names_are_taken_in_our_order() -> None:
    options = parser().parse_args(["--loads", "refused,ka1k", "--peers", "nginx,ats"])
    assert options.loads == ["ka1k", "refused"]
    assert options.peers == ["ats", "nginx"]


@pytest.mark.parametrize(
    "arguments", [["--loads", "ka2k"], ["--peers", "mralab"], ["--pairs", "0"], ["--seconds", "x"]]
)
def test_what_is_not_known_is_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(arguments)
    assert ended.value.code == 2
    assert arguments[1] in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        ([], "make bench"),
        (["--loads", "all", "--peers", "all"], "make bench-full"),
        (["--pairs", "2"], 'make bench OPTIONS="--pairs 2"'),
    ],
)
def test_the_report_names_the_make_command(arguments: list[str], command: str) -> None:
    assert command_of(arguments) == command


def test_a_missing_program_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name, path: None if name == "haproxy" else name)
    check_programs(["nginx"])
    with pytest.raises(BenchError, match=r"haproxy is missing \(Debian package haproxy\)"):
        check_programs(["haproxy"])


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        ("--enable-shared", "without PGO, without LTO"),
        ("--enable-optimizations --with-lto", "with PGO, with LTO"),
        ("-fprofile-use -flto", "with PGO, with LTO"),
    ],
)
def test_the_interpreter_s_build_is_read_from_its_flags(flags: str, text: str) -> None:
    assert build_flags(flags) == text
