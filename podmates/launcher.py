"""Starts children for the demo: all in one group of tasks, with a small environment, each with its own log file."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from podmates.account import Account, run_as
from podmates.child import Child, ReadyReader, ready_event

SOURCES = Path(__file__).resolve().parent.parent


class Launcher:
    """Children end at the latest when `tasks` ends. Their logs are kept in `logs`."""

    def __init__(self, tasks: asyncio.TaskGroup, logs: Path, path: str = os.defpath) -> None:
        self.tasks = tasks
        self._logs = logs
        # As small as a container's, and able to find these packages.
        self._environ = {"PATH": path, "LANG": "C.UTF-8", "PYTHONPATH": str(SOURCES)}

    async def python(self, name: str, module: str, *arguments: str | Path) -> Child:
        """Run a module of ours as a process."""
        return await self.program(name, [sys.executable, "-m", module, *arguments])

    async def command(self, module: str, *arguments: str) -> tuple[int, str]:
        """Run a short command of ours to its end: its exit status, and what it said."""
        return await run_to_end([sys.executable, "-m", module, *arguments], environ=self._environ)

    async def program(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        environ: Mapping[str, str] | None = None,
        is_ready: ReadyReader = ready_event,
        account: Account | None = None,
        last_resort: int = signal.SIGKILL,
    ) -> Child:
        """Run any program as a process; see `Child.start`."""
        return await Child.start(
            self.tasks,
            name,
            command,
            environ=self._environ if environ is None else environ,
            log_path=self.log_path(name),
            is_ready=is_ready,
            account=account,
            last_resort=last_resort,
        )

    def log_path(self, name: str) -> Path:
        """Where the standard error of the child of this name is kept."""
        return self._logs / f"{name.replace(' ', '-')}.log"


async def run_to_end(
    command: Sequence[str | Path], *, environ: Mapping[str, str], account: Account | None = None
) -> tuple[int, str]:
    """The exit status of a command that ends by itself, and what it wrote. It does not outlive the caller."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env=dict(environ),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
        **run_as(account),
    )
    try:
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:  # interrupted
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    return await process.wait(), said.decode("utf-8", "replace").strip()
