"""All fuzz targets by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from tests.fuzz import (
    target_answer,
    target_bundle,
    target_log,
    target_name,
    target_request,
    target_response,
    target_route,
)

if TYPE_CHECKING:
    from collections.abc import Callable


class Target(NamedTuple):
    """One thing that takes bytes from outside."""

    check: Callable[[bytes], None]  #: AssertionError or any other exception is a finding
    words: tuple[bytes, ...]  #: what such bytes are made of


TARGETS: Final = {
    "route": Target(target_route.check, target_route.WORDS),
    "name": Target(target_name.check, target_name.WORDS),
    "bundle": Target(target_bundle.check, target_bundle.WORDS),
    "log": Target(target_log.check, target_log.WORDS),
    "request": Target(target_request.check, target_request.WORDS),
    "response": Target(target_response.check, target_response.WORDS),
    "answer": Target(target_answer.check, target_answer.WORDS),
}
