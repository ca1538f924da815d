"""The ambassador beside HAProxy, nginx and PgBouncer: the same pgbench and COPY through each in turn, its metrics on.

The proxy has one core; PostgreSQL and its client have the other. Compared are transactions per second and the proxies'
own CPU for each, as medians of interleaved rounds; a COPY is also compared with the direct way.
"""

import argparse
import contextlib
import re
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import command, machine, proxies
from benchmarks.outcome import Demand, Row, beside
from benchmarks.postgres_server import Server
from benchmarks.processes import Failed
from benchmarks.proxies import AMBASSADOR, DIRECT, Way, Ways
from benchmarks.rounds import Contestant, Measured

NAME, ABOUT = "dbproxy", "the database ambassador beside HAProxy, nginx and PgBouncer: PostgreSQL"
PLAIN = ("HAProxy", "nginx", "PgBouncer", AMBASSADOR)
TUNED = ("HAProxy tuned", "nginx tuned", "PgBouncer tuned")
TLS = ("PgBouncer over TLS", f"{AMBASSADOR} over TLS")
QUICK_TRANSACTIONS = 20
COPY_BYTES = 100_000_000
QUICK_COPY_BYTES = 1_000_000
COPY_LINE_BYTES = 500
LOOK_EVERY_S = 0.02
LEAST_LOOKS = 5


@dataclass(frozen=True, slots=True)
class Workload:
    """One way of calling pgbench, or a COPY in or out. `most_cpu` is the allowed ratio to the first of `ways`'s CPU
    per transaction; `fastest`: none of `ways` may be faster."""

    name: str
    ways: tuple[str, ...]
    arguments: tuple[str, ...] = ()
    clients: int = 1
    copy: str = ""
    most_cpu: float | None = 1.1
    fastest: bool = True


def workloads(*, quick: bool) -> list[Workload]:
    pairs = [("simple", 1), ("prepared", 8)] if quick else [(m, c) for m in ("simple", "prepared") for c in (1, 8, 32)]
    tuned = () if quick else TUNED
    found = [
        Workload(
            f"{mode}, {_clients(clients)}",
            (*PLAIN, *(tuned if (mode, clients) == ("simple", 8) else ())),
            ("-S", "-M", mode, "-c", str(clients)),
            clients,
        )
        for mode, clients in pairs
    ]
    found.append(Workload("connect for each query, 8 clients", PLAIN, ("-S", "-C", "-c", "8"), 8, "", 1.3, False))
    found += [
        Workload(f"TLS to the server, {_clients(clients)}", TLS, ("-S", "-c", str(clients)), clients)
        for clients in ((8,) if quick else (1, 8))
    ]
    return found + [
        Workload(f"COPY {way}", (DIRECT, *PLAIN, *more), copy=way, most_cpu=None, fastest=False)
        for way, more in (("out", tuned), ("in", ()))
    ]


def _clients(count: int) -> str:
    return f"{count} client{'s' * (count > 1)}"


class Bench:
    """The server, what leads to it, and how much of each work is done."""

    def __init__(self, directory: Path, chosen: Sequence[Workload], wanted: Sequence[str], options: argparse.Namespace):
        core, other = machine.cores()
        self._stack = contextlib.ExitStack()
        self._directory = directory
        self._seconds = 0 if options.quick else options.seconds
        self._lines = (QUICK_COPY_BYTES if options.quick else COPY_BYTES) // COPY_LINE_BYTES
        self.server = self._stack.enter_context(Server(directory, other, 1 if options.quick else 5))
        self.ways = self._stack.enter_context(Ways(self.server.port, directory, core))
        needed = {way for workload in chosen for way in workload.ways if not wanted or way in wanted}
        self.ways.add_peers([setup for setup in proxies.SETUPS if setup.contestant in needed])
        for name, tls in ((AMBASSADOR, False), (f"{AMBASSADOR} over TLS", True)):
            if name in needed:
                self.ways.add_ambassador("postgres", tls=tls)
        if any(workload.copy for workload in chosen):
            self._make_lines()

    def __enter__(self) -> "Bench":
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def contestant(self, workload: Workload, way: Way) -> Contestant:
        warm_up = None if workload.copy else lambda: self._pgbench(workload, way, 0)
        expected = 1
        if workload.copy:
            expected = self._lines
        elif not self._seconds:
            expected = QUICK_TRANSACTIONS // (4 if "-C" in workload.arguments else 1) * workload.clients
        ours = way.name.startswith(AMBASSADOR)
        return Contestant(workload.name, way.name, lambda: self._run(workload, way), expected, ours, warm_up)

    def _run(self, workload: Workload, way: Way) -> Measured:
        return self._copy(workload, way) if workload.copy else self._pgbench(workload, way, self._seconds)

    def _pgbench(self, workload: Workload, way: Way, seconds: int) -> Measured:
        """For so many seconds, or (0) a few transactions. With a time, 1 stands for all that were begun."""
        each = QUICK_TRANSACTIONS // (4 if "-C" in workload.arguments else 1)
        length = ("-T", str(seconds)) if seconds else ("-t", str(each))
        logs = self._directory / "log"
        logs.mkdir(exist_ok=True)
        with Watch(way) as watch:
            arguments = ("-n", "-l", f"--log-prefix={logs}/pgbench", *length, *workload.arguments)
            said = self.server.run_client("pgbench", way.port, *arguments)
        done = re.search(r"transactions actually processed: (\d+)", said)
        speed = re.search(r"^tps = ([\d.]+)", said, re.MULTILINE)
        failed = re.search(r"number of failed transactions: (\d+)", said)
        if not done or not speed:
            raise Failed(f"pgbench: {said[-500:]}")
        arrived = (int(done[1]) if not seconds else 1) - (int(failed[1]) if failed else 0)
        ends, latencies = transaction_log(logs)
        return Measured(arrived, transactions(way, float(speed[1]), watch.cpu_s_each(ends), latencies))

    def _copy(self, workload: Workload, way: Way) -> Measured:
        before = used(way)
        began = time.monotonic()
        if workload.copy == "out":
            lines = self.server.lines_of(way.port, "COPY lines TO STDOUT")
        else:
            steps = ("-Xc", "TRUNCATE taken", "-c", "COPY taken FROM STDIN")
            said = self.server.run_client("psql", way.port, *steps, stdin=self._directory / "lines")
            lines = int(said.rpartition("COPY ")[2])
        wall = time.monotonic() - began
        megabytes = self._lines * COPY_LINE_BYTES / 1e6
        figures = {"mb_per_s": megabytes / wall}
        if way.pid is not None:
            figures |= {"mb_per_cpu_s": megabytes / max(used(way) - before, 0.001), **weight(way)}
        return Measured(lines, figures)

    def _make_lines(self) -> None:
        padding = "x" * (COPY_LINE_BYTES - 10)
        with (self._directory / "lines").open("w") as file:
            file.writelines(f"{number:08d}\t{padding}\n" for number in range(self._lines))
        for table in ("lines", "taken"):
            self.server.sql(f"CREATE UNLOGGED TABLE {table} (number int, padding text)")
            self.server.sql(f"ALTER TABLE {table} OWNER TO {proxies.USER}")
        where = self._directory / "lines"
        self.server.run_client("psql", self.server.port, "-Xqc", "COPY lines FROM STDIN", stdin=where)


