"""The few OTLP messages that carry logs, written as protobuf or as JSON. Pure.

Field numbers from opentelemetry/proto/logs/v1/logs.proto, common.proto and resource.proto (OTLP 1.x); protobuf's wire
format, and for JSON the rules of the OTLP specification: lowerCamelCase, 64-bit integers as text, ids in hexadecimal.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

SCOPE = "podmates.logshipper"


@dataclass(slots=True)
class LogRecord:
    """`attributes` are fixed for many records and come encoded by `attribute`."""

    time: int
    observed: int
    body: str
    severity: int
    severity_text: str
    attributes: Sequence[Any]
    trace: str
    span: str


class Writing(Protocol):
    """One of the two ways to write; what `attribute` and `record` give is handed back to it as it is."""

    content_type: str

    def attribute(self, name: str, value: str) -> Any: ...
    def record(self, record: LogRecord) -> Any: ...
    def request(self, resource: Sequence[Any], records: Sequence[Any]) -> bytes: ...
    def partial_success(self, body: bytes) -> tuple[int, str]:
        """Of an ExportLogsServiceResponse: how many records were rejected, and why. ValueError when it is none."""
        ...


class Json:
    content_type = "application/json"

    def attribute(self, name: str, value: str) -> Any:
        return {"key": name, "value": {"stringValue": value}}

    def record(self, record: LogRecord) -> Any:
        written: dict[str, Any] = {
            "timeUnixNano": str(record.time),
            "observedTimeUnixNano": str(record.observed),
            "body": {"stringValue": record.body},
        }
        if record.severity_text:
            written |= {"severityNumber": record.severity, "severityText": record.severity_text}
        if record.attributes:
            written["attributes"] = record.attributes
        if record.trace:
            written["traceId"] = record.trace
        if record.span:
            written["spanId"] = record.span
        return written

    def request(self, resource: Sequence[Any], records: Sequence[Any]) -> bytes:
        scope_logs = {"scope": {"name": SCOPE}, "logRecords": records}
        return msgspec.json.encode(
            {"resourceLogs": [{"resource": {"attributes": resource}, "scopeLogs": [scope_logs]}]}
        )

    def partial_success(self, body: bytes) -> tuple[int, str]:
        try:
            partial = msgspec.json.decode(body, type=_Response, strict=False).partialSuccess
        except msgspec.MsgspecError as error:
            raise ValueError(str(error)) from error
        return (0, "") if partial is None else (partial.rejectedLogRecords, partial.errorMessage)


class _PartialSuccess(msgspec.Struct):
    rejectedLogRecords: int = 0
    errorMessage: str = ""


class _Response(msgspec.Struct):
    partialSuccess: _PartialSuccess | None = None


class Protobuf:
    content_type = "application/x-protobuf"

    def attribute(self, name: str, value: str) -> Any:
        return _field(6, _key_value(name, value))

    def record(self, record: LogRecord) -> Any:
        text = record.body.encode()
        parts = [
            b"\x09",  # time_unix_nano = 1, fixed64
            struct.pack("<Q", record.time),
            _field(5, _field(1, text)),  # body: AnyValue { string_value = 1 }
            *record.attributes,
            b"\x59",  # observed_time_unix_nano = 11, fixed64
            struct.pack("<Q", record.observed),
        ]
        if record.severity_text:
            parts.append(b"\x10" + _varint(record.severity) + _field(3, record.severity_text.encode()))
        if record.trace:
            parts.append(_field(9, bytes.fromhex(record.trace)))
        if record.span:
            parts.append(_field(10, bytes.fromhex(record.span)))
        return b"".join(parts)

    def request(self, resource: Sequence[Any], records: Sequence[Any]) -> bytes:
        # Resource.attributes is field 1, LogRecord.attributes field 6: their key-values are framed anew.
        attributes = b"".join(_field(1, _unframed(each)) for each in resource)
        scope_logs = _field(1, _field(1, SCOPE.encode())) + b"".join([_field(2, record) for record in records])
        return _field(1, _field(1, attributes) + _field(2, scope_logs))

    def partial_success(self, body: bytes) -> tuple[int, str]:
        rejected, message = 0, ""
        for number, value in _fields(body):
            if number == 1 and isinstance(value, bytes):
                for inner, said in _fields(value):
                    if inner == 1 and isinstance(said, int):
                        rejected = said
                    elif inner == 2 and isinstance(said, bytes):
                        message = said.decode("utf-8", "replace")
        return rejected, message


def _varint(number: int) -> bytes:
    if number < 0x80:
        return bytes((number,))
    written = bytearray()
    while number >= 0x80:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited field."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _key_value(name: str, value: str) -> bytes:
    return _field(1, name.encode()) + _field(2, _field(1, value.encode()))


def _unframed(field: bytes) -> bytes:
    """The content of a length-delimited field whose number is below 16."""
    _, start = _read_varint(field, 1)
    return field[start:]


def _read_varint(raw: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while at < len(raw) and shift < 64:
        byte = raw[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
        shift += 7
    raise ValueError("a protobuf number that does not end")


def _fields(raw: bytes) -> list[tuple[int, int | bytes]]:
    """The fields of a message: numbers for varints, bytes for all others. ValueError when it is none."""
    found: list[tuple[int, int | bytes]] = []
    at = 0
    while at < len(raw):
        tag, at = _read_varint(raw, at)
        if tag & 7 == 0:
            number, at = _read_varint(raw, at)
            found.append((tag >> 3, number))
            continue
        if tag & 7 not in (1, 2, 5):
            raise ValueError("no protobuf message")
        length, at = _read_varint(raw, at) if tag & 7 == 2 else ({1: 8, 5: 4}[tag & 7], at)
        if at + length > len(raw):
            raise ValueError("a protobuf message that is cut short")
        found.append((tag >> 3, raw[at : at + length]))
        at += length
    return found
