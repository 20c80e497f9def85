"""How faults are worded."""

import pytest

from mralab.config.faults import ConfigFault, ConfigFaults, shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param("on", '"on"', id="text stands in double quotes"),
        pytest.param('a"b', '"a\\"b"', id="a double quote is escaped"),
        pytest.param("it's", '"it\'s"', id="a single quote is not"),
        pytest.param("a\nb\x1b[31m", '"a\\nb\\x1b[31m"', id="control characters are escaped"),
        pytest.param("é", '"\\xe9"', id="other than ASCII is escaped"),
        pytest.param("x" * 61, '"' + "x" * 60 + '..."', id="long text is cut"),
        pytest.param(True, "true", id="a bool is written as in TOML"),
        pytest.param(7, "7", id="a number is written as it is"),
        pytest.param(10**60, "a very long number", id="a number without end is not written"),
        pytest.param({"a": 1}, "a table", id="a table is named"),
        pytest.param([1], "an array", id="an array is named"),
        pytest.param(1.5, "1.5", id="other values as Python writes them"),
    ],
)
def test_shown(value: object, text: str) -> None:
    assert shown(value) == text


def test_all_faults_stand_in_the_message_one_per_line() -> None:
    faults = ConfigFaults(
        [
            ConfigFault("lab.toml:3", "listen", "listen: bad", "do this"),
            ConfigFault("flag --retries", "--retries", "bad too", "do that"),
        ]
    )
    assert str(faults) == "lab.toml:3: listen: bad\nflag --retries: bad too"
    assert faults.hint == "do this"
    assert [fault.key for fault in faults.faults] == ["listen", "--retries"]
