"""The proxies that stand beside the ambassador, each with one thread on one core, and the server behind them all."""

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

from benchmarks.processes import Mate, Pinned, wait_until

USER, PASSWORD, DATABASE = "app", "a-password", "bench"
BINARIES = Path("/usr/lib/postgresql/15/bin")


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def accepts(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


class Server:
    """PostgreSQL 15 on its own core with pgbench's tables, asking for scram-sha-256, with and without TLS."""

    def __init__(self, directory: Path, core: int) -> None:
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
        self.run_client("pgbench", self.port, "-i", "-q", "-s", "5")

    def sql(self, statement: str, database: str = DATABASE) -> None:
        where = ["-h", self._sockets, "-p", str(self.port), "-U", "postgres", "-d", database]
        self._run("psql", *where, "-Xqc", statement)

    def run_client(self, program: str, port: int, *arguments: str, core: int | None = None) -> str:
        """pgbench or psql against a port; what it wrote."""
        command = [str(BINARIES / program), "-h", "127.0.0.1", "-p", str(port), "-U", USER, *arguments, DATABASE]
        if core is not None:
            command = ["taskset", "-c", str(core), *command]
        environ = {**os.environ, "PGPASSWORD": PASSWORD, "PGSSLMODE": "disable"}
        done = subprocess.run(command, capture_output=True, text=True, env=environ, check=False)
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stderr}")
        return done.stdout

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(BINARIES / program), *arguments], check=True, capture_output=True, user=self._account, cwd="/"
        )


def _haproxy(server: Server, port: int, directory: Path, core: int) -> Pinned:
    (directory / "haproxy.cfg").write_text(f"""\
global
  nbthread 1
  maxconn 5000
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
listen db
  bind 127.0.0.1:{port}
  server pg 127.0.0.1:{server.port}
""")
    return Pinned("haproxy", ["haproxy", "-db", "-f", str(directory / "haproxy.cfg")], core, directory)


def _nginx(server: Server, port: int, directory: Path, core: int) -> Pinned:
    module = "/usr/lib/nginx/modules/ngx_stream_module.so"
    load = f"load_module {module};" if Path(module).exists() else ""
    (directory / "nginx.conf").write_text(f"""\
{load}
daemon off; master_process off; pid {directory}/nginx.pid; error_log {directory}/nginx.log;
events {{ worker_connections 6000; }}
stream {{ server {{ listen 127.0.0.1:{port}; proxy_pass 127.0.0.1:{server.port}; proxy_timeout 1h; }} }}
""")
    return Pinned("nginx", ["nginx", "-c", str(directory / "nginx.conf")], core, directory)


def _pgbouncer(tls: bool) -> "Start":
    def start(server: Server, port: int, directory: Path, core: int) -> Pinned:
        users = directory / "users.txt"
        users.write_text(f'"{USER}" "{PASSWORD}"\n')
        ini = directory / f"pgbouncer{'-tls' * tls}.ini"
        ini.write_text(f"""\
[databases]
{DATABASE} = host=127.0.0.1 port={server.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
auth_type = scram-sha-256
auth_file = {users}
pool_mode = session
max_client_conn = 5000
default_pool_size = 250
unix_socket_dir =
server_tls_sslmode = {"require" if tls else "disable"}
log_connections = 0
log_disconnections = 0
ignore_startup_parameters = extra_float_digits
""")
        account = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        command = ["pgbouncer", "-q", "-u", account, str(ini)] if os.geteuid() == 0 else ["pgbouncer", "-q", str(ini)]
        for file in (users, ini):
            file.chmod(0o644)
        return Pinned(f"pgbouncer{'-tls' * tls}", command, core, directory)

    return start


def _ambassador(tls: bool) -> "Start":
    def start(server: Server, port: int, directory: Path, core: int) -> Pinned:
        password = directory / "password"
        password.write_text(PASSWORD)
        target = {
            "hosts": [f"127.0.0.1:{server.port}"],
            "user": USER,
            "password_file": str(password),
            "database": DATABASE,
            "tls": {"mode": "require" if tls else "disable"},
        }
        listener = {
            "name": "bench", "listen": f"127.0.0.1:{port}", "protocol": "postgres", "environments": {"dev": target},
            "limits": {"connections": 5000},
        }  # fmt: skip
        settings = {"environment": "dev", "listeners": [listener], "ops": {"listen": "127.0.0.1:0"}}
        where = directory / f"ambassador{'-tls' * tls}"
        where.mkdir()
        return Mate("ambassador_dbproxy", settings, core, where)

    return start


Start = Callable[[Server, int, Path, int], Pinned]
PROXIES: dict[str, tuple[str, Start]] = {
    "haproxy": ("haproxy", _haproxy),
    "nginx": ("nginx", _nginx),
    "pgbouncer": ("pgbouncer", _pgbouncer(tls=False)),
    "ambassador": ("", _ambassador(tls=False)),
    "pgbouncer+tls": ("pgbouncer", _pgbouncer(tls=True)),
    "ambassador+tls": ("", _ambassador(tls=True)),
}
"""Name → the program it needs, if it is none of ours, and how it is started."""


def start(name: str, server: Server, directory: Path, core: int) -> tuple[Pinned, int] | None:
    """The running proxy and its port; None if it is not on this machine."""
    program, begin = PROXIES[name]
    if program and not shutil.which(program):
        return None
    port = free_port()
    proxy = begin(server, port, directory, core)

    def listens() -> bool:
        proxy.check()
        return accepts(port)

    wait_until(listens, f"{name} listens", within_s=10)
    return proxy, port
