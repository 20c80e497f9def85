"""Which file a change of the trusted CA list goes to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import certifi
import pytest

from mralab.admin.trust import append_target, describe_remove, remove_from_list
from mralab.config.releases import SubjectPolicy
from mralab.errors import TrustStoreError
from mralab.truststore.store import load_store

from .conftest import NOW

if TYPE_CHECKING:
    from pathlib import Path

    from mralab.lab.pki import Credential


def test_append_goes_to_the_last_file(tmp_path: Path) -> None:
    one, two = tmp_path / "one.pem", tmp_path / "two.pem"
    assert append_target([one, two]) == two
    assert append_target([one, tmp_path]) == one


def test_a_list_of_folders_takes_no_append(tmp_path: Path) -> None:
    for paths in ([], [tmp_path]):
        with pytest.raises(TrustStoreError, match="names no file"):
            append_target(paths)


def test_removal_goes_to_the_file_the_certificate_came_from(
    tmp_path: Path, first_ca: Credential, second_ca: Credential
) -> None:
    one, two = tmp_path / "one.pem", tmp_path / "two.pem"
    one.write_bytes(first_ca.pem)
    two.write_bytes(second_ca.pem)
    store = load_store([one, two], policy=SubjectPolicy.OPENSSL, public_roots=False, now=NOW)
    report = remove_from_list(store, "2")
    assert describe_remove(report) == {"file": str(two), "removed": "CN=Second CA", "total": 0}
    assert one.read_bytes() == first_ca.pem


def test_public_roots_are_not_removed() -> None:
    store = load_store([], policy=SubjectPolicy.OPENSSL, public_roots=True, now=NOW)
    with pytest.raises(TrustStoreError, match="one of certifi's public roots") as caught:
        remove_from_list(store, "1")
    assert "--public-roots" in caught.value.hint
    assert store.certificates[0].source == certifi.where()
