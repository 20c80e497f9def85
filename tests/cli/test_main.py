"""Finding verbs, exit codes, and errors as lines."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from mralab import __version__
from mralab.cli import main as main_module
from mralab.cli.main import VERBS, main
from mralab.errors import AdminError, ConfigError

from .conftest import MRALAB

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from .conftest import Ran

SEGMENT = "c3RldmVuLmxhYi9odHRwcy8xMC40OC4zNi4yMTUvODQ0Mw"


def test_version(run: Callable[..., Ran]) -> None:
    assert run("--version") == run("--version")
    assert run("--version").out == f"mralab {__version__}\n"


def test_help_lists_every_verb(run: Callable[..., Ran]) -> None:
    ran = run("--help")
    assert ran.code == 0
    for verb, about in VERBS.items():
        assert verb in ran.out
        assert about in ran.out


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(run: Callable[..., Ran], verb: str) -> None:
    ran = run(verb, "--help")
    assert ran.code == 0
    assert f"usage: mralab {verb}" in ran.out


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        pytest.param((), "mralab: error: no command given\n  `mralab --help`", id="nothing"),
        pytest.param(("decod",), "no command 'decod'\n  did you mean decode?", id="a near one"),
        pytest.param(("zzz",), "no command 'zzz'\n  `mralab --help` lists", id="a far one"),
        pytest.param(("decode", "--frmat", "json"), "did you mean --format?", id="a near flag"),
        pytest.param(("serve", "--zzzz"), "`mralab serve --help` shows how", id="a far flag"),
        pytest.param(("serve", "--listn=x:1"), "did you mean --listen?", id="a flag with value"),
        pytest.param(("decode",), "required: PATH\n  `mralab decode --help`", id="no argument"),
        pytest.param(("serve", "--list", "x"), "unknown argument '--list'", id="shortened"),
        pytest.param(("config", "show", "--lisen", "x"), "error: unknown argument", id="nested"),
        pytest.param(("trust", "lst"), "invalid choice: 'lst'", id="an action"),
    ],
)
def test_usage_errors(run: Callable[..., Ran], arguments: tuple[str, ...], error: str) -> None:
    ran = run(*arguments)
    assert ran.code == 2
    assert error in ran.err
    assert ran.out == ""
    assert ran.err.count("\n") == 2


def verb_that(monkeypatch: pytest.MonkeyPatch, action: Callable[[argparse.Namespace], int]) -> None:
    verb = SimpleNamespace(add_arguments=lambda _parser: None, run=action)
    monkeypatch.setitem(sys.modules, "mralab.cli.odd", verb)
    monkeypatch.setitem(VERBS, "odd", "be odd")


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        pytest.param(
            ConfigError("wrong \x1b[31m", hint="mend"),
            2,
            "mralab odd: error: wrong \\x1b[31m\n  mend\n",
            id="usage, and nothing reaches the terminal raw",
        ),
        pytest.param(AdminError("gone"), 3, "mralab odd: error: gone\n", id="could not run"),
        pytest.param(KeyboardInterrupt(), 130, "", id="interrupted"),
    ],
)
def test_errors_become_lines_and_codes(
    run: Callable[..., Ran],
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int,
    text: str,
) -> None:
    def fail(_args: argparse.Namespace) -> int:
        raise error

    verb_that(monkeypatch, fail)
    ran = run("odd")
    assert (ran.code, ran.err) == (code, text)


def in_shell(script: str) -> subprocess.CompletedProcess[str]:
    command = " ".join(MRALAB)
    return subprocess.run(
        ["/bin/bash", "-c", script.replace("mralab", command, 1)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_nobody_reads_our_output() -> None:
    ran = in_shell("mralab config show | true; echo ${PIPESTATUS[0]}")
    assert ran.stdout == "141\n"
    assert ran.stderr == ""


def test_a_full_disk() -> None:
    ran = in_shell("mralab config init > /dev/full")
    assert ran.returncode == 3
    assert ran.stderr == "mralab: error: standard output: No space left on device\n"


def test_closed_output_and_an_error() -> None:
    ran = in_shell("mralab config init /no/such.toml >&-")
    assert ran.returncode == 3
    assert ran.stderr == "mralab: error: /no/such.toml: No such file or directory\n"


def test_closed_output() -> None:
    ran = in_shell(f"mralab decode {SEGMENT} >&-")
    assert (ran.returncode, ran.stderr) == (0, "")


def test_a_file_that_cannot_be_written(run: Callable[..., Ran], tmp_path: object) -> None:
    ran = in_shell(f"mralab config init {tmp_path}/no/such.toml")
    assert ran.returncode == 3
    assert ran.stderr == f"mralab: error: {tmp_path}/no/such.toml: No such file or directory\n"


def test_what_is_not_ascii_is_printed_anyhow() -> None:
    ran = in_shell("PYTHONIOENCODING=ascii LC_ALL=C mralab decode $'\\xff\\xc3\\xa9'")
    assert ran.returncode == 1
    assert "Traceback" not in ran.stderr


def test_arguments_of_the_process_by_default(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["mralab", "--version"])
    assert main() == 0
    assert capsys.readouterr().out == f"mralab {__version__}\n"
    assert main_module.VERBS is VERBS


def test_decode_loads_only_what_it_needs() -> None:
    code = (
        "import sys; before = set(sys.modules); from mralab.cli.main import main; "
        f"main(['decode', '{SEGMENT}']); "
        "print(*{'aiohttp', 'asyncio', 'cryptography', 'OpenSSL', 'ssl', 'socket', 'tomllib', "
        "'json', 'difflib', 'pathlib', 'http'} & (set(sys.modules) - before))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == ""
