"""JSON of structured loggers whose keys are their own: .NET's console, Serilog's JsonFormatter, zap's short keys,
Rust's tracing, loguru, log4js, Google Cloud's special fields, and ECS with its fields nested.

`json_app` knows them by their keys and asks `build` or `flattened`; what a shape does not name stays the app's own.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from adapter_logformat.formats import json_app
from adapter_logformat.formats.json_dialects import ECS_OBJECTS, GOOGLE
from adapter_logformat.formats.json_server import DOTNET_LEVELS, filled, put_level, take_text, take_time, take_values
from adapter_logformat.grammar import is_number
from adapter_logformat.record import Record
from adapter_logformat.severity import PYTHON, WORDS
from adapter_logformat.timestamps import Times
from adapter_logformat.traces import thrown

Fields = dict[str, Any]

_TRACE: Final = re.compile(r"(?:\A|/traces/)[0-9a-f]{32}\Z")
_SECONDS: Final = re.compile(r"\d{1,9}(?:\.\d{1,9})?s", re.ASCII)
_PLACE: Final = {"file": "code.file.path", "line": "code.line.number", "function": "code.function.name"}
_CALLER: Final = re.compile(r"([\w./\-@]{1,300}\.go):(\d{1,9})", re.ASCII)


def flattened(fields: Mapping[str, Any]) -> Fields | None:
    """ECS with dots in the place of its objects; `None` where there are none. A key there twice stays nested."""
    flat: Fields = {}
    for key, value in fields.items():
        if key in ECS_OBJECTS and isinstance(value, dict) and value:
            inside = dict(_dotted(key, value))
            if not inside.keys() & (fields.keys() | flat.keys()):
                flat.update(inside)
                continue
        flat[key] = value
    return None if flat.keys() == fields.keys() else flat


def _dotted(prefix: str, value: Mapping[str, Any]) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, inner in value.items():
        name = f"{prefix}.{key}"
        found += _dotted(name, inner) if isinstance(inner, dict) and inner else [(name, inner)]
    return found


def dotnet(record: Record, left: Fields, times: Times) -> None:
    """`AddJsonConsole`: a time only where the app asked for one; the arguments are in `State`."""
    if "Timestamp" in left:
        record.timestamp = json_app.moment(take_text(left["Timestamp"]).strip(), times)
        if record.timestamp is None:
            record.error = "time"
        else:
            del left["Timestamp"]
    put_level(record, left.pop("LogLevel"), DOTNET_LEVELS)
    record.body = take_text(left.pop("Message"))
    take_values(record, left, {"Category": "otel.scope.name"})
    _thrown(record, left, "Exception")
    state = left.get("State")
    if isinstance(state, dict):
        del left["State"]
        if state.get("Message") == record.body:
            state.pop("Message")
        template = state.pop("{OriginalFormat}", None)
        if template is not None:
            record.attributes["app.message_template"] = template
        _lay_open(left, state, "State")


def serilog(record: Record, left: Fields, times: Times) -> None:
    """Serilog's `JsonFormatter`, with or without `renderMessage`."""
    take_time(record, left.pop("Timestamp"), times)
    put_level(record, left.pop("Level"), DOTNET_LEVELS)
    template = take_text(left.pop("MessageTemplate"))
    properties = left.pop("Properties", None)
    _lay_open(left, properties if isinstance(properties, dict) else {}, "Properties")
    rendered = left.pop("RenderedMessage", None)
    record.body = rendered if isinstance(rendered, str) else filled(template, left)
    record.attributes["app.message_template"] = template
    _thrown(record, left, "Exception")
    for key, name, digits in (("TraceId", "trace_id", 32), ("SpanId", "span_id", 16)):
        value = left.get(key)
        if isinstance(value, str) and re.fullmatch(rf"[0-9a-fA-F]{{{digits}}}", value) and value.strip("0"):
            setattr(record, name, left.pop(key).lower())
    take_values(record, left, {"SourceContext": "otel.scope.name", "ThreadId": "thread.id", "ProcessId": "process.pid"})


def zap(record: Record, left: Fields, times: Times) -> None:
    """zap's development encoder as JSON."""
    take_time(record, left.pop("T"), times)
    put_level(record, left.pop("L"), WORDS)
    record.body = take_text(left.pop("M"))
    take_values(record, left, {"N": "otel.scope.name", "F": "code.function.name"})
    caller = left.get("C")
    if isinstance(caller, str) and (place := _CALLER.fullmatch(caller)) is not None:
        del left["C"]
        record.attributes |= {"code.file.path": place[1], "code.line.number": int(place[2])}
    _thrown(record, left, "S")


def tracing(record: Record, left: Fields, times: Times) -> None:
    """tracing-subscriber: the event's own fields are in `fields`, the spans around it in `span` and `spans`."""
    take_time(record, left.pop("timestamp"), times)
    put_level(record, left.pop("level"), WORDS)
    inside = dict(left.pop("fields"))
    if "message" in inside:
        record.body = take_text(inside.pop("message"))
    take_values(record, left, {
        "target": "otel.scope.name", "filename": "code.file.path", "line_number": "code.line.number",
        "threadName": "thread.name",
    })  # fmt: skip
    _lay_open(left, inside, "fields")


