"""How each kind of setting is written and read.

A :class:`Kind` turns what a TOML file or a flag holds into the value that :class:`Settings` keeps,
or raises :class:`~mralab.errors.ConfigError` with what is wrong and how to write it. A kind knows
nothing of other settings. Reading is free of I/O; only the ``check_`` functions look at the disk.
"""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import TYPE_CHECKING

from mralab.config.faults import shown
from mralab.config.settings import AllowListSource, Endpoint
from mralab.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Plain = str | int | float | bool | list[str] | None

_BRACKETED = re.compile(r"\[([^\]]*)\]:([0-9]{1,5})")
_HOST_PORT = re.compile(r"([A-Za-z0-9._-]{1,253}):([0-9]{1,5})")
_DOTTED_DIGITS = re.compile(r"[0-9.]+")
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{0,18})?([eE][+-]?[0-9]{1,3})?")
_CIPHERS = re.compile(r"[A-Za-z0-9:,+!@=._-]+")
_LOG_HOST = re.compile(r"[A-Za-z0-9._-]{1,64}")
_MAX_PORT = 65535
_MAX_SECONDS = 86_400
_ENDPOINT_HINT = "write HOST:PORT, for example 127.0.0.1:8443 or [::1]:8443"


@dataclass(frozen=True, slots=True)
class Kind:
    """One way of writing a setting.

    Attributes:
        form: how to write it, as the help shows it: ``HOST:PORT``.
        read: file value to setting; raises ConfigError.
        from_flag: flag text to what the file would hold.
        check: looks at the disk once a path is absolute or relative to the right folder.
        metavar: placeholder after the flag, where that is not ``form``.
        repeated: whether the flag may be given more than once.
    """

    form: str
    read: Callable[[object], object]
    from_flag: Callable[[str], object] = str
    check: Callable[[Path], None] | None = None
    metavar: str = ""
    repeated: bool = False


def plain(value: object) -> Plain:
    """Return a setting as a file or JSON would hold it; ``None`` for one that is not set."""
    match value:
        case Enum():
            return str(value.value)
        case Path() | Endpoint():
            return str(value)
        case tuple():
            return [str(item) for item in value]
        case None | str() | bool() | int() | float():
            return value
        case _:
            raise AssertionError(f"no setting has the type of {value!r}")


def read_endpoint(value: object) -> Endpoint:
    """Read ``host:port``; an IPv6 host stands in brackets, port 0 means any free one.

    Raises:
        ConfigError: not that form, a port above 65535, or a host that is no name and no address.
    """
    text = _text(value, "an address", _ENDPOINT_HINT)
    bracketed = _BRACKETED.fullmatch(text)
    parts = bracketed or _HOST_PORT.fullmatch(text)
    if parts is None:
        raise ConfigError(f"{shown(text)} is not HOST:PORT", hint=_endpoint_hint(text))
    host, port = parts.group(1), int(parts.group(2))
    if port > _MAX_PORT:
        raise ConfigError(f"port {port} is above {_MAX_PORT}", hint=_ENDPOINT_HINT)
    try:
        if bracketed:
            IPv6Address(host)
        elif _DOTTED_DIGITS.fullmatch(host):
            IPv4Address(host)
    except ValueError as exc:
        raise ConfigError(f"{shown(host)} is not an IP address", hint=_ENDPOINT_HINT) from exc
    return Endpoint(host, port)


def read_ciphers(value: object) -> str:
    """Read an OpenSSL cipher string; whether OpenSSL knows its words shows when it is used.

    Raises:
        ConfigError: empty, characters no cipher string has, or a security level.
    """
    hint = "write OpenSSL cipher names and classes with colons between them"
    text = _text(value, "a cipher string", hint)
    if not _CIPHERS.fullmatch(text):
        raise ConfigError(f"{shown(text)} is not a cipher string", hint=hint)
    if "@SECLEVEL" in text.upper():
        raise ConfigError(
            f"{shown(text)} sets a security level", hint="leave it out: the release decides it"
        )
    return text


def _read_log_host(value: object) -> str:
    hint = "write letters, digits, dots, hyphens and underscores, at most 64"
    text = _text(value, "a host name", hint)
    if not _LOG_HOST.fullmatch(text):
        raise ConfigError(f"{shown(text)} is not one word", hint=hint)
    return text


def _read_path(value: object) -> Path:
    text = _text(value, "a path", "write the path of a file in quotes")
    if not text or "\0" in text:
        raise ConfigError(f"{shown(text)} is not a path", hint="write the path of a file")
    return Path(text)


def _read_output(value: object) -> Path:
    if value == "-":
        raise ConfigError(
            '"-" is not a file here',
            hint="only the event log can go to standard output; write ./- for a file of that name",
        )
    return _read_path(value)


def _read_event_log(value: object) -> Path | None:
    return None if value == "-" else _read_path(value)


def _read_paths(value: object) -> tuple[Path, ...]:
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list):
        raise ConfigError(
            f"{shown(value)} is not a list of paths", hint='write ["first.pem", "second.pem"]'
        )
    return tuple(_read_path(item) for item in items)


def _read_admin(value: object) -> Endpoint | None:
    return None if _is_word(value, "off") else read_endpoint(value)


def _read_allow_list(value: object) -> Path | AllowListSource:
    for source in AllowListSource:
        if _is_word(value, source.value):
            return source
    return _read_path(value)


