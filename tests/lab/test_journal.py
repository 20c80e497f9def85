"""The journal: numbered entries that can be awaited."""

from __future__ import annotations

import asyncio

import pytest

from mralab.errors import LabError
from mralab.lab.journal import Journal


async def test_an_entry_that_exists_is_there_at_once() -> None:
    journal: Journal[str] = Journal()
    journal.add("first")
    journal.add("second")
    assert await journal.entry(0) == "first"
    assert await journal.entry(1) == "second"
    assert journal.last == "second"
    assert len(journal) == 2
    assert list(journal) == ["first", "second"]


async def test_all_who_wait_are_woken_whatever_they_wait_for() -> None:
    journal: Journal[int] = Journal()
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(journal.entry(number)) for number in (2, 0, 0)]
        await asyncio.sleep(0)
        for number in range(3):
            journal.add(number)
            await asyncio.sleep(0)
    assert [task.result() for task in waiting] == [2, 0, 0]


async def test_the_oldest_are_dropped_and_numbers_stay() -> None:
    journal: Journal[int] = Journal(keep=2)
    for number in range(5):
        journal.add(number)
    assert len(journal) == 5
    assert list(journal) == [3, 4]
    assert await journal.entry(3) == 3
    with pytest.raises(LabError, match="entry 2 is no longer kept; the oldest one is 3"):
        await journal.entry(2)


async def test_an_empty_journal_has_no_last_entry() -> None:
    with pytest.raises(LabError, match="empty"):
        _ = Journal[int]().last


async def test_followers_see_each_entry_before_anybody_else_runs() -> None:
    journal: Journal[int] = Journal()
    journal.add(1)
    seen: list[int] = []
    journal.follow(seen.append)
    journal.follow(lambda entry: seen.append(-entry))
    journal.add(2)
    assert seen == [2, -2]


async def test_a_follower_may_have_less_kept() -> None:
    journal: Journal[int] = Journal()
    for number in range(10):
        journal.add(number)
    journal.follow(lambda _entry: None, keep=3)
    journal.add(10)
    assert list(journal) == [8, 9, 10]
    assert await journal.entry(9) == 9
    with pytest.raises(LabError, match="entry 7 is no longer kept"):
        await journal.entry(7)
