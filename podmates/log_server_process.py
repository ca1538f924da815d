"""The log server as the demo sees it: a process to start, kill and bring back on its port, and a peer to ask."""

import asyncio
import contextlib
from pathlib import Path

import aiohttp

from podmates.child import Child
from podmates.launcher import Launcher

LOOK_EVERY_S = 0.1
STOPS_WITHIN_S = 10.0


class LogServer:
    """One log server with its file; its address outlives its processes."""

    def __init__(self, launcher: Launcher, session: aiohttp.ClientSession, *, store: Path, port: int) -> None:
        self.child: Child | None = None
        self.kills = 0
        self.url = f"http://127.0.0.1:{port}"
        self._launcher = launcher
        self._session = session
        self._repeats_of_killed = 0
        self._arguments = ["--listen", f"127.0.0.1:{port}", "--store", str(store)]

    async def start(self) -> Child:
        """Start it, or bring it back with all it had acknowledged."""
        self.child = await self._launcher.python("log server", "podmates.log_server", *self._arguments)
        await self.child.ready()
        return self.child

    async def kill(self) -> None:
        """SIGKILL, in the middle of whatever it does."""
        assert self.child is not None
        self._repeats_of_killed += (await self._counts())["repeats"]
        await self.child.kill()
        self.kills += 1

    async def received(self) -> int:
        """How many records it holds."""
        return (await self._counts())["records"]

    async def sent_again(self) -> int:
        """How many records it was sent although it held them."""
        return self._repeats_of_killed + (await self._counts())["repeats"]

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

    async def stop(self) -> None:
        """Stop it in peace."""
        if self.child is not None:
            await self.child.stop(STOPS_WITHIN_S)

    async def _page(self, offset: int) -> bytes:
        async with self._session.get(f"{self.url}/records", params={"offset": offset}) as response:
            response.raise_for_status()
            return await response.read()

    async def _counts(self) -> dict[str, int]:
        async with self._session.get(f"{self.url}/counts") as response:
            response.raise_for_status()
            counts: dict[str, int] = await response.json()
            return counts
