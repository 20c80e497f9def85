from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import certifi
import pytest
from tests.truststore.certs import DAY, NOW, Made, authority, cn, ec_key, make, seq

from mralab.config.releases import SubjectPolicy
from mralab.errors import TrustStoreError
from mralab.truststore.bundle import to_pem, trusted_certificate
from mralab.truststore.store import (
    TrustStore,
    append_to_file,
    build_store,
    load_store,
    remove_from_file,
    select_certificate,
)

FIRST, OPENSSL = SubjectPolicy.FIRST_SUBJECT, SubjectPolicy.OPENSSL
A, B, C = authority("a"), authority("b"), authority("c")
#: Same subject to OpenSSL, other key.
A2 = authority(cn("  A "), key=ec_key("a2"))


def load(*paths: Path, policy: SubjectPolicy = FIRST, public_roots: bool = False) -> TrustStore:
    return load_store(paths, policy=policy, public_roots=public_roots, now=NOW)


def ders(path: Path) -> list[bytes]:
    return [certificate.der for certificate in load(path).certificates]


def written(path: Path, *made: Made) -> Path:
    path.write_bytes(b"".join(one.pem for one in made))
    return path


# ------------------------------------------------------------------------------------- loading


def test_order_is_that_of_paths_names_and_files(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    written(folder / "10.pem", B)
    (folder / "09.DER").write_bytes(C.der)
    last = written(tmp_path / "last.pem", A, A2)
    store = load(folder, last)
    assert [certificate.der for certificate in store.certificates] == [
        made.der for made in (C, B, A, A2)
    ]
    assert store.certificates[0].source == str(folder / "09.DER")


def test_in_a_folder_only_certificate_files_are_read(tmp_path: Path) -> None:
    written(tmp_path / "a.crt", A)
    written(tmp_path / "b.txt", B)
    written(tmp_path / ".c.pem.new", C)
    (tmp_path / "sub").mkdir()
    written(tmp_path / "sub" / "c.pem", C)
    store = load(tmp_path)
    assert [certificate.der for certificate in store.certificates] == [A.der]
    assert store.warnings == (
        f"{tmp_path / 'b.txt'}: not read, it is not named like a certificate file",
        f"{tmp_path / 'sub'}: folders inside a folder are not read",
    )


def test_a_certificate_listed_twice_is_kept_once(tmp_path: Path) -> None:
    one, two = written(tmp_path / "1.pem", A, B), written(tmp_path / "2.pem", A)
    store = load(one, two)
    assert [certificate.der for certificate in store.certificates] == [A.der, B.der]
    assert store.warnings == (f"{two}: CN=a is already listed ({one})",)


@pytest.mark.parametrize(
    ("not_before", "not_after", "note"),
    [
        pytest.param(NOW - DAY, NOW - timedelta(seconds=1), "expired on", id="by one second"),
        pytest.param(NOW + timedelta(seconds=1), NOW + DAY, "is not valid before", id="not yet"),
        pytest.param(NOW, NOW, "", id="its one second of life"),
    ],
)
def test_certificates_out_of_date_stay_with_a_warning(
    not_before: object, not_after: object, note: str
) -> None:
    made = make("x", not_before=not_before, not_after=not_after)  # type: ignore[arg-type] # dates
    store = build_store([trusted_certificate(made.der, "f")], policy=FIRST, now=NOW)
    assert len(store.effective) == 1
    assert [note in warning for warning in store.warnings] == ([True] if note else [])


def test_under_first_subject_only_the_first_of_a_subject_is_found() -> None:
    entries = [trusted_certificate(made.der, "f") for made in (B, A, A2)]
    store = build_store(entries, policy=FIRST, now=NOW)
    assert [entry.der for entry in store.certificates] == [B.der, A.der, A2.der]
    assert [entry.der for entry in store.effective] == [B.der, A.der]
    (warning,) = store.warnings
    assert "is never found" in warning
    assert entries[1].facts.serial in warning
    assert build_store(entries, policy=OPENSSL, now=NOW).effective == tuple(entries)
    assert build_store(entries, policy=OPENSSL, now=NOW).warnings == ()


def test_the_fingerprint_tells_whether_behaviour_can_differ() -> None:
    a, a2, b = (trusted_certificate(made.der, "f") for made in (A, A2, B))

    def fingerprint(*entries: object, policy: SubjectPolicy = FIRST) -> str:
        return build_store(entries, policy=policy, now=NOW).fingerprint  # type: ignore[arg-type] # entries

    same = fingerprint(a, b)
    assert fingerprint(a, b, a) == same
    assert fingerprint(trusted_certificate(A.der, "elsewhere"), b) == same
    assert len({same, fingerprint(b, a), fingerprint(a), fingerprint(a2, b)}) == 4
    assert fingerprint(a, b, policy=OPENSSL) != same


def test_an_empty_list_is_said() -> None:
    assert load().warnings == ("the trusted CA list is empty: no origin can be verified",)


def test_public_roots_come_last_and_only_when_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path / "a.pem", A)
    assert len(load(path).certificates) == 1
    store = load(path, public_roots=True)
    assert store.certificates[0].der == A.der
    assert len(store.certificates) > 100
    assert {entry.source for entry in store.certificates[1:]} == {certifi.where()}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(None, "cannot be read: No such file or directory", id="missing"),
        pytest.param(b"garbage", "holds no certificate", id="garbage"),
    ],
)
def test_a_path_that_cannot_be_used_is_named(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "x.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(TrustStoreError, match=message) as caught:
        load(path)
    assert str(path) in str(caught.value)


def test_a_folder_that_cannot_be_listed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(TrustStoreError, match="folder cannot be read: Permission denied"):
        load(tmp_path)


# ------------------------------------------------------------------------------------ changing


def test_append_keeps_the_text_and_adds_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "list.pem"
    path.write_bytes(b"# our CAs\n" + A.pem.rstrip())
    report = append_to_file(path, B.pem + C.pem, now=NOW)
    assert path.read_bytes() == b"# our CAs\n" + A.pem + B.pem + C.pem
    assert [entry.der for entry in report.added] == [B.der, C.der]
    assert (report.total, report.already_listed, report.warnings) == (3, (), ())


def test_append_makes_the_file(tmp_path: Path) -> None:
    path = tmp_path / "new.pem"
    append_to_file(path, A.der, now=NOW)
    assert path.read_bytes() == A.pem
    assert path.stat().st_mode & 0o777 == 0o644


def test_append_makes_a_pem_file_of_another_form(tmp_path: Path) -> None:
    path = tmp_path / "list.cer"
    path.write_bytes(A.der)
    append_to_file(path, B.der, now=NOW)
    assert path.read_bytes() == A.pem + B.pem


def test_append_of_what_is_listed_changes_nothing(tmp_path: Path) -> None:
    path = written(tmp_path / "list.pem", A)
    before = path.stat().st_ino
    report = append_to_file(path, A.der, now=NOW)
    assert (report.added, len(report.already_listed), report.total) == ((), 1, 1)
    assert path.stat().st_ino == before


def test_append_of_another_certificate_with_the_same_cn_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "list.pem", A)
    twin = authority(cn("A"), key=ec_key("twin"))
    with pytest.raises(TrustStoreError, match="another certificate with CN 'a'") as caught:
        append_to_file(path, B.pem + twin.pem, now=NOW)
    assert "CSCwa12905" in caught.value.hint
    assert "--keep-same-cn" in caught.value.hint
    assert path.read_bytes() == A.pem
    report = append_to_file(path, B.pem + twin.pem, keep_same_cn=True, now=NOW)
    assert ders(path) == [A.der, B.der, twin.der]
    assert len(report.warnings) == 1


