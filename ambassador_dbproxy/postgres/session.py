"""One app's PostgreSQL session: its start-up, the server connection it gets, and the relay until it ends.

The words of both conversations are in the pure modules; where the server connection comes from is `upstream`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ambassador_dbproxy.conversation import ConnectionEnded, Conversation
from ambassador_dbproxy.dial import Unreachable
from ambassador_dbproxy.postgres import errors
from ambassador_dbproxy.postgres.login import LoginFailed, ServerRefused, needs_answer, read_backend_key
from ambassador_dbproxy.postgres.startup import Answer, CancelRequest, ClientStartup, StartupPacket
from ambassador_dbproxy.postgres.tracking import SessionTracker, Shapes
from ambassador_dbproxy.postgres.upstream import TERMINATE, LoggedIn, PostgresUpstream, ServerConnection, Waiting
from ambassador_dbproxy.postgres.wire import MessageReader, ProtocolViolation
from ambassador_dbproxy.refusal import Reason, Refused
from ambassador_dbproxy.relay import Leg, join
from ambassador_dbproxy.routes import Route
from ambassador_dbproxy.server import Server
from ambassador_dbproxy.service import Floor
from ambassador_dbproxy.surroundings import Surroundings
from ambassador_dbproxy.tls import TlsFailed
from chassis.secret import SecretUnreadable

BackendKey = tuple[int, bytes]
PARTED_S = 0.1

_SQLSTATES = {
    Reason.CONNECTIONS: errors.TOO_MANY_CONNECTIONS,
    Reason.WAITING: errors.TOO_MANY_CONNECTIONS,
    Reason.HOLD: errors.CANNOT_CONNECT_NOW,
    Reason.LOGIN: errors.INVALID_AUTHORIZATION,
    Reason.TLS: errors.CONNECTION_FAILURE,
    Reason.PROTOCOL: errors.PROTOCOL_VIOLATION,
    Reason.CLOSING: errors.ADMIN_SHUTDOWN,
    Reason.BUG: errors.INTERNAL_ERROR,
}


class PostgresService:
    """See `service.Service`. Knows the cancel keys of its listener's sessions."""

    def __init__(self) -> None:
        self._cancel_keys: dict[BackendKey, PostgresSession] = {}
        self._shapes = Shapes()

    def upstream(self, route: Route, around: Surroundings) -> PostgresUpstream:
        return PostgresUpstream(route, around)

    def farewell(self, reason: Reason, text: str) -> bytes:
        return errors.fatal(_SQLSTATES[reason], text)

    async def serve(self, app: Conversation, floor: Floor[PostgresUpstream]) -> None:
        began = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(floor.login_timeout_s):
                request = await _read_request(app)
        except (TimeoutError, ConnectionEnded):
            app.close()  # a port scan, a probe, or an app that changed its mind: the server too says nothing
            return
        except ProtocolViolation as error:
            raise Refused(Reason.PROTOCOL, str(error)) from error
        if isinstance(request, CancelRequest):
            await self._cancel(request, floor)
            app.close()
            return
        await self._enter(app, request, floor)
        floor.tally.logged_in(asyncio.get_running_loop().time() - began)

    async def _enter(self, app: Conversation, packet: StartupPacket, floor: Floor[PostgresUpstream]) -> None:
        try:
            upstream, opened = await floor.admit(lambda upstream: upstream.open(packet))
        except ServerRefused as error:
            floor.tally.error(error.error.sqlstate)
            raise _login_refused(error, floor.upstream.route) from error
        except TlsFailed as error:
            raise Refused(Reason.TLS, f"{floor.upstream.route.name}: {error}") from error
        except (LoginFailed, SecretUnreadable) as error:
            text = f"the database ambassador could not log in to {floor.upstream.route.name}: {error}"
            raise Refused(Reason.LOGIN, text) from error
        if isinstance(opened, Waiting):
            try:
                with floor.joining():
                    opened = await _app_logs_in(app, opened, floor)
            except BaseException:
                opened.abandon()
                raise
        else:
            app.send(opened.greeting)
        PostgresSession(app, opened, upstream, floor, self._cancel_keys, self._shapes)

    async def _cancel(self, request: CancelRequest, floor: Floor[PostgresUpstream]) -> None:
        session = self._cancel_keys.get((request.pid, request.key))
        if session is None:
            floor.log.info("cancel_unknown", pid=request.pid)
            return
        await session.cancel()


