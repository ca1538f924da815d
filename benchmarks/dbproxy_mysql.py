"""The ambassador's MySQL relay beside HAProxy and nginx: point-selects per second, and the proxy's CPU for each.

mariadb-slap asks a real MariaDB for single rows by their key, directly and through each proxy in turn. The proxy has
one core, the server and mariadb-slap the other one. mariadb-slap tells no latencies.
"""

import argparse
import contextlib
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import command, machine, proxies
from benchmarks.dbproxy import transactions, used
from benchmarks.outcome import Demand, Row, beside
from benchmarks.processes import Failed, Pinned, found, on_core, wait_until
from benchmarks.proxies import AMBASSADOR, DATABASE, PASSWORD, USER, Way, Ways, accepts, free_port
from benchmarks.rounds import Contestant, Measured

NAME, ABOUT = "dbproxy-mysql", "the database ambassador beside HAProxy and nginx: MariaDB"
SETUPS = (proxies.HAPROXY, proxies.NGINX)
CLIENTS = (1, 8, 32)
QUERIES = 20_000
QUICK_QUERIES = 400
WARM_UP_QUERIES = 1000
ROWS = 1000
QUERY = "SELECT v FROM points WHERE id = 617"
MOST_CPU_OF_HAPROXY = 1.1


def main(argv: Sequence[str]) -> int:
    parser = command.parser(NAME, __doc__)
    parser.add_argument("--queries", type=int, default=QUERIES, help=f"of each run; default {QUERIES}")
    return command.run(NAME, ABOUT, parser, measure, argv)


def measure(options: argparse.Namespace) -> command.Found:
    queries = QUICK_QUERIES if options.quick else options.queries
    rows: list[Row] = []
    chosen = [(work(clients), clients) for clients in CLIENTS if command.chosen(options, work(clients))]
    with tempfile.TemporaryDirectory(prefix="bench-mysql-") as name, _ways(Path(name)) as ways:
        rounds = command.rounds(options)
        for what, clients in chosen:
            rows += rounds.play([_contestant(what, way, clients, queries) for way in ways.found.values()])
    demands = [demand for what, _ in chosen for demand in like_haproxy(rows, what)]
    return rows, demands, [*ways.peers, *rounds.dropped]


def work(clients: int) -> str:
    return f"point-select, {clients} client{'s' * (clients > 1)}"


def like_haproxy(rows: Sequence[Row], what: str) -> list[Demand]:
    """As fast as HAProxy, for hardly more of its CPU."""
    return [
        *beside(rows, what, AMBASSADOR, "HAProxy", "cpu_us", MOST_CPU_OF_HAPROXY, at_least=False),
        *beside(rows, what, AMBASSADOR, "HAProxy", "tps", 1.0, at_least=True),
    ]


def _contestant(what: str, way: Way, clients: int, queries: int) -> Contestant:
    return Contestant(
        what,
        way.name,
        lambda: _slap(way, clients, queries),
        queries,
        ours=way.name == AMBASSADOR,
        warm_up=lambda: _slap(way, clients, WARM_UP_QUERIES),
    )


def _slap(way: Way, clients: int, queries: int) -> Measured:
    """One mariadb-slap; it says its own seconds, without the time to connect, and fails when a query does."""
    _, other = machine.cores()
    asked = ["mariadb-slap", "--no-defaults", "-h127.0.0.1", f"-P{way.port}", f"-u{USER}", f"-p{PASSWORD}"]
    asked += [f"--create-schema={DATABASE}", "--no-drop", f"--query={QUERY}", f"--concurrency={clients}"]
    asked += [f"--number-of-queries={queries}"]
    before = used(way)
    done = subprocess.run(on_core(other, asked), capture_output=True, text=True, check=False, timeout=300)
    cpu = used(way) - before
    seconds = re.search(r"Average number of seconds to run all queries: ([\d.]+)", done.stdout)
    if done.returncode or not seconds:
        raise Failed(f"mariadb-slap: {done.stdout[-300:]} {done.stderr[-300:]}")
    per_second = queries / max(float(seconds[1]), 0.001)
    return Measured(queries, transactions(way, per_second, cpu / queries))


@contextlib.contextmanager
def _ways(directory: Path) -> Iterator[Ways]:
    """What leads to the server, for as long as this lasts."""
    core, other = machine.cores()
    for program in ("mariadb-install-db", "mariadb-slap", "mariadb"):
        if shutil.which(program) is None:
            raise Failed(f"{program} is not on this machine (apt-get install mariadb-server-core mariadb-client)")
    with contextlib.ExitStack() as stack:
        ways = stack.enter_context(Ways(_server(directory, other, stack), directory, core))
        ways.add_peers(SETUPS)
        ways.add_ambassador("mysql")
        yield ways


def _server(directory: Path, core: int, stack: contextlib.ExitStack) -> int:
    """A MariaDB with the table of points; its port."""
    port, account = free_port(), None
    folder = directory / "mariadb"
    folder.mkdir()
    if os.geteuid() == 0:
        account = "mysql" if "mysql" in {entry.pw_name for entry in pwd.getpwall()} else "nobody"
        directory.chmod(0o755)
        shutil.chown(folder, account)
    options = [f"--datadir={folder}/data", f"--tmpdir={folder}", "--innodb-log-file-size=4M"]
    install = ["mariadb-install-db", "--no-defaults", *options, "--auth-root-authentication-method=normal"]
    done = subprocess.run(install, capture_output=True, text=True, user=account, cwd="/", check=False)
    if done.returncode:
        raise Failed(f"mariadb-install-db: {done.stderr[-500:]}")
    command = [str(found("mariadbd", "MARIADBD") or "/usr/sbin/mariadbd"), "--no-defaults", *options]
    command += [f"--port={port}", f"--socket={folder}/s.sock", "--bind-address=127.0.0.1", "--skip-name-resolve"]
    if account:
        command = ["setpriv", f"--reuid={account}", "--clear-groups", *command]
    stack.enter_context(Pinned("mariadbd", command, core, directory))
    wait_until(lambda: accepts(port), "MariaDB listens")
    rows = ", ".join(f"({n}, 'the value of {n}')" for n in range(ROWS))
    sql = (
        f"CREATE DATABASE {DATABASE}; CREATE USER {USER}@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'; "
        f"GRANT ALL ON {DATABASE}.* TO {USER}@'127.0.0.1'; USE {DATABASE}; "
        f"CREATE TABLE points (id INT PRIMARY KEY, v VARCHAR(40)) ENGINE=InnoDB; INSERT INTO points VALUES {rows}"
    )
    subprocess.run(["mariadb", "--no-defaults", f"-S{folder}/s.sock", "-uroot"], input=sql, text=True, check=True)
    return port
