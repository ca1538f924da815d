"""Harm on either leg of a MySQL session: slices of a byte, latency, resets, silence, and ends without a word."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import pymysql
import pytest

from tests.ambassador_dbproxy.waiting import WAIT_S, until

Make = Callable[..., Any]


def connect(port: int, **options: Any) -> Any:
    options = {"user": "x", "autocommit": True, "connect_timeout": WAIT_S, "read_timeout": WAIT_S, **options}
    return pymysql.connect(host="127.0.0.1", port=port, **options)


def ask(connection: Any, sql: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def once(port: int, sql: str) -> Any:
    with connect(port) as connection:
        return ask(connection, sql)


def is_served(port: int) -> bool:
    """The first tries may be held for too long, since the server has to be looked at anew."""
    with contextlib.suppress(pymysql.err.MySQLError):
        return bool(once(port, "SELECT 1") == ((1,),))
    return False


def sessions(through: Any) -> int:
    return int(through.status()["listeners"][0]["sessions"])


async def empty(through: Any) -> None:
    await asyncio.to_thread(until, lambda: not sessions(through))


def talk(port: int, **login: Any) -> None:
    """Results of several shapes, an error, rows of many packets, and a prepared statement."""
    with connect(port, **login) as connection:
        assert ask(connection, "SELECT 1, 'a' UNION SELECT 2, NULL") == ((1, "a"), (2, None))
        with pytest.raises(pymysql.ProgrammingError):
            ask(connection, "SELECT * FROM absent")
        ask(connection, "CREATE TEMPORARY TABLE t (n INT)")
        ask(connection, "INSERT INTO t VALUES " + ", ".join(f"({n})" for n in range(200)))
        assert len(ask(connection, "SELECT * FROM t")) == 200
        ask(connection, "PREPARE p FROM 'SELECT ?'")
        assert ask(connection, "EXECUTE p USING 7") == ((7,),)
        assert len(ask(connection, "SELECT REPEAT('x', 3000)")[0][0]) == 3000


@pytest.mark.parametrize("own_login", [False, True], ids=["injected", "own login"])
@pytest.mark.parametrize(("slice_bytes", "latency_s"), [(1, 0), (3, 0), (0, 0.01)])
async def test_slices_and_latency_on_both_legs(
    server: Any,
    faults: Any,
    ambassador: Make,
    mysql_settings: Make,
    target: Make,
    slice_bytes: int,
    latency_s: float,
    own_login: bool,
) -> None:
    login = {"user": "open", "database": "orders"} if own_login else {"user": "x"}
    async with faults.FaultyProxy(server.address) as behind:
        dev = target(server, hosts=[behind.address])
        through = ambassador(mysql_settings(dev={"hosts": dev["hosts"]} if own_login else dev)).ready()
        async with faults.FaultyProxy(f"127.0.0.1:{through.port}") as before:
            for leg in (behind, before):
                leg.slice_bytes, leg.latency_s = slice_bytes, latency_s
            await asyncio.to_thread(talk, before.port, **login)


@pytest.mark.parametrize("reset_after", [0, 1, 60, 110, 200, 1000])
async def test_a_reset_of_the_server_reaches_one_app_and_no_other(
    server: Any, faults: Any, ambassador: Make, mysql_settings: Make, target: Make, reset_after: int
) -> None:
    async with faults.FaultyProxy(server.address) as behind:
        settings = mysql_settings(limits={"hold": "2s"}, dev=target(server, hosts=[behind.address]))
        through = ambassador({**settings, "health": {"interval": "100ms"}}).ready()
        with await asyncio.to_thread(connect, through.port) as untouched:
            behind.reset_after = reset_after
            with pytest.raises(pymysql.err.MySQLError):
                await asyncio.to_thread(once, through.port, "SELECT REPEAT('x', 2000)")
            behind.reset_after = None
            await asyncio.to_thread(until, lambda: is_served(through.port))
            assert await asyncio.to_thread(sessions, through) >= 1
            assert await asyncio.to_thread(ask, untouched, "SELECT 1") == ((1,),)
    assert "bug" not in {each["event"] for each in through.events}


async def test_a_reset_of_the_app_leaves_nothing_behind(
    server: Any, faults: Any, ambassador: Make, mysql_settings: Make, target: Make
) -> None:
    through = ambassador(mysql_settings(dev=target(server))).ready()
    async with faults.FaultyProxy(f"127.0.0.1:{through.port}") as before:
        for reset_after in (0, 1, 60, 110, 500):
            before.reset_after = reset_after
            with pytest.raises(pymysql.err.MySQLError):
                await asyncio.to_thread(once, before.port, "SELECT REPEAT('x', 2000)")
    await empty(through)
    assert "bug" not in {each["event"] for each in through.events}


async def test_a_silent_server_is_left_for_the_next_one(
    server: Any, faults: Any, ambassador: Make, mysql_settings: Make, target: Make
) -> None:
    async with faults.FaultyProxy(server.address) as silent:
        silent.blackhole = True
        settings = mysql_settings(dev=target(server, hosts=[silent.address, server.address]))
        through = ambassador({**settings, "login_timeout": "2s"}).ready()
        assert await asyncio.to_thread(once, through.port, "SELECT 1") == ((1,),)
        assert silent.connections >= 1


async def test_a_server_that_is_gone_without_a_word_is_noticed_by_the_next_query(
    server: Any, faults: Any, ambassador: Make, mysql_settings: Make, target: Make
) -> None:
    async with faults.FaultyProxy(server.address) as behind:
        through = ambassador(mysql_settings(dev=target(server, hosts=[behind.address]))).ready()
        with await asyncio.to_thread(connect, through.port) as connection:
            try:
                behind.vanish()
            except PermissionError:
                pytest.skip("leaving a connection half open needs CAP_NET_ADMIN")
            with pytest.raises(pymysql.err.MySQLError):
                await asyncio.to_thread(ask, connection, "SELECT 1")
        await empty(through)
        assert await asyncio.to_thread(once, through.port, "SELECT 1") == ((1,),)
