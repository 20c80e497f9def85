"""What makes a case that case: which fields of the estate are changed, and what is to be seen.

Values do not count: an estate with another wrong name in the same place is the same case.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

from mralab.lab.catalogue.edit import SOUND

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mralab.lab.catalogue.model import Case

Signature = tuple[frozenset[str], tuple[tuple[object, ...], ...]]


def signature_of(case: Case) -> Signature:
    """Return what no two cases may have in common."""
    changed = frozenset(changed_fields(case.estate_of(case.bites)))
    acts = {"an act"} if case.bites.act else set()
    typed = {"a password"} if case.bites.password else set()
    seen = tuple(
        (group.steps, group.status, group.phrase, group.reason, group.log, group.asked)
        for group in case.bites.expected.refused
    )
    return changed | acts | typed, seen


def changed_fields(estate: Any, sound: Any = SOUND, at: str = "") -> Iterator[str]:
    """Yield the path of each field that differs from the sound estate."""
    if estate == sound:
        return
    if is_dataclass(estate) and type(estate) is type(sound):
        for field in fields(estate):
            if field.name not in {"line", "source", "release", "upgrade_path"}:
                here, there = getattr(estate, field.name), getattr(sound, field.name)
                yield from changed_fields(here, there, f"{at}.{field.name}")
        return
    if isinstance(estate, Mapping) and isinstance(sound, Mapping):
        for key in {**estate, **sound}:
            yield from changed_fields(estate.get(key), sound.get(key), f"{at}[{key}]")
        return
    if isinstance(estate, tuple) and isinstance(sound, tuple) and _keyed(estate + sound):
        here = {_key(item): item for item in estate}
        yield from changed_fields(here, {_key(item): item for item in sound}, at)
        return
    yield at


def _keyed(items: tuple[Any, ...]) -> bool:
    return all(_key(item) for item in items)


def _key(item: Any) -> Any:
    return getattr(item, "name", "") or getattr(item, "user_id", "") or getattr(item, "kind", "")