def test_two_with_one_cn_are_refused_within_one_append(tmp_path: Path) -> None:
    with pytest.raises(TrustStoreError, match="CN 'a'"):
        append_to_file(tmp_path / "list.pem", A.pem + A2.pem, now=NOW)


def test_certificates_without_a_cn_have_no_common_one(tmp_path: Path) -> None:
    path = tmp_path / "list.pem"
    nameless = [make(seq(), key=ec_key(label)) for label in "xy"]
    append_to_file(path, nameless[0].pem + nameless[1].pem + A.pem, now=NOW)
    assert len(ders(path)) == 3


def test_append_warns_of_dates_and_of_what_it_passes_over(tmp_path: Path) -> None:
    old = make("old", not_after=NOW - DAY)
    report = append_to_file(tmp_path / "list.pem", old.pem + old.key_pem, now=NOW)
    key, date = report.warnings
    assert "a private key is ignored" in key
    assert f"CN=old expired on {NOW - DAY:%Y-%m-%d %H:%M:%S} UTC" in date


@pytest.mark.parametrize("data", [b"", b"# nothing\n"])
def test_append_of_nothing_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(TrustStoreError, match="nothing to append"):
        append_to_file(tmp_path / "list.pem", data, now=NOW)


def test_append_to_a_damaged_file_leaves_it_alone(tmp_path: Path) -> None:
    path = tmp_path / "list.pem"
    path.write_bytes(b"garbage")
    with pytest.raises(TrustStoreError, match="holds no certificate"):
        append_to_file(path, A.pem, now=NOW)
    assert path.read_bytes() == b"garbage"


def test_append_through_a_symbolic_link_changes_its_target(tmp_path: Path) -> None:
    target = written(tmp_path / "target.pem", A)
    link = tmp_path / "link.pem"
    link.symlink_to(target)
    append_to_file(link, B.pem, now=NOW)
    assert link.is_symlink()
    assert ders(target) == [A.der, B.der]


def test_mode_and_owner_stay(tmp_path: Path) -> None:
    path = written(tmp_path / "list.pem", A)
    path.chmod(0o640)
    if os.getuid() == 0:
        os.chown(path, 1234, 1235)
    owner = path.stat().st_uid, path.stat().st_gid
    append_to_file(path, B.pem, now=NOW)
    remove_from_file(path, "a")
    assert path.stat().st_mode & 0o777 == 0o640
    assert (path.stat().st_uid, path.stat().st_gid) == owner


