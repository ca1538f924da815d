"""The real process against a real HTTP server: one that can misbehave, and a shipper to start and to kill."""

import asyncio
import gzip
import json
import random
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import zstandard
from aiohttp import ClientSession, web

from podmates.ports import free_port

ROOT = Path(__file__).parent.parent.parent
PATIENCE_S = 120
Answer = Callable[[web.Request, bytes], web.Response]


class LogServer:
    """Records the lines of every request it answers with 2xx. `answer` may be replaced to misbehave."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.requests: list[web.Request] = []
        self.answer: Answer = lambda request, body: web.Response(status=200)
        self.port = 0
        self._runner: web.AppRunner | None = None
        self._arrived = asyncio.Condition()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/in?stream=app"

    async def start(self) -> None:
        """Listens; after `stop` again on the same port."""
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_post("/in", self._take)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, auto_decompress=False)
        await self._runner.setup()
        self.port = self.port or free_port(random.Random())
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True).start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _take(self, request: web.Request) -> web.Response:
        body = decoded(request, await request.read())
        answer = self.answer(request, body)
        async with self._arrived:
            self.requests.append(request)
            if answer.status < 300:
                self.lines += body.splitlines()
            self._arrived.notify_all()
        return answer

    async def until(self, met: Callable[["LogServer"], bool]) -> None:
        async with self._arrived:
            await asyncio.wait_for(self._arrived.wait_for(lambda: met(self)), PATIENCE_S)

    async def has(self, count: int) -> list[bytes]:
        """Waits until at least `count` lines have arrived."""
        await self.until(lambda server: len(server.lines) >= count)
        return self.lines


def decoded(request: web.Request, body: bytes) -> bytes:
    # Here and not by aiohttp, which knows zstd only with a further library.
    encoding = request.headers.get("Content-Encoding")
    if encoding == "zstd":
        return zstandard.ZstdDecompressor().decompress(body)
    return gzip.decompress(body) if encoding == "gzip" else body


class Shipper:
    """One process of the shipper, its events and its exit status."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.events: list[dict[str, Any]] = []
        self.ops = ""
        self._told = asyncio.Condition()
        self._listening = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            async with self._told:
                self.events.append(json.loads(line))
                self._told.notify_all()

    def of(self, event: str) -> list[dict[str, Any]]:
        return [each for each in self.events if each["event"] == event]

    async def event(self, name: str, count: int = 1) -> dict[str, Any]:
        """Waits for the `count`-th event of this name."""
        async with self._told:
            await asyncio.wait_for(self._told.wait_for(lambda: len(self.of(name)) >= count), PATIENCE_S)
        return self.of(name)[count - 1]

    async def metrics(self) -> dict[str, float]:
        async with ClientSession() as session, session.get(f"http://{self.ops}/metrics") as response:
            lines = (await response.text()).splitlines()
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}

    async def told(self, fits: Callable[[dict[str, Any]], object], since: int = 0) -> dict[str, Any]:
        """The first event that fits, from the one numbered `since` on; waits for it."""
        async with self._told:
            await asyncio.wait_for(self._told.wait_for(lambda: any(map(fits, self.events[since:]))), PATIENCE_S)
        return next(filter(fits, self.events[since:]))

    async def metrics_when(self, met: Callable[[dict[str, float]], bool]) -> dict[str, float]:
        """The first scrape that `met` agrees with: the shipper counts an answer a moment after the server gave it."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                if met(metrics := await self.metrics()):
                    return metrics
                await asyncio.sleep(0.01)

    def peak_mib(self) -> float:
        """The most memory it had resident so far."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024

    async def status(self) -> int:
        status = await asyncio.wait_for(self.process.wait(), PATIENCE_S)
        await self._listening
        return status

    async def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return await self.status()

    async def kill(self) -> None:
        self.process.kill()
        await self.status()


@pytest.fixture
async def server() -> AsyncIterator[LogServer]:
    server = LogServer()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / "log").mkdir()
    return tmp_path / "log/app.log"


Start = Callable[..., Awaitable[Shipper]]


@pytest.fixture
async def ship(tmp_path: Path, server: LogServer, log: Path) -> AsyncIterator[Start]:
    """Starts shippers of `tmp_path/log/*.log` to `server`, one after the other with the same state."""
    shippers: list[Shipper] = []

    async def start(*, ready: bool = True, prefix: Sequence[str] = (), **settings: Any) -> Shipper:
        given = settings.pop("sink", {})
        sink = {"retry": {"initial": "10ms", "max": "50ms"}} | ({} if "type" in given else {"url": server.url}) | given
        tree: dict[str, Any] = {
            "files": {"include": [f"{tmp_path}/log/*.log"]},
            "sink": sink,
            "state_dir": f"{tmp_path}/state",
            "drain": {"quiet": "50ms"},
            "ops": {"listen": "127.0.0.1:0"},
        }
        path = tmp_path / "logshipper.yaml"
        path.write_text(json.dumps(tree | settings))
        command = [sys.executable, "-m", "sidecar_logshipper", "--config", str(path)]
        process = await asyncio.create_subprocess_exec(*prefix, *command, cwd=ROOT, stderr=asyncio.subprocess.PIPE)
        shippers.append(Shipper(process))
        if ready:
            shippers[-1].ops = (await shippers[-1].event("ready"))["ops"]
        return shippers[-1]

    yield start
    for shipper in shippers:
        if shipper.process.returncode is None:
            shipper.process.kill()
        await shipper.status()
