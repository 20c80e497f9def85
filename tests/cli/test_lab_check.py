"""``mralab lab check``: faults with their lines, or the estate on one screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mralab.config.estatesample import SAMPLE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .conftest import Ran


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "estate.toml"
    file.write_text(SAMPLE, encoding="utf-8")
    return file


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_a_sound_file_is_shown_on_one_screen(run: Callable[..., Ran], file: Path) -> None:
    change(file, "#[cluster.node.services]\n#tftp-http", "[cluster.node.services]\ntftp-http")
    ran = run("lab", "check", file)
    assert (ran.code, ran.err) == (0, "")
    lines = [" ".join(line.split()) for line in ran.out.splitlines()]
    assert lines[0] == "steven.lab: no faults"
    for line in (
        "vcsc.steven.lab 10.48.36.191 C, X14.2, fresh",
        "VerifyOriginServer: On, the release's",
        "cucm.steven.lab 10.48.36.215 cucm.steven.lab 14.0.1 publisher of steven; tftp-http down",
        "cuc.steven.lab 10.48.36.218 cuc.steven.lab 14.0.1 unity",
        "steven-DC-CA itself +10y CN steven-DC-CA",
        "steven-Issuing-CA steven-DC-CA +10y CN steven-Issuing-CA",
        "cucm.steven.lab/CallManager is tomcat",
        "cucm.steven.lab/CallManager-ECDSA itself +5y cucm.steven.lab (CN cucm-EC.steven.lab)",
        "vcse.steven.lab/server steven-Issuing-CA +5y vcse.steven.lab, steven.lab",
        "cucm.steven.lab CallManager-trust steven-DC-CA, steven-Issuing-CA",
        "vcsc.steven.lab trusted CA list steven-DC-CA, steven-Issuing-CA",
        "imp.steven.lab im-presence TLS verify mode On",
        "emusk steven IM and Presence voicemail on cuc.steven.lab",
        "ghopper steven IM and Presence no voicemail",
    ):
        assert line in lines
    assert len(lines) <= 60


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        pytest.param(
            '#not_after = "+30d"', 'not_after = "+30d"', "steven-DC-CA +30d cucm.", id="an end"
        ),
        pytest.param(
            '#not_after = "+30d"',
            "not_before = 2030-01-01",
            "steven-DC-CA 2030-01-01 to +5y cucm.",
            id="a beginning",
        ),
        pytest.param(
            'cn = "cucm-ms.steven.lab"\n',
            'cn = ""\n',
            "steven.lab (CN none)",
            id="a certificate without CN",
        ),
        pytest.param(
            "certificate.cup-xmpp.signed_by",
            "certificate.cup-xmpp.dns = []\ncertificate.cup-xmpp.signed_by",
            "imp.steven.lab/cup-xmpp steven-DC-CA +5y no SAN (CN imp.steven.lab)",
            id="a certificate without SAN",
        ),
        pytest.param(
            '#verify_origin_server = "Off"',
            'verify_origin_server = "Off"',
            "VerifyOriginServer: Off vcse.steven.lab",
            id="the switch",
        ),
        pytest.param(
            'release = "X14.2"',
            'release = "X14.0.7"',
            "VerifyOriginServer: Off, the release's",
            id="a release that verifies nothing",
        ),
        pytest.param(
            "im_presence = true ",
            "im_presence = false ",
            "ghopper steven no IM and Presence no voicemail",
            id="a user without IM and Presence",
        ),
        pytest.param(
            'trusted_ca = ["steven-DC-CA", "steven-Issuing-CA"]',
            "trusted_ca = []",
            "vcsc.steven.lab trusted CA list empty",
            id="an empty list",
        ),
        pytest.param(
            'address = "cucm.steven.lab"\ntls_verify_mode = "On"',
            'address = "cucm"\ntls_verify_mode = "Off"',
            "cucm unified-cm TLS verify mode Off",
            id="a discovery without a check",
        ),
    ],
)
def test_what_differs_shows(
    run: Callable[..., Ran], file: Path, old: str, new: str, line: str
) -> None:
    change(file, old, new)
    ran = run("lab", "check", file)
    assert ran.code == 0
    assert line in " ".join(ran.out.split())


def test_faults_come_with_line_and_hint(run: Callable[..., Ran], file: Path) -> None:
    change(file, 'role = "subscriber"', 'role = "subscribr"')
    change(file, 'domain = "steven.lab"', "domain = 5")
    ran = run("lab", "check", file)
    assert (ran.code, ran.err) == (1, "")
    lines = SAMPLE.splitlines()
    domain = lines.index('domain = "steven.lab"') + 1
    role = next(i for i, line in enumerate(lines, 1) if line.startswith('role = "subscriber"'))
    assert ran.out == (
        f"{file}:{domain}: domain: 5 is not a full name in quotes\n"
        "  write the full name with its domain, such as cucm.steven.lab\n"
        f"{file}:{role}: cluster[steven].node[cucm-sub.steven.lab].role: "
        '"subscribr" is not publisher or subscriber or im-presence\n'
        "  write one of these; a Unity Connection node stands under [[unity]]\n"
        "\n2 faults\n"
    )


def test_json(run: Callable[..., Ran], file: Path) -> None:
    ran = run("lab", "check", file, "--json")
    assert ran.code == 0
    assert ran.json["schema"] == "mralab-estate-1"
    assert (ran.json["ok"], ran.json["faults"]) == (True, [])
    assert ran.json["estate"]["domain"] == "steven.lab"
    change(file, '"10.48.36.192"', '"10.48.36.191"')
    ran = run("lab", "check", "--json", file)
    assert ran.code == 1
    (fault,) = ran.json["faults"]
    assert (ran.json["ok"], ran.json["estate"]) == (False, None)
    assert fault["key"] == "expressway_e.address"
    assert fault["where"].startswith(f"{file}:")
    assert fault["hint"] == "give each its own"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        pytest.param("missing.toml", "missing.toml: cannot be read: No such file", id="no file"),
        pytest.param(".", ": is not a file\n  name an estate file;", id="a folder"),
    ],
)
def test_a_file_that_is_none(run: Callable[..., Ran], tmp_path: Path, name: str, said: str) -> None:
    ran = run("lab", "check", tmp_path / name)
    assert (ran.code, ran.err) == (1, "")
    assert said in ran.out
    assert ran.out.endswith("\n1 fault\n")


def test_a_terminal_is_not_acted_upon(run: Callable[..., Ran], file: Path) -> None:
    change(file, 'id = "emusk"', r'id = "\u001b[31m"')
    ran = run("lab", "check", file)
    assert ran.code == 1
    assert "\x1b" not in ran.out
