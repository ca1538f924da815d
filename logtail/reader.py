"""The border to the files themselves: open, look, and read the next piece with one `preadv` into a kept buffer.

Where a piece is cut, `lines` decides; whether the file is still the one we knew, `identity` decides.
"""

import os
import stat
from dataclasses import dataclass

from logtail import lines
from logtail.identity import Identity, Sighting

# O_NONBLOCK: a FIFO put in place of the file between two looks must not block the thread.
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


class NotRegular(OSError):
    """What the name leads to is no regular file."""


def word(error: OSError) -> str:
    """A short stable word for why a file cannot be read."""
    return "permission_denied" if isinstance(error, PermissionError) else "unreadable"


def open_regular(path: str) -> int:
    """A descriptor of the regular file at `path`; OSError otherwise."""
    descriptor = os.open(path, _FLAGS)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotRegular(f"{path} is no regular file")
    return descriptor


@dataclass(frozen=True, slots=True)
class Condition:
    """What an open file is like now; `linked`: some name leads to it."""

    size: int
    mtime_ns: int
    linked: bool


def look(descriptor: int) -> Condition:
    status = os.fstat(descriptor)
    return Condition(status.st_size, status.st_mtime_ns, status.st_nlink > 0)


def close(descriptor: int) -> None:
    os.close(descriptor)


def at(descriptor: int, start: int, length: int) -> bytes:
    """`length` bytes from `start`, fewer where the file ends."""
    return os.pread(descriptor, length, start)


def before(descriptor: int, offset: int, length: int) -> bytes:
    """The `length` bytes just before `offset`, fewer at the beginning of the file."""
    start = max(0, offset - length)
    return os.pread(descriptor, offset - start, start)


def sight(descriptor: int, path: str, known: Identity) -> Sighting:
    """What `identity.recognise` needs to compare an open file with `known`."""
    status = os.fstat(descriptor)
    before = known.offset - known.frontier.length
    return Sighting(
        device=status.st_dev,
        inode=status.st_ino,
        path=path,
        head=os.pread(descriptor, known.head.length, 0),
        frontier=os.pread(descriptor, known.frontier.length, before),
    )


def holds(descriptor: int, offset: int, frontier: bytes) -> bool:
    """Does the file still have `offset` bytes, the last of them `frontier`?"""
    if frontier and os.pread(descriptor, len(frontier), offset - len(frontier)) != frontier:
        return False
    return os.fstat(descriptor).st_size >= offset


def line_start(descriptor: int, offset: int, reach: int) -> int:
    """The beginning of the line that byte `offset` is in, looked for at most `reach` bytes back."""
    start = max(0, offset - reach)
    newline = os.pread(descriptor, offset - start, start).rfind(b"\n")
    return start + newline + 1


@dataclass(frozen=True, slots=True)
class Reading:
    """`data` begins after `skipped` bytes of NUL padding; `broken` as in `lines.Piece`."""

    data: bytes
    skipped: int = 0
    broken: bool = False


class Reader:
    """Reads pieces of up to `chunk_bytes`; a longer line is read whole, up to `max_line` bytes."""

    def __init__(self, chunk_bytes: int, max_line: int) -> None:
        # Kept and reused: a fresh buffer of this size for each read would be mapped and unmapped each time.
        self._buffer = bytearray(chunk_bytes)
        self._max_line = max_line

    def read(
        self, descriptor: int, offset: int, want: int | None, *, midline: bool, padded: bool, finished: bool
    ) -> Reading | None:
        """The next piece from `offset`, None when there is no whole line yet. OSError from the file passes through.

        `padded`: NUL bytes at `offset` are a hole and are skipped, once something follows them.
        """
        buffer: bytearray = self._buffer
        want = min(want or len(buffer), len(buffer))
        with memoryview(buffer) as view:
            filled = os.preadv(descriptor, [view[:want]], offset)
        skipped = 0
        while padded and filled and (hole := lines.padding(buffer, filled)):
            if hole == filled and filled < want:
                filled = 0  # only padding so far: whoever made room may still fill it in
                break
            skipped += hole
            with memoryview(buffer) as view:
                filled = os.preadv(descriptor, [view[:want]], offset + skipped)
        piece = lines.take(buffer, filled, self._max_line, midline=midline, finished=finished and filled < want)
        if piece is None and filled == want:
            buffer, filled = self._read_long(descriptor, offset + skipped, want)
            piece = lines.take(buffer, filled, self._max_line, midline=midline, finished=finished)
        if piece is None:
            return Reading(b"", skipped) if skipped else None
        return Reading(bytes(memoryview(buffer)[: piece.length]), skipped, piece.broken)

    def _read_long(self, descriptor: int, offset: int, want: int) -> tuple[bytearray, int]:
        """A line longer than `want`: read on until its newline, or until it is too long."""
        most = self._max_line + 1
        while True:
            want = min(want * 2, most)
            buffer = bytearray(os.pread(descriptor, want, offset))
            if len(buffer) < want or want == most or b"\n" in buffer:
                return buffer, len(buffer)
