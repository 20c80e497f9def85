"""What is wrong with a configuration: every fault as a value, all of them in one error.

A fault says where (file and line, or flag), which setting, what is wrong and what to do. *Pure*.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mralab.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

_SHOWN = 60  #: characters of a wrong value that a message repeats


@dataclass(frozen=True, slots=True)
class ConfigFault:
    """One thing wrong with a configuration."""

    where: str  #: ``lab.toml:12``, ``flag --listen`` or, for a whole file, its name
    key: str  #: the setting as written, "" when no single one is at fault
    message: str  #: names the key and its value
    hint: str  #: what to do

    def __str__(self) -> str:
        """Where and what, on one line."""
        return f"{self.where}: {self.message}"


class ConfigFaults(ConfigError):
    """Everything wrong with a configuration, at once.

    Attributes:
        faults: at least one, flags first, then in the order of the file.
    """

    def __init__(self, faults: Iterable[ConfigFault]) -> None:
        """Collect the faults; the message has one line for each."""
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults), hint=self.faults[0].hint)


def shown(value: object) -> str:
    """Return a value as a message repeats it: one line of ASCII, cut when long.

    Text is in double quotes as in a TOML file, other values as Python writes them; tables and
    arrays are named rather than written out.
    """
    match value:
        case str():
            text = ascii(value)[1:-1].replace("\\'", "'").replace('"', '\\"')
            return f'"{text[:_SHOWN]}..."' if len(text) > _SHOWN else f'"{text}"'
        case bool():
            return str(value).lower()
        case dict():
            return "a table"
        case list():
            return "an array"
        case int() if abs(value) >= 10**_SHOWN:
            return "a very long number"
        case _:
            return ascii(value)[:_SHOWN]
