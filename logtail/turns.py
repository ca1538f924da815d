"""Reading the open files in turn: the next piece of whole lines, checked to be the file's own, noted as handed out.

Where a piece ends `reader` and `lines` know; whose turn it is stands on the roll.
"""

from collections.abc import Callable

from logtail import reader
from logtail.chunk import Chunk
from logtail.decoded import is_mistaken
from logtail.identity import HEAD_BYTES, Mark, extend
from logtail.life import Life
from logtail.multiline import Multiline
from logtail.roll import Roll
from logtail.trouble import Trouble

CONTINUED_WITHIN_S = 1.0  # a record of several lines is written within this time


class Turns:
    def __init__(self, roll: Roll, trouble: Trouble, monotonic: Callable[[], float]) -> None:
        self._roll = roll
        self._trouble = trouble
        self._monotonic = monotonic

    def set_limits(self, *, max_line_bytes: int, chunk_bytes: int, multiline: Multiline | None) -> None:
        """From the next piece on; needed before the first."""
        self._max_line = max_line_bytes
        self._multiline = multiline
        self._reader = reader.Reader(chunk_bytes, max_line_bytes, multiline)

    def next(self, max_bytes: int | None) -> Chunk | None:
        """A piece of the next file whose turn it is."""
        if self._roll.ended:
            return self._roll.ended.popleft()  # before the bytes that took the place of a truncated life
        turns = len(self._roll.queue)
        while turns > 0 and self._roll.queue:
            turns -= 1
            life = self._roll.queue[0]
            if life.after is not None:
                if life.after.queued or (life.after.held and self._roll.lives.get(life.after.key) is life.after):
                    self._roll.queue.rotate(-1)
                    continue
                life.after = None
            try:
                chunk = self.read(life, max_bytes, finished=False)
            except OSError as error:
                self._trouble.met(life, error)
                continue
            if chunk is not None:
                self._roll.queue.rotate(-1)
                return chunk
        return None

    def read(self, life: Life, max_bytes: int | None, *, finished: bool) -> Chunk | None:
        """The next piece of the file. None, and no more turns until it changes, when there is no whole line."""
        if life.undecided and is_mistaken(life.file):
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
            settled=life.size if self.is_quiet(life) else 0,
        )
        life.held = reading is not None and reading.held
        life.size = max(life.file.extent(life.raw_size), life.offset)  # of a compressed file known better now
        if reading is None:
            self._nothing_whole(life)
            return None
        # Checked after the read: bytes that came from behind a truncation must not pass for the old file's.
        if not reader.holds(life.file, life.offset, life.frontier, life.head, unless_since=life.mtime_ns):
            self.doubt(life)
            return None
        if reading.skipped:
            life.acks.skip(life.offset + reading.skipped)
            self._roll.touched.add(life)
        if reading.padding:
            self._roll.tell("info", "padding_skipped", path=life.path, bytes=reading.padding)
        if not reading.data:
            self._nothing_whole(life)
            return None
        return self._hand_out(life, reading)

    def _nothing_whole(self, life: Life) -> None:
        """It can be read, and has no whole line."""
        self._roll.dequeue(life)
        self._roll.no_problem(life)

    def _hand_out(self, life: Life, reading: reader.Reading) -> Chunk:
        content, joined = reading.data, False
        if self._multiline is not None and not reading.broken:
            content, joined = self._multiline.mark(content), True
        chunk = Chunk(
            life.source, life.offset, content, piece=reading.broken, joined=joined, written_ns=max(life.mtime_ns, 0)
        )
        head = _extended_head(life, reading.data)  # before anything is noted: it may fail, and the piece is read again
        frontier = extend(life.frontier, reading.data)
        life.acks.hand_out(chunk.start, chunk.end, frontier, self._monotonic())
        life.frontier, life.head = frontier, head
        self._roll.begun.add(life)
        if reading.broken and not life.midline:
            self._roll.counts["long_lines"] += 1
            self._roll.tell("warning", "line_too_long", path=life.path, offset=chunk.start, limit=self._max_line)
        life.midline = not reading.data.endswith(b"\n")
        self._roll.counts["bytes_read"] += len(reading.data)
        self._roll.no_problem(life)
        return chunk

    def is_quiet(self, life: Life) -> bool:
        """Long enough to take its last record for complete."""
        return self._monotonic() - life.changed_at >= CONTINUED_WITHIN_S

    def doubt(self, life: Life) -> None:
        """It seems to be truncated: not read until another look has settled that."""
        life.doubted = True
        self._roll.dequeue(life)


def _extended_head(life: Life, handed_out: bytes) -> Mark:
    """The mark of the file's beginning when `handed_out` follows what was."""
    if life.head.length >= HEAD_BYTES:
        return life.head
    if life.offset == 0:
        return Mark.of(handed_out[:HEAD_BYTES])
    return Mark.of(life.file.pread(min(life.offset + len(handed_out), HEAD_BYTES), 0))
