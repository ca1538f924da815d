"""Is a gzip file the compression of a file whose lines were already handed out? By its content alone, never its name.

While the file it was made from is open, that one is read to its end, and the compressed one is left alone. Once it is
only remembered, the compressed one takes its place at the offset reached. Anything else is a file of its own.
"""

from logtail import reader
from logtail.checkpoint import Entry
from logtail.discovery import Find
from logtail.identity import FRONTIER_BYTES, HEAD_BYTES, Verdict, recognise
from logtail.life import Life
from logtail.opened import Opened
from logtail.roll import Roll


class Compressions:
    def __init__(self, roll: Roll) -> None:
        self._roll = roll
        self._waiting: dict[tuple[int, int], tuple[Find, Life]] = {}

    def left_to_original(self, find: Find) -> bool:
        """Was this very file found to be the compression of one that is still open?"""
        waiting = self._waiting.get(find.key)
        if waiting is None:
            return False
        if waiting[0] == find and self._roll.lives.get(waiting[1].key) is waiting[1]:
            return True
        del self._waiting[find.key]
        return False

    def is_of_open_file(self, file: Opened, find: Find) -> bool:
        """Reads all of it, in bounded steps: only an end that agrees too tells it from one that just begins alike."""
        begin = file.pread(HEAD_BYTES, 0)
        if not begin:
            return False
        alike = [
            life
            for life in self._roll.lives.values()
            if life.file is not file and life.offset > 0 and reader.glance(life.file, len(begin), 0) == begin
        ]
        if not alike:
            return False
        length = reader.length(file)
        start = max(0, length - FRONTIER_BYTES)
        end = file.pread(length - start, start)
        for life in alike:
            if reader.glance(life.file, length - start, start) == end:
                self._waiting[find.key] = (find, life)
                self._roll.tell("info", "compression_left_alone", path=find.path, original=life.path)
                return True
        return False

    def remembered_original(self, file: Opened, path: str) -> Entry | None:
        """The remembered file with most bytes handed out whose content this one goes on with."""
        begin, found = file.pread(HEAD_BYTES, 0), None
        alike = [
            entry
            for entry in self._roll.memory.closed(self._roll.lives)
            if entry.offset > 0 and entry.identity.head.matches(begin[: entry.head_length])
        ]
        # In this order, so that all it takes is decoded once.
        for entry in sorted(alike, key=lambda entry: entry.offset):
            if recognise(entry.identity, reader.sight(file, path, entry.identity)) is Verdict.COPY:
                found = entry
        return found