class PostgresSession:
    """An app joined with a server. Registers its cancel key while it lives."""

    __slots__ = (
        "_app",
        "_cancel_keys",
        "_floor",
        "_key",
        "_place",
        "_server",
        "_told",
        "_upstream",
        "leaving",
        "tracker",
    )

    def __init__(
        self,
        app: Conversation,
        opened: LoggedIn,
        upstream: PostgresUpstream,
        floor: Floor[PostgresUpstream],
        cancel_keys: dict[BackendKey, PostgresSession],
        shapes: Shapes,
    ) -> None:
        self.leaving: str | None = None
        self._told = False
        self.tracker = SessionTracker(floor.tally.error, shapes)
        self._place = opened.server
        self._upstream = upstream
        self._floor = floor
        self._key = opened.backend_key
        self._cancel_keys = cancel_keys
        if self._key is not None:
            cancel_keys[self._key] = self
        server = opened.server.conversation
        server.give_back(opened.server.reader.take_rest())
        self._app = _TrackedLeg(app, self.tracker.client_bytes)
        self._server = _TrackedLeg(server, self.tracker.server_bytes)
        floor.entered(self)
        join((app, self._app), (server, self._server), self._lost)
        if floor.upstream.route != upstream.route:
            # The environment was switched while the app's own login went on.
            self.leave(f"{self.route.name} is no longer the environment")

    @property
    def route(self) -> Route:
        return self._upstream.route

    @property
    def server(self) -> Server:
        return self._place.server

    def leave(self, text: str) -> None:
        self.leaving = text
        if self.tracker.quiet:
            self.part(text)
        else:
            self._server.look = self._look_for_quiet

    def part(self, text: str) -> None:
        """Leave the server, at a quiet moment. The app is told when it next asks, or after PARTED_S.

        An error right behind a ReadyForQuery could be read together with it, and drivers drop what they find
        there; as the answer to a query it is an error like any other.
        """
        if self._part_from_server():
            self._app.forward = self._answer_parted
            asyncio.get_running_loop().call_later(PARTED_S, self._tell, text)

    def _look_for_quiet(self, chunk: bytes) -> None:
        self.tracker.server_bytes(chunk)
        if self.tracker.quiet:
            self.part(self.leaving or "")

    def end(self, text: str) -> None:
        self._part_from_server()
        self._tell(text)

    def _part_from_server(self) -> bool:
        """Close the server's side; False if that was done before."""
        if self._server.peer is self._server:
            return False
        if not self.tracker.quiet:
            self._cancel_running()
        elif not (self._app.eof or self._server.ended or self._server.transport.is_closing()):
            self._server.transport.write(TERMINATE)
        self._server.transport.close()
        self._server.peer, self._app.peer = self._server, self._app
        return True

    def _answer_parted(self, _: bytes) -> None:
        self._tell(self.leaving or "")

    def _tell(self, text: str) -> None:
        """Say farewell to the app, once."""
        self._app.forward = _discard
        if self._told or self._app.ended or self._app.transport.is_closing():
            return
        self._told = True
        # After the server's end-of-file the app has had ours: nothing may be written behind it.
        if self.tracker.between_messages and not self._server.eof:
            self._app.transport.write(errors.fatal(errors.ADMIN_SHUTDOWN, text))
        self._app.say_goodbye()

    def abort(self) -> None:
        self._app.transport.abort()
        self._server.transport.abort()

    def counts(self) -> tuple[int, int, int]:
        return self._app.received, self._server.received, self.tracker.transactions

    async def cancel(self) -> None:
        """Cancel what the server is doing for this session, at that very server."""
        if self._key is None:
            return
        try:
            await self._upstream.cancel(self._place, CancelRequest(*self._key))
        except (Unreachable, TlsFailed) as error:
            self._floor.log.warning("cancel_failed", target=self.route.name, reason=str(error))
        else:
            self._floor.tally.cancels += 1

    def _cancel_running(self) -> None:
        if self._key is not None:
            self._floor.spawn(self.cancel(), f"cancel {self.route.name}")

    def _lost(self, leg: Leg) -> None:
        if leg is self._app and not self._server.ended and not self._server.eof and not self.tracker.quiet:
            self._cancel_running()  # nobody is left to read the answer
        if self._app.ended and self._server.ended:
            if self._key is not None and self._cancel_keys.get(self._key) is self:
                del self._cancel_keys[self._key]
            self._floor.left(self)


class _TrackedLeg(Leg):
    """A leg that shows each chunk to `look`, after it has gone out."""

    __slots__ = ("look",)

    def __init__(self, conversation: Conversation, look: Callable[[bytes], None]) -> None:
        super().__init__(conversation)
        self.look = look

    def data_received(self, data: bytes) -> None:
        self.forward(data)
        self.received += len(data)
        self.look(data)


async def _read_request(app: Conversation) -> StartupPacket | CancelRequest:
    startup = ClientStartup()
    while True:
        startup.feed(await app.receive())
        while (event := startup.next_event()) is not None:
            if not isinstance(event, Answer):
                app.give_back(startup.take_rest())
                return event
            app.send(event.data)


async def _app_logs_in(app: Conversation, waiting: Waiting, floor: Floor[PostgresUpstream]) -> LoggedIn:
    """The app's own login, message by message in turn, until the server's first ReadyForQuery."""
    server, message = waiting.server, waiting.first
    backend_key: BackendKey | None = None
    from_app = MessageReader()
    try:
        async with asyncio.timeout(floor.login_timeout_s):
            while True:
                app.send(message.encode())
                if message.kind == b"E":
                    error = errors.read_error(message.body)
                    floor.tally.error(error.sqlstate)
                    raise Refused(Reason.LOGIN, f"the server refused the app's login: {error.message}", b"")
                if message.kind == b"K":
                    backend_key = read_backend_key(message.body)
                elif message.kind == b"Z":
                    break
                if needs_answer(message):
                    await _pass_answer(app, from_app, server)
                message = await server.next_message()
    except ConnectionEnded as ended:
        raise Refused(Reason.LOGIN, "the connection ended during the app's login", b"") from ended
    except (TimeoutError, ProtocolViolation) as error:
        raise Refused(Reason.PROTOCOL, str(error) or "the login took too long") from error
    app.give_back(from_app.take_rest())
    return LoggedIn(server, b"", backend_key)


async def _pass_answer(app: Conversation, from_app: MessageReader, server: ServerConnection) -> None:
    while (answer := from_app.next_message()) is None:
        from_app.feed(await app.receive())
    server.conversation.send(answer.encode())


def _login_refused(refusal: ServerRefused, route: Route) -> Refused:
    """The server's own verdict, with a hint that says whose password it was about."""
    error = refusal.error
    hint = f"This login was made by the database ambassador, as the user configured for {route.name}."
    answer = errors.fatal(error.sqlstate or errors.INVALID_AUTHORIZATION, error.message, hint=hint)
    return Refused(Reason.LOGIN, f"{route.name}: the server refused the login: {error.message}", answer)


def _discard(_: bytes) -> None:
    pass
