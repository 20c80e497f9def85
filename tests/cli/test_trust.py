"""``mralab trust``: lists in files and in a running proxy."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from mralab.lab.pki import CertificateFields

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mralab.lab.pki import Credential

    from .conftest import Ran, Serving


@pytest.fixture
def trusted(tmp_path: Path, first_ca: Credential) -> Path:
    path = tmp_path / "trusted.pem"
    path.write_bytes(first_ca.pem)
    return path


@pytest.fixture
def second(tmp_path: Path, second_ca: Credential) -> Path:
    path = tmp_path / "second.der"
    path.write_bytes(second_ca.der)
    return path


def test_list(run: Callable[..., Ran], trusted: Path) -> None:
    ran = run("trust", "list", "--trusted-ca", trusted)
    assert ran.code == 0
    head, row = ran.out.splitlines()
    assert head.split() == ["subject", "not", "after", "SHA-256"]
    assert row.startswith("#1  CN=First CA  20")
    entry = run("trust", "list", "--trusted-ca", trusted, "--format", "json").json
    assert entry["certificates"][0]["sha256"].startswith(row.split()[-1])


def test_a_hidden_certificate_is_marked(
    run: Callable[..., Ran], trusted: Path, first_ca: Credential
) -> None:
    twin = first_ca.issue(CertificateFields(ca=True, cn="First CA"), key=first_ca.key)
    trusted.write_bytes(first_ca.pem + twin.pem)
    ran = run("trust", "list", "--trusted-ca", trusted)
    assert ran.out.splitlines()[2].endswith("never found: an earlier one has this subject")
    assert "warning: " in ran.err
    ran = run("trust", "list", "--trusted-ca", trusted, "--release", "ats")
    assert "never found" not in ran.out


def test_an_empty_list(run: Callable[..., Ran], tmp_path: Path) -> None:
    (tmp_path / "lab.toml").touch()
    ran = run("trust", "list", "--config", tmp_path / "lab.toml")
    assert (ran.code, ran.out) == (0, "")
    assert "the trusted CA list is empty" in ran.err
    ran = run("trust", "show", "--config", tmp_path / "lab.toml")
    assert ran.code == 2
    assert "the list is empty" in ran.err


def test_show(run: Callable[..., Ran], trusted: Path, first_ca: Credential) -> None:
    for selector in ([], ["1"], ["#1"], ["first"]):
        ran = run("trust", "show", "--trusted-ca", trusted, *selector)
        assert ran.code == 0
        assert "# subject: CN=First CA\n" in ran.out
        assert "# names: none\n" in ran.out
        assert ran.out.endswith(first_ca.pem.decode())
    entry = run("trust", "show", "--trusted-ca", trusted, "--format", "json").json[0]
    ran = run("trust", "show", "--trusted-ca", trusted, entry["sha256"][:11])
    assert ran.code == 0
    ran = run("trust", "show", "--trusted-ca", trusted, "2")
    assert ran.code == 2
    assert "no certificate '2' is listed" in ran.err


def test_append_makes_the_file(run: Callable[..., Ran], tmp_path: Path, second: Path) -> None:
    target = tmp_path / "new.pem"
    ran = run("trust", "append", "--trusted-ca", target, second)
    assert (ran.code, ran.out) == (0, f"appended to {target}: CN=Second CA\n")
    ran = run("trust", "append", "--trusted-ca", target, second)
    assert ran.out == f"already in {target}: CN=Second CA\n"
    ran = run("trust", "append", "--trusted-ca", target, second, "--format", "json")
    assert ran.json[0]["total"] == 1


def test_append_to_the_list_of_a_configuration(
    run: Callable[..., Ran], tmp_path: Path, trusted: Path, second: Path
) -> None:
    file = tmp_path / "lab.toml"
    file.write_text('trusted_ca = ["trusted.pem"]\n')
    assert run("trust", "append", "--config", file, second).code == 0
    assert trusted.read_bytes().count(b"BEGIN CERTIFICATE") == 2


def test_append_from_standard_input(
    run: Callable[..., Ran],
    trusted: Path,
    second_ca: Credential,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stdin = SimpleNamespace(buffer=io.BytesIO(second_ca.pem))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert run("trust", "append", "--trusted-ca", trusted, "-").code == 0
    assert trusted.read_bytes().count(b"BEGIN CERTIFICATE") == 2


def test_same_cn(run: Callable[..., Ran], trusted: Path, first_ca: Credential) -> None:
    twin = trusted.with_name("twin.pem")
    twin.write_bytes(
        first_ca.issue(CertificateFields(ca=True, cn="First CA"), key=first_ca.key).pem
    )
    ran = run("trust", "append", "--trusted-ca", trusted, twin)
    assert ran.code == 2
    assert "CSCwa12905" in ran.err
    ran = run("trust", "append", "--trusted-ca", trusted, twin, "--keep-same-cn")
    assert ran.code == 0
    assert "warning: " in ran.err


def test_remove(run: Callable[..., Ran], trusted: Path) -> None:
    ran = run("trust", "remove", "--trusted-ca", trusted, "first ca")
    assert (ran.code, ran.out) == (0, f"removed from {trusted}: CN=First CA\n")
    ran = run("trust", "remove", "--trusted-ca", trusted, "first ca")
    assert ran.code == 2
    assert "lists no certificate 'first ca'" in ran.err


def test_remove_in_json(run: Callable[..., Ran], trusted: Path) -> None:
    ran = run("trust", "remove", "--trusted-ca", trusted, "1", "--format", "json")
    assert ran.json == {"file": str(trusted), "removed": "CN=First CA", "total": 0}


def test_import_public(run: Callable[..., Ran], tmp_path: Path) -> None:
    target = tmp_path / "public.pem"
    ran = run("trust", "import-public", "--trusted-ca", target)
    assert ran.code == 0
    assert ran.out.count("appended to ") > 50


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        pytest.param(("append", "gone.pem"), "gone.pem cannot be read: No such", id="no file"),
        pytest.param(("append", "a\0b"), "not a possible path", id="no path"),
        pytest.param(("list", "--trusted-ca", "gone.pem"), "No such file", id="no list"),
        pytest.param(("list", "--release", "ats"), "needs a list in files", id="release alone"),
        pytest.param(("list", "--listen", "x"), "--listen: ", id="no address"),
        pytest.param(("list", "--trusted-ca", ".", "--release", "X9"), "X9", id="no release"),
    ],
)
def test_wrong_use(
    run: Callable[..., Ran], arguments: tuple[str, ...], error: str, tmp_path: Path
) -> None:
    ran = run("trust", *arguments, "--state-dir", tmp_path)
    assert ran.code == 2
    assert error in ran.err


def test_a_running_proxys_list(
    run: Callable[..., Ran], serve: Callable[..., Serving], trusted: Path, second: Path
) -> None:
    state = ("--state-dir", serve("--trusted-ca", trusted).state_dir)
    assert "CN=First CA" in run("trust", "list", *state).out
    assert run("trust", "append", second, *state).out == f"appended to {trusted}: CN=Second CA\n"
    assert run("trust", "list", *state, "--format", "json").json["certificates"][1]["place"] == 2
    assert run("trust", "remove", "#1", *state).out == f"removed from {trusted}: CN=First CA\n"
    assert run("trust", "show", *state).out.startswith("# subject: CN=Second CA")
    ran = run("trust", "append", "--keep-same-cn", second, *state, "--format", "json")
    assert ran.json[0]["already_listed"] == ["CN=Second CA"]
