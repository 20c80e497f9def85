"""What the figures were made on and with."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sysconfig
from importlib.metadata import version
from pathlib import Path
from typing import Final

import OpenSSL.SSL

import mralab

_PACKAGES: Final = ("trafficserver", "nginx", "haproxy", "wrk")
_LIBRARIES: Final = ("uvloop", "httptools", "pyopenssl", "cryptography")
_MODEL: Final = re.compile(r"^model name\s*: (.*)$", re.MULTILINE)


def describe() -> dict[str, str]:
    """Return machine, interpreter and versions, as the report shows them."""
    found = _MODEL.search(Path("/proc/cpuinfo").read_text("utf-8"))
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    tls = OpenSSL.SSL.SSLeay_version(OpenSSL.SSL.SSLEAY_VERSION).decode("ascii")
    return {
        "CPU": f"{found[1] if found else platform.machine()}, {os.cpu_count()} CPUs",
        "Kernel": f"{platform.system()} {platform.release()}",
        "Interpreter": interpreter(),
        "mralab": f"{mralab.__version__} with {libraries}, {tls}",
        "Debian packages": ", ".join(f"{name} {_package(name)}" for name in _PACKAGES),
    }


def interpreter() -> str:
    """Return the interpreter's version and how it was built."""
    built = build_flags(
        " ".join(str(sysconfig.get_config_var(name)) for name in ("CONFIG_ARGS", "PY_CORE_CFLAGS"))
    )
    return f"{platform.python_implementation()} {platform.python_version()}, {built}"


def build_flags(flags: str) -> str:
    """Say which optimisations an interpreter was built with. *Pure*.

    Args:
        flags: arguments of its ``configure`` and of its compiler.
    """
    pgo = "--enable-optimizations" in flags or "-fprofile-use" in flags
    lto = "--with-lto" in flags or "-flto" in flags
    return f"{'with' if pgo else 'without'} PGO, {'with' if lto else 'without'} LTO"


def _package(name: str) -> str:
    """Return a Debian package's version."""
    shown = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${Version}", name],
        capture_output=True,
        text=True,
        check=False,
    )
    return shown.stdout or "missing"
