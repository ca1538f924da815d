"""Servers before PostgreSQL 14, which do not report `in_hot_standby`: they are asked for their role by SQL."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import psycopg
import pytest

Make = Callable[..., Any]


class OlderServer:
    """Stands in front of a server and lets it look older: the report of its role gets a name that means nothing."""

    def __init__(self, port: int) -> None:
        self._to = port
        self.heard = b""
        self._accepted: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "OlderServer":
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._accepted:
            task.cancel()
        await asyncio.gather(*self._accepted, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._accepted.append(task)
        there = await asyncio.open_connection("127.0.0.1", self._to)
        try:
            await asyncio.gather(self._ask(reader, there[1]), self._answer(there[0], writer))
        finally:
            for each in (writer, there[1]):
                each.close()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while block := await reader.read(65536):
            self.heard += block
            writer.write(block)
        with contextlib.suppress(OSError):
            writer.write_eof()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while block := await reader.read(65536):
            writer.write(block.replace(b"in_hot_standby\0", b"an_old_setting\0"))
        with contextlib.suppress(OSError):
            writer.write_eof()


@pytest.fixture
async def older(make_cluster: Make) -> AsyncIterator[OlderServer]:
    async with OlderServer(make_cluster("15", "dev").port) as server:
        yield server


@pytest.fixture
def through(older: OlderServer, make_cluster: Make, ambassador: Make, postgres_settings: Make, target: Make) -> Make:
    """`through(role)`: an ambassador that wants a server of this role."""

    def start(role: str) -> Any:
        dev = target(make_cluster("15", "dev"), hosts=[older.address], role=role)
        return ambassador(postgres_settings(limits={"hold": "500ms"}, dev=dev)).ready()

    return start


def connect(through: Any) -> Any:
    return psycopg.AsyncConnection.connect(f"host=127.0.0.1 port={through.port} user=x dbname=y", autocommit=True)


async def test_it_is_asked_and_the_app_sees_nothing_of_it(older: OlderServer, through: Make) -> None:
    async with await connect(through("primary")) as connection:
        assert older.heard.count(b"pg_is_in_recovery") >= 1
        row = await (await connection.execute("SELECT 'first'")).fetchone()
        assert row == ("first",)
        assert connection.info.parameter_status("an_old_setting") == "off"


async def test_one_of_another_role_is_not_used(through: Make) -> None:
    ambassador = through("replica")
    with pytest.raises(psycopg.OperationalError, match="is a primary, wanted is replica"):
        await connect(ambassador)


async def test_it_is_not_asked_where_no_role_is_wanted(older: OlderServer, through: Make) -> None:
    async with await connect(through("any")) as connection:
        await connection.execute("SELECT 1")
    assert b"pg_is_in_recovery" not in older.heard
