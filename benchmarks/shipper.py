"""The log shipper beside its peers: lines per CPU-second on one pinned core, every line counted where it arrives.

Contestants: the shipper with lines untouched, metadata merged and plain text wrapped, each with no compression, gzip
and zstd; rsyslog and syslog-ng from file to file on the same lines; Fluent Bit and Vector to the same log server where
they are on this machine. Start-up is measured apart and not part of the speed.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import command, machine, peers, shipping_peers, workloads
from benchmarks.http_peers import shipping_setups
from benchmarks.outcome import Demand, Peer, Row, beside, bound
from benchmarks.processes import Mate, Sink, wait_until
from benchmarks.rounds import Contestant, Measured
from benchmarks.shipping_peers import LABELS, Setup
from benchmarks.workloads import Workload

NAME, ABOUT = "shipper", "the log shipper beside rsyslog, syslog-ng, Fluent Bit and Vector"
FULL_LINES = 2_000_000
QUICK_LINES = 10_000
PEERS_SHARE = 8
"""The slower peers take the first eighth of the lines; their speed is the same for them."""
YARDSTICK = "rsyslog as documented"
FLUENT_BIT = "Fluent Bit best"
MOST_RESIDENT_MIB = 64.0
WORKS = {"json": "JSON lines", "text": "text lines"}
# Fluent Bit 5.1 at its best, in klines per CPU-second, where rsyslog does 539: what it would do here is estimated
# from the rsyslog of the same run. By compression: for lines untouched, and for text wrapped into JSON.
FLUENT_BIT_OF_RSYSLOG = {"plain": 872 / 539, "gzip": 170 / 539, "zstd": 672 / 539}
# Shape and compression → times Fluent Bit at its best.
OF_FLUENT_BIT = {
    ("unchanged", "plain"): 3.0,
    ("unchanged", "gzip"): 7.0,
    ("unchanged", "zstd"): 1.5,
    ("merged", "plain"): 1.4,
    ("wrapped", "plain"): 1.2,
    ("wrapped", "gzip"): 4.0,
}
# … → times rsyslog; where nothing is said, by what Fluent Bit would do.
OF_RSYSLOG = {("unchanged", "plain"): 5.0, ("merged", "plain"): 2.3, ("wrapped", "plain"): 2.0}


@dataclass(frozen=True, slots=True)
class Case:
    """One way to run the shipper."""

    shape: str
    kind: str
    compression: str
    labels: tuple[tuple[str, str], ...] = ()
    batch: str = "1MiB"

    @property
    def name(self) -> str:
        batch = "" if self.batch == "1MiB" else f", batches of {self.batch}"
        return f"{self.shape}, {self.compression}{batch}"

    def measure(self, workload: Workload, into: Path) -> Measured:
        core, other = machine.cores()
        with tempfile.TemporaryDirectory(dir=into) as name, Sink(other, Path(name)) as sink:
            directory = Path(name)
            (directory / "log").mkdir()
            with Mate("sidecar_logshipper", self._settings(directory, sink.url), core, directory) as mate:
                time.sleep(0.2)  # until it only waits, so that its start is over
                startup, idle = machine.cpu_s(mate.pid), machine.memory(mate.pid).resident
                began = time.monotonic()
                (directory / "log/app.log").hardlink_to(workload.path)

                def is_done() -> bool:
                    mate.check()
                    return sink.look() >= workload.lines

                wait_until(is_done, f"the sink has the {workload.lines} lines of {self.name}")
                wall = time.monotonic() - began
                time.sleep(0.3)  # the last acknowledgement and the last checkpoint belong to the work
                cpu = machine.cpu_s(mate.pid) - startup
                peak = machine.memory(mate.pid).peak
            return Measured.of_lines(sink.look(), cpu, startup, wall, peak, idle)

    def _settings(self, directory: Path, url: str) -> dict[str, object]:
        compression = "none" if self.compression == "plain" else self.compression
        return {
            "files": {"include": [f"{directory}/log/*.log"]},
            "labels": dict(self.labels),
            "sink": {"url": url, "compression": compression, "batch": {"max_bytes": self.batch}},
            "state_dir": f"{directory}/state",
            "drain": {"quiet": "50ms"},
            "ops": {"listen": "127.0.0.1:0"},
        }


def cases() -> list[Case]:
    shapes = (("unchanged", "json", ()), ("merged", "json", tuple(LABELS.items())), ("wrapped", "text", ()))
    # The peers' best settings have large buffers, so one case has larger batches than the default.
    return [
        Case(shape, kind, compression, labels)
        for shape, kind, labels in shapes
        for compression in ("plain", "gzip", "zstd")
    ] + [Case("unchanged", "json", "plain", batch="4MiB")]


def main(argv: Sequence[str]) -> int:
    parser = command.parser(NAME, __doc__)
    parser.add_argument("--lines", type=int, help=f"default {FULL_LINES}, quick {QUICK_LINES}")
    return command.run(NAME, ABOUT, parser, measure, argv)


def measure(options: argparse.Namespace) -> command.Found:
    lines = options.lines or (QUICK_LINES if options.quick else FULL_LINES)
    make = workloads.Maker(options.workloads, lines, PEERS_SHARE)
    with tempfile.TemporaryDirectory(prefix="podmates-bench-") as name:
        theirs, who = _peers(make, Path(name))
        theirs = [each for each in theirs if each.name == YARDSTICK or command.chosen(options, each.name)]
        ours = [_ours(case, make, Path(name)) for case in cases() if command.chosen(options, case.name)]
        rounds = command.rounds(options)
        rows = rounds.play([*theirs, *ours])
    return rows, list(_demands(rows)), [*who, *rounds.dropped]


def _peers(make: workloads.Maker, into: Path) -> tuple[list[Contestant], list[Peer]]:
    contestants: list[Contestant] = []
    who: list[Peer] = []
    for name in ("rsyslog", "syslog-ng", "Fluent Bit", "Vector"):
        program = peers.find(name)
        setups = [setup for setup in (*shipping_peers.TO_FILES, *shipping_setups()) if setup.peer == name]
        if program is None:
            who.append(peers.missing(name))
            continue
        who.append(peers.ran(program, {setup.name: setup.text for setup in setups}))
        contestants += [_theirs(setup, program, kind, make, into) for setup in setups for kind in setup.kinds]
    return contestants, who


def _theirs(setup: Setup, program: peers.Program, kind: str, make: workloads.Maker, into: Path) -> Contestant:
    def run(workload: Workload) -> Callable[[], Measured]:
        return lambda: shipping_peers.measure(setup, program, workload, into)

    few = make.fewer(kind)
    warm_up = run(make.least(kind))
    return Contestant(WORKS[kind], setup.contestant, run(few), few.lines, ours=False, warm_up=warm_up)


def _ours(case: Case, make: workloads.Maker, into: Path) -> Contestant:
    def run(workload: Workload) -> Callable[[], Measured]:
        return lambda: case.measure(workload, into)

    all_lines = make.all(case.kind)
    warm_up = run(make.least(case.kind))
    return Contestant(WORKS[case.kind], case.name, run(all_lines), all_lines.lines, ours=True, warm_up=warm_up)


def _demands(rows: Sequence[Row]) -> Iterator[Demand]:
    for case in cases():
        work, speed = WORKS[case.kind], "klines_per_cpu_s"
        kind = (case.shape, case.compression)
        multiple = OF_FLUENT_BIT.get(kind)
        if multiple is not None:
            wanted = OF_RSYSLOG.get(kind, multiple * FLUENT_BIT_OF_RSYSLOG[case.compression])
            peer = f"{FLUENT_BIT}, {case.shape}, {case.compression}"
            yield from beside(rows, work, case.name, YARDSTICK, speed, wanted, at_least=True)
            yield from beside(rows, work, case.name, peer, speed, multiple, at_least=True)
        yield from bound(rows, work, case.name, "peak_mib", MOST_RESIDENT_MIB, at_least=False)
