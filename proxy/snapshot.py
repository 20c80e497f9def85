"""Everything a request is judged by, built once and swapped as a whole.

Rules: a snapshot never changes; a transaction keeps the one it began with; an origin connection
keeps the one it was verified under. Building one reads files and may take long for a large trusted
CA list, so it is done in a thread.
"""

from __future__ import annotations

from datetime import UTC, datetime
from importlib import resources
from typing import TYPE_CHECKING, Final

from mralab.config.releases import PROFILES, VerifyMode
from mralab.config.settings import AllowListSource
from mralab.errors import ConfigError
from mralab.origin.policy import action_for
from mralab.origin.resolve import Resolver, load_hosts
from mralab.origin.route import OriginRoute, decode_segment, split_target
from mralab.proxy.allowlist_csv import parse_csv
from mralab.truststore.openssl import OriginContext
from mralab.truststore.store import TrustStore, load_store

if TYPE_CHECKING:
    from collections.abc import Callable

    from mralab.config.settings import Settings
    from mralab.proxy.allowlist import AllowList, OriginRules

_DESTINATIONS_MAX: Final = 10_000
_KEPT_PREFIX: Final = 512
_BEHIND_SCHEME: Final = len(b"http://")


class Destination:
    """What is the same for every request to one route, rendered once.

    Attributes:
        route: where the requests go.
        key: scheme, host and port, for the pool.
        rules: the allow list's rules for this origin; None if the allow list is off.
        host_lines: end of the request line and the Host field.
    """

    __slots__ = ("host_lines", "key", "route", "rules")

    def __init__(self, route: OriginRoute, rules: OriginRules | None) -> None:
        """Render what ``route`` needs."""
        self.route = route
        self.key = (route.scheme, route.host, route.port)
        self.rules = rules
        self.host_lines = b" HTTP/1.1\r\nHost: " + route.authority


class Snapshot:
    """Settings in force and all that was built from them.

    Attributes:
        settings: the settings.
        profile: the release profile they name.
        generation: counts the snapshots of one proxy.
        trust: the trusted CA list.
        context: OpenSSL's context for origins.
        resolver: static names and DNS.
        allow_list: the rules; None is off.
    """

    __slots__ = (
        "_destinations",
        "_prefixes",
        "allow_list",
        "context",
        "generation",
        "profile",
        "resolver",
        "settings",
        "trust",
    )

    def __init__(
        self, settings: Settings, generation: int, *, keylog: Callable[[bytes], None] | None
    ) -> None:
        """Build everything.

        Args:
            settings: checked settings.
            generation: number of this snapshot.
            keylog: gets each line of the TLS key log.

        Raises:
            ConfigError: a file cannot be read or holds nonsense, or OpenSSL refuses the ciphers.
        """
        self.settings = settings
        self.generation = generation
        self.profile = profile = PROFILES[settings.release]
        self.trust: TrustStore = load_store(
            settings.trusted_ca,
            policy=profile.subject_policy,
            public_roots=settings.public_roots,
            now=datetime.now(UTC),
        )
        mode = settings.effective_verify_mode
        shows_certificate = profile.shows_client_certificate
        self.context = OriginContext(
            self.trust,
            ciphers=settings.effective_ciphers,
            security_level=profile.security_level,
            max_tls=profile.max_tls,
            tls13_suites=profile.tls13_suites,
            wording=profile.wording,
            verify=mode is not VerifyMode.OFF,
            name_rule=settings.effective_name_rule,
            action=action_for(mode),
            client_cert=settings.client_cert if shows_certificate else None,
            client_key=settings.client_key if shows_certificate else None,
            keylog=keylog,
        )
        self.resolver = Resolver(load_hosts(settings.hosts) if settings.hosts else {})
        self.allow_list = load_allow_list(settings)
        self._destinations: dict[bytes, Destination] = {}
        self._prefixes: dict[bytes, Destination] = {}

    def route(self, url: bytes) -> tuple[Destination, bytes]:
        """Return where a request target leads, and the path that goes there.

        Args:
            url: as the client sent it, in origin or absolute form.

        Raises:
            RouteError: it leads nowhere.
        """
        # What stands before the path is known from the second request on, and what follows needs no
        # look but for "#".
        start = 0 if url.startswith(b"/") else url.find(b"/", _BEHIND_SCHEME)
        end = url.find(b"/", start + 1)
        known = self._prefixes.get(url[:end])
        if known is not None and end > 0 and b"#" not in url:
            return known, url[end:]
        segment, path = split_target(url)
        destination = self.destination(segment)
        if end <= _KEPT_PREFIX and path == url[end:]:
            if len(self._prefixes) >= _DESTINATIONS_MAX:  # they come from clients: bounded
                self._prefixes.clear()
            self._prefixes[url[:end]] = destination
        return destination, path

    def destination(self, segment: bytes) -> Destination:
        """Return where a first path segment leads.

        Raises:
            RouteError: it leads nowhere.
        """
        destination = self._destinations.get(segment)
        if destination is None:
            route = decode_segment(segment)
            rules = self.allow_list.for_origin(route) if self.allow_list is not None else None
            destination = Destination(route, rules)
            if len(self._destinations) >= _DESTINATIONS_MAX:  # segments come from clients: bounded
                self._destinations.clear()
            self._destinations[segment] = destination
        return destination


def load_allow_list(settings: Settings) -> AllowList | None:
    """Read the allow list that the settings name.

    Returns:
        The rules, or None if the allow list is off.

    Raises:
        ConfigError: the file cannot be read or a rule is wrong.
    """
    source = settings.allow_list
    if source is AllowListSource.OFF:
        return None
    if source is AllowListSource.BUILT_IN:
        text = (resources.files("mralab.proxy") / "allowlist-default.csv").read_text("utf-8")
        return parse_csv(text, "built-in allow list")
    try:
        text = source.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(
            f"allow list {source}: {exc}", hint="give a readable CSV file in the product's form"
        ) from exc
    return parse_csv(text, str(source))
