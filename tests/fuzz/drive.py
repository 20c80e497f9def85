"""Run one target under atheris: ``python -P -m tests.fuzz.drive TARGET [libFuzzer's flags]``.

The project's modules are imported instrumented, so that an input which reaches new code is kept.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["mralab"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    """Hand over to libFuzzer, which ends the process."""
    name, *flags = sys.argv[1:]
    atheris.Setup([sys.argv[0], *flags], TARGETS[name].check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
