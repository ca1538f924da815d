"""How far each file is safe: takes the acknowledgements, and gives the checkpoint its content.

When it is written `saving` decides, what it looks like `checkpoint`.
"""

from collections import deque
from collections.abc import Callable, Mapping

from logtail import checkpoint
from logtail.chunk import Source
from logtail.memory import Memory
from logtail.roll import Roll


class Positions:
    def __init__(self, roll: Roll, wall: Callable[[], float]) -> None:
        self._roll = roll
        self._wall = wall
        self._acked: deque[tuple[str, int, int, Mapping[str, object] | None]] = deque()
        self._token = 0
        self._written: object = None
        self._to_write: object = None
        self.extra: Mapping[str, object] = {}
        self._extra_in_snapshot: Mapping[str, object] = self.extra

    def take_over(self, saved: checkpoint.Checkpoint) -> None:
        self._roll.memory = Memory(saved.files)
        self.extra = self._extra_in_snapshot = saved.extra
        self._token = saved.token

    def ack(self, source: Source, start: int, end: int, extra: Mapping[str, object] | None) -> None:
        """From any thread: it counts when it is taken."""
        self._acked.append((source.generation, start, end, extra))

    def take_acks(self) -> None:
        while self._acked:
            generation, start, end, extra = self._acked.popleft()
            if extra is not None:
                self.extra = extra
            life = self._roll.by_generation.get(generation)
            if life is None:
                continue
            if life.acks.ack(start, end):
                self._roll.touched.add(life)
            if life.gone and life.acks.in_flight == 0:
                del self._roll.by_generation[generation]

    def snapshot(self) -> bytearray | None:
        """The checkpoint as it must be written now; None when it would be the one before."""
        self.take_acks()
        self._roll.remember_touched()
        extra = self.extra  # once: another thread may replace it
        self._extra_in_snapshot = extra
        content = (tuple(self._roll.memory), dict(extra))
        if content == self._written:
            return None
        self._written, self._to_write = None, content
        self._token = max(self._token + 1, int(self._wall() * 1_000_000))
        files = list(content[0])
        return checkpoint.encode(checkpoint.Checkpoint(token=self._token, files=files, extra=content[1]))

    def written(self) -> None:
        """The last snapshot is on the disk; until this is said, the next one is to be written whatever it holds."""
        self._written = self._to_write

    def changes(self) -> bytearray | None:
        """What was acknowledged since the last call or snapshot. None when that takes a snapshot: `extra` is new."""
        self.take_acks()
        if self.extra is not self._extra_in_snapshot:
            return None
        changed = self._roll.remember_touched()
        return checkpoint.encode(checkpoint.Changes(on=self._token, files=changed)) if changed else bytearray()

    def generations(self) -> set[str]:
        return {*self._roll.by_generation, *(each.generation for each in self._roll.memory.closed(()))}
