"""A lane: the files that belong to it go to the sink one batch after the other, and so in order.

Collecting is `batch`'s matter, sending `delivery`'s; the lane waits and passes on.
"""

import asyncio
from collections.abc import Callable

from sidecar_logshipper.batch import Batch, Collector, Part
from sidecar_logshipper.delivery import Delivery
from sidecar_logshipper.window import Window

STUCK_S = 0.1


class Lane:
    """`done` is called with each part whose lines are all accounted for. `read_ahead`: bytes that may wait in it."""

    def __init__(
        self,
        collector: Collector,
        delivery: Delivery,
        done: Callable[[Part], None],
        window: Window,
        read_ahead: int,
        monotonic: Callable[[], float],
    ) -> None:
        self.delivery = delivery
        self._collector = collector
        self._done = done
        self._window = window
        self._monotonic = monotonic
        self._read_ahead = read_ahead
        self._changed = asyncio.Event()
        self._roomy = asyncio.Event()
        self._ending = False

    def set_limits(self, max_bytes: int, max_age: float) -> None:
        """Of batches from now on."""
        self._collector.set_limits(max_bytes, max_age)
        self._read_ahead = max_bytes
        self._changed.set()

    async def put(self, part: Part) -> None:
        """Takes the part at once; returns when the lane wants more, or after a while all the same.

        How much may be put is bounded by the memory budget, before the chunk is read. Waiting here only keeps the
        reader from running far ahead, while the bytes are still in the processor's cache; a lane that is stuck does
        not keep the others waiting.
        """
        self._collector.add(part, self._monotonic())
        self._changed.set()
        if self._collector.waiting_bytes > self._read_ahead:
            self._roomy.clear()
            try:
                async with asyncio.timeout(STUCK_S):
                    await self._roomy.wait()
            except TimeoutError:
                pass

    def end(self) -> None:
        """Nothing more will be put: send what there is without waiting for company, then return from `run`."""
        self._ending = True
        self._changed.set()

    async def run(self) -> None:
        while await self._wait_until_due():
            batch = self._collector.take(self._monotonic())
            self._roomy.set()
            await self._window.enter(batch.size)
            for part in await self.delivery.deliver(batch, self._more):
                self._done(part)
            self._window.leave(batch.size)

    def _more(self) -> Batch | None:
        """What has come since, for a delivery that cannot go on without it."""
        now = self._monotonic()
        return None if self._collector.due_in(now) is None else self._collector.take(now)

    async def _wait_until_due(self) -> bool:
        """False at the end, when everything was sent."""
        while True:
            self._changed.clear()
            due_in = self._collector.due_in(self._monotonic())
            if due_in == 0 or (self._ending and due_in is not None):
                return True
            if self._ending:
                return False
            try:
                async with asyncio.timeout(due_in):
                    await self._changed.wait()
            except TimeoutError:
                pass
