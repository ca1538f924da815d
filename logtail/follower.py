"""The blocking half of a tail: looks at the directories, moves each file through its life, reads what is next.

One call does one step and never waits; all calls come from one thread (acknowledgements are passed in through a
queue). Its parts: `arrivals` meets files and `copies` knows copies, `lookout` looks what became of them, `turns` reads,
`endings` lets go, `trouble` deals with errors, `positions` keeps what is safe. Waiting and logging are `tail`'s.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from logtail import checkpoint
from logtail.arrivals import Arrivals
from logtail.chunk import Chunk, Source, TailStats
from logtail.copies import Copies
from logtail.discovery import Discovery
from logtail.endings import Endings
from logtail.life import Life
from logtail.lookout import Lookout
from logtail.lost_names import LostNames
from logtail.multiline import Multiline
from logtail.opened import Open
from logtail.positions import Positions
from logtail.roll import Happening, Roll
from logtail.trouble import Trouble
from logtail.turns import Turns

BUSY_LOOK_S = 0.25  # while there is much to read, the directories are looked at this often
BUSY_LOOK_SHARE = 10  # and with so many files that a look takes long, for at most a tenth of the time


@dataclass(slots=True)
class Step:
    """What came of one step: a chunk, or the end, or the wish to be called again later."""

    chunk: Chunk | None = None
    done: bool = False
    save_first: bool = False
    """New lives must be in the checkpoint before their first byte leaves, so that a crash repeats their generation."""
    look_s: float | None = None
    """How long a look took that was made."""
    unknown: bool = False
    """A file was written to that a look must find first."""
    soon: bool = False
    """A doubt is to be settled by another look."""
    calm: bool = False
    """Nothing is expected that time alone brings: all files have their names, and no record is held back."""
    happenings: list[Happening] = field(default_factory=list)


class Follower:
    def __init__(
        self,
        discovery: Discovery,
        *,
        start_at: Literal["beginning", "end"],
        max_line_bytes: int,
        chunk_bytes: int,
        multiline: Multiline | None,
        delete_after_ack: bool,
        open_file: Open,
        monotonic: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self._monotonic = monotonic
        self._roll = Roll()
        self._positions = Positions(self._roll, wall)
        self._trouble = Trouble(self._roll, open_file)
        self._copies = Copies(self._roll, open_file)
        self._arrivals = Arrivals(
            self._roll, self._copies, open_file, start_at=start_at, max_line_bytes=max_line_bytes, wall=wall
        )
        self._lost_names = LostNames(self._roll, self._arrivals, open_file)
        self._turns = Turns(self._roll, self._trouble, monotonic)
        self._turns.set_limits(max_line_bytes=max_line_bytes, chunk_bytes=chunk_bytes, multiline=multiline)
        self._endings = Endings(self._roll, self._turns, self._trouble, monotonic)
        self._lookout = Lookout(
            self._roll, self._arrivals, self._copies, self._turns, self._endings, self._trouble, monotonic
        )
        self._lookout.set_limits(discovery, delete_after_ack=delete_after_ack)

    # ---- called from the loop's thread; each is a single look, append or assignment

    @property
    def extra(self) -> Mapping[str, object]:
        return self._positions.extra

    @extra.setter
    def extra(self, extra: Mapping[str, object]) -> None:
        self._positions.extra = extra

    def ack(self, source: Source, start: int, end: int, extra: Mapping[str, object] | None) -> None:
        self._positions.ack(source, start, end, extra)

    def drain(self, quiet: float) -> None:
        self._endings.drain(quiet)
        self._lookout.at = float("-inf")

    def has_more(self, generation: str) -> bool:
        life = self._roll.by_generation.get(generation)
        return life is not None and life.queued

    def stats(self) -> TailStats:
        now = self._monotonic()
        lives = list(self._roll.by_generation.values())
        return TailStats(
            files=len(lives),
            lag_bytes=sum(life.unsafe_bytes for life in lives),
            oldest_unacked_s=max(
                (now - since for life in lives if (since := _behind_since(life)) is not None), default=0
            ),
            rotations=self._roll.counts["rotations"],
            truncations=self._roll.counts["truncations"],
            bytes_read=self._roll.counts["bytes_read"],
            long_lines=self._roll.counts["long_lines"],
            deleted=self._roll.counts["deleted"],
            empty_globs=self._lookout.empty_globs,
            errors=dict(self._roll.errors),
            in_trouble=self._roll.in_trouble(),
        )

    # ---- called from the worker's thread

    def begin(self, saved: checkpoint.Checkpoint | None) -> list[Happening]:
        """Take over what was saved, and look for the first time."""
        self._arrivals.first_start = saved is None
        if saved is not None:
            self._positions.take_over(saved)
        self._lookout.tell_empty(self._lookout.look())
        self._lost_names.find(self._lookout.at)
        self._arrivals.first_start = False
        return self._roll.told()

    def reload(
        self,
        *,
        include: Sequence[str],
        exclude: Sequence[str],
        max_line_bytes: int,
        chunk_bytes: int,
        multiline: Multiline | None,
        delete_after_ack: bool,
    ) -> list[Happening]:
        """Other globs and limits from now on."""
        self._turns.set_limits(max_line_bytes=max_line_bytes, chunk_bytes=chunk_bytes, multiline=multiline)
        self._arrivals.max_line = max_line_bytes
        self._lookout.set_limits(Discovery(include, exclude), delete_after_ack=delete_after_ack)
        self._lookout.leave_out()
        self._lookout.at = float("-inf")
        return self._roll.told()

    def step(self, max_bytes: int | None, written: set[str] | None = None) -> Step:
        """Read the next piece; look around first when it is time to, or when there is nothing left to read.

        `written`: the paths of the only files to look at then, which are taken out of it. None: at all.
        """
        self._positions.take_acks()
        step, chunk = Step(), None
        look_in_s = self._lookout.at + max(BUSY_LOOK_S, BUSY_LOOK_SHARE * self._lookout.took_s) - self._monotonic()
        if not self._arrivals.unsaved and look_in_s > 0:
            chunk = self._turns.next(max_bytes)
        if chunk is None and not self._arrivals.unsaved:
            if written is None:
                self._lookout.look()
                step.look_s = self._lookout.took_s
            else:
                step.unknown = not self._lookout.glance(written)
        step.save_first = self._arrivals.unsaved
        if chunk is None and not step.save_first:
            chunk = self._turns.next(max_bytes) or self._next_end()
        step.chunk = chunk
        if chunk is None and not step.save_first:
            step.done, step.soon, step.calm = self._is_done(), self._lookout.is_in_doubt, self._lookout.is_calm
        step.happenings = self._roll.told()
        return step

    def _next_end(self) -> Chunk | None:
        # What may be a copy is no file of its own yet, and may become one that has something to read.
        return None if self._copies.suspects else self._endings.next()

    def _is_done(self) -> bool:
        open_now = any(life.open for life in self._roll.lives.values())
        return self._endings.draining and not open_now and not self._copies.suspects

    def look(self) -> Step:
        """Look around without reading: for a caller that has no room now, while files come, rotate and go."""
        self._positions.take_acks()
        self._lookout.look()
        return Step(save_first=self._arrivals.unsaved, look_s=self._lookout.took_s, happenings=self._roll.told())

    def snapshot(self) -> bytearray | None:
        """The checkpoint as it must be written now; None when it would be the one before."""
        self._arrivals.unsaved = False
        return self._positions.snapshot()

    def written(self) -> None:
        """The last snapshot is on the disk."""
        self._positions.written()

    def changes(self) -> bytearray | None:
        """What was acknowledged since the last call or snapshot, empty when nothing; None when it takes a snapshot."""
        return self._positions.changes()

    def generations(self) -> set[str]:
        """Of all files followed or remembered now."""
        return self._positions.generations()

    def directories(self) -> list[str]:
        """Where a change would be of interest."""
        return self._lookout.directories()

    def close(self) -> None:
        for life in self._roll.lives.values():
            life.file.close()
        self._roll.lives.clear()
        self._copies.close()


def _behind_since(life: Life) -> float | None:
    if life.acks.oldest_at is not None:
        return life.acks.oldest_at
    return life.changed_at if life.unsafe_bytes > 0 else None
