"""A running lab to look at, on a loop of its own: what is tested here blocks."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from mralab.lab.embedded import EmbeddedLab

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator


class BackgroundLab(EmbeddedLab):
    """An embedded lab whose coroutines other threads can call."""

    loop: asyncio.AbstractEventLoop

    def call(self, coroutine: Coroutine[Any, Any, object]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(20)


@pytest.fixture
def lab() -> Iterator[BackgroundLab]:
    running = BackgroundLab()
    running.loop = asyncio.new_event_loop()
    thread = threading.Thread(target=running.loop.run_forever)
    thread.start()
    try:
        running.call(running.__aenter__())
        yield running
        running.call(running.__aexit__(None, None, None))
    finally:
        running.loop.call_soon_threadsafe(running.loop.stop)
        thread.join()
        running.loop.close()
