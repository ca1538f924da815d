"""The database ambassador's Redis relay beside HAProxy: requests per second, and the proxy's CPU for each of them.

redis-benchmark's GET at several numbers of connections, one request at a time and sixteen, directly and through each
proxy in turn. The proxy has one core, the server and redis-benchmark the other one. Every round takes all in turn.
"""

import argparse
import contextlib
import csv
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import machine
from benchmarks.processes import ROOT, Failed, Mate, Pinned, found, wait_until

LOADS = ((1, 1), (8, 1), (50, 1), (1, 16), (8, 16), (50, 16))  # connections, requests in flight on each
CPU_OF_HAPROXY = 1.1
_HAPROXY = """\
global
  nbthread 1
  log /dev/null local0
defaults
  mode tcp
  maxconn 5000
  timeout connect 5s
  timeout client 1h
  timeout server 1h
listen redis
  bind 127.0.0.1:{port}
  server redis 127.0.0.1:{server}
"""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of redis-benchmark."""

    requests_per_s: float
    cpu_us: float
    """The proxy's, for each request."""


@dataclass(slots=True)
class Cell:
    """All runs of one way at one load."""

    runs: list[Run] = field(default_factory=list)

    @property
    def requests_per_s(self) -> float:
        return statistics.median(run.requests_per_s for run in self.runs)

    @property
    def cpu_us(self) -> float:
        return statistics.median(run.cpu_us for run in self.runs)


@dataclass(frozen=True, slots=True)
class Way:
    """How redis-benchmark gets to the server: a port, and whose CPU it costs."""

    name: str
    port: int
    pid: int | None


class Missing(Exception):
    """A program is not on this machine."""


def main(argv: Sequence[str]) -> int:
    """0 when the ambassador reaches HAProxy's speed for at most CPU_OF_HAPROXY of its CPU (or quick), 1 when not."""
    options = _parser().parse_args(argv)
    rounds, seconds = (1, 0.1) if options.quick else (options.rounds, options.seconds)
    loads = LOADS[::5] if options.quick else LOADS
    table: dict[tuple[int, int], dict[str, Cell]] = {}
    try:
        with tempfile.TemporaryDirectory(prefix="podmates-bench-") as name, _ways(Path(name)) as ways:
            for turn in range(rounds):
                for load in loads:
                    for way in ways:
                        run = _measure(way, *load, seconds)
                        table.setdefault(load, {}).setdefault(way.name, Cell()).runs.append(run)
                print(f"round {turn + 1}/{rounds}", file=sys.stderr)
    except (Failed, Missing) as error:
        print(error, file=sys.stderr)
        return 1
    print(_text(table))
    if options.quick:
        return 0
    options.results.mkdir(parents=True, exist_ok=True)
    facts = {"machine": machine.describe(), "rounds": rounds, "loads": _facts(table)}
    (options.results / "dbproxy_redis.json").write_text(json.dumps(facts, indent=1) + "\n")
    return int(any(_missed(cells) for cells in table.values()))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks dbproxy-redis", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short and once; asserts only that all of them answer")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="about how long one run takes")
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks/results", help="where the JSON goes")
    return parser


@contextlib.contextmanager
def _ways(directory: Path) -> Iterator[list[Way]]:
    """A server, and what leads to it, each as a process of its own for as long as this lasts."""
    core, other = machine.cores()
    server, haproxy = _program("redis-server"), _program("haproxy")
    _program("redis-benchmark")
    ports = _free_ports(2)
    password = directory / "password"
    password.write_text("secret")
    (directory / "redis.conf").write_text(
        f'port {ports[0]}\nbind 127.0.0.1\nsave ""\ndir {directory}\nuser app on >secret ~* &* +@all\n'
    )
    (directory / "haproxy.cfg").write_text(_HAPROXY.format(port=ports[1], server=ports[0]))
    target = {"hosts": [f"127.0.0.1:{ports[0]}"], "user": "app", "password_file": str(password)}
    listener = {"name": "redis", "listen": "127.0.0.1:0", "protocol": "redis", "environments": {"bench": target}}
    settings = {"environment": "bench", "listeners": [listener], "ops": {"listen": "127.0.0.1:0"}}
    quiet = {"stdout": subprocess.DEVNULL}
    with contextlib.ExitStack() as stack:
        stack.enter_context(Pinned("redis", [str(server), f"{directory}/redis.conf"], other, directory, **quiet))
        wait_until(lambda: _listens(ports[0]), "redis-server listens")
        peer = Pinned("haproxy", [str(haproxy), "-db", "-f", f"{directory}/haproxy.cfg"], core, directory)
        stack.enter_context(peer)
        wait_until(lambda: _listens(ports[1]), "haproxy listens")
        ours = Mate("ambassador_dbproxy", settings, core, directory)
        stack.enter_context(ours)
        port = int(ours.ready["listeners"]["redis"].rpartition(":")[2])
        yield [
            Way("direct", ports[0], None),
            Way("haproxy", ports[1], peer.pid),
            Way("ambassador", port, ours.pid),
        ]


