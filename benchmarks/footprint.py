"""What a mate weighs: time until ready, memory and CPU idle, memory under load, and how long a line takes when idle.

Each mate is started with the smallest settings that let it work. Under load (the shipper: a backlog of real lines, and
many files) memory is looked at all the time, so that what grows is seen to grow.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import machine, workloads
from benchmarks.processes import Mate, Sink, wait_until

IDLE_S = 10.0
QUICK_IDLE_S = 1.0
LINES_TIMED = 40
MANY_FILES = 1000
LOOK_S = 0.1
SLOW_ANSWER_S = 0.3
SLOW_BACKLOG = 60_000_000

MOST_READY_S = 1.5
MOST_IDLE_CPU_PERCENT = 0.3
MOST_IDLE_RESIDENT_MIB = 52.0
MOST_IDLE_ANONYMOUS_MIB = 34.0
MOST_LATENCY_MS = 50.0
MOST_LOADED_RESIDENT_MIB = 64.0


@dataclass(frozen=True, slots=True)
class Figure:
    """One measurement; `most` is what it may be."""

    name: str
    value: float
    unit: str
    most: float | None = None

    @property
    def missed(self) -> bool:
        return self.most is not None and self.value > self.most

    def __str__(self) -> str:
        bound = "" if self.most is None else f"at most {self.most:g}{'  MISSED' if self.missed else ''}"
        return f"{self.name:<52} {self.value:>9.2f} {self.unit:<4} {bound}"


def idle(name: str, mate: Mate, seconds: float) -> list[Figure]:
    """A mate that has nothing to do. Its start is over when this is called."""
    time.sleep(min(seconds, 2.0))
    before = machine.fine_cpu_s(mate.pid)
    time.sleep(seconds)
    percent = (machine.fine_cpu_s(mate.pid) - before) / seconds * 100
    memory = machine.memory(mate.pid)
    return [
        Figure(f"{name}: until ready", mate.ready_s, "s", MOST_READY_S),
        Figure(f"{name}: CPU of a core, idle", percent, "%", MOST_IDLE_CPU_PERCENT),
        Figure(f"{name}: resident, idle", memory.resident, "MiB", MOST_IDLE_RESIDENT_MIB),
        Figure(f"{name}: of it anonymous, idle", memory.anonymous, "MiB", MOST_IDLE_ANONYMOUS_MIB),
    ]


def shipper_settings(directory: Path, url: str) -> dict[str, object]:
    return {
        "files": {"include": [f"{directory}/log/*.log"]},
        "sink": {"url": url},
        "state_dir": f"{directory}/state",
        "drain": {"quiet": "50ms"},
        "ops": {"listen": "127.0.0.1:0"},
    }


def shipper_idle(directory: Path, sink: Sink, core: int, seconds: float) -> list[Figure]:
    """Five small files, nothing written; then one line at a time, with pauses, from the write to the sink."""
    for number in range(5):
        (directory / f"log/app-{number}.log").write_bytes(b'{"a":1}\n' * 10)
    with Mate("sidecar_logshipper", shipper_settings(directory, sink.url), core, directory) as mate:
        wait_until(lambda: sink.look() >= 50, "the first lines have arrived")
        figures = idle("shipper", mate, seconds)
        took = []
        for number in range(LINES_TIMED if seconds == IDLE_S else 5):
            arrived = sink.look() + 1
            with (directory / "log/app-0.log").open("ab", buffering=0) as file:
                written_at = time.time()
                file.write(b'{"b":2}\n')
            wait_until(lambda arrived=arrived: sink.look() >= arrived, "the line has arrived")  # type: ignore[misc]
            took.append((sink.received_at - written_at) * 1000)
            time.sleep(0.1 + number % 7 / 100)
        figures.append(Figure("shipper: write to received, p50", statistics.median(took), "ms", MOST_LATENCY_MS))
        figures.append(Figure("shipper: write to received, slowest", max(took), "ms"))
    return figures


def shipper_many_files(directory: Path, sink: Sink, core: int, files: int) -> list[Figure]:
    """So many files at once, a thousand lines in each, and then once more."""
    block = b"".join(map(workloads.json_line, range(1000)))
    settings = shipper_settings(directory, sink.url)
    with Mate("sidecar_logshipper", settings, core, directory) as mate:
        for _ in range(2):
            expected = sink.look() + files * 1000
            for number in range(files):
                with (directory / f"log/app-{number}.log").open("ab") as file:
                    file.write(block)
            resident = _highest(mate, lambda expected=expected: sink.look() >= expected)  # type: ignore[misc]
        return [Figure(f"shipper: resident with {files} files", resident[-1], "MiB", MOST_LOADED_RESIDENT_MIB)]


def shipper_backlog(directory: Path, sink: Sink, core: int, size: int, compression: str, slow: bool) -> list[Figure]:
    """A backlog of `size` bytes of real lines: the highest memory in each quarter shows whether it grows."""
    size = min(size, SLOW_BACKLOG) if slow else size
    lines = min(2_000_000, size // 257 + 1)
    workload = workloads.make("json", lines, Path(tempfile.gettempdir()) / "podmates-benchmarks")
    copies = max(1, size // workload.size)
    settings = shipper_settings(directory, sink.url)
    settings["sink"] = {"url": sink.url, "compression": compression}
    settings["labels"] = {"app": "web", "env": "production"}
    with Mate("sidecar_logshipper", settings, core, directory) as mate:
        path = directory / "growing"
        with path.open("wb") as file:
            for _ in range(copies):
                with workload.path.open("rb") as source:
                    while block := source.read(8 * 1024 * 1024):
                        file.write(block)
        path.rename(directory / "log/app.log")
        if slow:
            sink.slow_down(SLOW_ANSWER_S)
        resident = _highest(mate, lambda: sink.look() >= lines * copies)
        (directory / "log/app.log").unlink()
    name = f"shipper: resident, {size / 1e9:.1f} GB backlog, {compression}{', slow sink' if slow else ''}"
    quarters = [max(resident[len(resident) * i // 4 :][: len(resident) // 4 + 1]) for i in range(4)]
    print(f"  {name}, by quarter: {', '.join(f'{each:.1f}' for each in quarters)}", flush=True)
    return [Figure(name, max(resident), "MiB", MOST_LOADED_RESIDENT_MIB)]


def _highest(mate: Mate, done: Callable[[], bool]) -> list[float]:
    """The resident size, looked at until `done`; the last is the highest the kernel saw."""
    seen: list[float] = []
    give_up_at = time.monotonic() + 1800
    while not done():
        mate.check()
        seen.append(machine.memory(mate.pid).resident)
        if time.monotonic() > give_up_at:
            raise TimeoutError("the backlog does not end")
        time.sleep(LOOK_S)
    return [*seen, machine.memory(mate.pid).peak]


def other_mates_idle(directory: Path, core: int, seconds: float) -> list[Figure]:
    """The adapter with one file to read, the ambassador with one listener and nobody at it."""
    adapter = {
        "inputs": [{"paths": [f"{directory}/log/*.log"]}],
        "output": {"to": f"file://{directory}/out/records.jsonl"},
        "state_dir": f"{directory}/adapter-state",
        "ops": {"listen": "127.0.0.1:0"},
    }
    target = {"hosts": ["127.0.0.1:9"], "user": "app", "password_file": f"{directory}/password"}
    (directory / "password").write_text("none")
    ambassador = {
        "environment": "test",
        "listeners": [
            {"name": "db", "protocol": "postgres", "listen": "127.0.0.1:0", "environments": {"test": target}},
        ],
        "ops": {"listen": "127.0.0.1:0"},
    }
    figures = []
    for name, package, settings in (
        ("adapter", "adapter_logformat", adapter),
        ("ambassador", "ambassador_dbproxy", ambassador),
    ):
        with Mate(package, settings, core, directory) as mate:
            figures += idle(name, mate, seconds)
    return figures


def main(argv: Sequence[str]) -> int:
    """0 when nothing weighs more than it may (or quick), 1 when something does."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks footprint", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small and short; asserts only that everything arrives")
    parser.add_argument("--backlog-gb", type=float, default=2.0)
    parser.add_argument("--only", choices=("idle", "files", "backlog", "mates"), action="append")
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args(argv)
    core, other = machine.cores()
    seconds, files = (QUICK_IDLE_S, 50) if options.quick else (IDLE_S, MANY_FILES)
    size = 10_000_000 if options.quick else int(options.backlog_gb * 1e9)
    parts: list[tuple[str, Callable[[Path, Sink], list[Figure]]]] = [
        ("idle", lambda directory, sink: shipper_idle(directory, sink, core, seconds)),
        ("files", lambda directory, sink: shipper_many_files(directory, sink, core, files)),
        ("mates", lambda directory, sink: other_mates_idle(directory, core, seconds)),
    ]
    for compression, slow in (("none", False), ("zstd", False), ("none", True)):
        parts.append(
            (
                "backlog",
                lambda directory, sink, compression=compression, slow=slow: shipper_backlog(  # type: ignore[misc]
                    directory, sink, core, size, compression, slow
                ),
            )
        )
    figures = []
    for name, part in parts:
        if options.only and name not in options.only:
            continue
        with tempfile.TemporaryDirectory(prefix="podmates-footprint-") as where:
            (Path(where) / "log").mkdir()
            with Sink(other, Path(where)) as sink:
                for figure in part(Path(where), sink):
                    print(figure, flush=True)
                    figures.append(figure)
    if not options.quick:
        options.results.mkdir(parents=True, exist_ok=True)
        facts = {"machine": machine.describe(), "figures": [asdict(figure) for figure in figures]}
        (options.results / "footprint.json").write_text(json.dumps(facts, indent=2) + "\n")
    return int(not options.quick and any(figure.missed for figure in figures))
