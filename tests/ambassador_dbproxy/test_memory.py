"""What an idle session costs, measured with a server of a few lines: 2,000 plain ones, and hundreds over TLS."""

import asyncio
import os
import ssl
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Make = Callable[..., Any]
PLAIN, ENCRYPTED = (int(os.environ.get(name, value)) for name, value in (("IDLE", "2000"), ("IDLE_TLS", "400")))
SSL_REQUEST = struct.pack(">II", 8, 80877103)
STARTUP = struct.pack(">II", 27, 196608) + b"user\0x\0database\0y\0\0"
GREETING = b"R\0\0\0\x08\0\0\0\0" + b"K\0\0\0\x0c%s" + b"Z\0\0\0\5I"
QUERY, ANSWER = b"Q\0\0\0\x0dSELECT 1\0", b"C\0\0\0\x0dSELECT 1\0Z\0\0\0\5I"


class Server(asyncio.Protocol):
    """Lets everybody in, over TLS if there is a context, and gives every query the same answer."""

    count = 0

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._context = context
        self._early: bytes | None = None  # said before `start_tls` has returned the transport to answer on

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._early is not None:
            self._early += data
        elif data == SSL_REQUEST:
            self._transport.pause_reading()  # the handshake is for `start_tls`
            self._transport.write(b"S")
            self._early = b""
            self._upgrading = asyncio.ensure_future(self._upgrade())
        elif data[:1] == b"Q":
            self._transport.write(ANSWER)
        elif data[:1] != b"X":
            Server.count += 1
            self._transport.write(GREETING % struct.pack(">II", Server.count, 0))

    async def _upgrade(self) -> None:
        assert self._context
        loop = asyncio.get_running_loop()
        self._transport = await loop.start_tls(self._transport, self, self._context, server_side=True)
        early, self._early = self._early, None
        if early:
            self.data_received(early)


def anonymous_kib(pid: int) -> int:
    facts = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return int(next(line for line in facts if line.startswith("Anonymous:")).split()[1])


def resident_kib(pid: int) -> int:
    facts = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in facts if line.startswith("VmRSS:")).split()[1])


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "tls"])
async def test_idle_sessions_are_small(
    ambassador: Make, postgres_settings: Make, certificates: Any, tmp_path: Path, encrypted: bool
) -> None:
    context = None
    if encrypted:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificates.Authority(tmp_path).issue("server", "localhost"))
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Server(context), "127.0.0.1", 0, backlog=1000)
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
        await reader.readuntil(b"Z\0\0\0\5I")
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
        await asyncio.sleep(0.1)  # for the callbacks of all that was closed
    print(f"{wanted} idle sessions: {each:.1f} KiB each, {resident:.1f} MiB resident in all")
    assert each <= (96 if encrypted else 16)
    if not encrypted:
        assert resident <= 96
