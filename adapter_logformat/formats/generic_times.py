"""The usual ways to write a time at the beginning of a log line, as one list: the form that begins first wins, and of
those the one that is listed first.
"""

import re
from typing import Final, NamedTuple

from adapter_logformat.record import Stamp
from adapter_logformat.timestamps import Times

_CLOCK: Final = (
    r"(?P<clock>[012]?\d:[0-5]?\d:[0-5]?\d|[012]?\d\.[0-5]\d\.[0-5]\d)"
    # What follows a comma may be the next column of a table.
    r"(?:[.,:](?P<fraction>(?<!,)\d{1,9}|\d{3}(?:\d{3}){0,2}(?!\d))(?!\.\d))?"
)
_ZONE: Final = r"(?: ?(?P<zone>Z(?![\w])|[+-]\d\d:?\d\d(?!\d)|(?:UTC|GMT|CES?T|E[SD]T|P[SD]T|M[SD]T|MSK)(?!\w)))?"
_HALF: Final = r"(?: (?P<half>[AP]M))?"
_MONTH: Final = r"(?P<month>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}"
_END: Final = r"(?!\d|:\d)"
_LAYOUTS: Final = (
    rf"(?P<year>\d{{4}})[-/.](?P<month>\d{{1,2}})[-/.](?P<day>\d{{1,2}})(?:[T_\-]| {{1,2}}|, ?|:"
    rf" ?){_CLOCK}{_HALF}{_ZONE}",
    rf"(?P<year>(?:19|20)\d\d)(?P<month>[01]\d)(?P<day>[0-3]\d)[T_\- ]?(?:{_CLOCK}|(?P<packed>[012]\d[0-5]\d[0-5]\d)"
    r"(?:[.,](?P<fraction2>\d{1,9}))?)" + _ZONE,
    rf"(?P<day>\d{{1,2}})[-/ .](?:{_MONTH})[-/ .,]{{1,2}}(?P<year>\d{{4}})[: T,]{{1,2}}{_CLOCK}{_HALF}{_ZONE}",
    rf"(?P<day>\d{{1,2}})[-/ ]{_MONTH}[-/ ](?P<year>\d\d) {_CLOCK}{_HALF}{_ZONE}",
    rf"{_MONTH} {{1,2}}(?P<day>\d{{1,2}})(?:,? (?P<year>\d{{4}}),?)? {_CLOCK}{_HALF}"
    rf"(?:(?: (?P<zone2>UTC|GMT|[A-Z]{{3,4}}))? (?P<year2>(?:19|20)\d\d))?{_ZONE}",
    rf"(?P<day>\d{{1,2}})\.(?P<month>\d{{1,2}})\.(?P<year>\d{{4}})(?:[T_\-]|,? | -- ){_CLOCK}{_ZONE}",
    rf"(?P<month>\d{{1,2}})/(?P<day>\d{{1,2}})/(?P<year>\d{{4}})(?:[T_\-]|,? | -- ){_CLOCK}{_HALF}{_ZONE}",
    rf"(?P<day>\d\d)-(?P<month>\d\d)-(?P<year>(?:19|20)\d\d)(?:[T_]|,? ){_CLOCK}{_HALF}{_ZONE}",
    rf"(?P<year>\d\d)[-/](?P<month>\d\d)[-/](?P<day>\d\d) {_CLOCK}{_HALF}{_ZONE}",
    rf"(?P<year>\d\d)(?P<month>[01]\d)(?P<day>[0-3]\d) (?:{_CLOCK}|(?P<packed>[012]\d[0-5]\d[0-5]\d))",
    rf"(?P<month>[01]?\d)[-./](?P<day>[0-3]?\d) {_CLOCK}{_ZONE}",
    rf"(?P<day>[0-3]?\d)[-/ .]{_MONTH} {_CLOCK}{_ZONE}",
    rf"{_CLOCK} (?P<year>\d{{4}})[-/](?P<month>\d\d)[-/](?P<day>\d\d){_ZONE}",
    r"(?P<epoch>1[0-9]{9})(?:\.(?P<fraction>\d{1,9}))?(?![\w.\-])",
    r"(?P<epoch>1[0-9]{9})(?P<fraction>\d{3})(?![\w.\-])",
    rf"(?P<only>[012]\d:[0-5]\d:[0-5]\d)(?:[.,](?P<fraction>\d{{1,9}}))?{_HALF}",
)
_BEGIN: Final = r"(?<![\w.:/\-+])(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6},? {1,2})?"
_PATTERNS: Final = tuple(re.compile(_BEGIN + layout + _END) for layout in _LAYOUTS)
_POSSIBLE: Final = re.compile(r"\d(?::\d\d?:\d|\.\d\d\.\d\d|\d{5})")
"""Some of this is in every time."""
_WITH_DATE: Final = re.compile(
    _BEGIN + "(?:" + "|".join(re.sub(r"\?P<\w+>", "?:", layout) + "()" for layout in _LAYOUTS[:-1]) + ")" + _END
)
"""All but the clock alone, in one: the group that is set has the layout's number, counted from one."""
_WITH_SLASHES: Final = 6
_UNSURE: Final = (_WITH_SLASHES, 7)
"""Layouts whose day and month may have changed places: with dashes always, with slashes but for AM and PM."""
_SHORT_YEAR: Final = 8
"""The layout whose two-digit year may be a day."""
_CLOCK_ALONE: Final = len(_LAYOUTS) - 1
LATEST_CLOCK: Final = 12
"""A clock without a date that begins further in belongs to the message."""


