"""Errors during a login at clients that insist: each goes on with the sequence where the client expects it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from structlog.testing import CapturingLogger

from ambassador_dbproxy.listener import Listener
from ambassador_dbproxy.mysql import capabilities as can
from ambassador_dbproxy.mysql.greeting import Greeting, LoginRequest
from ambassador_dbproxy.mysql.passwords import NATIVE, SHA2
from ambassador_dbproxy.mysql.service import MysqlService
from ambassador_dbproxy.mysql.upstream import MysqlUpstream
from ambassador_dbproxy.mysql.wire import MAX_LOGIN_PACKET_BYTES, encode
from ambassador_dbproxy.refusal import Reason
from ambassador_dbproxy.routes import route
from ambassador_dbproxy.settings import ListenerSettings, TargetSettings
from chassis.settings import Address
from tests.ambassador_dbproxy.waiting import WAIT_S

Make = Callable[..., Any]
CAN = can.MYSQL | can.PROTOCOL_41 | can.SECURE_CONNECTION | can.PLUGIN_AUTH | can.DEPRECATE_EOF
GREETING = Greeting(b"8.0.0", 7, bytes(range(1, 21)), CAN, 255, 2, NATIVE).encode()
HEAD = CAN.to_bytes(4, "little") + (1 << 24).to_bytes(4, "little") + bytes((45,)) + bytes(23)
OLDEST, OTHER = (LoginRequest(CAN, HEAD, b"x", b"", None, plugin, None).encode() for plugin in (NATIVE, SHA2))
SWITCH = b"\xfe" + NATIVE + b"\0" + bytes(range(21, 41)) + b"\0"
TOO_LARGE = (MAX_LOGIN_PACKET_BYTES + 1).to_bytes(3, "little")


class Server:
    """Answers the first response with `says`, if that is anything, and nothing else."""

    def __init__(self) -> None:
        self.says = b""
        self.asked = asyncio.Event()
        self._writers: list[asyncio.StreamWriter] = []

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        writer.write(encode(0, GREETING))
        with contextlib.suppress(ConnectionError):
            if await reader.read(4):
                writer.write(self.says and encode(2, self.says))
                self.asked.set()
            await reader.read()

    async def close(self) -> None:
        for writer in self._writers:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


class Client:
    """Takes packets in their turn only."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._sequence = 0

    async def hear(self) -> bytes:
        async with asyncio.timeout(WAIT_S):
            head = await self._reader.readexactly(4)
            body = await self._reader.readexactly(int.from_bytes(head[:3], "little"))
        assert head[3] == self._sequence, body
        self._sequence += 1
        return body

    def say(self, body: bytes) -> None:
        self._writer.write(encode(self._sequence, body))
        self._sequence += 1

    def say_too_much(self) -> None:
        self._writer.write(TOO_LARGE + bytes((self._sequence,)))
        self._sequence += 1


class Place:
    """A listener in front of a server, and a client that has been greeted."""

    def __init__(self, server: Server, listener: Listener[Any], client: Client, log: CapturingLogger) -> None:
        self.server, self.listener, self.client, self.log = server, listener, client, log


@pytest.fixture(params=["u", None], ids=["injected", "passed through"])
async def place(request: pytest.FixtureRequest, surroundings: Make) -> AsyncIterator[Place]:
    server = Server()
    async with await asyncio.start_server(server.accept, "127.0.0.1", 0) as listening:
        target = TargetSettings(hosts=(Address.of(*listening.sockets[0].getsockname()),), user=request.param)
        settings = ListenerSettings(
            name="it", listen=Address("127.0.0.1:0"), protocol="mysql", environments={"dev": target}
        )
        log = CapturingLogger()
        listener = Listener(settings, MysqlService(), route(settings, "dev"), surroundings(), log)
        await listener.start("listen")
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.address.port)
        client = Client(reader, writer)
        await client.hear()
        yield Place(server, listener, client, log)
        writer.close()
        await writer.wait_closed()
        await listener.close()
        await server.close()


async def test_the_end_before_the_app_has_said_anything(place: Place) -> None:
    ending = asyncio.create_task(place.listener.close())
    place.client.say(OLDEST)
    assert (await place.client.hear())[:3] == b"\xff\x1d\x04"
    await ending


async def test_the_end_while_the_server_is_asked(place: Place) -> None:
    place.client.say(OLDEST)
    await place.server.asked.wait()
    ending = asyncio.create_task(place.listener.close())
    assert (await place.client.hear())[:3] == b"\xff\x1d\x04"
    await ending


@pytest.mark.parametrize("answered", [False, True])
async def test_the_end_behind_a_switch_of_the_method(place: Place, answered: bool) -> None:
    place.server.says = SWITCH
    place.client.say(OTHER)
    assert (await place.client.hear())[:22] == SWITCH[:22]
    if answered:
        place.client.say(b"x" * 20)
        await place.server.asked.wait()
    ending = asyncio.create_task(place.listener.close())
    if not answered:
        place.client.say(b"x" * 20)
    assert (await place.client.hear())[:3] == b"\xff\x1d\x04"
    await ending


async def test_too_much_at_once(place: Place) -> None:
    place.client.say_too_much()
    assert (await place.client.hear())[:3] == b"\xff\x13\x04"


async def test_too_much_behind_a_switch_of_the_method(place: Place) -> None:
    place.server.says = SWITCH
    place.client.say(OTHER)
    assert (await place.client.hear())[:22] == SWITCH[:22]
    place.client.say_too_much()
    assert (await place.client.hear())[:3] == b"\xff\x13\x04"


async def test_a_bug_while_the_server_is_asked(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any) -> None:
        raise ZeroDivisionError

    for name in ("log_in", "pass_on"):
        monkeypatch.setattr(MysqlUpstream, name, broken)
    place.client.say(OLDEST)
    assert (await place.client.hear())[:3] == b"\xff\x51\x04"
    assert place.listener.tally.refused[Reason.BUG] == 1
    assert [call.args for call in place.log.calls if call.method_name == "exception"] == [("bug",)]
