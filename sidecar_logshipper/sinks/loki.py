"""Grafana Loki's push API (POST /loki/api/v1/push, JSON). Pure.

Loki takes two equal lines of a stream with the same time for one. So the time of a record depends on nothing but the
record, and where lines say their time in milliseconds or coarser, the digits below hold the offset.
"""

import re
from collections.abc import Mapping

import msgspec

from sidecar_logshipper import verdict
from sidecar_logshipper.batch import Batch, Part
from sidecar_logshipper.lines import LineReader
from sidecar_logshipper.origin import Origin
from sidecar_logshipper.sinks.seam import Answer, Encoded
from sidecar_logshipper.sinks.settings import LokiSink
from sidecar_logshipper.slices import slices
from sidecar_logshipper.verdict import Action, Verdict

_NO_LABEL = re.compile(r"[^a-zA-Z0-9_]")


class Loki:
    content_type = "application/json"
    path = "/loki/api/v1/push"
    query = ""
    most_answer_bytes = 64 * 1024

    def __init__(self, settings: LokiSink, origin: Origin) -> None:
        self.headers: Mapping[str, str] = {"X-Scope-OrgID": settings.tenant} if settings.tenant else {}
        members = origin.members
        streamed = origin.labels.keys() if settings.stream_labels is None else settings.stream_labels
        # A stream needs at least one label.
        stream = {label(name): members[name] for name in streamed if name in members} or {"source": "podmates"}
        self._front = b'{"streams":[{"stream":%b,"values":[' % msgspec.json.encode(stream)
        self._metadata = {label(name): value for name, value in members.items() if name not in streamed}
        self._with_metadata = settings.structured_metadata
        self._id_label = label(settings.record_id_field) if settings.record_id_field else ""
        self._origin = origin
        self._reader = LineReader(settings.time_field, origin.dating)

    def encode(self, batch: Batch) -> Encoded:
        values = b",".join([msgspec.json.encode(self._values(part))[1:-1] for part in slices(batch)])
        return Encoded([self._front, values, b"]}]}"])

    def _values(self, part: Part) -> list[object]:
        lines = self._reader.read(part)
        texts = [text.decode() for text in lines.text]
        times = [str(_distinct(time, offset)) for time, offset in zip(lines.times, lines.offsets, strict=True)]
        if not self._with_metadata:
            return list(zip(times, texts, strict=True))
        metadata = self._metadata | {"log_file_path": part.chunk.source.path.encode("utf-8", "replace").decode()}
        if part.chunk.piece:
            metadata["log_partial"] = "true"
        each = [metadata] * len(texts)
        if self._id_label:
            prefix = self._origin.id_prefix(part.chunk.source)
            each = [metadata | {self._id_label: f"{prefix}{offset}"} for offset in lines.offsets]
        for place in lines.invalid:
            each[place] = each[place] | {"log_invalid_utf8": "true"}
        return list(zip(times, texts, each, strict=True))

    def judge(self, answer: Answer, batch: Batch, now: float) -> Verdict:
        if answer.status == 260:  # ingestion is blocked for this tenant, and what came was dropped
            return Verdict(Action.HOLD, "http_260")
        return verdict.of_status(answer.status, answer.retry_after, now)


def label(name: str) -> str:
    """A name as Loki allows it: letters, digits and underscores, no digit first."""
    allowed = _NO_LABEL.sub("_", name)
    return f"_{allowed}" if allowed[:1].isdigit() else allowed


def _distinct(time: int, offset: int) -> int:
    for coarse in (1_000_000, 1_000):
        if time % coarse == 0:
            return time + offset % coarse
    return time
