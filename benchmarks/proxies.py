"""The proxies that stand beside the ambassador: how each is set up in front of one server, and how it is started.

Each has one thread on one core. `tuned` is what their manuals offer for speed: larger buffers, splicing, and for
PgBouncer larger packets taken in longer loops. Their logs of connections are off, the ambassador's metrics are on.
"""

import contextlib
import os
import random
import socket
import string
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks import machine, peers
from benchmarks.outcome import Peer
from benchmarks.processes import Failed, Mate, Pinned, wait_until
from podmates import ports

AMBASSADOR, DIRECT = "ambassador", "direct"
USER, PASSWORD, DATABASE = "app", "a-password", "bench"
_HAPROXY = """\
global
  nbthread 1
  maxconn 2500
$globals
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
$options
listen database
  bind 127.0.0.1:$port
  server database 127.0.0.1:$server
"""
_NGINX = """\
$module
daemon off; master_process off; pid $directory/nginx.pid; error_log $directory/nginx.log;
events { worker_connections 5000; }
stream {
  server { listen 127.0.0.1:$port; proxy_pass 127.0.0.1:$server; proxy_timeout 1h; $options }
}
"""
_PGBOUNCER = """\
[databases]
bench = host=127.0.0.1 port=$server
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $port
auth_type = scram-sha-256
auth_file = $directory/users.txt
pool_mode = session
max_client_conn = 5000
default_pool_size = 250
unix_socket_dir =
server_tls_sslmode = $tls
log_connections = 0
log_disconnections = 0
ignore_startup_parameters = extra_float_digits
$options
"""
_NGINX_MODULE = Path("/usr/lib/nginx/modules/ngx_stream_module.so")


@dataclass(frozen=True, slots=True)
class Setup:
    """One way to run a peer; what is not yet known when it is written are $names in `text`."""

    peer: str
    name: str
    text: str
    file: str
    arguments: tuple[str, ...]
    tls: bool = False

    @property
    def contestant(self) -> str:
        return f"{self.peer} {self.name}" if self.name else self.peer


def _filled(text: str, **values: str) -> str:
    return "\n".join(line for line in string.Template(text).safe_substitute(values).split("\n") if line.strip()) + "\n"


def _haproxy(name: str, more_globals: str, options: str) -> Setup:
    text = _filled(_HAPROXY, globals=more_globals, options=options)
    return Setup("HAProxy", name, text, "haproxy.cfg", ("-db", "-f", "$directory/haproxy.cfg"))


def _nginx(name: str, options: str) -> Setup:
    module = f"load_module {_NGINX_MODULE};" if _NGINX_MODULE.exists() else ""
    text = _filled(_NGINX, module=module, options=options)
    return Setup("nginx", name, text, "nginx.conf", ("-c", "$directory/nginx.conf"))


def _pgbouncer(name: str, options: str, *, tls: bool) -> Setup:
    text = _filled(_PGBOUNCER, tls="require" if tls else "disable", options=options)
    account = ("-u", "postgres") if os.geteuid() == 0 else ()
    return Setup("PgBouncer", name, text, "pgbouncer.ini", ("-q", *account, "$directory/pgbouncer.ini"), tls)


HAPROXY = _haproxy("", "", "")
HAPROXY_TUNED = _haproxy("tuned", "  tune.bufsize 65536", "  option splice-auto")
NGINX = _nginx("", "")
NGINX_TUNED = _nginx("tuned", "proxy_buffer_size 64k; tcp_nodelay on;")
PGBOUNCER = _pgbouncer("", "", tls=False)
PGBOUNCER_TUNED = _pgbouncer("tuned", "pkt_buf = 65536\nsbuf_loopcnt = 20", tls=False)
PGBOUNCER_TLS = _pgbouncer("over TLS", "", tls=True)
SETUPS = (HAPROXY, HAPROXY_TUNED, NGINX, NGINX_TUNED, PGBOUNCER, PGBOUNCER_TUNED, PGBOUNCER_TLS)


