"""Harm on either leg: slices of a byte, latency, resets and silence, with a real server behind."""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from ambassador_dbproxy.dial import tune
from tests.ambassador_dbproxy.waiting import WAIT_S, until

Make = Callable[..., Any]


@pytest.fixture
def cluster(make_cluster: Make) -> Any:
    return make_cluster("18", "dev")


def connect(port: int) -> Any:
    return psycopg.AsyncConnection.connect(f"host=127.0.0.1 port={port} user=x dbname=y", autocommit=True)


async def once_it_is_up(port: int) -> Any:
    """A connection; the first tries may be held for too long, since the server has to be looked at anew."""
    async with asyncio.timeout(WAIT_S):
        while True:
            with contextlib.suppress(psycopg.OperationalError):
                return await connect(port)


def sessions(through: Any) -> int:
    return int(through.status()["listeners"][0]["sessions"])


async def empty(through: Any) -> None:
    await asyncio.to_thread(until, lambda: not sessions(through))


async def talk(connection: Any) -> None:
    """Simple and extended queries, an error, COPY in both directions, and a notification."""
    assert await (await connection.execute("SELECT %s || 'b'", ("a",))).fetchone() == ("ab",)
    with pytest.raises(psycopg.errors.DivisionByZero):
        await connection.execute("SELECT 1 / 0")
    await connection.execute("CREATE TEMP TABLE t (n int); LISTEN news")
    async with connection.cursor().copy("COPY t FROM STDIN") as copy:
        await copy.write("1\n2\n3\n")
    async with connection.cursor().copy("COPY t TO STDOUT") as copy:
        assert [row async for row in copy.rows()] == [("1",), ("2",), ("3",)]
    async with connection.transaction():
        await connection.execute("NOTIFY news, 'hello'")
    async for notice in connection.notifies(timeout=WAIT_S, stop_after=1):
        assert notice.payload == "hello"


@pytest.mark.parametrize(("slice_bytes", "latency_s"), [(1, 0), (3, 0), (0, 0.01)])
async def test_slices_and_latency_on_both_legs(
    cluster: Any,
    faults: Any,
    ambassador: Make,
    postgres_settings: Make,
    target: Make,
    slice_bytes: int,
    latency_s: float,
) -> None:
    async with faults.FaultyProxy(cluster.address) as behind:
        through = ambassador(postgres_settings(dev=target(cluster, hosts=[behind.address]))).ready()
        async with faults.FaultyProxy(f"127.0.0.1:{through.port}") as before:
            for leg in (behind, before):
                leg.slice_bytes, leg.latency_s = slice_bytes, latency_s
            async with await connect(before.port) as connection:
                await talk(connection)
                sleeping = asyncio.create_task(connection.execute("SELECT pg_sleep(60)"))
                while not sleeping.done():  # a request that overtakes the query is in vain
                    await connection.cancel_safe(timeout=WAIT_S)
                    await asyncio.wait((sleeping,), timeout=0.1)
                with pytest.raises(psycopg.errors.QueryCanceled):
                    await sleeping


@pytest.mark.parametrize("reset_after", [0, 1, 100, 400, 1000])
async def test_a_reset_of_the_server_reaches_one_app_and_no_other(
    cluster: Any, faults: Any, ambassador: Make, postgres_settings: Make, target: Make, reset_after: int
) -> None:
    async with faults.FaultyProxy(cluster.address) as behind:
        settings = postgres_settings(limits={"hold": "2s"}, dev=target(cluster, hosts=[behind.address]))
        through = ambassador({**settings, "health": {"interval": "100ms"}}).ready()
        async with await connect(through.port) as untouched:
            behind.reset_after = reset_after
            with pytest.raises(psycopg.OperationalError):
                async with await connect(through.port) as connection:
                    await connection.execute("SELECT repeat('x', 2000)")
            behind.reset_after = None
            async with await once_it_is_up(through.port) as connection:
                await connection.execute("SELECT 1")
            assert await asyncio.to_thread(sessions, through) >= 1
            assert not untouched.closed
    assert "bug" not in {each["event"] for each in through.events}


async def test_a_reset_of_the_app_leaves_nothing_behind(
    cluster: Any, faults: Any, ambassador: Make, postgres_settings: Make, target: Make
) -> None:
    through = ambassador(postgres_settings(dev=target(cluster))).ready()
    async with faults.FaultyProxy(f"127.0.0.1:{through.port}") as before:
        for reset_after in (0, 1, 50, 500):
            before.reset_after = reset_after
            with pytest.raises(psycopg.OperationalError):
                async with await connect(before.port) as connection:
                    await connection.execute("SELECT repeat('x', 2000)")
    await empty(through)
    assert "bug" not in {each["event"] for each in through.events}


async def test_a_silent_server_is_left_for_the_next_one(
    cluster: Any, faults: Any, ambassador: Make, postgres_settings: Make, target: Make
) -> None:
    async with faults.FaultyProxy(cluster.address) as silent:
        silent.blackhole = True
        settings = postgres_settings(dev=target(cluster, hosts=[silent.address, cluster.address]))
        through = ambassador({**settings, "login_timeout": "2s"}).ready()
        async with await connect(through.port) as connection:
            await connection.execute("SELECT 1")
        assert silent.connections >= 1


