"""A change of user that does not go well: the session ends once, with words, and nothing is held against the target."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import pytest
from structlog.testing import CapturingLogger

from ambassador_dbproxy import followed_session
from ambassador_dbproxy.listener import Listener
from ambassador_dbproxy.mysql import capabilities as can
from ambassador_dbproxy.mysql.greeting import Greeting, LoginRequest
from ambassador_dbproxy.mysql.passwords import NATIVE
from ambassador_dbproxy.mysql.service import MysqlService
from ambassador_dbproxy.mysql.wire import encode
from ambassador_dbproxy.routes import route
from ambassador_dbproxy.server import Health
from ambassador_dbproxy.settings import ListenerSettings, TargetSettings
from chassis.settings import Address
from tests.ambassador_dbproxy.waiting import WAIT_S

Make = Callable[..., Any]

CAN = can.MYSQL | can.PROTOCOL_41 | can.SECURE_CONNECTION | can.PLUGIN_AUTH | can.DEPRECATE_EOF
GREETING = Greeting(b"8.0.0", 7, bytes(range(1, 21)), CAN, 255, 2, NATIVE).encode()
HEAD = CAN.to_bytes(4, "little") + (1 << 24).to_bytes(4, "little") + bytes((45,)) + bytes(23)
LOGIN = LoginRequest(CAN, HEAD, b"x", b"", None, NATIVE, None).encode()
CHANGE = encode(0, b"\x11x\0\0\0\x2d\0" + NATIVE + b"\0")
OK = b"\0\0\0\2\0\0\0"
DENIED = b"\xff\x15\x04#28000Access denied"
SHUTDOWN = b"\xff\x1d\x04#08S01"


async def packet(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readexactly(4)
    return head[3], await reader.readexactly(int.from_bytes(head[:3], "little"))


class Server:
    """Lets everybody in and answers every command, but for a change of user: that is `said`, then it closes.

    None is never said, and neither that nor OK closes.
    """

    def __init__(self) -> None:
        self.said: bytes | None = None
        self.asked = asyncio.Event()
        self.changes = 0
        self._writers: list[asyncio.StreamWriter] = []

    async def close(self) -> None:
        for writer in self._writers:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        writer.write(encode(0, GREETING))
        try:
            while True:
                sequence, body = await packet(reader)
                if body[:1] == b"\x11":
                    self.changes += 1
                    self.asked.set()
                    if self.said is None:
                        continue
                    writer.write(self.said and encode(sequence + 1, self.said))
                    if self.said == OK:
                        continue
                    break
                writer.write(encode(sequence + 1, OK))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()


class Through:
    """One app's session at a listener in front of a server."""

    def __init__(self, server: Server, listener: Listener[Any], log: CapturingLogger) -> None:
        self.server, self.listener, self.log = server, listener, log

    async def log_in(self) -> None:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.listener.address.port)
        await packet(self.reader)
        self.writer.write(encode(1, LOGIN))
        assert (await packet(self.reader))[1] == OK
        (self.session,) = self.listener._sessions

    async def ends(self) -> list[tuple[int, bytes]]:
        """What the app hears until the end, once nothing is left; nothing went wrong on the way."""
        heard = []
        async with asyncio.timeout(WAIT_S):
            while not self.reader.at_eof():
                try:
                    heard.append(await packet(self.reader))
                except asyncio.IncompleteReadError:
                    break
            await self.gone()
        return heard

    async def gone(self) -> None:
        self.writer.close()
        async with asyncio.timeout(WAIT_S):
            while self.listener._sessions or self.listener._work:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert "bug" not in {call.args[0] for call in self.log.calls}
        assert self.listener.upstream.gate.health is Health.UP
        assert [each.in_use for each in self.listener.upstream.servers] == [0]


@pytest.fixture
async def through(surroundings: Make) -> AsyncIterator[Through]:
    server, log = Server(), CapturingLogger()
    async with await asyncio.start_server(server.accept, "127.0.0.1", 0) as listening:
        target = TargetSettings(hosts=(Address.of(*listening.sockets[0].getsockname()),), user="u")
        settings = ListenerSettings(
            name="it", listen=Address("127.0.0.1:0"), protocol="mysql", environments={"dev": target}
        )
        listener = Listener(settings, MysqlService(), route(settings, "dev"), surroundings(log), log)
        await listener.start("listen")
        made = Through(server, listener, log)
        await made.log_in()
        yield made
        await listener.close()
        await server.close()


@pytest.mark.parametrize(
    ("said", "heard"), [(DENIED, b"\xff\x15\x04#28000Access denied ("), (b"", b"\xff\xdd\x07#HY000it/dev: ")]
)
async def test_refused_or_cut_off_it_ends_this_session_alone(through: Through, said: bytes, heard: bytes) -> None:
    through.server.said = said
    through.writer.write(CHANGE)
    ((sequence, body),) = await through.ends()
    assert sequence == 1
    assert body.startswith(heard)
    assert through.server.changes == 1


async def test_a_deadline_during_it_ends_the_session_with_words(through: Through) -> None:
    through.writer.write(CHANGE)
    await through.server.asked.wait()
    through.session.end("switched")
    assert await through.ends() == [(1, SHUTDOWN + b"switched")]


async def test_a_deadline_before_its_first_step(through: Through) -> None:
    cast(Any, through.session)._app.data_received(CHANGE)
    through.session.end("switched")
    await through.ends()
    assert through.server.changes == 0


async def test_being_dropped_during_it(through: Through) -> None:
    through.writer.write(CHANGE)
    await through.server.asked.wait()
    through.session.abort()
    assert await through.ends() == []


async def test_an_app_that_dies_during_it(through: Through) -> None:
    through.writer.write(CHANGE)
    await through.server.asked.wait()
    sock = through.writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    through.writer.transport.abort()
    await through.gone()


async def test_the_end_of_the_ambassador_during_it(through: Through) -> None:
    through.writer.write(CHANGE)
    await through.server.asked.wait()
    closing = asyncio.create_task(through.listener.close())
    ((_, body),) = await through.ends()
    assert body.startswith(SHUTDOWN)
    assert await closing == 1


async def test_asked_for_behind_the_parting_it_is_answered_with_the_farewell(
    through: Through, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followed_session, "PARTED_S", WAIT_S)
    through.session.leave("switched")
    through.writer.write(CHANGE)
    assert await through.ends() == [(1, SHUTDOWN + b"switched")]
    assert through.server.changes == 0


async def test_what_comes_behind_it_is_counted_once(through: Through) -> None:
    through.server.said = OK
    query = encode(0, b"\x03SELECT 1")
    through.writer.write(CHANGE + query)
    assert [await packet(through.reader) for _ in range(2)] == [(1, OK), (1, OK)]
    assert through.session.counts()[0] == len(query)
    through.session.end("switched")
    await through.ends()
