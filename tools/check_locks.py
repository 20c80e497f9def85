"""Check that the lock files pin what pyproject.toml asks for, with hashes and nothing else.

A dependency's own needs are ``pip check``'s to compare, after each installation from a lock.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ALL = Path("requirements.lock")
RUNTIME = Path("requirements-runtime.lock")
FUZZ = Path("requirements-fuzz.lock")

_PIN = re.compile(r"(?P<name>[a-z0-9-]+)==(?P<version>[^ ]+)(?: ; [^\\]+)? \\")
_HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}(?: \\)?")


def pins_of(path: Path, faults: list[str]) -> dict[str, str]:
    """Read name -> version; report lines that are neither a pin nor a hash."""
    pins: dict[str, str] = {}
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        if pin := _PIN.fullmatch(line):
            pins[pin["name"]] = pin["version"]
        elif not _HASH.fullmatch(line):
            faults.append(f"{path}:{number}: neither a pin nor a hash: {line.strip()[:60]}")
    return pins


def unmet(requirements: list[str], pins: dict[str, str], path: Path) -> list[str]:
    """Say which requirements a lock file does not meet."""
    faults = []
    for requirement in map(Requirement, requirements):
        version = pins.get(canonicalize_name(requirement.name))
        if version is None:
            faults.append(f"{path}: {requirement.name} is not pinned")
        elif version not in requirement.specifier:
            faults.append(f"{path}: {requirement.name}=={version} does not meet {requirement}")
    return faults


def main() -> int:
    """Compare and report; 1 if the locks are out of date."""
    project = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))
    runtime = project["project"]["dependencies"]
    tools = project["dependency-groups"]["dev"] + project["build-system"]["requires"]
    faults: list[str] = []
    pinned, pinned_runtime = pins_of(ALL, faults), pins_of(RUNTIME, faults)
    faults += unmet(runtime + tools, pinned, ALL)
    faults += unmet(runtime, pinned_runtime, RUNTIME)
    faults += unmet(project["dependency-groups"]["fuzz"], pins_of(FUZZ, faults), FUZZ)
    faults += [
        f"{RUNTIME}: {name}=={version}, but {ALL} has {pinned.get(name, 'none')}"
        for name, version in pinned_runtime.items()
        if pinned.get(name) != version
    ]
    for fault in faults:
        print(fault, file=sys.stderr)
    if faults:
        print("make lock pins them anew", file=sys.stderr)
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
