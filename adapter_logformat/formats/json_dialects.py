"""What the keys of a JSON object mean: which logger wrote it, and the plan that says where each value goes. Pure.

The plan is made once per set of keys; putting the values in their places is `json_app`'s. Objects of a shape of their
own (`SHAPES`) are read by `json_server` and `json_structured`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from adapter_logformat.record import OWN_PREFIX
from adapter_logformat.severity import DEBUG, ERROR, FATAL, INFO, PINO, PYTHON_NUMBERS, SLOG, WARN, WORDS, Scale

TIME_KEYS: Final = (
    "@timestamp", "timestamp", "time", "ts", "asctime", "datetime", "@t", "date", "t", "eventTime", "ibm_datetime",
    "Timestamp", "Time", "dateTime", "date_time", "event_time", "log_time",
)  # fmt: skip
LEVEL_KEYS: Final = (
    "level_name", "levelName", "level", "severity", "levelname", "log.level", "lvl", "loglevel", "@l", "Level",
    "LogLevel", "severity_text", "severityText", "SeverityText", "log_level", "logLevel",
)  # fmt: skip
TEXT_KEYS: Final = ("body", "Body", "log")
"""The message only where they are texts and nothing else is, and not beside a request, whose `body` it may be."""
_OF_A_REQUEST: Final = frozenset({"method", "url", "uri", "path", "status", "http.request.method", "statusCode"})
BODY_KEYS: Final = ("message", "msg", "@message", "event", "@m", "@mt", "text", "Message", "Msg", *TEXT_KEYS)
ATTRIBUTES: Final[Mapping[str, tuple[str, type]]] = {
    **dict.fromkeys(("logger", "logger_name", "loggerName", "log.logger", "Logger"), ("otel.scope.name", str)),
    **dict.fromkeys(("thread", "thread_name", "threadName", "process.thread.name"), ("thread.name", str)),
    **dict.fromkeys(("thread_id", "threadId", "process.thread.id"), ("thread.id", int)),
    **dict.fromkeys(("pid", "process", "process.pid", "processId"), ("process.pid", int)),
    "processName": ("process.executable.name", str),
    "lineno": ("code.line.number", int), "log.origin.file.line": ("code.line.number", int),
    "pathname": ("code.file.path", str), "log.origin.file.name": ("code.file.path", str),
    "funcName": ("code.function.name", str), "log.origin.function": ("code.function.name", str),
    "error.type": ("exception.type", str), "error.message": ("exception.message", str),
    "client.ip": ("client.address", str),
    # What OpenTelemetry and ECS name alike.
    **{name: (name, str) for name in ("http.request.method", "url.path", "url.full", "url.query", "user_agent.original",
                                      "client.address", "server.address", "user.name")},
    "http.response.status_code": ("http.response.status_code", int),
}  # fmt: skip
RESOURCE: Final = {
    "hostname": "host.name", "host.name": "host.name", "hostName": "host.name", "service.name": "service.name",
    "service": "service.name", "otelServiceName": "service.name", "service.version": "service.version",
}  # fmt: skip
TRACE_KEYS: Final = {
    **dict.fromkeys(("trace_id", "traceId", "trace.id", "traceid", "traceID", "otelTraceID", "TraceId"), "trace_id"),
    **dict.fromkeys(("span_id", "spanId", "span.id", "spanid", "spanID", "otelSpanID", "SpanId"), "span_id"),
    "trace_flags": "trace_flags",
}  # fmt: skip
ERROR_KEYS: Final = (
    "err", "error", "exception", "exc_info", "stack_trace", "stacktrace", "stack", "@x", "error.stack_trace",
    "Exception",
)  # fmt: skip
OF_DIALECT: Final[Mapping[str, Mapping[str, tuple[str, str]]]] = {
    "python_json": {
        "name": ("attribute", "otel.scope.name"), "filename": ("attribute", "code.file.path"),
        "thread": ("attribute", "thread.id"),
    },
    "structlog": {
        "func_name": ("attribute", "code.function.name"), "filename": ("attribute", "code.file.path"),
        "thread": ("attribute", "thread.id"), "process_name": ("attribute", "process.executable.name"),
    },
    "logstash": {
        "caller_file_name": ("attribute", "code.file.path"), "caller_line_number": ("attribute", "code.line.number"),
        "caller_method_name": ("attribute", "code.function.name"),
    },
    "log4rs_json": {
        "module_path": ("attribute", "otel.scope.name"), "file": ("attribute", "code.file.path"),
        "line": ("attribute", "code.line.number"),
    },
    "zap": {"name": ("attribute", "otel.scope.name")},
    "pino": {"name": ("resource", "service.name")},
    "bunyan": {"name": ("resource", "service.name")},
    "monolog_json": {"channel": ("attribute", "otel.scope.name")},
    "nest_json": {"context": ("attribute", "otel.scope.name")},
    "elasticsearch_json": {"component": ("attribute", "otel.scope.name")},
    "liberty_json": {"module": ("attribute", "otel.scope.name"), "host": ("resource", "host.name")},
    "nextcloud_json": {
        "remoteAddr": ("attribute", "client.address"), "user": ("attribute", "user.name"),
        "method": ("attribute", "http.request.method"), "userAgent": ("attribute", "user_agent.original"),
    },
    "tracing_json": {
        "target": ("attribute", "otel.scope.name"), "filename": ("attribute", "code.file.path"),
        "line_number": ("attribute", "code.line.number"),
    },
}  # fmt: skip
"""Keys that mean something only where this logger wrote them."""
PLANS_KEPT: Final = 1024
NESTED_ECS: Final = "nested ecs"
ECS_OBJECTS: Final = frozenset(
    {"log", "trace", "span", "transaction", "service", "process", "error", "host", "ecs", "log.origin"}
)
"""In lines that name their ECS version these may be objects instead of keys with dots."""
GOOGLE: Final = "logging.googleapis.com/"


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


def _is_google(keys: Any) -> bool:
    return "severity" in keys and (
        "httpRequest" in keys or "timestampSeconds" in keys or any(key.startswith(GOOGLE) for key in keys)
    )


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
    "tracing_json": _has("timestamp", "level", "fields", "target"),
    "loguru_json": lambda keys: set(keys) == {"text", "record"},
    "google_cloud": _is_google,
    "log4js_json": _has("startTime", "categoryName", "data", "level"),
    "echo_json": _has("time", "remote_ip", "method", "uri", "status", "latency_human"),
    "nginx_json": lambda keys: _has("remote_addr", "status")(keys) and ("request" in keys or "request_uri" in keys),
}
"""Objects that are read by `json_server` and `json_structured`, known by their keys."""
_DIALECTS: Final[tuple[tuple[str, Callable[[Any, object], bool]], ...]] = (
    ("logstash", lambda keys, level: "@timestamp" in keys and ("@version" in keys or "logger_name" in keys)),
    ("bunyan", lambda keys, level: _is_int(level) and _has("v", "name", "hostname", "msg")(keys)),
    ("pino", lambda keys, level: _is_int(level) and "time" in keys and ("pid" in keys or "msg" in keys)),
    ("structlog", lambda keys, level: "event" in keys and not {"msg", "message"} & set(keys)
                                      and ("timestamp" in keys or "level" in keys)),
    ("python_json", lambda keys, level: "message" in keys and ("levelname" in keys or "asctime" in keys
                                                              or _has("funcName", "lineno")(keys))),
    ("zap", lambda keys, level: _has("level", "ts", "msg")(keys)),
    ("slog", lambda keys, level: _has("time", "msg")(keys) and isinstance(level, str) and level.isupper()),
    ("logrus", lambda keys, level: _has("time", "level", "msg")(keys)),
    ("nextcloud_json", lambda keys, level: _is_int(level) and _has("reqId", "remoteAddr", "app", "message")(keys)),
    ("log4rs_json", lambda keys, level: _has("time", "level", "message", "module_path", "target")(keys)),
    ("zerolog", lambda keys, level: _has("time", "level", "message")(keys)),
    ("monolog_json", lambda keys, level: _has("level_name", "channel", "message", "context")(keys)),
    ("nest_json", lambda keys, level: _has("level", "pid", "timestamp", "message", "context")(keys)),
    ("elasticsearch_json", lambda keys, level: _has("type", "timestamp", "level", "component", "message")(keys)),
    ("jboss_json", lambda keys, level: _has("loggerClassName", "loggerName", "level", "message")(keys)),
    ("liberty_json", lambda keys, level: _has("ibm_datetime", "message")(keys)),
    ("tracing_json", lambda keys, level: _has("timestamp", "level", "target", "message")(keys)),
    ("winston", lambda keys, level: _has("level", "message")(keys) and isinstance(level, str)),
)  # fmt: skip
DIALECTS: Final = ("json", *dict.fromkeys([*(name for name, _ in _DIALECTS), *SHAPES]))
_SCALES: Final[Mapping[str, Scale]] = {
    "pino": {**WORDS, **PINO},
    "bunyan": {**WORDS, **PINO},
    "slog": {**WORDS, **SLOG},
    "python_json": {**WORDS, **PYTHON_NUMBERS},
    "nextcloud_json": {"0": DEBUG, "1": INFO, "2": WARN, "3": ERROR, "4": FATAL},
    "liberty_json": {**WORDS, "AUDIT": INFO, "SYSTEMOUT": INFO, "SYSTEMERR": ERROR, "ENTRY": DEBUG, "EXIT": DEBUG},
}

_plans: dict[tuple[object, ...], Plan] = {}


def plan(fields: Mapping[str, object]) -> Plan:
    """The plan for objects with these keys in this order, and a level and a thread of this kind."""
    level = fields.get("level")
    kind = level.isupper() if isinstance(level, str) else type(level)
    key = (kind, isinstance(fields.get("thread"), str), *fields)
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
        if chosen in TEXT_KEYS and _OF_A_REQUEST & fields.keys():
            chosen = None
        if chosen is not None:
            targets[chosen] = (kind, chosen)
    taken: set[str] = set()
    for key in fields:
        if key in targets:
            continue
        target = _target(key, name) if key != "filename" or "pathname" not in fields else ("own", OWN_PREFIX + key)
        if key == "thread" and isinstance(fields[key], str):
            target = _target(key, "")  # a number in some, in others a name
        if target[0] != "error" and target[1] in taken:
            target = ("own", OWN_PREFIX + key)
        taken.add(target[1])
        targets[key] = target
    return Plan(name, _SCALES.get(name, WORDS), {key: targets[key] for key in fields}, shape)


def _target(key: str, name: str) -> tuple[str, str]:
    if key in OF_DIALECT.get(name, ()):
        return OF_DIALECT[name][key]
    if key in ATTRIBUTES:
        return "attribute", ATTRIBUTES[key][0]
    if key in RESOURCE:
        return "resource", RESOURCE[key]
    if key in TRACE_KEYS:
        return "trace", TRACE_KEYS[key]
    return ("error", key) if key in ERROR_KEYS else ("own", OWN_PREFIX + key)
