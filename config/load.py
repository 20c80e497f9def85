"""A TOML file and flags become :class:`~mralab.config.settings.Settings`.

Rules: a flag wins over the file, the file over the release profile, the profile over our own
defaults. What is overridden is not judged. Everything wrong is reported at once, with its place.
Paths in the file are relative to the file's folder, paths in flags to the working directory.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mralab.config.faults import ConfigFault, ConfigFaults, shown
from mralab.config.schema import (
    BY_KEY,
    FROM_RELEASE,
    KNOWN_NAMES,
    SETTINGS,
    TABLES,
    find_setting,
    find_table,
)
from mralab.config.settings import Endpoint, Limits, LogSettings, Settings, Timeouts
from mralab.config.tomlfile import parse_toml, read_toml
from mralab.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mralab.config.lines import KeyPath
    from mralab.config.schema import Setting


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """Settings and where each came from.

    Attributes:
        settings: checked.
        sources: for each key of the schema ``flag --listen``, ``lab.toml:12``,
            ``release profile X14.2`` or ``lab default``.
        file: the file read, if any.
    """

    settings: Settings
    sources: Mapping[str, str]
    file: Path | None = None


@dataclass(frozen=True, slots=True)
class _Given:
    """A value someone wrote, and where."""

    setting: Setting
    written: str  #: the key or flag as written
    value: object
    where: str
    folder: Path

    def fault(self, message: str, hint: str) -> ConfigFault:
        """Return a fault of this value; a flag's place has named it already."""
        named = message if self.where.endswith(self.written) else f"{self.written}: {message}"
        return ConfigFault(self.where, self.written, named, hint)


def load_settings(config_file: Path | None, flags: Mapping[str, object]) -> LoadedSettings:
    """Read and check all settings.

    Args:
        config_file: TOML file, or none.
        flags: schema key to value; text as typed, a list of text for repeated flags, or a bool.
            ``None`` means that the flag was not given.

    Returns:
        Settings that passed every check made without opening a network connection.

    Raises:
        ConfigFaults: everything that is wrong, flags first, then in the file's order.
    """
    faults: list[ConfigFault] = []
    given: dict[str, _Given] = {}
    for item in _from_flags(flags, faults):
        given[item.setting.key] = item
    if config_file is not None:
        for item in _from_file(config_file, faults):
            given.setdefault(item.setting.key, item)
    values: dict[str, object] = {}
    for key, item in given.items():
        try:
            values[key] = _read(item)
        except ConfigError as exc:
            faults.append(item.fault(str(exc), exc.hint))
    faults += _conflicts(values, given)
    if faults:
        raise ConfigFaults(sorted(faults, key=_order))
    settings = _build(values)
    return LoadedSettings(settings, _sources(settings, given), config_file)


class SettingsSource:
    """A configuration that can be read again: the file and flags a proxy was started with."""

    def __init__(self, config_file: Path | None, flags: Mapping[str, object]) -> None:
        """Read it for the first time; raises ConfigFaults."""
        self._config_file = config_file
        self._flags = dict(flags)
        self.loaded = load_settings(config_file, self._flags)  #: the latest that was good

    def reload(self) -> Settings:
        """Read it again.

        Raises:
            ConfigFaults: it is wrong now; ``loaded`` stays what it was.
        """
        self.loaded = load_settings(self._config_file, self._flags)
        return self.loaded.settings


def _from_flags(flags: Mapping[str, object], faults: list[ConfigFault]) -> list[_Given]:
    items = []
    for key, value in flags.items():
        setting = BY_KEY.get(key)
        if setting is None:
            faults.append(_unknown(f"flag {key}", key))
        elif value is not None:
            flag = setting.flag or key
            native = setting.kind.from_flag(value) if isinstance(value, str) else value
            items.append(_Given(setting, flag, native, f"flag {flag}", Path()))
    return items


