"""The ambassador beside HAProxy, nginx and PgBouncer: the same pgbench through each in turn, its metrics on.

Compared are the proxies' own CPU times per transaction and what arrives per second, as medians of interleaved rounds.
"""

import argparse
import json
import re
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import machine
from benchmarks.database_proxies import PROXIES, Server, start
from benchmarks.processes import Pinned

PLAIN = ("haproxy", "nginx", "pgbouncer", "ambassador")
TLS = ("pgbouncer+tls", "ambassador+tls")


@dataclass(frozen=True, slots=True)
class Workload:
    """One way of calling pgbench; `limit` is the allowed ratio of CPU per transaction to the yardstick."""

    name: str
    arguments: tuple[str, ...]
    proxies: tuple[str, ...]
    yardstick: str
    limit: float


def workloads() -> list[Workload]:
    found = [
        Workload(f"{mode} c={clients}", ("-S", "-M", mode, "-c", str(clients)), PLAIN, "haproxy", 1.1)
        for mode in ("simple", "prepared")
        for clients in (1, 8, 32)
    ]
    found.append(Workload("connect c=8", ("-S", "-C", "-c", "8"), PLAIN, "haproxy", 1.3))
    found += [Workload(f"tls c={clients}", ("-S", "-c", str(clients)), TLS, "pgbouncer+tls", 1.1) for clients in (1, 8)]
    return found


@dataclass(frozen=True, slots=True)
class Run:
    """One pgbench: transactions per second, and CPU microseconds of the proxy per transaction."""

    tps: float
    cpu_us: float


def measure(server: Server, proxy: Pinned, port: int, workload: Workload, seconds: int, core: int) -> Run:
    before = machine.fine_cpu_s(proxy.pid)
    said = server.run_client("pgbench", port, "-n", "-T", str(seconds), *workload.arguments, core=core)
    used = machine.fine_cpu_s(proxy.pid) - before
    done = re.search(r"transactions actually processed: (\d+)", said)
    speed = re.search(r"tps = ([\d.]+)", said)
    assert done
    assert speed
    return Run(float(speed[1]), used / int(done[1]) * 1e6)


def table(workload: Workload, runs: dict[str, list[Run]]) -> tuple[str, list[dict[str, object]]]:
    """For people, and for machines."""
    middle = {
        name: Run(statistics.median(r.tps for r in each), statistics.median(r.cpu_us for r in each))
        for name, each in runs.items()
        if each
    }
    yardstick = middle.get(workload.yardstick)
    lines = [f"{workload.name:<22} {'tps':>9} {'CPU us':>8} {'tps':>7} {'CPU':>7}"]
    rows: list[dict[str, object]] = []
    for name, run in middle.items():
        speed = cpu = None
        if yardstick:
            speed, cpu = run.tps / yardstick.tps, run.cpu_us / yardstick.cpu_us
        missed = name.startswith("ambassador") and cpu is not None and cpu > workload.limit
        rows.append({"workload": workload.name, "proxy": name, **asdict(run), "tps_ratio": speed, "cpu_ratio": cpu})
        ratios = f"{speed:>6.2f}x {cpu:>6.2f}x" if speed and cpu else ""
        lines.append(f"  {name:<20} {run.tps:>9.0f} {run.cpu_us:>8.1f} {ratios}{'  MISSED' if missed else ''}")
    return "\n".join(lines), rows


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks dbproxy", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4, help="of each pgbench")
    parser.add_argument("--only", default="", help="workloads whose name contains this")
    parser.add_argument("--proxies", default="", help="only these, separated by commas")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args(argv)
    rounds, seconds = (1, 2) if options.quick else (options.rounds, options.seconds)
    chosen = [each for each in workloads() if options.only in each.name]
    wanted = options.proxies.split(",") if options.proxies else list(PROXIES)
    ours, others = machine.cores()
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory(prefix="bench-dbproxy-") as name:
        directory = Path(name)
        server = Server(directory, others)
        running: dict[str, tuple[Pinned, int]] = {}
        try:
            for each in sorted({proxy for workload in chosen for proxy in workload.proxies} & set(wanted)):
                started = start(each, server, directory, ours)
                if started is None:
                    print(f"{each} is not on this machine")
                else:
                    running[each] = started
            for workload in chosen:
                runs: dict[str, list[Run]] = {proxy: [] for proxy in workload.proxies if proxy in running}
                for _ in range(rounds):
                    for proxy, done in runs.items():
                        done.append(measure(server, *running[proxy], workload, seconds, others))
                text, more = table(workload, runs)
                print(text, flush=True)
                rows += more
        finally:
            for daemon, _ in running.values():
                daemon.stop()
            server.process.stop()
    if options.json:
        options.json.write_text(json.dumps({"machine": machine.describe(), "rows": rows}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
