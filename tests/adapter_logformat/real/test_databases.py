"""PostgreSQL, MariaDB and Redis: what they log of things done to them."""

import os
import pwd
import subprocess
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.adapter_logformat.real.servers import Record, Servers, free_port, listens, program, read, wait

POSTGRES_BIN = "/usr/lib/postgresql/15/bin"
QUERY = 'select *\n\tfrom "no such table"\n where a = \'x "y", z\''
LOGS = ("pg.log", "pg.csv", "pg.json")
KEYS = ("user.name", "db.namespace", "db.response.status_code", "db.query.text", "process.pid", "app.application_name")


def account(*names: str) -> str | None:
    """Servers refuse to run as root: the account to run them as then, else None for one's own."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in (*names, "nobody") if name in known)


@pytest.fixture
def cluster(place: Path) -> tuple[Path, str | None]:
    initdb = program("initdb", "postgresql-15", POSTGRES_BIN)
    owner = account("postgres")
    directory = place / "pg"
    directory.mkdir()
    if owner:
        os.chown(directory, pwd.getpwnam(owner).pw_uid, -1)
    command = [initdb, "-D", str(directory / "data"), "-U", "bob", "-A", "trust", "-N", "--locale=C", "-E", "UTF8"]
    subprocess.run(command, check=True, capture_output=True, user=owner, cwd="/")
    return directory, owner


def answers(port: int) -> bool:
    try:
        psycopg.connect(host="127.0.0.1", port=port, user="bob", dbname="postgres").close()
    except psycopg.OperationalError:
        return False
    return True


def work(port: int, directory: Path) -> int:
    """Some things that are logged; the process id of the session that did them."""
    with psycopg.connect(
        host="127.0.0.1", port=port, user="bob", dbname="postgres", application_name="shop"
    ) as session:
        session.autocommit = True
        with pytest.raises(psycopg.errors.UndefinedTable):
            session.execute(QUERY)
        session.execute("create table item (id int primary key)")
        session.execute("insert into item values (7)")
        with pytest.raises(psycopg.errors.UniqueViolation):
            session.execute("insert into item values (7)")
        session.execute("do $$ begin raise warning 'low %', 'stock'; end $$")
        pid = session.info.backend_pid
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(host="127.0.0.1", port=port, user="nobody", dbname="postgres")
    return int(pid)


@pytest.mark.parametrize(
    "prefix", ["%m [%p] %q%u@%d ", "%t [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h ", "%t:%r:%u@%d:[%p]:"]
)
def test_postgres_tells_the_same_in_all_its_formats(
    servers: Servers, cluster: tuple[Path, str | None], prefix: str
) -> None:
    postgres = program("postgres", "postgresql-15", POSTGRES_BIN)
    (directory, owner), port = cluster, free_port()
    options = {
        "port": str(port), "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "logging_collector": "on",
        "log_destination": "stderr,csvlog,jsonlog", "log_directory": "log", "log_filename": "pg.log", "fsync": "off",
        "log_line_prefix": prefix, "log_timezone": "Europe/Berlin", "log_file_mode": "0644", "log_connections": "on",
    }  # fmt: skip
    command = [postgres, "-D", str(directory / "data")]
    command += [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    server = servers.start(command, directory.parent / "out", user=owner, cwd="/")
    wait(lambda: answers(port), (directory.parent / "out").read_text())
    pid = work(port, directory)
    servers.stop(server)
    logs = directory / "data" / "log"
    # The collector is a process of its own, which may end after the server.
    wait(lambda: all(b"database system is shut down" in (logs / name).read_bytes() for name in LOGS))
    plain, table, objects = (
        # The lines of the start differ: the csv and json logs begin when the collector runs.
        [record for record in read(logs / name, "Europe/Berlin") if record["attributes"].get("process.pid") == pid]
        for name in LOGS
    )
    assert {record["log.format"] for record in plain} == {"postgres"}
    assert {record["log.format"] for record in table} == {"postgres_csv"}
    assert {record["log.format"] for record in objects} == {"postgres_json"}
    assert not [record for record in (*plain, *table, *objects) if "parse.error" in record]
    for record in (*plain, *table, *objects):
        assert record["timestamp.assumed"] == "zone" if "timestamp.assumed" in record else True
    missing = [one(records, "no such table") for records in (plain, table, objects)]
    for record in missing:
        assert record["body"].startswith('relation "no such table" does not exist')
        assert (record["severity_text"], record["severity_number"]) == ("ERROR", 17)
        assert record["attributes"]["db.query.text"] == QUERY
        assert (record["attributes"]["user.name"], record["attributes"]["db.namespace"]) == ("bob", "postgres")
    assert missing[1]["timestamp"] == missing[2]["timestamp"]
    assert abs(moment(missing[1]) - moment(missing[0])) < timedelta(seconds=2)  # %t is another clock, and is cut
    for record in missing[1:]:
        assert record["attributes"]["db.response.status_code"] == "42P01"
        assert record["attributes"]["client.address"] == "127.0.0.1"
        assert record["attributes"]["app.application_name"] == "shop"
    for records in (plain, table, objects):
        double = one(records, "duplicate key")
        assert double["attributes"]["app.detail"] == "Key (id)=(7) already exists."
        warning = one(records, "low stock")
        assert (warning["body"], warning["severity_number"]) == ("low stock", 13)
        assert "PL/pgSQL" in warning["attributes"]["app.context"]
    assert [record["body"] for record in table] == [record["body"] for record in objects]
    refused = [one(read(logs / name, "Europe/Berlin"), "nobody") for name in LOGS]
    assert {record["severity_number"] for record in refused} <= {9, 21}


def moment(record: Record, name: str = "timestamp") -> datetime:
    return datetime.fromisoformat(record[name])


def one(records: list[Record], text: str) -> Record:
    return next(record for record in records if text in record.get("body", ""))


def test_mariadb(servers: Servers, place: Path) -> None:
    mariadbd = program("mariadbd", "mariadb-server-core")
    install = program("mariadb-install-db", "mariadb-server-core")
    client = program("mariadb", "mariadb-client")
    owner = account("mysql")
    directory = place / "my"
    directory.mkdir()
    if owner:
        os.chown(directory, pwd.getpwnam(owner).pw_uid, -1)
    subprocess.run(
        [
            install, "--no-defaults", f"--datadir={directory}/data", f"--tmpdir={directory}",
            "--auth-root-authentication-method=normal",
        ],
        check=True, capture_output=True, user=owner, cwd="/",
    )  # fmt: skip
    socket = directory / "s"
    options = [
        "--no-defaults", f"--datadir={directory}/data", f"--socket={socket}", "--skip-networking", "--slow-query-log",
        f"--slow-query-log-file={directory}/slow.log", "--long-query-time=0", f"--log-error={directory}/error.log",
        f"--pid-file={directory}/pid", "--log-warnings=4", f"--tmpdir={directory}",
    ]  # fmt: skip
    server = servers.start([mariadbd, *options], place / "out", user=owner, cwd="/")

    def ask(text: str, *more: str) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(
            [client, "--no-defaults", "-uroot", f"-S{socket}", *more, "-e", text], capture_output=True
        )

    wait(lambda: socket.exists() and ask("select 1").returncode == 0, (place / "out").read_text())
    query = "select 7 as seven,\n  'a # b' as text,\n  sleep(0.02)"
    assert ask(query, "mysql").returncode == 0
    assert ask("select 1", "-pwrong").returncode != 0
    servers.stop(server)
    slow = [record for record in read(directory / "slow.log") if record["log.format"] == "mysql_slow"]
    asked = next(record for record in slow if record["attributes"].get("db.query.text", "").startswith("select 7"))
    told: dict[str, Any] = asked["attributes"]
    assert told["db.query.text"] == query + ";"
    assert (told["user.name"], told["client.address"], told["db.namespace"]) == ("root", "localhost", "mysql")
    assert 0.02 <= told["db.client.operation.duration"] < 60
    assert told["db.response.returned_rows"] == 1
    assert abs(moment(asked) - moment(asked, "observed_timestamp")) < timedelta(days=2)  # the zone is assumed
    errors = read(directory / "error.log")
    ready = next(record for record in errors if "ready for connections" in record["body"])
    assert (ready["log.format"], ready["severity_text"], ready["severity_number"]) == ("mariadb_error", "Note", 9)
    denied = next(record for record in errors if "Access denied" in record["body"])
    assert denied["severity_number"] == 13
    engine = [record for record in errors if record["attributes"].get("otel.scope.name") == "InnoDB"]
    assert engine
    assert not any(record["body"].startswith("InnoDB: ") for record in engine)


def test_redis(servers: Servers, place: Path) -> None:
    redis = program("redis-server", "redis-server")
    port = free_port()
    log = place / "redis.log"
    options = ["--port", str(port), "--bind", "127.0.0.1", "--logfile", str(log), "--dir", str(place), "--loglevel"]
    server = servers.start([redis, *options, "debug"], place / "out")
    wait(lambda: listens(port), (place / "out").read_text())
    wait(lambda: "Accepted" in log.read_text())
    servers.stop(server)
    records = [record for record in read(log) if record["log.format"] == "redis"]
    ready = next(record for record in records if record["body"].startswith("Ready to accept connections"))
    assert (ready["severity_text"], ready["severity_number"], ready["attributes"]) == (
        "*",
        10,
        {"process.pid": server.pid, "app.role": "master"},
    )
    verbose = next(record for record in records if record["body"].startswith("Accepted 127.0.0.1:"))
    assert verbose["severity_number"] == 5
    began = next(record for record in records if "oO0OoO0OoO0Oo Redis is starting" in record["body"])
    assert began["attributes"]["app.role"] == "child"
