"""How each kind of setting is read, and what a wrong value is told."""

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mralab.config import values
from mralab.config.releases import VerifyMode
from mralab.config.settings import AllowListSource, Endpoint
from mralab.config.values import Kind, plain, read_ciphers, read_endpoint
from mralab.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        pytest.param("127.0.0.1:8443", "127.0.0.1", 8443, id="IPv4"),
        pytest.param("[::1]:0", "::1", 0, id="IPv6 stands in brackets"),
        pytest.param("exp-c_1.steven.lab:65535", "exp-c_1.steven.lab", 65535, id="a name"),
    ],
)
def test_endpoint(text: str, host: str, port: int) -> None:
    assert read_endpoint(text) == Endpoint(host, port)
    assert str(read_endpoint(text)) == text


@pytest.mark.parametrize(
    ("value", "message", "hint"),
    [
        pytest.param("8443", "is not HOST:PORT", "HOST:PORT", id="port only"),
        pytest.param(":8443", "is not HOST:PORT", "0.0.0.0:8443 for all", id="no host"),
        pytest.param("::1:8443", "is not HOST:PORT", "brackets", id="IPv6 without brackets"),
        pytest.param("a:65536", "above 65535", "HOST:PORT", id="port too high"),
        pytest.param("a:٣", "is not HOST:PORT", "HOST:PORT", id="digits of another script"),
        pytest.param("300.1.1.1:1", "not an IP address", "HOST:PORT", id="no IPv4 address"),
        pytest.param("[x]:1", "not an IP address", "HOST:PORT", id="no IPv6 address"),
        pytest.param(8443, "8443 is not an address in quotes", "HOST:PORT", id="a number"),
        pytest.param("a b:1", "is not HOST:PORT", "HOST:PORT", id="a blank in the host"),
    ],
)
def test_wrong_endpoint(value: object, message: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        read_endpoint(value)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("kind", "value", "read"),
    [
        pytest.param(values.ADMIN, "OFF", None, id="admin off, any case"),
        pytest.param(values.ADMIN, "[::1]:8444", Endpoint("::1", 8444), id="admin address"),
        pytest.param(values.ALLOW_LIST, "off", AllowListSource.OFF, id="allow list off"),
        pytest.param(values.ALLOW_LIST, "Built-In", AllowListSource.BUILT_IN, id="built-in"),
        pytest.param(values.ALLOW_LIST, "./off", Path("off"), id="a file named off"),
        pytest.param(values.EVENT_LOG, "-", None, id="standard output"),
        pytest.param(values.EVENT_LOG, "x.log", Path("x.log"), id="a log file"),
        pytest.param(values.TRUSTED_CA, "a.pem", (Path("a.pem"),), id="one path"),
        pytest.param(values.TRUSTED_CA, ["a", "b"], (Path("a"), Path("b")), id="several paths"),
        pytest.param(values.SECONDS, 3, 3.0, id="whole seconds"),
        pytest.param(values.SWITCH, True, True, id="true"),
        pytest.param(values.LOG_HOST, "vcsc", "vcsc", id="log host"),
        pytest.param(values.number(0, 10), 10, 10, id="a number at its bound"),
        pytest.param(values.choice(VerifyMode), "oFF", VerifyMode.OFF, id="a choice, any case"),
        pytest.param(values.choice_of_words("uvloop"), "UVLOOP", "uvloop", id="a word"),
    ],
)
def test_read(kind: Kind, value: object, read: object) -> None:
    assert kind.read(value) == read


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        pytest.param(values.SWITCH, 1, "1 is not true or false", id="a number is no switch"),
        pytest.param(values.SWITCH, "On", '"On" is not true or false', id="On is no switch"),
        pytest.param(values.number(1, 3), True, "true is not a whole number", id="a bool"),
        pytest.param(values.number(1, 3), 4, "4 is out of range", id="above the bound"),
        pytest.param(values.number(1, 3), "x", '"x" is not a whole number', id="text"),
        pytest.param(values.SECONDS, 0, "0 is out of range", id="no time at all"),
        pytest.param(values.SECONDS, float("nan"), "nan is out of range", id="nan"),
        pytest.param(values.SECONDS, float("inf"), "inf is out of range", id="for ever"),
        pytest.param(values.SECONDS, "1", "is not a number of seconds", id="seconds in quotes"),
        pytest.param(values.SECONDS, True, "true is not a number", id="a bool as seconds"),
        pytest.param(values.TRUSTED_CA, 3, "3 is not a list of paths", id="a number as paths"),
        pytest.param(values.TRUSTED_CA, ["a", 3], "3 is not a path", id="a number among paths"),
        pytest.param(values.INPUT_FILE, "", '"" is not a path', id="an empty path"),
        pytest.param(values.INPUT_FILE, "a\0b", "is not a path", id="NUL in a path"),
        pytest.param(values.OUTPUT_FILE, "-", '"-" is not a file here', id="only one stdout"),
        pytest.param(values.LOG_HOST, "a b", '"a b" is not one word', id="two words"),
        pytest.param(
            values.choice(VerifyMode), "Maybe", "not Off or Permissive or On", id="choice"
        ),
        pytest.param(values.choice(VerifyMode), False, "false is not Off", id="a bool as choice"),
    ],
)
def test_wrong_value(kind: Kind, value: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        kind.read(value)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("kind", "text", "native"),
    [
        pytest.param(values.number(0, 9), "-3", -3, id="number"),
        pytest.param(values.number(0, 9), "three", "three", id="no number stays text"),
        pytest.param(values.number(0, 9), "9" * 30, "9" * 30, id="a number without end too"),
        pytest.param(values.SECONDS, "0.5", 0.5, id="seconds"),
        pytest.param(values.SECONDS, "nan", "nan", id="no seconds stay text"),
        pytest.param(values.ENDPOINT, "a:1", "a:1", id="all else stays text"),
    ],
)
def test_flag_text(kind: Kind, text: str, native: object) -> None:
    assert kind.from_flag(text) == native


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "is not a cipher string", id="empty"),
        pytest.param("A B", "is not a cipher string", id="blank"),
        pytest.param("ALL:@seclevel=0", "sets a security level", id="the release's business"),
    ],
)
def test_wrong_ciphers(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_ciphers(text)


@given(st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.lists(st.text())))
def test_readers_raise_nothing_but_our_error(value: object) -> None:
    kinds = [kind for kind in vars(values).values() if isinstance(kind, Kind)]
    assert len(kinds) >= 10
    for kind in kinds:
        try:
            kind.read(value)
        except ConfigError as exc:
            assert str(exc).isprintable()  # noqa: PT017 - any message will do, but it is one line
            assert exc.hint  # noqa: PT017


