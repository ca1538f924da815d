"""Passwords are nowhere but in their file: not in logs, status, metrics, the process list, or what an app is told."""

import asyncio
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.ambassador_dbproxy.waiting import WAIT_S

Make = Callable[..., Any]


def everything_said(through: Any) -> str:
    with urllib.request.urlopen(f"http://{through.ops}/metrics", timeout=WAIT_S) as answer:
        metrics = answer.read().decode()
    status = through.command("status").stdout + through.command("status", "--json").stdout
    process = Path(f"/proc/{through.process.pid}")
    listed = (process / "cmdline").read_bytes() + (process / "environ").read_bytes() + (process / "comm").read_bytes()
    return str(through.raw + metrics + status + listed.decode(errors="replace"))


async def test_nothing_secret_is_said_anywhere(
    make_cluster: Make, ambassador: Make, postgres_settings: Make, target: Make, tmp_path: Path
) -> None:
    cluster = make_cluster("18", "dev")
    wrong, clear = tmp_path / "wrong", tmp_path / "clear"
    wrong.write_text("a-wrong-pass")
    clear.write_text("clear-secret")
    through = ambassador(
        postgres_settings(
            dev=target(cluster),
            wrong=target(cluster, password_file=str(wrong)),
            clear=target(cluster, user="clear", password_file=str(clear)),
            own={"hosts": [cluster.address]},
        )
    ).ready()
    told = ""
    for environment in ("dev", "wrong", "clear", "own"):
        await asyncio.to_thread(through.command, "switch", environment)
        where = f"host=127.0.0.1 port={through.port} user=app dbname=orders password=the-apps-pass"
        try:
            async with await psycopg.AsyncConnection.connect(where) as connection:
                await connection.execute("SELECT 'a statement'")
        except psycopg.OperationalError as error:
            told += str(error)
    assert told.count("password authentication failed") == 2  # wrong, own
    said = await asyncio.to_thread(everything_said, through)
    assert "orders" in said
    for secret in (cluster.password, "a-wrong-pass", "clear-secret", "the-apps-pass", "a statement"):
        assert secret not in said + told


@pytest.mark.parametrize("shown", [200, 40], ids=["whole", "cut short"])
async def test_what_a_redis_server_repeats_of_its_login_is_kept_back(
    shown: int, ambassador: Make, tmp_path: Path
) -> None:
    """As servers answer where AUTH is renamed: with what they were given, up to some length."""
    password = "hunter2-is-a-secret-that-is-much-longer-than-what-one-would-remember"
    (tmp_path / "password").write_text(password)

    async def repeat(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"PING\r\n")
        told = f"-ERR unknown command 'AUTH', with args beginning with: 'app' '{password[:shown]}'\r\n".encode()
        writer.write(told + b"*1\r\n$6\r\nmaster\r\n+PONG\r\n")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(repeat, "127.0.0.1", 0) as server:
        host = "127.0.0.1:{1}".format(*server.sockets[0].getsockname())
        target = {"hosts": [host], "user": "app", "password_file": str(tmp_path / "password")}
        listener = {"name": "cache", "listen": "127.0.0.1:0", "protocol": "redis", "environments": {"dev": target}}
        through = await asyncio.to_thread(ambassador({"environment": "dev", "listeners": [listener]}).ready)
        app, writer = await asyncio.open_connection("127.0.0.1", through.port)
        told = (await app.read()).decode()
        writer.close()
        await writer.wait_closed()
        said = await asyncio.to_thread(everything_said, through)
    assert "AUTH was refused" in told
    assert "AUTH was refused" in said
    assert password[:20] not in said + told


async def test_passwords_rotate_under_load(
    make_cluster: Make, ambassador: Make, postgres_settings: Make, target: Make, tmp_path: Path
) -> None:
    """As a mounted Secret is swapped: a symlink to a directory. The file may be ahead of the server, as is usual."""
    cluster = make_cluster("18", "dev")
    cluster.sql("CREATE ROLE rotating LOGIN PASSWORD 'password-0'", "postgres")

    def mount(turn: int) -> None:
        folder = tmp_path / f"..{turn}"
        folder.mkdir()
        (folder / "password").write_text(f"password-{turn}\n")
        (tmp_path / "..new").symlink_to(folder.name)
        (tmp_path / "..new").replace(tmp_path / "..data")

    mount(0)
    (tmp_path / "password").symlink_to("..data/password")
    to = target(cluster, user="rotating", password_file=str(tmp_path / "password"))
    through = ambassador(postgres_settings(dev=to)).ready()
    stop, logins = asyncio.Event(), [0] * 4

    async def client(number: int) -> None:
        while not stop.is_set():
            where = f"host=127.0.0.1 port={through.port} user=x dbname=y"
            async with await psycopg.AsyncConnection.connect(where) as connection:
                await connection.execute("SELECT 1")
            logins[number] += 1

    async with asyncio.TaskGroup() as running:
        for number in range(len(logins)):
            running.create_task(client(number))
        for turn in range(11):
            if turn:
                mount(turn)
                await asyncio.to_thread(cluster.sql, f"ALTER ROLE rotating PASSWORD 'password-{turn}'", "postgres")
            before = list(logins)
            # Nobody rotates twice within one login.
            while any(now < was + 2 for now, was in zip(logins, before, strict=True)):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        stop.set()
    assert "connection_refused" not in {each["event"] for each in through.events}
