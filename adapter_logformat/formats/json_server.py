"""JSON that servers and frameworks write in shapes of their own: MongoDB, PostgreSQL's jsonlog, GELF, Serilog's CLEF,
log4j 2's JsonLayout, journald's export.

`json_app` knows them by their keys and asks `build`; what a shape does not name stays the app's own. Access logs are in
`json_access`, structured loggers in `json_structured`.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from adapter_logformat.formats import json_app
from adapter_logformat.formats.postgres import SCALE as POSTGRES_SCALE
from adapter_logformat.grammar import is_number
from adapter_logformat.record import OWN_PREFIX, Record
from adapter_logformat.severity import DEBUG, ERROR, FATAL, INFO, SYSLOG_NUMBERS, TRACE, WARN, WORDS
from adapter_logformat.timestamps import Times
from adapter_logformat.traces import thrown

Fields = dict[str, Any]

_MONGO: Final = {"D": DEBUG, "I": INFO, "W": WARN, "E": ERROR, "F": FATAL}
_SYSLOG_WORDS: Final = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
DOTNET_LEVELS: Final = {
    **WORDS,
    "VERBOSE": TRACE, "DEBUG": DEBUG, "INFORMATION": INFO, "WARNING": WARN, "ERROR": ERROR, "FATAL": FATAL,
}  # fmt: skip
_HOLE: Final = re.compile(r"\{\{|\}\}|\{[@$]?(\w++)(?:,[^:}]*+)?(?::[^}]*+)?\}")
_PG_TIME: Final = re.compile(
    r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d) (?P<clock>\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d{1,9}))? "
    r"(?P<zone>[A-Z]{1,5}|[+-]\d\d(?::?\d\d)?)"
)
_INTS: Final = ("process.pid", "client.port", "thread.id", "code.line.number")


def build(dialect: str, fields: Mapping[str, Any], times: Times) -> Record | None:
    """The record of an object whose keys are those of `dialect`; `None` where a value is not what its key promises."""
    left = dict(fields)
    record = Record(dialect)
    from adapter_logformat.formats import json_access, json_structured  # the other shapes

    try:
        (_BUILDERS.get(dialect) or json_access.BUILDERS.get(dialect) or json_structured.BUILDERS[dialect])(
            record, left, times
        )
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError):
        return None
    for key, value in left.items():
        record.attributes.setdefault(OWN_PREFIX + key, value)
    return record


def take_values(record: Record, left: Fields, names: Mapping[str, str]) -> None:
    """Moves plain values to their attributes; a value of another type stays where it is."""
    for key, name in names.items():
        value = left.get(key)
        kind = int if name in _INTS else str
        if type(value) is kind and value != "":
            record.attributes[name] = left.pop(key)


def take_time(record: Record, value: object, times: Times) -> None:
    stamp = json_app.moment(value, times)
    if stamp is None:
        raise ValueError("no time")
    record.timestamp = stamp


def put_level(record: Record, word: object, scale: Mapping[str, int]) -> None:
    if not isinstance(word, str):
        raise TypeError("no level")
    record.severity_text, record.severity_number = word, scale.get(word.upper())


def take_text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


def _mongodb(record: Record, left: Fields, times: Times) -> None:
    take_time(record, left.pop("t")["$date"], times)
    word = take_text(left.pop("s"))
    record.severity_text = word
    record.severity_number = _MONGO.get(word[:1]) if word != "D5" else TRACE
    record.body = take_text(left.pop("msg"))
    take_values(record, left, {"c": "otel.scope.name", "ctx": "thread.name"})
    attr = left.pop("attr", None)
    if isinstance(attr, dict):
        for key, value in attr.items():
            left.setdefault(key, value)
    elif attr is not None:
        left["attr"] = attr


def _postgres(record: Record, left: Fields, times: Times) -> None:
    found = _PG_TIME.fullmatch(take_text(left.pop("timestamp")))
    if found is None:
        raise ValueError("no time")
    record.timestamp = times.parts(**found.groupdict())
    if record.timestamp is None:
        raise ValueError("no time")
    put_level(record, left.pop("error_severity"), POSTGRES_SCALE)
    record.body = take_text(left.pop("message"))
    take_values(record, left, {
        "pid": "process.pid", "user": "user.name", "dbname": "db.namespace", "remote_host": "client.address",
        "remote_port": "client.port", "state_code": "db.response.status_code", "statement": "db.query.text",
        "ps": "db.operation.name", "session_id": "session.id",
    })  # fmt: skip
    if record.attributes.get("client.address") == "[local]":
        del record.attributes["client.address"]


def _gelf(record: Record, left: Fields, times: Times) -> None:
    record.resource["host.name"] = take_text(left.pop("host"))
    record.body = take_text(left.pop("short_message"))
    if "timestamp" in left:
        take_time(record, left.pop("timestamp"), times)
    if type(left.get("level")) is int and 0 <= left["level"] < 8:
        level = left.pop("level")
        record.severity_text, record.severity_number = _SYSLOG_WORDS[level], SYSLOG_NUMBERS[str(level)]
    full = left.pop("full_message", None)
    if isinstance(full, str) and full:
        record.attributes["app.short_message"], record.body = record.body, full
    take_values(record, left, {
        "_pid": "process.pid", "_process_id": "process.pid", "_thread": "thread.name", "_thread_name": "thread.name",
        "_logger": "otel.scope.name", "_logger_name": "otel.scope.name", "_log_logger": "otel.scope.name",
        "_process_pid": "process.pid", "_process_thread_name": "thread.name",
    })  # fmt: skip
    for key in [key for key in left if key.startswith("_") and key != "_"]:
        left.setdefault(key[1:], left.pop(key))


def _clef(record: Record, left: Fields, times: Times) -> None:
    """Compact log events: the level is left out when it is Information, `@@x` is the property `@x`."""
    take_time(record, left.pop("@t"), times)
    word = left.pop("@l", None)
    put_level(record, "Information" if word is None else word, DOTNET_LEVELS)
    template = left.pop("@mt", None)
    message = left.pop("@m", None)
    if isinstance(message, str):
        record.body = message
    elif isinstance(template, str):
        record.body = filled(template, left)
    if isinstance(template, str):
        record.attributes["app.message_template"] = template
    if isinstance(left.get("@x"), str):
        text = left.pop("@x")
        record.attributes.update(thrown(text, "stack") or {})
    for key, name, digits in (("@tr", "trace_id", 32), ("@sp", "span_id", 16)):
        value = left.get(key)
        if isinstance(value, str) and re.fullmatch(rf"[0-9a-fA-F]{{{digits}}}", value) and value.strip("0"):
            setattr(record, name, left.pop(key).lower())
    take_values(record, left, {"SourceContext": "otel.scope.name", "ThreadId": "thread.id", "ProcessId": "process.pid"})
    for key in [key for key in left if key.startswith("@@")]:
        left.setdefault(key[1:], left.pop(key))


def filled(template: str, fields: Fields) -> str:
    """A message template with its arguments."""
    return _HOLE.sub(lambda hole: _filled(hole, fields), template)


def _filled(hole: re.Match[str], fields: Fields) -> str:
    name = hole[1]
    if name is None:
        return hole[0][:1]
    if name not in fields:
        return hole[0]
    value = fields[name]
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _log4j2(record: Record, left: Fields, times: Times) -> None:
    instant = left.pop("instant", None)
    if isinstance(instant, dict):
        nanos = int(instant["nanoOfSecond"])
        if not 0 <= nanos < 10**9:
            raise ValueError("no time")
        record.timestamp = times.epoch(int(instant["epochSecond"]), f"{nanos:09d}".rstrip("0"))
    else:
        take_time(record, left.pop("timeMillis"), times)
    if record.timestamp is None:
        raise ValueError("no time")
    put_level(record, left.pop("level"), WORDS)
    message = left.pop("message", None)
    record.body = message if isinstance(message, str) or message is None else msgspec.json.encode(message).decode()
    take_values(record, left, {"loggerName": "otel.scope.name", "thread": "thread.name", "threadId": "thread.id"})
    raised = left.get("thrown")
    if isinstance(raised, dict) and isinstance(raised.get("name"), str):
        record.attributes["exception.type"] = raised["name"]
        if isinstance(raised.get("message"), str):
            record.attributes["exception.message"] = raised["message"]
        trace = raised.get("extendedStackTrace")
        if isinstance(trace, str):
            record.attributes["exception.stacktrace"] = trace
            del left["thrown"]


def _journald(record: Record, left: Fields, times: Times) -> None:
    micros = take_text(left.pop("__REALTIME_TIMESTAMP"))
    record.timestamp = times.epoch(int(micros), unit_digits=6)
    if record.timestamp is None:
        raise ValueError("no time")
    message = left.pop("MESSAGE")
    if isinstance(message, list):
        # What is no UTF-8 is written as a list of bytes.
        message = bytes(message).decode(errors="replace")
    record.body = take_text(message)
    priority = left.get("PRIORITY")
    if isinstance(priority, str) and priority in SYSLOG_NUMBERS:
        left.pop("PRIORITY")
        record.severity_text, record.severity_number = _SYSLOG_WORDS[int(priority)], SYSLOG_NUMBERS[priority]
    if isinstance(left.get("_PID"), str) and is_number(left["_PID"], 10):
        record.attributes["process.pid"] = int(left.pop("_PID"))
    if isinstance(left.get("_HOSTNAME"), str):
        record.resource["host.name"] = left.pop("_HOSTNAME")
    take_values(record, left, {"SYSLOG_IDENTIFIER": "syslog.appname", "_CMDLINE": "process.command_line"})
    take_values(record, left, {"CODE_FILE": "code.file.path", "CODE_FUNC": "code.function.name"})


_BUILDERS: Final[Mapping[str, Callable[[Record, Fields, Times], None]]] = {
    "mongodb": _mongodb, "postgres_json": _postgres, "gelf": _gelf,
    "clef": _clef, "log4j2_json": _log4j2, "journald": _journald,
}  # fmt: skip
