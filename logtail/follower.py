"""The blocking half of a tail: looks at the directories, keeps each followed file's life, reads the next piece.

One call does one step and never waits; all calls come from one thread (acknowledgements are passed in through a
queue). Verdicts and moves come from the pure modules; waiting, saving and logging are left to `tail`.
"""

import os
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from logtail import checkpoint, memory, reader
from logtail.acks import Acks
from logtail.chunk import Chunk, Source, TailStats
from logtail.discovery import Discovery, Find, Scan, siblings
from logtail.follow import Fact, State, over
from logtail.identity import FRONTIER_BYTES, HEAD_BYTES, Identity, Mark, Verdict, extend, recognise
from logtail.life import Key, Life

COPY_GRACE_S = 2.0  # a file that begins like a followed one may be the copy of a rotation that truncates next
BUSY_LOOK_S = 0.25  # while there is much to read, the directories are looked at this often
GZIP_MAGIC = b"\x1f\x8b"

Happening = tuple[Literal["info", "warning", "error"], str, dict[str, Any]]


@dataclass(slots=True)
class Step:
    """What came of one step: a chunk, or the end, or the wish to be called again later."""

    chunk: Chunk | None = None
    done: bool = False
    save_first: bool = False
    """New lives must be in the checkpoint before their first byte leaves, so that a crash repeats their generation."""
    happenings: list[Happening] = field(default_factory=list)


@dataclass(slots=True)
class Suspect:
    size: int
    since: float


