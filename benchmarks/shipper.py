"""The log shipper against its yardstick: lines per CPU-second on one pinned core, every line counted at the sink.

Contestants: our shipper with lines untouched, metadata merged and plain text wrapped, each with no compression, gzip
and zstd; rsyslog from file to file on the same lines. Start-up is measured apart and not part of the speed.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import machine, workloads
from benchmarks.peers import Rsyslog
from benchmarks.processes import ROOT, Mate, Sink, wait_until
from benchmarks.report import Row, table, write_json
from benchmarks.rounds import Contestant, LinesMissing, Measured, play
from benchmarks.workloads import Workload

FULL_LINES = 2_000_000
QUICK_LINES = 50_000
# Fluent Bit 5.1 at its best, in klines per CPU-second, where rsyslog does 539: what it would do here is estimated
# from the rsyslog of the same run. By compression: for lines untouched, and for text wrapped into JSON.
FLUENT_BIT_OF_RSYSLOG = {"none": 872 / 539, "gzip": 170 / 539, "zstd": 672 / 539}


@dataclass(frozen=True, slots=True)
class Case:
    """One way to run the shipper; `wanted` is how many times rsyslog's speed it must reach, if anything."""

    shape: str
    kind: str
    compression: str
    wanted: float | None = None
    labels: tuple[tuple[str, str], ...] = ()
    batch: str = "1MiB"

    @property
    def name(self) -> str:
        batch = "" if self.batch == "1MiB" else f", batches of {self.batch}"
        return f"{self.shape}, {self.compression if self.compression != 'none' else 'plain'}{batch}"

    def measure(self, workload: Workload, into: Path) -> Measured:
        core, other = machine.cores()
        with tempfile.TemporaryDirectory(dir=into) as name, Sink(other, Path(name)) as sink:
            directory = Path(name)
            (directory / "log").mkdir()
            with Mate("sidecar_logshipper", self._settings(directory, sink.url), core, directory) as mate:
                time.sleep(0.2)  # until it only waits, so that its start is over
                startup = machine.cpu_s(mate.pid)
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
            return Measured(sink.look(), cpu, startup, wall, peak)

    def _settings(self, directory: Path, url: str) -> dict[str, object]:
        return {
            "files": {"include": [f"{directory}/log/*.log"]},
            "labels": dict(self.labels),
            "sink": {"url": url, "compression": self.compression, "batch": {"max_bytes": self.batch}},
            "state_dir": f"{directory}/state",
            "drain": {"quiet": "50ms"},
            "ops": {"listen": "127.0.0.1:0"},
        }


_LABELS = (("app", "web"), ("env", "production"), ("k8s.pod.name", "web-7d4b9c6f5-x2x9k"))


def _cases() -> list[Case]:
    wanted = {
        ("unchanged", "none"): 5.0,
        ("unchanged", "gzip"): 7 * FLUENT_BIT_OF_RSYSLOG["gzip"],
        ("unchanged", "zstd"): 1.5 * FLUENT_BIT_OF_RSYSLOG["zstd"],
        ("merged", "none"): 2.3,
        ("wrapped", "none"): 2.0,
        ("wrapped", "gzip"): 4 * FLUENT_BIT_OF_RSYSLOG["gzip"],
    }
    # Fluent Bit's figures were taken with its best settings, so one case has larger batches than the default.
    tuned = Case("unchanged", "json", "none", 5.0, batch="4MiB")
    return [
        Case(shape, kind, compression, wanted.get((shape, compression)), labels)
        for shape, kind, labels in (("unchanged", "json", ()), ("merged", "json", _LABELS), ("wrapped", "text", ()))
        for compression in ("none", "gzip", "zstd")
    ] + [tuned]


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks shipper", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small and once; asserts only that every line arrived")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--lines", type=int, help=f"default {FULL_LINES}, quick {QUICK_LINES}")
    parser.add_argument("--only", metavar="WORD", action="append", help="only contestants with this in their name")
    parser.add_argument("--workloads", type=Path, default=Path(tempfile.gettempdir()) / "podmates-benchmarks")
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks/results", help="where the JSON goes")
    return parser


def main(argv: Sequence[str]) -> int:
    """0 when every line arrived (and, unless quick, every ratio is reached), 1 when not."""
    options = parser().parse_args(argv)
    lines = options.lines or (QUICK_LINES if options.quick else FULL_LINES)
    work = {kind: workloads.make(kind, lines, options.workloads) for kind in ("json", "text")}
    with tempfile.TemporaryDirectory(prefix="podmates-bench-") as name:
        contestants, wanted = _contestants(work, Path(name), options.only or [""])
        try:
            play(contestants, 1 if options.quick else options.rounds, machine.cores()[0], print)
        except LinesMissing as missing:
            print(missing, file=sys.stderr)
            return 1
    if options.quick:
        print(f"all lines arrived: {len(contestants)} contestants, {lines} lines each")
        return 0
    rows = _rows(contestants, wanted)
    print(table(rows))
    write_json(options.results / "shipper.json", {"machine": machine.describe(), "lines": lines}, contestants, rows)
    return int(any(row.missed for row in rows))


def _contestants(
    work: dict[str, Workload], into: Path, only: list[str]
) -> tuple[list[Contestant], dict[str, tuple[str, float | None]]]:
    """Who runs, and per name the yardstick's name and the wanted ratio to it."""
    core, _ = machine.cores()
    contestants, wanted = [], {}
    for tuned in (False, True):
        if (rsyslog := Rsyslog.find(tuned=tuned)) is None:
            print("rsyslog is missing (apt-get install rsyslog, or RSYSLOGD=/path/to/rsyslogd): no ratios")
            break
        for kind, workload in work.items():

            def run(rsyslog: Rsyslog = rsyslog, workload: Workload = workload) -> Measured:
                return rsyslog.measure(workload, Path(tempfile.mkdtemp(dir=into)), core)

            contestants.append(Contestant(f"rsyslog{' tuned' if tuned else ''}, {kind}", run, workload.lines))
    for case in _cases():
        if any(word in case.name for word in only):

            def ship(case: Case = case) -> Measured:
                return case.measure(work[case.kind], into)

            contestants.append(Contestant(case.name, ship, work[case.kind].lines))
            wanted[case.name] = (f"rsyslog, {case.kind}", case.wanted)
    return contestants, wanted


def _rows(contestants: Sequence[Contestant], wanted: dict[str, tuple[str, float | None]]) -> list[Row]:
    medians = {each.name: each.median() for each in contestants}
    rows = []
    for each in contestants:
        yardstick, ratio = wanted.get(each.name, ("", None))
        rows.append(Row.of(each, medians.get(yardstick), ratio))
    return rows
