"""The app's side of the start-up conversation (protocol 3, "Start-up" and "SSL Session Encryption"), without any I/O.

Refuses encryption where none is offered on the loopback leg, recognises cancel requests and yields the start-up
packet, versions and `_pq_.` options untouched, since the server negotiates those. Who may enter is decided elsewhere.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache

from ambassador_dbproxy.postgres.wire import ProtocolViolation, encode_untyped

MAX_STARTUP_BYTES = 10000
"""Bound of a start-up packet, the same as the server's own."""
MIN_CANCEL_KEY_BYTES, MAX_CANCEL_KEY_BYTES = 4, 256

CANCEL_REQUEST, SSL_REQUEST, GSSENC_REQUEST = 80877102, 80877103, 80877104
_TLS_HANDSHAKE = b"\x16"
_WORD = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Answer:
    """Bytes to send back before the conversation goes on."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Encrypt:
    """Send `answer` and begin TLS; `direct` if the app has begun it already, with the bytes that are left."""

    answer: bytes
    direct: bool


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """The app asks to cancel what the backend `pid` with this secret `key` (4 to 256 bytes) is doing."""

    pid: int
    key: bytes

    def encode(self) -> bytes:
        """The packet as it goes to the server."""
        return encode_untyped(struct.pack(">II", CANCEL_REQUEST, self.pid) + self.key)


@dataclass(frozen=True, slots=True)
class StartupPacket:
    """A request for a session: the version word as sent, and the parameters in order, in the app's own encoding."""

    version: int
    parameters: tuple[tuple[bytes, bytes], ...]

    def get(self, name: bytes) -> bytes | None:
        """The value of one parameter; the last one counts, as it does for the server."""
        return dict(self.parameters).get(name)

    def routed(self, user: str | None, database: str | None) -> StartupPacket:
        """The packet for the target: `user` and `database` replaced where given, everything else kept in order.

        Without a database the server takes the user's name for it. The app meant its own user, not the injected
        one, so that name is then written out.
        """
        new: dict[bytes, bytes] = {}
        if user is not None:
            new[b"user"] = user.encode()
            if database is None and not self.get(b"database") and (own := self.get(b"user")) is not None:
                new[b"database"] = own
        if database is not None:
            new[b"database"] = database.encode()
        # A parameter may be there twice, and its last value counts for the server.
        kept = [(name, new.get(name, value)) for name, value in self.parameters]
        added = [each for each in new.items() if each not in kept]
        return StartupPacket(self.version, (*added, *kept))

    def encode(self) -> bytes:
        """The packet as it goes to the server."""
        body = b"".join(name + b"\0" + value + b"\0" for name, value in self.parameters)
        return encode_untyped(_WORD.pack(self.version) + body + b"\0")


Event = Answer | Encrypt | CancelRequest | StartupPacket


class _State(Enum):
    FRESH = auto()
    SSL_ASKED = auto()
    GSS_ASKED = auto()
    BOTH_ASKED = auto()
    ENCRYPTED = auto()
    DONE = auto()


_AFTER_ENCRYPTION_REQUEST = {
    (_State.FRESH, SSL_REQUEST): _State.SSL_ASKED,
    (_State.FRESH, GSSENC_REQUEST): _State.GSS_ASKED,
    (_State.SSL_ASKED, GSSENC_REQUEST): _State.BOTH_ASKED,
    (_State.GSS_ASKED, SSL_REQUEST): _State.BOTH_ASKED,
}
"""Each kind of encryption may be asked for once. What is not in here is refused."""


SSL_REQUEST_PACKET = encode_untyped(_WORD.pack(SSL_REQUEST))
"""What the ambassador itself sends to a server to ask for TLS."""


class ClientStartup:
    """Feed it the app's bytes and ask for events until a `StartupPacket` or a `CancelRequest` ends it."""

    def __init__(self, *, tls: bool = False) -> None:
        """`tls`: it is offered."""
        self._tls = tls
        self._state = _State.FRESH
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Take bytes from the app."""
        self._buffer += data

    def next_event(self) -> Event | None:
        """The next event, None until more is fed, or ProtocolViolation."""
        if self._state is _State.DONE:
            return None
        if self._buffer.startswith(_TLS_HANDSHAKE):
            if not self._tls or self._state is not _State.FRESH:
                raise ProtocolViolation("direct TLS is not offered on this listener")
            self._state = _State.ENCRYPTED
            return Encrypt(b"", direct=True)
        packet = self._cut_packet()
        if packet is None:
            return None
        (code,) = _WORD.unpack_from(packet)
        if code in (SSL_REQUEST, GSSENC_REQUEST):
            return self._answer_encryption(code)
        self._state = _State.DONE
        return _cancel_request(packet) if code == CANCEL_REQUEST else _startup_packet(packet)

    def take_rest(self) -> bytes:
        """Bytes that came behind the start-up packet; they belong to the session."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        return rest

    def _cut_packet(self) -> bytes | None:
        if len(self._buffer) < 4:
            return None
        (length,) = _WORD.unpack_from(self._buffer)
        if not 8 <= length <= MAX_STARTUP_BYTES:
            raise ProtocolViolation("invalid length of startup packet")
        if len(self._buffer) < length:
            return None
        packet = bytes(self._buffer[4:length])
        del self._buffer[:length]
        return packet

    def _answer_encryption(self, code: int) -> Answer | Encrypt:
        after = _AFTER_ENCRYPTION_REQUEST.get((self._state, code))
        if after is None:
            raise ProtocolViolation(f"unsupported frontend protocol {code >> 16}.{code & 0xFFFF}")
        if self._buffer:
            # A man in the middle could have put these bytes before the handshake (CVE-2021-23214). An honest
            # client waits for the answer, so the rule costs nobody, and holds whatever the answer is.
            raise ProtocolViolation("received data behind a request for encryption")
        if code == SSL_REQUEST and self._tls:
            self._state = _State.ENCRYPTED
            return Encrypt(b"S", direct=False)
        self._state = after
        return Answer(b"N")


def _cancel_request(packet: bytes) -> CancelRequest:
    key = packet[8:]
    if not MIN_CANCEL_KEY_BYTES <= len(key) <= MAX_CANCEL_KEY_BYTES:
        raise ProtocolViolation("invalid length of cancel request")
    return CancelRequest(_WORD.unpack_from(packet, 4)[0], key)


@lru_cache(maxsize=16)
def _startup_packet(packet: bytes) -> StartupPacket:
    """Kept, since an app that connects for each query says the same each time."""
    (version,) = _WORD.unpack_from(packet)
    if version >> 16 != 3:
        asked = f"{version >> 16}.{version & 0xFFFF}"
        raise ProtocolViolation(f"unsupported frontend protocol {asked}: 3.0 and later of version 3 are spoken here")
    fields = packet[4:].split(b"\0")
    # n pairs, each string ended by NUL, and one more NUL: split leaves 2n strings and two empty ones.
    if len(fields) < 2 or len(fields) % 2 or fields[-1] or fields[-2]:
        raise ProtocolViolation("invalid startup packet layout: expected terminator as last byte")
    names = fields[:-2:2]
    if not all(names):
        raise ProtocolViolation("invalid startup packet layout: empty parameter name")
    return StartupPacket(version, tuple(zip(names, fields[1:-2:2], strict=True)))
