"""The proxies that stand beside the ambassador: how each is set up in front of one server, and how it is started.

Each has one thread on one core. `tuned` is what their manuals offer for speed: larger buffers, splicing, and for
PgBouncer larger packets taken in longer loops. Their logs of connections are off, the ambassador's metrics are on.
"""

import os
import socket
import string
from dataclasses import dataclass
from pathlib import Path

from benchmarks import machine, peers
from benchmarks.outcome import Peer
from benchmarks.processes import Mate, Pinned, wait_until

AMBASSADOR = "ambassador"
USER, PASSWORD, DATABASE = "app", "a-password", "bench"
_HAPROXY = """\
global
  nbthread 1
  maxconn 5000
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
events { worker_connections 9000; }
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


def peer(setup: Setup, server: int, directory: Path, core: int) -> Way | None:
    """The running peer in front of the port `server`; none if it is not on this machine."""
    program = peers.find(setup.peer)
    if program is None:
        return None
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


def ambassador(
    server: int, directory: Path, core: int, protocol: str, *, tls: bool = False, login: bool = True
) -> Way:  # fmt: skip
    """Ours; `login`: with the credentials of USER, else the client's own pass through."""
    where = directory / f"{AMBASSADOR}{'-tls' * tls}"
    where.mkdir()
    (where / "password").write_text(PASSWORD)
    target: dict[str, object] = {"hosts": [f"127.0.0.1:{server}"]}
    if login:
        target |= {"user": USER, "password_file": f"{where}/password"}
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


def who_ran(setups: tuple[Setup, ...]) -> list[Peer]:
    """The peers of these setups, with their settings or why they did not run."""
    found = []
    for name in dict.fromkeys(setup.peer for setup in setups):
        program = peers.find(name)
        its = {setup.name or "as documented": setup.text for setup in setups if setup.peer == name}
        found.append(peers.missing(name) if program is None else peers.ran(program, its))
    return found


def _listening(way: Way) -> Way:
    assert way.process is not None

    def listens() -> bool:
        assert way.process is not None
        way.process.check()
        return accepts(way.port)

    wait_until(listens, f"{way.name} listens", within_s=20)
    return Way(way.name, way.port, way.process, machine.memory(way.process.pid).resident)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def accepts(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0
