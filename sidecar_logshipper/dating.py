"""When were these bytes first read? The same answer after every restart, for lines that do not say their time. Pure.

About once a second the place in each file is marked with the time, and the marks are saved with the positions before
any byte behind them is sent. A byte's time is that of the last mark before it, plus a nanosecond for each byte between:
so the times of a file rise, and no two lines share one. Without a mark it is the time when the file was first seen.
"""

from bisect import bisect_right
from collections.abc import Collection, Mapping

from logtail.chunk import Chunk, Source

BEAT_NS = 1_000_000_000
MOST_MARKS = 1024
"""For each file. Beyond that (a long outage) no further mark is made until bytes are acknowledged."""

Marks = tuple[tuple[int, int], ...]
"""Offsets with times in nanoseconds since 1970, both rising."""


class Dating:
    """Written by one thread; `times` may be called from any."""

    def __init__(self, saved: object = None) -> None:
        self._marks: dict[str, Marks] = {}
        self.load(saved)
        self._reached: dict[str, int] = {}
        self._beat_at = 0

    def load(self, saved: object) -> None:
        """What `saved` gave an earlier life, read back from JSON."""
        if not isinstance(saved, Mapping):
            return
        for generation, marks in saved.items():
            self._marks[generation] = tuple((int(offset), int(time)) for offset, time in marks)

    def hand_out(self, chunk: Chunk, now_ns: int) -> bool:
        """A chunk is about to be sent. True when `saved` must be saved before."""
        source, generation = chunk.source, chunk.source.generation
        known = generation in self._reached
        self._reached[generation] = max(chunk.start, source.resumed_to)
        fresh = now_ns - source.since_ns < BEAT_NS
        # Bytes that were there when we started may have been sent by the life before: they keep the marks it made.
        if chunk.start < source.resumed_to or fresh or (known and now_ns - self._beat_at < BEAT_NS):
            self._reached[generation] = max(chunk.end, source.resumed_to)
            return False
        self._beat_at = now_ns
        for each, offset in self._reached.items():
            self._mark(each, offset, now_ns)
        self._reached[generation] = chunk.end
        return True

    def _mark(self, generation: str, offset: int, now_ns: int) -> None:
        marks = self._marks.get(generation, ())
        if marks and (offset < marks[-1][0] or now_ns <= marks[-1][1]):
            return  # the clock was set back
        if marks and marks[-1][0] == offset:
            marks = marks[:-1]
        if len(marks) < MOST_MARKS:
            self._marks[generation] = (*marks, (offset, now_ns))

    def done(self, chunk: Chunk) -> None:
        """Everything up to the chunk's end is acknowledged."""
        generation = chunk.source.generation
        if chunk.final:
            self._marks.pop(generation, None)
            self._reached.pop(generation, None)
            return
        marks = self._marks.get(generation, ())
        if len(marks) > 1 and marks[1][0] <= chunk.end:
            first = bisect_right(marks, chunk.end, key=_offset) - 1
            self._marks[generation] = marks[first:]

    def keep_only(self, generations: Collection[str]) -> None:
        """Forget all other lives of files: not every one ends with a chunk, and nobody will ask about them again."""
        for known in (self._marks, self._reached):
            for generation in known.keys() - generations:
                del known[generation]

    def saved(self) -> dict[str, Marks]:
        """What a later life must be given."""
        return dict(self._marks)

    def times(self, source: Source, offsets: list[int]) -> list[int]:
        """The times of the bytes at these offsets, which rise."""
        marks = self._marks.get(source.generation, ())
        first = bisect_right(marks, offsets[0], key=_offset)
        if first == bisect_right(marks, offsets[-1], key=_offset):
            since = _since(source, marks, first)
            return [since + offset for offset in offsets]
        return [_since(source, marks, bisect_right(marks, offset, key=_offset)) + offset for offset in offsets]


def _offset(mark: tuple[int, int]) -> int:
    return mark[0]


def _since(source: Source, marks: Marks, count: int) -> int:
    """What to add to an offset that has `count` marks before it."""
    if count == 0:
        return source.since_ns
    offset, time = marks[count - 1]
    return time - offset
