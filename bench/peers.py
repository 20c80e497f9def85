"""The proxies that are compared: how each is configured, started and counted.

All verify chain and name of the origin, resume no session, try once, keep connections to the
origins open, and take the same URLs: for the others the first path segment is a prefix to strip.
Traffic Server's default would close connections that carried Authorization (seen: 9.2.9, one
connection per request); it is set to keep them as the others do.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bench.origin import CLIENT_HOST, HOST, NAME, Origin
from bench.process import PROXY_CORE, Process, find_program
from bench.template import configuration, nginx_user

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.origin import Site

#: The proxy that all others are compared with.
OURS: Final = "mralab"
#: The peer that does the same work, log lines included: the goals are for it.
YARDSTICK: Final = "ats-log5"
#: Ourselves with two processes on the same core: what sharing one port and one log costs.
TWO_WORKERS: Final = "mralab-2"


@dataclass(frozen=True, slots=True)
class Lines:
    """Log lines of one kind, one for each request.

    Attributes:
        kind: what to call them.
        file: the log file they are in.
        text: what each of them holds and no other line does.
    """

    kind: str
    file: Path
    text: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One proxy, ready to be started.

    Attributes:
        name: as in ``--peers``.
        command: program and arguments; it stays in the foreground.
        port: where it listens.
        answered: kinds of log lines of a request that the origin answered.
        refused: kinds of log lines of a request whose origin is not trusted.
        log_delay_s: how long a log line may take to its file.
    """

    name: str
    command: tuple[str, ...]
    port: int
    answered: tuple[Lines, ...] = ()
    refused: tuple[Lines, ...] = ()
    log_delay_s: float = 0.2

    def start(self, site: Site) -> Process:
        """Start it on the CPU of the proxies."""
        return Process(self.name, self.command, core=PROXY_CORE, folder=site.folder)

    def path(self, site: Site, origin: Origin, rest: str) -> str:
        """Return the target of a request to an origin."""
        return f"/{site.segment(origin)}/cucm-uds/{rest}"

    def url(self, site: Site, origin: Origin, rest: str) -> str:
        """Return the URL of a request to an origin."""
        return f"http://{CLIENT_HOST}:{self.port}{self.path(site, origin, rest)}"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of proxy.

    Attributes:
        title: what reports call it.
        program: the program it needs; empty for ours.
        package: Debian package of the program.
        configure: writes its configuration.
    """

    title: str
    program: str
    package: str
    configure: Callable[[Site, int], Peer]


# ---- ours

_OTHER_PATHS: Final = (
    "/ssosp/", "/ucmuser/", "/EPASSoap/", "/vmrest/", "/vmws/", "/voicemail/", "/jabber-update/",
    "/problem-report/", "/photos/", "/managed-file-transfer/", "/extension-mobility/",
    "/emservice/", "/meeting-center/", "/ringtones/", "/backgrounds/", "/locales/", "/softkeys/",
    "/dial-rules/", "/directory/",
)  # fmt: skip
_ANSWERED: Final = (
    'Detail="Receive Request"',
    'Event="Request Allowed"',
    'Detail="Send Request"',
    'Detail="Receive Response"',
    'Detail="Send Response"',
)
_REFUSED: Final = (
    'Detail="Receive Request"',
    'Event="Request Allowed"',
    'Detail="Send Request"',
    "WARNING: Core server certificate verification failed",
    "ERROR: SSL connection failed",
    'Detail="Send Response"',
    'Event="Sending HTTP error response"',
)


def allow_list(site: Site) -> str:
    """Return an allow list with twenty rules for each origin; the one that fits stands last."""
    lines = ["Url,Deployment,HttpMethods,MatchType,Description"]
    for port in site.ports.values():
        base = f"https://{NAME}:{port}"
        lines += (f'{base}{path},,"GET,HEAD,POST",prefix,Lab rule' for path in _OTHER_PATHS)
        lines.append(f'{base}/cucm-uds/,,"GET,HEAD,POST,PUT,DELETE",prefix,Lab rule for UDS')
    return "".join(f"{line}\n" for line in lines)


def _mralab(site: Site, port: int, name: str = "", workers: int = 1) -> Peer:
    rules, log = site.folder / "allow-list.csv", site.folder / f"event-{workers}.log"
    rules.write_text(allow_list(site), "ascii")
    arguments = {
        "--listen": f"{CLIENT_HOST}:{port}",
        "--admin": "off",
        "--release": "X14.2",
        "--trusted-ca": site.folder / "pki" / "ca.pem",
        "--hosts": site.folder / "hosts",
        "--allow-list": rules,
        "--event-log": log,
        "--log-hostname": "vcsc",
        "--retries": 0,
        "--workers": workers,
    }
    options = [str(word) for pair in arguments.items() for word in pair]

    def lines(texts: tuple[str, ...]) -> tuple[Lines, ...]:
        return tuple(Lines(text, log, text.encode()) for text in texts)

    return Peer(
        name=name or OURS,
        command=(sys.executable, "-P", "-m", "mralab", "serve", *options),
        port=port,
        answered=lines(_ANSWERED),
        refused=lines(_REFUSED),
    )


def _mralab_two_workers(site: Site, port: int) -> Peer:
    return _mralab(site, port, TWO_WORKERS, 2)


# ---- Apache Traffic Server

_HEAD: Final = (
    '%<cqtq>+00:00 vcsc traffic_server[18242]: UTCTime="%<cqtd> %<cqtt>,000" '
    'Module="network.http.trafficserver" Level="INFO": '
)
_TAG: Final = 'Txn-id="%<sstc>" TrackingID="73af3b39-fb70-47b4-a053-%<crid>"'
_SOURCE: Final = 'Src-ip="%<chi>" Src-port="%<chp>"'
_TO_ORIGIN: Final = 'Dst-ip="%<shi>" Dst-port="%<nhp>"'
_TO_CLIENT: Final = 'Dst-ip="%<chi>" Dst-port="%<chp>"'
#: Five lines as ours, from the fields that Traffic Server's own log objects know.
_FORMATS: Final = {
    "receive-request": f'{_HEAD}Detail="Receive Request" {_TAG} {_SOURCE} Last-via-addr="" '
    'Msg="%<cqhm> %<cquup> HTTP/1.1"',
    "request-allowed": '%<cqtq>+00:00 vcsc traffic_server[18242]: Event="Request Allowed" '
    'Detail="Access allowed" Reason="In allow list" Username="" Deployment="1" Method="%<cqhm>" '
    'Request="%<cquc>" Rule="https://cucm.bench.lab:40000/cucm-uds/" Match="prefix" '
    'Type="Lab rule for UDS" UTCTime="%<cqtd> %<cqtt>,000"',
    "send-request": f'{_HEAD}Detail="Send Request" {_TAG} {_TO_ORIGIN} '
    'Msg="%<cqhm> %<cqup> HTTP/1.1"',
    "receive-response": f'{_HEAD}Detail="Receive Response" {_TAG} {_TO_ORIGIN} '
    'Msg="HTTP/1.1 %<sssc> OK"',
    "send-response": f'{_HEAD}Detail="Send Response" {_TAG} {_TO_CLIENT} '
    'Msg="HTTP/1.1 %<pssc> OK"',
}  # fmt: skip


def logging_yaml() -> str:
    """Return Traffic Server's logging.yaml: five formats, a file for each."""
    lines = ["logging:", "  formats:"]
    for name, text in _FORMATS.items():
        lines += [f"  - name: {name}", f"    format: '{text}'"]
    lines.append("  logs:")
    for name in _FORMATS:
        lines += ["  - mode: ascii", f"    filename: {name}", f"    format: {name}"]
    return "".join(f"{line}\n" for line in lines)


