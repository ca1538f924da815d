"""Harm on either leg of a Redis session: slices of a byte, latency, resets, silence, and ends without a word."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import pytest
import redis.asyncio
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from tests.ambassador_dbproxy.waiting import WAIT_S, until

Make = Callable[..., Any]


def client(port: int, **options: Any) -> Any:
    """Of one connection, without tries of its own."""
    return redis.asyncio.Redis(port=port, retry=None, single_connection_client=True, decode_responses=True, **options)


async def until_served(port: int) -> None:
    """The first tries may be held for too long, since the server has to be looked at anew."""
    async with asyncio.timeout(WAIT_S):
        while True:
            with contextlib.suppress(RedisConnectionError):
                async with client(port) as one:
                    assert await one.ping()
                    return


async def talk(one: Any) -> None:
    """Replies of several shapes, an error, a transaction, and a message to oneself."""
    await one.set("k", "x" * 3000)
    assert await one.get("k") == "x" * 3000
    assert await one.rpush("l", *range(100)) == 100
    assert len(await one.lrange("l", 0, -1)) == 100
    with pytest.raises(ResponseError):
        await one.incr("k")
    async with one.pipeline(transaction=True) as pipe:
        assert await pipe.delete("k").delete("l").ping().execute() == [1, 1, True]


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize(("slice_bytes", "latency_s"), [(1, 0), (3, 0), (0, 0.01)])
async def test_slices_and_latency_on_both_legs(
    server: Any,
    faults: Any,
    ambassador: Make,
    redis_settings: Make,
    target: Make,
    slice_bytes: int,
    latency_s: float,
    protocol: int,
) -> None:
    async with faults.FaultyProxy(server.address) as behind:
        through = ambassador(redis_settings(dev=target(server, hosts=[behind.address]))).ready()
        async with faults.FaultyProxy(f"127.0.0.1:{through.port}") as before:
            for leg in (behind, before):
                leg.slice_bytes, leg.latency_s = slice_bytes, latency_s
            async with client(before.port, protocol=protocol, username="any", password="any") as one:
                await talk(one)


@pytest.mark.parametrize("reset_after", [0, 1, 4, 20, 1000])
async def test_a_reset_of_the_server_reaches_one_app_and_no_other(
    server: Any, faults: Any, ambassador: Make, redis_settings: Make, target: Make, reset_after: int
) -> None:
    async with faults.FaultyProxy(server.address) as behind:
        settings = redis_settings(limits={"hold": "2s"}, dev=target(server, hosts=[behind.address]))
        through = ambassador({**settings, "health": {"interval": "100ms"}}).ready()
        async with client(through.port) as untouched, client(through.port) as root:
            await untouched.ping()
            await root.set("long", "x" * 2000)
            behind.reset_after = reset_after
            with pytest.raises((RedisConnectionError, ResponseError)):
                async with client(through.port) as one:
                    await one.get("long")
            behind.reset_after = None
            await until_served(through.port)
            assert await untouched.ping()
    assert "bug" not in {each["event"] for each in through.events}


async def test_a_reset_of_the_app_leaves_nothing_behind(server: Any, faults: Any, through: Any, status: Make) -> None:
    async with client(through.port) as root:
        await root.set("long", "x" * 2000)
    async with faults.FaultyProxy(f"127.0.0.1:{through.port}") as before:
        for reset_after in (0, 1, 20, 500):
            before.reset_after = reset_after
            with pytest.raises(RedisConnectionError):
                async with client(before.port) as one:
                    await one.get("long")
    await asyncio.to_thread(until, lambda: not status(through)["sessions"])
    assert "bug" not in {each["event"] for each in through.events}


async def test_a_silent_server_is_left_for_the_next_one(
    server: Any, faults: Any, ambassador: Make, redis_settings: Make, target: Make
) -> None:
    async with faults.FaultyProxy(server.address) as silent:
        silent.blackhole = True
        settings = redis_settings(dev=target(server, hosts=[silent.address, server.address]))
        through = ambassador({**settings, "login_timeout": "2s"}).ready()
        async with client(through.port) as one:
            assert await one.ping()
        assert silent.connections >= 1


async def test_a_server_that_is_gone_without_a_word_is_noticed_by_the_next_command(
    server: Any, faults: Any, ambassador: Make, redis_settings: Make, target: Make, status: Make
) -> None:
    async with faults.FaultyProxy(server.address) as behind:
        through = ambassador(redis_settings(dev=target(server, hosts=[behind.address]))).ready()
        async with client(through.port) as one:
            await one.ping()
            try:
                behind.vanish()
            except PermissionError:
                pytest.skip("leaving a connection half open needs CAP_NET_ADMIN")
            with pytest.raises(RedisConnectionError):
                await one.ping()
        await asyncio.to_thread(until, lambda: not status(through)["sessions"])
        async with client(through.port) as one:
            assert await one.ping()


async def test_an_app_that_logs_in_behind_the_servers_end_is_no_bug(ambassador: Make, redis_settings: Make) -> None:
    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"PING\r\n")
        writer.write(b"*1\r\n$6\r\nmaster\r\n+PONG\r\n")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(leave, "127.0.0.1", 0) as server:
        host = "127.0.0.1:{1}".format(*server.sockets[0].getsockname())
        through = await asyncio.to_thread(ambassador(redis_settings(dev={"hosts": [host], "user": "default"})).ready)
        reader, writer = await asyncio.open_connection("127.0.0.1", through.port)
        assert await reader.read() == b""
        writer.write(b"AUTH x\r\n")
        writer.close()
        await writer.wait_closed()
        assert await asyncio.to_thread(through.stop) == 0
    assert "RuntimeError" not in through.raw
