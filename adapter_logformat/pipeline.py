"""One stream from bytes to bytes: lines → format → joined records → the profile's JSON lines, with counters. Pure.

The whole-chunk fast form of the stream's own format is tried first; what it leaves goes line by line. Both
give the same bytes, and so does any way of cutting the input: the caller only passes what it read and when.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import msgspec

from adapter_logformat import traces
from adapter_logformat.detect import Detector
from adapter_logformat.formats.registry import RAW
from adapter_logformat.grammar import Fast, Format, Odd, Run
from adapter_logformat.multiline import ALONE, Pending, Rule, stands_alone
from adapter_logformat.profiles import Render, load
from adapter_logformat.record import Record
from adapter_logformat.timestamps import Times, rfc3339

KeepOriginal = Literal["never", "on_failure", "always"]
UNRECOGNISED: Final = "unrecognised"
INVALID_UTF8: Final = "invalid_utf8"
LINE_TOO_LONG: Final = "line_too_long"
AFTER_CAP: Final = "continues_truncated"
TIME: Final = "time"
REASONS: Final = (UNRECOGNISED, INVALID_UTF8, LINE_TOO_LONG, AFTER_CAP, TIME)
FAST_LINES: Final = 256
FAST_BYTES: Final = 1 << 18
"""Caps below these leave no room for what the fast forms join without asking."""
_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """Caps of one stream. A line over `line_bytes` is cut into records of that size; a joined record over `lines` or
    `record_bytes` is written as it is, marked `log.truncated`, and its rest becomes a record of its own."""

    line_bytes: int = 1 << 20
    lines: int = 1000
    record_bytes: int = 1 << 20
    idle_s: float = 1.0
    age_s: float = 10.0


@dataclass(slots=True)
class Tally:
    """What happened, as plain counts; the owner takes them away with `drain`."""

    lines: int = 0
    blank_lines: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    truncated: int = 0
    records: Counter[str] = field(default_factory=Counter)
    unparsed: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Options:
    """How one input is read; `only` empty means that the format is detected."""

    only: Sequence[str] = ()
    zone: str = "UTC"
    profile: str = "otel"
    join: bool = True
    keep_original: KeepOriginal = "on_failure"
    limits: Limits = Limits()
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Snapshot:
    partial: bytes
    inside: bool
    pending: Pending | None
    detector: dict[str, object]


class Stream:
    """The state of one file or pipe. `feed` any bytes, `expire` now and then, `flush` at the end."""

    def __init__(self, options: Options, tally: Tally | None = None) -> None:
        self.tally = tally if tally is not None else Tally()
        self._options = options
        self._render = _with_attributes(load(options.profile), options.attributes)
        self._times = Times(options.zone)
        self._detector = Detector(options.only)
        self._fast: dict[str, Fast] = {}
        self._partial = b""
        self._inside = False
        self._pending: Pending | None = None
        self._out: list[bytes] = []
        self._now_ns = 0
        self._observed = ""

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

    def expire(self, now_ns: int) -> bytes:
        """Writes the joined record that has waited long enough: idle, or older than its age allows."""
        pending, limits = self._pending, self._options.limits
        if pending is not None and (
            now_ns - pending.touched_ns >= limits.idle_s * _NS or now_ns - pending.since_ns >= limits.age_s * _NS
        ):
            self._finish()
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
        self._finish()
        return self._written()

    def snapshot(self) -> dict[str, Any]:
        """Everything that is not yet in the output, JSON-encodable; for `restore` on a fresh stream of the
        same options."""
        state = _Snapshot(self._partial, self._inside, self._pending, self._detector.snapshot())
        return msgspec.to_builtins(state)  # type: ignore[no-any-return]

    def restore(self, saved: object) -> None:
        """Takes over a snapshot. `ValueError` for what is none."""
        state = msgspec.convert(saved, _Snapshot)
        self._partial, self._inside, self._pending = state.partial, state.inside, state.pending
        self._detector.restore(state.detector)

    @property
    def waits(self) -> bool:
        """Is a joined record waiting for its possible continuation?"""
        return self._pending is not None

    # -- one chunk of whole lines ------------------------------------------------------------------------------------

    def _chunk(self, whole: bytes) -> None:
        limit = self._options.limits.line_bytes
        if self._inside:
            end = whole.index(b"\n") + 1
            self._slowly(whole[:end], limit, self._detector.current)
            whole = whole[end:]
        while whole:
            current = self._detector.current
            fast = self._fast_of(current) if current is not None else None
            pieces = fast(whole, self._times, self._observed) if fast is not None and _fits(whole, limit) else None
            if pieces is not None and self._may(pieces):
                whole = self._quickly(pieces, whole, limit)
            else:
                whole = self._slowly(whole, limit, current)

    def _quickly(self, pieces: Sequence[Run | Odd], whole: bytes, limit: int) -> bytes:
        """Obeys the fast form; returns what is left when an odd piece changed the stream's format."""
        done = 0
        current = self._detector.current
        for piece in pieces:
            if isinstance(piece, Run):
                if self._pending is not None and self._pending.trace:
                    # An open trace looks at any line first: it may be its exception.
                    rest = _after_lines(whole, done)
                    end = rest.index(b"\n") + 1
                    self._slowly(rest[:end], limit, current)
                    return rest[end:]
                self._finish()
                self._detector.confirm()
                self._out.append(piece.written)
                self.tally.lines += piece.lines
                self.tally.records.update(piece.records)
                done += piece.lines
            else:
                rest = self._slowly(piece.lines, limit, current)
                done += piece.lines.count(b"\n") - rest.count(b"\n")
                if self._detector.current is not current:
                    return _after_lines(whole, done)
        return b""

    def _slowly(self, lines: bytes, limit: int, current: Format | None) -> bytes:
        """Line by line, until the stream's format changes to one that may have a fast form; returns the rest."""
        at, end = 0, len(lines)
        while at < end:
            newline = lines.index(b"\n", at)
            line = lines[at:newline]
            at = newline + 1
            if self._inside or len(line) > limit:
                self._long(line, limit)
                self._inside = False
            else:
                self._line(line)
            if self._detector.current is not current:
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
        self._finish()
        self.tally.lines += 1
        self._raw(piece.decode(errors="replace"), LINE_TOO_LONG, truncated=True)

    # -- one line ----------------------------------------------------------------------------------------------------

    def _line(self, raw: bytes) -> None:
        self.tally.lines += 1
        if raw[-1:] == b"\r":
            raw = raw[:-1]
        pending = self._pending
        if not raw:
            # Only a separator: inside a joined record it is kept between lines, else it carries nothing.
            self.tally.blank_lines += 1
            if pending is not None:
                self._join(pending, "", 0)
            return
        damaged = False
        try:
            line = raw.decode()
        except UnicodeDecodeError:
            line, damaged = raw.decode(errors="replace"), True
        if pending is not None and pending.marks(line):
            self._join(pending, line, len(raw), damaged=damaged)
            return
        found = self._detector.read(line, self._times)
        joins = pending is not None and pending.rule.joins_unknown and not stands_alone(line)
        if found is not None and not (joins and found[0].generic and _is_bare(found[1])):
            self._begin(found[1], found[0].rule, line, len(raw), damaged=damaged)
        elif pending is not None and joins:
            self._join(pending, line, len(raw), damaged=damaged)
        else:
            self._unexplained(line, len(raw), damaged=damaged)

    def _unexplained(self, line: str, size: int, *, damaged: bool) -> None:
        trace = traces.start(line) if self._options.join else None
        if trace is None:
            self._finish()
            self._raw(line, INVALID_UTF8 if damaged else UNRECOGNISED)
        else:
            self._begin(*trace[:2], line, size, damaged=damaged)
            if self._pending is not None:
                self._pending.opened(trace[2], line)

    def _begin(self, record: Record, rule: Rule, line: str, size: int, *, damaged: bool) -> None:
        self._finish()
        if not self._options.join:
            rule = ALONE
        pending = Pending(record, rule, line, self._observed, self._now_ns, self._now_ns, size, damaged=damaged)
        self._pending = pending
        if rule.marks is None:
            self._finish()

    def _join(self, pending: Pending, line: str, size: int, *, damaged: bool = False) -> None:
        limits = self._options.limits
        if len(pending.lines) >= limits.lines or pending.size + size > limits.record_bytes:
            self._cut(pending, line, size, damaged=damaged)
            return
        pending.lines.append(line)
        pending.size += size + 1
        pending.touched_ns = self._now_ns
        pending.damaged |= damaged

    def _cut(self, pending: Pending, line: str, size: int, *, damaged: bool) -> None:
        """A cap is reached: out with what there is, and the rest of it is collected in a record that says so."""
        pending.record.truncated = True
        self.tally.truncated += 1
        rule = pending.rule
        self._finish()
        if line:
            rest = Record(RAW, body=line, error=AFTER_CAP)
            self._pending = Pending(rest, rule, line, self._observed, self._now_ns, self._now_ns, size, damaged=damaged)

    def _finish(self) -> None:
        pending, self._pending = self._pending, None
        if pending is None:
            return
        record, lines = pending.record, pending.lines
        while lines and not lines[-1]:
            lines.pop()
        if record.error == AFTER_CAP:
            record.body = "\n".join([pending.first, *lines])
        elif (lines or record.body is None) and not traces.fold(record, pending.first, lines):
            record = Record(RAW, body=pending.first, error=INVALID_UTF8 if pending.damaged else UNRECOGNISED)
        if pending.damaged:
            record.error = record.error or INVALID_UTF8
        keep = self._options.keep_original
        if keep == "always" or (keep == "on_failure" and record.error and record.format != RAW):
            record.original = "\n".join([pending.first, *lines])
        self._emit(record, pending.observed)

    def _raw(self, line: str, reason: str, *, truncated: bool = False) -> None:
        record = Record(RAW, body=line, error=reason, truncated=truncated)
        if self._options.keep_original == "always":
            record.original = line
        self._emit(record, self._observed)

    def _emit(self, record: Record, observed: str) -> None:
        self.tally.records[record.format] += 1
        if record.error:
            self.tally.unparsed[record.error] += 1
        self._out.append(self._render(record, observed))

    def _may(self, pieces: Sequence[Run | Odd]) -> bool:
        only = self._options.only
        return not only or all(name in only for piece in pieces if isinstance(piece, Run) for name in piece.records)

    # -- small matters -----------------------------------------------------------------------------------------------

    def _fast_of(self, format: Format) -> Fast | None:
        options = self._options
        limits = options.limits
        roomy = limits.lines >= FAST_LINES and limits.record_bytes >= FAST_BYTES
        if format.fast is None or format.generic or not options.join or options.keep_original == "always" or not roomy:
            return None
        if format.name not in self._fast:
            self._fast[format.name] = format.fast(self._render)
        return self._fast[format.name]

    def _at(self, now_ns: int) -> None:
        if now_ns != self._now_ns:
            self._now_ns = now_ns
            self._observed = rfc3339(now_ns)
            self._times.observe(now_ns)

    def _written(self) -> bytes:
        written = self._out[0] if len(self._out) == 1 else b"".join(self._out)
        self._out.clear()
        self.tally.bytes_out += len(written)
        return written


def _fits(whole: bytes, limit: int) -> bool:
    return len(whole) <= limit or max(map(len, whole.split(b"\n"))) <= limit


def _is_bare(record: Record) -> bool:
    """Neither time nor level: pairs in the middle of a message look like this too."""
    return record.timestamp is None and record.severity_text is None


def _boundary(line: bytes, limit: int) -> int:
    """The last cut ≤ `limit` that splits no UTF-8 character (RFC 3629: at most three continuation bytes)."""
    for cut in range(limit, max(limit - 4, 0), -1):
        if line[cut] & 0xC0 != 0x80:
            return cut
    return limit


def _after_lines(whole: bytes, count: int) -> bytes:
    at = 0
    for _ in range(count):
        at = whole.index(b"\n", at) + 1
    return whole[at:]


def _with_attributes(render: Render, attributes: Mapping[str, str]) -> Render:
    if not attributes:
        return render
    fixed: dict[str, Any] = dict(attributes)

    def with_attributes(record: Record, observed: str) -> bytes:
        record.attributes = fixed | record.attributes
        return render(record, observed)

    return with_attributes
