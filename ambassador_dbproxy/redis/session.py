"""One app's Redis session: refusals in RESP, the app's handshake, the relay, and leaving at a quiet moment.

After the handshake no byte is read, so replies are not counted: one command may have none (CLIENT REPLY OFF), many
(SUBSCRIBE), or an endless row (MONITOR). How a session is judged to be quiet all the same is written at `RedisSession`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum, auto

from ambassador_dbproxy.conversation import Conversation
from ambassador_dbproxy.followed_session import discard
from ambassador_dbproxy.redis.handshake import OK, Handshake, Moves
from ambassador_dbproxy.redis.login import LoginFailed, ServerRefused
from ambassador_dbproxy.redis.resp import ProtocolViolation, encode_error
from ambassador_dbproxy.redis.upstream import LoggedIn, RedisUpstream
from ambassador_dbproxy.refusal import Reason, Refused
from ambassador_dbproxy.relay import Leg, join
from ambassador_dbproxy.routes import Route
from ambassador_dbproxy.server import Server
from ambassador_dbproxy.service import Floor
from ambassador_dbproxy.surroundings import Surroundings
from ambassador_dbproxy.tls import TlsFailed
from chassis.secret import SecretUnreadable

SILENCE_S = 0.02
"""So long nothing may come from the server behind its last reply before a session counts as quiet."""
_IN_TRANSACTION = b"+QUEUED\r\n"
_TAIL_BYTES = len(_IN_TRANSACTION)

_CODES = {
    Reason.CONNECTIONS: "ERR",
    Reason.WAITING: "LOADING",
    Reason.HOLD: "LOADING",
    Reason.LOGIN: "ERR",
    Reason.TLS: "ERR",
    Reason.PROTOCOL: "ERR",
    Reason.CLOSING: "ERR",
    Reason.BUG: "ERR",
}
"""LOADING is what Redis says while it is not up yet; drivers wait and try again."""
# Drivers know this error by exactly these words.
TOO_MANY_TEXT = "ERR max number of clients reached"
TOO_MANY = b"-" + TOO_MANY_TEXT.encode() + b"\r\n"


class RedisService:
    """See `service.Service`."""

    def upstream(self, route: Route, around: Surroundings) -> RedisUpstream:
        return RedisUpstream(route, around)

    def farewell(self, reason: Reason, text: str) -> bytes:
        return TOO_MANY if reason is Reason.CONNECTIONS else encode_error(_CODES[reason], text)

    async def serve(self, app: Conversation, floor: Floor[RedisUpstream]) -> None:
        """The server is dialled at once, before the app has said anything, as it would be without an ambassador."""
        began = asyncio.get_running_loop().time()
        try:
            upstream, opened = await floor.admit(RedisUpstream.open)
        except ServerRefused as error:
            raise _login_refused(error, floor.upstream.route) from error
        except TlsFailed as error:
            raise Refused(Reason.TLS, f"{floor.upstream.route.name}: {error}") from error
        except (LoginFailed, SecretUnreadable) as error:
            text = f"the database ambassador could not log in to {floor.upstream.route.name}: {error}"
            raise Refused(Reason.LOGIN, text) from error
        RedisSession(app, opened, upstream, floor)
        floor.tally.logged_in(asyncio.get_running_loop().time() - began)


class RedisSession:
    """An app joined with a server.

    When it is to leave, it does so at the first moment at which, as far as can be known without reading, nothing is
    under way: the last bytes were the server's, they ended a line that is not `+QUEUED`, and SILENCE_S have passed
    since without another byte, while the app was kept from asking on. What the app has asked meanwhile waits unread,
    so it has not been done and may be asked again. A command that blocks (BLPOP) or a stream that never pauses
    (MONITOR) is left to the deadline. The app gets a plain end-of-file: an error of ours could be taken for the reply
    to something else, and drivers replace a closed connection by themselves.
    """

    __slots__ = ("_app", "_floor", "_handshake", "_leaving", "_server", "_silence", "_upstream", "said", "server")

    def __init__(
        self, app: Conversation, opened: LoggedIn, upstream: RedisUpstream, floor: Floor[RedisUpstream]
    ) -> None:
        self.server: Server = opened.server
        self.said: bytes | None = OK  # the end of the server's last words; None if the app spoke after them
        self._upstream = upstream
        self._floor = floor
        self._leaving = False
        self._silence: asyncio.TimerHandle | None = None
        self._handshake: Handshake | None = None
        self._app = _AppLeg(app, self)
        self._server = _ServerLeg(opened.conversation, self)
        self._server.app = self._app
        if upstream.route.target.user is not None:  # else the app's own login passes through
            self._handshake = Handshake(database_is_set=upstream.route.target.database is not None)
            self._app.first_forward, self._server.first_forward = self._from_app, self._from_server
        floor.entered(self)
        join((app, self._app), (opened.conversation, self._server), self._lost)

    @property
    def route(self) -> Route:
        return self._upstream.route

    def leave(self, text: str, settle_s: float = 0.0) -> None:
        if self._leaving:
            return
        if settle_s > 0:
            asyncio.get_running_loop().call_later(settle_s, self.leave, text)
            return
        self._leaving = True
        if self._handshake is None:
            self._server.forward = self._last_words
        self._listen()

    def end(self, text: str) -> None:
        """Leave the server now, and let the app have what has come and the end-of-file."""
        if self._server.peer is self._server:
            return
        self._stop_listening()
        self._server.transport.close()
        self._server.peer, self._app.peer = self._server, self._app
        self._app.forward = discard
        self._app.resume(*_Pause)
        if not self._app.ended:
            self._app.say_goodbye()

    def abort(self) -> None:
        self._app.transport.abort()
        self._server.transport.abort()

    def counts(self) -> tuple[int, int, int]:
        return self._app.received, self._server.received, 0

    def _from_app(self, data: bytes) -> None:
        """Where the app's leg forwards to until the handshake is done; its twin is the server's."""
        assert self._handshake is not None
        self._obey(self._handshake, self._handshake.app_bytes, data)

    def _from_server(self, data: bytes) -> None:
        assert self._handshake is not None
        self._obey(self._handshake, self._handshake.server_bytes, data)

    def _obey(self, handshake: Handshake, take: Callable[[bytes], Moves], data: bytes) -> None:
        try:
            moves = take(data)
        except ProtocolViolation as error:
            self._floor.log.warning("handshake_broken", target=self.route.name, reason=str(error))
            if not (handshake.waiting or self._server.eof):
                self._app.transport.write(encode_error("ERR", f"Protocol error: {error}"))
            self.end("")
            return
        if moves.to_server:
            self._server.transport.write(moves.to_server)
        if moves.to_app and not self._server.eof:  # after the server's end-of-file the app has had ours
            self._app.transport.write(moves.to_app)
        if handshake.done:
            self._handshake = None
            self._app.forward = self._server.transport.write
            self._server.forward = self._last_words if self._leaving else self._app.transport.write
        elif not handshake.waiting:
            self.said = OK
        if handshake.blocked:
            self._app.pause(_Pause.OUT_OF_TURN)
        else:
            self._app.resume(_Pause.OUT_OF_TURN)
        if self._leaving:
            self._listen()

    def _last_words(self, data: bytes) -> None:
        """What the server's leg forwards to when the session is leaving."""
        self._app.transport.write(data)
        self._listen()

    def _listen(self) -> None:
        """If nothing seems to be under way, hear whether it stays so, while the app cannot ask on."""
        self._stop_listening()
        if self.said is None or not self.said.endswith(b"\r\n") or self.said == _IN_TRANSACTION:
            return  # the next chance is behind the server's next words
        self._app.pause(_Pause.LISTENING)
        self._silence = asyncio.get_running_loop().call_later(SILENCE_S, self._silent)

    def _silent(self) -> None:
        if self.said is not None:
            self.end("")

    def _stop_listening(self) -> None:
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None
            self._app.resume(_Pause.LISTENING)

    def _lost(self, _: Leg) -> None:
        if self._app.ended and self._server.ended:
            self._stop_listening()
            self._floor.left(self)


