"""The protocol `tcp`: any bytes, with the routing, holding, switching and counting that every listener has.

It knows no messages, so a session of an old environment has no quiet moment: it ends by itself or at the deadline.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from ambassador_dbproxy.conversation import Conversation
from ambassador_dbproxy.dial import first_up
from ambassador_dbproxy.refusal import Reason
from ambassador_dbproxy.relay import Leg, join
from ambassador_dbproxy.routes import Route, candidates
from ambassador_dbproxy.service import Floor
from ambassador_dbproxy.surroundings import Surroundings
from chassis.settings import Address


@dataclass(slots=True)
class TcpConnection:
    """A connected server."""

    conversation: Conversation

    def abandon(self) -> None:
        self.conversation.abort()


class TcpUpstream:
    """One target of one listener. A server is up when it accepts a connection."""

    def __init__(self, route: Route, around: Surroundings) -> None:
        self.route = route
        self.gate = around.gate(route.name, self.probe)
        self.server: Address | None = None
        self._around = around

    async def open(self) -> TcpConnection:
        """A connection to the first server that accepts one; Unreachable if none does."""
        around = self._around
        hosts = candidates(self.route, self.server)
        self.server, opened = await first_up(hosts, around.connect_timeout_s, around.tally.connected, _as_it_is)
        return opened

    async def probe(self) -> None:
        """Return if a server accepts connections; Unreachable otherwise."""
        (await self.open()).conversation.close()

    async def close(self) -> None:
        await self.gate.close()


async def _as_it_is(conversation: Conversation, _: Address) -> TcpConnection:
    return TcpConnection(conversation)


class TcpSession:
    """Two joined connections."""

    def __init__(self, app: Conversation, server: Conversation, route: Route, floor: Floor[TcpUpstream]) -> None:
        self._route = route
        self._floor = floor
        self._app = Leg(app)
        self._server = Leg(server)
        floor.entered(self)
        join((app, self._app), (server, self._server), self._lost)

    @property
    def route(self) -> Route:
        return self._route

    def leave(self, text: str) -> None:
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
        upstream, opened = await floor.admit(TcpUpstream.open)
        TcpSession(app, opened.conversation, upstream.route, floor)
        floor.tally.logged_in(asyncio.get_running_loop().time() - began)

    def farewell(self, reason: Reason, text: str) -> bytes:
        return b""