def used(way: Way) -> float:
    """CPU-seconds of its process so far."""
    return 0.0 if way.pid is None else machine.fine_cpu_s(way.pid)


def weight(way: Way) -> dict[str, float]:
    if way.pid is None:
        return {}
    return {"idle_mib": way.idle_mib, "peak_mib": machine.memory(way.pid).peak}


def transactions(way: Way, tps: float, cpu_s: float, latencies: Sequence[float] = ()) -> dict[str, float]:
    """The figures of one run; `cpu_s` and `latencies` (ms) are those of one transaction."""
    figures = {"tps": tps}
    if way.pid is not None:
        figures["cpu_us"] = cpu_s * 1e6
    if len(latencies) > 1:
        cuts = statistics.quantiles(latencies, n=100)
        figures |= {"p50_ms": cuts[49], "p99_ms": cuts[98]}
    return figures | weight(way)


class Watch:
    """Looks at the CPU of a way's process all the time, so that what the logins cost can be left out."""

    def __init__(self, way: Way) -> None:
        self._way = way
        self._seen: list[tuple[float, float]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        while True:
            self._seen.append((time.time(), used(self._way)))
            if self._over.wait(LOOK_EVERY_S):
                break
        self._seen.append((time.time(), used(self._way)))

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def cpu_s_each(self, ends: Sequence[float]) -> float:
        """CPU-seconds for each transaction, from the first end to the last; `ends` are times of the clock."""
        within = [(at, cpu) for at, cpu in self._seen if ends[0] <= at <= ends[-1]]
        if len(within) < LEAST_LOOKS:
            within = [self._seen[0], self._seen[-1]]
        (began, before), (ended, after) = within[0], within[-1]
        return (after - before) / max(1, sum(began < at <= ended for at in ends))


def transaction_log(logs: Path) -> tuple[list[float], list[float]]:
    """When each transaction that pgbench logged ended, in order, and the milliseconds each took; the logs are gone
    then."""
    ends: list[float] = []
    latencies: list[float] = []
    for path in logs.iterdir():
        for line in path.read_text().splitlines():
            _, _, took_us, _, second, microsecond = line.split()[:6]
            ends.append(int(second) + int(microsecond) / 1e6)
            latencies.append(int(took_us) / 1000)
        path.unlink()
    return sorted(ends), latencies


def main(argv: Sequence[str]) -> int:
    parser = command.parser(NAME, __doc__)
    parser.add_argument("--seconds", type=int, default=1, help="of each pgbench; default 1")
    parser.add_argument("--proxies", default="", help="only these, separated by commas")
    return command.run(NAME, ABOUT, parser, measure, argv)


def measure(options: argparse.Namespace) -> command.Found:
    chosen = [each for each in workloads(quick=options.quick) if command.chosen(options, each.name)]
    wanted = options.proxies.split(",") if options.proxies else []
    rows: list[Row] = []
    with (
        tempfile.TemporaryDirectory(prefix="bench-dbproxy-") as name,
        Bench(Path(name), chosen, wanted, options) as bench,
    ):
        rounds = command.rounds(options)
        for workload in chosen:
            ways = [bench.ways.found[way] for way in workload.ways if way in bench.ways.found]
            rows += rounds.play([bench.contestant(workload, way) for way in ways])
        peers = [*bench.ways.peers, *rounds.dropped]
    return rows, list(_demands(chosen, rows)), peers


def _demands(chosen: Sequence[Workload], rows: Sequence[Row]) -> Iterator[Demand]:
    for workload in chosen:
        ours = next(way for way in workload.ways if way.startswith(AMBASSADOR))
        theirs = [way for way in workload.ways if way != ours]
        if workload.copy:
            yield from beside(rows, workload.name, ours, DIRECT, "mb_per_s", 0.95, at_least=True)
        if workload.most_cpu is not None:
            yield from beside(rows, workload.name, ours, theirs[0], "cpu_us", workload.most_cpu, at_least=False)
        for way in theirs if workload.fastest else ():
            yield from beside(rows, workload.name, ours, way, "tps", 1.0, at_least=True)
