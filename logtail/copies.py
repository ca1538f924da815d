"""Is a file the copy of a followed one, made by a rotation that truncates? And where is a truncated one's copy?

By content alone, except that a copy is looked for among the names made from the original's. What becomes of a copy,
and of what it was copied from, is left to `arrivals`.
"""

from dataclasses import dataclass

from logtail import reader
from logtail.discovery import Find, siblings
from logtail.follow import State
from logtail.identity import FRONTIER_BYTES, HEAD_BYTES, Identity, Mark, Verdict, recognise
from logtail.life import Key, Life
from logtail.opened import Open, Opened
from logtail.roll import Roll

COPY_GRACE_S = 2.0  # a file that begins like a followed one may be the copy of a rotation that truncates next
COPY_BYTES_PER_S = 1024 * 1024  # no copy is slower than that
SLOW_S = 0.2


@dataclass(slots=True)
class Suspect:
    """A file that may be a copy: it is held back until it differs, grows slowly, or was quiet for COPY_GRACE_S."""

    file: Opened
    """Held open, since the file may lose its name meanwhile, and be no copy after all."""
    key: Key
    path: str
    size: int
    since: float
    met_at: float
    met_size: int

    def look(self) -> Find:
        """It, without a name that matches. OSError when nothing leads to it any more."""
        condition = self.file.look()
        self.file.kept = not condition.linked
        return Find(self.path, *self.key, condition.size, condition.mtime_ns)


class Copies:
    def __init__(self, roll: Roll, open_file: Open) -> None:
        self._roll = roll
        self._open = open_file
        self.suspects: dict[Key, Suspect] = {}
        """Files held back, by device and inode."""

    def drop(self, key: Key, *, used: Opened | None = None) -> None:
        """It is known what it is, or matters no more. Its file is closed, unless it is the one `used` from now on."""
        suspect = self.suspects.pop(key, None)
        if suspect is not None and suspect.file is not used:
            suspect.file.close()

    def close(self) -> None:
        for key in list(self.suspects):
            self.drop(key)

    def may_be(self, file: Opened, find: Find, now: float) -> bool:
        """Is it, so far, the beginning of a followed file, and still within the time in which that may be truncated?
        Then `file` is held here from now on."""
        if not self._begins_like_one(file, find):
            self.drop(find.key, used=file)
            return False
        suspect = self.suspects.get(find.key)
        if suspect is None:
            suspect = Suspect(file, find.key, find.path, find.size, now, now, find.size)
            self.suspects[find.key] = suspect
        suspect.path = file.path = find.path
        if suspect.size != find.size:
            suspect.size, suspect.since = find.size, now
        age = now - suspect.met_at
        # A copy is made in one go; what grows slowly has a writer of its own, and just begins alike.
        slowly = age >= SLOW_S and suspect.met_size < find.size < suspect.met_size + age * COPY_BYTES_PER_S
        if not slowly and now - suspect.since < COPY_GRACE_S:
            return True
        self.drop(find.key, used=file)
        return False

    def _begins_like_one(self, file: Opened, find: Find) -> bool:
        if find.size == 0:
            return False
        begin = file.pread(HEAD_BYTES, 0)
        marks: dict[int, Mark] = {}

        def head_agrees(life: Life) -> bool:
            length = life.head.length
            if length > len(begin):
                return True  # the bytes themselves will tell
            if length not in marks:
                marks[length] = Mark.of(begin[:length])
            return marks[length] == life.head

        return any(
            _same_so_far(life, file, find, begin) or _is_copy(life, file, find)
            for life in self._roll.begun
            if life.open and life.state is State.FOLLOWING and head_agrees(life)
        )

    def find(self, known: Identity, path: str) -> tuple[Opened, Find] | None:
        """The file beside `path`, where one was truncated, that holds what was read of it: open, and its name."""
        for find in siblings(path):
            named_after_it = find.path.startswith(path)  # as app.log.1 and app.log-20260101 are after app.log
            if find.key in self._roll.lives or (find.size < known.offset and not find.path.endswith(".gz")):
                continue
            if not (named_after_it or find.key in self.suspects):
                continue
            try:
                file = self._open(find.path)
            except OSError:
                continue
            try:
                if self._goes_on_with(file, find, known):
                    return file, find
            except OSError:
                pass  # damaged: it is told when it is met itself, and must hide no other
            file.close()
        return self._find_suspect(known)

    def _find_suspect(self, known: Identity) -> tuple[Opened, Find] | None:
        """As one that was made and lost its name again since the last look: compressed, say, or moved away."""
        for suspect in self.suspects.values():
            try:
                find = suspect.look()
                if self._goes_on_with(suspect.file, find, known):
                    return suspect.file, find
            except OSError:
                continue
        return None

    def _goes_on_with(self, file: Opened, find: Find, known: Identity) -> bool:
        if recognise(known, reader.sight(file, find.path, known)) is not Verdict.COPY:
            return False
        remembered = self._roll.memory.of(find.key, find.path)
        if remembered is None:
            return True
        seen = reader.sight(file, find.path, remembered.identity)
        return recognise(remembered.identity, seen) is not Verdict.SAME


def _is_copy(life: Life, file: Opened, find: Find) -> bool:
    """Does it hold what was read of `life`? That tells a copy of one that was truncated and grew back already."""
    known = life.identity()
    return recognise(known, reader.sight(file, find.path, known)) is Verdict.COPY


def _same_so_far(life: Life, file: Opened, find: Find, begin: bytes) -> bool:
    """Does the file hold nothing but what `life` holds at the same place, as far as a head and a tail can tell?"""
    reach = min(file.extent(find.size), life.size)
    tail = min(reach, FRONTIER_BYTES)
    return reader.glance(life.file, len(begin), 0) == begin[: life.size] and (
        reader.glance(life.file, tail, reach - tail) == file.pread(tail, reach - tail)
    )
