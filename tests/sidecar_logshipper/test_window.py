"""The window as a transcript: what may be sent, and when the checkpoint is asked to hurry."""

import asyncio

from sidecar_logshipper.window import Window


class Shipping:
    """Counts as the shipper does."""

    def __init__(self, limit: int) -> None:
        self.unsaved = 0
        self.hurries = 0
        self.window = Window(limit, lambda: self.unsaved, self._hurry)

    def _hurry(self) -> None:
        self.hurries += 1

    def acked(self, size: int) -> None:
        self.unsaved += size
        self.window.leave(size)

    def saved(self) -> None:
        self.unsaved = 0
        self.window.look()

    async def entering(self, size: int) -> "asyncio.Task[None]":
        task = asyncio.create_task(self.window.enter(size))
        for _ in range(5):
            await asyncio.sleep(0)
        return task


async def test_acknowledged_bytes_count_until_they_are_saved() -> None:
    shipping = Shipping(100)
    assert (await shipping.entering(60)).done()
    shipping.acked(60)
    assert shipping.window.in_flight == 60
    waiting = await shipping.entering(60)
    assert not waiting.done()
    assert shipping.hurries > 0
    shipping.saved()
    await waiting
    assert shipping.window.in_flight == 60


async def test_saved_early_when_three_quarters_full_so_that_nobody_waits() -> None:
    shipping = Shipping(100)
    for hurries in (0, 0, 1):
        await shipping.entering(25)
        shipping.acked(25)
        assert shipping.hurries == hurries


async def test_a_batch_larger_than_the_window_goes_alone_and_is_not_overtaken() -> None:
    shipping = Shipping(100)
    await shipping.entering(10)
    large = await shipping.entering(1000)
    small = await shipping.entering(10)
    assert (large.done(), small.done()) == (False, False)
    shipping.acked(10)
    shipping.saved()
    await large
    assert not small.done()
    shipping.acked(1000)
    shipping.saved()
    await small
