"""RESP2 and RESP3 replies read within stated bounds, commands and errors written (Redis serialization protocol).

Used for the login and for Sentinels only: a session's own traffic is never read. What a reply means is decided by
the callers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

MAX_REPLY_BYTES = 65536
"""Bound of one reply that is read here, nested ones included. A login's are far below 1 KiB."""
MAX_DEPTH = 8
MAX_LINE_BYTES = 4096
MAX_TEXT_CHARS = 500

_SIMPLE, _ERROR, _INTEGER, _BULK, _BULK_ERROR = b"+-:$!"
_VERBATIM, _NULL, _PUSH, _ATTRIBUTE = b"=_>|"
_OTHER_LINES = frozenset(b"#,(")  # boolean, double, big number: kept as they are written
_AGGREGATES = {ord("*"): 1, ord("~"): 1, ord(">"): 1, ord("%"): 2, ord("|"): 2}  # type → values for each counted one
_LENGTH = re.compile(rb"-1|[0-9]{1,10}")
_NUMBER = re.compile(rb"[+-]?[0-9]{1,19}")


class ProtocolViolation(Exception):
    """The peer sent what RESP does not allow, or more than is read here. The text holds no payload."""


@dataclass(frozen=True, slots=True)
class ErrorReply:
    """An error of the server, one line."""

    text: str

    @property
    def code(self) -> str:
        """Its first word, as in `WRONGPASS`."""
        return self.text.partition(" ")[0]

    @property
    def words(self) -> str:
        """What is behind the code."""
        return self.text.partition(" ")[2] or self.text


@dataclass(frozen=True, slots=True)
class Push:
    """An out-of-band message (RESP3): no answer to anything."""

    values: tuple[Reply, ...]


Reply: TypeAlias = "bytes | int | ErrorReply | Push | tuple[Reply, ...] | None"
"""Strings of every kind, and the rarer scalars, are bytes; arrays, sets and maps (as they come, key by key) tuples."""


def encode_command(*words: bytes) -> bytes:
    """A command as an array of bulk strings."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


def encode_error(code: str, text: str) -> bytes:
    """An error reply, of one line whatever is in `text`."""
    line = f"{code} {text}".replace("\r", " ").replace("\n", " ")[:MAX_TEXT_CHARS]
    return b"-" + line.encode("utf-8", "replace") + b"\r\n"


class ReplyReader:
    """Cuts a stream of replies into values of at most MAX_REPLY_BYTES each."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._enough = 1  # below this many bytes the next reply cannot be whole

    @property
    def between_replies(self) -> bool:
        """True when everything fed has been read."""
        return not self._buffer

    def feed(self, data: bytes) -> None:
        """Take bytes from the server. Nothing is judged before `next_reply` is asked."""
        self._buffer += data

    def next_reply(self) -> tuple[Reply] | None:
        """The next whole reply, in a tuple since None is a reply too; None until more is fed; or ProtocolViolation."""
        if len(self._buffer) < self._enough:
            return None
        try:
            value, end = _read(self._buffer, 0, 0)
        except _Incomplete as incomplete:
            _check_size(max(incomplete.enough, len(self._buffer)))
            self._enough = incomplete.enough
            return None
        _check_size(end)
        del self._buffer[:end]
        self._enough = 1
        return (value,)

    def take_rest(self) -> bytes:
        """Hand over the bytes that were not read as replies yet, and forget them."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        self._enough = 1
        return rest


class _Incomplete(Exception):
    """More bytes are needed: at least `enough` in all."""

    def __init__(self, enough: int) -> None:
        self.enough = enough


def _check_size(size: int) -> None:
    if size > MAX_REPLY_BYTES:
        raise ProtocolViolation(f"a reply of more than {MAX_REPLY_BYTES} bytes")


def _read(buffer: bytearray, at: int, depth: int) -> tuple[Reply, int]:
    """The value that begins at `at`, and where it ends."""
    if depth > MAX_DEPTH:
        raise ProtocolViolation(f"a reply nested more than {MAX_DEPTH} deep")
    line, after = _line(buffer, at)
    kind, content = line[0], line[1:]
    if kind in _AGGREGATES:
        return _read_aggregate(buffer, kind, content, after, depth)
    if kind in (_BULK, _VERBATIM, _BULK_ERROR):
        return _read_bulk(buffer, kind, content, after)
    if kind == _SIMPLE or kind in _OTHER_LINES:
        return content, after
    if kind == _ERROR:
        return ErrorReply(content.decode("utf-8", "replace")), after
    if kind == _INTEGER:
        if not _NUMBER.fullmatch(content):
            raise ProtocolViolation("an integer reply that is none")
        return int(content), after
    if kind == _NULL:
        return None, after
    raise ProtocolViolation("a reply of unknown type")


def _read_bulk(buffer: bytearray, kind: int, content: bytes, at: int) -> tuple[Reply, int]:
    length = _length(content)
    if length < 0:
        return None, at
    end = at + length + 2
    if len(buffer) < end:
        raise _Incomplete(end)
    if buffer[end - 2 : end] != b"\r\n":
        raise ProtocolViolation("a bulk string without its end")
    value = bytes(buffer[at : end - 2])
    if kind == _BULK_ERROR:
        return ErrorReply(value.decode("utf-8", "replace")), end
    return value, end


def _read_aggregate(buffer: bytearray, kind: int, content: bytes, at: int, depth: int) -> tuple[Reply, int]:
    count = _length(content)
    if count < 0:
        return None, at
    count *= _AGGREGATES[kind]
    if count > MAX_REPLY_BYTES // 3:  # the shortest value takes three bytes
        raise ProtocolViolation(f"a reply of {count} values")
    values = []
    for _ in range(count):
        value, at = _read(buffer, at, depth + 1)
        values.append(value)
    if kind == _ATTRIBUTE:  # it speaks of the value behind it
        return _read(buffer, at, depth + 1)
    return (Push(tuple(values)) if kind == _PUSH else tuple(values)), at


def _line(buffer: bytearray, at: int) -> tuple[bytes, int]:
    end = buffer.find(b"\r\n", at, at + MAX_LINE_BYTES)
    if end < 0:
        if len(buffer) - at >= MAX_LINE_BYTES:
            raise ProtocolViolation(f"a line of more than {MAX_LINE_BYTES} bytes")
        raise _Incomplete(len(buffer) + 1)
    if end == at:
        raise ProtocolViolation("a reply without a type")
    return bytes(buffer[at:end]), end + 2


def _length(content: bytes) -> int:
    if not _LENGTH.fullmatch(content):
        raise ProtocolViolation("a length that is none")
    return int(content)
