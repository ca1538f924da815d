"""A session through the ambassador is like a direct one, but for the credentials: real servers, real drivers."""

import asyncio
import os
import socket
import struct
import subprocess
from collections.abc import Callable
from typing import Any

import asyncpg
import psycopg
import pytest

from tests.ambassador_dbproxy.waiting import WAIT_S, until

Make = Callable[..., Any]


@pytest.fixture
def through(postgres_cluster: Any, ambassador: Make, postgres_settings: Make, target: Make) -> Any:
    """An ambassador that is ready, in front of the cluster."""
    return ambassador(postgres_settings(dev=target(postgres_cluster))).ready()


def dsn(through: Any, **more: str) -> str:
    parts = {"host": "127.0.0.1", "port": str(through.port), "user": "whoever", "dbname": "whatever", **more}
    return " ".join(f"{name}={value}" for name, value in parts.items())


def psql(cluster: Any, through: Any, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [cluster.bin / "psql", "-XAtq", "-h", "127.0.0.1", "-p", str(through.port), "-U", "x", "-d", "y"]
    return subprocess.run([*map(str, command), *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("password", [None, "wrong"])
async def test_the_app_needs_no_credentials(through: Any, password: str | None) -> None:
    async with await psycopg.AsyncConnection.connect(dsn(through), password=password) as connection:
        row = await (
            await connection.execute("SELECT current_user, current_database(), name FROM environment")
        ).fetchone()
    assert row == ("app", "orders", "dev")


async def test_asyncpg_and_its_prepared_statements(through: Any) -> None:
    connection = await asyncpg.connect(host="127.0.0.1", port=through.port, user="x", database="y", password="z")
    try:
        statement = await connection.prepare("SELECT $1::int + $2::int")
        assert [await statement.fetchval(n, 1) for n in range(20)] == list(range(1, 21))
    finally:
        await connection.close()


async def test_startup_parameters_are_passed_on(through: Any) -> None:
    options = "'-c search_path=pg_catalog,public -c statement_timeout=4321'"
    async with await psycopg.AsyncConnection.connect(
        dsn(through, application_name="shop", options=options)
    ) as connection:
        shown = [
            (await (await connection.execute(f"SHOW {name}")).fetchone())[0]  # type: ignore[index]
            for name in ("application_name", "search_path", "statement_timeout")
        ]
        assert connection.info.parameter_status("application_name") == "shop"
    assert shown == ["shop", "pg_catalog,public", "4321ms"]


async def test_errors_keep_their_sqlstate_and_the_session_goes_on(through: Any) -> None:
    async with await psycopg.AsyncConnection.connect(dsn(through), autocommit=True) as connection:
        with pytest.raises(psycopg.errors.UndefinedTable) as caught:
            await connection.execute("SELECT * FROM nowhere")
        assert caught.value.sqlstate == "42P01"
        assert caught.value.diag.statement_position == "15"
        assert await (await connection.execute("SELECT 1")).fetchone() == (1,)


async def test_a_missing_database_is_the_servers_own_error(
    postgres_cluster: Any, ambassador: Make, postgres_settings: Make, target: Make
) -> None:
    through = ambassador(postgres_settings(dev=target(postgres_cluster, database="absent"))).ready()
    with pytest.raises(psycopg.OperationalError, match='database "absent" does not exist'):
        await psycopg.AsyncConnection.connect(dsn(through))


async def test_a_refused_parameter_comes_with_the_servers_own_hint(through: Any) -> None:
    with pytest.raises(psycopg.OperationalError, match="Available values: debug5"):
        await psycopg.AsyncConnection.connect(dsn(through), options="-c client_min_messages=shouting")


async def test_copy_in_and_out(through: Any) -> None:
    rows = b"".join(b"%d\t%s\n" % (n, b"x" * (n % 500)) for n in range(40_000))
    async with await psycopg.AsyncConnection.connect(dsn(through), autocommit=True) as connection:
        await connection.execute("CREATE TEMP TABLE bulk (id int, filler text)")
        async with connection.cursor().copy("COPY bulk FROM STDIN") as copy:
            for at in range(0, len(rows), 100_000):
                await copy.write(rows[at : at + 100_000])
        came_back = bytearray()
        async with connection.cursor().copy("COPY (SELECT * FROM bulk ORDER BY id) TO STDOUT") as copy:
            async for block in copy:
                came_back += block
    assert bytes(came_back) == rows


async def test_notifications_carry_the_real_pid(through: Any) -> None:
    async with (
        await psycopg.AsyncConnection.connect(dsn(through), autocommit=True) as listening,
        await psycopg.AsyncConnection.connect(dsn(through), autocommit=True) as speaking,
    ):
        await listening.execute("LISTEN news")
        pid = (await (await speaking.execute("SELECT pg_backend_pid()")).fetchone())[0]  # type: ignore[index]
        assert speaking.info.backend_pid == pid
        await speaking.execute("NOTIFY news, 'hello'")
        async for notice in listening.notifies(timeout=WAIT_S, stop_after=1):
            assert (notice.pid, notice.payload) == (pid, "hello")


async def test_cancel_reaches_its_own_session_only(through: Any) -> None:
    async with (
        await psycopg.AsyncConnection.connect(dsn(through), autocommit=True) as one,
        await psycopg.AsyncConnection.connect(dsn(through), autocommit=True) as other,
    ):
        sleeping = [asyncio.create_task(each.execute("SELECT pg_sleep(30)")) for each in (one, other)]
        running = "SELECT count(*) FROM pg_stat_activity WHERE query ~ '^SELECT pg_sleep' AND state = 'active'"
        await asyncio.to_thread(until, lambda: _count(through, running) == 2)
        await one.cancel_safe()
        with pytest.raises(psycopg.errors.QueryCanceled):
            await sleeping[0]
        assert not sleeping[1].done()
        await other.cancel_safe()
        with pytest.raises(psycopg.errors.QueryCanceled):
            await sleeping[1]


async def test_asyncpg_cancels(through: Any) -> None:
    connection = await asyncpg.connect(host="127.0.0.1", port=through.port, user="x", database="y")
    try:
        with pytest.raises(TimeoutError):
            await connection.execute("SELECT pg_sleep(30)", timeout=0.2)
        assert await connection.fetchval("SELECT 1", timeout=WAIT_S) == 1
    finally:
        await connection.close()


def _count(through: Any, query: str) -> int:
    with psycopg.connect(dsn(through)) as connection:
        row = connection.execute(query).fetchone()
    assert row
    return int(row[0])


async def test_an_app_that_dies_in_mid_query_takes_the_query_with_it(through: Any) -> None:
    connection = await psycopg.AsyncConnection.connect(dsn(through), autocommit=True)
    asked = asyncio.create_task(connection.execute("SELECT pg_sleep(30), 'doomed'"))
    running = "SELECT count(*) FROM pg_stat_activity WHERE query ~ '^SELECT pg_sleep.*doomed' AND state = 'active'"
    await asyncio.to_thread(until, lambda: _count(through, running))
    with socket.socket(fileno=os.dup(connection.fileno())) as dying:
        dying.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        await connection.close()
    await asyncio.to_thread(until, lambda: not _count(through, running))


def test_an_app_that_is_killed_in_mid_query_takes_the_query_with_it(postgres_cluster: Any, through: Any) -> None:
    """It leaves no more than an end-of-file, as one that only half closes does."""
    command = [postgres_cluster.bin / "psql", "-Xq", dsn(through), "-c", "SELECT pg_sleep(600), 'killed'"]
    running = "SELECT count(*) FROM pg_stat_activity WHERE query ~ '^SELECT pg_sleep.*killed' AND state = 'active'"
    with subprocess.Popen(command) as app:
        until(lambda: _count(through, running))
        app.kill()
    until(lambda: not _count(through, running))


def test_psql_and_pgbench(postgres_cluster: Any, through: Any) -> None:
    done = psql(postgres_cluster, through, "-c", "SELECT 6 * 7")
    assert (done.stdout, done.stderr) == ("42\n", "")
    bench = [postgres_cluster.bin / "pgbench", "-h", "127.0.0.1", "-p", str(through.port), "-U", "x", "y"]
    for arguments in (
        ["-i", "-q", "-s", "1"],
        ["-S", "-c", "4", "-t", "50", "-M", "prepared"],
        ["-c", "2", "-t", "20", "-C"],
    ):
        done = subprocess.run([*map(str, bench), *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer"])
async def test_encryption_is_declined_politely(through: Any, mode: str) -> None:
    async with await psycopg.AsyncConnection.connect(dsn(through, sslmode=mode)) as connection:
        assert not connection.pgconn.ssl_in_use


async def test_required_encryption_fails_as_at_a_server_without_it(through: Any) -> None:
    with pytest.raises(psycopg.OperationalError, match="server does not support SSL"):
        await psycopg.AsyncConnection.connect(dsn(through, sslmode="require"))


def test_what_an_app_asked_before_its_goodbye_runs_to_its_end(through: Any) -> None:
    startup = struct.pack(">I", 196608) + b"user\0x\0database\0y\0\0"
    query = b"SELECT pg_sleep(0.5); CREATE TABLE asked_before_goodbye ()\0"
    with socket.create_connection(("127.0.0.1", through.port), WAIT_S) as sock:
        sock.sendall(struct.pack(">I", len(startup) + 4) + startup)
        while not sock.recv(65536).endswith(b"Z\0\0\0\5I"):
            pass
        sock.sendall(b"Q" + struct.pack(">I", len(query) + 4) + query + b"X\0\0\0\4")
    until(lambda: _count(through, "SELECT count(*) FROM pg_class WHERE relname = 'asked_before_goodbye'"))


def test_half_close_still_gets_its_answer(through: Any) -> None:
    startup = struct.pack(">I", 196608) + b"user\0x\0database\0y\0\0"
    query = b"Q" + struct.pack(">I", 4 + 14) + b"SELECT 'bye'" + b";\0"
    with socket.create_connection(("127.0.0.1", through.port), WAIT_S) as sock:
        sock.sendall(struct.pack(">I", len(startup) + 4) + startup + query)
        sock.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: sock.recv(65536), b""))
    assert b"bye" in answer
    assert answer.endswith(b"Z\0\0\0\5I")


def test_a_newer_minor_version_is_negotiated_by_the_server(through: Any) -> None:
    startup = struct.pack(">I", 3 << 16 | 9999) + b"user\0x\0database\0y\0_pq_.odd\0on\0\0"
    with socket.create_connection(("127.0.0.1", through.port), WAIT_S) as sock:
        sock.sendall(struct.pack(">I", len(startup) + 4) + startup)
        answer = sock.recv(65536)
    assert answer[:1] == b"v"
    assert b"_pq_.odd" in answer


async def test_without_a_user_the_apps_own_login_passes_through(
    postgres_cluster: Any, ambassador: Make, postgres_settings: Make
) -> None:
    through = ambassador(postgres_settings(dev={"hosts": [postgres_cluster.address]})).ready()
    for user, password in (("app", postgres_cluster.password), ("clear", "clear-secret"), ("hashed", "md5-secret")):
        connection = await asyncpg.connect(
            host="127.0.0.1", port=through.port, user=user, password=password, database="orders"
        )
        assert await connection.fetchval("SELECT current_user") == user
        await connection.close()
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(host="127.0.0.1", port=through.port, user="app", password="no", database="orders")


@pytest.mark.parametrize(("user", "password"), [("clear", "clear-secret"), ("hashed", "md5-secret"), ("open", "")])
async def test_other_methods_of_the_server(
    postgres_cluster: Any,
    ambassador: Make,
    postgres_settings: Make,
    target: Make,
    tmp_path: Any,
    user: str,
    password: str,
) -> None:
    (tmp_path / "password").write_text(password)
    to = target(postgres_cluster, user=user, password_file=str(tmp_path / "password"))
    through = ambassador(postgres_settings(dev=to)).ready()
    async with await psycopg.AsyncConnection.connect(dsn(through)) as connection:
        assert await (await connection.execute("SELECT current_user")).fetchone() == (user,)
    strict = ambassador(postgres_settings(dev={**to, "require_auth": ["scram-sha-256"]})).ready()
    with pytest.raises(psycopg.OperationalError, match="require_auth allows only scram-sha-256"):
        await psycopg.AsyncConnection.connect(dsn(strict))
