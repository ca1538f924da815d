"""Looking after servers: what a look or a login leaves behind."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from ambassador_dbproxy.conversation import Conversation
from ambassador_dbproxy.dial import Unreachable
from ambassador_dbproxy.routes import Route
from ambassador_dbproxy.server import Role, Server
from ambassador_dbproxy.servers import Servers
from ambassador_dbproxy.settings import TargetSettings
from chassis.settings import Address

Make = Callable[..., Any]


async def test_a_server_that_closes_first_leaves_no_open_socket(surroundings: Make) -> None:
    async def close_at_once(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    met: list[Conversation] = []

    async def ask(conversation: Conversation, _: Server) -> Role:
        met.append(conversation)
        await conversation.receive()
        raise AssertionError("it says nothing")

    async with await asyncio.start_server(close_at_once, "127.0.0.1", 0) as server:
        host = Address.of(*server.sockets[0].getsockname())
        servers = Servers(Route("it", "dev", TargetSettings(hosts=(host,))), surroundings())
        with pytest.raises(Unreachable, match="closed the connection during the login"):
            await servers.look(ask, lambda: None)
    assert [each.transport.is_closing() for each in met] == [True]


async def test_servers_of_the_same_target_keep_what_is_known_of_them(surroundings: Make) -> None:
    a, b, c = (Address(f"{name}:1") for name in "abc")
    former = [Server(a, role=Role.PRIMARY), Server(b, in_use=1), Server(c)]
    servers = Servers(Route("it", "dev", TargetSettings(hosts=(a,))), surroundings())
    servers.succeed(former)
    assert list(servers) == former[:2]
    servers.become([b, c])
    assert [server.host for server in servers] == [b, c]
    assert next(iter(servers)) is former[1]
