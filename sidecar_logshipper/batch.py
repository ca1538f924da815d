"""Collecting chunks until they are worth a request, and cutting a batch that was refused. Pure.

When to look again, and what is done with a batch, `delivery` decides.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from logtail.chunk import Chunk, Source
from sidecar_logshipper import ledger

# After a request there is a short pause before a small one follows, so that a writer who writes line by line is served
# within it, but with tens of requests a second and not thousands.
SPACING_S = 0.025


@dataclass(frozen=True, slots=True)
class Part:
    """Lines of one file, beginning at byte `start`; `partial` when they are a piece of one longer line."""

    source: Source
    start: int
    lines: bytes
    partial: bool

    @property
    def count(self) -> int:
        return ledger.count(self.lines)

    def halves(self) -> "tuple[Part, Part] | None":
        """Cut at the newline nearest before the middle, else the first after it; None for a single line."""
        middle = len(self.lines) // 2
        cut = self.lines.rfind(b"\n", 0, middle) + 1 or self.lines.find(b"\n", middle) + 1
        if self.partial or cut in (0, len(self.lines)):
            return None
        return (
            Part(self.source, self.start, self.lines[:cut], False),
            Part(self.source, self.start + cut, self.lines[cut:], False),
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """What goes into one request, in the order in which it must arrive."""

    parts: tuple[Part, ...]

    @classmethod
    def of(cls, chunks: Iterable[Chunk]) -> "Batch":
        return cls(tuple(Part(c.source, c.start, c.data, c.piece) for c in chunks if c.data))

    @property
    def size(self) -> int:
        return sum(len(part.lines) for part in self.parts)

    @property
    def count(self) -> int:
        return sum(part.count for part in self.parts)

    def halves(self) -> "tuple[Batch, Batch] | None":
        """Two batches of about half the size; None when there is only a single line left."""
        if len(self.parts) > 1:
            middle = len(self.parts) // 2
            return Batch(self.parts[:middle]), Batch(self.parts[middle:])
        halves = self.parts[0].halves()
        return None if halves is None else (Batch((halves[0],)), Batch((halves[1],)))


class Collector:
    """The chunks of one lane that wait for their request."""

    def __init__(self, max_bytes: int, max_age: float) -> None:
        self._max_bytes = max_bytes
        self._max_age = max_age
        self._waiting: deque[Chunk] = deque()
        self._bytes = 0
        self._first_at = 0.0
        self._sent_at = float("-inf")

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, chunk: Chunk, now: float) -> None:
        if not self._waiting:
            self._first_at = now
        self._waiting.append(chunk)
        self._bytes += len(chunk.data)

    def due_in(self, now: float) -> float | None:
        """Seconds until a batch should go; 0 when it is full or old enough, None when there is nothing to send."""
        if not self._waiting:
            return None
        # Chunks end at a newline, so a full one is a little shorter than allowed.
        if self._bytes >= self._max_bytes - self._max_bytes // 8:
            return 0.0
        due_at = min(self._first_at + self._max_age, max(self._first_at, self._sent_at + SPACING_S))
        return max(0.0, due_at - now)

    def take(self, now: float) -> list[Chunk]:
        """The chunks of the next request: at least one, and no more than `max_bytes` if there are several."""
        taken = [self._waiting.popleft()]
        size = len(taken[0].data)
        while self._waiting and size + len(self._waiting[0].data) <= self._max_bytes:
            taken.append(self._waiting.popleft())
            size += len(taken[-1].data)
        self._bytes -= size
        self._first_at = self._sent_at = now
        return taken
