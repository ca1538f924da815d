"""What an idle session costs, measured with a server of a few lines: 2,000 plain ones, and hundreds over TLS."""

import asyncio
import os
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.sessions import ANSWER, QUERY, READY, STARTUP, Server

Make = Callable[..., Any]
PLAIN, ENCRYPTED = (int(os.environ.get(name, value)) for name, value in (("IDLE", "2000"), ("IDLE_TLS", "400")))


def anonymous_kib(pid: int) -> int:
    facts = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return int(next(line for line in facts if line.startswith("Anonymous:")).split()[1])


def resident_kib(pid: int) -> int:
    facts = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in facts if line.startswith("VmRSS:")).split()[1])


class Noted(Server):
    """Is in `open_now` while it has its connection."""

    def __init__(self, context: ssl.SSLContext | None, open_now: set["Noted"]) -> None:
        super().__init__(context)
        self._open_now = open_now

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._open_now.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._open_now.discard(self)


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "tls"])
async def test_idle_sessions_are_small(
    ambassador: Make, postgres_settings: Make, certificates: Any, tmp_path: Path, encrypted: bool
) -> None:
    context = None
    if encrypted:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificates.Authority(tmp_path).issue("server", "localhost"))
    loop = asyncio.get_running_loop()
    served: set[Noted] = set()
    server = await loop.create_server(lambda: Noted(context, served), "127.0.0.1", 0, backlog=1000)
    target = {
        "hosts": [f"127.0.0.1:{server.sockets[0].getsockname()[1]}"],
        "user": "app",
        "tls": {"mode": "require" if encrypted else "disable"},
    }
    through = ambassador(postgres_settings(limits={"connections": 5000}, dev=target)).ready()
    open_now: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def open_one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", through.port)
        writer.write(STARTUP)
        await reader.readuntil(READY)
        writer.write(QUERY)
        await reader.readuntil(ANSWER)
        open_now.append((reader, writer))

    try:
        for _ in range(20):
            await open_one()
        before = anonymous_kib(through.process.pid)
        wanted = ENCRYPTED if encrypted else PLAIN
        while len(open_now) < wanted + 20:
            await asyncio.gather(*(open_one() for _ in range(20)))
        each = (anonymous_kib(through.process.pid) - before) / wanted
        resident = resident_kib(through.process.pid) / 1024
    finally:
        through.process.kill()
        for _, writer in open_now:
            writer.transport.abort()
        server.close()
        await asyncio.gather(*(writer.wait_closed() for _, writer in open_now), return_exceptions=True)
        async with asyncio.timeout(60):
            while served:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    print(f"{wanted} idle sessions: {each:.1f} KiB each, {resident:.1f} MiB resident in all")
    assert each <= (96 if encrypted else 16)
    if not encrypted:
        assert resident <= 96
