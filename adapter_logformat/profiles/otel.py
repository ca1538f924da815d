"""Profile `otel`: one flat JSON line in the OpenTelemetry logs data model, keys always in the same order,
absent ones left out.

Values are encoded as they are; a `msgspec.Raw` among them is written verbatim (that is how templates are
made, see `template`).
"""

import msgspec

from adapter_logformat.record import OBSERVED, Record

_encode = msgspec.json.Encoder().encode


def render(record: Record, observed: str) -> bytes:
    """`record` as a JSON line; without a readable time of its own it carries `observed` and says so."""
    stamp = record.timestamp
    line: dict[str, object] = {"timestamp": stamp.text if stamp else observed, "observed_timestamp": observed}
    if record.severity_text:
        line["severity_text"] = record.severity_text
    if record.severity_number is not None:
        line["severity_number"] = record.severity_number
    if record.body is not None:
        line["body"] = record.body
    if record.attributes:
        line["attributes"] = record.attributes
    if record.resource:
        line["resource"] = record.resource
    if record.trace_id:
        line["trace_id"] = record.trace_id
    if record.span_id:
        line["span_id"] = record.span_id
    if record.trace_flags:
        line["trace_flags"] = record.trace_flags
    line["log.format"] = record.format
    if record.original is not None:
        line["log.record.original"] = record.original
    if record.error:
        line["parse.error"] = record.error
    if record.truncated:
        line["log.truncated"] = True
    if stamp is None:
        line["timestamp.assumed"] = OBSERVED
    elif stamp.assumed:
        line["timestamp.assumed"] = stamp.assumed
    return _encode(line) + b"\n"
