"""TLS between the app and the ambassador, asked for and direct, and direct TLS to a server (PostgreSQL from 17 on)."""

import asyncio
import contextlib
import shutil
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.ambassador_dbproxy.waiting import WAIT_S

Make = Callable[..., Any]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory, certificates: Any) -> Any:
    return certificates.Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def files(authority: Any) -> dict[str, str]:
    return dict(zip(("cert_file", "key_file"), map(str, authority.issue("local", "localhost")), strict=True))


@pytest.fixture
def cluster(make_cluster: Make) -> Any:
    return make_cluster("18", "dev")


@pytest.fixture
def through(
    cluster: Any, files: dict[str, str], ambassador: Make, postgres_settings: Make, target: Make
) -> Iterator[Any]:
    settings = postgres_settings(dev=target(cluster))
    settings["listeners"][0]["tls"] = files
    return ambassador(settings).ready()


def connect(through: Any, more: str) -> Any:
    where = f"host=localhost hostaddr=127.0.0.1 port={through.port} user=x dbname=y"
    return psycopg.AsyncConnection.connect(f"{where} {more}", autocommit=True)


@pytest.fixture
def direct() -> None:
    if psycopg.pq.version() < 170000:
        pytest.skip("libpq before 17 has no direct TLS")


async def cancel(connection: Any) -> None:
    """Cancel a long query, again until it has begun."""
    sleeping = asyncio.create_task(connection.execute("SELECT pg_sleep(30)"))
    while not sleeping.done():
        await connection.cancel_safe()
        await asyncio.wait((sleeping,), timeout=0.1)
    with pytest.raises(psycopg.errors.QueryCanceled):
        await sleeping


async def use(connection: Any) -> None:
    """Queries, much data, a cancel, and an error."""
    assert connection.pgconn.ssl_in_use
    row = await (await connection.execute("SELECT repeat('x', 1000000)")).fetchone()
    assert len(row[0]) == 1_000_000
    await cancel(connection)


@pytest.mark.parametrize("mode", ["prefer", "require", "verify-full"])
async def test_an_app_that_wants_tls_gets_it(through: Any, authority: Any, mode: str) -> None:
    root = f" sslrootcert={authority.ca_file}" if mode == "verify-full" else ""
    async with await connect(through, f"sslmode={mode}{root}") as connection:
        await use(connection)


async def test_an_app_that_wants_none_needs_none(through: Any) -> None:
    async with await connect(through, "sslmode=disable") as connection:
        assert not connection.pgconn.ssl_in_use
        await connection.execute("SELECT 1")


@pytest.mark.usefixtures("direct")
async def test_an_app_that_begins_with_tls(through: Any, authority: Any) -> None:
    asked = f"sslmode=verify-full sslnegotiation=direct sslrootcert={authority.ca_file}"
    async with await connect(through, asked) as connection:
        await use(connection)


async def test_one_that_begins_with_tls_must_name_the_protocol(through: Any, authority: Any) -> None:
    context = ssl.create_default_context(cafile=authority.ca_file)
    reader, writer = await asyncio.open_connection("127.0.0.1", through.port, ssl=context, server_hostname="localhost")
    assert b"no ALPN" in await reader.read()
    writer.close()


async def test_noise_instead_of_a_handshake_ends_the_connection_and_nothing_else(through: Any) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", through.port)
    writer.write(b"\x16" + bytes(100))
    assert (await reader.read())[:1] in (b"", b"\x15")  # at most an alert
    writer.close()
    # The app's own fault, unlike `tls`, which an alert calls the operator for.
    assert (await asyncio.to_thread(through.event, "connection_refused"))["kind"] == "protocol"
    async with await connect(through, "sslmode=require") as connection:
        await connection.execute("SELECT 1")
    assert "bug" not in {each["event"] for each in through.events}


async def test_the_end_of_a_session_is_told_through_tls(cluster: Any, through: Any) -> None:
    async with await connect(through, "sslmode=require") as connection:
        pid = connection.info.backend_pid
        await asyncio.to_thread(cluster.sql, f"SELECT pg_terminate_backend({pid})")
        with pytest.raises(psycopg.errors.AdminShutdown):
            await connection.execute("SELECT 1")


