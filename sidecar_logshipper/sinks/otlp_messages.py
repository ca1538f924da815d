"""The few OTLP messages that carry logs, written as protobuf or as JSON. Pure.

Field numbers from opentelemetry/proto/logs/v1/logs.proto, common.proto and resource.proto (OTLP 1.x); protobuf's wire
format, and for JSON the rules of the OTLP specification: lowerCamelCase, 64-bit integers as text, ids in hexadecimal.
"""

import struct
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from sidecar_logshipper.lines import Lines, Told
from sidecar_logshipper.severity import otlp_number

SCOPE = "podmates.logshipper"
_INVALID = ("log.invalid_utf8", "true")
_TIMES = struct.Struct("<BQBQ")  # time_unix_nano = 1 and observed_time_unix_nano = 11, both fixed64, with their tags


class Writing(Protocol):
    """One of the two ways to write; what `attribute` gives is handed back to it as it is."""

    content_type: str

    def attribute(self, name: str, value: str) -> Any: ...

    def records(self, lines: Lines, attributes: Sequence[Any], ids: tuple[str, str] | None) -> bytes:
        """These lines as log records, for `request`. `ids`: the attribute for the id, and what the ids begin with."""
        ...

    def request(self, resource: Sequence[Any], records: Sequence[bytes]) -> list[bytes]:
        """An ExportLogsServiceRequest, in pieces."""
        ...

    def partial_success(self, body: bytes) -> tuple[int, str]:
        """Of an ExportLogsServiceResponse: how many records were rejected, and why. ValueError when it is none."""
        ...


class Json:
    content_type = "application/json"

    def attribute(self, name: str, value: str) -> Any:
        return {"key": name, "value": {"stringValue": value}}

    def records(self, lines: Lines, attributes: Sequence[Any], ids: tuple[str, str] | None) -> bytes:
        written = []
        for place, (text, told, time, seen, offset) in enumerate(
            zip(lines.text, lines.told, lines.times, lines.seen, lines.offsets, strict=True)
        ):
            own = attributes if ids is None else [*attributes, self.attribute(ids[0], f"{ids[1]}{offset}")]
            if place in lines.invalid:
                own = [*own, self.attribute(*_INVALID)]
            record: dict[str, Any] = {
                "timeUnixNano": str(time),
                "observedTimeUnixNano": str(seen),
                "body": {"stringValue": text.decode()},
                "attributes": own,
            }
            if told is not None:
                record |= _told_as_json(told)
            written.append(record)
        return msgspec.json.encode(written)[1:-1]

    def request(self, resource: Sequence[Any], records: Sequence[bytes]) -> list[bytes]:
        scope = msgspec.json.encode({"name": SCOPE})
        attributes = msgspec.json.encode(resource)
        front = b'{"resourceLogs":[{"resource":{"attributes":%b},"scopeLogs":[{"scope":%b,"logRecords":['
        return [front % (attributes, scope), b",".join(records), b"]}]}]}"]

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

    def records(self, lines: Lines, attributes: Sequence[Any], ids: tuple[str, str] | None) -> bytes:
        fixed = b"".join(attributes)
        written: list[bytes] = []
        for place, (text, told, time, seen, offset) in enumerate(
            zip(lines.text, lines.told, lines.times, lines.seen, lines.offsets, strict=True)
        ):
            said = b"" if told is None else _told_as_protobuf(told)
            own = b"" if ids is None else self.attribute(ids[0], f"{ids[1]}{offset}")
            if place in lines.invalid:
                own += self.attribute(*_INVALID)
            body = b"\x0a" + _varint(len(text)) + text  # AnyValue { string_value = 1 }
            record = b"%b\x2a%b%b%b%b%b" % (
                _TIMES.pack(0x09, time, 0x59, seen),
                _varint(len(body)),
                body,
                fixed,
                own,
                said,
            )
            written += (b"\x12", _varint(len(record)), record)  # ScopeLogs.log_records = 2
        return b"".join(written)

    def request(self, resource: Sequence[Any], records: Sequence[bytes]) -> list[bytes]:
        # Resource.attributes is field 1, LogRecord.attributes field 6: their key-values are framed anew.
        attributes = b"".join(_field(1, _unframed(each)) for each in resource)
        scope = _field(1, _field(1, SCOPE.encode()))
        scope_logs = b"\x12" + _varint(len(scope) + sum(map(len, records))) + scope
        front = _field(1, attributes) + scope_logs
        return [b"\x0a" + _varint(len(front) + sum(map(len, records))) + front, *records]

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


def _told_as_json(told: Told) -> dict[str, Any]:
    written: dict[str, Any] = {}
    if level := told.severity_name:
        written |= {"severityNumber": otlp_number(level), "severityText": level}
    if told.trace:
        written["traceId"] = told.trace
    if told.span:
        written["spanId"] = told.span
    return written


def _told_as_protobuf(told: Told) -> bytes:
    written = b""
    if level := told.severity_name:
        written = b"\x10" + _varint(otlp_number(level)) + _field(3, level.encode())
    if told.trace:
        written += _field(9, bytes.fromhex(told.trace))
    if told.span:
        written += _field(10, bytes.fromhex(told.span))
    return written


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
