"""Which lines belong to the record before them. Pure: time is passed in, the joined lines are handed to
`traces.fold`.

A recognised header starts a record; indentation and the marks of stack traces continue it, in whatever language the
trace is and whatever layout the header has. Rules differ in what they do with a line that nobody recognises.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from adapter_logformat.record import Record

JAVA_THROWN: Final = r"(?:[A-Za-z_$][\w$]*+\.)++[\w$]*(?:Exception|Error|Throwable|Failure|Fault)"
"""The class of what was thrown on the JVM (and in .NET): dotted, and named as such."""
_JAVA_GOES_ON: Final = r"[ \t].*|Caused by: .*|Suppressed: .*|\.\.\. \d++ (?:more|common frames omitted)"
TEXT_MARKS: Final = rf"{_JAVA_GOES_ON}|at [\w$.<>/]++\(.*|{JAVA_THROWN}(?:: .*)?+"
"""Lines that continue a record of text whatever stood before them."""
INDENTED: Final = r"[ \t].*"


@dataclass(frozen=True, slots=True)
class Rule:
    """How records of a format go on. `marks`: full lines that always continue. `joins_unknown`: a line that
    no format reads continues too (the rest of a message with newlines in it). `fast`: the marks can be part
    of the whole-chunk form. `traces`: a stack trace of any language may follow. `parts`: lines that repeat the
    beginning of the first line (their first group) and continue it. `quoted`: lines continue while a double quote is
    open. `once`: continues where no line of the record looked so before. `folds`: the format itself gives the joined
    lines their place."""

    marks: str | None
    joins_unknown: bool = False
    fast: bool = False
    traces: bool = False
    parts: str | None = None
    quoted: bool = False
    once: str | None = None
    folds: bool = False


ALONE: Final = Rule(None)
"""One line is one record: never continued (access logs, complete JSON)."""
TEXT: Final = Rule(TEXT_MARKS, joins_unknown=True, fast=True, traces=True)
"""An application's logger: its messages may hold newlines, and stack traces follow them."""
LINES: Final = Rule(TEXT_MARKS, traces=True)
"""A log whose messages are single lines (syslog): only marked lines and traces continue a record."""

TRACE_RULES: Final[Mapping[str, Rule]] = {
    "java": Rule(_JAVA_GOES_ON),
    "dotnet": Rule(r"[ \t].*|--- End of .*|---> .*"),
    "python": Rule(INDENTED),
    "go": Rule(
        r"[ \t].*|goroutine \d++ .*|[\w./*{}\[\]$\-~,@%]++(?:\([^()\n]*+\))?[\w./*{}\[\]$\-~,@%]*+\(.*\)|created by .*"
        r"|\[signal .*|exit status \d++|runtime stack:|panic: .*|fatal error: .*|\.\.\. *additional frames elided.*"
        r"|r\w{1,5} {1,6}0x[0-9a-f]++|PC=.*|\[recovered.*|\[originating from .*"
    ),
    "node": Rule(r"[ \t].*|\}|Node\.js v\d.*"),
    "ruby": Rule(r"[ \t].*|(?:[\w\-]++ \([\d.]++\) )?[^\s:]++:\d++:in [`'].*"),
    "php": Rule(r"[ \t].*|Stack trace:|#\d++ .*"),
    "rust": Rule(r"[ \t].*|note: .*|stack backtrace:"),
    "dart": Rule(r"[ \t].*|#\d++ .*|<asynchronous suspension>"),
    "elixir": Rule(INDENTED),
    "cpp": Rule(r"[ \t].*|Aborted.*"),
}
"""Language → what continues one of its traces."""

_START: Final = re.compile(
    r"(?P<python>Traceback \(most recent call last\):|  \+ Exception Group Traceback \(most recent call last\):)"
    r"|(?P<go>panic: |fatal error: |goroutine \d{1,19}+ \[[^\]]*+\]:\Z)"
    r"|(?P<rust>thread '[^']*+' (?:\(\d{1,19}+\) )?+panicked at )"
    r"|(?P<dotnet>Unhandled [Ee]xception[.:] |(?:System|Microsoft)\.[\w.`]*?Exception(?:: |\Z))"
    rf'|(?P<java>(?:Exception in thread "[^"]*+" )?+{JAVA_THROWN}(?::? .*)?\Z)'
    r"|(?P<ruby>[^\s:]++:\d{1,9}+:in [`']| ?(?:[A-Z]\w*+(?:::\w++)++|[A-Z]\w*+(?:(?<=Error)|(?<=Exception))) \(.*\):\Z)"
    r"|(?P<php>(?:PHP )?(?:(?:Catchable |Recoverable )?[Ff]atal error): {1,2}Uncaught |Stack trace:\Z|#0 (?! )"
    r"|exception '[\w\\]{1,200}' with message ')"
    r"|(?P<dart>Unhandled exception:\Z|#0 {6}\S)"
    r"|(?P<elixir>\*\* \((?:[A-Z][\w.]*+|exit|throw|stop)\) )"
    r"|(?P<cpp>terminate called (?:after throwing|without an active|recursively))"
    r"|(?P<node>(?:node:[\w/]{1,100}|(?:file://)?(?:/|[A-Za-z]:\\)\S{1,300}\.[cm]?[jt]sx?):\d{1,9}\Z"
    r"|(?:Uncaught )?[A-Z]\w{0,100}+(?:(?<=Error)|(?<=Exception))(?: \[\w++\])?+(?:: .*)?\Z)"
)
_PYTHON_CHAIN: Final = (
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
)
_PYTHON_END: Final = re.compile(
    r"(?!(?:NOTSET|TRACE|DEBUG|INFO|SUCCESS|WARN|WARNING|ERROR|CRITICAL|FATAL):)"
    r"(?:[A-Za-z_<][\w<>]*+\.)*+[A-Za-z_]\w*+(?:: .*|:?)"
)
_RUST_AT: Final = re.compile(r"thread '[^']*+' (?:\(\d{1,19}+\) )?+panicked at .*:\d++:\d++:")
_NODE_PLACE: Final = re.compile(r".*\.[cm]?[jt]sx?:\d++|node:.*")
_CARETS: Final = re.compile(r"[ \t]*+[\^~]++[ \t]*+")
_OF_ANOTHER: Final = re.compile(
    r'[\[<({]?\d|[\[<(]?(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL)\b|\{ ?"|<|[IWEF]\d{4} '
    r"|[\[<(]?(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\w{0,6},? (?:[A-Z]|\d)"
    r"|[\[<(]?(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6} {1,2}\d"
    r"|(?:time|ts|timestamp|level|lvl|msg)=|[\w.]{1,60}+=\S{1,200}+ [\w.]{1,60}+="
)
"""No part of a message that a trace was said to have."""
DART_MESSAGE: Final = 6
"""Lines of what was thrown, before the first frame."""
_COUNTER: Final = re.compile(r"\[\d{1,9}-\d\]")
"""PostgreSQL's `[%l-1]`: each part of one message has the next number."""
_compiled: dict[str, re.Pattern[str]] = {}


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))


