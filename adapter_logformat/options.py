"""How one input is read, its caps, why a line is not, and the counts of what happened. Pure values."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from adapter_logformat.grammar import Format
from adapter_logformat.measures import Measures

KeepOriginal = Literal["never", "on_failure", "always"]
UNRECOGNISED: Final = "unrecognised"
INVALID_UTF8: Final = "invalid_utf8"
LINE_TOO_LONG: Final = "line_too_long"
AFTER_CAP: Final = "continues_truncated"
TIME: Final = "time"
BUG: Final = "bug"
"""A reader failed on the line instead of refusing it. One line must not keep all others from being read."""
REASONS: Final = (UNRECOGNISED, INVALID_UTF8, LINE_TOO_LONG, AFTER_CAP, TIME, BUG)
MOST_BUGS: Final = 64


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
    """What happened, as plain counts, which only grow."""

    lines: int = 0
    blank_lines: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    truncated: int = 0
    records: Counter[str] = field(default_factory=Counter)
    unparsed: Counter[str] = field(default_factory=Counter)
    bugs: dict[str, bool] = field(default_factory=dict)
    """Where a reader failed, at most MOST_BUGS; true once it was told."""

    def bug(self, error: Exception) -> None:
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        where = f"{trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}" if trace is not None else "?"
        if len(self.bugs) < MOST_BUGS:
            self.bugs.setdefault(f"{type(error).__name__} at {where}", False)

    def untold_bugs(self) -> list[str]:
        """Kind and place of each, for the log: without any of what the app has written."""
        untold = [where for where, told in self.bugs.items() if not told]
        self.bugs.update(dict.fromkeys(untold, True))
        return untold


@dataclass(frozen=True, slots=True)
class Options:
    """How one input is read; `only` and `own` (formats in no catalogue) empty means that the format is detected.

    `start`: a regex; a line that it does not match at its beginning continues the record before it, whatever the line
    looks like."""

    only: Sequence[str] = ()
    own: Sequence[Format] = ()
    zone: str = "UTC"
    profile: str = "otel"
    join: bool = True
    start: str | None = None
    keep_original: KeepOriginal = "on_failure"
    limits: Limits = Limits()
    attributes: Mapping[str, str] = field(default_factory=dict)
    written_ns: int = 0
    """When the file was last written, where that is known: a year that its lines lack is the last one that leads to no
    later than a day after it."""
    measures: Measures | None = None
    """Every record that is written is counted there too."""