def _from_file(file: Path, faults: list[ConfigFault]) -> list[_Given]:
    from mralab.config.lines import key_lines, line_of  # noqa: PLC0415 - quick start without file

    try:
        text = read_toml(file, "name a TOML file; `mralab config init` writes one")
        table = parse_toml(text, str(file))
    except ConfigFaults as exc:
        faults += exc.faults
        return []
    lines = key_lines(text)
    items: dict[str, _Given] = {}
    for path, value in _entries(table):
        where = f"{file}:{line_of(lines, path)}"
        written = ".".join(path)
        setting = find_setting(written)
        if setting is None:
            faults.append(_not_a_setting(where, path, value))
        elif setting.key in items:
            message = f"{written} is given twice, first at {items[setting.key].where}"
            faults.append(ConfigFault(where, written, message, "leave one of them out"))
        else:
            items[setting.key] = _Given(setting, written, value, where, file.parent)
    return list(items.values())


def _entries(table: Mapping[str, Any]) -> list[tuple[KeyPath, object]]:
    """Return the entries of the top level and of the known tables, each with its path."""
    entries: list[tuple[KeyPath, object]] = []
    for name, value in table.items():
        if isinstance(value, dict) and find_table(name):
            entries += [((name, inner), item) for inner, item in value.items()]
        else:
            entries.append(((name,), value))
    return entries


def _not_a_setting(where: str, path: KeyPath, value: object) -> ConfigFault:
    name = ".".join(path)
    table = find_table(name)
    if table:
        message = f"{name} = {shown(value)}: {name} is a table"
        return ConfigFault(where, name, message, f"write [{table}] on a line of its own")
    return _unknown(where, name)


def _unknown(where: str, name: str) -> ConfigFault:
    near = difflib.get_close_matches(name.lower(), KNOWN_NAMES, n=1)
    hint = f"did you mean {near[0]}?" if near else "`mralab config init` lists all settings"
    return ConfigFault(where, name, f"no setting is called {shown(name)}", hint)


def _read(item: _Given) -> object:
    """Return the setting's value, its paths in place and looked at."""
    kind = item.setting.kind
    value = kind.read(item.value)
    paths: tuple[Path, ...] = ()
    if isinstance(value, Path):
        value = item.folder / value
        paths = (value,)
    elif isinstance(value, tuple):
        value = paths = tuple(item.folder / path for path in value)
    if kind.check is not None:
        for path in paths:
            kind.check(path)
    return value


def _conflicts(values: Mapping[str, object], given: Mapping[str, _Given]) -> list[ConfigFault]:
    """Return what is wrong between settings that are each right."""
    faults = []

    def fault(key: str, message: str, hint: str) -> None:
        faults.append(given[key].fault(message, hint))

    for one, other in (("client_cert", "client_key"), ("client_key", "client_cert")):
        if one in given and other not in given:
            fault(one, f"{other} is missing", "name certificate and private key together")
    addresses = [key for key in ("listen", "admin") if key in given]
    if addresses and all(key in values for key in addresses):
        default = Settings()
        listen = values.get("listen", default.listen)
        admin = values.get("admin", default.admin)
        if listen == admin and isinstance(listen, Endpoint) and listen.port:
            hint = "give them two ports"
            fault(addresses[-1], f"proxy and admin listener both want {listen}", hint)
    writers: dict[object, str] = {}
    for key in ("log.event_log", "log.json_log", "keylog", "pcap"):
        file = values.get(key)
        if file is not None and file in writers:
            fault(key, f"{writers[file]} goes to the same file", "name two files")
        elif file is not None:
            writers[file] = given[key].written
    return faults


def _order(fault: ConfigFault) -> tuple[bool, int]:
    line = fault.where.rpartition(":")[2]
    in_file = not fault.where.startswith("flag ")
    return in_file, int(line) if line.isascii() and line.isdigit() else 0


def _build(values: Mapping[str, object]) -> Settings:
    # Any: each value was made by the reader of its own setting, which a test holds against the
    # field's annotation.
    tables: dict[str, dict[str, Any]] = {table: {} for table in TABLES}
    for key, value in values.items():
        setting = BY_KEY[key]
        tables[setting.table][setting.name] = value
    return Settings(
        **tables[""],
        log=LogSettings(**tables["log"]),
        timeouts=Timeouts(**tables["timeouts"]),
        limits=Limits(**tables["limits"]),
    )


def _sources(settings: Settings, given: Mapping[str, _Given]) -> dict[str, str]:
    profile = f"release profile {settings.release.value}"
    sources = {}
    for setting in SETTINGS:
        default = profile if setting.key in FROM_RELEASE else "lab default"
        item = given.get(setting.key)
        sources[setting.key] = item.where if item else default
    return sources
