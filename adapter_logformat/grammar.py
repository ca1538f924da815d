"""What a format declares, and how a declared layout (one regex, fields, scale, time) becomes a reader of lines.

The families in `formats/` only fill these forms. Patterns are linear: possessive or atomic where a quantifier
could give back.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from adapter_logformat.multiline import ALONE, Rule
from adapter_logformat.profiles import Render
from adapter_logformat.record import Record, Stamp
from adapter_logformat.severity import Scale
from adapter_logformat.timestamps import Times

Read = Callable[[str, Times], Record | None]
"""One line without its newline → its record, or `None` where the grammar does not fit. Never raises for any text."""


@dataclass(frozen=True, slots=True)
class Run:
    """Records already written, and how many input lines they stand for, counted by `log.format`. `told`: the same as
    profile `otel` writes it, where `written` is another's and somebody asked."""

    written: bytes
    lines: int
    records: Mapping[str, int]
    told: bytes = b""


@dataclass(frozen=True, slots=True)
class Odd:
    """Whole input lines that the fast form leaves to the slow path."""

    lines: bytes


Fast = Callable[[bytes, Times, str], Sequence[Run | Odd] | None]
"""(whole lines, times, observed timestamp) → the same bytes in order as runs and odd pieces; `None`: nothing
for me here.

The fast form reads a line only where the format's `read` reads it too, and then writes the very same bytes."""


@dataclass(frozen=True, slots=True)
class Format:
    """One entry of the catalogue.

    `rank`: specific before generic; the highest that reads a line wins it. `variants`: the `log.format`
    values it may write. `generic`: so loose that a more specific format is asked first even when this one is
    the stream's own. `yields`: lines of which that is so, where it is not
    loose altogether; the fast form leaves them out. `needs`: a pattern of level words; no line without one is read."""

    name: str
    title: str
    rank: int
    read: Read
    sample: str
    variants: tuple[str, ...] = ()
    rule: Rule = ALONE
    generic: bool = False
    yields: Callable[[str], object] | None = None
    needs: str = ""
    fast: Callable[[Render], Fast] | None = None
    fold: Callable[[Record, str, Sequence[str]], None] | None = None
    """Where `rule.folds`: gives the first line and the joined ones their place in the record."""
    names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", self.variants or (self.name,))


ISO: Final = (
    r"(?P<second>\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d)(?:[.,](?P<fraction>\d{1,9}+))?+"
    r"(?: ?(?P<zone>Z|[+-]\d\d(?::?\d\d)?+|UTC|GMT|CES?T|EES?T|WES?T|[ECMP][SD]T|MSK|JST|KST)(?![\w:]))?+"
)
"""Date and time with optional fraction and zone; groups `second`, `fraction`, `zone`."""
CLOCK: Final = r"(?P<clock>\d\d:\d\d:\d\d)(?:[.,](?P<fraction>\d{1,9}+))?+"

CLF: Final = (
    r"(?P<day>\d\d)/(?P<month>[A-Z][a-z][a-z])/(?P<year>\d{4}):(?P<clock>\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d{1,9}+))?+"
    r" (?P<zone>[+-]\d{4})"
)
"""The common log format's time, in pieces for `parts_time`."""
YMD: Final = r"(?P<year>\d{4})[-/.](?P<month>\d\d)[-/.](?P<day>\d\d)"
HMS: Final = r"(?P<clock>\d\d:\d\d:\d\d)(?:[.,](?P<fraction>\d{1,9}+))?+"

Field = tuple[str, Callable[[str], object]]


def is_number(text: str, most: int = 18) -> bool:
    """ASCII digits alone and at most `most`, which `int` takes and 64 bits hold; `str.isdigit` is true of `²`, too."""
    return 0 < len(text) <= most and text.isascii() and text.isdigit()


NOTHING: Final = frozenset({"-", ""})
"""What access logs write for an absent value."""


def iso_time(times: Times, found: Mapping[str, str | None]) -> Stamp | None:
    return times.iso(found["second"] or "", found["fraction"], found["zone"])


def clock_time(times: Times, found: Mapping[str, str | None]) -> Stamp | None:
    return times.clock(found["clock"] or "", found["fraction"])


def parts_time(times: Times, found: Mapping[str, str | None]) -> Stamp | None:
    return times.parts(
        found.get("year"), found["month"] or "", found["day"] or "", found["clock"] or "",
        found.get("fraction"), found.get("zone"), found.get("half"),
    )  # fmt: skip


