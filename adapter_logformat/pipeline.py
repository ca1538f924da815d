"""One stream from bytes to bytes: chunks → lines → lanes of records, with counters. Pure.

The whole-chunk fast form of the stream's own format is tried first; what it leaves goes line by line. Both
give the same bytes, and so does any way of cutting the input: the caller only passes what it read and when.
What a container runtime put around the lines is peeled here, and the app's two streams go their own ways.
"""

import dataclasses
from codecs import BOM_UTF8
from collections.abc import Sequence
from copy import copy
from typing import Any, Final

import msgspec

from adapter_logformat import wrappers
from adapter_logformat.formats.registry import WRAPPERS
from adapter_logformat.grammar import Fast, Format, Odd, Run
from adapter_logformat.lane import Lane, LaneState, rendering
from adapter_logformat.options import LINE_TOO_LONG, Limits, Options, Tally
from adapter_logformat.twofold import twofold
from adapter_logformat.wrapped import Wrapped

__all__ = ("Limits", "Options", "Stream", "Tally")

FAST_LINES: Final = 256
FAST_BYTES: Final = 1 << 18
"""Caps below these leave no room for what the fast forms join without asking."""
WORTH_ANOTHER_TRY: Final = 64
"""A shorter run of lines after an open trace goes line by line: trying again after each would be quadratic."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Snapshot:
    partial: bytes
    inside: bool
    lane: LaneState
    inner: dict[str, LaneState]
    pieces: dict[str, bytes]


class Stream:
    """The state of one file or pipe. `feed` any bytes, `expire` now and then, `flush` at the end."""

    def __init__(self, options: Options, tally: Tally | None = None) -> None:
        self.tally = tally if tally is not None else Tally()
        self._options = options
        self._out: list[bytes] = []
        only = tuple(name for name in options.only if name not in WRAPPERS)
        self._unwrapped = dataclasses.replace(options, only=only)
        self._lane = Lane(self._unwrapped, self.tally, self._out)
        self._wrapped = Wrapped(self._unwrapped, self.tally, self._out)
        self._fast: dict[str, Fast] = {}
        self._partial = b""
        self._inside = False
        self._now_ns = 0
        self.written_ns = options.written_ns
        """When the file was last written, 0: not known; may be set before what was read then is fed."""
        self.slow_lines = 0
        """So many lines were read one by one."""

    def feed(self, data: bytes, now_ns: int) -> bytes:
        """The records completed by `data`, which was read at `now_ns`."""
        self._at(now_ns)
        self.tally.bytes_in += len(data)
        end = data.rfind(b"\n") + 1
        if not end:
            self._keep_partial(data)
            return self._written()
        whole = data if end == len(data) else data[:end]
        if self._partial:
            whole, self._partial = self._partial + whole, b""
        self._chunk(whole)
        if end != len(data):
            self._keep_partial(data[end:])
        return self._written()

    def message(self, data: bytes, now_ns: int) -> bytes:
        """The record of exactly one message, whose frame said where it ends."""
        self._at(now_ns)
        self.tally.bytes_in += len(data)
        self.tally.lines += 1
        self._lane.message(data)
        return self._written()

    def expire(self, now_ns: int) -> bytes:
        """Writes the joined records that have waited long enough: idle, or older than their age allows."""
        for lane in self._lanes():
            lane.expire(now_ns)
        return self._written()

    def flush(self, now_ns: int | None = None) -> bytes:
        """The end of the stream: an unterminated last line counts as a line, nothing waits any longer."""
        if now_ns is not None:
            self._at(now_ns)
        if self._partial:
            line, self._partial = self._partial, b""
            if self._inside:
                self._piece(line)
            else:
                self._line(line)
        self._inside = False
        self._wrapped.end()
        for lane in self._lanes():
            lane.finish()
        return self._written()

    def snapshot(self) -> dict[str, Any]:
        """Everything that is not yet in the output, JSON-encodable; for `restore` on a fresh stream of the
        same options."""
        inner = {name: lane.state() for name, lane in self._wrapped.lanes.items()}
        state = _Snapshot(self._partial, self._inside, self._lane.state(), inner, self._wrapped.pieces)
        return msgspec.to_builtins(state)  # type: ignore[no-any-return]

    def restore(self, saved: object) -> None:
        """Takes over a snapshot. `ValueError` for what is none."""
        state = msgspec.convert(saved, _Snapshot)
        self._partial, self._inside = state.partial, state.inside
        self._lane.restore(state.lane)
        self._wrapped.restore(state.inner, state.pieces)

    @property
    def waits(self) -> bool:
        """Is a joined record waiting for its possible continuation?"""
        return any(lane.pending is not None for lane in self._lanes())

    # -- one chunk of whole lines ------------------------------------------------------------------------------------

    def _chunk(self, whole: bytes) -> None:
        limit = self._options.limits.line_bytes
        if self._inside:
            end = whole.index(b"\n") + 1
            self._slowly(whole[:end], limit, self._lane.detector.current)
            whole = whole[end:]
        while whole:
            current = self._lane.detector.current
            pieces = self._pieces_of(current, whole) if current is not None and _fits(whole, limit) else None
            if pieces is not None and self._may(pieces):
                whole = self._quickly(pieces, whole, limit)
            else:
                whole = self._slowly(whole, limit, current)

    def _pieces_of(self, current: Format, whole: bytes) -> Sequence[Run | Odd] | None:
        try:
            fast = self._fast_of(current)
            return fast(whole, self._lane.times, self._lane.observed) if fast is not None else None
        except Exception as error:  # line by line only one of them fails
            self.tally.bug(error)
            return None

    def _quickly(self, pieces: Sequence[Run | Odd], whole: bytes, limit: int) -> bytes:
        """Obeys the fast form; returns what is left when an odd piece changed the stream's format."""
        at = obeyed = 0  # bytes passed, and lines behind them that were obeyed too
        lane = self._lane
        current = lane.detector.current
        for piece in pieces:
            if isinstance(piece, Run):
                if lane.pending is not None:
                    at, obeyed = _after_lines(whole, at, obeyed), 0
                # Asked of a copy: it takes note of what it is asked, and the slow path asks again.
                if lane.pending is None or not copy(lane.pending).marks(_line_at(whole, at)):
                    lane.finish()
                    lane.detector.confirm()
                    self._out.append(piece.written)
                    self._measure(piece)
                    self.tally.lines += piece.lines
                    self.tally.records.update(piece.records)
                    obeyed += piece.lines
                    continue
                # An open record looks at any line first: this is its own. A long run is worth another try.
                end = _after_lines(whole, at, 1 if piece.lines > WORTH_ANOTHER_TRY else piece.lines)
                rest = self._slowly(whole[at:end], limit, current)
                at = end - len(rest)
                if rest or piece.lines > WORTH_ANOTHER_TRY:
                    return whole[at:]
            else:
                rest = self._slowly(piece.lines, limit, current)
                obeyed += piece.lines.count(b"\n") - rest.count(b"\n")
                if lane.detector.current is not current:
                    return whole[_after_lines(whole, at, obeyed) :]
        return b""

    def _measure(self, run: Run) -> None:
        if self._options.measures is not None:
            try:
                self._options.measures.run(run.told or run.written, run.records)
            except Exception as error:  # what is counted of a record is worth less than the record
                self.tally.bug(error)

    def _slowly(self, lines: bytes, limit: int, current: Format | None) -> bytes:
        """Line by line, until the stream's format changes to one that may have a fast form; returns the rest."""
        at, end = 0, len(lines)
        while at < end:
            newline = lines.index(b"\n", at)
            line = lines[at:newline]
            at = newline + 1
            self.slow_lines += 1
            if self._inside or len(line) > limit:
                self._long(line, limit)
                self._inside = False
            else:
                self._line(line)
            if self._lane.detector.current is not current:
                return lines[at:]
        return b""

    def _keep_partial(self, data: bytes) -> None:
        self._partial += data
        limit = self._options.limits.line_bytes
        while len(self._partial) > limit:
            self._inside = True
            cut = _boundary(self._partial, limit)
            piece, self._partial = self._partial[:cut], self._partial[cut:]
            self._piece(piece)

    def _long(self, line: bytes, limit: int) -> None:
        while len(line) > limit:
            cut = _boundary(line, limit)
            self._piece(line[:cut])
            line = line[cut:]
        if line:
            self._piece(line)

    def _piece(self, piece: bytes) -> None:
        self._lane.finish()
        self.tally.lines += 1
        self._lane.raw(piece.decode(errors="replace"), LINE_TOO_LONG, truncated=True)

    # -- one line ----------------------------------------------------------------------------------------------------

    def _line(self, raw: bytes) -> None:
        self.tally.lines += 1
        if raw[:3] == BOM_UTF8:  # the mark of the file, and of each that was put behind it: no text
            raw = raw[3:]
        peeled = wrappers.peel(raw, self._lane.times)
        if peeled is None:
            self._lane.line(raw)
            return
        self._lane.finish()
        self._wrapped.line(peeled, self._now_ns)

    def _lanes(self) -> list[Lane]:
        return [self._lane, *self._wrapped.lanes.values()]

    # -- small matters -----------------------------------------------------------------------------------------------

    def _may(self, pieces: Sequence[Run | Odd]) -> bool:
        only = self._unwrapped.only or tuple(format.name for format in self._unwrapped.own)
        return not only or all(name in only for piece in pieces if isinstance(piece, Run) for name in piece.records)

    def _fast_of(self, format: Format) -> Fast | None:
        options = self._options
        limits = options.limits
        roomy = limits.lines >= FAST_LINES and limits.record_bytes >= FAST_BYTES
        joins = options.join and options.start is None
        if format.fast is None or format.generic or not joins or options.keep_original == "always" or not roomy:
            return None
        if format.name not in self._fast:
            fast = format.fast(self._lane.render)
            if options.measures is not None and options.profile != "otel":
                fast = twofold(fast, format.fast(rendering("otel", options.attributes)))
            self._fast[format.name] = fast
        return self._fast[format.name]

    def _at(self, now_ns: int) -> None:
        self._now_ns = now_ns
        self._lane.at(now_ns, self.written_ns)

    def _written(self) -> bytes:
        written = self._out[0] if len(self._out) == 1 else b"".join(self._out)
        self._out.clear()
        self.tally.bytes_out += len(written)
        return written


def _fits(whole: bytes, limit: int) -> bool:
    return len(whole) <= limit or max(map(len, whole.split(b"\n"))) <= limit


def _boundary(line: bytes, limit: int) -> int:
    """The last cut ≤ `limit` that splits no UTF-8 character (RFC 3629: at most three continuation bytes)."""
    for cut in range(limit, max(limit - 4, 0), -1):
        if line[cut] & 0xC0 != 0x80:
            return cut
    return limit


def _line_at(whole: bytes, at: int) -> str:
    return whole[at : whole.index(b"\n", at)].decode(errors="replace")


def _after_lines(whole: bytes, at: int, count: int) -> int:
    for _ in range(count):
        at = whole.index(b"\n", at) + 1
    return at
