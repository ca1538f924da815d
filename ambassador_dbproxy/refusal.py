"""Why a connection gets an error instead of a session, in words that every protocol can put into its own form. Pure."""

from __future__ import annotations

from enum import Enum


class Reason(Enum):
    """The kinds of refusal; also the values of a metric's label."""

    CONNECTIONS = "connections"  # limits.connections reached
    WAITING = "waiting"  # limits.waiting reached while the target is down
    HOLD = "hold"  # limits.hold passed while the target is down
    LOGIN = "login"  # the server, or we, refused the login
    TLS = "tls"  # the way to the server cannot be encrypted as the settings want it
    PROTOCOL = "protocol"  # the app does not speak the listener's protocol
    CLOSING = "closing"  # the ambassador is stopping
    BUG = "bug"


INTERNAL_ERROR = "internal error of the database ambassador"
"""What an app is told of a bug; the log has the rest."""


class Refused(Exception):
    """A connection is refused. `text` holds no secret; `answer` is what the app gets where that is known better here:
    the server's own error, or one at its place in a login.
    """

    def __init__(self, reason: Reason, text: str, answer: bytes | None = None) -> None:
        super().__init__(text)
        self.reason = reason
        self.text = text
        self.answer = answer


class Unusable(Exception):
    """A server answers, but not as the settings want it; waiting does not help. The text names it and the reason."""
