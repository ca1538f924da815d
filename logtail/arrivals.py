"""Meeting files: is this one new, one that is remembered, or the copy of one that was truncated? And truncation itself.

The verdicts are `identity`'s, the bytes come from `reader`; here they become lives on the roll. Called by `follower`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from logtail import reader
from logtail.acks import Acks
from logtail.checkpoint import Entry
from logtail.chunk import Chunk, Source
from logtail.compressions import Compressions
from logtail.copies import Copies
from logtail.decoded import Undecodable, is_mistaken, is_undecided
from logtail.discovery import Find, siblings, target
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
            if not self._goes_on_in_copy(each, now):
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
            self._not_followed(find.path, error)
            return
        try:
            followed = follow(file, find)
        except OSError as error:
            self._not_followed(find.path, error)
            if isinstance(error, Undecodable):
                self._left_alone[find.key] = find  # until it changes: trying again means to decode all of it
            followed = False
        if not followed:
            file.close()

    def _not_followed(self, path: str, error: OSError) -> None:
        why = who_may_not_read(path) if isinstance(error, PermissionError) else None
        self._roll.problem(path, reader.word(error), why)

    def decide(self, life: Life, find: Find, now: float) -> bool:
        """An empty file has grown, so it shows now what it is. False when it is to be met anew, as another kind of
        file, or as what may become a copy."""
        try:
            file = self._open(find.path)
        except OSError:
            return True  # deleted in this moment: the descriptor is all there is
        mistaken = is_mistaken(file)
        life.undecided = not mistaken and is_undecided(file)
        plain = isinstance(file, Plain) and not mistaken
        as_it_is = life.undecided or (plain and not self._copies.may_be(file, find, now))
        file.close()
        if not as_it_is:
            self._roll.forget(life)
            life.file.close()
        return as_it_is

    def _go_on(self, known: Entry, gone: list[Gone], now: float, file: Opened, find: Find) -> bool:
        """With a file whose device and inode are remembered, unless it has other content now: then that is `gone`."""
        verdict = recognise(known.identity, reader.sight(file, find.path, known.identity))
        if verdict is not Verdict.SAME:
            self._roll.memory.forget(known)
            gone.append(Gone(known, verdict, find.size))
            return False
        self._resume(file, known, find, now)
        return True

    def _follow(self, now: float, file: Opened, find: Find) -> bool:
        """A file that is not remembered. False when it must not be followed, or not yet."""
        if file.compressed:
            if self._compressions.is_of_open_file(file, find):
                return False
            if (original := self._compressions.remembered_original(file, find.path)) is not None:
                self._resume(file, original, find, now)
                return True
        elif self._copies.may_be(file, find, now):
            return False
        self._roll.no_problem(find.path)
        self._begin_new(file, find, now)
        return True

    def _begin_new(self, file: Opened, find: Find, now: float) -> None:
        offset, frontier = 0, b""
        if self.first_start and self._at_end:
            offset = reader.line_start(file, reader.length(file), self.max_line)
            frontier = reader.before(file, offset, FRONTIER_BYTES)
        life = Life(
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
        self.unsaved = True
        self._roll.add(life)
        self._roll.tell("info", "file_found", path=find.path, generation=life.source.generation, offset=offset)

    def _resume(self, file: Opened, known: Entry, find: Find, now: float) -> None:
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
        self._roll.no_problem(find.path)
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
        self._roll.dequeue(life)
        self._roll.counts["truncations"] += 1
        find = Find(life.path, *life.key, life.raw_size, life.mtime_ns)
        copy = self._copies.find(life.identity(), find.path)
        state = life.state
        file = life.file if isinstance(life.file, Plain) else self._open(find.path)
        del self._roll.lives[life.key]
        self._roll.begun.discard(life)
        self._roll.tell(
            "info", "file_truncated", path=life.path, offset=life.offset, size=life.size, copy=copy and copy[1].path
        )
        if copy is None:
            life.gone = True
            life.learn(Fact.ENDED)
            self._roll.ended.append(Chunk(life.source, life.offset, b"", final=True))
            if life.acks.in_flight == 0:
                self._roll.by_generation.pop(life.source.generation, None)
        else:
            self._move_to(life, *copy, now)
        self._begin_new(file, find, now)
        self._roll.lives[find.key].state = state
        if copy is not None:
            self._roll.lives[find.key].after = life

    def _move_to(self, life: Life, file: Opened, copy: Find, now: float) -> None:
        life.file, life.key, life.path = file, copy.key, copy.path
        life.size, life.raw_size, life.mtime_ns, life.changed_at = file.extent(copy.size), copy.size, copy.mtime_ns, now
        life.state = State.ROTATED
        self._roll.lives[copy.key] = life
        self._roll.begun.add(life)
        self._roll.touched.add(life)
        self._copies.suspects.pop(copy.key, None)
        self._roll.enqueue(life)

    def _goes_on_in_copy(self, gone: Gone, now: float) -> bool:
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
                self._resume(copy[0], known, copy[1], now)
            except OSError as error:
                copy[0].close()
                self._not_followed(copy[1].path, error)
                return False
        return copy is not None

    def find_lost_names(self, now: float) -> None:
        """Remembered files that no glob finds now: renamed while nobody looked? The inode tells, in the directory."""
        beside: dict[str, dict[int, Find]] = {}
        for known in self._roll.memory:
            if known.finished:
                continue
            find = _beside(known.path, known.inode, beside) or _beside(known.target, known.inode, beside)
            if find is not None and find.path == known.source_path:
                self._roll.memory.give_up(known)  # not renamed: the settings leave it out now
                continue
            try:
                found = find is not None and find.key not in self._roll.lives and self._resume_unnamed(known, find, now)
            except OSError as error:
                self._not_followed(known.path, error)
                continue  # it is there, and cannot be opened now: still remembered
            if not found and not self._goes_on_in_copy(Gone(known, Verdict.NEW, 0), now):
                self._roll.tell("warning", "file_gone", path=known.path, offset=known.offset)
                self._roll.memory.give_up(known)

    def _resume_unnamed(self, known: Entry, find: Find, now: float) -> bool:
        """Go on with a file that has no matching name; False when the inode belongs to another file now."""
        file = self._open(find.path)
        # Of a file from which nothing was handed out yet there is no content to know it by: the name must do.
        named_after_it = known.offset == 0 and (find.path.startswith(known.path) or find.path == known.target)
        same = recognise(known.identity, reader.sight(file, find.path, known.identity)) is Verdict.SAME
        if not (same or named_after_it):
            file.close()
            return False
        self._resume(file, known, find, now)
        life = self._roll.lives[find.key]
        life.learn(Fact.RENAMED)
        successor = next((e for e in self._roll.lives.values() if e.path == known.source_path and e is not life), None)
        if successor is not None:
            successor.after = life
        if find.path != known.path:
            self._roll.counts["rotations"] += 1
            self._roll.tell("info", "file_rotated", path=known.path, now=find.path, offset=known.offset)
        return True


def _beside(path: str, inode: int, seen: dict[str, dict[int, Find]]) -> Find | None:
    """The file with this inode in the directory of `path`; `seen` keeps what was looked at."""
    directory = path.rpartition("/")[0]
    if directory not in seen:
        seen[directory] = {find.inode: find for find in siblings(path)} if path else {}
    return seen[directory].get(inode)
