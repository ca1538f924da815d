"""Collecting chunks until they are worth a request, and cutting a batch that was refused. Pure.

When to look again, and what is done with a batch, `delivery` decides.
"""

from collections import deque
from dataclasses import dataclass, replace

from logtail.chunk import Chunk
from sidecar_logshipper import ledger

# After a request there is a short pause before a small one follows, so that a writer who writes line by line is served
# within it, but with tens of requests a second and not thousands.
SPACING_S = 0.025


@dataclass(frozen=True, slots=True)
class Part:
    """Lines of one file, with their number, so that they are counted once."""

    chunk: Chunk
    count: int

    @classmethod
    def of(cls, chunk: Chunk) -> "Part":
        return cls(chunk, ledger.count(chunk.data))

    def halves(self) -> "tuple[Part, Part] | None":
        """Cut at the newline nearest before the middle, else at the first after it; None for a single line."""
        whole = self.chunk
        middle = len(whole.data) // 2
        cut = whole.data.rfind(b"\n", 0, middle) + 1 or whole.data.find(b"\n", middle) + 1
        if whole.piece or cut in (0, len(whole.data)):
            return None
        return (
            Part.of(replace(whole, data=whole.data[:cut])),
            Part.of(replace(whole, start=whole.start + cut, data=whole.data[cut:])),
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """What goes into one request, in the order in which it must arrive."""

    parts: tuple[Part, ...]

    @property
    def size(self) -> int:
        return sum(len(part.chunk.data) for part in self.parts)

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
    """The parts of one lane that wait for their request."""

    def __init__(self, max_bytes: int, max_age: float) -> None:
        self._max_bytes = max_bytes
        self._max_age = max_age
        self._waiting: deque[Part] = deque()
        self._bytes = 0
        self._first_at = 0.0
        self._sent_at = float("-inf")

    def set_limits(self, max_bytes: int, max_age: float) -> None:
        self._max_bytes = max_bytes
        self._max_age = max_age

    @property
    def waiting_bytes(self) -> int:
        return self._bytes

    def add(self, part: Part, now: float) -> None:
        if not self._waiting:
            self._first_at = now
        self._waiting.append(part)
        self._bytes += len(part.chunk.data)

    def due_in(self, now: float) -> float | None:
        """Seconds until a batch should go; 0 when it is full or old enough, None when there is nothing to send."""
        if not self._waiting:
            return None
        # Chunks end at a newline, so a full one is a little shorter than allowed.
        if self._bytes >= self._max_bytes - self._max_bytes // 8:
            return 0.0
        due_at = min(self._first_at + self._max_age, max(self._first_at, self._sent_at + SPACING_S))
        return max(0.0, due_at - now)

    def take(self, now: float) -> Batch:
        """What goes into the next request: at least one part, no more than `max_bytes` if there are several parts."""
        taken = [self._waiting.popleft()]
        size = len(taken[0].chunk.data)
        while self._waiting and size + len(self._waiting[0].chunk.data) <= self._max_bytes:
            taken.append(self._waiting.popleft())
            size += len(taken[-1].chunk.data)
        self._bytes -= size
        self._first_at = self._sent_at = now
        return Batch(tuple(taken))
