"""One listener: accepts the app, keeps the bounds, holds, switches, and owns every task and session it started.

What is spoken is its `Service`'s matter. Where it leads to is told by the ambassador with `lead_to`.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from typing import Any, Generic

from ambassador_dbproxy.conversation import Conversation
from ambassador_dbproxy.dial import Unreachable, bind, bound_address, unlink
from ambassador_dbproxy.gate import GateClosed, HoldExpired, TooManyWaiting
from ambassador_dbproxy.metrics import Reading, Tally
from ambassador_dbproxy.reception import Reception
from ambassador_dbproxy.refusal import Reason, Refused
from ambassador_dbproxy.routes import Route
from ambassador_dbproxy.server import Health, Server
from ambassador_dbproxy.service import OpenedT, Service, Session, U
from ambassador_dbproxy.settings import ListenerSettings
from ambassador_dbproxy.surroundings import Surroundings
from ambassador_dbproxy.tls import ALPN, AppEncryption

CLOSE_S = 1.5
SETTLE_S = 0.25
"""A session that replaces one which a switch has ended has so long to be used: no query is to fail by two switches."""


class Listener(Generic[U]):
    """The door on one local address. Implements `service.Floor`."""

    def __init__(
        self, settings: ListenerSettings, service: Service[U], route: Route, around: Surroundings, log: Any
    ) -> None:
        self.settings = settings
        self.tally: Tally = around.tally
        self.log = log
        self.address = settings.listen
        self._service = service
        self._around = around
        self.app_encryption = _app_encryption(settings, self.log)
        self._sessions: dict[Session, float] = {}  # each with the loop's time at which it began
        self._upstream = self._made(route)
        self._disturbed_at = -math.inf  # when a session was last ended by a switch
        self._deadline_s = 0.0  # of the last switch
        self._reception = Reception(settings.name, service, self, self._note_emptied)
        self._work: set[asyncio.Task[None]] = set()
        self._entering = 0  # connections between their start-up and their session
        self._opening = 0  # those that talk to a server now
        self._emptied = asyncio.Event()
        self._socket: socket.socket | None = None
        self._server: asyncio.Server | None = None

    @property
    def upstream(self) -> U:
        return self._upstream

    @property
    def login_timeout_s(self) -> float:
        return self._around.login_timeout_s

    async def start(self, setting: str) -> None:
        """Bind and accept; OperatorError naming `setting`, or the one beside it, when that cannot be."""
        loop = asyncio.get_running_loop()
        if self.app_encryption is not None:
            await self.app_encryption.check(setting.removesuffix("listen") + "tls")
        self._socket = bind(self.settings.listen, setting)
        self.address = bound_address(self._socket, self.settings.listen)
        create = loop.create_unix_server if self.settings.listen.path else loop.create_server
        self._server = await create(
            lambda: Conversation(lambda app: self._reception.accept(app, self.settings.limits)), sock=self._socket
        )
        if not self.settings.listen.is_loopback:
            self.log.warning(
                "listening_beyond_loopback",
                listen=str(self.address),
                consequence="whoever reaches this address is logged in to the database",
            )
        self._upstream.gate.look()

    async def admit(self, open_at: Callable[[U], Awaitable[OpenedT]]) -> tuple[U, OpenedT]:
        """See `service.Floor.admit`."""
        limits = self.settings.limits
        most = limits.connections + limits.waiting
        if len(self._sessions) + self._entering >= most:
            raise Refused(Reason.CONNECTIONS, f"{self.settings.name}: {most} connections are open or on their way")
        self._entering += 1
        try:
            return await self._hold(open_at, asyncio.get_running_loop().time() + limits.hold)
        finally:
            self._entering -= 1

    async def _hold(self, open_at: Callable[[U], Awaitable[OpenedT]], deadline: float) -> tuple[U, OpenedT]:
        held = False
        while True:
            upstream = self._upstream
            if upstream.gate.health is Health.DOWN and not held:
                held = True
                self.tally.held += 1
            try:
                await upstream.gate.wait(deadline)
                async with upstream.gate.turn:
                    if upstream.gate.health is Health.DOWN:
                        continue
                    opened = await self._open_in_room(upstream, open_at)
            except Unreachable as error:
                upstream.gate.report_down(str(error))
            except GateClosed:
                continue
            except TooManyWaiting:
                waiting = self.settings.limits.waiting
                raise Refused(
                    Reason.WAITING, f"{upstream.route.name} is down and {waiting} connections wait for it"
                ) from None
            except HoldExpired as error:
                text = f"{upstream.route.name} is down, waited {self.settings.limits.hold}: {error}"
                raise Refused(Reason.HOLD, text) from error
            else:
                upstream.gate.report_up()
                if upstream.route == self._upstream.route:
                    return upstream, opened
                opened.abandon()

    async def _open_in_room(self, upstream: U, open_at: Callable[[U], Awaitable[OpenedT]]) -> OpenedT:
        limit = self.settings.limits.connections
        if len(self._sessions) + self._opening >= limit:
            raise Refused(Reason.CONNECTIONS, f"{self.settings.name}: {limit} connections are open already")
        self._opening += 1
        try:
            return await open_at(upstream)
        finally:
            self._opening -= 1

    @contextlib.contextmanager
    def joining(self) -> Iterator[None]:
        """See `service.Floor.joining`."""
        self._opening += 1
        try:
            yield
        finally:
            self._opening -= 1

    def entered(self, session: Session) -> None:
        """See `service.Floor.entered`."""
        self._sessions[session] = asyncio.get_running_loop().time()
        session.server.in_use += 1
        self.tally.sessions += 1
        if session.route != self._upstream.route:
            # The environment was switched while the login went on.
            text = f"terminating connection: {session.route.name} is no longer the environment"
            asyncio.get_running_loop().call_soon(self._send_away, session, text)
            self.spawn(self._cut((session,), text, self._deadline_s), f"deadline of {session.route.name}")

    def left(self, session: Session) -> None:
        """See `service.Floor.left`."""
        del self._sessions[session]
        session.server.in_use -= 1
        if session.route != self._upstream.route:
            self._disturbed_at = asyncio.get_running_loop().time()
        from_app, from_server, transactions = session.counts()
        self.tally.bytes_from_app += from_app
        self.tally.bytes_from_server += from_server
        self.tally.transactions += transactions
        self._note_emptied()

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """See `service.Floor.spawn`."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._work.add(task)
        task.add_done_callback(self._work_done)
        return task

    def lead_to(self, settings: ListenerSettings, route: Route, around: Surroundings, deadline_s: float) -> int:
        """From now on lead new connections to `route`; returns how many sessions must leave within `deadline_s`."""
        if settings.tls != self.settings.tls:
            self.app_encryption = _app_encryption(settings, self.log)
        self.settings = settings
        if route == self._upstream.route and around == self._around:
            return 0
        old, self._around, self._deadline_s = self._upstream, around, deadline_s
        self._upstream = self._made(route)
        if route == old.route:
            self._upstream.succeed(old)
        self._upstream.gate.look()
        leaving = [session for session in self._sessions if session.route != route]
        if route != old.route:
            self.tally.switches += 1
            self.log.info("switched", old=old.route.name, new=route.name, sessions_leaving=len(leaving))
        text = f"terminating connection: {self.settings.name} now leads to the environment {route.environment}"
        for session in leaving:
            self._send_away(session, text)
        if leaving:
            self._disturbed_at = asyncio.get_running_loop().time()
            self.spawn(self._cut(leaving, text, deadline_s), f"deadline of {old.route.name}")
        self.spawn(old.close(), f"switch to {route.name}")
        return len(leaving)

    def _send_away(self, session: Session, text: str) -> None:
        """Let a session of another environment leave, if it replaces an earlier one only once it has been used."""
        if (began := self._sessions.get(session)) is None:
            return
        replaces = began < self._disturbed_at + SETTLE_S
        left_s = began + SETTLE_S - asyncio.get_running_loop().time()
        session.leave(text, max(0.0, left_s) if replaces else 0.0)

    def _made(self, route: Route) -> U:
        upstream = self._service.upstream(route, self._around)
        upstream.servers.on_unfit = self._leave_server
        upstream.servers.succeed([session.server for session in self._sessions if session.route == route])
        return upstream

    def _leave_server(self, server: Server) -> None:
        """A server has changed its role: its sessions are to find another one."""
        text = f"terminating connection: {server.host} is a {server.role.value} now"
        for session in [session for session in self._sessions if session.server is server]:
            session.leave(text)

    async def _cut(self, leaving: Sequence[Session], text: str, deadline_s: float) -> None:
        """At the deadline end those that are still there, unless what they lead to is the environment again."""
        await asyncio.sleep(deadline_s)
        late = [each for each in leaving if each in self._sessions and each.route != self._upstream.route]
        for target, many in Counter(session.route.name for session in late).items():
            self.log.warning("sessions_cut", target=target, sessions=many, deadline_s=deadline_s)
        for session in late:
            session.end(text)

    @property
    def in_use(self) -> bool:
        """True while a session is open or on its way."""
        return bool(self._sessions or self._reception)

    async def empty(self) -> None:
        """Return at a moment when it is not in use."""
        while self.in_use:
            self._emptied.clear()
            await self._emptied.wait()

    async def close(self) -> int:
        """Stop accepting, end what is left with the protocol's own words; returns how many sessions that were."""
        if self._server is not None:
            self._server.close()
        elif self._socket is not None:
            self._socket.close()
        if self.settings.listen.path and self._socket is not None:
            unlink(self.settings.listen)
        starting = self._reception.close()
        for task in self._work:
            task.cancel()
        left = list(self._sessions)
        for session in left:
            session.end("terminating connection: the database ambassador is shutting down")
        if tasks := [*starting, *self._work]:
            await asyncio.wait(tasks, timeout=CLOSE_S)
        try:
            async with asyncio.timeout(CLOSE_S):
                await self.empty()
        except TimeoutError:
            for session in list(self._sessions):
                session.abort()
        await self._upstream.close()
        return len(left)

    def reading(self) -> Reading:
        """The numbers of this moment."""
        counts = [session.counts() for session in self._sessions]
        return Reading(
            listener=self.settings.name,
            environment=self._upstream.route.environment,
            tally=self.tally,
            open_sessions=len(self._sessions),
            most_sessions=self.settings.limits.connections,
            waiting=self._upstream.gate.waiting,
            health=self._upstream.gate.health,
            servers=tuple(self._upstream.servers),
            bytes_from_app=self.tally.bytes_from_app + sum(each[0] for each in counts),
            bytes_from_server=self.tally.bytes_from_server + sum(each[1] for each in counts),
            transactions=self.tally.transactions + sum(each[2] for each in counts),
        )

    def _work_done(self, task: asyncio.Task[None]) -> None:
        self._work.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.log.error("bug", where=task.get_name(), exc_info=error)

    def _note_emptied(self) -> None:
        if not self.in_use:
            self._emptied.set()


def _app_encryption(settings: ListenerSettings, log: Any) -> AppEncryption | None:
    return None if settings.tls is None else AppEncryption(settings.tls, ALPN[settings.protocol], log)
