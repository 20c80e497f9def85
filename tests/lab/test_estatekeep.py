"""Certificates on disk: what is kept, what is made anew, what is not ours."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from mralab.config.estate import CertificateKind, KeyChoice
from mralab.errors import LabError
from mralab.lab.estatekeep import FILE, load_certificates, save_certificates
from mralab.lab.estatepki import EstateCertificates, key_labels, make_certificates
from mralab.lab.pki import KeyCache

from . import estates

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from mralab.config.estate import Estate

TOMCAT = CertificateKind.TOMCAT
NODE = (estates.CUCM, TOMCAT)
KEYS = KeyCache()  # the first start's; the second one has none of them


def plan(**changes: object) -> Estate:
    tomcat = replace(estates.certificate(estates.CUCM, signed_by=estates.CA), **changes)  # type: ignore[arg-type]  # fields of the plan
    return estates.estate(estates.cucm(certificates={TOMCAT: tomcat}))


def first_start(folder: Path, estate: Estate, now: datetime) -> EstateCertificates:
    made = make_certificates(estate, now=now, keys=KEYS)
    save_certificates(folder, made)
    return made


def second_start(
    folder: Path, estate: Estate, now: datetime, *, as_they_are: bool = False
) -> EstateCertificates:
    kept = load_certificates(folder, estate, now=now, as_they_are=as_they_are)
    return make_certificates(estate, now=now, before=kept)


def test_a_second_start_breaks_no_trust(tmp_path: Path, now: datetime) -> None:
    before = first_start(tmp_path / "new", plan(), now)
    after = second_start(tmp_path / "new", plan(), now + timedelta(days=3))
    for name in ("steven-DC-CA", "cucm.steven.lab/tomcat", "vcsc.steven.lab/server"):
        old, new = before.resolve(name), after.resolve(name)
        assert (old.certificate, old.key.private_numbers()) == (
            new.certificate,
            new.key.private_numbers(),
        )
    path = tmp_path / "new" / FILE
    assert path.stat().st_mode & 0o777 == 0o600
    # No key has to be made.
    kept = load_certificates(tmp_path / "new", plan(), now=now)
    assert key_labels(plan(), kept=kept) == ()


def test_a_changed_plan_is_made_anew_and_nothing_else(tmp_path: Path, now: datetime) -> None:
    before = first_start(tmp_path, plan(), now)
    after = second_start(tmp_path, plan(ips=("10.48.36.215",)), now)
    assert before.nodes[NODE].certificate != after.nodes[NODE].certificate
    assert before.expressway_c.certificate == after.expressway_c.certificate


def test_what_an_authority_made_anew_signs_is_made_anew(tmp_path: Path, now: datetime) -> None:
    before = first_start(tmp_path, plan(), now)
    other = replace(plan().authorities[0], key=KeyChoice.EC_P384)
    after = second_start(tmp_path, replace(plan(), authorities=(other,)), now)
    assert before.nodes[NODE].certificate != after.nodes[NODE].certificate


def test_dates_from_the_moment_of_making_are_made_anew(tmp_path: Path, now: datetime) -> None:
    tomorrow = plan(not_after=timedelta(days=1))
    before = first_start(tmp_path, tomorrow, now)
    later = now + timedelta(days=10)
    after = second_start(tmp_path, tomorrow, later)
    left = after.nodes[NODE].certificate.not_valid_after_utc - later
    assert left == timedelta(days=1)
    # Parts that run beside each other take it as it is.
    part = second_start(tmp_path, tomorrow, later, as_they_are=True)
    assert part.nodes[NODE].certificate == before.nodes[NODE].certificate


def test_what_has_run_out_is_made_anew(tmp_path: Path, now: datetime) -> None:
    before = first_start(tmp_path, plan(), now)
    after = second_start(tmp_path, plan(), now + timedelta(days=2000))
    assert before.nodes[NODE].certificate != after.nodes[NODE].certificate
    assert before.resolve(estates.CA).certificate == after.resolve(estates.CA).certificate


def test_what_is_sent_is_the_plans(tmp_path: Path, now: datetime) -> None:
    first_start(tmp_path, plan(), now)
    after = second_start(tmp_path, plan(sends=(estates.CA,)), now)
    assert [one.subject.rfc4514_string() for one in after.nodes[NODE].chain] == ["CN=steven-DC-CA"]


def _text(path: Path) -> None:
    path.write_text("mine")


def _bytes(path: Path) -> None:
    path.write_bytes(b"\xff\xfe")


def _folder(path: Path) -> None:
    path.mkdir()


def _list(path: Path) -> None:
    path.write_text("[]")


def _nested(path: Path) -> None:
    path.write_text("[" * 100_000)


def _form(path: Path) -> None:
    path.write_text(json.dumps({"form": "other", "certificates": []}))


def _no_key(path: Path) -> None:
    item = {"name": "a", "plan": "", "signer": "", "certificate": "x", "key": "x"}
    path.write_text(json.dumps({"form": "mralab-certificates-1", "certificates": [item]}))


def _number(path: Path) -> None:
    item = {"name": "a", "plan": "", "signer": "", "certificate": "x", "key": 5}
    path.write_text(json.dumps({"form": "mralab-certificates-1", "certificates": [item]}))


@pytest.mark.parametrize(
    "spoil",
    [_text, _bytes, _folder, _list, _nested, _form, _no_key, _number],
    ids=lambda one: one.__name__,
)
def test_a_file_that_is_not_ours_is_told_and_kept(
    tmp_path: Path, now: datetime, spoil: Callable[[Path], None]
) -> None:
    spoil(tmp_path / FILE)
    with pytest.raises(LabError, match=FILE) as caught:
        load_certificates(tmp_path, plan(), now=now)
    assert "remove the file" in caught.value.hint


def test_a_key_that_is_another_ones(tmp_path: Path, now: datetime) -> None:
    first_start(tmp_path, plan(), now)
    path = tmp_path / FILE
    found = json.loads(path.read_text())
    found["certificates"][0]["key"] = found["certificates"][1]["key"]
    path.write_text(json.dumps(found))
    with pytest.raises(LabError, match="does not hold an estate's certificates"):
        load_certificates(tmp_path, plan(), now=now)


def test_nothing_kept_yet(tmp_path: Path, now: datetime) -> None:
    assert load_certificates(tmp_path / "none", plan(), now=now) == {}


def test_a_folder_that_cannot_be_written_to(tmp_path: Path, now: datetime) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LabError, match="file: "):
        first_start(tmp_path / "file", plan(), now)
