"""A connection while it is talked with message by message: until its session is up, for cancels and for probes.

Reads are bounded by pausing the transport. Once the session is up, `relay` takes the transport over.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, cast

MAX_UNREAD_BYTES = 65536
LINGER_S = 1.0


class ConnectionEnded(Exception):
    """The peer has closed or reset the connection, and everything it sent has been read."""


class Within:
    """`with Within(seconds):` raises TimeoutError when what is awaited inside takes longer.

    What asyncio.timeout does, at half of its cost: a login needs three. A task that somebody else cancels stays
    cancelled.
    """

    __slots__ = ("_cancelling", "_late", "_seconds", "_task", "_timer")
    _task: asyncio.Task[object]
    _timer: asyncio.TimerHandle

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._late = False

    def __enter__(self) -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        assert task is not None
        self._task = task
        self._cancelling = task.cancelling()
        self._timer = loop.call_later(self._seconds, self._expire)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        if self._late and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def _expire(self) -> None:
        self._late = True
        self._task.cancel()


class Machine(Protocol):
    """One side of a dialogue, without any I/O."""

    hungry: bool
    """It waits for bytes of the other side."""

    def feed(self, data: bytes) -> bytes:
        """Take bytes of the other side; returns what to send to it now. Bounds what it keeps."""


class Conversation(asyncio.Protocol):
    """An asyncio protocol with awaitable `receive` and `converse`. One task at a time may wait in it."""

    transport = cast(asyncio.Transport, None)
    eof = False
    lost = False
    failure: Exception | None = None  # why it was lost, if it was not closed
    on_gone: Callable[[], None] | None = None
    """Called once when the connection is lost, or at end-of-file with nothing left to read."""
    _waiter: asyncio.Future[None] | None = None
    _machine: Machine | None = None

    def __init__(self, on_connect: Callable[[Conversation], None] | None = None) -> None:
        self._on_connect = on_connect
        self._unread = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        if self._on_connect is not None:
            self._on_connect(self)

    def data_received(self, data: bytes) -> None:
        if self._machine is not None:
            try:
                self._feed(self._machine, data)
            except Exception as error:
                self._machine = None
                self._wake(error)
            return
        self._unread += data
        if len(self._unread) > MAX_UNREAD_BYTES:
            self.transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        self.eof = True
        self._wake()
        if not self._unread:
            self._tell_gone()
        return True  # keep the other direction open: half-close is honest

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self.failure = exc
        self._wake()
        self._tell_gone()

    async def receive(self) -> bytes:
        """Everything that has arrived, at least one byte; ConnectionEnded when nothing can come any more."""
        try:
            while not self._unread:
                await self._arrival()
        finally:
            self._waiter = None
        return self.take_unread()

    async def converse(self, machine: Machine) -> None:
        """Let `machine` answer what arrives until it is no longer hungry, each time in the turn in which it arrives.

        Raises what `machine` raises, and ConnectionEnded when nothing can come any more.
        """
        self._machine = machine
        try:
            # Also when that is nothing: `machine` may keep bytes of which it was not hungry before.
            self._feed(machine, self.take_unread())
            while machine.hungry:
                await self._arrival()
        finally:
            self._machine = None
            self._waiter = None  # an error in it leads back here, and what it leads to may hold a password

    def _feed(self, machine: Machine, data: bytes) -> None:
        if answer := machine.feed(data):
            self.send(answer)
        if not machine.hungry:
            self._wake()

    def _arrival(self) -> asyncio.Future[None]:
        if self.eof or self.lost:
            raise ConnectionEnded
        self._waiter = asyncio.get_running_loop().create_future()
        return self._waiter

    def send(self, data: bytes) -> None:
        """Write without waiting. What is sent before a session is up is small and bounded by its builders."""
        if not self.lost:
            self.transport.write(data)

    def take_unread(self) -> bytes:
        """Hand over what has arrived and was not received yet, and let more come."""
        data = bytes(self._unread)
        if not data:
            return data
        self._unread.clear()
        if len(data) > MAX_UNREAD_BYTES and not self.lost and not self.eof:
            self.transport.resume_reading()
        return data

    def give_back(self, data: bytes) -> None:
        """Put bytes that were received and not used in front of what is still unread."""
        if data:
            self._unread[:0] = data

    async def farewell(self, data: bytes) -> None:
        """Send the last words and close once the peer has closed or LINGER_S have passed.

        Closing at once could turn into a reset, which may reach the peer before the words do.
        """
        self.on_gone = None
        if self.lost:
            return
        self.send(data)
        self.transport.write_eof()
        with contextlib.suppress(TimeoutError, ConnectionEnded), Within(LINGER_S):
            while True:
                await self.receive()
        self.close()

    def close(self) -> None:
        """Close after what was sent has gone out."""
        if self.transport is not None:
            self.transport.close()

    def abort(self) -> None:
        """Close at once."""
        if self.transport is not None:
            self.transport.abort()

    def _wake(self, error: Exception | None = None) -> None:
        if self._waiter is None or self._waiter.done():
            return
        if error is None:
            self._waiter.set_result(None)
        else:
            self._waiter.set_exception(error)

    def _tell_gone(self) -> None:
        if self.on_gone is not None:
            gone, self.on_gone = self.on_gone, None
            gone()
