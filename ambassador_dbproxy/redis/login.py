"""The ambassador's login at a Redis server: four questions sent at once, their replies judged in turn. No I/O.

AUTH, SELECT, ROLE and PING go out together, so a login costs one round trip. PING finds a server that is still
loading, which answers the others all the same.
"""

from __future__ import annotations

import re
from enum import Enum, auto

from ambassador_dbproxy.redis.resp import ErrorReply, ProtocolViolation, Push, Reply, encode_command
from ambassador_dbproxy.server import Role

NOT_READY = frozenset({"LOADING", "MASTERDOWN", "CLUSTERDOWN"})
"""Errors of a server that is not up yet: worth waiting for, unlike a refusal."""
DEFAULT_USER = "default"
_WRONG_PASSWORD = ("WRONGPASS ", "ERR invalid password")  # the second: before Redis 6
_TURNED_AWAY = ("ERR max number of clients reached", "DENIED ")  # said to whatever comes first
_REPEATS_NOTHING = (
    *_WRONG_PASSWORD,
    *_TURNED_AWAY,
    "NOPERM ",
    "NOAUTH ",
    "ERR wrong number of arguments ",
    "ERR AUTH <password> called without any password ",
    "ERR Client sent AUTH, but no password is set",
)
"""Answers to AUTH that hold none of its arguments; a server that does not know the command repeats them, for one."""
_CODE = re.compile("[A-Z]{2,20}")
_MASK = "(password)"


class LoginFailed(Exception):
    """The login cannot go on. The text holds nothing secret."""


class ServerRefused(Exception):
    """The server answered the login with this error."""

    def __init__(self, error: ErrorReply) -> None:
        super().__init__(error.text)
        self.error = error

    @property
    def wrong_password(self) -> bool:
        """True if another password may help."""
        return self.error.text.startswith(_WRONG_PASSWORD)


class NotReady(Exception):
    """The server is not up yet, in its own words."""


class Step(Enum):
    """What was asked, in this order."""

    AUTH = auto()
    SELECT = auto()
    ROLE = auto()
    PING = auto()


class UpstreamLogin:
    """One login. Send `request`, feed the replies one by one to `receive`, until `done`.

    Without a password the default user is taken to need none: one who is logged in already cannot say AUTH.

    Raises LoginFailed, ServerRefused, NotReady or ProtocolViolation, after which it is of no further use.
    """

    def __init__(self, *, user: str | None, password: str | None, database: int | None) -> None:
        self.role = Role.UNKNOWN
        self.role_reason = ""
        self._database = database
        self._password = password
        asked: list[tuple[Step, tuple[bytes, ...]]] = []
        if user is not None and (user != DEFAULT_USER or password is not None):
            asked.append((Step.AUTH, _auth(user, password or "")))
        if database is not None:
            asked.append((Step.SELECT, (b"SELECT", b"%d" % database)))
        asked += [(Step.ROLE, (b"ROLE",)), (Step.PING, (b"PING",))]
        self.request = b"".join(encode_command(*words) for _, words in asked)
        self._due = [step for step, _ in asked]

    @property
    def done(self) -> bool:
        return not self._due

    def receive(self, reply: Reply) -> None:
        """Judge the next reply of the server."""
        if isinstance(reply, Push):
            return
        if not self._due:
            raise ProtocolViolation("a reply to nothing")
        step = self._due.pop(0)
        if isinstance(reply, ErrorReply):
            tellable = auth_refusal if step is Step.AUTH else without_password
            error = tellable(reply, self._password)
            if error.code in NOT_READY:
                raise NotReady(error.text)
            self._refused(step, error)
        elif step is Step.ROLE:
            self.role = read_role(reply)
        elif step is not Step.PING and reply != b"OK":
            raise ProtocolViolation(f"an unexpected reply to {step.name}")

    def _refused(self, step: Step, error: ErrorReply) -> None:
        if step is Step.AUTH or error.text.startswith(_TURNED_AWAY):
            raise ServerRefused(error)
        if step is Step.SELECT:
            raise LoginFailed(f"the server does not let it select database {self._database}: {error.text}")
        if step is Step.ROLE:
            self.role_reason = error.text
        # PING: NOAUTH where the app logs in itself, NOPERM, BUSY, MISCONF. All come from a server that is up.


def auth_refusal(error: ErrorReply, password: str | None) -> ErrorReply:
    """What may be told of the server's error to AUTH, which may have repeated the password, or parts of it."""
    if error.text.startswith(_REPEATS_NOTHING):
        return without_password(error, password)
    code = error.code if _CODE.fullmatch(error.code) and error.code != password else "ERR"
    return ErrorReply(f"{code} AUTH was refused")


def without_password(error: ErrorReply, password: str | None) -> ErrorReply:
    """An error of the server without the password, wherever it comes from."""
    if not password or password not in error.text:
        return error
    return ErrorReply(error.text.replace(password, _MASK))


def auth(user: str | None, password: str) -> bytes:
    """The AUTH command alone."""
    return encode_command(*_auth(user or DEFAULT_USER, password))


def _auth(user: str, password: str) -> tuple[bytes, ...]:
    # Servers older than ACLs know the default user too, if it is not named.
    named = () if user == DEFAULT_USER else (user.encode(),)
    return (b"AUTH", *named, password.encode())


def read_role(reply: Reply) -> Role:
    """What a reply to ROLE says; ProtocolViolation if it is none.

    A replica that has lost its primary is a replica all the same: whether it serves then is its own setting
    (replica-serve-stale-data), and it says MASTERDOWN if it does not.
    """
    if not isinstance(reply, tuple) or not reply:
        raise ProtocolViolation("an unexpected reply to ROLE")
    if reply[0] == b"sentinel":
        raise LoginFailed("it is a Sentinel, not a server")
    return _ROLES.get(reply[0], Role.UNKNOWN) if isinstance(reply[0], bytes) else Role.UNKNOWN


_ROLES = {b"master": Role.PRIMARY, b"slave": Role.REPLICA}
