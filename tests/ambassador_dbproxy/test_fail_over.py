"""Roles with two real servers in streaming replication: found, balanced, checked anew, and changed under load."""

import asyncio
import contextlib
import os
import time
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import asyncpg
import psycopg
import pytest

from tests.ambassador_dbproxy.waiting import WAIT_S, until

Make = Callable[..., Any]
CLIENTS = int(os.environ.get("FAIL_OVER_CLIENTS", "24"))


@pytest.fixture(scope="module")
def make_pair(clusters: Any) -> Iterator[Callable[[], tuple[Any, Any]]]:
    """A primary and its replica, new each time."""
    version = next((each for each in ("15", "18") if clusters.binaries(each)), None)
    if version is None:
        pytest.skip("no PostgreSQL server on this machine")
    made: list[Any] = []

    def make() -> tuple[Any, Any]:
        primary = clusters.Cluster(version, "primary", clusters.binaries(version))
        made.append(primary)
        primary.initialise()
        primary.start()
        primary.fill()
        primary.sql("CREATE TABLE written (n int); GRANT ALL ON written TO PUBLIC")
        made.append(primary.replica("replica"))
        return primary, made[-1]

    yield make
    for cluster in made:
        cluster.destroy()


@pytest.fixture(scope="module")
def pair(make_pair: Callable[[], tuple[Any, Any]]) -> tuple[Any, Any]:
    """One pair for the tests that leave it as it was."""
    return make_pair()


@pytest.fixture
def in_front(ambassador: Make, postgres_settings: Make, target: Make) -> Callable[..., Any]:
    """`in_front(role, *clusters)`: an ambassador that wants this role; further settings by name."""

    def start(role: str, *servers: Any, **settings: Any) -> Any:
        hosts = [each.address for each in servers]
        environment = target(servers[0], hosts=hosts, role=role)
        return ambassador(postgres_settings(limits={"hold": "10m"}, dev=environment) | settings).ready()

    return start


def all_up(through: Any) -> dict[str, Any]:
    """The servers by their address, once all are known to be up, and with that their roles."""
    known: dict[str, Any] = {}

    def look() -> bool:
        known.update({each["host"]: each for each in through.status()["listeners"][0]["servers"]})
        return all(each["health"] == "up" for each in known.values())

    until(look)
    return known


@contextlib.asynccontextmanager
async def connected(through: Any) -> AsyncIterator[Any]:
    where = f"host=127.0.0.1 port={through.port} user=x dbname=y"
    async with await psycopg.AsyncConnection.connect(where, autocommit=True) as connection:
        yield connection


async def port_of(connection: Any) -> int:
    row = await (await connection.execute("SELECT inet_server_port()")).fetchone()
    assert row
    return int(row[0])


@pytest.mark.parametrize("role", ["primary", "replica", "prefer-replica"])
async def test_the_wanted_role_is_found(in_front: Make, pair: tuple[Any, Any], role: str) -> None:
    primary, replica = pair
    through = in_front(role, replica, primary)
    async with connected(through) as connection:
        assert await port_of(connection) == (primary if role == "primary" else replica).port
        servers = await asyncio.to_thread(all_up, through)
        assert servers[primary.address]["role"] == "primary"
        assert servers[replica.address]["role"] == "replica"
        assert sum(each["sessions"] for each in servers.values()) >= 1
        with urllib.request.urlopen(f"http://{through.ops}/metrics", timeout=WAIT_S) as answer:  # noqa: ASYNC210
            metrics = answer.read().decode()
    labels = f'listener="orders",role="replica",server="{replica.address}"'
    assert f"dbproxy_server_role{{{labels}}} 1.0" in metrics
    assert f'dbproxy_server_up{{listener="orders",server="{primary.address}"}} 1.0' in metrics