class _MarkingLeg(Leg):
    """Notes in its session who spoke last. `first_forward` is where it forwards to at first, if not to its peer."""

    __slots__ = ("first_forward", "session")

    def __init__(self, conversation: Conversation, session: RedisSession) -> None:
        super().__init__(conversation)
        self.session = session
        self.first_forward: Callable[[bytes], None] | None = None

    def joined(self) -> None:
        if self.first_forward is not None:
            self.forward = self.first_forward


class _Pause(Enum):
    """Why the app is not read from. It is again when none of these holds."""

    SERVER_FULL = auto()
    OUT_OF_TURN = auto()  # its commands are kept behind replies that are due
    LISTENING = auto()  # for the silence in which the session can leave


class _AppLeg(_MarkingLeg):
    __slots__ = ("_pauses",)

    def __init__(self, conversation: Conversation, session: RedisSession) -> None:
        super().__init__(conversation, session)
        self._pauses: set[_Pause] = set()

    def pause(self, why: _Pause) -> None:
        self._pauses.add(why)
        if not self.ended:
            self.transport.pause_reading()

    def resume(self, *reasons: _Pause) -> None:
        self._pauses.difference_update(reasons)
        if not (self._pauses or self.ended):
            self.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        self.session.said = None
        self.forward(data)


class _ServerLeg(_MarkingLeg):
    __slots__ = ("app",)
    app: _AppLeg

    def pause_writing(self) -> None:
        self.app.pause(_Pause.SERVER_FULL)

    def resume_writing(self) -> None:
        self.app.resume(_Pause.SERVER_FULL)

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        self.session.said = data[-_TAIL_BYTES:]
        self.forward(data)


def _login_refused(refusal: ServerRefused, route: Route) -> Refused:
    """The server's own verdict, with words that say whose login it was about."""
    said = refusal.error
    who = f"as user {route.target.user}" if route.target.user else "without one"
    text = f"{route.name}: the server refused the login of the database ambassador {who}: {said.words}"
    answer = TOO_MANY if said.text == TOO_MANY_TEXT else encode_error(said.code, text)
    return Refused(Reason.LOGIN, text, answer)
