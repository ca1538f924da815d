"""Connecting to a name with several addresses: none that is silent or refuses keeps the others from being tried."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from ambassador_dbproxy import dial as dial_module
from ambassador_dbproxy.conversation import Conversation
from ambassador_dbproxy.dial import Unreachable, dial
from chassis.settings import Address

WAIT_S = 20.0
GOOD, OTHER, THIRD = "127.0.0.1", "127.0.0.2", "127.0.0.3"

Resolve = Callable[..., Address]


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """Where a server listens at GOOD and nowhere else."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(accept, GOOD, 0) as server:
        yield server.sockets[0].getsockname()[1]


@pytest.fixture
def silent(port: int) -> Iterator[str]:
    """An address that answers nothing: its queue of connections is full."""
    with contextlib.ExitStack() as open_now:
        sock = open_now.enter_context(socket.socket())
        sock.bind((OTHER, port))
        sock.listen(0)
        for _ in range(3):
            filler = open_now.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex((OTHER, port))
        yield OTHER


@pytest.fixture
async def resolve(port: int, monkeypatch: pytest.MonkeyPatch) -> Resolve:
    """`resolve(address, …)`: a host whose name has these addresses."""

    def make(*addresses: str) -> Address:
        async def found(name: str, port: int, **_: Any) -> list[Any]:
            assert name == "db.example"
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in addresses]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", found)
        return Address(f"db.example:{port}")

    return make


async def connected_to(host: Address) -> str:
    """The address that answered; nothing else is left under way."""
    conversation = await dial(host, WAIT_S)
    address = str(conversation.transport.get_extra_info("peername")[0])
    conversation.close()
    async with asyncio.timeout(WAIT_S):
        await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}), return_exceptions=True)
    return address


async def test_a_silent_address_is_not_waited_for(silent: str, resolve: Resolve) -> None:
    assert await connected_to(resolve(silent, GOOD)) == GOOD


async def test_one_that_refuses_is_followed_at_once(resolve: Resolve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dial_module, "STAGGER_S", 10 * WAIT_S)
    assert await connected_to(resolve(OTHER, THIRD, GOOD)) == GOOD


async def test_a_silent_one_and_one_that_refuses(silent: str, resolve: Resolve) -> None:
    assert await connected_to(resolve(silent, THIRD, GOOD)) == GOOD


async def test_the_first_one_that_answers_is_the_only_one(resolve: Resolve) -> None:
    assert await connected_to(resolve(GOOD, OTHER)) == GOOD


async def test_all_refuse(resolve: Resolve) -> None:
    with pytest.raises(Unreachable, match=r"db\.example:\d+: .*[Rr]efused|Connect call failed"):
        await dial(resolve(OTHER, THIRD), WAIT_S)


async def test_all_are_silent(silent: str, resolve: Resolve) -> None:
    with pytest.raises(Unreachable, match=r"db\.example:\d+: no answer within 0.6s"):
        await dial(resolve(silent, silent), 0.6)


@pytest.mark.parametrize("told", [True, False], ids=["its socket is gone", "its socket is closed"])
async def test_one_that_is_reset_as_soon_as_it_is_made(port: int, told: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = dial_module._connect

    async def connect_and_lose(name: str, port: int) -> Conversation:
        conversation = await connect(name, port)
        gone = asyncio.Event()
        conversation.on_gone = gone.set
        conversation.abort()
        await gone.wait()
        if told:
            monkeypatch.setattr(conversation.transport, "get_extra_info", lambda _: None)
        return conversation

    monkeypatch.setattr(dial_module, "_connect", connect_and_lose)
    with pytest.raises(Unreachable, match="reset"):
        await dial(Address(f"{GOOD}:{port}"), WAIT_S)


@pytest.mark.parametrize("how_many", [1, 2])
async def test_a_link_local_address_keeps_its_interface(how_many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    async def found(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("fe80::1", 5432, 0, 7))] * how_many

    async def connect(_: Any, host: str, port: int) -> None:
        tried.append(host)
        raise ConnectionRefusedError(host)

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", found)
    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", connect)
    with pytest.raises(Unreachable):
        await dial(Address("db.example:5432"), WAIT_S)
    assert tried == ["fe80::1%7"] * how_many
