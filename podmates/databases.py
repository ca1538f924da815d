"""Three real PostgreSQL clusters (dev, test, prod), each with its own user, password and database.

One directory is initialised and copied, then the servers start side by side. They listen on loopback, ask for
scram-sha-256, and hold one table that tells the environments apart and one for the app to read.
"""

import asyncio
import os
import random
import secrets
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from podmates.account import Account
from podmates.child import Child, Facts
from podmates.demo_database import contents
from podmates.launcher import Launcher, run_to_end
from podmates.ports import free_port
from podmates.postgres_binaries import Binaries

ENVIRONMENTS = ("dev", "test", "prod")
SUPERUSER = "postgres"
HOST = "127.0.0.1"
ENVIRON = {"PATH": os.defpath, "LC_ALL": "C"}

OPTIONS = contents.OPTIONS | {"listen_addresses": HOST}


@dataclass(frozen=True)
class Database:
    """How the ambassador reaches the database of one environment."""

    environment: str
    port: int
    user: str
    password: str
    name: str
    host: str = HOST


@dataclass(frozen=True)
class Cluster:
    """A running server and the database in it."""

    database: Database
    server: Child


class DatabaseFailed(Exception):
    """A PostgreSQL program ended with an error; the text is its own."""


async def start_all(launcher: Launcher, binaries: Binaries, directory: Path, choose: random.Random) -> list[Cluster]:
    """Make, start and fill one cluster per environment below `directory`, which must be new."""
    _own_directory(directory, binaries.account)
    superuser_password = secrets.token_urlsafe(18)
    first, *others = [directory / environment for environment in ENVIRONMENTS]
    await _initialise(binaries, first, superuser_password)
    for other in others:
        await _run(["cp", "-a", first, other], binaries.account)
    databases = [
        Database(
            environment, free_port(choose), f"orders_{environment}", secrets.token_urlsafe(18), f"shop_{environment}"
        )
        for environment in ENVIRONMENTS
    ]
    async with asyncio.TaskGroup() as starting:
        started = [
            starting.create_task(_start(launcher, binaries, directory, database, superuser_password))
            for database in databases
        ]
    return [start.result() for start in started]


def _own_directory(directory: Path, account: Account | None) -> None:
    directory.mkdir(mode=0o700)
    if account:
        os.chown(directory, account.uid, account.gid)


async def _initialise(binaries: Binaries, cluster: Path, superuser_password: str) -> None:
    password_file = cluster.with_suffix(".password")
    password_file.write_text(superuser_password)
    if binaries.account:
        os.chown(password_file, binaries.account.uid, binaries.account.gid)
    initdb: list[str | Path] = [binaries.bin / "initdb", "--pgdata", cluster, "--username", SUPERUSER]
    initdb += ["--auth", "scram-sha-256", f"--pwfile={password_file}", "--encoding=UTF8", "--locale=C"]
    # Small WAL segments: the directory is copied twice.
    await _run([*initdb, "--wal-segsize=1", "--no-sync", "--no-instructions"], binaries.account)
    password_file.unlink()


async def _start(
    launcher: Launcher,
    binaries: Binaries,
    directory: Path,
    database: Database,
    superuser_password: str,
) -> Cluster:
    settings = [f"--{name}={value}" for name, value in {**OPTIONS, "port": str(database.port)}.items()]
    server = await launcher.program(
        f"postgres-{database.environment}",
        [binaries.bin / "postgres", "-D", directory / database.environment, *settings],
        environ=ENVIRON,
        is_ready=accepts_connections,
        account=binaries.account,
        last_resort=signal.SIGQUIT,  # at once, but its own children end with it
    )
    await server.ready()
    await _fill(database, superuser_password)
    return Cluster(database, server)


def accepts_connections(line: str) -> Facts | None:
    """Whether this is the line by which PostgreSQL says that it is up."""
    return {} if "database system is ready to accept connections" in line else None


async def _fill(database: Database, superuser_password: str) -> None:
    admin = await _connect(database, SUPERUSER, superuser_password, "postgres")
    try:
        for statement in contents.bootstrap(database.user, database.password, database.name):
            await admin.execute(statement)
    finally:
        await admin.close()
    owner = await _connect(database, database.user, database.password, database.name)
    try:
        for statement in contents.tables(database.user, database.environment):
            await owner.execute(statement)
    finally:
        await owner.close()


async def _connect(database: Database, user: str, password: str, name: str) -> asyncpg.Connection:
    return await asyncpg.connect(
        host=database.host, port=database.port, user=user, password=password, database=name, ssl=False, timeout=10
    )


async def _run(command: Sequence[str | Path], account: Account | None) -> None:
    status, said = await run_to_end(command, environ=ENVIRON, account=account)
    if status:
        raise DatabaseFailed(f"{Path(command[0]).name} ended with status {status}: {said}")
