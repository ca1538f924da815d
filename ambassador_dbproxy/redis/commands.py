"""Cuts the app's first commands out of its stream, arrays and inline ones, if they are of those that log in.

Anything else is recognised by its name alone, so nothing of it is ever kept or believed, however large it claims to
be. What is done with a command is decided in `handshake`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

from ambassador_dbproxy.redis.resp import ProtocolViolation

MAX_WORDS = 10
MAX_WORD_BYTES = 16384
"""Redis's own bounds for a client that has not logged in."""

NAMES = frozenset({b"AUTH", b"HELLO", b"CLIENT", b"SELECT", b"READONLY", b"PING"})
_SECRET = frozenset({b"AUTH", b"HELLO"})  # never passed on unread, so a bound is a verdict
_LONGEST_NAME = max(map(len, NAMES))
_MAX_HEAD_BYTES = 16  # `*` or `$`, ten digits, CR LF
_LARGEST_COUNT = 1024 * 1024  # above it Redis before 7 refuses the line itself, and no name need ever follow
_COUNT = re.compile(rb"\*([0-9]{1,10})\r\n")
_SIZE = re.compile(rb"\$([0-9]{1,10})\r\n")
# An open quote reaches to the end of the line, so that every character is looked at once.
_INLINE_WORD = re.compile(rb"""(?:"(?:\\.?|[^"\\])*+(?:"|\Z)|'(?:\\'|[^'])*+(?:'|\Z)|[^\s"'])+""", re.DOTALL)
_BLANK = b" \t\r\v\f\0"


class Cut(Enum):
    """Why there is no command yet."""

    PENDING = auto()  # more bytes are needed to tell
    OTHER = auto()  # what comes next is no command of NAMES


@dataclass(frozen=True, slots=True)
class Command:
    """One command: `name` in capitals, `words` behind it as they were written, `size` in bytes on the wire."""

    name: bytes
    words: tuple[bytes, ...]
    size: int
    inline: bool


def cut_command(buffer: bytearray) -> Command | Cut:
    """The command at the start of `buffer`, which stays as it is.

    ProtocolViolation for a login over MAX_WORDS or MAX_WORD_BYTES; other commands over them are OTHER.
    """
    if not buffer:
        return Cut.PENDING
    return _cut_array(buffer) if buffer[0] == ord("*") else _cut_inline(buffer)


def _cut_array(buffer: bytearray) -> Command | Cut:
    head = _head(_COUNT, buffer, 0)
    if isinstance(head, Cut):
        return head
    count, at = head
    if not 1 <= count <= _LARGEST_COUNT:
        return Cut.OTHER
    head = _head(_SIZE, buffer, at)
    if isinstance(head, Cut):
        return head
    size, at = head
    if size > _LONGEST_NAME:
        return Cut.OTHER
    if len(buffer) < at + size + 2:
        return Cut.PENDING
    name = bytes(buffer[at : at + size]).upper()
    if name not in NAMES or buffer[at + size : at + size + 2] != b"\r\n":
        return Cut.OTHER
    return _cut_words(buffer, name, count - 1, at + size + 2)


def _cut_words(buffer: bytearray, name: bytes, count: int, at: int) -> Command | Cut:
    if count >= MAX_WORDS:
        return _too_large(name)
    words = []
    for _ in range(count):
        head = _head(_SIZE, buffer, at)
        if isinstance(head, Cut):
            return head
        size, at = head
        if size > MAX_WORD_BYTES:
            return _too_large(name)
        end = at + size
        if len(buffer) < end + 2:
            return Cut.PENDING
        if buffer[end : end + 2] != b"\r\n":
            return Cut.OTHER
        words.append(bytes(buffer[at:end]))
        at = end + 2
    return Command(name, tuple(words), at, inline=False)


def _head(form: re.Pattern[bytes], buffer: bytearray, at: int) -> tuple[int, int] | Cut:
    """The number in a header line at `at`, and where the line ends. A malformed one is for the server to judge."""
    found = form.match(buffer, at)
    if found:
        return int(found[1]), found.end()
    line_ended = buffer.find(b"\n", at, at + _MAX_HEAD_BYTES) >= 0
    return Cut.OTHER if line_ended or len(buffer) - at >= _MAX_HEAD_BYTES else Cut.PENDING


def _cut_inline(buffer: bytearray) -> Command | Cut:
    end = buffer.find(b"\n", 0, MAX_WORD_BYTES)
    line = bytes(buffer[:end] if end >= 0 else buffer[:MAX_WORD_BYTES])
    name, *rest = line.lstrip(_BLANK).split(None, 1) or [b""]
    if end < 0 and not rest and len(line) <= _LONGEST_NAME:
        return Cut.PENDING
    if name.upper() not in NAMES:
        return Cut.OTHER
    if end < 0:
        return _too_large(name.upper()) if len(buffer) >= MAX_WORD_BYTES else Cut.PENDING
    words = tuple(_INLINE_WORD.findall(rest[0])) if rest else ()
    return Command(name.upper(), words, end + 1, inline=True)


def _too_large(name: bytes) -> Cut:
    if name in _SECRET:
        raise ProtocolViolation(f"a login of more than {MAX_WORDS} words, or of {MAX_WORD_BYTES} bytes in one")
    return Cut.OTHER
