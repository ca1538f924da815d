"""How the life of a file ends: its last piece goes out as final, and it is let go when all of it is acknowledged.

That it may end is decided in `follow`, for a drain here: once everything is read and was quiet for a while.
"""

from collections.abc import Callable
from dataclasses import replace

from logtail.chunk import Chunk
from logtail.decoded import Undecodable
from logtail.follow import Fact, State
from logtail.life import Life
from logtail.names import look_without_name
from logtail.opened import remove
from logtail.roll import Roll
from logtail.trouble import Trouble
from logtail.turns import Turns

UNSETTLED_S = 2.0  # a file that cannot be read for so long at the end of a drain is left where it was read to


class Endings:
    def __init__(self, roll: Roll, turns: Turns, trouble: Trouble, monotonic: Callable[[], float]) -> None:
        self._roll = roll
        self._turns = turns
        self._trouble = trouble
        self._monotonic = monotonic
        self._quiet: float | None = None
        self._draining_since = 0.0
        self._unsettled: dict[Life, float] = {}
        """Since when, of those that are all that a drain waits for."""

    @property
    def draining(self) -> bool:
        return self._quiet is not None

    def drain(self, quiet: float) -> None:
        # Counted from here: an app that was idle before may still write its last words.
        self._draining_since = self._monotonic()
        self._quiet = quiet

    def next(self) -> Chunk | None:
        """While draining, and once all files are quiet: the final chunk of the next one."""
        if self._quiet is None:
            return None
        now = self._monotonic()
        lives = [life for life in self._roll.lives.values() if life.open]
        is_early = now - self._draining_since < self._quiet
        if any(is_early or life.queued or now - life.changed_at < self._quiet for life in lives):
            return None
        for life in lives:
            if life.settled:
                self._unsettled.pop(life, None)
                self.end(life)
            elif now - self._unsettled.setdefault(life, now) >= UNSETTLED_S:
                self._conclude(life, None)
            if self._roll.ended:
                return self._roll.ended.popleft()
        return None

    def end(self, life: Life) -> None:
        """Nothing will follow: hand out what is left, an unterminated line at most, as the final chunk."""
        try:
            chunk = self._turns.read(life, None, finished=True)
        except OSError as error:
            self._trouble.met(life, error)
            if not isinstance(error, Undecodable):
                return
            chunk = None  # no later try can read more of it
        if not life.open or life.gone or self._roll.lives.get(life.key) is not life or not life.settled:
            return  # it turned out to be truncated, or to be doubted
        if chunk is not None and chunk.data.endswith(b"\n"):
            self._roll.enqueue(life)  # it grew in the meantime: no end yet
            self._roll.ended.append(chunk)
            return
        self._conclude(life, chunk)

    def leave_out(self, life: Life) -> None:
        """It is not to be followed any more; where it was read to is remembered, in case it is again."""
        self._roll.dequeue(life)
        life.left_out = True
        self._conclude(life, None)

    def _conclude(self, life: Life, last: Chunk | None) -> None:
        self._unsettled.pop(life, None)
        life.learn(Fact.ENDED)
        self._roll.ended.append(
            replace(last, final=True) if last is not None else Chunk(life.source, life.offset, b"", final=True)
        )
        self.close_when_safe(life)

    def close_when_safe(self, life: Life) -> None:
        """Let it go if nothing of it is in flight any more."""
        if life.acks.in_flight > 0 or life.state is not State.FINISHING:
            return
        # While draining the file is not let go: it may grow again, and the next start goes on with it.
        if self._quiet is not None or life.gone:
            life.learn(Fact.ACKED)
        elif life.left_out or not self._follow_on(life):
            deleted = self._delete(life) if life.to_delete else False
            if deleted and self._follow_on(life):
                return  # written in the last moment; the descriptor still leads to it
            life.learn(Fact.ACKED)
            self._roll.remember(life, finished=True)
            if not life.left_out:
                self._roll.tell("info", "file_finished", path=life.path, offset=life.offset)
            self._let_go(life)

    def _follow_on(self, life: Life) -> bool:
        """Was it written to since it was taken for ended? Then it is followed as before."""
        try:
            condition = look_without_name(self._roll, life)
        except OSError:
            return False  # nothing more can be read of it
        if (condition.size, condition.mtime_ns) == (life.raw_size, life.mtime_ns):
            return False
        life.learn(Fact.CHANGED)
        life.raw_size, life.changed_at, life.to_delete = -1, self._monotonic(), False
        return True

    def _delete(self, life: Life) -> bool:
        life.file.kept = True  # so that what is written until then can still be read
        deleted = remove(life.path, life.key)
        self._roll.counts["deleted"] += deleted
        self._roll.tell("info" if deleted else "warning", "file_deleted", path=life.path, deleted=deleted)
        return deleted

    def _let_go(self, life: Life) -> None:
        self._roll.remove(life)
        life.file.close()
