"""JSON of structured loggers whose keys are their own: .NET's console, Serilog's JsonFormatter, zap's short keys, and
ECS with its fields nested.

`json_app` knows them by their keys and asks `build` or `flattened`; what a shape does not name stays the app's own.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from adapter_logformat.formats import json_app
from adapter_logformat.formats.json_server import DOTNET_LEVELS, filled, put_level, take_text, take_time, take_values
from adapter_logformat.record import Record
from adapter_logformat.severity import WORDS
from adapter_logformat.timestamps import Times
from adapter_logformat.traces import thrown

Fields = dict[str, Any]

_CALLER: Final = re.compile(r"([\w./\-@]{1,300}\.go):(\d{1,9})", re.ASCII)


def flattened(fields: Mapping[str, Any]) -> Fields | None:
    """ECS with dots in the place of its objects; `None` where there are none. A key there twice stays nested."""
    flat: Fields = {}
    for key, value in fields.items():
        if key in json_app.ECS_OBJECTS and isinstance(value, dict) and value:
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
    "dotnet_json": dotnet, "serilog_json": serilog, "zap_json": zap,
}  # fmt: skip
