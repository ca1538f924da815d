"""The ambassador's life: binds its listeners, leads them all to one environment, and lets the app finish first.

Implements `chassis.lifecycle.Mate`. Ready means listening: a database that is down is waited for, not reported here.
"""

from __future__ import annotations

import asyncio
import binascii
import gc
import os
from collections.abc import Iterable, Sequence
from typing import Any

from ambassador_dbproxy.credentials import SaltedPasswords
from ambassador_dbproxy.listener import Listener
from ambassador_dbproxy.metrics import DbproxyCollector, Reading, Tally, Timings
from ambassador_dbproxy.operations import Operations
from ambassador_dbproxy.protocols import service
from ambassador_dbproxy.routes import check_environment, route
from ambassador_dbproxy.settings import ListenerSettings, Settings
from ambassador_dbproxy.status import ListenerStatus, Status, listener_status
from ambassador_dbproxy.surroundings import Surroundings
from chassis.command import Context
from chassis.settings import OperatorError

NONCE_BYTES = 18
GONE_S = 0.5
"""An app that connects for each request has no session for moments, and is still there."""


class Ambassador:
    """All listeners and the environment they lead to."""

    def __init__(self, settings: Settings, context: Context) -> None:
        self.environment = settings.environment
        self._settings = settings
        self._context = context
        self._log = context.log
        self._keys = SaltedPasswords()
        timings = Timings(context.registry)
        self._listeners: list[Listener[Any]] = []
        for listener in settings.listeners:
            around = self._surroundings(settings, listener, timings.tally(listener.name))
            log = context.log.bind(listener=listener.name)
            speaks = service(listener.protocol)
            self._listeners.append(Listener(listener, speaks, route(listener, self.environment), around, log))
        context.registry.register(DbproxyCollector(self._readings))
        context.routes.extend(Operations(self).routes())

    async def start(self) -> dict[str, object]:
        """Bind every listener; OperatorError when an address cannot be had."""
        for at, listener in enumerate(self._listeners):
            await listener.start(f"listeners[{at}].listen")
        # What is there now mostly stays: the collector need not look through all modules again.
        gc.freeze()
        return {
            "environment": self.environment,
            "listeners": {each.settings.name: str(each.address) for each in self._listeners},
        }

    async def run(self) -> None:
        """Nothing to do here: the listeners' own callbacks work until they are closed."""
        await asyncio.get_running_loop().create_future()

    async def drain(self) -> None:
        """Go on serving, new connections too, until the app has gone from all listeners at once."""
        await gone_from(self._listeners, GONE_S)

    async def close(self) -> bool:
        """End what is left. An app that kept its sessions has lost nothing of ours: always True."""
        ended = await asyncio.gather(*(listener.close() for listener in self._listeners))
        if any(ended):
            self._log.info("sessions_ended", sessions=sum(ended))
        return True

    async def reload(self, settings: Settings) -> None:
        """Take over everything but the addresses and protocols of the listeners."""
        if _fixed(settings) != _fixed(self._settings):
            raise OperatorError("listeners", "name, listen, protocol and allow_remote change only with a restart")
        if settings.ops != self._settings.ops:
            raise OperatorError("ops.listen", "changes only with a restart")
        # A `switch` command stays in force until the file itself names another environment.
        wanted = settings.environment if settings.environment != self._settings.environment else self.environment
        check = [each for each in settings.listeners if wanted not in each.environments]
        if check:
            raise OperatorError("environment", f"{wanted!r}, chosen by `switch`, is no longer known everywhere")
        self._lead_to(settings, wanted)

    def switch(self, environment: str) -> int:
        """Lead new connections to `environment`; returns how many sessions leave. UnknownEnvironment if it is none."""
        check_environment(self._settings, environment)
        return self._lead_to(self._settings, environment)

    def status(self) -> Status:
        """What there is to say of this moment, without any secret."""
        listeners: list[ListenerStatus] = [
            listener_status(each.settings, str(each.address), each.upstream, each.reading()) for each in self._listeners
        ]
        return Status(environment=self.environment, phase=self._context.phase().value, listeners=listeners)

    def _lead_to(self, settings: Settings, environment: str) -> int:
        self._settings = settings
        self.environment = environment
        leaving = 0
        for listener, its in zip(self._listeners, settings.listeners, strict=True):
            around = self._surroundings(settings, its, listener.tally)
            leaving += listener.lead_to(its, route(its, environment), around, settings.switch.deadline)
        return leaving

    def _surroundings(self, settings: Settings, listener: ListenerSettings, tally: Tally) -> Surroundings:
        return Surroundings.of(
            settings,
            listener,
            keys=self._keys,
            tally=tally,
            random=self._context.random,
            nonce=_nonce,
            log=self._log.bind(listener=listener.name),
        )

    def _readings(self) -> Iterable[Reading]:
        return [listener.reading() for listener in self._listeners]


async def gone_from(listeners: Sequence[Listener[Any]], for_s: float) -> None:
    """Return when no listener is in use and none was for the last `for_s` seconds."""
    accepted = -1
    while accepted != (now := await _accepted_until_empty(listeners)):
        accepted = now
        await asyncio.sleep(for_s)


async def _accepted_until_empty(listeners: Sequence[Listener[Any]]) -> int:
    """How many connections had been accepted at a moment when no listener was in use."""
    while any(listener.in_use for listener in listeners):
        for listener in listeners:
            await listener.empty()
    return sum(listener.tally.accepted for listener in listeners)


def _nonce() -> str:
    return binascii.b2a_base64(os.urandom(NONCE_BYTES), newline=False).decode()


def _fixed(settings: Settings) -> list[tuple[object, ...]]:
    return [(each.name, each.listen, each.protocol, each.allow_remote) for each in settings.listeners]
