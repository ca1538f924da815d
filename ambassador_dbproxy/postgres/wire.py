"""Framing of PostgreSQL messages (protocol 3, "Message Formats"): bytes in, whole messages out, within a stated bound.

Knows lengths and types only. What a message means is decided in `startup`, `login`, `errors` and `tracking`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple

MAX_LOGIN_MESSAGE_BYTES = 65536
"""Bound of one message before the session is up. PostgreSQL's own clients bound these at 30,000 bytes."""

_HEAD = struct.Struct(">cI")
_LENGTH = struct.Struct(">I")


class ProtocolViolation(Exception):
    """The peer sent what the protocol does not allow. The text holds no payload and can be shown to the peer."""


class Message(NamedTuple):
    """One typed message: `kind` is its single type byte, `body` what follows the length."""

    kind: bytes
    body: bytes

    def encode(self) -> bytes:
        """The bytes of the message on the wire; the inverse of reading it."""
        return encode(self.kind, self.body)


def encode(kind: bytes, body: bytes) -> bytes:
    """Frame `body` as a message of type `kind` (one byte)."""
    return _HEAD.pack(kind, len(body) + 4) + body


def encode_untyped(body: bytes) -> bytes:
    """Frame a start-up packet: a length that counts itself, then `body`."""
    return _LENGTH.pack(len(body) + 4) + body


class MessageReader:
    """Cuts a byte stream into messages of at most `max_bytes` each (length word and body together)."""

    def __init__(self, max_bytes: int = MAX_LOGIN_MESSAGE_BYTES) -> None:
        self._max_bytes = max_bytes
        self._fed = b""
        self._at = 0  # what lies before was read

    def feed(self, data: bytes) -> None:
        """Take bytes from the peer. Nothing is judged before `next_message` is asked."""
        self._fed = self._fed[self._at :] + data
        self._at = 0

    def next_message(self) -> Message | None:
        """The next whole message, or None until more is fed; ProtocolViolation for an impossible length."""
        fed, at = self._fed, self._at
        left = len(fed) - at
        if left < _HEAD.size:
            return None
        kind, length = _HEAD.unpack_from(fed, at)
        if not 4 <= length <= self._max_bytes:
            raise ProtocolViolation(f"message of {length} bytes, allowed are 4 to {self._max_bytes}")
        if left <= length:
            return None
        self._at = end = at + length + 1
        return Message(kind, fed[at + _HEAD.size : end])

    def pass_to(self, take: Callable[[bytes], int]) -> None:
        """Let `take` look at the bytes that were not yet read as messages; it returns how many it has used up."""
        self._at += take(self._fed[self._at :])

    def take_rest(self) -> bytes:
        """Hand over the bytes that were not yet read as messages, and forget them."""
        rest = self._fed[self._at :]
        self._fed, self._at = b"", 0
        return rest
