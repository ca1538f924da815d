"""VictoriaLogs' JSON lines API (POST /insert/jsonline). Pure.

It answers 200 even where it drops a line: one that is no JSON, has no usable time, or is longer than its limit. So what
is sent is always JSON with a time, and what is too long is not sent but refused here.
"""

from collections.abc import Mapping
from urllib.parse import urlencode

from sidecar_logshipper import verdict
from sidecar_logshipper.batch import Batch
from sidecar_logshipper.documents import Documents
from sidecar_logshipper.origin import Origin
from sidecar_logshipper.sinks.seam import Answer, Encoded
from sidecar_logshipper.sinks.settings import VictorialogsSink
from sidecar_logshipper.verdict import Action, Verdict

_TOO_LONG = Verdict(Action.REFUSE, "over_max_line_bytes", answer="VictoriaLogs would drop it", certain=True)


class Victorialogs:
    content_type = "application/stream+json"
    path = "/insert/jsonline"
    headers: Mapping[str, str] = {}
    most_answer_bytes = 64 * 1024

    def __init__(self, settings: VictorialogsSink, origin: Origin) -> None:
        fields = settings.stream_fields
        if fields is None:
            steady = ("k8s.pod.name", "k8s.namespace.name")
            fields = [*origin.labels, *(name for name in steady if name in origin.pod)]
        arguments = {
            "_stream_fields": ",".join(fields),
            "_time_field": settings.time_field,
            "_msg_field": settings.message_field,
        }
        self.query = urlencode(arguments, safe=",")
        self._most_bytes = settings.max_line_bytes
        self._documents = Documents(
            origin,
            time_field=settings.time_field,
            time_name=settings.time_field,
            id_name=settings.record_id_field,
        )

    def encode(self, batch: Batch) -> Encoded:
        documents: list[bytes] = []
        for part in batch.parts:
            documents += self._documents.of(part)
        refused = {place: _TOO_LONG for place, each in enumerate(documents) if len(each) > self._most_bytes}
        if refused:
            documents = [each for place, each in enumerate(documents) if place not in refused]
        documents.append(b"")  # for the newline at the end
        return Encoded([b"\n".join(documents)], refused)

    def judge(self, answer: Answer, batch: Batch, now: float) -> Verdict:
        return verdict.of_status(answer.status, answer.retry_after, now)