@dataclass(frozen=True, slots=True)
class Way:
    """How a client gets to the server: a port, and whose CPU it costs (none: directly)."""

    name: str
    port: int
    process: Pinned | None = None
    idle_mib: float = 0.0

    @property
    def pid(self) -> int | None:
        return None if self.process is None else self.process.pid


class Ways:
    """What leads to one server, for as long as this lasts; peers that are missing or do not start are named."""

    def __init__(self, server: int, directory: Path, core: int) -> None:
        self.found: dict[str, Way] = {DIRECT: Way(DIRECT, server)}
        self.peers: list[Peer] = []
        self._server = server
        self._directory = directory
        self._core = core
        self._running = contextlib.ExitStack()

    def add_peers(self, setups: Sequence[Setup]) -> None:
        for name in dict.fromkeys(setup.peer for setup in setups):
            program = peers.find(name)
            if program is None:
                self.peers.append(peers.missing(name))
                continue
            started: dict[str, str] = {}
            for setup in (setup for setup in setups if setup.peer == name):
                try:
                    self._add(_start(setup, program, self._server, self._directory, self._core))
                    started[setup.name or "as documented"] = setup.text
                except Failed as error:
                    self.peers.append(Peer(setup.contestant, why_not=" ".join(str(error).split())[:300]))
            if started:
                self.peers.append(peers.ran(program, started))

    def add_ambassador(self, protocol: str, *, tls: bool = False) -> None:
        self._add(ambassador(self._server, self._directory, self._core, protocol, tls=tls))

    def _add(self, way: Way) -> None:
        assert way.process is not None
        self._running.enter_context(way.process)
        self.found[way.name] = way

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()


def _start(setup: Setup, program: peers.Program, server: int, directory: Path, core: int) -> Way:
    port = free_port()
    where = directory / setup.contestant.replace(" ", "-")
    where.mkdir()
    where.chmod(0o755)
    values = {"directory": str(where), "port": str(port), "server": str(server)}
    files = {setup.file: string.Template(setup.text).substitute(values), "users.txt": f'"{USER}" "{PASSWORD}"\n'}
    for name, text in files.items():
        (where / name).write_text(text)
        (where / name).chmod(0o644)
    arguments = [string.Template(argument).substitute(values) for argument in setup.arguments]
    return _listening(Way(setup.contestant, port, Pinned(setup.contestant, program.command(*arguments), core, where)))


def ambassador(server: int, directory: Path, core: int, protocol: str, *, tls: bool = False) -> Way:
    """Ours, with the credentials of USER."""
    where = directory / f"{AMBASSADOR}{'-tls' * tls}"
    where.mkdir()
    (where / "password").write_text(PASSWORD)
    target: dict[str, object] = {"hosts": [f"127.0.0.1:{server}"], "user": USER, "password_file": f"{where}/password"}
    if protocol == "postgres":
        target |= {"database": DATABASE, "tls": {"mode": "require" if tls else "disable"}}
    listener = {
        "name": "bench",
        "listen": "127.0.0.1:0",
        "protocol": protocol,
        "environments": {"dev": target},
        "limits": {"connections": 10000},
    }
    settings = {"environment": "dev", "listeners": [listener], "ops": {"listen": "127.0.0.1:0"}}
    mate = Mate("ambassador_dbproxy", settings, core, where)
    port = int(mate.ready["listeners"]["bench"].rpartition(":")[2])
    return _listening(Way(f"{AMBASSADOR}{' over TLS' * tls}", port, mate))


def _listening(way: Way) -> Way:
    assert way.process is not None

    def listens() -> bool:
        assert way.process is not None
        way.process.check()
        return accepts(way.port)

    try:
        wait_until(listens, f"{way.name} listens", within_s=20)
    except Failed:
        way.process.stop()
        raise
    return Way(way.name, way.port, way.process, machine.memory(way.process.pid).resident)


def free_port() -> int:
    return ports.free_port(random.Random())


def accepts(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0
