"""Remembered files that no glob finds now: renamed while nobody looked? The inode tells, in the directory.

What is found is gone on with by `arrivals`, as what was truncated is.
"""

from logtail import reader
from logtail.arrivals import Arrivals, Gone
from logtail.checkpoint import Entry
from logtail.discovery import Find, siblings
from logtail.follow import Fact
from logtail.identity import Verdict, recognise
from logtail.opened import Open
from logtail.roll import Roll


class LostNames:
    def __init__(self, roll: Roll, arrivals: Arrivals, open_file: Open) -> None:
        self._roll = roll
        self._arrivals = arrivals
        self._open = open_file

    def find(self, now: float) -> None:
        """At the start, after the first look."""
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
                self._arrivals.not_followed(known.path, error)
                continue  # it is there, and cannot be opened now: still remembered
            if not found and not self._arrivals.goes_on_in_copy(Gone(known, Verdict.NEW, 0), now):
                self._roll.tell("warning", "file_gone", path=known.path, offset=known.offset)
                self._roll.memory.give_up(known)

    def _resume_unnamed(self, known: Entry, find: Find, now: float) -> bool:
        """Go on with a file that has no matching name; False when the inode belongs to another file now."""
        file = self._open(find.path)
        # Of a file from which nothing was handed out yet there is no content to know it by: the name must do.
        named_after_it = known.offset == 0 and (find.path.startswith(known.path) or find.path == known.target)
        resumed = False
        try:
            same = recognise(known.identity, reader.sight(file, find.path, known.identity)) is Verdict.SAME
            if not (same or named_after_it):
                return False
            self._arrivals.resume(file, known, find, now)
            resumed = True
        finally:
            if not resumed:
                file.close()
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
