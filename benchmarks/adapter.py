"""The log format adapter beside its peers: lines per CPU-second on one pinned core, every record counted.

Contestants: the whole mate from file to file on an access log, a JSON log and a Java log with traces; rsyslog's
mmnormalize and mmjsonparse and syslog-ng's parsers on the same lines; Fluent Bit and Vector where they are on this
machine. Start-up is measured apart and not part of the speed.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import command, machine, peers, shipping_peers, workloads
from benchmarks.outcome import Demand, Peer, Row, beside, bound
from benchmarks.parsing_peers import parsing_setups
from benchmarks.processes import Mate, wait_until
from benchmarks.rounds import Contestant, Measured
from benchmarks.shipping_peers import Growing, Setup
from benchmarks.workloads import Workload

NAME, ABOUT = "adapter", "the log format adapter beside rsyslog, syslog-ng, Fluent Bit and Vector"
FULL_LINES = 2_000_000
QUICK_LINES = 10_000
PEERS_SHARE = 8
"""The slower peers take the first eighth of the lines; their speed is the same for them."""
JAVA_SHARE = 4
"""The Java log has a quarter of the lines of the others."""
JAVA_LINES_PER_RECORD = 50 / 20
WORKS = {"access": "access log", "json": "JSON app log", "java": "Java log with traces, joined and parsed"}
MOST_RESIDENT_MIB = 64.0
# Kind → the yardstick and how many times its speed; and how many times Fluent Bit's.
OF_RSYSLOG = {"access": ("rsyslog mmnormalize", 3.5), "json": ("rsyslog mmjsonparse", 5.0)}
OF_FLUENT_BIT = {"access": 2.0, "json": 1.5, "java": 1.5}


@dataclass(frozen=True, slots=True)
class Run:
    """From an empty directory to the last record of `workload` in the output."""

    kind: str
    workload: Workload

    @property
    def records(self) -> int:
        return round(self.workload.lines / JAVA_LINES_PER_RECORD) if self.kind == "java" else self.workload.lines

    def adapter(self, into: Path) -> Measured:
        core, _ = machine.cores()
        with tempfile.TemporaryDirectory(dir=into) as name:
            directory = Path(name)
            (directory / "log").mkdir()
            settings = {
                "inputs": [{"paths": [f"{directory}/log/*.log"]}],
                "output": {"to": f"file://{directory}/out.jsonl", "max_bytes": "64GiB"},
                "state_dir": f"{directory}/state",
                "drain": {"quiet": "50ms"},
                "ops": {"listen": "127.0.0.1:0"},
            }
            with Mate("adapter_logformat", settings, core, directory) as mate:
                return self._measured(mate, directory)

    def _measured(self, mate: Mate, directory: Path) -> Measured:
        time.sleep(0.3)  # until it only waits, so that its start is over
        startup, idle = machine.cpu_s(mate.pid), machine.memory(mate.pid).resident
        began = time.monotonic()
        (directory / "log/app.log").hardlink_to(self.workload.path)
        output = Growing(directory / "out.jsonl")

        def has(records: int) -> bool:
            mate.check()
            return output.look() >= records

        wait_until(lambda: has(self.records - 1), f"the adapter has written all but one of {self.kind}")
        wall = time.monotonic() - began  # the last one may wait a second for a continuation, and costs nothing then
        wait_until(lambda: has(self.records), f"the adapter has written the {self.records} records of {self.kind}")
        cpu = machine.cpu_s(mate.pid) - startup
        peak = machine.memory(mate.pid).peak
        mate.stop()
        records = output.look()
        return Measured.of_lines(
            self.workload.lines if records == self.records else records, cpu, startup, wall, peak, idle
        )


def main(argv: Sequence[str]) -> int:
    parser = command.parser(NAME, __doc__)
    parser.add_argument("--lines", type=int, help=f"default {FULL_LINES}, quick {QUICK_LINES}; Java: a quarter")
    return command.run(NAME, ABOUT, parser, measure, argv)


def measure(options: argparse.Namespace) -> command.Found:
    lines = options.lines or (QUICK_LINES if options.quick else FULL_LINES)
    contestants: list[Contestant] = []
    with tempfile.TemporaryDirectory(prefix="podmates-bench-") as name:
        setups, who = _peers()
        for kind in WORKS:
            if not command.chosen(options, kind):
                continue
            make = workloads.Maker(options.workloads, lines // (JAVA_SHARE if kind == "java" else 1), PEERS_SHARE)
            contestants += [_theirs(setup, program, kind, make, Path(name)) for setup, program in setups[kind]]
            contestants.append(_ours(kind, make, Path(name)))
        rounds = command.rounds(options)
        rows = rounds.play(contestants)
    return rows, list(_demands(rows)), [*who, *rounds.dropped]


def _peers() -> tuple[dict[str, list[tuple[Setup, peers.Program]]], list[Peer]]:
    """By kind of workload, those that are here; and of all of them, how they were set up or why they did not run."""
    setups: dict[str, list[tuple[Setup, peers.Program]]] = {kind: [] for kind in WORKS}
    who: list[Peer] = []
    for name in ("rsyslog", "syslog-ng", "Fluent Bit", "Vector"):
        program = peers.find(name)
        if program is None:
            who.append(peers.missing(name))
            continue
        its = [setup for setup in parsing_setups() if setup.peer == name]
        who.append(peers.ran(program, {f"{setup.name}, {WORKS[setup.kinds[0]]}": setup.text for setup in its}))
        for setup in its:
            setups[setup.kinds[0]].append((setup, program))
    return setups, who


def _theirs(setup: Setup, program: peers.Program, kind: str, make: workloads.Maker, into: Path) -> Contestant:
    few = make.fewer(kind)

    def run(workload: Workload) -> Callable[[], Measured]:
        records = Run(kind, workload).records
        return lambda: shipping_peers.measure(setup, program, workload, into, records)

    return Contestant(WORKS[kind], setup.contestant, run(few), few.lines, ours=False, warm_up=run(make.least(kind)))


def _ours(kind: str, make: workloads.Maker, into: Path) -> Contestant:
    every, least = Run(kind, make.all(kind)), Run(kind, make.least(kind))
    return Contestant(
        WORKS[kind],
        "adapter",
        lambda: every.adapter(into),
        every.workload.lines,
        ours=True,
        warm_up=lambda: least.adapter(into),
    )


def _demands(rows: Sequence[Row]) -> Iterator[Demand]:
    for kind, work in WORKS.items():
        if kind in OF_RSYSLOG:
            yardstick, wanted = OF_RSYSLOG[kind]
            yield from beside(rows, work, "adapter", yardstick, "klines_per_cpu_s", wanted, at_least=True)
        of_fluent_bit = OF_FLUENT_BIT[kind]
        yield from beside(rows, work, "adapter", "Fluent Bit best", "klines_per_cpu_s", of_fluent_bit, at_least=True)
        yield from bound(rows, work, "adapter", "peak_mib", MOST_RESIDENT_MIB, at_least=False)
