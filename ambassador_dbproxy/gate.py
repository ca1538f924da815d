"""Hold rather than refuse: new connections wait at the gate of a target that is down, while one prober tries it.

The prober goes on at leisure while the target is up, so that a change is seen before an app runs into it.

A gate knows health and who waits; what a probe is, and what a refused connection is told, is the protocol's business.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from ambassador_dbproxy.dial import Unreachable
from ambassador_dbproxy.refusal import Unusable
from ambassador_dbproxy.server import Health
from chassis.backoff import full_jitter

FIRST_PAUSE_S = 0.05
LOGINS_AT_ONCE = 16
"""Logins that may be under way at one target, so that a crowd set free by its return does not fell it again."""


class HoldExpired(Exception):
    """The longest wait is over and the target is still down. The text is the last reason."""


class TooManyWaiting(Exception):
    """As many connections wait already as may."""


class GateClosed(Exception):
    """The target is no longer the one to wait for; look for the new one."""


class Gate:
    """In front of one target. `probe` returns when it is usable and raises Unreachable or Unusable otherwise."""

    def __init__(
        self,
        name: str,
        probe: Callable[[], Awaitable[None]],
        *,
        interval_s: float,
        max_waiting: int,
        random: Callable[[], float],
        log: Any,
    ) -> None:
        self.health = Health.UNKNOWN
        self.reason = ""
        self.turn = asyncio.Semaphore(LOGINS_AT_ONCE)
        self._name = name
        self._probe = probe
        self._interval_s = interval_s
        self._max_waiting = max_waiting
        self._random = random
        self._log = log
        self._closed = False
        self._waiters: set[asyncio.Future[None]] = set()
        self._prober: asyncio.Task[None] | None = None
        self._asked = asyncio.Event()

    @property
    def waiting(self) -> int:
        """How many connections wait now."""
        return len(self._waiters)

    def look(self) -> None:
        """Find out about the target now, in the background, and go on looking after it."""
        if self._prober is None and not self._closed:
            self._prober = asyncio.get_running_loop().create_task(self._keep_looking(), name=f"probe {self._name}")
        self._asked.set()

    async def wait(self, deadline: float) -> None:
        """Return when the target may be tried; `deadline` is in the loop's time.

        Raises HoldExpired, TooManyWaiting, or GateClosed after a switch.
        """
        loop = asyncio.get_running_loop()
        while self.health is Health.DOWN and not self._closed:
            if len(self._waiters) >= self._max_waiting:
                raise TooManyWaiting
            waiter = loop.create_future()
            self._waiters.add(waiter)
            try:
                async with asyncio.timeout_at(deadline):
                    await waiter
            except TimeoutError as error:
                raise HoldExpired(self.reason) from error
            finally:
                self._waiters.discard(waiter)
        if self._closed:
            raise GateClosed

    def report_down(self, reason: str) -> None:
        """A connection or login has shown that the target is down."""
        if self.health is not Health.DOWN:
            self._log.warning("target_down", target=self._name, reason=reason)
            self.health = Health.DOWN
            self.look()
        self.reason = reason

    def report_faulty(self, reason: str) -> None:
        """The target answers, but not as the settings want it. Nobody is held: each app is to hear the reason."""
        if self.health is not Health.FAULTY or self.reason != reason:
            self._log.error("target_faulty", target=self._name, reason=reason)
        self.health = Health.FAULTY
        self.reason = reason
        self._release()

    def report_up(self) -> None:
        """A login or probe has shown that the target is up: whoever waits may try."""
        if self.health is not Health.UP:
            self._log.info("target_up", target=self._name)
        self.health = Health.UP
        self.reason = ""
        self._release()

    async def close(self) -> None:
        """Stop probing and send whoever waits away with GateClosed."""
        self._closed = True
        self._release()
        if self._prober is not None:
            self._prober.cancel()
            await asyncio.wait((self._prober,))

    async def _keep_looking(self) -> None:
        pauses = self._pauses()
        while True:
            self._asked.clear()
            try:
                await self._probe()
            except Unreachable as error:
                self.report_down(str(error))
            except Unusable as error:
                self.report_faulty(str(error))
            except Exception:
                # A bug in one look is loud, and must not leave those who wait without a prober.
                self._log.exception("bug", where=f"probe {self._name}")
            else:
                self.report_up()
            if self.health is Health.DOWN:
                await asyncio.sleep(next(pauses))
                continue
            pauses = self._pauses()
            with contextlib.suppress(TimeoutError):
                # Spread, so that the pods of a deployment do not all look at once.
                async with asyncio.timeout(self._interval_s * (0.75 + self._random() / 2)):
                    await self._asked.wait()

    def _pauses(self) -> Iterator[float]:
        return full_jitter(FIRST_PAUSE_S, self._interval_s, self._random)

    def _release(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
