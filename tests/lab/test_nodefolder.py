"""The folder of a node's certificates: made once, kept, and never at the cost of other files."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from mralab.errors import LabError
from mralab.lab import nodefolder
from mralab.lab.pki import LEAF_LIFETIME, CertificateFields, root_ca, self_signed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOW = datetime.now(UTC)
STEMS = ("tomcat", "CallManager", "cucm-EC", "expressway-c")


def prepare(
    folder: Path, *, name: str = "cucm.steven.lab", domain: str = "steven.lab", now: datetime = NOW
) -> nodefolder.CertificateSet:
    return nodefolder.prepare(folder, name=name, domain=domain, now=now)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    prepare(folder)
    return folder


@pytest.fixture
def folder(template: Path, tmp_path: Path) -> Path:
    for path in template.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_is_made(tmp_path: Path) -> None:
    made = prepare(tmp_path / "new" / "folder")
    assert made.made
    names = {path.name for path in (tmp_path / "new" / "folder").iterdir()}
    assert names == {"ca.pem", *(f"{stem}{end}" for stem in STEMS for end in (".pem", ".key"))}
    for stem in STEMS:
        mode = (tmp_path / "new" / "folder" / f"{stem}.key").stat().st_mode
        assert stat.S_IMODE(mode) == 0o600
    assert set(made.for_node) == {"tomcat", "CallManager", "CallManager-ECDSA"}
    ecdsa = made.for_node["CallManager-ECDSA"]
    assert (ecdsa.subject, ecdsa.family) == ("CN=cucm-EC.steven.lab", "EC")
    assert ecdsa.self_issued
    assert made.for_node["tomcat"].certificate.issuer == made.ca.subject


def test_a_second_start_keeps_everything(folder: Path) -> None:
    before = contents(folder)
    kept = prepare(folder)
    assert not kept.made
    assert contents(folder) == before
    assert kept.for_node["tomcat"].pem == before["tomcat.pem"]


def test_what_was_appended_to_the_ca_stays(folder: Path) -> None:
    both = (folder / "ca.pem").read_bytes() + (folder / "cucm-EC.pem").read_bytes()
    (folder / "ca.pem").write_bytes(both)
    assert not prepare(folder).made
    assert (folder / "ca.pem").read_bytes() == both


def test_up_to_the_last_second_they_are_kept(folder: Path) -> None:
    end = prepare(folder).for_node["tomcat"].certificate.not_valid_after_utc
    assert not prepare(folder, now=end).made
    assert prepare(folder, now=end + timedelta(seconds=1)).made


def test_after_that_all_are_new(folder: Path) -> None:
    before = contents(folder)
    prepare(folder, now=NOW + LEAF_LIFETIME + timedelta(days=1))
    after = contents(folder)
    assert before.keys() == after.keys()
    assert not before.items() & after.items()


def foreign(ca_name: str) -> bytes:
    return root_ca(ca_name, now=NOW).pem


def spoil(name: str, content: bytes | None) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        if content is None:
            (folder / name).unlink()
        else:
            (folder / name).write_bytes(content)

    return change


def other_key(folder: Path) -> None:
    (folder / "tomcat.key").write_bytes((folder / "CallManager.key").read_bytes())


def without_san(folder: Path) -> None:
    bare = self_signed(CertificateFields(cn="cucm.steven.lab"), now=NOW)
    (folder / "cucm-EC.pem").write_bytes(bare.pem)


ED25519 = Ed25519PrivateKey.generate().private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(spoil("tomcat.key", None), "no tomcat.key", id="a key is missing"),
        pytest.param(spoil("ca.pem", None), "no ca.pem", id="the CA is missing"),
        pytest.param(
            spoil("ca.pem", foreign("Other CA")), "tomcat.pem, which ca.pem did not", id="other CA"
        ),
        pytest.param(
            spoil("ca.pem", foreign("steven-DC-CA")),
            "tomcat.pem, which ca.pem did not sign",
            id="a CA of the same name",
        ),
        pytest.param(spoil("tomcat.pem", b"?"), "no certificate in PEM", id="no certificate"),
        pytest.param(spoil("tomcat.key", b"?"), "no private key in PEM", id="no key"),
        pytest.param(spoil("tomcat.key", ED25519), "neither an RSA nor an EC", id="odd key"),
        pytest.param(other_key, "tomcat.pem with a key that is not its own", id="wrong key"),
        pytest.param(without_san, "cucm-EC.pem, which is not for cucm", id="a name is missing"),
    ],
)
def test_what_does_not_belong_together_is_left_alone(
    folder: Path, change: Callable[[Path], None], said: str
) -> None:
    change(folder)
    before = contents(folder)
    with pytest.raises(LabError, match=said) as caught:
        prepare(folder)
    assert "another folder" in caught.value.hint
    assert contents(folder) == before


def test_other_names_need_another_folder(folder: Path) -> None:
    with pytest.raises(LabError, match=r"tomcat.pem, which is not for imp.steven.lab"):
        prepare(folder, name="imp.steven.lab")
    with pytest.raises(LabError, match=r"expressway-c.pem, which is not for vcsc.vngtp.lab"):
        prepare(folder, domain="vngtp.lab")


def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(LabError, match="File exists"):
        prepare(tmp_path / "file")
    with pytest.raises(LabError, match="Not a directory"):
        nodefolder.write_hosts(tmp_path / "file", "cucm.steven.lab", ("127.0.0.2",))


def test_hosts_are_written_anew(tmp_path: Path) -> None:
    nodefolder.write_hosts(tmp_path, "cucm.steven.lab", ("127.0.0.2",))
    nodefolder.write_hosts(tmp_path, "cucm.steven.lab", ("10.0.0.1", "10.0.0.2"))
    assert contents(tmp_path) == {"hosts": b"10.0.0.1 cucm.steven.lab\n10.0.0.2 cucm.steven.lab\n"}
