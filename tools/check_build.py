"""Check what was built, and what the Dockerfile would do: ``tools/check_build.py DIST``.

* The wheel holds exactly the files of the rooms and of src/mralab, each under mralab/.
* In a clean environment with the pinned dependencies the wheel installs and ``mralab`` starts.
* The Dockerfile's own RUN lines marked ``# make build runs this`` work, stage by stage, in a copy
  of the project and a clean environment for each stage. No container engine is involved.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

MARK = "# make build runs this"
START = "mralab --version"
INSTALL = (
    "pip install --quiet --no-deps --require-hashes -r {lock}",
    "pip install --quiet --no-deps {wheel}",
    "pip check",
    START,
)


def project_files() -> list[PurePosixPath]:
    """List the files that git knows or would take."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    return [PurePosixPath(name) for name in listed if os.path.lexists(name)]


def expected_in_wheel(files: list[PurePosixPath]) -> set[str]:
    """Return the wheel's file names as the folders say they should be."""
    settings = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))
    rooms = settings["tool"]["hatch"]["build"]["targets"]["wheel"]["sources"]
    return {
        str(PurePosixPath(package) / file.relative_to(folder))
        for folder, package in rooms.items()
        for file in files
        if file.is_relative_to(folder) and not Path(file).is_symlink()
    }


def wheel_faults(wheel: Path, expected: set[str]) -> list[str]:
    """Say in which files the wheel differs from the folders."""
    with ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    return [f"{wheel}: {name} is missing" for name in sorted(expected - names)] + [
        f"{wheel}: {name} is in no folder" for name in sorted(names - expected)
    ]


def stages_of(dockerfile: str) -> list[list[str]]:
    """Return the marked commands of each stage."""
    stages: list[list[str]] = []
    marked = False
    for line in re.sub(r"\\\n\s*", "", dockerfile).splitlines():
        if line.startswith("FROM "):
            stages.append([])
        if marked:
            stages[-1].append(line.removeprefix("RUN "))
        marked = line == MARK
    return stages


def run_in_clean_environment(commands: list[str], folder: Path, environment: Path) -> None:
    """Run shell commands in a folder, with a new virtual environment first on the PATH.

    Raises:
        CalledProcessError: a command failed.
    """
    venv.create(environment, with_pip=True)
    path = f"{environment / 'bin'}{os.pathsep}{os.environ['PATH']}"
    for command in commands:
        print(f"  {command}", flush=True)
        subprocess.run(
            ["/bin/sh", "-c", command],
            check=True,
            cwd=folder,
            env={**os.environ, "PATH": path, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        )


def main() -> int:
    """Check wheel, installation and Dockerfile; 1 if something is wrong."""
    (wheel,) = Path(sys.argv[1]).resolve().glob("*.whl")
    files = project_files()
    expected = expected_in_wheel(files)
    faults = wheel_faults(wheel, expected)
    for fault in faults:
        print(fault, file=sys.stderr)
    if faults:
        return 1
    print(f"{wheel.name}: {len(expected)} files, as the folders have them")
    stages = stages_of(Path("Dockerfile").read_text("utf-8"))
    if not any(stages):
        print(f"Dockerfile: no command is marked {MARK!r}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as work:
        base = Path(work)
        outside = base / "outside"
        outside.mkdir()
        lock = Path("requirements-runtime.lock").resolve()
        print("installed into a clean environment:")
        install = [command.format(lock=lock, wheel=wheel) for command in INSTALL]
        run_in_clean_environment(install, outside, base / "environment")
        copy = base / "copy"
        for file in files:
            target = copy / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, target, follow_symlinks=False)
        for number, commands in enumerate(stages):
            print(f"Dockerfile, stage {number}:")
            run_in_clean_environment(commands, copy, base / f"stage-{number}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
