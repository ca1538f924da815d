"""An app that has half closed is told from one that is gone, over every kind of socket that an app may have."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from ambassador_dbproxy.presence import has_gone, is_held

Connect = Callable[[], Any]
WAIT_S = 20.0
ON_LINUX = Path("/proc/net/tcp").exists()
TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 5511 1 0000000000000000
   1: 0100007F:1538 0100007F:C001 08 00000000:00000000 00:00000000 00000000     0        0 5512 1 0000000000000000
   2: 0100007F:C001 0100007F:1538 05 00000000:00000000 00:00000000 00000000     0        0 5513 1 0000000000000000
   3: 0100007F:C002 0100007F:1538 05 00000000:00000000 00:00000000 00000000     0        0 0 1 0000000000000000
   4: 0000000000000000FFFF00000100007F:C003 0000000000000000FFFF00000100007F:1538 05 0:0 0:0 0 0 0 0 1 0
   5: 00000000000000000000000001000000:C004 00000000000000000000000001000000:1538 05 0:0 0:0 0 0 0 7 1 0
"""


@pytest.mark.skipif(sys.byteorder == "big", reason="the table is of another kind of machine")
@pytest.mark.parametrize(
    ("host", "port", "held"),
    [
        ("127.0.0.1", 0xC001, True),
        ("127.0.0.1", 0xC002, False),
        ("127.0.0.1", 0xC003, False),
        ("::ffff:127.0.0.1", 0xC001, True),
        ("::ffff:127.0.0.1", 0xC002, False),
        ("::ffff:127.0.0.1", 0xC003, False),
        ("::1", 0xC004, True),
        ("127.0.0.1", 0xC005, None),
        ("10.0.0.1", 0xC001, None),
    ],
)
def test_the_kernels_table(host: str, port: int, held: bool | None) -> None:
    ours = host if ":" in host else "127.0.0.1"
    assert is_held(TABLE, (host, port), (ours, 0x1538)) is held


class Accepted(asyncio.Protocol):
    """Our end of one connection."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def eof_received(self) -> bool:
        self.ended.set()
        return True


@pytest.fixture(params=["127.0.0.1", "::1", "mapped", "dual-stack", "unix"])
async def ends(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[socket.socket, Accepted]]:
    """An app's socket, and our end of its connection."""
    if not ON_LINUX:
        pytest.skip("needs Linux's table of connections")
    loop, accepted = asyncio.get_running_loop(), Accepted()
    if request.param == "unix":
        place: Any = str(tmp_path / "socket")
        server = await loop.create_unix_server(lambda: accepted, place)
        app = socket.socket(socket.AF_UNIX)
    else:
        six = request.param in ("::1", "mapped")
        try:
            if request.param == "dual-stack":
                listening = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
                server = await loop.create_server(lambda: accepted, sock=listening)
            else:
                server = await loop.create_server(lambda: accepted, "::1" if request.param == "::1" else "127.0.0.1", 0)
            app = socket.socket(socket.AF_INET6 if six else socket.AF_INET)
        except OSError:
            pytest.skip("this machine has no IPv6")
        host = {"mapped": "::ffff:127.0.0.1", "dual-stack": "127.0.0.1"}.get(request.param, request.param)
        place = (host, server.sockets[0].getsockname()[1])
    with app:
        app.setblocking(False)
        await loop.sock_connect(app, place)
        yield app, accepted
    accepted.transport.abort()  # type: ignore[attr-defined]
    server.close()
    await server.wait_closed()


async def test_one_that_half_closes_is_there(ends: tuple[socket.socket, Accepted]) -> None:
    app, accepted = ends
    app.shutdown(socket.SHUT_WR)
    async with asyncio.timeout(WAIT_S):
        await accepted.ended.wait()
    assert await has_gone(accepted.transport) is False


async def test_one_that_closes_is_not(ends: tuple[socket.socket, Accepted]) -> None:
    app, accepted = ends
    app.close()
    async with asyncio.timeout(WAIT_S):
        await accepted.ended.wait()
    assert await has_gone(accepted.transport)


async def test_where_nothing_can_be_known_nobody_is_gone() -> None:
    assert await has_gone(asyncio.BaseTransport()) is None
