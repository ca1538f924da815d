"""One process of the local pod: started on a leash, read until it says it is ready, stopped with a deadline.

Each child is owned by a task of the group it was started in: when that task ends, whatever the reason, the process is
gone. What to start, and in which order, is left to the callers.
"""

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from podmates.account import Account, run_as

READY_WITHIN_S = 60.0
KEPT_LINES = 40
MAX_LINE_BYTES = 16_384
PR_SET_PDEATHSIG = 1

# Loaded before any fork: the forked child must not have to import or load anything.
_libc = ctypes.CDLL(None, use_errno=True)

Facts = Mapping[str, object]
ReadyReader = Callable[[str], Facts | None]


class ChildFailed(Exception):
    """A child ended by itself, missed its deadline, or ended with a status that is no success."""

    def __init__(self, child: "Child", what: str) -> None:
        super().__init__(f"{child.name} {what}")
        self.child = child


def ready_event(line: str) -> Facts | None:
    """The members of a `{"event": "ready", …}` log line, or None for any other line."""
    if '"ready"' not in line:
        return None
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and event.get("event") == "ready" else None


class Child:
    """A running process whose standard error is kept on disk and, its last lines, in memory."""

    def __init__(
        self, name: str, process: asyncio.subprocess.Process, *, log_path: Path, is_ready: ReadyReader, last_resort: int
    ) -> None:
        self.name = name
        self.pid = process.pid
        self.log_path = log_path
        self.ready_after_s = 0.0
        self._process = process
        self._is_ready = is_ready
        self._last_resort = last_resort
        self._started = time.monotonic()
        self._facts: asyncio.Future[Facts] = asyncio.get_running_loop().create_future()
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._stopping = False
        self._gone = asyncio.Event()

    @classmethod
    async def start(
        cls,
        tasks: asyncio.TaskGroup,
        name: str,
        command: Sequence[str | Path],
        *,
        environ: Mapping[str, str],
        log_path: Path,
        is_ready: ReadyReader = ready_event,
        account: Account | None = None,
        last_resort: int = signal.SIGKILL,
    ) -> "Child":
        """Start `command`; a task added to `tasks` owns it. `last_resort` is the signal that ends it at once."""
        # A session of its own: Ctrl-C in the terminal reaches the demo alone, which then stops the pod in order.
        process = await asyncio.create_subprocess_exec(
            *command,
            env=dict(environ),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            preexec_fn=_leash(os.getpid(), last_resort),
            **run_as(account),
        )
        child = cls(name, process, log_path=log_path, is_ready=is_ready, last_resort=last_resort)
        tasks.create_task(child._own(), name=f"child {name}")
        return child

    async def ready(self, within_s: float = READY_WITHIN_S) -> Facts:
        """The facts of its ready event. Raises ChildFailed when it takes longer than `within_s`."""
        try:
            async with asyncio.timeout(within_s):
                return await asyncio.shield(self._facts)
        except TimeoutError:
            raise ChildFailed(self, f"was not ready within {within_s:.0f} s") from None

    async def stop(self, deadline_s: float) -> int:
        """Ask it to end (SIGTERM) and wait. Raises ChildFailed when it is still there after `deadline_s`."""
        self._stopping = True
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(deadline_s):
                await self._gone.wait()
        except TimeoutError:
            raise ChildFailed(self, f"did not end within {deadline_s:.0f} s of SIGTERM") from None
        return await self._process.wait()

    async def kill(self) -> None:
        """End it without warning, as a crash of its machine would."""
        self._stopping = True
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._gone.wait()

    @property
    def facts(self) -> Facts:
        """The facts of its ready event, empty before it."""
        return self._facts.result() if self._facts.done() else {}

    def last_lines(self, count: int = 15) -> list[str]:
        """The end of its standard error, oldest line first."""
        return list(self._lines)[-count:]

    async def _own(self) -> None:
        try:
            await self._read_stderr()
            status = await self._process.wait()
        finally:
            await self._end()
            self._gone.set()
        if not self._stopping:
            raise ChildFailed(self, f"ended by itself with status {status}")

    async def _end(self) -> None:
        for deadly in (self._last_resort, signal.SIGKILL):
            if self._process.returncode is not None:
                return
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, deadly)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(3):
                    await self._process.wait()

    async def _read_stderr(self) -> None:
        stream = self._process.stderr
        assert stream is not None
        pending = b""
        with self.log_path.open("ab", buffering=0) as log:
            while block := await stream.read(65_536):
                log.write(block)
                *lines, pending = (pending + block).split(b"\n")
                pending = pending[-MAX_LINE_BYTES:]
                for line in lines:
                    self._see(line.decode("utf-8", "replace"))
        if pending:
            self._see(pending.decode("utf-8", "replace"))

    def _see(self, line: str) -> None:
        self._lines.append(line)
        if not self._facts.done() and (facts := self._is_ready(line)) is not None:
            self.ready_after_s = time.monotonic() - self._started
            self._facts.set_result(facts)


def _leash(parent_pid: int, deadly: int) -> Callable[[], None]:
    """What a forked child runs before its program: it asks the kernel to be sent `deadly` when its parent is gone."""

    def tie() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, deadly, 0, 0, 0)
        if os.getppid() != parent_pid:  # the parent was gone before the leash was on
            os._exit(1)

    return tie


def resident_mib(pid: int) -> float:
    """Resident memory of a process in MiB, 0 when it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1_048_576
