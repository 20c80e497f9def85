"""The schema tells of every field of the settings, and of nothing else."""

import dataclasses
import tomllib
import types
import typing
from pathlib import Path

import pytest

from mralab.config import settings
from mralab.config.sample import default_of
from mralab.config.schema import (
    BY_KEY,
    FROM_RELEASE,
    SETTINGS,
    TABLES,
    Setting,
    find_setting,
    find_table,
)
from mralab.config.settings import Limits, LogSettings, Settings, Timeouts

CLASSES = {"": Settings, "log": LogSettings, "timeouts": Timeouts, "limits": Limits}


def test_every_field_is_a_setting_and_the_other_way_round() -> None:
    fields = {
        f"{table}.{field.name}" if table else field.name
        for table, cls in CLASSES.items()
        for field in dataclasses.fields(cls)
        if field.name not in TABLES
    }
    assert set(BY_KEY) == fields
    assert set(TABLES) == set(CLASSES)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.key)
def test_what_the_file_holds_by_default_is_read_back_as_the_default(setting: Setting) -> None:
    default = Settings()
    value = setting.of(default)
    if value is None:
        return
    assert setting.kind.read(setting.plain(default)) == value


def matches(value: object, declared: object) -> bool:
    if isinstance(declared, types.UnionType):
        return any(matches(value, option) for option in typing.get_args(declared))
    if typing.get_origin(declared) is tuple:
        item, _ = typing.get_args(declared)
        return isinstance(value, tuple) and all(matches(inner, item) for inner in value)
    return type(value) is declared or (declared is Path and isinstance(value, Path))


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.key)
def test_readers_make_what_the_field_is_declared_as(setting: Setting) -> None:
    names = {**vars(settings), "Path": Path}
    declared = typing.get_type_hints(CLASSES[setting.table], names)[setting.name]
    written = tomllib.loads(f"x = {default_of(setting) or setting.example}")["x"]
    assert matches(setting.kind.read(written), declared)


def test_flags_are_unique() -> None:
    flags = [setting.flag for setting in SETTINGS if setting.flag]
    assert len(flags) == len(set(flags))


def test_what_follows_the_release_is_not_set_by_default() -> None:
    for key in FROM_RELEASE:
        assert BY_KEY[key].of(Settings()) is None
        assert BY_KEY[key].effective(Settings()) is not None


@pytest.mark.parametrize(
    ("name", "key"),
    [
        pytest.param("listen", "listen", id="key"),
        pytest.param("VerifyOriginServer", "verify_origin_server", id="the product's spelling"),
        pytest.param("verify-origin-server", "verify_origin_server", id="the flag's spelling"),
        pytest.param("log.event-log", "log.event_log", id="in a table"),
        pytest.param("debug-log", "log.debug", id="a flag's name at the top level"),
        pytest.param("connect_timeout", "timeouts.connect_timeout_s", id="another"),
        pytest.param("debug", None, id="a table's name cannot be left out"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_find_setting(name: str, key: str | None) -> None:
    found = find_setting(name)
    assert (found.key if found else None) == key


def test_find_table() -> None:
    assert find_table("Log") == "log"
    assert find_table("") is None
    assert find_table("logs") is None