@contextlib.asynccontextmanager
async def tls_in_front_of(cluster: Any, authority: Any, protocols: list[str]) -> AsyncIterator[int]:
    """A port where TLS begins at once, as at a PostgreSQL from 17 on."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("front", "localhost"))
    context.set_alpn_protocols(protocols)

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while block := await reader.read(65536):
                writer.write(block)
                await writer.drain()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        accepted.append(task)
        there = await asyncio.open_connection("127.0.0.1", cluster.port)
        await asyncio.gather(copy(reader, there[1]), copy(there[0], writer))

    accepted: list[asyncio.Task[None]] = []
    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await asyncio.wait_for(asyncio.gather(*accepted), WAIT_S)


@pytest.fixture
def to(ambassador: Make, postgres_settings: Make, target: Make, cluster: Any, authority: Any) -> Make:
    """`to(port)`: an ambassador that begins with TLS there."""

    def start(port: int) -> Any:
        tls = {"mode": "verify-full", "ca_file": str(authority.ca_file), "negotiation": "direct"}
        return ambassador(postgres_settings(dev=target(cluster, hosts=[f"localhost:{port}"], tls=tls))).ready()

    return start


async def test_a_server_where_tls_begins_at_once(cluster: Any, authority: Any, to: Make) -> None:
    async with (
        tls_in_front_of(cluster, authority, ["postgresql"]) as port,
        await connect(to(port), "sslmode=disable") as connection,
    ):
        await connection.execute("SELECT 1")
        await cancel(connection)


async def test_a_server_that_speaks_something_else_behind_its_tls(cluster: Any, authority: Any, to: Make) -> None:
    async with tls_in_front_of(cluster, authority, ["h2"]) as port:
        with pytest.raises(psycopg.OperationalError, match=r"no ALPN|TLS handshake failed"):
            await connect(to(port), "sslmode=disable")


def test_settings_that_cannot_work(
    ambassador: Make, postgres_settings: Make, cluster: Any, files: dict[str, str], tmp_path: Path
) -> None:
    dev = {"hosts": [cluster.address], "tls": {"mode": "prefer", "negotiation": "direct"}}
    refused = ambassador(postgres_settings(dev=dev))
    assert refused.exit_status() == 64
    assert "leaves no choice" in "\n".join(refused.event("settings_refused")["mistakes"])
    settings = postgres_settings(dev={"hosts": [cluster.address], "tls": {"mode": "require"}})
    settings["listeners"][0]["tls"] = files
    refused = ambassador(settings)
    assert refused.exit_status() == 64
    assert "cannot pass through two TLS sessions" in "\n".join(refused.event("settings_refused")["mistakes"])


def test_a_certificate_that_cannot_be_used_is_told_at_the_start(
    ambassador: Make, postgres_settings: Make, target: Make, cluster: Any, files: dict[str, str], tmp_path: Path
) -> None:
    settings = postgres_settings(dev=target(cluster))
    settings["listeners"][0]["tls"] = {**files, "key_file": str(tmp_path / "absent")}
    refused = ambassador(settings)
    assert refused.exit_status() == 64
    assert "listeners[0].tls" in refused.raw
    assert "No such file" in refused.raw


async def test_a_certificate_that_breaks_later_is_told_once_and_the_old_one_holds(
    ambassador: Make, postgres_settings: Make, target: Make, cluster: Any, files: dict[str, str], tmp_path: Path
) -> None:
    settings = postgres_settings(dev=target(cluster))
    key = tmp_path / "key"
    shutil.copy(files["key_file"], key)
    settings["listeners"][0]["tls"] = {**files, "key_file": str(key)}
    through = ambassador(settings).ready()
    key.write_text("no key")
    for _ in range(2):
        async with await connect(through, "sslmode=require") as connection:
            await connection.execute("SELECT 1")
    told = await asyncio.to_thread(through.event, "tls_files_unusable")
    assert str(key) in told["files"]
    assert await asyncio.to_thread(through.stop) == 0
    assert len([each for each in through.events if each["event"] == "tls_files_unusable"]) == 1
