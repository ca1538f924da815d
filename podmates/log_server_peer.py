"""The log server as one asks it: what it holds, and how much it was sent although it held it."""

import asyncio
import contextlib

import aiohttp

LOOK_EVERY_S = 0.1


class LogServerPeer:
    """A log server at `url`, wherever its process runs."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.url = url
        self.kills = 0
        self._session = session
        self._repeats_of_killed = 0

    async def received(self) -> int:
        """How many records it holds."""
        return (await self._counts())["records"]

    async def sent_again(self) -> int:
        """How many records it was sent although it held them, by all its processes."""
        return self._repeats_of_killed + (await self._counts())["repeats"]

    async def will_be_killed(self) -> None:
        """Remembers what the process knows that is about to be killed."""
        self._repeats_of_killed += (await self._counts())["repeats"]
        self.kills += 1

    async def answers(self) -> bool:
        """Whether it can be asked."""
        try:
            await self._counts()
        except (aiohttp.ClientError, TimeoutError):
            return False
        return True

    async def records(self) -> list[bytes]:
        """Every record it holds, as the line that was sent."""
        content, offset = [], 0
        while page := await self._page(offset):
            content.append(page)
            offset += len(page)
        return b"".join(content).splitlines()

    async def find(self, event: str, within_s: float) -> bytes | None:
        """The first record that holds `event`, or None when none came in time."""
        offset, rest = 0, b""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while True:
                    page = await self._page(offset)
                    offset += len(page)
                    *lines, rest = (rest + page).split(b"\n")
                    for line in lines:
                        if event.encode() in line:
                            return line
                    if not page:
                        await asyncio.sleep(LOOK_EVERY_S)
        return None

    async def _page(self, offset: int) -> bytes:
        async with self._session.get(f"{self.url}/records", params={"offset": offset}) as response:
            response.raise_for_status()
            return await response.read()

    async def _counts(self) -> dict[str, int]:
        async with self._session.get(f"{self.url}/counts") as response:
            response.raise_for_status()
            counts: dict[str, int] = await response.json()
            return counts
