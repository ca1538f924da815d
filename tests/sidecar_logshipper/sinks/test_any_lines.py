"""Whatever is in a log, every dialect can write it: a line that breaks the writer would stop its file for ever."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chassis.settings import Address
from logtail.multiline import Multiline
from sidecar_logshipper.batch import Part
from sidecar_logshipper.sinks import settings as given_settings
from sidecar_logshipper.sinks.elasticsearch import Elasticsearch
from sidecar_logshipper.sinks.loki import Loki
from sidecar_logshipper.sinks.otlp import Otlp
from sidecar_logshipper.sinks.plain import LinesWriter, Plain
from sidecar_logshipper.sinks.splunk_hec import SplunkHec
from sidecar_logshipper.sinks.syslog_format import SyslogFormat
from sidecar_logshipper.sinks.victorialogs import Victorialogs

from .conftest import ORIGIN, batch, part
from .test_syslog import unframed

URL = "http://logs"
OTLP = {encoding: given_settings.OtlpSink(url=URL, encoding=encoding) for encoding in ("json", "protobuf")}  # type: ignore[arg-type]
SPLUNK = given_settings.SplunkHecSink(url=URL, token_file=Path("/t"))
DIALECTS: list[Any] = [
    Plain(LinesWriter("ndjson", "", ORIGIN)),
    Plain(LinesWriter("ndjson", "id", ORIGIN)),
    Loki(given_settings.LokiSink(url=URL, record_id_field="id"), ORIGIN),
    Elasticsearch(given_settings.ElasticsearchSink(url=URL), ORIGIN),
    *(Otlp(settings, ORIGIN) for settings in OTLP.values()),
    Victorialogs(given_settings.VictorialogsSink(url=URL), ORIGIN),
    SplunkHec(SPLUNK, ORIGIN),
]
SYSLOG = SyslogFormat(given_settings.SyslogSink(address=Address("logs:514")), ORIGIN)

MEMBERS = st.sampled_from(["timestamp", "level", "severity", "trace_id", "span_id", "@timestamp", "app", "message"])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.datetimes().map(lambda time: time.isoformat() + "Z"),
    st.sampled_from(["\ud800", "\udfff\ud800", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+23:59", "0" * 32]),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=4), inner), max_leaves=4
)
LINES = st.one_of(
    st.dictionaries(MEMBERS, VALUES, max_size=4).map(lambda tree: json.dumps(tree).encode()),
    st.binary(max_size=30).map(lambda line: line.replace(b"\n", b"")),
    st.sampled_from(
        [
            b'{"a":1}{"b":2}',
            b"[" * 5000,
            b'{"timestamp":' * 2000,
            b'{"timestamp":1e400}',
            b'{"@timestamp":1e400}',
            b'{"level":"\\ud800"}',
            b"\0",
            b"\r",
        ]
    ),
)


def written(lines: Part) -> None:
    for dialect in DIALECTS:
        encoded = dialect.encode(batch(lines))
        assert b"".join(encoded.pieces)
    framed, rest = unframed(b"".join(SYSLOG.messages(lines)))
    assert (len(framed), rest) == (lines.count, b"")


@given(st.lists(LINES, min_size=1, max_size=4), st.booleans())
@example([b'{"level":"\\ud800","trace_id":"\\udfff","timestamp":"\\ud800"}'], False)
@example([b'{"timestamp":123456789012345678901234567890}'], False)
@example([b'{"timestamp":1e308}', b'{"timestamp":-0.0}', b'{"timestamp":4.1e18}'], False)
def test_lines(lines: list[bytes], unterminated: bool) -> None:
    content = b"".join(line + b"\n" for line in lines)
    if unterminated and content != b"\n":
        content = content.removesuffix(b"\n")
    if content:
        written(part(content))


@given(st.binary(min_size=1, max_size=40))
def test_a_piece_of_a_line(content: bytes) -> None:
    written(part(content.replace(b"\n", b" "), piece=True))


@given(st.lists(LINES, min_size=1, max_size=6))
def test_records_of_several_lines(lines: list[bytes]) -> None:
    marked = Multiline(start="[a-m{]").mark(b"".join(line + b"\n" for line in lines))
    chunk = part(marked).chunk
    written(Part.of(type(chunk)(chunk.source, 0, marked, joined=True)))


@pytest.mark.parametrize("path", ["/log/\udcff.log", '/log/"quoted" ].log', "/log/é.log"])
def test_any_path(path: str) -> None:
    written(part(b"a\n", path=path))
