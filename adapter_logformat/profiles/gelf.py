"""Profile `gelf`: the Graylog Extended Log Format 1.1, one message per line.

`version`, `host`, `short_message`, `full_message`, `timestamp` (seconds since 1970 as a number) and `level` (syslog's)
are its own; every other field has an underscore before it, characters outside `[\\w.-]` become `_`, values are strings
or numbers, and `_id` is not allowed (it becomes `_id_`). Of keys that become alike all but the first get
another end (`unique`).
"""

import re
from datetime import datetime
from typing import Final

import msgspec

from adapter_logformat.record import OBSERVED, Record
from adapter_logformat.unique import unique

_encode = msgspec.json.Encoder().encode
HOST_KEYS: Final = ("host.name", "container.id", "service.name")
UNKNOWN_HOST: Final = "unknown"
"""`host` may not be missing (GELF 1.1)."""
LEVELS: Final = {
    number: level
    for level, numbers in ((7, range(1, 9)), (6, (9,)), (5, range(10, 13)), (4, range(13, 17)), (3, (17,)), (2, (18,)),
                           (1, (19, 20)), (0, range(21, 25)))
    for number in numbers
}  # fmt: skip
"""SeverityNumber (1 to 24) to syslog severity (RFC 5424, table 2)."""
_FORBIDDEN: Final = re.compile(r"[^\w.\-]", re.ASCII)


def render(record: Record, observed: str) -> bytes:
    """`record` as one GELF message."""
    stamp = record.timestamp
    body = record.body if record.body else record.format
    first, newline, _ = body.partition("\n")
    line: dict[str, object] = {"version": "1.1", "host": _host(record), "short_message": first or body.strip() or "-"}
    if newline:
        line["full_message"] = body
    line["timestamp"] = msgspec.Raw(epoch(stamp.text if stamp else observed).encode())
    if record.severity_number is not None:
        line["level"] = LEVELS.get(record.severity_number, record.severity_number)  # a template's hole stays one
    more: dict[str, object] = {
        "observed_timestamp": observed,
        "severity_text": record.severity_text,
        "trace_id": record.trace_id,
        "span_id": record.span_id,
        "trace_flags": record.trace_flags,
        "log.format": record.format,
        "log.record.original": record.original,
        "parse.error": record.error,
        "log.truncated": "true" if record.truncated else None,
        "timestamp.assumed": OBSERVED if stamp is None else stamp.assumed,
        **{f"resource.{key}": value for key, value in record.resource.items()},
        **record.attributes,
    }
    tried: dict[str, int] = {}
    for key, value in more.items():
        if value is not None and value != "":
            line[unique(_name(key), line, tried)] = _scalar(value)
    return _encode(line) + b"\n"


def epoch(text: str) -> str:
    """RFC 3339 in UTC as seconds since 1970, with every digit of the fraction."""
    if text[:1] == "\0":
        return text  # the hole of a template
    second, _, fraction = text[:-1].partition(".")
    whole = int(datetime.fromisoformat(second + "+00:00").timestamp())
    return f"{whole}.{fraction}" if fraction and whole >= 0 else str(whole)


def _host(record: Record) -> str:
    found = (record.resource.get(key) or record.attributes.get(key) for key in HOST_KEYS)
    return next((value for value in found if isinstance(value, str) and value), UNKNOWN_HOST)


def _name(key: str) -> str:
    name = "_" + _FORBIDDEN.sub("_", key)
    return "_id_" if name == "_id" else name


def _scalar(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return value
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
        return value[0]
    return _encode(value).decode()
