"""The sample loads to the defaults; the reference page is current."""

import re
import runpy
from pathlib import Path

import pytest

import mralab
from mralab.config.load import load_settings
from mralab.config.sample import render_sample
from mralab.config.schema import FROM_RELEASE, SETTINGS
from mralab.config.settings import Settings

REPOSITORY = Path(mralab.__file__).parents[2]


def test_the_sample_loads_to_the_default_settings(tmp_path: Path) -> None:
    file = tmp_path / "sample.toml"
    file.write_text(render_sample())
    assert load_settings(file, {}).settings == Settings()


def test_every_comment_that_shows_a_setting_can_be_used(tmp_path: Path) -> None:
    file = tmp_path / "sample.toml"
    text, shown = re.subn(r"(?m)^#(\w+ = )", r"\1", render_sample())
    file.write_text(text)
    for name in ("hosts", "client.pem", "client.key"):
        (tmp_path / name).touch()
    loaded = load_settings(file, {})
    given = [key for key, source in loaded.sources.items() if source.startswith(str(file))]
    assert len(given) == len(SETTINGS)
    assert shown == sum(setting.example != "" for setting in SETTINGS)
    for setting in SETTINGS:
        if setting.key in FROM_RELEASE:
            assert setting.effective(loaded.settings) == setting.effective(Settings())


def test_every_setting_stands_in_the_sample_with_its_flag() -> None:
    sample = render_sample()
    for setting in SETTINGS:
        assert re.search(rf"(?m)^#?{setting.name} = ", sample)
        assert setting.flag in sample


def test_the_reference_page_is_current(capsys: pytest.CaptureFixture[str]) -> None:
    page = (REPOSITORY / "docs/reference/settings.md").read_text()
    runpy.run_module("mralab.config.reference", run_name="__main__")
    assert page == capsys.readouterr().out, (
        "run: python -m mralab.config.reference > docs/reference/settings.md"
    )
