"""Growth of the log mates: over the number of files, the length of the lines, and the formats that may be meant."""

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import machine, workloads
from benchmarks.processes import Mate, Sink, wait_until
from benchmarks.rounds import Contestant, Measured
from benchmarks.shipping_peers import Growing

FILES = "shipper: number of files"
LENGTHS = "log mates: bytes in a line"
FORMATS = "adapter: formats that may be meant"
SHIPPER, ADAPTER = "shipper", "adapter"
ACCESS_LOG, NO_FORMAT = "adapter, access log", "adapter, lines of no format"
PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Sizes:
    """How far it goes: the sizes and how much of each."""

    files: Sequence[int]
    file_lines: int
    lengths: Sequence[int]
    length_bytes: int
    formats: Sequence[int]
    format_lines: int


FULL = Sizes(
    files=(1, 10, 100, 1000, 10_000),
    file_lines=400_000,
    # The longest is one MiB, its newline included: what `max_line_bytes` takes by default.
    lengths=(50, 500, 5000, 50_000, 500_000, 1_048_575),
    length_bytes=96_000_000,
    formats=(1, 2, 5, 10, 20, 50, 0),
    format_lines=200_000,
)
QUICK = Sizes((1, 100), 4000, (50_000,), 400_000, (1, 0), 4000)


