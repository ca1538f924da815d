"""One app's PostgreSQL session, from the moment that both sides are logged in until it ends.

How it came about is `service`'s matter; when it is quiet is decided in `tracking`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ambassador_dbproxy.conversation import Conversation
from ambassador_dbproxy.dial import Unreachable
from ambassador_dbproxy.postgres import errors
from ambassador_dbproxy.postgres.startup import CancelRequest
from ambassador_dbproxy.postgres.tracking import SessionTracker, Shapes
from ambassador_dbproxy.postgres.upstream import TERMINATE, LoggedIn, PostgresUpstream
from ambassador_dbproxy.relay import Leg, join
from ambassador_dbproxy.routes import Route
from ambassador_dbproxy.server import Server
from ambassador_dbproxy.service import Floor
from ambassador_dbproxy.tls import TlsFailed

BackendKey = tuple[int, bytes]
PARTED_S = 0.1


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


def _discard(_: bytes) -> None:
    pass