def _traffic_server(site: Site, port: int, name: str, *, logging: bool) -> Peer:
    home = site.folder / name
    for folder in ("etc", "log", "run", "cache", "share"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    mapped = "".join(
        f"map http://{CLIENT_HOST}:{port}/{site.segment(origin)}/ https://{NAME}:{origin_port}/\n"
        for origin, origin_port in site.ports.items()
    )
    files = {
        "records.config": configuration(
            "records.config", folder=site.folder, home=home, port=port, logging=3 if logging else 0
        ),
        "remap.config": mapped,
        "logging.yaml": logging_yaml(),
        "storage.config": "",
        "plugin.config": "",
        "ip_allow.yaml": "ip_allow:\n"
        "  - {apply: in, ip_addrs: 127.0.0.1, action: allow, methods: ALL}\n",
    }
    for file, text in files.items():
        (home / "etc" / file).write_text(text, "utf-8")
    layout = home / "runroot.yaml"
    layout.write_text(configuration("runroot.yaml", home=home), "utf-8")
    lines = tuple(Lines(kind, home / "log" / f"{kind}.log", b"\n") for kind in _FORMATS)
    return Peer(
        name=name,
        command=(find_program("traffic_server", "trafficserver"), f"--run-root={layout}"),
        port=port,
        answered=lines if logging else (),
        refused=lines if logging else (),
        log_delay_s=2.5,  # max_secs_per_buffer is 1
    )


def _traffic_server_five_lines(site: Site, port: int) -> Peer:
    return _traffic_server(site, port, YARDSTICK, logging=True)


def _traffic_server_silent(site: Site, port: int) -> Peer:
    return _traffic_server(site, port, "ats", logging=False)


# ---- nginx and HAProxy, without a log


def _nginx(site: Site, port: int) -> Peer:
    (site.folder / "nginx-tmp").mkdir(exist_ok=True)
    upstreams = "".join(
        f"  upstream {origin.value} {{ server {HOST}:{origin_port}; keepalive 1024; "
        "keepalive_requests 1000000000; }\n"
        for origin, origin_port in site.ports.items()
    )
    locations = "".join(
        f"    location /{site.segment(origin)}/ {{ proxy_pass https://{origin.value}/; }}\n"
        for origin in site.ports
    )
    path = site.folder / "nginx.conf"
    path.write_text(
        configuration(
            "nginx.conf",
            folder=site.folder,
            name=NAME,
            port=port,
            user=nginx_user(),
            upstreams=upstreams,
            locations=locations,
        ),
        "utf-8",
    )
    command = (find_program("nginx", "nginx"), "-e", "stderr", "-c", str(path))
    return Peer(name="nginx", command=command, port=port)


def _haproxy(site: Site, port: int) -> Peer:
    rules = "".join(
        f"  use_backend {origin.value} if {{ path_beg /{site.segment(origin)}/ }}\n"
        for origin in site.ports
    )
    backends = "".join(
        f"backend {origin.value}\n  http-request replace-path /[^/]+(/.*) \\1\n"
        f"  server origin {HOST}:{origin_port}\n"
        for origin, origin_port in site.ports.items()
    )
    path = site.folder / "haproxy.cfg"
    path.write_text(
        configuration(
            "haproxy.cfg", folder=site.folder, name=NAME, port=port, rules=rules, backends=backends
        ),
        "utf-8",
    )
    command = (find_program("haproxy", "haproxy"), "-db", "-f", str(path))
    return Peer(name="haproxy", command=command, port=port)


#: Every proxy by name, ours first.
KINDS: Final = {
    OURS: Kind("mralab", "", "", _mralab),
    YARDSTICK: Kind(
        "Traffic Server, five log lines",
        "traffic_server",
        "trafficserver",
        _traffic_server_five_lines,
    ),
    "ats": Kind(
        "Traffic Server, no log", "traffic_server", "trafficserver", _traffic_server_silent
    ),
    "nginx": Kind("nginx, no log", "nginx", "nginx", _nginx),
    "haproxy": Kind("HAProxy, no log", "haproxy", "haproxy", _haproxy),
    TWO_WORKERS: Kind("mralab, two workers", "", "", _mralab_two_workers),
}
