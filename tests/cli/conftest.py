"""Run command lines in this process, and a real proxy in another."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from tests.keyring import few_keys

from mralab.cli.main import main
from mralab.lab import nodefolder
from mralab.lab.pki import Credential, KeyKind, root_ca

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NOW = datetime.now(UTC)
MRALAB = [sys.executable, "-m", "mralab"]


@dataclass
class Ran:
    """What a command line did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = "Callable[..., Ran]"


@pytest.fixture(scope="session", autouse=True)
def _few_keys() -> Iterator[None]:
    with few_keys():
        yield


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    def run_main(*arguments: object) -> Ran:
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return Ran(int(code), captured.out, captured.err)

    return run_main


@pytest.fixture(scope="session")
def first_ca() -> Credential:
    return root_ca("First CA", now=NOW, key=KeyKind.EC_P256)


@pytest.fixture(scope="session")
def second_ca() -> Credential:
    return root_ca("Second CA", now=NOW, key=KeyKind.EC_P256)


@dataclass
class Serving:
    """A proxy in a process of its own."""

    process: subprocess.Popen[str]
    address: str
    state_dir: Path


@dataclass
class LabNode:
    """``mralab lab node`` in a process of its own."""

    process: subprocess.Popen[str]
    address: str
    ready: str  #: the line that it said first

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()


@pytest.fixture(scope="session")
def node_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The documented node's certificates, made once."""
    folder = tmp_path_factory.mktemp("node")
    nodefolder.prepare(folder, name="cucm.steven.lab", domain="steven.lab", now=NOW)
    return folder


@pytest.fixture
def lab_node(tmp_path: Path, node_files: Path) -> Iterator[Callable[..., LabNode]]:
    """Start the node with its files in ``lab``, on an address that no other run has.

    It finds its certificates there, unless they are to be ``fresh``.
    """
    started: list[subprocess.Popen[str]] = []
    pid = os.getpid()
    address = f"127.{64 + (pid >> 16) % 128}.{(pid >> 8) & 255}.{pid & 255}"

    def start(*arguments: object, fresh: bool = False) -> LabNode:
        if not fresh and not (tmp_path / "lab").exists():
            shutil.copytree(node_files, tmp_path / "lab")
        command = [*MRALAB, "lab", "node", "--folder", str(tmp_path / "lab"), "--listen", address]
        process = subprocess.Popen(
            [*command, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        ready = process.stdout.readline()
        assert ready.startswith("ready: "), process.communicate()
        return LabNode(process, address, ready)

    yield start
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Serving]]:
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: object) -> Serving:
        state_dir = tmp_path / f"state{len(started)}"
        command = [*MRALAB, "serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]
        command += ["--state-dir", str(state_dir), *map(str, arguments)]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("listening on http://"), process.communicate()
        return Serving(process, line.split("//")[1].strip(), state_dir)

    yield start
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate()