def _measure(way: Way, connections: int, in_flight: int, seconds: float) -> Run:
    """A short run to find out how many requests take `seconds`, then those."""
    probe, _ = _requests(way, connections, in_flight, 4000)
    count = max(4000, int(probe * seconds))
    before = machine.fine_cpu_s(way.pid) if way.pid else 0.0
    speed, done = _requests(way, connections, in_flight, count)
    after = machine.fine_cpu_s(way.pid) if way.pid else 0.0
    return Run(speed, (after - before) / done * 1e6)


def _requests(way: Way, connections: int, in_flight: int, count: int) -> tuple[float, int]:
    """Requests per second, and how many they were."""
    _, other = machine.cores()
    command = ["redis-benchmark", "-p", str(way.port), "-t", "get", "-n", str(count), "-c", str(connections)]
    command += ["-P", str(in_flight), "--csv"]
    began = time.monotonic()
    done = subprocess.run(
        ["taskset", "-c", str(other), *command], capture_output=True, text=True, check=False, timeout=120
    )
    rows = [row for row in csv.reader(done.stdout.splitlines()) if row and row[0] == "GET"]
    if done.returncode or not rows:
        raise Failed(f"redis-benchmark, {way.name}: {done.stdout[-300:]} {done.stderr[-300:]}")
    return max(float(rows[0][1]), count / (time.monotonic() - began)), count


def _text(table: dict[tuple[int, int], dict[str, Cell]]) -> str:
    lines = ["| connections, n in flight | direct | HAProxy | ambassador | CPU µs: HAProxy | ambassador | ratio |  |"]
    lines.append("|---|---|---|---|---|---|---|---|")
    for (connections, in_flight), cells in table.items():
        direct, peer, ours = (cells[name] for name in ("direct", "haproxy", "ambassador"))
        lines.append(
            f"| {connections}, {in_flight} | {direct.requests_per_s:,.0f} | {peer.requests_per_s:,.0f} "
            f"| {ours.requests_per_s:,.0f} | {peer.cpu_us:.2f} | {ours.cpu_us:.2f} | {ours.cpu_us / peer.cpu_us:.2f} "
            f"| {'MISSED' if _missed(cells) else ''} |"
        )
    return "\n".join(lines)


def _missed(cells: dict[str, Cell]) -> bool:
    peer, ours = cells["haproxy"], cells["ambassador"]
    return ours.cpu_us > CPU_OF_HAPROXY * peer.cpu_us or ours.requests_per_s < peer.requests_per_s


def _facts(table: dict[tuple[int, int], dict[str, Cell]]) -> list[dict[str, object]]:
    return [
        {
            "connections": connections,
            "in_flight": in_flight,
            **{
                name: {"requests_per_s": round(cell.requests_per_s), "cpu_us": round(cell.cpu_us, 3)}
                for name, cell in cells.items()
            },
        }
        for (connections, in_flight), cells in table.items()
    ]


def _program(name: str) -> Path:
    program = found(name, name.upper().replace("-", "_"))
    if program is None:
        raise Missing(f"{name} is not on this machine")
    return program


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(socket.socket()) for _ in range(count)]
        for sock in socks:
            sock.bind(("127.0.0.1", 0))
        return [int(sock.getsockname()[1]) for sock in socks]


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
