"""The fuzz targets on all inputs of their corpora, and on what Hypothesis makes of these."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fuzz.memory import memory_proxy
from tests.fuzz.run import CORPUS
from tests.fuzz.targets import TARGETS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MAX_CORPUS_BYTES: Final = 16_384
_SEEDS: Final = {name: sorted((CORPUS / name).iterdir()) for name in TARGETS}
_FILES: Final = [(name, path) for name, paths in _SEEDS.items() for path in paths]


@pytest.fixture(scope="module", autouse=True)
def _proxy() -> Iterator[None]:
    """End the proxy that lives in memory."""
    yield
    memory_proxy().stop()
    memory_proxy.cache_clear()


@pytest.mark.parametrize(
    ("target", "path"), _FILES, ids=[f"{name}-{path.name}" for name, path in _FILES]
)
def test_the_corpus_holds_no_finding(target: str, path: Path) -> None:
    TARGETS[target].check(path.read_bytes())


@pytest.mark.parametrize("target", TARGETS)
def test_corpora_are_small(target: str) -> None:
    assert sum(path.stat().st_size for path in _SEEDS[target]) <= _MAX_CORPUS_BYTES


def edited(target: str) -> st.SearchStrategy[bytes]:
    """Inputs of a corpus with some of their bytes replaced, by others or by a target's words."""
    seeds = [path.read_bytes() for path in _SEEDS[target]]
    new = st.one_of(st.sampled_from(TARGETS[target].words), st.binary(max_size=4))
    edits = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 8), new), max_size=4)
    return st.builds(_apply, st.sampled_from(seeds), edits)


def _apply(data: bytes, edits: list[tuple[float, int, bytes]]) -> bytes:
    for place, removed, new in edits:
        at = int(place * len(data))
        data = data[:at] + new + data[at + removed :]
    return data


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_that_comes_is_a_finding(target: str) -> None:
    check = TARGETS[target].check

    @settings(max_examples=150)
    @given(st.one_of(edited(target), st.binary(max_size=200)))
    def run(data: bytes) -> None:
        check(data)

    run()
