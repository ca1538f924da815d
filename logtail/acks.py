"""Which bytes of one file are safe? Pure: the contiguous acknowledged prefix, with acknowledgements in any order.

Each piece handed out carries the frontier after it, so the offset committed and the bytes before it always agree.
"""

from dataclasses import dataclass


@dataclass(slots=True)
class Outstanding:
    end: int
    frontier: bytes
    at: float
    acked: bool = False


class Acks:
    """`committed` moves only over pieces that are acknowledged without a gap before them."""

    __slots__ = ("_outstanding", "committed", "frontier", "handed")

    def __init__(self, offset: int, frontier: bytes = b"") -> None:
        self.committed = offset
        self.handed = offset
        self.frontier = frontier
        # Insertion order is file order, because a file is handed out front to back.
        self._outstanding: dict[int, Outstanding] = {}

    def hand_out(self, start: int, end: int, frontier: bytes, at: float) -> None:
        """The bytes [start, end) leave; `frontier` are the bytes just before `end`, `at` the time in seconds."""
        if start != self.handed or end <= start:
            raise ValueError(f"handed out [{start}, {end}) after {self.handed}")
        self._outstanding[start] = Outstanding(end, frontier, at)
        self.handed = end

    def skip(self, to: int) -> None:
        """Bytes up to `to` are nobody's (padding); only before anything was handed out."""
        if self._outstanding:
            raise ValueError("skipped behind bytes in flight")
        self.committed = self.handed = to
        self.frontier = b""

    def ack(self, start: int, end: int) -> bool:
        """The bytes [start, end) are safe; True when `committed` moved. A second or unknown ack changes nothing."""
        piece = self._outstanding.get(start)
        if piece is None or piece.end != end:
            return False
        piece.acked = True
        moved = False
        while (first := self._outstanding.get(self.committed)) is not None and first.acked:
            del self._outstanding[self.committed]
            self.committed, self.frontier = first.end, first.frontier
            moved = True
        if moved and not self._outstanding:
            self._outstanding = {}  # an emptied dict keeps its table, and there may be thousands of idle files
        return moved

    @property
    def in_flight(self) -> int:
        """Bytes handed out and not yet committed."""
        return self.handed - self.committed

    @property
    def oldest_at(self) -> float | None:
        """When the oldest uncommitted piece was handed out."""
        first = self._outstanding.get(self.committed)
        return None if first is None else first.at