def trace_of(line: str) -> str:
    """The language of the trace that `line` begins; "" where it begins none."""
    found = _START.match(line)
    return (found.lastgroup or "") if found is not None else ""


def stands_alone(line: str) -> bool:
    """Only a dying thread of the JVM writes this, never a logger."""
    return line.startswith('Exception in thread "')


def _full(pattern: str) -> Callable[[str], re.Match[str] | None]:
    if pattern not in _compiled:
        _compiled[pattern] = re.compile(pattern)
    return _compiled[pattern].fullmatch


@dataclass(slots=True)
class Pending:
    """A record that may go on. `lines` are the joined lines after the first one, `size` the bytes of all of them."""

    record: Record
    rule: Rule
    first: str
    observed: str
    since_ns: int
    touched_ns: int
    size: int
    lines: list[str] = field(default_factory=list)
    trace: str = ""
    """The language of the trace that has begun, as in `TRACE_RULES`."""
    awaits: bool = False
    """The trace is sure to go on in an unmarked line: the exception of a Python traceback, the message of a Rust
    panic, what Dart calls unhandled, the line of source that Node shows first."""
    awaited: int = 0
    """Lines that came so far."""
    damaged: bool = False
    quotes: int = -1
    """Double quotes so far; -1 before anyone counted."""

    def opened(self, language: str, line: str) -> None:
        """A trace begins with `line`."""
        self.trace = language
        self.awaits = (
            language == "python"
            or (language == "rust" and _RUST_AT.fullmatch(line) is not None)
            or (language == "dart" and line[:1] != "#")
            or (language == "node" and _NODE_PLACE.fullmatch(line) is not None)
        )
        self.awaited = 0

    def marks(self, line: str) -> bool:
        """Does `line` continue this record by its looks, before any format is asked?"""
        rule = self.rule
        if rule.marks is None:
            return False
        if rule.quoted:
            return self._is_quoted(line)
        if self.trace and self._continues_trace(line):
            return True
        if rule.traces and (language := trace_of(line)) and self._may_open(language, line):
            self.opened(language, line)
            return True
        if rule.parts is not None and (part := _full(rule.parts)(line)) is not None:
            return _COUNTER.sub("", self.first).startswith(_COUNTER.sub("", part[1]))
        if rule.once is not None and _full(rule.once)(line) is not None:
            return not any(map(_full(rule.once), [self.first, *self.lines]))
        if self.first[:1] in (" ", "\t") and not self.trace and _indentation(line) == _indentation(self.first):
            return False  # indented as the header itself is, like all lines of such a log
        return _full(rule.marks)(line) is not None

    def _is_quoted(self, line: str) -> bool:
        if self.quotes < 0:
            self.quotes = self.first.count('"')
        inside = self.quotes % 2 == 1
        self.quotes += line.count('"') if inside else 0
        return inside

    def _continues_trace(self, line: str) -> bool:
        if self.awaits:
            if self.trace in ("dart", "node"):
                return self._is_before_frames(line)
            if line[:1] in (" ", "\t"):
                return True
            self.awaits = False
            return self.trace == "rust" or _PYTHON_END.fullmatch(line) is not None
        if self.trace == "python":
            if line in _PYTHON_CHAIN:
                return True
            if self._is_chained() and trace_of(line) == "python":
                self.opened("python", line)
                return True
        return _full(TRACE_RULES[self.trace].marks or "")(line) is not None

    def _is_before_frames(self, line: str) -> bool:
        """Dart: what was thrown. Node: the line of source, carets below it, and what was thrown."""
        self.awaited += 1
        if self.trace == "dart":
            self.awaits = not line.startswith("#") and self.awaited < DART_MESSAGE
        else:
            self.awaits = trace_of(line) != "node"
            if self.awaited > 1 and self.awaits and _CARETS.fullmatch(line) is None:
                return False
        return _OF_ANOTHER.match(line) is None

    def _may_open(self, language: str, line: str) -> bool:
        """A second traceback that nothing chains to the first is another record's matter."""
        return not stands_alone(line) and not (language == self.trace == "python")

    def _is_chained(self) -> bool:
        return next((line for line in reversed(self.lines) if line), "") in _PYTHON_CHAIN
