"""Hold rather than refuse: what a connection gets while its database is down, and when the login goes wrong."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.ambassador_dbproxy.waiting import until

Make = Callable[..., Any]


def connect(through: Any) -> Any:
    return psycopg.AsyncConnection.connect(f"host=127.0.0.1 port={through.port} user=x dbname=y", autocommit=True)


@pytest.fixture
def cluster(make_cluster: Make) -> Any:
    return make_cluster("18", "restarted")


async def waiting(through: Any, count: int) -> None:
    while (await asyncio.to_thread(through.status))["listeners"][0]["waiting"] != count:
        pass  # each look takes its time


async def test_connections_are_held_until_the_database_is_up(
    cluster: Any, ambassador: Make, postgres_settings: Make, target: Make
) -> None:
    through = ambassador(postgres_settings(limits={"hold": "10m"}, dev=target(cluster))).ready()
    async with await connect(through) as old:
        await asyncio.to_thread(cluster.stop)
        with pytest.raises(psycopg.OperationalError) as caught:
            await old.execute("SELECT 1")
        assert caught.value.sqlstate == "57P01"
    held = [asyncio.create_task(connect(through)) for _ in range(40)]
    await waiting(through, 40)
    assert "down" in through.command("status").stdout
    await asyncio.to_thread(cluster.start)
    for connection in await asyncio.gather(*held):
        assert await (await connection.execute("SELECT name FROM environment")).fetchone() == ("restarted",)
        await connection.close()
    events = [each["event"] for each in through.events]
    assert events.count("target_down") == events.count("target_up") - 1 == 1
    assert "connection_refused" not in events


async def test_past_the_bounds_the_protocols_own_errors(
    cluster: Any, ambassador: Make, postgres_settings: Make, target: Make
) -> None:
    nowhere = {**target(cluster), "hosts": ["127.0.0.1:1"]}
    through = ambassador(postgres_settings(limits={"hold": "5s", "waiting": 2}, dev=nowhere)).ready()
    through.event("target_down")
    began = time.monotonic()
    held = [asyncio.create_task(connect(through)) for _ in range(5)]
    answers = await asyncio.gather(*held, return_exceptions=True)
    assert time.monotonic() - began >= 5
    texts = sorted(str(each).partition("FATAL:")[2].strip() for each in answers)
    assert [text.partition(":")[0] for text in texts] == [
        *["orders/dev is down and 2 connections wait for it"] * 3,
        *["orders/dev is down, waited 5s"] * 2,
    ]
    assert through.event("connection_refused", kind="hold")
    assert through.event("connection_refused", kind="waiting")


async def test_too_many_sessions(cluster: Any, ambassador: Make, postgres_settings: Make, target: Make) -> None:
    through = ambassador(postgres_settings(limits={"connections": 1}, dev=target(cluster))).ready()
    async with await connect(through) as first:
        with pytest.raises(psycopg.OperationalError, match="1 connections are open"):
            await connect(through)
        sleeping = asyncio.create_task(first.execute("SELECT pg_sleep(30)"))
        begun = "SELECT 1 FROM pg_stat_activity WHERE query ~ '^SELECT pg_sl'"
        await asyncio.to_thread(until, lambda: cluster.sql(begun))
        await first.cancel_safe()  # a cancel request is no session: it gets through
        with pytest.raises(psycopg.errors.QueryCanceled):
            await sleeping
    # The server's side of the first one is still closing.
    await asyncio.to_thread(until, lambda: not through.status()["listeners"][0]["sessions"])
    async with await connect(through) as again:
        await again.execute("SELECT 1")


async def test_logins_of_the_apps_own_count_before_they_are_done(
    cluster: Any, ambassador: Make, postgres_settings: Make
) -> None:
    through = ambassador(postgres_settings(limits={"connections": 1}, dev={"hosts": [cluster.address]})).ready()
    reader, writer = await asyncio.open_connection("127.0.0.1", through.port)
    writer.write(b"\0\0\0\x1d\0\3\0\0user\0app\0database\0y\0\0")
    assert await reader.readexactly(1) == b"R"  # the server asks for a password, which does not come
    with pytest.raises(psycopg.OperationalError, match="1 connections are open"):
        await connect(through)
    writer.close()
    await writer.wait_closed()


async def test_what_is_no_postgres_is_refused_in_words_and_looked_at_again(
    ambassador: Make, postgres_settings: Make
) -> None:
    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n" * 9)
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(speak, "127.0.0.1", 0) as server:
        target = {"hosts": [f"127.0.0.1:{server.sockets[0].getsockname()[1]}"], "user": "app"}
        through = ambassador(postgres_settings(dev=target)).ready()
        await asyncio.to_thread(through.event, "target_faulty")
        with pytest.raises(psycopg.OperationalError, match="does not speak PostgreSQL as expected"):
            await connect(through)
        assert "bug" not in {each["event"] for each in through.events}


async def test_a_wrong_password_is_the_servers_verdict_and_one_event(
    cluster: Any, ambassador: Make, postgres_settings: Make, target: Make, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("not-it-at-all")
    through = ambassador(postgres_settings(dev=target(cluster, password_file=str(wrong)))).ready()
    with pytest.raises(psycopg.OperationalError, match='password authentication failed for user "app"') as caught:
        await connect(through)
    assert "orders/dev" in str(caught.value)
    event = through.event("connection_refused", kind="login")
    assert "password authentication failed" in event["reason"]
    assert len([each for each in through.events if each["event"] == "connection_refused"]) == 1
    wrong.write_text(cluster.password)
    async with await connect(through) as connection:  # the file is read anew
        await connection.execute("SELECT 1")
    wrong.unlink()
    async with await connect(through) as connection:  # the last good one stands in
        await connection.execute("SELECT 1")
    assert "not-it-at-all" not in through.raw
    assert cluster.password not in through.raw


async def test_an_unreadable_password_file_is_named(
    cluster: Any, ambassador: Make, postgres_settings: Make, target: Make, tmp_path: Path
) -> None:
    through = ambassador(postgres_settings(dev=target(cluster, password_file=str(tmp_path / "absent")))).ready()
    with pytest.raises(psycopg.OperationalError, match="cannot read the secret"):
        await connect(through)
    assert through.event("password_unreadable")["file"] == str(tmp_path / "absent")
