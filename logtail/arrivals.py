"""Meeting files: is this one new, one that is remembered, or the copy of one that was truncated? And truncation itself.

The verdicts are `identity`'s, the bytes come from `reader`; here they become lives on the roll. Called by `follower`.
"""

import errno
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from logtail import reader
from logtail.acks import Acks
from logtail.checkpoint import Entry
from logtail.chunk import Chunk, Source
from logtail.compressions import Compressions
from logtail.copies import Copies
from logtail.decoded import Undecodable, as_it_shows, is_mistaken, is_undecided
from logtail.discovery import Find, target
from logtail.follow import Fact, State
from logtail.identity import FRONTIER_BYTES, HEAD_BYTES, Mark, Verdict, recognise
from logtail.life import Key, Life
from logtail.locked_out import who_may_not_read
from logtail.opened import Open, Opened, Plain
from logtail.roll import Roll


@dataclass(frozen=True, slots=True)
class Gone:
    """What was remembered is not in its file any more, which has `size` bytes of other content."""

    known: Entry
    verdict: Verdict
    size: int


class Arrivals:
    def __init__(
        self,
        roll: Roll,
        copies: Copies,
        open_file: Open,
        *,
        start_at: Literal["beginning", "end"],
        max_line_bytes: int,
        wall: Callable[[], float],
    ) -> None:
        self._roll = roll
        self._copies = copies
        self._open = open_file
        self._compressions = Compressions(roll)
        self._at_end = start_at == "end"
        self.max_line = max_line_bytes
        self._wall = wall
        self._last_generation = 0
        self._left_alone: dict[Key, Find] = {}
        self.first_start = False
        """`start_at` holds for the files of the very first look only."""
        self.unsaved = False
        """There are lives whose generation no checkpoint knows yet."""

    def meet(self, finds: Sequence[Find], now: float) -> None:
        """Matching files that are not followed: begin, go on, hold back or leave them alone.

        Those remembered come first, with what became of their content: it may go on in a copy that would else be taken
        for new.
        """
        gone: list[Gone] = []
        for find in finds:
            if (known := self._roll.memory.of(find.key, find.path)) is not None:
                self._open_for(find, partial(self._go_on, known, gone, now))
        for each in gone:
            if not self.goes_on_in_copy(each, now):
                self._roll.memory.displace(each.known)
        for find in finds:
            if find.key not in self._roll.lives and self._roll.memory.of(find.key, find.path) is None:
                self._open_for(find, partial(self._follow, now))
        closed = self._roll.memory.closed(self._roll.lives) if gone else []
        for each in gone:
            if each.verdict is not Verdict.TRUNCATED and not each.known.finished and each.known in closed:
                self._roll.tell("warning", "file_gone", path=each.known.path, offset=each.known.offset)

    def _open_for(self, find: Find, follow: Callable[[Opened, Find], bool]) -> None:
        if self._left_alone.get(find.key) == find or self._compressions.left_to_original(find):
            return
        self._left_alone.pop(find.key, None)
        try:
            file = self._open(find.path)
        except OSError as error:
            self.not_followed(find.path, error)
            return
        try:
            followed = follow(file, find)
        except OSError as error:
            self.not_followed(find.path, error)
            if isinstance(error, Undecodable):
                self._left_alone[find.key] = find  # until it changes: trying again means to decode all of it
            followed = False
        if not followed:
            file.close()

    def not_followed(self, path: str, error: OSError) -> None:
        why = who_may_not_read(path) if isinstance(error, PermissionError) else None
        self._roll.problem(path, reader.word(error), why)

    def decide(self, life: Life, find: Find, now: float) -> bool:
        """An empty file has grown, and shows what it is. False when it is to be met anew, or is held back now."""
        try:
            file = self._open(find.path)
        except OSError:
            return True  # deleted in this moment: the descriptor is all there is
        try:
            mistaken = is_mistaken(file)
            life.undecided = not mistaken and is_undecided(file)
            plain = isinstance(file, Plain) and not mistaken
            if life.undecided or (plain and not self._copies.may_be(life.file, find, now)):
                return True
        finally:
            file.close()
        self._roll.forget(life)
        if not plain:
            life.file.close()
        return False

    def decide_nameless(self, life: Life, seen: Find, now: float) -> bool:
        """The same of one that has lost its name meanwhile: the descriptor is all there is."""
        if not is_mistaken(life.file):
            return True
        file = as_it_shows(life.file)
        try:
            followed = self._follow(now, file, seen)  # where it cannot be read now, all is as it was
        except Undecodable as error:
            self._roll.problem(life, reader.word(error))
            followed = False
        new = self._roll.lives[life.key]
        if new is life:
            self._roll.forget(life)
        else:
            new.state, new.after = life.state, life.after
        if not followed:
            file.close()
        return False

    def judge_suspects(self, finds: Mapping[Key, Find], now: float) -> None:
        """Those held back: each becomes a file of its own in time, whether or not it still has its name."""
        for suspect in list(self._copies.suspects.values()):
            if (life := self._roll.lives.get(suspect.key)) is not None:
                self._copies.drop(suspect.key, used=life.file)
                continue
            find = finds.get(suspect.key)
            try:
                seen = find or suspect.look()
                if not self._copies.may_be(suspect.file, seen, now):
                    self._begin(self._new(suspect.file, seen, now))
            except OSError as error:
                self._copies.drop(suspect.key)
                suspect.file.close()
                self.not_followed(suspect.path, error)  # with a name it is met again at the next look
                if find is None:
                    self._roll.tell("warning", "file_gone", path=suspect.path, offset=0)

    def _go_on(self, known: Entry, gone: list[Gone], now: float, file: Opened, find: Find) -> bool:
        """With a file whose device and inode are remembered; unless it has other content now: then that is `gone`."""
        verdict = recognise(known.identity, reader.sight(file, find.path, known.identity))
        if verdict is not Verdict.SAME:
            self._roll.memory.forget(known)
            gone.append(Gone(known, verdict, find.size))
            return False
        self.resume(file, known, find, now)
        return True

    def _follow(self, now: float, file: Opened, find: Find) -> bool:
        """A file that is not remembered. False when it must not be followed; not yet, when it is held back."""
        if file.compressed:
            if self._compressions.is_of_open_file(file, find):
                return False
            if (original := self._compressions.remembered_original(file, find.path)) is not None:
                self.resume(file, original, find, now)
                return True
        elif self._copies.may_be(file, find, now):
            return True
        self._begin(self._new(file, find, now))
        return True

    def _new(self, file: Opened, find: Find, now: float) -> Life:
        offset, frontier = 0, b""
        if self.first_start and self._at_end:
            offset = reader.line_start(file, reader.length(file), self.max_line)
            frontier = reader.before(file, offset, FRONTIER_BYTES)
        return Life(
            source=Source(find.path, self._generation(find.key)),
            file=file,
            key=find.key,
            path=find.path,
            acks=Acks(offset, frontier),
            frontier=frontier,
            head=Mark.of(file.pread(min(offset, HEAD_BYTES), 0)),
            midline=False,
            changed_at=now,
            size=file.extent(find.size),
            raw_size=find.size,
            mtime_ns=find.mtime_ns,
            target=target(find.path),
            undecided=offset == 0 and is_undecided(file),
        )

    def _begin(self, life: Life) -> None:
        self.unsaved = True
        self._roll.add(life)
        self._roll.tell("info", "file_found", path=life.path, generation=life.source.generation, offset=life.offset)

    def resume(self, file: Opened, known: Entry, find: Find, now: float) -> None:
        frontier = reader.before(file, known.offset, known.frontier_length)
        life = Life(
            source=Source(known.source_path, known.generation, resumed_to=file.extent(find.size)),
            file=file,
            key=find.key,
            path=find.path,
            acks=Acks(known.offset, frontier),
            frontier=frontier,
            head=known.identity.head,
            midline=bool(frontier) and not frontier.endswith(b"\n"),
            changed_at=now,
            size=file.extent(find.size),
            raw_size=find.size,
            mtime_ns=find.mtime_ns,
            target=target(find.path),
        )
        self._roll.memory.forget(known)
        self._roll.add(life)
        self._roll.tell(
            "info", "file_found", path=find.path, generation=known.generation, offset=known.offset, resumed=True
        )

    def _generation(self, key: Key) -> str:
        # The time makes it unique where an inode is used again; it is saved before the first byte leaves.
        self._last_generation = max(self._last_generation + 1, int(self._wall() * 1_000_000))
        return f"{key[1]:x}-{self._last_generation:x}"

    # ---- truncation, and the copy it may have left

    def truncated(self, life: Life, now: float) -> None:
        """The content of `life` is gone from its file; it goes on in a copy beside it, if there is one."""
        find = Find(life.path, *life.key, life.raw_size, life.mtime_ns)
        new = self._anew(life, find, now)  # first, since it may fail: then all is as it was, and is tried again
        copy = self._copies.find(life.identity(), find.path)
        state = life.state
        self._roll.dequeue(life)
        self._roll.counts["truncations"] += 1
        self._roll.tell(
            "info", "file_truncated", path=life.path, offset=life.offset, size=life.size, copy=copy and copy[1].path
        )
        del self._roll.lives[life.key]
        self._roll.begun.discard(life)
        if new is None or new.file is not life.file:
            life.file.close()
        if copy is None:
            life.gone = True
            life.learn(Fact.ENDED)
            self._roll.ended.append(Chunk(life.source, life.offset, b"", final=True))
            if life.acks.in_flight == 0:
                self._roll.by_generation.pop(life.source.generation, None)
        else:
            self._move_to(life, *copy, now)
        if new is not None:
            self._begin(new)
            new.state, new.after = state, life if copy is not None else None
        else:
            if copy is None:
                self._roll.remember(life, finished=True)
            self._roll.tell("warning", "file_gone", path=find.path, offset=0)

    def _anew(self, life: Life, find: Find, now: float) -> Life | None:
        """Its file from the beginning, as what it is now. None when that takes another opening, and it has no name."""
        if isinstance(life.file, Plain):
            return self._new(life.file, find, now)
        if life.state is State.UNLINKED:
            return None
        file = self._open(find.path)
        try:
            condition = file.look()
            if (condition.device, condition.inode) != life.key:
                raise OSError(errno.ESTALE, "another file has its name now")
            return self._new(file, find, now)
        except OSError:
            file.close()
            raise

    def _move_to(self, life: Life, file: Opened, copy: Find, now: float) -> None:
        life.file, life.key, life.path = file, copy.key, copy.path
        life.size, life.raw_size, life.mtime_ns, life.changed_at = file.extent(copy.size), copy.size, copy.mtime_ns, now
        life.state = State.ROTATED
        self._roll.lives[copy.key] = life
        self._roll.begun.add(life)
        self._roll.touched.add(life)
        self._copies.drop(copy.key, used=file)
        self._roll.enqueue(life)

    def goes_on_in_copy(self, gone: Gone, now: float) -> bool:
        """What was remembered is not in its file any more: that was truncated, and maybe renamed since, or its inode is
        another file's now. A copy shows where its name was."""
        known = gone.known
        copy = self._copies.find(known.identity, known.path)
        if copy is None and gone.verdict is not Verdict.TRUNCATED:
            return False
        self._roll.counts["truncations"] += 1
        self._roll.tell(
            "info", "file_truncated", path=known.path, offset=known.offset, size=gone.size, copy=copy and copy[1].path
        )
        if copy is not None:
            try:
                self.resume(copy[0], known, copy[1], now)
            except OSError as error:
                copy[0].close()
                self.not_followed(copy[1].path, error)
                return False
        return copy is not None