def test_a_full_disk_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "list.pem", A)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(TrustStoreError, match="cannot be changed: No space left on device"):
            append_to_file(path, B.pem, now=NOW)
    assert path.read_bytes() == A.pem
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [".list.pem.lock", "list.pem"]


def test_folders_and_missing_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(TrustStoreError, match="is a folder"):
        append_to_file(tmp_path, A.pem, now=NOW)
    with pytest.raises(TrustStoreError, match="cannot be changed: No such file"):
        append_to_file(tmp_path / "none" / "list.pem", A.pem, now=NOW)


@pytest.mark.parametrize(
    ("selector", "left"),
    [
        pytest.param("1", [B, C], id="place"),
        pytest.param("#3", [A, B], id="place with a sign"),
        pytest.param("B", [A, C], id="CN, any case"),
        pytest.param("cn=b", [A, C], id="subject"),
        pytest.param(C.fingerprint, [A, B], id="fingerprint"),
        pytest.param(C.fingerprint.replace(":", "").lower()[:8], [A, B], id="its beginning"),
    ],
)
def test_remove_takes_one_certificate_out(tmp_path: Path, selector: str, left: list[Made]) -> None:
    path = written(tmp_path / "list.pem", A, B, C)
    report = remove_from_file(path, selector)
    assert ders(path) == [made.der for made in left]
    assert report.total == 2
    assert report.removed.der not in ders(path)


def test_remove_keeps_the_text_around(tmp_path: Path) -> None:
    path = tmp_path / "list.pem"
    path.write_bytes(b"# one\n" + A.pem + b"# two\n" + B.pem + b"# end\n")
    remove_from_file(path, "a")
    assert path.read_bytes() == b"# one\n# two\n" + B.pem + b"# end\n"
    remove_from_file(path, "b")
    assert path.read_bytes() == b"# one\n# two\n# end\n"
    assert load(path).certificates == ()
    append_to_file(path, C.pem, now=NOW)
    assert path.read_bytes() == b"# one\n# two\n# end\n" + C.pem


def test_remove_makes_a_pem_file_of_another_form(tmp_path: Path) -> None:
    path = tmp_path / "list.cer"
    path.write_bytes(A.der)
    remove_from_file(path, "a")
    assert path.read_bytes() == b""


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        pytest.param("d", "lists no certificate 'd'", id="no such CN"),
        pytest.param("0", "lists no certificate '0'", id="places start at 1"),
        pytest.param("4", "lists no certificate '4'", id="beyond the end"),
        pytest.param("", "lists no certificate ''", id="nothing selects nothing"),
        pytest.param(A.fingerprint[:11], "lists no certificate", id="less than 8 digits... of C"),
        pytest.param("a", "lists 2 certificates 'a': #1 (", id="two of one CN"),
    ],
)
def test_a_selector_must_mean_one_certificate(tmp_path: Path, selector: str, message: str) -> None:
    twin = authority(cn("a"), key=ec_key("twin"))
    path = written(tmp_path / "list.pem", B, twin, C)
    if selector == "a":
        path = written(tmp_path / "list.pem", A, twin)
    before = path.read_bytes()
    with pytest.raises(TrustStoreError) as caught:
        remove_from_file(path, selector)
    assert message in str(caught.value)
    assert path.read_bytes() == before


def test_a_nameless_certificate_is_not_selected_by_nothing() -> None:
    nameless = trusted_certificate(make(seq(), key=ec_key("x")).der, "f")
    with pytest.raises(TrustStoreError):
        select_certificate([nameless], " ", "the list")
    assert select_certificate([nameless], "1", "the list") == 0


def test_writers_of_one_file_wait_for_each_other(tmp_path: Path) -> None:
    path = tmp_path / "list.pem"
    made = [authority(f"ca{n}") for n in range(6)]
    program = (
        "import sys, datetime, pathlib\n"
        "from mralab.truststore.store import append_to_file\n"
        "now = datetime.datetime.now(datetime.UTC)\n"
        "append_to_file(pathlib.Path(sys.argv[1]), sys.stdin.buffer.read(), now=now)\n"
    )
    writers = [
        subprocess.Popen([sys.executable, "-P", "-c", program, str(path)], stdin=subprocess.PIPE)
        for _ in made
    ]
    for writer, one in zip(writers, made, strict=True):
        assert writer.stdin is not None
        writer.stdin.write(one.pem)
        writer.stdin.close()
    assert [writer.wait() for writer in writers] == [0] * len(made)
    assert sorted(ders(path)) == sorted(one.der for one in made)


def test_a_file_left_by_a_killed_writer_is_overwritten(tmp_path: Path) -> None:
    path = written(tmp_path / "list.pem", A)
    (tmp_path / ".list.pem.new").write_bytes(b"half of a longer fi" * 10_000)
    (tmp_path / ".list.pem.lock").write_bytes(b"stale")
    append_to_file(path, B.pem, now=NOW)
    assert path.read_bytes() == A.pem + B.pem
    assert to_pem(trusted_certificate(B.der, "f")) in path.read_bytes()
