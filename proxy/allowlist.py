r"""The HTTP allow list: which requests may go to which origin. *Pure*: text in, decisions out.

Rules:

* A rule names scheme, host, port, path and methods. Hosts are compared as
  :func:`~mralab.origin.route.canonical_host` sees them, ports default to 80 and 443, the query has
  no say. The first rule that fits in all of it wins; a rule that fits in all but the method lets
  the later ones have their turn.
* Paths are compared byte for byte as written. A path with dot segments must be allowed twice: as
  written, and as the most generous origin may resolve it (percent-escapes undone to the last layer,
  ``\`` taken for ``/``, ``;parameters`` and empty segments dropped). Only the decision looks at
  that reading; what is forwarded stays as the client wrote it.
* Lab extensions: ``*`` as HttpMethods is any method, ``*`` as the host is any origin, which is how
  rules for a whole node type work here without discovery.
* There is one deployment. The Deployment column is kept and shown, and decides nothing.

Source: fields and match types in the MRA deployment guide X14.0.2 (seen). How exactly the product
compares is not public: the rules above are inferred from its field descriptions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple, cast
from urllib.parse import unquote

from mralab.config.faults import shown
from mralab.errors import ConfigError, RouteError
from mralab.origin.route import canonical_host
from mralab.trafficlog.render import rule_fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mralab.origin.route import OriginRoute, Scheme

#: Any method (HttpMethods) or any origin (host).
ANY = "*"
#: The event's Type for a rule without a description. Lab default.
UNDESCRIBED = "Editable inbound rule"

_DEFAULT_PORTS = {"http": 80, "https": 443}
_MAX_PORT = 65535
_MAX_ENCODINGS = 4  # layers of percent-encoding undone before a path counts as unreadable
_URL = re.compile(
    r"(?P<scheme>https?)://(?:\[(?P<v6>[^][/]*:[^][/]*)\]|(?P<host>[^][/:?#]*))"
    r"(?::(?P<port>[0-9]{1,5}))?(?P<path>/.*)?",
    re.IGNORECASE,
)
# RFC 3986, 3.3: path characters, percent-escapes whole.
_PATH = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*")
# No dot segment without one of these.
_KEPT_ANSWERS: Final = 1024  # answers of one origin's rules that are kept
_KEPT_PATH: Final = 256  # characters of a path whose answer is kept
_MAYBE_DOTTED = re.compile(r"[%\\]|/\.")
_NEVER = r"(?!)"
_PARAMETERS = re.compile(r";[^/]*")


class Match(Enum):
    """How a rule's path is compared; the value is how the product writes it."""

    EXACT = "exact"
    PREFIX = "prefix"


@dataclass(frozen=True, slots=True)
class AllowRule:
    """One rule. Making one checks it.

    Attributes:
        url: ``protocol://host[:port][/path]`` as written.
        deployment: name of the deployment, may be empty.
        methods: allowed methods in capitals; ``None`` is any.
        match: how the path is compared.
        description: free text, may be empty.
        scheme: ``http`` or ``https``.
        host: canonical, or ``*`` for any.
        port: 0 to 65535, as the product's reference has it; nothing is ever sent to port 0.
        path: at least ``/``.
        event_fields: Rule, Match and Type as the event line has them.

    Raises:
        ConfigError: the URL is not of the form above.
    """

    url: str
    deployment: str
    methods: frozenset[str] | None
    match: Match
    description: str
    scheme: Scheme = field(init=False, compare=False)
    host: str = field(init=False, compare=False)
    port: int = field(init=False, compare=False)
    path: str = field(init=False, compare=False)
    event_fields: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Take the URL apart and render the event's fields."""
        place = place_of(self.url)
        event_fields = rule_fields(self.url, self.match.value, self.description or UNDESCRIBED)
        for name, value in (*place._asdict().items(), ("event_fields", event_fields)):
            object.__setattr__(self, name, value)

    def allows_method(self, method: str) -> bool:
        """Tell whether the rule is about this method."""
        return self.methods is None or method in self.methods


@dataclass(frozen=True, slots=True)
class AllowList:
    """Rules in order; the empty list allows nothing."""

    rules: tuple[AllowRule, ...]

    def for_origin(self, route: OriginRoute) -> OriginRules:
        """Return the rules that one origin falls under, ready for many requests.

        A rule for any host becomes one for this host, so that the event line shows it.
        """
        origin = (route.scheme, route.port)
        return OriginRules(
            replace(rule, url=route.base_url + rule.path) if rule.host == ANY else rule
            for rule in self.rules
            if (rule.scheme, rule.port) == origin and rule.host in (ANY, route.canonical_host)
        )


