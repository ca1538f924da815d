"""What a mate weighs: time until ready, memory and CPU idle, memory under load, how long a line takes, its image.

Each mate is started with the smallest settings that let it work. Under load (the shipper: a backlog of real lines, and
many files) memory is looked at all the time, so that what grows is seen to grow. Image sizes where podman or docker
has the images.
"""

import argparse
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks import command, machine, workloads
from benchmarks.outcome import Demand, Row, bound, row
from benchmarks.processes import Mate, Sink, wait_until

NAME, ABOUT = "footprint", "what each mate weighs: start, idle, under load, on the disk"
IDLE_S = 10.0
QUICK_IDLE_S = 0.5
LINES_TIMED = 40
QUICK_LINES_TIMED = 5
MANY_FILES = 1000
QUICK_FILES = 50
BACKLOG_GB = 2.0
QUICK_BACKLOG = 5_000_000
LOOK_S = 0.1
SLOW_ANSWER_S = 0.3
SLOW_BACKLOG = 60_000_000

IDLE, LATENCY, LOADED, IMAGE = "idle", "write to received", "under load", "image"
SHIPPER, ADAPTER, AMBASSADOR = "shipper", "adapter", "ambassador"
PACKAGES = {SHIPPER: "sidecar_logshipper", ADAPTER: "adapter_logformat", AMBASSADOR: "ambassador_dbproxy"}
IMAGES = {SHIPPER: "logshipper", ADAPTER: "logformat", AMBASSADOR: "dbproxy"}
MOST_IDLE = {"ready_s": 1.5, "idle_cpu_percent": 0.3, "idle_mib": 52.0, "idle_anonymous_mib": 34.0}
MOST_LATENCY_MS = 50.0
MOST_LOADED_RESIDENT_MIB = 64.0


def idle(name: str, mate: Mate, seconds: float) -> Row:
    """A mate that has nothing to do. Its start is over when this is called."""
    startup = machine.cpu_s(mate.pid)
    time.sleep(min(seconds, 2.0))
    before = machine.fine_cpu_s(mate.pid)
    time.sleep(seconds)
    percent = (machine.fine_cpu_s(mate.pid) - before) / seconds * 100
    memory = machine.memory(mate.pid)
    figures = {
        "ready_s": mate.ready_s,
        "startup_cpu_s": startup,
        "idle_cpu_percent": percent,
        "idle_mib": memory.resident,
        "idle_anonymous_mib": memory.anonymous,
    }
    return row(IDLE, name, figures, ours=True)


def shipper_settings(directory: Path, url: str) -> dict[str, object]:
    return {
        "files": {"include": [f"{directory}/log/*.log"]},
        "sink": {"url": url},
        "state_dir": f"{directory}/state",
        "drain": {"quiet": "50ms"},
        "ops": {"listen": "127.0.0.1:0"},
    }


def shipper_idle(directory: Path, sink: Sink, core: int, seconds: float, timed: int) -> Iterator[Row]:
    """Five small files, nothing written; then one line at a time, with pauses, from the write to the sink."""
    for number in range(5):
        (directory / f"log/app-{number}.log").write_bytes(b'{"a":1}\n' * 10)
    with Mate(PACKAGES[SHIPPER], shipper_settings(directory, sink.url), core, directory) as mate:
        wait_until(lambda: sink.look() >= 50, "the first lines have arrived")
        yield idle(SHIPPER, mate, seconds)
        took = []
        for number in range(timed):
            arrived = sink.look() + 1
            with (directory / "log/app-0.log").open("ab", buffering=0) as file:
                written_at = time.time()
                file.write(b'{"b":2}\n')
            wait_until(lambda arrived=arrived: sink.look() >= arrived, "the line has arrived")  # type: ignore[misc]
            took.append((sink.received_at - written_at) * 1000)
            time.sleep(0.1 + number % 7 / 100)
        figures = {"p50_ms": statistics.median(took), "p99_ms": statistics.quantiles(took, n=100)[98]}
        arrived = sink.look() - 50
        yield row(LATENCY, SHIPPER, figures, ours=True, arrived=arrived, expected=timed)


def shipper_many_files(directory: Path, sink: Sink, core: int, files: int) -> Iterator[Row]:
    """So many files at once, a thousand lines in each, and then once more."""
    block = b"".join(map(workloads.json_line, range(1000)))
    settings = shipper_settings(directory, sink.url)
    expected = 0
    with Mate(PACKAGES[SHIPPER], settings, core, directory) as mate:
        for _ in range(2):
            expected += files * 1000
            for number in range(files):
                with (directory / f"log/app-{number}.log").open("ab") as file:
                    file.write(block)
            resident = _highest(mate, lambda expected=expected: sink.look() >= expected)  # type: ignore[misc]
        figures = {"peak_mib": resident[-1]}
        name = f"{SHIPPER}, {files} files"
        yield row(LOADED, name, figures, ours=True, arrived=sink.look(), expected=expected)


