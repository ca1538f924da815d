"""OTLP over HTTP, held against OpenTelemetry's own messages."""

# ruff: noqa: ASYNC240 (the files are local and small)

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsPartialSuccess,
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.logs.v1.logs_pb2 import SeverityNumber

from sidecar_logshipper.batch import Part
from sidecar_logshipper.sinks.otlp import Otlp
from sidecar_logshipper.sinks.otlp_messages import Json, Protobuf
from sidecar_logshipper.sinks.settings import OtlpSink
from sidecar_logshipper.verdict import Action

from ..conftest import Start
from .conftest import BARE, GENERATION, ORIGIN, SEEN_NS, Reply, answer, batch, part

ENCODINGS = ["protobuf", "json"]
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def otlp(encoding: str, **changes: Any) -> Otlp:
    return Otlp(OtlpSink(url="http://collector:4318", encoding=encoding, **changes), ORIGIN)  # type: ignore[arg-type]


def message(body: bytes, content_type: str) -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    if content_type == "application/json":
        # OTLP's JSON writes trace and span ids in hexadecimal, where protobuf's own JSON has base64.
        tree = json.loads(body)
        for record in tree["resourceLogs"][0]["scopeLogs"][0]["logRecords"]:
            assert isinstance(record["timeUnixNano"], str)
            for name in ("traceId", "spanId"):
                if name in record:
                    record[name] = base64.b64encode(bytes.fromhex(record[name])).decode()
        json_format.ParseDict(tree, request)
    else:
        request.ParseFromString(body)
        assert request.SerializeToString(deterministic=True), "empty"
        assert not _unknown(request)
    return request


def _unknown(request: ExportLogsServiceRequest) -> bool:
    size = request.ByteSize()
    request.DiscardUnknownFields()
    return request.ByteSize() != size


def sent(sink: Otlp, *parts: Part | bytes) -> ExportLogsServiceRequest:
    return message(b"".join(sink.encode(batch(*parts)).pieces), sink.content_type)


def records(request: ExportLogsServiceRequest) -> list[Any]:
    return [
        record for resource in request.resource_logs for scope in resource.scope_logs for record in scope.log_records
    ]


def attributes(pairs: Any) -> dict[str, str]:
    return {pair.key: pair.value.string_value for pair in pairs}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_request_with_all_there_is(encoding: str) -> None:
    line = {
        "timestamp": "2026-01-02T03:04:05.5Z",
        "level": "WARN",
        "trace_id": TRACE,
        "span_id": SPAN,
        "message": "é\n",
    }
    text = json.dumps(line, ensure_ascii=False)
    request = sent(otlp(encoding), part(f"{text}\nplain\n".encode(), start=100))
    (resource,) = request.resource_logs
    assert attributes(resource.resource.attributes) == {"app": "web", "k8s.pod.name": "web-1"}
    (scope,) = resource.scope_logs
    assert scope.scope.name == "podmates.logshipper"
    structured, plain = scope.log_records
    assert structured.time_unix_nano == 1767323045_500000000
    assert structured.observed_time_unix_nano == SEEN_NS + 100
    assert structured.body.string_value == text
    assert structured.severity_number == SeverityNumber.SEVERITY_NUMBER_WARN
    assert structured.severity_text == "warn"
    assert (structured.trace_id.hex(), structured.span_id.hex()) == (TRACE, SPAN)
    assert attributes(structured.attributes) == {
        "log.file.path": "/log/app.log",
        "log.record.uid": f"pod-uid-{GENERATION}-100",
    }
    after = 100 + len(f"{text}\n".encode())
    assert (plain.time_unix_nano, plain.body.string_value) == (SEEN_NS + after, "plain")
    assert (plain.severity_number, plain.trace_id) == (SeverityNumber.SEVERITY_NUMBER_UNSPECIFIED, b"")
    assert attributes(plain.attributes)["log.record.uid"] == f"pod-uid-{GENERATION}-{after}"


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_piece_and_no_id(encoding: str) -> None:
    (record,) = records(sent(otlp(encoding, record_id_field=""), part(b"half", piece=True)))
    assert attributes(record.attributes) == {"log.file.path": "/log/app.log", "log.partial": "true"}


@pytest.mark.parametrize("trace", [TRACE.upper(), TRACE[1:], "0" * 32, 17, None])
def test_a_trace_id_that_is_none_is_left_out(trace: object) -> None:
    (record,) = records(sent(otlp("protobuf"), json.dumps({"trace_id": trace, "level": 30}).encode() + b"\n"))
    assert (record.trace_id, record.severity_text) == (b"", "")


