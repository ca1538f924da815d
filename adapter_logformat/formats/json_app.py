"""JSON application logs: pino, bunyan, winston, zap, logrus, slog, zerolog, structlog, python-json-logger,
logstash-logback.

What a key means is said by the plan of `json_dialects`; here the values go to their places, the app's own under `app.`,
nested ones as they are. Many lines at once: `json_fast`.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from adapter_logformat.formats.json_dialects import ATTRIBUTES, DIALECTS, NESTED_ECS, TEXT_KEYS, Plan, plan
from adapter_logformat.grammar import Fast, Format
from adapter_logformat.profiles import Render
from adapter_logformat.record import OWN_PREFIX, Record, Stamp
from adapter_logformat.severity import INFO, PINO, Scale, between
from adapter_logformat.timestamps import Times
from adapter_logformat.traces import thrown

__all__ = (
    "ATTRIBUTE_TYPES", "FORMATS", "TRACE_DIGITS", "Plan", "moment", "opened", "parse", "plan", "read", "record",
    "severity",
)  # fmt: skip

TRACE_DIGITS: Final = {"trace_id": 32, "span_id": 16, "trace_flags": 2}
NESTED: Final = 4
NESTS: Final = '{"'
"""How a text begins that may be an object."""
DAMAGED: Final = "invalid_utf8"
LONGEST_TIME: Final = 64
EARLIEST_S: Final = 10**8
"""A smaller number (before March 1973) counts something else than seconds since 1970."""

_HEX: Final = re.compile(r"[0-9a-fA-F]+")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_EPOCH: Final = re.compile(r"(?:(\d{10})(?:\.(\d{1,9}))?|(\d{13}|\d{16}|\d{19}))", re.ASCII)
_UNIT_DIGITS: Final = {13: 3, 16: 6, 19: 9}
_NO_TIME: Final = re.compile(r"[\d.,]{0,9} ?[a-zµ]{0,2}", re.ASCII)
"""A small number or duration: a key that has one is no time, and nothing is wrong with it."""
_SLOG_LEVEL: Final = re.compile(r"(DEBUG|INFO|WARN|ERROR)([+-]\d{1,3})")
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.encode


def read(line: str, times: Times) -> Record | None:
    """One line that is one JSON object; `None` for anything else."""
    fields, is_damaged = _parsed(line)
    if fields is None:
        return None
    made = record(fields, times)
    if is_damaged:
        made.error = made.error or DAMAGED
    return made


def parse(line: str) -> dict[str, Any] | None:
    """The object in `line`: of a key that occurs twice the last value counts; integers and big numbers keep
    every digit."""
    return _parsed(line)[0]


def _parsed(line: str) -> tuple[dict[str, Any] | None, bool]:
    """The object, and whether a text in it held half of a pair of surrogates, which is no character (RFC 8259, 8.2)."""
    if not line.lstrip().startswith("{"):
        return None, False
    try:
        fields, is_damaged = _decode(line), False
    except (msgspec.DecodeError, RecursionError, ValueError):
        fields, is_damaged = _leniently(line)
    return (fields, is_damaged) if isinstance(fields, dict) and fields else (None, False)


def _leniently(line: str) -> tuple[object, bool]:
    """What strict JSON refuses but loggers write: NaN, control characters, lone surrogates, numbers beyond a double."""
    try:
        fields = json.loads(line, strict=False, parse_constant=str, parse_float=_number)
        written, halves = _SURROGATE.subn("\ufffd", json.dumps(fields, ensure_ascii=False))
        return json.loads(written, parse_float=_number), halves > 0
    except (ValueError, RecursionError):
        return None, False


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
    if record.timestamp is None and not _is_no_time(value):
        record.error = "time"
    return record.timestamp is not None


def _is_no_time(value: object) -> bool:
    """Something else under the same key: `"t": 5`, `"time": "12ms"`."""
    if isinstance(value, str):
        return _NO_TIME.fullmatch(value) is not None
    return value is None or (isinstance(value, int | float) and abs(value) < EARLIEST_S)


def moment(value: object, times: Times) -> Stamp | None:
    """A JSON value as a time: text in any usual layout, or seconds, milli-, micro- or nanoseconds since 1970 by their
    size."""
    if isinstance(value, str):
        return times.text(value) or _written(value, times)
    if isinstance(value, dict) and value.keys() == {"date", "timezone_type", "timezone"}:
        # PHP's DateTime; of a zone's name (`Europe/Berlin`) the offset is not known
        zone = "Z" if value["timezone"] == "UTC" else value["timezone"]
        return times.text(f"{value['date']}{zone}") or times.text(str(value["date"]))
    if isinstance(value, dict) and value.keys() == {"seconds", "nanos"}:
        seconds, nanos = value["seconds"], value["nanos"]
        if type(seconds) is not int or type(nanos) is not int or not 0 <= nanos < 10**9:
            return None
        return times.epoch(seconds, f"{nanos:09d}")
    if isinstance(value, bool) or not isinstance(value, int | float) or value < EARLIEST_S:
        return None
    if isinstance(value, float):
        whole, point, fraction = repr(value).partition(".")
        if "e" in fraction or not whole.isdigit() or value >= 1e11:
            return times.epoch(int(value), unit_digits=3) if 1e11 <= value < 1e14 else None
        return times.epoch(int(whole), fraction if point and fraction != "0" else "")
    digits = 0 if value < 10**11 else 3 if value < 10**14 else 6 if value < 10**17 else 9
    return times.epoch(value, unit_digits=digits)


def _written(text: str, times: Times) -> Stamp | None:
    """A number written as text, or a time in another layout than ISO 8601."""
    number = _EPOCH.fullmatch(text)
    if number is not None:
        if number[1] is not None:
            return times.epoch(int(number[1]), number[2] or "")
        return times.epoch(int(number[3]), unit_digits=_UNIT_DIGITS[len(number[3])])
    from adapter_logformat.formats import generic_times  # only texts that are no ISO 8601 need it

    found = generic_times.find(text) if len(text) <= LONGEST_TIME else None
    return found.stamp(times) if found is not None and (found.begin, found.end) == (0, len(text)) else None


def _put_level(record: Record, made: Plan, target: str, value: Any, times: Times) -> bool:
    found = severity(made.scale, value)
    if found is None:
        return False
    record.severity_text, record.severity_number = found
    return True


def severity(scale: Scale, value: object) -> tuple[str, int | None] | None:
    """The level as written and its number; `None` for a value that is no level at all."""
    if isinstance(value, str):
        between_words = _SLOG_LEVEL.fullmatch(value)
        if between_words is not None:
            # slog's steps are OpenTelemetry's, with INFO at 0.
            return value, min(max((scale.get(between_words[1]) or INFO) + int(between_words[2]), 1), 24)
        return value, scale.get(value.upper())
    if type(value) is int:
        number = scale.get(str(value))
        return str(value), between(PINO, value) if number is None and scale.get("60") else number
    return None


def _put_body(record: Record, made: Plan, target: str, value: Any, times: Times) -> bool:
    if value is None or (target in TEXT_KEYS and not isinstance(value, str)):
        return False
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
    found: Mapping[str, str] | None = None
    left: Any = None
    if isinstance(value, dict):
        found, left = thrown_by(value)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        # structlog's dict_tracebacks: what was raised, then its causes.
        found, left = thrown_by(value[0])[0], value
    elif isinstance(value, str) and value:
        found = thrown(value, target)
    if not found or any(key in record.attributes and record.attributes[key] != text for key, text in found.items()):
        return False
    record.attributes.update(found)
    if left:
        record.attributes[OWN_PREFIX + target] = left
    return True


_THROWN_NAMES: Final = {
    **dict.fromkeys(("type", "name", "class", "exceptionType", "Exception", "exc_type"), "exception.type"),
    **dict.fromkeys(("message", "msg", "Message", "exc_value"), "exception.message"),
    **dict.fromkeys(("stack", "stacktrace", "stack_trace"), "exception.stacktrace"),
}  # fmt: skip


def thrown_by(value: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, Any]]:
    """What an error object says (`type`/`name`, `message`, `stack`), and what else is in it."""
    found: dict[str, str] = {}
    left: dict[str, Any] = {}
    for key, text in value.items():
        name = _THROWN_NAMES.get(key)
        if name == "exception.stacktrace" and isinstance(text, list) and text and all(isinstance(f, str) for f in text):
            text = "\n".join(text)
        if name is not None and isinstance(text, str) and name not in found:
            found[name] = text
        else:
            left[key] = text
    return found, left


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
        variants=DIALECTS,
        sample='{"level":30,"time":1531171074631,"pid":657,"hostname":"web-1","msg":"hello"}',
        fast=_fast,
    ),
)
