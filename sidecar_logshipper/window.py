"""How much a killed shipper can send twice: what is being sent, and what was acknowledged but is not yet remembered.

A byte counts as in flight until its acknowledgement is in the saved checkpoint. The lanes ask here before they send.
"""

import asyncio
from collections.abc import Callable


class Window:
    """At most `limit` bytes are in flight, but a batch larger than that goes alone.

    `unsaved` says how many acknowledged bytes are not in the checkpoint, `hurry` asks for it to be saved. Whoever saves
    calls `look`, also when it could not be saved: then `unsaved` must not count, since a full disk ends the bound and
    not the shipping.
    """

    def __init__(self, limit: int, unsaved: Callable[[], int], hurry: Callable[[], None]) -> None:
        self.limit = limit
        self._unsaved = unsaved
        self._hurry = hurry
        self._sending = 0
        self._changed = asyncio.Event()
        self._turn = asyncio.Lock()  # first come, first served: else a large batch would wait for ever

    @property
    def in_flight(self) -> int:
        return self._sending + self._unsaved()

    async def enter(self, size: int) -> None:
        """Returns when `size` bytes may be sent; they count until `leave`."""
        async with self._turn:
            while self.in_flight and self.in_flight + size > self.limit:
                if self._unsaved():
                    self._hurry()
                self._changed.clear()
                await self._changed.wait()
            self._sending += size

    def leave(self, size: int) -> None:
        """They are sent and were passed on as acknowledged. Saved before the window is full, so that nobody waits."""
        self._sending -= size
        if self._unsaved() * 4 >= self.limit * 3:
            self._hurry()
        self.look()

    def look(self) -> None:
        """There may be room now."""
        self._changed.set()
