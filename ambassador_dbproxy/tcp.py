"""The protocol `tcp`: any bytes, with the routing, holding, switching and counting that every listener has.

It knows no messages, so a session of an old environment has no quiet moment: it ends by itself or at the deadline.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from ambassador_dbproxy.conversation import Conversation
from ambassador_dbproxy.dial import Unreachable
from ambassador_dbproxy.refusal import Reason, Refused
from ambassador_dbproxy.relay import Leg, join
from ambassador_dbproxy.routes import Route
from ambassador_dbproxy.server import Role, Server
from ambassador_dbproxy.service import Floor
from ambassador_dbproxy.surroundings import Surroundings
from ambassador_dbproxy.tls import TlsFailed
from ambassador_dbproxy.upstream import TargetUpstream


@dataclass(slots=True)
class TcpConnection:
    """A connected server."""

    conversation: Conversation
    server: Server
    role: Role = Role.UNKNOWN

    def abandon(self) -> None:
        self.conversation.abort()


class TcpUpstream(TargetUpstream):
    """One target of one listener. A server is up when it accepts a connection, and TLS where that is set."""

    async def open(self) -> TcpConnection:
        """A connection to the first server that accepts one; Unreachable or TlsFailed if none does."""
        return await self.servers.open(self._greet)

    async def _greet(self, conversation: Conversation, server: Server) -> TcpConnection:
        if self._encryption.wanted(server.host):
            try:
                async with asyncio.timeout(self._around.connect_timeout_s):
                    await self._encryption.protect(conversation, server.host)
            except TimeoutError as error:
                raise Unreachable(f"{server.host}: the TLS handshake took too long") from error
        return TcpConnection(conversation, server)

    async def _look(self, conversation: Conversation, server: Server) -> Role:
        opened = await self._greet(conversation, server)
        opened.conversation.close()
        return opened.role


class TcpSession:
    """Two joined connections."""

    def __init__(self, app: Conversation, opened: TcpConnection, route: Route, floor: Floor[TcpUpstream]) -> None:
        self._route = route
        self._floor = floor
        self.server = opened.server
        self._app = Leg(app)
        self._server = Leg(opened.conversation)
        floor.entered(self)
        join((app, self._app), (opened.conversation, self._server), self._lost)

    @property
    def route(self) -> Route:
        return self._route

    def leave(self, text: str, settle_s: float = 0.0) -> None:
        """Nothing to do before the deadline: where a quiet moment would be, only the app knows."""

    def end(self, text: str) -> None:
        self._app.transport.close()
        self._server.transport.close()

    def abort(self) -> None:
        self._app.transport.abort()
        self._server.transport.abort()

    def counts(self) -> tuple[int, int, int]:
        return self._app.received, self._server.received, 0

    def _lost(self, _: Leg) -> None:
        if self._app.ended and self._server.ended:
            self._floor.left(self)


class TcpService:
    """See `service.Service`."""

    def upstream(self, route: Route, around: Surroundings) -> TcpUpstream:
        return TcpUpstream(route, around)

    async def serve(self, app: Conversation, floor: Floor[TcpUpstream]) -> None:
        began = asyncio.get_running_loop().time()
        try:
            upstream, opened = await floor.admit(TcpUpstream.open)
        except TlsFailed as error:
            raise Refused(Reason.TLS, str(error)) from error
        TcpSession(app, opened, upstream.route, floor)
        floor.tally.logged_in(asyncio.get_running_loop().time() - began)

    def farewell(self, reason: Reason, text: str) -> bytes:
        return b""
