"""One app's MySQL session, from the moment that both sides are logged in until it ends, changes of user included.

How it came about is `service`'s matter; when it is quiet is decided in `tracking`, how it leaves in `followed_session`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ambassador_dbproxy.conversation import ConnectionEnded, Conversation
from ambassador_dbproxy.dial import Unreachable
from ambassador_dbproxy.followed_session import AppLeg, FollowedSession, ServerLeg, Stage
from ambassador_dbproxy.mysql.change_user import change_user, interrupted
from ambassador_dbproxy.mysql.entrance import AppReader
from ambassador_dbproxy.mysql.errors import NO_SUCH_THREAD, SHUTDOWN, read_status, refusal
from ambassador_dbproxy.mysql.login import ServerRefused
from ambassador_dbproxy.mysql.query import QUIT
from ambassador_dbproxy.mysql.server_connection import LoggedIn
from ambassador_dbproxy.mysql.tracking import SessionTracker
from ambassador_dbproxy.mysql.upstream import NOT_LETTING_IN, MysqlUpstream
from ambassador_dbproxy.mysql.wire import encode
from ambassador_dbproxy.refusal import Refused
from ambassador_dbproxy.relay import join
from ambassador_dbproxy.server import Server
from ambassador_dbproxy.service import Floor


class MysqlSession(FollowedSession):
    """An app joined with a server."""

    __slots__ = ("_change", "_logged_in")
    GOODBYE = encode(0, QUIT)
    _upstream: MysqlUpstream
    tracker: SessionTracker

    def __init__(
        self, app: Conversation, logged_in: LoggedIn, upstream: MysqlUpstream, floor: Floor[MysqlUpstream]
    ) -> None:
        super().__init__(upstream, floor)
        self._change: asyncio.Task[None] | None = None
        self._logged_in = logged_in
        self.tracker = SessionTracker(
            logged_in.agreed,
            read_status(logged_in.ok),
            intercept=upstream.route.target.user is not None,
            on_error=floor.tally.error,
        )
        connection = logged_in.greeted.server
        connection.conversation.give_back(connection.reader.take_rest())
        self._app = _AppLeg(app, self.tracker, self._asked_for_change)
        self._app.on_eof = self._app_ended
        self._server = ServerLeg(connection.conversation)
        self._server.look = self.tracker.server_bytes
        floor.entered(self)
        join((app, self._app), (connection.conversation, self._server), self._lost)

    @property
    def server(self) -> Server:
        return self._logged_in.greeted.server.server

    def end(self, text: str) -> None:
        if self._stage is Stage.CHANGING:
            self._leaving = text
            self._stop_changing()
        else:
            super().end(text)

    def abort(self) -> None:
        self._stop_changing()
        super().abort()

    def _look_around(self) -> None:
        """What the app asked to be changed comes first, once all before it is answered."""
        if self.tracker.held is None:
            super()._look_around()
            return
        if self._stage is not Stage.JOINED:
            return
        self._server.look = self._look_and_see
        if self._server.eof:
            self.end(self._leaving or "")  # there is nobody left to ask
        elif self.tracker.answered and not self._app.ended:
            self._interrupt()

    def _asked_for_change(self) -> None:
        if self._stage is Stage.PARTED:
            self._answer_parted(b"")
        else:
            self._look_around()

    def _last_words(self, text: str) -> bytes:
        return refusal(SHUTDOWN, text, self.tracker.next_sequence) if self.tracker.between_packets else b""

    def _stop_running(self) -> None:
        if self._upstream.route.target.user is not None:
            self._floor.spawn(self._kill(), f"kill {self.route.name}")

    async def _kill(self) -> None:
        greeted = self._logged_in.greeted
        try:
            await self._upstream.kill(greeted.server, greeted.greeting.thread_id)
        except (*NOT_LETTING_IN, Unreachable) as error:
            if not (isinstance(error, ServerRefused) and error.error.number == NO_SUCH_THREAD.number):  # it has ended
                self._floor.log.warning("cancel_failed", target=self.route.name, reason=str(error))
        else:
            self._floor.tally.cancels += 1

    def _interrupt(self) -> None:
        """Stop relaying, for the change of user that the app asks for."""
        self._stage = Stage.CHANGING
        app, server = interrupted(self._app), interrupted(self._server)
        self._logged_in.greeted.server.conversation = server
        held = bytes(self.tracker.held or b"")
        app.give_back(held)
        self._app.received -= len(held)  # what is behind the change comes by again
        self._change = self._floor.spawn(self._change_user(app, server), f"change user {self.route.name}")
        self._change.add_done_callback(lambda change: self._change_ended(change, app, server))
        app.on_gone = lambda: self._app_gone(app)
        if not (self._app.ended or self._app.transport.is_closing()):
            self._app.transport.resume_reading()

    def _app_gone(self, app: Conversation) -> None:
        """Nobody waits for the change any more; an app that has only half closed does."""
        if app.lost:
            self._stop_changing()
        else:
            app.on_gone = lambda: self._app_gone(app)

    def _stop_changing(self) -> None:
        if self._change is not None:
            self._change.cancel()

    async def _change_user(self, app: Conversation, server: Conversation) -> None:
        """Change it and go on, or end with the words that tell the app why not."""
        reader = AppReader(app, self._floor.login_timeout_s, 1)
        words = b""
        try:
            ok = await change_user(app, reader, self._logged_in, self._upstream, self._floor)
        except Refused as refused:
            self._floor.log.warning("change_user_refused", target=self.route.name, reason=refused.text)
            words = refused.answer or b""
        except ConnectionEnded:
            pass
        except asyncio.CancelledError:
            # By `end`, `abort` or the app's own end: it is this session's, and has nothing else to do.
            words = refusal(SHUTDOWN, self._leaving or "", reader.sequence)
        else:
            self._go_on(app, server, ok)
            return
        self._stage = Stage.TOLD
        server.abort()
        await app.farewell(words)

    def _go_on(self, app: Conversation, server: Conversation, ok: bytes) -> None:
        """Relay again after an interruption."""
        server.give_back(self._logged_in.greeted.server.reader.take_rest())
        self.tracker.user_changed(read_status(ok))
        self._change = None
        app.eof, server.eof = app.eof and not self._app.eof, server.eof and not self._server.eof
        join((app, self._app), (server, self._server), self._lost)
        self._stage = Stage.JOINED
        if not self._app.ended:
            self._look_around()

    def _change_ended(self, change: asyncio.Task[None], app: Conversation, server: Conversation) -> None:
        """Unless it went well the session is over. Here and not in the task, which may never have begun."""
        if self._change is change:
            self._change = None
            self._stage = Stage.TOLD
            server.abort()
            app.close()
            self._gone()


class _AppLeg(AppLeg):
    """Shows the app's chunks to the tracker before they go out: what asks for a change of user does not."""

    __slots__ = ("_held", "_look", "_tracker")

    def __init__(self, conversation: Conversation, tracker: SessionTracker, held: Callable[[], None]) -> None:
        super().__init__(conversation)
        self._tracker = tracker
        self._look = tracker.client_bytes
        self._held = held

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        passed = self._look(data)
        if passed:
            self.forward(passed)
        if passed is not data and self._tracker.held is not None:
            self.transport.pause_reading()
            self._held()

    def eof_received(self) -> bool:
        if kept := self._tracker.take_kept():
            self.forward(kept)
        return super().eof_received()
