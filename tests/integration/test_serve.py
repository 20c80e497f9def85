"""``mralab serve`` as a process: signals, workers, one log, reload, drain."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mralab.lab.pki import root_ca

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and fork")


class Served:
    """A running ``mralab serve``."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process = process
        self.port = port

    def get(self, path: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", path)
            return connection.getresponse().status

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=15)
        return self.process.returncode, errors


if TYPE_CHECKING:
    Starter = Callable[..., Served]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ca.pem").write_bytes(root_ca("steven-DC-CA", now=datetime.now(UTC)).pem)
    return tmp_path


@pytest.fixture
def serve(folder: Path) -> Iterator[Starter]:
    running: list[subprocess.Popen[str]] = []

    def start(*flags: str) -> Served:
        process = subprocess.Popen(
            [
                *(sys.executable, "-P", "-m", "mralab", "serve"),
                *("--listen", "127.0.0.1:0", "--admin", "off"),
                *("--trusted-ca", str(folder / "ca.pem"), "--event-log", str(folder / "event.log")),
                *flags,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "XDG_STATE_HOME": str(folder)},
        )
        running.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        match = re.fullmatch(r"listening on http://127\.0\.0\.1:(\d+)\n", line)
        assert match, line + (process.stderr.read() if process.stderr and not line else "")
        return Served(process, int(match[1]))

    yield start
    for process in running:
        if process.poll() is None:
            process.kill()
            process.communicate()


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_and_exits_with_0(
    serve: Starter, folder: Path, loop: str, number: int
) -> None:
    proxy = serve("--loop", loop)
    assert proxy.get("/not-a-route/x") == 400
    assert proxy.end(number) == (0, "")
    assert 'Event="Request Failed"' in (folder / "event.log").read_text()


def test_workers_share_the_port_one_log_of_whole_lines_and_no_txn_id(
    serve: Starter, folder: Path
) -> None:
    proxy = serve("--workers", "2")
    count = 400  # each over a connection of its own
    for _ in range(count):
        assert proxy.get("/not-a-route/x") == 400
    assert proxy.end() == (0, "")
    lines = (folder / "event.log").read_text().splitlines()
    assert all(
        re.match(r"\d{4}-\d\d-\d\dT[\d:.+-]+ vcsc traffic_server\[\d+\]: ", x) for x in lines
    )
    received = [x for x in lines if "Receive Request" in x]
    assert len(received) == count
    ids = Counter(re.findall(r'Txn-id="(\d+)"', "\n".join(received)))
    assert set(ids.values()) == {1}
    assert len(set(re.findall(r'TrackingID="([^"]+)"', "\n".join(received)))) == count
    shares = Counter(re.findall(r"traffic_server\[(\d+)\]", "\n".join(received)))
    assert len(shares) == 2
    # The kernel spreads by a hash of the ports: four standard deviations.
    assert all(0.4 * count <= share <= 0.6 * count for share in shares.values())


@pytest.mark.parametrize("workers", ["1", "2"])
def test_sighup_reopens_the_log_and_reads_the_files_again(
    serve: Starter, folder: Path, workers: str
) -> None:
    proxy = serve("--workers", workers, "--config", str(_config(folder, "X14.2")))
    assert proxy.get("/before/x") == 400
    log = folder / "event.log"
    log.rename(folder / "event.log.old")
    _config(folder, "ats")
    proxy.process.send_signal(signal.SIGHUP)
    while not log.exists():  # the reopened file is the sign that the reload is done
        assert proxy.get("/between/x") == 400
    assert proxy.get("/after/x") == 400
    assert proxy.end() == (0, "")
    assert "/before/x" in (folder / "event.log.old").read_text()
    assert "/after/x" in log.read_text()


def test_a_broken_configuration_on_sighup_is_told_and_the_old_one_stays(
    serve: Starter, folder: Path
) -> None:
    config = _config(folder, "X14.2")
    proxy = serve("--config", str(config))
    config.write_text('release = "X99"\n')
    proxy.process.send_signal(signal.SIGHUP)
    assert proxy.process.stderr is not None
    line = proxy.process.stderr.readline()
    assert "not reloaded" in line
    assert "X99" in line
    assert proxy.get("/still/there") == 400
    assert proxy.end()[0] == 0


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="the workers are found in /proc")
def test_a_worker_that_dies_takes_the_proxy_down_with_exit_code_3(serve: Starter) -> None:
    proxy = serve("--workers", "2")
    parent = proxy.process.pid
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text()
    pids = [int(word) for word in children.split()]
    assert len(pids) == 2
    os.kill(pids[0], signal.SIGKILL)
    _, errors = proxy.process.communicate(timeout=15)
    assert proxy.process.returncode == 3
    assert "worker" in errors
    assert "Traceback" not in errors


def test_an_address_in_use_is_one_line_and_no_traceback(serve: Starter, folder: Path) -> None:
    proxy = serve()
    second = subprocess.run(
        [
            *(sys.executable, "-P", "-m", "mralab", "serve", "--admin", "off"),
            *("--listen", f"127.0.0.1:{proxy.port}", "--trusted-ca", str(folder / "ca.pem")),
        ],
        capture_output=True,
        text=True,
        timeout=15,
        check=False,
    )
    assert second.returncode == 3
    assert f"127.0.0.1:{proxy.port}" in second.stderr
    assert "Traceback" not in second.stderr


def _config(folder: Path, release: str) -> Path:
    path = folder / "mralab.toml"
    path.write_text(f'release = "{release}"\n')
    return path
