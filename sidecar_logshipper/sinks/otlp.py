"""OpenTelemetry's OTLP over HTTP (POST /v1/logs). Pure; how the messages are written is left to `otlp_messages`.

The specification lets a client try again only after 429, 502, 503 and 504. What a partial success has rejected is never
sent again: it is set aside where it is known which records they were (all of them), else counted as dropped.
"""

from collections.abc import Mapping

from sidecar_logshipper import verdict
from sidecar_logshipper.batch import Batch, Part
from sidecar_logshipper.lines import LineReader
from sidecar_logshipper.origin import Origin
from sidecar_logshipper.sinks.otlp_messages import Json, Protobuf, Writing
from sidecar_logshipper.sinks.seam import Answer, Encoded
from sidecar_logshipper.sinks.settings import OtlpSink
from sidecar_logshipper.slices import slices
from sidecar_logshipper.verdict import Action, Verdict

_RETRIED = frozenset({429, 502, 503, 504})


class Otlp:
    path = "/v1/logs"
    query = ""
    headers: Mapping[str, str] = {}
    most_answer_bytes = 64 * 1024

    def __init__(self, settings: OtlpSink, origin: Origin) -> None:
        self._writing: Writing = Json() if settings.encoding == "json" else Protobuf()
        self.content_type = self._writing.content_type
        self._origin = origin
        self._reader = LineReader(settings.time_field, origin.dating)
        self._id_field = settings.record_id_field
        self._resource = [self._writing.attribute(name, value) for name, value in origin.members.items()]

    def encode(self, batch: Batch) -> Encoded:
        return Encoded(self._writing.request(self._resource, [self._records(part) for part in slices(batch)]))

    def _records(self, part: Part) -> bytes:
        source = part.chunk.source
        attribute = self._writing.attribute
        attributes = [attribute("log.file.path", source.path.encode("utf-8", "replace").decode())]
        if part.chunk.piece:
            attributes.append(attribute("log.partial", "true"))
        ids = (self._id_field, self._origin.id_prefix(source)) if self._id_field else None
        return self._writing.records(self._reader.read(part), attributes, ids)

    def judge(self, answer: Answer, batch: Batch, now: float) -> Verdict:
        decided = verdict.of_status(answer.status, answer.retry_after, now)
        if decided.action is Action.RETRY and answer.status not in _RETRIED:
            return Verdict(Action.BISECT, decided.reason)
        if decided.action is not Action.ACK:
            return decided
        try:
            rejected, why = self._writing.partial_success(answer.body)
        except ValueError:
            return decided  # a proxy that says "OK" in its own words has still said it
        if rejected >= batch.count > 0:
            refused = Verdict(Action.REFUSE, "partial_success", answer=why, certain=True)
            return verdict.partial(dict.fromkeys(range(batch.count), refused))
        return Verdict(Action.ACK, decided.reason, rejected=max(rejected, 0))
