"""A check of JSON against the committed schemas: as much of JSON Schema 2020-12 as they use.

Written apart from what makes the JSON, and strict: a keyword that it does not know is an error.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER: Final = Path(__file__).parents[2] / "docs" / "reference"
_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
_NOTES: Final = {"$schema", "$id", "$defs", "title", "description"}
_KNOWN: Final = _NOTES | {
    *("type", "properties", "required", "additionalProperties", "items"),
    *("enum", "const", "$ref", "minimum", "maximum", "pattern"),
}


@cache
def schema(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((FOLDER / name).read_text("utf-8"))
    return loaded


def faults(value: Any, name: str) -> list[str]:
    """Say where a value is not as the schema file of this name has it."""
    return list(_faults(value, schema(name), name, "$"))


def _faults(value: Any, rule: dict[str, Any], file: str, where: str) -> Iterator[str]:
    unknown = set(rule) - _KNOWN
    assert not unknown, f"{file}: {where}: keywords {unknown} are not checked here"
    if "$ref" in rule:
        target, found = _resolved(rule["$ref"], file)
        yield from _faults(value, found, target, where)
        return
    if "const" in rule and value != rule["const"]:
        yield f"{where}: {value!r} is not {rule['const']!r}"
    if "enum" in rule and value not in rule["enum"]:
        yield f"{where}: {value!r} is none of {rule['enum']}"
    if not _is_of(value, rule.get("type")):
        yield f"{where}: {value!r} is no {rule['type']}"
        return
    if isinstance(value, dict):
        yield from _object_faults(value, rule, file, where)
    elif isinstance(value, list) and "items" in rule:
        for number, item in enumerate(value):
            yield from _faults(item, rule["items"], file, f"{where}[{number}]")
    elif isinstance(value, str) and not re.search(rule.get("pattern", ""), value):
        yield f"{where}: {value!r} is not like {rule['pattern']}"
    elif _is_of(value, "number") and not (
        rule.get("minimum", value) <= value <= rule.get("maximum", value)
    ):
        yield f"{where}: {value} is out of bounds"


def _object_faults(
    value: dict[str, Any], rule: dict[str, Any], file: str, where: str
) -> Iterator[str]:
    known = rule.get("properties", {})
    for key in rule.get("required", ()):
        if key not in value:
            yield f"{where}: {key} is missing"
    for key, item in value.items():
        if key in known:
            yield from _faults(item, known[key], file, f"{where}.{key}")
        elif rule.get("additionalProperties") is False:
            yield f"{where}: {key} is not described"


def _resolved(reference: str, file: str) -> tuple[str, dict[str, Any]]:
    name, _, pointer = reference.partition("#/")
    target = name or file
    found = schema(target)
    for part in pointer.split("/"):
        found = found[part]
    return target, found


def _is_of(value: Any, kind: str | list[str] | None) -> bool:
    if kind is None:
        return True
    names = [kind] if isinstance(kind, str) else kind
    return any(
        isinstance(value, _TYPES[name]) and (name == "boolean" or not isinstance(value, bool))
        for name in names
    )