def contestants(sizes: Sizes, into: Path, format_names: Sequence[str]) -> list[Contestant]:
    """`format_names` begins with the right one; 0 among the sizes of formats is all of them, found by itself."""
    found = []
    for count in sizes.files:
        each = sizes.file_lines // count
        run = _bound(ship_files, count, each, into)
        found.append(Contestant(FILES, SHIPPER, run, each * count, ours=True, size=count))
    for length in sizes.lengths:
        lines = max(8, sizes.length_bytes // length)
        for name, deliver in ((SHIPPER, ship_lines), (ADAPTER, adapt_lines)):
            run = _bound(deliver, length, lines, into)
            found.append(Contestant(LENGTHS, name, run, lines, ours=True, size=length))
    access = workloads.make("access", sizes.format_lines, into)
    unknown = workloads.make("prose", sizes.format_lines, into)
    for count in sizes.formats:
        chosen: object = list(format_names[:count]) if count else "auto"
        size = count or len(format_names)
        for name, workload in ((ACCESS_LOG, access), (NO_FORMAT, unknown)):
            run = _bound(adapt_formats, chosen, workload, into)
            found.append(Contestant(FORMATS, name, run, workload.lines, ours=True, size=size))
    return found


def _bound(run: Callable[..., Measured], *arguments: object) -> Callable[[], Measured]:
    return lambda: run(*arguments)


def ship_files(count: int, lines_each: int, into: Path) -> Measured:
    """The same lines spread over `count` files that appear at once."""
    block = b"".join(map(workloads.json_line, range(lines_each)))
    core, other = machine.cores()
    expected = count * lines_each
    with tempfile.TemporaryDirectory(dir=into) as name, Sink(other, Path(name)) as sink:
        directory = Path(name)
        (directory / "new").mkdir()
        (directory / "log").mkdir()
        for number in range(count):
            (directory / f"new/app-{number}.log").write_bytes(block)
        settings = _shipper(directory, sink.url, f"{directory}/log/*/*.log")
        with Mate("sidecar_logshipper", settings, core, directory) as mate:
            time.sleep(0.2)
            startup = machine.cpu_s(mate.pid)
            (directory / "new").rename(directory / "log/new")
            _wait(mate, lambda: sink.look() >= expected, f"the lines of {count} files have arrived")
            time.sleep(0.3)
            cpu = machine.cpu_s(mate.pid) - startup
            peak = machine.memory(mate.pid).peak
        figures = {"cpu_us_per_line": cpu / expected * 1e6, "cpu_ms": cpu * 1000, "peak_mib": peak}
        return Measured(sink.look(), figures)


def ship_lines(length: int, lines: int, into: Path) -> Measured:
    """JSON lines of `length` bytes, newline included."""
    core, other = machine.cores()
    with tempfile.TemporaryDirectory(dir=into) as name, Sink(other, Path(name)) as sink:
        directory = Path(name)
        (directory / "log").mkdir()
        _write_lines(directory / "ready", length, lines)
        with Mate(
            "sidecar_logshipper", _shipper(directory, sink.url, f"{directory}/log/*.log"), core, directory
        ) as mate:
            time.sleep(0.2)
            startup = machine.cpu_s(mate.pid)
            (directory / "ready").rename(directory / "log/app.log")
            _wait(mate, lambda: sink.look() >= lines, f"the lines of {length} bytes have arrived")
            time.sleep(0.3)
            cpu = machine.cpu_s(mate.pid) - startup
            return Measured(sink.look(), _per_second(length * lines, cpu, mate))


def adapt_lines(length: int, lines: int, into: Path) -> Measured:
    with tempfile.TemporaryDirectory(dir=into) as name:
        directory = Path(name)
        _write_lines(directory / "ready", length, lines)
        records, cpu, mate = _adapt(directory, "auto", lines)
        return Measured(records, _per_second(length * lines, cpu, mate))


def adapt_formats(chosen: object, workload: workloads.Workload, into: Path) -> Measured:
    with tempfile.TemporaryDirectory(dir=into) as name:
        directory = Path(name)
        (directory / "ready").hardlink_to(workload.path)
        records, cpu, _ = _adapt(directory, chosen, workload.lines)
        return Measured(records, {"cpu_us_per_line": cpu / workload.lines * 1e6})


def _adapt(directory: Path, chosen: object, records: int) -> tuple[int, float, Mate]:
    """How many records came out of the file `ready`, and the CPU-seconds; the mate has ended, its peak is known."""
    core, _ = machine.cores()
    (directory / "log").mkdir()
    settings = {
        "inputs": [{"paths": [f"{directory}/log/*.log"], "format": chosen}],
        "output": {"to": f"file://{directory}/out.jsonl", "max_bytes": "64GiB"},
        "state_dir": f"{directory}/state",
        "drain": {"quiet": "50ms"},
        "ops": {"listen": "127.0.0.1:0"},
    }
    growing = Growing(directory / "out.jsonl")
    with Mate("adapter_logformat", settings, core, directory) as mate:
        time.sleep(0.2)
        startup = machine.cpu_s(mate.pid)
        (directory / "ready").rename(directory / "log/app.log")
        _wait(mate, lambda: growing.look() >= records, f"{records} records are written")
        cpu = machine.cpu_s(mate.pid) - startup
        mate.peak_mib = machine.memory(mate.pid).peak
    return growing.look(), cpu, mate


def _wait(mate: Mate, met: Callable[[], bool], what: str) -> None:
    def looked() -> bool:
        mate.check()
        return met()

    wait_until(looked, what, within_s=PATIENCE_S)


def _per_second(size: int, cpu: float, mate: Mate) -> dict[str, float]:
    peak = mate.peak_mib or machine.memory(mate.pid).peak
    return {"mb_per_cpu_s": size / 1e6 / max(cpu, 0.001), "peak_mib": peak}


def _write_lines(path: Path, length: int, lines: int) -> None:
    head = json.dumps({"level": "info", "message": ""}, separators=(",", ":")).encode()
    padding = b"the quick brown fox jumps over the lazy dog " * (length // 44 + 1)
    line = head[:-2] + padding[: max(0, length - len(head) - 1)] + head[-2:] + b"\n"
    with path.open("wb") as file:
        file.writelines(_repeated(line, lines))


def _repeated(line: bytes, lines: int) -> Iterator[bytes]:
    block = max(1, 1_000_000 // len(line))
    for _ in range(lines // block):
        yield line * block
    yield line * (lines % block)


def _shipper(directory: Path, url: str, include: str) -> dict[str, object]:
    return {
        "files": {"include": [include]},
        "sink": {"url": url, "compression": "none"},
        "state_dir": f"{directory}/state",
        "drain": {"quiet": "50ms"},
        "ops": {"listen": "127.0.0.1:0"},
    }
