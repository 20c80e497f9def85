"""The sample file is an estate, says what it says, and can be made sound."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from mralab.config.estate import CertificateKind, Estate
from mralab.config.estatecheck import check_estate
from mralab.config.estatefile import parse_estate
from mralab.config.estatesample import SAMPLE, sample_estate, sound_estate
from mralab.config.faults import ConfigFaults
from mralab.config.releases import Release, UpgradePath

if TYPE_CHECKING:
    from mralab.config.faults import ConfigFault


def self_signed(estate: Estate) -> list[str]:
    return [
        f"{node.name.partition('.')[0]}/{kind.value}"
        for node in estate.nodes()
        for kind, plan in node.certificates.items()
        if not plan.signed_by and not plan.reuse
    ]


def test_the_sample_is_what_lab_init_writes() -> None:
    assert parse_estate(SAMPLE, "sample") == sample_estate()


def test_it_is_the_estate_of_the_document() -> None:
    estate = sample_estate()
    publisher = estate.cluster("steven").publisher
    assert (estate.domain, publisher.name, publisher.address, publisher.shown) == (
        "steven.lab",
        "cucm.steven.lab",
        "10.48.36.215",
        "cucm.steven.lab",
    )
    tomcat = publisher.certificates[CertificateKind.TOMCAT]
    assert (tomcat.cn, tomcat.signed_by) == ("cucm-ms.steven.lab", "steven-DC-CA")
    assert publisher.certificates[CertificateKind.CALL_MANAGER_ECDSA].cn == "cucm-EC.steven.lab"
    user = estate.user("emusk")
    assert user is not None
    assert user.password == "rocket"  # noqa: S105 - not a secret
    c = estate.expressway_c
    assert (c.name, c.release, c.upgrade_path) == (
        "vcsc.steven.lab",
        Release.X14_2,
        UpgradePath.FRESH,
    )


def test_only_the_ecdsa_certificates_are_as_after_the_installation() -> None:
    names = self_signed(sample_estate())
    assert names
    assert all(name.endswith("-ECDSA") for name in names)
    assert "cucm/CallManager-ECDSA" in names


def test_the_sound_one_differs_in_nothing_but_who_has_signed() -> None:
    sound = sound_estate()
    assert self_signed(sound) == []
    assert check_estate(sound) == ()
    assert sound != sample_estate()
    assert sound.expressway_c == sample_estate().expressway_c
    for before, after in zip(sample_estate().nodes(), sound.nodes(), strict=True):
        for kind, plan in after.certificates.items():
            assert (plan.cn, plan.dns, plan.key) == (
                before.certificates[kind].cn,
                before.certificates[kind].dns,
                before.certificates[kind].key,
            )


def test_every_line_that_is_a_comment_can_be_used() -> None:
    text, count = re.subn(r"(?m)^#(\S+ = |\[)", r"\1", SAMPLE)
    estate = parse_estate(text, "sample")
    assert count == 7
    assert estate.expressway_c.allow
    assert estate.cluster("steven").publisher.services


def choices() -> list[tuple[str, str, str]]:
    """Return line, key and word for each quoted word in a comment behind a value."""
    found = []
    for line in SAMPLE.splitlines():
        written, mark, comment = line.partition("  #")
        key, equals, _ = written.partition(" = ")
        if mark and equals and not line.startswith("#"):
            found += [(line, key, word) for word in re.findall(r'"([^"]+)"', comment)]
    return found


@pytest.mark.parametrize(("line", "key", "word"), choices())
def test_a_choice_that_the_sample_lists_is_one(line: str, key: str, word: str) -> None:
    faults: tuple[ConfigFault, ...] = ()
    try:
        parse_estate(SAMPLE.replace(line, f'{key} = "{word}"', 1), "sample")
    except ConfigFaults as exc:
        faults = exc.faults
    # Two publishers or none are another matter.
    assert not [fault for fault in faults if f'"{word}" is not ' in fault.message]


def test_there_are_choices() -> None:
    assert {key for _, key, _ in choices()} >= {"release", "role", "https_ciphers", "tls_ciphers"}


def test_it_fits_a_screen_of_a_hundred_columns() -> None:
    assert all(len(line) <= 100 for line in SAMPLE.splitlines())
