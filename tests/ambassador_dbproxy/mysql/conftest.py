"""Fixtures: real MariaDB servers in directories of their own, stopped by the PID that was started."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pymysql
import pytest

from tests.ambassador_dbproxy.clusters import free_port, server_account

USER, PASSWORD, DATABASE = "app", "correct horse, battery = stäple", "orders"
START_S = 120.0
SERVER, INSTALL = "mariadbd", "mariadb-install-db"


def program(name: str) -> str | None:
    """Where a program of the server is; Debian keeps the daemon outside the PATH of ordinary users."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin")


def missing() -> str | None:
    """The first program that is not on this machine."""
    return next((name for name in (SERVER, INSTALL) if program(name) is None), None)


@dataclass
class MariaDB:
    """One server. `start`, `stop` and `start` again keep its port."""

    name: str
    options: tuple[str, ...] = ()
    directory: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="dbproxy-my-")))
    port: int = 0
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def socket(self) -> str:
        return str(self.directory / "s.sock")

    @property
    def password_file(self) -> Path:
        return self.directory / "app-password"

    def initialise(self, like: "MariaDB | None" = None) -> None:
        """Make the system's tables, or copy those of a server that has never run: that takes a tenth of the time."""
        self.password_file.write_text(PASSWORD + "\n")
        account = server_account("mysql")
        if account:
            shutil.chown(self.directory, account)
        self.directory.chmod(0o755)
        if like is not None:
            subprocess.run(["cp", "-a", like.directory / "data", self.directory], check=True)
            return
        options = [
            "--no-defaults",
            f"--datadir={self.directory / 'data'}",
            f"--tmpdir={self.directory}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--skip-name-resolve",
            "--innodb-log-file-size=4M",
        ]
        done = subprocess.run(
            [str(program(INSTALL)), *options], capture_output=True, text=True, user=account, cwd="/", check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self) -> None:
        for _ in range(5):
            self.port = self.port or free_port()
            with (self.directory / "log").open("ab") as log:
                self.process = subprocess.Popen(
                    [
                        str(program(SERVER)),
                        "--no-defaults",
                        f"--datadir={self.directory / 'data'}",
                        f"--tmpdir={self.directory}",
                        f"--socket={self.socket}",
                        f"--port={self.port}",
                        f"--pid-file={self.directory / 'pid'}",
                        "--bind-address=127.0.0.1",
                        "--skip-name-resolve",
                        "--innodb-flush-log-at-trx-commit=0",
                        "--innodb-buffer-pool-size=16M",
                        "--innodb-log-file-size=4M",
                        "--max-connections=300",
                        "--max-allowed-packet=256M",
                        "--local-infile=1",
                        *self.options,
                    ],
                    stdout=log,
                    stderr=log,
                    user=server_account("mysql"),
                    cwd="/",
                    start_new_session=True,
                )
            if self._wait_until_up():
                return
            self.port = 0  # somebody else was faster to take it
        raise AssertionError((self.directory / "log").read_text())

    def fill(self) -> None:
        self.sql(
            f"CREATE USER {USER}@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'",
            "CREATE USER open@'127.0.0.1'",
            f"CREATE DATABASE {DATABASE}",
            "CREATE DATABASE elsewhere",
            f"GRANT ALL ON {DATABASE}.* TO {USER}@'127.0.0.1'",
            f"GRANT ALL ON elsewhere.* TO {USER}@'127.0.0.1'",
            f"GRANT ALL ON {DATABASE}.* TO open@'127.0.0.1'",
            f"GRANT PROCESS ON *.* TO {USER}@'127.0.0.1'",
            f"CREATE TABLE {DATABASE}.environment AS SELECT '{self.name}' AS name",
        )

    def sql(self, *statements: str) -> list[tuple[object, ...]]:
        """Run SQL as the superuser over the unix socket; the rows of the last statement."""
        connection = pymysql.connect(unix_socket=self.socket, user="root", autocommit=True)
        with connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())

    def stop(self, *, kill: bool = False) -> None:
        if self.process is None:
            return
        if kill:
            self.process.kill()
        else:
            self.process.terminate()
        try:
            self.process.wait(START_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def destroy(self) -> None:
        self.stop(kill=True)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _wait_until_up(self) -> bool:
        assert self.process is not None
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self.process.poll() is None:
            with socket.socket(socket.AF_UNIX) as sock:
                if sock.connect_ex(self.socket) == 0 and sock.recv(1000):
                    return True
            time.sleep(0.05)
        return False


@pytest.fixture(scope="session")
def make_mariadb() -> Iterator[Callable[..., MariaDB]]:
    """`make_mariadb("dev")`: that server, filled; the same one each time, started again if it was stopped."""
    if (name := missing()) is not None:
        pytest.skip(f"{name} is not on this machine")
    pattern = MariaDB("pattern")
    pattern.initialise()
    made: dict[str, MariaDB] = {}

    def make(name: str = "dev", *options: str, prepare: Callable[[MariaDB], tuple[str, ...]] = lambda _: ()) -> MariaDB:
        if name not in made:
            made[name] = new = MariaDB(name, options)
            new.initialise(like=pattern)
            new.options += prepare(new)
            new.start()
            new.fill()
        if made[name].process is None:
            made[name].start()
        return made[name]

    yield make
    for each in (pattern, *made.values()):
        each.destroy()


@pytest.fixture
def server(make_mariadb: Callable[..., MariaDB]) -> MariaDB:
    """The server `dev`."""
    return make_mariadb("dev")


@pytest.fixture
def target() -> Callable[..., dict[str, Any]]:
    """`target(server)`: the settings of an environment that leads to it with its credentials."""

    def make(server: Any, **changes: Any) -> dict[str, Any]:
        settings = {
            "hosts": [server.address],
            "user": USER,
            "password_file": str(server.password_file),
            "database": DATABASE,
            **changes,
        }
        return {name: value for name, value in settings.items() if value is not None}

    return make


@pytest.fixture
def mysql_settings() -> Callable[..., dict[str, Any]]:
    """`mysql_settings(dev=target(...))`: one listener on a free port."""

    def make(limits: dict[str, Any] | None = None, **environments: dict[str, Any]) -> dict[str, Any]:
        listener = {
            "name": "orders",
            "listen": "127.0.0.1:0",
            "protocol": "mysql",
            "environments": environments,
            "limits": limits or {},
        }
        return {"environment": next(iter(environments)), "listeners": [listener]}

    return make


@pytest.fixture
def through(server: MariaDB, ambassador: Any, mysql_settings: Any, target: Any) -> Any:
    """An ambassador that leads to the server `dev` and logs in there."""
    return ambassador(mysql_settings(dev=target(server))).ready()
