"""RSA keys for the certificates of many labs: some are made, and handed out in turn."""

from __future__ import annotations

from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING

import pytest

from mralab.lab import pki

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mralab.lab.pki import KeyKind, PrivateKey

#: More than one lab has certificates with such a key, so no two of a lab share one.
KEYS = 24


class KeyRing:
    """Stands for :func:`mralab.lab.pki.new_key`, which takes 40 ms and more for RSA."""

    def __init__(self) -> None:
        self._make = pki.new_key
        self._keys: list[PrivateKey] = []
        self._count = 0
        self._lock = Lock()

    def __call__(self, kind: KeyKind) -> PrivateKey:
        if kind is not pki.KeyKind.RSA_2048:
            return self._make(kind)
        with self._lock:
            if len(self._keys) < KEYS:
                self._keys.append(self._make(kind))
                return self._keys[-1]
            self._count += 1
            return self._keys[self._count % KEYS]


@contextmanager
def few_keys() -> Iterator[None]:
    """Have all keys of RSA 2048 made by a ring."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pki, "new_key", KeyRing())
        yield
