"""Starting what is measured: each process on its core, in a directory of its own, and ended by its own id."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).parent.parent
PATIENCE_S = 120.0
LOOK_EVERY_S = 0.02


# Before the program begins, so that its threads inherit it: the core, and descriptors for thousands of connections.
# Where it is allowed, it goes before all others on its core: what shares the machine then disturbs it less.
_PIN = """
import os, resource, sys
os.sched_setaffinity(0, [int(sys.argv[1])])
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
enough = 32768 if hard == resource.RLIM_INFINITY else min(hard, 32768)
resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, enough), hard))
try:
    os.setpriority(os.PRIO_PROCESS, 0, -20)
    with open("/proc/self/autogroup", "w") as group:  # without it a priority only counts within its session
        group.write("-20")
except OSError:
    pass
os.execvp(sys.argv[2], sys.argv[2:])
"""


def on_core(core: int, command: Sequence[str]) -> list[str]:
    """The command that runs `command` on this core, before all others there if that is allowed."""
    return [sys.executable, "-S", "-c", _PIN, str(core), *command]


class Failed(Exception):
    """A measured process did not do what it should; the text says which and what it wrote."""


def wait_until(met: Callable[[], bool], what: str, *, within_s: float = PATIENCE_S) -> None:
    """Looks until `met`; Failed when that takes too long or `met` raises it."""
    give_up_at = time.monotonic() + within_s
    while not met():
        if time.monotonic() > give_up_at:
            raise Failed(f"gave up waiting until {what}")
        time.sleep(LOOK_EVERY_S)


class Pinned:
    """A child on one core. Its standard error goes to `<name>.stderr` in the directory."""

    def __init__(self, name: str, command: Sequence[str], core: int, directory: Path, **pipes: Any) -> None:
        self.name = name
        self.stderr = directory / f"{name}.stderr"
        self.started_at = time.monotonic()
        with self.stderr.open("wb") as errors:
            self.process = subprocess.Popen(
                on_core(core, command), stderr=errors, cwd=ROOT, start_new_session=True, **pipes
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def check(self) -> None:
        """Failed when it has ended by itself."""
        if self.process.poll() is not None:
            raise Failed(f"{self.name} ended with {self.process.returncode}: {self.stderr.read_text()[-2000:]}")

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and self.process.poll() is None:
            self.process.kill()
        self.stop()


class Mate(Pinned):
    """One of the mates with its settings; `ready` is its own event, `ready_s` the time until it said so."""

    def __init__(self, package: str, settings: Mapping[str, object], core: int, directory: Path) -> None:
        path = directory / f"{package}.yaml"
        path.write_text(json.dumps(settings))  # JSON is YAML
        super().__init__(package, [sys.executable, "-m", package, "--config", str(path)], core, directory)
        self.ready: dict[str, Any] = {}
        self.peak_mib = 0.0
        """For those who look at it before it ends."""
        wait_until(self._is_ready, f"{package} is ready")
        self.ready_s = time.monotonic() - self.started_at

    def _is_ready(self) -> bool:
        self.check()
        self.ready = next((event for event in self.events() if event["event"] == "ready"), {})
        return bool(self.ready)

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stderr.read_bytes().split(b"\n")[:-1] if line.startswith(b"{")]


class Sink(Pinned):
    """The counting log server of `benchmarks.sink`."""

    def __init__(self, core: int, directory: Path) -> None:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        super().__init__("sink", [sys.executable, "-m", "benchmarks.sink"], core, directory, **pipes)
        self.url = f"http://127.0.0.1:{int(self._answer())}/"
        self.lines = 0
        self.wire_bytes = 0
        self.received_at = 0.0

    def slow_down(self, delay_s: float) -> None:
        """From now on each request is answered so much later."""
        self._ask(f"{delay_s}")

    def look(self) -> int:
        """The lines so far."""
        self._ask("")
        return self.lines

    def _ask(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        taken = json.loads(self._answer())
        self.lines += taken["lines"]
        self.wire_bytes += taken["wire_bytes"]
        self.received_at = taken["received_at"] or self.received_at

    def _answer(self) -> bytes:
        assert self.process.stdout is not None
        line: bytes = self.process.stdout.readline()
        if not line:
            self.check()
            raise Failed("the sink says nothing")
        return line

    def stop(self) -> None:
        super().stop()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


def found(program: str, variable: str) -> Path | None:
    """The program named by the environment variable, else the one on PATH or where Debian puts daemons."""
    if named := os.environ.get(variable):
        return Path(named)
    for directory in [*os.environ.get("PATH", "").split(os.pathsep), "/usr/sbin", "/usr/local/sbin"]:
        path = Path(directory or ".") / program
        if path.is_file() and os.access(path, os.X_OK):
            return path
    return None
