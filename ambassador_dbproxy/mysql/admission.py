"""The app's login at the ambassador, as a state without I/O: any user and any password will do, with any plugin.

Whether the app gets in is the upstream login's outcome alone; here its client is only led through the packets that it
expects. Sequence ids of the app's leg are kept here.
"""

from __future__ import annotations

from enum import Enum, auto

from ambassador_dbproxy.mysql.errors import MORE, SWITCH
from ambassador_dbproxy.mysql.greeting import LoginRequest
from ambassador_dbproxy.mysql.passwords import NATIVE, SHA2
from ambassador_dbproxy.mysql.wire import Packet, ProtocolViolation, encode

_FAST = bytes((MORE, 3))


class AdmissionState(Enum):
    """How far the app's client is."""

    ASKING = auto()
    SWITCHED = auto()  # it was sent to another plugin and owes that one's first packet
    CONTENT = auto()  # it waits for the verdict


class Admission:
    """One login of the app, or one change of user: `ask`, `answer` if that switched, then `welcome`.

    `offered` is the plugin that the greeting named, None for a change of user, where no client relies on one.
    """

    def __init__(self, offered: bytes | None, scramble: bytes) -> None:
        self.state = AdmissionState.ASKING
        self.sequence = 0
        """Of the next packet to the app, an error included."""
        self._offered = offered
        self._scramble = scramble
        self._waits_for_cache = False

    def ask(self, request: LoginRequest, sequence: int) -> bytes:
        """Take the app's first packet, which had this sequence id; returns what to send at once, if anything.

        A client whose own plugin is not the one it was offered has computed nothing yet, and expects to be told which
        to use. The oldest one is in every client.
        """
        assert self.state is AdmissionState.ASKING
        self.sequence = sequence + 1
        if not request.plugin or request.plugin == (self._offered or NATIVE):
            self.state = AdmissionState.CONTENT
            self._waits_for_cache = request.plugin == SHA2 and request.auth not in (b"", b"\0")
            return b""
        self.state = AdmissionState.SWITCHED
        return self._next(bytes((SWITCH,)) + NATIVE + b"\0" + self._scramble + b"\0")

    def answer(self, packet: Packet) -> None:
        """Take what the app sent for the plugin it was sent to; whatever it is, it will do."""
        if self.state is not AdmissionState.SWITCHED or packet.sequence != self.sequence & 0xFF:
            raise ProtocolViolation("packets out of order")
        self.sequence += 1
        self.state = AdmissionState.CONTENT

    def welcome(self, ok: bytes) -> bytes:
        """Tell the app that it is in, with the body of the server's OK."""
        # A client of caching_sha2_password wants to hear first that its password was in the cache.
        return (self._next(_FAST) if self._waits_for_cache else b"") + self._next(ok)

    def _next(self, body: bytes) -> bytes:
        packet = encode(self.sequence, body)
        self.sequence += 1
        return packet