def test_plain_values_are_what_json_and_toml_hold() -> None:
    assert plain(VerifyMode.ENFORCED) == "On"
    assert plain(Endpoint("::1", 1)) == "[::1]:1"
    assert plain((Path("a"),)) == ["a"]
    assert plain(None) is None
    assert plain(3) == 3


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


def test_a_pipe_is_refused_without_opening_it(pipe: Path) -> None:
    with pytest.raises(ConfigError, match="is not a file"):
        values.check_file(pipe)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file") as caught:
        values.check_file(tmp_path / "none.pem")
    assert "relative to that file's folder" in caught.value.hint


@pytest.mark.parametrize(
    "check",
    [
        values.check_file,
        values.check_file_or_folder,
        values.check_output,
        values.check_folder_to_be,
    ],
)
def test_a_name_no_system_takes_is_a_fault(check: object) -> None:
    assert callable(check)
    with pytest.raises(ConfigError, match="cannot read"):
        check(Path("x" * 5000))


def test_a_name_that_is_no_text_is_a_fault() -> None:
    with pytest.raises(ConfigError, match="not a possible path"):
        values.check_file(Path("\ud800"))


def test_folder_or_file(tmp_path: Path) -> None:
    values.check_file_or_folder(tmp_path)
    (tmp_path / "a").touch()
    values.check_file_or_folder(tmp_path / "a")
    with pytest.raises(ConfigError, match="No such file"):
        values.check_file_or_folder(tmp_path / "b")


def test_output_needs_its_folder(tmp_path: Path) -> None:
    values.check_output(tmp_path / "new.log")
    with pytest.raises(ConfigError, match="is a folder"):
        values.check_output(tmp_path)
    with pytest.raises(ConfigError, match="there is no folder"):
        values.check_output(tmp_path / "no" / "new.log")


def test_state_folder_may_be_missing_but_not_be_a_file(tmp_path: Path) -> None:
    values.check_folder_to_be(tmp_path / "later")
    (tmp_path / "a").touch()
    with pytest.raises(ConfigError, match="is not a folder"):
        values.check_folder_to_be(tmp_path / "a")


def test_a_socket_is_not_a_file(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        with pytest.raises(ConfigError, match="is not a file"):
            values.check_file(tmp_path / "s")
