"""File and flags become settings; every fault at once, each with its place."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mralab.config.faults import ConfigFaults
from mralab.config.load import SettingsSource, load_settings
from mralab.config.releases import Release, VerifyMode
from mralab.config.sample import toml_text
from mralab.config.schema import BY_KEY, KNOWN_NAMES, SETTINGS
from mralab.config.settings import AllowListSource, Endpoint, Settings
from mralab.config.tomlfile import MAX_FILE_BYTES


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "lab.toml"


def faults_of(file: Path | None, flags: dict[str, object] | None = None) -> list[str]:
    with pytest.raises(ConfigFaults) as caught:
        load_settings(file, flags or {})
    assert all(fault.hint for fault in caught.value.faults)
    prefix = f"{file.parent}/" if file else ""
    return [str(fault).removeprefix(prefix) for fault in caught.value.faults]


def hints_of(file: Path | None, flags: dict[str, object] | None = None) -> list[str]:
    with pytest.raises(ConfigFaults) as caught:
        load_settings(file, flags or {})
    return [fault.hint for fault in caught.value.faults]


def test_nothing_given_is_the_default() -> None:
    loaded = load_settings(None, {})
    assert loaded.settings == Settings()
    assert loaded.sources["listen"] == "lab default"
    assert loaded.sources["verify_origin_server"] == "release profile X14.2"
    assert set(loaded.sources) == set(BY_KEY)


def test_flag_wins_over_file_and_file_over_default(file: Path) -> None:
    file.write_text('release = "ats"\nretries = 5\n[timeouts]\nconnect_timeout_s = 3\n')
    loaded = load_settings(file, {"retries": "2", "workers": None})
    assert loaded.settings.release is Release.ATS
    assert loaded.settings.retries == 2
    assert loaded.settings.timeouts.connect_timeout_s == 3.0
    assert loaded.settings.workers == 1
    assert loaded.sources["retries"] == "flag --retries"
    assert loaded.sources["timeouts.connect_timeout_s"] == f"{file}:4"
    assert loaded.sources["name_rule"] == "release profile ats"
    assert loaded.file == file


def test_what_is_overridden_is_not_judged(file: Path) -> None:
    file.write_text('listen = "nonsense"\n')
    loaded = load_settings(file, {"listen": "127.0.0.1:0"})
    assert loaded.settings.listen == Endpoint("127.0.0.1", 0)


def test_every_flag_of_the_contract_can_stand_in_the_file(file: Path, tmp_path: Path) -> None:
    for name in ("ca.pem", "hosts", "allow.csv", "c.pem", "c.key"):
        (tmp_path / name).touch()
    file.write_text(
        """
        listen = "[::1]:8443"
        release = "X12.5"
        trusted-ca = ["ca.pem", "."]
        hosts = "hosts"
        allow-list = "allow.csv"
        VerifyOriginServer = "permissive"
        name-rule = "strict"
        client-cert = "c.pem"
        client-key = "c.key"
        ciphers = "ALL"
        connect-timeout = 1.5
        retries = 0
        upgrade-path = "from-14.0"
        event-log = "event.log"
        json-log = "json.log"
        debug-log = true
        keylog = "keys.log"
        pcap = "lab.pcapng"
        admin = "off"
        workers = 2
        loop = "asyncio"
        """
    )
    loaded = load_settings(file, {}).settings
    assert loaded.trusted_ca == (tmp_path / "ca.pem", tmp_path)
    assert loaded.hosts == tmp_path / "hosts"
    assert loaded.allow_list == tmp_path / "allow.csv"
    assert loaded.verify_origin_server is VerifyMode.PERMISSIVE
    assert loaded.client_cert == tmp_path / "c.pem"
    assert loaded.log.event_log == tmp_path / "event.log"
    assert loaded.log.debug is True
    assert loaded.admin is None
    assert loaded.timeouts.connect_timeout_s == 1.5


def test_paths_in_flags_are_relative_to_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ca.pem").touch()
    monkeypatch.chdir(tmp_path)
    loaded = load_settings(None, {"trusted_ca": ["ca.pem"], "allow_list": "off"})
    assert loaded.settings.trusted_ca == (Path("ca.pem"),)
    assert loaded.settings.allow_list is AllowListSource.OFF


def test_all_faults_come_at_once_flags_first_then_by_line(file: Path) -> None:
    file.write_text(
        'lissten = "x"\n'
        'admin = "127.0.0.1"\n'
        "[log]\n"
        "debug = 1\n"
        "nonsense = 2\n"
        "[loggs]\n"
        "a = 1\n"
        "[timeouts]\n"
        "linger_s = -1\n"
    )
    assert faults_of(file, {"retries": "99", "workers": "0"}) == [
        "flag --retries: 99 is out of range",
        "flag --workers: 0 is out of range",
        'lab.toml:1: no setting is called "lissten"',
        'lab.toml:2: admin: "127.0.0.1" is not HOST:PORT',
        "lab.toml:4: log.debug: 1 is not true or false",
        'lab.toml:5: no setting is called "log.nonsense"',
        'lab.toml:6: no setting is called "loggs"',
        "lab.toml:9: timeouts.linger_s: -1 is out of range",
    ]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        pytest.param("lissten = 1", "did you mean listen?", id="a typing error"),
        pytest.param("[log]\nevnt_log = 1", "did you mean log.event_log?", id="in a table"),
        pytest.param("debuglogs = 1", "did you mean debug-log?", id="a flag's name"),
        pytest.param("zzzzzz = 1", "`mralab config init` lists all", id="nothing is near"),
        pytest.param("log = 3", "write [log] on a line of its own", id="a table as value"),
    ],
)
def test_hints_for_unknown_names(file: Path, text: str, hint: str) -> None:
    file.write_text(text)
    (found,) = hints_of(file)
    assert hint in found


def test_a_setting_given_twice_is_a_fault(file: Path) -> None:
    file.write_text('release = "ats"\nRelease = "X12.5"\n')
    assert faults_of(file) == [f"lab.toml:2: Release is given twice, first at {file}:1"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("a = 1\nb = \n", "lab.toml:2: not TOML: Invalid value", id="a line"),
        pytest.param("a = 1\nb = [1,", "lab.toml:2: not TOML: Invalid value", id="the end"),
        pytest.param("a = 1\na = 2", "lab.toml:2: not TOML: Cannot overwrite", id="twice"),
        pytest.param("a = " + "9" * 5000, "lab.toml: not TOML: Exceeds the limit", id="number"),
        pytest.param("a = " + "[" * 9000, "lab.toml: is nested too deeply", id="depth"),
    ],
)
def test_not_toml(file: Path, text: str, message: str) -> None:
    file.write_text(text)
    (fault,) = faults_of(file)
    assert fault.startswith(message)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        pytest.param("a = 1\na = 2", "leave one of the two out", id="a key twice"),
        pytest.param("[a]\n[a]", "leave one of the two out", id="a table twice"),
        pytest.param("[a]\n[[a]]", "always [[table]]", id="in single and double brackets"),
        pytest.param("[[a.b]]\n[[a]]", "always [[table]]", id="an array begun within"),
        pytest.param("a = b", "text in quotes", id="text without quotes"),
    ],
)
def test_a_hint_for_what_is_not_toml(file: Path, text: str, hint: str) -> None:
    file.write_text(text)
    (only,) = hints_of(file)
    assert hint in only


def test_not_utf_8(file: Path) -> None:
    file.write_bytes(b"a = 1\nb = '\xff'\n")
    assert faults_of(file) == ["lab.toml:2: not UTF-8 text"]


def test_line_ends_of_other_systems(file: Path) -> None:
    file.write_bytes(b'release = "ats"\r\nworkers = 0\r\n')
    assert faults_of(file) == ["lab.toml:2: workers: 0 is out of range"]


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    missing = tmp_path / "none.toml"
    assert faults_of(missing) == ["none.toml: cannot be read: No such file or directory"]
    assert faults_of(tmp_path) == [f"{tmp_path.name}: is not a file"]
    assert "not a possible path" in faults_of(Path("a\0b"))[0]


def test_file_too_long(file: Path) -> None:
    file.write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    assert "is longer than" in faults_of(file)[0]


def test_certificate_and_key_belong_together(file: Path, tmp_path: Path) -> None:
    (tmp_path / "c.pem").touch()
    file.write_text('client_cert = "c.pem"\n')
    assert faults_of(file) == ["lab.toml:1: client_cert: client_key is missing"]
    flags: dict[str, object] = {"client_key": str(tmp_path / "c.pem")}
    assert faults_of(None, flags) == ["flag --client-key: client_cert is missing"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        pytest.param(
            {"listen": "127.0.0.1:9", "admin": "127.0.0.1:9"},
            "flag --admin: proxy and admin listener both want 127.0.0.1:9",
            id="both given",
        ),
        pytest.param(
            {"listen": "127.0.0.1:8444"},
            "flag --listen: proxy and admin listener both want 127.0.0.1:8444",
            id="one is the other's default",
        ),
    ],
)
def test_one_address_for_two_listeners(flags: dict[str, object], message: str) -> None:
    assert faults_of(None, flags) == [message]


def test_any_free_port_may_be_asked_for_twice() -> None:
    load_settings(None, {"listen": "127.0.0.1:0", "admin": "127.0.0.1:0"})


def test_a_wrong_address_is_not_compared() -> None:
    flags: dict[str, object] = {"listen": "x", "admin": "127.0.0.1:8443"}
    assert faults_of(None, flags) == ['flag --listen: "x" is not HOST:PORT']


def test_two_logs_in_one_file(tmp_path: Path) -> None:
    log = str(tmp_path / "x.log")
    flags: dict[str, object] = dict.fromkeys(
        ("log.event_log", "log.json_log", "keylog", "pcap"), log
    )
    assert faults_of(None, flags) == [
        "flag --json-log: --event-log goes to the same file",
        "flag --keylog: --event-log goes to the same file",
        "flag --pcap: --event-log goes to the same file",
    ]


def test_an_unknown_flag_is_a_fault_too() -> None:
    assert faults_of(None, {"lisen": "x"}) == ['flag lisen: no setting is called "lisen"']


def test_a_missing_file_among_trusted_cas(file: Path) -> None:
    file.write_text('trusted_ca = [\n  ".",\n  "gone.pem",\n]\n')
    (fault,) = faults_of(file)
    assert fault.startswith("lab.toml:1: trusted_ca: cannot read")
    assert fault.endswith("No such file or directory")


def test_reload_keeps_the_last_good_settings(file: Path) -> None:
    file.write_text("retries = 1\n")
    source = SettingsSource(file, {"workers": "2"})
    file.write_text("retries = 3\n")
    assert source.reload().retries == 3
    assert source.loaded.settings.workers == 2
    file.write_text("retries = 99\n")
    with pytest.raises(ConfigFaults):
        source.reload()
    assert source.loaded.settings.retries == 3


scalars = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\x7f"), max_size=20),
    st.integers(-(2**70), 2**70),
    st.booleans(),
    st.floats(allow_nan=False, allow_infinity=False),
)
toml_values = st.one_of(
    scalars.map(toml_text),
    st.lists(scalars.map(toml_text), max_size=3).map(lambda items: f"[{', '.join(items)}]"),
)
names = st.one_of(st.sampled_from(KNOWN_NAMES), st.text("abcxyz_-", min_size=1, max_size=8))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(names, toml_values, max_size=8), st.booleans())
def test_any_toml_loads_or_is_faulted(
    tmp_path: Path, entries: dict[str, str], with_table: bool
) -> None:
    file = tmp_path / "any.toml"
    lines = [f"{name} = {value}" for name, value in entries.items() if with_table or "." in name]
    file.write_text("\n".join(lines), encoding="utf-8")
    load_or_fault(file, {})


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_any_bytes_load_or_are_faulted(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "any.toml"
    file.write_bytes(content)
    load_or_fault(file, {})


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([s.key for s in SETTINGS]), st.text(max_size=30)))
def test_any_flags_load_or_are_faulted(flags: dict[str, Any]) -> None:
    load_or_fault(None, flags)


def load_or_fault(file: Path | None, flags: dict[str, Any]) -> None:
    try:
        load_settings(file, flags)
    except ConfigFaults as exc:
        assert exc.faults  # noqa: PT017 - either outcome is right
