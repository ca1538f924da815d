"""The blocking half of a tail: looks at the directories, moves each file through its life, reads what is next.

One call does one step and never waits; all calls come from one thread (acknowledgements are passed in through a
queue). Meeting files is the matter of `arrivals`; waiting, saving and logging of `tail`.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from logtail import checkpoint, reader
from logtail.arrivals import Arrivals
from logtail.chunk import Chunk, Source, TailStats
from logtail.decoded import Undecodable, is_mistaken
from logtail.discovery import Discovery, Find, Scan, siblings
from logtail.follow import Fact, State, may_delete, over
from logtail.identity import HEAD_BYTES, Mark, Verdict, extend, recognise
from logtail.life import Key, Life
from logtail.memory import Memory
from logtail.multiline import Multiline
from logtail.opened import Condition, Open, remove
from logtail.roll import Happening, Roll

CONTINUED_WITHIN_S = 1.0  # a record of several lines is written within this time
BUSY_LOOK_S = 0.25  # while there is much to read, the directories are looked at this often
LOOK_SHARE = 10  # and with so many files that a look takes long, for at most a tenth of the time


@dataclass(slots=True)
class Step:
    """What came of one step: a chunk, or the end, or the wish to be called again later."""

    chunk: Chunk | None = None
    done: bool = False
    save_first: bool = False
    """New lives must be in the checkpoint before their first byte leaves, so that a crash repeats their generation."""
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
        self._open = open_file
        self._discovery = discovery
        self._max_line = max_line_bytes
        self._multiline = multiline
        self._delete_after_ack = delete_after_ack
        self._reader = reader.Reader(chunk_bytes, max_line_bytes, multiline)
        self._monotonic = monotonic
        self._roll = Roll()
        self._arrivals = Arrivals(self._roll, open_file, start_at=start_at, max_line_bytes=max_line_bytes, wall=wall)
        self._acked: deque[tuple[str, int, int, Mapping[str, object] | None]] = deque()
        self._looked_at = float("-inf")
        self._quiet: float | None = None
        self._draining_since = 0.0
        self.extra: Mapping[str, object] = {}
        self._wall = wall
        self._token = 0
        self._empty_globs = 0
        self._look_s = 0.0
        self._written: object = None
        self._to_write: object = None
        self._changed: dict[Key, checkpoint.Entry] = {}

    # ---- called from the loop's thread; each is a single append or assignment

    def ack(self, source: Source, start: int, end: int, extra: Mapping[str, object] | None) -> None:
        self._acked.append((source.generation, start, end, extra))

    def drain(self, quiet: float) -> None:
        # Counted from here: an app that was idle before may still write its last words.
        self._draining_since = self._monotonic()
        self._quiet = quiet
        self._looked_at = float("-inf")

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
            empty_globs=self._empty_globs,
            errors=dict(self._roll.errors),
        )

    # ---- called from the worker's thread

    def begin(self, saved: checkpoint.Checkpoint | None) -> list[Happening]:
        """Take over what was saved, and look for the first time."""
        self._arrivals.first_start = saved is None
        if saved is not None:
            self._roll.memory = Memory(saved.files)
            self.extra = saved.extra
            self._token = saved.token
        for pattern in self._look().empty:
            self._roll.tell("warning", "glob_matches_nothing", pattern=pattern)
        self._arrivals.find_lost_names(self._looked_at)
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
        self._discovery = Discovery(include, exclude)
        self._multiline = multiline
        self._delete_after_ack = delete_after_ack
        self._reader = reader.Reader(chunk_bytes, max_line_bytes, multiline)
        self._max_line = self._arrivals.max_line = max_line_bytes
        scan = self._discovery.scan()
        for pattern in scan.empty:
            self._roll.tell("warning", "glob_matches_nothing", pattern=pattern)
        for life in list(self._roll.lives.values()):
            if life.state is State.FOLLOWING and life.key not in scan.finds and self._has_name(life):
                self._roll.tell("info", "file_left_out", path=life.path, offset=life.offset)
                self._roll.remember(life, finished=True)
                self._drop(life)
        self._looked_at = float("-inf")
        return self._roll.told()

    def _has_name(self, life: Life) -> bool:
        return any(each.key == life.key and each.path == life.path for each in siblings(life.path))

    def step(self, max_bytes: int | None) -> Step:
        """Read the next piece; look around first when it is time to, or when there is nothing left to read."""
        self._take_acks()
        chunk = None
        look_in_s = self._looked_at + max(BUSY_LOOK_S, LOOK_SHARE * self._look_s) - self._monotonic()
        if not self._arrivals.unsaved and look_in_s > 0:
            chunk = self._next_chunk(max_bytes)
        if chunk is None and not self._arrivals.unsaved:
            self._look()
        if self._arrivals.unsaved:
            return Step(save_first=True, happenings=self._roll.told())
        if chunk is None:
            chunk = self._next_chunk(max_bytes) or self._next_end()
        done = chunk is None and self._quiet is not None and not any(life.open for life in self._roll.lives.values())
        if chunk is not None:
            return Step(chunk, happenings=self._roll.told())
        return Step(
            done=done and not self._arrivals.suspects,
            soon=any(life.doubted for life in self._roll.lives.values()),
            calm=not self._arrivals.suspects and all(map(self._is_calm, self._roll.lives.values())),
            happenings=self._roll.told(),
        )

    def _is_calm(self, life: Life) -> bool:
        to_be_deleted = self._delete_after_ack and life.path != life.source.path
        return life.state is State.FOLLOWING and not (life.held or life.raw_size < 0 or to_be_deleted)

    def look(self) -> Step:
        """Look around without reading: for a caller that has no room now, while files come, rotate and go."""
        self._take_acks()
        self._look()
        return Step(save_first=self._arrivals.unsaved, happenings=self._roll.told())

    def snapshot(self) -> bytes | None:
        """The checkpoint as it must be written now; None when it would be the one before."""
        self._take_acks()
        self._arrivals.unsaved = False
        self._roll.remember_touched()
        content = (tuple(self._roll.memory), dict(self.extra))
        if content == self._written:
            return None
        self._written, self._to_write = None, content
        self._changed.clear()
        self._token = max(self._token + 1, int(self._wall() * 1_000_000))
        files = list(content[0])
        return checkpoint.encode(checkpoint.Checkpoint(token=self._token, files=files, extra=content[1]))

    def written(self) -> None:
        """The last snapshot is on the disk; until this is said, the next one is to be written whatever it holds."""
        self._written = self._to_write

    def changes(self) -> bytes:
        """What was acknowledged since the last snapshot."""
        self._take_acks()
        self._changed |= {(each.device, each.inode): each for each in self._roll.remember_touched()}
        return checkpoint.encode(checkpoint.Changes(on=self._token, files=list(self._changed.values())))

    def generations(self) -> set[str]:
        return {*self._roll.by_generation, *(each.generation for each in self._roll.memory.closed(()))}

    def close(self) -> None:
        for life in self._roll.lives.values():
            life.file.close()
        self._roll.lives.clear()

    def directories(self) -> list[str]:
        """Where a change would be of interest: all directories of the globs, and those that links lead into."""
        linked = {life.target.rpartition("/")[0] for life in self._roll.lives.values() if life.target}
        return [*self._discovery.directories(), *sorted(linked)]

    # ---- looking

    def _look(self) -> Scan:
        now = self._looked_at = self._monotonic()
        scan = self._discovery.scan()
        self._empty_globs = len(scan.empty)
        for path, word in scan.problems.items():
            self._roll.problem(path, word)
        for life in list(self._roll.lives.values()):
            find = scan.finds.get(life.key)
            try:
                self._look_at(life, find, now)
            except OSError as error:
                self._trouble(life, error)
        # Those remembered come first: a truncated one may go on in a copy that would else be taken for new.
        unknown = [find for key, find in scan.finds.items() if key not in self._roll.lives]
        for find in sorted(unknown, key=lambda find: self._roll.memory.of(find.key, find.path) is None):
            if find.key not in self._roll.lives:
                self._arrivals.meet(find, now)
        # Gone, or recognised in the meantime.
        for key in self._arrivals.suspects.keys() - (scan.finds.keys() - self._roll.lives.keys()):
            del self._arrivals.suspects[key]
        self._look_s = self._monotonic() - now
        return scan

    def _look_at(self, life: Life, find: Find | None, now: float) -> None:
        if not life.open:
            self._close_when_safe(life)
            return
        if find is not None:
            size, mtime_ns = find.size, find.mtime_ns
            self._name(life, find.path)
        else:
            condition = self._look_without_name(life)
            size, mtime_ns = condition.size, condition.mtime_ns
            self._unname(life, removed=not condition.linked)
        if size != life.raw_size or mtime_ns != life.mtime_ns or life.doubted:
            shows_now = life.undecided and life.offset == 0 and size > 0
            if shows_now and find is not None and not self._arrivals.decide(life, find, now):
                return
            life.raw_size, life.mtime_ns, life.changed_at = size, mtime_ns, now
            life.size = life.file.extent(size)
            self._check(life)
        elif life.held and self._is_quiet(life):
            self._roll.enqueue(life)
        elif over(
            life.state,
            unread=int(life.queued or life.held),
            in_flight=life.acks.in_flight,
            quiet_s=now - life.changed_at,
        ):
            self._end(life)
        elif self._delete_after_ack and may_delete(
            life.state,
            renamed=life.path != life.source.path and not life.target,
            unread=int(life.queued or life.held),
            in_flight=life.acks.in_flight,
            quiet_s=now - life.changed_at,
        ):
            life.to_delete = True
            self._end(life)

    def _check(self, life: Life) -> None:
        """Is what was read still there, and is there more? A truncation is believed when two looks agree, since a
        network file system may show an old size for a moment."""
        if reader.holds(life.file, life.offset, life.frontier, life.head):
            life.doubted = False
            if life.size > life.offset:
                self._roll.enqueue(life)
        elif life.doubted:
            self._arrivals.truncated(life, self._monotonic())
        else:
            self._doubt(life)

    def _doubt(self, life: Life) -> None:
        life.doubted = True
        self._roll.dequeue(life)

    def _look_without_name(self, life: Life) -> Condition:
        """No matching name leads to it. If its descriptor was taken back it must be found by its inode."""
        try:
            return life.file.look()
        except OSError:
            if self._find_name(life) is None:
                raise
            return life.file.look()

    def _find_name(self, life: Life) -> str | None:
        """Its name in the directory where it was; from now on it can be opened again by that."""
        places = (life.path, life.target) if life.target else (life.path,)
        found = next((each.path for place in places for each in siblings(place) if each.key == life.key), None)
        if found is not None:
            self._roll.rename(life, found)
        return found

    def _name(self, life: Life, path: str) -> None:
        life.learn(Fact.NAMED)
        life.file.kept = False
        if path != life.path:
            self._roll.counts["rotations"] += 1
            self._roll.tell("info", "file_rotated", path=life.path, now=path, offset=life.offset)
            self._roll.rename(life, path)

    def _unname(self, life: Life, *, removed: bool) -> None:
        before = life.state
        life.learn(Fact.REMOVED if removed else Fact.RENAMED)
        life.file.kept = removed
        if before is State.FOLLOWING and life.state is not before:
            self._roll.counts["rotations"] += 1
            path = life.path
            now = None if removed else self._find_name(life)
            self._roll.tell("info", "file_rotated", path=path, now=now, removed=removed, offset=life.offset)

    def _is_quiet(self, life: Life) -> bool:
        """Long enough to take its last record for complete."""
        return self._monotonic() - life.changed_at >= CONTINUED_WITHIN_S

    # ---- reading

    def _next_chunk(self, max_bytes: int | None) -> Chunk | None:
        """A piece of the next file whose turn it is."""
        if self._roll.ended:
            return self._roll.ended.popleft()  # before the bytes that took the place of a truncated life
        turns = len(self._roll.queue)
        while turns > 0 and self._roll.queue:
            turns -= 1
            life = self._roll.queue[0]
            if life.after is not None:
                if life.after.queued:
                    self._roll.queue.rotate(-1)
                    continue
                life.after = None
            try:
                chunk = self._read(life, max_bytes, finished=False)
            except OSError as error:
                self._trouble(life, error)
                continue
            if chunk is not None:
                self._roll.queue.rotate(-1)
                return chunk
        return None

    def _read(self, life: Life, max_bytes: int | None, *, finished: bool) -> Chunk | None:
        """The next piece of the file. None, and no more turns until it changes, when there is no whole line."""
        if life.undecided and life.state is State.FOLLOWING and is_mistaken(life.file):
            self._roll.dequeue(life)
            life.raw_size = -1  # so that the next look decides
            return None
        reading = self._reader.read(
            life.file,
            life.offset,
            max_bytes,
            midline=life.midline,
            padded=not life.frontier,
            finished=finished,
            settled=life.size if self._is_quiet(life) else 0,
        )
        life.held = reading is not None and reading.held
        life.size = max(life.file.extent(life.raw_size), life.offset)  # of a compressed file known better now
        if reading is None:
            self._roll.dequeue(life)
            return None
        # Checked after the read: bytes that came from behind a truncation must not pass for the old file's.
        if not reader.holds(life.file, life.offset, life.frontier, life.head, unless_since=life.mtime_ns):
            self._doubt(life)
            return None
        if reading.skipped:
            life.acks.skip(life.offset + reading.skipped)
            self._roll.touched.add(life)
            self._roll.tell("info", "padding_skipped", path=life.path, bytes=reading.skipped)
        if not reading.data:
            self._roll.dequeue(life)
            return None
        return self._hand_out(life, reading)

    def _hand_out(self, life: Life, reading: reader.Reading) -> Chunk:
        content, joined = reading.data, False
        if self._multiline is not None and not reading.broken:
            content, joined = self._multiline.mark(content), True
        chunk = Chunk(life.source, life.offset, content, piece=reading.broken, joined=joined)
        life.frontier = extend(life.frontier, reading.data)
        self._roll.begun.add(life)
        life.acks.hand_out(chunk.start, chunk.end, life.frontier, self._monotonic())
        if life.head.length < HEAD_BYTES:
            life.head = Mark.of(life.file.pread(min(chunk.end, HEAD_BYTES), 0))
        if reading.broken and not life.midline:
            self._roll.counts["long_lines"] += 1
            self._roll.tell("warning", "line_too_long", path=life.path, offset=chunk.start, limit=self._max_line)
        life.midline = not reading.data.endswith(b"\n")
        self._roll.counts["bytes_read"] += len(reading.data)
        self._roll.no_problem(life.path)
        return chunk

    # ---- ending

    def _next_end(self) -> Chunk | None:
        """While draining, and once all files are quiet: the final chunk of the next one."""
        if self._quiet is None or self._arrivals.suspects:
            return None
        now = self._monotonic()
        lives = list(self._roll.lives.values())
        is_early = now - self._draining_since < self._quiet
        if any(life.open and (is_early or life.queued or now - life.changed_at < self._quiet) for life in lives):
            return None
        for life in lives:
            if life.open:
                self._end(life)
                return self._roll.ended.popleft() if self._roll.ended else None
        return None

    def _end(self, life: Life) -> None:
        """Nothing will follow: hand out what is left, an unterminated line at most, as the final chunk."""
        try:
            chunk = self._read(life, None, finished=True)
        except OSError as error:
            self._trouble(life, error)
            return
        if not life.open or life.gone or self._roll.lives.get(life.key) is not life:
            return  # it turned out to be truncated
        if chunk is not None and chunk.data.endswith(b"\n"):
            self._roll.enqueue(life)  # it grew in the meantime: no end yet
            self._roll.ended.append(chunk)
            return
        life.learn(Fact.ENDED)
        self._roll.ended.append(
            replace(chunk, final=True) if chunk is not None else Chunk(life.source, life.offset, b"", final=True)
        )
        self._close_when_safe(life)

    def _close_when_safe(self, life: Life) -> None:
        if life.acks.in_flight > 0 or life.state is not State.FINISHING:
            return
        # While draining the file is not let go: it may grow again, and the next start goes on with it.
        if self._quiet is not None or life.gone:
            life.learn(Fact.ACKED)
        elif not self._follow_on(life):
            deleted = self._delete(life) if life.to_delete else False
            if deleted and self._follow_on(life):
                return  # written in the last moment; the descriptor still leads to it
            life.learn(Fact.ACKED)
            self._roll.remember(life, finished=True)
            self._roll.tell("info", "file_finished", path=life.path, offset=life.offset)
            self._drop(life)

    def _follow_on(self, life: Life) -> bool:
        """Was it written to since it was taken for ended? Then it is followed as before."""
        try:
            condition = self._look_without_name(life)
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

    def _drop(self, life: Life) -> None:
        self._roll.remove(life)
        life.file.close()

    def _trouble(self, life: Life, error: OSError) -> None:
        """It cannot be read (ESTALE, EIO, damaged): open it anew where it was, and go on if it is the same."""
        self._roll.dequeue(life)
        damaged = isinstance(error, Undecodable)
        self._roll.problem(life.path, "damaged" if damaged else "read_failed", why=error.strerror)
        if damaged:
            life.raw_size, life.size = life.file.look().size, life.offset
            return
        life.raw_size = -1  # looked at again at every look
        try:
            file = self._open(life.file.path)
        except OSError as why:
            nameless = life.state is State.UNLINKED or isinstance(why, FileNotFoundError)
            if nameless and not _can_be_read(life):
                self._gone(life)
            return
        try:
            if recognise(life.identity(), reader.sight(file, life.path, life.identity())) is Verdict.SAME:
                file.kept = life.file.kept
                life.file, file = file, life.file
                return
        except OSError:
            return  # no better than before: tried again at the next look
        finally:
            file.close()
        try:
            life.file.look()
        except OSError:
            self._gone(life)

    def _gone(self, life: Life) -> None:
        self._roll.tell("warning", "file_gone", path=life.path, offset=life.offset)
        self._roll.remember(life, finished=True)
        self._drop(life)

    def _take_acks(self) -> None:
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


def _can_be_read(life: Life) -> bool:
    """Its descriptor may still lead to it where no name does."""
    try:
        life.file.pread(1, life.offset)
    except OSError:
        return False
    return True


def _behind_since(life: Life) -> float | None:
    if life.acks.oldest_at is not None:
        return life.acks.oldest_at
    return life.changed_at if life.unsafe_bytes > 0 else None
