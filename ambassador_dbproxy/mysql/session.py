"""One app's MySQL session: its login, the server connection it gets, and the relay until it ends.

The words of both conversations are in the pure modules; where the server connection comes from is `upstream`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ambassador_dbproxy.conversation import ConnectionEnded, Conversation
from ambassador_dbproxy.dial import Unreachable
from ambassador_dbproxy.mysql.change_user import change_user, interrupted
from ambassador_dbproxy.mysql.entrance import enter, pass_through, refused
from ambassador_dbproxy.mysql.errors import CODES, SHUTDOWN, read_status, refusal
from ambassador_dbproxy.mysql.login import LoginFailed, ServerRefused
from ambassador_dbproxy.mysql.query import QUIT
from ambassador_dbproxy.mysql.tracking import SessionTracker
from ambassador_dbproxy.mysql.upstream import NOT_LETTING_IN, Greeted, LoggedIn, MysqlUpstream
from ambassador_dbproxy.mysql.wire import encode
from ambassador_dbproxy.refusal import Reason, Refused
from ambassador_dbproxy.relay import Leg, join
from ambassador_dbproxy.routes import Route
from ambassador_dbproxy.server import Server
from ambassador_dbproxy.service import Floor
from ambassador_dbproxy.surroundings import Surroundings
from ambassador_dbproxy.tls import TlsFailed
from chassis.secret import SecretUnreadable

PARTED_S = 0.1
_QUIT = encode(0, QUIT)


class MysqlService:
    """See `service.Service`."""

    def upstream(self, route: Route, around: Surroundings) -> MysqlUpstream:
        return MysqlUpstream(route, around)

    def farewell(self, reason: Reason, text: str) -> bytes:
        """As the first packet of all; later ones go on with a sequence, and are made where that is known."""
        return refusal(CODES[reason], text, 0, greeted=False)

    async def serve(self, app: Conversation, floor: Floor[MysqlUpstream]) -> None:
        """The server is dialled at once, since the app waits for its greeting before it says anything."""
        began = asyncio.get_running_loop().time()
        try:
            upstream, greeted = await floor.admit(MysqlUpstream.open)
        except ServerRefused as error:
            floor.tally.error(error.error.sqlstate)
            text = f"{floor.upstream.route.name}: the server refused the connection: {error.error.message}"
            raise Refused(Reason.LOGIN, text, encode(0, error.body)) from error
        except TlsFailed as error:
            raise Refused(Reason.TLS, str(error)) from error
        except (LoginFailed, SecretUnreadable) as error:
            text = f"the database ambassador could not log in to {floor.upstream.route.name}: {error}"
            raise Refused(Reason.LOGIN, text) from error
        with floor.joining():
            logged_in = await _log_in(app, upstream, greeted, floor)
            if logged_in is not None:
                MysqlSession(app, logged_in, upstream, floor)
                floor.tally.logged_in(asyncio.get_running_loop().time() - began)


async def _log_in(
    app: Conversation, upstream: MysqlUpstream, greeted: Greeted, floor: Floor[MysqlUpstream]
) -> LoggedIn | None:
    """The way in that the target wants; None if the app left without a word, as port scans and probes do."""
    way_in = enter if upstream.route.target.user is not None else pass_through
    try:
        return await way_in(app, upstream, greeted, floor)
    except ConnectionEnded:
        floor.spawn(_dismiss(upstream, greeted), f"dismiss {upstream.route.name}")
        app.close()
        return None
    except asyncio.CancelledError:
        if app.eof or app.lost:
            floor.spawn(_dismiss(upstream, greeted), f"dismiss {upstream.route.name}")
            raise
        greeted.abandon()
        # The listener closes, and would speak as if nothing had been said yet.
        raise refused(Reason.CLOSING, "the database ambassador is shutting down", 2) from None
    except BaseException:
        greeted.abandon()
        raise


async def _dismiss(upstream: MysqlUpstream, greeted: Greeted) -> None:
    try:
        await upstream.dismiss(greeted)
    except (*NOT_LETTING_IN, Unreachable):
        pass  # nobody is left to be told


class MysqlSession:
    """An app joined with a server."""

    __slots__ = (
        "_app",
        "_changing",
        "_floor",
        "_leaving",
        "_logged_in",
        "_server",
        "_told",
        "_upstream",
        "tracker",
        "watchful",
    )

    def __init__(
        self, app: Conversation, logged_in: LoggedIn, upstream: MysqlUpstream, floor: Floor[MysqlUpstream]
    ) -> None:
        self.watchful = False
        """True while something is to be done at the next quiet moment."""
        self._leaving: str | None = None
        self._changing = self._told = False
        self._upstream = upstream
        self._floor = floor
        self._logged_in = logged_in
        self.tracker = SessionTracker(
            logged_in.agreed,
            read_status(logged_in.ok),
            intercept=upstream.route.target.user is not None,
            on_error=floor.tally.error,
        )
        connection = logged_in.greeted.server
        connection.conversation.give_back(connection.reader.take_rest())
        self._app = _AppLeg(app, self)
        self._server = _ServerLeg(connection.conversation, self)
        floor.entered(self)
        join((app, self._app), (connection.conversation, self._server), self._lost)
        if floor.upstream.route != upstream.route:
            # The environment was switched while the login went on.
            self.leave(f"{self.route.name} is no longer the environment")

    @property
    def route(self) -> Route:
        return self._upstream.route

    @property
    def server(self) -> Server:
        return self._logged_in.greeted.server.server

    def leave(self, text: str) -> None:
        self._leaving = text
        self.look_around()

    def look_around(self) -> None:
        """Do what waits for a quiet moment, if this is one."""
        self.watchful = True
        tracker = self.tracker
        if tracker.held is not None:
            if tracker.answered and not self._changing and not self._app.ended:
                self._changing = True
                self._floor.spawn(self._change_user(), f"change user {self.route.name}")
        elif self._leaving is None:
            self.watchful = False
        elif tracker.quiet:
            self._part(self._leaving)

    def end(self, text: str) -> None:
        self._part_from_server()
        self._tell(text)

    def abort(self) -> None:
        self._app.transport.abort()
        self._server.transport.abort()

    def counts(self) -> tuple[int, int, int]:
        return self._app.received, self._server.received, self.tracker.transactions

    def _part(self, text: str) -> None:
        """Leave the server, at a quiet moment. The app is told when it next asks, or after PARTED_S.

        Drivers that are not asking for anything take what comes for a broken stream; as the answer to a command it is
        an error like any other.
        """
        if self._part_from_server():
            self._app.forward = self._answer_parted
            asyncio.get_running_loop().call_later(PARTED_S, self._tell, text)

    def _part_from_server(self) -> bool:
        """Close the server's side; False if that was done before."""
        if self._server.peer is self._server:
            return False
        if not self.tracker.answered:
            self._kill_running()
        elif not (self._app.eof or self._server.ended or self._server.transport.is_closing()):
            self._server.transport.write(_QUIT)
        self._server.transport.close()
        self._server.peer, self._app.peer = self._server, self._app
        return True

    def _answer_parted(self, _: bytes) -> None:
        self._tell(self._leaving or "")

    def _tell(self, text: str) -> None:
        """Say farewell to the app, once."""
        self._app.forward = _discard
        if self._told or self._app.ended or self._app.transport.is_closing():
            return
        self._told = True
        # After the server's end-of-file the app has had ours: nothing may be written behind it.
        if self.tracker.between_packets and not self._server.eof:
            self._app.transport.write(refusal(SHUTDOWN, text, self.tracker.next_sequence))
        self._app.say_goodbye()

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
            self._app.forward = _discard
        if not self._app.ended:
            self.look_around()

    def _kill_running(self) -> None:
        """End what the server is doing for this session: nobody is left to read the answer."""
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

    def _lost(self, leg: Leg) -> None:
        if leg is self._app and not (self._server.ended or self._server.eof) and not self.tracker.answered:
            self._kill_running()
        if self._app.ended and self._server.ended:
            self._floor.left(self)


class _AppLeg(Leg):
    __slots__ = ("_look", "_session")

    def __init__(self, conversation: Conversation, session: MysqlSession) -> None:
        super().__init__(conversation)
        self._session = session
        self._look: Callable[[bytes], bytes] = session.tracker.client_bytes

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        passed = self._look(data)
        if passed:
            self.forward(passed)
        if passed is not data and self._session.tracker.held is not None:
            self.transport.pause_reading()
            self._session.look_around()

    def eof_received(self) -> bool:
        if kept := self._session.tracker.take_kept():
            self.forward(kept)
        return super().eof_received()


class _ServerLeg(Leg):
    __slots__ = ("_look", "_session")

    def __init__(self, conversation: Conversation, session: MysqlSession) -> None:
        super().__init__(conversation)
        self._session = session
        self._look: Callable[[bytes], None] = session.tracker.server_bytes

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        self.forward(data)
        self._look(data)
        if self._session.watchful:
            self._session.look_around()


def _discard(_: bytes) -> None:
    pass