class OriginRules:
    """The rules of one origin: one compiled alternation for each method that a rule names."""

    __slots__ = ("_answered", "_by_method", "_other_methods")

    def __init__(self, rules: Iterable[AllowRule]) -> None:
        """Compile the rules, in their order."""
        ordered = tuple(rules)
        named = frozenset[str]().union(*(rule.methods or () for rule in ordered))
        self._by_method = {
            method: _Alternation([rule for rule in ordered if rule.allows_method(method)])
            for method in named
        }
        self._other_methods = _Alternation([rule for rule in ordered if rule.methods is None])
        self._answered: dict[tuple[str, str], AllowRule | None] = {}

    def allows(self, method: str, path: str) -> AllowRule | None:
        """Return the first rule that allows a request, ``None`` if there is none.

        Args:
            method: as sent; methods are case-sensitive (RFC 9110, 9.1).
            path: origin form as forwarded, with or without query.
        """
        written = path.partition("?")[0]
        try:
            return self._answered[method, written]
        except KeyError:
            rule = self._look(method, written)
        if len(written) <= _KEPT_PATH:
            if len(self._answered) >= _KEPT_ANSWERS:  # paths come from clients: bounded
                self._answered.clear()
            self._answered[method, written] = rule
        return rule

    def _look(self, method: str, written: str) -> AllowRule | None:
        rules = self._by_method.get(method, self._other_methods)
        rule = rules.first(written)
        if rule is None or not _MAYBE_DOTTED.search(written):
            return rule
        return rule if rules.first(resolved_path(written)) else None


class _Alternation:
    """Paths of some rules as one pattern, whose groups are the rules in order."""

    __slots__ = ("_match", "_rules")

    def __init__(self, rules: Sequence[AllowRule]) -> None:
        self._rules = rules
        ends = {Match.EXACT: r"\Z", Match.PREFIX: ""}
        patterns = [f"({re.escape(rule.path)}{ends[rule.match]})" for rule in rules]
        self._match = re.compile("|".join(patterns) or _NEVER).match

    def first(self, path: str) -> AllowRule | None:
        found = self._match(path)
        return None if found is None else self._rules[(found.lastindex or 0) - 1]


def resolved_path(path: str) -> str:
    """Return a path as the most generous origin may resolve it.

    Args:
        path: starts with ``/``, no query.

    Returns:
        The path itself if it has no dot segments in any layer; else the path without them, ``..``
        at the top dropped (RFC 3986, 5.2.4). The empty text, which no rule allows, if there are
        more layers of percent-encoding than anyone has use for.
    """
    decoded = path
    for _ in range(_MAX_ENCODINGS):
        decoded = unquote(decoded, "latin-1")
    if unquote(decoded, "latin-1") != decoded:
        return ""
    segments = _PARAMETERS.sub("", decoded.replace("\\", "/")).split("/")
    if not {".", ".."} & set(segments):
        return path
    kept: list[str] = []
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment not in ("", "."):
            kept.append(segment)
    if kept and segments[-1] in ("", ".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


class Place(NamedTuple):
    """What a rule's or a test's URL points at; fields as in :class:`AllowRule`."""

    scheme: Scheme
    host: str
    port: int
    path: str


def place_of(url: str) -> Place:
    """Take ``protocol://host[:port][/path]`` apart.

    Raises:
        ConfigError: another form, a port above 65535, a path or a host that no URL may hold.
    """
    parts = _URL.fullmatch(url)
    if parts is None:
        raise ConfigError(
            f"Url {shown(url)} is not protocol://host[:port][/path]",
            hint="for example https://cucm.example.com:8443/cucm-uds/",
        )
    scheme = cast("Scheme", parts["scheme"].lower())
    port = int(parts["port"] or _DEFAULT_PORTS[scheme])
    if port > _MAX_PORT:
        raise ConfigError(f"Url {shown(url)} has a port above {_MAX_PORT}")
    path = parts["path"] or "/"
    if _PATH.fullmatch(path) is None:
        raise ConfigError(
            f"Url {shown(url)} has a character in its path that no path may hold",
            hint="percent-encode it; a rule has no query and no fragment",
        )
    host = parts["host"]
    try:
        host = ANY if host == ANY else canonical_host(parts["v6"] or host)
    except RouteError as exc:
        raise ConfigError(f"Url {shown(url)}: {exc}") from exc
    return Place(scheme, host, port, path)
