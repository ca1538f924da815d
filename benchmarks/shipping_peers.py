"""The peers that ship lines: how each is set up, as documented and at its best, and how one run of it is measured.

rsyslog and syslog-ng go from file to file, which costs them less than any network; Fluent Bit and Vector post to the
same counting log server as the shipper. Each runs below a temporary directory and is ended by its own process id.
"""

import contextlib
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks import machine
from benchmarks.peers import Program
from benchmarks.processes import Pinned, Sink, wait_until
from benchmarks.rounds import Measured
from benchmarks.workloads import Workload

BUFFER_BYTES = 256 * 1024
SETTLED_S = 0.3
"""So long after its start a daemon only waits."""
IDLE_LOOK_S = 0.15


@dataclass(frozen=True, slots=True)
class Setup:
    """One way to run a peer: `text` is its settings file, with places for {directory} and {port}. `kinds` are the
    workloads it is for; `posts` to the log server or writes out.txt."""

    peer: str
    name: str
    text: str
    file: str
    arguments: tuple[str, ...]
    kinds: tuple[str, ...] = ("json", "text")
    posts: bool = False

    @property
    def contestant(self) -> str:
        return f"{self.peer} {self.name}"


RSYSLOG_ARGUMENTS = ("-n", "-f", "{directory}/rsyslog.conf", "-i", "{directory}/pid")
RSYSLOG_DOCUMENTED = Setup("rsyslog", "as documented", """\
module(load="imfile" mode="inotify")
global(workDirectory="{directory}")
template(name="line" type="string" string="%msg%\\n")
action(type="omfile" file="{directory}/out.txt" template="line")
input(type="imfile" file="{directory}/log/*.log" tag="app")
""", "rsyslog.conf", RSYSLOG_ARGUMENTS)  # fmt: skip
# No queue between input and output, no flush at the end of each transaction, a large write buffer.
RSYSLOG_TUNED = Setup("rsyslog", "tuned", """\
module(load="imfile" mode="inotify")
global(workDirectory="{directory}" maxMessageSize="64k")
template(name="line" type="string" string="%msg%\\n")
ruleset(name="out" queue.type="direct") {
  action(type="omfile" file="{directory}/out.txt" template="line" ioBufferSize="256k" flushOnTXEnd="off")
}
input(type="imfile" file="{directory}/log/*.log" tag="app" ruleset="out" addMetadata="off" maxLinesPerMinute="0")
""", "rsyslog.conf", RSYSLOG_ARGUMENTS)  # fmt: skip

SYSLOG_NG_ARGUMENTS = (
    "-F", "-f", "{directory}/syslog-ng.conf", "-R", "{directory}/persist", "-p", "{directory}/pid",
    "-c", "{directory}/control", "--no-caps",
)  # fmt: skip
SYSLOG_NG_DOCUMENTED = Setup("syslog-ng", "as documented", """\
@version: 3.38
source in { file("{directory}/log/app.log" flags(no-parse) follow-freq(0.1)); };
destination out { file("{directory}/out.txt" template("$MSG\\n")); };
log { source(in); destination(out); };
""", "syslog-ng.conf", SYSLOG_NG_ARGUMENTS)  # fmt: skip
# More messages at once from reader to writer, written in larger pieces.
SYSLOG_NG_TUNED = Setup("syslog-ng", "tuned", """\
@version: 3.38
options { threaded(yes); log-msg-size(65536); stats-level(0); flush-lines(10000); keep-timestamp(no); use-dns(no); };
source in {
  file("{directory}/log/app.log" flags(no-parse, no-hostname) follow-freq(0.1) log-fetch-limit(10000)
    log-iw-size(100000));
};
destination out { file("{directory}/out.txt" template("$MSG\\n") log-fifo-size(200000) flush-lines(10000)); };
log { source(in); destination(out); flags(flow-control); };
""", "syslog-ng.conf", SYSLOG_NG_ARGUMENTS)  # fmt: skip

TO_FILES = (RSYSLOG_DOCUMENTED, RSYSLOG_TUNED, SYSLOG_NG_DOCUMENTED, SYSLOG_NG_TUNED)

LABELS = {"app": "web", "env": "production", "k8s.pod.name": "web-7d4b9c6f5-x2x9k"}
"""What is merged into every record."""


def measure(setup: Setup, program: Program, workload: Workload, into: Path, records: int | None = None) -> Measured:
    """One run from an empty directory to the last of `records` (none: one for each line) at the log server or in the
    output file."""
    wanted = workload.lines if records is None else records
    with tempfile.TemporaryDirectory(dir=into) as name, contextlib.ExitStack() as stack:
        directory = Path(name)
        (directory / "log").mkdir()
        sink = stack.enter_context(Sink(machine.cores()[1], directory)) if setup.posts else None
        growing = Growing(directory / "out.txt")
        daemon = stack.enter_context(start(setup, program, directory, sink))
        startup, idle = machine.cpu_s(daemon.pid), machine.memory(daemon.pid).resident
        began = time.monotonic()
        (directory / "log/app.log").hardlink_to(workload.path)

        def is_done() -> bool:
            daemon.check()
            # The last of a file stays in a buffer until it ends; what writing that costs is not counted against it.
            return sink.look() >= wanted if sink is not None else growing.has_all_but(BUFFER_BYTES, wanted)

        wait_until(is_done, f"{setup.contestant} has delivered everything")
        wall = time.monotonic() - began
        _until_idle(daemon)
        cpu = machine.cpu_s(daemon.pid) - startup
        peak = machine.memory(daemon.pid).peak
        daemon.stop()
        arrived = sink.look() if sink is not None else growing.look()
    return Measured.of_lines(workload.lines if arrived == wanted else arrived, cpu, startup, wall, peak, idle)


def _until_idle(daemon: Pinned) -> None:
    """What is within a buffer's size of the end may not have been read yet; a daemon told to end would leave it."""
    used = -1.0
    while (now := machine.cpu_s(daemon.pid)) != used:
        used = now
        time.sleep(IDLE_LOOK_S)


def start(setup: Setup, program: Program, directory: Path, sink: Sink | None) -> Pinned:
    """The running peer, when its start is over."""
    port = "" if sink is None else sink.url.rstrip("/").rpartition(":")[2]

    def filled(text: str) -> str:
        return text.replace("{directory}", str(directory)).replace("{port}", port)

    (directory / setup.file).write_text(filled(setup.text))
    command = program.command(*(filled(argument) for argument in setup.arguments), *_modules(program))
    daemon = Pinned(program.name, command, machine.cores()[0], directory)
    if "{directory}/pid" in setup.arguments:
        wait_until((directory / "pid").exists, f"{program.name} has started")
    time.sleep(SETTLED_S)
    daemon.check()
    return daemon


def _modules(program: Program) -> list[str]:
    modules = program.modules()
    if modules is None:
        return []
    if program.name == "rsyslog":
        return ["-M", str(modules)]
    return [f"--module-path={modules}"] if program.name == "syslog-ng" else []


class Growing:
    """Counts the lines of a growing file, reading each byte once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines = self._at = 0

    def look(self) -> int:
        if self._path.exists():
            with self._path.open("rb") as file:
                file.seek(self._at)
                while block := file.read(1 << 20):
                    self._lines += len(block) - len(block.replace(b"\n", b""))
                    self._at += len(block)
        return self._lines

    def has_all_but(self, size: int, lines: int) -> bool:
        """So many lines, but for the last `size` bytes, as far as their mean length tells."""
        seen = self.look()
        return seen > 0 and (lines - seen) * self._at / seen < size
