"""The database ambassador's MySQL relay beside HAProxy: point-selects per second, and the proxy's CPU for each.

mariadb-slap asks a real MariaDB for single rows by their key, directly and through each proxy in turn. The proxy has
one core, the server and mariadb-slap the other one. Every round takes all in turn.
"""

import argparse
import contextlib
import json
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import machine
from benchmarks.database_proxies import DATABASE, PASSWORD, USER, accepts, free_port
from benchmarks.dbproxy import Run, Workload, table
from benchmarks.processes import Failed, Mate, Pinned, found, wait_until

PROXIES = ("haproxy", "ambassador")
WAYS = ("direct", *PROXIES)
ROWS = 1000
QUERY = "SELECT v FROM points WHERE id = 617"
_HAPROXY = """\
global
  nbthread 1
  maxconn 5000
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
listen mysql
  bind 127.0.0.1:{port}
  server mariadb 127.0.0.1:{server}
"""


def workloads() -> list[Workload]:
    return [Workload(f"point-select c={clients}", (str(clients),), WAYS, "haproxy", 1.1) for clients in (1, 8, 32)]


def main(argv: Sequence[str]) -> int:
    """0 when the ambassador needs at most 1.1 of HAProxy's CPU and is as fast (or quick), 1 when not."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks dbproxy-mysql", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short and once; asserts only that all of them answer")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--queries", type=int, default=40_000, help="of each run")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args(argv)
    rounds, queries = (1, 500) if options.quick else (options.rounds, options.queries)
    rows: list[dict[str, object]] = []
    try:
        with tempfile.TemporaryDirectory(prefix="bench-mysql-") as name, _ways(Path(name)) as ways:
            for workload in workloads():
                runs: dict[str, list[Run]] = {way: [] for way in WAYS}
                for _ in range(rounds):
                    for way, done in runs.items():
                        done.append(_measure(*ways[way], int(workload.arguments[0]), queries))
                text, more = table(workload, runs)
                print(text, flush=True)
                rows += more
    except Failed as error:
        print(error, file=sys.stderr)
        return 1
    if options.json:
        options.json.write_text(json.dumps({"machine": machine.describe(), "rows": rows}, indent=2) + "\n")
    ours = [row for row in rows if row["proxy"] == "ambassador"]
    return int(not options.quick and any(_missed(row) for row in ours))


def _missed(row: dict[str, object]) -> bool:
    return float(str(row["cpu_ratio"])) > 1.1 or float(str(row["tps_ratio"])) < 1.0


def _measure(port: int, proxy: Pinned | None, clients: int, queries: int) -> Run:
    """One mariadb-slap; it says its own seconds, without the time to connect."""
    _, other = machine.cores()
    before = machine.fine_cpu_s(proxy.pid) if proxy else 0.0
    done = subprocess.run(
        ["taskset", "-c", str(other), "mariadb-slap", "--no-defaults", "-h127.0.0.1", f"-P{port}", f"-u{USER}",
         f"-p{PASSWORD}", f"--create-schema={DATABASE}", "--no-drop", f"--query={QUERY}", f"--concurrency={clients}",
         f"--number-of-queries={queries}"],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    used = (machine.fine_cpu_s(proxy.pid) if proxy else 0.0) - before
    seconds = re.search(r"Average number of seconds to run all queries: ([\d.]+)", done.stdout)
    if done.returncode or not seconds:
        raise Failed(f"mariadb-slap: {done.stdout[-300:]} {done.stderr[-300:]}")
    return Run(queries / float(seconds[1]), used / queries * 1e6)


@contextlib.contextmanager
def _ways(directory: Path) -> Iterator[dict[str, tuple[int, Pinned | None]]]:
    """Name → port and process of each way to the server, for as long as this lasts."""
    core, other = machine.cores()
    for program in ("mariadb-install-db", "mariadb-slap", "mariadb", "haproxy"):
        if shutil.which(program) is None:
            raise Failed(f"{program} is not on this machine")
    with contextlib.ExitStack() as stack:
        server = _server(directory, other, stack)
        port = free_port()
        (directory / "haproxy.cfg").write_text(_HAPROXY.format(port=port, server=server))
        haproxy = Pinned("haproxy", ["haproxy", "-db", "-f", f"{directory}/haproxy.cfg"], core, directory)
        stack.enter_context(haproxy)
        wait_until(lambda: accepts(port), "HAProxy listens")
        (directory / "password").write_text(PASSWORD)
        target = {"hosts": [f"127.0.0.1:{server}"], "user": USER, "password_file": f"{directory}/password"}
        listener = {"name": "bench", "listen": "127.0.0.1:0", "protocol": "mysql", "environments": {"dev": target}}
        settings = {"environment": "dev", "listeners": [listener], "ops": {"listen": "127.0.0.1:0"}}
        ours = stack.enter_context(Mate("ambassador_dbproxy", settings, core, directory))
        own_port = int(ours.ready["listeners"]["bench"].rpartition(":")[2])
        yield {"direct": (server, None), "haproxy": (port, haproxy), "ambassador": (own_port, ours)}


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
