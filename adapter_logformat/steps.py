"""How much of what was read is converted before the loop may turn again: in pieces that stay in the processor's cache,
and no more lines than take a moment where no fast form reads them. Pure; what is done with the records is `keeper`'s.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from adapter_logformat.pipeline import Stream
from adapter_logformat.replay import Part

PIECE_BYTES: Final = 128 * 1024
"""Converted in one go: the many small values of a larger piece would fall out of the processor's cache."""
PIECE_LINES: Final = 2048
"""Nor more lines than these: the shortest make a hundred times their size of records."""
STEP_MADE: Final = 4 << 20
"""A step ends when it has made so much, to be written before more is made."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a step made, and what of its bytes is left for the next one."""

    written: list[bytes]
    end: int
    rest: Part | None


def pieces(data: bytes) -> Iterator[bytes]:
    """`data` in pieces, cut behind lines where these are no longer than a piece: the fast forms read whole lines."""
    at = 0
    while at < len(data):
        end = piece_end(data, at)
        yield data[at:end]
        at = end


def piece_end(data: bytes, at: int) -> int:
    """Where the piece that begins at `at` ends."""
    end = min(at + PIECE_BYTES, len(data))
    lines = end - at - len(data[at:end].replace(b"\n", b""))  # four times as fast as `count`
    if lines > PIECE_LINES:
        end = at + (end - at) * PIECE_LINES // lines
    return end if end == len(data) else data.rfind(b"\n", at, end) + 1 or end


def take(stream: Stream, part: Part) -> Taken:
    """Takes a step; where many of its lines were read one by one, or it makes much, only so far. One that is taken
    again goes to its end, as what is left out of it is counted from its beginning."""
    if part.deed == "expire":
        return Taken([stream.expire(part.now_ns)], part.end, None)
    again = part.skip != 0 or part.partly
    written: list[bytes] = []
    at, made, slow_before = 0, 0, stream.slow_lines
    while at < len(part.data):
        end = piece_end(part.data, at)
        written.append(stream.feed(part.data[at:end], part.now_ns))
        at, made = end, made + len(written[-1])
        is_long = made >= STEP_MADE or stream.slow_lines - slow_before >= PIECE_LINES
        if is_long and not again and at < len(part.data):
            rest = Part(part.deed, part.data[at:], part.end, part.now_ns)
            return Taken(written, part.end - len(rest.data), rest)
    if part.deed == "last":
        written.append(stream.flush(part.now_ns))
    return Taken(written, part.end, None)
