"""An estate in plain words."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mralab.config.estatefile import parse_estate
from mralab.config.estatekinds import read_moment
from mralab.config.estatesample import SAMPLE, sample_estate
from mralab.config.estatesummary import changed_parts, describe_estate, moment_text
from mralab.config.releases import VerifyMode


def test_it_is_json_without_passwords() -> None:
    text = json.dumps(describe_estate(sample_estate()))
    assert "rocket" not in text
    assert "axlpassword" not in text


def test_every_certificate_is_told_once() -> None:
    told = describe_estate(sample_estate())["certificates"]
    names = [item["certificate"] for item in told]
    assert len(names) == len(set(names)) == 4 + 4 + 3 + 2 + 2
    by_name = {item["certificate"]: item for item in told}
    assert by_name["cucm.steven.lab/CallManager"] == {
        "certificate": "cucm.steven.lab/CallManager",
        "reuse": "tomcat",
    }
    assert by_name["cuc.steven.lab/tomcat"] == {
        "certificate": "cuc.steven.lab/tomcat",
        "reuse": None,
        "cn": "cuc.steven.lab",
        "sans": ["cuc.steven.lab"],
        "signed_by": "steven-Issuing-CA",
        "key": "RSA 2048",
        "digest": "sha256",
        "not_before": None,
        "not_after": None,
    }


def test_what_is_not_set_is_null_and_what_is_set_is_said() -> None:
    estate = sample_estate()
    assert describe_estate(estate)["expressway_c"]["verify_origin_server"] is None
    off = replace(estate.expressway_c, verify_origin_server=VerifyMode.OFF)
    told = describe_estate(replace(estate, expressway_c=off))
    assert told["expressway_c"]["verify_origin_server"] == "Off"


def test_a_unity_node_is_in_no_cluster() -> None:
    clusters = {item["name"]: item["cluster"] for item in describe_estate(sample_estate())["nodes"]}
    assert clusters["cuc.steven.lab"] is None
    assert clusters["imp.steven.lab"] == "steven"


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        pytest.param(timedelta(days=-1), "-1d", id="days"),
        pytest.param(timedelta(days=730), "+2y", id="years"),
        pytest.param(timedelta(hours=36), "+36h", id="hours"),
        pytest.param(timedelta(minutes=-5), "-5min", id="minutes"),
        pytest.param(timedelta(seconds=61), "+61s", id="seconds, which no file has"),
        pytest.param(timedelta(), "+0y", id="now"),
        pytest.param(datetime(2027, 1, 31, tzinfo=UTC), "2027-01-31", id="a date"),
        pytest.param(datetime(2027, 1, 31, 9, 5, tzinfo=UTC), "2027-01-31T09:05:00Z", id="a time"),
    ],
)
def test_moments(moment: datetime | timedelta, text: str) -> None:
    assert moment_text(moment) == text


@given(st.from_regex(r"[+-][0-9]{1,3}(min|h|d|w|y)", fullmatch=True))
def test_a_distance_reads_back(text: str) -> None:
    moment = read_moment(text)
    assert read_moment(moment_text(moment)) == moment


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        pytest.param("# An MRA", "\n\n# An MRA", (), id="other lines alone are no change"),
        pytest.param('domain = "', 'domain = "x.', ("the domain", "vcse.steven.lab"), id="domain"),
        pytest.param(
            'advertised = "cucm.steven.lab"',
            'advertised = "cucm"',
            ("cucm.steven.lab",),
            id="a node",
        ),
        pytest.param(
            'tls_verify_mode = "On"\n\n[expr',
            "\n[expr",
            (),
            id="what is as by default is no change",
        ),
        pytest.param("rocket", "comet", ("user emusk",), id="a password"),
        pytest.param(
            'id = "ghopper"',
            'id = "hopper"',
            ("user ghopper (gone)", "user hopper (new)"),
            id="who",
        ),
        pytest.param(
            '"steven-Issuing-CA"\nsigned_by = "steven-DC-CA"',
            '"steven-Issuing-CA"',
            ("authority steven-Issuing-CA",),
            id="an authority",
        ),
    ],
)
def test_what_has_changed(old: str, new: str, parts: tuple[str, ...]) -> None:
    assert SAMPLE.count(old) == 1
    changed = parse_estate(SAMPLE.replace(old, new), "f")
    assert changed_parts(sample_estate(), changed) == parts
    assert len(changed_parts(changed, sample_estate())) == len(parts)
