"""``mralab serve``: the proxy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mralab.admin.companion import Companion
from mralab.cli.flags import add_setting_flags, flags_in
from mralab.cli.output import report
from mralab.config.load import SettingsSource
from mralab.errors import ConfigError

if TYPE_CHECKING:
    import argparse

    from mralab.config.settings import Endpoint
    from mralab.errors import MraLabError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    add_setting_flags(parser)


def run(args: argparse.Namespace) -> int:
    """Run until a signal ends it."""
    source = SettingsSource(args.config, flags_in(args))
    from mralab.proxy import workers  # noqa: PLC0415 - faults are told without loading it

    return workers.run(
        source.loaded.settings,
        reload=source.reload,
        companion=lambda proxy: Companion(proxy, source),
        announce=_announce,
        complain=_complain,
    )


def _announce(endpoint: Endpoint) -> None:
    print(f"listening on http://{endpoint}", flush=True)


def _complain(error: MraLabError) -> None:
    what = "not reloaded: " if isinstance(error, ConfigError) else ""
    for fault in getattr(error, "faults", (error,)):
        report("mralab serve", f"{what}{fault}", fault.hint)
