"""One sequence of lines to records: format → joined records → the profile's JSON lines, with counters. Pure.

A file is one lane; in a container's log each of the app's two streams is one. How bytes become lines, and the
whole-chunk forms, are the matter of `pipeline`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from adapter_logformat import traces
from adapter_logformat.detect import Detector
from adapter_logformat.formats import registry
from adapter_logformat.formats.registry import RAW
from adapter_logformat.grammar import Format
from adapter_logformat.multiline import ALONE, LINES, TEXT, Pending, Rule, stands_alone
from adapter_logformat.options import AFTER_CAP, BUG, INVALID_UTF8, UNRECOGNISED, Options, Tally
from adapter_logformat.profiles import Render, load
from adapter_logformat.record import Record
from adapter_logformat.timestamps import Times, rfc3339

_NS: Final = 1_000_000_000
_COLOURS: Final = re.compile(r"\x1b\[[0-9;]{0,32}[mK]")


@dataclass(frozen=True, slots=True)
class LaneState:
    """Everything of a lane that is not yet in the output."""

    pending: Pending | None
    detector: dict[str, object]
    directives: dict[str, str] = field(default_factory=dict)
    now_ns: int = 0
    observed: str = ""


class Lane:
    """Lines in, rendered records at the end of `out`."""

    def __init__(self, options: Options, tally: Tally, out: list[bytes]) -> None:
        self.tally = tally
        self.options = options
        self.render = rendering(options.profile, options.attributes)
        self.times = Times(options.zone)
        self.detector = Detector(options.only, options.own)
        self.pending: Pending | None = None
        self.observed = ""
        self._starts = re.compile(options.start).match if options.start is not None else None
        self._framed = False
        self._now_ns = 0
        self._out = out

    def at(self, now_ns: int, written_ns: int) -> None:
        """The moment at which the following lines were read, and that at which they were written at the latest; 0 where
        that is not known."""
        if now_ns != self._now_ns:
            self._now_ns = now_ns
            self.observed = rfc3339(now_ns)
        self.times.observe(min(written_ns or now_ns, now_ns), written=written_ns > 0)

    def at_moment(self, now_ns: int, moment: str) -> None:
        """The same where somebody else took them from their writer, at `moment` (RFC 3339 in UTC)."""
        self._now_ns = now_ns
        self.observed = moment
        self.times.observe_date(moment, written=True)

    def line(self, raw: bytes) -> None:
        """One line without its newline."""
        if raw[-1:] == b"\r":
            raw = raw[:-1]
        pending = self.pending
        if not raw:
            # Only a separator: inside a joined record it is kept between lines, else it carries nothing.
            self.tally.blank_lines += 1
            if pending is not None:
                self._join(pending, "", 0)
            return
        line, damaged = _text(raw)
        plain = _plain(line)
        if pending is not None and (pending.marks(plain) if self._starts is None else not self._starts(plain)):
            self._join(pending, line, len(raw), damaged=damaged)
            return
        try:
            found = self.detector.read(plain, self.times)
        except Exception as error:
            self.finish()
            self.tally.bug(error)
            self.raw(line, BUG)
            return
        joins = pending is not None and pending.rule.joins_unknown and not stands_alone(plain) and self._starts is None
        if found is not None and not (joins and self._is_weak(*found)):
            self._begin(found[1], _rule(*found), line, len(raw), damaged=damaged)
        elif pending is not None and joins:
            self._join(pending, line, len(raw), damaged=damaged)
        else:
            self._unexplained(line, len(raw), damaged=damaged)

    def message(self, raw: bytes) -> None:
        """One message whose frame said where it ends: its first line is read, newlines in it belong to it."""
        first, *rest = raw.split(b"\n")
        self.finish()
        self._framed = True
        self.line(first)
        for text in rest:
            self.tally.lines += 1
            if self.pending is None:
                self.line(text)
            else:
                line, damaged = _text(text.removesuffix(b"\r"))
                self._join(self.pending, line, len(text), damaged=damaged)
        self._framed = False
        self.finish()

    def _unexplained(self, line: str, size: int, *, damaged: bool) -> None:
        trace = traces.start(line) if self.options.join else None
        if self._starts is not None or self._framed:
            error = INVALID_UTF8 if damaged else UNRECOGNISED
            self._begin(Record(RAW, body=line, error=error), TEXT, line, size, damaged=damaged)
        elif trace is None:
            self.finish()
            self.raw(line, INVALID_UTF8 if damaged else UNRECOGNISED)
        else:
            self._begin(*trace[:2], line, size, damaged=damaged)
            if self.pending is not None:
                self.pending.opened(trace[2], line)

    def _begin(self, record: Record, rule: Rule, line: str, size: int, *, damaged: bool) -> None:
        self.finish()
        if self._starts is not None or self._framed:
            rule = TEXT
        elif not self.options.join:
            rule = ALONE
        pending = Pending(record, rule, line, self.observed, self._now_ns, self._now_ns, size, damaged=damaged)
        self.pending = pending
        if rule.marks is None:
            self.finish()

    def _join(self, pending: Pending, line: str, size: int, *, damaged: bool = False) -> None:
        limits = self.options.limits
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
        self.finish()
        if line:
            rest = Record(RAW, body=line, error=AFTER_CAP)
            self.pending = Pending(rest, rule, line, self.observed, self._now_ns, self._now_ns, size, damaged=damaged)

    def finish(self) -> None:
        """Nothing continues the record that waits: out with it."""
        pending, self.pending = self.pending, None
        if pending is None:
            return
        try:
            self._write(pending)
        except Exception as error:
            self.tally.bug(error)
            self._emit(Record(RAW, body="\n".join([pending.first, *pending.lines]), error=BUG), pending.observed)

    def _write(self, pending: Pending) -> None:
        record, whole = pending.record, pending.lines
        while whole and not whole[-1]:
            whole.pop()
        lines = list(map(_plain, whole))
        if record.error == AFTER_CAP:
            record.body = "\n".join([pending.first, *whole])
        elif pending.rule.folds:
            fold = registry.named(record.format).fold
            if fold is not None:
                fold(record, _plain(pending.first), lines)
        elif (lines or record.body is None) and not traces.fold(record, _plain(pending.first), lines):
            body = "\n".join([pending.first, *whole])
            error = INVALID_UTF8 if pending.damaged else UNRECOGNISED
            record = Record(RAW, body=body, error=error, truncated=record.truncated)
        if pending.damaged:
            record.error = record.error or INVALID_UTF8
        keep = self.options.keep_original
        if keep == "always" or (keep == "on_failure" and record.error and record.format != RAW):
            record.original = "\n".join([pending.first, *whole])
        self._emit(record, pending.observed)

    def raw(self, line: str, reason: str, *, truncated: bool = False) -> None:
        """A line as it is, and why."""
        record = Record(RAW, body=line, error=reason, truncated=truncated)
        if self.options.keep_original == "always":
            record.original = line
        self._emit(record, self.observed)

    def _emit(self, record: Record, observed: str) -> None:
        rendered = self.render(record, observed)  # first, since it may fail
        self.tally.records[record.format] += 1
        if record.error:
            self.tally.unparsed[record.error] += 1
        if self.options.measures is not None:
            try:
                self.options.measures.record(record)
            except Exception as error:  # what is counted of a record is worth less than the record
                self.tally.bug(error)
        self._out.append(rendered)

    def _is_weak(self, format: Format, record: Record) -> bool:
        """No header but the middle of a message: it has no time, and its format is so loose that sentences fit it."""
        if not format.generic or record.timestamp is not None:
            return False
        return record.severity_text is None or format is not self.detector.current

    def expire(self, now_ns: int) -> None:
        """Writes the joined record that has waited long enough: idle, or older than its age allows."""
        pending, limits = self.pending, self.options.limits
        if pending is not None and (
            now_ns - pending.touched_ns >= limits.idle_s * _NS or now_ns - pending.since_ns >= limits.age_s * _NS
        ):
            self.finish()

    def state(self) -> LaneState:
        directives = dict(self.times.directives)
        return LaneState(self.pending, self.detector.snapshot(), directives, self._now_ns, self.observed)

    def restore(self, state: LaneState) -> None:
        self.pending = state.pending
        self.detector.restore(state.detector)
        self.times.directives = dict(state.directives)
        if state.observed:
            self.at_moment(state.now_ns, state.observed)


def _text(raw: bytes) -> tuple[str, bool]:
    """As text, and whether some of it is none."""
    try:
        return raw.decode(), False
    except UnicodeDecodeError:
        return raw.decode(errors="replace"), True


def _plain(line: str) -> str:
    """The line without the colours of a terminal, which loggers write into files too."""
    return _COLOURS.sub("", line) if "\x1b" in line else line


def _rule(format: Format, record: Record) -> Rule:
    """How a record goes on is said by the format it is in, which may be one inside the line's own. A level alone makes
    no header that any line may go on with."""
    if format.generic and record.timestamp is None and format.rule is TEXT:
        return LINES
    return format.rule if record.format in format.names else registry.named(record.format).rule


def rendering(profile: str, attributes: Mapping[str, str]) -> Render:
    """How `profile` writes a record that gets these attributes besides."""
    render = load(profile)
    if not attributes:
        return render
    fixed: dict[str, Any] = dict(attributes)

    def with_attributes(record: Record, observed: str) -> bytes:
        record.attributes = fixed | record.attributes
        return render(record, observed)

    return with_attributes
