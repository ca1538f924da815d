"""The user's own format: one regex with named groups and a time layout. Pure; the settings are decoded elsewhere.

`time`, `level`, `message` and the other names in `TARGETS` have their meaning; `a__b` is the attribute `a.b`, any other
name stays the app's own.
"""

import re
from typing import Final

from adapter_logformat.formats.regex_check import objection
from adapter_logformat.formats.time_layout import TimeLayout
from adapter_logformat.grammar import Format, Read, is_number, unread_time
from adapter_logformat.multiline import TEXT
from adapter_logformat.record import OWN_PREFIX, Record
from adapter_logformat.severity import WORDS, of_status
from adapter_logformat.timestamps import Times

NAME: Final = "custom"
RANK: Final = 110
TIME_GROUPS: Final = ("time", "timestamp", "ts")
LEVEL_GROUPS: Final = ("level", "severity")
BODY_GROUPS: Final = ("message", "msg", "body")
TARGETS: Final = {
    "logger": ("otel.scope.name", str), "thread": ("thread.name", str), "tid": ("thread.id", int),
    "pid": ("process.pid", int), "method": ("http.request.method", str), "path": ("url.path", str),
    "query": ("url.query", str), "status": ("http.response.status_code", int),
    "size": ("http.response.body.size", int), "client": ("client.address", str), "user": ("user.name", str),
    "agent": ("user_agent.original", str), "file": ("code.file.path", str), "line": ("code.line.number", int),
    "function": ("code.function.name", str),
}  # fmt: skip
"""Group → attribute and type; a number that is none stays text under the app's own name."""
RESOURCES: Final = {"host": "host.name", "service": "service.name"}
TRACES: Final = {"trace_id": 32, "span_id": 16}


def custom(pattern: str, time: str | None = None) -> Format:
    """The format of lines that `pattern` matches from end to end; `time` is the layout of the group `time`, without it
    ISO 8601. `ValueError` says what is wrong with either."""
    wrong = objection(pattern)
    if wrong is not None:
        raise ValueError(wrong)
    compiled = re.compile(pattern)
    if not compiled.groupindex:
        raise ValueError("has no named group, as in (?P<message>.*), so it would read nothing")
    layout = None if time is None else TimeLayout.of(time)
    if layout is not None and not any(group in compiled.groupindex for group in TIME_GROUPS):
        raise ValueError("has no group `time` for the time layout to read")
    return Format(
        name=NAME,
        title="a regular expression of your own, from the settings",
        rank=RANK,
        read=_reader(compiled, layout),
        sample="",
        rule=TEXT,
    )


def _reader(pattern: re.Pattern[str], layout: TimeLayout | None) -> Read:
    def read(line: str, times: Times) -> Record | None:
        found = pattern.fullmatch(line)
        if found is None:
            return None
        record = Record(NAME)
        for group, value in found.groupdict().items():
            if value is None:
                continue
            if group in TIME_GROUPS:
                record.timestamp = times.text(value) if layout is None else layout.read(value, times)
                if record.timestamp is None:
                    unread_time(record, value)
            else:
                _put(record, group, value)
        if record.body is None:
            record.body = line
        return record

    return read


def _put(record: Record, group: str, value: str) -> None:
    if group in BODY_GROUPS:
        record.body = value
    elif group in LEVEL_GROUPS:
        record.severity_text, record.severity_number = value, WORDS.get(value.upper())
    elif group in TRACES and len(value) == TRACES[group] and re.fullmatch("[0-9a-fA-F]+", value) and value.strip("0"):
        setattr(record, group, value.lower())
    elif group in RESOURCES:
        record.resource[RESOURCES[group]] = value
    elif value != "-" or group not in TARGETS:
        name, kind = TARGETS.get(group, ("", str))
        if kind is int and not is_number(value):
            name = ""
        record.attributes[name or _own(group)] = int(value) if name and kind is int else value
        if name == "http.response.status_code" and record.severity_number is None:
            record.severity_number = of_status(int(value))


def _own(group: str) -> str:
    return group.replace("__", ".") if "__" in group else OWN_PREFIX + group
