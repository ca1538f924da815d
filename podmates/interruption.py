"""Ctrl-C and its like: the first one ends whatever is going on, tidily, unless it is just what is waited for."""

import asyncio
import signal
from typing import Any


class Interruption:
    """Cancels `task` when a signal comes, unless `wait` is under way, which then returns."""

    def __init__(self, task: "asyncio.Task[Any]") -> None:
        self.signal: int | None = None
        self._task = task
        self._awaited: asyncio.Future[None] | None = None

    def listen(self) -> None:
        """Take over SIGINT, SIGTERM and SIGHUP in the running loop."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, self.arrive, number)

    def arrive(self, number: int) -> None:
        """A signal has come."""
        if self._awaited is not None and not self._awaited.done():
            self._awaited.set_result(None)
        elif self.signal is None:  # the clean-up it starts is short, and is not cut by a second one
            self.signal = number
            self._task.cancel()

    async def wait(self) -> None:
        """Return when a signal comes; this one cancels nothing."""
        self._awaited = asyncio.get_running_loop().create_future()
        try:
            await self._awaited
        finally:
            self._awaited = None
