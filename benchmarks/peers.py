"""The peers: how each is configured and how one run of it is measured. rsyslog as Debian ships it.

Each runs as an instance of its own, below a temporary directory, and is ended by its own process id.
"""

import shutil
import time
from pathlib import Path

from benchmarks import machine
from benchmarks.processes import Pinned, found, wait_until
from benchmarks.rounds import Measured
from benchmarks.workloads import Workload

BUFFER_BYTES = 256 * 1024
# As its documentation shows it: messages pass through the main queue.
_PLAIN = """\
module(load="imfile" mode="inotify")
global(workDirectory="{directory}")
template(name="line" type="string" string="%msg%\\n")
action(type="omfile" file="{directory}/out.txt" template="line")
input(type="imfile" file="{directory}/log/*.log" tag="app")
"""
# Tuned: no queue between input and output, no flush at the end of each transaction, a large write buffer.
_TUNED = """\
module(load="imfile" mode="inotify")
global(workDirectory="{directory}" maxMessageSize="64k")
template(name="line" type="string" string="%msg%\\n")
ruleset(name="out" queue.type="direct") {{
  action(type="omfile" file="{directory}/out.txt" template="line" ioBufferSize="{buffer}" flushOnTXEnd="off")
}}
input(type="imfile" file="{directory}/log/*.log" tag="app" ruleset="out" addMetadata="off" maxLinesPerMinute="0")
"""


class Rsyslog:
    """imfile → omfile: files in, lines out, nothing else."""

    name = "rsyslog"

    def __init__(self, program: Path, *, tuned: bool) -> None:
        self._program = program
        self._settings = _TUNED if tuned else _PLAIN
        # A package that was only unpacked has its modules and libraries beside the program.
        self._root = program.parent.parent.parent
        self._beside = next(iter(sorted(self._root.glob("usr/lib/*/rsyslog"))), None)

    @classmethod
    def find(cls, *, tuned: bool) -> "Rsyslog | None":
        program = found("rsyslogd", "RSYSLOGD")
        return None if program is None else cls(program, tuned=tuned)

    def _command(self, directory: Path) -> list[str]:
        command = [str(self._program), "-n", "-f", f"{directory}/rsyslog.conf", "-i", f"{directory}/pid"]
        if self._beside is None or self._root == Path("/"):
            return command
        return ["env", f"LD_LIBRARY_PATH={self._beside.parent}", *command, "-M", str(self._beside)]

    def measure(self, workload: Workload, directory: Path, core: int) -> Measured:
        """One run from an empty directory to the last line in the output file."""
        (directory / "log").mkdir()
        (directory / "rsyslog.conf").write_text(self._settings.format(directory=directory, buffer=BUFFER_BYTES))
        out = directory / "out.txt"
        with Pinned(self.name, self._command(directory), core, directory) as daemon:
            wait_until((directory / "pid").exists, "rsyslog has started")
            time.sleep(0.3)  # until it only waits
            startup = machine.cpu_s(daemon.pid)
            began = time.monotonic()
            (directory / "log/app.log").hardlink_to(workload.path)

            def is_done() -> bool:
                daemon.check()
                # The rest stays in its buffer until it ends; what writing that costs is not counted against it.
                return out.exists() and out.stat().st_size > workload.size - BUFFER_BYTES

            wait_until(is_done, "rsyslog has written every line")
            wall = time.monotonic() - began
            cpu = machine.cpu_s(daemon.pid) - startup
            peak = machine.memory(daemon.pid).peak
        with out.open("rb") as file:
            lines = sum(block.count(b"\n") for block in iter(lambda: file.read(1024 * 1024), b""))
        shutil.rmtree(directory)
        return Measured(lines, cpu, startup, wall, peak)
