"""What sessions share whose messages are followed: they leave their server at a quiet moment, and the app is told.

What a quiet moment is, and all words, are the protocol's: see `postgres.session` and `mysql.session`.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from enum import Enum, auto
from typing import Any, ClassVar, Protocol

from ambassador_dbproxy.presence import has_gone
from ambassador_dbproxy.relay import Leg, ignore_loss
from ambassador_dbproxy.routes import Route
from ambassador_dbproxy.service import Floor, Upstream

PARTED_S = 0.1
PRESENCE_S = 1.0
"""An app that has ended its side in mid-query is looked after so often: whether it is there to have the answer."""
USED = 3
"""Answers after which a session has been used: what drivers ask by themselves at its beginning, and a query."""


class Stage(Enum):
    """How far a session is. It only moves on, but for CHANGING, from which it may come back to JOINED."""

    JOINED = auto()
    CHANGING = auto()  # the relay is interrupted: the protocol talks with both sides by itself
    PARTED = auto()  # it has left the server, and the app does not know yet
    TOLD = auto()  # the app has had the last words


class Tracker(Protocol):
    """What is known of a session from the chunks that went by."""

    transactions: int
    said_goodbye: bool
    """The app has sent what ends a session; what it has asked before is meant to run to its end."""

    @property
    def quiet(self) -> bool:
        """True between transactions, with nothing asked and nothing half sent in either direction."""

    @property
    def answered(self) -> bool:
        """True when the server owes nothing, so that nothing has to be stopped there."""

    def server_bytes(self, chunk: bytes) -> None:
        """Look at a chunk on its way to the app."""


class ServerLeg(Leg):
    """Shows each chunk of the server to `look`, after it has gone out."""

    __slots__ = ("look",)
    look: Callable[[bytes], None]

    def data_received(self, data: bytes) -> None:
        self.forward(data)
        self.received += len(data)
        self.look(data)


class AppLeg(Leg):
    """Tells its session when the app has ended its side."""

    __slots__ = ("on_eof",)
    on_eof: Callable[[], None]

    def eof_received(self) -> bool:
        self.on_eof()
        return super().eof_received()


class FollowedSession(ABC):
    """An app joined with a server. Implements most of `service.Session`."""

    __slots__ = ("_app", "_floor", "_leaving", "_owed", "_server", "_stage", "_upstream", "tracker")
    GOODBYE: ClassVar[bytes]
    """What a client sends before it closes."""
    tracker: Tracker
    _app: AppLeg
    _server: ServerLeg

    def __init__(self, upstream: Upstream, floor: Floor[Any]) -> None:
        self._upstream = upstream
        self._floor = floor
        self._leaving: str | None = None
        self._owed = 0  # answers that come before it leaves
        self._stage = Stage.JOINED

    @property
    def route(self) -> Route:
        return self._upstream.route

    def leave(self, text: str, settle_s: float = 0.0) -> None:
        self._leaving = text
        if settle_s > 0:
            self._owed = USED
            asyncio.get_running_loop().call_later(settle_s, self._settled)
        self._look_around()

    def end(self, text: str) -> None:
        self._part_from_server()
        self._tell(text)

    def abort(self) -> None:
        self._app.transport.abort()
        self._server.transport.abort()

    def counts(self) -> tuple[int, int, int]:
        return self._app.received, self._server.received, self.tracker.transactions

    @abstractmethod
    def _last_words(self, text: str) -> bytes:
        """An error of ours, where the app is now; empty where one cannot be told from what the server has begun."""

    @abstractmethod
    def _stop_running(self) -> None:
        """Stop what the server does for this session: nobody is left to read the answer."""

    def _settled(self) -> None:
        self._owed = 0
        self._look_around()

    def _look_around(self) -> None:
        """Leave if that is asked for and this is a quiet moment, else look again behind the server's next words."""
        if self._stage is not Stage.JOINED:
            return
        if self._leaving is None:
            self._server.look = self.tracker.server_bytes
        elif self.tracker.quiet and self.tracker.transactions >= self._owed:
            self._part(self._leaving)
        else:
            self._server.look = self._look_and_see

    def _look_and_see(self, chunk: bytes) -> None:
        self.tracker.server_bytes(chunk)
        self._look_around()

    def _part(self, text: str) -> None:
        """Leave the server, at a quiet moment. The app is told when it next asks, or after PARTED_S.

        An error right behind the end of a result could be read together with it, and drivers drop what they find
        there, or take it for a broken stream; as the answer to a query it is an error like any other.
        """
        self._part_from_server()
        self._app.forward = self._answer_parted
        asyncio.get_running_loop().call_later(PARTED_S, self._tell, text)

    def _part_from_server(self) -> None:
        """Close the server's side, if that was not done before."""
        if self._stage is not Stage.JOINED:
            return
        self._stage = Stage.PARTED
        if not self.tracker.answered:
            self._stop_running()
        elif not (self._app.eof or self._server.ended or self._server.transport.is_closing()):
            self._server.transport.write(self.GOODBYE)
        self._server.transport.close()
        self._server.peer, self._app.peer = self._server, self._app

    def _answer_parted(self, _: bytes) -> None:
        self._tell(self._leaving or "")

    def _tell(self, text: str) -> None:
        """Say farewell to the app, once."""
        self._app.forward = discard
        if self._stage is Stage.TOLD or self._app.ended or self._app.transport.is_closing():
            return
        self._stage = Stage.TOLD
        # After the server's end-of-file the app has had ours: nothing may be written behind it.
        if not self._server.eof and (words := self._last_words(text)):
            self._app.transport.write(words)
        self._app.say_goodbye()

    def _app_ended(self) -> None:
        if not (self.tracker.answered or self.tracker.said_goodbye):
            self._floor.spawn(self._see_whether_gone(), f"look after {self.route.name}")

    async def _see_whether_gone(self) -> None:
        """While an answer is due to an app that has ended its side: drop it once nobody is there to read that."""
        while not (self._app.ended or self._server.ended or self.tracker.answered):
            gone = await has_gone(self._app.transport)
            if gone:
                self._app.transport.abort()
            if gone or gone is None:  # where it cannot be told now it could not be told later
                return
            await asyncio.sleep(PRESENCE_S)

    def _lost(self, leg: Leg) -> None:
        tracker = self.tracker
        if leg is self._app and not (
            self._server.ended or self._server.eof or tracker.answered or tracker.said_goodbye
        ):
            self._stop_running()
        if self._app.ended and self._server.ended:
            self._gone()

    def _gone(self) -> None:
        """Both connections are gone."""
        self._floor.left(self)  # type: ignore[arg-type]
        # What leads round in a circle would wait for the collector, which takes longer than to cut it here.
        del self._app.on_eof, self._app.peer
        # When both were lost before they were joined, the server's is told of behind this.
        self._app.on_lost = self._server.on_lost = ignore_loss


def discard(_: bytes) -> None:
    """Where the bytes of an app go that has been told that its session is over."""
