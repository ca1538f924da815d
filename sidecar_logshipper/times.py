"""Times of records, in nanoseconds since 1970: read from what lines say, and written as sinks want them. Pure.

The same text always gives the same number, so that a record has the same time at every try and after every restart.
"""

import re
from datetime import UTC, datetime, timedelta

# RFC 3339 and what is usual beside it: a blank for the T, a comma before the fraction, no zone (taken for UTC).
_STAMP = r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9})\d*)?\s?(Z|z|[+-]\d\d:?\d\d)?"
_WHOLE = re.compile(_STAMP)
_LEADING = re.compile(r"[\[(]?" + _STAMP + r"(?![\w:+-])", re.ASCII)
_STRICT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
NS = 1_000_000_000
_LAST_NS = 2**63 - 1  # in the year 2262; servers keep such times in 64 bits
_LATEST = 4_102_444_800  # the year 2100: a number beyond this many seconds is in a finer unit


def is_rfc3339(value: object) -> bool:
    """Will every server read this text as the time it means?"""
    return isinstance(value, str) and _STRICT.fullmatch(value) is not None


class Clock:
    """Remembers the last second, which most lines share with the one before."""

    def __init__(self) -> None:
        self._read = ("", 0)
        self._written = (-1, "")

    def read(self, value: object) -> int | None:
        """A member's value: RFC 3339 text, or a number of seconds, milli-, micro- or nanoseconds. None for others."""
        if isinstance(value, str):
            match = _WHOLE.fullmatch(value)
            return self._of(match) if match else None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < _LATEST * NS:
            return None
        for unit in (NS, 1_000_000, 1_000, 1):
            if value < _LATEST * (NS // unit):
                return value * unit if isinstance(value, int) else round(value * unit / 1000) * 1000
        return None

    def read_leading(self, line: str) -> int | None:
        """The time that a plain line begins with."""
        match = _LEADING.match(line)
        return self._of(match) if match else None

    def _of(self, match: re.Match[str]) -> int | None:
        day, time, fraction, zone = match.groups()
        if zone is None or zone in "Zz":
            zone = "+00:00"
        second = f"{day}T{time}{zone}"
        if self._read[0] != second:
            try:
                self._read = (second, (datetime.fromisoformat(second) - _EPOCH) // _SECOND)
            except ValueError:
                return None
        ns = self._read[1] * NS + (int(fraction.ljust(9, "0")) if fraction else 0)
        return ns if 0 <= ns <= _LAST_NS else None

    def written(self, ns: int) -> str:
        """RFC 3339 with nine digits, in UTC."""
        second, rest = divmod(ns, NS)
        if self._written[0] != second:
            self._written = (second, (_EPOCH + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S"))
        return f"{self._written[1]}.{rest:09d}Z"
