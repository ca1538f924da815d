"""Profile `otlp`: OTLP/JSON, one complete `ExportLogsServiceRequest` per line (OTLP File Exporter, OTLP 1.x).

Protobuf's JSON mapping as OTLP narrows it: lowerCamelCase, 64-bit integers as strings, trace and span ids in hex, enums
as numbers. `log.format`, `parse.error` and their like have no field of their own there; they are attributes. Protobuf's
readers take no more than 100 messages inside each other, of which each level of an app's value makes three.
"""

from datetime import datetime
from typing import Final

import msgspec

from adapter_logformat.record import OBSERVED, Record

_encode = msgspec.json.Encoder().encode
SCOPE: Final = "otel.scope.name"
LARGEST_INT: Final = 2**63 - 1
FLAGS_MASK: Final = 0xFF
"""The W3C trace flags are the lowest 8 bits of `flags`."""
LEVELS: Final = 16
"""Lists and objects nested deeper than this are written as JSON text."""


def render(record: Record, observed: str) -> bytes:
    """`record` as one export request with one log record."""
    stamp = record.timestamp
    log: dict[str, object] = {}
    if stamp is not None:
        log["timeUnixNano"] = nanoseconds(stamp.text)
    log["observedTimeUnixNano"] = nanoseconds(observed)
    if record.severity_number is not None:
        log["severityNumber"] = record.severity_number
    if record.severity_text:
        log["severityText"] = record.severity_text
    if record.body is not None:
        log["body"] = {"stringValue": record.body}
    attributes = {key: value for key, value in record.attributes.items() if key != SCOPE or not isinstance(value, str)}
    attributes["log.format"] = record.format
    if record.original is not None:
        attributes["log.record.original"] = record.original
    if record.error:
        attributes["parse.error"] = record.error
    if record.truncated:
        attributes["log.truncated"] = True
    assumed = OBSERVED if stamp is None else stamp.assumed
    if assumed:
        attributes["timestamp.assumed"] = assumed
    log["attributes"] = _pairs(attributes)
    if record.trace_flags:
        log["flags"] = _flags(record.trace_flags)
    if record.trace_id:
        log["traceId"] = record.trace_id
    if record.span_id:
        log["spanId"] = record.span_id
    scope = record.attributes.get(SCOPE)
    scope_logs: dict[str, object] = {"scope": {"name": scope}} if isinstance(scope, str) else {}
    scope_logs["logRecords"] = [log]
    resource = {"resource": {"attributes": _pairs(record.resource)}} if record.resource else {}
    return _encode({"resourceLogs": [{**resource, "scopeLogs": [scope_logs]}]}) + b"\n"


def _flags(text: str) -> int:
    return int(text[1:-1]) if text[:1] == "\0" else int(text, 16) & FLAGS_MASK  # the hole of a template


def nanoseconds(text: str) -> str:
    """RFC 3339 in UTC as nanoseconds since 1970, as the mapping writes a 64-bit integer. Never below 0 (`fixed64`)."""
    if text[:1] == "\0":
        return text  # the hole of a template
    second, _, fraction = text[:-1].partition(".")
    whole = int(datetime.fromisoformat(second + "+00:00").timestamp())
    return str(whole * 1_000_000_000 + int(fraction.ljust(9, "0")[:9] or 0)) if whole >= 0 else "0"


def _pairs(values: dict[str, object], levels: int = LEVELS) -> list[dict[str, object]]:
    return [{"key": key, "value": _any(value, levels)} for key, value in values.items()]


def _any(value: object, levels: int) -> dict[str, object]:
    """`AnyValue` of the common protocol."""
    match value:
        case None:
            return {}
        case bool():
            return {"boolValue": value}
        case int() if -LARGEST_INT - 1 <= value <= LARGEST_INT:
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case str():
            return {"stringValue": value}
        case list() if levels:
            return {"arrayValue": {"values": [_any(each, levels - 1) for each in value]}}
        case dict() if levels:
            return {"kvlistValue": {"values": _pairs(value, levels - 1)}}
        case list() | dict():
            return {"stringValue": _encode(value).decode()}
    return {"stringValue": str(value)}  # an integer beyond 64 bits: its digits