class Follower:
    def __init__(
        self,
        discovery: Discovery,
        *,
        start_at: Literal["beginning", "end"],
        max_line_bytes: int,
        chunk_bytes: int,
        monotonic: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self._discovery = discovery
        self._start_at = start_at
        self._max_line = max_line_bytes
        self._reader = reader.Reader(chunk_bytes, max_line_bytes)
        self._monotonic = monotonic
        self._wall = wall
        self._lives: dict[Key, Life] = {}
        self._by_generation: dict[str, Life] = {}
        self._memory = memory.Memory([])
        self._queue: deque[Life] = deque()  # lives that may have a whole line to read, in turn
        self._ended: deque[Chunk] = deque()  # final chunks of lives that were truncated away
        self._suspects: dict[Key, Suspect] = {}
        self._reported: dict[str, str] = {}
        self._acked: deque[tuple[str, int, int, Mapping[str, object] | None]] = deque()
        self._happenings: list[Happening] = []
        self._looked_at = float("-inf")
        self._last_generation = 0
        self._fresh = False  # the policy `start_at` holds for the files of the very first look only
        self._new_lives = False
        self._quiet: float | None = None
        self.extra: Mapping[str, object] = {}
        self._counts: Counter[str] = Counter()
        self._errors: Counter[str] = Counter()

    # ---- called from the loop's thread; each is a single append or assignment

    def ack(self, chunk: Chunk, extra: Mapping[str, object] | None) -> None:
        self._acked.append((chunk.source.generation, chunk.start, chunk.end, extra))

    def drain(self, quiet: float) -> None:
        self._quiet = quiet
        self._looked_at = float("-inf")

    def stats(self) -> TailStats:
        now = self._monotonic()
        lives = list(self._by_generation.values())
        return TailStats(
            files=len(lives),
            lag_bytes=sum(life.unsafe_bytes for life in lives),
            oldest_unacked_s=max(
                (now - since for life in lives if (since := _behind_since(life)) is not None), default=0
            ),
            rotations=self._counts["rotations"],
            truncations=self._counts["truncations"],
            bytes_read=self._counts["bytes_read"],
            long_lines=self._counts["long_lines"],
            errors=dict(self._errors),
        )

    # ---- called from the worker's thread

    def begin(self, saved: checkpoint.Checkpoint | None) -> list[Happening]:
        """Take over what was saved, and look for the first time."""
        self._fresh = saved is None
        if saved is not None:
            self._memory = memory.Memory(saved.files)
            self.extra = saved.extra
        for pattern in self._look().empty:
            self._tell("warning", "glob_matches_nothing", pattern=pattern)
        self._find_lost_names()
        self._fresh = False
        return self._told()

    def step(self, max_bytes: int | None) -> Step:
        """Read the next piece; look around first when it is time to, or when there is nothing left to read."""
        self._take_acks()
        chunk = None
        if not self._new_lives and self._monotonic() - self._looked_at < BUSY_LOOK_S:
            chunk = self._next_chunk(max_bytes)
        if chunk is None and not self._new_lives:
            self._look()
        if self._new_lives:
            return Step(save_first=True, happenings=self._told())
        if chunk is None:
            chunk = self._next_chunk(max_bytes) or self._next_end()
        done = chunk is None and self._quiet is not None and not any(life.open for life in self._lives.values())
        return Step(chunk, done=done and not self._suspects, happenings=self._told())

    def snapshot(self) -> bytes:
        """The checkpoint as it must be written now."""
        self._take_acks()
        self._new_lives = False
        for life in self._lives.values():
            self._memory.keep(
                memory.entry(life.safe_identity(), life.source.generation, life.source.path, finished=False)
            )
        return checkpoint.encode(checkpoint.Checkpoint(files=list(self._memory), extra=dict(self.extra)))

    def close(self) -> None:
        for life in self._lives.values():
            os.close(life.descriptor)
        self._lives.clear()

    def directories(self) -> list[str]:
        return self._discovery.directories()

    # ---- looking

    def _look(self) -> Scan:
        now = self._looked_at = self._monotonic()
        scan = self._discovery.scan()
        self._report(scan)
        for life in list(self._lives.values()):
            find = scan.finds.get(life.key)
            try:
                self._look_at(life, find, now)
            except OSError as error:
                self._let_go(life, error)
        # Those remembered come first: a truncated one may go on in a copy that would else be taken for new.
        unknown = [find for key, find in scan.finds.items() if key not in self._lives]
        for find in sorted(unknown, key=lambda find: self._memory.of(find.key, find.path) is None):
            if find.key not in self._lives:
                self._meet(find, now)
        for key in self._suspects.keys() - scan.finds.keys():
            del self._suspects[key]
        return scan

    def _look_at(self, life: Life, find: Find | None, now: float) -> None:
        if not life.open:
            self._close_when_safe(life)
            return
        if find is not None:
            size, mtime_ns = find.size, find.mtime_ns
            self._name(life, find.path)
        else:
            status = os.fstat(life.descriptor)
            size, mtime_ns = status.st_size, status.st_mtime_ns
            self._unname(life, removed=status.st_nlink == 0)
        if size != life.size or mtime_ns != life.mtime_ns:
            life.size, life.mtime_ns, life.changed_at = size, mtime_ns, now
            if not reader.holds(life.descriptor, life.offset, life.frontier):
                self._truncated(life)
            elif size > life.offset:
                self._enqueue(life)
        elif over(life.state, unread=int(life.queued), in_flight=life.acks.in_flight, quiet_s=now - life.changed_at):
            self._end(life)

    def _name(self, life: Life, path: str) -> None:
        life.learn(Fact.NAMED)
        if path != life.path:
            self._counts["rotations"] += 1
            self._tell("info", "file_rotated", path=life.path, now=path, offset=life.offset)
            life.path = path

    def _unname(self, life: Life, *, removed: bool) -> None:
        before = life.state
        life.learn(Fact.REMOVED if removed else Fact.RENAMED)
        if before is State.FOLLOWING and life.state is not before:
            self._counts["rotations"] += 1
            self._tell("info", "file_rotated", path=life.path, now=None, removed=removed, offset=life.offset)

    def _report(self, scan: Scan) -> None:
        for path, word in scan.problems.items():
            self._problem(path, word)
        for path in [p for p, word in self._reported.items() if p not in scan.problems and word not in _AFTER_STAT]:
            del self._reported[path]

    def _problem(self, path: str, word: str) -> None:
        if self._reported.get(path) != word:
            self._reported[path] = word
            self._errors[word] += 1
            self._tell("warning", "file_not_followed", path=path, reason=word)

    # ---- meeting a file for the first time, or again

    def _meet(self, find: Find, now: float) -> None:
        try:
            descriptor = reader.open_regular(find.path)
        except OSError as error:
            self._problem(find.path, "permission_denied" if isinstance(error, PermissionError) else "unreadable")
            return
        if self._adopt(descriptor, find, now):
            return
        self._reported.pop(find.path, None)
        known = self._memory.of(find.key, find.path)
        if known is not None:
            verdict = recognise(known.identity, reader.sight(descriptor, find.path, known.identity))
            self._memory.forget(known)
            if verdict is Verdict.SAME:
                self._resume(descriptor, known, find, now)
                return
            if verdict is Verdict.TRUNCATED:
                self._truncated_while_away(known, find, now)
        self._begin_new(descriptor, find, now)

    def _adopt(self, descriptor: int, find: Find, now: float) -> bool:
        """True when the file was dealt with (closed, or held back) and must not be followed now."""
        if os.pread(descriptor, 2, 0) == GZIP_MAGIC:
            self._problem(find.path, "gzip")
        elif not self._may_be_copy(descriptor, find, now):
            return False
        os.close(descriptor)
        return True

    def _may_be_copy(self, descriptor: int, find: Find, now: float) -> bool:
        """Is it, so far, the beginning of a followed file, and still within the time in which that may be truncated?"""
        if self._remembers(descriptor, find) or not self._begins_like_one(descriptor, find):
            self._suspects.pop(find.key, None)
            return False
        suspect = self._suspects.setdefault(find.key, Suspect(find.size, now))
        if suspect.size != find.size:
            suspect.size, suspect.since = find.size, now
        if now - suspect.since < COPY_GRACE_S:
            return True
        del self._suspects[find.key]
        return False

    def _remembers(self, descriptor: int, find: Find) -> bool:
        known = self._memory.of(find.key, find.path)
        if known is None:
            return False
        return recognise(known.identity, reader.sight(descriptor, find.path, known.identity)) is Verdict.SAME

    def _begins_like_one(self, descriptor: int, find: Find) -> bool:
        if find.size == 0:
            return False
        begin = os.pread(descriptor, HEAD_BYTES, 0)
        return any(
            _same_so_far(life, descriptor, find, begin)
            for life in self._lives.values()
            if life.offset > 0 and life.open and life.state is State.FOLLOWING
        )

    def _start(self, life: Life) -> None:
        earlier = [e for e in self._lives.values() if life.path in (e.path, e.source.path)]
        life.after = earlier[-1] if earlier else None
        self._lives[life.key] = life
        self._by_generation[life.source.generation] = life
        self._enqueue(life)

    def _begin_new(self, descriptor: int, find: Find, now: float) -> None:
        offset, frontier = 0, b""
        if self._fresh and self._start_at == "end":
            offset = reader.line_start(descriptor, find.size, self._max_line)
            frontier = os.pread(descriptor, min(offset, FRONTIER_BYTES), max(0, offset - FRONTIER_BYTES))
        life = Life(
            source=Source(find.path, self._generation(find.key)),
            descriptor=descriptor,
            key=find.key,
            path=find.path,
            acks=Acks(offset, frontier),
            frontier=frontier,
            head=Mark.of(os.pread(descriptor, min(offset, HEAD_BYTES), 0)),
            midline=False,
            changed_at=now,
            size=find.size,
            mtime_ns=find.mtime_ns,
        )
        self._new_lives = True
        self._start(life)
        self._tell("info", "file_found", path=find.path, generation=life.source.generation, offset=offset)

    def _resume(self, descriptor: int, known: checkpoint.Entry, find: Find, now: float) -> None:
        before = known.offset - known.frontier_length
        frontier = os.pread(descriptor, known.frontier_length, before)
        life = Life(
            source=Source(known.source_path, known.generation),
            descriptor=descriptor,
            key=find.key,
            path=find.path,
            acks=Acks(known.offset, frontier),
            frontier=frontier,
            head=known.identity.head,
            midline=bool(frontier) and not frontier.endswith(b"\n"),
            changed_at=now,
            size=find.size,
            mtime_ns=find.mtime_ns,
        )
        self._start(life)
        self._tell("info", "file_found", path=find.path, generation=known.generation, offset=known.offset, resumed=True)

    def _generation(self, key: Key) -> str:
        # The time makes it unique where an inode is used again; it is saved before the first byte leaves.
        self._last_generation = max(self._last_generation + 1, int(self._wall() * 1_000_000))
        return f"{key[1]:x}-{self._last_generation:x}"

    # ---- truncation, and the copy it may have left

    def _truncated(self, life: Life) -> None:
        """The content of `life` is gone from its file; it goes on in a copy beside it, if there is one."""
        self._dequeue(life)
        self._counts["truncations"] += 1
        now = self._monotonic()
        find = Find(life.path, *life.key, life.size, life.mtime_ns)
        copy = self._find_copy(life.identity(), find)
        descriptor, state = life.descriptor, life.state
        del self._lives[life.key]
        self._tell(
            "info", "file_truncated", path=life.path, offset=life.offset, size=life.size, copy=copy and copy[1].path
        )
        if copy is None:
            life.gone = True
            life.learn(Fact.ENDED)
            self._ended.append(Chunk(life.source, life.offset, b"", final=True))
            if life.acks.in_flight == 0:
                self._forget(life)
        else:
            self._move_to(life, *copy, now)
        self._begin_new(descriptor, find, now)
        self._lives[find.key].state = state
        if copy is not None:
            self._lives[find.key].after = life

    def _move_to(self, life: Life, descriptor: int, copy: Find, now: float) -> None:
        life.descriptor, life.key, life.path = descriptor, copy.key, copy.path
        life.size, life.mtime_ns, life.changed_at = copy.size, copy.mtime_ns, now
        life.state = State.ROTATED
        self._lives[copy.key] = life
        self._suspects.pop(copy.key, None)
        self._enqueue(life)

    def _truncated_while_away(self, known: checkpoint.Entry, find: Find, now: float) -> None:
        self._counts["truncations"] += 1
        copy = self._find_copy(known.identity, find)
        self._tell(
            "info", "file_truncated", path=find.path, offset=known.offset, size=find.size, copy=copy and copy[1].path
        )
        if copy is not None:
            self._resume(copy[0], known, copy[1], now)

    def _find_copy(self, known: Identity, original: Find) -> tuple[int, Find] | None:
        """The file beside a truncated one that holds what was read of it: its descriptor and name."""
        prefix = os.path.basename(original.path)
        for find in siblings(original.path):
            named_after_it = os.path.basename(find.path).startswith(prefix)
            if find.key in self._lives or find.size < known.offset:
                continue
            if not (named_after_it or find.key in self._suspects):
                continue
            try:
                descriptor = reader.open_regular(find.path)
            except OSError:
                continue
            seen = reader.sight(descriptor, find.path, known)
            if recognise(known, seen) is Verdict.COPY and not self._remembers(descriptor, find):
                return descriptor, find
            os.close(descriptor)
        return None

    def _find_lost_names(self) -> None:
        """Remembered files that no glob finds now: renamed while nobody looked? The inode tells, in the directory."""
        now = self._monotonic()
        beside: dict[str, dict[int, Find]] = {}
        for known in self._memory:
            if known.finished:
                continue
            directory = os.path.dirname(known.path)
            if directory not in beside:
                beside[directory] = {find.inode: find for find in siblings(known.path)}
            find = beside[directory].get(known.inode)
            if find is None or find.key in self._lives or not self._resume_renamed(known, find, now):
                self._tell("warning", "file_gone", path=known.path, offset=known.offset)

    def _resume_renamed(self, known: checkpoint.Entry, find: Find, now: float) -> bool:
        try:
            descriptor = reader.open_regular(find.path)
        except OSError:
            return False
        if recognise(known.identity, reader.sight(descriptor, find.path, known.identity)) is not Verdict.SAME:
            os.close(descriptor)
            return False
        self._memory.forget(known)
        self._resume(descriptor, known, find, now)
        life = self._lives[find.key]
        life.learn(Fact.RENAMED)
        successor = next((e for e in self._lives.values() if e.path == known.path and e is not life), None)
        if successor is not None:
            successor.after = life
        self._counts["rotations"] += 1
        self._tell("info", "file_rotated", path=known.path, now=find.path, offset=known.offset)
        return True

    # ---- reading

    def _enqueue(self, life: Life) -> None:
        if not life.queued:
            life.queued = True
            self._queue.append(life)

    def _dequeue(self, life: Life) -> None:
        if life.queued:
            life.queued = False
            self._queue.remove(life)

    def _next_chunk(self, max_bytes: int | None) -> Chunk | None:
        """A piece of the next file whose turn it is."""
        if self._ended:
            return self._ended.popleft()  # before the bytes that took the place of a truncated life
        turns = len(self._queue)
        while turns > 0 and self._queue:
            turns -= 1
            life = self._queue[0]
            if life.after is not None:
                if life.after.queued:
                    self._queue.rotate(-1)
                    continue
                life.after = None
            try:
                chunk = self._read(life, max_bytes, finished=False)
            except OSError as error:
                self._let_go(life, error)
                continue
            if chunk is not None:
                self._queue.rotate(-1)
                return chunk
        return None

    def _read(self, life: Life, max_bytes: int | None, *, finished: bool) -> Chunk | None:
        """The next piece of the file. None, and no more turns until it changes, when there is no whole line."""
        reading = self._reader.read(
            life.descriptor,
            life.offset,
            max_bytes,
            midline=life.midline,
            padded=not life.frontier,
            finished=finished,
        )
        if reading is None:
            self._dequeue(life)
            return None
        # Checked after the read: bytes that came from behind a truncation must not pass for the old file's.
        if not reader.holds(life.descriptor, life.offset, life.frontier):
            self._truncated(life)
            return None
        if reading.skipped:
            life.acks.skip(life.offset + reading.skipped)
            self._tell("info", "padding_skipped", path=life.path, bytes=reading.skipped)
        if not reading.data:
            self._dequeue(life)
            return None
        return self._hand_out(life, reading)

    def _hand_out(self, life: Life, reading: reader.Reading) -> Chunk:
        chunk = Chunk(life.source, life.offset, reading.data, piece=reading.broken)
        life.frontier = extend(life.frontier, reading.data)
        life.acks.hand_out(chunk.start, chunk.end, life.frontier, self._monotonic())
        if life.head.length < HEAD_BYTES:
            life.head = Mark.of(os.pread(life.descriptor, min(chunk.end, HEAD_BYTES), 0))
        if reading.broken and not life.midline:
            self._counts["long_lines"] += 1
            self._tell("warning", "line_too_long", path=life.path, offset=chunk.start, limit=self._max_line)
        life.midline = not reading.data.endswith(b"\n")
        self._counts["bytes_read"] += len(reading.data)
        return chunk

    # ---- ending

    def _next_end(self) -> Chunk | None:
        """While draining, and once all files are quiet: the final chunk of the next one."""
        if self._quiet is None or self._suspects:
            return None
        now = self._monotonic()
        lives = list(self._lives.values())
        if any(life.open and (life.queued or now - life.changed_at < self._quiet) for life in lives):
            return None
        for life in lives:
            if life.open:
                self._end(life)
                return self._ended.popleft() if self._ended else None
        return None

    def _end(self, life: Life) -> None:
        """Nothing will follow: hand out what is left, an unterminated line at most, as the final chunk."""
        try:
            chunk = self._read(life, None, finished=True)
        except OSError as error:
            self._let_go(life, error)
            return
        if not life.open or life.gone or self._lives.get(life.key) is not life:
            return  # it turned out to be truncated
        if chunk is not None and chunk.data.endswith(b"\n"):
            self._enqueue(life)  # it grew in the meantime: no end yet
            self._ended.append(chunk)
            return
        life.learn(Fact.ENDED)
        self._ended.append(
            Chunk(life.source, chunk.start, chunk.data, final=True, piece=chunk.piece)
            if chunk is not None
            else Chunk(life.source, life.offset, b"", final=True)
        )
        self._close_when_safe(life)

    def _close_when_safe(self, life: Life) -> None:
        if life.acks.in_flight > 0 or life.state is not State.FINISHING:
            return
        life.learn(Fact.ACKED)
        # While draining the file is not let go: it may grow again, and the next start goes on with it.
        if self._quiet is None and not life.gone:
            self._memory.keep(
                memory.entry(life.safe_identity(), life.source.generation, life.source.path, finished=True)
            )
            self._tell("info", "file_finished", path=life.path, offset=life.offset)
            self._drop(life)

    def _forget(self, life: Life) -> None:
        """All of a truncated life is acknowledged."""
        self._by_generation.pop(life.source.generation, None)

    def _drop(self, life: Life) -> None:
        self._dequeue(life)
        os.close(life.descriptor)
        del self._lives[life.key]
        self._by_generation.pop(life.source.generation, None)

    def _let_go(self, life: Life, error: OSError) -> None:
        """The descriptor is of no use any more (ESTALE, EIO): remember the file and meet it anew at the next look."""
        self._errors["read_failed"] += 1
        self._tell("warning", "file_read_failed", path=life.path, reason=error.strerror or str(error))
        self._memory.keep(memory.entry(life.safe_identity(), life.source.generation, life.source.path, finished=False))
        self._drop(life)

    # ---- small things

    def _take_acks(self) -> None:
        while self._acked:
            generation, start, end, extra = self._acked.popleft()
            if extra is not None:
                self.extra = extra
            life = self._by_generation.get(generation)
            if life is None:
                continue
            life.acks.ack(start, end)
            if life.gone and life.acks.in_flight == 0:
                self._forget(life)

    def _tell(self, level: Literal["info", "warning", "error"], event: str, **facts: Any) -> None:
        self._happenings.append((level, event, facts))

    def _told(self) -> list[Happening]:
        told, self._happenings = self._happenings, []
        return told


_AFTER_STAT = frozenset({"gzip", "unreadable", "permission_denied"})  # found when opening, not by the scan


def _behind_since(life: Life) -> float | None:
    if life.acks.oldest_at is not None:
        return life.acks.oldest_at
    return life.changed_at if life.unsafe_bytes > 0 else None


def _same_so_far(life: Life, descriptor: int, find: Find, begin: bytes) -> bool:
    """Does the file hold nothing but what `life` holds at the same place, as far as a head and a tail can tell?"""
    reach = min(find.size, life.size)
    tail = min(reach, FRONTIER_BYTES)
    return os.pread(life.descriptor, len(begin), 0) == begin and os.pread(
        life.descriptor, tail, reach - tail
    ) == os.pread(descriptor, tail, reach - tail)
