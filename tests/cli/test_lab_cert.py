"""``mralab lab cert``: certificate management of a running lab, by its run file."""

from __future__ import annotations

import asyncio
import io
import os
import re
import sys
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from tests.lab import estates

from mralab.admin.runfile import RunFile, write_run_file
from mralab.lab.control import control_application
from mralab.lab.estatenodes import cluster_of, estate_services
from mralab.lab.estatepki import EstateCertificates
from mralab.lab.estateplace import EstatePorts
from mralab.lab.nodes import SimulatedNode
from mralab.lab.pki import CertificateFields, Credential, KeyKind
from mralab.lab.runplace import RUN_FOLDER

from .test_docs import REFERENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .conftest import Ran

CUCM = estates.CUCM
OPERATIONS = ("list", "regenerate", "sign", "upload-trust", "delete-trust", "restart")


@dataclass
class Lab:
    """A lab that runs in a thread, with one node."""

    ca: Credential
    state_dir: Path
    nodes: dict[str, SimulatedNode] = field(default_factory=dict)
    certificates: EstateCertificates | None = None

    @property
    def node(self) -> SimulatedNode:
        return self.nodes[CUCM]

    async def serve(self, ready: threading.Event, ended: asyncio.Event) -> None:
        estate = estates.estate()
        plan = estate.node(CUCM)
        ports = EstatePorts(uds=0, tftp_https=0, tftp_secure=0, tftp_http=0)
        cluster = cluster_of(estate, estate.clusters[0], ports)
        fields = CertificateFields(cn=CUCM, dns=(CUCM,))
        own = self.ca.issue(fields, key=KeyKind.RSA_2048)
        self.certificates = EstateCertificates(
            estate=estate,
            authorities={estates.CA: self.ca},
            nodes={},
            expressway_c=own,
            expressway_e=own,
        )
        node = SimulatedNode(
            CUCM,
            "127.0.0.1",
            estate_services(estate, plan, cluster, ports),
            certificates={"tomcat": own, "CallManager": own},
            trust={"CallManager-trust": (), "tomcat-trust": ()},
        )
        self.nodes[CUCM] = node
        async with node:
            runner = web.AppRunner(control_application(self, "token"))  # type: ignore[arg-type]  # reason: set above
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            run = RunFile(
                listen="127.0.0.1:8443",
                admin=f"127.0.0.1:{runner.addresses[0][1]}",
                token="token",  # noqa: S106 - of this test
                pid=os.getpid(),
            )
            write_run_file(self.state_dir / RUN_FOLDER, run)
            ready.set()
            await ended.wait()
            await runner.cleanup()


@pytest.fixture
def lab(first_ca: Credential, tmp_path: Path) -> Iterator[Lab]:
    running = Lab(first_ca, tmp_path)
    ready, loop, ended = threading.Event(), asyncio.new_event_loop(), asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(running.serve(ready, ended)))
    thread.start()
    assert ready.wait(10)
    yield running
    loop.call_soon_threadsafe(ended.set)
    thread.join()
    loop.close()


@pytest.fixture
def cert(run: Callable[..., Ran], tmp_path: Path) -> Callable[..., Ran]:
    def run_cert(operation: str, *arguments: object) -> Ran:
        return run("lab", "cert", operation, *arguments, "--state-dir", tmp_path)

    return run_cert


def test_list_shows_the_table(lab: Lab, cert: Callable[..., Ran]) -> None:
    ran = cert("list")
    assert (ran.code, ran.err) == (0, "")
    name, header, *rows = ran.out.splitlines()
    assert name == CUCM
    assert header.split("  ")[0] == "Certificate"
    assert [row.split()[0] for row in rows] == ["tomcat", "CallManager"]
    assert "First CA" in rows[0]
    assert cert("list", CUCM).out == ran.out
    (node,) = cert("list", "--format", "json").json["nodes"]
    assert (node["node"], node["restart"], "table" in node) == (CUCM, [], False)
    assert node["certificates"][0]["served_by"] == ["uds"]
    assert lab.node.name == CUCM


def test_sign_and_restart(lab: Lab, cert: Callable[..., Ran]) -> None:
    ran = cert("sign", CUCM, "tomcat", "--by", estates.CA, "--dns", "a.lab", "--ip", "10.0.0.1")
    assert ran.code == 0
    assert ran.out.splitlines() == [
        f"tomcat of {CUCM} is signed by First CA",
        "  First CA was added to tomcat-trust",
        "It counts after a restart of these services:",
        f"  mralab lab cert restart {CUCM} 'Cisco Tomcat'",
        f"  mralab lab cert restart {CUCM} 'Cisco HAProxy'",
        f"  mralab lab cert restart {CUCM} 'Cisco TFTP'",
    ]
    assert "restart due: Cisco Tomcat" in cert("list").out
    assert lab.node.is_stale("uds")
    done = cert("restart", CUCM, "Cisco Tomcat")
    assert done.out.splitlines()[0] == f"Cisco Tomcat of {CUCM} was restarted"
    assert not lab.node.is_stale("uds")


