"""Where may a run of bytes be cut? Pure: at the last newline, and inside a line only when it is too long.

Works on whole buffers with C-level searches; reading and counting belong to the caller.
"""

from codecs import BOM_UTF8
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Piece:
    """Hand out the first `length` bytes; `broken` when they are one piece of a line that was or must be broken."""

    length: int
    broken: bool


def take(buffer: bytes | bytearray, filled: int, max_line: int, *, midline: bool, finished: bool) -> Piece | None:
    """The next piece of `buffer[:filled]`, or None when more bytes are needed.

    `midline`: the byte before the buffer was no newline, so the buffer begins inside a line already begun.
    `finished`: nothing will ever follow, so an unterminated last line counts as a line.
    A line is too long when more than `max_line` bytes come before its newline.
    """
    if filled == 0:
        return None
    if midline:
        return _take_rest(buffer, filled, max_line, finished)
    whole = _whole_lines(buffer, filled, max_line)
    if whole:
        return Piece(whole, broken=False)
    if filled > max_line:
        return Piece(_boundary(buffer, max_line), broken=True)
    return Piece(filled, broken=False) if finished else None


def _take_rest(buffer: bytes | bytearray, filled: int, max_line: int, finished: bool) -> Piece | None:
    newline = buffer.find(b"\n", 0, min(filled, max_line + 1))
    if newline >= 0:
        return Piece(newline + 1, broken=True)
    if filled > max_line:
        return Piece(_boundary(buffer, max_line), broken=True)
    return Piece(filled, broken=True) if finished else None


def _whole_lines(buffer: bytes | bytearray, filled: int, max_line: int) -> int:
    """The length of the whole lines before the first line that is unterminated or too long."""
    if filled <= max_line:
        return buffer.rfind(b"\n", 0, filled) + 1
    # One search from the right per max_line bytes proves that no line in between is too long.
    at = 0
    while at < filled:
        newline = buffer.rfind(b"\n", at, min(filled, at + max_line + 1))
        if newline < 0:
            break
        at = newline + 1
    return at


def _boundary(buffer: bytes | bytearray, limit: int) -> int:
    """The last cut ≤ `limit` that splits no UTF-8 character (RFC 3629: at most three continuation bytes)."""
    for cut in range(limit, max(limit - 4, 0), -1):
        if buffer[cut] & 0xC0 != 0x80:
            return cut
    return limit


def mark(buffer: bytes | bytearray, filled: int) -> int:
    """How many bytes of a file's beginning are the mark of UTF-8 (RFC 3629 section 6), which belongs to no line."""
    return len(BOM_UTF8) if filled >= len(BOM_UTF8) and buffer.startswith(BOM_UTF8) else 0


def padding(buffer: bytes | bytearray, filled: int) -> int:
    """How many NUL bytes lead the buffer: what a writer without O_APPEND leaves after a truncation."""
    if filled == 0 or buffer[0] != 0:
        return 0
    view = bytes(buffer[:filled])
    return filled - len(view.lstrip(b"\0"))
