"""The sample configuration file and the reference page of the settings, both from the schema.

Every line of the sample is the default, so that the sample loads to the default settings; what is
not set by default stands there as a comment. *Pure*.
"""

from __future__ import annotations

import json
from textwrap import wrap
from typing import TYPE_CHECKING

from mralab.config.releases import Release
from mralab.config.schema import FROM_RELEASE, SETTINGS, STANDS_FOR_NONE, TABLES
from mralab.config.settings import Settings

if TYPE_CHECKING:
    from mralab.config.schema import Setting
    from mralab.config.values import Plain

_DEFAULTS = Settings()
_WIDTH = 96
_HEAD = f"""\
# Settings of mralab, a lab stand-in for the Expressway-C traffic server.
#
# Each line is the default. A line that begins with "#name =" shows how to write a setting that is
# not set; {", ".join(FROM_RELEASE)} then follow the release.
# Flags of `mralab serve` win over this file. Paths are relative to this file's folder.
# `mralab config check --config FILE` looks for mistakes, `mralab config show` tells what is in
# force and why.
"""


def toml_text(value: Plain) -> str:
    """Return a value as TOML writes it."""
    if isinstance(value, bool | list | str):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def default_of(setting: Setting) -> str | None:
    """Return a setting's default as TOML, ``None`` if it is not set by default."""
    value = setting.of(_DEFAULTS)
    if value is None and setting.key not in STANDS_FOR_NONE:
        return None
    return toml_text(setting.plain(_DEFAULTS))


def render_sample() -> str:
    """Return the annotated sample file as TOML."""
    parts = [_HEAD]
    for table, title in TABLES.items():
        parts.append(f"# --- {title} ---\n" + (f"[{table}]\n" if table else ""))
        parts += [_entry(setting) for setting in SETTINGS if setting.table == table]
    return "\n".join(parts)


def render_reference() -> str:
    """Return the reference page of the settings as Markdown."""
    lines = [
        "# Settings",
        "",
        "<!-- Made by `python -m mralab.config.reference`; a test holds it against the code. -->",
        "",
        "Every setting can stand in the TOML file of `mralab serve --config FILE`; most have a",
        "flag. A flag wins over the file, the file over the release profile. Case, hyphens and",
        "underscores in names do not count, and a flag's name works at the top level too, so",
        "`verify_origin_server`, `VerifyOriginServer` and `verify-origin-server` are one setting.",
        "Paths in the file are relative to its folder. `mralab config init` writes a sample.",
    ]
    for table, title in TABLES.items():
        heading = f"## {title}" + (f": `[{table}]`" if table else "")
        lines += ["", heading, "", "| name | flag | write | default | meaning |"]
        lines += ["|---|---|---|---|---|"]
        lines += [_row(setting) for setting in SETTINGS if setting.table == table]
    lines += ["", "## What the release decides", "", *_release_table()]
    return "\n".join(lines) + "\n"


def _entry(setting: Setting) -> str:
    default = default_of(setting)
    how = setting.kind.form + (f"; flag {setting.flag}" if setting.flag else "")
    comments = [*wrap(setting.about, _WIDTH), how]
    line = f"{setting.name} = {default}" if default else f"#{setting.name} = {setting.example}"
    return "".join(f"# {comment}\n" for comment in comments) + line + "\n"


def _row(setting: Setting) -> str:
    default = default_of(setting)
    if default is None:
        default = "the release's" if setting.key in FROM_RELEASE else "not set"
    else:
        default = f"`{default}`"
    flag = f"`{setting.flag}`" if setting.flag else ""
    form = setting.kind.form.replace("|", " \\| ")
    return f"| `{setting.name}` | {flag} | {form} | {default} | {setting.about} |"


def _release_table() -> list[str]:
    followers = [setting for setting in SETTINGS if setting.key in FROM_RELEASE]
    lines = [
        "| setting | " + " | ".join(release.value for release in Release) + " |",
        "|---" * (len(Release) + 1) + "|",
    ]
    for setting in followers:
        cells = (f"`{setting.plain(Settings(release=release))}`" for release in Release)
        lines.append(f"| `{setting.key}` | " + " | ".join(cells) + " |")
    return lines