def test_regenerate_says_what_to_restart_as_json_too(lab: Lab, cert: Callable[..., Ran]) -> None:
    change = cert("regenerate", CUCM, "CallManager", "--format", "json").json
    assert change["restart"] == ["Cisco CallManager", "Cisco CTIManager", "Cisco TFTP"]
    assert lab.node.certificates["CallManager"].self_issued


def test_trust_from_a_file_standard_input_and_the_estate(
    lab: Lab,
    cert: Callable[..., Ran],
    second_ca: Credential,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pem = tmp_path / "ca.pem"
    pem.write_bytes(second_ca.pem)
    assert cert("upload-trust", CUCM, "tomcat-trust", "--file", pem).code == 0
    held = lab.node.trust["tomcat-trust"]
    assert held == (second_ca.certificate,)
    assert cert("upload-trust", CUCM, "tomcat-trust", "--reference", estates.CA).code == 0
    held = lab.node.trust["tomcat-trust"]
    assert held == (second_ca.certificate, lab.ca.certificate)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(second_ca.pem)))
    again = cert("upload-trust", CUCM, "tomcat-trust", "--file", "-")
    assert again.out == f"tomcat-trust of {CUCM} holds it already\n"
    assert cert("delete-trust", CUCM, "tomcat-trust", "Second CA").code == 0
    assert lab.node.trust["tomcat-trust"] == (lab.ca.certificate,)


@pytest.mark.usefixtures("lab")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("list", "nobody"), "no node 'nobody' is running"),
        (("regenerate", CUCM, "CAPF"), "no certificate 'CAPF'"),
        (("sign", CUCM, "tomcat", "--by", "x"), "no authority 'x'"),
        (("upload-trust", CUCM, "x-trust", "--reference", estates.CA), "no trust list 'x-trust'"),
        (("upload-trust", CUCM, "tomcat-trust", "--file", "/none.pem"), "cannot read /none.pem"),
        (("delete-trust", CUCM, "tomcat-trust", "x"), "none is called 'x'"),
        (("restart", CUCM, "Cisco\x1b[2J"), "no service"),
        (("restart", "a/b?c", "x"), "no node 'a/b?c'"),
        (("list", "--listen", "nowhere"), "--listen:"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_is_wrong_is_said_in_two_lines(
    cert: Callable[..., Ran], arguments: tuple[str, ...], said: str
) -> None:
    ran = cert(*arguments)
    assert (ran.code, ran.out) == (2, "")
    what, hint = ran.err.splitlines()
    assert said in what
    assert hint.startswith("  ")
    assert "\x1b" not in ran.err


@pytest.mark.usefixtures("lab")
@pytest.mark.parametrize(
    ("content", "said"),
    [(b"\x30\x82", "is not PEM"), (b"x" * (2**19 + 1), "longer than"), (b"x", "the upload")],
    ids=["not text", "too long", "no certificate"],
)
def test_files_that_are_no_upload(
    cert: Callable[..., Ran], tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "x.pem"
    path.write_bytes(content)
    ran = cert("upload-trust", CUCM, "tomcat-trust", "--file", path)
    assert (ran.code, said in ran.err) == (2, True)


def test_no_lab_is_running(cert: Callable[..., Ran]) -> None:
    ran = cert("list")
    assert (ran.code, ran.out) == (3, "")
    assert "no running lab is known" in ran.err
    assert "start one with `mralab lab up`" in ran.err
    assert "proxy" not in ran.err


@pytest.mark.usefixtures("lab")
def test_a_proxys_run_file_is_not_a_labs(run: Callable[..., Ran], tmp_path: Path) -> None:
    assert run("xstatus", "--state-dir", tmp_path).code == 3


@pytest.mark.parametrize(
    "arguments",
    [(), ("list", "--by", "x"), ("sign", CUCM, "tomcat"), ("upload-trust", CUCM, "tomcat-trust")],
)
def test_usage(run: Callable[..., Ran], arguments: tuple[str, ...]) -> None:
    ran = run("lab", "cert", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("mralab lab")


def test_the_reference_page_tells_of_every_operation_and_flag(run: Callable[..., Ran]) -> None:
    page = (REFERENCE / "cli.md").read_text().partition("## `mralab lab cert`\n")[2]
    page = page.partition("\n## ")[0]
    helped = "".join(run("lab", "cert", operation, "--help").out for operation in OPERATIONS)
    flags = re.compile(r"--[a-z][a-z-]*")
    assert set(flags.findall(page)) == set(flags.findall(helped)) - {"--help"}
    assert all(f"`{operation}" in page for operation in OPERATIONS)
