"""The protocol `tcp` in front of a server that echoes: bytes, half-close in both directions, holding, switching."""

import asyncio
import contextlib
import random
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from podmates.ports import free_port
from tests.ambassador_dbproxy.waiting import WAIT_S

Make = Callable[..., Any]
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
async def server() -> AsyncIterator[Callable[..., Awaitable[str]]]:
    """`await server(handler)`: the address where it listens."""
    started: list[asyncio.Server] = []
    handling: set[asyncio.Task[None]] = set()

    async def start(handler: Handler, port: int = 0, context: ssl.SSLContext | None = None) -> str:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            handling.add(asyncio.current_task())  # type: ignore[arg-type]
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await handler(reader, writer)
            await close(writer)

        started.append(await asyncio.start_server(handle, "127.0.0.1", port, ssl=context))
        return f"127.0.0.1:{started[-1].sockets[0].getsockname()[1]}"

    yield start
    for each in started:
        each.close()
    for task in handling:
        task.cancel()
    await asyncio.gather(*handling, return_exceptions=True)


async def close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while block := await reader.read(65536):
        writer.write(block)
        await writer.drain()
    writer.write(b"<end>")


def reset(writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def settings(**hosts: str) -> dict[str, Any]:
    listener = {
        "name": "anything",
        "listen": "127.0.0.1:0",
        "protocol": "tcp",
        "environments": {name: {"hosts": [host]} for name, host in hosts.items()},
    }
    return {"environment": next(iter(hosts)), "listeners": [listener], "switch": {"deadline": "200ms"}}


async def test_half_close_of_the_app_still_gets_the_rest(ambassador: Make, server: Make) -> None:
    through = await asyncio.to_thread(ambassador(settings(dev=await server(echo))).ready)
    reader, writer = await asyncio.open_connection("127.0.0.1", through.port)
    sent = b"".join(b"%d;" % n for n in range(300_000))

    async def send() -> None:
        writer.write(sent)
        await writer.drain()
        writer.write_eof()

    sending = asyncio.create_task(send())
    assert await reader.read(-1) == sent + b"<end>"
    await sending
    await close(writer)


async def test_half_close_of_the_server_lets_the_app_go_on(ambassador: Make, server: Make) -> None:
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def speak_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"greeting")
        writer.write_eof()
        if words := await reader.read(-1):  # the ambassador's probe at its start says nothing
            heard.put_nowait(words)

    through = await asyncio.to_thread(ambassador(settings(dev=await server(speak_first))).ready)
    reader, writer = await asyncio.open_connection("127.0.0.1", through.port)
    assert await reader.read(-1) == b"greeting"
    writer.write(b"thanks")
    writer.write_eof()
    assert await asyncio.wait_for(heard.get(), WAIT_S) == b"thanks"
    await close(writer)


async def test_a_reset_of_the_server_is_one_for_the_app(ambassador: Make, server: Make) -> None:
    async def say_ready_and_reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"ready")
        if await reader.read(2):
            reset(writer)

    through = await asyncio.to_thread(ambassador(settings(dev=await server(say_ready_and_reset))).ready)
    reader, writer = await asyncio.open_connection("127.0.0.1", through.port)
    assert await reader.readexactly(5) == b"ready"
    writer.write(b"go")
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(reader.read(-1), WAIT_S)
    await close(writer)


@pytest.mark.parametrize("encrypted", [False, True])
async def test_a_reset_of_the_app_is_one_for_the_server(
    ambassador: Make, server: Make, certificates: Any, tmp_path: Path, encrypted: bool
) -> None:
    """Over TLS too, without the goodbye that would make an honest end of it."""
    ended: asyncio.Queue[str] = asyncio.Queue()

    async def echo_until_the_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not (words := await reader.read(100)):
            return  # the ambassador's probe at its start
        writer.write(words)
        try:
            await reader.read(-1)
        except ConnectionResetError:
            ended.put_nowait("reset")
        else:
            ended.put_nowait("closed")

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificates.Authority(tmp_path).issue("server", "localhost"))
    config = settings(dev=await server(echo_until_the_end, context=context if encrypted else None))
    config["listeners"][0]["environments"]["dev"]["tls"] = {"mode": "require" if encrypted else "disable"}
    through = await asyncio.to_thread(ambassador(config).ready)
    reader, writer = await asyncio.open_connection("127.0.0.1", through.port)
    writer.write(b"hello")
    assert await reader.readexactly(5) == b"hello"  # which tells the ambassador that all it wrote has arrived
    reset(writer)
    assert await asyncio.wait_for(ended.get(), WAIT_S) == "reset"
    await close(writer)


async def test_what_was_said_while_held_is_not_lost(ambassador: Make, server: Make) -> None:
    port = free_port(random.Random())
    through = await asyncio.to_thread(ambassador(settings(dev=f"127.0.0.1:{port}")).ready)
    await asyncio.to_thread(through.event, "target_down")
    reader, writer = await asyncio.open_connection("127.0.0.1", through.port)
    writer.write(b"early")
    writer.write_eof()
    while (await asyncio.to_thread(through.status))["listeners"][0]["waiting"] == 0:
        pass  # each look takes its time

    await server(echo, port)
    assert await asyncio.wait_for(reader.read(-1), WAIT_S) == b"early<end>"
    await close(writer)


async def test_a_switch_ends_old_connections_at_the_deadline(ambassador: Make, server: Make) -> None:
    def named(name: bytes) -> Handler:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(name)
            await reader.read(-1)

        return handle

    hosts = {name: await server(named(name.encode())) for name in ("dev", "prod")}
    through = await asyncio.to_thread(ambassador(settings(**hosts)).ready)
    reader, writer = await asyncio.open_connection("127.0.0.1", through.port)
    assert await reader.readexactly(3) == b"dev"
    await asyncio.to_thread(through.command, "switch", "prod")
    new_reader, new_writer = await asyncio.open_connection("127.0.0.1", through.port)
    assert await new_reader.readexactly(4) == b"prod"
    assert await asyncio.wait_for(reader.read(-1), WAIT_S) == b""
    await close(writer)
    await close(new_writer)
