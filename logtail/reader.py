"""Reading open files: the next piece of whole lines, and the bytes that tell who a file is.

Where a piece is cut, `lines` decides; whether the file is still the one we knew, `identity` decides.
"""

from dataclasses import dataclass

from logtail import lines
from logtail.decoded import Decoded, Undecodable
from logtail.identity import Identity, Mark, Sighting
from logtail.multiline import Multiline
from logtail.opened import Opened

_STRIDE = 256 * 1024
PEEK_BYTES = 8 * 1024


def word(error: OSError) -> str:
    """A short stable word for why a file cannot be read."""
    if isinstance(error, Undecodable):
        return "damaged"
    return "permission_denied" if isinstance(error, PermissionError) else "unreadable"


def before(file: Opened, offset: int, length: int) -> bytes:
    """The `length` bytes just before `offset`, fewer at the beginning of the file."""
    start = max(0, offset - length)
    return file.pread(offset - start, start)


def glance(file: Opened, length: int, offset: int) -> bytes:
    """Of a file that another is compared with: nothing where it cannot be read now, which is no fault of the other."""
    try:
        return file.pread(length, offset)
    except OSError:
        return b""


def length(file: Opened) -> int:
    """The whole content's length, found out by reading it where it is not the file's size."""
    if not isinstance(file, Decoded):
        return file.look().size
    at = 0
    while piece := len(file.pread(_STRIDE, at)):
        at += piece
    return at


def sight(file: Opened, path: str, known: Identity) -> Sighting:
    """What `identity.recognise` needs to compare an open file with `known`."""
    condition = file.look()
    return Sighting(
        device=condition.device,
        inode=condition.inode,
        path=path,
        head=file.pread(known.head.length, 0),
        frontier=before(file, known.offset, known.frontier.length),
    )


def holds(file: Opened, offset: int, frontier: bytes, head: Mark, *, unless_since: int = -1) -> bool:
    """Does the file still have `offset` bytes, the first of them `head` and the last `frontier`?

    The head is left out when the file was not written to after `unless_since` (its mtime in nanoseconds).
    """
    if frontier and file.pread(len(frontier), offset - len(frontier)) != frontier:
        return False
    condition = file.look()
    if file.extent(condition.size) < offset:
        return False
    # Lines that are all alike end alike: written anew past the offset, the file differs at its beginning only.
    return condition.mtime_ns == unless_since or head.matches(file.pread(head.length, 0))


def line_start(file: Opened, offset: int, reach: int) -> int:
    """The beginning of the line that byte `offset` is in, looked for at most `reach` bytes back."""
    start = max(0, offset - reach)
    newline = file.pread(offset - start, start).rfind(b"\n")
    return start + newline + 1


@dataclass(frozen=True, slots=True)
class Reading:
    """`data` begins after `skipped` bytes, `padding` of them NUL padding; `broken` as in `lines.Piece`."""

    data: bytes
    skipped: int = 0
    padding: int = 0
    broken: bool = False
    held: bool = False
    """There are whole lines that may be continued."""


class Reader:
    """Reads pieces of up to `chunk_bytes`; a longer line is read whole, up to `max_line` bytes."""

    def __init__(self, chunk_bytes: int, max_line: int, multiline: Multiline | None = None) -> None:
        # Kept and reused: a fresh buffer of this size for each read would be mapped and unmapped each time.
        self._buffer = bytearray(chunk_bytes)
        self._max_line = max_line
        self._multiline = multiline

    def read(
        self,
        file: Opened,
        offset: int,
        want: int | None,
        *,
        midline: bool,
        padded: bool,
        finished: bool,
        settled: int = 0,
    ) -> Reading | None:
        """The next piece from `offset`, None when there is no whole line yet. OSError from the file passes through.

        `padded`: NUL bytes at `offset` are a hole and are skipped, once something follows them; so is the mark of UTF-8
        at the beginning of the file.
        `settled`: nothing was added to the bytes before this offset for a while, so that a record of several lines that
        ends there is taken for complete.
        """
        buffer: bytearray = self._buffer
        want = min(want or len(buffer), len(buffer))
        if not (midline or padded or file.compressed) and (whole := self._read_whole(file, offset, want)):
            return Reading(whole)
        with memoryview(buffer) as view:
            filled = file.read_into(view[:want], offset)
        mark = skipped = lines.mark(buffer, filled) if offset == 0 else 0
        if mark:
            with memoryview(buffer) as view:
                filled = file.read_into(view[:want], mark)
        while padded and filled and (hole := lines.padding(buffer, filled)):
            if hole == filled and filled < want:
                filled = 0  # only padding so far: whoever made room may still fill it in
                break
            skipped += hole
            with memoryview(buffer) as view:
                filled = file.read_into(view[:want], offset + skipped)
        padding = skipped - mark
        piece = lines.take(buffer, filled, self._max_line, midline=midline, finished=finished and filled < want)
        if piece is None and filled == want:
            buffer, filled = self._read_long(file, offset + skipped, want)
            piece = lines.take(buffer, filled, self._max_line, midline=midline, finished=finished)
        alone = skipped if padding else 0  # the mark goes with the first line only: alone it tells no file from another
        if piece is None:
            if file.damaged:
                raise Undecodable
            return Reading(b"", alone, padding) if alone else None
        content = bytes(memoryview(buffer)[: piece.length])
        if self._multiline is None or piece.broken or finished or offset + skipped + piece.length <= settled:
            return Reading(content, skipped, padding, piece.broken)
        # A record that fills the buffer alone is cut between two of its lines.
        complete = self._multiline.complete(content) or (len(content) if filled >= want else 0)
        if not complete:
            return Reading(b"", alone, padding, held=True)
        return Reading(content[:complete], skipped, padding)

    def _read_whole(self, file: Opened, offset: int, want: int) -> bytes | None:
        """The whole lines of a full piece in the middle of a file, without a copy; None when it is not that simple."""
        if want < 4 * PEEK_BYTES:
            return None
        # First where the last newline is, then just so much: a read straight into what is handed out.
        ending = file.pread(PEEK_BYTES, offset + want - PEEK_BYTES)
        after = ending.rfind(b"\n") + 1
        if len(ending) < PEEK_BYTES or not after:
            return None
        data = file.pread(want - PEEK_BYTES + after, offset)
        piece = lines.take(data, len(data), self._max_line, midline=False, finished=False)
        return data if piece is not None and piece.length == len(data) and not piece.broken else None

    def _read_long(self, file: Opened, offset: int, want: int) -> tuple[bytearray, int]:
        """A line longer than `want`: read on until its newline, or until it is too long."""
        most = self._max_line + 1
        while True:
            want = min(want * 2, most)
            buffer = bytearray(file.pread(want, offset))
            if len(buffer) < want or want == most or b"\n" in buffer:
                return buffer, len(buffer)
