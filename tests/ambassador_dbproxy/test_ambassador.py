"""When the app counts as gone, so that the ambassador may end."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from ambassador_dbproxy.ambassador import gone_from


class Door:
    """A listener with sessions that tests open and close."""

    def __init__(self) -> None:
        self.tally = SimpleNamespace(accepted=0)
        self.sessions = 0
        self._emptied = asyncio.Event()

    @property
    def in_use(self) -> bool:
        return bool(self.sessions)

    async def empty(self) -> None:
        while self.in_use:
            self._emptied.clear()
            await self._emptied.wait()

    def enter(self) -> None:
        self.tally.accepted += 1
        self.sessions += 1

    def leave(self) -> None:
        self.sessions -= 1
        self._emptied.set()


async def turns() -> None:
    """More of the loop than any step here needs."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_all_listeners_are_empty_at_once() -> None:
    one, two = Door(), Door()
    two.enter()
    gone = asyncio.create_task(gone_from(cast(Any, [one, two]), 0.0))
    await turns()
    one.enter()
    two.leave()
    await turns()
    assert not gone.done()
    one.leave()
    await gone


async def test_a_visit_in_between_counts_as_use() -> None:
    door = Door()
    looks: list[int] = []

    class Visited(Door):
        @property
        def in_use(self) -> bool:
            looks.append(self.tally.accepted)
            return False

    visited = Visited()
    gone = asyncio.create_task(gone_from(cast(Any, [door, visited]), 0.0))
    await asyncio.sleep(0)
    visited.tally.accepted += 1
    await gone
    assert looks == [0, 1, 1]
