"""Reading times: layout → RFC 3339 in UTC, as precise as written; each second of log time is converted once.

Pure: the zone and the moment of observation are given. A missing date is the one nearest to the observed hour, so is a
missing year, or where the moment of writing is known the last one that leads to no later than a day after it. A missing
zone is the configured one, daylight saving per record. Everything guessed is named in `Stamp.assumed`.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

from adapter_logformat.record import Stamp

MONTHS: Final = {name: number for number, name in enumerate(
    ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1)}  # fmt: skip
CACHE_LIMIT: Final = 8192
"""Distinct seconds kept per layout; a full cache is emptied, so a year of unordered times costs no memory."""

_CLF: Final = re.compile(r"\d\d/[A-Z][a-z][a-z]/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}", re.ASCII)
_ODD_CLF: Final = re.compile(
    r"(\d\d)/([A-Z][a-z][a-z])/(\d{4}):(\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?: ([+-]\d{4}))?", re.ASCII
)
_ISO: Final = re.compile(
    r"(\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?(?: ?(Z|[+-]\d\d(?::?\d\d)?))?", re.ASCII
)
_UTC_LINES: Final = re.compile(r"(?:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}+Z(?:\n|\Z))++", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NS: Final = 1_000_000_000

K = TypeVar("K")
V = TypeVar("V")


ZONES: Final = {
    "Z": 0, "UTC": 0, "GMT": 0, "UT": 0, "WET": 0, "WEST": 60, "CET": 60, "CEST": 120, "EET": 120, "EEST": 180,
    "MSK": 180, "EST": -300, "EDT": -240, "CST": -360, "CDT": -300, "MST": -420, "MDT": -360, "PST": -480,
    "PDT": -420, "AKST": -540, "AKDT": -480, "HST": -600, "JST": 540, "KST": 540, "AEST": 600, "AEDT": 660,
    "NZST": 720, "NZDT": 780,
}  # fmt: skip
"""Minutes east of Greenwich by abbreviation; one that means several zones (IST, BST) is not here and counts as none."""


def rfc3339(ns: int) -> str:
    """Nanoseconds since the epoch as RFC 3339 with microseconds: the form of `observed_timestamp`."""
    moment = _EPOCH + timedelta(microseconds=ns // 1000)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}Z"


class Times:
    """Reads times for one stream. Every method gives a `Stamp`, or `None` for text that is no moment at all."""

    def __init__(self, zone: str = "UTC") -> None:
        self._zone = UTC if zone == "UTC" else ZoneInfo(zone)
        self._observed = _EPOCH
        self._hour = -1
        self._is_written = False
        self._clf: dict[str, Stamp | None] = {}
        self.clf_bytes = _ClfBytes()
        self._iso_z: dict[str, str] = {}
        self._iso: dict[str, str | None] = {}
        self._near: dict[str, Stamp | None] = {}
        self._seconds: dict[int, str | None] = {}
        self._parts: dict[tuple[str | None, ...], Stamp | None] = {}
        self.directives: dict[str, str] = {}
        """What header lines of the stream said about the lines below them (`#Fields:` of the W3C format)."""

    def observe(self, now_ns: int, *, written: bool = False) -> None:
        """The moment the following lines were read, or `written` at the latest; guesses of year and date lean on its
        hour only."""
        hour = now_ns // (3600 * _NS)
        if hour != self._hour or written is not self._is_written:
            self._hour, self._is_written = hour, written
            self._observed = _EPOCH + timedelta(hours=hour)
            self._near.clear()
            self._parts.clear()

    def observe_date(self, date: str, *, written: bool = False) -> None:
        """The same for a moment in UTC that is written out: `2026-11-20T08…`, or the date alone."""
        moment = datetime.fromisoformat(date[:13]).replace(tzinfo=UTC)
        self.observe((moment - _EPOCH) // timedelta(hours=1) * 3600 * _NS, written=written)

    def parts(
        self, year: str | None, month: str, day: str, clock: str,
        fraction: str | None = None, zone: str | None = None, half: str | None = None,
    ) -> Stamp | None:  # fmt: skip
        """A moment in pieces: year of 4 or 2 digits or missing, month as number or English name, clock as `8:51:00`,
        `085100` or with points, zone as offset or abbreviation, `half` AM or PM."""
        key = (year, month, day, clock, zone, half)
        try:
            found = self._parts[key]
        except KeyError:
            found = _kept(self._parts, key, self._of_parts(*key))
        return found if found is None or not fraction else Stamp(f"{found.text[:-1]}.{fraction}Z", found.assumed)

    def clf(self, text: str) -> Stamp | None:
        """`10/Oct/2000:13:55:36 -0700` (the common log format), also with a fraction, or without the zone."""
        try:
            return self._clf[text]
        except KeyError:
            return _kept(self._clf, text, _clf(text) or self._odd_clf(text))

    def iso(self, second: str, fraction: str | None = None, zone: str | None = None) -> Stamp | None:
        """`2026-11-20 08:51:00` (also `T` and `/`), digits after the decimal sign, and `Z`, `+02:00`,
        `+0200`, `+02` or nothing."""
        key = second + zone if zone else second
        try:
            prefix = self._iso[key]
        except KeyError:
            prefix = _kept(self._iso, key, self._iso_second(second, zone))
        if prefix is None:
            return None
        return Stamp(f"{prefix}.{fraction}Z" if fraction else prefix + "Z", "" if zone else "zone")

    def iso_column(
        self, seconds: Sequence[str], fractions: Sequence[str | None], zones: Sequence[str | None]
    ) -> tuple[list[str], str] | None:
        """`iso` for many at once: texts and what was assumed; `None` unless all have a fraction, one zone,
        and are moments."""
        zone = zones[0]
        if zones.count(zone) != len(zones) or None in fractions:
            return None
        prefixes: dict[str, str] = {}
        for second in set(seconds):
            stamp = self.iso(second, None, zone)
            if stamp is None:
                return None
            prefixes[second] = stamp.text[:-1]
        # An empty fraction cannot come out of a grammar, so every text has a point.
        texts = [f"{prefixes[second]}.{fraction}Z" for second, fraction in zip(seconds, fractions, strict=True)]
        return texts, "" if zone else "zone"

    def are_utc(self, column: Sequence[str]) -> bool:
        """Are all of them moments in UTC with a fraction, written as `text` would give them back?"""
        if not _UTC_LINES.fullmatch("\n".join(column)):
            return False
        return all(self.iso(second, None, "Z") == (second + "Z", "") for second in {text[:19] for text in column})

    def milliseconds_column(self, column: Sequence[bytes]) -> list[bytes] | None:
        """Many numbers of 13 digits, milliseconds since 1970, as JSON texts; `None` if one is beyond reach."""
        prefixes = self._seconds_of(column, b".")
        return None if prefixes is None else [prefixes[text[:10]] + text[10:] + b'Z"' for text in column]

    def seconds_column(self, column: Sequence[bytes]) -> list[bytes] | None:
        """The same for numbers of ten digits and a fraction, seconds since 1970."""
        prefixes = self._seconds_of(column, b"")
        if prefixes is None:
            return None
        return [prefixes[text[:10]] + (b"" if text[10:] == b".0" else text[10:]) + b'Z"' for text in column]

    def _seconds_of(self, column: Sequence[bytes], behind: bytes) -> dict[bytes, bytes] | None:
        """By the first ten digits, how the JSON text of such a moment begins."""
        prefixes = {}
        for second in {text[:10] for text in column}:
            stamp = self.epoch(int(second))
            if stamp is None:
                return None
            prefixes[second] = b'"%b%b' % (stamp.text[:-1].encode(), behind)
        return prefixes

    def text(self, text: str) -> Stamp | None:
        """Any ISO 8601 moment, as loggers write it into JSON."""
        if text[-1:] == "Z" and text[19:20] == ".":
            # By far the most frequent form, without a regex: the second and what follows the point.
            fraction = text[20:-1]
            if text[:19] in self._iso_z and fraction.isdigit() and fraction.isascii() and len(fraction) < 10:
                return Stamp(f"{self._iso_z[text[:19]]}.{fraction}Z", "")
        found = _ISO.fullmatch(text)
        if found is None:
            return None
        stamp = self.iso(found[1], found[2], found[3])
        if stamp is not None and found[3] == "Z":
            _kept(self._iso_z, found[1], stamp.text[:19])
        return stamp

    def month_day(self, month: str, day: str, clock: str, fraction: str | None = None) -> Stamp | None:
        """`Oct`, `11`, `22:14:15` (RFC 3164): neither year nor zone."""
        key = f"{month} {day} {clock}"
        try:
            found = self._near[key]
        except KeyError:
            found = _kept(self._near, key, self._near_year(MONTHS.get(month, 0), int(day), clock, None))
        return found if found is None or not fraction else Stamp(f"{found.text[:-1]}.{fraction}Z", found.assumed)

    def clock(self, clock: str, fraction: str | None = None) -> Stamp | None:
        """`22:14:15` alone: of yesterday, today or tomorrow, whichever is nearest to the observed hour."""
        try:
            found = self._near[clock]
        except KeyError:
            found = _kept(self._near, clock, self._near_day(clock))
        return found if found is None or not fraction else Stamp(f"{found.text[:-1]}.{fraction}Z", found.assumed)

    def epoch(self, whole: int, fraction: str = "", *, unit_digits: int = 0) -> Stamp | None:
        """Seconds since the epoch when `unit_digits` is 0, else milliseconds (3), micro (6), nano (9);
        `fraction` only with seconds."""
        if unit_digits:
            whole, rest = divmod(whole, 10**unit_digits)
            fraction = f"{rest:0{unit_digits}d}"
        try:
            prefix = self._seconds[whole]
        except KeyError:
            try:
                prefix = f"{_EPOCH + timedelta(seconds=whole):%Y-%m-%dT%H:%M:%S}" if whole >= 0 else None
            except OverflowError:
                prefix = None
            _kept(self._seconds, whole, prefix)
        return None if prefix is None else Stamp(f"{prefix}.{fraction}Z" if fraction else prefix + "Z", "")

    def _iso_second(self, second: str, zone: str | None) -> str | None:
        try:
            moment = datetime(int(second[:4]), int(second[5:7]), int(second[8:10]),
                              int(second[11:13]), int(second[14:16]), min(int(second[17:19]), 59))  # fmt: skip
            # A leap second keeps its date: 23:59:60 is written as 23:59:59, as datetime knows none.
            if int(second[17:19]) > 60:
                return None
            if not zone:
                return _utc(moment.replace(tzinfo=self._zone))
            return _utc(moment.replace(tzinfo=UTC) - _offset(zone))
        except (ValueError, KeyError, OverflowError):
            return None

    def _of_parts(
        self, year: str | None, month: str, day: str, clock: str, zone: str | None, half: str | None
    ) -> Stamp | None:
        number = int(month) if month.isdigit() else MONTHS.get(month[:3].title(), 0)
        digits = [clock[at : at + 2] for at in (0, 2, 4)] if clock.isdigit() else re.split(r"[:.]", clock)
        hour, *rest = [int(part) for part in digits]
        if half is not None:
            hour = hour % 12 + (12 if half[:1] in "pP" else 0)
        written = ":".join(f"{part:02d}" for part in [hour, *rest, 0][:3])
        if zone is not None and "/" in zone:
            return self._in_zone(zone, year, number, int(day), written)
        if zone is not None and zone[:1].isalpha():
            minutes = ZONES.get(zone.upper())
            hours, rest_minutes = divmod(abs(minutes or 0), 60)
            zone = None if minutes is None else f"{'-' if minutes < 0 else '+'}{hours:02d}{rest_minutes:02d}"
        if year is None:
            return self._near_year(number, int(day), written, zone)
        whole = int(year) + (0 if len(year) > 2 else 2000 if int(year) < 70 else 1900)
        return self._moment(whole, number, int(day), written, zone, "")

    def _odd_clf(self, text: str) -> Stamp | None:
        found = _ODD_CLF.fullmatch(text)
        if found is None:
            return None
        day, month, year, clock, fraction, zone = found.groups()
        return self.parts(year, month, day, clock, fraction, zone)

    def _in_zone(self, zone: str, year: str | None, month: int, day: int, clock: str) -> Stamp | None:
        """Text that names its zone as IANA does (`Europe/Berlin`); an unknown one counts as none."""
        try:
            named = Times(zone)
        except (KeyError, ValueError, OSError):
            return self._of_parts(year, str(month), str(day), clock, None, None)
        named._observed, named._is_written = self._observed, self._is_written
        stamp = named._of_parts(year, str(month), str(day), clock, None, None)
        return stamp and Stamp(stamp.text, stamp.assumed.removesuffix("zone").rstrip(","))

    def _near_year(self, month: int, day: int, clock: str, zone: str | None) -> Stamp | None:
        """Of the years around the observed day the nearest, or the last that is not after the day of writing; for a 29
        February that none of them has, the last one."""
        year = self._observed.year
        if self._is_written:
            end = self._observed + timedelta(days=1)
            back = (self._moment(year - ago, month, day, clock, zone, "year") for ago in range(-1, 9))
            return next((stamp for stamp in back if stamp and datetime.fromisoformat(stamp.text) <= end), None)
        around = [self._moment(at, month, day, clock, zone, "year") for at in (year, year - 1, year + 1)]
        if any(around):
            return self._nearest(around)
        before = (self._moment(year - ago, month, day, clock, zone, "year") for ago in range(2, 9))
        return next(filter(None, before), None)

    def _near_day(self, clock: str) -> Stamp | None:
        today = self._observed.astimezone(self._zone)
        days = (today + timedelta(days=more) for more in (0, -1, 1))
        return self._nearest([self._stamp(day.year, day.month, day.day, clock, "date,zone") for day in days])

    def _nearest(self, stamps: Sequence[Stamp | None]) -> Stamp | None:
        def gap(stamp: Stamp) -> timedelta:
            return abs(datetime.fromisoformat(stamp.text) - self._observed)

        return min(filter(None, stamps), key=gap, default=None)

    def _moment(self, year: int, month: int, day: int, clock: str, zone: str | None, assumed: str) -> Stamp | None:
        if zone is None:
            return self._stamp(year, month, day, clock, f"{assumed},zone".lstrip(","))
        try:
            moment = datetime(year, month, day, int(clock[:2]), int(clock[3:5]), int(clock[6:8]), tzinfo=UTC)
            return Stamp(_utc(moment - _offset(zone)) + "Z", assumed)
        except (ValueError, OverflowError):
            return None

    def _stamp(self, year: int, month: int, day: int, clock: str, assumed: str) -> Stamp | None:
        try:
            moment = datetime(year, month, day, int(clock[:2]), int(clock[3:5]), int(clock[6:8]), tzinfo=self._zone)
            return Stamp(_utc(moment) + "Z", assumed)
        except (ValueError, OverflowError):
            return None


def _kept(cache: dict[K, V], key: K, value: V) -> V:
    if len(cache) >= CACHE_LIMIT:
        cache.clear()
    cache[key] = value
    return value


class _ClfBytes(dict[bytes, bytes]):
    """The common log format's time as bytes → RFC 3339; `KeyError` for no moment. For columns: a hit costs
    one look-up in C."""

    def __missing__(self, text: bytes) -> bytes:
        stamp = _clf(text.decode("ascii", "replace"))
        if stamp is None:
            raise KeyError(text)
        return _kept(self, text, stamp.text.encode())


def _clf(text: str) -> Stamp | None:
    if not _CLF.fullmatch(text):
        return None
    try:
        moment = datetime(int(text[7:11]), MONTHS[text[3:6]], int(text[:2]),
                          int(text[12:14]), int(text[15:17]), int(text[18:20]), tzinfo=UTC)  # fmt: skip
        return Stamp(_utc(moment - _offset(text[21:])) + "Z", "")
    except (ValueError, KeyError, OverflowError):
        return None


def _offset(zone: str) -> timedelta:
    if zone[:1].isalpha():
        return timedelta(minutes=ZONES[zone.upper()])
    digits = zone[1:].replace(":", "").ljust(4, "0")
    hours, minutes = int(digits[:2]), int(digits[2:4])
    if hours > 18 or minutes > 59:
        raise ValueError(zone)
    offset = timedelta(hours=hours, minutes=minutes)
    return -offset if zone[0] == "-" else offset


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")[:19]
