"""The ambassador's Redis relay beside HAProxy and nginx: requests per second, and the proxy's CPU for each of them.

redis-benchmark's GET at several numbers of connections, one request at a time and sixteen, directly and through each
proxy in turn. The proxy has one core, the server and redis-benchmark the other one.
"""

import argparse
import contextlib
import csv
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks import command, machine, proxies
from benchmarks.dbproxy import transactions, used
from benchmarks.dbproxy_mysql import like_haproxy
from benchmarks.outcome import Row
from benchmarks.processes import Failed, Pinned, found, on_core, wait_until
from benchmarks.proxies import AMBASSADOR, PASSWORD, USER, Way, Ways, accepts, free_port
from benchmarks.rounds import Contestant, Measured

NAME, ABOUT = "dbproxy-redis", "the database ambassador beside HAProxy and nginx: Redis"
SETUPS = (proxies.HAPROXY, proxies.NGINX)
LOADS = ((1, 1), (8, 1), (50, 1), (1, 16), (8, 16), (50, 16))  # connections, requests in flight on each
QUICK_LOADS = LOADS[::5]
SECONDS = 0.5
PROBE_REQUESTS = 4000
QUICK_REQUESTS = 1000


def main(argv: Sequence[str]) -> int:
    parser = command.parser(NAME, __doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"about how long a run takes; default {SECONDS}")
    return command.run(NAME, ABOUT, parser, measure, argv)


def measure(options: argparse.Namespace) -> command.Found:
    rows: list[Row] = []
    loads = [load for load in (QUICK_LOADS if options.quick else LOADS) if command.chosen(options, work(*load))]
    with tempfile.TemporaryDirectory(prefix="podmates-bench-") as name, _ways(Path(name)) as ways:
        rounds = command.rounds(options)
        for load in loads:
            rows += rounds.play(
                [_contestant(way, load, 0 if options.quick else options.seconds) for way in ways.found.values()]
            )
    demands = [demand for load in loads for demand in like_haproxy(rows, work(*load))]
    return rows, demands, [*ways.peers, *rounds.dropped]


def work(connections: int, in_flight: int) -> str:
    each = f", {in_flight} requests in flight on each" if in_flight > 1 else ""
    return f"GET, {connections} connection{'s' * (connections > 1)}{each}"


def _contestant(way: Way, load: tuple[int, int], seconds: float) -> Contestant:
    """A short run finds out how many requests take `seconds` (0: a few), then those are asked for at each turn."""
    count = QUICK_REQUESTS
    if seconds:
        count = max(PROBE_REQUESTS, int(_requests(way, *load, PROBE_REQUESTS).figures["tps"] * seconds))
    run: Callable[[], Measured] = lambda: _requests(way, *load, count)  # noqa: E731
    return Contestant(work(*load), way.name, run, count, ours=way.name == AMBASSADOR)


def _requests(way: Way, connections: int, in_flight: int, count: int) -> Measured:
    """One redis-benchmark, which waits for the answer to each of its `count` requests."""
    _, other = machine.cores()
    asked = ["redis-benchmark", "-p", str(way.port), "-t", "get", "-n", str(count), "-c", str(connections)]
    asked += ["-P", str(in_flight), "--csv"]
    before = used(way)
    began = time.monotonic()
    done = subprocess.run(on_core(other, asked), capture_output=True, text=True, check=False, timeout=120)
    wall = time.monotonic() - began
    cpu = used(way) - before
    rows = list(csv.DictReader(line for line in done.stdout.splitlines() if line.startswith('"')))
    if done.returncode or not rows or rows[0]["test"] != "GET":
        raise Failed(f"redis-benchmark, {way.name}: {done.stdout[-300:]} {done.stderr[-300:]}")
    figures = transactions(way, max(float(rows[0]["rps"]), count / wall), cpu / count)
    latencies = {"p50_ms": float(rows[0]["p50_latency_ms"]), "p99_ms": float(rows[0]["p99_latency_ms"])}
    return Measured(count, figures | latencies)


@contextlib.contextmanager
def _ways(directory: Path) -> Iterator[Ways]:
    """A server, and what leads to it, each as a process of its own for as long as this lasts."""
    core, other = machine.cores()
    server = found("redis-server", "REDIS_SERVER")
    if server is None or found("redis-benchmark", "REDIS_BENCHMARK") is None:
        raise Failed(
            "redis-server or redis-benchmark is not on this machine (apt-get install redis-server redis-tools)"
        )
    port = free_port()
    (directory / "redis.conf").write_text(
        f'port {port}\nbind 127.0.0.1\nsave ""\ndir {directory}\nuser {USER} on >{PASSWORD} ~* &* +@all\n'
    )
    quiet = {"stdout": subprocess.DEVNULL}
    with contextlib.ExitStack() as stack:
        stack.enter_context(Pinned("redis", [str(server), f"{directory}/redis.conf"], other, directory, **quiet))
        wait_until(lambda: accepts(port), "redis-server listens")
        ways = stack.enter_context(Ways(port, directory, core))
        ways.add_peers(SETUPS)
        ways.add_ambassador("redis")
        yield ways
