"""When is a look due, at which files, and what is waited for until then? Of one tail, in the hands of its loop.

How long the pauses are `pace` says, what the kernel tells comes from `hints`. With thousands of files a look at all of
them takes long and is made seldom; what is written to files that are followed already is read without one.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor

from logtail import pace
from logtail.follower import Step
from logtail.hints import Hints


class Waiting:
    """`directories` are those of interest, asked on `worker`, the thread that reads. `poll_interval`: without hints."""

    def __init__(
        self,
        directories: Callable[[], list[str]],
        worker: Executor,
        *,
        poll_interval: float,
        monotonic: Callable[[], float],
    ) -> None:
        self._directories = directories
        self._worker = worker
        self._poll_interval = poll_interval
        self._monotonic = monotonic
        self._awake = asyncio.Event()
        self._told_to_look = asyncio.Event()
        self._hints = Hints(self._awake.set)
        self._hinted = True
        self._hints_failed_at = 0.0
        self._looks_s: deque[float] = deque([0.0], pace.LOOKS_COMPARED)
        self._looked_at = float("-inf")
        self._calm = False
        self._draining = False

    def drain(self) -> None:
        """From now on nothing is left to hints."""
        self._draining = True
        self.look_now()

    def look_now(self) -> None:
        self._looked_at = float("-inf")
        self._told_to_look.set()
        self._awake.set()

    def wake(self) -> None:
        """There is something to do that is no look."""
        self._awake.set()

    @property
    def busy_s(self) -> float:
        """Seconds until the next look for a caller that has no room for what is read."""
        return pace.busy_poll(min(self._looks_s), self._poll_interval)

    def begin(self) -> set[str] | None:
        """A step begins: which files are to be looked at, when there is nothing to read? None for all."""
        self._awake.clear()
        self._told_to_look.clear()
        if not self._hinted or self._draining:
            return None
        self._hints.hear()
        if self._due_in() > 0:
            return self._hints.written
        self._hints.forget()
        return None

    def ended(self, step: Step, written: set[str] | None) -> None:
        """A step that was given what `begin` said."""
        if step.look_s is not None:
            self._looks_s.append(step.look_s)
            if not self._told_to_look.is_set():  # meanwhile: that look is still to come
                self._looked_at = self._monotonic()
        elif step.unknown or written is None:  # there was still something to read, and the look is due as before
            self._hints.else_happened = True

    def _due_in(self) -> float:
        look_s = min(self._looks_s)
        due_at = self._looked_at + pace.rest(look_s, self._poll_interval)
        if not (self._hints.else_happened or self._hints.directories_changed):
            due_at += pace.poll(look_s, self._poll_interval, hinted=True, calm=self._calm)
        return due_at - self._monotonic()

    async def wait(self, step: Step) -> None:
        """Until a hint comes or it is time to look again; `step` found nothing."""
        self._calm = step.calm
        if step.soon or self._draining:
            await asyncio.sleep(pace.DRAIN_POLL_S)
            self._looked_at = float("-inf")
        elif not self._hinted:
            await self.watch()
            if not await _comes(self._told_to_look, pace.rest(min(self._looks_s), self._poll_interval)):
                await _comes(self._awake, self._poll_interval)
        else:
            await self._wait_for_hint()

    async def _wait_for_hint(self) -> None:
        while not await _comes(self._told_to_look, pace.SETTLE_S):
            self._hints.hear()
            if (due_in_s := self._due_in()) <= 0:
                break
            if self._hints.written:
                return
            self._hints.arm()
            if await _comes(self._awake, due_in_s):
                if self._hints.armed or self._hints.written:
                    return  # it was no hint, or the first one after a rest: no other is waited for
                self._awake.clear()
        if self._hints.directories_changed or not self._hints.else_happened:
            await self.watch()

    async def watch(self) -> None:
        """Where that failed, inotify's limits may allow it later: others of the machine's containers share them."""
        if not self._hinted and self._monotonic() - self._hints_failed_at < pace.HINTS_AGAIN_S:
            return
        self._hinted = await asyncio.get_running_loop().run_in_executor(self._worker, self._watch_directories)
        if not self._hinted:
            self._hints_failed_at = self._monotonic()

    def _watch_directories(self) -> bool:
        return self._hints.watch(self._directories())

    def close(self) -> None:
        self._hints.close()


async def _comes(event: asyncio.Event, within_s: float) -> bool:
    try:
        async with asyncio.timeout(within_s):
            await event.wait()
    except TimeoutError:
        return False
    return True
