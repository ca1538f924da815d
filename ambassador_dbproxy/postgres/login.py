"""The ambassador's login at the server (protocol 3, "Start-up"), as a state and a table, without any I/O.

Everything the server says before its verdict stays here; what the app must see of it is collected in `greeting`.
Connecting, TLS, reading the password and running the slow key derivation are the caller's.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from enum import IntEnum, auto
from functools import lru_cache

from ambassador_dbproxy.postgres.errors import ServerError, read_error
from ambassador_dbproxy.postgres.scram import Binding, Challenge, ScramClient, ScramError
from ambassador_dbproxy.postgres.wire import (
    MAX_LOGIN_MESSAGE_BYTES,
    Message,
    MessageReader,
    ProtocolViolation,
    encode,
)

MAX_GREETING_BYTES = 262144
"""Bound of everything between the verdict and the first ReadyForQuery: parameters, key, notices."""
MAX_KEPT_BYTES = 4096
"""Of a greeting that is larger nothing is kept for the next login."""

_WORD = struct.Struct(">I")
_HEAD = struct.Struct(">BI")
_PARAMETER = ord("S")
_IN_HOT_STANDBY = b"in_hot_standby\0"
_STANDS_BY = _IN_HOT_STANDBY + b"on\0"
_READY_IDLE = encode(b"Z", b"I")
_KEY_HEAD = b"K\0\0"  # of the message that follows the parameters: its length, 264 at most, depends on the server
_AUTH_OK, _AUTH_CLEARTEXT, _AUTH_MD5, _AUTH_SASL, _AUTH_SASL_CONTINUE, _AUTH_SASL_FINAL = 0, 3, 5, 10, 11, 12
_MECHANISM, _MECHANISM_PLUS = b"SCRAM-SHA-256", b"SCRAM-SHA-256-PLUS"


class LoginState(IntEnum):
    """How far the login has come."""

    STARTED = auto()  # start-up packet sent
    PASSWORD_SENT = auto()
    SASL_FIRST_SENT = auto()
    SASL_DERIVING = auto()  # waiting for `derived`
    SASL_FINAL_SENT = auto()
    SASL_VERIFIED = auto()  # the server proved that it knows the password
    AUTHENTICATED = auto()
    READY = auto()  # first ReadyForQuery
    REFUSED = auto()


_AUTHENTICATED = LoginState.AUTHENTICATED  # looking it up there takes longer than comparing


Action = bytes | Challenge | None
"""Bytes for the server, or a challenge to be met by `derived`."""


class LoginFailed(Exception):
    """The login cannot go on, for a reason on our side of it. The text holds nothing secret."""


class ServerRefused(Exception):
    """The server answered the login with an error. `body` is that of the ErrorResponse as it was sent."""

    def __init__(self, error: ServerError, body: bytes) -> None:
        super().__init__(f"{error.sqlstate} {error.message}")
        self.error = error
        self.body = body


class UpstreamLogin:
    """One login. Feed it what the server sends, and send what it returns, until it is no longer `hungry`.

    Then `state` is READY, or `challenge` is to be met by `derived`: `salted` gives the salted passwords known by now.
    `require_auth` names what the server may ask for (`none`, `password`, `md5`, `scram-sha-256`); empty: anything.
    `end_point` is the channel binding of the connection's TLS, used if the server offers it.
    Raises LoginFailed, ServerRefused or ProtocolViolation, after which it is of no further use.
    """

    def __init__(
        self,
        *,
        user: str,
        password: str | None,
        require_auth: frozenset[str],
        nonce: str,
        end_point: bytes | None = None,
        salted: Callable[[Challenge], bytes | None] = lambda _: None,
    ) -> None:
        self.state = LoginState.STARTED
        self.hungry = True
        self.challenge: Challenge | None = None
        self.greeting = bytearray()
        self.backend_key: tuple[int, bytes] | None = None
        self.in_hot_standby: bool | None = None
        self._user = user
        self._password = password
        self._require_auth = require_auth
        self._nonce = nonce
        self._end_point = end_point
        self._salted = salted
        self._scram = ScramClient(nonce)
        self._reader = MessageReader()

    def feed(self, data: bytes) -> bytes:
        """Take bytes of the server; returns what to send to it now."""
        reader, answer, greeted = self._reader, b"", False
        reader.feed(data)
        while self.hungry and (message := reader.next_message()) is not None:
            action = self.receive(message)
            if isinstance(action, bytes):
                answer += action
            elif action is not None:
                answer += self._meet(action)
            elif self.state is _AUTHENTICATED and not greeted:
                greeted = True  # once: behind each of many notices it would look at all that follows again
                reader.pass_to(self.greet)
        return answer

    def take_rest(self) -> bytes:
        """Bytes that came behind the login."""
        return self._reader.take_rest()

    def receive(self, message: Message) -> Action:
        """Take one message of the server, decide by the table, and say what to do next."""
        if message.kind == b"E":
            self.state = LoginState.REFUSED
            raise ServerRefused(read_error(message.body), message.body)
        if message.kind == b"R":
            return self._authentication(message)
        if message.kind not in _ALLOWED.get(self.state, b""):
            raise ProtocolViolation(f"unexpected message {message.kind!r} while {self.state.name.lower()}")
        self._show(message)
        if message.kind == b"K":
            self.backend_key = read_backend_key(message.body)
        elif message.kind == b"S" and message.body.startswith(_IN_HOT_STANDBY):
            self.in_hot_standby = message.body == _STANDS_BY
        elif message.kind == b"Z":
            self._become_ready()
        return None

    def greet(self, unread: bytes) -> int:
        """Take what an authenticated server begins with; returns how many bytes of `unread` that is.

        These are its parameters, and, where nothing else follows, the key and the first ReadyForQuery. The same as
        `receive` for each of them, in one pass: they are most of what a login has to read.
        """
        # Up to the key, which differs from one login to the next: what is kept would not be found again with it.
        begin = unread[: max(unread.rfind(_KEY_HEAD), 0)]
        read = _parameters if len(begin) <= MAX_KEPT_BYTES else _parameters.__wrapped__
        taken, in_hot_standby = read(begin)
        if in_hot_standby is not None:
            self.in_hot_standby = in_hot_standby
        if unread.startswith(_KEY_HEAD, taken) and unread.endswith(_READY_IDLE):
            _, length = _HEAD.unpack_from(unread, taken)
            if taken + 1 + length == len(unread) - len(_READY_IDLE):
                self.backend_key = read_backend_key(unread[taken + _HEAD.size : -len(_READY_IDLE)])
                self._become_ready()
                taken = len(unread)
        self._show_raw(unread[:taken])
        return taken

    def derived(self, salted: bytes) -> bytes:
        """Go on with the salted password of the last challenge; returns what to send."""
        assert self.state is LoginState.SASL_DERIVING
        self.state = LoginState.SASL_FINAL_SENT
        self.hungry = True
        return encode(b"p", self._scram.final(salted))

    def _meet(self, challenge: Challenge) -> bytes:
        if (salted := self._salted(challenge)) is not None:
            return self.derived(salted)
        self.challenge = challenge
        self.hungry = False
        return b""

    def _become_ready(self) -> None:
        self.state = LoginState.READY
        self.hungry = False

    def _authentication(self, message: Message) -> Action:
        if len(message.body) < 4:
            raise ProtocolViolation("authentication request without a code")
        (code,) = _WORD.unpack_from(message.body)
        step = _AUTHENTICATION.get((self.state, code))
        if step is None:
            if self.state is LoginState.STARTED:
                raise LoginFailed(f"the server asks for authentication method {code}, which is not supported")
            raise ProtocolViolation(f"unexpected authentication request {code} while {self.state.name.lower()}")
        method, act, after = step
        if method and self._require_auth and method not in self._require_auth:
            wanted = ", ".join(sorted(self._require_auth))
            raise LoginFailed(f"the server asks for {method}, but require_auth allows only {wanted}")
        self.state = after
        try:
            return act(self, message.body[4:])
        except ScramError as error:
            raise LoginFailed(f"SCRAM-SHA-256 failed: {error}") from error

    def _granted(self, body: bytes) -> Action:
        self._show(Message(b"R", _WORD.pack(_AUTH_OK)))
        return None

    def _send_cleartext(self, body: bytes) -> Action:
        return encode(b"p", self._secret().encode() + b"\0")

    def _send_md5(self, body: bytes) -> Action:
        if len(body) != 4:
            raise ProtocolViolation("md5 salt of a wrong length")
        inner = hashlib.md5((self._secret() + self._user).encode(), usedforsecurity=False).hexdigest()
        outer = hashlib.md5(inner.encode() + body, usedforsecurity=False).hexdigest()
        return encode(b"p", b"md5" + outer.encode() + b"\0")

    def _send_first(self, body: bytes) -> Action:
        self._secret()
        offered = body.split(b"\0")
        mechanism = _MECHANISM
        if _MECHANISM_PLUS in offered and self._end_point is not None:
            mechanism = _MECHANISM_PLUS
            self._scram = ScramClient(self._nonce, Binding.END_POINT, self._end_point)
        elif _MECHANISM not in offered:
            raise LoginFailed("the server offers no SASL mechanism that is supported (SCRAM-SHA-256)")
        elif self._end_point is not None:
            self._scram = ScramClient(self._nonce, Binding.NOT_OFFERED)
        first = self._scram.first()
        return encode(b"p", mechanism + b"\0" + _WORD.pack(len(first)) + first)

    def _ask_derivation(self, body: bytes) -> Action:
        return self._scram.challenge(body)

    def _verify_server(self, body: bytes) -> Action:
        self._scram.verify(body)
        return None

    def _secret(self) -> str:
        if self._password is None:
            raise LoginFailed("the server asks for a password, but no password_file is set")
        return self._password

    def _show(self, message: Message) -> None:
        self._show_raw(message.encode())

    def _show_raw(self, messages: bytes) -> None:
        self.greeting += messages
        if len(self.greeting) > MAX_GREETING_BYTES:
            raise ProtocolViolation(f"more than {MAX_GREETING_BYTES} bytes before the first ReadyForQuery")


@lru_cache(maxsize=16)
def _parameters(begin: bytes) -> tuple[int, bool | None]:
    """How many bytes are whole ParameterStatus messages, and the last of them that says `in_hot_standby`.

    Kept, since a server says the same at each login.
    """
    at, end = 0, len(begin)
    in_hot_standby: bool | None = None
    while end - at >= _HEAD.size:
        kind, length = _HEAD.unpack_from(begin, at)
        if kind != _PARAMETER or not 4 <= length <= MAX_LOGIN_MESSAGE_BYTES or end - at <= length:
            break
        if begin.startswith(_IN_HOT_STANDBY, at + _HEAD.size):
            in_hot_standby = begin[at + _HEAD.size : at + length + 1] == _STANDS_BY
        at += length + 1
    return at, in_hot_standby


def needs_answer(message: Message) -> bool:
    """True for an authentication request that the client must answer with a message of its own."""
    if message.kind != b"R" or len(message.body) < 4:
        return False
    return _WORD.unpack_from(message.body)[0] not in (_AUTH_OK, _AUTH_SASL_FINAL)


def without_channel_binding(message: Message) -> Message:
    """A message as an app that logs in by itself may see it: without mechanisms that bind a login to a certificate.

    The server's certificate is not shown to the app, and clients without TLS take such an offer for an attack.
    """
    if message.kind != b"R" or message.body[:4] != _WORD.pack(_AUTH_SASL):
        return message
    kept = [name for name in message.body[4:].split(b"\0") if name and not name.endswith(b"-PLUS")]
    return Message(b"R", message.body[:4] + b"".join(name + b"\0" for name in kept) + b"\0")


def read_backend_key(body: bytes) -> tuple[int, bytes]:
    """PID and cancel key of a BackendKeyData body; ProtocolViolation for a key of an impossible length."""
    if not 8 <= len(body) <= 4 + 256:
        raise ProtocolViolation("backend key of a wrong length")
    return _WORD.unpack_from(body)[0], body[4:]


_ALLOWED = {
    LoginState.STARTED: b"vN",
    LoginState.PASSWORD_SENT: b"N",
    LoginState.SASL_FIRST_SENT: b"N",
    LoginState.SASL_FINAL_SENT: b"N",
    LoginState.SASL_VERIFIED: b"N",
    LoginState.AUTHENTICATED: b"SKNAZ",
}
"""Message types, other than errors and authentication requests, that each state expects; all are for the app."""

_Step = Callable[[UpstreamLogin, bytes], Action]
_AUTHENTICATION: dict[tuple[LoginState, int], tuple[str, _Step, LoginState]] = {
    (LoginState.STARTED, _AUTH_OK): ("none", UpstreamLogin._granted, LoginState.AUTHENTICATED),
    (LoginState.STARTED, _AUTH_CLEARTEXT): ("password", UpstreamLogin._send_cleartext, LoginState.PASSWORD_SENT),
    (LoginState.STARTED, _AUTH_MD5): ("md5", UpstreamLogin._send_md5, LoginState.PASSWORD_SENT),
    (LoginState.STARTED, _AUTH_SASL): ("scram-sha-256", UpstreamLogin._send_first, LoginState.SASL_FIRST_SENT),
    (LoginState.SASL_FIRST_SENT, _AUTH_SASL_CONTINUE): ("", UpstreamLogin._ask_derivation, LoginState.SASL_DERIVING),
    (LoginState.SASL_FINAL_SENT, _AUTH_SASL_FINAL): ("", UpstreamLogin._verify_server, LoginState.SASL_VERIFIED),
    (LoginState.SASL_VERIFIED, _AUTH_OK): ("", UpstreamLogin._granted, LoginState.AUTHENTICATED),
    (LoginState.PASSWORD_SENT, _AUTH_OK): ("", UpstreamLogin._granted, LoginState.AUTHENTICATED),
}
"""(state, authentication code) → (its name for require_auth, what to do, the next state). All else is refused:
AuthenticationOk is believed only after the server's signature was verified."""
