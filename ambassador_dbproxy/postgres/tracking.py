"""Follows a session's messages by their headers alone, to know when it is at a quiet moment (protocol 3, "Overview").

Chunks are looked at, never copied and never held back; a header cut by a chunk's edge is the only thing kept.
A session is quiet when the last ReadyForQuery said "idle" and every message that asks for one has been answered.
Most chunks have the same headers in the same places as one before: `Shapes` knows them without walking through.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

MAX_MESSAGE_BYTES = 0x7FFFFFFF
"""The protocol's own bound. A larger length means that the stream is not what it was taken for."""
MAX_SHAPED_BYTES = 2048
MAX_SHAPES = 512

_HEAD = struct.Struct(">BI")
_HEAD_BYTES = 5
_GOODBYE = _HEAD.pack(ord("X"), 4)  # Terminate
_READY_BYTES = 6  # ReadyForQuery, status byte included: the longest start of a message that is looked at
_READY, _ERROR, _DATA_ROW = b"ZED"
_ASKING = frozenset(b"QSF")  # Query, Sync, FunctionCall: each is answered by one ReadyForQuery
_EXTENDED = frozenset(b"PBEDCH")  # what belongs together until a Sync, and to one implicit transaction
_SYNC, _FLUSH, _TERMINATE = b"SHX"
_ROWS = frozenset(b"Dd")  # DataRow, CopyData
_COPYING = frozenset(b"dcf")  # CopyData, CopyDone, CopyFail
_IDLE = ord("I")
_KEPT = -1
_QUERIED, _OPEN = range(2)
"""The app's latest words, but for Syncs: a query; messages that a Sync is to follow."""


class Shape(NamedTuple):
    """A chunk of whole messages but for the body of one. With its length, `head` and `tail` hold every header."""

    head: bytes
    tail: bytes
    counts: int  # ReadyForQuery messages from the server, or messages of the app that ask for one
    status: int  # of the last ReadyForQuery; of the app's chunk: what its latest words are, but for Syncs
    syncs: int  # how many of them follow


class Shapes:
    """Shapes by the length of their chunk, shared by the sessions of a listener; at most MAX_SHAPES."""

    def __init__(self) -> None:
        self.server: dict[int, Shape] = {}
        self.client: dict[int, Shape] = {}


