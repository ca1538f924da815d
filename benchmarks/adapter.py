"""The log format adapter against its yardstick: lines per CPU-second on one pinned core, every record counted.

Contestants: the whole mate from file to file on an access log, a JSON log and a Java log with traces; rsyslog's
mmnormalize and mmjsonparse on the same lines. Start-up is measured apart and not part of the speed.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import machine, workloads
from benchmarks.processes import ROOT, Mate, Pinned, found, wait_until
from benchmarks.report import Row, table, write_json
from benchmarks.rounds import Contestant, LinesMissing, Measured, play
from benchmarks.workloads import Workload

FULL_LINES = 1_000_000
QUICK_LINES = 20_000
JAVA_LINES_PER_RECORD = 50 / 20
# What each must reach beside rsyslog in the same run; Java has no yardstick there (imfile only joins).
WANTED = {"access": 3.5, "json": 5.0}
_RULES = """\
version=2
rule=:%client:word% %ident:word% %user:word% [%time:char-to:]%] "%method:word% %path:word% HTTP/%version:char-to:"%" \
%status:number% %size:number% "%referer:char-to:"%" "%agent:char-to:"%"
"""
_RSYSLOG = """\
module(load="imfile" mode="inotify")
module(load="{module}")
global(workDirectory="{directory}" maxMessageSize="64k")
template(name="json" type="string" string="%$!all-json%\\n")
ruleset(name="out" queue.type="direct") {{
  action({action})
  action(type="omfile" file="{directory}/out.jsonl" template="json" ioBufferSize="256k")
}}
input(type="imfile" file="{directory}/log/*.log" tag="app" ruleset="out" addMetadata="off")
"""
_ACTIONS = {
    "access": ("mmnormalize", 'type="mmnormalize" rulebase="{directory}/access.rulebase"'),
    "json": ("mmjsonparse", 'type="mmjsonparse" cookie=""'),
}


class Output:
    """Counts the lines of a growing file, reading each byte once."""

    def __init__(self, *paths: Path) -> None:
        self.lines = 0
        self._paths = paths
        self._at = dict.fromkeys(paths, 0)

    def look(self) -> int:
        for path in self._paths:
            if path.exists():
                with path.open("rb") as file:
                    file.seek(self._at[path])
                    while block := file.read(1 << 20):
                        self.lines += block.count(b"\n")
                        self._at[path] += len(block)
        return self.lines


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
        directory = Path(tempfile.mkdtemp(dir=into))
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

    def rsyslog(self, program: Path, into: Path) -> Measured:
        core, _ = machine.cores()
        directory = Path(tempfile.mkdtemp(dir=into))
        (directory / "log").mkdir()
        module, action = _ACTIONS[self.kind]
        (directory / "access.rulebase").write_text(_RULES)
        (directory / "rsyslog.conf").write_text(
            _RSYSLOG.format(module=module, directory=directory, action=action.format(directory=directory))
        )
        command = [str(program), "-n", "-f", f"{directory}/rsyslog.conf", "-i", f"{directory}/pid"]
        with Pinned("rsyslog", command, core, directory) as daemon:
            wait_until((directory / "pid").exists, "rsyslog has started")
            return self._measured(daemon, directory)

    def _measured(self, process: Pinned, directory: Path) -> Measured:
        time.sleep(0.3)  # until it only waits, so that its start is over
        startup = machine.cpu_s(process.pid)
        began = time.monotonic()
        (directory / "log/app.log").hardlink_to(self.workload.path)
        output = Output(directory / "out.jsonl")

        def is_done() -> bool:
            process.check()
            # Its last record waits for a continuation: it comes a second later, and needs no work to speak of.
            return output.look() >= self.records

        wait_until(is_done, f"{process.name} has written the {self.records} records of {self.kind}")
        wall = time.monotonic() - began
        cpu = machine.cpu_s(process.pid) - startup
        peak = machine.memory(process.pid).peak
        process.stop()
        records = output.look()
        shutil.rmtree(directory)
        return Measured(self.workload.lines if records == self.records else records, cpu, startup, wall, peak)


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks adapter", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small and once; asserts only that every record arrived")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--lines", type=int, help=f"default {FULL_LINES}, quick {QUICK_LINES}")
    parser.add_argument("--only", metavar="KIND", action="append", choices=("access", "json", "java"))
    parser.add_argument("--workloads", type=Path, default=Path(tempfile.gettempdir()) / "podmates-benchmarks")
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks/results", help="where the JSON goes")
    return parser


def main(argv: Sequence[str]) -> int:
    """0 when every record arrived (and, unless quick, every ratio is reached), 1 when not."""
    options = parser().parse_args(argv)
    lines = options.lines or (QUICK_LINES if options.quick else FULL_LINES)
    program = found("rsyslogd", "RSYSLOGD")
    if program is None:
        print("rsyslog is missing (apt-get install rsyslog, or RSYSLOGD=/path/to/rsyslogd): no ratios")
    with tempfile.TemporaryDirectory(prefix="podmates-bench-") as name:
        contestants = []
        for kind in options.only or ("access", "json", "java"):
            run = Run(kind, workloads.make(kind, lines, options.workloads))
            contestants.append(_contestant(f"adapter, {kind}", lines, run.adapter, Path(name)))
            if program is not None and kind in _ACTIONS:
                rsyslog = _contestant(f"rsyslog, {kind}", lines, _of_rsyslog(run, program), Path(name))
                contestants.append(rsyslog)
        try:
            play(contestants, 1 if options.quick else options.rounds, machine.cores()[0], print)
        except LinesMissing as missing:
            print(missing, file=sys.stderr)
            return 1
    if options.quick:
        print(f"all records arrived: {len(contestants)} contestants, {lines} lines each")
        return 0
    rows = _rows(contestants)
    print(table(rows))
    write_json(options.results / "adapter.json", {"machine": machine.describe(), "lines": lines}, contestants, rows)
    return int(any(row.missed for row in rows))


def _contestant(name: str, lines: int, run: Callable[[Path], Measured], into: Path) -> Contestant:
    return Contestant(name, lambda: run(into), lines)


def _of_rsyslog(run: Run, program: Path) -> Callable[[Path], Measured]:
    return lambda into: run.rsyslog(program, into)


def _rows(contestants: Sequence[Contestant]) -> list[Row]:
    medians = {each.name: each.median() for each in contestants}
    rows = []
    for each in contestants:
        who, kind = each.name.split(", ")
        yardstick = medians.get(f"rsyslog, {kind}") if who == "adapter" else None
        rows.append(Row.of(each, yardstick, WANTED.get(kind) if who == "adapter" else None))
    return rows