@given(st.lists(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"])), min_size=1, max_size=4))
def test_both_encodings_say_the_same(lines: list[str]) -> None:
    content = "".join(f"{line}\n" for line in lines).encode()
    as_protobuf, as_json = (records(sent(otlp(encoding), content)) for encoding in ENCODINGS)
    assert as_protobuf == as_json
    assert [record.body.string_value for record in as_protobuf] == [line.removesuffix("\r") for line in lines]


@given(st.integers(0, 2**62), st.text(), st.booleans())
def test_a_partial_success_is_read_as_it_was_written(rejected: int, why: str, with_json: bool) -> None:
    response = ExportLogsServiceResponse(
        partial_success=ExportLogsPartialSuccess(rejected_log_records=rejected, error_message=why)
    )
    if with_json:
        assert Json().partial_success(json_format.MessageToJson(response).encode()) == (rejected, why)
    else:
        assert Protobuf().partial_success(response.SerializeToString()) == (rejected, why)


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    for writing in (Json(), Protobuf()):
        try:
            writing.partial_success(body)
        except ValueError:
            continue


def partial_success(encoding: str, rejected: int) -> bytes:
    response = ExportLogsServiceResponse(
        partial_success=ExportLogsPartialSuccess(rejected_log_records=rejected, error_message="too old")
    )
    return json_format.MessageToJson(response).encode() if encoding == "json" else response.SerializeToString()


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_what_a_partial_success_means(encoding: str) -> None:
    sink = Otlp(OtlpSink(url="http://collector:4318", encoding=encoding), BARE)  # type: ignore[arg-type]
    some = sink.judge(answer(200, partial_success(encoding, 1)), batch(b"a\nb\n"), 0.0)
    assert (some.action, some.rejected, some.detail) == (Action.ACK, 1, "")
    every = sink.judge(answer(200, partial_success(encoding, 2)), batch(b"a\nb\n"), 0.0)
    assert [(each.action, each.certain) for each in every.records.values()] == [(Action.REFUSE, True)] * 2
    assert {(each.detail, each.answer) for each in every.records.values()} == {("", "too old")}
    assert sink.judge(answer(200, partial_success(encoding, 0)), batch(b"a\nb\n"), 0.0).rejected == 0
    assert sink.judge(answer(200, b"{}" if encoding == "json" else b""), batch(b"a\n"), 0.0).rejected == 0


@pytest.mark.parametrize(
    ("status", "action"),
    [
        (200, Action.ACK),
        (400, Action.BISECT),
        (401, Action.HOLD),
        (404, Action.HOLD),
        (408, Action.BISECT),  # the specification lets nothing but the next four be tried again
        (429, Action.RETRY),
        (502, Action.RETRY),
        (503, Action.RETRY),
        (504, Action.RETRY),
        (500, Action.BISECT),
        (501, Action.BISECT),
        (413, Action.SPLIT),
    ],
)
def test_what_an_answer_means(status: int, action: Action) -> None:
    assert otlp("protobuf").judge(answer(status), batch(b"a\n"), 0.0).action is action


def parse(request: web.Request, body: bytes) -> list[Any]:
    assert (request.method, request.path) == ("POST", "/v1/logs")
    assert request.headers["Content-Type"] in ("application/json", "application/x-protobuf")
    return records(message(body, request.headers["Content-Type"]))


@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_the_real_process(ship: Start, serve: Any, log: Path, encoding: str) -> None:
    server = await serve(parse)
    first = iter([Reply(503, headers={"Retry-After": "0"}), Reply(200, partial_success(encoding, 2))])
    server.reply = lambda records: next(first, Reply(200))
    log.write_bytes(b"".join(b"line %d\n" % n for n in range(10)))
    shipper = await ship(
        sink={"type": "otlp", "url": server.url, "encoding": encoding, "compression": "gzip"}, labels={"app": "web"}
    )
    told = await shipper.event("records_rejected")
    assert (told["count"], told["of"]) == (2, 10)
    assert "too old" not in str(shipper.events), "a server may echo lines"
    assert [record.body.string_value for record in await server.has(10)] == [f"line {n}" for n in range(10)]
    metrics = await shipper.metrics_when(lambda metrics: metrics["logshipper_pending_lines"] == 0)
    assert metrics['logshipper_dropped_lines_total{reason="rejected_by_sink"}'] == 2
    assert metrics["logshipper_acked_lines_total"] == 8
    assert metrics["logshipper_read_bytes_total"] == 70
    assert await shipper.stop() == 0
    assert len(server.requests) == 2
