"""The product's commands: grammar, answers, errors."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mralab.config.releases import Release, VerifyMode
from mralab.config.settings import Settings
from mralab.config.xconfiguration import (
    MAX_COMMAND,
    Command,
    XConfigurationError,
    change_detail,
    execute,
    parse_command,
    render_line,
)

VERIFY = "EdgeConfigServer VerifyOriginServer"
CIPHERS = "Ciphers ReverseProxyTLSCiphers Value"


def run(text: str, settings: Settings | None = None) -> tuple[Settings, tuple[str, ...]]:
    answer = execute(parse_command(text), settings or Settings())
    return answer.settings, answer.lines


@pytest.mark.parametrize(
    ("text", "command"),
    [
        pytest.param(
            "xConfiguration EdgeConfigServer VerifyOriginServer: Off",
            Command(("EdgeConfigServer", "VerifyOriginServer"), "Off"),
            id="as documented",
        ),
        pytest.param(
            "  XCONFIGURATION  A   b :'x y' ", Command(("A", "b"), "x y"), id="blanks and quotes"
        ),
        pytest.param("A B", Command(("A", "B")), id="the first word may be missing"),
        pytest.param('A: "EECDH:EDH"', Command(("A",), "EECDH:EDH"), id="colons in a value"),
        pytest.param("A:", Command(("A",), ""), id="an empty value"),
        pytest.param("", Command(()), id="nothing"),
    ],
)
def test_parse(text: str, command: Command) -> None:
    assert parse_command(text) == command


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("A" * (MAX_COMMAND + 1), "longer than", id="too long"),
        pytest.param("A: x\nB: y", "control character", id="two lines"),
        pytest.param('A: "x', "quotes that do not match", id="an open quote"),
        pytest.param("A: \"x'", "quotes that do not match", id="two kinds of quotes"),
        pytest.param('A: "x" y"', "quotes that do not match", id="a quote inside"),
        pytest.param("xConfiguration : Off", "belongs to no setting", id="no setting"),
    ],
)
def test_refused_by_the_grammar(text: str, message: str) -> None:
    with pytest.raises(XConfigurationError, match=message):
        parse_command(text)


@pytest.mark.parametrize(
    ("value", "mode"),
    [
        ("Off", VerifyMode.OFF),
        ("OFF", VerifyMode.OFF),
        ('"On"', VerifyMode.ENFORCED),
        ("on", VerifyMode.ENFORCED),
        ("Permissive", VerifyMode.PERMISSIVE),
    ],
)
def test_verify_origin_server(value: str, mode: VerifyMode) -> None:
    settings, lines = run(f"xConfiguration {VERIFY}: {value}")
    assert settings == replace(Settings(), verify_origin_server=mode)
    assert lines == ("OK",)


def test_read_shows_what_is_in_force() -> None:
    line = '*c xConfiguration EdgeConfigServer VerifyOriginServer: "On"'
    assert run(f"xconfiguration {VERIFY.lower()}")[1] == (line,)
    settings = Settings(release=Release.X12_5)
    assert run(VERIFY, settings)[1] == (line.replace("On", "Off"),)


def test_a_prefix_lists_what_is_below_it() -> None:
    everything = run("xConfiguration")[1]
    assert len(everything) == 6
    assert all(line.startswith("*c xConfiguration ") for line in everything)
    loggers = run("xConfiguration logger developer")[1]
    assert loggers == tuple(line for line in everything if " Logger Developer " in line)
    assert len(loggers) == 4


def test_ciphers_take_effect_as_written() -> None:
    settings, lines = run(f'xConfiguration {CIPHERS}: "ECDHE-RSA-AES256-GCM-SHA384:EECDH:!aNULL"')
    assert settings.ciphers == "ECDHE-RSA-AES256-GCM-SHA384:EECDH:!aNULL"
    assert lines == ("OK",)
    assert run(CIPHERS, settings)[1] == (render_line(CIPHERS, settings.ciphers),)


@pytest.mark.parametrize("name", ["http", "http_trans", "iocore", "ssl"])
def test_loggers_switch_the_debug_log(name: str) -> None:
    path = f"Logger Developer developer.trafficserver.{name} Level"
    settings, _ = run(f"xConfiguration {path}: 'DEBUG'")
    assert settings.log.debug
    assert run(path, settings)[1] == (render_line(path, "DEBUG"),)
    settings, _ = run(f"{path}: info", settings)
    assert settings == Settings()


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        pytest.param("Foo", "command not recognized", "lists all", id="no such setting"),
        pytest.param(f"{VERIFY} Off", "command not recognized", "put a colon", id="no colon"),
        pytest.param("EdgeConfigServer: Off", "is not one setting", VERIFY, id="half a name"),
        pytest.param(f"{VERIFY}: Maybe", 'value "Maybe" is not accepted', "On or Off", id="value"),
        pytest.param(f"{VERIFY}:", 'value "" is not accepted', "On or Off", id="no value"),
        pytest.param(f"{CIPHERS}: A B", "not a cipher string", "colons", id="ciphers"),
        pytest.param(
            "Logger Developer developer.trafficserver.ssl Level: LOUD",
            "not accepted",
            "DEBUG",
            id="level",
        ),
    ],
)
def test_refused(text: str, message: str, hint: str) -> None:
    with pytest.raises(XConfigurationError, match=message) as caught:
        run(text)
    assert hint in caught.value.hint


def test_changes_as_the_event_log_tells_them() -> None:
    before = Settings()
    after, _ = run(f"{VERIFY}: Off", before)
    assert change_detail(before, after) == (
        "xconfiguration edgeConfigServer verifyOriginServer: Off",
    )
    assert change_detail(before, before) == ()


words = st.sampled_from(
    [*VERIFY.split(), *CIPHERS.split(), "Logger", "Developer", "Level", "Off", ":", '"', "x"]
)
commands = st.one_of(st.text(), st.lists(words).map(" ".join))


@given(commands)
def test_no_text_raises_anything_but_our_error(text: str) -> None:
    try:
        settings, lines = run(text)
    except XConfigurationError as exc:
        assert str(exc).isprintable()  # noqa: PT017 - either outcome is right
        return
    assert lines
    assert isinstance(settings, Settings)


@given(commands)
def test_every_line_read_is_a_command_that_changes_nothing(text: str) -> None:
    try:
        settings, _ = run(text)
    except XConfigurationError:
        settings = Settings()
    for line in run("", settings)[1]:
        again, lines = run(line.removeprefix("*c "), settings)
        assert lines == ("OK",)
        assert run("", again)[1] == run("", settings)[1]
