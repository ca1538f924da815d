"""Follows a session's messages by their headers alone, to know when it is at a quiet moment (protocol 3, "Overview").

Chunks are looked at, never copied and never held back; a header cut by a chunk's edge is the only thing kept.
A session is quiet when the last ReadyForQuery said "idle" and every message that asks for one has been answered.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

MAX_MESSAGE_BYTES = 0x7FFFFFFF
"""The protocol's own bound. A larger length means that the stream is not what it was taken for."""

_HEAD = struct.Struct(">BI")
_HEAD_BYTES = 5
_READY_BYTES = 6  # ReadyForQuery, status byte included: the longest start of a message that is looked at
_READY, _ERROR = b"ZE"
_ASKING = frozenset(b"QSF")  # Query, Sync, FunctionCall: each is answered by one ReadyForQuery
_IDLE = ord("I")


class SessionTracker:
    """Fed with each chunk of both directions. `transactions` counts ReadyForQuery messages.

    If a stream turns out not to be the protocol, tracking stops for good: the session is then never quiet.
    """

    __slots__ = (
        "_asked",
        "_client_kept",
        "_client_skip",
        "_on_error",
        "_server_kept",
        "_server_skip",
        "_status",
        "lost",
        "transactions",
    )

    def __init__(self, on_error: Callable[[str], None]) -> None:
        """The session has just sent its first ReadyForQuery. `on_error` is called with each SQLSTATE seen."""
        self.transactions = 0
        self.lost = False
        self._status = _IDLE
        self._asked = 0  # messages of the app that a ReadyForQuery will answer
        self._server_skip = self._client_skip = 0  # bytes of the current message still to come
        self._server_kept = self._client_kept = b""  # a header cut by the edge of a chunk
        self._on_error = on_error

    @property
    def quiet(self) -> bool:
        """True between transactions, with nothing asked and nothing half sent in either direction."""
        return not (
            self._asked
            or self._status != _IDLE
            or self._server_skip
            or self._client_skip
            or self._server_kept
            or self._client_kept
            or self.lost
        )

    @property
    def between_messages(self) -> bool:
        """True when the app has only whole messages, so that one of ours may follow."""
        return not (self._server_skip or self._server_kept or self.lost)

    def server_bytes(self, chunk: bytes) -> None:
        """Look at a chunk on its way to the app."""
        end = len(chunk)
        at = self._server_skip
        if at >= end:
            self._server_skip = at - end
            return
        if self._server_kept:
            chunk = self._server_kept + chunk
            end = len(chunk)
            self._server_kept = b""
        read = _HEAD.unpack_from
        while end - at >= _READY_BYTES:
            kind, length = read(chunk, at)
            if kind == _READY:
                self.transactions += 1
                self._status = chunk[at + _HEAD_BYTES]
                if self._asked:
                    self._asked -= 1
            elif kind == _ERROR:
                self._on_error(_sqlstate(chunk, at, length))
            at += length + 1
            if not 4 <= length <= MAX_MESSAGE_BYTES:
                self._lose()
                return
        if at < end:
            self._keep_server(chunk[at:])
        else:
            self._server_skip = at - end

    def client_bytes(self, chunk: bytes) -> None:
        """Look at a chunk on its way to the server."""
        end = len(chunk)
        at = self._client_skip
        if at >= end:
            self._client_skip = at - end
            return
        if self._client_kept:
            chunk = self._client_kept + chunk
            end = len(chunk)
            self._client_kept = b""
        read = _HEAD.unpack_from
        while end - at >= _HEAD_BYTES:
            kind, length = read(chunk, at)
            if kind in _ASKING:
                self._asked += 1
            at += length + 1
            if not 4 <= length <= MAX_MESSAGE_BYTES:
                self._lose()
                return
        if at < end:
            self._client_kept = chunk[at:]
            self._client_skip = 0
        else:
            self._client_skip = at - end

    def _keep_server(self, piece: bytes) -> None:
        """Keep at most five bytes. Five are a whole header, and only ReadyForQuery needs the byte behind it."""
        if len(piece) < _HEAD_BYTES or piece[0] == _READY:
            self._server_kept = piece
            self._server_skip = 0
            return
        kind, length = _HEAD.unpack(piece)
        if not 4 <= length <= MAX_MESSAGE_BYTES:
            self._lose()
            return
        if kind == _ERROR:
            self._on_error("")
        self._server_skip = length - 4

    def _lose(self) -> None:
        self.lost = True
        self._server_kept = self._client_kept = b""
        self._server_skip = self._client_skip = 1 << 62


def _sqlstate(chunk: bytes, at: int, length: int) -> str:
    """The SQLSTATE of an ErrorResponse, or nothing when the chunk's edge cuts it off."""
    found = chunk.find(b"\0C", at + _HEAD_BYTES, at + length + 1)
    return chunk[found + 2 : found + 7].decode("ascii", "replace") if found >= 0 else ""