TimeOf = Callable[[Times, Mapping[str, str | None]], Stamp | None]


@dataclass(frozen=True, slots=True)
class Layout:
    """A declared layout. In `pattern` the groups `level` and `body` have their fixed meaning, the time's
    groups belong to `time`, every other group is listed in `fields` with its attribute and type; a group that
    matched nothing, or one of the words in `absent`, is left out. `finish` does what a table cannot say, and may
    refuse the line. `yields`: how lines begin that another format may read better."""

    name: str
    title: str
    rank: int
    pattern: str
    sample: str
    scale: Scale
    fields: Mapping[str, Field]
    time: TimeOf | None
    rule: Rule = ALONE
    generic: bool = False
    yields: str = ""
    resource: Mapping[str, str] = field(default_factory=dict)
    accept: Callable[[Mapping[str, str | None]], bool] | None = None
    absent: frozenset[str] = frozenset()
    finish: Callable[[Record, Mapping[str, str | None]], bool] | None = None
    fold: Callable[[Record, str, Sequence[str]], None] | None = None

    def format(self) -> Format:
        """The catalogue entry of this layout."""
        return Format(
            name=self.name, title=self.title, rank=self.rank, read=self.reader(), sample=self.sample,
            rule=self.rule, generic=self.generic, yields=re.compile(self.yields).match if self.yields else None,
            needs=_level_of(self.pattern), fast=self._fast if self.rule.fast else None, fold=self.fold,
        )  # fmt: skip

    def reader(self) -> Read:
        match = re.compile(self.pattern, re.ASCII).fullmatch

        def read(line: str, times: Times) -> Record | None:
            found = match(line)
            return None if found is None else self.record(found.groupdict(), times)

        return read

    def record(self, found: Mapping[str, str | None], times: Times) -> Record | None:
        """The record of one match; a time that is no moment is kept as text and named in `parse.error`."""
        if self.accept is not None and not self.accept(found):
            return None
        record = Record(self.name, body=found.get("body"))
        level = found.get("level")
        if level:
            record.severity_text = level
            record.severity_number = self.scale.get(level.upper())
        for group, (attribute, kind) in self.fields.items():
            value = found[group]
            if value is not None and value not in self.absent:
                record.attributes[attribute] = kind(value)
        for group, attribute in self.resource.items():
            value = found[group]
            if value is not None and value not in self.absent:
                record.resource[attribute] = value
        if self.time is not None:
            record.timestamp = self.time(times, found)
            written = " ".join(filter(None, map(found.get, _TIME_GROUPS))) if record.timestamp is None else ""
            if written:
                unread_time(record, written)
        return record if self.finish is None or self.finish(record, found) else None

    def _fast(self, render: Render) -> Fast:
        from adapter_logformat.blocks import blocks  # only streams that found their format need it

        return blocks(self, render)


_TOKEN: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*+\]|[()|]", re.DOTALL)
_LEVEL_GROUP: Final = "(?P<level>"


def _level_of(pattern: str) -> str:
    """What the group `level` holds, where no line fits `pattern` without it: it stands in no other group, and there is
    no other alternative."""
    begin, end, depth = pattern.find(_LEVEL_GROUP), -1, 0
    for token in _TOKEN.finditer(pattern):
        if token[0] == "(":
            if token.start() == begin and depth:
                return ""
            depth += 1
        elif token[0] == ")":
            depth -= 1
            if end < 0 == depth and token.start() > begin:
                end = token.start()
        elif token[0] == "|" and not depth:
            return ""
    source = pattern[begin + len(_LEVEL_GROUP) : end]
    if begin < 0 or "(?P" in source or "(?(" in source or pattern[end + 1 : end + 2] in ("?", "*", "{"):
        return ""
    return source


_GOES_ON: Final = re.compile(
    r"[\s|\-]{0,8}(?:[\[(]\d{1,10}[\])]|\d{1,10}\s)?[\s|\-]{0,8}[\[(<]?"
    r"(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL)\b|[\s|\-]{0,8}[\[(]\d{1,10}[\])]"
)


def header_goes_on(text: str) -> bool:
    """What a layout took for the message begins with a level or process: the header is another layout's."""
    return _GOES_ON.match(text) is not None


_TIME_GROUPS: Final = ("second", "year", "month", "day", "clock", "fraction", "zone")


def unread_time(record: Record, text: str) -> None:
    """The grammar fits but the time is no moment (31 February): its text is kept, the observed time stands in."""
    record.attributes["app.time"] = text
    record.error = "time"
