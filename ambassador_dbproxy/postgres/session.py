"""One app's PostgreSQL session, from the moment that both sides are logged in until it ends.

How it came about is `service`'s matter; when it is quiet is decided in `tracking`, how it leaves in `followed_session`.
"""

from __future__ import annotations

from ambassador_dbproxy.conversation import Conversation
from ambassador_dbproxy.dial import Unreachable
from ambassador_dbproxy.followed_session import AppLeg, FollowedSession, ServerLeg
from ambassador_dbproxy.postgres import errors
from ambassador_dbproxy.postgres.startup import CancelRequest
from ambassador_dbproxy.postgres.tracking import SessionTracker, Shapes
from ambassador_dbproxy.postgres.upstream import TERMINATE, LoggedIn, PostgresUpstream
from ambassador_dbproxy.relay import join
from ambassador_dbproxy.server import Server
from ambassador_dbproxy.service import Floor
from ambassador_dbproxy.tls import TlsFailed

BackendKey = tuple[int, bytes]


class PostgresSession(FollowedSession):
    """An app joined with a server. Registers its cancel key while it lives."""

    __slots__ = ("_cancel_keys", "_key", "_place")
    GOODBYE = TERMINATE
    _upstream: PostgresUpstream
    tracker: SessionTracker

    def __init__(
        self,
        app: Conversation,
        opened: LoggedIn,
        upstream: PostgresUpstream,
        floor: Floor[PostgresUpstream],
        cancel_keys: dict[BackendKey, PostgresSession],
        shapes: Shapes,
    ) -> None:
        super().__init__(upstream, floor)
        self.tracker = SessionTracker(floor.tally.error, shapes)
        self._place = opened.server
        self._key = opened.backend_key
        self._cancel_keys = cancel_keys
        if self._key is not None:
            cancel_keys[self._key] = self
        server = opened.server.conversation
        server.give_back(opened.server.reader.take_rest())
        self._app = _AppLeg(app, self.tracker)
        self._app.on_eof = self._app_ended
        self._server = ServerLeg(server)
        self._server.look = self.tracker.server_bytes
        floor.entered(self)
        join((app, self._app), (server, self._server), self._lost)

    @property
    def server(self) -> Server:
        return self._place.server

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

    def _stop_running(self) -> None:
        if self._key is not None:
            self._floor.spawn(self.cancel(), f"cancel {self.route.name}")

    def _last_words(self, text: str) -> bytes:
        return errors.fatal(errors.ADMIN_SHUTDOWN, text) if self.tracker.between_messages else b""

    def _gone(self) -> None:
        if self._key is not None and self._cancel_keys.get(self._key) is self:
            del self._cancel_keys[self._key]
        super()._gone()


class _AppLeg(AppLeg):
    __slots__ = ("_look",)

    def __init__(self, conversation: Conversation, tracker: SessionTracker) -> None:
        super().__init__(conversation)
        self._look = tracker.client_bytes

    def data_received(self, data: bytes) -> None:
        self.forward(data)
        self.received += len(data)
        self._look(data)
