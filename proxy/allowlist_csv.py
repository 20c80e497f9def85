"""The allow list's two CSV forms: rules, and tests of rules. *Pure*: text in, values out.

Rules: one line is one rule or one test, the first line names the columns, trailing columns may be
missing, empty lines do not count. Every fault of a text is reported, with its line.

Source: MRA deployment guide X14.0.2, "HTTP Allow List Formats" (columns, their defaults and the
match types, seen). The product's set of default methods can be edited; ours is a lab default.

``allowlist-default.csv`` beside this module is the built-in list, for the node types that discovery
knows. Which rules the product generates for them is not public: its paths and methods are lab
defaults; only ``/cucm-uds/`` and the TFTP ports are supported by public logs.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from mralab.config.faults import ConfigFault, ConfigFaults, shown
from mralab.errors import ConfigError, RouteError
from mralab.origin.route import OriginRoute
from mralab.proxy.allowlist import ANY, AllowList, AllowRule, Match, place_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

RULE_COLUMNS = ("Url", "Deployment", "HttpMethods", "MatchType", "Description")
TEST_COLUMNS = ("Url", "ExpectedResult", "Deployment", "Description", "HttpMethod")

#: What an empty HttpMethods means. Lab default: the methods that change nothing (RFC 9110, 9.2.1).
DEFAULT_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_METHOD = re.compile(r"[A-Z0-9!#$%&'+.^_`|~-]+")  # RFC 9110, 5.6.2, without the star
_Made = TypeVar("_Made")


def parse_csv(text: str, name: str) -> AllowList:
    """Read rules in the product's CSV form.

    Args:
        text: a header line ``Url,Deployment,HttpMethods,MatchType,Description``, then one rule a
            line. Only Url is required. HttpMethods is a quoted list with commas, empty for
            :data:`DEFAULT_METHODS`, ``*`` for any; MatchType is ``exact`` or ``prefix``, empty for
            ``prefix``. Empty lines are skipped.
        name: what to call the text in messages.

    Returns:
        The rules in the order of the text.

    Raises:
        ConfigFaults: every fault of the text, each with its line.
    """
    return AllowList(tuple(_rows(text, name, RULE_COLUMNS, _rule_of)))


@dataclass(frozen=True, slots=True)
class RuleTest:
    """One line of a rule test file and what the rules say to it."""

    line: int  #: in the file, from 1
    url: str
    method: str
    expected: bool  #: whether the request should be allowed
    rule: AllowRule | None  #: the rule that allows it

    @property
    def passed(self) -> bool:
        """Whether the rules do what the line expects."""
        return self.expected is (self.rule is not None)


def run_tests(rules: AllowList, text: str, name: str) -> list[RuleTest]:
    """Try rules with tests in the product's CSV form.

    Args:
        rules: the rules to try.
        text: a header line ``Url,ExpectedResult,Deployment,Description,HttpMethod``, then one test
            a line. ExpectedResult is ``allow`` or ``block``, an empty HttpMethod is ``GET``.
        name: what to call the text in messages.

    Returns:
        One result a test, in the order of the text.

    Raises:
        ConfigFaults: every fault of the text, each with its line.
    """

    def outcome(values: Sequence[str], line: int) -> RuleTest:
        url, expected, _deployment, _description, method = values
        if expected.lower() not in ("allow", "block"):
            raise ConfigError(f"ExpectedResult {shown(expected)} is not allow or block")
        bare, _, _query = url.partition("?")
        place = place_of(bare)
        if place.host == ANY:
            raise ConfigError(f"Url {shown(url)} names no single host")
        method = method.upper() or "GET"
        try:
            # The MRA domain has no part in the decision.
            route = OriginRoute("lab", place.scheme, place.host, place.port)
        except RouteError as exc:
            raise ConfigError(f"Url {shown(url)}: {exc}") from exc
        rule = rules.for_origin(route).allows(method, place.path)
        return RuleTest(line, url, method, expected.lower() == "allow", rule)

    return _rows(text, name, TEST_COLUMNS, outcome)


def _rule_of(values: Sequence[str], _line: int) -> AllowRule:
    """Make a rule of one line's values."""
    url, deployment, methods, match, description = values
    try:
        kind = Match(match.lower() or "prefix")
    except ValueError as exc:
        raise ConfigError(f"MatchType {shown(match)} is not exact or prefix") from exc
    return AllowRule(url, deployment, _methods_of(methods), kind, description)


def _methods_of(text: str) -> frozenset[str] | None:
    """Read a HttpMethods value."""
    if text == ANY:
        return None
    if not text:
        return DEFAULT_METHODS
    methods = [method.strip().upper() for method in text.split(",")]
    if not all(map(_METHOD.fullmatch, methods)):
        raise ConfigError(
            f"HttpMethods {shown(text)} is not a list of methods",
            hint='write it as "GET,PUT", or * for any method',
        )
    return frozenset(methods)


def _rows(
    text: str, name: str, columns: Sequence[str], make: Callable[[Sequence[str], int], _Made]
) -> list[_Made]:
    """Read a CSV text and make something of each line; raise all of its faults together.

    Each line is read on its own ("one rule per line"), so an open quote spoils no other line.
    """
    made: list[_Made] = []
    faults: list[ConfigFault] = []
    header_due = True
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        if not line.strip():
            continue
        try:
            values = _values_of(line.rstrip())
            if header_due:
                header_due = False
                _check_header(values, columns)
            else:
                made.append(make(_filled(values, len(columns)), number))
        except ConfigError as fault:
            faults.append(ConfigFault(f"{name}:{number}", "", str(fault), fault.hint))
    if header_due:
        faults.append(ConfigFault(name, "", "no header line", f"begin with {','.join(columns)}"))
    if faults:
        raise ConfigFaults(faults)
    return made


def _values_of(line: str) -> list[str]:
    """Split one line at its commas."""
    try:
        (values,) = csv.reader([line], strict=True, skipinitialspace=True)
    except csv.Error as exc:
        raise ConfigError(
            f"not a line of CSV: {exc}", hint="double a double quote that is part of a value"
        ) from exc
    return [value.strip() for value in values]


def _filled(values: list[str], columns: int) -> list[str]:
    """Add the values that a line left out at its end."""
    if len(values) > columns:
        raise ConfigError(
            f"{len(values)} values, not {columns}",
            hint='a list of methods goes into double quotes: "GET,PUT"',
        )
    return values + [""] * (columns - len(values))


def _check_header(values: Sequence[str], columns: Sequence[str]) -> None:
    """Refuse a first line that does not name the columns."""
    if [value.lower() for value in values] != [column.lower() for column in columns]:
        header = ",".join(columns)
        raise ConfigError(
            f"header {shown(','.join(values))} is not {header}", hint=f"begin with {header}"
        )
