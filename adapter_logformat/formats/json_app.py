"""JSON application logs: pino, bunyan, winston, zap, logrus, slog, zerolog, structlog, python-json-logger,
logstash-logback.

What a key means depends on the keys beside it (`plan`); the plan is made once per set of keys. The app's own
keys go under `app.`, nested values as they are. Many lines at once: `json_fast`.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from adapter_logformat.grammar import Fast, Format
from adapter_logformat.profiles import Render
from adapter_logformat.record import OWN_PREFIX, Record, Stamp
from adapter_logformat.severity import PINO, PYTHON_NUMBERS, SLOG, WORDS, Scale, between
from adapter_logformat.timestamps import Times
from adapter_logformat.traces import thrown

TIME_KEYS: Final = ("@timestamp", "timestamp", "time", "ts", "asctime", "datetime", "@t", "date", "t")
LEVEL_KEYS: Final = ("level", "severity", "levelname", "log.level", "lvl", "loglevel", "@l", "level_name")
BODY_KEYS: Final = ("message", "msg", "@message", "event", "@m", "@mt", "text")
ATTRIBUTES: Final[Mapping[str, tuple[str, type]]] = {
    "logger": ("otel.scope.name", str), "logger_name": ("otel.scope.name", str), "loggerName": ("otel.scope.name", str),
    "log.logger": ("otel.scope.name", str),
    "thread": ("thread.name", str), "thread_name": ("thread.name", str), "threadName": ("thread.name", str),
    "process.thread.name": ("thread.name", str), "thread_id": ("thread.id", int),
    "pid": ("process.pid", int), "process": ("process.pid", int), "process.pid": ("process.pid", int),
    "processName": ("process.executable.name", str),
    "lineno": ("code.line.number", int), "pathname": ("code.file.path", str), "funcName": ("code.function.name", str),
    "error.type": ("exception.type", str), "error.message": ("exception.message", str),
}  # fmt: skip
RESOURCE: Final = {
    "hostname": "host.name",
    "host.name": "host.name",
    "service.name": "service.name",
    "service": "service.name",
}
TRACE_KEYS: Final = {
    "trace_id": "trace_id", "traceId": "trace_id", "trace.id": "trace_id", "traceid": "trace_id",
    "span_id": "span_id", "spanId": "span_id", "span.id": "span_id", "spanid": "span_id", "trace_flags": "trace_flags",
}  # fmt: skip
TRACE_DIGITS: Final = {"trace_id": 32, "span_id": 16, "trace_flags": 2}
ERROR_KEYS: Final = (
    "err",
    "error",
    "exception",
    "exc_info",
    "stack_trace",
    "stacktrace",
    "stack",
    "@x",
    "error.stack_trace",
)
PLANS_KEPT: Final = 1024
NESTED_ECS: Final = "nested ecs"
ECS_OBJECTS: Final = frozenset({"log", "trace", "span", "transaction", "service", "process", "error", "host", "ecs"})
"""In lines that name their ECS version these may be objects instead of keys with dots."""
NESTED: Final = 4
NESTS: Final = '{"'
"""How a text begins that may be an object."""

_HEX: Final = re.compile(r"[0-9a-fA-F]+")
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.encode


@dataclass(frozen=True, slots=True)
class Plan:
    """What the keys of one shape of object mean: key →
    (`time`|`level`|`body`|`attribute`|`resource`|`trace`|`error`|`own`, target)."""

    dialect: str
    scale: Scale
    targets: Mapping[str, tuple[str, str]]
    shape: str = ""
    """One of `SHAPES`, or `NESTED_ECS`, asked first."""


def dialect(fields: Mapping[str, object]) -> str:
    """Which logger writes these keys; `json` where none is known by them."""
    level = fields.get("level")
    keys = fields.keys()
    for name, told in _DIALECTS:
        if told(keys, level):
            return name
    return "json"


def _has(*wanted: str) -> Callable[[Any], bool]:
    return lambda keys: all(key in keys for key in wanted)


def _is_int(value: object) -> bool:
    return type(value) is int


SHAPES: Final[Mapping[str, Callable[[Any], bool]]] = {
    "caddy": _has("ts", "level", "request", "status", "duration"),
    "traefik_json": _has("RequestMethod", "RequestPath", "DownstreamStatus"),
    "mongodb": _has("t", "s", "c", "msg"),
    "postgres_json": _has("timestamp", "error_severity", "message"),
    "gelf": _has("version", "host", "short_message"),
    "clef": lambda keys: "@t" in keys and ("@mt" in keys or "@m" in keys or "@i" in keys),
    "log4j2_json": lambda keys: ("instant" in keys or "timeMillis" in keys) and _has("level", "loggerName")(keys),
    "journald": _has("__REALTIME_TIMESTAMP", "MESSAGE"),
    "dotnet_json": _has("EventId", "LogLevel", "Category", "Message"),
    "serilog_json": _has("Timestamp", "Level", "MessageTemplate"),
    "zap_json": _has("L", "T", "M"),
}
"""Objects that are read by `json_server`, known by their keys."""
_DIALECTS: Final[tuple[tuple[str, Callable[[Any, object], bool]], ...]] = (
    ("logstash", lambda keys, level: "@timestamp" in keys and ("@version" in keys or "logger_name" in keys)),
    ("bunyan", lambda keys, level: _is_int(level) and _has("v", "name", "hostname", "msg")(keys)),
    ("pino", lambda keys, level: _is_int(level) and "time" in keys and ("pid" in keys or "msg" in keys)),
    ("structlog", lambda keys, level: "event" in keys and not {"msg", "message"} & set(keys)
                                      and ("timestamp" in keys or "level" in keys)),
    ("python_json", lambda keys, level: ("levelname" in keys or "asctime" in keys) and "message" in keys),
    ("zap", lambda keys, level: _has("level", "ts", "msg")(keys)),
    ("slog", lambda keys, level: _has("time", "msg")(keys) and isinstance(level, str) and level.isupper()),
    ("logrus", lambda keys, level: _has("time", "level", "msg")(keys)),
    ("zerolog", lambda keys, level: _has("time", "level", "message")(keys)),
    ("winston", lambda keys, level: _has("level", "message")(keys) and isinstance(level, str)),
)  # fmt: skip
_SCALES: Final[Mapping[str, Scale]] = {
    "pino": {**WORDS, **PINO},
    "bunyan": {**WORDS, **PINO},
    "slog": {**WORDS, **SLOG},
    "python_json": {**WORDS, **PYTHON_NUMBERS},
}

_plans: dict[tuple[object, ...], Plan] = {}


def plan(fields: Mapping[str, object]) -> Plan:
    """The plan for objects with these keys in this order, and a level of this kind."""
    level = fields.get("level")
    kind = level.isupper() if isinstance(level, str) else type(level)
    key = (kind, *fields)
    found = _plans.get(key)
    if found is None:
        if len(_plans) >= PLANS_KEPT:
            _plans.clear()
        found = _plans[key] = _plan(fields)
    return found


def _plan(fields: Mapping[str, object]) -> Plan:
    shape = next((name for name, told in SHAPES.items() if told(fields.keys())), "")
    if not shape and ("ecs" in fields or "ecs.version" in fields) and ECS_OBJECTS & fields.keys():
        shape = NESTED_ECS
    name = dialect(fields)
    targets: dict[str, tuple[str, str]] = {}
    for kind, aliases in (("time", TIME_KEYS), ("level", LEVEL_KEYS), ("body", BODY_KEYS)):
        chosen = next((key for key in aliases if key in fields), None)
        if chosen is not None:
            targets[chosen] = (kind, chosen)
    taken: set[str] = set()
    for key in fields:
        if key in targets:
            continue
        target = _target(key, name)
        if target[0] != "error" and target[1] in taken:
            target = ("own", OWN_PREFIX + key)
        taken.add(target[1])
        targets[key] = target
    return Plan(name, _SCALES.get(name, WORDS), {key: targets[key] for key in fields}, shape)


def _target(key: str, name: str) -> tuple[str, str]:
    if key in ATTRIBUTES:
        return "attribute", ATTRIBUTES[key][0]
    if key == "name" and name in ("python_json", "zap"):
        return "attribute", "otel.scope.name"
    if key == "name" and name in ("pino", "bunyan"):
        return "resource", "service.name"
    if key in RESOURCE:
        return "resource", RESOURCE[key]
    if key in TRACE_KEYS:
        return "trace", TRACE_KEYS[key]
    return ("error", key) if key in ERROR_KEYS else ("own", OWN_PREFIX + key)


def read(line: str, times: Times) -> Record | None:
    """One line that is one JSON object; `None` for anything else."""
    fields = parse(line)
    return None if fields is None else record(fields, times)


def parse(line: str) -> dict[str, Any] | None:
    """The object in `line`: of a key that occurs twice the last value counts; integers and big numbers keep
    every digit."""
    if not line.lstrip().startswith("{"):
        return None
    try:
        fields = _decode(line)
    except (msgspec.DecodeError, RecursionError, ValueError):
        fields = _leniently(line)
    return fields if isinstance(fields, dict) and fields else None


def _leniently(line: str) -> object:
    """What strict JSON refuses but loggers write: NaN, control characters, lone surrogates, numbers beyond a double."""
    try:
        fields = json.loads(line, strict=False, parse_constant=str, parse_float=_number)
        return json.loads(json.dumps(fields, ensure_ascii=False).encode("utf-8", "replace"), parse_float=_number)
    except (ValueError, RecursionError):
        return None


def _number(text: str) -> object:
    number = float(text)
    return number if number - number == 0 else text


def record(fields: Mapping[str, Any], times: Times) -> Record:
    """The record of one object by its plan; a value of the wrong type stays the app's own."""
    made = plan(fields)
    if made.shape and (shaped := _shaped(made.shape, fields, times)) is not None:
        return shaped
    record = Record(made.dialect)
    for key, value in fields.items():
        kind, target = made.targets[key]
        if kind == "own" or not _PUT[kind](record, made, target, value, times):
            record.attributes[OWN_PREFIX + key] = opened(value)
    return record


