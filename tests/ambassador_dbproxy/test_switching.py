"""A switch of the environment: new connections at once, old sessions at a quiet moment, none in both."""

import asyncio
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from tests.ambassador_dbproxy.waiting import WAIT_S

Make = Callable[..., Any]


@pytest.fixture
def settings(make_cluster: Make, postgres_settings: Make, target: Make) -> dict[str, Any]:
    made: dict[str, Any] = postgres_settings(
        **{name: target(make_cluster("18", name)) for name in ("dev", "test", "prod")}
    )
    return made


def connect(through: Any) -> Any:
    return psycopg.AsyncConnection.connect(f"host=127.0.0.1 port={through.port} user=x dbname=y", autocommit=True)


async def environment(connection: Any) -> str:
    row = await (await connection.execute("SELECT name FROM environment")).fetchone()
    assert row
    return str(row[0])


async def test_idle_sessions_end_and_a_transaction_may_finish(settings: dict[str, Any], ambassador: Make) -> None:
    through = ambassador(settings).ready()
    idle, busy = await connect(through), await connect(through)
    assert [await environment(each) for each in (idle, busy)] == ["dev", "dev"]
    await busy.execute("BEGIN")

    done = await asyncio.to_thread(through.command, "switch", "prod")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "switched from dev to prod; 2 sessions end at their next quiet moment\n"

    with pytest.raises(psycopg.errors.AdminShutdown, match="orders now leads to the environment prod"):
        await idle.execute("SELECT 1")
    assert await environment(busy) == "dev"
    async with await connect(through) as new:
        assert await environment(new) == "prod"
        assert await environment(busy) == "dev"
        await busy.execute("COMMIT")
        with pytest.raises(psycopg.errors.AdminShutdown):
            await busy.execute("SELECT 1")
        assert await environment(new) == "prod"
    await asyncio.gather(idle.close(), busy.close())


async def test_the_deadline_ends_what_is_never_quiet(settings: dict[str, Any], ambassador: Make) -> None:
    through = ambassador({**settings, "switch": {"deadline": "300ms"}}).ready()
    async with await connect(through) as busy:
        await busy.execute("BEGIN")
        await asyncio.to_thread(through.command, "switch", "prod")
        await asyncio.to_thread(through.event, "sessions_cut", sessions=1)
        with pytest.raises(psycopg.errors.AdminShutdown):
            await busy.execute("SELECT 1")


async def test_changed_settings_switch_too(settings: dict[str, Any], ambassador: Make) -> None:
    through = ambassador(settings).ready()
    async with await connect(through) as connection:
        assert await environment(connection) == "dev"
    await asyncio.to_thread(through.reload, environment="prod")
    async with await connect(through) as connection:
        assert await environment(connection) == "prod"
    assert through.event("switched", new="orders/prod")


async def test_held_connections_follow_the_switch(settings: dict[str, Any], ambassador: Make) -> None:
    settings["listeners"][0]["environments"]["dev"]["hosts"] = ["127.0.0.1:1"]
    through = ambassador(settings).ready()
    through.event("target_down")
    held = asyncio.create_task(connect(through))
    while (await asyncio.to_thread(through.status))["listeners"][0]["waiting"] == 0:
        pass  # each look takes its time
    await asyncio.to_thread(through.command, "switch", "prod")
    async with await held as connection:
        assert await environment(connection) == "prod"


async def test_fifty_switches_under_load(settings: dict[str, Any], ambassador: Make) -> None:
    through = ambassador(settings).ready()
    stop, served = asyncio.Event(), asyncio.Event()
    wanted = ""

    async def client() -> None:
        while not stop.is_set():
            connection = await connect(through)
            first = ""
            try:
                while not stop.is_set():
                    now = await environment(connection)
                    assert now == (first := first or now), "a session straddles two environments"
                    if now == wanted:
                        served.set()
            except psycopg.errors.AdminShutdown:
                pass
            finally:
                await connection.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(6):
            group.create_task(client())
        for turn in range(50):
            served.clear()
            wanted = ("test", "prod", "dev")[turn % 3]
            await asyncio.to_thread(_switch, through, wanted)
            await served.wait()
        stop.set()
    assert "connection_refused" not in {each["event"] for each in through.events}


def _switch(through: Any, to: str) -> None:
    import urllib.request

    body = b'{"environment": "%s"}' % to.encode()
    with urllib.request.urlopen(f"http://{through.ops}/environment", body, timeout=WAIT_S) as answer:
        assert answer.status == 200


async def test_an_unknown_environment_changes_nothing(settings: dict[str, Any], ambassador: Make) -> None:
    through = ambassador(settings).ready()
    done = await asyncio.to_thread(through.command, "switch", "staging")
    assert done.returncode == 64
    assert "unknown environment 'staging': listener orders knows dev, prod" in done.stderr
    async with await connect(through) as connection:
        assert await environment(connection) == "dev"
