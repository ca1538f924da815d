"""Stack traces: which lines are one, the type and message of what was thrown, and bare ones that start a
record of their own.

`fold` gives the joined lines of a record their place: the rest of the message to `body`, the trace to `exception.*`.
"""

import re
from collections.abc import Sequence
from typing import Final

from adapter_logformat.multiline import JAVA_TRACE, PYTHON_TRACE, Rule
from adapter_logformat.record import Record
from adapter_logformat.severity import ERROR

_THROWN: Final = re.compile(
    r"(?:Exception in thread \"(?P<thread>[^\"]*+)\" )?+"
    r"(?P<type>(?:[A-Za-z_$][\w$]*+\.)++[\w$]*(?:Exception|Error|Throwable|Failure|Fault))(?:: (?P<message>.*))?"
)
_FRAME: Final = re.compile(r"\s++(?:at |\.\.\. \d)|Caused by: ")
_PYTHON_TRACE: Final = re.compile(r"(?:  \+ Exception Group |\s*+)Traceback \(most recent call last\):")
_PYTHON_RAISED: Final = re.compile(r"(?P<type>(?:[A-Za-z_]\w*+\.)*+[A-Za-z_]\w*+)(?:: ?(?P<message>.*))?")


def start(line: str) -> tuple[Record, Rule] | None:
    """The record that a bare trace's first line begins, or `None` when it is none."""
    if line.startswith("Traceback (most recent call last):") or line.startswith("  + Exception Group Traceback (most"):
        return Record("python_traceback", severity_number=ERROR), PYTHON_TRACE
    thrown = _THROWN.fullmatch(line)
    if thrown is None:
        return None
    record = Record("java_stacktrace", severity_number=ERROR)
    if thrown["thread"] is not None:
        record.attributes["thread.name"] = thrown["thread"]
    return record, JAVA_TRACE


def stands_alone(line: str) -> bool:
    """Only an interpreter or a dying thread writes this, never a logger as the rest of a message."""
    return line.startswith(("Traceback (most recent call last):", 'Exception in thread "'))


def fold(record: Record, first: str, lines: Sequence[str]) -> None:
    """Puts the lines joined to `record` where they belong; `first` is the whole first line (a bare trace
    begins there)."""
    if record.format == "python_traceback":
        _python(record, [first, *lines])
    elif record.format == "java_stacktrace":
        _java(record, [first, *lines])
        # Alone, such a line may also be an ordinary sentence of some program, but it names what was thrown.
    else:
        _fold_header(record, lines)


def thrown(text: str, key: str) -> dict[str, str] | None:
    """What a text under an error key of a JSON log tells: a trace with its type and message, or the message alone."""
    trace = text.rstrip("\n").split("\n")
    if len(trace) == 1 and key in ("err", "error", "exception"):
        return {"exception.message": text}
    record = Record("", body="")
    if any(_PYTHON_TRACE.match(line) for line in trace):
        _python(record, trace)
    else:
        _java(record, trace)
    return {name: str(value) for name, value in record.attributes.items()} | {"exception.stacktrace": text}


def _fold_header(record: Record, lines: Sequence[str]) -> None:
    begin = next((at for at, line in enumerate(lines) if _begins(line)), len(lines))
    trace = list(lines[begin:])
    if begin:
        record.body = "\n".join([record.body or "", *lines[:begin]])
    if not trace:
        return
    if any(_PYTHON_TRACE.match(line) for line in trace[:1]):
        _python(record, trace)
    else:
        _java(record, trace)


def _begins(line: str) -> bool:
    return bool(_FRAME.match(line) or _THROWN.fullmatch(line) or _PYTHON_TRACE.match(line))


def _java(record: Record, trace: Sequence[str]) -> None:
    thrown = _THROWN.fullmatch(trace[0])
    text = None
    if thrown is None and record.body:
        # log.error(e.toString(), e) and friends: what was thrown is the last line of the message.
        thrown = _THROWN.fullmatch(record.body.rsplit("\n", 1)[-1])
    elif thrown is not None:
        more = next((at for at, line in enumerate(trace) if at and _FRAME.match(line)), len(trace))
        text = "\n".join([thrown["message"] or "", *trace[1:more]]) if more > 1 else thrown["message"]
    if thrown is not None:
        record.attributes["exception.type"] = thrown["type"]
        message = text if text is not None else thrown["message"]
        if message is not None:
            record.attributes["exception.message"] = message
    if record.body is None:
        record.body = trace[0]
        if len(trace) == 1:
            return
    record.attributes["exception.stacktrace"] = "\n".join(trace)


def _python(record: Record, trace: Sequence[str]) -> None:
    """The exception that came out at the end is the first unindented line after the last `Traceback`
    (traceback module)."""
    begin = max((at for at, line in enumerate(trace) if _PYTHON_TRACE.match(line)), default=0)
    at = next((at for at in range(begin + 1, len(trace)) if trace[at][:1] not in (" ", "\t", "")), None)
    raised = _PYTHON_RAISED.fullmatch(trace[at]) if at is not None else None
    if at is not None and raised is not None:
        record.attributes["exception.type"] = raised["type"]
        if raised["message"] is not None:
            record.attributes["exception.message"] = "\n".join([raised["message"], *trace[at + 1 :]])
    if record.body is None:
        record.body = trace[at] if at is not None else trace[0]
    record.attributes["exception.stacktrace"] = "\n".join(trace)