class SessionTracker:
    """Fed with each chunk of both directions. `transactions` counts ReadyForQuery messages.

    If a stream turns out not to be the protocol, tracking stops for good: the session is then never quiet.
    """

    __slots__ = (
        "_asked",
        "_client_kept",
        "_client_shapes",
        "_client_skip",
        "_latest",
        "_on_error",
        "_server_kept",
        "_server_shapes",
        "_server_skip",
        "_status",
        "_syncs",
        "_walks",
        "lost",
        "said_goodbye",
        "transactions",
    )

    def __init__(self, on_error: Callable[[str], None], shapes: Shapes) -> None:
        """The session has just sent its first ReadyForQuery. `on_error` is called with each SQLSTATE seen."""
        self.transactions = 0
        self.lost = self.said_goodbye = False
        self._status = _IDLE
        self._asked = 0  # messages of the app that a ReadyForQuery will answer
        self._server_skip = self._client_skip = 0  # bytes of the current message still to come, or _KEPT
        self._server_kept = self._client_kept = b""  # a header cut by the edge of a chunk
        self._on_error = on_error
        self._server_shapes, self._client_shapes = shapes.server, shapes.client
        self._latest = _QUERIED
        self._syncs = 0  # behind the latest words
        self._walks = 0

    @property
    def quiet(self) -> bool:
        """True between transactions, with nothing asked and nothing half sent in either direction."""
        return self._status == _IDLE and self.answered

    @property
    def answered(self) -> bool:
        """True when everything that was asked has been answered and nothing is half sent."""
        is_open = self._latest == _OPEN and not self._syncs
        return not (self._asked or is_open or self._client_skip or self._server_skip or self.lost)

    @property
    def between_messages(self) -> bool:
        """True when the app has only whole messages, so that one of ours may follow."""
        return not (self._server_skip or self.lost)

    def server_bytes(self, chunk: bytes) -> None:
        """Look at a chunk on its way to the app."""
        if not self._server_skip and (shape := self._server_shapes.get(len(chunk))) is not None:
            head, tail, counts, status, _ = shape
            if chunk.startswith(head) and chunk.endswith(tail):
                self.transactions += counts
                self._status = status
                self._asked = asked if (asked := self._asked - counts) > 0 else 0
                return
        self._walk_server(chunk)

    def client_bytes(self, chunk: bytes) -> None:
        """Look at a chunk on its way to the server."""
        if not self._client_skip and (shape := self._client_shapes.get(len(chunk))) is not None:
            head, tail, counts, latest, syncs = shape
            if chunk.startswith(head) and chunk.endswith(tail):
                self._asked += counts
                self._latest = latest
                self._syncs = syncs
                return
        self._walk_client(chunk)

    def _walk_server(self, chunk: bytes) -> None:
        end = len(chunk)
        at = self._server_skip
        if at >= end:
            self._server_skip = at - end
            return
        fresh = not at
        errors = False
        if at == _KEPT:
            chunk = self._server_kept + chunk
            end = len(chunk)
            at = 0
        last, length, read = end - _READY_BYTES, 4, _HEAD.unpack_from
        while at <= last:
            kind, length = read(chunk, at)
            begin, at = at, at + length + 1
            if kind in _ROWS and length >= 4:
                continue  # by far the most of what is large
            if length < 4:
                break
            if kind == _READY:
                self.transactions += 1
                self._status = chunk[begin + _HEAD_BYTES]
                if self._asked:
                    self._asked -= 1
            elif kind == _ERROR:
                errors = True
                self._on_error(_sqlstate(chunk, begin, length))
        if not 4 <= length <= MAX_MESSAGE_BYTES:  # too large a one ends the loop by itself
            self._lose()
            return
        if at < end:
            self._keep_server(chunk[at:])
            return
        self._server_skip = at - end
        if fresh and at == end and not errors:
            self._learn(self._server_shapes, chunk, _server_shape)

    def _walk_client(self, chunk: bytes) -> None:
        end = len(chunk)
        at = self._client_skip
        if not at and chunk == _GOODBYE:  # as nearly each session ends: there is nothing to learn from it
            self.said_goodbye = True
            return
        if at >= end:
            self._client_skip = at - end
            return
        fresh = not at
        if at == _KEPT:
            chunk = self._client_kept + chunk
            end = len(chunk)
            at = 0
        last, length, read = end - _HEAD_BYTES, 4, _HEAD.unpack_from
        while at <= last:
            kind, length = read(chunk, at)
            at += length + 1
            if length < 4:
                break
            if kind in _COPYING:
                if self._syncs and self._asked:
                    # While it copies, the server ignores Syncs; libpq sends one right behind the Execute.
                    self._asked -= min(self._syncs, self._asked)
                    self._syncs = 0
            elif kind == _SYNC:
                self._asked += 1
                self._syncs += 1
            elif kind in _ASKING:
                self._asked += 1
                self._latest, self._syncs = _QUERIED, 0
            elif kind in _EXTENDED and not (kind == _FLUSH and self._syncs):
                self._latest, self._syncs = _OPEN, 0
            elif kind == _TERMINATE:
                self.said_goodbye = True
        if not 4 <= length <= MAX_MESSAGE_BYTES:
            self._lose()
            return
        if at < end:
            self._client_kept = chunk[at:]
            self._client_skip = _KEPT
            return
        self._client_skip = at - end
        if fresh and at == end > _HEAD_BYTES:  # what a lone Sync means depends on what was before
            self._learn(self._client_shapes, chunk, _client_shape)

    def _learn(self, shapes: dict[int, Shape], chunk: bytes, shape: Callable[[bytes], Shape | None]) -> None:
        """Remember a chunk that has just been walked through; where hardly any is like another, only now and then."""
        self._walks += 1
        if len(chunk) > MAX_SHAPED_BYTES or (self._walks & 7 and len(chunk) in shapes):
            return
        if (made := shape(chunk)) is not None:
            if len(shapes) >= MAX_SHAPES:
                shapes.clear()
            shapes[len(chunk)] = made

    def _keep_server(self, piece: bytes) -> None:
        """Keep at most five bytes. Five are a whole header, and only ReadyForQuery needs the byte behind it."""
        if len(piece) < _HEAD_BYTES or piece[0] == _READY:
            self._server_kept = piece
            self._server_skip = _KEPT
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


def _server_shape(chunk: bytes) -> Shape | None:
    """The shape around the first row of a result, or of just this chunk; None where the status does not change."""
    messages = list(_messages(chunk))
    readies = [at for kind, at, _ in messages if kind == _READY]
    if not readies:
        return None
    status = chunk[readies[-1] + _HEAD_BYTES]
    row = next((each for each in messages if each[0] == _DATA_ROW), None)
    return Shape(chunk, b"", len(readies), status, 0) if row is None else _around(chunk, row, len(readies), status)


def _client_shape(chunk: bytes) -> Shape | None:
    """The shape around the longest message; None for COPY, of which nearly all is data, and for Syncs alone, whose
    meaning depends on what was before.
    """
    messages = list(_messages(chunk))
    kinds = bytes(kind for kind, _, _ in messages)
    words = kinds.rstrip(b"SH")
    if not words or not _EXTENDED.union(_ASKING).issuperset(kinds):
        return None
    longest = max(messages, key=lambda each: each[2] - each[1])
    behind = kinds[len(words) :]
    latest = _OPEN if words[-1] in _EXTENDED or behind.startswith(b"H") else _QUERIED
    return _around(chunk, longest, sum(kind in _ASKING for kind in kinds), latest, behind.count(b"S"))


def _around(chunk: bytes, message: tuple[int, int, int], counts: int, status: int, syncs: int = 0) -> Shape:
    _, at, end = message
    return Shape(chunk[: at + _HEAD_BYTES], chunk[end:], counts, status, syncs)


def _messages(chunk: bytes) -> Iterator[tuple[int, int, int]]:
    """Type, start and end of each message of a chunk that holds whole messages only."""
    at = 0
    while at < len(chunk):
        kind, length = _HEAD.unpack_from(chunk, at)
        yield kind, at, (at := at + length + 1)


def _sqlstate(chunk: bytes, at: int, length: int) -> str:
    """The SQLSTATE of an ErrorResponse, or nothing when the chunk's edge cuts it off."""
    found = chunk.find(b"\0C", at + _HEAD_BYTES, at + length + 1)
    return chunk[found + 2 : found + 7].decode("ascii", "replace") if found >= 0 else ""