def _read_flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ConfigError(f"{shown(value)} is not true or false", hint="write true or false")
    return value


def number(low: int, high: int) -> Kind:
    """Return the kind of a whole number from ``low`` to ``high``, both included."""
    form = f"{low} to {high}"

    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ConfigError(
                f"{shown(value)} is not a whole number", hint=f"write a number, {form}"
            )
        if not low <= value <= high:
            raise ConfigError(f"{shown(value)} is out of range", hint=f"write a number, {form}")
        return value

    return Kind(f"number, {form}", read, from_flag=_number_in, metavar="N")


def choice(enum: type[Enum]) -> Kind:
    """Return the kind of a choice among an enum's values, any case."""
    members: dict[str, object] = {str(member.value): member for member in enum}
    return _choice(members)


def choice_of_words(*words: str) -> Kind:
    """Return the kind of a choice among words, any case; the setting is the word."""
    return _choice({word: word for word in words})


def _choice(members: Mapping[str, object]) -> Kind:
    by_word = {word.lower(): member for word, member in members.items()}
    any_of = " or ".join(members)

    def read(value: object) -> object:
        member = by_word.get(value.lower()) if isinstance(value, str) else None
        if member is None:
            raise ConfigError(f"{shown(value)} is not {any_of}", hint=f"write {any_of} in quotes")
        return member

    return Kind("|".join(members), read)


def _read_seconds(value: object) -> float:
    hint = f"write seconds, above 0 and at most {_MAX_SECONDS}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(f"{shown(value)} is not a number of seconds", hint=hint)
    if math.isnan(value) or not 0 < value <= _MAX_SECONDS:
        raise ConfigError(f"{shown(value)} is out of range", hint=hint)
    return float(value)


def check_file(path: Path) -> None:
    """Refuse a path that is not a regular file we can read."""
    try:
        if path.exists() and not path.is_file():
            raise ConfigError(f"{shown(str(path))} is not a file", hint="name a regular file")
        with path.open("rb"):
            pass
    except (OSError, ValueError) as exc:
        raise _unreadable(path, exc) from exc


def check_file_or_folder(path: Path) -> None:
    """Refuse a path that is neither a folder we can list nor a file we can read."""
    try:
        if path.is_dir():
            os.scandir(path).close()
            return
    except OSError as exc:
        raise _unreadable(path, exc) from exc
    check_file(path)


def check_output(path: Path) -> None:
    """Refuse a path that cannot be a file we write: a folder, or in a folder that is missing."""
    _refuse(path, when=Path.is_dir, fault="is a folder")
    if not path.parent.is_dir():
        raise ConfigError(
            f"there is no folder {shown(str(path.parent))}", hint="make it, or name another file"
        )


def check_folder_to_be(path: Path) -> None:
    """Refuse a path that is something else than a folder; a missing one is made later."""
    _refuse(path, when=_is_not_folder, fault="is not a folder")


def _is_not_folder(path: Path) -> bool:
    return path.exists() and not path.is_dir()


def _refuse(path: Path, *, when: Callable[[Path], bool], fault: str) -> None:
    try:
        bad = when(path)
    except OSError as exc:
        raise _unreadable(path, exc) from exc
    if bad:
        raise ConfigError(f"{shown(str(path))} {fault}", hint="name another place")


def _unreadable(path: Path, exc: OSError | ValueError) -> ConfigError:
    why = (exc.strerror or str(exc)) if isinstance(exc, OSError) else "not a possible path"
    return ConfigError(
        f"cannot read {shown(str(path))}: {why}",
        hint="check the name (in a file, relative to that file's folder) and its permissions",
    )


def _text(value: object, what: str, hint: str) -> str:
    if not isinstance(value, str):
        raise ConfigError(f"{shown(value)} is not {what} in quotes", hint=hint)
    return value


def _is_word(value: object, word: str) -> bool:
    return isinstance(value, str) and value.lower() == word


def _endpoint_hint(text: str) -> str:
    if text.startswith(":") and text.count(":") == 1:
        return f"name the address: 127.0.0.1{text}, or 0.0.0.0{text} for all"
    if text.count(":") > 1:
        return "write an IPv6 address in brackets: [::1]:8443"
    return _ENDPOINT_HINT


def _number_in(text: str) -> object:
    return int(text) if _NUMBER.fullmatch(text) else text


def _decimal_in(text: str) -> object:
    return float(text) if _DECIMAL.fullmatch(text) else text


ENDPOINT = Kind("HOST:PORT", read_endpoint)
ADMIN = Kind("HOST:PORT|off", _read_admin)
ALLOW_LIST = Kind("FILE|built-in|off", _read_allow_list, check=check_file)
CIPHERS = Kind("STRING", read_ciphers)
LOG_HOST = Kind("NAME", _read_log_host)
SECONDS = Kind("seconds, above 0", _read_seconds, from_flag=_decimal_in, metavar="S")
SWITCH = Kind("true|false", _read_flag)
INPUT_FILE = Kind("FILE", _read_path, check=check_file)
TRUSTED_CA = Kind(
    "list of PATH", _read_paths, check=check_file_or_folder, metavar="PATH", repeated=True
)
OUTPUT_FILE = Kind("FILE", _read_output, check=check_output)
EVENT_LOG = Kind("FILE|-", _read_event_log, check=check_output)
STATE_DIR = Kind("FOLDER", _read_path, check=check_folder_to_be)