def shipper_backlog(
    directory: Path, sink: Sink, core: int, size: int, compression: str, *, slow: bool, into: Path
) -> Iterator[Row]:
    """A backlog of `size` bytes of real lines: the highest memory in each quarter shows whether it grows."""
    size = min(size, SLOW_BACKLOG) if slow else size
    lines = min(2_000_000, size // 257 + 1)
    workload = workloads.make("json", lines, into)
    copies = max(1, size // workload.size)
    settings = shipper_settings(directory, sink.url)
    settings["sink"] = {"url": sink.url, "compression": compression}
    settings["labels"] = {"app": "web", "env": "production"}
    with Mate(PACKAGES[SHIPPER], settings, core, directory) as mate:
        path = directory / "growing"
        with path.open("wb") as file:
            for _ in range(copies):
                with workload.path.open("rb") as source:
                    shutil.copyfileobj(source, file, 8 * 1024 * 1024)
        path.rename(directory / "log/app.log")
        if slow:
            sink.slow_down(SLOW_ANSWER_S)
        resident = _highest(mate, lambda: sink.look() >= lines * copies)
        (directory / "log/app.log").unlink()
    name = f"{SHIPPER}, {size / 1e9:.1f} GB backlog, {compression}{', slow sink' if slow else ''}"
    quarters = [max(resident[len(resident) * i // 4 :][: len(resident) // 4 + 1]) for i in range(4)]
    command.progress(f"{name}, MiB by quarter: {', '.join(f'{each:.1f}' for each in quarters)}")
    arrived, expected = sink.look(), lines * copies
    yield row(LOADED, name, {"peak_mib": max(resident)}, ours=True, arrived=arrived, expected=expected)


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


def other_mates_idle(directory: Path, core: int, seconds: float) -> Iterator[Row]:
    """The adapter with one file to read, the ambassador with one listener and nobody at it."""
    adapter = {
        "inputs": [{"paths": [f"{directory}/log/*.log"]}],
        "output": {"to": f"file://{directory}/out/records.jsonl"},
        "state_dir": f"{directory}/adapter-state",
        "ops": {"listen": "127.0.0.1:0"},
    }
    target = {"hosts": ["127.0.0.1:9"], "user": "app", "password_file": f"{directory}/password"}
    (directory / "password").write_text("none")
    listener = {"name": "db", "protocol": "postgres", "listen": "127.0.0.1:0", "environments": {"test": target}}
    ambassador = {"environment": "test", "listeners": [listener], "ops": {"listen": "127.0.0.1:0"}}
    for name, settings in ((ADAPTER, adapter), (AMBASSADOR, ambassador)):
        with Mate(PACKAGES[name], settings, core, directory) as mate:
            yield idle(name, mate, seconds)


def image_sizes() -> Iterator[Row]:
    """As the engine tells them, of the newest tag; none where there is no engine or no image."""
    engine = shutil.which("podman") or shutil.which("docker")
    if engine is None:
        return
    for mate, image in IMAGES.items():
        listed = [engine, "image", "ls", "--filter", f"reference=*/{image}", "--format", "{{.ID}}"]
        listed_too = [*listed[:4], f"reference=podmates/{image}", *listed[5:]]
        found = _asked(listed) or _asked(listed_too)
        size = _asked([engine, "image", "inspect", "--format", "{{.Size}}", found.split()[0]]) if found else ""
        if size:
            yield row(IMAGE, mate, {"image_mib": int(size) / 1024 / 1024}, ours=True)


def _asked(question: Sequence[str]) -> str:
    try:
        done = subprocess.run(question, capture_output=True, text=True, check=False, timeout=30)
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def main(argv: Sequence[str]) -> int:
    parser = command.parser(NAME, __doc__, rounds=1)
    parser.add_argument("--backlog-gb", type=float, default=BACKLOG_GB)
    return command.run(NAME, ABOUT, parser, measure, argv)


def measure(options: argparse.Namespace) -> command.Found:
    core, other = machine.cores()
    seconds, timed = (QUICK_IDLE_S, QUICK_LINES_TIMED) if options.quick else (IDLE_S, LINES_TIMED)
    files = QUICK_FILES if options.quick else MANY_FILES
    size = QUICK_BACKLOG if options.quick else int(options.backlog_gb * 1e9)

    def backlog(compression: str, *, slow: bool = False) -> Callable[[Path, Sink], Iterator[Row]]:
        return lambda where, sink: shipper_backlog(
            where, sink, core, size, compression, slow=slow, into=options.workloads
        )

    parts: list[tuple[str, Callable[[Path, Sink], Iterator[Row]]]] = [
        ("idle", lambda where, sink: shipper_idle(where, sink, core, seconds, timed)),
        ("mates", lambda where, sink: other_mates_idle(where, core, seconds)),
        ("files", lambda where, sink: shipper_many_files(where, sink, core, files)),
        ("backlog", backlog("none")),
        ("backlog", backlog("zstd")),
        ("backlog slow", backlog("none", slow=True)),
        ("images", lambda where, sink: image_sizes()),
    ]
    rows: list[Row] = []
    for name, part in parts:
        if not command.chosen(options, name):
            continue
        with tempfile.TemporaryDirectory(prefix="podmates-footprint-") as where:
            (Path(where) / "log").mkdir()
            with Sink(other, Path(where)) as sink:
                for each in part(Path(where), sink):
                    command.progress(f"{each.work}: {each.name}")
                    rows.append(each)
    return rows, list(_demands(rows)), []


def _demands(rows: Sequence[Row]) -> Iterator[Demand]:
    for each in rows:
        if each.work == IDLE:
            for quantity, most in MOST_IDLE.items():
                yield from bound(rows, IDLE, each.name, quantity, most, at_least=False)
        elif each.work == LATENCY:
            yield from bound(rows, LATENCY, each.name, "p50_ms", MOST_LATENCY_MS, at_least=False)
        elif each.work == LOADED:
            yield from bound(rows, LOADED, each.name, "peak_mib", MOST_LOADED_RESIDENT_MIB, at_least=False)