def opened(value: Any, depth: int = NESTED) -> Any:
    """A text of the app's own that is a JSON object, as that object; so are texts in it, down to `NESTED` levels."""
    if not isinstance(value, str) or not depth or value[:2] != NESTS or value[-1] != "}":
        return value
    try:
        inside = _decode(value)
    except (msgspec.DecodeError, RecursionError, ValueError):
        return value
    return {key: opened(text, depth - 1) for key, text in inside.items()} if isinstance(inside, dict) else value


def _shaped(shape: str, fields: Mapping[str, Any], times: Times) -> Record | None:
    if shape == NESTED_ECS:
        from adapter_logformat.formats import json_structured  # as below

        flat = json_structured.flattened(fields)
        return None if flat is None else record(flat, times)
    from adapter_logformat.formats import json_server  # only streams that hold such objects need it

    return json_server.build(shape, fields, times)


def _put_time(record: Record, made: Plan, target: str, value: Any, times: Times) -> bool:
    record.timestamp = moment(value, times)
    if record.timestamp is None:
        record.error = "time"
    return record.timestamp is not None


def moment(value: object, times: Times) -> Stamp | None:
    """A JSON value as a time: text in ISO 8601, or seconds, milli-, micro- or nanoseconds since 1970 by their size."""
    if isinstance(value, str):
        return times.text(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        return None
    if isinstance(value, float):
        whole, point, fraction = repr(value).partition(".")
        if "e" in fraction or not whole.isdigit() or value >= 1e11:
            return times.epoch(int(value), unit_digits=3) if 1e11 <= value < 1e14 else None
        return times.epoch(int(whole), fraction if point and fraction != "0" else "")
    digits = 0 if value < 10**11 else 3 if value < 10**14 else 6 if value < 10**17 else 9
    return times.epoch(value, unit_digits=digits)


def _put_level(record: Record, made: Plan, target: str, value: Any, times: Times) -> bool:
    found = severity(made.scale, value)
    if found is None:
        return False
    record.severity_text, record.severity_number = found
    return True


def severity(scale: Scale, value: object) -> tuple[str, int | None] | None:
    """The level as written and its number; `None` for a value that is no level at all."""
    if isinstance(value, str):
        return value, scale.get(value.upper())
    if type(value) is int:
        number = scale.get(str(value))
        return str(value), between(PINO, value) if number is None and scale.get("60") else number
    return None


def _put_body(record: Record, made: Plan, target: str, value: Any, times: Times) -> bool:
    record.body = value if isinstance(value, str) else _encode(value).decode()
    return True


def _put_attribute(record: Record, made: Plan, target: str, value: Any, times: Times) -> bool:
    if type(value) is not ATTRIBUTE_TYPES.get(target, str):
        return False
    record.attributes[target] = value
    return True


ATTRIBUTE_TYPES: Final = dict(ATTRIBUTES.values())


def _put_resource(record: Record, made: Plan, target: str, value: Any, times: Times) -> bool:
    if not isinstance(value, str):
        return False
    record.resource[target] = value
    return True


def _put_trace(record: Record, made: Plan, target: str, value: Any, times: Times) -> bool:
    if not isinstance(value, str) or len(value) != TRACE_DIGITS[target] or not _HEX.fullmatch(value):
        return False
    if target != "trace_flags" and not value.strip("0"):
        return False
    setattr(record, target, value.lower())
    return True


def _put_error(record: Record, made: Plan, target: str, value: Any, times: Times) -> bool:
    found = thrown_by(value) if isinstance(value, dict) else thrown(value, target) if isinstance(value, str) else None
    if not found or any(key in record.attributes and record.attributes[key] != text for key, text in found.items()):
        return False
    record.attributes.update(found)
    return True


def thrown_by(value: Mapping[str, Any]) -> dict[str, str] | None:
    """An error object (`type`/`name`, `message`, `stack`) with nothing else in it; otherwise it stays the app's own."""
    names = {"type": "type", "name": "type", "class": "type", "message": "message", "msg": "message",
             "stack": "stacktrace", "stacktrace": "stacktrace", "stack_trace": "stacktrace"}  # fmt: skip
    found = {f"exception.{names[key]}": text for key, text in value.items() if key in names and isinstance(text, str)}
    return found if found and len(found) == len(value) else None


_PUT: Final[Mapping[str, Callable[[Record, Plan, str, Any, Times], bool]]] = {
    "time": _put_time, "level": _put_level, "body": _put_body, "attribute": _put_attribute, "resource": _put_resource,
    "trace": _put_trace, "error": _put_error,
}  # fmt: skip


def _fast(render: Render) -> Fast:
    from adapter_logformat.formats.json_fast import JsonFast  # only streams that found their format need it

    return JsonFast(render)


FORMATS = (
    Format(
        name="json_app",
        title="JSON application logs of any logger: one object a line",
        rank=90,
        read=read,
        variants=(
            "json",
            "pino",
            "bunyan",
            "winston",
            "zap",
            "logrus",
            "slog",
            "zerolog",
            "structlog",
            "python_json",
            "logstash",
            *SHAPES,
        ),
        sample='{"level":30,"time":1531171074631,"pid":657,"hostname":"web-1","msg":"hello"}',
        fast=_fast,
    ),
)
