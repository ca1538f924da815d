"""Which lines belong to the record before them. Pure: time is passed in, the joined lines are handed to
`traces.fold`.

A recognised header starts a record; indentation and the marks of stack traces continue it. Rules differ in
what they do with a line that nobody recognises.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from adapter_logformat.record import Record

JAVA_MARKS: Final = (
    r"[ \t].*|Caused by: .*|Suppressed: .*|\.\.\. \d++ (?:more|common frames omitted)|at [\w$.<>/]++\(.*"
    r"|(?:[A-Za-z_$][\w$]*+\.)++[\w$]*(?:Exception|Error|Throwable|Failure|Fault)(?:: .*)?+"
)
"""Lines that continue a Java record whatever stood before them."""
PYTHON_MARKS: Final = r"[ \t].*"


@dataclass(frozen=True, slots=True)
class Rule:
    """How records of a format go on. `marks`: full lines that always continue. `joins_unknown`: a line that
    no format reads continues too (the rest of a message with newlines in it). `fast`: the marks can be part
    of the whole-chunk form."""

    marks: str | None
    joins_unknown: bool = False
    fast: bool = False
    tracebacks: bool = False
    """A Python traceback may follow, with its unindented lines and blank lines between chained ones."""


ALONE: Final = Rule(None)
"""One line is one record: never continued (access logs, complete JSON)."""
JAVA: Final = Rule(JAVA_MARKS, joins_unknown=True, fast=True)
PYTHON: Final = Rule(PYTHON_MARKS, joins_unknown=True, fast=True, tracebacks=True)
JAVA_TRACE: Final = Rule(r"[ \t].*|Caused by: .*|Suppressed: .*|\.\.\. \d++ (?:more|common frames omitted)")
PYTHON_TRACE: Final = Rule(PYTHON_MARKS, tracebacks=True)

_PYTHON_START: Final = re.compile(
    r"Traceback \(most recent call last\):|Exception Group Traceback \(most recent call last\):"
)
_PYTHON_CHAIN: Final = (
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
)
_PYTHON_END: Final = re.compile(
    r"(?!(?:NOTSET|TRACE|DEBUG|INFO|SUCCESS|WARN|WARNING|ERROR|CRITICAL|FATAL):)"
    r"(?:[A-Za-z_]\w*+\.)*+[A-Za-z_]\w*+(?:: .*|:?)"
)
_compiled: dict[str, re.Pattern[str]] = {}


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
    traceback: bool = False
    """A Python traceback is open: its frames, or its exception line, are still to come."""
    damaged: bool = False

    def marks(self, line: str) -> bool:
        """Does `line` continue this record by its looks, before any format is asked?"""
        rule = self.rule
        if rule.marks is None:
            return False
        if rule.tracebacks and self._continues_traceback(line):
            return True
        return _full(rule.marks)(line) is not None

    def _continues_traceback(self, line: str) -> bool:
        if self.traceback:
            if line[:1] in (" ", "\t"):
                return True
            self.traceback = False
            return _PYTHON_END.fullmatch(line) is not None
        if _PYTHON_START.match(line):
            # A traceback printed after a plain INFO line is the interpreter's own, not that record's.
            number = self.record.severity_number
            follows = bool(self.lines) and _last_text(self.lines) in _PYTHON_CHAIN
            self.traceback = follows or (not self._has_traceback() and (number is None or number >= 13))
            return self.traceback
        return line in _PYTHON_CHAIN and self._has_traceback()

    def _has_traceback(self) -> bool:
        return _PYTHON_START.match(self.first) is not None or any(map(_PYTHON_START.match, self.lines))


def _last_text(lines: list[str]) -> str:
    return next((line for line in reversed(lines) if line), "")
