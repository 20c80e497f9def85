"""The settings of one proxy, frozen and checked once.

A setting that the release decides is ``None`` until someone overrides it; the ``effective_``
properties give the value in force. Units stand in the names. Defaults that copy the product name
their source; all others are *lab defaults*.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from mralab.config.releases import (
    PROFILES,
    NameRule,
    Release,
    ReleaseProfile,
    UpgradePath,
    VerifyMode,
    default_ciphers,
)

if TYPE_CHECKING:
    from pathlib import Path


class AllowListSource(Enum):
    """Where the allow list comes from when no file of one's own is named."""

    BUILT_IN = "built-in"  #: the rules of each node type that come with this project (lab default)
    OFF = "off"  #: no allow list: every route that decodes is relayed


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A listening address: host text (IPv6 without brackets) and TCP port, 0 for any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        """``host:port``, an IPv6 host in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds that keep one client or origin from using the proxy up. All lab defaults."""

    max_url_bytes: int = 65_536  #: request target; longer is 414 (ATS: 64 KiB)
    max_header_bytes: int = 131_072  #: request line and fields together; more is 431
    max_header_fields: int = 256  #: more is 431
    max_response_header_bytes: int = 1_048_576  #: origin's head; more is 502
    max_pipelined: int = 8  #: requests read ahead on one client connection
    high_water_bytes: int = 131_072  #: unsent bytes above which the other side is not read
    replay_bytes: int = 65_536  #: request body kept for a retry on a fresh connection
    max_idle_origin_connections: int = 512  #: idle connections kept to one origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Deadlines in seconds. All lab defaults."""

    connect_timeout_s: float = 10.0  #: TCP connect and TLS handshake of one attempt
    response_timeout_s: float = (
        60.0  #: from request sent to response head, and between two body reads
    )
    client_idle_s: float = 120.0  #: client connection without a request
    client_request_s: float = (
        60.0  #: from first byte to the end of a request's head, and between two body reads
    )
    pool_idle_s: float = 30.0  #: idle origin connection kept
    linger_s: float = 2.0  #: reading on after a refusal so that the client sees it
    drain_s: float = 10.0  #: requests in flight may end after SIGTERM


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """Where log lines go."""

    event_log: Path | None = None  #: None is standard output
    json_log: Path | None = None  #: None is no JSON twin
    debug: bool = False  #: DEBUG twins with HTTPMSG blocks
    hostname: str = "vcsc"  #: second word of each line (Cisco 218018 sample)
    rotate_bytes: int = 0  #: rotate the event log at this size; 0: an outside tool does it
    rotate_keep: int = 5  #: rotated files kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything ``mralab serve`` can be told. ``None`` follows the release profile."""

    listen: Endpoint = Endpoint("127.0.0.1", 8443)
    admin: Endpoint | None = Endpoint("127.0.0.1", 8444)  #: None is ``off``
    release: Release = Release.X14_2
    upgrade_path: UpgradePath = UpgradePath.FRESH
    trusted_ca: tuple[Path, ...] = ()  #: files or folders, in order
    public_roots: bool = False  #: append certifi's roots to the trusted CA list
    hosts: Path | None = None  #: static names in hosts(5) form, looked up before DNS
    allow_list: Path | AllowListSource = (
        AllowListSource.BUILT_IN
    )  #: a file is CSV in the product's form
    verify_origin_server: VerifyMode | None = None
    name_rule: NameRule | None = None
    client_cert: Path | None = None
    client_key: Path | None = None
    ciphers: str | None = None
    retries: int | None = None
    workers: int = 1
    loop: str = "uvloop"  #: "uvloop" or "asyncio"
    keylog: Path | None = None  #: NSS key log file
    pcap: Path | None = None  #: capture of both legs, pcapng
    x_lab_reason: bool = False  #: add X-Lab-Reason to answers of our own (lab extension)
    state_dir: Path | None = None  #: admin token and run file; None is a folder of the user's
    log: LogSettings = field(default_factory=LogSettings)
    timeouts: Timeouts = field(default_factory=Timeouts)
    limits: Limits = field(default_factory=Limits)

    @property
    def profile(self) -> ReleaseProfile:
        """The release profile these settings start from."""
        return PROFILES[self.release]

    @property
    def effective_verify_mode(self) -> VerifyMode:
        """VerifyOriginServer in force."""
        return self.verify_origin_server or self.profile.verify_mode

    @property
    def effective_name_rule(self) -> NameRule:
        """Name rule in force."""
        return self.name_rule or self.profile.name_rule

    @property
    def effective_ciphers(self) -> str:
        """Cipher string in force, without security level."""
        return self.ciphers or default_ciphers(self.release, self.upgrade_path)

    @property
    def effective_retries(self) -> int:
        """Further attempts after a failed one."""
        return self.profile.retries if self.retries is None else self.retries