def loguru(record: Record, left: Fields, times: Times) -> None:
    """`serialize=True`: the line as text, and the record it was made of."""
    told = dict(left.pop("record"))
    moment = told.pop("time")
    take_time(record, moment["repr"], times)
    put_level(record, told.pop("level")["name"], PYTHON)
    record.body = take_text(told.pop("message"))
    take_values(record, told, {"name": "otel.scope.name", "function": "code.function.name", "line": "code.line.number"})
    for key, names in _LOGURU_OBJECTS.items():
        inside = dict(told.pop(key))
        take_values(record, inside, names)
        if inside:
            told[key] = inside
    raised = told.get("exception")
    if isinstance(raised, dict):
        record.attributes |= {"exception.type": take_text(raised["type"]), "exception.message": str(raised["value"])}
        _, begin, trace = take_text(left["text"]).rstrip("\n").partition("\nTraceback (most recent call last):")
        if begin:
            record.attributes["exception.stacktrace"] = begin[1:] + trace
    told.pop("exception", None)
    _lay_open(told, told.pop("extra"), "extra")
    del left["text"]
    left.update(told)


_LOGURU_OBJECTS: Final = {
    "file": {"path": "code.file.path"},
    "process": {"id": "process.pid", "name": "process.executable.name"},
    "thread": {"id": "thread.id", "name": "thread.name"},
}


def log4js(record: Record, left: Fields, times: Times) -> None:
    """log4js' `jsonLayout` of whole events: what was logged is a list of arguments."""
    take_time(record, left.pop("startTime"), times)
    put_level(record, left.pop("level")["levelStr"], WORDS)
    said = left.pop("data")
    if not isinstance(said, list):
        raise TypeError("no list")
    record.body = " ".join(text if isinstance(text, str) else msgspec.json.encode(text).decode() for text in said)
    take_values(record, left, {
        "categoryName": "otel.scope.name", "pid": "process.pid", "fileName": "code.file.path",
        "lineNumber": "code.line.number", "functionName": "code.function.name",
    })  # fmt: skip


def google(record: Record, left: Fields, times: Times) -> None:
    """What Cloud Logging's agent takes out of JSON: trace, place in the code and request; all else is an app's."""
    # What makes it an object of this kind must be gone before an app's reader is asked, which would ask again.
    seconds: Fields = {key: left.pop(key) for key in ("timestampSeconds", "timestampNanos") if key in left}
    if len(seconds) == 2 and all(type(value) is int for value in seconds.values()) and "timestamp" not in left:
        left["timestamp"] = {"seconds": seconds["timestampSeconds"], "nanos": seconds["timestampNanos"]}
        seconds = {}
    special = {key.removeprefix(GOOGLE): left.pop(key) for key in list(left) if key.startswith(GOOGLE)}
    trace = special.get("trace")
    if isinstance(trace, str) and _TRACE.search(trace) is not None:
        left["trace_id"] = special.pop("trace")[-32:]
    span = special.get("spanId")
    if isinstance(span, str) and len(span) == 16:
        left["span_id"] = special.pop("spanId")
    if isinstance(special.get("trace_sampled"), bool):
        left["trace_flags"] = "01" if special.pop("trace_sampled") else "00"
    request = left.pop("httpRequest", None)
    made = json_app.record(left, times)
    for name in (
        "timestamp",
        "severity_text",
        "severity_number",
        "body",
        "trace_id",
        "span_id",
        "trace_flags",
        "error",
    ):
        setattr(record, name, getattr(made, name))
    record.attributes, record.resource = made.attributes, made.resource
    left.clear()
    place = special.get("sourceLocation")
    if isinstance(place, dict):
        inside = dict(place)
        if isinstance(inside.get("line"), str) and is_number(inside["line"]):
            inside["line"] = int(inside["line"])
        take_values(record, inside, _PLACE)
        special["sourceLocation"] = inside
    if isinstance(request, dict):
        inside = _google_request(record, dict(request))
        if inside:
            left["httpRequest"] = inside
    elif request is not None:
        left["httpRequest"] = request
    left.update({GOOGLE + key: value for key, value in special.items() if value != {}})
    left.update(seconds)


def _google_request(record: Record, inside: Fields) -> Fields:
    """Takes what has a name out of `httpRequest`; gives what is left."""
    if isinstance(inside.get("status"), int):
        record.attributes["http.response.status_code"] = inside.pop("status")
    took = inside.get("latency")
    if isinstance(took, str) and _SECONDS.fullmatch(took) is not None:
        record.attributes["http.server.request.duration"] = float(inside.pop("latency")[:-1])
    for key, name in (("requestSize", "http.request.size"), ("responseSize", "http.response.size")):
        value = inside.get(key)
        if isinstance(value, str | int) and is_number(str(value)):
            record.attributes[name] = int(inside.pop(key))
    take_values(record, inside, {
        "requestMethod": "http.request.method", "requestUrl": "url.full", "userAgent": "user_agent.original",
        "remoteIp": "client.address", "serverIp": "server.address",
    })  # fmt: skip
    return inside


def _thrown(record: Record, left: Fields, key: str) -> None:
    text = left.get(key)
    found = thrown(text, "stack") if isinstance(text, str) else None
    if found:
        record.attributes.update(found)
        del left[key]


def _lay_open(left: Fields, inside: Mapping[str, Any], name: str) -> None:
    """The members of `inside` beside the others; those whose key is taken stay under `name`."""
    taken = {key: value for key, value in inside.items() if key in left}
    left.update({key: value for key, value in inside.items() if key not in taken})
    if taken:
        left[name] = taken


BUILDERS: Final[Mapping[str, Callable[[Record, Fields, Times], None]]] = {
    "dotnet_json": dotnet, "serilog_json": serilog, "zap_json": zap, "tracing_json": tracing, "loguru_json": loguru,
    "log4js_json": log4js, "google_cloud": google,
}  # fmt: skip
