"""What was received and not yet converted: bounded in bytes, so that a faster sender has to wait.

Those who cannot wait (UDP) are no longer read then, and the kernel drops and counts. One loop; no threads.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

INTAKE_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Parcel:
    """Bytes of one sender: `listen` is the input as the settings write it, `sender` one connection of it.

    `message`: exactly one record. `last`: nothing will follow from this sender."""

    listen: str
    sender: str
    data: bytes
    message: bool = False
    last: bool = False


class Intake:
    """A queue of parcels. `wait` and `take` belong to one reader."""

    def __init__(self, limit: int = INTAKE_BYTES) -> None:
        self.bytes = 0
        self._limit = limit
        self._parcels: list[Parcel] = []
        self._filled = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    @property
    def is_empty(self) -> bool:
        """Not even the news that a sender is gone, which has no bytes, is in it."""
        return not self._parcels

    @property
    def has_room(self) -> bool:
        return self._room.is_set()

    async def room(self) -> None:
        """Waits until something may be put in. A single parcel may go over the limit."""
        await self._room.wait()

    def put(self, parcel: Parcel) -> None:
        self._parcels.append(parcel)
        self.bytes += len(parcel.data)
        self._filled.set()
        if self.bytes >= self._limit:
            self._room.clear()

    async def wait(self) -> None:
        """Until there is something to take. Cancelling loses nothing."""
        await self._filled.wait()

    def take(self) -> list[Parcel]:
        """Everything there is, with neighbouring lines of one sender put together."""
        parcels, self._parcels = self._parcels, []
        self.bytes = 0
        self._filled.clear()
        self._room.set()
        return _joined(parcels)


def _joined(parcels: list[Parcel]) -> list[Parcel]:
    joined: list[Parcel] = []
    run: list[Parcel] = []
    for parcel in parcels:
        if run and (parcel.message or run[-1].message or run[-1].last or parcel.sender != run[-1].sender):
            joined.append(_one(run))
            run = []
        run.append(parcel)
    if run:
        joined.append(_one(run))
    return joined


def _one(run: list[Parcel]) -> Parcel:
    if len(run) == 1:
        return run[0]
    last = run[-1]
    return Parcel(last.listen, last.sender, b"".join([parcel.data for parcel in run]), last=last.last)
