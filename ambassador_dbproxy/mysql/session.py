"""One app's MySQL session, from the moment that both sides are logged in until it ends, changes of user included.

How it came about is `service`'s matter; when it is quiet is decided in `tracking`, how it leaves in `followed_session`.
"""

from __future__ import annotations

from collections.abc import Callable

from ambassador_dbproxy.conversation import ConnectionEnded, Conversation
from ambassador_dbproxy.dial import Unreachable
from ambassador_dbproxy.followed_session import FollowedSession, ServerLeg, discard
from ambassador_dbproxy.mysql.change_user import change_user, interrupted
from ambassador_dbproxy.mysql.errors import SHUTDOWN, read_status, refusal
from ambassador_dbproxy.mysql.query import QUIT
from ambassador_dbproxy.mysql.server_connection import LoggedIn
from ambassador_dbproxy.mysql.tracking import SessionTracker
from ambassador_dbproxy.mysql.upstream import NOT_LETTING_IN, MysqlUpstream
from ambassador_dbproxy.mysql.wire import encode
from ambassador_dbproxy.refusal import Refused
from ambassador_dbproxy.relay import Leg, join
from ambassador_dbproxy.server import Server
from ambassador_dbproxy.service import Floor


class MysqlSession(FollowedSession):
    """An app joined with a server."""

    __slots__ = ("_changing", "_logged_in")
    GOODBYE = encode(0, QUIT)
    _upstream: MysqlUpstream
    tracker: SessionTracker

    def __init__(
        self, app: Conversation, logged_in: LoggedIn, upstream: MysqlUpstream, floor: Floor[MysqlUpstream]
    ) -> None:
        super().__init__(upstream, floor)
        self._changing = False
        self._logged_in = logged_in
        self.tracker = SessionTracker(
            logged_in.agreed,
            read_status(logged_in.ok),
            intercept=upstream.route.target.user is not None,
            on_error=floor.tally.error,
        )
        connection = logged_in.greeted.server
        connection.conversation.give_back(connection.reader.take_rest())
        self._app = _AppLeg(app, self.tracker, self._look_around)
        self._server = ServerLeg(connection.conversation)
        self._server.look = self.tracker.server_bytes
        floor.entered(self)
        join((app, self._app), (connection.conversation, self._server), self._lost)

    @property
    def server(self) -> Server:
        return self._logged_in.greeted.server.server

    def _look_around(self) -> None:
        """What the app asked to be changed comes first, once all before it is answered."""
        if self.tracker.held is None:
            super()._look_around()
            return
        self._server.look = self._look_and_see
        if self.tracker.answered and not self._changing and not self._app.ended:
            self._changing = True
            self._floor.spawn(self._change_user(), f"change user {self.route.name}")

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
            self._floor.log.warning("cancel_failed", target=self.route.name, reason=str(error))
        else:
            self._floor.tally.cancels += 1

    async def _change_user(self) -> None:
        app, server = interrupted(self._app), interrupted(self._server)
        tracker = self.tracker
        app.give_back(bytes(tracker.held or b""))
        self._logged_in.greeted.server.conversation = server
        if not (self._app.ended or self._app.transport.is_closing()):
            self._app.transport.resume_reading()
        try:
            ok = await change_user(app, self._logged_in, self._upstream, self._floor)
        except Refused as refusal_:
            self._floor.log.warning("change_user_refused", target=self.route.name, reason=refusal_.text)
            await app.farewell(refusal_.answer or b"")
            server.abort()
        except ConnectionEnded:
            app.abort()
            server.abort()
        except BaseException:
            app.abort()
            server.abort()
            raise
        else:
            server.give_back(self._logged_in.greeted.server.reader.take_rest())
            tracker.user_changed(read_status(ok))
        finally:
            self._go_on(app, server)

    def _go_on(self, app: Conversation, server: Conversation) -> None:
        """Relay again after an interruption, or let the legs hear of their ends."""
        self._changing = False
        app.eof, server.eof = app.eof and not self._app.eof, server.eof and not self._server.eof
        join((app, self._app), (server, self._server), self._lost)
        if self._told:
            self._app.forward = discard
        if not self._app.ended:
            self._look_around()


class _AppLeg(Leg):
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