class Found(NamedTuple):
    """A time in a line: where it begins and ends, and its pieces."""

    begin: int
    end: int
    pieces: dict[str, str | None]
    is_unsure: bool
    is_short: bool
    counts_milliseconds: bool
    """What follows the seconds stands behind a colon: no decimal places but a number of milliseconds."""

    @property
    def is_bare(self) -> bool:
        """A clock without a date, or a number of seconds: elsewhere than in a header it may be anything."""
        return "month" not in self.pieces

    def stamp(self, times: Times) -> Stamp | None:
        """The moment; `None` for one that does not exist. Of `03/04/2026` the month is assumed, of `20-11-26` the
        year."""
        told = self.pieces
        fraction = told.get("fraction") or told.get("fraction2")
        if fraction and self.counts_milliseconds:
            fraction = fraction.zfill(3)
        if (epoch := told.get("epoch")) is not None:
            return times.epoch(int(epoch), fraction or "")
        if (only := told.get("only")) is not None:
            if (half := told.get("half")) is not None:
                only = f"{int(only[:2]) % 12 + (12 if half == 'PM' else 0):02d}{only[2:]}"
            return times.clock(only, fraction)
        month, day = told["month"] or "", told["day"] or ""
        clock = told.get("clock") or told.get("packed") or ""
        year, guessed = told.get("year") or told.get("year2"), "year" if self.is_short else ""
        if self.is_unsure:
            if int(month) > 12:
                month, day = day, month
            elif int(day) <= 12 and day != month:
                guessed = "month"
        stamp = times.parts(year, month, day, clock, fraction, told.get("zone") or told.get("zone2"), told.get("half"))
        if stamp is None or not guessed:
            return stamp
        return Stamp(stamp.text, ",".join(filter(None, (guessed, stamp.assumed))))


def find(text: str) -> Found | None:
    """The first time in `text`; a bare clock counts only near its beginning."""
    if _POSSIBLE.search(text) is None:
        return None
    best, number = None, _CLOCK_ALONE
    known = _WITH_DATE.search(text)
    if known is not None:
        number = (known.lastindex or 1) - 1
        best = _PATTERNS[number].match(text, known.start())
    if best is None or best.start() > 0:
        clock = _PATTERNS[_CLOCK_ALONE].search(text)
        if clock is not None and clock.start() <= LATEST_CLOCK and (best is None or clock.start() < best.start()):
            best, number = clock, _CLOCK_ALONE
    return None if best is None else _found(best, number)


def _found(match: re.Match[str], number: int) -> Found:
    pieces = match.groupdict()
    is_unsure = number in _UNSURE and not (number == _WITH_SLASHES and pieces["half"])
    return Found(match.start(), match.end(), pieces, is_unsure, number == _SHORT_YEAR, _behind_colon(match))


def _behind_colon(found: re.Match[str]) -> bool:
    groups = found.re.groupindex
    at = found.start("fraction") if "fraction" in groups else -1
    return at > 0 and found.string[at - 1] == ":"
