"""The PostgreSQL server behind the proxies, and its own clients: pgbench and psql, on the same core as it."""

import os
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.processes import Failed, Pinned, on_core, wait_until
from benchmarks.proxies import DATABASE, PASSWORD, USER, free_port

BINARIES = Path("/usr/lib/postgresql/15/bin")


class Server:
    """PostgreSQL 15 on its own core with pgbench's tables, asking for scram-sha-256, with and without TLS."""

    def __init__(self, directory: Path, core: int, scale: int) -> None:
        if not (BINARIES / "pgbench").exists():
            raise Failed("PostgreSQL 15 is not on this machine (apt-get install postgresql)")
        self._core = core
        self.port = free_port()
        self._account = "postgres" if os.geteuid() == 0 else None
        data = directory / "pg"
        data.mkdir()
        if self._account:
            directory.chmod(0o755)
            shutil.chown(data, self._account)
        self._run("initdb", "-D", str(data), "-U", "postgres", "-A", "trust", "-N", "--locale=C")
        (data / "pg_hba.conf").write_text(f"local all postgres trust\nhost all {USER} 127.0.0.1/32 scram-sha-256\n")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "9",
             "-keyout", data / "server.key", "-out", data / "server.crt", "-subj", "/CN=localhost"],
            check=True, capture_output=True,
        )  # fmt: skip
        (data / "server.key").chmod(0o600)
        for name in ("server.key", "server.crt"):
            if self._account:
                shutil.chown(data / name, self._account)
        settings = {
            "port": self.port, "unix_socket_directories": data, "fsync": "off", "max_connections": 300, "ssl": "on",
            "shared_buffers": "256MB",
        }  # fmt: skip
        command = [str(BINARIES / "postgres"), "-D", str(data)]
        command += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        if self._account:
            group = f"--regid={self._account}"
            command = ["setpriv", f"--reuid={self._account}", group, "--init-groups", *command]
        self.process = Pinned("postgres", command, core, directory)
        self._sockets = str(data)
        ready = [str(BINARIES / "pg_isready"), "-q", "-h", self._sockets, "-p", str(self.port)]
        wait_until(lambda: subprocess.run(ready, check=False).returncode == 0, "PostgreSQL takes logins")
        self.sql(f"CREATE ROLE {USER} LOGIN SUPERUSER PASSWORD '{PASSWORD}'", "postgres")
        self.sql(f"CREATE DATABASE {DATABASE} OWNER {USER}", "postgres")
        self.run_client("pgbench", self.port, "-i", "-q", "-s", str(scale))

    def sql(self, statement: str, database: str = DATABASE) -> None:
        where = ["-h", self._sockets, "-p", str(self.port), "-U", "postgres", "-d", database]
        self._run("psql", *where, "-Xqc", statement)

    def run_client(self, program: str, port: int, *arguments: str, stdin: Path | None = None) -> str:
        """pgbench or psql against a port; what it wrote."""
        command = on_core(self._core, client(program, port, *arguments))
        with (stdin or Path(os.devnull)).open("rb") as source:
            done = subprocess.run(command, capture_output=True, text=True, env=_environ(), check=False, stdin=source)
        if done.returncode:
            raise Failed(f"{program}: {done.stderr}")
        return done.stdout

    def lines_of(self, port: int, query: str) -> int:
        """How many lines psql writes, counted while they come."""
        psql = on_core(self._core, client("psql", port, "-Xqc", query))
        with subprocess.Popen(psql, stdout=subprocess.PIPE, env=_environ()) as writing:
            wc = on_core(self._core, ["wc", "-l"])
            counted = subprocess.run(wc, stdin=writing.stdout, capture_output=True, check=True)
        return int(counted.stdout)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(BINARIES / program), *arguments], check=True, capture_output=True, user=self._account, cwd="/"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.stop()


def client(program: str, port: int, *arguments: str) -> list[str]:
    return [str(BINARIES / program), "-h", "127.0.0.1", "-p", str(port), "-U", USER, *arguments, DATABASE]


def _environ() -> dict[str, str]:
    return {**os.environ, "PGPASSWORD": PASSWORD, "PGSSLMODE": "disable"}
