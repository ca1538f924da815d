"""What a protocol gives to a listener, and what the listener gives to it: the seam where a further protocol fits in.

`postgres.service`, `mysql.service`, `redis.session` and `tcp` are those that exist. Only types live here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from ambassador_dbproxy.conversation import Conversation
from ambassador_dbproxy.gate import Gate
from ambassador_dbproxy.metrics import Tally
from ambassador_dbproxy.refusal import Reason
from ambassador_dbproxy.routes import Route
from ambassador_dbproxy.server import Role, Server
from ambassador_dbproxy.surroundings import Surroundings

if TYPE_CHECKING:
    from ambassador_dbproxy.servers import Servers
    from ambassador_dbproxy.tls import AppEncryption


class Upstream(Protocol):
    """One target of one listener."""

    route: Route
    gate: Gate
    servers: Servers

    def succeed(self, former: Self) -> None:
        """Go on with what `former`, which had the same route, knew."""

    async def close(self) -> None:
        """Stop probing and let nobody wait here any more; sessions are not touched."""


U = TypeVar("U", bound=Upstream)
U_co = TypeVar("U_co", bound=Upstream, covariant=True)


class Opened(Protocol):
    """A server connection that an upstream opened for one app."""

    @property
    def role(self) -> Role:
        """What the server said it is; UNKNOWN if it was not asked."""

    def abandon(self) -> None:
        """Close it: it is not needed after all."""


OpenedT = TypeVar("OpenedT", bound=Opened)


class Session(Protocol):
    """An app joined with a server, until both connections are gone."""

    @property
    def route(self) -> Route:
        """Where it leads to; it stays the same for its whole life."""

    @property
    def server(self) -> Server:
        """The very server; the listener counts its sessions."""

    def leave(self, text: str, settle_s: float = 0.0) -> None:
        """End at the next quiet moment, telling the app why; within `settle_s` only if it has been used by then."""

    def end(self, text: str) -> None:
        """End now, telling the app why if the protocol allows it at this point."""

    def abort(self) -> None:
        """Drop both connections."""

    def counts(self) -> tuple[int, int, int]:
        """Bytes from the app, bytes from the server, transactions."""


class Floor(Protocol[U_co]):
    """The listener as a protocol's `serve` sees it."""

    tally: Tally
    log: Any

    @property
    def upstream(self) -> U_co:
        """Where new connections go now."""

    @property
    def login_timeout_s(self) -> float:
        """Longest start-up conversation with the app."""

    @property
    def app_encryption(self) -> AppEncryption | None:
        """The TLS to offer to the app."""

    async def admit(self, open_at: Callable[[U_co], Awaitable[OpenedT]]) -> tuple[U_co, OpenedT]:
        """Hold until the current target takes the connection that `open_at` opens. Raises Refused past the bounds."""

    def joining(self) -> AbstractContextManager[None]:
        """Counts as a session while it lasts, for a login that goes on behind `admit`; to be entered right after it."""

    def entered(self, session: Session) -> None:
        """A session has begun."""

    def left(self, session: Session) -> None:
        """A session has ended; to be called once."""

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run something that outlives the caller. Its owner is the listener; whoever asked for it may cancel it."""


class Service(Protocol[U]):
    """One protocol."""

    def upstream(self, route: Route, around: Surroundings) -> U:
        """The upstream for a route."""

    async def serve(self, app: Conversation, floor: Floor[U]) -> None:
        """From an accepted connection to a session (`floor.entered`) or to Refused."""

    def farewell(self, reason: Reason, text: str) -> bytes:
        """A refusal in the protocol's own form; empty if it has none."""
