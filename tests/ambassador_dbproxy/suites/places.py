"""Fresh servers for one run of a suite, and an ambassador in front of them where it is wanted."""

import importlib.util
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from catalogue import Place

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[2]))  # what is beside here imports `tests`
WAYS = ("direct", "own login", "injected")
"""Straight to the server; through the ambassador with the app's login passing through; with the ambassador's."""
PASSWORD = "suite-secret"
_LIMITS = {"connections": 400, "waiting": 100}


def _module(path: str) -> Any:
    name = f"suites_{Path(path).stem}_{Path(path).parent.name}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, HERE.parent / path)
        assert spec
        assert spec.loader
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[name]


@contextmanager
def place(protocol: str, way: str) -> Iterator[tuple[Place, Any]]:
    """Where a suite of this protocol finds a fresh database in this way, and the ambassador if there is one."""
    with _SERVERS[protocol](way) as (server, password_file):
        if way == "direct":
            yield server, None
            return
        target: dict[str, Any] = {"hosts": [f"127.0.0.1:{server.port}"]}
        if way == "injected":
            target |= {"user": server.user or "default", "password_file": str(password_file)}
        with tempfile.TemporaryDirectory(prefix="suites-") as directory:
            socket = f"{directory}/s.sock"
            listeners = [
                {
                    "name": name,
                    "listen": listen,
                    "protocol": protocol,
                    "environments": {"dev": target},
                    "limits": _LIMITS,
                }
                for name, listen in (("tcp", "127.0.0.1:0"), ("unix", f"unix://{socket}"))
            ]
            settings = {"environment": "dev", "listeners": listeners}
            ambassador = _module("processes.py").Ambassador(settings, Path(directory))
            try:
                ambassador.ready()
                yield Place(ambassador.port, socket, server.user, server.password), ambassador
            finally:
                ambassador.kill()


@contextmanager
def _postgres(way: str) -> Iterator[tuple[Place, Path]]:
    clusters = _module("clusters.py")
    version = next((each for each in ("15", "16", "17", "18") if clusters.binaries(each) is not None), "18")
    extra = {"wal_level": "logical", "max_prepared_transactions": "20", "max_connections": "200"}
    extra |= {"max_replication_slots": "10", "max_wal_senders": "10"}
    cluster = clusters.Cluster(version, "suites", clusters.binaries(version), password=PASSWORD, extra=extra)
    try:
        cluster.initialise()
        cluster.start()
        cluster.sql(f"ALTER ROLE postgres PASSWORD '{PASSWORD}'", "postgres")
        for database in ("psycopg2_test", "test"):
            cluster.sql(f"CREATE DATABASE {database}", "postgres")
        cluster.sql("CREATE SCHEMA test_schema", "test")
        cluster.sql("CREATE SCHEMA test_schema_2", "test")
        for extension in ("hstore", "citext"):
            cluster.sql(f"CREATE EXTENSION IF NOT EXISTS {extension}", "test")
        cluster.sql("CREATE EXTENSION IF NOT EXISTS hstore", "psycopg2_test")
        yield Place(cluster.port, str(cluster.directory / "s"), "postgres", PASSWORD), cluster.password_file
    finally:
        cluster.destroy()


@contextmanager
def _mysql(way: str) -> Iterator[tuple[Place, Path]]:
    server = _module("mysql/conftest.py").MariaDB("suites")
    try:
        server.initialise()
        server.password_file.write_text(PASSWORD + "\n")
        server.start()
        server.sql(
            f"ALTER USER root@localhost IDENTIFIED BY '{PASSWORD}'",
            f"CREATE OR REPLACE USER root@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'",
            "GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION",
            *(
                f"CREATE DATABASE {name} DEFAULT CHARACTER SET utf8mb4"
                for name in ("test", "test1", "test2", "test_schema", "test_schema_2")
            ),
        )
        yield Place(server.port, server.socket, "root", PASSWORD), server.password_file
    finally:
        server.destroy()


@contextmanager
def _redis(way: str) -> Iterator[tuple[Place, Path]]:
    # Its own tests expect a server without a password; the ambassador's login is what gets them in where it has one.
    password = PASSWORD if way == "injected" else ""
    server = _module("redis/conftest.py").Server("suites", requirepass=password)
    try:
        server.password_file.write_text(PASSWORD + "\n")
        server.start(**{"enable-debug-command": "yes"})
        yield Place(server.port, str(server.directory / "redis.sock"), "", ""), server.password_file
    finally:
        server.destroy()


_SERVERS = {"postgres": _postgres, "mysql": _mysql, "redis": _redis}
