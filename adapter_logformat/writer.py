"""The one thread that touches the output and the notes: tries again until it is let, and tells of it once.

While it insists nothing else is read: the followed files, the senders and the kernel's buffers are the buffer.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from adapter_logformat.journal import Journal, Note
from adapter_logformat.outlets import Outlet
from adapter_logformat.output import Output
from chassis.backoff import full_jitter
from chassis.command import Context

RETRY_FIRST_S: Final = 0.1
RETRY_CAP_S: Final = 5.0
T = TypeVar("T")


class Writer:
    """Runs blocking calls of the output on its thread; `blocked` while they fail."""

    def __init__(self, context: Context, name: str) -> None:
        self.blocked = False
        self._name = name
        self._context = context
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="output")

    async def once(self, act: Callable[[], T]) -> T:
        """One try."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, act)

    async def insist(self, act: Callable[[], T]) -> T:
        """Acts until the file system (or the peer) lets us; `act` knows how to go on where it failed."""
        pauses = full_jitter(RETRY_FIRST_S, RETRY_CAP_S, self._context.random)
        log = self._context.log
        while True:
            try:
                result = await self.once(act)
            except OSError as error:
                if not self.blocked:
                    self.blocked = True
                    log.error("output_blocked", output=self._name, reason=error.strerror or str(error))
                await asyncio.sleep(next(pauses))
            else:
                if self.blocked:
                    self.blocked = False
                    log.info("output_writable_again", output=self._name)
                return result

    def close(self) -> None:
        self._thread.shutdown(wait=False)


class Append:
    """One step into the output: its note first, then its records. Called again after an OSError it goes on."""

    def __init__(self, output: Output | Outlet, journal: Journal, note: Note | None, records: list[bytes]) -> None:
        self._output = output
        self._journal = journal
        self._note = note
        self._records: list[bytes] | None = records

    def __call__(self) -> None:
        if self._note is not None:
            self._journal.write(self._note)
            self._note = None
        if self._records is not None:
            records, self._records = self._records, None
            if records:
                self._output.append(records)
        else:
            self._output.resume()
