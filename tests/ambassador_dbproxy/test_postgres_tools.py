"""PostgreSQL's own programs and the rarer corners of the protocol, through the ambassador as they would go directly."""

import asyncio
import hashlib
import json
import os
import signal
import socket
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.ambassador_dbproxy.waiting import WAIT_S

Make = Callable[..., Any]
COPY_MB = int(os.environ.get("DBPROXY_COPY_MB", "50"))
ROW = b"x" * 1000 + b"\n"


@pytest.fixture
def through(postgres_cluster: Any, ambassador: Make, postgres_settings: Make, target: Make) -> Any:
    return ambassador(postgres_settings(dev=target(postgres_cluster))).ready()


def command(cluster: Any, through: Any, program: str, *arguments: str) -> list[str]:
    return [str(cluster.bin / program), "-h", "127.0.0.1", "-p", str(through.port), "-U", "x", *arguments]


def run(command: list[str], stdin: bytes | None = None) -> bytes:
    done = subprocess.run(command, input=stdin, capture_output=True, check=False, env={**os.environ, "PGPASSWORD": "z"})
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_pg_dump_into_psql(postgres_cluster: Any, through: Any) -> None:
    psql = command(postgres_cluster, through, "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", "y")
    run([*psql, "-c", "DROP SCHEMA IF EXISTS a CASCADE; CREATE SCHEMA a; CREATE TABLE a.t AS SELECT n, md5(n::text) AS "
         "sum FROM generate_series(1, 20000) AS n; CREATE INDEX ON a.t (sum)"])  # fmt: skip
    dumped = run(command(postgres_cluster, through, "pg_dump", "--schema=a", "y"))
    run([*psql, "-c", "DROP SCHEMA a CASCADE"])
    run(psql, dumped)
    assert run([*psql, "-c", "SELECT count(*), count(DISTINCT sum), max(n) FROM a.t"]) == b"20000|20000|20000\n"


def test_pg_basebackup(
    postgres_cluster: Any, ambassador: Make, postgres_settings: Make, target: Make, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text("replicator-secret")
    to = target(postgres_cluster, user="replicator", password_file=str(tmp_path / "password"))
    through = ambassador(postgres_settings(dev=to)).ready()
    backup = tmp_path / "backup"
    run(command(postgres_cluster, through, "pg_basebackup", "-D", str(backup), "-X", "stream", "-c", "fast",
                "--manifest-checksums=SHA256"))  # fmt: skip
    assert (backup / "PG_VERSION").read_text().strip() == postgres_cluster.version
    files = json.loads((backup / "backup_manifest").read_text())["Files"]
    assert len(files) > 500
    for file in files:
        assert hashlib.sha256((backup / file["Path"]).read_bytes()).hexdigest() == file["Checksum"], file


def test_interrupting_psql_cancels_its_query(postgres_cluster: Any, through: Any) -> None:
    psql = command(postgres_cluster, through, "psql", "-XAtq", "-d", "y", "-c", "SELECT pg_sleep(60)")
    with subprocess.Popen(psql, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        look = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)' AND state = 'active'"
        while postgres_cluster.sql(look) != "1":  # each look takes its time
            assert running.poll() is None, running.communicate()
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=WAIT_S)
    assert "canceling statement due to user request" in said


def test_copy_of_a_large_volume_in_both_directions(postgres_cluster: Any, through: Any) -> None:
    psql = command(postgres_cluster, through, "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", "y")
    run([*psql, "-c", "DROP TABLE IF EXISTS bulk; CREATE UNLOGGED TABLE bulk (filler text)"])
    rows = COPY_MB * 1_000_000 // len(ROW)
    with subprocess.Popen([*psql, "-c", "COPY bulk FROM STDIN"], stdin=subprocess.PIPE) as copying:
        assert copying.stdin
        for _ in range(rows // 1000):
            copying.stdin.write(ROW * 1000)
        copying.stdin.close()
    assert copying.returncode == 0
    with subprocess.Popen([*psql, "-c", "COPY bulk TO STDOUT"], stdout=subprocess.PIPE) as copying:
        assert copying.stdout
        size = sum(map(len, iter(lambda: copying.stdout.read(1 << 20), b"")))  # type: ignore[union-attr]
    assert copying.returncode == 0
    assert size == rows // 1000 * 1000 * len(ROW)
    run([*psql, "-c", "DROP TABLE bulk"])


async def test_long_cancel_keys_of_protocol_3_2(
    make_cluster: Make, ambassador: Make, postgres_settings: Make, target: Make
) -> None:
    if psycopg.pq.version() < 180000:
        pytest.skip("this libpq speaks no protocol 3.2")
    through = ambassador(postgres_settings(dev=target(make_cluster("18", "dev")))).ready()
    where = f"host=127.0.0.1 port={through.port} user=x dbname=y min_protocol_version=3.2 max_protocol_version=3.2"
    async with await psycopg.AsyncConnection.connect(where, autocommit=True) as connection:
        assert connection.pgconn.full_protocol_version == 30002
        sleeping = asyncio.create_task(connection.execute("SELECT pg_sleep(60)"))
        while not sleeping.done():
            await connection.cancel_safe()
            await asyncio.wait((sleeping,), timeout=0.1)
        with pytest.raises(psycopg.errors.QueryCanceled):
            await sleeping


def startup(version: int = 196608) -> bytes:
    body = struct.pack(">I", version) + b"user\0x\0database\0y\0\0"
    return struct.pack(">I", len(body) + 4) + body


@pytest.mark.parametrize("order", [(80877104, 80877103), (80877103, 80877104)])
def test_gss_and_ssl_requests_are_declined_in_any_order(through: Any, order: tuple[int, int]) -> None:
    with socket.create_connection(("127.0.0.1", through.port), WAIT_S) as sock:
        for code in order:
            sock.sendall(struct.pack(">II", 8, code))
            assert sock.recv(10) == b"N"
        sock.sendall(startup())
        assert sock.recv(1) == b"R"


def test_direct_tls_is_refused_in_words(through: Any) -> None:
    with socket.create_connection(("127.0.0.1", through.port), WAIT_S) as sock:
        sock.sendall(b"\x16\x03\x01\x00\xa5" + b"\1" * 165)
        assert b"direct TLS is not offered" in sock.recv(1000)
    assert through.event("connection_refused", kind="protocol")


@pytest.mark.parametrize("minor", [1, 2, 77, 9999])
def test_minor_versions_are_the_servers_business(postgres_cluster: Any, through: Any, minor: int) -> None:
    with socket.create_connection(("127.0.0.1", through.port), WAIT_S) as sock:
        sock.sendall(startup(3 << 16 | minor))
        answer = sock.recv(1)
    newest = {"15": 0, "18": 2}[postgres_cluster.version]
    assert answer == (b"v" if minor > newest else b"R")


def test_logical_replication_commands_pass(
    postgres_cluster: Any, ambassador: Make, postgres_settings: Make, target: Make, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text("replicator-secret")
    to = target(postgres_cluster, user="replicator", password_file=str(tmp_path / "password"))
    through = ambassador(postgres_settings(dev=to)).ready()
    where = f"host=127.0.0.1 port={through.port} user=x dbname=y replication=database"
    said = run([str(postgres_cluster.bin / "psql"), "-XAt", where, "-c", "IDENTIFY_SYSTEM"])
    assert said.strip().endswith(b"|orders")