async def test_silence_everywhere_is_an_error_within_the_bounds(
    cluster: Any, faults: Any, ambassador: Make, postgres_settings: Make, target: Make
) -> None:
    async with faults.FaultyProxy(cluster.address) as silent:
        silent.blackhole = True
        settings = postgres_settings(limits={"hold": "1s"}, dev=target(cluster, hosts=[silent.address]))
        through = ambassador({**settings, "login_timeout": "300ms"}).ready()
        with pytest.raises(psycopg.OperationalError, match=r"is down, waited 1s.*took longer than"):
            await connect(through.port)


async def test_a_session_that_falls_silent_is_cut_by_a_switch_only(
    cluster: Any, make_cluster: Make, faults: Any, ambassador: Make, postgres_settings: Make, target: Make
) -> None:
    async with faults.FaultyProxy(cluster.address) as silent:
        other = target(make_cluster("18", "prod"))
        settings = postgres_settings(dev=target(cluster, hosts=[silent.address]), prod=other)
        through = ambassador({**settings, "switch": {"deadline": "200ms"}}).ready()
        async with await connect(through.port) as connection:
            silent.blackhole = True
            asked = asyncio.create_task(connection.execute("SELECT 1"))
            await asyncio.to_thread(through.command, "switch", "prod")
            with pytest.raises(psycopg.errors.AdminShutdown):
                await asked


def vanish(proxy: Any) -> None:
    try:
        proxy.vanish()
    except PermissionError:
        pytest.skip("leaving a connection half open needs CAP_NET_ADMIN")


async def test_a_server_that_is_gone_without_a_word_is_noticed_by_the_next_query(
    cluster: Any, faults: Any, ambassador: Make, postgres_settings: Make, target: Make
) -> None:
    async with faults.FaultyProxy(cluster.address) as behind:
        through = ambassador(postgres_settings(dev=target(cluster, hosts=[behind.address]))).ready()
        connection = await connect(through.port)
        vanish(behind)
        with pytest.raises(psycopg.OperationalError):
            await connection.execute("SELECT 1")
        await connection.close()
        await empty(through)
        async with await connect(through.port) as connection:
            await connection.execute("SELECT 1")


async def test_an_app_that_is_gone_without_a_word_is_noticed_by_its_answer(
    cluster: Any, clusters: Any, faults: Any, ambassador: Make, postgres_settings: Make, target: Make
) -> None:
    through = ambassador(postgres_settings(dev=target(cluster))).ready()
    async with faults.FaultyProxy(f"127.0.0.1:{through.port}") as before:
        connection = await connect(before.port)
        directly = f"host={cluster.directory}/s port={cluster.port} user=postgres dbname={clusters.DATABASE}"
        async with await psycopg.AsyncConnection.connect(directly, autocommit=True) as gate:
            await gate.execute("SELECT pg_advisory_lock(1)")
            asked = asyncio.create_task(connection.execute("SELECT pg_advisory_lock(1), repeat('x', 100000)"))
            waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            await asyncio.to_thread(until, lambda: int(cluster.sql(waiting)))
            vanish(before)
        await empty(through)
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        await connection.close()


def test_silence_is_asked_about_and_has_an_end() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.create_connection(listening.getsockname()) as sock:
        tune(sock)
        options = [socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT]
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert [sock.getsockopt(socket.IPPROTO_TCP, option) for option in options] == [30, 10, 3, 60_000]


async def test_a_storm_while_the_target_is_down(
    cluster: Any, faults: Any, ambassador: Make, postgres_settings: Make, target: Make
) -> None:
    """500 connects at once: one prober upstream, 80 wait, the others hear of it, and those who waited get in."""
    waiting, storm = 80, int(os.environ.get("STORM", "500"))
    refused: list[str] = []
    over_the_bound = asyncio.Event()

    async def try_once() -> int:
        try:
            async with await connect(through.port) as connection:
                row = await (await connection.execute("SELECT 1")).fetchone()
                return int(row[0])
        except psycopg.OperationalError as error:
            refused.append(str(error).partition("FATAL:")[2].strip())
            if len(refused) == storm - waiting:
                over_the_bound.set()
            return 0

    async with faults.FaultyProxy("127.0.0.1:1") as down:
        limits = {"waiting": waiting, "connections": 200, "hold": "10m"}
        settings = postgres_settings(limits=limits, dev=target(cluster, hosts=[down.address]))
        through = ambassador({**settings, "health": {"interval": "200ms"}}).ready()
        await asyncio.to_thread(through.event, "target_down")
        before, began = down.connections, time.monotonic()
        trying = [asyncio.create_task(try_once()) for _ in range(storm)]
        await asyncio.wait_for(over_the_bound.wait(), WAIT_S)
        looks, took = down.connections - before, time.monotonic() - began
        assert [each["event"] for each in through.events].count("target_down") == 1
        down.lead_to(cluster.address)
        served = sum(await asyncio.gather(*trying))
    assert served == waiting
    assert set(refused) == {f"orders/dev is down and {waiting} connections wait for it"}
    assert looks < 3 + took / 0.05, "more than one prober"
