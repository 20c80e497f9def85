"""The product's ``xConfiguration`` commands, as far as they touch the traffic server.

Grammar: ``[xConfiguration] WORD... [: VALUE]``. Words are compared without case. A colon and a
value set; without them the command reads everything that begins with its words. The value may stand
in double or single quotes, which must match and hold no quote of their kind. One line, no control
characters.

Answers: one ``*c xConfiguration <path>: "<value>"`` line for each setting read, ``OK`` after a set.
*Pure*: a command and settings in, settings and lines out; putting them in force is the caller's.

Sources: ``VerifyOriginServer`` and its values, Cisco 218018 and the X14.2 release note (seen); the
``*c`` line, Cisco's Hybrid Call Service troubleshooting guide (seen for another setting);
``Logger Developer``, Cisco 225476 (seen); the name under ``Ciphers`` and ``OK`` are inferred; the
value Permissive and the wording of errors are lab forms.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mralab.config.faults import shown
from mralab.config.releases import VerifyMode
from mralab.config.values import read_ciphers
from mralab.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mralab.config.settings import Settings

MAX_COMMAND = 4096  #: characters of one command
_COMMAND = "xConfiguration"
_LOGGERS = ("http", "http_trans", "iocore", "ssl")
#: Levels of the product's developer loggers, and whether each means debug logging here.
_LEVELS = {
    "FATAL": False,
    "ERROR": False,
    "WARN": False,
    "INFO": False,
    "DEBUG": True,
    "TRACE": True,
}
_QUOTED = re.compile(r"""  "[^"]*" | '[^']*'  """, re.VERBOSE)


class XConfigurationError(ConfigError):
    """A command that the product would not understand or not accept. Wording is a lab form."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command: ``words`` without the leading ``xConfiguration``; ``value`` if it sets."""

    words: tuple[str, ...]
    value: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command leads to: the settings afterwards and what the console shows."""

    settings: Settings
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Entry:
    """One setting under its product name."""

    path: str
    read: Callable[[Settings], str]
    set: Callable[[Settings, str], Settings]

    @property
    def words(self) -> list[str]:
        return self.path.lower().split()


def parse_command(text: str) -> Command:
    """Read one command.

    Args:
        text: what was typed, with or without the leading ``xConfiguration``.

    Raises:
        XConfigurationError: too long, more than one line, quotes that do not match, or a value
            without a setting.
    """
    if len(text) > MAX_COMMAND:
        raise XConfigurationError(f"command is longer than {MAX_COMMAND} characters")
    line = text.strip()
    if not line.isprintable():
        raise XConfigurationError(
            f"command {shown(line)} has a control character", hint="write one command on one line"
        )
    path, colon, value = line.partition(":")
    words = path.split()
    if words and words[0].lower() == _COMMAND.lower():
        del words[0]
    if not colon:
        return Command(tuple(words))
    if not words:
        raise XConfigurationError(
            f"value {shown(value.strip())} belongs to no setting", hint=_example_hint()
        )
    return Command(tuple(words), _unquoted(value.strip()))


def execute(command: Command, settings: Settings) -> Answer:
    """Carry a command out on settings.

    Args:
        command: from :func:`parse_command`.
        settings: those in force.

    Returns:
        The same settings and the lines read, or changed settings and ``OK``.

    Raises:
        XConfigurationError: no such setting, or a value it does not take.
    """
    typed = " ".join((_COMMAND, *command.words))
    wanted = [word.lower() for word in command.words]
    found = [entry for entry in _ENTRIES if entry.words[: len(wanted)] == wanted]
    if not found:
        raise XConfigurationError(f"command not recognized: {shown(typed)}", hint=_hint(wanted))
    if command.value is None:
        lines = tuple(render_line(entry.path, entry.read(settings)) for entry in found)
        return Answer(settings, lines)
    entry = found[0]
    if entry.words != wanted:
        raise XConfigurationError(
            f"{shown(typed)} is not one setting",
            hint=f"for example {_COMMAND} {entry.path}: {entry.read(settings)}",
        )
    return Answer(entry.set(settings, command.value), ("OK",))


def render_line(path: str, value: str) -> str:
    """Return the line that shows one setting.

    Source: Cisco's Hybrid Call Service troubleshooting guide, for another setting (seen).
    """
    return f'*c {_COMMAND} {path}: "{value}"'


def change_detail(before: Settings, after: Settings) -> tuple[str, ...]:
    """Return what a change looks like in the event log, one text for each setting that differs.

    Source: form of ``Detail`` in a configuration event of Cisco's Web Bridge document (seen);
    these settings in it are inferred.
    """
    details = []
    for entry in _ENTRIES:
        value = entry.read(after)
        if value != entry.read(before):
            details.append(f"xconfiguration {_camel(entry.path)}: {value}")
    return tuple(details)


def _camel(path: str) -> str:
    return " ".join(word[:1].lower() + word[1:] for word in path.split())


def _unquoted(value: str) -> str:
    if _QUOTED.fullmatch(value):
        return value[1:-1]
    if '"' in value or "'" in value:
        raise XConfigurationError(
            f"value {shown(value)} has quotes that do not match", hint="quote all of it or nothing"
        )
    return value


def _hint(wanted: list[str]) -> str:
    for entry in _ENTRIES:
        if wanted[: len(entry.words)] == entry.words:
            return "put a colon between the setting and its value"
    return "`mralab xconfiguration` without words lists all settings"


def _example_hint() -> str:
    return f"for example {_COMMAND} {_ENTRIES[0].path}: Off"


def _read_verify(settings: Settings) -> str:
    return settings.effective_verify_mode.value


def _set_verify(settings: Settings, value: str) -> Settings:
    for mode in VerifyMode:
        if value.lower() == mode.value.lower():
            return replace(settings, verify_origin_server=mode)
    raise XConfigurationError(
        f"value {shown(value)} is not accepted",
        hint="write On or Off, or Permissive (lab extension: log and go on)",
    )


def _read_cipher_list(settings: Settings) -> str:
    return settings.effective_ciphers


def _set_cipher_list(settings: Settings, value: str) -> Settings:
    try:
        return replace(settings, ciphers=read_ciphers(value))
    except ConfigError as exc:
        raise XConfigurationError(f"value {exc}", hint=exc.hint) from exc


def _read_level(settings: Settings) -> str:
    return "DEBUG" if settings.log.debug else "INFO"


def _set_level(settings: Settings, value: str) -> Settings:
    debug = _LEVELS.get(value.upper())
    if debug is None:
        raise XConfigurationError(
            f"value {shown(value)} is not accepted", hint=f"write one of {', '.join(_LEVELS)}"
        )
    return replace(settings, log=replace(settings.log, debug=debug))


_ENTRIES = (
    _Entry("EdgeConfigServer VerifyOriginServer", _read_verify, _set_verify),
    _Entry("Ciphers ReverseProxyTLSCiphers Value", _read_cipher_list, _set_cipher_list),
    # One switch behind four names: this proxy has one debug log (lab decision).
    *(
        _Entry(f"Logger Developer developer.trafficserver.{name} Level", _read_level, _set_level)
        for name in _LOGGERS
    ),
)
