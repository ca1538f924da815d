"""The log server as a process of the local pod's surroundings: started, killed, and brought back on its port."""

from pathlib import Path

import aiohttp

from podmates.child import Child
from podmates.launcher import Launcher
from podmates.log_server_peer import LogServerPeer

STOPS_WITHIN_S = 30.0


class LogServer:
    """One log server with its file; its address outlives its processes."""

    def __init__(self, launcher: Launcher, session: aiohttp.ClientSession, *, store: Path, port: int) -> None:
        self.child: Child | None = None
        self.peer = LogServerPeer(session, f"http://127.0.0.1:{port}")
        self._launcher = launcher
        self._arguments = ["--listen", f"127.0.0.1:{port}", "--store", str(store)]

    async def start(self) -> Child:
        """Start it, or bring it back with all it had acknowledged."""
        self.child = await self._launcher.python("log server", "podmates.log_server", *self._arguments)
        await self.child.ready()
        return self.child

    async def kill(self) -> None:
        """SIGKILL, in the middle of whatever it does."""
        assert self.child is not None
        await self.peer.will_be_killed()
        await self.child.kill()

    async def stop(self) -> None:
        """Stop it in peace."""
        if self.child is not None:
            await self.child.stop(STOPS_WITHIN_S)
