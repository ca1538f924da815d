"""A record whose bytes are no UTF-8 is sent as text that is, and says so; its neighbours do not."""

from pathlib import Path
from typing import Any

import pytest

from chassis.settings import Address
from sidecar_logshipper.batch import Part
from sidecar_logshipper.sinks import settings as given
from sidecar_logshipper.sinks.elasticsearch import Elasticsearch
from sidecar_logshipper.sinks.loki import Loki
from sidecar_logshipper.sinks.otlp import Otlp
from sidecar_logshipper.sinks.plain import LinesWriter, Plain
from sidecar_logshipper.sinks.splunk_hec import SplunkHec
from sidecar_logshipper.sinks.syslog_format import SyslogFormat
from sidecar_logshipper.sinks.victorialogs import Victorialogs

from .conftest import ORIGIN, batch, part

URL = "http://logs"
WRITERS: dict[str, Any] = {
    "http": Plain(LinesWriter("ndjson", "", ORIGIN)),
    "http with ids": Plain(LinesWriter("ndjson", "id", ORIGIN)),
    "loki": Loki(given.LokiSink(url=URL), ORIGIN),
    "elasticsearch": Elasticsearch(given.ElasticsearchSink(url=URL), ORIGIN),
    "otlp json": Otlp(given.OtlpSink(url=URL, encoding="json"), ORIGIN),
    "otlp protobuf": Otlp(given.OtlpSink(url=URL), ORIGIN),
    "victorialogs": Victorialogs(given.VictorialogsSink(url=URL), ORIGIN),
    "splunk": SplunkHec(given.SplunkHecSink(url=URL, token_file=Path("/t")), ORIGIN),
}
SYSLOG = SyslogFormat(given.SyslogSink(address=Address("logs:514")), ORIGIN)


def written(kind: str, lines: Part) -> bytes:
    if kind == "syslog":
        return b"".join(SYSLOG.messages(lines))
    return b"".join(WRITERS[kind].encode(batch(lines)).pieces)


@pytest.mark.parametrize("kind", [*WRITERS, "syslog"])
def test_only_the_one_that_holds_them_is_marked(kind: str) -> None:
    found = written(kind, part(b"one\nt\xffo\nthr\xc3\xa9e\n"))
    assert found.count(b"invalid_utf8") == 1
    assert "t\N{REPLACEMENT CHARACTER}o".encode() in found
    found.decode("utf-8", "strict" if kind != "otlp protobuf" else "replace")
    assert b"invalid_utf8" not in written(kind, part("one\nthrée\n".encode()))


@pytest.mark.parametrize("kind", [*WRITERS, "syslog"])
def test_the_marks_between_the_lines_of_a_record_are_no_such_bytes(kind: str) -> None:
    chunk = part(b"one\n").chunk
    joined = type(chunk)(chunk.source, 0, b"one\xff  two\nthree\n", joined=True)
    assert b"invalid_utf8" not in written(kind, Part.of(joined))
    joined = type(chunk)(chunk.source, 0, b"one\xff  tw\xfe\nthree\n", joined=True)
    assert written(kind, Part.of(joined)).count(b"invalid_utf8") == 1
