"""Profile `flat`: one level of dotted keys, for stores and tools that know no nesting.

The keys of `otel`, with attributes as they are named and resource attributes behind `resource.`; objects of the app
are opened into dotted keys, lists stay lists. Where two ways lead to one key the first one keeps it and the other is
written as JSON text behind `flat.collision.`, a third one with `_` at its end, and so on (`unique`).
"""

from collections.abc import Iterator, Mapping

import msgspec

from adapter_logformat.record import OBSERVED, Record
from adapter_logformat.unique import unique

_encode = msgspec.json.Encoder().encode
LEVELS = 16
"""Objects nested deeper than this are written as one value."""


def render(record: Record, observed: str) -> bytes:
    """`record` as a JSON line of dotted keys."""
    stamp = record.timestamp
    line: dict[str, object] = {"timestamp": stamp.text if stamp else observed, "observed_timestamp": observed}
    if record.severity_text:
        line["severity_text"] = record.severity_text
    if record.severity_number is not None:
        line["severity_number"] = record.severity_number
    if record.body is not None:
        line["body"] = record.body
    traced = {"trace_id": record.trace_id, "span_id": record.span_id, "trace_flags": record.trace_flags}
    line |= {name: value for name, value in traced.items() if value}
    line["log.format"] = record.format
    if record.original is not None:
        line["log.record.original"] = record.original
    if record.error:
        line["parse.error"] = record.error
    if record.truncated:
        line["log.truncated"] = True
    assumed = OBSERVED if stamp is None else stamp.assumed
    if assumed:
        line["timestamp.assumed"] = assumed
    tried: dict[str, int] = {}
    for prefix, values in (("", record.attributes), ("resource.", record.resource)):
        for key, value in values.items():
            for path, leaf in _leaves(prefix + key, value, LEVELS):
                if path in line:
                    line[unique(f"flat.collision.{path}", line, tried)] = _encode(leaf).decode()
                else:
                    line[path] = leaf
    return _encode(line) + b"\n"


def _leaves(path: str, value: object, levels: int) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping) and value and levels:
        for key, inner in value.items():
            yield from _leaves(f"{path}.{key}", inner, levels - 1)
    else:
        yield path, value
