"""A batch of a megabyte, which is written in slices, is the same request as its lines one by one."""

import json
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from sidecar_logshipper.sinks.elasticsearch import Elasticsearch
from sidecar_logshipper.sinks.loki import Loki
from sidecar_logshipper.sinks.otlp import Otlp
from sidecar_logshipper.sinks.settings import ElasticsearchSink, LokiSink, OtlpSink, SplunkHecSink
from sidecar_logshipper.sinks.splunk_hec import SplunkHec

from .conftest import ORIGIN, batch, part

URL = "http://logs"


def loki(body: bytes) -> list[Any]:
    values: list[Any] = json.loads(body)["streams"][0]["values"]
    return values


def otlp_json(body: bytes) -> list[Any]:
    records: list[Any] = json.loads(body)["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
    return records


def otlp_protobuf(body: bytes) -> list[Any]:
    return list(ExportLogsServiceRequest.FromString(body).resource_logs[0].scope_logs[0].log_records)


DIALECTS = {
    "loki": (Loki(LokiSink(url=URL, record_id_field="id"), ORIGIN), loki, 1),
    "elasticsearch": (Elasticsearch(ElasticsearchSink(url=URL), ORIGIN), bytes.splitlines, 2),
    "otlp_json": (Otlp(OtlpSink(url=URL, encoding="json"), ORIGIN), otlp_json, 1),
    "otlp_protobuf": (Otlp(OtlpSink(url=URL), ORIGIN), otlp_protobuf, 1),
    "splunk_hec": (SplunkHec(SplunkHecSink(url=URL, token_file=Path("/t")), ORIGIN), bytes.splitlines, 1),
}


@pytest.mark.parametrize("kind", DIALECTS)
def test_in_slices_as_line_by_line(kind: str) -> None:
    dialect, read, per_line = DIALECTS[kind]
    lines = [b'{"n":%d,"level":"info"}\n' % n if n % 3 else b"plain %d\n" % n for n in range(30_000)]
    content = b"".join(lines)
    together = read(b"".join(dialect.encode(batch(part(content))).pieces))
    assert len(together) == per_line * len(lines)
    offset = 0
    for n, line in enumerate(lines):
        if n % 1000 == 7 or n > 29_995:
            alone = read(b"".join(dialect.encode(batch(part(line, offset))).pieces))
            assert together[n * per_line : (n + 1) * per_line] == alone
        offset += len(line)
