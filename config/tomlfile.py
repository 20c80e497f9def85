"""Reading a TOML file, whatever is in its place: what is wrong is a fault with its line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mralab.config.faults import ConfigFault, ConfigFaults

if TYPE_CHECKING:
    from pathlib import Path

MAX_FILE_BYTES = 1_048_576  #: a longer file is not a configuration
_TOML_PLACE = re.compile(r" \(at (?:line ([0-9]+), column [0-9]+|end of document)\)$")


def read_toml(file: Path, hint: str) -> str:
    """Return the text of a file.

    Args:
        file: UTF-8 text; line ends of Windows become those of TOML's own.
        hint: what to do if it cannot be read.

    Raises:
        ConfigFaults: it cannot be read, is too long or not UTF-8.
    """
    try:
        if file.exists() and not file.is_file():
            raise ConfigFaults([ConfigFault(str(file), "", "is not a file", hint)])
        with file.open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as exc:
        why = (exc.strerror or str(exc)) if isinstance(exc, OSError) else "not a possible path"
        raise ConfigFaults([ConfigFault(str(file), "", f"cannot be read: {why}", hint)]) from exc
    if len(data) > MAX_FILE_BYTES:
        message = f"is longer than {MAX_FILE_BYTES} bytes"
        raise ConfigFaults([ConfigFault(str(file), "", message, hint)])
    try:
        return data.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as exc:
        line = data.count(b"\n", 0, exc.start) + 1
        fault = ConfigFault(f"{file}:{line}", "", "not UTF-8 text", "save the file as UTF-8")
        raise ConfigFaults([fault]) from exc


def parse_toml(text: str, name: str) -> dict[str, Any]:
    """Return what a TOML text says.

    Args:
        text: the text.
        name: what faults call it.

    Raises:
        ConfigFaults: it is not TOML.
    """
    import tomllib  # noqa: PLC0415 - a proxy without a file starts 9 ms sooner

    hint = "write it as TOML: key = value, text in quotes"
    try:
        return tomllib.loads(text)
    except RecursionError as exc:
        raise ConfigFaults([ConfigFault(name, "", "is nested too deeply", hint)]) from exc
    except ValueError as exc:  # tomllib's own error, and int()'s for a number without end
        message = str(exc)
        place = _TOML_PLACE.search(message)
        line = place.group(1) if place else None
        if place and line is None:
            line = str(text.count("\n") + 1)
        where = f"{name}:{line}" if line else name
        message = _TOML_PLACE.sub("", message)
        if message.startswith("Cannot "):  # overwrite a value, declare twice, mutate
            hint = "leave one of the two out; tables of which there are several: always [[table]]"
        raise ConfigFaults([ConfigFault(where, "", f"not TOML: {message}", hint)]) from exc
