"""The ambassador's login at the server (protocol documentation, "Connection Phase"), as a state and a table, no I/O.

It proves the password in the way that the server asks for, again with each plugin the server switches to. Connecting,
TLS, sequence ids and reading the password are the caller's.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto

from ambassador_dbproxy.mysql import passwords, rsa
from ambassador_dbproxy.mysql.errors import ERR, MORE, OK, SWITCH, ServerError, read_error
from ambassador_dbproxy.mysql.passwords import CLEAR, NATIVE, SHA2
from ambassador_dbproxy.mysql.wire import Fields, ProtocolViolation
from ambassador_dbproxy.refusal import Unusable

MAX_SWITCHES = 8
"""A server tries the account's plugins one after another; more than this many would be a game."""
NONCE_BYTES = 20
_FAST, _FULL = b"\3", b"\4"
_SEND_KEY = b"\2"


class LoginState(Enum):
    """How far the login has come."""

    BEGUN = auto()
    PROVING = auto()  # sent what the current plugin sends first
    KNOWN = auto()  # caching_sha2_password: the server found us in its cache
    KEY_ASKED = auto()
    FULL_SENT = auto()  # the password itself, under TLS or RSA
    READY = auto()
    REFUSED = auto()


class LoginFailed(Unusable):
    """The login cannot go on, for a reason on our side of it. The text holds nothing secret."""


class ServerRefused(Exception):
    """The server answered with an error. `body` is the ERR packet's as it was sent."""

    def __init__(self, body: bytes) -> None:
        self.error: ServerError = read_error(body)
        self.body = body
        super().__init__(f"{self.error.number} {self.error.message}")


class UpstreamLogin:
    """One login, or one change of user. `begin`, then feed it each packet's body and send what it returns, until READY.

    `secure` says that nobody else can read the connection; `seed` gives fresh random bytes for RSA; `require_auth`
    names the plugins the server may ask for, empty: any. Raises LoginFailed, ServerRefused or ProtocolViolation, after
    which it is of no further use.
    """

    def __init__(
        self, *, password: str | None, secure: bool, require_auth: frozenset[str], seed: Callable[[int], bytes]
    ) -> None:
        self.state = LoginState.BEGUN
        self._password = (password or "").encode()
        self._has_password = password is not None
        self._secure = secure
        self._require_auth = require_auth
        self._seed = seed
        self._plugin = b""
        self._nonce = b""
        self._switches = 0

    def begin(self, plugin: bytes, nonce: bytes) -> tuple[bytes, bytes]:
        """The plugin and the proof to open with, given what the greeting names; the server may switch from there."""
        known = plugin if plugin in (NATIVE, SHA2) and self._allowed(plugin) else NATIVE
        self._plugin, self._nonce = known, nonce
        self.state = LoginState.PROVING
        # A plugin that may not be used gets no proof; the server then names the one that the account has.
        return known, self._first_proof() if self._allowed(known) else b""

    def receive(self, body: bytes) -> bytes | None:
        """Take one packet's body, decide by the table, and return the body to answer with, if any."""
        if not body:
            raise ProtocolViolation("empty packet during the login")
        if body[0] == ERR:
            self.state = LoginState.REFUSED
            raise ServerRefused(body)
        step = _STEPS.get((self.state, body[0]))
        if step is None:
            raise ProtocolViolation(f"unexpected packet 0x{body[0]:02x} while {self.state.name.lower()}")
        return step(self, body)

    def _granted(self, _: bytes) -> bytes | None:
        if self._plugin and not self._allowed(self._plugin):
            raise LoginFailed(f"the server let us in without any of: {', '.join(sorted(self._require_auth))}")
        self.state = LoginState.READY
        return None

    def _switch(self, body: bytes) -> bytes | None:
        self._switches += 1
        if self._switches > MAX_SWITCHES:
            raise ProtocolViolation(f"more than {MAX_SWITCHES} authentication methods in one login")
        if len(body) == 1:
            raise LoginFailed("the server asks for a password of before 4.1, which is not supported")
        fields = Fields(body[1:])
        plugin = fields.until_nul()
        name = plugin[:64].decode("ascii", "replace")
        if plugin not in (NATIVE, SHA2, CLEAR):
            raise LoginFailed(f"the server asks for {name!r}, which is not supported")
        if not self._allowed(plugin):
            raise LoginFailed(
                f"the server asks for {name}, but require_auth allows only {', '.join(sorted(self._require_auth))}"
            )
        self._plugin, self._nonce = plugin, fields.rest()[:NONCE_BYTES]
        return self._first_proof()

    def _more(self, body: bytes) -> bytes | None:
        if self._plugin != SHA2 or body[1:] not in (_FAST, _FULL):
            raise ProtocolViolation("more authentication data than the method has")
        if body[1:] == _FAST:
            self.state = LoginState.KNOWN
            return None
        if self._secure:
            self.state = LoginState.FULL_SENT
            return passwords.clear(self._password)
        self.state = LoginState.KEY_ASKED
        return _SEND_KEY

    def _encrypted(self, body: bytes) -> bytes | None:
        try:
            key = rsa.PublicKey.read(body[1:])
            proof = rsa.encrypt(key, passwords.veiled(self._password, self._nonce), self._seed(rsa.SEED_BYTES))
        except (rsa.BadKey, ValueError) as error:
            raise LoginFailed(f"the password cannot be encrypted for the server: {error}") from error
        self.state = LoginState.FULL_SENT
        return proof

    def _first_proof(self) -> bytes:
        if self._plugin == CLEAR:
            if not self._secure:
                raise LoginFailed("the server asks for the password in clear, which is sent under TLS only")
            return passwords.clear(self._password)
        if len(self._nonce) != NONCE_BYTES:
            raise ProtocolViolation("scramble of a wrong length")
        return (passwords.native if self._plugin == NATIVE else passwords.sha2)(self._password, self._nonce)

    def _allowed(self, plugin: bytes) -> bool:
        return not self._require_auth or plugin.decode() in self._require_auth


_Step = Callable[[UpstreamLogin, bytes], "bytes | None"]
_STEPS: dict[tuple[LoginState, int], _Step] = {
    (LoginState.PROVING, OK): UpstreamLogin._granted,
    (LoginState.PROVING, SWITCH): UpstreamLogin._switch,
    (LoginState.PROVING, MORE): UpstreamLogin._more,
    (LoginState.KNOWN, OK): UpstreamLogin._granted,
    (LoginState.KEY_ASKED, MORE): UpstreamLogin._encrypted,
    (LoginState.FULL_SENT, OK): UpstreamLogin._granted,
}
"""(state, first byte) → what to do; errors end every state, and all else is refused."""
