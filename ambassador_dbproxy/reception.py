"""Accepted connections from their first byte until they have a session, or have been told why not.

What is said to them is their `Service`'s matter, where they are led to the listener's.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Generic

from ambassador_dbproxy.conversation import Conversation
from ambassador_dbproxy.refusal import INTERNAL_ERROR, Reason, Refused
from ambassador_dbproxy.service import Floor, Service, U
from ambassador_dbproxy.settings import LimitSettings

UNNAMED_CONNECTIONS = 64
"""Connections beyond the limits that may be in their start-up conversation, so that a cancel request gets through."""
MAX_QUEUED = 2048
"""Connections beyond even those; they are not read from until there is room. The next one is closed at once."""


class Reception(Generic[U]):
    """Of one listener. `emptied` is called when the last connection has left it."""

    def __init__(self, name: str, service: Service[U], floor: Floor[U], emptied: Callable[[], None]) -> None:
        self._name = name
        self._service = service
        self._floor = floor
        self._emptied = emptied
        self._starting: dict[asyncio.Task[None], Conversation] = {}
        self._queued: deque[Conversation] = deque()
        self._closing = False

    def __len__(self) -> int:
        """Connections that are being served now; those in the queue are not yet."""
        return len(self._starting)

    def accept(self, app: Conversation, limits: LimitSettings) -> None:
        """Serve a new connection, now or when there is room."""
        self._floor.tally.accepted += 1
        if len(self._starting) < limits.connections + limits.waiting + UNNAMED_CONNECTIONS:
            self._begin(app)
        elif len(self._queued) < MAX_QUEUED:
            # Nothing can be said before the app has introduced itself, so that it has to wait even to be refused.
            app.transport.pause_reading()
            self._queued.append(app)
        else:
            self._floor.tally.refused[Reason.CONNECTIONS] += 1
            app.send(self._service.farewell(Reason.CONNECTIONS, "too many connections are starting"))
            app.close()

    def close(self) -> Iterable[asyncio.Task[None]]:
        """Serve nobody any more; the tasks that are being cancelled."""
        self._closing = True
        while self._queued:
            self._queued.popleft().close()
        for task in self._starting:
            task.cancel()
        return tuple(self._starting)

    def _begin(self, app: Conversation) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(app), name=f"serve {self._name}")
        app.on_gone = lambda: _cancel(task)
        self._starting[task] = app
        task.add_done_callback(self._served)

    async def _serve(self, app: Conversation) -> None:
        tally, log = self._floor.tally, self._floor.log
        try:
            await self._service.serve(app, self._floor)
        except Exception as error:
            refusal = error if isinstance(error, Refused) else Refused(Reason.BUG, INTERNAL_ERROR)
            tally.refused[refusal.reason] += 1
            if refusal.reason is Reason.BUG:
                # It ends this one connection, loudly; the other sessions are not to pay for it.
                log.exception("bug", where="serving a connection")
            else:
                log.warning("connection_refused", kind=refusal.reason.value, reason=refusal.text)
            answer = refusal.answer
            await app.farewell(self._service.farewell(refusal.reason, refusal.text) if answer is None else answer)

    def _served(self, task: asyncio.Task[None]) -> None:
        app = self._starting.pop(task)
        if task.cancelled():
            # Here and not in the task, which may have been cancelled before its first step.
            if self._closing and not (app.eof or app.lost):
                self._floor.tally.refused[Reason.CLOSING] += 1
                app.send(self._service.farewell(Reason.CLOSING, "the database ambassador is shutting down"))
            app.close()
        self._take_queued()
        if not self._starting:
            self._emptied()

    def _take_queued(self) -> None:
        while self._queued and not self._closing:
            if not (app := self._queued.popleft()).lost:
                app.transport.resume_reading()
                self._begin(app)
                return


def _cancel(task: asyncio.Task[Any]) -> None:
    task.cancel()