async def test_prefer_replica_falls_back_to_the_primary(in_front: Make, pair: tuple[Any, Any]) -> None:
    primary, replica = pair
    through = in_front("prefer-replica", replica, primary)
    await asyncio.to_thread(replica.stop)
    try:
        async with connected(through) as connection:
            assert await port_of(connection) == primary.port
    finally:
        await asyncio.to_thread(replica.start)


async def test_replicas_get_connections_by_least_in_use(in_front: Make, pair: tuple[Any, Any]) -> None:
    primary, replica = pair
    second = await asyncio.to_thread(primary.replica, "second")
    try:
        through = in_front("replica", replica, primary, second, health={"interval": "1h"})  # a look is a session too
        await asyncio.to_thread(all_up, through)
        async with contextlib.AsyncExitStack() as stack:
            ports = [await port_of(await stack.enter_async_context(connected(through))) for _ in range(10)]
        assert Counter(ports) == {replica.port: 5, second.port: 5}
    finally:
        await asyncio.to_thread(second.destroy)


async def test_sessions_leave_a_server_that_changed_its_role(in_front: Make, pair: tuple[Any, Any]) -> None:
    replica = await asyncio.to_thread(pair[0].replica, "promoted")
    try:
        through = in_front("replica", replica)
        async with connected(through) as busy, connected(through) as idle:
            await busy.set_autocommit(False)
            await busy.execute("SELECT 1")
            await asyncio.to_thread(replica.promote)
            await asyncio.to_thread(through.event, "role_changed", server=replica.address, role="primary")
            with pytest.raises(psycopg.errors.AdminShutdown, match="is a primary now"):
                await idle.execute("SELECT 1")
            await busy.execute("SELECT 1")  # its transaction may finish
            await busy.commit()
            with pytest.raises(psycopg.OperationalError):
                await busy.execute("SELECT 1")
    finally:
        await asyncio.to_thread(replica.destroy)


class Client:
    """Writes without pause; when its session ends it connects again, once, and goes on."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.ended: list[str] = []  # what ended a session
        self.wrong: list[str] = []  # any other error
        self.served_at = 0.0
        self.writes = 0

    async def connect(self) -> Any:
        return await asyncpg.connect(host="127.0.0.1", port=self.port, user="x", database="y", timeout=600)

    async def run(self, stop: asyncio.Event) -> None:
        connection = await self.connect()
        while not stop.is_set():
            try:
                await connection.execute("INSERT INTO written VALUES (1)")
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
                self.ended.append(repr(error))
                connection.terminate()
                try:
                    connection = await self.connect()
                except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as refused:
                    self.wrong.append(repr(refused))
                    return
                continue
            self.writes += 1
            self.served_at = time.monotonic()
        await connection.close()


async def test_the_primary_dies_under_load(in_front: Make, make_pair: Make) -> None:
    primary, replica = await asyncio.to_thread(make_pair)
    through = in_front("primary", replica, primary)
    stop = asyncio.Event()
    clients = [Client(through.port) for _ in range(CLIENTS)]
    async with asyncio.TaskGroup() as running:
        for client in clients:
            running.create_task(client.run(stop))
        await asyncio.to_thread(until, lambda: all(client.writes > 3 for client in clients))
        await asyncio.to_thread(primary.stop, "immediate")
        await asyncio.to_thread(until, lambda: all(client.ended for client in clients))
        await asyncio.to_thread(replica.promote)
        promoted = time.monotonic()
        before = [client.writes for client in clients]
        await asyncio.to_thread(
            until, lambda: all(it.writes > was or it.wrong for it, was in zip(clients, before, strict=True))
        )
        took = time.monotonic() - promoted
        stop.set()
    assert [client.wrong for client in clients] == [[]] * CLIENTS
    assert [len(client.ended) for client in clients] == [1] * CLIENTS
    print(f"all {CLIENTS} clients were served {took:.2f}s after the promotion")
    assert await asyncio.to_thread(replica.sql, "SELECT inet_server_port() IS NULL AND NOT pg_is_in_recovery()") == "t"
